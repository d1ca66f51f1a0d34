/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Text for a person in front of a terminal. What a server (or whoever else) sent goes through prpctl_text_append:
 * a terminal obeys control characters, and bidirectional controls make a line read as what it is not.
 */

/* Appends @text so that a terminal shows it on one line and does nothing else: controls, line separators and
 * invisible formatting become U+FFFD (a line break or tab: a space), invalid UTF-8 too. After @max_chars characters
 * it is cut off, with "…". Joiners, which scripts and emoji need, stay. */
void prpctl_text_append (GString *out, const char *text, guint max_chars);
char *prpctl_text_make_safe (const char *text, guint max_chars);

/* @text with @detail in the place of its "%s", for texts that come from a table. Caller frees. */
char *prpctl_text_fill (const char *text, const char *detail);

/* "12 s", "5 min 3 s", "2 h 10 min", "3 days 4 h". Caller frees. */
char *prpctl_text_format_duration (guint64 usec);

/* "12.3 ms", "1.25 s". Caller frees. */
char *prpctl_text_format_round_trip (guint64 usec);

/* Local time of day, with the date in front where it is not @now's. Both CLOCK_REALTIME. Caller frees. */
char *prpctl_text_format_time (guint64 usec, guint64 now_usec);

/* Escape sequences that set a style. */
typedef enum {
  PRPCTL_STYLE_PLAIN, /* ends any other */
  PRPCTL_STYLE_BOLD,
  PRPCTL_STYLE_DIM,
  PRPCTL_STYLE_GOOD,
  PRPCTL_STYLE_BUSY,
  PRPCTL_STYLE_BAD,
} PrpctlStyle;

/* The sequence, or "" without @color. Static. */
const char *prpctl_text_get_style (PrpctlStyle style, gboolean color);
