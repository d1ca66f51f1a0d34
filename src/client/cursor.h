/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * A place in the relay's history: behind the event with a number, in the history with an id. As text
 * "ID:SEQUENCE", to be kept and given back as it is.
 */
typedef enum {
  CLIENT_CURSOR_AT,    /* behind `sequence` */
  CLIENT_CURSOR_START, /* before all that there is */
  CLIENT_CURSOR_NOW,   /* behind all that there is */
} ClientCursorKind;

typedef struct {
  ClientCursorKind kind;
  char *history_id; /* NULL: of whichever history there is */
  guint64 sequence;
} ClientCursor;

/* Reads "ID:SEQUENCE", "SEQUENCE", "start" or "now". FALSE: it is none of these. */
gboolean client_cursor_parse (const char *text, ClientCursor *ret_cursor);

/* Caller frees. */
char *client_cursor_format (const char *history_id, guint64 sequence);

void client_cursor_clear (ClientCursor *cursor);
