/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * An sd_bus inside a GLib main loop: one GSource, one descriptor. Knows nothing of relays.
 */

/* Most messages handled in one turn of the loop: a flood of calls leaves the other sources their turn. */
#define RELAY_BUS_SOURCE_MESSAGES_PER_TURN 32

/* @error: negative errno for which the bus is of no more use (the peer hung up, …); called at most once, from the
 * loop, after which the source is destroyed. */
typedef void (*RelayBusSourceFailed) (int error, gpointer user_data);

/* A source for @bus, not yet attached; holds a reference to it. Priority G_PRIORITY_DEFAULT: the same as the
 * WebSocket's, so that neither starves the other. Caller attaches, and owns the reference. */
GSource *relay_bus_source_new (sd_bus *bus, RelayBusSourceFailed failed, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus, sd_bus_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_slot, sd_bus_slot_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sd_bus_track, sd_bus_track_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (sd_bus_error, sd_bus_error_free)
