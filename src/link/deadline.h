/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/turn.h"

/*
 * A turn (common/turn.h) that is put off: what waits for a time lives as long as its owner and is armed as often as
 * needed, on CLOCK_MONOTONIC, so that neither a clock that is set nor a wait of days confuses it.
 */

/* Due at @monotonic_usec; in the next turn of the loop if that is past. Replaces what it was armed for. */
static inline void
relay_deadline_arm_at (GSource *turn, gint64 monotonic_usec)
{
  g_source_set_ready_time (turn, MAX (monotonic_usec, 0));
}

/* Due @delay_usec from now; in the next turn of the loop with 0. */
static inline void
relay_deadline_arm (GSource *turn, guint64 delay_usec)
{
  gint64 now = g_get_monotonic_time ();

  relay_deadline_arm_at (turn, delay_usec < (guint64) (G_MAXINT64 - now) ? now + (gint64) delay_usec : G_MAXINT64);
}

static inline void
relay_deadline_disarm (GSource *turn)
{
  g_source_set_ready_time (turn, -1);
}
