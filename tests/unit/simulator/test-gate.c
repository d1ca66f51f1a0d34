/* SPDX-License-Identifier: MIT */
#include "simulator/gate.h"

static void
test_count (void)
{
  SimGate gate = { 0 };

  g_assert_cmpuint (sim_refusal_take (&gate.handshakes), ==, 0);
  sim_refusal_set (&gate.handshakes, 503, 2, 7, "http://example.org/");
  g_assert_cmpuint (sim_refusal_take (&gate.handshakes), ==, 503);
  g_assert_cmpuint (sim_refusal_take (&gate.handshakes), ==, 503);
  g_assert_cmpuint (gate.handshakes.retry_after_sec, ==, 7);
  g_assert_cmpstr (gate.handshakes.location, ==, "http://example.org/");
  g_assert_cmpuint (sim_refusal_take (&gate.handshakes), ==, 0);
  g_assert_cmpuint (sim_refusal_take (&gate.renewals), ==, 0);
  sim_gate_clear (&gate);
}

static void
test_until_told (void)
{
  SimRefusal refusal = { 0 };

  sim_refusal_set (&refusal, 429, 0, 0, NULL);
  for (guint i = 0; i < 10; i++)
    g_assert_cmpuint (sim_refusal_take (&refusal), ==, 429);
  sim_refusal_set (&refusal, 0, 0, 0, NULL);
  g_assert_cmpuint (sim_refusal_take (&refusal), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/gate/count", test_count);
  g_test_add_func ("/simulator/gate/until-told", test_until_told);
  return g_test_run ();
}
