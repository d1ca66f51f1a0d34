/* SPDX-License-Identifier: MIT */
#include "subscriptions-fixture.h"

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

void
set_up (Fixture *f, gconstpointer data)
{
  f->subs = relay_subscriptions_new (100000);
  f->now_usec = 1000 * SEC;
  f->announced = g_string_new (NULL);
  relay_subscriptions_watch (f->subs, changed, f);
  relay_subscriptions_set_wake (f->subs, wake, f);
}

void
tear_down (Fixture *f, gconstpointer data)
{
  relay_subscriptions_free (f->subs);
  g_free (f->last_id);
  g_string_free (f->announced, TRUE);
}

void
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

void
expect_announced (Fixture *f, const char *expected)
{
  g_assert_cmpstr (f->announced->str, ==, expected);
  g_string_truncate (f->announced, 0);
}

void
hold (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    relay_subscriptions_hold (f->subs, parts[i]);
}

void
release (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    relay_subscriptions_release (f->subs, parts[i]);
}

void
confirm (Fixture *f, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, " ", -1);

  relay_subscriptions_confirmed (f->subs, (const char *const *) parts, REALTIME);
}

/* An error for request @id (NULL: the last one sent). */
void
refuse (Fixture *f, const char *id, const char *code, const char *message)
{
  g_assert_true (relay_subscriptions_refused (f->subs, id != NULL ? id : f->last_id, "subscribe", code, message,
                                              f->now_usec, 0.5));
}

void
expect_state (Fixture *f, const char *name, RelayChannelState state, const char *code, gboolean answered)
{
  const RelayChannel *channel = relay_subscriptions_lookup (f->subs, name);

  g_assert_nonnull (channel);
  g_assert_cmpint (channel->state, ==, state);
  g_assert_cmpstr (channel->error_code, ==, code);
  g_assert_cmpint (channel->active_since_usec, ==, state == RELAY_CHANNEL_ACTIVE ? REALTIME : 0);
  g_assert_cmpint (relay_subscriptions_is_answered (f->subs, name), ==, answered);
}

char *
many (const char *prefix, guint n)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    g_string_append_printf (names, "%s%s:%u", i > 0 ? " " : "", prefix, i);
  return g_string_free (names, FALSE);
}

guint
next_size (Fixture *f, gboolean subscribe)
{
  g_autoptr (RelayRequest) request = relay_subscriptions_next (f->subs, f->now_usec, &f->next_usec);

  if (request == NULL)
    return 0;
  g_assert_cmpint (request->subscribe, ==, subscribe);
  return g_strv_length (request->channels);
}
