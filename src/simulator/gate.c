/* SPDX-License-Identifier: MIT */
#include "simulator/gate.h"

void
sim_gate_clear (SimGate *gate)
{
  sim_refusal_set (&gate->handshakes, 0, 0, 0, NULL);
  sim_refusal_set (&gate->renewals, 0, 0, 0, NULL);
}

void
sim_refusal_set (SimRefusal *refusal, guint status, guint count, guint retry_after_sec, const char *location)
{
  g_free (refusal->location);
  refusal->status = status;
  refusal->left = count;
  refusal->retry_after_sec = retry_after_sec;
  refusal->location = g_strdup (location);
}

guint
sim_refusal_take (SimRefusal *refusal)
{
  guint status = refusal->status;

  /* The headers that go with it are kept for the caller even with the last one. */
  if (status != 0 && refusal->left > 0 && --refusal->left == 0)
    refusal->status = 0;
  return status;
}
