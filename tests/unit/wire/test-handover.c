/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include "subscriptions-fixture.h"

/* a:1 to a:3 are on the connection before. */
static void
begin (Fixture *f)
{
  hold (f, "a:1 a:2 a:3");
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:1 a:2 a:3");
  expect (f, NULL);
  g_string_truncate (f->announced, 0);
  relay_subscriptions_begin_handover (f->subs);
  g_assert_true (relay_subscriptions_is_handing_over (f->subs));
  expect_announced (f, "");
}

static void
test_taken (Fixture *f, gconstpointer data)
{
  gint64 since;

  begin (f);
  since = relay_subscriptions_lookup (f->subs, "a:1")->active_since_usec;
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:1 a:2");
  g_assert_false (relay_subscriptions_is_handed_over (f->subs));
  confirm (f, "a:3");
  g_assert_true (relay_subscriptions_is_handed_over (f->subs));
  relay_subscriptions_end_handover (f->subs, TRUE);
  expect_announced (f, "a:1 answered, a:2 answered, a:3 answered"); /* no state has changed */
  g_assert_cmpint (relay_subscriptions_lookup (f->subs, "a:1")->active_since_usec, ==, since);
  expect (f, NULL);
  expect_active (f, "a:1");
}

/* What the new connection did not confirm is lost with the one before. */
static void
test_first_one_lost (Fixture *f, gconstpointer data)
{
  begin (f);
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:2");
  relay_subscriptions_end_handover (f->subs, TRUE);
  expect_announced (f, "a:2 answered, a:1 state, a:3 state");
  expect (f, NULL);
  confirm (f, "a:1 a:3"); /* is still under way */
  expect_active (f, "a:1");
}

/* Wants come and go meanwhile; then it is the connection before that stays. */
static void
test_second_one_lost (Fixture *f, gconstpointer data)
{
  begin (f);
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:1");
  hold (f, "a:4");
  expect (f, "+ a:4");
  confirm (f, "a:4");
  release (f, "a:3");
  release (f, "a:1");
  hold (f, "a:1");
  relay_subscriptions_end_handover (f->subs, FALSE);
  g_assert_false (relay_subscriptions_is_handing_over (f->subs));
  expect_active (f, "a:1");
  expect_active (f, "a:2");
  expect_pending (f, "a:4");
  expect (f, "- a:3");
  expect (f, "+ a:4");
  confirm (f, "a:4");
  expect (f, NULL);
}

/* What was asked on the connection before, and not answered, it may have. */
static void
test_unanswered (Fixture *f, gconstpointer data)
{
  hold (f, "a:1 a:2");
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:2");
  relay_subscriptions_begin_handover (f->subs);
  g_assert_true (relay_subscriptions_is_handed_over (f->subs)); /* of nothing */
  expect (f, "+ a:1 a:2");
  release (f, "a:2");
  relay_subscriptions_end_handover (f->subs, FALSE);
  expect (f, "- a:2");
  expect (f, "+ a:1");
}

/* The new connection refuses a channel: it is heard until the handover is over, then it is not. */
static void
test_refused (Fixture *f, gconstpointer data)
{
  begin (f);
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:1 a:2");
  refuse (f, NULL, "INVALID_CHANNEL", "no");
  expect_announced (f, "a:1 answered, a:2 answered, a:3 answered");
  g_assert_cmpint (relay_subscriptions_lookup (f->subs, "a:3")->state, ==, RELAY_CHANNEL_ACTIVE);
  g_assert_true (relay_subscriptions_is_handed_over (f->subs));
  relay_subscriptions_end_handover (f->subs, TRUE);
  expect_announced (f, "a:3 state");
  expect_rejected (f, "a:3", "INVALID_CHANNEL");
}

/* The server counts both connections: there is room when the one before has gone. */
static void
test_limit (Fixture *f, gconstpointer data)
{
  begin (f);
  expect (f, "+ a:1 a:2 a:3");
  confirm (f, "a:1 a:2");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, NULL);
  g_assert_true (relay_subscriptions_is_handed_over (f->subs));
  relay_subscriptions_end_handover (f->subs, TRUE);
  expect (f, "+ a:3");
  confirm (f, "a:3");
  expect_active (f, "a:3");
}

/* Both are lost. */
static void
test_disconnected (Fixture *f, gconstpointer data)
{
  begin (f);
  expect (f, "+ a:1 a:2 a:3");
  release (f, "a:2");
  relay_subscriptions_disconnected (f->subs);
  g_assert_false (relay_subscriptions_is_handing_over (f->subs));
  expect_pending (f, "a:1");
  expect (f, NULL);
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/wire/handover/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("taken", test_taken);
  ADD ("first-one-lost", test_first_one_lost);
  ADD ("second-one-lost", test_second_one_lost);
  ADD ("unanswered", test_unanswered);
  ADD ("refused", test_refused);
  ADD ("limit", test_limit);
  ADD ("disconnected", test_disconnected);
  return g_test_run ();
}
