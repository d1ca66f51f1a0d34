/* SPDX-License-Identifier: MIT */
#pragma once

#include <json-glib/json-glib.h>

/*
 * A small world of projects, agents and PRPs that lives on, one event a step. Pure: the same seed gives the same
 * events for good; the time only goes into their dates.
 */
#define SIM_WORLD_N_PROJECTS 3 /* proj_atlas, proj_borealis, proj_comet */
#define SIM_WORLD_N_AGENTS 5   /* agent_001 to agent_005 */
#define SIM_WORLD_MAX_PRPS 12  /* alive at a time */

/* The channels on which an event is sent. */
typedef struct {
  const char *type; /* as on the protocol page, static */
  JsonNode *data;   /* the member data, whole */
  char *project_channel, *prp_channel;
  char *agent_channel; /* NULL if no agent is concerned */
} SimEvent;

void sim_event_free (SimEvent *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimEvent, sim_event_free)

typedef struct SimWorld SimWorld;

SimWorld *sim_world_new (guint64 seed);
void sim_world_free (SimWorld *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimWorld, sim_world_free)

/* What happens next; there is always something. @realtime_usec: now, for the dates in it. */
SimEvent *sim_world_step (SimWorld *world, gint64 realtime_usec);

/* Who and what there is: {"projects": […], "agents": […], "prps": […]}, each with its id and channel. */
JsonNode *sim_world_describe (SimWorld *world);

/* Ids of the cast, static. */
const char *sim_world_project_id (guint index);
const char *sim_world_agent_id (guint index);
