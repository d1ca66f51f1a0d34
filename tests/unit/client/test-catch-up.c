/* SPDX-License-Identifier: MIT */
#include "client/catch-up.h"

#include <string.h>

static ClientEvent
make_event (guint64 sequence)
{
  return (ClientEvent){ sequence, 1, g_strdup ("{}") };
}

static gboolean
pass (ClientCatchUp *catch_up, guint64 sequence)
{
  g_auto (ClientEvent) event = make_event (sequence);

  return client_catch_up_pass (catch_up, &event);
}

static void
hold (ClientCatchUp *catch_up, guint64 sequence)
{
  ClientEvent event = make_event (sequence);

  client_catch_up_hold (catch_up, &event);
  g_assert_null (event.json);
}

/* The next one held, 0 if there is none. */
static guint64
pop (ClientCatchUp *catch_up)
{
  g_auto (ClientEvent) event = { 0 };

  return client_catch_up_pop_held (catch_up, &event) ? event.sequence : 0;
}

static gboolean
judge (ClientCatchUp *catch_up, guint64 page_first, const char *id, guint64 first, guint64 last, ClientMissed expected)
{
  g_auto (ClientHistoryFacts) facts = { g_strdup (id), first, last };
  ClientMissed missed;
  gboolean is_good = client_catch_up_judge (catch_up, page_first, &facts, &missed);

  g_assert_cmpint (missed, ==, expected);
  return is_good;
}

static void
assert_cursor (ClientCatchUp *catch_up, const char *expected)
{
  g_autofree char *cursor = client_catch_up_format_cursor (catch_up);

  g_assert_cmpstr (cursor, ==, expected);
}

static ClientCatchUp *
make_at (const char *id, guint64 sequence)
{
  g_autofree char *copy = g_strdup (id);
  ClientCursor cursor = { CLIENT_CURSOR_AT, copy, sequence };

  return client_catch_up_new (&cursor);
}

static void
test_once_and_in_order (void)
{
  g_autoptr (ClientCatchUp) catch_up = make_at ("A", 10);

  g_assert_true (client_catch_up_is_listing (catch_up));
  g_assert_true (client_catch_up_wants_page (catch_up));
  g_assert_cmpuint (client_catch_up_get_position (catch_up), ==, 10);
  hold (catch_up, 12);
  hold (catch_up, 13);
  g_assert_true (judge (catch_up, 11, "A", 1, 13, CLIENT_MISSED_NOTHING));
  g_assert_true (pass (catch_up, 11));
  g_assert_true (pass (catch_up, 12));
  g_assert_cmpuint (pop (catch_up), ==, 0); /* not yet */
  client_catch_up_end_page (catch_up, 12, TRUE);
  g_assert_true (client_catch_up_is_listing (catch_up));
  hold (catch_up, 14);
  g_assert_true (judge (catch_up, 0, "A", 1, 13, CLIENT_MISSED_NOTHING));
  client_catch_up_end_page (catch_up, 12, FALSE);
  g_assert_false (client_catch_up_is_listing (catch_up));
  g_assert_cmpuint (pop (catch_up), ==, 13);
  g_assert_cmpuint (pop (catch_up), ==, 14);
  g_assert_cmpuint (pop (catch_up), ==, 0);
  g_assert_false (pass (catch_up, 14));
  g_assert_true (pass (catch_up, 15));
  g_assert_true (pass (catch_up, 0)); /* has no number: not known as a double */
  assert_cursor (catch_up, "A:15");
}

static void
test_missed (void)
{
  g_autoptr (ClientCatchUp) just = make_at ("A", 10), first_is_there = make_at ("A", 10), late = make_at (NULL, 10);
  g_autoptr (ClientCatchUp) other = make_at ("A", 10), beyond = make_at (NULL, 10), at_zero = make_at ("A", 0);

  g_assert_true (judge (just, 11, "A", 11, 20, CLIENT_MISSED_NOTHING));
  /* It was still there when the page was made. */
  g_assert_true (judge (first_is_there, 11, "A", 15, 20, CLIENT_MISSED_NOTHING));
  g_assert_true (judge (late, 12, "A", 12, 20, CLIENT_MISSED_EVENTS));
  g_assert_true (pass (late, 12));
  client_catch_up_end_page (late, 12, TRUE);
  g_assert_true (judge (late, 13, "A", 13, 20, CLIENT_MISSED_NOTHING));

  g_assert_false (judge (other, 11, "B", 1, 20, CLIENT_MISSED_HISTORY));
  g_assert_cmpuint (client_catch_up_get_position (other), ==, 0);
  /* Told once. */
  g_assert_true (judge (other, 5, "B", 5, 20, CLIENT_MISSED_NOTHING));
  assert_cursor (other, "B:0");
  g_assert_false (judge (beyond, 0, "B", 1, 9, CLIENT_MISSED_HISTORY));
  /* The page was from the beginning anyway. */
  g_assert_true (judge (at_zero, 1, "B", 1, 9, CLIENT_MISSED_HISTORY));
}

static void
test_start_and_now (void)
{
  ClientCursor cursor = { .kind = CLIENT_CURSOR_START };
  g_autoptr (ClientCatchUp) start = client_catch_up_new (&cursor);
  g_autoptr (ClientCatchUp) now = NULL, crowded = NULL;

  g_assert_true (client_catch_up_wants_page (start));
  g_assert_true (judge (start, 50, "A", 50, 60, CLIENT_MISSED_NOTHING));
  assert_cursor (start, "A:0");

  cursor.kind = CLIENT_CURSOR_NOW;
  now = client_catch_up_new (&cursor);
  g_assert_false (client_catch_up_wants_page (now));
  assert_cursor (now, NULL);
  hold (now, 59);
  hold (now, 61);
  g_assert_true (judge (now, 0, "A", 50, 60, CLIENT_MISSED_NOTHING));
  g_assert_false (client_catch_up_is_listing (now));
  assert_cursor (now, "A:60");
  g_assert_cmpuint (pop (now), ==, 61);
  g_assert_cmpuint (pop (now), ==, 0);

  /* More came than could be held: it is listed. */
  crowded = client_catch_up_new (&cursor);
  for (guint i = 0; i <= CLIENT_CATCH_UP_MAX_HELD; i++)
    hold (crowded, 61 + i);
  g_assert_false (judge (crowded, 0, "A", 50, 60, CLIENT_MISSED_NOTHING));
  g_assert_true (client_catch_up_is_listing (crowded));
  g_assert_true (client_catch_up_wants_page (crowded));
  g_assert_cmpuint (client_catch_up_get_position (crowded), ==, 60);
}

static void
test_too_much_to_hold (void)
{
  g_autoptr (ClientCatchUp) many = make_at ("A", 0), large = make_at ("A", 0);
  ClientEvent event = { 2, 0, g_strnfill (CLIENT_CATCH_UP_MAX_HELD_BYTES + 1, 'x') };

  for (guint i = 1; i <= CLIENT_CATCH_UP_MAX_HELD + 1; i++)
    hold (many, i);
  g_assert_true (judge (many, 1, "A", 1, 1, CLIENT_MISSED_NOTHING));
  client_catch_up_end_page (many, 0, FALSE);
  g_assert_true (client_catch_up_is_listing (many)); /* once more */
  g_assert_true (pass (many, CLIENT_CATCH_UP_MAX_HELD));
  client_catch_up_end_page (many, CLIENT_CATCH_UP_MAX_HELD, FALSE);
  g_assert_false (client_catch_up_is_listing (many));
  g_assert_cmpuint (pop (many), ==, CLIENT_CATCH_UP_MAX_HELD + 1);
  g_assert_cmpuint (pop (many), ==, 0);

  hold (large, 1);
  client_catch_up_hold (large, &event);
  g_assert_null (event.json);
  client_catch_up_end_page (large, 0, FALSE);
  g_assert_true (client_catch_up_is_listing (large));
  client_catch_up_end_page (large, 2, FALSE);
  g_assert_cmpuint (pop (large), ==, 0);
}

static void
test_restarts (void)
{
  g_autoptr (ClientCatchUp) catch_up = make_at ("A", 10);

  g_assert_true (judge (catch_up, 11, "A", 1, 11, CLIENT_MISSED_NOTHING));
  /* It leaves in the middle of the page. */
  g_assert_true (pass (catch_up, 11));
  hold (catch_up, 12);
  client_catch_up_begin (catch_up);
  g_assert_cmpuint (client_catch_up_get_position (catch_up), ==, 11);
  g_assert_true (judge (catch_up, 12, "A", 1, 12, CLIENT_MISSED_NOTHING));
  g_assert_true (pass (catch_up, 12));
  client_catch_up_end_page (catch_up, 12, FALSE);
  g_assert_cmpuint (pop (catch_up), ==, 0);

  /* A relay that goes on: its numbers do too, whatever becomes of its history. */
  client_catch_up_set_history_id (catch_up, "B");
  assert_cursor (catch_up, "B:12");
  client_catch_up_begin (catch_up);
  client_catch_up_set_history_id (catch_up, "C"); /* said by the one whose history is still to be compared */
  g_assert_true (judge (catch_up, 13, "B", 13, 13, CLIENT_MISSED_NOTHING));
  g_assert_true (judge (catch_up, 14, "C", 14, 14, CLIENT_MISSED_EVENTS));
  assert_cursor (catch_up, "C:12");

  /* One whose history was lost meanwhile. */
  client_catch_up_begin (catch_up);
  g_assert_false (judge (catch_up, 0, "D", 1, 3, CLIENT_MISSED_HISTORY));
  g_assert_true (judge (catch_up, 1, "D", 1, 3, CLIENT_MISSED_NOTHING));
  g_assert_true (pass (catch_up, 1));
  client_catch_up_end_page (catch_up, 3, FALSE);
  assert_cursor (catch_up, "D:3");
}

static void
test_give_up_and_rewind (void)
{
  g_autoptr (ClientCatchUp) catch_up = make_at ("A", 10);

  hold (catch_up, 12);
  client_catch_up_give_up (catch_up);
  g_assert_cmpuint (pop (catch_up), ==, 12);
  client_catch_up_rewind (catch_up, 5);
  g_assert_true (client_catch_up_is_listing (catch_up));
  g_assert_true (judge (catch_up, 20, "A", 20, 30, CLIENT_MISSED_NOTHING));
  g_assert_true (pass (catch_up, 20));
}

/* A reader that is busy has what comes meanwhile held for it, and lists what was too much. */
static void
test_busy (void)
{
  g_autoptr (ClientCatchUp) catch_up = make_at ("a", 10);

  g_assert_true (judge (catch_up, 0, "a", 1, 10, CLIENT_MISSED_NOTHING));
  client_catch_up_end_page (catch_up, 10, FALSE);
  hold (catch_up, 11);
  hold (catch_up, 12);
  g_assert_false (client_catch_up_is_listing (catch_up) || client_catch_up_fell_behind (catch_up));
  g_assert_cmpuint (pop (catch_up), ==, 11);

  for (guint i = 0; i < CLIENT_CATCH_UP_MAX_HELD; i++)
    hold (catch_up, 13 + i);
  g_assert_true (client_catch_up_is_listing (catch_up));
  g_assert_true (client_catch_up_fell_behind (catch_up));
  g_assert_false (client_catch_up_fell_behind (catch_up));
  g_assert_cmpuint (pop (catch_up), ==, 0);
  assert_cursor (catch_up, "a:11");

  /* All that was let go is in the page: once through it, nothing more is to be listed. */
  g_assert_true (judge (catch_up, 12, "a", 1, 1012, CLIENT_MISSED_NOTHING));
  g_assert_true (pass (catch_up, 12));
  client_catch_up_end_page (catch_up, 1012, FALSE);
  g_assert_false (client_catch_up_is_listing (catch_up));
  g_assert_cmpuint (pop (catch_up), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/catch-up/once-and-in-order", test_once_and_in_order);
  g_test_add_func ("/catch-up/missed", test_missed);
  g_test_add_func ("/catch-up/start-and-now", test_start_and_now);
  g_test_add_func ("/catch-up/too-much-to-hold", test_too_much_to_hold);
  g_test_add_func ("/catch-up/restarts", test_restarts);
  g_test_add_func ("/catch-up/give-up-and-rewind", test_give_up_and_rewind);
  g_test_add_func ("/catch-up/busy", test_busy);
  return g_test_run ();
}
