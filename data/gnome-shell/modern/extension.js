// SPDX-License-Identifier: MIT
//
// The entry for GNOME Shell 45 and later, which load extensions as ES modules.

import Gettext from 'gettext';

import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PanelMenu from 'resource:///org/gnome/shell/ui/panelMenu.js';
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import {formatTime} from 'resource:///org/gnome/shell/misc/dateUtils.js';

import {Applet} from './lib/applet.js';

export default class PrpRelayExtension extends Extension {
    /** @param {any} metadata */
    constructor(metadata) {
        super(metadata);
        /** @type {Applet|null} */
        this._applet = null;
        /** @type {object|undefined} */
        this._kept = undefined;
        if (metadata.localedir)
            Gettext.bindtextdomain(metadata['gettext-domain'], metadata.localedir);
    }

    enable() {
        this._applet = new Applet({
            PanelMenu,
            PopupMenu,
            addToPanel: (name, button) => Main.panel.addToStatusArea(name, button),
            formatTime: time => formatTime(time),
            openPreferences: () => this.openPreferences(),
            settings: this.getSettings(),
            directory: this.dir,
            uuid: this.uuid,
        }, this._kept);
    }

    disable() {
        // What is known goes on from here when the screen is unlocked.
        this._kept = this._applet?.destroy() ?? this._kept;
        this._applet = null;
    }
}
