/* SPDX-License-Identifier: MIT */
#include "notify/markup.h"

#define REPLACEMENT 0xFFFD

/* Joiners shape the letters around them, and these signs are visible though they are of the category Format. */
static gboolean
is_useful_format (gunichar c)
{
  return c == 0x200C || c == 0x200D || (c >= 0x0600 && c <= 0x0605) || c == 0x06DD || c == 0x070F || c == 0x08E2 ||
         c == 0x110BD || c == 0x110CD;
}

static gunichar
tame (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return ' ';
  case G_UNICODE_SURROGATE:
    return REPLACEMENT;
  case G_UNICODE_FORMAT:
    return is_useful_format (c) ? c : REPLACEMENT;
  default:
    return c;
  }
}

char *
notify_markup_make_line (const char *text, guint max_chars)
{
  g_autoptr (GString) line = g_string_new (NULL);
  guint n_chars = 0;

  for (const char *p = text != NULL ? text : ""; *p != '\0';) {
    gunichar c = g_utf8_get_char_validated (p, -1);
    gboolean is_valid = c != (gunichar) -1 && c != (gunichar) -2;

    p = is_valid ? g_utf8_next_char (p) : p + 1;
    c = is_valid ? tame (c) : REPLACEMENT;
    if (c == ' ' && line->len == 0)
      continue;
    if (n_chars++ == max_chars) {
      g_strchomp (line->str);
      return g_strconcat (line->str, "…", NULL);
    }
    g_string_append_unichar (line, c);
  }
  return g_strchomp (g_string_free (g_steal_pointer (&line), FALSE));
}

char *
notify_markup_escape (const char *text)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    switch (*p) {
    case '&': g_string_append (out, "&amp;"); break;
    case '<': g_string_append (out, "&lt;"); break;
    case '>': g_string_append (out, "&gt;"); break;
    default: g_string_append_c (out, *p);
    }
  return g_string_free (out, FALSE);
}
