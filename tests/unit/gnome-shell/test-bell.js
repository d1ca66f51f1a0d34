// SPDX-License-Identifier: MIT
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {Bell, isCancelled, makeCancelled} from '../../../data/gnome-shell/lib/bell.js';
import {equal, run, settle, waitFor} from './tap.js';

run({
    'rings before it runs are one': async () => {
        let runs = 0;
        const bell = new Bell(0, async () => {
            runs++;
        });
        for (let i = 0; i < 100; i++)
            bell.ring();
        equal(runs, 0);
        await waitFor(() => runs > 0, () => 'a run');
        await settle();
        equal(runs, 1);
        bell.destroy();
    },

    'rings while it runs are one more run, not beside it': async () => {
        let [runs, beside] = [0, 0];
        const bell = new Bell(0, async () => {
            runs++;
            equal(++beside, 1);
            if (runs === 1) {
                for (let i = 0; i < 10; i++) {
                    bell.ring();
                    await bell.turn();
                }
            }
            beside--;
        });
        bell.ring();
        await waitFor(() => runs === 2, () => `two runs; there were ${runs}`);
        await settle();
        equal([runs, beside], [2, 0]);
        bell.destroy();
    },

    'two runs are an interval apart': async () => {
        const times = [];
        const bell = new Bell(50, async () => {
            times.push(GLib.get_monotonic_time());
            bell.ring();
        });
        bell.ring();
        await waitFor(() => times.length === 4, () => `four runs; there were ${times.length}`);
        bell.destroy();
        for (let i = 1; i < times.length; i++)
            equal(times[i] - times[i - 1] >= 49000, true);
    },

    'a failure is tried again, later': async () => {
        const times = [];
        const bell = new Bell(0, async () => {
            times.push(GLib.get_monotonic_time());
            if (times.length === 1)
                throw new Error('not now');
        });
        bell.ring();
        await waitFor(() => times.length === 1, () => 'the first run');
        bell.ring();
        await waitFor(() => times.length === 2, () => 'the second run');
        equal(times[1] - times[0] >= 999000, true);
        bell.destroy();
    },

    'what was cancelled is not tried again': async () => {
        let runs = 0;
        const bell = new Bell(0, async () => {
            runs++;
            throw makeCancelled();
        });
        bell.ring();
        await waitFor(() => runs === 1, () => 'a run');
        await settle();
        equal(runs, 1);
        bell.ring();
        await waitFor(() => runs === 2, () => 'another run');
        bell.destroy();
    },

    'nothing runs after the end': async () => {
        let runs = 0;
        const planned = new Bell(0, async () => {
            runs++;
        });
        planned.ring();
        planned.destroy();
        planned.ring();
        await settle();
        equal(runs, 0);

        let [began, turned] = [false, false];
        const running = new Bell(0, async bell => {
            const turn = bell.turn();
            running.destroy();
            began = true;
            await turn;
            turned = true;
        });
        running.ring();
        await waitFor(() => began, () => 'its beginning');
        await settle();
        equal(turned, false);
    },

    'errors': () => {
        equal(isCancelled(makeCancelled()), true);
        equal(isCancelled(new Gio.IOErrorEnum({code: Gio.IOErrorEnum.FAILED, message: 'x'})), false);
        equal([isCancelled(new Error('x')), isCancelled(null), isCancelled('x')], [false, false, false]);
    },
});
