/* SPDX-License-Identifier: MIT */
#pragma once

#include <json-glib/json-glib.h>

/*
 * What every message of the server has in common ("Message Format" of the protocol page): an id, a type, a
 * timestamp and data. Pure: the time is handed in.
 */

/* A run's own prefix and a counter: ids are unique within a run and, as clients drop what they have seen by its
 * id and may remember it for long, over runs too. Hence the prefix is random even where the world is seeded. */
typedef struct {
  guint64 run;
  guint64 last;
} SimIds;

void sim_ids_init (SimIds *ids);

/* "msg_5f0c2d9e41aa_17", with @kind "msg". Caller frees. */
char *sim_ids_next (SimIds *ids, const char *kind);

/* ISO 8601 in UTC with seconds, as on the protocol page. Caller frees. */
char *sim_time_format (gint64 realtime_usec);

/* The whole message as JSON on one line. @data is not consumed; NULL leaves the member out (`pong` has none). */
char *sim_message_format (const char *id, const char *type, gint64 realtime_usec, JsonNode *data);

/* An `error` message. Members of details that are NULL are left out; without any there are no details. */
char *sim_message_format_error (const char *id, gint64 realtime_usec, const char *code, const char *message,
                                const char *request_id, const char *action);

/* Any value as JSON on one line. */
char *sim_json_format (JsonNode *node);
