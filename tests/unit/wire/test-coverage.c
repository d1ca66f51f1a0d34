/* SPDX-License-Identifier: MIT */
#include "wire/coverage.h"

#include <string.h>

#include "subscriptions-fixture.h"

#define T(seconds) (REALTIME + (seconds) * SEC)

typedef struct {
  Fixture f;
  RelayCoverage *coverage;
  GString *told;
  GString *changed;
  gint64 day_usec;
} Covered;

/* "SINCE-UNTIL CAUSE channel channel", in seconds. */
static void
on_gap (const RelayGap *gap, gpointer user_data)
{
  Covered *c = user_data;
  g_autofree char *channels = g_strjoinv (" ", gap->channels);

  g_string_append_printf (c->told, "%s%d-%d %s %s", c->told->len > 0 ? ", " : "",
                          (int) (((gint64) gap->since_usec - REALTIME) / SEC),
                          (int) (((gint64) gap->until_usec - REALTIME) / SEC), gap->cause, channels);
}

static gint64
get_day (gpointer user_data)
{
  return ((Covered *) user_data)->day_usec;
}

static void
on_changed (const char *channel, gpointer user_data)
{
  Covered *c = user_data;

  g_string_append_printf (c->changed, "%s%s", c->changed->len > 0 ? " " : "", channel);
}

static void
set_up_covered (Covered *c, gconstpointer data)
{
  set_up (&c->f, data);
  c->told = g_string_new (NULL);
  c->changed = g_string_new (NULL);
  c->coverage = relay_coverage_new (c->f.subs, get_day, on_gap, on_changed, c);
}

static void
tear_down_covered (Covered *c, gconstpointer data)
{
  relay_coverage_free (c->coverage);
  g_string_free (c->told, TRUE);
  g_string_free (c->changed, TRUE);
  tear_down (&c->f, data);
}

static void
expect_told (Covered *c, const char *expected)
{
  g_assert_cmpstr (c->told->str, ==, expected);
  g_string_truncate (c->told, 0);
}

static void
send_all (Covered *c)
{
  g_autoptr (RelayRequest) request = NULL;

  while ((request = relay_subscriptions_next (c->f.subs, c->f.now_usec, &c->f.next_usec)) != NULL)
    g_clear_pointer (&request, relay_request_free);
}

static void
confirm_at (Covered *c, const char *names, gint64 realtime_usec)
{
  g_auto (GStrv) split = g_strsplit (names, " ", -1);

  send_all (c);
  relay_subscriptions_confirmed (c->f.subs, (const char *const *) split, realtime_usec);
  send_all (c);
  relay_coverage_tell (c->coverage, FALSE);
}

static void
lose_at (Covered *c, const char *cause, gint64 alive_usec)
{
  relay_coverage_set_alive (c->coverage, alive_usec);
  relay_coverage_set_cause (c->coverage, cause);
  relay_coverage_tell (c->coverage, TRUE);
  relay_subscriptions_disconnected (c->f.subs);
}

/* One loss, channels that come back one by one: one gap, from the last proof of life to the last confirmation. */
static void
test_one_loss (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:2 a:1 a:3");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (1));
  expect_told (c, ""); /* nobody was listening before */
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, RELAY_COVERAGE_ACTIVE);

  lose_at (c, "LOST", T (10));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (10));
  hold (&c->f, "a:4"); /* is new: nothing of it was missed */
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:3", T (20));
  confirm_at (c, "a:1", T (21));
  expect_told (c, "");
  confirm_at (c, "a:4 a:2", T (22));
  expect_told (c, "10-22 LOST a:1 a:2 a:3");
  relay_coverage_tell (c->coverage, TRUE);
  expect_told (c, "");
}

/* Attempts that come to nothing belong to the same loss. */
static void
test_lost_again (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  lose_at (c, "LOST", T (10));
  relay_subscriptions_connected (c->f.subs);
  send_all (c);
  lose_at (c, "TIMEOUT", T (15));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (20));
  expect_told (c, "");

  /* What came back is told before it is lost again; what did not goes on. */
  lose_at (c, "TIMEOUT", T (25));
  expect_told (c, "10-20 LOST a:1");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (30));
  expect_told (c, "10-30 LOST a:2, 25-30 TIMEOUT a:1");
}

/* Came back, and was lost again while others are still awaited: another loss, and the first is told. */
static void
test_lost_before_it_was_told (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  lose_at (c, "LOST", T (10));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (20));
  relay_coverage_set_alive (c->coverage, T (25));
  relay_coverage_set_cause (c->coverage, "CUT");
  relay_subscriptions_begin_handover (c->f.subs);
  expect_told (c, "");
  relay_subscriptions_end_handover (c->f.subs, TRUE); /* with nothing confirmed on the new one */
  expect_told (c, "10-20 LOST a:1");
  confirm_at (c, "a:1 a:2", T (30));
  expect_told (c, "10-30 LOST a:2, 25-30 CUT a:1");
}

/* Refused now, and taken later: told when it is heard again. */
static void
test_refused (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  lose_at (c, "LOST", T (10));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (20));
  relay_subscriptions_refused (c->f.subs, NULL, "subscribe", "INVALID_CHANNEL", "a:2", c->f.now_usec, 0.5);
  send_all (c);
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, "10-20 LOST a:1");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:2"), ==, T (10));
  relay_subscriptions_ask_again (c->f.subs);
  confirm_at (c, "a:2", T (40));
  expect_told (c, "10-40 LOST a:2");
}

/* Who does not want it any more misses nothing. */
static void
test_wanted_no_more (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2 a:3");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (1));
  lose_at (c, "LOST", T (10));
  release (&c->f, "a:1");
  hold (&c->f, "a:1");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:2", T (20));
  release (&c->f, "a:2"); /* its hole is closed, and not told yet */
  confirm_at (c, "a:1 a:3", T (21));
  expect_told (c, "10-21 LOST a:3");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:2"), ==, RELAY_COVERAGE_NEVER);
}

/* The relay was not running. */
static void
test_restart (Covered *c, gconstpointer data)
{
  relay_subscriptions_set_durable (c->f.subs, "a:1", TRUE);
  relay_subscriptions_set_durable (c->f.subs, "a:2", TRUE);
  relay_coverage_restore (c->coverage, "a:1", T (-100));
  g_string_truncate (c->changed, 0);
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (5));
  expect_told (c, "-100-5 RESTARTED a:1");
  g_assert_cmpstr (c->changed->str, ==, "a:2 a:1");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, RELAY_COVERAGE_ACTIVE);
}

/* A handover: no channel is lost while one of the connections has it. */
static void
test_handover (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2 a:3");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (1));
  relay_coverage_set_alive (c->coverage, T (9));
  relay_coverage_set_cause (c->coverage, "LOST");

  relay_subscriptions_begin_handover (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (10));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
  expect_told (c, "");

  /* The first one ends in the middle. */
  relay_coverage_set_alive (c->coverage, T (20));
  relay_subscriptions_begin_handover (c->f.subs);
  confirm_at (c, "a:2", T (21));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:2"), ==, RELAY_COVERAGE_ACTIVE);
  confirm_at (c, "a:1 a:3", T (25));
  expect_told (c, "20-25 LOST a:1 a:3");

  /* The second one does. */
  relay_subscriptions_begin_handover (c->f.subs);
  confirm_at (c, "a:2", T (31));
  relay_subscriptions_end_handover (c->f.subs, FALSE);
  send_all (c);
  relay_coverage_tell (c->coverage, TRUE);
  expect_told (c, "");
}

/* What the connection before had still to bring, when it ended too early. */
static void
test_handed_over (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2 a:3");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (1));
  relay_subscriptions_begin_handover (c->f.subs);
  hold (&c->f, "a:4"); /* never was on the one before */
  confirm_at (c, "a:1", T (10));
  confirm_at (c, "a:2 a:4", T (12));
  confirm_at (c, "a:3", T (14));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
  relay_coverage_handed_over (c->coverage, T (14), T (14), "LOST");
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, "");

  /* Not that much was heard of it: up to the confirmations, but for the one that came before. */
  relay_coverage_handed_over (c->coverage, T (11), T (13), "LOST");
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, "11-13 LOST a:2 a:3");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:2"), ==, RELAY_COVERAGE_ACTIVE);
}

/* A hole that is closed and waits to be told is not forgotten, should the relay end before that. */
static void
test_untold (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  lose_at (c, "LOST", T (10));
  g_string_truncate (c->changed, 0);
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (20));
  expect_told (c, "");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (10));
  g_assert_cmpstr (c->changed->str, ==, "");
  confirm_at (c, "a:2", T (21));
  expect_told (c, "10-21 LOST a:1 a:2");
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, RELAY_COVERAGE_ACTIVE);
  g_assert_cmpstr (c->changed->str, ==, "a:1 a:2");
}

/* a:1 and a:2 are handed over, each confirmed at another time; a:3 is new. */
static void
hand_over (Covered *c)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  relay_subscriptions_begin_handover (c->f.subs);
  hold (&c->f, "a:3");
  confirm_at (c, "a:3 a:1", T (10));
  confirm_at (c, "a:2", T (12));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
}

/* The connection that took over is lost as well, before it is known that the one before could not bring all. */
static void
test_both_lost (Covered *c, gconstpointer data)
{
  hand_over (c);
  lose_at (c, "LOST", T (20));
  g_string_truncate (c->changed, 0);
  relay_coverage_handed_over (c->coverage, T (5), T (13), "CUT");
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, ""); /* not connected */
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (5));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:3"), ==, T (20));
  g_assert_cmpuint (strlen (c->changed->str), ==, strlen ("a:1 a:2"));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (30));
  expect_told (c, "5-12 CUT a:1 a:2, 20-30 LOST a:1 a:2 a:3");
}

/* … after there is a third one already; and what is lost since before that has no second hole. */
static void
test_late_end (Covered *c, gconstpointer data)
{
  hand_over (c);
  lose_at (c, "LOST", T (20));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (30));
  expect_told (c, "20-30 LOST a:1 a:2 a:3");
  relay_coverage_handed_over (c->coverage, T (11), T (13), "CUT");
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, "11-12 CUT a:2");
  lose_at (c, "LOST", T (9));
  relay_coverage_handed_over (c->coverage, T (9), T (13), "CUT");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (40));
  expect_told (c, "9-40 LOST a:1 a:2 a:3");
}

/* One loss is not told yet when the next one is known. */
static void
test_two_losses (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  lose_at (c, "LOST", T (2));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (3)); /* a:2 is not answered, on either of them */
  relay_subscriptions_begin_handover (c->f.subs);
  confirm_at (c, "a:1", T (10));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
  relay_coverage_handed_over (c->coverage, T (8), T (11), "CUT");
  expect_told (c, "2-3 LOST a:1");
  confirm_at (c, "a:2", T (20));
  expect_told (c, "2-20 LOST a:2, 8-10 CUT a:1");
}

/* That the relay was not running comes to light late. */
static void
test_restored_late (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  relay_coverage_restore (c->coverage, "a:1", T (-5));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (-5));
  relay_coverage_tell (c->coverage, FALSE);
  expect_told (c, "-5-1 RESTARTED a:1");
  lose_at (c, "LOST", T (10));
  relay_coverage_restore (c->coverage, "a:2", T (-5));
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (20));
  expect_told (c, "-5-20 LOST a:2, 10-20 LOST a:1");
}

/* What was lost has said more since. */
static void
test_proven (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2 a:3");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2", T (1));
  refuse (&c->f, NULL, "INVALID_CHANNEL", "a:3");
  lose_at (c, "LOST", T (10));
  g_string_truncate (c->changed, 0);
  relay_coverage_prove (c->coverage, T (10), T (9));
  relay_coverage_prove (c->coverage, T (9), T (14));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (10));
  g_assert_cmpstr (c->changed->str, ==, "");
  relay_coverage_prove (c->coverage, T (10), T (14));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (14));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:3"), ==, RELAY_COVERAGE_NEVER);
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (20));
  relay_coverage_prove (c->coverage, T (14), T (15)); /* a:1 is back already */
  confirm_at (c, "a:2 a:3", T (21));
  expect_told (c, "14-20 LOST a:1, 15-21 LOST a:2");
}

/* The clock is set while a hole is open: it keeps its length, and so does one that waits to be told. Whoever notices first. */
static void
test_clock_set (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2 a:3");
  relay_coverage_restore (c->coverage, "a:3", RELAY_GAP_SINCE_UNKNOWN);
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1 a:2 a:3", T (1));
  g_string_truncate (c->told, 0); /* of a:3, since nobody knows when */
  g_string_truncate (c->changed, 0);

  c->day_usec = 1000 * SEC; /* nothing is open */
  relay_coverage_follow_clock (c->coverage);
  g_assert_cmpstr (c->changed->str, ==, "");
  lose_at (c, "LOST", T (10));
  g_string_truncate (c->changed, 0);
  c->day_usec -= 5 * SEC;
  relay_coverage_follow_clock (c->coverage);
  g_assert_cmpuint (strlen (c->changed->str), ==, strlen ("a:1 a:2 a:3"));
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (5));
  c->day_usec += RELAY_COVERAGE_SET_MIN_USEC - 1; /* is no matter */
  relay_coverage_follow_clock (c->coverage);
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, T (5));
  c->day_usec -= RELAY_COVERAGE_SET_MIN_USEC - 1;

  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (7));
  c->day_usec += 100 * SEC;
  confirm_at (c, "a:2 a:3", T (109));
  expect_told (c, "105-109 LOST a:1 a:2 a:3");
}

/* A time that is handed in is by the clock as it is, and not carried along with those from before. */
static void
test_clock_set_and_lost (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1");
  relay_subscriptions_connected (c->f.subs);
  confirm_at (c, "a:1", T (500));
  c->day_usec -= 400 * SEC;
  lose_at (c, "LOST", T (110));
  relay_subscriptions_connected (c->f.subs);
  c->day_usec -= 50 * SEC;
  confirm_at (c, "a:1", T (65));
  expect_told (c, "60-65 LOST a:1");

  /* Likewise where that what was missed comes to light later. */
  relay_subscriptions_begin_handover (c->f.subs);
  confirm_at (c, "a:1", T (72));
  relay_subscriptions_end_handover (c->f.subs, TRUE);
  c->day_usec += 1000 * SEC;
  relay_coverage_handed_over (c->coverage, T (1071), T (1075), "CUT");
  relay_coverage_tell (c->coverage, TRUE);
  expect_told (c, "1071-1072 CUT a:1");
}

/* What is since long ago stays so, and no time becomes one that says something else. */
static void
test_clock_set_far_back (Covered *c, gconstpointer data)
{
  hold (&c->f, "a:1 a:2");
  relay_coverage_restore (c->coverage, "a:1", RELAY_GAP_SINCE_UNKNOWN);
  relay_coverage_restore (c->coverage, "a:2", T (1));
  c->day_usec -= T (2);
  relay_coverage_follow_clock (c->coverage);
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:1"), ==, RELAY_GAP_SINCE_UNKNOWN);
  g_assert_cmpint (relay_coverage_get_since (c->coverage, "a:2"), >, RELAY_GAP_SINCE_UNKNOWN);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/wire/coverage/" name, Covered, NULL, set_up_covered, func, tear_down_covered)
  ADD ("one-loss", test_one_loss);
  ADD ("lost-again", test_lost_again);
  ADD ("lost-before-it-was-told", test_lost_before_it_was_told);
  ADD ("refused", test_refused);
  ADD ("wanted-no-more", test_wanted_no_more);
  ADD ("restart", test_restart);
  ADD ("handover", test_handover);
  ADD ("handed-over", test_handed_over);
  ADD ("untold", test_untold);
  ADD ("both-lost", test_both_lost);
  ADD ("late-end", test_late_end);
  ADD ("two-losses", test_two_losses);
  ADD ("restored-late", test_restored_late);
  ADD ("proven", test_proven);
  ADD ("clock-set", test_clock_set);
  ADD ("clock-set-and-lost", test_clock_set_and_lost);
  ADD ("clock-set-far-back", test_clock_set_far_back);
  return g_test_run ();
}
