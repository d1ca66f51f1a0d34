/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor-private.h"

#include <glib/gi18n-lib.h>

#include "client/owner.h"
#include "common/names.h"

/*
 * What the bus brings by itself: the relay's signals, and who the relay is. What is asked of it is in monitor-chain.c.
 */

/* Anyone on the bus can send us a signal; only the relay's count. */
static gboolean
is_from_relay (Monitor *monitor, sd_bus_message *message)
{
  return g_strcmp0 (sd_bus_message_get_sender (message), monitor->owner) == 0;
}

static int
on_event (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  g_auto (ClientEvent) event = { 0 };
  int r;

  if (monitor->done || !is_from_relay (monitor, message))
    return 0;
  r = client_event_read_signal (message, &event);
  if (r < 0)
    monitor_note (monitor, _("relay: an event cannot be read: %s"), g_strerror (-r));
  if (r <= 0)
    return 0;
  if (monitor->catch_up == NULL)
    monitor_show_event (monitor, &event);
  else if (client_catch_up_is_listing (monitor->catch_up) || !monitor_can_show (monitor))
    client_catch_up_hold (monitor->catch_up, &event);
  else if (client_catch_up_pass (monitor->catch_up, &event))
    monitor_show_event (monitor, &event);
  return 0;
}

static int
on_properties_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  gboolean state_changed = FALSE;
  const char *interface;
  int r;

  /* An answer that is still to come has this change in it. */
  if (monitor->done || monitor->status_asked || !is_from_relay (monitor, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_INTERFACE))
    return 0;
  r = prpctl_status_read (monitor->status, message, &state_changed);
  if (r < 0)
    monitor_note (monitor, _("relay: its properties cannot be read: %s"), g_strerror (-r));
  else if (state_changed && monitor->started)
    monitor_note_state (monitor);
  return 0;
}

static int
on_history_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  const char *interface, *key, *id;
  int r;

  if (monitor->catch_up == NULL || !is_from_relay (monitor, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_HISTORY_INTERFACE))
    return 0;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r > 0 && sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r <= 0)
      break;
    if (!g_str_equal (key, "HistoryId"))
      r = sd_bus_message_skip (message, "v");
    else if ((r = sd_bus_message_read (message, "v", "s", &id)) > 0)
      client_catch_up_set_history_id (monitor->catch_up, id);
    if (r > 0)
      r = sd_bus_message_exit_container (message);
  }
  return 0;
}

static void
set_owner (Monitor *monitor, const char *owner)
{
  g_free (monitor->owner);
  monitor->owner = *owner != '\0' ? g_strdup (owner) : NULL;
}

static int
on_owner_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  const char *old_owner, *new_owner;

  if (!client_owner_read_changed (message, RELAY_BUS_NAME, &old_owner, &new_owner) ||
      g_str_equal (new_owner, monitor->owner != NULL ? monitor->owner : ""))
    return 0;

  if (monitor->started && monitor->owner != NULL)
    monitor_note (monitor, _("relay: went away; waiting for it to come back"));
  set_owner (monitor, new_owner);
  /* The chain's own calls tell how it goes until it has run. */
  if (!monitor->started)
    return 0;

  monitor_break_off_chain (monitor);
  if (monitor->owner != NULL) {
    if (monitor->catch_up != NULL)
      client_catch_up_begin (monitor->catch_up);
    monitor_note (monitor, _("relay: is running"));
    /* It begins afresh, whatever the one before it said. */
    prpctl_status_free (monitor->status);
    monitor->status = prpctl_status_new ();
    monitor_begin_chain (monitor, FALSE);
  }
  return 0;
}

static gboolean
find_owner (Monitor *monitor, GError **error)
{
  g_auto (sd_bus_error) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  const char *owner;
  int r = sd_bus_call_method (monitor->run->client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "GetNameOwner", &bus_error, &reply, "s", RELAY_BUS_NAME);

  if (r < 0 && sd_bus_error_has_name (&bus_error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
    return TRUE;
  if (r >= 0)
    r = sd_bus_message_read (reply, "s", &owner);
  if (r < 0) {
    prpctl_failure_from_bus (bus_error.name, bus_error.message, r, error);
    return FALSE;
  }
  set_owner (monitor, owner);
  return TRUE;
}

gboolean
monitor_match_signals (Monitor *monitor, GError **error)
{
  static const struct {
    const char *rule;
    sd_bus_message_handler_t handler;
  } matches[] = {
    { CLIENT_OWNER_RULE (RELAY_BUS_NAME), on_owner_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='" RELAY_INTERFACE "'",
      on_properties_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='" RELAY_HISTORY_INTERFACE "'",
      on_history_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='" RELAY_EVENTS_INTERFACE "'", on_event },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (matches); i++) {
    /* Returns when the bus has taken it. */
    int r = sd_bus_add_match (monitor->run->client->bus, NULL, matches[i].rule, matches[i].handler, monitor);

    if (!prpctl_client_check (r, error))
      return FALSE;
  }
  return find_owner (monitor, error);
}
