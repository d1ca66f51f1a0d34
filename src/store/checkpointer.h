/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Writes the -wal of a database back into its file, beside whoever writes: in a thread and through a connection of
 * its own. The thread begins with the first request, and sleeps between them.
 */
typedef struct RelayCheckpointer RelayCheckpointer;

RelayCheckpointer *relay_checkpointer_new (const char *path);
/* Ends what is under way first. */
void relay_checkpointer_free (RelayCheckpointer *checkpointer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayCheckpointer, relay_checkpointer_free)

/* Begins to write back what is committed by now, if none of that is under way. FALSE: there can be no thread. */
gboolean relay_checkpointer_request (RelayCheckpointer *checkpointer);
gboolean relay_checkpointer_is_busy (RelayCheckpointer *checkpointer);
/* Until it is not. */
void relay_checkpointer_wait (RelayCheckpointer *checkpointer);
