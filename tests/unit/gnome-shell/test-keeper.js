// SPDX-License-Identifier: MIT
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Keeper} from '../../../data/gnome-shell/lib/keeper.js';
import {equal, run, settle, waitFor} from './tap.js';

const top = Gio.File.new_for_path(GLib.dir_make_tmp('prp-relay-keeper-XXXXXX'));
const file = top.get_child('prp-relay').get_child('gnome-shell.json');

const load = keeper => new Promise(resolve => keeper.load(resolve));
const read = () => (file.query_exists(null) ? new TextDecoder().decode(file.load_contents(null)[1]) : '');

run({
    'saved at the end, in a folder of its own, and loaded again': async () => {
        const keeper = new Keeper(file, () => ({a: 1, text: 'ä'}));
        equal(await load(keeper), undefined);
        keeper.touch();
        keeper.touch();
        await settle();
        equal(read(), ''); // it is not urgent
        keeper.destroy();
        await waitFor(() => read() === '{"a":1,"text":"ä"}', () => `the file; it is ${read()}`);
        equal(file.query_info('unix::mode', Gio.FileQueryInfoFlags.NONE, null).get_attribute_uint32('unix::mode') & 0o077, 0);
        const next = new Keeper(file, () => ({}));
        equal(await load(next), {a: 1, text: 'ä'});
        next.destroy();
    },

    'nothing is written where nothing has changed': async () => {
        file.delete(null);
        const keeper = new Keeper(file, () => ({a: 1}));
        keeper.destroy();
        await settle();
        equal(read(), '');
    },

    'damaged, or far too long': async () => {
        for (const contents of ['{"a":', ' ', '\u0000', `"${'x'.repeat(2 * 1024 * 1024)}"`]) {
            file.replace_contents(contents, null, false, Gio.FileCreateFlags.NONE, null);
            const keeper = new Keeper(file, () => ({}));
            // eslint-disable-next-line no-await-in-loop
            equal(await load(keeper), undefined);
            keeper.destroy();
        }
    },

    'nothing is told after the end': async () => {
        let isTold = false;
        const keeper = new Keeper(file, () => ({}));
        keeper.load(() => (isTold = true));
        keeper.destroy();
        await settle();
        equal(isTold, false);
        file.delete(null);
        file.get_parent().delete(null);
        top.delete(null);
    },
});
