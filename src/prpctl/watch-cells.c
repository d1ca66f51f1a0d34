/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-cells.h"

#define MAX_MARKS 4 /* characters without a width that may join one letter: no script needs more */

static guint
measure_char (gunichar c)
{
  if (g_unichar_iszerowidth (c))
    return 0;
  return g_unichar_iswide (c) ? 2 : 1;
}

guint
prpctl_cells_measure (const char *text)
{
  guint columns = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    columns += measure_char (g_utf8_get_char (p));
  return columns;
}

guint
prpctl_cells_append (GString *out, const char *text, guint columns, gboolean utf8)
{
  gboolean fits = prpctl_cells_measure (text) <= columns;
  guint room = fits ? columns : columns - MIN (columns, 1); /* a column for the sign that it was cut off */
  guint taken = 0, n_marks = MAX_MARKS; /* a mark with no letter before it would join what is left of the text */

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    guint width = measure_char (c);

    if (taken + width > room)
      break;
    n_marks = width == 0 ? n_marks + 1 : 0;
    if (n_marks > MAX_MARKS)
      continue;
    g_string_append_unichar (out, c);
    taken += width;
  }
  if (fits || columns == 0)
    return taken;
  g_string_append (out, utf8 ? "…" : "~");
  return taken + 1;
}

void
prpctl_cells_append_spaces (GString *out, guint columns)
{
  for (guint i = 0; i < columns; i++)
    g_string_append_c (out, ' ');
}

void
prpctl_cells_append_bar (GString *out, double percent, guint columns, const char *empty, gboolean utf8)
{
  static const char *const parts[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
  guint steps = utf8 ? G_N_ELEMENTS (parts) : 1; /* of a column */
  guint filled = (guint) (CLAMP (percent, 0, 100) / 100 * columns * steps + 0.5);
  guint taken = filled / steps;

  /* Full only when all is done. */
  if (percent < 100 && columns > 0 && filled == columns * steps) {
    filled--;
    taken = filled / steps;
  }
  for (guint i = 0; i < taken; i++)
    g_string_append (out, utf8 ? "█" : "#");
  if (filled % steps != 0) {
    g_string_append (out, parts[filled % steps]);
    taken++;
  }
  for (; taken < columns; taken++)
    g_string_append (out, empty);
}

/*
 * May a line be broken before @c, which is not the first character? Scripts with wide characters have no spaces between
 * words: a line may end anywhere there, but not before what closes (a full stop, a bracket) or prolongs, and not behind
 * what opens.
 */
static gboolean
is_break (const char *c)
{
  gunichar next = g_utf8_get_char (c), previous = g_utf8_get_char (g_utf8_prev_char (c));

  if (next == ' ' || next == '\0')
    return TRUE;
  switch (g_unichar_break_type (next)) {
  case G_UNICODE_BREAK_CLOSE_PUNCTUATION:
  case G_UNICODE_BREAK_CONDITIONAL_JAPANESE_STARTER:
  case G_UNICODE_BREAK_EXCLAMATION:
  case G_UNICODE_BREAK_NON_STARTER:
    return FALSE;
  case G_UNICODE_BREAK_OPEN_PUNCTUATION: /* narrow ones stand beside wide characters, too */
    return g_unichar_iswide (next) || g_unichar_iswide (previous);
  default:
    return g_unichar_iswide (next) && g_unichar_break_type (previous) != G_UNICODE_BREAK_OPEN_PUNCTUATION;
  }
}

/* Where the line that begins at @text ends, at most @columns wide if there is any place to break it. */
static const char *
find_line_end (const char *text, guint columns)
{
  const char *end = NULL;
  const char *c = text;
  guint width = 0;

  do {
    width += measure_char (g_utf8_get_char (c));
    c = g_utf8_next_char (c);
    if (is_break (c)) {
      if (end != NULL && width > columns)
        break;
      end = c;
    }
  } while (*c != '\0');
  return end != NULL ? end : c;
}

void
prpctl_cells_append_wrapped (GString *out, const char *text, guint indent, guint columns)
{
  do {
    const char *end = *text != '\0' ? find_line_end (text, columns - MIN (columns, indent)) : text;

    g_string_append_len (out, text, end - text);
    g_string_append_c (out, '\n');
    for (text = end; *text == ' '; text++)
      ;
    if (*text != '\0')
      prpctl_cells_append_spaces (out, indent);
  } while (*text != '\0');
}
