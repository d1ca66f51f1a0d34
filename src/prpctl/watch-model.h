/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What `prpctl watch` knows of the PRPs: made from events, in their order. Pure; strings are as they were sent, not
 * yet safe for a terminal.
 */
typedef enum {
  PRPCTL_WATCH_WORKING,  /* anything that is none of the following */
  PRPCTL_WATCH_WAITING,  /* not begun */
  PRPCTL_WATCH_FINISHED, /* well or not */
  PRPCTL_WATCH_DELETED,
  PRPCTL_WATCH_N_RANKS,
} PrpctlWatchRank;

typedef struct {
  char *id;
  char *name, *project, *status, *priority, *agent, *task; /* "": not known */
  double progress;      /* percent, as it was sent; negative: not known */
  guint64 changed_usec; /* when the relay received the last event about it, CLOCK_REALTIME */
  PrpctlWatchRank rank;
  /* private */
  guint64 moved; /* number of the last event that is more than progress */
} PrpctlWatchRow;

#define PRPCTL_WATCH_MAX_ROWS 5000
#define PRPCTL_WATCH_DELETED_USEC (30 * (guint64) G_USEC_PER_SEC) /* how long a deleted one is still shown */

typedef struct PrpctlWatchModel PrpctlWatchModel;

PrpctlWatchModel *prpctl_watch_model_new (void);
void prpctl_watch_model_free (PrpctlWatchModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlWatchModel, prpctl_watch_model_free)

/* An event happened: @json is all of it, @received_usec when the relay received it. Returns whether that changed
 * anything. */
gboolean prpctl_watch_model_apply (PrpctlWatchModel *model, const char *json, guint64 received_usec);

/* Forgets the deleted ones whose time is over at @now_usec. Returns whether there were any. */
gboolean prpctl_watch_model_expire (PrpctlWatchModel *model, guint64 now_usec);

/* When the next one is to be forgotten, G_MAXUINT64 if none is. */
guint64 prpctl_watch_model_get_expiry (const PrpctlWatchModel *model);

/* The rows by rank, and within one rank those that changed last first; a report of progress moves nothing, so that the
 * list stands still while work goes on. Valid until the model changes. */
const GPtrArray *prpctl_watch_model_get_rows (PrpctlWatchModel *model);

guint prpctl_watch_model_count (const PrpctlWatchModel *model, PrpctlWatchRank rank);

/* Were rows of unfinished work forgotten, as there were more than PRPCTL_WATCH_MAX_ROWS? */
gboolean prpctl_watch_model_is_cut (const PrpctlWatchModel *model);

/* The last time in which the relay may have missed events, CLOCK_REALTIME; both 0 if there was none. @ret_since is 1
 * where its beginning is not known. */
void prpctl_watch_model_get_gap (const PrpctlWatchModel *model, guint64 *ret_since_usec, guint64 *ret_until_usec);

/* Likewise, of one that the relay does not know of. */
void prpctl_watch_model_set_gap (PrpctlWatchModel *model, guint64 since_usec, guint64 until_usec);

/* When the last event of all was received, 0 if there was none. */
guint64 prpctl_watch_model_get_newest (const PrpctlWatchModel *model);

/* Copies of the rows, which stay as they are. Free with g_ptr_array_unref(). */
GPtrArray *prpctl_watch_model_dup_rows (PrpctlWatchModel *model);
