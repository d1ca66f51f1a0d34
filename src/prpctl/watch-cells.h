/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Text in columns of a terminal: how many it takes, and what of it fits. Text is to be safe already
 * (prpctl_text_append).
 */

/* Columns that @text takes: two for a wide character (CJK, emoji), none for one that joins the one before. */
guint prpctl_cells_measure (const char *text);

/* Appends @text, cut off with "…" (or "~" without @utf8) where it takes more than @columns. Returns the columns that it
 * takes then. */
guint prpctl_cells_append (GString *out, const char *text, guint columns, gboolean utf8);

void prpctl_cells_append_spaces (GString *out, guint columns);

/* Appends @text in lines of at most @columns, where it has places to break it. The first is filled up to column @indent
 * already, where the others begin. Ends the last one, too. */
void prpctl_cells_append_wrapped (GString *out, const char *text, guint indent, guint columns);

/* Appends a bar of @columns, filled up to @percent (0…100) in steps of an eighth of a column, and with @empty behind.
 * Without @utf8, in whole columns of '#'. */
void prpctl_cells_append_bar (GString *out, double percent, guint columns, const char *empty, gboolean utf8);
