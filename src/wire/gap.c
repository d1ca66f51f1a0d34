/* SPDX-License-Identifier: MIT */
#include "wire/gap.h"

/* A channel's name is printable ASCII: only the two characters with a meaning in JSON need a backslash. */
static void
append_quoted (GString *text, const char *string)
{
  g_string_append_c (text, '"');
  for (const char *p = string; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\')
      g_string_append_c (text, '\\');
    g_string_append_c (text, *p);
  }
  g_string_append_c (text, '"');
}

static void
append_time (GString *text, guint64 realtime_usec)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc ((gint64) (realtime_usec / G_USEC_PER_SEC));
  g_autofree char *seconds = time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%S") : NULL;

  if (seconds != NULL)
    g_string_append_printf (text, "%s.%06uZ", seconds, (guint) (realtime_usec % G_USEC_PER_SEC));
}

char *
relay_gap_to_text (const RelayGap *gap)
{
  GString *text = g_string_new ("{\"id\":\"\",\"type\":\"" RELAY_GAP_TYPE "\",\"timestamp\":\"");

  append_time (text, gap->until_usec);
  g_string_append_printf (text, "\",\"data\":{\"since\":%" G_GUINT64_FORMAT ",\"until\":%" G_GUINT64_FORMAT ",\"cause\":",
                          gap->since_usec, gap->until_usec);
  append_quoted (text, gap->cause);
  g_string_append (text, ",\"channels\":[");
  for (char **channel = gap->channels; *channel != NULL; channel++) {
    if (channel != gap->channels)
      g_string_append_c (text, ',');
    append_quoted (text, *channel);
  }
  g_string_append_printf (text, "],\"sequence\":%" G_GUINT64_FORMAT "}}", gap->sequence);
  return g_string_free (text, FALSE);
}
