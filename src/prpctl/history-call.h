/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/catch-up.h"
#include "prpctl/relay-client.h"

/*
 * The calls of dev.prp.Relay1.History, and what is in their answers.
 */
typedef struct {
  guint64 after;
  guint limit; /* 0: as many as the relay allows */
  gboolean newest;
  char **types; /* NULL or empty: every type; likewise below */
  const char *prp, *agent, *project;
  guint64 since_usec;
} PrpctlHistoryQuery;

/* A call of ListEvents. Error for what the bus cannot carry. */
sd_bus_message *prpctl_history_new_list (PrpctlClient *client, const PrpctlHistoryQuery *query, GError **error);

/* A call for the properties. */
sd_bus_message *prpctl_history_new_get_all (PrpctlClient *client, GError **error);

/* Reads the answer to ListEvents: first the list is entered, then an event is read with each call (1; 0 at the end, or a
 * negative errno), and behind the last one the rest. */
int prpctl_history_enter_list (sd_bus_message *reply);
int prpctl_history_read_event (sd_bus_message *reply, PrpctlEvent *ret_event);
int prpctl_history_leave_list (sd_bus_message *reply, guint64 *ret_last_sequence, gboolean *ret_more);

/* Reads the properties, a{sv}. Returns 1, or a negative errno; -EBADMSG where one is missing. */
int prpctl_history_read_facts (sd_bus_message *reply, PrpctlHistoryFacts *ret_facts);

/* Turns what a call came back with into an error; a relay that has no history is told of as such. As
 * prpctl_failure_from_bus. */
void prpctl_history_failure (const char *name, const char *message, int error_number, GError **error);

/* For a person: what may be missing. Static, translated. */
const char *prpctl_history_describe_missed (PrpctlMissed missed);

/* For a program: the same as an event of a type of our own, one line without its end. */
void prpctl_history_append_missed (GString *out, PrpctlMissed missed);
