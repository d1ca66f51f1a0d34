/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/news.h"

/*
 * Are there more events than a person wants to be told of one by one? Over NOTIFY_BURST_MAX_EVENTS in NOTIFY_BURST_USEC
 * are a burst, which lasts until no more than NOTIFY_BURST_CALM_EVENTS came in such a time. Those of a single PRP are none,
 * however many: they change one notification. Pure: all times are the caller's, of a clock that does not go back.
 */
#define NOTIFY_BURST_MAX_EVENTS 5
#define NOTIFY_BURST_CALM_EVENTS 2
#define NOTIFY_BURST_USEC (3 * G_USEC_PER_SEC)

typedef struct {
  gint64 usec;
  NotifyKind kind;
  char *prp_id;
  gboolean is_told; /* by the digest: for its user, FALSE at first */
} NotifyBurstEvent;

typedef struct {
  NotifyBurstEvent last[NOTIFY_BURST_MAX_EVENTS + 1]; /* the newest first */
  guint n_last;
  gboolean is_on;
} NotifyBurst;

void notify_burst_clear (NotifyBurst *burst);

/* An event came. Returns TRUE if with it a burst begins: `last` are the events that made it. */
gboolean notify_burst_add (NotifyBurst *burst, NotifyKind kind, const char *prp_id, gint64 now_usec);

/* When it is over if nothing more comes; 0: there is none. */
gint64 notify_burst_get_end (const NotifyBurst *burst);

/* Is one going on? */
gboolean notify_burst_check (NotifyBurst *burst, gint64 now_usec);
