/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/trouble.h"

/*
 * What outlives the daemon: one SQLite file (WAL), one writer. The only place that knows SQLite. Changes are
 * gathered, and written in one transaction by relay_store_commit; the owner commits once per turn of its loop.
 */
typedef struct RelayStore RelayStore;

#define RELAY_STORE_SCHEMA_VERSION 1
#define RELAY_STORE_BUSY_TIMEOUT_MSEC 2000     /* another process (a backup, sqlite3) has it locked */
#define RELAY_STORE_SEQUENCE_BLOCK 10000       /* numbers reserved at a time, so that most events need no write */

/* Opens @directory/relay.db, making the directory (0700) and the file (0600) where missing. What is not a database
 * of ours, or of a newer schema, is renamed to relay.db.bad-N (N counted up; never overwritten) and a new one is
 * begun; the file beside it says nothing more. Where nothing can be written (read-only, full), the store lives in
 * memory. The durable subscriptions of a file that can only be read are in effect then. Another process that is
 * opening the same file is waited for, RELAY_STORE_BUSY_TIMEOUT_MSEC at most. Never NULL; *ret_warning (left alone
 * where all is well, caller frees) says in words what was found, what it means and what can be done. */
RelayStore *relay_store_open (const char *directory, char **ret_warning);
/* Commits and closes. Who wants to hear of a failure calls relay_store_commit before. */
void relay_store_free (RelayStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayStore, relay_store_free)

/* FALSE: it lives in memory only. */
gboolean relay_store_is_persistent (RelayStore *store);

/* Called at the first change since the last commit: commit soon. */
typedef void (*RelayStoreDirty) (gpointer user_data);
void relay_store_set_dirty (RelayStore *store, RelayStoreDirty dirty, gpointer user_data);
/* Costs nothing if nothing changed. Waits RELAY_STORE_BUSY_TIMEOUT_MSEC at most for another process. Errors:
 * RELAY_ERROR_IO with path and reason. No change is lost by that: they are all written with the next commit, which
 * is the owner's to plan (in a minute, say; a full disk does not empty itself). If the file turned out to be
 * damaged, it was set aside (the text says so), and the next commit, to be made at once, writes everything
 * anew. */
gboolean relay_store_commit (RelayStore *store, GError **error);

/* What is wrong with the store at present (a cause STORE_… of trouble.h), NULL if nothing: it lives in memory, the last commit
 * failed, or a damaged file was set aside since the start. Borrowed, until the next call. */
const RelayTrouble *relay_store_get_trouble (RelayStore *store);
/* The user has been told of a file that was set aside: that is no trouble any more. */
void relay_store_acknowledge (RelayStore *store);

/* The last proof of life of a connection to the server, CLOCK_REALTIME µs, 0 if there never was one. What is set is written with the next
 * commit that has something else to write, or RELAY_STORE_ALIVE_USEC after the last one that did. */
#define RELAY_STORE_ALIVE_USEC (10 * G_USEC_PER_SEC)
gint64 relay_store_get_alive (RelayStore *store);
void relay_store_set_alive (RelayStore *store, gint64 realtime_usec);

/* For each durable channel what is known of its coverage (wire/coverage.h): -1 never, 0 heard, else since when it is
 * not. -1 for a channel that is not durable. */
gint64 relay_store_get_covered (RelayStore *store, const char *channel);
void relay_store_set_covered (RelayStore *store, const char *channel, gint64 since_usec);

/* The durable subscriptions as of now: names as they were given, sorted, NULL-terminated. Caller frees
 * (g_strfreev). */
char **relay_store_list_durable (RelayStore *store);
void relay_store_set_durable (RelayStore *store, const char *channel, gboolean durable);

/* The next number: rises by one per call, never one that was given out before, also after kill -9 (numbers are
 * skipped then; a clean end skips none). The first store starts at 1. One begun anew in place of a lost one, or in
 * memory, starts at the clock's µs, above anything given before. Writes (and syncs) once in
 * RELAY_STORE_SEQUENCE_BLOCK calls. Cannot fail: where the reservation cannot be written, the numbers go on in
 * memory. */
guint64 relay_store_next_sequence (RelayStore *store);
