/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "bus/history-actions.h"
#include "bus/outbox.h"

/*
 * The interface of the history at /dev/prp/Relay1: dbus/dev.prp.Relay1.History.xml. Its calls of ListEvents wait in
 * listings.c.
 */
typedef struct RelayHistoryObject RelayHistoryObject;

/* All but @user_data (of @actions) is borrowed; @actions is static. Returns a negative errno on failure. */
int relay_history_object_new (sd_bus *bus, RelayOutbox *outbox, const RelayHistoryActions *actions, gpointer user_data,
                              RelayHistoryObject **ret_object);
void relay_history_object_free (RelayHistoryObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayHistoryObject, relay_history_object_free)

/* Is HistoryId another one than the bus knows of? */
gboolean relay_history_object_is_changed (RelayHistoryObject *object);

/* Tells the bus, if so. */
void relay_history_object_flush (RelayHistoryObject *object);

/* The bus has taken all that was sent. */
void relay_history_object_bus_drained (RelayHistoryObject *object);
