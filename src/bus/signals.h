/* SPDX-License-Identifier: MIT */
#pragma once

#include "bus/marshal.h"
#include "common/bus-source.h"
#include "wire/event.h"
#include "wire/gap.h"

/*
 * Events as D-Bus messages: dbus/dev.prp.Relay1.Events.xml to the letter.
 */

/* JSON below this level (the message is the first, its data the second) is handed over as text: both bus daemons drop a
 * sender whose message holds more than 64 containers within each other, and each object takes three. */
#define RELAY_SIGNALS_MAX_LEVEL 16

/* The event's signal, ready to be sent. Returns a negative errno on failure (memory, or a bus that is closed). */
int relay_signals_new (sd_bus *bus, const RelayEvent *event, sd_bus_message **ret_message);

/* The same, byte for byte but for the serial, as a message of our own in @buffer. Returns -EMSGSIZE if it is longer than @size;
 * else the message stands from marshal->begin to marshal->at. */
int relay_signals_write (RelayMarshal *marshal, guint8 *buffer, gsize size, guint32 serial, const RelayEvent *event);

/* The signal Gap, likewise, for sd-bus only. */
int relay_signals_new_gap (sd_bus *bus, const RelayGap *gap, sd_bus_message **ret_message);

/* Appends the whole event, an a{sv}. Returns a negative errno on failure. */
int relay_signals_append_event (sd_bus_message *message, const RelayEvent *event);

/* At least as many bytes as the event takes in a message; typically half as many again. Costs nothing. */
gsize relay_signals_estimate_bytes (const RelayEvent *event);
