/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "bus/holds.h"
#include "wire/subscriptions.h"

/*
 * The channels as objects: dbus/dev.prp.Relay1.Channel.xml, one object per wanted channel, under the ObjectManager of
 * /dev/prp/Relay1. Objects are no state of their own: what is asked is looked up, what changed is told at the end of
 * the loop's turn.
 */
typedef struct RelayChannelObjects RelayChannelObjects;

/* Answers that name every object, until the bus has taken them; more are refused. */
#define RELAY_CHANNEL_OBJECTS_MAX_LISTINGS 8

/* All borrowed. Returns a negative errno on failure. */
int relay_channel_objects_new (sd_bus *bus, RelaySubscriptions *subscriptions, RelayHolds *holds,
                               RelayChannelObjects **ret_objects);
void relay_channel_objects_free (RelayChannelObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayChannelObjects, relay_channel_objects_free)

/* Something happened to a channel (RelaySubscriptionsChanged; its holders: RELAY_CHANNEL_HOLDS). */
void relay_channel_objects_changed (RelayChannelObjects *objects, const char *channel, RelayChannelChange change);

/* Tells the bus what has changed since the last time. */
void relay_channel_objects_flush (RelayChannelObjects *objects);

/* The bus has taken all that was sent. */
void relay_channel_objects_bus_drained (RelayChannelObjects *objects);
