/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include <string.h>

#include "subscriptions-fixture.h"

static void
test_one (Fixture *f, gconstpointer data)
{
  hold (f, "a:1");
  expect_announced (f, "a:1 added holds");
  g_assert_cmpuint (f->n_wakes, ==, 0); /* nobody to be asked */
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);
  expect_pending (f, "a:1");

  relay_subscriptions_connected (f->subs);
  g_assert_cmpuint (f->n_wakes, ==, 1);
  expect (f, "+ a:1");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, f->now_usec + RELAY_SUBSCRIPTIONS_ANSWER_USEC);
  expect_pending (f, "a:1");
  expect_announced (f, "");

  confirm (f, "a:1");
  expect_announced (f, "a:1 state answered");
  expect_active (f, "a:1");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);

  relay_subscriptions_set_durable (f->subs, "a:1", TRUE);
  relay_subscriptions_set_durable (f->subs, "a:1", TRUE);
  expect_announced (f, "a:1 durable");
  release (f, "a:1");
  expect_announced (f, "a:1 holds");
  relay_subscriptions_set_durable (f->subs, "a:1", FALSE);
  relay_subscriptions_set_durable (f->subs, "a:1", FALSE);
  expect_announced (f, "a:1 removed durable");
  g_assert_null (relay_subscriptions_lookup (f->subs, "a:1"));
  expect (f, "- a:1");
  expect (f, NULL);
}

/* What is wanted in one turn is one message, and a new connection is one message. */
static void
test_batch (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3");
  relay_subscriptions_set_durable (f->subs, "a:0", TRUE);
  expect (f, "+ a:1 a:2 a:3 a:0");
  hold (f, "a:4");
  expect (f, "+ a:4");
  confirm (f, "a:0 a:1 a:2 a:3 a:4");
  expect (f, NULL);

  g_string_truncate (f->announced, 0);
  relay_subscriptions_disconnected (f->subs);
  expect_announced (f, "a:1 state, a:2 state, a:3 state, a:0 state, a:4 state");
  expect_pending (f, "a:0");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);

  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1 a:2 a:3 a:0 a:4");
  expect (f, NULL);
}

static void
test_unwanted (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);

  /* Queued: nobody needs to know. */
  hold (f, "a:1 a:2");
  release (f, "a:1");
  expect (f, "+ a:2");

  /* Asked: the answer comes first. */
  release (f, "a:2");
  g_assert_null (relay_subscriptions_lookup (f->subs, "a:2"));
  expect (f, NULL);
  g_string_truncate (f->announced, 0);
  confirm (f, "a:2");
  expect_announced (f, "");
  expect (f, "- a:2");
  expect (f, NULL);

  /* Asked, and wanted again: the answer is for that. */
  hold (f, "a:3");
  expect (f, "+ a:3");
  release (f, "a:3");
  hold (f, "a:3");
  expect (f, NULL);
  confirm (f, "a:3");
  expect_active (f, "a:3");

  /* Leaving, and wanted again. */
  release (f, "a:3");
  hold (f, "a:3");
  expect_active (f, "a:3");
  expect (f, NULL);

  /* Gone, and wanted again: in this order. */
  release (f, "a:3");
  expect (f, "- a:3");
  hold (f, "a:3");
  expect_pending (f, "a:3");
  expect (f, "+ a:3");

  /* Unwanted, and refused: nothing is left. */
  release (f, "a:3");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  expect (f, NULL);
  g_assert_cmpint (f->next_usec, ==, -1);
}

/* One of a refused batch is unwanted. It counts (the other is not alone to blame), but is not asked for again; and
 * as the server may be about to confirm it, it is unsubscribed. */
static void
test_unwanted_in_batch (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2 a:3");
  expect (f, "+ a:1 a:2 a:3");
  release (f, "a:3");
  confirm (f, "a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  expect_pending (f, "a:2");
  expect (f, "- a:3");
  expect (f, "+ a:2");
  confirm (f, "a:2");
  expect_active (f, "a:2");

  /* Named as the culprit: the others are asked together. */
  hold (f, "b:1 b:2 b:3");
  expect (f, "+ b:1 b:2 b:3");
  release (f, "b:2");
  refuse (f, NULL, "INVALID_CHANNEL", "'b:2' does not exist");
  expect (f, "- b:2");
  expect (f, "+ b:1 b:3");
  release (f, "b:1 b:3");
  refuse (f, NULL, "SUBSCRIPTION_LIMIT", "?");
  expect (f, "- b:1 b:3");
  expect (f, NULL);
  expect_active (f, "a:1");
}

/* Waiting to be asked again, and confirmed by the first request after it was let go. */
static void
test_unwanted_part (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 bad:1");
  expect (f, "+ a:1 bad:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  release (f, "a:1");
  confirm (f, "a:1");
  expect (f, "- a:1");
  expect (f, "+ bad:1");
  expect (f, NULL);
}

static void
test_rejected_again (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  relay_subscriptions_set_durable (f->subs, "a:1", TRUE);
  expect (f, "+ a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  expect_rejected (f, "a:1", "INVALID_CHANNEL");

  relay_subscriptions_set_durable (f->subs, "a:1", TRUE); /* asked for anew, though it was durable before */
  expect_pending (f, "a:1");
  expect (f, "+ a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  hold (f, "a:1");
  expect (f, "+ a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  release (f, "a:1");
  expect_rejected (f, "a:1", "INVALID_CHANNEL");

  relay_subscriptions_ask_again (f->subs);
  expect_pending (f, "a:1");
  expect (f, "+ a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");

  /* Offline it is shown as it was last known, until someone asks. */
  relay_subscriptions_disconnected (f->subs);
  expect_state (f, "a:1", RELAY_CHANNEL_REJECTED, "INVALID_CHANNEL", FALSE);
  relay_subscriptions_ask_again (f->subs);
  relay_subscriptions_connected (f->subs);
  expect_pending (f, "a:1");
  expect (f, "+ a:1");
  refuse (f, NULL, "INVALID_CHANNEL", "?");
  relay_subscriptions_disconnected (f->subs);
  hold (f, "a:1");
  expect_pending (f, "a:1");
  relay_subscriptions_connected (f->subs);
  expect (f, "+ a:1");
  confirm (f, "a:1");
  expect_active (f, "a:1");
}

static void
test_room (Fixture *f, gconstpointer data)
{
  g_autoptr (RelaySubscriptions) subs = relay_subscriptions_new (3);
  g_autoptr (GError) error = NULL;
  g_autoptr (RelayRequest) request = NULL;
  gint64 next_usec;

  g_assert_true (relay_subscriptions_check_room (subs, 3, NULL));
  g_assert_false (relay_subscriptions_check_room (subs, 4, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED);
  g_assert_false (relay_subscriptions_check_room (subs, G_MAXUINT, NULL));
  relay_subscriptions_hold (subs, "a:1");
  relay_subscriptions_hold (subs, "a:2");
  g_assert_true (relay_subscriptions_check_room (subs, 1, NULL));
  g_assert_false (relay_subscriptions_check_room (subs, 2, NULL));
  relay_subscriptions_set_max_channels (subs, 1);
  g_assert_false (relay_subscriptions_check_room (subs, 0, NULL));
  g_assert_nonnull (relay_subscriptions_lookup (subs, "a:2"));
  relay_subscriptions_set_max_channels (subs, 2);
  g_assert_true (relay_subscriptions_check_room (subs, 0, NULL));

  /* On its way out, it still takes room. */
  relay_subscriptions_connected (subs);
  request = relay_subscriptions_next (subs, 0, &next_usec);
  relay_subscriptions_release (subs, "a:2");
  g_assert_cmpuint (relay_subscriptions_get_n_channels (subs), ==, 1);
  g_assert_false (relay_subscriptions_check_room (subs, 1, NULL));
  relay_subscriptions_disconnected (subs);
  g_assert_true (relay_subscriptions_check_room (subs, 1, NULL));
}

static void
test_list (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) list = NULL;

  hold (f, "z:1 a:1 m:1");
  relay_subscriptions_connected (f->subs);
  expect (f, "+ z:1 a:1 m:1");
  release (f, "a:1");
  list = relay_subscriptions_list (f->subs);
  g_assert_cmpuint (list->len, ==, 2);
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subs), ==, 2);
  g_assert_cmpstr (((RelayChannel *) list->pdata[0])->name, ==, "z:1");
  g_assert_cmpstr (((RelayChannel *) list->pdata[1])->name, ==, "m:1");
  g_assert_false (relay_subscriptions_is_answered (f->subs, "nothing:1"));
  g_assert_false (relay_subscriptions_is_answered (f->subs, "a:1"));
}

static void
test_states (void)
{
  g_assert_cmpstr (relay_channel_state_to_string (RELAY_CHANNEL_PENDING), ==, "pending");
  g_assert_cmpstr (relay_channel_state_to_string (RELAY_CHANNEL_ACTIVE), ==, "active");
  g_assert_cmpstr (relay_channel_state_to_string (RELAY_CHANNEL_REJECTED), ==, "rejected");
  relay_request_free (NULL);
  relay_subscriptions_free (NULL);
}

/* Lets go of what is rejected from within the announcement, as the service does; and looks at all it may. */
static void
let_go (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  Fixture *f = user_data;

  g_assert_nonnull (channel->name);
  if ((change & RELAY_CHANNEL_ANSWERED) && channel->state == RELAY_CHANNEL_REJECTED) {
    g_assert_true (relay_subscriptions_lookup (f->subs, channel->name) == channel);
    g_assert_true (relay_subscriptions_is_answered (f->subs, channel->name));
    relay_subscriptions_release (f->subs, channel->name);
    g_assert_null (relay_subscriptions_lookup (f->subs, channel->name));
    relay_subscriptions_set_durable (f->subs, "new:1", TRUE);
  }
  if (change & RELAY_CHANNEL_REMOVED)
    g_assert_null (relay_subscriptions_lookup (f->subs, channel->name));
}

static void
test_watchers_act (Fixture *f, gconstpointer data)
{
  relay_subscriptions_watch (f->subs, let_go, f);
  relay_subscriptions_connected (f->subs);
  hold (f, "a:1 a:2");
  expect (f, "+ a:1 a:2");
  g_string_truncate (f->announced, 0);
  f->n_wakes = 0;
  refuse (f, NULL, "INVALID_ACTION", "?");
  expect_announced (f, "a:1 state answered, a:2 state answered, a:1 removed holds, new:1 added durable, "
                       "a:2 removed holds");
  g_assert_cmpuint (f->n_wakes, ==, 1);
  expect (f, "+ new:1");
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subs), ==, 1);
}

typedef struct {
  Fixture *f;
  guint n;
  gboolean leaves;
} Second;

static void
count_and_leave (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  Second *second = user_data;

  second->n++;
  if (second->leaves)
    relay_subscriptions_unwatch (second->f->subs, count_and_leave, second);
}

/* Whoever leaves during an announcement, the others still hear it. */
static void
test_watchers_leave (Fixture *f, gconstpointer data)
{
  Second seconds[] = { { f, 0, FALSE }, { f, 0, TRUE }, { f, 0, FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (seconds); i++)
    relay_subscriptions_watch (f->subs, count_and_leave, &seconds[i]);
  hold (f, "a:1");
  hold (f, "a:2");
  g_assert_cmpuint (seconds[0].n, ==, 2);
  g_assert_cmpuint (seconds[1].n, ==, 1);
  g_assert_cmpuint (seconds[2].n, ==, 2);
  relay_subscriptions_unwatch (f->subs, count_and_leave, &seconds[0]);
  relay_subscriptions_unwatch (f->subs, count_and_leave, &seconds[1]); /* left already */
  hold (f, "a:3");
  g_assert_cmpuint (seconds[0].n, ==, 2);
  g_assert_cmpuint (seconds[2].n, ==, 3);
}

/* The wake is for what a NULL did not know of. */
static void
test_wake (Fixture *f, gconstpointer data)
{
  relay_subscriptions_connected (f->subs);
  g_assert_cmpuint (f->n_wakes, ==, 0); /* nothing to ask for */
  hold (f, "a:1");
  g_assert_cmpuint (f->n_wakes, ==, 1);
  expect (f, "+ a:1");
  expect (f, NULL);
  hold (f, "a:1");
  relay_subscriptions_set_durable (f->subs, "a:1", TRUE);
  g_assert_cmpuint (f->n_wakes, ==, 1);
  refuse (f, NULL, "RATE_LIMITED", "?");
  g_assert_cmpuint (f->n_wakes, ==, 2); /* to ask at another time */
  expect (f, NULL);
  relay_subscriptions_disconnected (f->subs);
  hold (f, "a:2");
  g_assert_cmpuint (f->n_wakes, ==, 2);
}

/* 10,000 come and go, in and out of order: what that costs does not grow with how many there are. */
static void
test_many (Fixture *f, gconstpointer data)
{
  enum { N = 10000 };
  g_auto (GStrv) names = g_new0 (char *, N + 1);
  guint n_sent = 0;

  for (guint i = 0; i < N; i++)
    names[i] = g_strdup_printf ("prp:%u", i);
  relay_subscriptions_connected (f->subs);
  for (guint round = 0; round < 5; round++) {
    for (guint i = 0; i < N; i++)
      relay_subscriptions_hold (f->subs, names[i * 7919 % N]);
    for (guint size; (size = next_size (f, TRUE)) > 0;)
      n_sent += size;
    relay_subscriptions_confirmed (f->subs, (const char *const *) names, REALTIME);
    for (guint i = N; i-- > 0;)
      relay_subscriptions_release (f->subs, names[i * 7907 % N]);
    g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subs), ==, 0);
    for (guint size; (size = next_size (f, FALSE)) > 0;)
      n_sent -= size;
    g_assert_cmpuint (n_sent, ==, 0);
    g_string_truncate (f->announced, 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/wire/subscriptions/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("one", test_one);
  ADD ("batch", test_batch);
  ADD ("unwanted", test_unwanted);
  ADD ("unwanted-in-batch", test_unwanted_in_batch);
  ADD ("unwanted-part", test_unwanted_part);
  ADD ("rejected-again", test_rejected_again);
  ADD ("room", test_room);
  ADD ("list", test_list);
  g_test_add_func ("/wire/subscriptions/states", test_states);
  ADD ("watchers-act", test_watchers_act);
  ADD ("watchers-leave", test_watchers_leave);
  ADD ("wake", test_wake);
  ADD ("many", test_many);
  return g_test_run ();
}
