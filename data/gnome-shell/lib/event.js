// SPDX-License-Identifier: MIT
//
// From an event as it comes over the bus to a small plain object, for the model and the words.
//
// An event may be a megabyte, nested sixteen levels deep; unpacking all of it would hold the Shell up. So only those
// members are looked at that this extension shows, strings are cut, lists are cut, and whatever is not of the
// documented type is as if it were not there.

import GLib from 'gi://GLib';

const MAX_TEXT_CHARS = 200;
const MAX_CHANGES = 12;
const MAX_CHANNELS = 50;

const DICTIONARY = new GLib.VariantType('a{sv}');
const ARRAY = new GLib.VariantType('av');

// What is taken of an event's data, by name.
const TEXTS = ['id', 'prpId', 'projectId', 'agentId', 'name', 'status', 'priority', 'newStatus', 'reason', 'currentTask',
    'code', 'message', 'cause'];
const NUMBERS = ['progress', 'since', 'until'];

/**
 * @typedef {object} Change
 * @property {string} member
 * @property {string|null} value what it is now, where that is a text; null where it is nothing
 *
 * @typedef {object} RelayEvent
 * @property {number} sequence
 * @property {string} type
 * @property {number} received µs since 1970
 * @property {Record<string, string>} texts the members of `data` that are texts, as they may be shown
 * @property {Record<string, number>} numbers likewise, numbers
 * @property {Change[]} changes
 * @property {string[]} channels
 */

/**
 * Text of others, as it may be shown: on one line, bounded, and without the characters that turn the direction of
 * what stands around them.
 *
 * @param {string} text
 * @returns {string}
 */
export function makeShowable(text) {
    // eslint-disable-next-line no-control-regex
    const clean = text.slice(0, 4 * MAX_TEXT_CHARS).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
        .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '').trim();
    const chars = [...clean];
    return chars.length > MAX_TEXT_CHARS ? `${chars.slice(0, MAX_TEXT_CHARS - 1).join('')}…` : clean;
}

/**
 * @param {GLib.Variant|null} variant
 * @returns {string|null}
 */
function textOf(variant) {
    return variant?.get_type_string() === 's' ? makeShowable(variant.get_string()[0]) : null;
}

/**
 * @param {GLib.Variant|null} variant
 * @returns {number|null}
 */
function numberOf(variant) {
    switch (variant?.get_type_string()) {
    case 'x':
        return variant.get_int64();
    case 't':
        return variant.get_uint64();
    case 'd':
        return variant.get_double();
    default:
        return null;
    }
}

/**
 * @param {GLib.Variant|null} variant a{sv}: member → a{sv} with old and new
 * @returns {Change[]}
 */
function changesOf(variant) {
    const changes = [];
    if (!variant?.is_of_type(DICTIONARY))
        return [];
    for (let i = 0; i < Math.min(variant.n_children(), MAX_CHANGES); i++) {
        const entry = variant.get_child_value(i);
        const change = entry.get_child_value(1).get_variant();
        const value = change.is_of_type(DICTIONARY) ? change.lookup_value('new', null) : null;
        changes.push({member: makeShowable(entry.get_child_value(0).get_string()[0]), value: textOf(value)});
    }
    return changes;
}

/**
 * @param {GLib.Variant|null} variant av of s
 * @returns {string[]}
 */
function channelsOf(variant) {
    const channels = [];
    if (!variant?.is_of_type(ARRAY))
        return [];
    for (let i = 0; i < Math.min(variant.n_children(), MAX_CHANNELS); i++) {
        const channel = textOf(variant.get_child_value(i).get_variant());
        if (channel !== null)
            channels.push(channel);
    }
    return channels;
}

/**
 * @param {string} member of dev.prp.Relay1.Events
 * @param {GLib.Variant} parameters
 * @returns {RelayEvent}
 */
export function unpackSignal(member, parameters) {
    const argument = (/** @type {number} */ i) => parameters.get_child_value(i);
    if (member !== 'Gap')
        return unpackEvent(argument(parameters.n_children() - 1));
    // The only one without the whole event: here as it stands in the history.
    const [since, until] = [argument(0).get_uint64(), argument(1).get_uint64()];
    return {
        sequence: argument(4).get_uint64(),
        type: 'relay.gap',
        received: until,
        texts: {cause: makeShowable(argument(2).get_string()[0])},
        numbers: {since, until},
        changes: [],
        channels: argument(3).get_strv().slice(0, MAX_CHANNELS).map(makeShowable),
    };
}

/**
 * @param {GLib.Variant} variant a{sv}, as the last argument of each signal and as ListEvents gives it
 * @returns {RelayEvent}
 */
export function unpackEvent(variant) {
    /** @type {RelayEvent} */
    const event = {
        sequence: numberOf(variant.lookup_value('sequence', null)) ?? 0,
        type: textOf(variant.lookup_value('type', null)) ?? '',
        received: numberOf(variant.lookup_value('received', null)) ?? 0,
        texts: {},
        numbers: {},
        changes: [],
        channels: [],
    };
    const data = variant.lookup_value('data', null);
    if (!data?.is_of_type(DICTIONARY))
        return event;
    for (const member of TEXTS) {
        const text = textOf(data.lookup_value(member, null));
        if (text !== null)
            event.texts[member] = text;
    }
    for (const member of NUMBERS) {
        const number = numberOf(data.lookup_value(member, null));
        if (number !== null)
            event.numbers[member] = number;
    }
    if (event.type === 'prp.updated')
        event.changes = changesOf(data.lookup_value('changes', null));
    else if (event.type === 'relay.gap')
        event.channels = channelsOf(data.lookup_value('channels', null));
    return event;
}
