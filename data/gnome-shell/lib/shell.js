// SPDX-License-Identifier: MIT
//
// What the shared modules get from the Shell. Its own modules have other names and forms in 43/44 than from 45 on, so
// each entry imports them its way and hands over this.

/**
 * @typedef {object} Shell
 * @property {typeof import('resource:///org/gnome/shell/ui/panelMenu.js')} PanelMenu
 * @property {typeof import('resource:///org/gnome/shell/ui/popupMenu.js')} PopupMenu
 * @property {(name: string, button: any) => void} addToPanel
 * @property {(time: Date) => string} formatTime as the person's settings have it
 * @property {() => void} openPreferences
 * @property {import('gi://Gio').default.Settings} settings
 * @property {import('gi://Gio').default.File} directory of the extension
 * @property {string} uuid
 */

export {};
