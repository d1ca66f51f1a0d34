// SPDX-License-Identifier: MIT
//
// What is known of the PRPs, in a file of the user's state folder, so that a new session starts with it. Asynchronous;
// a file that is missing, damaged or another's is as good as none. Nothing depends on it being the latest: events from
// its cursor on are listed anew.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const SAVE_INTERVAL_SECONDS = 30;
const MAX_BYTES = 1024 * 1024;

export class Keeper {
    /**
     * @param {Gio.File} file
     * @param {() => object} keep what to write
     */
    constructor(file, keep) {
        this._file = file;
        this._keep = keep;
        this._cancellable = new Gio.Cancellable();
        this._source = 0;
        this._isDue = false;
    }

    static defaultFile() {
        return Gio.File.new_for_path(GLib.build_filenamev([GLib.get_user_state_dir(), 'prp-relay', 'gnome-shell.json']));
    }

    /**
     * Makes the folder, too: so that at the end nothing is left to do but to write.
     *
     * @param {(kept: any) => void} callback not called after destroy()
     */
    load(callback) {
        const directory = /** @type {Gio.File} */ (this._file.get_parent());
        directory.make_directory_async(GLib.PRIORITY_DEFAULT, this._cancellable, (_directory, result) => {
            try {
                directory.make_directory_finish(result);
            } catch {
                // It is there already, or cannot be made: then the file cannot be written, and is not.
            }
            if (!this._cancellable.is_cancelled())
                this._load(callback);
        });
    }

    /** @param {(kept: any) => void} callback */
    _load(callback) {
        this._file.load_contents_async(this._cancellable, (_file, result) => {
            let kept;
            try {
                const [, contents] = this._file.load_contents_finish(result);
                if (contents.length <= MAX_BYTES)
                    kept = JSON.parse(new TextDecoder().decode(contents));
            } catch {
                // There is none, or none that could be used.
            }
            if (!this._cancellable.is_cancelled())
                callback(kept);
        });
    }

    /** To be called whenever something has changed. */
    touch() {
        this._isDue = true;
        if (this._source !== 0)
            return;
        this._source = GLib.timeout_add_seconds(GLib.PRIORITY_LOW, SAVE_INTERVAL_SECONDS, () => {
            this._source = 0;
            this._save();
            return GLib.SOURCE_REMOVE;
        });
    }

    /** Saves what is due; nothing of ours runs afterwards. */
    destroy() {
        this._cancellable.cancel();
        if (this._source !== 0)
            GLib.source_remove(this._source);
        this._source = 0;
        if (this._isDue)
            this._save();
    }

    _save() {
        this._isDue = false;
        const contents = new GLib.Bytes(new TextEncoder().encode(JSON.stringify(this._keep())));
        this._file.replace_contents_bytes_async(contents, null, false,
            Gio.FileCreateFlags.REPLACE_DESTINATION | Gio.FileCreateFlags.PRIVATE, null, null);
    }
}
