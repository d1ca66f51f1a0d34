// SPDX-License-Identifier: MIT
//
// The relay, as seen from the Shell: dev.prp.Relay1 over GDBus, asynchronous throughout.
//
// Relay watches who owns the name. For each owner there is one Session, which ends with it: its signals, its calls and
// its hold are the owner's, addressed by the unique name, so that nothing of one relay is taken for the next one's. The
// name is asked for once, when the watch begins, with auto-start; a relay that ends is for systemd to start again, not
// for us in a loop.
//
// Signals are bells only. Events are always listed from the history, from the cursor on, as prp-relay-history(7) has
// it; so it does not matter which signals came while the extension was disabled. And a bell that has rung is taken off
// until the listing begins: a flood of events wakes the Shell a few times a second, not for each of them. Only a relay
// that keeps no history (MaxEvents=0) is listened to: there, what is not heard is lost.
//
// A hold belongs to the Shell's connection, not to this object. It has to be released whatever happens, so Hold is the
// one call that is not cancelled: if its answer comes when nobody wants it any more, the cookie is given back, and
// that is all that may still happen after destroy().

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Bell, isCancelled, makeCancelled} from './bell.js';
import {makeShowable, unpackEvent, unpackSignal} from './event.js';

const NAME = 'dev.prp.Relay1';
const PATH = '/dev/prp/Relay1';
const RELAY = 'dev.prp.Relay1';
const EVENTS = 'dev.prp.Relay1.Events';
const HISTORY = 'dev.prp.Relay1.History';
const CHANNEL = 'dev.prp.Relay1.Channel';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
const OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager';

const EVENTS_INTERVAL_MSEC = 250;
const CHANNELS_INTERVAL_MSEC = 500;
const PAGE_EVENTS = 100;     // of one ListEvents
const SLICE_EVENTS = 10;     // unpacked before others get their turn
const FIRST_EVENTS = 500;    // at the very first start: the last ones of all kinds …
const FIRST_LANDMARKS = 500; // … and of the kinds that come seldom
const MAX_SIGNALLED = 500;   // kept, where there is no history to list them from
const MAX_CHANNELS = 200;    // looked at; more are only counted
const SLICE_CHANNELS = 20;

const PRP_TYPES = ['prp.*', 'agent.*', 'relay.gap'];
const LANDMARK_TYPES = ['prp.created', 'prp.status_changed', 'prp.deleted', 'agent.assigned'];

/**
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 * @typedef {import('./model.js').Cursor} Cursor
 *
 * @typedef {object} Status
 * @property {string} state that of the relay, or 'absent'
 * @property {string} code of LastError
 * @property {string} text of LastError
 * @property {number} nextAttempt µs since 1970, 0 for none
 * @property {number} lastAlive likewise
 * @property {string} url
 *
 * @typedef {object} Channel
 * @property {string} name
 * @property {string} state
 * @property {string} text why it was refused
 *
 * @typedef {object} Listener what is told, and by whom
 * @property {() => void} statusChanged
 * @property {() => void} channelsChanged
 * @property {(events: RelayEvent[]) => void} handle events behind the cursor, in order; the listener moves the cursor
 * @property {(lastSequence: number) => void} caughtUp all up to that number was handled
 * @property {() => void} lost there may have been events that are not to be had any more
 */

/** @type {Status} */
export const CONNECTING = Object.freeze({state: 'connecting', code: '', text: '', nextAttempt: 0, lastAlive: 0, url: ''});

/** @type {Status} */
const ABSENT = Object.freeze({state: 'absent', code: '', text: '', nextAttempt: 0, lastAlive: 0, url: ''});

/**
 * @param {Gio.DBusConnection} bus
 * @param {string} destination
 * @param {string} face the interface
 * @param {string} method
 * @param {GLib.Variant|null} parameters
 * @param {Gio.Cancellable|null} cancellable
 * @param {Gio.DBusCallFlags} [flags]
 * @returns {Promise<GLib.Variant>}
 */
function call(bus, destination, face, method, parameters, cancellable, flags = Gio.DBusCallFlags.NO_AUTO_START) {
    return new Promise((resolve, reject) => {
        bus.call(destination, PATH, face, method, parameters, null, flags, -1, cancellable, (_bus, result) => {
            try {
                resolve(bus.call_finish(result));
            } catch (error) {
                reject(error);
            }
        });
    });
}

/**
 * @param {any} error
 * @returns {string}
 */
function messageOf(error) {
    if (error instanceof GLib.Error)
        Gio.DBusError.strip_remote_error(error);
    return makeShowable(error.message);
}

/** One relay, from the time it owns the name until it does not. */
class Session {
    /**
     * @param {Relay} relay
     * @param {Gio.DBusConnection} bus
     * @param {string} owner
     */
    constructor(relay, bus, owner) {
        this._relay = relay;
        this._bus = bus;
        this._owner = owner;
        this._cancellable = new Gio.Cancellable();
        this._isDestroyed = false;
        /** @type {Map<string, number[]>} what is listened to, by purpose */
        this._matches = new Map();
        /** @type {string[]} */
        this._wanted = [];
        this._cookie = 0;
        this._heldNames = '';
        this._keepsNothing = false; // the relay has no history …
        /** @type {RelayEvent[]} … so these are from signals, and not yet handled */
        this._signalled = [];
        /** @type {Map<string, string>} channels of ours that are not to be had, and why */
        this.refused = new Map();
        /** @type {Channel[]} */
        this.channels = [];
        this.channelsInAll = 0;
        /** @type {Status} */
        this.status = CONNECTING;

        this._statusBell = new Bell(0, () => this._readStatus());
        this._eventsBell = new Bell(EVENTS_INTERVAL_MSEC, bell => this._catchUp(bell));
        this._channelsBell = new Bell(CHANNELS_INTERVAL_MSEC, bell => this._readChannels(bell));
        this._holdBell = new Bell(0, () => this._updateHold());

        this._match('status', PROPERTIES, 'PropertiesChanged', PATH, null, parameters => this._onProperties(parameters));
        this._statusBell.ring();
        this._eventsBell.ring();
        this._channelsBell.ring();
    }

    destroy() {
        this._isDestroyed = true;
        this._cancellable.cancel();
        for (const purpose of [...this._matches.keys()])
            this._unmatch(purpose);
        for (const bell of [this._statusBell, this._eventsBell, this._channelsBell, this._holdBell])
            bell.destroy();
        this._release(this._cookie);
        this._cookie = 0;
    }

    /**
     * @param {string} purpose
     * @param {string} face
     * @param {string|null} member
     * @param {string|null} path
     * @param {string|null} arg0
     * @param {(parameters: GLib.Variant, member: string) => void} callback
     */
    _match(purpose, face, member, path, arg0, callback) {
        const id = this._bus.signal_subscribe(this._owner, face, member, path, arg0, Gio.DBusSignalFlags.NONE,
            (_bus, _sender, _path, _face, signal, parameters) => callback(parameters, signal));
        this._matches.set(purpose, [...this._matches.get(purpose) ?? [], id]);
    }

    /** @param {string} purpose */
    _unmatch(purpose) {
        for (const id of this._matches.get(purpose) ?? [])
            this._bus.signal_unsubscribe(id);
        this._matches.delete(purpose);
    }

    /**
     * @param {string} face
     * @param {string} method
     * @param {GLib.Variant|null} [parameters]
     */
    async _call(face, method, parameters = null) {
        const reply = await call(this._bus, this._owner, face, method, parameters, this._cancellable);
        if (this._isDestroyed)
            throw makeCancelled();
        return reply;
    }

    // -- status

    /** @param {GLib.Variant} parameters */
    _onProperties(parameters) {
        const face = parameters.get_child_value(0).get_string()[0];
        if (face === RELAY)
            this._statusBell.ring();
        else if (face === HISTORY)
            this._eventsBell.ring();
    }

    async _readStatus() {
        const reply = await this._call(PROPERTIES, 'GetAll', new GLib.Variant('(s)', [RELAY]));
        const all = reply.get_child_value(0);
        const text = (/** @type {string} */ name) => all.lookup_value(name, new GLib.VariantType('s'))?.get_string()[0] ?? '';
        const time = (/** @type {string} */ name) => all.lookup_value(name, new GLib.VariantType('t'))?.get_uint64() ?? 0;
        const trouble = all.lookup_value('LastError', new GLib.VariantType('(ss)'));
        const before = this.status.state;
        this.status = {
            state: text('State'),
            code: trouble?.get_child_value(0).get_string()[0] ?? '',
            text: makeShowable(trouble?.get_child_value(1).get_string()[0] ?? ''),
            nextAttempt: time('NextAttempt'),
            lastAlive: time('LastAlive'),
            url: text('Url'),
        };
        // What was refused on the old connection may be granted on this one.
        if (this.status.state === 'connected' && before !== 'connected' && this.refused.size > 0) {
            this._heldNames = '';
            this._holdBell.ring();
        }
        this._relay.listener.statusChanged();
    }

    // -- holds

    /** @param {string[]} channels */
    setWanted(channels) {
        this._wanted = channels;
        this._holdBell.ring();
    }

    /** The new hold is taken before the old one is released: what is in both is not subscribed anew. */
    async _updateHold() {
        const wanted = this._wanted;
        const names = wanted.join(' ');
        if (names === this._heldNames)
            return;
        let cookie = 0;
        this.refused.clear();
        this._heldNames = names;
        if (wanted.length > 0) {
            const options = {
                'app-id': new GLib.Variant('s', 'org.gnome.Shell.Extensions.prp-relay'),
                'reason': new GLib.Variant('s', this._relay.reason),
            };
            try {
                const reply = await call(this._bus, this._owner, RELAY, 'Hold',
                    new GLib.Variant('(asa{sv})', [wanted, options]), null);
                cookie = reply.get_child_value(0).get_uint32();
                const states = /** @type {Record<string, string>} */ (reply.get_child_value(1).deepUnpack());
                for (const name of wanted.filter(channel => states[channel] === 'rejected'))
                    this.refused.set(name, '');
            } catch (error) {
                for (const name of wanted)
                    this.refused.set(name, messageOf(error));
            }
            if (this._isDestroyed) {
                this._release(cookie);
                return;
            }
        }
        this._release(this._cookie);
        this._cookie = cookie;
        this._relay.listener.channelsChanged();
    }

    /** @param {number} cookie */
    _release(cookie) {
        if (cookie !== 0 && !this._bus.is_closed()) {
            this._bus.call(this._owner, PATH, RELAY, 'Release', new GLib.Variant('(u)', [cookie]), null,
                Gio.DBusCallFlags.NO_AUTO_START, -1, null, null);
        }
    }

    // -- channels

    /** @param {Bell} bell */
    async _readChannels(bell) {
        const ring = () => {
            this._unmatch('channels');
            bell.ring();
        };
        this._unmatch('channels');
        this._match('channels', OBJECT_MANAGER, null, PATH, null, ring);
        this._match('channels', PROPERTIES, 'PropertiesChanged', null, CHANNEL, ring);
        const reply = await this._call(OBJECT_MANAGER, 'GetManagedObjects');
        const objects = reply.get_child_value(0);
        /** @type {Channel[]} */
        const channels = [];
        let inAll = 0;
        for (let i = 0; i < objects.n_children(); i++) {
            inAll++;
            if (channels.length === MAX_CHANNELS)
                continue;
            const faces = objects.get_child_value(i).get_child_value(1);
            const properties = faces.lookup_value(CHANNEL, null);
            const error = properties?.lookup_value('Error', new GLib.VariantType('(ss)'));
            if (properties) {
                channels.push({
                    name: makeShowable(properties.lookup_value('Name', null)?.get_string()[0] ?? ''),
                    state: properties.lookup_value('State', null)?.get_string()[0] ?? '',
                    text: makeShowable(error?.get_child_value(1).get_string()[0] ?? ''),
                });
            } else {
                inAll--;
            }
            if (i % SLICE_CHANNELS === SLICE_CHANNELS - 1)
                // eslint-disable-next-line no-await-in-loop
                await bell.turn();
        }
        this.channels = channels.sort((a, b) => (a.name < b.name ? -1 : 1));
        this.channelsInAll = inAll;
        this._relay.listener.channelsChanged();
    }

    // -- events

    /**
     * @param {number} after
     * @param {number} limit
     * @param {Record<string, GLib.Variant>} filter
     * @returns {Promise<{events: GLib.Variant, lastSequence: number, more: boolean}>}
     */
    async _list(after, limit, filter) {
        const reply = await this._call(HISTORY, 'ListEvents', new GLib.Variant('(tua{sv})', [after, limit, filter]));
        return {
            events: reply.get_child_value(0),
            lastSequence: reply.get_child_value(1).get_uint64(),
            more: reply.get_child_value(2).get_boolean(),
        };
    }

    /**
     * The last events, in order.
     *
     * @param {number} limit
     * @param {string[]|null} types shell globs; null for all
     * @param {Bell} bell of the caller
     * @returns {Promise<{events: RelayEvent[], lastSequence: number}>}
     */
    async listNewest(limit, types, bell) {
        /** @type {Record<string, GLib.Variant>} */
        const filter = {newest: new GLib.Variant('b', true)};
        if (types !== null)
            filter.types = new GLib.Variant('as', types);
        const page = await this._list(0, limit, filter);
        /** @type {RelayEvent[]} */
        const events = [];
        for (let i = 0; i < page.events.n_children(); i++) {
            events.push(unpackEvent(page.events.get_child_value(i)));
            if (i % SLICE_EVENTS === SLICE_EVENTS - 1)
                // eslint-disable-next-line no-await-in-loop
                await bell.turn();
        }
        return {events, lastSequence: page.lastSequence};
    }

    /**
     * Everything behind the cursor, page by page.
     *
     * @param {Bell} bell
     */
    async _catchUp(bell) {
        const {cursor, listener} = this._relay;
        // The match first: what is stored while the history is listed rings again.
        this._unmatch('events');
        this._match('events', EVENTS, null, PATH, null, (parameters, member) => {
            if (!this._keepsNothing)
                this._unmatch('events');
            else if (this._signalled.length < MAX_SIGNALLED)
                this._signalled.push(unpackSignal(member, parameters));
            bell.ring();
        });
        for (let more = true; more;) {
            if (cursor.history === '')
                // eslint-disable-next-line no-await-in-loop
                await this._begin(bell);
            // eslint-disable-next-line no-await-in-loop
            const page = await this._list(cursor.sequence, PAGE_EVENTS, {types: new GLib.Variant('as', PRP_TYPES)});
            // Behind the list, so that what the properties say holds for it.
            // eslint-disable-next-line no-await-in-loop
            const history = await this._readHistory();
            if (cursor.history !== history.id || cursor.sequence > history.last) {
                listener.lost();
                cursor.history = '';
                continue;
            }
            const keptNothing = this._keepsNothing;
            this._keepsNothing = page.events.n_children() === 0 && history.first > history.last;
            if (keptNothing && this._keepsNothing) {
                const isAll = this._signalled.length < MAX_SIGNALLED;
                listener.handle(this._signalled.splice(0));
                if (!isAll)
                    listener.lost();
                listener.caughtUp(cursor.sequence);
                return;
            }
            this._signalled.length = 0;
            if (cursor.sequence > 0 && cursor.sequence + 1 < history.first)
                listener.lost();
            for (let i = 0; i < page.events.n_children(); i += SLICE_EVENTS) {
                const slice = [];
                for (let j = i; j < Math.min(i + SLICE_EVENTS, page.events.n_children()); j++)
                    slice.push(unpackEvent(page.events.get_child_value(j)));
                listener.handle(slice);
                // eslint-disable-next-line no-await-in-loop
                await bell.turn();
            }
            listener.caughtUp(page.lastSequence);
            more = page.more;
        }
    }

    async _readHistory() {
        const reply = await this._call(PROPERTIES, 'GetAll', new GLib.Variant('(s)', [HISTORY]));
        const all = reply.get_child_value(0);
        return {
            id: all.lookup_value('HistoryId', null)?.get_string()[0] ?? '',
            first: all.lookup_value('FirstSequence', null)?.get_uint64() ?? 0,
            last: all.lookup_value('LastSequence', null)?.get_uint64() ?? 0,
        };
    }

    /**
     * With a history that we know nothing of: not all of it is read, but so much that the PRPs of these days are there.
     *
     * @param {Bell} bell
     */
    async _begin(bell) {
        const {cursor, listener} = this._relay;
        const history = await this._readHistory();
        const landmarks = await this.listNewest(FIRST_LANDMARKS, LANDMARK_TYPES, bell);
        const newest = await this.listNewest(FIRST_EVENTS, PRP_TYPES, bell);
        const events = new Map([...landmarks.events, ...newest.events].map(event => [event.sequence, event]));
        cursor.history = history.id;
        cursor.sequence = 0;
        listener.handle([...events.values()].sort((a, b) => a.sequence - b.sequence));
        listener.caughtUp(newest.lastSequence);
    }
}

export class Relay {
    /**
     * Nothing happens before start().
     *
     * @param {Cursor} cursor moved by the listener; its history by the relay
     * @param {string} reason why channels are held, for people to read
     * @param {Listener} listener
     */
    constructor(cursor, reason, listener) {
        this.cursor = cursor;
        this.reason = reason;
        this.listener = listener;
        /** @type {Session|null} */
        this._session = null;
        /** @type {Gio.DBusConnection|null} */
        this._bus = null;
        this._watch = 0;
        this._cancellable = new Gio.Cancellable();
        /** @type {string[]} */
        this._wanted = [];
        /** @type {string} why the last thing that was asked for did not happen */
        this.failure = '';
    }

    start() {
        Gio.bus_get(Gio.BusType.SESSION, this._cancellable, (_source, result) => {
            try {
                this._bus = Gio.bus_get_finish(result);
            } catch (error) {
                if (!isCancelled(error))
                    logError(/** @type {Error} */ (error), 'prp-relay');
                return;
            }
            if (!this._cancellable.is_cancelled())
                this._watchName(this._bus);
        });
    }

    destroy() {
        this._cancellable.cancel();
        if (this._watch !== 0)
            Gio.bus_unwatch_name(this._watch);
        this._watch = 0;
        this._session?.destroy();
        this._session = null;
        this._bus = null;
    }

    /** @param {Gio.DBusConnection} bus */
    _watchName(bus) {
        this._watch = Gio.bus_watch_name_on_connection(bus, NAME, Gio.BusNameWatcherFlags.AUTO_START,
            (_bus, _name, owner) => {
                this._endSession();
                this.failure = '';
                this._session = new Session(this, bus, owner);
                this._session.setWanted(this._wanted);
                this.listener.statusChanged();
            },
            () => {
                this._endSession();
                this.listener.statusChanged();
                this.listener.channelsChanged();
            });
    }

    _endSession() {
        this._session?.destroy();
        this._session = null;
    }

    /** @returns {Status} */
    get status() {
        return this._session?.status ?? ABSENT;
    }

    /** @returns {Channel[]} those of the relay, and those of ours that it does not have */
    get channels() {
        const channels = this._session?.channels ?? [];
        const known = new Set(channels.map(channel => channel.name));
        const missing = this._wanted.filter(name => !known.has(name));
        return [
            ...channels,
            ...missing.map(name => {
                const why = this._session?.refused.get(name);
                return {name, state: why === undefined ? 'pending' : 'rejected', text: why ?? ''};
            }),
        ];
    }

    /** How many channels the relay has; may be more than are in `channels`. */
    get channelsInAll() {
        return Math.max(this._session?.channelsInAll ?? 0, this.channels.length);
    }

    /**
     * The channels to hold, in place of those before.
     *
     * @param {string[]} channels
     */
    setWanted(channels) {
        this._wanted = channels;
        this._session?.setWanted(channels);
    }

    /**
     * See Session.listNewest. Empty while there is no relay.
     *
     * @param {number} limit
     * @param {string[]|null} types
     * @param {Bell} bell
     */
    async listNewest(limit, types, bell) {
        return this._session ? (await this._session.listNewest(limit, types, bell)).events : [];
    }

    /** Starts the relay, if need be. */
    connect() {
        this._ask('Connect', Gio.DBusCallFlags.NONE);
    }

    disconnect() {
        this._ask('Disconnect', Gio.DBusCallFlags.NO_AUTO_START);
    }

    /**
     * @param {string} method
     * @param {Gio.DBusCallFlags} flags
     */
    async _ask(method, flags) {
        if (this._bus === null)
            return;
        this.failure = '';
        try {
            await call(this._bus, NAME, RELAY, method, null, this._cancellable, flags);
        } catch (error) {
            if (isCancelled(error))
                return;
            this.failure = messageOf(error);
        }
        if (!this._cancellable.is_cancelled())
            this.listener.statusChanged();
    }
}
