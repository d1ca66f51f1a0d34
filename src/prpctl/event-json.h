/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * A signal of dev.prp.Relay1.Events as the JSON that the server sent: id, type, timestamp, data and metadata in this
 * order, then whatever else there is, without what the relay added (sequence, received). Not made safe for a
 * terminal: JSON is for programs, and escapes its control characters itself.
 */

/* Moves @message to its event: the last argument, a{sv}. Returns 1, 0 if it has none, or a negative errno. */
int prpctl_event_find (sd_bus_message *message);

/* Appends the event of the signal @message, one object without line breaks. Returns 1, 0 if the signal has no event,
 * or a negative errno; @out is changed only when it returns 1. Leaves @message rewound. */
int prpctl_event_append_json (GString *out, sd_bus_message *message);
