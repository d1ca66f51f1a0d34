/* SPDX-License-Identifier: MIT */
#include "client/cursor.h"

#include <string.h>

gboolean
client_cursor_parse (const char *text, ClientCursor *ret_cursor)
{
  ClientCursor cursor = { .kind = CLIENT_CURSOR_AT };
  const char *colon = strrchr (text, ':');
  gboolean valid = TRUE;

  if (g_str_equal (text, "start"))
    cursor.kind = CLIENT_CURSOR_START;
  else if (g_str_equal (text, "now"))
    cursor.kind = CLIENT_CURSOR_NOW;
  else
    valid = g_ascii_string_to_unsigned (colon != NULL ? colon + 1 : text, 10, 0, G_MAXUINT64, &cursor.sequence, NULL) &&
            colon != text && g_utf8_validate (text, -1, NULL);
  if (!valid)
    return FALSE;
  if (colon != NULL)
    cursor.history_id = g_strndup (text, (gsize) (colon - text));
  *ret_cursor = cursor;
  return TRUE;
}

char *
client_cursor_format (const char *history_id, guint64 sequence)
{
  return g_strdup_printf ("%s:%" G_GUINT64_FORMAT, history_id, sequence);
}

void
client_cursor_clear (ClientCursor *cursor)
{
  g_clear_pointer (&cursor->history_id, g_free);
}
