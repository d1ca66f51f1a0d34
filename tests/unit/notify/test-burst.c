/* SPDX-License-Identifier: MIT */
#include "notify/burst.h"

#define MSEC ((gint64) 1000)
#define START (1000 * MSEC)

static gboolean
add (NotifyBurst *burst, const char *prp_id, gint64 at)
{
  return notify_burst_add (burst, NOTIFY_KIND_CREATED, prp_id, at);
}

/* Five in three seconds are none, and the sixth makes one; at the very end of the three seconds it does not any more. */
static void
test_threshold (void)
{
  static const struct {
    gint64 sixth;
    gboolean begins;
  } cases[] = { { 2999 * MSEC, TRUE }, { 3000 * MSEC, FALSE }, { 3001 * MSEC, FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    NotifyBurst burst = { 0 };

    for (int n = 0; n < NOTIFY_BURST_MAX_EVENTS; n++)
      g_assert_false (add (&burst, n % 2 == 0 ? "a" : "b", START + n * MSEC));
    g_assert_cmpint (add (&burst, "c", START + cases[i].sixth), ==, cases[i].begins);
    g_assert_cmpint (notify_burst_check (&burst, START + cases[i].sixth), ==, cases[i].begins);
    if (cases[i].begins) {
      g_assert_cmpuint (burst.n_last, ==, NOTIFY_BURST_MAX_EVENTS + 1);
      g_assert_cmpstr (burst.last[0].prp_id, ==, "c");
      g_assert_cmpstr (burst.last[NOTIFY_BURST_MAX_EVENTS].prp_id, ==, "a");
    }
    notify_burst_clear (&burst);
  }
}

static void
test_one_prp (void)
{
  NotifyBurst burst = { 0 };

  for (int n = 0; n < 200; n++)
    g_assert_false (add (&burst, "a", START + n * MSEC));
  g_assert_true (add (&burst, "b", START + 201 * MSEC));
  notify_burst_clear (&burst);
}

static void
test_end (void)
{
  NotifyBurst burst = { 0 };
  gint64 now = START;

  g_assert_cmpint (notify_burst_get_end (&burst), ==, 0);
  for (int n = 0; n < 100; n++) {
    now += 100 * MSEC;
    add (&burst, n % 2 == 0 ? "a" : "b", now);
  }
  g_assert_true (burst.is_on);
  /* The last two do not keep it up. */
  g_assert_cmpint (notify_burst_get_end (&burst), ==, now - 200 * MSEC + NOTIFY_BURST_USEC);
  g_assert_true (notify_burst_check (&burst, notify_burst_get_end (&burst) - 1));
  g_assert_false (add (&burst, "c", now + 1000 * MSEC)); /* it goes on, and does not begin */
  g_assert_true (burst.is_on);
  g_assert_false (notify_burst_check (&burst, now + 20000 * MSEC));
  g_assert_cmpint (notify_burst_get_end (&burst), ==, 0);
  g_assert_false (add (&burst, "d", now + 20000 * MSEC));
  notify_burst_clear (&burst);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/burst/threshold", test_threshold);
  g_test_add_func ("/burst/one-prp", test_one_prp);
  g_test_add_func ("/burst/end", test_end);
  return g_test_run ();
}
