/* SPDX-License-Identifier: MIT */
#include "notify/deck.h"

static guint n_freed;

static void
count (gpointer attached)
{
  n_freed++;
  g_free (attached);
}

static void
append_id (NotifyDeckEntry *entry, gpointer user_data)
{
  g_string_append (user_data, entry->card->prp_id);
}

static void
test_lru (void)
{
  g_autoptr (NotifyDeck) deck = notify_deck_new (3, count);
  g_autoptr (GString) order = g_string_new (NULL);

  n_freed = 0;
  notify_deck_touch (deck, "a")->attached = g_malloc (1);
  notify_deck_touch (deck, "b")->attached = g_malloc (1);
  notify_deck_touch (deck, "c");
  g_assert_nonnull (notify_deck_touch (deck, "a")->attached);
  g_assert_nonnull (notify_deck_find (deck, "b"));
  g_assert_cmpuint (n_freed, ==, 0);
  notify_deck_touch (deck, "d");
  g_assert_null (notify_deck_find (deck, "b"));
  g_assert_cmpuint (n_freed, ==, 1);
  notify_deck_touch (deck, "e");
  g_assert_null (notify_deck_find (deck, "c"));
  g_assert_cmpuint (n_freed, ==, 1); /* nothing was attached to it */
  g_assert_cmpuint (notify_deck_get_size (deck), ==, 3);
  notify_deck_for_each (deck, append_id, order);
  g_assert_cmpstr (order->str, ==, "eda");
}

static void
test_free (void)
{
  NotifyDeck *deck = notify_deck_new (3, count);

  n_freed = 0;
  notify_deck_touch (deck, "a")->attached = g_malloc (1);
  notify_deck_free (deck);
  g_assert_cmpuint (n_freed, ==, 1);
  notify_deck_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/deck/lru", test_lru);
  g_test_add_func ("/deck/free", test_free);
  return g_test_run ();
}
