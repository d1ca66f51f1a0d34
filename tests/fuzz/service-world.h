/* SPDX-License-Identifier: MIT */
#pragma once

#include "bus/service.h"

/*
 * What the service on the bus has behind it, played: the connection, what is stored, a history of some events.
 */
typedef struct {
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayService *service;
  gboolean trying, connected, congested, reload_fails;
  gint64 now_usec;    /* of the subscriptions; the service's own clock is the real one */
  GHashTable *stored; /* set of durable channels */
  guint n_uncommitted;
  GPtrArray *history; /* texts; the sequence of each is its index + 1 */
  RelayJsonReader reader, found_reader;
} ServiceWorld;

#define SERVICE_WORLD_MAX_CHANNELS 20
#define SERVICE_WORLD_MAX_HOLDS 3

ServiceWorld *service_world_new (sd_bus *bus);
void service_world_free (ServiceWorld *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ServiceWorld, service_world_free)

/* What must hold whenever the loop is idle. */
void service_world_check (ServiceWorld *world);

/* The connection's side. */
void service_world_toggle_trying (ServiceWorld *world);
void service_world_toggle_connected (ServiceWorld *world);
/* Answers what is asked next, if anything; @code: refused with it, NULL: confirmed. */
void service_world_answer (ServiceWorld *world, const char *code);
void service_world_receive (ServiceWorld *world, const char *text);
void service_world_flood (ServiceWorld *world);
void service_world_tell_gap (ServiceWorld *world);
