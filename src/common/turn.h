/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Something to be done once, however often it was asked for, when the present turn of the main loop is over: requests
 * that go out together, changes that are told in one signal, writes that share a transaction.
 *
 * It has the priority of the sources that bring work in. An idle source would wait until a flood is over.
 */

/* Attached to the default main context, not armed. The caller owns it: relay_turn_free. */
GSource *relay_turn_new (const char *name, void (*func) (gpointer user_data), gpointer user_data);
/* Calls the function once in the next turn. Costs nothing if armed already. */
void relay_turn_arm (GSource *turn);
/* Destroys it; the function is not called any more. NULL is fine. */
void relay_turn_free (GSource *turn);

/* A timer in the default main context that is set with g_source_set_ready_time (CLOCK_MONOTONIC µs, -1: off), and off to
 * begin with. @func returns G_SOURCE_CONTINUE, having set the next time or -1. Owned by the caller: relay_turn_free. */
GSource *relay_timer_new (const char *name, GSourceFunc func, gpointer user_data);
