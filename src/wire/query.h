/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/event.h"

/*
 * What is asked of the history: the filter of ListEvents (dbus/dev.prp.Relay1.History.xml) and what it means.
 * Pure.
 */
typedef struct {
  guint64 after;     /* only events with a higher sequence */
  gboolean newest;   /* of those that match, the last ones instead of the first; in order all the same */
  char **types;      /* shell globs (fnmatch(3) without flags), any of which is to match; NULL: every type. Of a
                      * type its first 255 bytes are looked at */
  char *prp;         /* ids; NULL: any */
  char *agent;
  char *project;
  gint64 since_usec; /* CLOCK_REALTIME: received then or later; 0: any time */
} RelayQuery;

#define RELAY_QUERY_MAX_TYPES 64          /* globs */
#define RELAY_QUERY_MAX_STRING_BYTES 4096 /* of a glob or an id */

/* What an event is about, as far as it can be asked for: `prp` is data.prpId, or data.id where the type begins
 * with "prp."; `agent` is data.agentId, or data.id where it begins with "agent."; `project` likewise. */
typedef enum {
  RELAY_SUBJECT_PRP,
  RELAY_SUBJECT_AGENT,
  RELAY_SUBJECT_PROJECT,
  RELAY_N_SUBJECTS,
} RelaySubject;

/* The token of the string that names the event's subject, or 0. */
guint relay_event_find_subject (const RelayEvent *event, RelaySubject subject);

/* The id asked for, or NULL. */
const char *relay_query_get_subject (const RelayQuery *query, RelaySubject subject);

/* Could an event of @type match? */
gboolean relay_query_matches_type (const RelayQuery *query, const char *type);

/* Does the event, with sequence and received_usec set, match all there is but `newest`? */
gboolean relay_query_matches (const RelayQuery *query, const RelayEvent *event);

/* Frees what is in it, and makes it the query for everything. */
void relay_query_clear (RelayQuery *query);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelayQuery, relay_query_clear)
