/* SPDX-License-Identifier: MIT */
#include "relayd/keyring-watch.h"

#include <string.h>

#include "common/bus-source.h"
#include "common/log.h"
#include "common/turn.h"

/*
 * Implementations differ in what they signal, and from which object: GNOME Keyring tells of an unlocking by
 * PropertiesChanged of the collection and of each of its items, others by CollectionChanged. What exactly changed is of no
 * interest, since whoever is told asks the service anyway. So there is one rule for all that its objects say, and one for
 * its coming and going.
 */
struct RelayKeyringWatch {
  sd_bus_slot *signals, *owner;
  GSource *turn;
  gint64 told_usec; /* CLOCK_MONOTONIC; 0: never */
  gboolean pending;
  RelayKeyringWatchChanged changed;
  gpointer user_data;
};

static const char signals_rule[] =
  "type='signal',sender='org.freedesktop.secrets',path_namespace='/org/freedesktop/secrets'";
static const char owner_rule[] = "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                 "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                 "arg0='org.freedesktop.secrets'";

static void
on_turn (gpointer user_data)
{
  RelayKeyringWatch *watch = user_data;

  watch->pending = FALSE;
  watch->told_usec = g_get_monotonic_time ();
  watch->changed (watch->user_data);
}

static int
on_signal (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayKeyringWatch *watch = user_data;
  gint64 now_usec = g_get_monotonic_time ();
  gint64 at_usec = now_usec + (gint64) RELAY_KEYRING_WATCH_SETTLE_USEC;

  if (watch->pending)
    return 0;
  if (watch->told_usec != 0)
    at_usec = MAX (at_usec, watch->told_usec + (gint64) RELAY_KEYRING_WATCH_MIN_USEC);
  watch->pending = TRUE;
  relay_turn_arm_at (watch->turn, at_usec);
  return 0;
}

static int
on_installed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  const sd_bus_error *error = sd_bus_message_get_error (message);

  if (error != NULL)
    relay_debug ("Changes of the keyring will not be noticed: %s", error->message);
  return 0;
}

static void
install (RelayKeyringWatch *watch, sd_bus *bus, const char *rule, sd_bus_slot **ret_slot)
{
  int r = sd_bus_add_match_async (bus, ret_slot, rule, on_signal, on_installed, watch);

  if (r < 0)
    relay_debug ("Changes of the keyring will not be noticed: %s", strerror (-r));
}

RelayKeyringWatch *
relay_keyring_watch_new (sd_bus *bus, RelayKeyringWatchChanged changed, gpointer user_data)
{
  RelayKeyringWatch *watch = g_new0 (RelayKeyringWatch, 1);

  watch->changed = changed;
  watch->user_data = user_data;
  watch->turn = relay_turn_new ("relay-keyring-watch", on_turn, watch);
  install (watch, bus, signals_rule, &watch->signals);
  install (watch, bus, owner_rule, &watch->owner);
  return watch;
}

void
relay_keyring_watch_free (RelayKeyringWatch *watch)
{
  if (watch == NULL)
    return;
  sd_bus_slot_unref (watch->signals);
  sd_bus_slot_unref (watch->owner);
  relay_turn_free (watch->turn);
  g_free (watch);
}
