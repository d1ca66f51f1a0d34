/* SPDX-License-Identifier: MIT */
#pragma once

#include "simulator/gate.h"
#include "simulator/hub.h"

/*
 * The control: faults on demand, and a look inside. A request to a reply; HTTP itself is server.c's.
 */
#define SIM_CONTROL_MAX_BODY_BYTES (64 * 1024)
#define SIM_CONTROL_MAX_EMIT_BYTES (8 * 1024 * 1024) /* the body of `emit` */

/* A token was made on demand: hand it to the user, but not through HTTP. */
typedef gboolean (*SimTokenSink) (const char *token, gpointer user_data, GError **error);

typedef struct SimControl SimControl;

/* @hub and @gate must outlive it. @sink may be NULL: then no tokens are made. */
SimControl *sim_control_new (SimHub *hub, SimGate *gate, SimTokenSink sink, gpointer user_data);
void sim_control_free (SimControl *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimControl, sim_control_free)

/* The longest body that @command takes. */
gsize sim_control_get_max_body (const char *command);

/* @command: what stands behind "/control/", "" for the list of commands. @query: char * → char *, or NULL. @body
 * ends in NUL, which @length does not count. Returns the HTTP status; *ret_json is the reply; *ret_allow the right
 * method with 405. */
guint sim_control_handle (SimControl *control, const char *method, const char *command, GHashTable *query,
                          const char *body, gsize length, char **ret_json, const char **ret_allow);
