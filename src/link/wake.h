/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Hints that a connection may not be what it was, or that one may be had now: the machine has slept, the network is
 * another one. They are hints only; nothing is known of the server by them. And that the clock of the day was set.
 */
typedef struct RelayWake RelayWake;

/* CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC by more than this: the machine slept. */
#define RELAY_WAKE_SLEEP_MIN_USEC G_USEC_PER_SEC
/* CLOCK_REALTIME went off CLOCK_BOOTTIME by this much: it was set. Less than that no time that is told is good for. */
#define RELAY_WAKE_SET_MIN_USEC (G_USEC_PER_SEC / 10)
/* Changes of the network are told at once, then at most this often: roaming brings dozens. */
#define RELAY_WAKE_NETWORK_USEC (G_USEC_PER_SEC / 2)
/* The system bus is tried again after this; each time four times as long, up to the most. */
#define RELAY_WAKE_BUS_RETRY_MIN_USEC G_USEC_PER_SEC
#define RELAY_WAKE_BUS_RETRY_MAX_USEC (300 * G_USEC_PER_SEC)

/* From the main loop, or from relay_wake_check. relay_wake_free is allowed in each but `clock_set`; static. */
typedef struct {
  /* CLOCK_REALTIME is ahead by @ahead_usec of where it would be. Before `slept`, where both happened. */
  void (*clock_set) (gint64 ahead_usec, gpointer user_data);
  /* The machine is awake again. Once for one sleep, whoever noticed. */
  void (*slept) (guint64 duration_usec, gpointer user_data);
  /* Addresses or routes changed. @available: is there any network at all? */
  void (*network_changed) (gboolean available, gpointer user_data);
} RelayWakeEvents;

/* Never blocks. What cannot be had (no system bus, no logind) is logged once and done without. */
RelayWake *relay_wake_new (const RelayWakeEvents *events, gpointer user_data);
void relay_wake_free (RelayWake *wake);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayWake, relay_wake_free)

/* Has the machine slept, was the clock set? If so `slept`, `clock_set` are called. Cheap: for whoever wakes up anyway and wants to know before it goes on. */
void relay_wake_check (RelayWake *wake);

gboolean relay_wake_is_network_available (RelayWake *wake);
