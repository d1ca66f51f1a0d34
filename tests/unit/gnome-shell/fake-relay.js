// SPDX-License-Identifier: MIT
//
// A relay that does as it is told, on a bus of its own, with the interfaces as they are documented.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {makeEvent} from './events.js';

const NAME = 'dev.prp.Relay1';
const PATH = '/dev/prp/Relay1';
const OBJECT_MANAGER = `<node><interface name="org.freedesktop.DBus.ObjectManager">
  <method name="GetManagedObjects"><arg name="objects" type="a{oa{sa{sv}}}" direction="out"/></method>
  <signal name="InterfacesAdded"><arg type="o"/><arg type="a{sa{sv}}"/></signal>
  <signal name="InterfacesRemoved"><arg type="o"/><arg type="as"/></signal>
</interface></node>`;

/** @param {string} name */
function readInterface(name) {
    const file = Gio.File.new_for_uri(import.meta.url).resolve_relative_path(`../../../../dbus/${name}.xml`);
    return new TextDecoder().decode(file.load_contents(null)[1]);
}

/** A glob with no more than a star at its end. */
const matches = (type, glob) => (glob.endsWith('*') ? type.startsWith(glob.slice(0, -1)) : type === glob);

const BUS_CONFIGURATION = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>`;

/** On which nothing can be started; the session's, as far as this process is concerned. */
export class FakeBus {
    constructor() {
        const [file, stream] = Gio.File.new_tmp('prp-relay-bus-XXXXXX.conf');
        stream.output_stream.write_all(BUS_CONFIGURATION, null);
        stream.close(null);
        this._daemon = Gio.Subprocess.new(['dbus-daemon', `--config-file=${file.get_path()}`, '--nofork', '--print-address'],
            Gio.SubprocessFlags.STDOUT_PIPE);
        const output = Gio.DataInputStream.new(this._daemon.get_stdout_pipe());
        this._address = new TextDecoder().decode(output.read_line(null)[0]);
        file.delete(null);
        GLib.setenv('DBUS_SESSION_BUS_ADDRESS', this._address, true);
        // Of the library's own connection, which is the one of the code under test.
        Gio.bus_get_sync(Gio.BusType.SESSION, null).set_exit_on_close(false);
    }

    stop() {
        this._daemon.force_exit();
        this._daemon.wait(null);
    }

    connect() {
        return Gio.DBusConnection.new_for_address_sync(this._address,
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, null, null);
    }
}

export class FakeRelay {
    /** @param {FakeBus} bus */
    constructor(bus) {
        this.calls = []; // [method, arguments], in order
        this.held = new Map(); // cookie → channels
        this.refuses = null; // what Hold fails with
        this.rejects = new Set(); // channels
        this.waitingHolds = null; // an array: Hold is not answered but by answerHolds()
        this.historyId = 'first';
        this.firstSequence = 1;
        this.lastSequence = 0;
        this.events = []; // {sequence, type, dictionary}
        this.pageEvents = 1000;
        this.keepsNothing = false; // MaxEvents=0
        this.properties = {
            State: ['s', 'connected'], LastError: ['(ss)', ['', '']], NextAttempt: ['t', 0], LastAlive: ['t', 5e6],
            Url: ['s', 'wss://example.org/'],
        };
        this._lastCookie = 0;
        this._channels = new Map();
        this._connection = bus.connect();
        this.name = this._connection.get_unique_name();
        this._objects = [
            this._export(readInterface('dev.prp.Relay1'), this),
            this._export(readInterface('dev.prp.Relay1.History'), this._history()),
            this._export(OBJECT_MANAGER, this._manager()),
        ];
        this._own('RequestName', new GLib.Variant('(su)', [NAME, 4]));
    }

    stop() {
        for (const object of this._objects)
            object.unexport();
        if (!this._connection.is_closed())
            this._connection.close_sync(null);
    }

    _export(xml, implementation) {
        const object = Gio.DBusExportedObject.wrapJSObject(xml, implementation);
        object.export(this._connection, PATH);
        return object;
    }

    _own(method, parameters) {
        this._connection.call_sync('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', method, parameters,
            null, Gio.DBusCallFlags.NONE, -1, null);
    }

    _emit(face, member, parameters, path = PATH) {
        this._connection.emit_signal(null, path, face, member, parameters);
    }

    count(method) {
        return this.calls.filter(([name]) => name === method).length;
    }

    // -- status

    /** @param {Record<string, [string, any]>} properties */
    set(properties) {
        Object.assign(this.properties, properties);
        const changed = Object.fromEntries(Object.entries(properties).map(([key, [type, value]]) =>
            [key, new GLib.Variant(type, value)]));
        this._emit('org.freedesktop.DBus.Properties', 'PropertiesChanged', new GLib.Variant('(sa{sv}as)', [NAME, changed, []]));
    }

    get State() {
        return this.properties.State[1];
    }

    get LastError() {
        return this.properties.LastError[1];
    }

    get NextAttempt() {
        return this.properties.NextAttempt[1];
    }

    get LastAlive() {
        return this.properties.LastAlive[1];
    }

    get Url() {
        return this.properties.Url[1];
    }

    Connect() {
        this.calls.push(['Connect']);
    }

    Disconnect() {
        this.calls.push(['Disconnect']);
    }

    // -- holds and channels

    HoldAsync([channels, options], invocation) {
        this.calls.push(['Hold', channels, Object.keys(options).sort()]);
        if (this.waitingHolds !== null)
            this.waitingHolds.push([channels, invocation]);
        else
            this._answerHold(channels, invocation);
    }

    answerHolds() {
        for (const [channels, invocation] of this.waitingHolds)
            this._answerHold(channels, invocation);
        this.waitingHolds = null;
    }

    _answerHold(channels, invocation) {
        if (this.refuses !== null) {
            invocation.return_dbus_error('dev.prp.Relay1.Error.InvalidChannel', this.refuses);
            return;
        }
        this.held.set(++this._lastCookie, channels.filter(channel => !this.rejects.has(channel)));
        const states = Object.fromEntries(channels.map(channel => [channel, this.rejects.has(channel) ? 'rejected' : 'active']));
        for (const channel of channels.filter(name => !this.rejects.has(name)))
            this.setChannel(channel, 'active');
        invocation.return_value(new GLib.Variant('(ua{ss})', [this._lastCookie, states]));
    }

    Release(cookie) {
        this.calls.push(['Release', cookie]);
        this.held.delete(cookie);
    }

    setChannel(name, state, text = '') {
        const isNew = !this._channels.has(name);
        const path = `${PATH}/channel/${[...new TextEncoder().encode(name)].map(b => b.toString(16)).join('')}`;
        const properties = {
            Name: new GLib.Variant('s', name),
            State: new GLib.Variant('s', state),
            Error: new GLib.Variant('(ss)', [text === '' ? '' : 'CODE', text]),
        };
        this._channels.set(name, [path, properties]);
        if (isNew) {
            this._emit('org.freedesktop.DBus.ObjectManager', 'InterfacesAdded',
                new GLib.Variant('(oa{sa{sv}})', [path, {'dev.prp.Relay1.Channel': properties}]));
        } else {
            this._emit('org.freedesktop.DBus.Properties', 'PropertiesChanged',
                new GLib.Variant('(sa{sv}as)', ['dev.prp.Relay1.Channel', properties, []]), path);
        }
    }

    _manager() {
        return {
            GetManagedObjectsAsync: (_parameters, invocation) => {
                this.calls.push(['GetManagedObjects']);
                const objects = Object.fromEntries([...this._channels.values()].map(([path, properties]) =>
                    [path, {'dev.prp.Relay1.Channel': properties}]));
                invocation.return_value(new GLib.Variant('(a{oa{sa{sv}}})', [objects]));
            },
        };
    }

    // -- events

    /** Stores an event, then signals it, as the relay does. */
    add(type, data, {isSignalled = true} = {}) {
        const sequence = ++this.lastSequence;
        const dictionary = makeEvent(sequence, type, data);
        if (this.keepsNothing)
            this.firstSequence = sequence + 1;
        else
            this.events.push({sequence, type, dictionary});
        if (isSignalled)
            this._emit('dev.prp.Relay1.Events', 'OtherEvent', new GLib.Variant('(sa{sv})', [type, dictionary]));
    }

    addGap(since, until, channels) {
        this.lastSequence++;
        this.firstSequence = this.lastSequence + 1;
        this._emit('dev.prp.Relay1.Events', 'Gap', new GLib.Variant('(ttsast)',
            [since, until, 'TIMEOUT', channels, this.lastSequence]));
    }

    /** Another history, empty. */
    clear() {
        this.historyId = `after ${this.historyId}`;
        this.events = [];
        this.firstSequence = this.lastSequence + 1;
        this._emit('org.freedesktop.DBus.Properties', 'PropertiesChanged', new GLib.Variant('(sa{sv}as)',
            ['dev.prp.Relay1.History', {HistoryId: new GLib.Variant('s', this.historyId)}, []]));
    }

    _history() {
        const relay = this;
        return {
            get HistoryId() {
                return relay.historyId;
            },
            get FirstSequence() {
                return relay.firstSequence;
            },
            get LastSequence() {
                return relay.lastSequence;
            },
            ListEventsAsync([after, limit, filter], invocation) {
                const types = filter.types?.deepUnpack() ?? ['*'];
                const isNewest = filter.newest?.deepUnpack() ?? false;
                const most = Math.min(limit || Infinity, relay.pageEvents);
                const found = relay.events.filter(event => event.sequence > after && types.some(t => matches(event.type, t)));
                const page = isNewest ? found.slice(-most) : found.slice(0, most);
                const more = found.length > page.length;
                relay.calls.push(['ListEvents', after, limit, isNewest]);
                invocation.return_value(new GLib.Variant('(aa{sv}tb)', [
                    page.map(event => event.dictionary),
                    more && !isNewest ? page[page.length - 1].sequence : relay.lastSequence, more,
                ]));
            },
        };
    }
}
