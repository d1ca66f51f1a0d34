// SPDX-License-Identifier: MIT
//
// A module of the Shell that @girs/gnome-shell does not describe (js/misc/dateUtils.js, since 45).

declare module 'resource:///org/gnome/shell/misc/dateUtils.js' {
    export function formatTime(time: Date, params?: {timeOnly?: boolean, ampm?: boolean}): string;
}
