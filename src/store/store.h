/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/trouble.h"

/*
 * What outlives the daemon: one SQLite file (WAL), one writer. The only place that knows SQLite. Changes are
 * gathered, and written in one transaction by relay_store_commit; the owner commits once per turn of its loop.
 * What is in the history is in history.h.
 */
typedef struct RelayStore RelayStore;

#define RELAY_STORE_SCHEMA_VERSION 2
#define RELAY_STORE_OPEN_TIMEOUT_MSEC 2000   /* at the start: for another process that has it locked */
#define RELAY_STORE_COMMIT_TIMEOUT_MSEC 100  /* likewise in a commit, which can be repeated */
#define RELAY_STORE_SEQUENCE_BLOCK 10000     /* numbers reserved at a time, so that most events need no write */
#define RELAY_STORE_RETRY_USEC (5 * G_USEC_PER_SEC) /* between attempts to write what could not be, at least */

/* Opens @directory/relay.db, making the directory (0700) and the file (0600) where missing. What is not a
 * database of ours, or of a newer schema, is renamed to relay.db.bad-N (N counted up; never overwritten) and a
 * new one is begun; the file beside it says nothing more. Where nothing can be written (read-only, full),
 * everything is kept in memory until it can be; what is in a file that can only be read is in effect then, and
 * listed. Never NULL; relay_store_get_trouble says what was found. Nothing is read whose amount grows with the
 * history. */
RelayStore *relay_store_open (const char *directory);
/* Commits and closes. Who wants to hear of a failure calls relay_store_commit before. */
void relay_store_free (RelayStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayStore, relay_store_free)

/* FALSE: it lives in memory only. */
gboolean relay_store_is_persistent (RelayStore *store);

/* Called at the first change since the last commit: commit soon. Not called while commits fail: to repeat them
 * is the owner's to plan. */
typedef void (*RelayStoreDirty) (gpointer user_data);
void relay_store_set_dirty (RelayStore *store, RelayStoreDirty dirty, gpointer user_data);

/* Writes all changes, and removes some of what is to leave the history. Costs nothing if there is nothing to
 * do. Where it lives in memory, the file is tried again; once it can be used, everything goes there, merged
 * with what it holds.
 *
 * FALSE: something could not be written; RELAY_ERROR_IO with path and reason. No change is lost by that: they
 * are all written with a later commit, which is the owner's to plan (a full disk does not empty itself). Sooner
 * than RELAY_STORE_RETRY_USEC after a failure nothing is tried, so that it can be called at any time.
 *
 * If the file turns out to be damaged it is set aside, and everything that is known is written to a new one at
 * once. If it was deleted, or replaced, what is in its place is used. In both cases the history has another id. */
gboolean relay_store_commit (RelayStore *store, GError **error);
/* The next commit tries again, however soon that is. */
void relay_store_retry (RelayStore *store);

/* What is wrong with the store at present (a cause STORE_… of trouble.h), NULL if nothing: it lives in memory,
 * the last commit failed, or a damaged file was set aside since the start. Borrowed, until the next call. */
const RelayTrouble *relay_store_get_trouble (RelayStore *store);
/* The user has been told of a file that was set aside: that is no trouble any more. */
void relay_store_acknowledge (RelayStore *store);

/* The last proof of life of a connection to the server, CLOCK_REALTIME µs, 0 if there never was one. What is
 * set is written with the next commit that has something else to write (where that is only events, and the last
 * one is not RELAY_STORE_ALIVE_EVENTS_USEC ago, with one that comes after that); if it is set
 * RELAY_STORE_ALIVE_USEC or more after the last one that did, or back, by one of its own. */
#define RELAY_STORE_ALIVE_USEC (10 * G_USEC_PER_SEC)
#define RELAY_STORE_ALIVE_EVENTS_USEC G_USEC_PER_SEC
gint64 relay_store_get_alive (RelayStore *store);
void relay_store_set_alive (RelayStore *store, gint64 realtime_usec);

/* For each durable channel what is known of its coverage (wire/coverage.h): -1 never, 0 heard, else since when
 * it is not. -1 for a channel that is not durable, and cannot be set then. */
gint64 relay_store_get_covered (RelayStore *store, const char *channel);
void relay_store_set_covered (RelayStore *store, const char *channel, gint64 since_usec);

/* The durable subscriptions as of now: names as they were given, sorted, NULL-terminated. Caller frees
 * (g_strfreev). Those of a file that could not even be read come with the commit that can use it, when
 * relay_store_get_trouble says no more that there is none. */
char **relay_store_list_durable (RelayStore *store);
void relay_store_set_durable (RelayStore *store, const char *channel, gboolean durable);

/* The next number: rises by one per call, never one that was given out before, also after kill -9 (numbers are
 * skipped then; a clean end skips none). The first store starts at 1. One begun anew in place of a lost one, in
 * memory, or after a run that did not end cleanly, starts at the clock's µs, if that is above all that is known
 * to have been given out. Writes (and syncs) once in RELAY_STORE_SEQUENCE_BLOCK calls. Cannot fail: where the
 * reservation cannot be written, the numbers go on in memory. */
guint64 relay_store_next_sequence (RelayStore *store);
