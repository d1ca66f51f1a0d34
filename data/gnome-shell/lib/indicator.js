// SPDX-License-Identifier: MIT
//
// The button in the panel, and its menu. Knows no bus: it shows what it is given by update(), and tells what the
// person wants through the actions.
//
// What is in the menu is only put there while it is open; closed, only the icon changes.

import Gio from 'gi://Gio';
import St from 'gi://St';

import {addScrolledSection, PrpRow, Rows, TextRow} from './rows.js';
import * as Words from './words.js';

/**
 * @typedef {import('./shell.js').Shell} Shell
 * @typedef {import('./relay.js').Status} Status
 * @typedef {import('./relay.js').Channel} Channel
 * @typedef {import('./model.js').Prp} Prp
 * @typedef {import('./model.js').Gap} Gap
 * @typedef {import('./event.js').RelayEvent} RelayEvent
 *
 * @typedef {object} Scene what there is to show
 * @property {number} nowUsec
 * @property {Status} status
 * @property {string} failure of what the person asked for
 * @property {number} asOf
 * @property {Gap|null} gap one that the person has not seen
 * @property {Prp[]|null} prps null: not to be shown
 * @property {number} prpsAtOnce the others are behind one more click
 * @property {RelayEvent[]|null} events the latest first; null: not to be shown
 * @property {(id: string) => string} nameOf of a PRP
 * @property {Channel[]|null} channels null: not to be shown
 * @property {number} channelsInAll
 *
 * @typedef {object} Actions
 * @property {(isOpen: boolean) => void} opened
 * @property {() => void} connect
 * @property {() => void} disconnect
 * @property {() => void} openPreferences
 */

/** @type {Record<string, string>} State → icon */
const ICONS = {
    connected: 'prp-relay-connected-symbolic',
    connecting: 'prp-relay-connecting-symbolic',
    waiting: 'prp-relay-connecting-symbolic',
    offline: 'prp-relay-offline-symbolic',
    unauthorized: 'prp-relay-unauthorized-symbolic',
    disconnected: 'prp-relay-disconnected-symbolic',
    absent: 'prp-relay-absent-symbolic',
};
const TROUBLE_ICON = 'prp-relay-trouble-symbolic'; // connected, and something is wrong all the same

const MAX_CHANNEL_ROWS = 50;

/**
 * @param {Status} status
 * @returns {string}
 */
export function iconName(status) {
    return status.state === 'connected' && status.code !== '' ? TROUBLE_ICON : ICONS[status.state] ?? ICONS.absent;
}

export class Indicator {
    /**
     * @param {Shell} shell
     * @param {Words.FormatTime} formatTime
     * @param {Actions} actions
     */
    constructor(shell, formatTime, actions) {
        const {PanelMenu, PopupMenu} = shell;
        const titles = Words.menuTitles();
        const makeText = () => new TextRow(shell);
        const makePrp = () => new PrpRow(shell);

        this._shell = shell;
        this._formatTime = formatTime;
        this._iconName = '';
        this._button = new PanelMenu.Button(0.5, shell.uuid, false);
        this._icon = new St.Icon({style_class: 'system-status-icon'});
        this._button.add_child(this._icon);
        this._menu = /** @type {import('resource:///org/gnome/shell/ui/popupMenu.js').PopupMenu} */ (this._button.menu);
        this._menu.box.add_style_class_name('prp-relay-menu');

        this._status = new TextRow(shell, {hasIcon: true, titleClass: 'prp-relay-title'});
        this._gap = makeText();
        this._prpsTitle = new PopupMenu.PopupSeparatorMenuItem(titles.prps);
        this._prpsNote = makeText();
        this._moreMenu = new PopupMenu.PopupSubMenuMenuItem('', false);
        this._morePrps = new Rows(this._moreMenu.menu, makePrp);
        this._separator = new PopupMenu.PopupSeparatorMenuItem();
        this._eventsMenu = new PopupMenu.PopupSubMenuMenuItem(titles.events, false);
        this._events = new Rows(this._eventsMenu.menu, makeText);
        this._channelsMenu = new PopupMenu.PopupSubMenuMenuItem(titles.channels, false);
        this._channels = new Rows(this._channelsMenu.menu, makeText);
        this._connect = this._makeAction(titles.connect, actions.connect);
        this._disconnect = this._makeAction(titles.disconnect, actions.disconnect);
        for (const item of [this._status.item, this._gap.item, this._prpsTitle, this._prpsNote.item])
            this._menu.addMenuItem(item);
        const {section, showFocused} = addScrolledSection(shell, this._menu);
        this._section = section;
        this._prps = new Rows(section, () => {
            const row = makePrp();
            showFocused(row.item);
            return row;
        });
        for (const item of [
            this._moreMenu, this._separator, this._eventsMenu, this._channelsMenu,
            new PopupMenu.PopupSeparatorMenuItem(),
            this._connect, this._disconnect, this._makeAction(titles.settings, actions.openPreferences),
        ])
            this._menu.addMenuItem(item);

        this._menu.connect('open-state-changed', (_menu, isOpen) => {
            actions.opened(isOpen);
            return undefined;
        });
        shell.addToPanel(shell.uuid, this._button);
    }

    destroy() {
        // What a menu has connected to a menu inside of it, and that to it, the Shell keeps for good if it is not told.
        this._menu.disconnectObject(this._section);
        this._section.disconnectObject(this._menu);
        for (const {menu} of [this._moreMenu, this._eventsMenu, this._channelsMenu])
            menu.disconnectObject(this._menu);
        // A menu that was opened or filled right now is laid out at last: the Shell would do it later, when it is gone.
        this._menu.actor.get_allocation_box();
        this._button.destroy();
    }

    get isOpen() {
        return this._menu.isOpen;
    }

    /**
     * @param {string} title
     * @param {() => void} action
     */
    _makeAction(title, action) {
        const item = new this._shell.PopupMenu.PopupMenuItem(title);
        item.connect('activate', () => action());
        return item;
    }

    /**
     * @param {Status} status
     * @param {number} nowUsec
     */
    updateIcon(status, nowUsec) {
        const name = iconName(status);
        if (name !== this._iconName) {
            this._iconName = name;
            const file = this._shell.directory.get_child('icons').get_child(`${name}.svg`);
            const icon = new Gio.FileIcon({file});
            this._icon.gicon = icon;
            this._status.setIcon(icon);
        }
        this._button.accessible_name = Words.indicatorName(Words.stateTitle(status, this._formatTime, nowUsec));
    }

    /** @param {Scene} scene */
    update(scene) {
        const {status, nowUsec} = scene;
        this.updateIcon(status, nowUsec);
        const title = Words.stateTitle(status, this._formatTime, nowUsec);
        const trouble = Words.troubleText(status, scene.failure);
        this._status.update(title, trouble, Words.statusName(title, trouble));
        this._connect.visible = status.state !== 'connected' && status.state !== 'connecting';
        this._disconnect.visible = status.state !== 'disconnected' && status.state !== 'absent';
        this._updateGap(scene);
        this._updatePrps(scene);
        this._updateEvents(scene);
        this._updateChannels(scene);
        this._separator.visible = scene.events !== null || scene.channels !== null;
    }

    /** @param {Scene} scene */
    _updateGap({gap}) {
        this._gap.item.visible = gap !== null;
        if (gap !== null) {
            const sentence = Words.gapSentence(gap, this._formatTime);
            this._gap.update('', sentence, sentence);
        }
    }

    /** @param {Scene} scene */
    _updatePrps({prps, prpsAtOnce, status, asOf}) {
        const all = prps ?? [];
        const more = Math.max(all.length - prpsAtOnce, 0);
        const isOld = status.state !== 'connected';
        const note = all.length === 0 ? Words.noPrps() : isOld ? Words.asOf(asOf, this._formatTime) : '';
        const update = (/** @type {PrpRow} */ row, /** @type {Prp} */ prp) => row.update(prp, this._formatTime);

        this._prpsTitle.visible = prps !== null;
        this._prpsNote.item.visible = prps !== null && note !== '';
        this._prpsNote.update('', note, note);
        this._prps.show(all.slice(0, prpsAtOnce), update);
        this._moreMenu.visible = more > 0;
        this._moreMenu.label.text = Words.morePrps(more);
        this._morePrps.show(all.slice(prpsAtOnce), update);
    }

    /** @param {Scene} scene */
    _updateEvents({events, nameOf}) {
        this._eventsMenu.visible = events !== null;
        /** @type {(RelayEvent|null)[]} */
        const rows = events === null || events.length === 0 ? [null] : events;
        this._events.show(rows, (row, event) => {
            if (event === null) {
                row.update('', Words.noEvents(), Words.noEvents());
                return;
            }
            const sentence = Words.eventSentence(event, nameOf, this._formatTime);
            const time = this._formatTime(event.received);
            row.update(sentence, time, Words.eventName(time, sentence));
        });
    }

    /** @param {Scene} scene */
    _updateChannels({channels, channelsInAll}) {
        this._channelsMenu.visible = channels !== null;
        const shown = (channels ?? []).slice(0, MAX_CHANNEL_ROWS);
        const more = channelsInAll - shown.length;
        /** @type {(Channel|string)[]} */
        const rows = [...shown];
        if (shown.length === 0)
            rows.push(Words.noChannels());
        else if (more > 0)
            rows.push(Words.moreChannels(more));
        this._channels.show(rows, (row, channel) => {
            if (typeof channel === 'string')
                row.update('', channel, channel);
            else
                row.update(channel.name, Words.channelState(channel), Words.channelName(channel));
        });
    }
}
