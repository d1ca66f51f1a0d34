/* SPDX-License-Identifier: MIT */
#include "common/turn.h"

typedef struct {
  GSource *turn, *other;
  guint n_turns, n_others;
  gboolean rearm;
} Fixture;

static void
on_turn (gpointer user_data)
{
  Fixture *f = user_data;

  f->n_turns++;
  if (f->rearm && f->n_turns < 3)
    relay_turn_arm (f->turn);
}

static void
on_other (gpointer user_data)
{
  Fixture *f = user_data;

  f->n_others++;
  relay_turn_arm (f->other);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->turn = relay_turn_new ("test", on_turn, f);
  f->other = relay_turn_new ("other", on_other, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_turn_free (f->turn);
  relay_turn_free (f->other);
  relay_turn_free (NULL);
}

static void
iterate (guint n)
{
  while (n-- > 0)
    g_main_context_iteration (NULL, FALSE);
}

/* Once, however often it was asked for; not from within; and never unasked. */
static void
test_once (Fixture *f, gconstpointer data)
{
  iterate (3);
  g_assert_cmpuint (f->n_turns, ==, 0);
  relay_turn_arm (f->turn);
  relay_turn_arm (f->turn);
  g_assert_cmpuint (f->n_turns, ==, 0);
  iterate (3);
  g_assert_cmpuint (f->n_turns, ==, 1);
  relay_turn_arm (f->turn);
  relay_turn_disarm (f->turn);
  iterate (3);
  g_assert_cmpuint (f->n_turns, ==, 1);
}

static void
test_rearm (Fixture *f, gconstpointer data)
{
  f->rearm = TRUE;
  relay_turn_arm (f->turn);
  iterate (10);
  g_assert_cmpuint (f->n_turns, ==, 3);
}

/* Another source that is always ready does not keep it waiting. */
static void
test_not_starved (Fixture *f, gconstpointer data)
{
  relay_turn_arm (f->other);
  iterate (5);
  relay_turn_arm (f->turn);
  iterate (2);
  g_assert_cmpuint (f->n_turns, ==, 1);
  g_assert_cmpuint (f->n_others, >=, 5);
}

static void
test_at (Fixture *f, gconstpointer data)
{
  gint64 due = g_get_monotonic_time () + 20000;

  relay_turn_arm_in (f->turn, G_MAXUINT64);
  iterate (2);
  g_assert_cmpuint (f->n_turns, ==, 0);
  relay_turn_arm_at (f->turn, due);
  while (f->n_turns == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_get_monotonic_time (), >=, due);

  /* What is past is due in the next turn, also before the clock's beginning. */
  relay_turn_arm_at (f->turn, -5);
  iterate (2);
  g_assert_cmpuint (f->n_turns, ==, 2);
  relay_turn_arm_in (f->turn, 0);
  iterate (2);
  g_assert_cmpuint (f->n_turns, ==, 3);
}

#define ADD(name, function) g_test_add ("/turn/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("once", test_once);
  ADD ("rearm", test_rearm);
  ADD ("not-starved", test_not_starved);
  ADD ("at", test_at);
  return g_test_run ();
}
