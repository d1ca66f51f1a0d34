/* SPDX-License-Identifier: MIT */
#include "service-world.h"

#include <string.h>

/* ---- what the service asks for ---- */

static void
do_connect (gpointer user_data)
{
}

static gboolean
do_reload (GError **error, gpointer user_data)
{
  ServiceWorld *world = user_data;

  if (world->reload_fails)
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, "relay.conf: no");
  else
    relay_subscriptions_ask_again (world->subscriptions);
  world->reload_fails = !world->reload_fails;
  return world->reload_fails;
}

static void
do_ping (RelayServicePong pong, gpointer pong_data, gpointer user_data)
{
  ServiceWorld *world = user_data;
  g_autoptr (GError) error = NULL;

  if (!world->connected)
    g_set_error_literal (&error, RELAY_ERROR, RELAY_ERROR_NOT_CONNECTED, "no connection");
  pong (1234, error, pong_data);
}

static void
do_store_durable (const char *channel, gboolean durable, gpointer user_data)
{
  ServiceWorld *world = user_data;

  g_assert_true (relay_channel_name_check (channel, NULL));
  if (durable)
    g_hash_table_add (world->stored, g_strdup (channel));
  else
    g_hash_table_remove (world->stored, channel);
  world->n_uncommitted++;
}

static void
do_commit (gpointer user_data)
{
  ((ServiceWorld *) user_data)->n_uncommitted = 0;
}

static gboolean
do_is_trying (gpointer user_data)
{
  return ((ServiceWorld *) user_data)->trying;
}

static void
do_congested (gboolean congested, gpointer user_data)
{
  ServiceWorld *world = user_data;

  g_assert_true (world->congested != congested);
  world->congested = congested;
}

/* The position is the sequence of the last row that was looked at; the row beyond the last, with `newest`, at the start. */
static gboolean
do_scan (const RelayQuery *query, guint64 *position, RelayHistoryActionsFound found, gpointer found_data, gboolean *ret_end,
         GError **error, gpointer user_data)
{
  enum { ROWS = 3 };
  ServiceWorld *world = user_data;

  *ret_end = FALSE;
  if (*position == 0)
    *position = query->newest ? world->history->len + 1 : query->after;
  for (guint row = 0; row < ROWS; row++) {
    guint64 next = query->newest ? *position - 1 : *position + 1;
    const char *text;
    RelayEvent event;

    *ret_end = query->newest ? next <= query->after || next > world->history->len : *position >= world->history->len;
    if (*ret_end)
      return TRUE;
    text = world->history->pdata[next - 1];
    g_assert_true (relay_event_read (&event, &world->found_reader, text, strlen (text), NULL));
    event.sequence = next;
    event.received_usec = (gint64) next;
    if (relay_query_matches (query, &event) && !found (&event, found_data))
      return TRUE;
    *position = next;
  }
  return TRUE;
}

static gboolean
do_clear (GError **error, gpointer user_data)
{
  ServiceWorld *world = user_data;

  g_ptr_array_set_size (world->history, 0);
  relay_service_release (world->service);
  return TRUE;
}

static const char *
do_get_id (gpointer user_data)
{
  return ((ServiceWorld *) user_data)->history->len == 0 ? "empty" : "full";
}

static guint64
do_get_first (gpointer user_data)
{
  return ((ServiceWorld *) user_data)->history->len > 0;
}

static guint64
do_get_last (gpointer user_data)
{
  return ((ServiceWorld *) user_data)->history->len;
}

/* ---- what must hold ---- */

void
service_world_check (ServiceWorld *world)
{
  g_autoptr (GPtrArray) channels = relay_subscriptions_list (world->subscriptions);
  guint n_durable = 0;

  g_assert_cmpuint (relay_subscriptions_get_n_channels (world->subscriptions), <=, SERVICE_WORLD_MAX_CHANNELS);
  for (guint i = 0; i < channels->len; i++) {
    const RelayChannel *channel = channels->pdata[i];

    g_assert_true (relay_channel_name_check (channel->name, NULL));
    g_assert_true (channel->durable == g_hash_table_contains (world->stored, channel->name));
    g_assert_true (world->connected || channel->state != RELAY_CHANNEL_ACTIVE);
    n_durable += channel->durable;
  }
  g_assert_cmpuint (g_hash_table_size (world->stored), ==, n_durable);
}

/* ---- the connection's side ---- */

void
service_world_toggle_trying (ServiceWorld *world)
{
  world->trying = !world->trying;
  relay_status_set_state (world->status, world->trying ? RELAY_STATE_CONNECTING : RELAY_STATE_OFFLINE);
}

void
service_world_toggle_connected (ServiceWorld *world)
{
  world->connected = !world->connected;
  if (world->connected)
    relay_subscriptions_connected (world->subscriptions);
  else
    relay_subscriptions_disconnected (world->subscriptions);
}

void
service_world_answer (ServiceWorld *world, const char *code)
{
  gint64 next_usec;
  g_autoptr (RelayRequest) request = NULL;

  world->now_usec += G_USEC_PER_SEC;
  request = relay_subscriptions_next (world->subscriptions, world->now_usec, &next_usec);
  if (request == NULL)
    return;
  if (code != NULL)
    (void) relay_subscriptions_refused (world->subscriptions, request->id, request->subscribe ? "subscribe" : "unsubscribe",
                                        code, "no such thing", world->now_usec, 0.5);
  else if (request->subscribe)
    relay_subscriptions_confirmed (world->subscriptions, (const char *const *) request->channels, 1700000000000000);
}

void
service_world_receive (ServiceWorld *world, const char *text)
{
  RelayEvent event;

  if (!relay_event_read (&event, &world->reader, text, strlen (text), NULL) || !relay_event_kind_is_relayed (event.kind))
    return;
  g_ptr_array_add (world->history, g_strdup (text));
  event.sequence = world->history->len;
  event.received_usec = (gint64) event.sequence;
  relay_service_emit (world->service, &event);
  relay_service_release (world->service);
}

/* Where somebody reads along, the bus is never full. */
void
service_world_flood (ServiceWorld *world)
{
  enum { EVENTS = 64, BYTES = 8192 };
  g_autofree char *name = g_strnfill (BYTES, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"n\",\"data\":{\"name\":\"%s\"}}", name);

  for (guint i = 0; i < EVENTS && !world->congested; i++)
    service_world_receive (world, text);
}

void
service_world_tell_gap (ServiceWorld *world)
{
  char *channels[] = { (char *) "prp:1", NULL };
  RelayGap gap = { .since_usec = 1, .until_usec = 2, .cause = RELAY_GAP_CAUSE_RESTARTED, .channels = channels };
  char *text = relay_gap_to_text (&gap);

  g_ptr_array_add (world->history, text);
  gap.sequence = world->history->len;
  relay_service_emit_gap (world->service, &gap);
  relay_service_release (world->service);
}

/* ---- life ---- */

ServiceWorld *
service_world_new (sd_bus *bus)
{
  static const RelayServiceActions actions = {
    .connect = do_connect,
    .disconnect = do_connect,
    .reload = do_reload,
    .ping = do_ping,
    .store_durable = do_store_durable,
    .commit = do_commit,
    .is_trying = do_is_trying,
    .congested = do_congested,
    .history = { do_scan, do_clear, do_get_id, do_get_first, do_get_last },
  };
  const RelayServiceOptions options = { SERVICE_WORLD_MAX_CHANNELS, SERVICE_WORLD_MAX_HOLDS };
  ServiceWorld *world = g_new0 (ServiceWorld, 1);

  world->trying = TRUE;
  world->now_usec = G_USEC_PER_SEC;
  world->stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  world->history = g_ptr_array_new_with_free_func (g_free);
  world->subscriptions = relay_subscriptions_new (SERVICE_WORLD_MAX_CHANNELS);
  world->status = relay_status_new ();
  world->service = relay_service_new (bus, &options, world->subscriptions, world->status, &actions, world, NULL);
  g_assert_nonnull (world->service);
  return world;
}

void
service_world_free (ServiceWorld *world)
{
  if (world == NULL)
    return;
  relay_service_free (world->service);
  relay_subscriptions_free (world->subscriptions);
  relay_status_free (world->status);
  g_hash_table_unref (world->stored);
  g_ptr_array_unref (world->history);
  relay_json_reader_clear (&world->reader);
  relay_json_reader_clear (&world->found_reader);
  g_free (world);
}
