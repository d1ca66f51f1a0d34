/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"
#include "prpctl/options.h"

/*
 * The session bus, and calls to the relay on it. Failures come as PRPCTL_ERROR.
 */
typedef struct {
  sd_bus *bus;
  gboolean no_start;    /* a call does not start the relay */
  guint64 timeout_usec; /* of a call */
} PrpctlClient;

PrpctlClient *prpctl_client_new (const PrpctlOptions *options, GError **error);
void prpctl_client_free (PrpctlClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlClient, prpctl_client_free)

/* A call of @interface's @member at @path of the relay, still without arguments. */
sd_bus_message *prpctl_client_new_call (PrpctlClient *client, const char *path, const char *interface,
                                        const char *member, GError **error);

/* Appends an array of strings. Error for one that the bus cannot carry. */
gboolean prpctl_client_append_strings (sd_bus_message *call, char **strings, GError **error);

/* Sends @call and waits for its answer. */
sd_bus_message *prpctl_client_call (PrpctlClient *client, sd_bus_message *call, GError **error);

/* Calls a method of dev.prp.Relay1 that has no arguments. */
sd_bus_message *prpctl_client_call_simple (PrpctlClient *client, const char *member, GError **error);

/* All properties of @interface at @path, as the message that holds them (a{sv}). */
sd_bus_message *prpctl_client_get_all (PrpctlClient *client, const char *path, const char *interface, GError **error);

/* For a negative errno @r of reading or making a message: sets @error and returns FALSE; TRUE otherwise. */
gboolean prpctl_client_check (int r, GError **error);
