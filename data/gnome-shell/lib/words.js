// SPDX-License-Identifier: MIT
//
// Everything that is said to people. A sentence is always one message to translate, with its parts filled in; what comes
// from the service or the relay is filled in as it is.
//
// Who uses this binds the domain to its folder before (the entries do).

import Gettext from 'gettext';

const {gettext: _, ngettext, pgettext} = Gettext.domain('prp-relay');

/**
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 * @typedef {import('./model.js').Prp} Prp
 * @typedef {import('./model.js').Gap} Gap
 * @typedef {import('./relay.js').Status} Status
 * @typedef {import('./relay.js').Channel} Channel
 *
 * @typedef {(usec: number) => string} FormatTime µs since 1970, as the person reads times
 */

const SOON_USEC = 60e6;
const UNKNOWN_SINCE = 1; // a gap's `since` up to here: not known

/**
 * Fills %s and %d, or %1$s and so on, with the arguments.
 *
 * @param {string} template
 * @param {...(string|number)} args
 * @returns {string}
 */
export function fill(template, ...args) {
    let next = 0;
    return template.replace(/%(?:(\d+)\$)?([sd%])/g, (_all, position, kind) => {
        if (kind === '%')
            return '%';
        return String(args[position ? Number(position) - 1 : next++] ?? '');
    });
}

// -- the relay

/**
 * @param {Status} status
 * @param {FormatTime} formatTime
 * @param {number} nowUsec
 * @returns {string}
 */
export function stateTitle(status, formatTime, nowUsec) {
    switch (status.state) {
    case 'connected':
        return _('Connected');
    case 'connecting':
        return _('Connecting');
    case 'waiting':
        return status.nextAttempt - nowUsec > SOON_USEC
            ? fill(_('Trying again at %s'), formatTime(status.nextAttempt))
            : _('Trying again soon');
    case 'offline':
        return _('Offline');
    case 'unauthorized':
        return _('Not signed in');
    case 'disconnected':
        return _('Disconnected');
    case 'absent':
        return _('The relay is not running');
    default:
        return status.state;
    }
}

/**
 * What the panel's icon is called, for those who hear it.
 *
 * @param {string} title of its state
 * @returns {string}
 */
export function indicatorName(title) {
    return fill(_('PRP relay: %s'), title);
}

/**
 * What is wrong, or what the state means; empty where there is nothing to say.
 *
 * @param {Status} status
 * @param {string} failure of what the person asked for
 * @returns {string}
 */
export function troubleText(status, failure) {
    if (failure !== '')
        return failure;
    if (status.text !== '')
        return status.text;
    switch (status.state) {
    case 'offline':
        return _('There is no network on which to reach the service.');
    case 'unauthorized':
        return _('New credentials are needed. Run “prpctl login” in a terminal.');
    case 'disconnected':
        return _('It stays so until you connect.');
    case 'absent':
        return _('Connect starts it, if it is installed.');
    default:
        return '';
    }
}

/**
 * @param {string} title
 * @param {string} trouble
 * @returns {string}
 */
export function statusName(title, trouble) {
    if (trouble === '')
        return title;
    // Translators: the state of the relay, and what is wrong. To be read aloud.
    return fill(pgettext('read aloud', '%1$s: %2$s'), title, trouble);
}

/**
 * @param {number} usec
 * @param {FormatTime} formatTime
 * @returns {string}
 */
export function asOf(usec, formatTime) {
    return usec > 0 ? fill(_('Correct as of %s'), formatTime(usec)) : _('This may be out of date');
}

/**
 * @param {Gap} gap
 * @param {FormatTime} formatTime
 * @returns {string}
 */
export function gapSentence(gap, formatTime) {
    if (gap.since <= UNKNOWN_SINCE)
        return fill(_('Events until %s may have been missed.'), formatTime(gap.until));
    const [since, until] = [formatTime(gap.since), formatTime(gap.until)];
    if (since === until)
        return fill(_('Events at about %s may have been missed.'), until);
    return fill(_('Events between %1$s and %2$s may have been missed.'), since, until);
}

// -- PRPs

/**
 * @param {string} status
 * @returns {string} in the person's language where it is a word that we know
 */
export function statusWord(status) {
    switch (status.toLowerCase()) {
    case '':
        return pgettext('status of a PRP', 'unknown');
    case 'pending':
        return pgettext('status of a PRP', 'pending');
    case 'active':
        return pgettext('status of a PRP', 'active');
    case 'completed':
    case 'done':
        return pgettext('status of a PRP', 'completed');
    case 'failed':
        return pgettext('status of a PRP', 'failed');
    case 'cancelled':
    case 'canceled':
        return pgettext('status of a PRP', 'cancelled');
    case 'blocked':
        return pgettext('status of a PRP', 'blocked');
    case 'paused':
        return pgettext('status of a PRP', 'paused');
    default:
        return status;
    }
}

/**
 * The line below the name.
 *
 * @param {Prp} prp
 * @returns {string}
 */
export function prpDetails(prp) {
    const status = statusWord(prp.status);
    if (prp.agent === '')
        return status;
    if (prp.task === '' || prp.ended > 0) {
        // Translators: a PRP's status and its agent.
        return fill(_('%1$s · %2$s'), status, prp.agent);
    }
    // Translators: a PRP's status, its agent, and what the agent is doing.
    return fill(_('%1$s · %2$s · %3$s'), status, prp.agent, prp.task);
}

/**
 * @param {number} progress
 * @returns {string}
 */
export function percent(progress) {
    // Translators: per cent done.
    return fill(_('%d%%'), Math.floor(progress));
}

/**
 * @param {Prp} prp
 * @param {FormatTime} formatTime
 * @returns {string} empty where there is no doubt
 */
export function doubtText(prp, formatTime) {
    return prp.doubt ? fill(_('May have changed since %s'), formatTime(prp.updated)) : '';
}

/**
 * A whole row, for those who hear it.
 *
 * @param {Prp} prp
 * @returns {string}
 */
export function prpName(prp) {
    if (prp.progress === null || prp.ended > 0) {
        // Translators: the name of a PRP; its status and agent. To be read aloud.
        return fill(pgettext('read aloud', '%1$s: %2$s'), prp.name, prpDetails(prp));
    }
    // Translators: the name of a PRP; its status and agent; per cent done. To be read aloud.
    return fill(pgettext('read aloud', '%1$s: %2$s, %3$s'), prp.name, prpDetails(prp), percent(prp.progress));
}

/**
 * @param {number} n
 * @returns {string}
 */
export function morePrps(n) {
    return fill(ngettext('%d more PRP', '%d more PRPs', n), n);
}

export const noPrps = () => _('No active PRPs');

// -- events

/**
 * @param {RelayEvent} event
 * @param {(id: string) => string} nameOf of a PRP
 * @param {FormatTime} formatTime
 * @returns {string}
 */
export function eventSentence(event, nameOf, formatTime) {
    const {texts, numbers} = event;
    const name = nameOf(texts.prpId ?? texts.id ?? '');
    switch (event.type) {
    case 'prp.created':
        return fill(_('“%s” was created'), texts.name || name);
    case 'prp.updated':
        return fill(_('“%s” was updated'), name);
    case 'prp.status_changed':
        if (texts.reason)
            return fill(_('“%1$s” is now %2$s: %3$s'), name, statusWord(texts.newStatus ?? ''), texts.reason);
        return fill(_('“%1$s” is now %2$s'), name, statusWord(texts.newStatus ?? ''));
    case 'prp.deleted':
        if (texts.reason)
            return fill(_('“%1$s” was deleted: %2$s'), name, texts.reason);
        return fill(_('“%s” was deleted'), name);
    case 'agent.assigned':
        return fill(_('%1$s was assigned to “%2$s”'), texts.agentId ?? '', name);
    case 'agent.progress':
        return fill(_('%1$s has done %2$d%% of “%3$s”'), texts.agentId ?? '', Math.floor(numbers.progress ?? 0), name);
    case 'error':
        return fill(_('The service reports an error: %s'), texts.message || (texts.code ?? ''));
    case 'relay.gap':
        return gapSentence({since: numbers.since ?? 0, until: numbers.until ?? 0}, formatTime);
    default:
        return fill(_('An event of type %s'), event.type);
    }
}

/**
 * @param {string} time
 * @param {string} sentence
 * @returns {string}
 */
export function eventName(time, sentence) {
    // Translators: a time, and what happened then. To be read aloud.
    return fill(pgettext('read aloud', '%1$s: %2$s'), time, sentence);
}

export const noEvents = () => _('No recent events');

// -- channels

/**
 * @param {Channel} channel
 * @returns {string}
 */
export function channelState(channel) {
    switch (channel.state) {
    case 'active':
        return pgettext('state of a channel', 'Active');
    case 'pending':
        return pgettext('state of a channel', 'Pending');
    case 'rejected':
        return channel.text === ''
            ? pgettext('state of a channel', 'Rejected')
            : fill(pgettext('state of a channel', 'Rejected: %s'), channel.text);
    default:
        return channel.state;
    }
}

/**
 * @param {Channel} channel
 * @returns {string}
 */
export function channelName(channel) {
    // Translators: the name of a channel, and its state. To be read aloud.
    return fill(pgettext('read aloud', '%1$s: %2$s'), channel.name, channelState(channel));
}

/**
 * @param {number} n
 * @returns {string}
 */
export function moreChannels(n) {
    return fill(ngettext('%d more channel', '%d more channels', n), n);
}

export const noChannels = () => _('No channels yet. Choose them in Settings.');

// -- the menu

export const menuTitles = () => ({
    prps: _('PRPs'),
    events: _('Recent Events'),
    channels: _('Channels'),
    connect: _('Connect'),
    disconnect: _('Disconnect'),
    settings: _('Settings'),
});

/** What other programs are told about our holds. */
export const holdReason = () => _('Shown in the panel');
