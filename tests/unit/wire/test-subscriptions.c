/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include <stdarg.h>
#include <string.h>

#define SEC ((gint64) G_USEC_PER_SEC)
#define REALTIME 1700000000000000

/*
 * A fixture plays the server's and the clock's part. Requests are compared as text, "+ a:1 a:2" for a subscribe
 * and "- a:1" for an unsubscribe; announcements as they come, "a:1 added holds".
 */
typedef struct {
  RelaySubscriptions *subs;
  gint64 now_usec;
  gint64 next_usec;
  char *last_id;
  GString *announced;
  guint n_wakes;
} Fixture;

static void
changed (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  static const char *const names[] = { "added", "removed", "state", "durable", "holds", "answered" };
  Fixture *f = user_data;

  g_string_append_printf (f->announced, "%s%s", f->announced->len > 0 ? ", " : "", channel->name);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (change & (1 << i))
      g_string_append_printf (f->announced, " %s", names[i]);
}

static void
wake (gpointer user_data)
{
  ((Fixture *) user_data)->n_wakes++;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->subs = relay_subscriptions_new (100000);
  f->now_usec = 1000 * SEC;
  f->announced = g_string_new (NULL);
  relay_subscriptions_watch (f->subs, changed, f);
  relay_subscriptions_set_wake (f->subs, wake, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_subscriptions_free (f->subs);
  g_free (f->last_id);
  g_string_free (f->announced, TRUE);
}

static void
expect (Fixture *f, const char *expected)
{
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subs, f->now_usec, &f->next_usec);
  g_autofree char *names = NULL, *text = NULL;

  if (request != NULL) {
    names = g_strjoinv (" ", request->channels);
    text = g_strdup_printf ("%c %s", request->subscribe ? '+' : '-', names);
    g_free (f->last_id);
    f->last_id = g_strdup (request->id);
  }
  g_assert_cmpstr (text, ==, expected);
}

static void
expect_announced (Fixture *f, const char *expected)
{
  g_assert_cmpstr (f->announced->str, ==, expected);
  g_string_truncate (f->announced, 0);
}

static void
hold (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    relay_subscriptions_hold (f->subs, parts[i]);
}

static void
release (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    relay_subscriptions_release (f->subs, parts[i]);
}

static void
confirm (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  relay_subscriptions_confirmed (f->subs, (const char *const *) parts, REALTIME);
}

/* An error for request @id (NULL: the last one sent). */
static void
refuse (Fixture *f, const char *id, const char *code, const char *message)
{
  g_assert_true (relay_subscriptions_refused (f->subs, id != NULL ? id : f->last_id, "subscribe", code, message,
                                              f->now_usec, 0.5));
}

static void
expect_state (Fixture *f, const char *name, RelayChannelState state, const char *code, gboolean answered)
{
  const RelayChannel *channel = relay_subscriptions_lookup (f->subs, name);

  g_assert_nonnull (channel);
  g_assert_cmpint (channel->state, ==, state);
  g_assert_cmpstr (channel->error_code, ==, code);
  g_assert_cmpint (channel->active_since_usec, ==, state == RELAY_CHANNEL_ACTIVE ? REALTIME : 0);
  g_assert_cmpint (relay_subscriptions_is_answered (f->subs, name), ==, answered);
}

#define expect_active(f, name) expect_state (f, name, RELAY_CHANNEL_ACTIVE, "", TRUE)
#define expect_pending(f, name) expect_state (f, name, RELAY_CHANNEL_PENDING, "", FALSE)
#define expect_rejected(f, name, code) expect_state (f, name, RELAY_CHANNEL_REJECTED, code, TRUE)
#define expect_limited(f, name) expect_state (f, name, RELAY_CHANNEL_PENDING, "SUBSCRIPTION_LIMIT", TRUE)

/* ---- the plain course ---- */

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/wire/subscriptions/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("one", test_one);
  ADD ("batch", test_batch);
  ADD ("split", test_split);
  return g_test_run ();
}
