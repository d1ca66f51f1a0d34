/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "client/cursor.h"

/*
 * What outlives the program, in $XDG_STATE_HOME/prp-relay/: up to which event was told (notify.cursor), and which PRPs are
 * not to be told of (notify.muted). Both are text, a line an item. A file is replaced as a whole, and one that is
 * not understood is set aside (its name then ends in ".damaged").
 *
 * The muted PRPs can be changed by another process (prp-notify --unmute): each change is made to the file as it is, under a
 * lock, and the running service hears of it.
 */
typedef struct NotifyMemory NotifyMemory;

#define NOTIFY_MEMORY_MAX_MUTED 1000 /* PRPs; beyond it the one that was muted first is told of again */
#define NOTIFY_MEMORY_MAX_FILE_BYTES (2 * 1024 * 1024)

/* @directory: NULL for the default. Nothing fails: what cannot be read is told in the journal, and nothing remembered. */
NotifyMemory *notify_memory_new (const char *directory);
void notify_memory_free (NotifyMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyMemory, notify_memory_free)

/* *ret_cursor: NOW if none is remembered. To be cleared. */
void notify_memory_get_cursor (NotifyMemory *memory, ClientCursor *ret_cursor);

/* Remembers it; if that fails it is told in the journal, once until it succeeds again. NULL: nothing to remember. */
void notify_memory_set_cursor (NotifyMemory *memory, const char *cursor);

gboolean notify_memory_is_muted (NotifyMemory *memory, const char *prp_id);

/* Ids of the muted PRPs, in the order in which they were muted; NULL-terminated, borrowed until the next call. */
const char *const *notify_memory_list_muted (NotifyMemory *memory);

/* A mute counts for this process also where it cannot be stored: FALSE, with @error. */
gboolean notify_memory_mute (NotifyMemory *memory, const char *prp_id, GError **error);

/* @prp_id: NULL for all of them. *ret_n: how many were muted. */
gboolean notify_memory_unmute (NotifyMemory *memory, const char *prp_id, guint *ret_n, GError **error);

/* Hears of changes by others from here on. */
void notify_memory_watch (NotifyMemory *memory);
