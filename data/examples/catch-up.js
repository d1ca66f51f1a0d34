#!/usr/bin/gjs -m
// SPDX-License-Identifier: MIT
//
// Prints every event of the PRP relay once, in order, whatever is restarted meanwhile: the relay, or this.
//
// The class is ready for a GNOME Shell extension: enable() and disable() belong into those of the extension, no call
// blocks, and what is left of a call when disable() comes is cancelled. A signal only says that there is something
// new; the events themselves are always listed from the history, from the cursor on. So there is one way for all of
// them, and it does not matter when the signals came, or whether.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const RELAY = 'dev.prp.Relay1';
const PATH = '/dev/prp/Relay1';
const EVENTS = `${RELAY}.Events`;
const HISTORY = `${RELAY}.History`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';
const PAGE_EVENTS = 100; // handled before others get their turn

Gio._promisify(Gio.DBusConnection.prototype, 'call', 'call_finish');
Gio._promisify(Gio.File.prototype, 'load_contents_async', 'load_contents_finish');
Gio._promisify(Gio.File.prototype, 'replace_contents_bytes_async', 'replace_contents_finish');

export class CatchUp {
    // handle(event) is called once for each event, missed(why) where some may be missing before the next one.
    constructor(name, handle, missed) {
        this._handle = handle;
        this._missed = missed;
        const directory = GLib.build_filenamev([GLib.get_user_state_dir(), name]);
        GLib.mkdir_with_parents(directory, 0o700);
        this._cursor = null;
        this._file = Gio.File.new_for_path(GLib.build_filenamev([directory, 'cursor']));
    }

    enable() {
        this._cancellable = new Gio.Cancellable();
        this._running = false; // the history is being listed …
        this._rang = false;    // … and there is something new since
        this._owner = null;
        this._bus = Gio.DBus.session;
        // The signals first: what comes while the history is listed is not missed.
        this._signals = this._bus.signal_subscribe(RELAY, EVENTS, null, PATH, null, Gio.DBusSignalFlags.NONE,
            () => this._ring());
        this._watch = Gio.bus_watch_name_on_connection(this._bus, RELAY, Gio.BusNameWatcherFlags.AUTO_START,
            (_bus, _name, owner) => {
                this._owner = owner;
                this._ring();
            },
            () => (this._owner = null));
    }

    disable() {
        this._cancellable.cancel();
        this._bus.signal_unsubscribe(this._signals);
        Gio.bus_unwatch_name(this._watch);
    }

    _ring() {
        this._rang = true;
        if (!this._running)
            this._run(this._cancellable).catch(logError);
    }

    async _run(cancellable) {
        this._running = true;
        try {
            this._cursor ??= await this._load(cancellable);
            while (this._rang && this._owner) {
                this._rang = false;
                // eslint-disable-next-line no-await-in-loop
                while (await this._listPage(this._cursor, cancellable))
                    ;
            }
        } catch (error) {
            if (error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED))
                return;
            // One that has left is listed when it is back.
            if (this._owner)
                console.warn(`The history cannot be listed: ${error.message}`);
        } finally {
            if (!cancellable.is_cancelled())
                this._running = false;
        }
        // The relay came back while the failure of the one before it was on its way.
        if (this._rang && this._owner && !cancellable.is_cancelled())
            this._ring();
    }

    async _call(owner, method, parameters, cancellable, of = HISTORY) {
        const reply = await this._bus.call(owner, PATH, of, method, parameters, null, Gio.DBusCallFlags.NO_AUTO_START, -1,
            cancellable);
        return reply.recursiveUnpack();
    }

    // Handles the next events behind the cursor. Returns whether there are more.
    async _listPage(cursor, cancellable) {
        const owner = this._owner;
        const [events, lastSequence, more] = await this._call(owner, 'ListEvents',
            new GLib.Variant('(tua{sv})', [cursor.sequence, PAGE_EVENTS, {}]), cancellable);
        // The properties are read behind the list, so that what they say holds for it.
        const [properties] = await this._call(owner, 'GetAll', new GLib.Variant('(s)', [HISTORY]), cancellable, PROPERTIES);
        const isNew = cursor.history === null;
        const isVoid = !isNew && (cursor.history !== properties.HistoryId || cursor.sequence > properties.LastSequence);
        cursor.history = properties.HistoryId;
        if (isVoid) {
            this._missed('the relay has another history now');
            cursor.sequence = 0;
            return true;
        }
        if (!isNew && cursor.sequence > 0 && cursor.sequence + 1 < properties.FirstSequence &&
            events[0]?.sequence !== cursor.sequence + 1)
            this._missed("the relay's history does not reach back that far");

        for (const event of events) {
            this._handle(event);
            cursor.sequence = event.sequence;
            // Behind handling: an event that we die over comes again.
            // eslint-disable-next-line no-await-in-loop
            await this._store(cursor, cancellable);
        }
        if (lastSequence > cursor.sequence) {
            cursor.sequence = lastSequence;
            await this._store(cursor, cancellable);
        }
        return more;
    }

    async _load(cancellable) {
        try {
            const [contents] = await this._file.load_contents_async(cancellable);
            const [history, sequence] = new TextDecoder().decode(contents).trim().split(' ');
            return {history, sequence: Number(sequence)};
        } catch (error) {
            if (!error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND))
                throw error;
            return {history: null, sequence: 0};
        }
    }

    async _store(cursor, cancellable) {
        const contents = new TextEncoder().encode(`${cursor.history} ${cursor.sequence}\n`);
        await this._file.replace_contents_bytes_async(new GLib.Bytes(contents), null, false,
            Gio.FileCreateFlags.REPLACE_DESTINATION, cancellable);
    }
}

// -- a program around it; an extension has enable() and disable() instead

function handle(event) {
    if (event.type === 'relay.gap')
        print('gap', event.data.since, event.data.until, event.data.cause, ...event.data.channels);
    else
        print('event', event.sequence, event.type, event.id);
}

new CatchUp('catch-up-js', handle, why => printerr(`Events may have been missed: ${why}`)).enable();
new GLib.MainLoop(null, false).run();
