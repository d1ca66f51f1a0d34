/* SPDX-License-Identifier: MIT */
#pragma once

#include "simulator/session.h"
#include "simulator/tokens.h"
#include "simulator/world.h"

/*
 * The simulated service: the world, its clock, and the sessions that hear of it. Knows nothing of HTTP.
 */
#define SIM_HUB_MAX_SESSIONS 64
#define SIM_HUB_MAX_LOGGED 1000            /* messages of clients */
#define SIM_HUB_MAX_LOGGED_BYTES 4096      /* of one; the rest is left out */
#define SIM_HUB_MAX_RATE 100000.0          /* events per second */

typedef struct {
  double events_per_sec; /* 0: none */
  guint64 seed;
  SimSessionLimits limits;
} SimHubSettings;

typedef struct SimHub SimHub;

/* @tokens must outlive the hub. The stream of events begins at once. */
SimHub *sim_hub_new (const SimHubSettings *settings, SimTokens *tokens);
void sim_hub_free (SimHub *hub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimHub, sim_hub_free)

/* A connection behind its handshake. FALSE if there is no room. Half-open sessions make room, the oldest first. */
gboolean sim_hub_has_room (SimHub *hub);
void sim_hub_adopt (SimHub *hub, GIOStream *stream, GSocket *socket, gint64 token_expires_usec);

SimTokens *sim_hub_get_tokens (SimHub *hub);
SimIds *sim_hub_get_ids (SimHub *hub);
SimWorld *sim_hub_get_world (SimHub *hub);
guint sim_hub_get_n_sessions (SimHub *hub);

/* Read and written freely; a change takes effect at once, but heartbeat_usec needs sim_session_restart_heartbeat. */
SimSessionLimits *sim_hub_get_limits (SimHub *hub);

/* Calls @func for each session, or for the one called @id if it is not NULL; returns for how many it gave TRUE.
 * @func may end the session. */
typedef gboolean (*SimSessionFunc) (SimSession *session, gpointer user_data);
guint sim_hub_for_each (SimHub *hub, const char *id, SimSessionFunc func, gpointer user_data);
gboolean sim_hub_has_session (SimHub *hub, const char *id);

/* The stream. A burst comes on top of it, also while it is paused, and another one takes its place.
 * @events_per_sec 0: as fast as the slowest client reads. */
void sim_hub_set_rate (SimHub *hub, double events_per_sec);
void sim_hub_set_paused (SimHub *hub, gboolean paused);
void sim_hub_burst (SimHub *hub, guint count, double events_per_sec);

/* {"connections": [{…}], "received": {…}, "eventsSent": …, …}, and the last messages of clients, the oldest first,
 * as JSON. No token is in them. */
JsonNode *sim_hub_describe (SimHub *hub);
char *sim_hub_format_messages (SimHub *hub);

/* Closes every session with @code, then calls @done, from the loop. */
void sim_hub_close_all (SimHub *hub, guint code, const char *reason, GSourceFunc done, gpointer user_data);
