/* SPDX-License-Identifier: MIT */
#include "wire/seen.h"

#include <string.h>

static const guint8 key[16] = "sixteen bytes ok";

static gboolean
add (RelaySeen *seen, const char *id)
{
  return relay_seen_add (seen, id, strlen (id));
}

static gboolean
add_number (RelaySeen *seen, guint number)
{
  char id[16];

  g_snprintf (id, sizeof id, "msg_%u", number);
  return add (seen, id);
}

static void
test_twice (void)
{
  g_autoptr (RelaySeen) seen = relay_seen_new (key);

  g_assert_true (add (seen, "msg_1"));
  g_assert_false (add (seen, "msg_1"));
  g_assert_true (add (seen, "msg_2"));
  g_assert_true (add (seen, "msg_"));
  g_assert_true (add (seen, "MSG_1"));
  g_assert_false (add (seen, "msg_2"));
  g_assert_false (add (seen, "msg_1"));
}

/* Bytes are bytes: NUL too, and an id's length is part of it. */
static void
test_bytes (void)
{
  g_autoptr (RelaySeen) seen = relay_seen_new (key);
  static const char zeros[64] = { 0 };

  for (gsize length = 1; length <= sizeof zeros; length++)
    g_assert_true (relay_seen_add (seen, zeros, length));
  for (gsize length = 1; length <= sizeof zeros; length++)
    g_assert_false (relay_seen_add (seen, zeros, length));
  g_assert_true (relay_seen_add (seen, "a\0b", 3));
  g_assert_true (relay_seen_add (seen, "a\0c", 3));
  g_assert_false (relay_seen_add (seen, "a\0b", 3));
}

/* An empty id is nobody's: always new, and it takes no place. */
static void
test_empty (void)
{
  g_autoptr (RelaySeen) seen = relay_seen_new (key);

  g_assert_true (add (seen, "first"));
  for (guint i = 0; i < 2 * RELAY_SEEN_IDS; i++)
    g_assert_true (relay_seen_add (seen, i % 2 == 0 ? "" : NULL, 0));
  g_assert_false (add (seen, "first"));
}

/* Exactly the last RELAY_SEEN_IDS are known; a double does not make its id any younger. */
static void
test_window (void)
{
  g_autoptr (RelaySeen) seen = relay_seen_new (key);

  for (guint i = 0; i < RELAY_SEEN_IDS; i++)
    g_assert_true (add_number (seen, i));
  for (guint i = 0; i < RELAY_SEEN_IDS; i++)
    g_assert_false (add_number (seen, i));

  for (guint i = RELAY_SEEN_IDS; i < 3 * RELAY_SEEN_IDS; i++) {
    g_assert_false (add_number (seen, i - RELAY_SEEN_IDS));
    g_assert_true (add_number (seen, i));
    g_assert_false (add_number (seen, i));
    g_assert_false (add_number (seen, i - RELAY_SEEN_IDS + 1));
  }
  g_assert_true (add_number (seen, 0));
}

/* Against a plain model, with ids drawn from a set half as large again as the window, so that they come again at
 * every age. */
static void
test_model (void)
{
  enum { N_IDS = RELAY_SEEN_IDS * 3 / 2, N_STEPS = 10 * RELAY_SEEN_IDS };
  g_autoptr (RelaySeen) seen = relay_seen_new (key);
  g_autofree guint64 *added = g_new0 (guint64, N_IDS); /* 1 + how many were added before it */
  guint64 n_added = 0;

  for (guint step = 0; step < N_STEPS; step++) {
    guint number = (guint) g_test_rand_int_range (0, N_IDS);
    gboolean expected = added[number] == 0 || n_added - added[number] >= RELAY_SEEN_IDS;

    g_assert_cmpint (add_number (seen, number), ==, expected);
    if (expected)
      added[number] = ++n_added;
  }
  g_assert_cmpuint (n_added, >, 2 * RELAY_SEEN_IDS);
}

static gboolean
add_older (RelaySeen *seen, guint number)
{
  char id[16];
  guint64 hash[2];

  g_snprintf (id, sizeof id, "msg_%u", number);
  relay_seen_hash (key, id, strlen (id), hash);
  return relay_seen_add_older (seen, hash);
}

/* What is loaded, newest first, is known as if it had been added in order, and leaves in that order: whatever was added
 * before the loading, while it was under way, and after it. */
static void
test_older (void)
{
  enum { FIRST_NEW = 3 * RELAY_SEEN_IDS };
  static const guint n_before[] = { 0, 1, 1000, RELAY_SEEN_IDS - 1, RELAY_SEEN_IDS, RELAY_SEEN_IDS + 7 };

  for (gsize i = 0; i < G_N_ELEMENTS (n_before); i++) {
    g_autoptr (RelaySeen) seen = relay_seen_new (key);
    guint n_new = 0, older = FIRST_NEW;

    while (n_new < n_before[i])
      g_assert_true (add_number (seen, FIRST_NEW + n_new++));
    while (add_older (seen, older - 1)) {
      older--;
      if (older % 16 == 0)
        g_assert_true (add_number (seen, FIRST_NEW + n_new++));
    }
    g_assert_cmpuint (FIRST_NEW + n_new - older, ==, MAX (RELAY_SEEN_IDS, n_before[i]));
    for (guint n = MAX (older, FIRST_NEW + n_new - RELAY_SEEN_IDS); n < FIRST_NEW + n_new; n++)
      g_assert_false (add_number (seen, n));

    /* One more is remembered, and the oldest is the one that leaves. */
    for (guint round = 0; round < 2 * RELAY_SEEN_IDS; round++) {
      g_assert_false (add_number (seen, FIRST_NEW + n_new - RELAY_SEEN_IDS));
      g_assert_true (add_number (seen, FIRST_NEW + n_new++));
      g_assert_false (add_number (seen, FIRST_NEW + n_new - RELAY_SEEN_IDS));
    }
    g_assert_true (add_number (seen, older));
  }
}

/* An id that is there already takes no second place, and gets no younger. */
static void
test_older_twice (void)
{
  g_autoptr (RelaySeen) seen = relay_seen_new (key);

  g_assert_true (add_number (seen, 1));
  for (guint i = 0; i < 3; i++) {
    g_assert_true (add_older (seen, 1));
    g_assert_true (add_older (seen, 0));
  }
  g_assert_false (add_number (seen, 0));
  for (guint i = 2; i < RELAY_SEEN_IDS; i++)
    g_assert_true (add_number (seen, i));
  g_assert_false (add_number (seen, 0)); /* exactly full */
  g_assert_true (add_number (seen, RELAY_SEEN_IDS));
  g_assert_true (add_number (seen, 0));
  g_assert_false (add_number (seen, 2));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/seen/twice", test_twice);
  g_test_add_func ("/wire/seen/bytes", test_bytes);
  g_test_add_func ("/wire/seen/empty", test_empty);
  g_test_add_func ("/wire/seen/window", test_window);
  g_test_add_func ("/wire/seen/model", test_model);
  g_test_add_func ("/wire/seen/older", test_older);
  g_test_add_func ("/wire/seen/older-twice", test_older_twice);
  return g_test_run ();
}
