/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/* The least delay between two attempts, whatever the draw. */
#define RELAY_BACKOFF_MIN_USEC (G_USEC_PER_SEC / 5)

/* Full jitter: uniform in 0 … min(@cap_usec, @initial_usec · 2^@attempt), at least RELAY_BACKOFF_MIN_USEC (and at
 * most @cap_usec where that is less). @attempt counts from 0; no value overflows. @random: uniform in [0, 1). Pure. */
guint64 relay_backoff_delay (guint64 initial_usec, guint64 cap_usec, guint attempt, double random);
