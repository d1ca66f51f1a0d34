/* SPDX-License-Identifier: MIT */
#include "notify/trouble.h"

#define SEC ((gint64) G_USEC_PER_SEC)
#define START (100 * SEC)

static void
test_unauthorized (void)
{
  NotifyTrouble trouble = { 0 };

  notify_trouble_set_state (&trouble, "connecting", START);
  g_assert_cmpint (notify_trouble_check (&trouble, START), ==, NOTIFY_TROUBLE_NONE);
  notify_trouble_set_state (&trouble, "unauthorized", START + SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + SEC), ==, NOTIFY_TROUBLE_UNAUTHORIZED);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, 0);
  /* It tries others, in vain: that is the same trouble. */
  notify_trouble_set_state (&trouble, "connecting", START + 2 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 500 * SEC), ==, NOTIFY_TROUBLE_UNAUTHORIZED);
  notify_trouble_set_state (&trouble, "unauthorized", START + 500 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 500 * SEC), ==, NOTIFY_TROUBLE_UNAUTHORIZED);
  notify_trouble_set_state (&trouble, "connecting", START + 501 * SEC);
  notify_trouble_set_state (&trouble, "connected", START + 502 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 502 * SEC), ==, NOTIFY_TROUBLE_NONE);
  notify_trouble_set_state (&trouble, "unauthorized", START + 503 * SEC);
  notify_trouble_set_state (&trouble, "disconnected", START + 504 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 504 * SEC), ==, NOTIFY_TROUBLE_NONE);
}

static void
test_outage (void)
{
  NotifyTrouble trouble = { 0 };

  notify_trouble_set_state (&trouble, "connected", START);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, 0);
  notify_trouble_set_state (&trouble, "waiting", START + SEC);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, START + 121 * SEC);
  notify_trouble_set_state (&trouble, "connecting", START + 60 * SEC);
  notify_trouble_set_state (&trouble, "offline", START + 90 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 121 * SEC - 1), ==, NOTIFY_TROUBLE_NONE);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 121 * SEC), ==, NOTIFY_TROUBLE_OUTAGE);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, 0);
  notify_trouble_set_state (&trouble, "connecting", START + 130 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 130 * SEC), ==, NOTIFY_TROUBLE_OUTAGE);
  notify_trouble_set_state (&trouble, "connected", START + 131 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 131 * SEC), ==, NOTIFY_TROUBLE_NONE);
  /* Short ones do not add up, and one that is wanted is none. */
  notify_trouble_set_state (&trouble, "waiting", START + 200 * SEC);
  notify_trouble_set_state (&trouble, "connected", START + 300 * SEC);
  notify_trouble_set_state (&trouble, "waiting", START + 301 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 400 * SEC), ==, NOTIFY_TROUBLE_NONE);
  notify_trouble_set_state (&trouble, "disconnected", START + 401 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 1000 * SEC), ==, NOTIFY_TROUBLE_NONE);
}

/* A relay that is started anew has a moment to say that it is as before. */
static void
test_left (void)
{
  NotifyTrouble trouble = { 0 };

  notify_trouble_set_state (&trouble, "unauthorized", START);
  notify_trouble_set_left (&trouble, START + SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 5 * SEC), ==, NOTIFY_TROUBLE_UNAUTHORIZED);
  notify_trouble_set_state (&trouble, "unauthorized", START + 5 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 50 * SEC), ==, NOTIFY_TROUBLE_UNAUTHORIZED);
  notify_trouble_set_left (&trouble, START + 60 * SEC);
  notify_trouble_set_left (&trouble, START + 63 * SEC);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, START + 65 * SEC);
  g_assert_cmpint (notify_trouble_check (&trouble, START + 65 * SEC), ==, NOTIFY_TROUBLE_NONE);
  g_assert_cmpint (notify_trouble_get_deadline (&trouble), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/trouble/unauthorized", test_unauthorized);
  g_test_add_func ("/trouble/outage", test_outage);
  g_test_add_func ("/trouble/left", test_left);
  return g_test_run ();
}
