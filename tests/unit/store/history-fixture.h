/* SPDX-License-Identifier: MIT */
#pragma once

#include "store-fixture.h"
#include "store/history.h"

/*
 * Events for the history, and what a reader gets back: its sequence numbers, as text.
 */

/* An agent.progress of @agent on @prp, received at @received_usec (0: now). NULL: it has none. Returns its
 * number. */
guint64 history_append (RelayStore *store, const char *prp, const char *agent, gint64 received_usec);
/* Any message. */
guint64 history_append_text (RelayStore *store, const char *text, gint64 received_usec);
void history_append_many (RelayStore *store, guint n_events);

/* Scans to the end, or until @limit events were found (0: all); in the order in which they were handed over. */
GArray *history_list (RelayStore *store, const RelayQuery *query, guint limit);
/* The same as "1 2 3". */
void history_expect (RelayStore *store, RelayQuery query, const char *expected);
guint history_count (RelayStore *store);

void history_set_limits (RelayStore *store, guint64 max_events, guint64 max_age_usec);
/* Commits until nothing is left to do; how often that was. */
guint history_settle (RelayStore *store);
/* Ends the daemon's part as kill -9 does: the store is left open, in a child that dies. @part works on it
 * before. */
void history_in_killed_child (StoreFixture *f, void (*part) (RelayStore *store));
gint64 history_sql_int (StoreFixture *f, const char *sql);
/* Nothing is wrong with the file. */
void history_expect_sound (StoreFixture *f);
