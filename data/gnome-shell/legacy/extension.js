// SPDX-License-Identifier: MIT
//
// The entry for GNOME Shell 43 and 44, which load extensions in the old form. The work is done by the ES modules in
// lib/, the same as for later versions; they are loaded when the extension is enabled for the first time.

/* exported init */
/* global imports */

const Gettext = imports.gettext;
const ExtensionUtils = imports.misc.extensionUtils;
const Main = imports.ui.main;
const PanelMenu = imports.ui.panelMenu;
const PopupMenu = imports.ui.popupMenu;
const Util = imports.misc.util;

class PrpRelayExtension {
    constructor(extension) {
        this._extension = extension;
        this._applet = null;
        this._kept = undefined;
        this._turn = 0; // which enable() it is; one that was disabled in the meantime makes no applet
        ExtensionUtils.initTranslations();
        const {localedir} = extension.metadata;
        if (localedir)
            Gettext.bindtextdomain(extension.metadata['gettext-domain'], localedir);
    }

    enable() {
        const turn = ++this._turn;
        const shell = {
            PanelMenu,
            PopupMenu,
            addToPanel: (name, button) => Main.panel.addToStatusArea(name, button),
            formatTime: time => Util.formatTime(time),
            openPreferences: () => ExtensionUtils.openPrefs(),
            settings: ExtensionUtils.getSettings(),
            directory: this._extension.dir,
            uuid: this._extension.uuid,
        };
        import(`${this._extension.dir.get_uri()}/lib/applet.js`).then(({Applet}) => {
            if (turn === this._turn)
                this._applet = new Applet(shell, this._kept);
        }).catch(error => logError(error, this._extension.uuid));
    }

    disable() {
        this._turn++;
        this._kept = this._applet?.destroy() ?? this._kept;
        this._applet = null;
    }
}

function init(extension) {
    return new PrpRelayExtension(extension);
}
