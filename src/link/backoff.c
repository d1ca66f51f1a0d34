/* SPDX-License-Identifier: MIT */
#include "link/backoff.h"

/*
 * Full jitter: after a failure that many clients met together (a server that restarts) the whole interval is used to
 * spread them, so that they come back evenly and not in waves.
 */

static guint64
get_ceiling (guint64 initial_usec, guint64 cap_usec, guint attempt)
{
  /* initial · 2^attempt > cap, asked without overflow. */
  if (attempt >= 64 || initial_usec > (cap_usec >> attempt))
    return cap_usec;
  return initial_usec << attempt;
}

guint64
relay_backoff_delay (guint64 initial_usec, guint64 cap_usec, guint attempt, double random)
{
  guint64 ceiling = get_ceiling (initial_usec, cap_usec, attempt);
  guint64 delay = (guint64) ((double) ceiling * random);

  return MIN (MAX (delay, RELAY_BACKOFF_MIN_USEC), cap_usec);
}
