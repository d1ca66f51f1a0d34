/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * Notices that something changed in the Secret Service: it came to the bus, a keyring was unlocked, an item was made,
 * changed or removed, whichever program did it. On the relay's own connection to the bus; nothing is asked of the
 * service, and nothing starts it.
 */
typedef struct RelayKeyringWatch RelayKeyringWatch;

/* An unlocking comes as a dozen signals: it is told once, that long after the first; … */
#define RELAY_KEYRING_WATCH_SETTLE_USEC (G_USEC_PER_SEC / 5)
/* … and at most this often, whatever a program does to its items. */
#define RELAY_KEYRING_WATCH_MIN_USEC G_USEC_PER_SEC

typedef void (*RelayKeyringWatchChanged) (gpointer user_data);

/* Never fails and never blocks: where the bus refuses the rules, that is logged, and it never calls. */
RelayKeyringWatch *relay_keyring_watch_new (sd_bus *bus, RelayKeyringWatchChanged changed, gpointer user_data);
void relay_keyring_watch_free (RelayKeyringWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayKeyringWatch, relay_keyring_watch_free)
