/* SPDX-License-Identifier: MIT */
#include "wire/pace.h"

/*
 * A bucket that holds what flows in within a second, but always room for one whole token: a rate below one a
 * second would otherwise never let anything through.
 */
#define MIN_CAPACITY 1.0

/* What sums of rounded products may lack of a whole token: whoever waited as long as told is not sent away
 * again. */
#define SLACK 1e-9

/* Longest wait that is named; who asks again then is told the rest. Keeps the sum within 64 bits at any rate. */
#define MAX_WAIT_USEC (24 * 3600 * (double) G_USEC_PER_SEC)

static double
capacity (const RelayPace *pace)
{
  return MAX (pace->per_sec, MIN_CAPACITY);
}

void
relay_pace_init (RelayPace *pace, double per_sec, gint64 now_usec)
{
  pace->per_sec = per_sec;
  pace->tokens = capacity (pace);
  pace->filled_usec = now_usec;
}

static void
refill (RelayPace *pace, gint64 now_usec)
{
  double elapsed_sec;

  /* A clock that stands still or is handed in late gives nothing, and takes nothing. */
  if (now_usec <= pace->filled_usec)
    return;

  elapsed_sec = ((double) now_usec - (double) pace->filled_usec) / G_USEC_PER_SEC;
  pace->tokens = MIN (pace->tokens + elapsed_sec * pace->per_sec, capacity (pace));
  pace->filled_usec = now_usec;
}

guint64
relay_pace_take (RelayPace *pace, gint64 now_usec)
{
  double wait_usec;

  refill (pace, now_usec);
  if (pace->tokens >= 1.0 - SLACK) {
    pace->tokens = MAX (pace->tokens - 1.0, 0.0);
    return 0;
  }

  wait_usec = (1.0 - pace->tokens) / pace->per_sec * G_USEC_PER_SEC;
  return (guint64) MIN (wait_usec, MAX_WAIT_USEC) + 1; /* rounded up */
}

void
relay_pace_put_back (RelayPace *pace)
{
  pace->tokens = MIN (pace->tokens + 1.0, capacity (pace));
}
