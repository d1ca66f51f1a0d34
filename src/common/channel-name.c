/* SPDX-License-Identifier: MIT */
#include "common/channel-name.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/error.h"

gboolean
relay_channel_name_check (const char *name, GError **error)
{
  const char *colon = strchr (name, ':');
  gsize length = strlen (name);
  const char *reason = NULL;

  if (length > RELAY_CHANNEL_NAME_MAX_BYTES)
    reason = _("it is longer than 255 bytes");
  else if (colon == NULL || colon == name || colon[1] == '\0')
    reason = _("it is not of the form kind:id");
  for (const char *p = name; reason == NULL && *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      reason = _("only printable ASCII characters without spaces are allowed");

  if (reason != NULL) {
    g_autofree char *shown = g_strescape (name, "\"\\");

    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_CHANNEL, _("“%.*s” is not a channel: %s."),
                 RELAY_CHANNEL_NAME_MAX_BYTES, shown, reason);
    return FALSE;
  }
  return TRUE;
}
