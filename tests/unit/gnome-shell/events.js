// SPDX-License-Identifier: MIT
//
// Events as the relay has them, for the tests.

import GLib from 'gi://GLib';

/**
 * JSON as the relay maps it.
 *
 * @param {any} value
 * @returns {GLib.Variant}
 */
export function toVariant(value) {
    if (value === null)
        return new GLib.Variant('g', '');
    if (Array.isArray(value))
        return new GLib.Variant('av', value.map(toVariant));
    switch (typeof value) {
    case 'string':
        return new GLib.Variant('s', value);
    case 'boolean':
        return new GLib.Variant('b', value);
    case 'number':
        return new GLib.Variant(Number.isInteger(value) ? 'x' : 'd', value);
    default:
        return new GLib.Variant('a{sv}', toDictionary(value));
    }
}

/** @param {Record<string, any>} object */
function toDictionary(object) {
    return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, toVariant(value)]));
}

/**
 * @param {number} sequence
 * @param {string} type
 * @param {any} data
 * @param {number} [received]
 */
export function makeEvent(sequence, type, data, received = sequence * 1e6) {
    return {
        sequence: new GLib.Variant('t', sequence),
        id: new GLib.Variant('s', `msg_${sequence}`),
        type: new GLib.Variant('s', type),
        timestamp: new GLib.Variant('s', '2026-11-23T10:00:00Z'),
        received: new GLib.Variant('t', received),
        data: toVariant(data),
    };
}
