/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include "subscriptions-fixture.h"

/* How many channels there are in one request (requests.c). */

/* Connects anew, and has the next small request confirmed: the next one is large. */
static void
prove_small (Fixture *f, const char *names)
{
  g_autofree char *small = many ("s", RELAY_SUBSCRIPTIONS_BATCH);

  relay_subscriptions_connected (f->subs);
  hold (f, small);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  confirm (f, small);
  hold (f, names);
}

static void
test_batches_grow (Fixture *f, gconstpointer data)
{
  g_autofree char *names = many ("a", 10000);
  guint expected = 2 * RELAY_SUBSCRIPTIONS_BATCH;

  prove_small (f, names);
  for (guint left = 10000; left > 0; left -= MIN (left, expected), expected = MIN (2 * expected, RELAY_SUBSCRIPTIONS_LARGE_BATCH)) {
    g_assert_cmpuint (next_size (f, TRUE), ==, MIN (left, expected));
    confirm (f, names);
  }
  g_assert_cmpuint (next_size (f, TRUE), ==, 0);
  expect_active (f, "a:9999");

  /* What the server takes is not known of the next connection. */
  relay_subscriptions_connected (f->subs);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
}

/* However many channels, the message is no longer than what a server can be expected to take. */
static void
test_batches_of_long_names (Fixture *f, gconstpointer data)
{
  g_autofree char *prefix = g_strnfill (200, 'a');
  g_autofree char *names = many (prefix, 1000);

  prove_small (f, names);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
}

static void
expect_wary (Fixture *f)
{
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, TRUE), ==, 0);
}

/* Whatever the server says to a large request is no word on its channels. */
static void
test_large_batch_refused (Fixture *f, gconstpointer data)
{
  static const char *const codes[] = { "INVALID_ACTION", "SUBSCRIPTION_LIMIT", "INVALID_CHANNEL", "TOO_LARGE" };
  g_autofree char *names = many ("a", 2 * RELAY_SUBSCRIPTIONS_BATCH);

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++) {
    Fixture *fresh = g_new0 (Fixture, 1);

    set_up (fresh, NULL);
    prove_small (fresh, names);
    g_assert_cmpuint (next_size (fresh, TRUE), ==, 2 * RELAY_SUBSCRIPTIONS_BATCH);
    refuse (fresh, "relay-2", codes[i], "?"); /* the second one of its connection */
    expect_pending (fresh, "a:0");
    expect_wary (fresh);
    confirm (fresh, names);
    expect_active (fresh, "a:0");
    expect_active (fresh, "a:999");
    tear_down (fresh, NULL);
    g_free (fresh);
  }
}

/* A server may hang up on a large request: it never sees another one. */
static void
test_large_batch_lost (Fixture *f, gconstpointer data)
{
  g_autofree char *names = many ("a", 2 * RELAY_SUBSCRIPTIONS_BATCH);
  g_autofree char *small = many ("s", RELAY_SUBSCRIPTIONS_BATCH);

  prove_small (f, names);
  g_assert_cmpuint (next_size (f, TRUE), ==, 2 * RELAY_SUBSCRIPTIONS_BATCH);
  relay_subscriptions_disconnected (f->subs);
  release (f, small);
  relay_subscriptions_connected (f->subs);
  expect_wary (f);
  confirm (f, names);
  hold (f, small);
  relay_subscriptions_connected (f->subs);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
}

/* Or say nothing to it. */
static void
test_large_batch_ignored (Fixture *f, gconstpointer data)
{
  g_autofree char *names = many ("a", 2 * RELAY_SUBSCRIPTIONS_BATCH);
  g_autofree char *more = many ("b", 2 * RELAY_SUBSCRIPTIONS_BATCH);

  prove_small (f, names);
  g_assert_cmpuint (next_size (f, TRUE), ==, 2 * RELAY_SUBSCRIPTIONS_BATCH);
  f->now_usec += RELAY_SUBSCRIPTIONS_ANSWER_USEC;
  expect (f, NULL);
  hold (f, more);
  expect_wary (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/wire/batches/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("grow", test_batches_grow);
  ADD ("long-names", test_batches_of_long_names);
  ADD ("refused", test_large_batch_refused);
  ADD ("lost", test_large_batch_lost);
  ADD ("ignored", test_large_batch_ignored);
  return g_test_run ();
}
