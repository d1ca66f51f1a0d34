/* SPDX-License-Identifier: MIT */
#include "wire/pace.h"

#define START 1000000000
#define SEC ((gint64) G_USEC_PER_SEC)

static guint
take_all (RelayPace *pace, gint64 now_usec)
{
  guint n = 0;

  while (n < 2000000 && relay_pace_take (pace, now_usec) == 0)
    n++;
  return n;
}

static void
test_burst (void)
{
  RelayPace pace;

  relay_pace_init (&pace, 10, START);
  g_assert_cmpuint (take_all (&pace, START), ==, 10);
  g_assert_cmpuint (relay_pace_take (&pace, START), >, 0);
}

/* What is put back can be taken again, but a full bucket stays as full as it is. */
static void
test_put_back (void)
{
  RelayPace pace;

  relay_pace_init (&pace, 10, START);
  relay_pace_put_back (&pace);
  g_assert_cmpuint (take_all (&pace, START), ==, 10);
  relay_pace_put_back (&pace);
  g_assert_cmpuint (take_all (&pace, START), ==, 1);
}

static void
test_refill (void)
{
  RelayPace pace;

  relay_pace_init (&pace, 10, START);
  take_all (&pace, START);
  g_assert_cmpuint (take_all (&pace, START + SEC / 2), ==, 5);
  g_assert_cmpuint (take_all (&pace, START + SEC / 2 + SEC / 20), ==, 0);
  g_assert_cmpuint (take_all (&pace, START + SEC / 2 + SEC / 10), ==, 1);
}

/* Whoever waits as long as told gets a token, who asks earlier gets none; over time the rate is met. */
static void
test_wait (void)
{
  static const double rates[] = { 0.001, 0.3, 1, 2.5, 3, 7, 10, 1000, 999983 };

  for (gsize i = 0; i < G_N_ELEMENTS (rates); i++) {
    RelayPace pace;
    gint64 now_usec = START, first_usec;

    relay_pace_init (&pace, rates[i], now_usec);
    take_all (&pace, now_usec);
    first_usec = now_usec;
    for (guint n = 0; n < 100; n++) {
      guint64 wait_usec = relay_pace_take (&pace, now_usec);

      g_assert_cmpuint (wait_usec, >, 0);
      g_assert_cmpuint (relay_pace_take (&pace, now_usec + (gint64) (wait_usec - wait_usec / 100) - 2), >, 0);
      now_usec += (gint64) wait_usec;
      g_assert_cmpuint (relay_pace_take (&pace, now_usec), ==, 0);
    }
    g_assert_cmpfloat ((double) (now_usec - first_usec) / SEC, >=, 99 / rates[i] - 1e-4);
    g_assert_cmpfloat ((double) (now_usec - first_usec) / SEC, <=, 100 / rates[i] + 1e-3);
  }
}

/* Less than one a second still lets one through at once, and never more. */
static void
test_fraction (void)
{
  RelayPace pace;

  relay_pace_init (&pace, 0.5, START);
  g_assert_cmpuint (take_all (&pace, START), ==, 1);
  g_assert_cmpuint (take_all (&pace, START + SEC), ==, 0);
  g_assert_cmpuint (take_all (&pace, START + 2 * SEC), ==, 1);
  g_assert_cmpuint (take_all (&pace, START + 1000 * SEC), ==, 1);
}

static void
test_rate_of_nearly_nothing (void)
{
  RelayPace pace;
  guint64 wait_usec;

  relay_pace_init (&pace, 1e-300, START);
  g_assert_cmpuint (relay_pace_take (&pace, START), ==, 0);
  wait_usec = relay_pace_take (&pace, START);
  g_assert_cmpuint (wait_usec, >, 0);
  g_assert_cmpuint (wait_usec, <, G_MAXINT64 / 2);
}

static void
test_clock (void)
{
  RelayPace pace;

  relay_pace_init (&pace, 10, START);
  take_all (&pace, START);

  /* Standing still, or an older time handed in: nothing flows, nothing is lost. */
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpuint (relay_pace_take (&pace, START), >, 0);
  g_assert_cmpuint (relay_pace_take (&pace, START - 3600 * SEC), >, 0);
  g_assert_cmpuint (take_all (&pace, START + SEC), ==, 10);

  /* Far ahead: a full bucket, no more. */
  g_assert_cmpuint (take_all (&pace, START + 365 * 24 * 3600 * SEC), ==, 10);
  g_assert_cmpuint (take_all (&pace, G_MAXINT64), ==, 10);

  relay_pace_init (&pace, 10, G_MININT64);
  take_all (&pace, G_MININT64);
  g_assert_cmpuint (take_all (&pace, G_MAXINT64), ==, 10);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/pace/burst", test_burst);
  g_test_add_func ("/wire/pace/put-back", test_put_back);
  g_test_add_func ("/wire/pace/refill", test_refill);
  g_test_add_func ("/wire/pace/wait", test_wait);
  g_test_add_func ("/wire/pace/fraction", test_fraction);
  g_test_add_func ("/wire/pace/rate-of-nearly-nothing", test_rate_of_nearly_nothing);
  g_test_add_func ("/wire/pace/clock", test_clock);
  return g_test_run ();
}
