/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * A time as a person types it: "10 min ago", "1h", "yesterday 14:00", "2026-11-23", or as a program does. Pure.
 */

/* Reads @text as a time of @zone, seen from @now_usec (CLOCK_REALTIME, as *ret_usec). Error: PRPCTL_ERROR,
 * PRPCTL_EXIT_USAGE, with a line that lists what is understood. */
gboolean prpctl_time_parse (const char *text, guint64 now_usec, GTimeZone *zone, guint64 *ret_usec, GError **error);
