// SPDX-License-Identifier: MIT
//
// The kinds of events that a person can switch on and off among the recent ones: their settings, and their types.

/**
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 *
 * @typedef {object} Switches what there is of Gio.Settings
 * @property {(key: string) => boolean} get_boolean
 */

/** @type {Record<string, string>} settings key → type */
export const KINDS = {
    'event-created': 'prp.created',
    'event-updated': 'prp.updated',
    'event-status': 'prp.status_changed',
    'event-deleted': 'prp.deleted',
    'event-assigned': 'agent.assigned',
    'event-progress': 'agent.progress',
    'event-error': 'error',
    'event-gap': 'relay.gap',
};
export const OTHER_KIND = 'event-other'; // every other type

const SEARCHED_EVENTS = 200;

/**
 * How to ask the history for the last events of the kinds that are switched on. A filter can only name types, not leave
 * them out: where other types are wanted as well, more is listed than is shown.
 *
 * @param {Switches} settings
 * @param {number} wanted how many
 * @returns {{types: string[]|null, limit: number, matches: (event: RelayEvent) => boolean}} limit 0: there is nothing to
 *   ask for
 */
export function eventFilter(settings, wanted) {
    const known = Object.values(KINDS);
    const shown = Object.keys(KINDS).filter(key => settings.get_boolean(key)).map(key => KINDS[key]);
    const hasOthers = settings.get_boolean(OTHER_KIND);
    let limit = shown.length > 0 ? wanted : 0;
    if (hasOthers)
        limit = shown.length === known.length ? wanted : Math.max(SEARCHED_EVENTS, wanted);
    return {
        types: hasOthers ? null : shown,
        limit,
        matches: ({type}) => shown.includes(type) || (hasOthers && !known.includes(type)),
    };
}
