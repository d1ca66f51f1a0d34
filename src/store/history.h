/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/store.h"
#include "wire/query.h"
#include "wire/seen.h"

/*
 * What was relayed, in order: the events as the server sent them, each with its sequence, in the store's file,
 * written in the store's transactions.
 *
 * An event that is appended waits in memory until relay_store_commit has written it. Where that fails (or where
 * there is no file) it goes on waiting, and is listed all the same; what does not fit into
 * RELAY_HISTORY_WAITING_MAX_… leaves, the oldest first, and relay_history_get_first_sequence tells.
 *
 * Retention: by count and by age as configured, and by size, a bounded number of rows in each commit.
 */
typedef struct {
  guint64 max_events;   /* 0: no history at all */
  guint64 max_age_usec; /* 0: whatever its age */
} RelayHistoryLimits;

#define RELAY_HISTORY_MAX_FILE_BYTES (1024 * 1024 * 1024) /* what is used of the file */
#define RELAY_HISTORY_WAITING_MAX_BYTES (4 * 1024 * 1024) /* of events that the file has not taken */
#define RELAY_HISTORY_WAITING_MAX_EVENTS 16384

void relay_history_set_limits (RelayStore *store, const RelayHistoryLimits *limits);

/* Stores the event with the next commit; @event->sequence (rising) and received_usec are set. A copy is made. */
void relay_history_append (RelayStore *store, const RelayEvent *event);

/* @event: read from what is stored, valid during the call. FALSE: not taken, and the scan ends before it. */
typedef gboolean (*RelayHistoryFound) (const RelayEvent *event, gpointer user_data);

/* One step of a scan: looks at RELAY_HISTORY_STEP_ROWS rows at most (and about 1 MiB of events), beyond
 * *position, and hands over those that match, in order (newest first with @query->newest). *position is where
 * the scan stands, to go on with: 0 to begin with (begin is at @query->after, or at the end with `newest`).
 * *ret_end: there is nothing more to look at. Uses an index where the query names a PRP, an agent, a project,
 * types or a time. Error: RELAY_ERROR_IO; what cannot be read is set aside by the next commit. */
#define RELAY_HISTORY_STEP_ROWS 1000
gboolean relay_history_scan (RelayStore *store, const RelayQuery *query, guint64 *position,
                             RelayHistoryFound found, gpointer user_data, gboolean *ret_end, GError **error);

/* Forgets all events, with a new id; commits. Error: RELAY_ERROR_IO; nothing has changed then. */
gboolean relay_history_clear (RelayStore *store, GError **error);

/* Another one after the history was lost or cleared. Borrowed, until it changes. */
const char *relay_history_get_id (RelayStore *store);
/* From this number on the history is complete; what was before it has left, by retention or as it could not be
 * kept. A reader who stands at N has missed nothing if N + 1 is not below it. */
guint64 relay_history_get_first_sequence (RelayStore *store);
/* The last number given out, 0 if none. */
guint64 relay_history_get_last_sequence (RelayStore *store);

/* When the oldest event will be too old, CLOCK_REALTIME µs, 0 if nothing will; never sooner than an hour after
 * the last time. A commit then removes what is, which is the owner's to plan where nothing else is committed. */
gint64 relay_history_get_next_aging (RelayStore *store);

/* The key with which ids are hashed, 16 bytes, the same as long as the file lives: of the one that is in use at
 * present. */
const guint8 *relay_history_get_key (RelayStore *store);
/* Fills @seen (made with that key) with the ids of the last events, older than what is in it,
 * RELAY_HISTORY_STEP_ROWS at most per call. FALSE when there are no more. */
gboolean relay_history_load_seen (RelayStore *store, RelaySeen *seen);
