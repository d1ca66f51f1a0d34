/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/gap.h"
#include "wire/subscriptions.h"

/*
 * Which channels are heard, and since when one is not: a hole opens when an active channel is active no more, and closes
 * when it is again. What closed is told as a gap, once, when every channel that is asked for has been answered: one gap for
 * one loss. Pure: it watches the subscriptions, times are handed in.
 */
typedef struct RelayCoverage RelayCoverage;

/* How far CLOCK_REALTIME is ahead of a clock that nobody sets, now. Where that changes by RELAY_COVERAGE_SET_MIN_USEC the clock was
 * set, and all times of what is not told yet are carried along: a hole keeps its length, and is told by the clock as it is then. */
typedef gint64 (*RelayCoverageClock) (gpointer user_data);
#define RELAY_COVERAGE_SET_MIN_USEC 100000 /* less is no matter to a gap */

/* A gap to tell, but for its sequence; valid during the call. */
typedef void (*RelayCoverageGap) (const RelayGap *gap, gpointer user_data);

/* What is known of a channel is another: to be kept for the next start. */
typedef void (*RelayCoverageChanged) (const char *channel, gpointer user_data);

#define RELAY_COVERAGE_NEVER (-1) /* never was active: nothing can have been missed */
#define RELAY_COVERAGE_ACTIVE 0   /* is heard: until the last proof of life, whenever that will have been */

/* @subscriptions is borrowed, and watched until _free. */
RelayCoverage *relay_coverage_new (RelaySubscriptions *subscriptions, RelayCoverageClock clock, RelayCoverageGap gap,
                                   RelayCoverageChanged changed, gpointer user_data);
void relay_coverage_free (RelayCoverage *coverage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayCoverage, relay_coverage_free)

/* @channel was not heard since @since_usec (CLOCK_REALTIME), as the relay was not running. To be called before it is asked for;
 * or later, where that comes to light only then. */
void relay_coverage_restore (RelayCoverage *coverage, const char *channel, gint64 since_usec);

/* The proof of life of the connection that the active channels are on: all that the server had sent by then was heard. */
void relay_coverage_set_alive (RelayCoverage *coverage, gint64 realtime_usec);
/* Why channels are lost from now on: static or interned. */
void relay_coverage_set_cause (RelayCoverage *coverage, const char *cause);

/* The connection before the present one has ended, its last proof of life was at @proof_usec, and it had been handed over at
 * @until_usec. What it still had to bring was missed, up to each channel's confirmation on the connection that took over, be
 * that there still or not. Nothing was if that was not after the proof. */
void relay_coverage_handed_over (RelayCoverage *coverage, gint64 proof_usec, gint64 until_usec, const char *cause);

/* The connection that was lost, when its proof of life was at @lost_usec, has been heard to its end since, which proves more. */
void relay_coverage_prove (RelayCoverage *coverage, gint64 lost_usec, gint64 proof_usec);

/* Looks at the clock: was it set? Whatever is called here does that first, so this is for who wants it noticed sooner. */
void relay_coverage_follow_clock (RelayCoverage *coverage);

/* Tells what closed, if all that is asked for is answered. To be called when relay_subscriptions had something to do, and
 * (@now: TRUE, whatever is unanswered) before a connection is given up. */
void relay_coverage_tell (RelayCoverage *coverage, gboolean now);

/* RELAY_COVERAGE_NEVER, RELAY_COVERAGE_ACTIVE, or since when it is not heard (CLOCK_REALTIME µs), or was not and that is not
 * told yet. */
gint64 relay_coverage_get_since (RelayCoverage *coverage, const char *channel);
