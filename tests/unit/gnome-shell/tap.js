// SPDX-License-Identifier: MIT
//
// Enough of a test runner for gjs -m: named functions, which may be asynchronous, one after the other; TAP.

import GLib from 'gi://GLib';
import System from 'system';

const WAIT_SECONDS = 20;

/**
 * @param {Record<string, () => void|Promise<void>>} tests
 */
export function run(tests) {
    const loop = new GLib.MainLoop(null, false);
    const names = Object.keys(tests);
    let failed = 0;
    const runAll = async () => {
        print(`1..${names.length}`);
        for (const [i, name] of names.entries()) {
            try {
                // eslint-disable-next-line no-await-in-loop
                await tests[name]();
                print(`ok ${i + 1} - ${name}`);
            } catch (error) {
                failed++;
                for (const line of `${error}\n${error.stack}`.split('\n'))
                    print(`# ${line}`);
                print(`not ok ${i + 1} - ${name}`);
            }
        }
        loop.quit();
    };
    runAll();
    loop.run();
    System.exit(failed > 0 ? 1 : 0);
}

/**
 * @param {any} actual
 * @param {any} expected compared by value
 */
export function equal(actual, expected) {
    const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (is !== wanted)
        throw new Error(`it is ${is}, wanted ${wanted}`);
}

/**
 * @param {() => any} condition
 * @param {() => string} what
 * @returns {Promise<any>} the condition's first value that is not false
 */
export function waitFor(condition, what) {
    const deadline = GLib.get_monotonic_time() + WAIT_SECONDS * 1e6;
    return new Promise((resolve, reject) => {
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, 5, () => {
            try {
                const value = condition();
                if (value) {
                    resolve(value);
                    return GLib.SOURCE_REMOVE;
                }
                if (GLib.get_monotonic_time() > deadline)
                    throw new Error(`waited in vain for ${what()}`);
            } catch (error) {
                reject(error);
                return GLib.SOURCE_REMOVE;
            }
            return GLib.SOURCE_CONTINUE;
        });
    });
}

/** Lets all that is ready happen, some times over: for what must not happen. */
export async function settle() {
    for (let i = 0; i < 20; i++) {
        // eslint-disable-next-line no-await-in-loop
        await new Promise(resolve => GLib.timeout_add(GLib.PRIORITY_LOW, 5, () => {
            resolve(undefined);
            return GLib.SOURCE_REMOVE;
        }));
    }
}
