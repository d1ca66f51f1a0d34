/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/chapter.h"

/*
 * The events that the file has not taken, in order: a copy of each one's text. Bounded; what does not fit pushes
 * out the oldest.
 */
typedef struct RelayWaitingEvent RelayWaitingEvent;

struct RelayWaitingEvent {
  RelayWaitingEvent *next, *previous; /* NULL at the ends */
  guint64 sequence;
  gint64 received_usec;
  RelayDigest digest;
  gsize length;
  char text[];
};

typedef struct {
  RelayWaitingEvent *oldest, *newest; /* NULL: none waits */
  guint n_events;
  gsize n_bytes; /* of memory */
} RelayWaiting;

/* Adds a copy, as the newest. */
RelayWaitingEvent *relay_waiting_add (RelayWaiting *waiting, const RelayEvent *event);

/* Do they take more than so much? One event alone never does. */
gboolean relay_waiting_is_over (const RelayWaiting *waiting, guint64 max_events, gsize max_bytes);

void relay_waiting_drop_oldest (RelayWaiting *waiting);
void relay_waiting_clear (RelayWaiting *waiting);

/* The first of those with a number above @sequence, the last of those below it; or NULL. */
RelayWaitingEvent *relay_waiting_find_above (const RelayWaiting *waiting, guint64 sequence);
RelayWaitingEvent *relay_waiting_find_below (const RelayWaiting *waiting, guint64 sequence);
