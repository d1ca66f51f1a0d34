/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/* The least delay between two attempts, whatever the draw. */
#define RELAY_BACKOFF_MIN_USEC (G_USEC_PER_SEC / 5)

/* Full jitter: uniform between RELAY_BACKOFF_MIN_USEC (@cap_usec where that is less) and min(@cap_usec, @initial_usec ·
 * 2^@attempt). @attempt counts from 0; no value overflows. @random: uniform in [0, 1). Pure.
 * @retry_after_usec: what the server asked to wait, 0 if it did not. Then that is the least, and the interval is at least as
 * wide as that is long (or @cap_usec, if that is less). */
guint64 relay_backoff_delay (guint64 initial_usec, guint64 cap_usec, guint attempt, guint64 retry_after_usec,
                             double random);
