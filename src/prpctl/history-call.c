/* SPDX-License-Identifier: MIT */
#include "prpctl/history-call.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

#define ARGUMENT_MAX_CHARS 100

/* As the client's other calls, one of the history does not start the relay with --no-start. */
static sd_bus_message *
finish_call (PrpctlClient *client, sd_bus_message *made, int r, GError **error)
{
  g_autoptr (sd_bus_message) call = made;

  if (!prpctl_client_check (r, error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, !client->no_start), error))
    return NULL;
  return g_steal_pointer (&call);
}

sd_bus_message *
prpctl_history_new_list (PrpctlClient *client, const ClientHistoryQuery *query, GError **error)
{
  sd_bus_message *call = NULL;
  const char *bad = NULL;
  int r = client_history_new_list (client->bus, query, &call, &bad);

  if (bad != NULL) {
    g_autofree char *safe = prpctl_text_make_safe (bad, ARGUMENT_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("“%s” is not text that the bus can carry"), safe);
    return NULL;
  }
  return finish_call (client, call, r, error);
}

sd_bus_message *
prpctl_history_new_get_all (PrpctlClient *client, GError **error)
{
  sd_bus_message *call = NULL;
  int r = client_history_new_get_all (client->bus, &call);

  return finish_call (client, call, r, error);
}

void
prpctl_history_failure (const char *name, const char *message, int error_number, GError **error)
{
  static const char *const unknown[] = { "org.freedesktop.DBus.Error.UnknownMethod",
                                         "org.freedesktop.DBus.Error.UnknownInterface",
                                         "org.freedesktop.DBus.Error.UnknownObject" };

  for (gsize i = 0; i < G_N_ELEMENTS (unknown); i++)
    if (g_strcmp0 (name, unknown[i]) == 0) {
      g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE,
                           _("The prp-relayd that is running is an older one, which has no history\n"
                             "'systemctl --user restart prp-relayd.service' runs the one that is installed."));
      return;
    }
  prpctl_failure_from_bus (name, message, error_number, error);
}

const char *
prpctl_history_describe_missed (ClientMissed missed)
{
  switch (missed) {
  case CLIENT_MISSED_NOTHING: return "";
  case CLIENT_MISSED_HISTORY:
    return _("events may have been missed: the relay's history was lost or cleared since then; all that it has follows");
  case CLIENT_MISSED_EVENTS:
    return _("events may have been missed: the relay's history does not reach back that far; all that it has follows");
  }
  g_assert_not_reached ();
}

void
prpctl_history_append_missed (GString *out, ClientMissed missed)
{
  g_string_append_printf (out, "{\"id\":\"\",\"type\":\"prpctl.missed\",\"data\":{\"cause\":\"%s\"}}",
                          missed == CLIENT_MISSED_HISTORY ? "HISTORY_CHANGED" : "HISTORY_TOO_SHORT");
}
