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

/* The hash of an id, that it can be remembered by. */
void relay_seen_hash (const guint8 key[16], const char *id, gsize length, guint64 ret_hash[2]);

/* Remembers the hash of an id (with the same key) as older than all that is in it: so an earlier run's ids are
 * taken over, newest first. One that is there already stays as it is. FALSE: it is full, and anything older
 * need not be tried. */
gboolean relay_seen_add_older (RelaySeen *seen, const guint64 hash[2]);
