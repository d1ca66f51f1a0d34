// SPDX-License-Identifier: MIT
//
// The preferences for GNOME Shell 43 and 44, which want a page at once; it is filled when the module is loaded.

/* exported init, fillPreferencesWindow */
/* global imports */

const {Adw} = imports.gi;
const Gettext = imports.gettext;
const ExtensionUtils = imports.misc.extensionUtils;

function init() {
    const {metadata} = ExtensionUtils.getCurrentExtension();
    ExtensionUtils.initTranslations();
    if (metadata.localedir)
        Gettext.bindtextdomain(metadata['gettext-domain'], metadata.localedir);
}

function fillPreferencesWindow(window) {
    const extension = ExtensionUtils.getCurrentExtension();
    const settings = ExtensionUtils.getSettings();
    const page = new Adw.PreferencesPage();
    window.add(page);
    import(`${extension.dir.get_uri()}/lib/preferences.js`)
        .then(({fillPage}) => fillPage(page, settings))
        .catch(error => logError(error, extension.uuid));
}
