/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include <string.h>

#include "subscriptions-fixture.h"

/* The answer of the example: three active, one rejected, though the server refuses the whole batch. */
static void
test_split (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 bad:1 a:3");
  expect (f, "+ a:1 a:2 bad:1 a:3");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  expect (f, "+ a:1 a:2");
  confirm (f, "a:1 a:2");
  expect (f, "+ bad:1 a:3");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  expect (f, "+ bad:1");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  expect_rejected (f, "bad:1", "INVALID_CHANNEL");
  expect (f, "+ a:3");
  confirm (f, "a:3");
  expect (f, NULL);
  expect_active (f, "a:1");
  expect_active (f, "a:2");
  expect_active (f, "a:3");
}

static void
test_large_batches (Fixture *f, gconstpointer data)
{
  g_autofree char *names = many ("a", 2 * RELAY_SUBSCRIPTIONS_BATCH + 1);

  relay_subscriptions_connected (f->subs);
  hold (f, names);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, TRUE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, TRUE), ==, 1);
  g_assert_cmpuint (next_size (f, TRUE), ==, 0);
  confirm (f, names);
  release (f, names);
  g_assert_cmpuint (next_size (f, FALSE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, FALSE), ==, RELAY_SUBSCRIPTIONS_BATCH);
  g_assert_cmpuint (next_size (f, FALSE), ==, 1);
  g_assert_cmpuint (next_size (f, FALSE), ==, 0);
}

/* The parts of a refused batch are asked on their own, not with what is wanted meanwhile; and both get their
 * turn. */
static void
test_parts_stay_apart (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3 a:4");
  expect (f, "+ a:1 a:2 a:3 a:4");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  hold (f, "b:1");
  expect (f, "+ a:1 a:2");
  hold (f, "b:2");
  expect (f, "+ b:1 b:2");
  expect (f, "+ a:3 a:4");
  expect (f, NULL);
}

/* The server may confirm what it can, and send an error for the rest. */
static void
test_partial (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 bad:1 a:3");
  expect (f, "+ a:1 a:2 bad:1 a:3");
  confirm (f, "a:1 a:3");
  confirm (f, "a:2");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  expect_rejected (f, "bad:1", "INVALID_CHANNEL");
  expect_active (f, "a:2");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);
}

/* The same with the error first: what is confirmed after it is not asked for again. */
static void
test_partial_error_first (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 bad:1 a:3");
  expect (f, "+ a:1 a:2 bad:1 a:3");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  confirm (f, "a:1 a:2 a:3");
  expect (f, "+ bad:1");
  refuse (f, NULL, "INVALID_CHANNEL", "no such channel");
  expect_rejected (f, "bad:1", "INVALID_CHANNEL");
  expect_active (f, "a:3");
  expect (f, NULL);
}

/* Two errors for one request: the second says nothing new, and is nobody else's. */
static void
test_second_error (Fixture *f, gconstpointer data)
{
  g_autofree char *id = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  id = g_strdup (f->last_id);
  refuse (f, id, "INVALID_CHANNEL", "?");
  expect (f, "+ a:1");
  refuse (f, id, "INVALID_CHANNEL", "?");
  confirm (f, "a:1");
  expect_active (f, "a:1");
  expect (f, "+ a:2");
  expect_pending (f, "a:2");
}

/* Confirmations come in any grouping, repeat themselves, and may name all there is. */
static void
test_confirmations (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  hold (f, "a:3 a:4");
  expect (f, "+ a:3 a:4");
  hold (f, "a:5");
  g_string_truncate (f->announced, 0);

  confirm (f, "a:2 a:3 x:1 a:2 a:5");
  expect_announced (f, "a:2 state answered, a:3 state answered");
  expect_pending (f, "a:5"); /* was not asked for yet */
  confirm (f, "a:1 a:2 a:3 a:4");
  expect_announced (f, "a:1 state answered, a:4 state answered");
  g_assert_null (relay_subscriptions_lookup (f->subs, "x:1"));
  expect (f, "+ a:5");
  confirm (f, "");
  expect_pending (f, "a:5");
}

/* Which error is whose. */
static void
test_whose_error (Fixture *f, gconstpointer data)
{
  g_autofree char *old_id = NULL;

  relay_subscriptions_connected (f->subs);
  g_assert_false (REFUSED (NULL, NULL)); /* nothing was asked */
  g_assert_false (REFUSED (NULL, "subscribe"));
  hold (f, "a:1");
  expect (f, "+ a:1");
  old_id = g_strdup (f->last_id);
  g_assert_false (REFUSED ("relay-", NULL));
  g_assert_false (REFUSED ("relay-999", NULL));
  g_assert_false (REFUSED ("relay--1", NULL));
  g_assert_false (REFUSED ("relay-18446744073709551616", NULL));
  g_assert_false (REFUSED ("client_msg_004", NULL));
  g_assert_false (REFUSED ("client_msg_004", "unsubscribe"));
  g_assert_false (REFUSED (NULL, "ping"));
  g_assert_false (REFUSED (NULL, "unsubscribe"));
  expect_pending (f, "a:1");

  relay_subscriptions_disconnected (f->subs);
  g_assert_false (REFUSED (old_id, NULL));
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1");
  g_assert_cmpstr (f->last_id, !=, old_id);
  g_assert_false (REFUSED (old_id, NULL)); /* of another connection */
  expect_pending (f, "a:1");
  confirm (f, "a:1");
  g_assert_false (REFUSED (NULL, NULL));
  g_assert_true (REFUSED (f->last_id, NULL)); /* ours, and settled */
  expect_active (f, "a:1");

  release (f, "a:1");
  expect (f, "- a:1");
  g_assert_true (REFUSED (f->last_id, "unsubscribe"));
  expect (f, NULL);
}

/* Without an id: the oldest request that it can be about. From then on one at a time is asked, so that there is no
 * doubt. */
static void
test_anonymous (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1");
  expect (f, "+ a:1");
  hold (f, "a:2");
  expect (f, "+ a:2");
  hold (f, "a:3");
  expect (f, "+ a:3");
  g_assert_true (REFUSED (NULL, NULL));
  expect_rejected (f, "a:1", "INVALID_CHANNEL");
  g_assert_true (relay_subscriptions_refused (f->subs, NULL, "subscribe", "INVALID_CHANNEL", "a:3!", f->now_usec,
                                              0.5));
  expect_rejected (f, "a:3", "INVALID_CHANNEL");
  expect_pending (f, "a:2");

  hold (f, "b:1 b:2");
  expect (f, NULL); /* a:2 is not answered */
  g_assert_cmpint (f->next_usec, ==, f->now_usec + RELAY_SUBSCRIPTIONS_ANSWER_USEC);
  f->n_wakes = 0;
  confirm (f, "a:2");
  g_assert_cmpuint (f->n_wakes, ==, 1);
  expect (f, "+ b:1 b:2");
  g_assert_true (REFUSED (NULL, NULL));
  expect (f, "+ b:1");
  expect (f, NULL);
  g_assert_true (REFUSED (NULL, NULL));
  expect (f, "+ b:2");
  confirm (f, "b:2");
  expect_rejected (f, "b:1", "INVALID_CHANNEL");
}

/* An id that we never gave, on a subscribe: nobody but us asks on this connection. */
static void
test_foreign_id (Fixture *f, gconstpointer data)
{
  static const char *const ids[] = { "", "7", "req_5f3a", "client_msg_004" };

  relay_subscriptions_connected (f->subs);
  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++) {
    hold (f, "a:1");
    expect (f, "+ a:1");
    g_assert_false (REFUSED (ids[i], "unsubscribe"));
    g_assert_false (REFUSED ("relay-ping-1", "subscribe"));
    expect_pending (f, "a:1");
    g_assert_true (REFUSED (ids[i], "subscribe"));
    expect_rejected (f, "a:1", "INVALID_CHANNEL");
    release (f, "a:1");
  }

  /* An empty one is none. */
  hold (f, "a:1");
  expect (f, "+ a:1");
  g_assert_true (REFUSED ("", NULL));
  expect_rejected (f, "a:1", "INVALID_CHANNEL");
}

static void
test_hint (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *message;
    const char *first, *second;
  } cases[] = {
    /* The protocol page's own example. */
    { "Channel 'a:10' does not exist", "+ a:1 a:2 a:3", "+ a:10" },
    { "a:1", "+ a:2 a:10 a:3", "+ a:1" },
    { "not found: \"a:3\".", "+ a:1 a:2 a:10", "+ a:3" },
    { "(a:2), sorry", "+ a:1 a:10 a:3", "+ a:2" },
    { "a:1a:2 a:2", "+ a:1 a:10 a:3", "+ a:2" },
    /* No word of its own, or more than one name. */
    { "xa:1 a:100 a:2x a:3/b", "+ a:1 a:2", "+ a:10 a:3" },
    { "'a:1' and 'a:2' do not exist", "+ a:1 a:2", "+ a:10 a:3" },
    { "'a:4' does not exist", "+ a:1 a:2", "+ a:10 a:3" },
    { "", "+ a:1 a:2", "+ a:10 a:3" },
    { NULL, "+ a:1 a:2", "+ a:10 a:3" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    relay_subscriptions_connected (f->subs);
    hold (f, "a:1 a:2 a:10 a:3");
    expect (f, "+ a:1 a:2 a:10 a:3");
    refuse (f, NULL, "INVALID_CHANNEL", cases[i].message);
    expect (f, cases[i].first);
    expect (f, cases[i].second);
    expect (f, NULL);
    relay_subscriptions_disconnected (f->subs);
    release (f, "a:1 a:2 a:10 a:3");
  }
}

/* It names the wrong one: that one is asked alone, and is fine. */
static void
test_wrong_hint (Fixture *f, gconstpointer data)
{
  g_autofree char *rest = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 bad:1 a:2");
  expect (f, "+ a:1 bad:1 a:2");
  refuse (f, NULL, "INVALID_CHANNEL", "a:1 is bad");
  expect (f, "+ bad:1 a:2");
  rest = g_strdup (f->last_id);
  expect (f, "+ a:1");
  confirm (f, "a:1");
  expect_active (f, "a:1");
  refuse (f, rest, "INVALID_CHANNEL", "a:1 is bad");
  expect (f, "+ bad:1");
  refuse (f, NULL, "INVALID_CHANNEL", "a:1 is bad");
  expect_rejected (f, "bad:1", "INVALID_CHANNEL");
  expect (f, "+ a:2");
  confirm (f, "a:2");
  expect_active (f, "a:1");
  expect_active (f, "a:2");
}

/* Eight are wanted, and the server has room for three: it is found out step by step, and nobody else is
 * bothered. */
static void
fill_up (Fixture *f)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8");
  expect (f, "+ a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, "+ a:1 a:2 a:3 a:4");
  expect (f, NULL); /* one by one */
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, "+ a:1 a:2");
  confirm (f, "a:1 a:2");
  expect (f, "+ a:3 a:4");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, "+ a:3");
  confirm (f, "a:3");
  expect (f, "+ a:4");
  g_string_truncate (f->announced, 0);
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_announced (f, "a:4 state answered, a:5 state answered, a:6 state answered, a:7 state answered, "
                       "a:8 state answered");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);
  expect_active (f, "a:3");
  expect_limited (f, "a:4");
  expect_limited (f, "a:8");
}

static void
test_limit (Fixture *f, gconstpointer data)
{
  fill_up (f);

  /* As many as leave are asked again, who waits longest first. */
  release (f, "a:1 a:2");
  expect (f, "- a:1 a:2");
  expect (f, "+ a:4 a:5");
  confirm (f, "a:4 a:5");
  expect_active (f, "a:4");
  expect (f, NULL);

  /* Room that is not there after all: back to the end of the queue. */
  release (f, "a:3");
  expect (f, "- a:3");
  expect (f, "+ a:6");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "a:6");
  expect (f, NULL);
  release (f, "a:4");
  expect (f, "- a:4");
  expect (f, "+ a:7");
  confirm (f, "a:7");
  expect (f, NULL);

  /* Whoever waits and is wanted no more just goes. */
  release (f, "a:8");
  expect (f, NULL);
  expect_limited (f, "a:6");
}

/* Who comes when all is full hears the server's word. */
static void
test_limit_fresh (Fixture *f, gconstpointer data)
{
  fill_up (f);
  hold (f, "b:1 b:2");
  expect (f, "+ b:1 b:2");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, "+ b:1");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "b:1");
  expect_limited (f, "b:2"); /* its request was refused too */
  expect (f, NULL);

  hold (f, "a:5");
  g_assert_false (relay_subscriptions_is_answered (f->subs, "a:5"));
  expect (f, "+ a:5");
  g_string_truncate (f->announced, 0);
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_announced (f, "a:5 answered"); /* looks as before, but is news to who asked */
  expect_limited (f, "a:5");
}

/* What was wanted before the word came is not sent in vain, what was wanted after it was sent is. */
static void
test_limit_fresh_meanwhile (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1");
  expect (f, "+ a:1");
  hold (f, "b:1");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "a:1");
  expect_pending (f, "b:1");
  expect (f, "+ b:1");
}

/* An unsubscribe waits for the answers that are under way, and what is to be asked waits for it: no answer from
 * before it is taken for one from after it. */
static void
test_unsubscribe_is_a_barrier (Fixture *f, gconstpointer data)
{
  g_autofree char *id = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1");
  expect (f, "+ a:1");
  confirm (f, "a:1");
  hold (f, "b:1");
  expect (f, "+ b:1");
  id = g_strdup (f->last_id);
  release (f, "a:1");
  hold (f, "c:1");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, f->now_usec + RELAY_SUBSCRIPTIONS_ANSWER_USEC);
  f->n_wakes = 0;
  refuse (f, id, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "b:1");
  g_assert_cmpuint (f->n_wakes, ==, 1);
  expect (f, "- a:1");
  expect (f, "+ b:1"); /* there is room now */
  expect (f, "+ c:1");
  expect (f, NULL);

  /* Not longer than an answer is waited for. */
  hold (f, "d:1");
  expect (f, "+ d:1");
  confirm (f, "b:1 c:1");
  release (f, "b:1");
  expect (f, NULL);
  f->now_usec += RELAY_SUBSCRIPTIONS_ANSWER_USEC;
  expect (f, "- b:1");
}

/* Room goes on to the next in line where the first one has no use for it. */
static void
test_limit_passed_on (Fixture *f, gconstpointer data)
{
  fill_up (f);
  release (f, "a:1");
  expect (f, "- a:1");
  release (f, "a:4"); /* first in line, but not asked yet; it was never on */
  expect (f, "+ a:5");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  expect_rejected (f, "a:5", "INVALID_CHANNEL");
  expect (f, "+ a:6");
  confirm (f, "a:6");
  expect (f, NULL);
}

static void
test_limit_again (Fixture *f, gconstpointer data)
{
  fill_up (f);
  relay_subscriptions_ask_again (f->subs);
  g_assert_false (relay_subscriptions_is_answered (f->subs, "a:4"));
  expect (f, "+ a:4 a:5 a:6 a:7 a:8");
  confirm (f, "a:4 a:5 a:6 a:7");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "a:8");
  expect_active (f, "a:7");

  relay_subscriptions_disconnected (f->subs);
  g_assert_false (relay_subscriptions_is_answered (f->subs, "a:8"));
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8");
}

static void
test_rate_limit (Fixture *f, gconstpointer data)
{
  gint64 expected_usec = RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC / 2; /* the jitter is 0.5 */

  relay_subscriptions_connected (f->subs);
  hold (f, "on:1");
  expect (f, "+ on:1");
  confirm (f, "on:1");
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");

  for (guint i = 0; i < 10; i++) {
    refuse (f, NULL, "RATE_LIMITED", "slow down");
    expect_pending (f, "a:1");
    if (i == 0) {
      hold (f, "b:1");
      release (f, "on:1");
    }
    expect (f, NULL);
    g_assert_cmpint (f->next_usec, ==, f->now_usec + expected_usec);
    f->now_usec += expected_usec - 1;
    expect (f, NULL);
    f->now_usec++;
    if (i == 0) {
      expect (f, "- on:1"); /* nothing is said in the pause, not that either */
      expect (f, "+ a:1 a:2");
      expect (f, "+ b:1");
      refuse (f, NULL, "INVALID_CHANNEL", "?");
      relay_subscriptions_disconnected (f->subs);
      relay_subscriptions_connected (f->subs);
      expect (f, "+ a:1 a:2 b:1");
      expected_usec = RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC / 2;
      continue;
    }
    expect (f, "+ a:1 a:2 b:1"); /* the same piece */
    expected_usec = MIN (expected_usec * 2, RELAY_SUBSCRIPTIONS_RATE_DELAY_MAX_USEC / 2);
  }

  confirm (f, "a:1"); /* starts anew */
  refuse (f, NULL, "RATE_LIMITED", "slow down");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, f->now_usec + RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC / 2);
  f->now_usec = f->next_usec;
  expect (f, "+ a:2 b:1");
}

/* Several requests that ran into the same limit: one pause. */
static void
test_rate_limit_once (Fixture *f, gconstpointer data)
{
  g_autofree char *first = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1");
  expect (f, "+ a:1");
  first = g_strdup (f->last_id);
  f->now_usec++;
  hold (f, "a:2");
  expect (f, "+ a:2");
  f->now_usec++;
  refuse (f, first, "RATE_LIMITED", "slow down");
  f->now_usec++;
  refuse (f, NULL, "RATE_LIMITED", "slow down");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, f->now_usec - 1 + RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC / 2);
  f->now_usec = f->next_usec;
  expect (f, "+ a:1");
  expect (f, "+ a:2");
  expect (f, NULL);
}

static void
test_rate_limit_jitter (Fixture *f, gconstpointer data)
{
  static const double jitters[] = { 0, 0.1, 0.9999999 };

  for (gsize i = 0; i < G_N_ELEMENTS (jitters); i++) {
    gint64 pause_usec;

    relay_subscriptions_connected (f->subs);
    relay_subscriptions_hold (f->subs, "a:1");
    expect (f, "+ a:1");
    relay_subscriptions_refused (f->subs, f->last_id, NULL, "RATE_LIMITED", "", f->now_usec, jitters[i]);
    expect (f, NULL);
    pause_usec = f->next_usec - f->now_usec;
    g_assert_cmpint (pause_usec, >=, RELAY_SUBSCRIPTIONS_RATE_DELAY_MIN_USEC);
    g_assert_cmpint (pause_usec, <=, RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC);
    relay_subscriptions_disconnected (f->subs);
  }
}

/* An unsubscribe that the server did not take is repeated, but for what is wanted again. */
static void
test_rate_limited_unsubscribe (Fixture *f, gconstpointer data)
{
  g_autofree char *id = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3 a:4");
  expect (f, "+ a:1 a:2 a:3 a:4");
  confirm (f, "a:1 a:2 a:3 a:4");
  release (f, "a:1 a:2 a:3");
  expect (f, "- a:1 a:2 a:3");
  id = g_strdup (f->last_id);
  hold (f, "a:2 a:3");
  g_string_truncate (f->announced, 0);
  g_assert_true (relay_subscriptions_refused (f->subs, id, "unsubscribe", "RATE_LIMITED", "", f->now_usec, 0.5));
  expect_announced (f, "");
  release (f, "a:3");
  expect (f, NULL);
  f->now_usec = f->next_usec;
  expect (f, "- a:1 a:3");
  expect (f, "+ a:2");
  g_assert_true (relay_subscriptions_refused (f->subs, id, "unsubscribe", "RATE_LIMITED", "", f->now_usec, 0.5));
  f->now_usec += RELAY_SUBSCRIPTIONS_RATE_DELAY_MAX_USEC;
  g_assert_cmpuint (next_size (f, FALSE), ==, 0); /* once */
}

static void
test_auth (Fixture *f, gconstpointer data)
{
  static const char *const codes[] = { "AUTH_FAILED", "TOKEN_EXPIRED" };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++) {
    relay_subscriptions_connected (f->subs);
    hold (f, "a:1 a:2");
    expect (f, "+ a:1 a:2");
    refuse (f, NULL, codes[i], "no");
    expect_pending (f, "a:1");
    expect (f, NULL);
    g_assert_cmpint (f->next_usec, ==, -1);
    hold (f, "a:1");
    expect (f, "+ a:1"); /* for who asks now */
    refuse (f, NULL, codes[i], "no");
    release (f, "a:2");
    expect (f, NULL);
    relay_subscriptions_connected (f->subs);
    expect (f, "+ a:1");
    confirm (f, "a:1");
    expect_active (f, "a:1");
    release (f, "a:1");
    release (f, "a:1");
    relay_subscriptions_disconnected (f->subs);
  }
}

static void
test_invalid_action (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  refuse (f, NULL, "INVALID_ACTION", "what is a subscribe?");
  expect_rejected (f, "a:1", "INVALID_ACTION");
  expect_rejected (f, "a:2", "INVALID_ACTION");
  expect (f, NULL);
}

static void
test_unknown_code (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  refuse (f, NULL, "INTERNAL", "oops");
  expect (f, "+ a:1");
  refuse (f, NULL, "FORBIDDEN", "not yours");
  expect_rejected (f, "a:1", "FORBIDDEN");
  expect (f, "+ a:2");
  refuse (f, NULL, NULL, NULL);
  expect_rejected (f, "a:2", "");
}

/* What is kept of what a server says is bounded, and cut between characters. */
static void
test_long_texts (Fixture *f, gconstpointer data)
{
  g_autofree char *code = g_strnfill (100000, 'C');
  g_autoptr (GString) message = g_string_new ("m");
  const RelayChannel *channel;

  while (message->len < 1000000)
    g_string_append (message, "ä");
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1");
  expect (f, "+ a:1");
  refuse (f, NULL, code, message->str);
  channel = relay_subscriptions_lookup (f->subs, "a:1");
  g_assert_cmpint (channel->state, ==, RELAY_CHANNEL_REJECTED);
  g_assert_cmpuint (strlen (channel->error_code), ==, 64);
  g_assert_cmpuint (strlen (channel->error_message), ==, 511);
  g_assert_true (g_utf8_validate (channel->error_message, -1, NULL));
}

static void
test_late (Fixture *f, gconstpointer data)
{
  g_autofree char *id = NULL;

  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3 a:4");
  expect (f, "+ a:1 a:2 a:3 a:4");
  id = g_strdup (f->last_id);
  release (f, "a:4");
  f->now_usec += RELAY_SUBSCRIPTIONS_ANSWER_USEC - 1;
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, f->now_usec + 1);
  f->now_usec++;
  expect (f, "- a:4"); /* the server may have it */
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);
  expect_pending (f, "a:1");

  /* A late word still counts. */
  confirm (f, "a:1");
  expect_active (f, "a:1");
  /* Who wants it now asks again. */
  hold (f, "a:2");
  expect (f, "+ a:2");
  confirm (f, "a:2");
  expect_active (f, "a:2");
  /* Let go: it may be subscribed. */
  hold (f, "a:5");
  expect (f, "+ a:5");
  f->now_usec += RELAY_SUBSCRIPTIONS_ANSWER_USEC;
  expect (f, NULL);
  release (f, "a:5");
  expect (f, "- a:5");
  /* A late refusal counts as well. */
  g_assert_false (REFUSED (NULL, NULL)); /* but only with its id */
  refuse (f, id, "INVALID_CHANNEL", "?");
  expect_rejected (f, "a:3", "INVALID_CHANNEL");
  expect (f, NULL);
}

static void
test_late_batch (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  f->now_usec += 2 * RELAY_SUBSCRIPTIONS_ANSWER_USEC;
  expect (f, NULL);
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  expect (f, "+ a:1");
  expect (f, "+ a:2");
  relay_subscriptions_disconnected (f->subs);
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:2");
}

/* The server may have done what it was asked and never said so. The doubt lasts until it says something about just
 * that channel, whatever happens to it meanwhile. */
static void
test_late_doubt (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  f->now_usec += RELAY_SUBSCRIPTIONS_ANSWER_USEC;
  expect (f, NULL);
  hold (f, "b:1 a:1 a:2");
  expect (f, "+ b:1 a:1 a:2");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect (f, "+ b:1");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  expect_limited (f, "a:1");
  release (f, "a:1 a:1");
  expect (f, "- a:1");
  expect (f, "+ b:1"); /* it may have made room */
  confirm (f, "b:1");
  expect (f, NULL);

  hold (f, "a:2");
  expect (f, "+ a:2");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "too many");
  release (f, "a:2 a:2 a:2");
  expect (f, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/wire/requests/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("split", test_split);
  ADD ("large-batches", test_large_batches);
  ADD ("parts-stay-apart", test_parts_stay_apart);
  ADD ("partial", test_partial);
  ADD ("partial-error-first", test_partial_error_first);
  ADD ("second-error", test_second_error);
  ADD ("confirmations", test_confirmations);
  ADD ("whose-error", test_whose_error);
  ADD ("anonymous", test_anonymous);
  ADD ("foreign-id", test_foreign_id);
  ADD ("hint", test_hint);
  ADD ("wrong-hint", test_wrong_hint);
  ADD ("limit", test_limit);
  ADD ("limit-fresh", test_limit_fresh);
  ADD ("limit-fresh-meanwhile", test_limit_fresh_meanwhile);
  ADD ("unsubscribe-is-a-barrier", test_unsubscribe_is_a_barrier);
  ADD ("limit-passed-on", test_limit_passed_on);
  ADD ("limit-again", test_limit_again);
  ADD ("rate-limit", test_rate_limit);
  ADD ("rate-limit-once", test_rate_limit_once);
  ADD ("rate-limit-jitter", test_rate_limit_jitter);
  ADD ("rate-limited-unsubscribe", test_rate_limited_unsubscribe);
  ADD ("auth", test_auth);
  ADD ("invalid-action", test_invalid_action);
  ADD ("unknown-code", test_unknown_code);
  ADD ("long-texts", test_long_texts);
  ADD ("late", test_late);
  ADD ("late-batch", test_late_batch);
  ADD ("late-doubt", test_late_doubt);
  return g_test_run ();
}
