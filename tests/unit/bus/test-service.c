/* SPDX-License-Identifier: MIT */
#include "bus/service.h"

#include <string.h>

#include "../bus-fixture.h"
#include "build-config.h"
#include "bus/calls.h"
#include "common/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

/* The service between a real bus and a server that the test plays itself. */
typedef struct {
  BusFixture bus;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayService *service;

  gboolean trying, reload_fails, congested;
  guint connects, disconnects, reloads, congestions;
  GHashTable *stored;
  guint n_uncommitted; /* changes of it */
  guint n_signals;      /* of events, that the client heard */
  guint n_changes;      /* PropertiesChanged */
  guint n_added, n_removed;
} Fixture;

static void
do_connect (gpointer user_data)
{
  ((Fixture *) user_data)->connects++;
}

static void
do_disconnect (gpointer user_data)
{
  ((Fixture *) user_data)->disconnects++;
}

static gboolean
do_reload (GError **error, gpointer user_data)
{
  Fixture *f = user_data;

  f->reloads++;
  if (f->reload_fails)
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, "relay.conf: no");
  return !f->reload_fails;
}

static void
do_ping (RelayServicePong pong, gpointer pong_data, gpointer user_data)
{
  Fixture *f = user_data;
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
  Fixture *f = user_data;

  if (durable)
    g_hash_table_add (f->stored, g_strdup (channel));
  else
    g_hash_table_remove (f->stored, channel);
  f->n_uncommitted++;
}

static void
do_commit (gpointer user_data)
{
  ((Fixture *) user_data)->n_uncommitted = 0;
}

static gboolean
do_is_trying (gpointer user_data)
{
  return ((Fixture *) user_data)->trying;
}

static void
do_congested (gboolean congested, gpointer user_data)
{
  Fixture *f = user_data;

  g_assert_true (f->congested != congested);
  f->congested = congested;
  f->congestions += congested;
}

static int
on_signal (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  Fixture *f = user_data;
  const char *member = sd_bus_message_get_member (m);

  if (sd_bus_message_is_signal (m, RELAY_EVENTS_INTERFACE, NULL))
    f->n_signals++;
  f->n_changes += g_str_equal (member, "PropertiesChanged");
  f->n_added += g_str_equal (member, "InterfacesAdded");
  f->n_removed += g_str_equal (member, "InterfacesRemoved");
  return 0;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  static const RelayServiceActions actions = {
    do_connect, do_disconnect, do_reload, do_ping, do_store_durable, do_commit, do_is_trying, do_congested,
  };
  RelayServiceOptions options = { 100, 3 };
  g_autoptr (GError) error = NULL;

  bus_fixture_set_up (&f->bus);
  f->trying = TRUE;
  f->stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  f->subscriptions = relay_subscriptions_new (100);
  f->status = relay_status_new ();
  f->service = relay_service_new (f->bus.server, &options, f->subscriptions, f->status, &actions, f, &error);
  g_assert_no_error (error);
  /* Synchronous: the match is in place before anything is emitted. */
  g_assert_cmpint (sd_bus_add_match (f->bus.client, NULL, "type='signal',path_namespace='" RELAY_OBJECT_PATH "'", on_signal, f),
                   >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_service_free (f->service);
  relay_subscriptions_free (f->subscriptions);
  relay_status_free (f->status);
  g_hash_table_unref (f->stored);
  bus_fixture_tear_down (&f->bus);
}

/* ---- the server's side ---- */

/* Sends what is due; returns the channels of the next subscribe, which must be there. */
static char **
take_subscribe (Fixture *f)
{
  gint64 next;
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subscriptions, g_get_monotonic_time (), &next);

  g_assert_nonnull (request);
  g_assert_true (request->subscribe);
  return g_strdupv (request->channels);
}

static gboolean
has_request (Fixture *f, guint n_channels)
{
  g_autoptr (GPtrArray) channels = relay_subscriptions_list (f->subscriptions);

  return channels->len == n_channels;
}

static void
refuse_next (Fixture *f, const char *code)
{
  gint64 next;
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subscriptions, g_get_monotonic_time (), &next);

  g_assert_nonnull (request);
  relay_subscriptions_refused (f->subscriptions, request->id, "subscribe", code, "no such thing", g_get_monotonic_time (), 0.5);
}

static void
confirm (Fixture *f, const char *channel)
{
  relay_subscriptions_confirmed (f->subscriptions, (const char *const[]){ channel, NULL }, 1700000000000000);
}

/* ---- the caller's side ---- */

static sd_bus_message *
call_as (Fixture *f, const char *member, const char *a, const char *b)
{
  return bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, member, "as", b != NULL ? 2 : 1, a, b);
}

static void
assert_error (sd_bus_message *reply, const char *name)
{
  g_autoptr (sd_bus_message) own = reply;

  g_assert_cmpstr (bus_fixture_error (own), ==, name);
}

static void
assert_states (sd_bus_message *reply, const char *expected)
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

static sd_bus_slot *
start_as (Fixture *f, sd_bus_message **ret_reply, const char *member, const char *a, const char *b)
{
  return bus_fixture_call_async (&f->bus, f->bus.client, ret_reply, RELAY_OBJECT_PATH, RELAY_INTERFACE, member, "as",
                                 b != NULL ? 2 : 1, a, b);
}

static sd_bus_slot *
start_hold (Fixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *channel)
{
  return bus_fixture_call_async (&f->bus, bus, ret_reply, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, channel, 2,
                                 "app-id", "s", "org.example.App", "reason", "s", "to see");
}

/* ---- tests ---- */

static void
test_subscribe (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  g_auto (GStrv) asked = NULL;

  relay_subscriptions_connected (f->subscriptions);
  slot = start_as (f, &reply, "Subscribe", "project:a", "project:b");
  bus_fixture_wait (has_request (f, 2));
  asked = take_subscribe (f);
  g_assert_cmpuint (g_strv_length (asked), ==, 2);
  g_assert_null (reply);
  confirm (f, "project:a");
  confirm (f, "project:b");
  bus_fixture_wait (reply != NULL);
  assert_states (reply, "project:a=active project:b=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 2);

  /* Again: harmless, and answered without the server. */
  g_autoptr (sd_bus_message) again = call_as (f, "Subscribe", "project:b", "project:b");
  assert_states (again, "project:b=active ");

  g_autoptr (sd_bus_message) ended = call_as (f, "Unsubscribe", "project:a", NULL);
  g_assert_null (bus_fixture_error (ended));
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);
  assert_error (call_as (f, "Unsubscribe", "project:b", "project:a"), RELAY_BUS_ERROR_PREFIX "NotSubscribed");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL, mixed = NULL;
  g_autoptr (sd_bus_slot) slot = NULL, mixed_slot = NULL;

  relay_subscriptions_connected (f->subscriptions);
  slot = start_as (f, &reply, "Subscribe", "project:bad", NULL);
  bus_fixture_wait (has_request (f, 1));
  refuse_next (f, "INVALID_CHANNEL");
  bus_fixture_wait (reply != NULL);
  g_assert_cmpstr (bus_fixture_error (reply), ==, RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  g_assert_cmpstr (sd_bus_message_get_error (reply)->message, ==, "no such thing");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subscriptions), ==, 0);

  /* One of two: told apart, and only the good one is kept. */
  mixed_slot = start_as (f, &mixed, "Subscribe", "project:bad", "project:good");
  bus_fixture_wait (has_request (f, 2));
  g_strfreev (take_subscribe (f));
  confirm (f, "project:good");
  relay_subscriptions_refused (f->subscriptions, NULL, "subscribe", "SUBSCRIPTION_LIMIT", "full", g_get_monotonic_time (), 0.5);
  bus_fixture_wait (mixed != NULL);
  assert_states (mixed, "project:bad=rejected project:good=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_null (relay_subscriptions_lookup (f->subscriptions, "project:bad"));
}

static void
test_pending (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) offline = NULL, given_up = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;

  /* No answer is to be expected: none is waited for. */
  f->trying = FALSE;
  offline = call_as (f, "Subscribe", "project:a", NULL);
  assert_states (offline, "project:a=pending ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);

  /* One is expected at first, and then not any more. */
  f->trying = TRUE;
  slot = start_as (f, &given_up, "Subscribe", "project:b", NULL);
  bus_fixture_wait (has_request (f, 2));
  g_assert_null (given_up);
  f->trying = FALSE;
  relay_status_set_state (f->status, RELAY_STATE_OFFLINE);
  bus_fixture_wait (given_up != NULL);
  assert_states (given_up, "project:b=pending ");
}

static void
test_bad_arguments (Fixture *f, gconstpointer data)
{
  static const char *const bad[] = { "", "x", ":", "a:", ":b", "a b:c", "a:b c", "a:\xc3\xa4", "a:\n" };
  g_autofree char *too_long = g_strnfill (300, 'x');

  memcpy (too_long, "project:", 8);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    assert_error (call_as (f, "Subscribe", "project:fine", bad[i]), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
    assert_error (call_as (f, "Unsubscribe", bad[i], NULL), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  }
  assert_error (call_as (f, "Subscribe", too_long, NULL), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subscriptions), ==, 0);
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);

  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "a:b", 1,
                                  "app-id", "u", 7), "org.freedesktop.DBus.Error.InvalidArgs");
  g_free (too_long);
  too_long = g_strnfill (RELAY_SERVICE_REASON_MAX_BYTES + 1, 'r');
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "a:b", 1,
                                  "reason", "s", too_long), "org.freedesktop.DBus.Error.InvalidArgs");
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", 0),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
}

static void
test_holds (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) first = NULL, second = NULL, holders = NULL, released = NULL, others = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  const char *me, *owner, *app_id, *reason;
  guint32 cookie_1, cookie_2;
  GSource *other_source;
  sd_bus *other;

  relay_subscriptions_connected (f->subscriptions);
  slot = start_hold (f, f->bus.client, &first, "prp:1");
  bus_fixture_wait (has_request (f, 1));
  g_strfreev (take_subscribe (f));
  confirm (f, "prp:1");
  bus_fixture_wait (first != NULL);
  g_assert_cmpint (sd_bus_message_read (first, "u", &cookie_1), >, 0);
  g_assert_cmpuint (cookie_1, !=, 0);
  assert_states (first, "prp:1=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);

  holders = bus_fixture_call (&f->bus, f->bus.client, RELAY_CHANNEL_PATH_PREFIX "/prp_3a1", PROPERTIES, "Get", "ss",
                              RELAY_CHANNEL_INTERFACE, "Holders");
  g_assert_null (bus_fixture_error (holders));
  g_assert_cmpint (sd_bus_get_unique_name (f->bus.client, &me), >=, 0);
  g_assert_cmpint (sd_bus_message_enter_container (holders, 'v', "a(sss)"), >, 0);
  g_assert_cmpint (sd_bus_message_enter_container (holders, 'a', "(sss)"), >, 0);
  g_assert_cmpint (sd_bus_message_read (holders, "(sss)", &owner, &app_id, &reason), >, 0);
  g_assert_cmpstr (owner, ==, me);
  g_assert_cmpstr (app_id, ==, "org.example.App");
  g_assert_cmpstr (reason, ==, "to see");

  /* A second one of the same caller on the same channel is another hold. */
  g_clear_pointer (&slot, sd_bus_slot_unref);
  slot = start_hold (f, f->bus.client, &second, "prp:1");
  bus_fixture_wait (second != NULL);
  g_assert_cmpint (sd_bus_message_read (second, "u", &cookie_2), >, 0);
  g_assert_cmpuint (cookie_2, !=, cookie_1);

  /* Only the owner may release, and only once. */
  other = bus_fixture_connect (&f->bus, &other_source);
  assert_error (bus_fixture_call (&f->bus, other, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
  released = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1);
  g_assert_null (bus_fixture_error (released));
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
  g_assert_nonnull (relay_subscriptions_lookup (f->subscriptions, "prp:1"));

  /* Who leaves the bus holds nothing any more. */
  g_clear_pointer (&slot, sd_bus_slot_unref);
  slot = start_hold (f, other, &others, "prp:2");
  bus_fixture_wait (relay_subscriptions_lookup (f->subscriptions, "prp:2") != NULL);
  g_clear_pointer (&slot, sd_bus_slot_unref);
  bus_fixture_disconnect (other, other_source);
  bus_fixture_wait (relay_subscriptions_lookup (f->subscriptions, "prp:2") == NULL);
  g_assert_nonnull (relay_subscriptions_lookup (f->subscriptions, "prp:1"));
}

static void
test_limits (Fixture *f, gconstpointer data)
{
  RelayServiceOptions options = { 1, 3 };

  f->trying = FALSE;
  for (guint i = 0; i < 3; i++) {
    g_autoptr (sd_bus_message) reply = NULL;
    G_GNUC_UNUSED g_autoptr (sd_bus_slot) slot = start_hold (f, f->bus.client, &reply, "prp:1");

    bus_fixture_wait (reply != NULL);
    g_assert_null (bus_fixture_error (reply));
  }
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "prp:1", 0),
                "org.freedesktop.DBus.Error.LimitsExceeded");
  relay_service_configure (f->service, &options);
  assert_error (call_as (f, "Subscribe", "prp:1", "prp:2"), "org.freedesktop.DBus.Error.LimitsExceeded");
  relay_subscriptions_set_max_channels (f->subscriptions, 1);
  assert_error (call_as (f, "Subscribe", "prp:2", NULL), "org.freedesktop.DBus.Error.LimitsExceeded");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);
}

/* Waiting calls are bounded for each caller, and all are answered in the end. */
static void
test_many_calls (Fixture *f, gconstpointer data)
{
  enum { CALLS = RELAY_CALLS_MAX_PER_CLIENT + 10 };
  g_autofree sd_bus_message **replies = g_new0 (sd_bus_message *, CALLS);
  g_autofree sd_bus_slot **slots = g_new0 (sd_bus_slot *, CALLS);
  guint refused = 0, answered = 0;

  relay_subscriptions_connected (f->subscriptions);
  for (guint i = 0; i < CALLS; i++)
    slots[i] = start_as (f, &replies[i], "Subscribe", "project:x", NULL);
  bus_fixture_wait (replies[CALLS - 1] != NULL);
  g_strfreev (take_subscribe (f));
  confirm (f, "project:x");
  bus_fixture_wait (replies[0] != NULL);
  for (guint i = 0; i < CALLS; i++) {
    bus_fixture_wait (replies[i] != NULL);
    refused += g_strcmp0 (bus_fixture_error (replies[i]), "org.freedesktop.DBus.Error.LimitsExceeded") == 0;
    answered += bus_fixture_error (replies[i]) == NULL;
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
  g_assert_cmpuint (refused, ==, 10);
  g_assert_cmpuint (answered, ==, RELAY_CALLS_MAX_PER_CLIENT);
}

static void
test_connection_methods (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) rtt = NULL;
  guint64 usec;
  static const char *const plain[] = { "Connect", "Disconnect", "Reload" };

  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++) {
    g_autoptr (sd_bus_message) reply = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, plain[i], "");

    g_assert_null (bus_fixture_error (reply));
  }
  g_assert_cmpuint (f->connects, ==, 1);
  g_assert_cmpuint (f->disconnects, ==, 1);
  g_assert_cmpuint (f->reloads, ==, 1);

  rtt = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Ping", "");
  g_assert_cmpint (sd_bus_message_read (rtt, "t", &usec), >, 0);
  g_assert_cmpuint (usec, ==, 1234);

  f->trying = FALSE;
  f->reload_fails = TRUE;
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Ping", ""),
                RELAY_BUS_ERROR_PREFIX "NotConnected");
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Reload", ""),
                RELAY_BUS_ERROR_PREFIX "Configuration");
}

/* Every property can be read; what changes in one turn is told in one signal. */
static void
test_properties (Fixture *f, gconstpointer data)
{
  static const char *const features[] = { "subscribe", "heartbeat", NULL };
  g_autoptr (sd_bus_message) all = NULL, state = NULL;
  const char *name, *value;
  guint n = 0;

  relay_status_set_state (f->status, RELAY_STATE_CONNECTED);
  relay_status_set_error (f->status, "X", "Y");
  relay_status_set_error (f->status, "", "");
  relay_status_set_server (f->status, "conn_1", "1.0.0", features);
  relay_status_set_url (f->status, "ws://localhost/");
  bus_fixture_wait (f->n_changes == 1);

  all = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, PROPERTIES, "GetAll", "s", RELAY_INTERFACE);
  g_assert_null (bus_fixture_error (all));
  g_assert_cmpint (sd_bus_message_enter_container (all, 'a', "{sv}"), >, 0);
  while (sd_bus_message_enter_container (all, 'e', "sv") > 0) {
    g_assert_cmpint (sd_bus_message_read (all, "s", &name), >, 0);
    g_assert_cmpint (sd_bus_message_skip (all, "v"), >, 0);
    g_assert_cmpint (sd_bus_message_exit_container (all), >=, 0);
    n++;
  }
  g_assert_cmpuint (n, ==, 18);
  state = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, PROPERTIES, "Get", "ss", RELAY_INTERFACE, "State");
  g_assert_cmpint (sd_bus_message_read (state, "v", "s", &value), >, 0);
  g_assert_cmpstr (value, ==, "connected");
  g_assert_cmpuint (f->n_changes, ==, 1);
}

static void
test_channel_objects (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) managed = NULL;
  const char *path;

  relay_subscriptions_set_durable (f->subscriptions, "project:a b", FALSE);
  relay_subscriptions_set_durable (f->subscriptions, "project:a/b", TRUE);
  bus_fixture_wait (f->n_added == 1);

  managed = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                              "GetManagedObjects", "");
  g_assert_null (bus_fixture_error (managed));
  g_assert_cmpint (sd_bus_message_enter_container (managed, 'a', "{oa{sa{sv}}}"), >, 0);
  g_assert_cmpint (sd_bus_message_enter_container (managed, 'e', "oa{sa{sv}}"), >, 0);
  g_assert_cmpint (sd_bus_message_read (managed, "o", &path), >, 0);
  g_assert_cmpstr (path, ==, RELAY_CHANNEL_PATH_PREFIX "/project_3aa_2fb");

  /* Told: confirmed, then gone. Not told: one that came and went within a turn. */
  relay_subscriptions_connected (f->subscriptions);
  g_strfreev (take_subscribe (f));
  confirm (f, "project:a/b");
  bus_fixture_wait (f->n_changes == 1);
  relay_subscriptions_hold (f->subscriptions, "project:short");
  relay_subscriptions_release (f->subscriptions, "project:short");
  relay_subscriptions_set_durable (f->subscriptions, "project:a/b", FALSE);
  bus_fixture_wait (f->n_removed == 1);
  g_assert_cmpuint (f->n_added, ==, 1);
  assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_CHANNEL_PATH_PREFIX "/project_3aa_2fb", PROPERTIES, "Get", "ss",
                                  RELAY_CHANNEL_INTERFACE, "Name"), "org.freedesktop.DBus.Error.UnknownObject");
}

/* A bus that takes nothing: the source of events is told to rest, nothing is lost, and calls are answered after it. */
static void
test_congestion (Fixture *f, gconstpointer data)
{
  enum { EVENTS = 20000 };
  const char *text = "{\"type\":\"n\",\"data\":{\"k\":\"a value that is repeated often enough to fill a socket\"}}";
  RelayJsonReader reader = { 0 };
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &reader, text, strlen (text), NULL));
  for (guint i = 0; i < EVENTS; i++) {
    event.sequence = i + 1;
    relay_service_emit (f->service, &event);
  }
  g_assert_true (f->congested);
  g_assert_cmpuint (f->congestions, ==, 1);
  g_assert_false (relay_service_is_flushed (f->service));
  while (f->congested) {
    g_main_context_iteration (NULL, TRUE);
    relay_service_bus_turned (f->service);
  }
  g_assert_true (relay_service_is_flushed (f->service));
  bus_fixture_wait (f->n_signals == EVENTS);
  g_assert_cmpuint (f->status->events_emitted, ==, EVENTS);
  relay_json_reader_clear (&reader);
}

#define ADD(name, function) g_test_add ("/service/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("subscribe", test_subscribe);
  ADD ("refused", test_refused);
  ADD ("pending", test_pending);
  ADD ("bad-arguments", test_bad_arguments);
  ADD ("holds", test_holds);
  ADD ("limits", test_limits);
  ADD ("many-calls", test_many_calls);
  ADD ("connection-methods", test_connection_methods);
  ADD ("properties", test_properties);
  ADD ("channel-objects", test_channel_objects);
  ADD ("congestion", test_congestion);
  return g_test_run ();
}
