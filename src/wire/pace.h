/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * How often we may speak: a token bucket (pure: the clock is handed in). The protocol page asks for rate limiting
 * on the client side.
 */
typedef struct {
  double per_sec; /* tokens that flow in each second, and the most that are kept */
  double tokens;
  gint64 filled_usec; /* when tokens was last computed */
} RelayPace;

/* A full bucket. @per_sec > 0. */
void relay_pace_init (RelayPace *pace, double per_sec, gint64 now_usec);

/* Takes a token. Returns 0, or how many µs to wait until there is one (nothing is taken then). */
guint64 relay_pace_take (RelayPace *pace, gint64 now_usec);

/* Gives back a token that was taken and not used. */
void relay_pace_put_back (RelayPace *pace);
