/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-bus.h>

/*
 * Calls a method of the relay again and again, and measures how long each answer takes.
 *
 * Reads commands from stdin, a line each, "METHOD MSEC": which, and for how long. Answers with a line of JSON.
 */
#define NSEC_PER_SEC INT64_C (1000000000)
#define MAX_CALLS 100000

static const char name[] = "dev.prp.Relay1", path[] = "/dev/prp/Relay1";

typedef struct Method {
  const char *name, *interface, *member, *signature;
  const char *arguments[2];
} Method;

static const Method methods[] = {
  { "Get", "org.freedesktop.DBus.Properties", "Get", "ss", { name, "State" } },
  { "Ping", name, "Ping", "", { NULL } },
  { "Subscribe", name, "Subscribe", "as", { "project:bench" } },
};

static int
check (int r, const char *what)
{
  if (r < 0) {
    fprintf (stderr, "caller: %s: %s\n", what, strerror (-r));
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

/* The nanoseconds that it took. */
static int64_t
call (sd_bus *bus, const Method *method)
{
  sd_bus_message *m = NULL, *reply = NULL;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  int64_t began_nsec = now_nsec ();

  check (sd_bus_message_new_method_call (bus, &m, name, path, method->interface, method->member), method->name);
  if (strcmp (method->signature, "ss") == 0)
    check (sd_bus_message_append (m, "ss", method->arguments[0], method->arguments[1]), method->name);
  else if (strcmp (method->signature, "as") == 0)
    check (sd_bus_message_append (m, "as", 1, method->arguments[0]), method->name);
  if (sd_bus_call (bus, m, 0, &error, &reply) < 0) {
    fprintf (stderr, "caller: %s: %s\n", method->name, error.message);
    exit (EXIT_FAILURE);
  }
  sd_bus_message_unref (m);
  sd_bus_message_unref (reply);
  return now_nsec () - began_nsec;
}

static int
compare (const void *a, const void *b)
{
  const int64_t *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static void
call_for (sd_bus *bus, const Method *method, int64_t usable_nsec)
{
  static int64_t nsec[MAX_CALLS];
  int64_t until_nsec = now_nsec () + usable_nsec;
  size_t n = 0;

  do
    nsec[n++] = call (bus, method);
  while (n < MAX_CALLS && now_nsec () < until_nsec);

  qsort (nsec, n, sizeof *nsec, compare);
  printf ("{\"calls\": %zu, \"p50_usec\": %.1f, \"p99_usec\": %.1f, \"max_usec\": %.1f, \"ended_nsec\": %" PRId64 "}\n", n,
          (double) nsec[n / 2] / 1000, (double) nsec[n * 99 / 100] / 1000, (double) nsec[n - 1] / 1000, now_nsec ());
  fflush (stdout);
}

int
main (void)
{
  char wanted[32];
  unsigned long long msec;
  sd_bus *bus = NULL;

  check (sd_bus_open_user (&bus), "the bus");
  while (scanf ("%31s %llu", wanted, &msec) == 2)
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
      if (strcmp (wanted, methods[i].name) == 0)
        call_for (bus, &methods[i], (int64_t) msec * 1000000);
  sd_bus_flush_close_unref (bus);
  return EXIT_SUCCESS;
}
