/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/catch-up.h"
#include "prpctl/status.h"
#include "prpctl/verbs.h"
#include "prpctl/watch-model.h"

/*
 * Keeps a model right: what the relay has kept, then what it signals, over its absences; and knows how the relay is. It
 * never blocks; whoever owns it polls the bus.
 */
typedef struct {
  PrpctlRun *run;
  PrpctlWatchModel *model;

  PrpctlStatus *status;
  char *owner;              /* its unique name on the bus, NULL while it is away */
  gboolean is_known;        /* its properties were read since it is there */
  guint64 lost_usec;        /* up to when the list is right while there is no connection, CLOCK_REALTIME, 0: not known */
  guint64 unheld_usec;      /* since when the channels are not held any more, CLOCK_REALTIME; 0: they are, or never were */
  gboolean is_held;         /* the relay that is there was asked for them */
  char *trouble;            /* the last thing of which a person should know, in words, safe; NULL: nothing */
  gboolean has_changed;     /* something that is shown, since whoever shows it cleared this */
  GError *error;            /* it cannot go on */

  /* private */
  ClientCatchUp *catch_up;
  sd_bus_slot *call, *refresh;
  gint64 call_usec;         /* CLOCK_MONOTONIC, when it was sent */
  gboolean is_history_call;
  gboolean started;         /* what goes wrong from now on may get better */
  sd_bus_message *page;     /* of the history, being read; NULL: none */
  ClientEvent page_event;   /* the next one of it */
  int page_result;          /* what reading it returned */
  gboolean page_is_good;
} PrpctlWatchRelay;

/* @run and @model are to outlive it. */
gboolean prpctl_watch_relay_init (PrpctlWatchRelay *relay, PrpctlRun *run, PrpctlWatchModel *model, GError **error);
void prpctl_watch_relay_clear (PrpctlWatchRelay *relay);

/* Does some of what there is to do, for a few milliseconds. Returns whether there may be more. */
gboolean prpctl_watch_relay_process (PrpctlWatchRelay *relay);

/* Is there more in the history? */
gboolean prpctl_watch_relay_is_reading (const PrpctlWatchRelay *relay);

gboolean prpctl_watch_relay_is_connected (const PrpctlWatchRelay *relay);

/* How the relay is, in words. *@ret_next_usec: when they are others just because time goes by; G_MAXUINT64: never.
 * Caller frees. */
char *prpctl_watch_relay_describe (const PrpctlWatchRelay *relay, guint64 now_usec, guint64 *ret_next_usec);

/* Up to when the list is right: @now_usec while connected. 0: not known. */
guint64 prpctl_watch_relay_get_as_of (const PrpctlWatchRelay *relay, guint64 now_usec);
