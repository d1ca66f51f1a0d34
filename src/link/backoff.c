/* SPDX-License-Identifier: MIT */
#include "link/backoff.h"

/*
 * Full jitter: after a failure that many clients met together (a server that restarts) the whole interval is used to
 * spread them, so that they come back evenly and not in waves. What it must not do is to gather them again:
 *
 * - A draw below the least delay is not raised to it (with a ceiling of 1 s a fifth of all would come at 0.2 s, to the
 *   microsecond): it is the interval that begins there.
 * - A server asks all for the same Retry-After, and those whom it turned away in one second would be back in one second, again
 *   too many. So what it asks for is where the interval begins, and gives it its width: who is asked to wait 10 s comes after
 *   10 to 20 s. That is never sooner than asked, and at most the cap later where the cap is not the greater anyway.
 *
 * tests/bench/fleet.c shows what each of these is worth.
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
relay_backoff_delay (guint64 initial_usec, guint64 cap_usec, guint attempt, guint64 retry_after_usec, double random)
{
  guint64 ceiling = get_ceiling (initial_usec, cap_usec, attempt);
  guint64 least = MAX (MIN (RELAY_BACKOFF_MIN_USEC, cap_usec), retry_after_usec);
  guint64 width = ceiling > least ? ceiling - least : 0;

  if (retry_after_usec > 0)
    width = MAX (width, MIN (MIN (least, cap_usec), G_MAXUINT64 - least));
  return least + MIN ((guint64) ((double) width * random), width);
}
