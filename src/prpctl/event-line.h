/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/event.h"

/*
 * How an event is printed, by whatever prints some.
 */
typedef struct {
  gboolean json;  /* the event itself; else when it was received, and what happened in words */
  gboolean color;
} PrpctlLineStyle;

/* Appends the event as a line. @cursor: of the place behind it, to be a member of its own with `json`; may be NULL.
 * @now_usec: CLOCK_REALTIME. */
void prpctl_event_append_line (GString *out, const ClientEvent *event, const PrpctlLineStyle *style, const char *cursor,
                               guint64 now_usec);
