/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * An event, as it was signalled or as the history lists it: what the relay says of it, and the event itself as the JSON
 * that the server sent: id, type, timestamp, data and metadata in this order, then whatever else there is, without
 * what the relay added (sequence, received). Not made safe for a terminal: JSON is for programs, and escapes its control
 * characters itself.
 *
 * A gap is an event of type relay.gap, in the history as in its signal.
 */
typedef struct {
  guint64 sequence;      /* the relay's number, 0 if it gives none */
  guint64 received_usec; /* when the relay received it, CLOCK_REALTIME, 0 if it does not say */
  char *json;            /* one object without line breaks */
} ClientEvent;

void client_event_clear (ClientEvent *event);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ClientEvent, client_event_clear)

#define CLIENT_EVENT_GAP_TYPE "relay.gap"
#define CLIENT_EVENT_GAP_SINCE_UNKNOWN 1 /* its `since` where that is not known any more */

/* Reads the event's dictionary (a{sv}) at @message's position and moves behind it. Returns 1, 0 at the end of the
 * container, or a negative errno. */
int client_event_read (sd_bus_message *message, ClientEvent *ret_event);

/* Reads a signal of dev.prp.Relay1.Events. Returns 1, 0 if there is no event in it, or a negative errno. Leaves
 * @message rewound. */
int client_event_read_signal (sd_bus_message *message, ClientEvent *ret_event);
