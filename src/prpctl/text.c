/* SPDX-License-Identifier: MIT */
#include "prpctl/text.h"

#include <glib/gi18n-lib.h>

#define REPLACEMENT 0xFFFD

/* What to show for @c: itself, or a harmless substitute. */
static gunichar
tame (gunichar c)
{
  if (c == '\n' || c == '\r' || c == '\t')
    return ' ';

  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
  case G_UNICODE_SURROGATE:
    return REPLACEMENT;
  case G_UNICODE_FORMAT:
    /* Joiners shape the letters around them, and the signs of these blocks are visible. All the rest is invisible,
     * and most of it turns the direction of what follows. */
    if (c == 0x200C || c == 0x200D || (c >= 0x0600 && c <= 0x0605) || c == 0x06DD || c == 0x070F || c == 0x08E2 ||
        c == 0x110BD || c == 0x110CD)
      return c;
    return REPLACEMENT;
  default:
    return c;
  }
}

void
prpctl_text_append (GString *out, const char *text, guint max_chars)
{
  guint n_chars = 0;

  for (const char *p = text; *p != '\0';) {
    gunichar c = g_utf8_get_char_validated (p, -1);

    if (n_chars++ == max_chars) {
      g_string_append (out, "…");
      return;
    }
    if (c == (gunichar) -1 || c == (gunichar) -2) {
      g_string_append_unichar (out, REPLACEMENT);
      p++;
    } else {
      g_string_append_unichar (out, tame (c));
      p = g_utf8_next_char (p);
    }
  }
}

char *
prpctl_text_make_safe (const char *text, guint max_chars)
{
  GString *out = g_string_new (NULL);

  prpctl_text_append (out, text, max_chars);
  return g_string_free (out, FALSE);
}

char *
prpctl_text_fill (const char *text, const char *detail)
{
  g_auto (GStrv) parts = g_strsplit (text, "%s", 2);

  return g_strjoinv (detail, parts);
}

char *
prpctl_text_format_duration (guint64 usec)
{
  guint64 sec = usec / G_USEC_PER_SEC + (usec % G_USEC_PER_SEC >= G_USEC_PER_SEC / 2 ? 1 : 0);
  guint days = (guint) MIN (sec / 86400, G_MAXINT);
  guint hours = (guint) (sec / 3600 % 24), minutes = (guint) (sec / 60 % 60), seconds = (guint) (sec % 60);

  if (days > 0) {
    g_autofree char *text = g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "%u day", "%u days", days), days);

    /* Translators: days, as made above, and hours. */
    return g_strdup_printf (_("%s %u h"), text, hours);
  }
  if (hours > 0)
    return g_strdup_printf (_("%u h %u min"), hours, minutes);
  if (minutes > 0)
    return g_strdup_printf (_("%u min %u s"), minutes, seconds);
  return g_strdup_printf (_("%u s"), seconds);
}

char *
prpctl_text_format_round_trip (guint64 usec)
{
  if (usec < G_USEC_PER_SEC)
    return g_strdup_printf (_("%.1f ms"), (double) usec / 1000);
  return g_strdup_printf (_("%.2f s"), (double) usec / G_USEC_PER_SEC);
}

char *
prpctl_text_format_time (guint64 usec, guint64 now_usec)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local ((gint64) (usec / G_USEC_PER_SEC));
  g_autoptr (GDateTime) now = g_date_time_new_from_unix_local ((gint64) (now_usec / G_USEC_PER_SEC));

  /* Beyond the year 9999 there are only numbers. */
  if (time == NULL || now == NULL)
    return g_strdup_printf ("%" G_GUINT64_FORMAT, usec / G_USEC_PER_SEC);
  if (g_date_time_get_year (time) == g_date_time_get_year (now) &&
      g_date_time_get_day_of_year (time) == g_date_time_get_day_of_year (now))
    return g_date_time_format (time, "%H:%M:%S");
  return g_date_time_format (time, "%Y-%m-%d %H:%M:%S");
}

const char *
prpctl_text_get_style (PrpctlStyle style, gboolean color)
{
  static const char *const sequences[] = {
    [PRPCTL_STYLE_PLAIN] = "\033[0m",
    [PRPCTL_STYLE_BOLD] = "\033[1m",
    [PRPCTL_STYLE_DIM] = "\033[2m",
    [PRPCTL_STYLE_GOOD] = "\033[1;32m",
    [PRPCTL_STYLE_BUSY] = "\033[1;33m",
    [PRPCTL_STYLE_BAD] = "\033[1;31m",
  };

  return color ? sequences[style] : "";
}
