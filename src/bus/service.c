/* SPDX-License-Identifier: MIT */
#include "bus/service.h"

#include <string.h>
#include <sys/socket.h>

#include "build-config.h"
#include "bus/calls.h"
#include "bus/channel-objects.h"
#include "bus/history-object.h"
#include "bus/holds.h"
#include "bus/outbox.h"
#include "bus/reply.h"
#include "common/bus-source.h"
#include "common/error.h"
#include "common/log.h"
#include "common/names.h"
#include "common/turn.h"

/*
 * The root object. Methods are checked here, completely and before anything is changed, and then handed to whom they
 * concern: holds, calls, or the connection's side through RelayServiceActions.
 *
 * Which properties changed (of the root and, in channel-objects.c, of the channels) is gathered, and told at the end of a
 * turn, or of the first one in which the bus has taken all it was sent before. Events go through outbox.c, which knows how
 * much the bus can take.
 */
struct RelayService {
  sd_bus *bus;
  RelayServiceOptions options;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  const RelayServiceActions *actions;
  gpointer user_data;

  RelayHolds *holds;
  RelayCalls *calls;
  RelayChannelObjects *objects;
  sd_bus_slot *root_slot, *events_slot;

  GSource *turn;
  gboolean turn_waits;       /* for the bus to take what it was told before */
  RelayStatusFields changed; /* not yet told */
  RelayOutbox *outbox;
  RelayHistoryObject *history;
};

/* ---- arguments ---- */

/* The names of an `as`, checked, each once. NULL with @error set if one is no channel's name, or there are too many: found
 * out while reading, so that an array of millions is not taken in first. */
static char **
read_channels (RelayService *service, sd_bus_message *message, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) channels = g_ptr_array_new_with_free_func (g_free);
  guint n_names = 0;
  const char *name;
  int r = sd_bus_message_enter_container (message, 'a', "s");

  while (r >= 0 && (r = sd_bus_message_read_basic (message, 's', &name)) > 0) {
    if (!relay_channel_name_check (name, error))
      return NULL;
    if (n_names++ == service->options.max_channels) {
      g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
                   "More than %u channels in one call (MaxChannels in relay.conf)", service->options.max_channels);
      return NULL;
    }
    if (g_hash_table_add (seen, (char *) name))
      g_ptr_array_add (channels, g_strdup (name));
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (message);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, "The channels cannot be read: %s", strerror (-r));
    return NULL;
  }
  g_ptr_array_add (channels, NULL);
  return (char **) g_ptr_array_steal (channels, NULL);
}

/* Room for those that nobody wants yet, and for one more waiting call. */
static gboolean
check_room (RelayService *service, sd_bus_message *message, char **channels, GError **error)
{
  guint n_channels = 0, n_new = 0;

  for (; channels[n_channels] != NULL; n_channels++)
    n_new += relay_subscriptions_lookup (service->subscriptions, channels[n_channels]) == NULL;
  return relay_calls_check_room (service->calls, sd_bus_message_get_sender (message), n_channels, error) &&
         relay_subscriptions_check_room (service->subscriptions, n_new, error);
}

typedef struct {
  const char *app_id, *reason;
} HoldOptions;

static gboolean
set_hold_option (const char **ret_value, const char *key, const char *value, gsize max_bytes, GError **error)
{
  if (strlen (value) > max_bytes) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, "The option %s may have at most %" G_GSIZE_FORMAT " bytes",
                 key, max_bytes);
    return FALSE;
  }
  *ret_value = value;
  return TRUE;
}

/* One entry of the a{sv}; what is not known is skipped. 0: fine, 1: @error is set, negative: the message is broken. */
static int
read_hold_option (sd_bus_message *message, HoldOptions *options, GError **error)
{
  const char *key, *contents, *value;
  gboolean app_id, reason;
  char type;
  int r;

  r = sd_bus_message_read_basic (message, 's', &key);
  if (r < 0)
    return r;
  app_id = g_str_equal (key, RELAY_HOLD_OPTION_APP_ID);
  reason = g_str_equal (key, RELAY_HOLD_OPTION_REASON);
  if (!app_id && !reason)
    return MIN (sd_bus_message_skip (message, "v"), 0);

  r = sd_bus_message_peek_type (message, &type, &contents);
  if (r < 0)
    return r;
  if (!g_str_equal (contents, "s")) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, "The option %s must be a string (s), it is %s", key, contents);
    return 1;
  }
  r = sd_bus_message_read (message, "v", "s", &value);
  if (r < 0)
    return r;
  if (app_id)
    return !set_hold_option (&options->app_id, key, value, RELAY_SERVICE_APP_ID_MAX_BYTES, error);
  return !set_hold_option (&options->reason, key, value, RELAY_SERVICE_REASON_MAX_BYTES, error);
}

static gboolean
read_hold_options (sd_bus_message *message, HoldOptions *ret_options, GError **error)
{
  HoldOptions options = { "", "" };
  int r = sd_bus_message_enter_container (message, 'a', "{sv}");

  while (r >= 0 && (r = sd_bus_message_enter_container (message, 'e', "sv")) > 0) {
    r = read_hold_option (message, &options, error);
    if (r > 0)
      return FALSE;
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (message);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, "The options cannot be read: %s", strerror (-r));
    return FALSE;
  }
  *ret_options = options;
  return TRUE;
}

/* ---- subscriptions ---- */

static gboolean
is_trying (RelayService *service)
{
  return service->actions->is_trying (service->user_data);
}

static void
set_durable (RelayService *service, const char *channel, gboolean durable)
{
  service->actions->store_durable (channel, durable, service->user_data);
  relay_subscriptions_set_durable (service->subscriptions, channel, durable);
}

/* A call's durable subscription was refused: it had never been. */
static void
undo_durable (const char *channel, gpointer user_data)
{
  set_durable (user_data, channel, FALSE);
}

static void
commit (gpointer user_data)
{
  RelayService *service = user_data;

  service->actions->commit (service->user_data);
}

static gboolean
is_durable (RelayService *service, const char *channel)
{
  const RelayChannel *known = relay_subscriptions_lookup (service->subscriptions, channel);

  return known != NULL && known->durable;
}

/* Stores and wants @channels; returns those that were not durable before. */
static char **
begin_durable (RelayService *service, char **channels)
{
  g_autoptr (GPtrArray) begun = g_ptr_array_new_with_free_func (g_free);

  for (char **channel = channels; *channel != NULL; channel++) {
    if (!is_durable (service, *channel))
      g_ptr_array_add (begun, g_strdup (*channel));
    set_durable (service, *channel, TRUE);
  }
  g_ptr_array_add (begun, NULL);
  return (char **) g_ptr_array_steal (begun, NULL);
}

static int
method_subscribe (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) channels = read_channels (service, message, &error);
  g_auto (GStrv) begun = NULL;

  if (channels == NULL || !check_room (service, message, channels, &error))
    return relay_reply_error (message, error);
  begun = begin_durable (service, channels);
  relay_calls_add (service->calls, message, (const char *const *) channels, (const char *const *) begun, 0,
                   is_trying (service));
  return 1;
}

static int
method_unsubscribe (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) channels = read_channels (service, message, &error);

  if (channels == NULL)
    return relay_reply_error (message, error);
  for (char **channel = channels; *channel != NULL; channel++)
    if (!is_durable (service, *channel))
      return sd_bus_reply_method_errorf (message, relay_error_get_bus_name (RELAY_ERROR_NOT_SUBSCRIBED),
                                         "There is no durable subscription of %s; nothing was changed", *channel);
  for (char **channel = channels; *channel != NULL; channel++)
    set_durable (service, *channel, FALSE);
  relay_calls_add_done (service->calls, message);
  return 1;
}

static int
method_hold (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) channels = read_channels (service, message, &error);
  const RelayHold *hold;
  HoldOptions options;

  if (channels == NULL || !read_hold_options (message, &options, &error) ||
      !check_room (service, message, channels, &error))
    return relay_reply_error (message, error);
  hold = relay_holds_add (service->holds, message, options.app_id, options.reason, (const char *const *) channels,
                          service->options.max_holds_per_client, &error);
  if (hold == NULL)
    return relay_reply_error (message, error);
  relay_calls_add (service->calls, message, (const char *const *) channels, NULL, hold->cookie, is_trying (service));
  return 1;
}

static int
method_release (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;
  g_autoptr (GError) error = NULL;
  guint32 cookie;
  int r = sd_bus_message_read_basic (message, 'u', &cookie);

  if (r < 0)
    return r;
  if (!relay_holds_release (service->holds, sd_bus_message_get_sender (message), cookie, &error))
    return relay_reply_error (message, error);
  return sd_bus_reply_method_return (message, NULL);
}

/* ---- the connection ---- */

static int
method_connect (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;

  service->actions->connect (service->user_data);
  return sd_bus_reply_method_return (message, NULL);
}

static int
method_disconnect (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;

  service->actions->disconnect (service->user_data);
  return sd_bus_reply_method_return (message, NULL);
}

static int
method_reload (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;
  g_autoptr (GError) error = NULL;

  if (!service->actions->reload (&error, service->user_data))
    return relay_reply_error (message, error);
  return sd_bus_reply_method_return (message, NULL);
}

static void
on_pong (guint64 rtt_usec, const GError *error, gpointer pong_data)
{
  g_autoptr (sd_bus_message) message = pong_data;
  int r = error != NULL ? relay_reply_error (message, error) : sd_bus_reply_method_return (message, "t", rtt_usec);

  if (r < 0)
    relay_debug ("Could not answer Ping of %s: %s", sd_bus_message_get_sender (message), g_strerror (-r));
}

static int
method_ping (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  RelayService *service = user_data;

  service->actions->ping (on_pong, relay_reply_copy_head (message), service->user_data);
  return 1;
}

/* ---- properties ---- */

/* The one table of properties: where their value is, and which change concerns them (0: none is told). */
static const struct {
  const char *name;
  RelayStatusFields field;
  char type; /* of the member at that offset of RelayStatus; 0: a getter of its own */
  gsize offset;
} properties[] = {
  { "State", RELAY_STATUS_STATE, 0, 0 },
  { "LastError", RELAY_STATUS_LAST_ERROR, 0, 0 },
  { "NextAttempt", RELAY_STATUS_NEXT_ATTEMPT, 't', G_STRUCT_OFFSET (RelayStatus, next_attempt_usec) },
  { "Attempts", RELAY_STATUS_ATTEMPTS, 'u', G_STRUCT_OFFSET (RelayStatus, attempts) },
  { "Url", RELAY_STATUS_URL, 's', G_STRUCT_OFFSET (RelayStatus, url) },
  { "ConnectionId", RELAY_STATUS_SERVER, 's', G_STRUCT_OFFSET (RelayStatus, connection_id) },
  { "ServerVersion", RELAY_STATUS_SERVER, 's', G_STRUCT_OFFSET (RelayStatus, server_version) },
  { "Features", RELAY_STATUS_SERVER, 0, 0 },
  { "ConnectedSince", RELAY_STATUS_CONNECTED_SINCE, 't', G_STRUCT_OFFSET (RelayStatus, connected_since_usec) },
  { "TokenExpires", RELAY_STATUS_TOKEN_EXPIRES, 't', G_STRUCT_OFFSET (RelayStatus, token_expires_usec) },
  { "Reloaded", RELAY_STATUS_RELOADED, 't', G_STRUCT_OFFSET (RelayStatus, reloaded_usec) },
  { "LastAlive", 0, 't', G_STRUCT_OFFSET (RelayStatus, last_alive_usec) },
  { "EventsReceived", 0, 't', G_STRUCT_OFFSET (RelayStatus, events_received) },
  { "EventsEmitted", 0, 't', G_STRUCT_OFFSET (RelayStatus, events_emitted) },
  { "DuplicatesDropped", 0, 't', G_STRUCT_OFFSET (RelayStatus, duplicates_dropped) },
  { "MalformedDropped", 0, 't', G_STRUCT_OFFSET (RelayStatus, malformed_dropped) },
  { "Connections", 0, 't', G_STRUCT_OFFSET (RelayStatus, connections) },
  { "BytesReceived", 0, 't', G_STRUCT_OFFSET (RelayStatus, bytes_received) },
};

static int
get_member (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
            void *user_data, sd_bus_error *error)
{
  RelayService *service = user_data;

  for (gsize i = 0; i < G_N_ELEMENTS (properties); i++)
    if (g_str_equal (properties[i].name, property)) {
      const void *member = G_STRUCT_MEMBER_P (service->status, properties[i].offset);

      return sd_bus_message_append_basic (reply, properties[i].type,
                                          properties[i].type == 's' ? *(const char *const *) member : member);
    }
  g_assert_not_reached ();
}

static int
get_version (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
             void *user_data, sd_bus_error *error)
{
  return sd_bus_message_append_basic (reply, 's', VERSION);
}

static int
get_state (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
           void *user_data, sd_bus_error *error)
{
  RelayService *service = user_data;

  return sd_bus_message_append_basic (reply, 's', relay_state_to_string (service->status->state));
}

static int
get_last_error (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                void *user_data, sd_bus_error *error)
{
  RelayService *service = user_data;

  return sd_bus_message_append (reply, "(ss)", service->status->error_code, service->status->error_text);
}

static int
get_features (sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
              void *user_data, sd_bus_error *error)
{
  RelayService *service = user_data;

  return sd_bus_message_append_strv (reply, service->status->features);
}

static void
tell_properties (RelayService *service)
{
  char *names[G_N_ELEMENTS (properties) + 1] = { NULL };
  gsize n = 0;
  int r;

  for (gsize i = 0; i < G_N_ELEMENTS (properties); i++)
    if ((properties[i].field & service->changed) != 0)
      names[n++] = (char *) properties[i].name;
  service->changed = 0;
  if (n == 0)
    return;
  r = sd_bus_emit_properties_changed_strv (service->bus, RELAY_OBJECT_PATH, RELAY_INTERFACE, names);
  if (r < 0)
    relay_warning ("Could not tell the bus which properties changed: %s", g_strerror (-r));
}

/* ---- what the bus sees ---- */

/* No method asks for more than being on this session's bus. */
#define OPEN SD_BUS_VTABLE_UNPRIVILEGED
#define CHANGING(name, signature, getter) \
  SD_BUS_PROPERTY (name, signature, getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define QUIET(name) SD_BUS_PROPERTY (name, "t", get_member, 0, 0)

static const sd_bus_vtable root_vtable[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_METHOD_WITH_ARGS ("Subscribe", SD_BUS_ARGS ("as", channels), SD_BUS_RESULT ("a{ss}", states),
                           method_subscribe, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Unsubscribe", SD_BUS_ARGS ("as", channels), SD_BUS_NO_RESULT, method_unsubscribe, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Hold", SD_BUS_ARGS ("as", channels, "a{sv}", options),
                           SD_BUS_RESULT ("u", cookie, "a{ss}", states), method_hold, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Release", SD_BUS_ARGS ("u", cookie), SD_BUS_NO_RESULT, method_release, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Connect", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_connect, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Disconnect", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_disconnect, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, OPEN),
  SD_BUS_METHOD_WITH_ARGS ("Ping", SD_BUS_NO_ARGS, SD_BUS_RESULT ("t", rtt_usec), method_ping, OPEN),
  SD_BUS_PROPERTY ("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
  CHANGING ("State", "s", get_state),
  CHANGING ("LastError", "(ss)", get_last_error),
  CHANGING ("NextAttempt", "t", get_member),
  CHANGING ("Attempts", "u", get_member),
  CHANGING ("Url", "s", get_member),
  CHANGING ("ConnectionId", "s", get_member),
  CHANGING ("ServerVersion", "s", get_member),
  CHANGING ("Features", "as", get_features),
  CHANGING ("ConnectedSince", "t", get_member),
  QUIET ("LastAlive"),
  CHANGING ("TokenExpires", "t", get_member),
  CHANGING ("Reloaded", "t", get_member),
  QUIET ("EventsReceived"),
  QUIET ("EventsEmitted"),
  QUIET ("DuplicatesDropped"),
  QUIET ("MalformedDropped"),
  QUIET ("Connections"),
  QUIET ("BytesReceived"),
  SD_BUS_VTABLE_END,
};

static const sd_bus_vtable events_vtable[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_SIGNAL_WITH_ARGS ("PrpCreated", SD_BUS_ARGS ("s", prp_id, "s", project_id, "s", name, "s", status, "s", priority,
                                                      "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("PrpUpdated", SD_BUS_ARGS ("s", prp_id, "a{sa{sv}}", changes, "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("PrpStatusChanged", SD_BUS_ARGS ("s", prp_id, "s", previous_status, "s", new_status, "s", reason,
                                                            "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("PrpDeleted", SD_BUS_ARGS ("s", prp_id, "s", project_id, "s", reason, "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("AgentAssigned", SD_BUS_ARGS ("s", agent_id, "s", prp_id, "s", priority, "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("AgentProgress", SD_BUS_ARGS ("s", agent_id, "s", prp_id, "d", progress, "s", current_task,
                                                         "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("ServerError", SD_BUS_ARGS ("s", code, "s", message, "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("OtherEvent", SD_BUS_ARGS ("s", type, "a{sv}", event), 0),
  SD_BUS_SIGNAL_WITH_ARGS ("Gap", SD_BUS_ARGS ("t", since, "t", until, "s", cause, "as", channels, "t", sequence), 0),
  SD_BUS_VTABLE_END,
};

/* ---- events and flow ---- */

void
relay_service_emit (RelayService *service, const RelayEvent *event)
{
  relay_outbox_add (service->outbox, event);
}

void
relay_service_emit_gap (RelayService *service, const RelayGap *gap)
{
  relay_outbox_add_gap (service->outbox, gap);
}

void
relay_service_release (RelayService *service)
{
  relay_outbox_release (service->outbox);
  if (relay_history_object_is_changed (service->history))
    relay_turn_arm (service->turn);
}

void
relay_service_bus_turned (RelayService *service)
{
  if (!relay_outbox_bus_turned (service->outbox))
    return;
  relay_channel_objects_bus_drained (service->objects);
  relay_history_object_bus_drained (service->history);
  if (service->turn_waits)
    relay_turn_arm (service->turn);
}

gboolean
relay_service_wants_write (RelayService *service)
{
  return relay_outbox_wants_write (service->outbox);
}

gboolean
relay_service_is_flushed (RelayService *service)
{
  return relay_outbox_is_empty (service->outbox);
}

/* ---- what happens elsewhere ---- */

static void
on_congested (gboolean congested, gpointer user_data)
{
  RelayService *service = user_data;

  service->actions->congested (congested, service->user_data);
}

static void
on_turn (gpointer user_data)
{
  RelayService *service = user_data;

  /* A caller can change thousands of objects with each call. What changes meanwhile is told with it. */
  service->turn_waits = !relay_outbox_is_written (service->outbox);
  if (service->turn_waits) {
    relay_outbox_check (service->outbox);
    return;
  }
  relay_channel_objects_flush (service->objects);
  relay_history_object_flush (service->history);
  tell_properties (service);
  relay_outbox_check (service->outbox);
}

static void
on_channel_changed (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  RelayService *service = user_data;

  relay_channel_objects_changed (service->objects, channel->name, change);
  if ((change & RELAY_CHANNEL_ANSWERED) != 0)
    relay_calls_channel_answered (service->calls, channel);
  relay_turn_arm (service->turn);
}

static void
on_holders_changed (const char *channel, gpointer user_data)
{
  RelayService *service = user_data;

  relay_channel_objects_changed (service->objects, channel, RELAY_CHANNEL_HOLDS);
  relay_turn_arm (service->turn);
}

static void
on_status_changed (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  RelayService *service = user_data;

  service->changed |= fields;
  relay_turn_arm (service->turn);
  if ((fields & RELAY_STATUS_STATE) != 0 && !is_trying (service))
    relay_calls_give_up (service->calls);
}

/* ---- life ---- */

static int
export (RelayService *service)
{
  int r = sd_bus_add_object_vtable (service->bus, &service->root_slot, RELAY_OBJECT_PATH, RELAY_INTERFACE, root_vtable,
                                    service);

  if (r >= 0)
    r = sd_bus_add_object_vtable (service->bus, &service->events_slot, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE,
                                  events_vtable, service);
  if (r >= 0)
    r = relay_channel_objects_new (service->bus, service->subscriptions, service->holds, &service->objects);
  if (r >= 0)
    r = relay_history_object_new (service->bus, service->outbox, &service->actions->history, service->user_data,
                                  &service->history);
  return r;
}

RelayService *
relay_service_new (sd_bus *bus, const RelayServiceOptions *options, RelaySubscriptions *subscriptions, RelayStatus *status,
                   const RelayServiceActions *actions, gpointer user_data, GError **error)
{
  g_autoptr (RelayService) service = g_new0 (RelayService, 1);
  int buffer_bytes = RELAY_SERVICE_SEND_BUFFER_BYTES, r;

  service->bus = sd_bus_ref (bus);
  service->options = *options;
  service->subscriptions = subscriptions;
  service->status = status;
  service->actions = actions;
  service->user_data = user_data;
  service->outbox = relay_outbox_new (bus, status, on_congested, service);
  service->turn = relay_turn_new ("relay-service", on_turn, service);
  service->holds = relay_holds_new (bus, subscriptions, on_holders_changed, service);
  service->calls = relay_calls_new (subscriptions, service->holds, undo_durable, commit, service);

  r = export (service);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, "Cannot put the objects on the bus: %s", strerror (-r));
    return NULL;
  }
  /* sd-bus asks for many MiB, behind which an answer would have to wait. Keeping them would be slow, not wrong. */
  if (setsockopt (sd_bus_get_fd (bus), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes) < 0)
    relay_debug ("Cannot bound the bus's send buffer: %s", g_strerror (errno));
  relay_subscriptions_watch (subscriptions, on_channel_changed, service);
  relay_status_watch (status, on_status_changed, service);
  return g_steal_pointer (&service);
}

void
relay_service_free (RelayService *service)
{
  if (service == NULL)
    return;
  relay_status_unwatch (service->status, on_status_changed, service);
  relay_subscriptions_unwatch (service->subscriptions, on_channel_changed, service);
  relay_calls_free (service->calls);
  /* The end of a hold is a change of its channels' objects. */
  relay_holds_free (service->holds);
  relay_channel_objects_free (service->objects);
  relay_history_object_free (service->history);
  relay_turn_free (service->turn);
  sd_bus_slot_unref (service->events_slot);
  sd_bus_slot_unref (service->root_slot);
  relay_outbox_free (service->outbox);
  sd_bus_unref (service->bus);
  g_free (service);
}

void
relay_service_configure (RelayService *service, const RelayServiceOptions *options)
{
  service->options = *options;
}
