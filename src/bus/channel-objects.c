/* SPDX-License-Identifier: MIT */
#include "bus/channel-objects.h"

#include <errno.h>

#include "common/bus-source.h"
#include "common/error.h"
#include "common/log.h"
#include "common/names.h"

/*
 * What changes within one turn is gathered per channel and told once: a channel that came and went meanwhile is not
 * mentioned at all, and one that is new is announced with the values it has at the end.
 */
struct RelayChannelObjects {
  sd_bus *bus;
  RelaySubscriptions *subscriptions;
  RelayHolds *holds;
  sd_bus_slot *vtable, *enumerator, *manager, *filter;
  guint n_listings; /* since the bus had last taken all */
  GHashTable *changed;   /* name → RelayChannelChange, not yet told */
  GHashTable *announced; /* set of names that the bus knows of */
};

static int
get_name (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
          void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;

  return sd_bus_message_append_basic (reply, 's', channel->name);
}

static int
get_state (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
           void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;

  return sd_bus_message_append_basic (reply, 's', relay_channel_state_to_string (channel->state));
}

static int
get_error (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
           void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;

  return sd_bus_message_append (reply, "(ss)", channel->error_code, channel->error_message);
}

static int
get_durable (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
             void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;

  return sd_bus_message_append_basic (reply, 'b', &(int){ channel->durable });
}

static int
get_active_since (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                  void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;

  return sd_bus_message_append_basic (reply, 't', &(guint64){ (guint64) channel->active_since_usec });
}

/* The fallback vtable's user data is the channel; the objects are reached through the slot. */
static int
get_holders (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
             void *user_data, sd_bus_error *error)
{
  const RelayChannel *channel = user_data;
  RelayChannelObjects *objects = sd_bus_slot_get_userdata (sd_bus_get_current_slot (bus));
  g_autoptr (GPtrArray) holders = relay_holds_list (objects->holds, channel->name);
  int r = sd_bus_message_open_container (reply, 'a', "(sss)");

  for (guint i = 0; i < holders->len && r >= 0; i++) {
    const RelayHold *hold = holders->pdata[i];

    r = sd_bus_message_append (reply, "(sss)", hold->owner, hold->app_id, hold->reason);
  }
  return r < 0 ? r : sd_bus_message_close_container (reply);
}

static const sd_bus_vtable vtable[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_PROPERTY ("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
  SD_BUS_PROPERTY ("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_PROPERTY ("Error", "(ss)", get_error, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_PROPERTY ("Durable", "b", get_durable, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_PROPERTY ("Holders", "a(sss)", get_holders, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_PROPERTY ("ActiveSince", "t", get_active_since, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_VTABLE_END,
};

static char *
encode_path (const char *name)
{
  g_autofree char *path = NULL;

  if (sd_bus_path_encode (RELAY_CHANNEL_PATH_PREFIX, name, &path) < 0)
    return NULL;
  return g_steal_pointer (&path);
}

static int
find_channel (sd_bus *bus, const char *path, const char *interface, void *user_data, void **ret_found, sd_bus_error *error)
{
  RelayChannelObjects *objects = user_data;
  const RelayChannel *channel;
  g_autofree char *name = NULL;
  int r = sd_bus_path_decode (path, RELAY_CHANNEL_PATH_PREFIX, &name);

  if (r <= 0)
    return r;
  channel = relay_subscriptions_lookup (objects->subscriptions, name);
  if (channel == NULL)
    return 0;
  *ret_found = (void *) channel;
  return 1;
}

/* sd-bus frees the list and its strings with free(3), which GLib's allocator is. */
static int
enumerate_channels (sd_bus *bus, const char *prefix, void *user_data, char ***ret_paths, sd_bus_error *error)
{
  RelayChannelObjects *objects = user_data;
  g_autoptr (GPtrArray) channels = relay_subscriptions_list (objects->subscriptions);
  g_auto (GStrv) paths = g_new0 (char *, channels->len + 1);

  for (guint i = 0; i < channels->len; i++) {
    paths[i] = encode_path (((const RelayChannel *) channels->pdata[i])->name);
    if (paths[i] == NULL)
      return -ENOMEM;
  }
  *ret_paths = g_steal_pointer (&paths);
  return 0;
}

/* An answer that names every object can have many MiB, of which sd-bus would queue any number. Those of a caller who asks
 * faster than the bus takes them are refused, and cheaply. */
static int
on_message (sd_bus_message *message, void *user_data, sd_bus_error *error)
{
  RelayChannelObjects *objects = user_data;
  guint64 n_queued = 0;

  if (sd_bus_message_is_method_call (message, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") <= 0 &&
      sd_bus_message_is_method_call (message, "org.freedesktop.DBus.Introspectable", "Introspect") <= 0)
    return 0;
  if (sd_bus_get_n_queued_write (objects->bus, &n_queued) < 0 || n_queued == 0)
    objects->n_listings = 0;
  if (objects->n_listings++ < RELAY_CHANNEL_OBJECTS_MAX_LISTINGS)
    return 0;
  return sd_bus_reply_method_errorf (message, relay_error_get_bus_name (RELAY_ERROR_LIMITS_EXCEEDED),
                                     "The bus has not taken the last %d such answers yet; ask again later",
                                     RELAY_CHANNEL_OBJECTS_MAX_LISTINGS);
}

int
relay_channel_objects_new (sd_bus *bus, RelaySubscriptions *subscriptions, RelayHolds *holds,
                           RelayChannelObjects **ret_objects)
{
  g_autoptr (RelayChannelObjects) objects = g_new0 (RelayChannelObjects, 1);
  int r;

  objects->bus = bus;
  objects->subscriptions = subscriptions;
  objects->holds = holds;
  objects->changed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  objects->announced = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  r = sd_bus_add_fallback_vtable (bus, &objects->vtable, RELAY_CHANNEL_PATH_PREFIX, RELAY_CHANNEL_INTERFACE, vtable,
                                  find_channel, objects);
  if (r >= 0)
    r = sd_bus_add_node_enumerator (bus, &objects->enumerator, RELAY_CHANNEL_PATH_PREFIX, enumerate_channels, objects);
  if (r >= 0)
    r = sd_bus_add_object_manager (bus, &objects->manager, RELAY_OBJECT_PATH);
  if (r >= 0)
    r = sd_bus_add_filter (bus, &objects->filter, on_message, objects);
  if (r < 0)
    return r;
  *ret_objects = g_steal_pointer (&objects);
  return 0;
}

void
relay_channel_objects_free (RelayChannelObjects *objects)
{
  if (objects == NULL)
    return;
  sd_bus_slot_unref (objects->filter);
  sd_bus_slot_unref (objects->manager);
  sd_bus_slot_unref (objects->enumerator);
  sd_bus_slot_unref (objects->vtable);
  g_hash_table_unref (objects->changed);
  g_hash_table_unref (objects->announced);
  g_free (objects);
}

void
relay_channel_objects_changed (RelayChannelObjects *objects, const char *channel, RelayChannelChange change)
{
  guint before = GPOINTER_TO_UINT (g_hash_table_lookup (objects->changed, channel));

  g_hash_table_replace (objects->changed, g_strdup (channel), GUINT_TO_POINTER (before | change));
}

static int
tell_properties (RelayChannelObjects *objects, const char *path, RelayChannelChange change)
{
  char *names[6] = { NULL };
  gsize n = 0;

  if ((change & RELAY_CHANNEL_STATE) != 0) {
    names[n++] = (char *) "State";
    names[n++] = (char *) "Error";
    names[n++] = (char *) "ActiveSince";
  }
  if ((change & RELAY_CHANNEL_DURABLE) != 0)
    names[n++] = (char *) "Durable";
  if ((change & RELAY_CHANNEL_HOLDS) != 0)
    names[n++] = (char *) "Holders";
  return n == 0 ? 0 : sd_bus_emit_properties_changed_strv (objects->bus, path, RELAY_CHANNEL_INTERFACE, names);
}

/* The bus is told what it needs to know to be right again: there or not, and if it was there before, what is new. */
static int
tell (RelayChannelObjects *objects, const char *name, RelayChannelChange change)
{
  g_autofree char *path = encode_path (name);
  gboolean was_there = g_hash_table_contains (objects->announced, name);
  gboolean is_there = relay_subscriptions_lookup (objects->subscriptions, name) != NULL;

  if (path == NULL)
    return -ENOMEM;
  if (is_there && !was_there) {
    g_hash_table_add (objects->announced, g_strdup (name));
    return sd_bus_emit_interfaces_added (objects->bus, path, RELAY_CHANNEL_INTERFACE, NULL);
  }
  if (!is_there && was_there) {
    g_hash_table_remove (objects->announced, name);
    return sd_bus_emit_interfaces_removed (objects->bus, path, RELAY_CHANNEL_INTERFACE, NULL);
  }
  return is_there ? tell_properties (objects, path, change) : 0;
}

void
relay_channel_objects_flush (RelayChannelObjects *objects)
{
  GHashTableIter iter;
  gpointer name, change;

  g_hash_table_iter_init (&iter, objects->changed);
  while (g_hash_table_iter_next (&iter, &name, &change)) {
    int r = tell (objects, name, GPOINTER_TO_UINT (change));

    if (r < 0)
      relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_CHANNEL", (const char *) name),
                        "Could not tell the bus what changed of channel %s: %s", (const char *) name, g_strerror (-r));
  }
  g_hash_table_remove_all (objects->changed);
}

void
relay_channel_objects_bus_drained (RelayChannelObjects *objects)
{
  objects->n_listings = 0;
}
