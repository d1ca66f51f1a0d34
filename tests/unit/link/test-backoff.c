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
    guint64 most = relay_backoff_delay (1 * SEC, 60 * SEC, i, ALMOST_ONE);

    g_assert_cmpuint (most, <, ceilings[i] * SEC);
    g_assert_cmpuint (most, >=, ceilings[i] * SEC - 1);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, i, 0.5), ==, ceilings[i] * SEC / 2);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, i, 0), ==, RELAY_BACKOFF_MIN_USEC);
  }
}

static void
test_small (void)
{
  g_assert_cmpuint (relay_backoff_delay (0, 60 * SEC, 5, ALMOST_ONE), ==, RELAY_BACKOFF_MIN_USEC);
  g_assert_cmpuint (relay_backoff_delay (1, 60 * SEC, 3, ALMOST_ONE), ==, RELAY_BACKOFF_MIN_USEC);
  /* A cap below the least delay counts. */
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 50000, 0, 0), ==, 50000);
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 50000, 9, ALMOST_ONE), ==, 50000);
  g_assert_cmpuint (relay_backoff_delay (1 * SEC, 0, 0, 0.5), ==, 0);
  /* As does one below the initial delay. */
  g_assert_cmpuint (relay_backoff_delay (10 * SEC, 2 * SEC, 0, 0.5), ==, 1 * SEC);
}

static void
test_overflow (void)
{
  static const guint attempts[] = { 0, 1, 31, 32, 43, 44, 62, 63, 64, 65, 1000, G_MAXUINT };

  for (guint i = 0; i < G_N_ELEMENTS (attempts); i++) {
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, attempts[i], ALMOST_ONE), <, 60 * SEC);
    g_assert_cmpuint (relay_backoff_delay (1 * SEC, 60 * SEC, attempts[i], ALMOST_ONE), >=, SEC - 1);
    g_assert_cmpuint (relay_backoff_delay (G_MAXUINT64, G_MAXUINT64, attempts[i], ALMOST_ONE), >=, G_MAXUINT64 / 4096 * 4095);
    g_assert_cmpuint (relay_backoff_delay (G_MAXUINT64, 60 * SEC, attempts[i], ALMOST_ONE), <, 60 * SEC);
  }
  g_assert_cmpuint (relay_backoff_delay (1, G_MAXUINT64, 63, 0.5), ==, G_GUINT64_CONSTANT (1) << 62);
}

/* Full jitter: uniform over the whole interval. */
static void
test_distribution (void)
{
  enum { DRAWS = 100000, BINS = 10 };
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  guint bins[BINS] = { 0 };

  for (guint i = 0; i < DRAWS; i++)
    bins[relay_backoff_delay (1 * SEC, 100 * SEC, 7, g_rand_double (rand)) / (10 * SEC)]++;
  for (guint i = 0; i < BINS; i++) {
    g_assert_cmpuint (bins[i], >, DRAWS / BINS * 95 / 100);
    g_assert_cmpuint (bins[i], <, DRAWS / BINS * 105 / 100);
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
  return g_test_run ();
}
