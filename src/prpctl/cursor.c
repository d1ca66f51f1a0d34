/* SPDX-License-Identifier: MIT */
#include "prpctl/cursor.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

#define TEXT_MAX_CHARS 100

gboolean
prpctl_cursor_parse (const char *text, PrpctlCursor *ret_cursor, GError **error)
{
  PrpctlCursor cursor = { .kind = PRPCTL_CURSOR_AT };
  const char *colon = strrchr (text, ':');
  gboolean valid = TRUE;

  if (g_str_equal (text, "start"))
    cursor.kind = PRPCTL_CURSOR_START;
  else if (g_str_equal (text, "now"))
    cursor.kind = PRPCTL_CURSOR_NOW;
  else
    valid = g_ascii_string_to_unsigned (colon != NULL ? colon + 1 : text, 10, 0, G_MAXUINT64, &cursor.sequence, NULL) &&
            colon != text && g_utf8_validate (text, -1, NULL);
  if (!valid) {
    g_autofree char *safe = prpctl_text_make_safe (text, TEXT_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE,
                 _("--from expects a cursor (as --show-cursor shows it), the number of an event, 'start' or 'now', and "
                   "got “%s”"), safe);
    return FALSE;
  }
  if (colon != NULL)
    cursor.history_id = g_strndup (text, (gsize) (colon - text));
  *ret_cursor = cursor;
  return TRUE;
}

char *
prpctl_cursor_format (const char *history_id, guint64 sequence)
{
  return g_strdup_printf ("%s:%" G_GUINT64_FORMAT, history_id, sequence);
}

void
prpctl_cursor_clear (PrpctlCursor *cursor)
{
  g_clear_pointer (&cursor->history_id, g_free);
}
