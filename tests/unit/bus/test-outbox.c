/* SPDX-License-Identifier: MIT */
#include "bus/outbox.h"

#include <string.h>
#include <sys/socket.h>

#include "../bus-fixture.h"
#include "bus/bulk-write.h"
#include "common/names.h"
#include "wire-fixture.h"

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

/* ---- a peer that reads as it likes ---- */

typedef struct {
  WireFixture wire;
  GSource *source;
  RelayStatus *status;
  RelayOutbox *outbox;
  RelayJsonReader reader;
  gboolean congested, failed;
  GByteArray *heard;
} Pressed;

static void
pressed_on_congested (gboolean congested, gpointer user_data)
{
  Pressed *p = user_data;

  p->congested = congested;
}

static void
pressed_on_failed (int error, gpointer user_data)
{
  Pressed *p = user_data;

  p->failed = TRUE;
}

static void
pressed_on_turned (gpointer user_data)
{
  Pressed *p = user_data;

  relay_outbox_bus_turned (p->outbox);
}

static gboolean
pressed_wants_write (gpointer user_data)
{
  Pressed *p = user_data;

  return relay_outbox_wants_write (p->outbox);
}

static void
pressed_set_up (Pressed *p, gconstpointer data)
{
  static const RelayBusSourceEvents events = { .failed = pressed_on_failed,
                                               .turned = pressed_on_turned,
                                               .wants_write = pressed_wants_write };

  wire_fixture_set_up (&p->wire);
  p->status = relay_status_new ();
  p->outbox = relay_outbox_new (p->wire.bus, p->status, pressed_on_congested, p);
  p->source = relay_bus_source_new (p->wire.bus, &events, p);
  g_source_attach (p->source, NULL);
  p->heard = g_byte_array_new ();
}

static void
pressed_set_buffer (Pressed *p, int bytes)
{
  g_assert_cmpint (setsockopt (sd_bus_get_fd (p->wire.bus), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), ==, 0);
}

static void
pressed_tear_down (Pressed *p, gconstpointer data)
{
  g_source_destroy (p->source);
  g_source_unref (p->source);
  relay_outbox_free (p->outbox);
  relay_status_free (p->status);
  relay_json_reader_clear (&p->reader);
  g_byte_array_unref (p->heard);
  wire_fixture_tear_down (&p->wire);
}

static void
pressed_add (Pressed *p, guint64 sequence, gsize bytes)
{
  g_autofree char *filling = g_strnfill (bytes, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"a.b\",\"data\":{\"k\":\"%s\"}}", filling);
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &p->reader, text, strlen (text), NULL));
  event.sequence = sequence;
  relay_outbox_add (p->outbox, &event);
}

static void
pressed_read (Pressed *p, gsize bytes)
{
  g_autofree guint8 *buffer = g_malloc (bytes);
  gssize n = recv (p->wire.peer, buffer, bytes, MSG_DONTWAIT);

  if (n > 0)
    g_byte_array_append (p->heard, buffer, (guint) n);
}

/* What sd-bus sends of its own. */
static void
pressed_send (Pressed *p, guint64 number, gsize bytes)
{
  g_autofree char *filling = g_strnfill (bytes, 'y');
  g_autoptr (sd_bus_message) message = NULL;

  g_assert_cmpint (sd_bus_message_new_signal (p->wire.bus, &message, "/a", "a.b", "C"), >=, 0);
  g_assert_cmpint (sd_bus_message_append (message, "ts", number, filling), >=, 0);
  g_assert_cmpint (sd_bus_send (p->wire.bus, message, NULL), >=, 0);
  relay_outbox_check (p->outbox);
}

static guint32
get_uint32 (const GByteArray *bytes, gsize at)
{
  guint32 value;

  g_assert_cmpuint (at + sizeof value, <=, bytes->len);
  memcpy (&value, bytes->data + at, sizeof value);
  return value;
}

static guint64
get_uint64 (const GByteArray *bytes, gsize at)
{
  guint64 value;

  g_assert_cmpuint (at + sizeof value, <=, bytes->len);
  memcpy (&value, bytes->data + at, sizeof value);
  return value;
}

/* Every byte that was heard belongs to a whole message; of either kind they came in order. */
static void
pressed_check (Pressed *p, guint64 n_events, guint64 n_others)
{
  /* In the body of OtherEvent behind "a.b", the array, "sequence" and the variant's signature. */
  enum { FIXED_BYTES = 16, SEQUENCE_AT = 32 };
  guint64 events = 0, others = 0;
  gsize at = 0;

  while (at < p->heard->len) {
    guint32 body_bytes = get_uint32 (p->heard, at + 4), serial = get_uint32 (p->heard, at + 8);
    gsize body = at + FIXED_BYTES + ((get_uint32 (p->heard, at + 12) + 7) & ~7u);

    g_assert_cmpmem (p->heard->data + at, 4, ((const guint8[]){ G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B', 4, 1, 1 }), 4);
    g_assert_cmpuint (serial, !=, 0);
    if (memmem (p->heard->data + at, body - at, RELAY_EVENTS_INTERFACE, strlen (RELAY_EVENTS_INTERFACE)) != NULL)
      g_assert_cmpuint (get_uint64 (p->heard, body + SEQUENCE_AT), ==, ++events);
    else
      g_assert_cmpuint (get_uint64 (p->heard, body), ==, ++others);
    at = body + body_bytes;
  }
  g_assert_cmpuint (at, ==, p->heard->len);
  g_assert_cmpuint (events, ==, n_events);
  g_assert_cmpuint (others, ==, n_others);
  g_assert_cmpuint (p->status->events_emitted, ==, n_events);
}

/* Events of all sizes, sd-bus's own messages among them, a peer that reads a little now and then, socket buffers of all sizes:
 * not a byte is out of place. */
static void
test_pressed (Pressed *p, gconstpointer data)
{
  const guint rounds = g_test_quick () ? 3000 : 30000;
  guint64 n_events = 0, n_others = 0;
  guint congestions = 0;
  GRand *rand = g_rand_new_with_seed (11);

  for (guint i = 0; i < rounds; i++) {
    if (i % 50 == 0 && relay_outbox_is_empty (p->outbox))
      pressed_set_buffer (p, 1 << g_rand_int_range (rand, 10, 19));
    /* As the relay does, whose WebSocket is not read while the bus takes no more. */
    if (!p->congested)
      for (gint32 n = g_rand_int_range (rand, 0, 40); n > 0; n--)
        pressed_add (p, ++n_events, g_rand_int_range (rand, 0, 100) == 0 ? 100000 : (gsize) g_rand_int_range (rand, 0, 600));
    if (g_rand_int_range (rand, 0, 4) == 0)
      pressed_send (p, ++n_others, g_rand_int_range (rand, 0, 10) == 0 ? 50000 : 10);
    if (g_rand_int_range (rand, 0, 3) > 0)
      relay_outbox_release (p->outbox);
    congestions += p->congested;
    for (gint32 n = g_rand_int_range (rand, 0, 4); n > 0; n--)
      g_main_context_iteration (NULL, FALSE);
    pressed_read (p, (gsize) g_rand_int_range (rand, 1, 64 * 1024));
  }
  relay_outbox_release (p->outbox);
  while (!relay_outbox_is_empty (p->outbox)) {
    pressed_read (p, 64 * 1024);
    g_main_context_iteration (NULL, FALSE);
  }
  for (guint before = G_MAXUINT; before != p->heard->len;) {
    before = p->heard->len;
    pressed_read (p, 1024 * 1024);
  }
  g_assert_false (p->failed);
  g_assert_cmpuint (congestions, >, rounds / 10);
  pressed_check (p, n_events, n_others);
  g_rand_free (rand);
}

/* One write for many events, and one that waits is taken up as soon as there is room, with no help but the loop's. */
static void
test_resumed (Pressed *p, gconstpointer data)
{
  enum { EVENTS = 5000 };

  pressed_set_buffer (p, 64 * 1024);
  for (guint i = 1; i <= EVENTS; i++)
    pressed_add (p, i, 300);
  relay_outbox_release (p->outbox);
  g_assert_true (p->congested);
  g_assert_true (relay_outbox_wants_write (p->outbox));
  g_assert_false (relay_outbox_is_written (p->outbox));
  g_assert_cmpuint (p->status->events_emitted, <, EVENTS);
  while (p->congested) {
    pressed_read (p, 1024 * 1024);
    g_main_context_iteration (NULL, TRUE);
  }
  g_assert_true (relay_outbox_is_empty (p->outbox));
  g_assert_false (relay_outbox_wants_write (p->outbox));
  pressed_read (p, 1024 * 1024);
  pressed_check (p, EVENTS, 0);
}

/* The bus goes while things wait for it: whoever watches it is told, and nothing is left to wait for. */
static void
test_bus_lost (Pressed *p, gconstpointer data)
{
  pressed_set_buffer (p, 64 * 1024);
  for (guint i = 1; i <= 5000; i++)
    pressed_add (p, i, 300);
  relay_outbox_release (p->outbox);
  g_assert_true (p->congested);
  g_assert_cmpint (shutdown (p->wire.peer, SHUT_RDWR), ==, 0);
  while (!p->failed)
    g_main_context_iteration (NULL, TRUE);
  relay_outbox_bus_turned (p->outbox);
  g_assert_false (relay_outbox_wants_write (p->outbox));
  g_assert_true (relay_outbox_is_empty (p->outbox));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/bus/outbox/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("order", test_order);
  ADD ("congestion", test_congestion);
  ADD ("end", test_end);
#undef ADD
#define ADD(path, function) g_test_add ("/bus/outbox/" path, Pressed, NULL, pressed_set_up, function, pressed_tear_down)
  ADD ("pressed", test_pressed);
  ADD ("resumed", test_resumed);
  ADD ("bus-lost", test_bus_lost);
  return g_test_run ();
}
