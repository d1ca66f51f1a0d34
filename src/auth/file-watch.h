/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Notices that a file has another content or other permissions: written, replaced by a rename, made, removed, or,
 * where it is a symbolic link, any of that at the other end. The folder need not exist yet.
 */
typedef struct RelayFileWatch RelayFileWatch;

/* Editors write a file in several steps: it is told once it has been quiet for that long. */
#define RELAY_FILE_WATCH_SETTLE_USEC (G_USEC_PER_SEC / 4)

typedef void (*RelayFileWatchChanged) (gpointer user_data);

/* Never fails: where the system cannot watch (inotify's limits), it never calls. */
RelayFileWatch *relay_file_watch_new (const char *path, RelayFileWatchChanged changed, gpointer user_data);
void relay_file_watch_free (RelayFileWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayFileWatch, relay_file_watch_free)
