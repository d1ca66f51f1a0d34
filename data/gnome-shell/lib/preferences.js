// SPDX-License-Identifier: MIT
//
// The preferences window. It runs in a process of its own, and only writes settings: the extension sees them change.

import Adw from 'gi://Adw?version=1';
import Gettext from 'gettext';
import Gio from 'gi://Gio';
import Gtk from 'gi://Gtk?version=4.0';

import {isChannel} from './model.js';

const {gettext: _} = Gettext.domain('prp-relay');

/** @typedef {Gio.Settings} Settings */

/**
 * @param {Settings} settings
 * @param {string} key
 * @param {string} title
 * @param {string} [subtitle]
 * @returns {Adw.ActionRow}
 */
function makeSwitch(settings, key, title, subtitle = '') {
    const row = new Adw.ActionRow({title, subtitle});
    const toggle = new Gtk.Switch({valign: Gtk.Align.CENTER});
    settings.bind(key, toggle, 'active', Gio.SettingsBindFlags.DEFAULT);
    row.add_suffix(toggle);
    row.activatable_widget = toggle;
    return row;
}

/**
 * @param {Settings} settings
 * @param {string} key of a number with a range
 * @param {string} title
 * @param {string} on key of a switch: without it, the number means nothing
 * @returns {Adw.ActionRow}
 */
function makeNumber(settings, key, title, on) {
    const row = new Adw.ActionRow({title});
    const [, range] = /** @type {[string, any]} */ (settings.settings_schema.get_key(key).get_range().recursiveUnpack());
    const spin = new Gtk.SpinButton({
        adjustment: new Gtk.Adjustment({lower: range[0], upper: range[1], step_increment: 1, page_increment: 10}),
        valign: Gtk.Align.CENTER,
        numeric: true,
    });
    settings.bind(key, spin, 'value', Gio.SettingsBindFlags.DEFAULT);
    settings.bind(on, row, 'sensitive', Gio.SettingsBindFlags.GET);
    row.add_suffix(spin);
    row.activatable_widget = spin;
    return row;
}

/**
 * The channels, a row each, and a row for one more.
 *
 * @param {Settings} settings
 * @returns {Adw.PreferencesGroup}
 */
function makeChannels(settings) {
    const group = new Adw.PreferencesGroup({
        title: _('Channels'),
        description: _('What to listen to: “project:”, “agent:” or “prp:”, and an id, as in project:proj_123456.'),
    });
    const entry = new Adw.EntryRow({title: _('Add a channel'), show_apply_button: true});
    /** @type {Adw.ActionRow[]} */
    let rows = [];

    const fill = () => {
        for (const row of rows)
            group.remove(row);
        rows = settings.get_strv('channels').map(channel => {
            const row = new Adw.ActionRow({title: channel, use_markup: false});
            const button = new Gtk.Button({
                icon_name: 'user-trash-symbolic',
                tooltip_text: _('Remove'),
                valign: Gtk.Align.CENTER,
                css_classes: ['flat'],
            });
            button.connect('clicked', () =>
                settings.set_strv('channels', settings.get_strv('channels').filter(other => other !== channel)));
            row.add_suffix(button);
            group.add(row);
            return row;
        });
        // The one for another comes last.
        group.remove(entry);
        group.add(entry);
    };
    const check = () => {
        const text = entry.text.trim();
        const isWrong = text !== '' && !isChannel(text);
        if (isWrong)
            entry.add_css_class('error');
        else
            entry.remove_css_class('error');
        entry.title = isWrong ? _('A channel is written kind:id, without spaces') : _('Add a channel');
    };

    entry.connect('changed', check);
    entry.connect('apply', () => {
        const text = entry.text.trim();
        const channels = settings.get_strv('channels');
        if (!isChannel(text))
            return;
        if (!channels.includes(text))
            settings.set_strv('channels', [...channels, text]);
        entry.text = '';
    });
    group.add(entry);
    const changed = settings.connect('changed::channels', fill);
    group.connect('destroy', () => settings.disconnect(changed));
    fill();
    return group;
}

/**
 * @param {Adw.PreferencesPage} page an empty one
 * @param {Settings} settings
 */
export function fillPage(page, settings) {
    const prps = new Adw.PreferencesGroup({title: _('PRPs')});
    prps.add(makeSwitch(settings, 'show-prps', _('Show PRPs')));
    prps.add(makeNumber(settings, 'prps-at-once', _('Shown at once'), 'show-prps'));
    prps.add(makeSwitch(settings, 'show-finished', _('Also those that have ended')));
    prps.add(makeNumber(settings, 'finished-minutes', _('For how many minutes'), 'show-finished'));

    const events = new Adw.PreferencesGroup({title: _('Recent Events')});
    events.add(makeSwitch(settings, 'show-events', _('Show recent events')));
    events.add(makeNumber(settings, 'recent-events', _('How many'), 'show-events'));

    const kinds = new Adw.ExpanderRow({title: _('Kinds of events')});
    settings.bind('show-events', kinds, 'sensitive', Gio.SettingsBindFlags.GET);
    kinds.add_row(makeSwitch(settings, 'event-created', _('PRPs created')));
    kinds.add_row(makeSwitch(settings, 'event-updated', _('PRPs updated')));
    kinds.add_row(makeSwitch(settings, 'event-status', _('Changes of status')));
    kinds.add_row(makeSwitch(settings, 'event-deleted', _('PRPs deleted')));
    kinds.add_row(makeSwitch(settings, 'event-assigned', _('Agents assigned')));
    kinds.add_row(makeSwitch(settings, 'event-progress', _('Progress of agents')));
    kinds.add_row(makeSwitch(settings, 'event-error', _('Errors of the service')));
    kinds.add_row(makeSwitch(settings, 'event-gap', _('Gaps'), _('When events may have been missed')));
    kinds.add_row(makeSwitch(settings, 'event-other', _('Everything else')));
    events.add(kinds);

    const inMenu = new Adw.PreferencesGroup();
    inMenu.add(makeSwitch(settings, 'show-channels', _('Show channels in the menu')));

    for (const group of [makeChannels(settings), inMenu, prps, events])
        page.add(group);
}
