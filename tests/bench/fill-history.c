/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "store/history.h"

/*
 * fill-history DIRECTORY N_EVENTS N_BATCH: appends events to the store in that directory, a commit for each N_BATCH of
 * them, and prints the seconds that took. They are as the relay's: a good 290 bytes, of 100 agents and 1,000 PRPs in turn;
 * every 10,000th is of the PRP "rare". The times of reception are a second apart, and end about now.
 */
#define N_PRPS 1000
#define N_AGENTS 100
#define RARE 10000

static void
append (RelayStore *store, RelayJsonReader *reader, guint64 begin_usec, guint64 number)
{
  g_autoptr (GError) error = NULL;
  char prp[32], text[512];
  RelayEvent event;
  int length;

  if (number % RARE == RARE / 2)
    g_strlcpy (prp, "rare", sizeof prp);
  else
    g_snprintf (prp, sizeof prp, "prp_%" G_GUINT64_FORMAT, number % N_PRPS);
  length = g_snprintf (text, sizeof text,
                       "{\"id\":\"msg_%016" G_GINT64_MODIFIER "x\",\"type\":\"agent.progress\","
                       "\"timestamp\":\"2024-01-15T13:00:00.000Z\",\"data\":{\"agentId\":\"agent_%03u\",\"prpId\":\"%s\","
                       "\"progress\":%u,\"currentTask\":\"Implementing the authentication middleware\","
                       "\"details\":{\"filesModified\":%u,\"testsRun\":12}},"
                       "\"metadata\":{\"version\":\"1.0\",\"source\":\"agent-orchestrator\"}}",
                       begin_usec + number, (guint) (number % N_AGENTS), prp, (guint) (number % 100), (guint) (number % 7));
  if (!relay_event_read (&event, reader, text, (gsize) length, &error))
    g_error ("%s", error->message);
  event.sequence = relay_store_next_sequence (store);
  event.received_usec = (gint64) begin_usec + (gint64) number * G_USEC_PER_SEC;
  relay_history_append (store, &event);
}

int
main (int argc, char **argv)
{
  const RelayHistoryLimits limits = { .max_events = G_MAXUINT64 };
  g_autoptr (RelayStore) store = NULL;
  RelayJsonReader reader = { 0 };
  guint64 n_events, n_batch, begin_usec;
  gint64 began_usec;

  if (argc != 4) {
    fprintf (stderr, "Usage: %s DIRECTORY N_EVENTS N_BATCH\n", argv[0]);
    return EXIT_FAILURE;
  }
  n_events = g_ascii_strtoull (argv[2], NULL, 10);
  n_batch = MAX (g_ascii_strtoull (argv[3], NULL, 10), 1);
  store = relay_store_open (argv[1]);
  relay_history_set_limits (store, &limits);
  begin_usec = (guint64) g_get_real_time () - n_events * G_USEC_PER_SEC;

  began_usec = g_get_monotonic_time ();
  for (guint64 number = 0; number < n_events; number++) {
    append (store, &reader, begin_usec, number);
    if ((number + 1) % n_batch == 0 || number + 1 == n_events) {
      g_autoptr (GError) error = NULL;

      if (!relay_store_commit (store, &error))
        g_error ("%s", error->message);
    }
  }
  printf ("%.6f\n", (double) (g_get_monotonic_time () - began_usec) / G_USEC_PER_SEC);
  relay_json_reader_clear (&reader);
  return EXIT_SUCCESS;
}
