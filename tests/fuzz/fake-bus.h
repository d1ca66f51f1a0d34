/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"

/*
 * A message bus inside this process, as much of one as a service needs that has callers: it gives the service its name, says
 * who is there and who leaves, and hands over messages in anyone's name, answers and all. No process, no file, no time.
 */
typedef struct FakeBus FakeBus;

/* @message: of the service, to anyone but the bus. Borrowed. */
typedef void (*FakeBusReceived) (sd_bus_message *message, gpointer user_data);

FakeBus *fake_bus_new (FakeBusReceived received, gpointer user_data);
/* Closes both ends. */
void fake_bus_free (FakeBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeBus, fake_bus_free)

/* The service's connection, in the default main context; borrowed. */
sd_bus *fake_bus_get_service (FakeBus *bus);
/* What goes on there. @events: NULL for no more; `failed` is not called, see fake_bus_is_broken. */
void fake_bus_set_events (FakeBus *bus, const RelayBusSourceEvents *events, gpointer user_data);

/* The connection for messages to be made on and sent with fake_bus_deliver; borrowed. */
sd_bus *fake_bus_get_callers (FakeBus *bus);

void fake_bus_join (FakeBus *bus, const char *name);
void fake_bus_leave (FakeBus *bus, const char *name);
gboolean fake_bus_has (FakeBus *bus, const char *name);

/* From now on match rules are refused, as a bus does that has too many; or they are taken again. */
void fake_bus_refuse_matches (FakeBus *bus, gboolean refuse);
/* From now on nothing is read that the service sends; or it is again. */
void fake_bus_stall (FakeBus *bus, gboolean stall);

/* Sends @message to the service, in the name of @sender. Returns its cookie, 0 if it cannot be sent. */
guint64 fake_bus_deliver (FakeBus *bus, sd_bus_message *message, const char *sender);
/* These bytes, whatever they are. No more messages after that. */
void fake_bus_deliver_bytes (FakeBus *bus, const void *bytes, gsize length);

/* Runs the main loop until there is nothing to be done. Fails where that never is. */
void fake_bus_settle (FakeBus *bus);
/* Did the service's connection fail? */
gboolean fake_bus_is_broken (FakeBus *bus);
