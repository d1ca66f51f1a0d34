/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * A place in the relay's history: behind the event with a number, in the history with an id. As text
 * "ID:SEQUENCE", to be kept and given back as it is.
 */
typedef enum {
  PRPCTL_CURSOR_AT,    /* behind `sequence` */
  PRPCTL_CURSOR_START, /* before all that there is */
  PRPCTL_CURSOR_NOW,   /* behind all that there is */
} PrpctlCursorKind;

typedef struct {
  PrpctlCursorKind kind;
  char *history_id; /* NULL: of whichever history there is */
  guint64 sequence;
} PrpctlCursor;

/* Reads "ID:SEQUENCE", "SEQUENCE", "start" or "now". Error: PRPCTL_ERROR, PRPCTL_EXIT_USAGE. */
gboolean prpctl_cursor_parse (const char *text, PrpctlCursor *ret_cursor, GError **error);

/* Caller frees. */
char *prpctl_cursor_format (const char *history_id, guint64 sequence);

void prpctl_cursor_clear (PrpctlCursor *cursor);
