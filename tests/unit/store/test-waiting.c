/* SPDX-License-Identifier: MIT */
#include "store/waiting.h"

#include <string.h>

static RelayWaitingEvent *
add (RelayWaiting *waiting, guint64 sequence, const char *text)
{
  const RelayJsonReader reader = { .text = text, .length = strlen (text) };
  const RelayEvent event = { .reader = &reader, .sequence = sequence, .received_usec = 7 };

  return relay_waiting_add (waiting, &event);
}

static void
test_order (void)
{
  RelayWaiting waiting = { 0 };
  const RelayWaitingEvent *event;
  char text[] = "text";

  g_assert_null (relay_waiting_find_above (&waiting, 0));
  g_assert_null (relay_waiting_find_below (&waiting, 100));
  event = add (&waiting, 10, text);
  text[0] = 'T'; /* it is a copy */
  g_assert_cmpmem (event->text, event->length, "text", 4);
  g_assert_cmpint (event->received_usec, ==, 7);
  add (&waiting, 11, "");
  add (&waiting, 20, "x");
  g_assert_cmpuint (waiting.n_events, ==, 3);

  g_assert_cmpuint (relay_waiting_find_above (&waiting, 0)->sequence, ==, 10);
  g_assert_cmpuint (relay_waiting_find_above (&waiting, 10)->sequence, ==, 11);
  g_assert_cmpuint (relay_waiting_find_above (&waiting, 15)->sequence, ==, 20);
  g_assert_null (relay_waiting_find_above (&waiting, 20));
  g_assert_cmpuint (relay_waiting_find_below (&waiting, 100)->sequence, ==, 20);
  g_assert_cmpuint (relay_waiting_find_below (&waiting, 20)->sequence, ==, 11);
  g_assert_null (relay_waiting_find_below (&waiting, 10));
  g_assert_true (relay_waiting_find_above (&waiting, 10)->previous == waiting.oldest);
  g_assert_true (relay_waiting_find_above (&waiting, 10)->next == waiting.newest);

  relay_waiting_drop_oldest (&waiting);
  g_assert_cmpuint (waiting.oldest->sequence, ==, 11);
  g_assert_null (waiting.oldest->previous);
  relay_waiting_clear (&waiting);
  g_assert_null (waiting.oldest);
  g_assert_null (waiting.newest);
  g_assert_cmpuint (waiting.n_events, ==, 0);
  g_assert_cmpuint (waiting.n_bytes, ==, 0);
}

static void
test_bounds (void)
{
  RelayWaiting waiting = { 0 };
  g_autofree char *big = g_strnfill (1000, 'x');

  add (&waiting, 1, big);
  g_assert_false (relay_waiting_is_over (&waiting, 0, 0)); /* one alone */
  add (&waiting, 2, big);
  g_assert_true (relay_waiting_is_over (&waiting, 1, G_MAXSIZE));
  g_assert_false (relay_waiting_is_over (&waiting, 2, G_MAXSIZE));
  g_assert_true (relay_waiting_is_over (&waiting, 2, 2000));
  g_assert_false (relay_waiting_is_over (&waiting, 2, 2000 + 2 * sizeof (RelayWaitingEvent)));
  relay_waiting_clear (&waiting);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/waiting/order", test_order);
  g_test_add_func ("/store/waiting/bounds", test_bounds);
  return g_test_run ();
}
