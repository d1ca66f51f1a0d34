// SPDX-License-Identifier: MIT
//
// The preferences for GNOME Shell 45 and later.

import Adw from 'gi://Adw?version=1';
import Gettext from 'gettext';

import {ExtensionPreferences} from 'resource:///org/gnome/Shell/Extensions/js/extensions/prefs.js';

import {fillPage} from './lib/preferences.js';

export default class PrpRelayPreferences extends ExtensionPreferences {
    /** @param {any} metadata */
    constructor(metadata) {
        super(metadata);
        if (metadata.localedir)
            Gettext.bindtextdomain(metadata['gettext-domain'], metadata.localedir);
    }

    /** @param {any} window */
    async fillPreferencesWindow(window) {
        const page = new Adw.PreferencesPage();
        fillPage(page, this.getSettings());
        window.add(page);
    }
}
