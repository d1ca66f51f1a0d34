/* SPDX-License-Identifier: MIT */
#include "link/backoff.h"

#define SEC ((guint64) G_USEC_PER_SEC)
#define ALMOST_ONE 0x1.fffffffffffffp-1 /* the greatest double below 1 */

static void
test_bounds (void)
{
  /* The ceiling doubles, up to the cap. */
  static const guint64 ceilings[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };

  for (guint i = 0; i < G_N_ELEMENTS (ceilings); i++) {
    guint64 most = relay_backoff_delay (1 * SEC, 60 * SEC, i, 0, ALMOST_ONE);

    g_assert_cmpuint (most, <, ceilings[i] * SEC);
    g_assert_cmpuint (most, >=, ceilings[i] * SEC - 1);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, i, 0, 0.5), ==, (RELAY_BACKOFF_MIN_USEC + ceilings[i] * SEC) / 2);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, i, 0, 0), ==, RELAY_BACKOFF_MIN_USEC);
  }
}

static void
test_small (void)
{
  g_assert_cmpuint (relay_backoff_delay (0, 60 * SEC, 5, 0, ALMOST_ONE), ==, RELAY_BACKOFF_MIN_USEC);
  g_assert_cmpuint (relay_backoff_delay (1, 60 * SEC, 3, 0, ALMOST_ONE), ==, RELAY_BACKOFF_MIN_USEC);
  /* A cap below the least delay counts. */
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 50000, 0, 0, 0), ==, 50000);
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 50000, 9, 0, ALMOST_ONE), ==, 50000);
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 0, 0, 0, 0.5), ==, 0);
  /* As does one below the initial delay. */
  g_assert_cmpuint (relay_backoff_delay (10 * SEC, 2 * SEC, 0, 0, 0.5), ==, (RELAY_BACKOFF_MIN_USEC + 2 * SEC) / 2);
}

static void
test_overflow (void)
{
  static const guint attempts[] = { 0, 1, 31, 32, 43, 44, 62, 63, 64, 65, 1000, G_MAXUINT };

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++) {
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, attempts[i], 0, ALMOST_ONE), <, 60 * SEC);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, attempts[i], 0, ALMOST_ONE), >=, SEC - 1);
    g_assert_cmpuint (relay_backoff_delay (G_MAXUINT64, G_MAXUINT64, attempts[i], 0, ALMOST_ONE), >=, G_MAXUINT64 / 4096 * 4095);
    g_assert_cmpuint (relay_backoff_delay (G_MAXUINT64, 60 * SEC, attempts[i], 0, ALMOST_ONE), <, 60 * SEC);
  }
  g_assert_cmpuint (relay_backoff_delay (1, G_MAXUINT64, 63, 0, 0.5), >=, G_GUINT64_CONSTANT (1) << 62);
  g_assert_cmpuint (relay_backoff_delay (1, G_MAXUINT64, 63, 0, 0.5), <=, (G_GUINT64_CONSTANT (1) << 62) + RELAY_BACKOFF_MIN_USEC);
}

/* Full jitter: uniform over the whole interval. */
static void
test_distribution (void)
{
  enum { DRAWS = 100000, BINS = 10 };
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  guint bins[BINS] = { 0 };

  for (guint i = 0; i < DRAWS; i++)
    bins[relay_backoff_delay (1 * SEC, 100 * SEC, 7, 0, g_rand_double (rand)) / (10 * SEC)]++;
  for (guint i = 0; i < BINS; i++) {
    g_assert_cmpuint (bins[i], >, DRAWS / BINS * 95 / 100);
    g_assert_cmpuint (bins[i], <, DRAWS / BINS * 105 / 100);
  }
}

/* No two of many come at one moment because their draws were too small. */
static void
test_least (void)
{
  guint64 before = 0;

  for (guint i = 0; i < 1000; i++) {
    guint64 delay = relay_backoff_delay (1 * SEC, 60 * SEC, 0, 0, i / 1000.);

    g_assert_cmpuint (delay, >=, RELAY_BACKOFF_MIN_USEC);
    g_assert_cmpuint (delay, >, before);
    before = delay;
  }
}

/* Never sooner than asked, and all who are asked the same are spread as wide as that. */
static void
test_retry_after (void)
{
  static const struct {
    guint attempt;
    guint64 retry_after, least, most;
  } cases[] = {
    { 0, 10 * SEC, 10 * SEC, 20 * SEC },
    { 4, 10 * SEC, 10 * SEC, 20 * SEC },
    { 5, 10 * SEC, 10 * SEC, 32 * SEC }, /* wider anyway */
    { 9, 10 * SEC, 10 * SEC, 60 * SEC },
    { 9, 45 * SEC, 45 * SEC, 90 * SEC },
    { 0, 3600 * SEC, 3600 * SEC, 3660 * SEC }, /* at most the cap later */
    { 0, 1, RELAY_BACKOFF_MIN_USEC, 1 * SEC },
    { 0, G_MAXUINT64, G_MAXUINT64, G_MAXUINT64 },
    { 0, G_MAXUINT64 - 5, G_MAXUINT64 - 5, G_MAXUINT64 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint64 most = relay_backoff_delay (1 * SEC, 60 * SEC, cases[i].attempt, cases[i].retry_after, ALMOST_ONE);

    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, cases[i].attempt, cases[i].retry_after, 0), ==, cases[i].least);
    g_assert_cmpuint (most, <=, cases[i].most);
    g_assert_cmpuint (most, >=, cases[i].most - 1);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backoff/bounds", test_bounds);
  g_test_add_func ("/backoff/small", test_small);
  g_test_add_func ("/backoff/overflow", test_overflow);
  g_test_add_func ("/backoff/distribution", test_distribution);
  g_test_add_func ("/backoff/least", test_least);
  g_test_add_func ("/backoff/retry-after", test_retry_after);
  return g_test_run ();
}
