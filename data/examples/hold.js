#!/usr/bin/gjs -m
// SPDX-License-Identifier: MIT
//
// The least that it takes to get events, in gjs: hold.js project:proj_123456 …
//
// The hold ends when this program does. It gets what happens while it runs; catch-up.js also gets what did not come because
// something was restarted.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const RELAY = 'dev.prp.Relay1';
const PATH = '/dev/prp/Relay1';

Gio._promisify(Gio.DBusConnection.prototype, 'call', 'call_finish');

const bus = Gio.DBus.session;
const loop = new GLib.MainLoop(null, false);

bus.signal_subscribe(RELAY, `${RELAY}.Events`, null, PATH, null, Gio.DBusSignalFlags.NONE,
    (_bus, _sender, _path, _interface, member, parameters) => {
        const [subject] = parameters.recursiveUnpack(); // what it is about: the first argument
        print(`${member} ${subject}`);
    });

async function hold() {
    const channels = new GLib.Variant('(asa{sv})', [ARGV, {'app-id': new GLib.Variant('s', 'hold.js')}]);
    const reply = await bus.call(RELAY, PATH, RELAY, 'Hold', channels, null, Gio.DBusCallFlags.NONE, -1, null);
    const [, states] = reply.recursiveUnpack();
    for (const channel in states)
        print(`${channel}: ${states[channel]}`);
}

// A relay that is started anew knows nothing of the hold of the one before.
Gio.bus_watch_name_on_connection(bus, RELAY, Gio.BusNameWatcherFlags.AUTO_START,
    () => hold().catch(error => printerr(error.message)), null);

loop.run();
