/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/query.h"

/*
 * What the interface of the history asks of whoever keeps it. The words are those of store/history.h.
 */

/* @event: valid during the call. FALSE: not taken, and the scan ends before it. */
typedef gboolean (*RelayHistoryActionsFound) (const RelayEvent *event, gpointer found_data);

typedef struct {
  /* One step of a scan (relay_history_scan). Before it, what waits to be stored was committed, so that nothing is listed
   * that is lost if the relay is killed thereafter; where that failed, it is listed all the same. */
  gboolean (*scan) (const RelayQuery *query, guint64 *position, RelayHistoryActionsFound found, gpointer found_data,
                    gboolean *ret_end, GError **error, gpointer user_data);
  /* Forgets all events. relay_service_release follows, as it does whenever something was committed. Error:
   * RELAY_ERROR_IO. */
  gboolean (*clear) (GError **error, gpointer user_data);
  /* Borrowed, until it changes. */
  const char *(*get_id) (gpointer user_data);
  guint64 (*get_first_sequence) (gpointer user_data);
  guint64 (*get_last_sequence) (gpointer user_data);
} RelayHistoryActions;
