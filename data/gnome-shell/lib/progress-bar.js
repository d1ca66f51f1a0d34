// SPDX-License-Identifier: MIT
//
// A bar that is filled from the side where reading begins. Decoration only: what it shows is said in the row's text.

import Clutter from 'gi://Clutter';
import St from 'gi://St';

/**
 * @param {any} cr a cairo context
 * @param {number} x
 * @param {number} width
 * @param {number} height
 */
function addPill(cr, x, width, height) {
    const radius = height / 2;
    cr.newSubPath();
    cr.arc(x + width - radius, radius, radius, -Math.PI / 2, Math.PI / 2);
    cr.arc(x + radius, radius, radius, Math.PI / 2, 3 * Math.PI / 2);
    cr.closePath();
}

export class ProgressBar {
    constructor() {
        this._progress = 0;
        this.actor = new St.DrawingArea({style_class: 'prp-relay-progress', x_expand: true});
        this.actor.connect('repaint', () => this._paint());
    }

    /** @param {number} progress 0 … 100 */
    setProgress(progress) {
        if (progress === this._progress)
            return;
        this._progress = progress;
        this.actor.queue_repaint();
    }

    _paint() {
        const cr = /** @type {any} */ (this.actor.get_context());
        const [width, height] = this.actor.get_surface_size();
        const color = this.actor.get_theme_node().get_foreground_color();
        const [red, green, blue] = [color.red / 255, color.green / 255, color.blue / 255];
        const filled = Math.max(width * this._progress / 100, height);
        const isRtl = this.actor.get_text_direction() === Clutter.TextDirection.RTL;

        cr.setSourceRGBA(red, green, blue, 0.2);
        addPill(cr, 0, width, height);
        cr.fill();
        if (this._progress > 0) {
            cr.setSourceRGBA(red, green, blue, color.alpha / 255);
            addPill(cr, isRtl ? width - filled : 0, filled, height);
            cr.fill();
        }
        cr.$dispose();
    }
}
