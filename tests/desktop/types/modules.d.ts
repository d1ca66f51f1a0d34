// SPDX-License-Identifier: MIT
//
// Which modules there are: gi://…, resource:///org/gnome/shell/….

import '@girs/gjs';
import '@girs/gjs/dom';
import '@girs/adw-1/ambient';
import '@girs/gnome-shell/ambient';
import '@girs/gnome-shell/extensions/global';
