/* SPDX-License-Identifier: MIT */
#include "bus/history-object.h"

#include "bus/filter.h"
#include "bus/listings.h"
#include "bus/reply.h"
#include "common/bus-source.h"
#include "common/log.h"
#include "common/names.h"

/*
 * Nothing of the history is kept here but the id as the bus was told it last, so that it is told once when there is another.
 */
struct RelayHistoryObject {
  sd_bus *bus;
  const RelayHistoryActions *actions;
  gpointer user_data;
  RelayListings *listings;
  sd_bus_slot *slot;
  char *told_id; /* NULL: nobody has asked yet */
};

static int
method_list_events (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayHistoryObject *object = user_data;
  g_autoptr (GError) error = NULL;
  RelayQuery query;
  guint64 after;
  guint32 limit;
  int r = sd_bus_message_read (message, "tu", &after, &limit);

  if (r < 0)
    return r;
  if (!relay_filter_read (message, &query, &error))
    return relay_reply_error (message, error);
  query.after = after;
  if (relay_listings_add (object->listings, message, &query, limit, &error))
    return 1;
  relay_query_clear (&query);
  return relay_reply_error (message, error);
}

static int
method_clear (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayHistoryObject *object = user_data;
  g_autoptr (GError) error = NULL;

  if (!object->actions->clear (&error, object->user_data))
    return relay_reply_error (message, error);
  relay_log_fields (LOG_NOTICE, RELAY_LOG_FIELDS ("PRP_SENDER", sd_bus_message_get_sender (message)),
                    "The history was cleared, as %s asked", sd_bus_message_get_sender (message));
  return sd_bus_reply_method_return (message, NULL);
}

static const char *
get_current_id (RelayHistoryObject *object)
{
  const char *id = object->actions->get_id (object->user_data);

  if (object->told_id == NULL)
    object->told_id = g_strdup (id);
  return id;
}

static int
get_id (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *user_data,
        sd_bus_error *error)
{
  return sd_bus_message_append_basic (reply, 's', get_current_id (user_data));
}

static int
get_sequence (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
              void *user_data, sd_bus_error *error)
{
  RelayHistoryObject *object = user_data;
  guint64 sequence = g_str_equal (property, "FirstSequence") ? object->actions->get_first_sequence (object->user_data)
                                                             : object->actions->get_last_sequence (object->user_data);

  return sd_bus_message_append_basic (reply, 't', &sequence);
}

static const sd_bus_vtable vtable[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_METHOD_WITH_ARGS ("ListEvents", SD_BUS_ARGS ("t", after, "u", limit, "a{sv}", filter),
                           SD_BUS_RESULT ("aa{sv}", events, "t", last_sequence, "b", more), method_list_events,
                           SD_BUS_VTABLE_UNPRIVILEGED),
  SD_BUS_METHOD_WITH_ARGS ("Clear", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_clear, SD_BUS_VTABLE_UNPRIVILEGED),
  SD_BUS_PROPERTY ("HistoryId", "s", get_id, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
  SD_BUS_PROPERTY ("FirstSequence", "t", get_sequence, 0, 0),
  SD_BUS_PROPERTY ("LastSequence", "t", get_sequence, 0, 0),
  SD_BUS_VTABLE_END,
};

gboolean
relay_history_object_is_changed (RelayHistoryObject *object)
{
  const char *id = get_current_id (object);

  return !g_str_equal (object->told_id, id);
}

void
relay_history_object_flush (RelayHistoryObject *object)
{
  int r;

  if (!relay_history_object_is_changed (object))
    return;
  g_free (object->told_id);
  object->told_id = g_strdup (object->actions->get_id (object->user_data));
  r = sd_bus_emit_properties_changed (object->bus, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, "HistoryId", NULL);
  if (r < 0)
    relay_warning ("Could not tell the bus of the new history: %s", g_strerror (-r));
}

void
relay_history_object_bus_drained (RelayHistoryObject *object)
{
  relay_listings_bus_drained (object->listings);
}

int
relay_history_object_new (sd_bus *bus, RelayOutbox *outbox, const RelayHistoryActions *actions, gpointer user_data,
                          RelayHistoryObject **ret_object)
{
  g_autoptr (RelayHistoryObject) object = g_new0 (RelayHistoryObject, 1);
  int r;

  object->bus = bus;
  object->actions = actions;
  object->user_data = user_data;
  r = relay_listings_new (bus, outbox, actions, user_data, &object->listings);
  if (r >= 0)
    r = sd_bus_add_object_vtable (bus, &object->slot, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, vtable, object);
  if (r < 0)
    return r;
  *ret_object = g_steal_pointer (&object);
  return 0;
}

void
relay_history_object_free (RelayHistoryObject *object)
{
  if (object == NULL)
    return;
  sd_bus_slot_unref (object->slot);
  relay_listings_free (object->listings);
  g_free (object->told_id);
  g_free (object);
}
