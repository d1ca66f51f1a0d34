/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <time.h>

/*
 * Three clocks, in µs, and what each is for:
 *
 *   CLOCK_MONOTONIC  g_get_monotonic_time    deadlines; stands still while the machine sleeps
 *   CLOCK_BOOTTIME   relay_clock_boottime    how long ago something was, sleep included
 *   CLOCK_REALTIME   g_get_real_time         what others are told; may be set at any time
 *
 * What is remembered is kept in one of the first two and turned into the third when it is told. Where it is kept in the third
 * (holes, which outlive the process: wire/coverage.h) it is carried along whenever that is set: relay_clock_get_day tells.
 */
static inline gint64
relay_clock_boottime (void)
{
  struct timespec now;

  clock_gettime (CLOCK_BOOTTIME, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* Between reading one clock and reading it again: a pause longer than this, and what is read in between is tried again. */
#define RELAY_CLOCK_READ_USEC 1000
#define RELAY_CLOCK_READ_TRIES 5

/* How far CLOCK_REALTIME is ahead of CLOCK_BOOTTIME: when it is another value, the clock was set. */
static inline gint64
relay_clock_get_day (void)
{
  gint64 before, day, after;
  int i = 0;

  do {
    before = relay_clock_boottime ();
    day = g_get_real_time ();
    after = relay_clock_boottime ();
  } while (after - before > RELAY_CLOCK_READ_USEC && ++i < RELAY_CLOCK_READ_TRIES);
  return day - before;
}
