/* SPDX-License-Identifier: MIT */
#include "prpctl/event-line.h"

#include <string.h>

#include "prpctl/event-words.h"
#include "client/json-writer.h"
#include "prpctl/text.h"

static void
append_json (GString *out, const ClientEvent *event, const char *cursor)
{
  g_string_append (out, event->json);
  if (cursor == NULL)
    return;
  g_string_truncate (out, out->len - strlen ("}"));
  if (out->str[out->len - 1] != '{')
    g_string_append_c (out, ',');
  g_string_append (out, "\"cursor\":");
  client_json_append_string (out, cursor);
  g_string_append_c (out, '}');
}

void
prpctl_event_append_line (GString *out, const ClientEvent *event, const PrpctlLineStyle *style, const char *cursor,
                          guint64 now_usec)
{
  if (style->json) {
    append_json (out, event, cursor);
  } else {
    g_autofree char *words = prpctl_event_make_words (event->json, now_usec);
    g_autofree char *time =
      prpctl_text_format_time (event->received_usec != 0 ? event->received_usec : now_usec, now_usec);

    g_string_append_printf (out, "%s%s%s  %s", prpctl_text_get_style (PRPCTL_STYLE_DIM, style->color), time,
                            prpctl_text_get_style (PRPCTL_STYLE_PLAIN, style->color), words);
  }
  g_string_append_c (out, '\n');
}
