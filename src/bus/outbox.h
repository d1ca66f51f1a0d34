/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "wire/event.h"
#include "wire/gap.h"
#include "wire/status.h"

/*
 * The signals of events on their way out: held until what they tell is stored, then sent, in order, as fast as the bus
 * takes them. Nothing is dropped; what bounds the queue is that its owner stops whoever fills it.
 */
typedef struct RelayOutbox RelayOutbox;

/* The bus can take no more for now (TRUE), or everything is written (FALSE). */
typedef void (*RelayOutboxCongested) (gboolean congested, gpointer user_data);

/* @bus and @status (whose events_emitted is counted) are borrowed. */
RelayOutbox *relay_outbox_new (sd_bus *bus, RelayStatus *status, RelayOutboxCongested congested, gpointer user_data);
void relay_outbox_free (RelayOutbox *outbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayOutbox, relay_outbox_free)

/* Makes the signal, and holds it. */
void relay_outbox_add (RelayOutbox *outbox, const RelayEvent *event);
void relay_outbox_add_gap (RelayOutbox *outbox, const RelayGap *gap);

/* Sends all that is held. */
void relay_outbox_release (RelayOutbox *outbox);

/* Something else was sent on the bus: is it too much for now? */
void relay_outbox_check (RelayOutbox *outbox);

/* The bus source had its turn. Returns whether everything that was released, and whatever else was sent, is written. */
gboolean relay_outbox_bus_turned (RelayOutbox *outbox);

/* Is there something released that waits for the bus? For its source (RelayBusSourceEvents.wants_write). */
gboolean relay_outbox_wants_write (RelayOutbox *outbox);

/* Is there nothing left to write, apart from what is held? */
gboolean relay_outbox_is_written (RelayOutbox *outbox);

/* Likewise, and nothing held? */
gboolean relay_outbox_is_empty (RelayOutbox *outbox);
