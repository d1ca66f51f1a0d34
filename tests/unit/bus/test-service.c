/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include <string.h>

#include "common/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

static void
test_bad_arguments (ServiceFixture *f, gconstpointer data)
{
  static const char *const bad[] = { "", "x", ":", "a:", ":b", "a b:c", "a:b c", "a:\xc3\xa4", "a:\n" };
  g_autofree char *too_long = g_strnfill (300, 'x');

  memcpy (too_long, "project:", 8);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    service_fixture_assert_error (service_fixture_call_as (f, "Subscribe", "project:fine", bad[i]), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
    service_fixture_assert_error (service_fixture_call_as (f, "Unsubscribe", bad[i], NULL), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  }
  service_fixture_assert_error (service_fixture_call_as (f, "Subscribe", too_long, NULL), RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subscriptions), ==, 0);
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);

  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "a:b", 1,
                                  "app-id", "u", 7), "org.freedesktop.DBus.Error.InvalidArgs");
  g_free (too_long);
  too_long = g_strnfill (RELAY_SERVICE_REASON_MAX_BYTES + 1, 'r');
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "a:b", 1,
                                  "reason", "s", too_long), "org.freedesktop.DBus.Error.InvalidArgs");
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", 0),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
}

static void
test_connection_methods (ServiceFixture *f, gconstpointer data)
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
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Ping", ""),
                RELAY_BUS_ERROR_PREFIX "NotConnected");
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Reload", ""),
                RELAY_BUS_ERROR_PREFIX "Configuration");
}

static void
test_properties (ServiceFixture *f, gconstpointer data)
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
  g_assert_cmpuint (n, ==, 19);
  state = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, PROPERTIES, "Get", "ss", RELAY_INTERFACE, "State");
  g_assert_cmpint (sd_bus_message_read (state, "v", "s", &value), >, 0);
  g_assert_cmpstr (value, ==, "connected");
  g_assert_cmpuint (f->n_changes, ==, 1);
}

static void
test_congestion (ServiceFixture *f, gconstpointer data)
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
  /* Held until they are released, and held is not flushed. */
  g_assert_false (f->congested);
  g_assert_false (relay_service_is_flushed (f->service));
  g_assert_cmpuint (f->status->events_emitted, ==, 0);
  relay_service_release (f->service);
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

#define ADD(name, function)                                                                                  \
  g_test_add ("/service/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("bad-arguments", test_bad_arguments);
  ADD ("connection-methods", test_connection_methods);
  ADD ("properties", test_properties);
  ADD ("congestion", test_congestion);
  return g_test_run ();
}
