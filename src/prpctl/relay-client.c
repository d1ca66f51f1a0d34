/* SPDX-License-Identifier: MIT */
#include "prpctl/relay-client.h"

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/failure.h"
#include "prpctl/text.h"

#define ARGUMENT_MAX_CHARS 100

PrpctlClient *
prpctl_client_new (const PrpctlOptions *options, GError **error)
{
  g_autoptr (PrpctlClient) client = g_new0 (PrpctlClient, 1);
  int r = sd_bus_open_user (&client->bus);

  if (r < 0) {
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_NO_RELAY,
                 _("There is no session bus to reach prp-relayd over: %s\n"
                   "Run this inside a session, or set DBUS_SESSION_BUS_ADDRESS (dbus-run-session makes a bus)."),
                 g_strerror (-r));
    return NULL;
  }
  client->no_start = options->no_start;
  client->timeout_usec = options->timeout_usec;
  return g_steal_pointer (&client);
}

void
prpctl_client_free (PrpctlClient *client)
{
  if (client == NULL)
    return;
  /* Not flushed: whatever waits in the queue waits for a bus that takes nothing. */
  sd_bus_close_unref (client->bus);
  g_free (client);
}

gboolean
prpctl_client_check (int r, GError **error)
{
  if (r >= 0)
    return TRUE;
  prpctl_failure_from_bus (NULL, NULL, r, error);
  return FALSE;
}

sd_bus_message *
prpctl_client_new_call (PrpctlClient *client, const char *path, const char *interface, const char *member,
                        GError **error)
{
  g_autoptr (sd_bus_message) call = NULL;

  if (!prpctl_client_check (
        sd_bus_message_new_method_call (client->bus, &call, RELAY_BUS_NAME, path, interface, member), error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, !client->no_start), error))
    return NULL;
  return g_steal_pointer (&call);
}

gboolean
prpctl_client_append_strings (sd_bus_message *call, char **strings, GError **error)
{
  if (!prpctl_client_check (sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "s"), error))
    return FALSE;
  for (guint i = 0; strings[i] != NULL; i++)
    /* A string that is refused poisons the message, so it is checked before. */
    if (!g_utf8_validate (strings[i], -1, NULL) ||
        sd_bus_message_append_basic (call, SD_BUS_TYPE_STRING, strings[i]) < 0) {
      g_autofree char *safe = prpctl_text_make_safe (strings[i], ARGUMENT_MAX_CHARS);

      g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("“%s” is not text that the bus can carry"), safe);
      return FALSE;
    }
  return prpctl_client_check (sd_bus_message_close_container (call), error);
}

sd_bus_message *
prpctl_client_call (PrpctlClient *client, sd_bus_message *call, GError **error)
{
  g_auto (sd_bus_error) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  int r = sd_bus_call (client->bus, call, client->timeout_usec, &bus_error, &reply);

  if (r < 0) {
    prpctl_failure_from_bus (bus_error.name, bus_error.message, r, error);
    return NULL;
  }
  return g_steal_pointer (&reply);
}

sd_bus_message *
prpctl_client_call_simple (PrpctlClient *client, const char *member, GError **error)
{
  g_autoptr (sd_bus_message) call = prpctl_client_new_call (client, RELAY_OBJECT_PATH, RELAY_INTERFACE, member, error);

  if (call == NULL)
    return NULL;
  return prpctl_client_call (client, call, error);
}

sd_bus_message *
prpctl_client_get_all (PrpctlClient *client, const char *path, const char *interface, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (client, path, "org.freedesktop.DBus.Properties", "GetAll", error);

  if (call == NULL || !prpctl_client_check (sd_bus_message_append (call, "s", interface), error))
    return NULL;
  return prpctl_client_call (client, call, error);
}
