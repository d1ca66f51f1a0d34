/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "bus/history-actions.h"
#include "wire/event.h"
#include "wire/gap.h"
#include "wire/status.h"
#include "wire/subscriptions.h"

/*
 * The relay on the bus: /dev/prp/Relay1 with its methods, properties and signals, and the channels' objects below it.
 * What the methods do elsewhere is handed in as RelayServiceActions; nothing of the connection is known here.
 */
typedef struct RelayService RelayService;

typedef struct {
  guint max_channels; /* most names in one call */
  guint max_holds_per_client;
} RelayServiceOptions;

#define RELAY_SERVICE_SEND_BUFFER_BYTES (128 * 1024)    /* of the bus socket: how much a reply can be stuck behind */
#define RELAY_SERVICE_APP_ID_MAX_BYTES 255
#define RELAY_SERVICE_REASON_MAX_BYTES 1024

/* @rtt_usec is valid where @error is NULL. */
typedef void (*RelayServicePong) (guint64 rtt_usec, const GError *error, gpointer pong_data);

typedef struct {
  void (*connect) (gpointer user_data);
  void (*disconnect) (gpointer user_data);
  gboolean (*reload) (GError **error, gpointer user_data);
  void (*ping) (RelayServicePong pong, gpointer pong_data, gpointer user_data);
  /* A durable subscription's beginning or end is to be stored; … */
  void (*store_durable) (const char *channel, gboolean durable, gpointer user_data);
  /* … and what was stored is to last from now on: it is about to be confirmed. */
  void (*commit) (gpointer user_data);
  /* Is an answer of the server to be expected within seconds? */
  gboolean (*is_trying) (gpointer user_data);
  /* The bus can take no more for now (TRUE), or everything is written (FALSE). */
  void (*congested) (gboolean congested, gpointer user_data);
  RelayHistoryActions history;
} RelayServiceActions;

/* Puts the objects on @bus (no name is taken) and bounds its socket's send buffer. @subscriptions and @status are borrowed and
 * outlive the service, which watches them. @actions is static. Error: RELAY_ERROR_IO. */
RelayService *relay_service_new (sd_bus *bus, const RelayServiceOptions *options, RelaySubscriptions *subscriptions,
                                 RelayStatus *status, const RelayServiceActions *actions, gpointer user_data,
                                 GError **error);
void relay_service_free (RelayService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayService, relay_service_free)

void relay_service_configure (RelayService *service, const RelayServiceOptions *options);

/* Makes the event's signal, and holds it until relay_service_release: once a turn, as soon as the event is stored (or it
 * is certain that it is not). */
void relay_service_emit (RelayService *service, const RelayEvent *event);
/* Likewise the gap's, in its place among the events. */
void relay_service_emit_gap (RelayService *service, const RelayGap *gap);
/* Sends all that is held, in order. Nothing is lost: what the bus cannot take is kept, and `congested` is called. Tells the
 * bus as well, if there is another history. */
void relay_service_release (RelayService *service);

/* The bus source had its turn (RelayBusSourceEvents.turned): what was held up goes on if it can. */
void relay_service_bus_turned (RelayService *service);

/* Is there something that waits for room on the bus (RelayBusSourceEvents.wants_write)? */
gboolean relay_service_wants_write (RelayService *service);

/* Is there nothing left to write, and nothing held? For a clean end. */
gboolean relay_service_is_flushed (RelayService *service);
