/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/history.h"
#include "wire/gap.h"
#include "wire/status.h"

/*
 * The store's side of the daemon: what is to be stored in a turn of the loop is committed at its end, in one transaction; what
 * goes wrong with that is told, shown, and tried again, and stops nothing.
 */
typedef struct RelayRecords RelayRecords;

#define RELAY_RECORDS_RETRY_USEC (30 * G_USEC_PER_SEC) /* between attempts to store what could not be stored, at most */

typedef struct {
  /* A commit is about to be made: what is to be in it and is not yet, can be set now. */
  void (*committing) (gpointer user_data);
  /* What was appended until now is stored, or that was tried and failed: it may be told. */
  void (*settled) (gpointer user_data);
  /* A file is used that could not be, or was not there: it may have durable subscriptions that nobody knows of. */
  void (*recovered) (gpointer user_data);
} RelayRecordsEvents;

/* Opens the store in @directory (relay_store_open). @status, whose error of the store is set, is borrowed; @events is
 * static. */
RelayRecords *relay_records_new (const char *directory, const RelayHistoryLimits *limits, RelayStatus *status,
                                 const RelayRecordsEvents *events, gpointer user_data);
/* Commits; nothing is called any more. */
void relay_records_free (RelayRecords *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayRecords, relay_records_free)

RelayStore *relay_records_get_store (RelayRecords *records);

/* Stores the event, whose sequence (relay_store_next_sequence) and time are set; `settled` follows in the next turn, once for
 * all of this one, also if nothing is to be stored. */
void relay_records_append (RelayRecords *records, const RelayEvent *event);
/* Likewise a gap, whose sequence is set, as an event. */
void relay_records_append_gap (RelayRecords *records, const RelayGap *gap);

/* Commits now; where that has just failed, nothing is tried (RELAY_STORE_RETRY_USEC). Calls `settled`. */
void relay_records_commit (RelayRecords *records);

/* Likewise, and tries in any case: the end is near. */
void relay_records_commit_last (RelayRecords *records);

/* Forgets all events. Calls `settled`. Error: RELAY_ERROR_IO. */
gboolean relay_records_clear (RelayRecords *records, GError **error);

/* The user has set @limits, and knows of the troubles so far. What could not be stored is tried again now. */
void relay_records_configure (RelayRecords *records, const RelayHistoryLimits *limits);
