// SPDX-License-Identifier: MIT
//
// What makes work out of signals without letting them set the pace. ring() says that there is something to do; the
// action, which is asynchronous, then runs once, however often it rang; what rings while it runs makes it run once
// more. Two runs begin at least an interval apart. Where one fails, the next try is later and later; a ring does not
// hasten it.
//
// After destroy() nothing runs any more. The answer of a call may be there already then, with the code that awaits it
// about to go on: so what is awaited in an action is either turn(), or checks by itself that it is still wanted. Both
// end the action with the error of a call that was cancelled.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const RETRY_MIN_MSEC = 1000;
const RETRY_MAX_MSEC = 60000;

/**
 * @param {any} error
 * @returns {boolean}
 */
export function isCancelled(error) {
    return error?.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED) ?? false;
}

/** @returns {GLib.Error} */
export function makeCancelled() {
    return new Gio.IOErrorEnum({code: Gio.IOErrorEnum.CANCELLED, message: 'It is not wanted any more'});
}

export class Bell {
    /**
     * @param {number} intervalMsec
     * @param {(bell: Bell) => Promise<void>} action
     */
    constructor(intervalMsec, action) {
        this._intervalMsec = intervalMsec;
        this._action = action;
        this._began = -Infinity;
        this._failures = 0;
        this._source = 0;
        this._turnSource = 0;
        this._isRunning = false;
        this._rang = false;
        this._isDestroyed = false;
    }

    ring() {
        this._rang = true;
        this._plan();
    }

    destroy() {
        this._isDestroyed = true;
        if (this._source !== 0)
            GLib.source_remove(this._source);
        if (this._turnSource !== 0)
            GLib.source_remove(this._turnSource);
        this._source = this._turnSource = 0;
    }

    /** Lets everything else have its turn first: to be awaited between the pieces of a long work. */
    async turn() {
        await new Promise(resolve => {
            if (this._isDestroyed)
                return;
            this._turnSource = GLib.idle_add(GLib.PRIORITY_DEFAULT_IDLE, () => {
                this._turnSource = 0;
                resolve(undefined);
                return GLib.SOURCE_REMOVE;
            });
        });
        if (this._isDestroyed)
            throw makeCancelled();
    }

    _plan() {
        if (!this._rang || this._isRunning || this._source !== 0 || this._isDestroyed)
            return;
        const interval = this._failures === 0
            ? this._intervalMsec
            : Math.min(RETRY_MIN_MSEC * 2 ** (this._failures - 1), RETRY_MAX_MSEC);
        const wait = Math.max(this._began + interval - GLib.get_monotonic_time() / 1000, 0);
        this._source = GLib.timeout_add(GLib.PRIORITY_DEFAULT, Math.ceil(wait), () => {
            this._source = 0;
            this._run().catch(logError);
            return GLib.SOURCE_REMOVE;
        });
    }

    async _run() {
        this._isRunning = true;
        this._rang = false;
        this._began = GLib.get_monotonic_time() / 1000;
        try {
            await this._action(this);
            this._failures = 0;
        } catch (error) {
            if (isCancelled(error) || this._isDestroyed)
                return;
            this._failures = Math.min(this._failures + 1, 10);
            this._rang = true;
            console.debug(`prp-relay: ${error}`);
        } finally {
            this._isRunning = false;
        }
        this._plan();
    }
}
