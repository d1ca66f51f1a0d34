/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-bus.h>

/*
 * The same for every contender: receives the signals of events, and says when all have come.
 *
 * Reads commands from stdin, a line each, "N TIMED QUIET_MSEC": N events are going to come (it answers `ready`), and it
 * counts until they are there, or until none came for that long since the last one (0 of them: since `ready`). Then it
 * prints one line of JSON. Losses, doubles and wrong order show: in `progress`, which an event with the number n has as
 * n % 100. Unless TIMED is 0 it looks into each event for the time when it was sent (CLOCK_MONOTONIC), and counts
 * microseconds: that takes some time of its own, and so is for events that come slowly.
 */
#define NSEC_PER_SEC INT64_C (1000000000)
#define USEC_PER_SEC UINT64_C (1000000)

typedef struct Tally {
  uint64_t n_events, n_breaks;
  int64_t first_nsec, last_nsec;
  int next_progress;
  int64_t *latencies_nsec; /* NULL: not timed */
} Tally;

static int
check (int r, const char *what)
{
  if (r < 0) {
    fprintf (stderr, "listener: %s: %s\n", what, strerror (-r));
    exit (EXIT_FAILURE);
  }
  return r;
}

static int64_t
now_nsec (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

/* Enters the variant of an a{sv}'s entry with that key; what comes before it is skipped. */
static void
find_entry (sd_bus_message *m, const char *wanted)
{
  const char *key;

  check (sd_bus_message_enter_container (m, 'a', "{sv}"), wanted);
  while (check (sd_bus_message_enter_container (m, 'e', "sv"), wanted) > 0) {
    check (sd_bus_message_read (m, "s", &key), wanted);
    if (strcmp (key, wanted) == 0)
      return;
    check (sd_bus_message_skip (m, "v"), wanted);
    check (sd_bus_message_exit_container (m), wanted);
  }
  check (-ENOENT, wanted);
}

static int64_t
read_sent_nsec (sd_bus_message *m)
{
  int64_t sent_nsec;

  check (sd_bus_message_rewind (m, true), "rewinding");
  check (sd_bus_message_skip (m, "ssds"), "arguments");
  find_entry (m, "data");
  check (sd_bus_message_enter_container (m, 'v', "a{sv}"), "data");
  find_entry (m, "sentNsec");
  check (sd_bus_message_read (m, "v", "x", &sent_nsec), "sentNsec");
  return sent_nsec;
}

static void
count (Tally *tally, sd_bus_message *m)
{
  const int64_t arrived_nsec = now_nsec ();
  double progress;

  check (sd_bus_message_skip (m, "ss"), "arguments");
  check (sd_bus_message_read (m, "d", &progress), "progress");
  if (tally->n_events == 0)
    tally->first_nsec = arrived_nsec;
  else if ((int) progress != tally->next_progress)
    tally->n_breaks++;
  tally->next_progress = ((int) progress + 1) % 100;
  tally->last_nsec = arrived_nsec;
  if (tally->latencies_nsec != NULL)
    tally->latencies_nsec[tally->n_events] = arrived_nsec - read_sent_nsec (m);
  tally->n_events++;
}

static int
compare (const void *a, const void *b)
{
  const int64_t *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static double
percentile_usec (const Tally *tally, double part)
{
  uint64_t index = (uint64_t) ((double) tally->n_events * part);

  return (double) tally->latencies_nsec[index < tally->n_events ? index : tally->n_events - 1] / 1000;
}

static void
report (Tally *tally)
{
  printf ("{\"events\": %" PRIu64 ", \"breaks\": %" PRIu64 ", \"first_nsec\": %" PRId64 ", \"last_nsec\": %" PRId64,
          tally->n_events, tally->n_breaks, tally->first_nsec, tally->last_nsec);
  if (tally->latencies_nsec != NULL && tally->n_events > 0) {
    qsort (tally->latencies_nsec, tally->n_events, sizeof *tally->latencies_nsec, compare);
    printf (", \"p50_usec\": %.1f, \"p99_usec\": %.1f, \"p999_usec\": %.1f, \"max_usec\": %.1f",
            percentile_usec (tally, 0.5), percentile_usec (tally, 0.99), percentile_usec (tally, 0.999),
            percentile_usec (tally, 1));
  }
  printf ("}\n");
  fflush (stdout);
}

static void
listen_for (sd_bus *bus, uint64_t n_events, bool timed, int64_t quiet_nsec)
{
  Tally tally = { 0 };
  int64_t ready_nsec = now_nsec ();

  if (timed)
    tally.latencies_nsec = calloc (n_events + 1, sizeof *tally.latencies_nsec);
  printf ("ready\n");
  fflush (stdout);
  while (tally.n_events < n_events) {
    sd_bus_message *m = NULL;

    if (check (sd_bus_process (bus, &m), "the bus") == 0) {
      if (now_nsec () - (tally.n_events > 0 ? tally.last_nsec : ready_nsec) > quiet_nsec)
        break;
      check (sd_bus_wait (bus, USEC_PER_SEC / 10), "waiting");
    }
    if (m != NULL && sd_bus_message_is_signal (m, "dev.prp.Relay1.Events", "AgentProgress") > 0)
      count (&tally, m);
    sd_bus_message_unref (m);
  }
  report (&tally);
  free (tally.latencies_nsec);
}

/* What came late of the last one is not for the next one. */
static void
forget (sd_bus *bus)
{
  check (sd_bus_call_method (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", NULL, NULL,
                             ""),
         "the bus");
  while (check (sd_bus_process (bus, NULL), "the bus") > 0)
    ;
}

int
main (void)
{
  unsigned long long n_events, timed, quiet_msec;
  sd_bus *bus = NULL;

  check (sd_bus_open_user (&bus), "the bus");
  check (sd_bus_add_match (bus, NULL, "type='signal',path='/dev/prp/Relay1',interface='dev.prp.Relay1.Events',"
                                      "member='AgentProgress'", NULL, NULL),
         "the match");
  while (scanf ("%llu %llu %llu", &n_events, &timed, &quiet_msec) == 3) {
    forget (bus);
    listen_for (bus, n_events, timed != 0, (int64_t) quiet_msec * 1000000);
  }
  sd_bus_flush_close_unref (bus);
  return EXIT_SUCCESS;
}
