/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-bus.h>

/*
 * What the bus allows: a program without any WebSocket that sends the signal which the relay makes of an event of
 * load_server.py, with the same arguments and the same `event` dictionary, written as one would write it: a message, one
 * sd_bus_message_append, one sd_bus_send, and when the bus cannot take it at once, sd_bus_flush. The few characters that
 * differ from event to event are put in place, so that making them up costs nothing that a relay need not do.
 *
 * Reads commands from stdin, a line each, and answers with the CLOCK_MONOTONIC nanoseconds of the beginning and the end:
 *   N FIRST 0      sends N events, numbered from FIRST on, as fast as it can
 *   N FIRST RATE   so many a second, evenly
 */
#define NSEC_PER_SEC INT64_C (1000000000)

static const char name[] = "dev.prp.Relay1", path[] = "/dev/prp/Relay1", interface[] = "dev.prp.Relay1.Events";

static int
check (int r, const char *what)
{
  if (r < 0) {
    fprintf (stderr, "plain-sender: %s: %s\n", what, strerror (-r));
    exit (EXIT_FAILURE);
  }
  return r;
}

static int64_t
now_nsec (clockid_t clock)
{
  struct timespec time;

  clock_gettime (clock, &time);
  return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

/* Overwrites the last @n_digits characters of @text. */
static void
put_number (char *text, int n_digits, uint64_t number)
{
  char *end = text + strlen (text);

  for (int i = 1; i <= n_digits; i++, number /= 10)
    end[-i] = (char) ('0' + number % 10);
}

static void
send_event (sd_bus *bus, uint64_t number)
{
  static char id[] = "msg_0000000000000000", agent[] = "agent_000", prp[] = "prp_000000";
  static const char task[] = "Implementing JWT middleware";
  sd_bus_message *m = NULL;
  int64_t progress = (int64_t) (number % 100), sent_nsec = now_nsec (CLOCK_MONOTONIC);
  uint64_t n_queued = 0;

  put_number (id, 16, number);
  put_number (agent, 3, number % 100);
  put_number (prp, 6, number % 1000);
  check (sd_bus_message_new_signal (bus, &m, path, interface, "AgentProgress"), "a message");
  check (sd_bus_message_append (m, "ssdsa{sv}", agent, prp, (double) progress, task, 7,
                                "sequence", "t", number,
                                "id", "s", id,
                                "type", "s", "agent.progress",
                                "timestamp", "s", "2024-01-15T13:00:00.000Z",
                                "received", "t", (uint64_t) (now_nsec (CLOCK_REALTIME) / 1000),
                                "data", "a{sv}", 5,
                                "agentId", "s", agent,
                                "prpId", "s", prp,
                                "progress", "x", progress,
                                "currentTask", "s", task,
                                "sentNsec", "x", sent_nsec,
                                "metadata", "a{sv}", 2,
                                "version", "s", "1.0",
                                "source", "s", "agent-orchestrator"),
         "its arguments");
  check (sd_bus_send (bus, m, NULL), "sending");
  sd_bus_message_unref (m);
  check (sd_bus_get_n_queued_write (bus, &n_queued), "the queue");
  if (n_queued > 0)
    check (sd_bus_flush (bus), "flushing");
}

int
main (void)
{
  unsigned long long n, first, rate;
  sd_bus *bus = NULL;

  check (sd_bus_open_user (&bus), "the bus");
  check (sd_bus_request_name (bus, name, 0), name);
  while (scanf ("%llu %llu %llu", &n, &first, &rate) == 3) {
    int64_t began_nsec = now_nsec (CLOCK_MONOTONIC);

    for (uint64_t i = 0; i < n; i++) {
      if (rate > 0) {
        int64_t due_nsec = began_nsec + (int64_t) i * NSEC_PER_SEC / (int64_t) rate;
        struct timespec due = { due_nsec / NSEC_PER_SEC, due_nsec % NSEC_PER_SEC };

        while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
          ;
      }
      send_event (bus, first + i);
    }
    printf ("%lld %lld\n", (long long) began_nsec, (long long) now_nsec (CLOCK_MONOTONIC));
    fflush (stdout);
  }
  sd_bus_flush_close_unref (bus);
  return EXIT_SUCCESS;
}
