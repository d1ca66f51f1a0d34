/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/catch-up.h"
#include "common/bus-source.h"

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
} ClientHistoryQuery;

/* Makes a call of ListEvents, still to be sent. Returns a negative errno on failure; where that is for a text that the bus
 * cannot carry, *ret_bad is that text, and NULL otherwise. */
int client_history_new_list (sd_bus *bus, const ClientHistoryQuery *query, sd_bus_message **ret_call, const char **ret_bad);

/* Likewise, a call for the properties. */
int client_history_new_get_all (sd_bus *bus, sd_bus_message **ret_call);

/* Reads the answer to ListEvents: first the list is entered, then an event is read with each call (1; 0 at the end, or a
 * negative errno), and behind the last one the rest. */
int client_history_enter_list (sd_bus_message *reply);
int client_history_read_event (sd_bus_message *reply, ClientEvent *ret_event);
int client_history_leave_list (sd_bus_message *reply, guint64 *ret_last_sequence, gboolean *ret_more);

/* Reads the properties, a{sv}. Returns 1, or a negative errno; -EBADMSG where one is missing. */
int client_history_read_facts (sd_bus_message *reply, ClientHistoryFacts *ret_facts);
