/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include <string.h>

#include "common/names.h"


static void
do_connect (gpointer user_data)
{
  ((ServiceFixture *) user_data)->connects++;
}

static void
do_disconnect (gpointer user_data)
{
  ((ServiceFixture *) user_data)->disconnects++;
}

static gboolean
do_reload (GError **error, gpointer user_data)
{
  ServiceFixture *f = user_data;

  f->reloads++;
  if (f->reload_fails)
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, "relay.conf: no");
  return !f->reload_fails;
}

static void
do_ping (RelayServicePong pong, gpointer pong_data, gpointer user_data)
{
  ServiceFixture *f = user_data;
  g_autoptr (GError) error = NULL;

  if (f->trying) {
    pong (1234, NULL, pong_data);
    return;
  }
  g_set_error_literal (&error, RELAY_ERROR, RELAY_ERROR_NOT_CONNECTED, "no connection");
  pong (0, error, pong_data);
}

static void
do_store_durable (const char *channel, gboolean durable, gpointer user_data)
{
  ServiceFixture *f = user_data;

  if (durable)
    g_hash_table_add (f->stored, g_strdup (channel));
  else
    g_hash_table_remove (f->stored, channel);
  f->n_uncommitted++;
}

static void
do_commit (gpointer user_data)
{
  ((ServiceFixture *) user_data)->n_uncommitted = 0;
}

static gboolean
do_is_trying (gpointer user_data)
{
  return ((ServiceFixture *) user_data)->trying;
}

static void
do_congested (gboolean congested, gpointer user_data)
{
  ServiceFixture *f = user_data;

  g_assert_true (f->congested != congested);
  f->congested = congested;
  f->congestions += congested;
}

/* ---- the history ---- */

guint64
service_fixture_add_event (ServiceFixture *f, const char *text)
{
  g_ptr_array_add (f->history, g_strdup (text));
  return f->history->len;
}

/* The position is the sequence of the last row that was looked at; the row beyond the last, with `newest`, at the start. */
static gboolean
do_scan (const RelayQuery *query, guint64 *position, RelayHistoryActionsFound found, gpointer found_data, gboolean *ret_end,
         GError **error, gpointer user_data)
{
  ServiceFixture *f = user_data;

  f->n_scans++;
  if (f->history_fails) {
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_IO, "the disk is gone");
    return FALSE;
  }
  if (*position == 0)
    *position = query->newest ? f->history->len + 1 : query->after;
  for (guint row = 0; row < (query->newest && f->newest_stalls ? 0 : f->scan_rows); row++) {
    guint64 next = query->newest ? *position - 1 : *position + 1;
    const char *text;
    RelayEvent event;

    if (query->newest ? next <= query->after : next > f->history->len) {
      *ret_end = TRUE;
      return TRUE;
    }
    text = f->history->pdata[next - 1];
    g_assert_true (relay_event_read (&event, &f->reader, text, strlen (text), NULL));
    event.sequence = next;
    event.received_usec = (gint64) next;
    if (relay_query_matches (query, &event) && !found (&event, found_data))
      break;
    *position = next;
  }
  *ret_end = FALSE;
  return TRUE;
}

static gboolean
do_clear (GError **error, gpointer user_data)
{
  ServiceFixture *f = user_data;

  if (f->history_fails) {
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_IO, "the disk is gone");
    return FALSE;
  }
  g_ptr_array_set_size (f->history, 0);
  g_free (f->history_id);
  f->history_id = g_strdup ("another");
  relay_service_release (f->service);
  return TRUE;
}

static const char *
do_get_id (gpointer user_data)
{
  return ((ServiceFixture *) user_data)->history_id;
}

static guint64
do_get_first (gpointer user_data)
{
  return 1;
}

static guint64
do_get_last (gpointer user_data)
{
  return ((ServiceFixture *) user_data)->history->len;
}

static int
on_signal (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  ServiceFixture *f = user_data;
  const char *member = sd_bus_message_get_member (m);

  if (sd_bus_message_is_signal (m, RELAY_EVENTS_INTERFACE, NULL))
    f->n_signals++;
  f->n_changes += g_str_equal (member, "PropertiesChanged");
  f->n_added += g_str_equal (member, "InterfacesAdded");
  f->n_removed += g_str_equal (member, "InterfacesRemoved");
  return 0;
}

void
service_fixture_set_up (ServiceFixture *f, gconstpointer data)
{
  static const RelayServiceActions actions = {
    .connect = do_connect,
    .disconnect = do_disconnect,
    .reload = do_reload,
    .ping = do_ping,
    .store_durable = do_store_durable,
    .commit = do_commit,
    .is_trying = do_is_trying,
    .congested = do_congested,
    .history = { do_scan, do_clear, do_get_id, do_get_first, do_get_last },
  };
  RelayServiceOptions options = { 100, 3 };
  g_autoptr (GError) error = NULL;

  bus_fixture_set_up (&f->bus);
  f->trying = TRUE;
  f->history = g_ptr_array_new_with_free_func (g_free);
  f->history_id = g_strdup ("one");
  f->scan_rows = 10;
  f->stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  f->subscriptions = relay_subscriptions_new (100);
  f->status = relay_status_new ();
  f->service = relay_service_new (f->bus.server, &options, f->subscriptions, f->status, &actions, f, &error);
  g_assert_no_error (error);
  /* Synchronous: the match is in place before anything is emitted. */
  g_assert_cmpint (sd_bus_add_match (f->bus.client, NULL, "type='signal',path_namespace='" RELAY_OBJECT_PATH "'", on_signal, f),
                   >=, 0);
}

void
service_fixture_tear_down (ServiceFixture *f, gconstpointer data)
{
  relay_service_free (f->service);
  relay_subscriptions_free (f->subscriptions);
  relay_status_free (f->status);
  g_hash_table_unref (f->stored);
  g_ptr_array_unref (f->history);
  g_free (f->history_id);
  relay_json_reader_clear (&f->reader);
  bus_fixture_tear_down (&f->bus);
}

/* ---- the server's side ---- */

/* Sends what is due; returns the channels of the next subscribe, which must be there. */
char **
service_fixture_take_subscribe (ServiceFixture *f)
{
  gint64 next;
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subscriptions, g_get_monotonic_time (), &next);

  g_assert_nonnull (request);
  g_assert_true (request->subscribe);
  return g_strdupv (request->channels);
}

gboolean
service_fixture_has_request (ServiceFixture *f, guint n_channels)
{
  g_autoptr (GPtrArray) channels = relay_subscriptions_list (f->subscriptions);

  return channels->len == n_channels;
}

void
service_fixture_refuse_next (ServiceFixture *f, const char *code)
{
  gint64 next;
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subscriptions, g_get_monotonic_time (), &next);

  g_assert_nonnull (request);
  relay_subscriptions_refused (f->subscriptions, request->id, "subscribe", code, "no such thing", g_get_monotonic_time (), 0.5);
}

void
service_fixture_confirm (ServiceFixture *f, const char *channel)
{
  relay_subscriptions_confirmed (f->subscriptions, (const char *const[]){ channel, NULL }, 1700000000000000);
}

/* ---- the caller's side ---- */

sd_bus_message *
service_fixture_call_as (ServiceFixture *f, const char *member, const char *a, const char *b)
{
  return bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, member, "as", b != NULL ? 2 : 1, a, b);
}

void
service_fixture_assert_error (sd_bus_message *reply, const char *name)
{
  g_autoptr (sd_bus_message) own = reply;

  g_assert_cmpstr (bus_fixture_error (own), ==, name);
}

void
service_fixture_assert_states (sd_bus_message *reply, const char *expected)
{
  g_autoptr (GString) states = g_string_new (NULL);
  const char *channel, *state;

  if (bus_fixture_error (reply) != NULL)
    g_test_message ("%s: %s", bus_fixture_error (reply), sd_bus_message_get_error (reply)->message);
  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "{ss}"), >, 0);
  while (sd_bus_message_read (reply, "{ss}", &channel, &state) > 0)
    g_string_append_printf (states, "%s=%s ", channel, state);
  g_assert_cmpstr (states->str, ==, expected);
}

sd_bus_slot *
service_fixture_start_as (ServiceFixture *f, sd_bus_message **ret_reply, const char *member, const char *a, const char *b)
{
  return bus_fixture_call_async (&f->bus, f->bus.client, ret_reply, RELAY_OBJECT_PATH, RELAY_INTERFACE, member, "as",
                                 b != NULL ? 2 : 1, a, b);
}

sd_bus_slot *
service_fixture_start_hold (ServiceFixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *channel)
{
  return bus_fixture_call_async (&f->bus, bus, ret_reply, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, channel, 2,
                                 "app-id", "s", "org.example.App", "reason", "s", "to see");
}

sd_bus_slot *
service_fixture_start_many (ServiceFixture *f, sd_bus_message **ret_reply, guint n_channels, const char *reason)
{
  g_autoptr (sd_bus_message) call = NULL;
  g_auto (GStrv) names = g_new0 (char *, n_channels + 1);
  const char *server = NULL;

  relay_service_configure (f->service, &(RelayServiceOptions){ n_channels, 100 });
  relay_subscriptions_set_max_channels (f->subscriptions, n_channels);
  for (guint i = 0; i < n_channels; i++)
    names[i] = g_strdup_printf ("prp:%u", i);
  g_assert_cmpint (sd_bus_get_unique_name (f->bus.server, &server), >=, 0);
  g_assert_cmpint (sd_bus_message_new_method_call (f->bus.client, &call, server, RELAY_OBJECT_PATH, RELAY_INTERFACE,
                                                   reason != NULL ? "Hold" : "Subscribe"), >=, 0);
  g_assert_cmpint (sd_bus_message_append_strv (call, names), >=, 0);
  if (reason != NULL)
    g_assert_cmpint (sd_bus_message_append (call, "a{sv}", 1, "reason", "s", reason), >=, 0);
  return bus_fixture_send (f->bus.client, call, ret_reply);
}
