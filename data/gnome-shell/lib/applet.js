// SPDX-License-Identifier: MIT
//
// Ties it together: settings and relay in, model in the middle, indicator out. Made by enable(), destroyed by
// disable(); what destroy() gives back goes into the next one, so that the PRPs are there at once after unlock, and
// the history is listed on from where it was left.

import GLib from 'gi://GLib';

import {Bell} from './bell.js';
import {Indicator} from './indicator.js';
import {eventFilter} from './kinds.js';
import {Keeper} from './keeper.js';
import {isChannel, Model} from './model.js';
import {CONNECTING, Relay} from './relay.js';
import * as Words from './words.js';

/**
 * @typedef {import('./shell.js').Shell} Shell
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 */

const RENDER_INTERVAL_MSEC = 100;
const EVENTS_INTERVAL_MSEC = 500;
const CLOCK_SECONDS = 20; // while the menu is open: what ended some time ago goes
const MAX_HELD_CHANNELS = 100;

export class Applet {
    /**
     * @param {Shell} shell
     * @param {object} [kept] what destroy() of the one before gave
     */
    constructor(shell, kept) {
        this._shell = shell;
        this._clock = 0;
        /** @type {RelayEvent[]} */
        this._events = [];
        this._wasConnected = false;
        this._hasNews = false;
        this._formatTime = (/** @type {number} */ usec) => shell.formatTime(new Date(usec / 1000));
        /** @type {Relay|null} */
        this._relay = null;
        this._model = new Model(kept);
        this._keeper = new Keeper(Keeper.defaultFile(), () => this._model.keep());
        this._renderBell = new Bell(RENDER_INTERVAL_MSEC, async () => this._render());
        this._eventsBell = new Bell(EVENTS_INTERVAL_MSEC, bell => this._listEvents(bell));
        this._indicator = new Indicator(shell, this._formatTime, {
            opened: isOpen => this._onOpened(isOpen),
            connect: () => this._relay?.connect(),
            disconnect: () => this._relay?.disconnect(),
            openPreferences: () => shell.openPreferences(),
        });
        this._indicator.updateIcon(CONNECTING, 0);
        this._settingsChanged = shell.settings.connect('changed', () => this._onSettings());
        if (kept !== undefined) {
            this._start();
        } else {
            this._keeper.load(found => {
                this._model = new Model(found);
                this._start();
            });
        }
    }

    /** @returns {object|undefined} for the next one; undefined if it had not begun */
    destroy() {
        const hasBegun = this._relay !== null;
        this._noteTime();
        this._shell.settings.disconnect(this._settingsChanged);
        // First, for an open menu tells that it closes.
        this._indicator.destroy();
        this._stopClock();
        this._relay?.destroy();
        this._renderBell.destroy();
        this._eventsBell.destroy();
        this._keeper.destroy();
        return hasBegun ? this._model.keep() : undefined;
    }

    _start() {
        const model = this._model;
        this._relay = new Relay(model.cursor, Words.holdReason(), {
            statusChanged: () => this._onStatus(),
            channelsChanged: () => this._renderBell.ring(),
            handle: events => {
                this._hasNews ||= events.length > 0;
                for (const event of events)
                    model.apply(event);
            },
            caughtUp: lastSequence => this._onCaughtUp(lastSequence),
            lost: () => {
                model.noteLoss(GLib.get_real_time());
                this._keeper.touch();
            },
        });
        this._relay.setWanted(this._channelsToHold());
        this._relay.start();
        this._renderBell.ring();
    }

    // -- what happens

    _onStatus() {
        const status = this._relay?.status;
        if (!status)
            return;
        this._noteTime();
        this._wasConnected = status.state === 'connected';
        if (status.url !== '')
            this._model.setUrl(status.url);
        this._indicator.updateIcon(status, GLib.get_real_time());
        this._renderBell.ring();
        if (this._indicator.isOpen)
            this._eventsBell.ring();
    }

    /** Until when the list is right: as long as we are connected it is; then until the service was last heard. */
    _noteTime() {
        const {state = 'absent', lastAlive = 0} = this._relay?.status ?? {};
        if (this._wasConnected && (state === 'connected' || lastAlive === 0))
            this._model.asOf = GLib.get_real_time();
        if (state !== 'connected' && lastAlive > 0)
            this._model.asOf = lastAlive;
    }

    /** @param {number} lastSequence */
    _onCaughtUp(lastSequence) {
        const {cursor} = this._model;
        if (!this._hasNews && lastSequence <= cursor.sequence)
            return;
        this._hasNews = false;
        cursor.sequence = Math.max(cursor.sequence, lastSequence);
        this._keeper.touch();
        this._renderBell.ring();
        if (this._indicator.isOpen)
            this._eventsBell.ring();
    }

    _onSettings() {
        this._relay?.setWanted(this._channelsToHold());
        this._renderBell.ring();
        if (this._indicator.isOpen)
            this._eventsBell.ring();
    }

    /** @param {boolean} isOpen */
    _onOpened(isOpen) {
        this._stopClock();
        if (isOpen) {
            this._render();
            this._eventsBell.ring();
            this._clock = GLib.timeout_add_seconds(GLib.PRIORITY_LOW, CLOCK_SECONDS, () => {
                this._render();
                return GLib.SOURCE_CONTINUE;
            });
        } else {
            this._model.markGapSeen();
            this._keeper.touch();
        }
    }

    _stopClock() {
        if (this._clock !== 0)
            GLib.source_remove(this._clock);
        this._clock = 0;
    }

    /** @returns {string[]} */
    _channelsToHold() {
        const channels = this._shell.settings.get_strv('channels').filter(isChannel);
        return [...new Set(channels)].sort().slice(0, MAX_HELD_CHANNELS);
    }

    // -- what is shown

    /** @param {Bell} bell */
    async _listEvents(bell) {
        const {settings} = this._shell;
        if (!settings.get_boolean('show-events') || this._relay === null)
            return;
        const wanted = settings.get_uint('recent-events');
        const {types, limit, matches} = eventFilter(settings, wanted);
        const events = limit > 0 ? await this._relay.listNewest(limit, types, bell) : [];
        this._events = events.filter(matches).reverse().slice(0, wanted);
        this._renderBell.ring();
    }

    _render() {
        if (this._relay === null || !this._indicator.isOpen)
            return;
        const {settings} = this._shell;
        const model = this._model;
        const nowUsec = GLib.get_real_time();
        const endedUsec = settings.get_boolean('show-finished') ? settings.get_uint('finished-minutes') * 60e6 : 0;
        this._indicator.update({
            nowUsec,
            status: this._relay.status,
            failure: this._relay.failure,
            asOf: model.asOf,
            gap: model.unseenGap(nowUsec),
            prps: settings.get_boolean('show-prps') ? model.list(nowUsec, endedUsec) : null,
            prpsAtOnce: settings.get_uint('prps-at-once'),
            events: settings.get_boolean('show-events') ? this._events : null,
            nameOf: id => model.nameOf(id),
            channels: settings.get_boolean('show-channels') ? this._relay.channels : null,
            channelsInAll: this._relay.channelsInAll,
        });
    }
}
