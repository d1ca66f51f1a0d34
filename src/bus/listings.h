/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "bus/history-actions.h"
#include "bus/outbox.h"

/*
 * Calls of ListEvents between their arrival and their answer, which is put together in steps, one in a turn of the loop, so
 * that nothing else ever waits for them.
 */
typedef struct RelayListings RelayListings;

#define RELAY_LISTINGS_MAX_EVENTS 1000               /* in one answer */
#define RELAY_LISTINGS_MAX_BYTES (8 * 1024 * 1024)   /* likewise, as estimated; but always one event, whatever its size */
#define RELAY_LISTINGS_STEP_BYTES (128 * 1024)       /* likewise, that are added in one turn */
#define RELAY_LISTINGS_MAX_STARTED 4                 /* answers that are being put together at one time */
#define RELAY_LISTINGS_MAX 64                        /* calls that wait, or whose answer is being put together */
#define RELAY_LISTINGS_MAX_PER_CLIENT 16

/* All but @user_data (of @actions) is borrowed; @actions is static. Returns a negative errno on failure. */
int relay_listings_new (sd_bus *bus, RelayOutbox *outbox, const RelayHistoryActions *actions, gpointer user_data,
                        RelayListings **ret_listings);
/* What waits is not answered any more. */
void relay_listings_free (RelayListings *listings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayListings, relay_listings_free)

/* Will answer @message with (aa{sv}, t, b): what @query, which is taken, asks for, @limit events at most (0: as many as
 * there may be). Error: RELAY_ERROR_LIMITS_EXCEEDED, RELAY_ERROR_IO; @query is not taken then. */
gboolean relay_listings_add (RelayListings *listings, sd_bus_message *message, RelayQuery *query, guint limit, GError **error);

/* The bus has taken all that was sent. */
void relay_listings_bus_drained (RelayListings *listings);
