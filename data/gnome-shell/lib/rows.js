// SPDX-License-Identifier: MIT
//
// The rows of the menu. Each is made once, then filled again and again: Rows keeps as many as were ever needed, and hides
// what is not. A row can be reached with the keyboard, and says all that it shows in its accessible name; but for
// that, boxes and labels mirror themselves where people read from right to left.
//
// Rows are made of the Shell's items, not derived from its classes: so nothing has to be registered with GObject anew
// each time, and nothing here depends on how a version of the Shell writes its classes.

import Clutter from 'gi://Clutter';
import Pango from 'gi://Pango';
import St from 'gi://St';

import {ProgressBar} from './progress-bar.js';
import * as Words from './words.js';

/**
 * @typedef {import('./shell.js').Shell} Shell
 * @typedef {import('./model.js').Prp} Prp
 * @typedef {import('./words.js').FormatTime} FormatTime
 */

// Less weight, in any theme: that of the label's own colour.
const DIM = {opacity: 178};

/**
 * @param {Clutter.Orientation} orientation
 * @param {object} [properties]
 * @returns {St.Widget}
 */
function makeBox(orientation, properties = {}) {
    return new St.Widget({layout_manager: new Clutter.BoxLayout({orientation, spacing: 4}), ...properties});
}

/**
 * @param {string} styleClass
 * @param {object} [properties]
 * @returns {St.Label}
 */
function makeLabel(styleClass, properties = {}) {
    return new St.Label({style_class: styleClass, y_align: Clutter.ActorAlign.CENTER, ...properties});
}

/**
 * One that goes on in the next line, in place of being cut.
 *
 * @param {string} styleClass
 * @param {object} [properties]
 * @returns {St.Label}
 */
function makeText(styleClass, properties = {}) {
    const label = makeLabel(styleClass, {x_expand: true, ...properties});
    label.clutter_text.line_wrap = true;
    label.clutter_text.line_wrap_mode = Pango.WrapMode.WORD_CHAR;
    label.clutter_text.ellipsize = Pango.EllipsizeMode.NONE;
    return label;
}

/**
 * @param {St.Label} label
 * @param {string} text none: the label is not there
 */
function setText(label, text) {
    label.visible = text !== '';
    if (label.text !== text)
        label.text = text;
}

/** A title, and below it what is to be said. */
export class TextRow {
    /**
     * @param {Shell} shell
     * @param {{hasIcon?: boolean, titleClass?: string}} [options]
     */
    constructor({PopupMenu}, {hasIcon = false, titleClass = ''} = {}) {
        this.item = new PopupMenu.PopupBaseMenuItem({activate: false});
        this._icon = hasIcon ? new St.Icon({style_class: 'popup-menu-icon', y_align: Clutter.ActorAlign.START}) : null;
        if (this._icon !== null)
            this.item.add_child(this._icon);
        const box = makeBox(Clutter.Orientation.VERTICAL, {x_expand: true});
        this._title = makeText(titleClass);
        this._text = makeText('prp-relay-small', DIM);
        box.add_child(this._title);
        box.add_child(this._text);
        this.item.add_child(box);
    }

    /**
     * @param {string} title
     * @param {string} text
     * @param {string} name to be read aloud
     */
    update(title, text, name) {
        setText(this._title, title);
        setText(this._text, text);
        this.item.accessible_name = name;
    }

    /** @param {import('gi://Gio').default.Icon} icon */
    setIcon(icon) {
        if (this._icon !== null)
            this._icon.gicon = icon;
    }
}

export class PrpRow {
    /** @param {Shell} shell */
    constructor({PopupMenu}) {
        this.item = new PopupMenu.PopupBaseMenuItem({activate: false});
        const box = makeBox(Clutter.Orientation.VERTICAL, {x_expand: true});
        const top = makeBox(Clutter.Orientation.HORIZONTAL, {x_expand: true});
        this._title = makeLabel('prp-relay-title', {x_expand: true});
        this._percent = makeLabel('prp-relay-small', DIM);
        top.add_child(this._title);
        top.add_child(this._percent);
        this._details = makeLabel('prp-relay-small', {x_expand: true, ...DIM});
        this._doubt = makeLabel('prp-relay-doubt', {x_expand: true, ...DIM});
        this._bar = new ProgressBar();
        for (const child of [top, this._details, this._bar.actor, this._doubt])
            box.add_child(child);
        this.item.add_child(box);
    }

    /**
     * @param {Prp} prp
     * @param {FormatTime} formatTime
     */
    update(prp, formatTime) {
        const hasProgress = prp.progress !== null && prp.ended === 0;
        setText(this._title, prp.name);
        setText(this._details, Words.prpDetails(prp));
        setText(this._percent, hasProgress ? Words.percent(prp.progress ?? 0) : '');
        setText(this._doubt, Words.doubtText(prp, formatTime));
        this._bar.actor.visible = hasProgress;
        this._bar.setProgress(prp.progress ?? 0);
        this.item.accessible_name = Words.prpName(prp);
        if (prp.ended > 0)
            this.item.add_style_class_name('prp-relay-ended');
        else
            this.item.remove_style_class_name('prp-relay-ended');
    }
}

/**
 * A section of a menu that gives way when the menu would be higher than the screen: it is then scrolled, also by the
 * focus of the keyboard.
 *
 * @param {Shell} shell
 * @param {import('resource:///org/gnome/shell/ui/popupMenu.js').PopupMenu} menu where it goes, at the end
 * @returns {{section: any, showFocused: (item: any) => void}} an item is to be shown as long as it has the focus
 */
export function addScrolledSection({PopupMenu}, menu) {
    const section = new PopupMenu.PopupMenuSection();
    const scroll = /** @type {any} */ (new St.ScrollView({
        hscrollbar_policy: St.PolicyType.NEVER,
        vscrollbar_policy: St.PolicyType.AUTOMATIC,
        overlay_scrollbars: true,
    }));
    menu.addMenuItem(section);
    menu.box.remove_child(section.actor);
    // A child of a view is set in another way before 46.
    if (scroll.add_actor)
        scroll.add_actor(section.actor);
    else
        scroll.set_child(section.actor);
    menu.box.add_child(scroll);
    scroll._delegate = section; // so that the menu goes on knowing of it
    const show = (/** @type {any} */ item) => {
        const adjustment = scroll.vadjustment ?? scroll.vscroll.adjustment; // from 46 on, and before
        const {y1, y2} = item.get_allocation_box();
        if (y1 < adjustment.value)
            adjustment.value = y1;
        else if (y2 > adjustment.value + adjustment.page_size)
            adjustment.value = y2 - adjustment.page_size;
    };
    return {section, showFocused: item => item.connect('key-focus-in', () => show(item))};
}

/**
 * As many rows of one kind as there are things to show.
 *
 * @template {{item: any}} Row
 */
export class Rows {
    /**
     * @param {any} menu where they go, at the end
     * @param {() => Row} make
     */
    constructor(menu, make) {
        this._menu = menu;
        this._make = make;
        /** @type {Row[]} */
        this._rows = [];
    }

    /**
     * @template Thing
     * @param {Thing[]} things
     * @param {(row: Row, thing: Thing) => void} update
     */
    show(things, update) {
        while (this._rows.length < things.length) {
            const row = this._make();
            this._menu.addMenuItem(row.item);
            this._rows.push(row);
        }
        this._rows.forEach((row, i) => {
            row.item.visible = i < things.length;
            if (i < things.length)
                update(row, things[i]);
        });
    }
}
