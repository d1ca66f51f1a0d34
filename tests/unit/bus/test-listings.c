/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include <string.h>

#include "bus/listings.h"
#include "common/names.h"

#define LIST "ListEvents", "tua{sv}"

static sd_bus_slot *
start (ServiceFixture *f, sd_bus *bus, sd_bus_message **ret_reply, guint64 after, guint limit, gboolean newest)
{
  return bus_fixture_call_async (&f->bus, bus, ret_reply, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, LIST, after, limit, 1,
                                 "newest", "b", newest);
}

/* The answer as "1 2 3; 3 more", or "1 2 3; 3" without more. */
static char *
read_answer (sd_bus_message *reply)
{
  GString *answer = g_string_new (NULL);
  guint64 sequence;
  const char *key;
  int more;

  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "a{sv}"), >, 0);
  while (sd_bus_message_enter_container (reply, 'a', "{sv}") > 0) {
    g_assert_cmpint (sd_bus_message_read (reply, "{sv}", &key, "t", &sequence), >, 0);
    g_assert_cmpstr (key, ==, "sequence");
    g_string_append_printf (answer, "%s%" G_GUINT64_FORMAT, answer->len > 0 ? " " : "", sequence);
    while (sd_bus_message_skip (reply, "{sv}") > 0)
      ;
    g_assert_cmpint (sd_bus_message_exit_container (reply), >=, 0);
  }
  g_assert_cmpint (sd_bus_message_exit_container (reply), >=, 0);
  g_assert_cmpint (sd_bus_message_read (reply, "tb", &sequence, &more), >, 0);
  g_string_append_printf (answer, "; %" G_GUINT64_FORMAT "%s", sequence, more ? " more" : "");
  return g_string_free (answer, FALSE);
}

static void
expect (ServiceFixture *f, guint64 after, guint limit, gboolean newest, const char *expected)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  g_autofree char *answer = NULL;

  slot = start (f, f->bus.client, &reply, after, limit, newest);
  bus_fixture_wait (reply != NULL);
  answer = read_answer (reply);
  g_assert_cmpstr (answer, ==, expected);
}

static void
add_many (ServiceFixture *f, guint n)
{
  for (guint i = 0; i < n; i++)
    service_fixture_add_event (f, i % 2 == 0 ? "{\"type\":\"prp.updated\",\"data\":{\"id\":\"p\"}}" : "{\"type\":\"x.y\"}");
}

/* The position after an answer, and whether there is more: at the end, at the limit, at both, in an empty history. */
static void
test_positions (ServiceFixture *f, gconstpointer data)
{
  expect (f, 0, 0, FALSE, "; 0");
  expect (f, 0, 0, TRUE, "; 0");
  add_many (f, 5);
  expect (f, 0, 0, FALSE, "1 2 3 4 5; 5");
  expect (f, 0, 2, FALSE, "1 2; 2 more");
  expect (f, 2, 2, FALSE, "3 4; 4 more");
  expect (f, 4, 2, FALSE, "5; 5");
  expect (f, 5, 2, FALSE, "; 5");
  expect (f, 0, 5, FALSE, "1 2 3 4 5; 5");
  expect (f, 99, 2, FALSE, "; 5");

  expect (f, 0, 0, TRUE, "1 2 3 4 5; 5");
  expect (f, 0, 2, TRUE, "4 5; 5 more");
  expect (f, 3, 2, TRUE, "4 5; 5 more");
  expect (f, 4, 2, TRUE, "5; 5");
  expect (f, 5, 2, TRUE, "; 5");
  expect (f, 99, 2, TRUE, "; 5");
}

static char *
list_types (ServiceFixture *f, guint limit, gboolean newest)
{
  g_autoptr (sd_bus_message) reply =
    bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, LIST, (guint64) 0, limit, 2, "types",
                      "as", 1, "prp.*", "newest", "b", newest);

  return read_answer (reply);
}

/* With a filter the position is the last event only where the limit was reached. Many steps, of few rows. */
static void
test_filter (ServiceFixture *f, gconstpointer data)
{
  g_autofree char *all = NULL, *some = NULL, *last = NULL;

  f->scan_rows = 1;
  add_many (f, 8);
  all = list_types (f, 0, FALSE);
  g_assert_cmpstr (all, ==, "1 3 5 7; 8");
  g_assert_cmpuint (f->n_scans, ==, 9);
  some = list_types (f, 3, FALSE);
  g_assert_cmpstr (some, ==, "1 3 5; 5 more");
  last = list_types (f, 3, TRUE);
  g_assert_cmpstr (last, ==, "3 5 7; 8 more");
}

/* No answer has more events than it may have, whatever is asked for. */
static void
test_most_events (ServiceFixture *f, gconstpointer data)
{
  static const guint limits[] = { 0, RELAY_LISTINGS_MAX_EVENTS, RELAY_LISTINGS_MAX_EVENTS + 1, G_MAXUINT };

  f->scan_rows = 10000;
  add_many (f, 2 * RELAY_LISTINGS_MAX_EVENTS + 1);
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    for (guint newest = 0; newest < 2; newest++) {
      g_autoptr (sd_bus_message) reply = NULL;
      g_autoptr (sd_bus_slot) slot = NULL;
      g_autofree char *answer = NULL;
      g_auto (GStrv) numbers = NULL;

      slot = start (f, f->bus.client, &reply, 0, limits[i], newest != 0);
      bus_fixture_wait (reply != NULL);
      answer = read_answer (reply);
      g_assert_true (g_str_has_prefix (answer, newest ? "1002 1003 " : "1 2 "));
      g_assert_true (g_str_has_suffix (answer, newest ? " 2000 2001; 2001 more" : " 999 1000; 1000 more"));
      numbers = g_strsplit (answer, " ", -1);
      g_assert_cmpuint (g_strv_length (numbers), ==, RELAY_LISTINGS_MAX_EVENTS + 2);
    }
}

static void
add_big (ServiceFixture *f, guint n, gsize length)
{
  g_autofree char *filling = g_strnfill (length, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"x.y\",\"data\":{\"k\":\"%s\"}}", filling);

  for (guint i = 0; i < n; i++)
    service_fixture_add_event (f, text);
}

/* An answer ends before the event with which it would be too long; one event always fits. A step adds one of these. */
static void
test_bytes (ServiceFixture *f, gconstpointer data)
{
  add_big (f, 10, 1024 * 1024);
  expect (f, 0, 0, FALSE, "1 2 3 4 5 6 7; 7 more");
  g_assert_cmpuint (f->n_scans, ==, 7);
  expect (f, 7, 0, FALSE, "8 9 10; 10");
  expect (f, 0, 0, TRUE, "4 5 6 7 8 9 10; 10 more");
  add_big (f, 2, RELAY_LISTINGS_MAX_BYTES + 1);
  expect (f, 10, 0, FALSE, "11; 11 more");
  expect (f, 11, 0, FALSE, "12; 12");
  expect (f, 10, 0, TRUE, "12; 12 more");
}

/* What comes while an answer is put together is in it, but not with `newest`, whose end was fixed at its start. */
static void
test_meanwhile (ServiceFixture *f, gconstpointer data)
{
  for (guint newest = 0; newest < 2; newest++) {
    g_autoptr (sd_bus_message) reply = NULL;
    g_autoptr (sd_bus_slot) slot = NULL;
    g_autofree char *answer = NULL;

    g_ptr_array_set_size (f->history, 0);
    f->scan_rows = 1;
    f->n_scans = 0;
    add_many (f, 4);
    slot = start (f, f->bus.client, &reply, 0, 0, newest != 0);
    bus_fixture_wait (f->n_scans == 2);
    g_assert_null (reply);
    add_many (f, 1);
    bus_fixture_wait (reply != NULL);
    answer = read_answer (reply);
    g_assert_cmpstr (answer, ==, newest ? "1 2 3 4; 4" : "1 2 3 4 5; 5");
  }
}

/* A call that goes to the bus and back: what was sent before it is on its way to the service. */
static void
settle (sd_bus *bus)
{
  g_autoptr (sd_bus_message) reply = NULL;

  g_assert_cmpint (sd_bus_call_method (bus, "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", NULL, &reply, ""), >=, 0);
}

/* Sixteen wait for a caller, one of them at work; answered in order. Another caller does not wait for them. */
static void
test_many_calls (ServiceFixture *f, gconstpointer data)
{
  enum { CALLS = RELAY_LISTINGS_MAX_PER_CLIENT };
  sd_bus_message *replies[CALLS + 1] = { NULL }, *other = NULL;
  sd_bus_slot *slots[CALLS + 1];
  g_autoptr (sd_bus_slot) other_slot = NULL;
  guint64 last_cookie = 0, cookie;
  GSource *source;
  sd_bus *bus = bus_fixture_connect (&f->bus, &source);

  f->newest_stalls = TRUE;
  add_many (f, 5);
  for (guint i = 0; i <= CALLS; i++)
    slots[i] = start (f, f->bus.client, &replies[i], 0, 0, TRUE);
  bus_fixture_wait (replies[CALLS] != NULL);
  g_assert_cmpstr (bus_fixture_error (replies[CALLS]), ==, "org.freedesktop.DBus.Error.LimitsExceeded");

  other_slot = start (f, bus, &other, 0, 0, FALSE);
  bus_fixture_wait (other != NULL);
  g_assert_null (bus_fixture_error (other));
  g_assert_null (replies[0]);
  f->newest_stalls = FALSE;
  for (guint i = 0; i < CALLS; i++) {
    g_autofree char *answer = NULL;

    bus_fixture_wait (replies[i] != NULL);
    g_assert_cmpint (sd_bus_message_get_cookie (replies[i], &cookie), >=, 0);
    g_assert_cmpuint (cookie, >, last_cookie);
    last_cookie = cookie;
    answer = read_answer (replies[i]);
    g_assert_cmpstr (answer, ==, "1 2 3 4 5; 5");
  }
  for (guint i = 0; i <= CALLS; i++) {
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
  sd_bus_message_unref (other);
  bus_fixture_disconnect (bus, source);
}

/* Of all callers, sixty-four. Those that leave make room. */
static void
test_callers (ServiceFixture *f, gconstpointer data)
{
  enum { CALLERS = RELAY_LISTINGS_MAX / RELAY_LISTINGS_MAX_PER_CLIENT };
  sd_bus *buses[CALLERS];
  GSource *sources[CALLERS];
  sd_bus_message *replies[RELAY_LISTINGS_MAX], *more = NULL;
  sd_bus_slot *slots[RELAY_LISTINGS_MAX];

  f->newest_stalls = TRUE;
  add_many (f, 5);
  for (guint i = 0; i < CALLERS; i++)
    buses[i] = bus_fixture_connect (&f->bus, &sources[i]);
  for (guint i = 0; i < RELAY_LISTINGS_MAX; i++)
    slots[i] = start (f, buses[i % CALLERS], &replies[i], 0, 0, TRUE);
  for (guint i = 0; i < CALLERS; i++)
    settle (buses[i]);
  more = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, LIST, (guint64) 0, 0, 0);
  g_assert_cmpstr (bus_fixture_error (more), ==, "org.freedesktop.DBus.Error.LimitsExceeded");

  for (guint i = 0; i < RELAY_LISTINGS_MAX; i++) {
    sd_bus_slot_unref (slots[i]);
    g_assert_null (replies[i]);
  }
  for (guint i = 0; i < CALLERS; i++)
    bus_fixture_disconnect (buses[i], sources[i]);
  /* None of their calls is worked at any more, though nobody calls: there is nothing to do. */
  bus_fixture_wait (!g_main_context_pending (NULL));
  while (bus_fixture_error (more) != NULL) {
    sd_bus_message_unref (more);
    more = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, LIST, (guint64) 0, 0, 0);
  }
  sd_bus_message_unref (more);

  /* Nothing more is looked up for them. */
  expect (f, 0, 0, FALSE, "1 2 3 4 5; 5");
  f->n_scans = 0;
  expect (f, 0, 0, FALSE, "1 2 3 4 5; 5");
  g_assert_cmpuint (f->n_scans, ==, 1);
}

static void
test_failure (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;

  add_many (f, 1);
  f->history_fails = TRUE;
  slot = start (f, f->bus.client, &reply, 0, 0, FALSE);
  bus_fixture_wait (reply != NULL);
  g_assert_cmpstr (bus_fixture_error (reply), ==, "org.freedesktop.DBus.Error.IOError");
  f->history_fails = FALSE;
  expect (f, 0, 0, FALSE, "1; 1");
}

/* The end of the service, in the middle of all this. */
static void
test_end (ServiceFixture *f, gconstpointer data)
{
  sd_bus_message *replies[4];
  sd_bus_slot *slots[4];

  f->scan_rows = 1;
  add_many (f, 1000);
  for (guint i = 0; i < 4; i++)
    slots[i] = start (f, f->bus.client, &replies[i], 0, 0, i % 2 == 0);
  bus_fixture_wait (f->n_scans > 10);
  for (guint i = 0; i < 4; i++) {
    g_assert_null (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
  relay_listings_free (NULL);
}

#define ADD(name, function)                                                                                  \
  g_test_add ("/bus/listings/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("positions", test_positions);
  ADD ("filter", test_filter);
  ADD ("most-events", test_most_events);
  ADD ("bytes", test_bytes);
  ADD ("meanwhile", test_meanwhile);
  ADD ("many-calls", test_many_calls);
  ADD ("callers", test_callers);
  ADD ("failure", test_failure);
  ADD ("end", test_end);
  return g_test_run ();
}
