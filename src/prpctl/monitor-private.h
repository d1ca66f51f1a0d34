/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/catch-up.h"
#include "prpctl/event-filter.h"
#include "prpctl/output.h"
#include "prpctl/runner.h"
#include "prpctl/status.h"
#include "prpctl/verbs.h"

/*
 * What the parts of `prpctl monitor` share: monitor.c, its loop and what it writes; monitor-bus.c, what the bus brings by
 * itself; monitor-chain.c, what is asked of a relay when there is one; monitor-exec.c, the commands that it runs.
 */
#define MONITOR_BUFFER_MAX_BYTES (64 * 1024) /* lines made in one turn; the last one may be longer */

typedef struct MonitorExec MonitorExec;

typedef struct {
  PrpctlRun *run;
  PrpctlOutput events, notes;
  PrpctlStatus *status;
  gboolean status_asked; /* its properties are on their way, all of them */
  char *owner;       /* the relay's unique name on the bus, NULL while it is away */
  sd_bus_slot *call; /* the link of the chain that waits for its answer */
  gint64 call_usec;  /* CLOCK_MONOTONIC, when it was sent */
  gboolean is_history_call; /* it is one of the history's */
  gboolean started;  /* the chain has run to its end once, or to the first page of the history */
  gboolean announced;

  char **channels;          /* to be held */
  PrpctlEventFilter *filter;
  MonitorExec *exec;        /* NULL without --exec */
  ClientCatchUp *catch_up; /* NULL where it need not know its place */
  sd_bus_message *page;    /* of the history; NULL: there is none, or all of it is shown */
  ClientEvent page_event;  /* the event of the page that is next */
  int page_result;         /* what reading it returned */
  gboolean page_is_good;   /* it was judged */

  char *kept_cursor;    /* what is in the file of --cursor-file, as far as we wrote it */
  guint64 n_events;     /* shown so far */
  gboolean done;        /* nothing more to show: write what is left, then end */
  gboolean cursor_told; /* or it must not be */
  GError *error;        /* why it is done, if for a failure */
} Monitor;

/* -- monitor.c */

/* Something about the relay, for stderr. */
void monitor_note (Monitor *monitor, const char *format, ...) G_GNUC_PRINTF (2, 3);
void monitor_note_state (Monitor *monitor);

/* Something may be missing before what is shown next: never left unsaid, whatever else is. */
void monitor_tell_missed (Monitor *monitor, const char *text);

/* What has to be said, whatever else is not. Safe for a terminal. */
void monitor_tell (Monitor *monitor, const char *text);

/* Ends it. Consumes @error. */
void monitor_fail (Monitor *monitor, GError *error);

/* Shows the event, or runs the command for it, if it is wanted. The catch-up stands behind it already. */
void monitor_show_event (Monitor *monitor, const ClientEvent *event);

/* Is another event to be shown now, before what is pending was written, or is done? */
gboolean monitor_can_show (Monitor *monitor);

/* -- monitor-bus.c */

/* From here on nothing that is signalled is missed. */
gboolean monitor_match_signals (Monitor *monitor, GError **error);

/* -- monitor-chain.c */

/* Asks the relay for all that is needed. @auto_start: has the bus start it. */
void monitor_begin_chain (Monitor *monitor, gboolean auto_start);

/* The relay left; what was asked of it is void. */
void monitor_break_off_chain (Monitor *monitor);

/* Shows what is at hand of the history, and of the signals that were held meanwhile. Returns whether there was any. */
gboolean monitor_show_history (Monitor *monitor);

/* -- monitor-exec.c; all but start may be called without --exec */

gboolean monitor_exec_set_up (Monitor *monitor, GError **error);
void monitor_exec_clear (Monitor *monitor);
gboolean monitor_exec_has_room (const Monitor *monitor);
gboolean monitor_exec_is_idle (const Monitor *monitor);
PrpctlRunner *monitor_exec_get_runner (const Monitor *monitor); /* NULL without --exec */

/* Needs room. */
void monitor_exec_start (Monitor *monitor, const ClientEvent *event, const PrpctlEventFields *fields);

/* The place where it stands was judged, or nothing is running: all before it is done. */
void monitor_exec_note_cursor (Monitor *monitor);

/* Behind all events whose commands have run to their end; NULL if that is not known. Needs --exec. Caller frees. */
char *monitor_exec_dup_cursor (Monitor *monitor);
