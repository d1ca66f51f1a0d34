/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/history.h"
#include "prpctl/relay-client.h"

/*
 * What is asked of the relay's history (client/history.h), and how it is told of, in the words and with the errors of prpctl.
 */

/* A call of ListEvents. Error for what the bus cannot carry. */
sd_bus_message *prpctl_history_new_list (PrpctlClient *client, const ClientHistoryQuery *query, GError **error);

/* A call for the properties. */
sd_bus_message *prpctl_history_new_get_all (PrpctlClient *client, GError **error);

/* Turns what a call came back with into an error; a relay that has no history is told of as such. As
 * prpctl_failure_from_bus. */
void prpctl_history_failure (const char *name, const char *message, int error_number, GError **error);

/* For a person: what may be missing. Static, translated. */
const char *prpctl_history_describe_missed (ClientMissed missed);

/* For a program: the same as an event of a type of our own, one line without its end. */
void prpctl_history_append_missed (GString *out, ClientMissed missed);
