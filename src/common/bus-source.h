/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * An sd_bus inside a GLib main loop: one GSource, one descriptor. Knows nothing of relays.
 */

/* Most messages handled in one turn of the loop: a flood of calls leaves the other sources their turn. */
#define RELAY_BUS_SOURCE_MESSAGES_PER_TURN 32

typedef struct {
  /* @error: negative errno for which the bus is of no more use (the peer hung up, …). Called at most once, from the
   * loop, after which the source is destroyed. */
  void (*failed) (int error, gpointer user_data);
  /* Something was read or written, and all that was due in this turn is done. May be NULL. */
  void (*turned) (gpointer user_data);
  /* Does somebody wait for room on the bus's socket, to write past sd-bus's own queue, when that is empty? `turned` tells of
   * room. Until then calls are taken in one a turn, and none as long as that queue is not empty: it comes to an end. May be
   * NULL. */
  gboolean (*wants_write) (gpointer user_data);
} RelayBusSourceEvents;

/* A source for @bus, not yet attached; holds a reference to it. Priority G_PRIORITY_DEFAULT: the same as the
 * WebSocket's, so that neither starves the other. Caller attaches, and owns the reference. @events is static. */
GSource *relay_bus_source_new (sd_bus *bus, const RelayBusSourceEvents *events, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus, sd_bus_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_slot, sd_bus_slot_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_track, sd_bus_track_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (sd_bus_error, sd_bus_error_free)
