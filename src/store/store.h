/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What outlives the daemon: one SQLite file (WAL), one writer. The only place that knows SQLite. Writes are
 * gathered in a transaction that relay_store_commit ends; the owner commits once per turn of its loop.
 */
typedef struct RelayStore RelayStore;

#define RELAY_STORE_SCHEMA_VERSION 1
#define RELAY_STORE_BUSY_TIMEOUT_MSEC 2000     /* another process (a backup, sqlite3) has it locked */
#define RELAY_STORE_SEQUENCE_BLOCK 10000       /* numbers reserved at a time, so that most events need no write */

/* Opens @directory/relay.db, making the directory (0700) and the file (0600) where missing. What is not a database of ours,
 * or of a newer schema, is renamed to relay.db.bad-N (N counted up; never overwritten) and a new one is begun; the file
 * beside it says nothing more. Where nothing can be written (read-only, full), the store lives in memory.
 * Never NULL; *ret_warning (may be set, caller frees) says in words what was set aside or is not kept. */
RelayStore *relay_store_open (const char *directory, char **ret_warning);
/* Commits and closes. */
void relay_store_free (RelayStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayStore, relay_store_free)

/* FALSE: it lives in memory only. */
gboolean relay_store_is_persistent (RelayStore *store);

/* Called when a transaction begins: commit soon. */
typedef void (*RelayStoreDirty) (gpointer user_data);
void relay_store_set_dirty (RelayStore *store, RelayStoreDirty dirty, gpointer user_data);
/* Errors: RELAY_ERROR_IO with path and reason; what was in the transaction is then tried again with the next commit. */
gboolean relay_store_commit (RelayStore *store, GError **error);

/* The durable subscriptions: names, sorted, NULL-terminated. Caller frees. */
char **relay_store_list_durable (RelayStore *store, GError **error);
gboolean relay_store_set_durable (RelayStore *store, const char *channel, gboolean durable, GError **error);

/* The next number: rises by one per call, never one that was given out before, also after kill -9 (numbers are skipped
 * then). A store begun anew in place of a lost one starts at the clock's µs, above anything given before.
 * Cannot fail: where the reservation cannot be written, the numbers go on in memory. */
guint64 relay_store_next_sequence (RelayStore *store);
