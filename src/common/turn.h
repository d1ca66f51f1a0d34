/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Something to be done in a coming turn of the main loop, once, however often it was asked for: at the end of the present
 * one (requests that go out together, changes that are told in one signal, writes that share a transaction), or at a
 * given time (deadlines). It lives as long as its owner and is armed as often as needed.
 *
 * Times are on CLOCK_MONOTONIC, so that neither a clock that is set nor a wait of days confuses them.
 *
 * It has the priority of the sources that bring work in. An idle source would wait until a flood is over.
 */

/* Attached to the default main context, not armed. The caller owns it: relay_turn_free. */
GSource *relay_turn_new (const char *name, void (*func) (gpointer user_data), gpointer user_data);

/* Calls the function in the next turn. Costs nothing if armed for that already. */
void relay_turn_arm (GSource *turn);
/* … at @monotonic_usec; in the next turn if that is past. Replaces what it was armed for. */
void relay_turn_arm_at (GSource *turn, gint64 monotonic_usec);
/* … @delay_usec from now. */
void relay_turn_arm_in (GSource *turn, guint64 delay_usec);
void relay_turn_disarm (GSource *turn);

/* Destroys it; the function is not called any more. NULL is fine. */
void relay_turn_free (GSource *turn);
