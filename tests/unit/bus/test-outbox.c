/* SPDX-License-Identifier: MIT */
#include "bus/outbox.h"

#include <string.h>
#include <sys/socket.h>

#include "../bus-fixture.h"
#include "common/names.h"

typedef struct {
  BusFixture bus;
  RelayStatus *status;
  RelayOutbox *outbox;
  RelayJsonReader reader;
  gboolean congested;
  guint congestions;
  GString *heard; /* numbers of what the client heard, in order */
} Fixture;

static void
on_congested (gboolean congested, gpointer user_data)
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
  guint64 sequence = 0;
  const char *key;

  if (sd_bus_message_is_signal (m, NULL, "Gap")) {
    g_assert_cmpint (sd_bus_message_skip (m, "ttsas"), >=, 0);
    g_assert_cmpint (sd_bus_message_read (m, "t", &sequence), >, 0);
  } else {
    g_assert_cmpint (sd_bus_message_skip (m, "s"), >=, 0);
    g_assert_cmpint (sd_bus_message_enter_container (m, 'a', "{sv}"), >, 0);
    g_assert_cmpint (sd_bus_message_read (m, "{sv}", &key, "t", &sequence), >, 0);
    g_assert_cmpstr (key, ==, "sequence");
  }
  g_string_append_printf (f->heard, "%" G_GUINT64_FORMAT " ", sequence);
  return 0;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  const char *name;

  bus_fixture_set_up (&f->bus);
  /* Waits for the answer to Hello: nothing else is on its way then. */
  g_assert_cmpint (sd_bus_get_unique_name (f->bus.server, &name), >=, 0);
  f->status = relay_status_new ();
  f->outbox = relay_outbox_new (f->bus.server, f->status, on_congested, f);
  f->heard = g_string_new (NULL);
  g_assert_cmpint (sd_bus_add_match (f->bus.client, NULL, "type='signal',path='" RELAY_OBJECT_PATH "'", on_signal, f), >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_outbox_free (f->outbox);
  relay_status_free (f->status);
  relay_json_reader_clear (&f->reader);
  g_string_free (f->heard, TRUE);
  bus_fixture_tear_down (&f->bus);
}

static void
add (Fixture *f, guint64 sequence, const char *text)
{
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &f->reader, text, strlen (text), NULL));
  event.sequence = sequence;
  relay_outbox_add (f->outbox, &event);
}

/* A call that goes through the bus: what was sent before it has been heard. */
static void
settle (Fixture *f)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_message) call = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;

  g_assert_cmpint (sd_bus_message_new_method_call (f->bus.server, &call, "org.freedesktop.DBus", "/", "x.y", "Z"), >=, 0);
  slot = bus_fixture_send (f->bus.server, call, &reply);
  bus_fixture_wait (reply != NULL);
}

/* Nothing leaves before the release; then all of it does, a gap in its place. */
static void
test_order (Fixture *f, gconstpointer data)
{
  static const char *const channels[] = { "project:a", "project:b", NULL };
  RelayGap gap = { 5, 6, RELAY_GAP_CAUSE_RESTARTED, (char **) channels, 2 };

  g_assert_true (relay_outbox_is_empty (f->outbox));
  add (f, 1, "{\"type\":\"a.b\"}");
  relay_outbox_add_gap (f->outbox, &gap);
  add (f, 3, "{\"type\":\"a.b\",\"data\":{}}");
  g_assert_false (relay_outbox_is_empty (f->outbox));
  g_assert_true (relay_outbox_is_written (f->outbox));
  settle (f);
  g_assert_cmpstr (f->heard->str, ==, "");
  g_assert_cmpuint (f->status->events_emitted, ==, 0);

  relay_outbox_release (f->outbox);
  g_assert_cmpuint (f->status->events_emitted, ==, 2); /* a gap is none */
  bus_fixture_wait (g_str_equal (f->heard->str, "1 2 3 "));
  g_assert_true (relay_outbox_bus_turned (f->outbox));
  g_assert_true (relay_outbox_is_empty (f->outbox));

  relay_outbox_release (f->outbox);
  add (f, 4, "{\"type\":\"a.b\"}");
  relay_outbox_release (f->outbox);
  bus_fixture_wait (g_str_equal (f->heard->str, "1 2 3 4 "));
  g_assert_cmpuint (f->congestions, ==, 0);
}

/* More than the bus takes at once: its owner is told at the release, and again when it is written. */
static void
test_congestion (Fixture *f, gconstpointer data)
{
  enum { EVENTS = 20, EVENT_BYTES = 1024 * 1024, BUFFER_BYTES = 64 * 1024 };
  g_autofree char *filling = g_strnfill (EVENT_BYTES, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"a.b\",\"data\":{\"k\":\"%s\"}}", filling);
  g_autoptr (GString) expected = g_string_new (NULL);

  g_assert_cmpint (setsockopt (sd_bus_get_fd (f->bus.server), SOL_SOCKET, SO_SNDBUF, &(int){ BUFFER_BYTES }, sizeof (int)),
                   ==, 0);
  for (guint i = 1; i <= EVENTS; i++) {
    add (f, i, text);
    g_string_append_printf (expected, "%u ", i);
  }
  g_assert_false (f->congested);
  relay_outbox_release (f->outbox);
  g_assert_true (f->congested);
  g_assert_false (relay_outbox_is_written (f->outbox));
  while (f->congested) {
    g_main_context_iteration (NULL, TRUE);
    relay_outbox_bus_turned (f->outbox);
  }
  g_assert_true (relay_outbox_is_empty (f->outbox));
  bus_fixture_wait (f->heard->len >= expected->len);
  g_assert_cmpstr (f->heard->str, ==, expected->str);
  g_assert_cmpuint (f->congestions, ==, 1);
  g_assert_cmpuint (f->status->events_emitted, ==, EVENTS);
}

/* Held for ever: freed with the rest. */
static void
test_end (Fixture *f, gconstpointer data)
{
  add (f, 1, "{\"type\":\"a.b\"}");
  relay_outbox_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/bus/outbox/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("order", test_order);
  ADD ("congestion", test_congestion);
  ADD ("end", test_end);
  return g_test_run ();
}
