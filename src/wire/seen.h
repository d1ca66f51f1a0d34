/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Which message ids were seen among the last ones: how an event that arrives twice (over a reconnect, or over two
 * connections) is relayed once. Memory is fixed: a keyed 128-bit hash per id, so that no two ids that a server can
 * choose are taken for each other.
 */
#define RELAY_SEEN_IDS 65536 /* how many of the last events are remembered */

typedef struct RelaySeen RelaySeen;

/* @key: 16 random bytes. */
RelaySeen *relay_seen_new (const guint8 key[16]);
void relay_seen_free (RelaySeen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaySeen, relay_seen_free)

/* Remembers the id (@length bytes). TRUE if it was new, FALSE if it is among the last RELAY_SEEN_IDS.
 * An empty id is always new, and not remembered. */
gboolean relay_seen_add (RelaySeen *seen, const char *id, gsize length);
