/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * An event as a line for a person.
 */

/* What happened, without a line break, safe for a terminal: "PRP prp_789012 “Implement Authentication” created in
 * proj_123456 (high)". @json: of a ClientEvent. @now_usec: CLOCK_REALTIME. An event that is not known, or is not
 * what it ought to be, is told by its type and data. Caller frees. */
char *prpctl_event_make_words (const char *json, guint64 now_usec);
