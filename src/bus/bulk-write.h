/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * Messages of our own making, many at once, onto the socket of a bus that sd-bus writes to as well.
 */
#define RELAY_BULK_WRITE_MAX_BYTES (32 * 1024)
#define RELAY_BULK_WRITE_FINISH_MSEC 500 /* for the rest of a write that went through in part */

/* The most bytes that can be written to @bus at once for now; 0: this bus is none that can be written to here, or is not yet. */
gsize relay_bulk_write_get_limit (sd_bus *bus);

/* Writes whole messages, no more than that many bytes of them: all (1), or, when the bus can take no more for now or sd-bus has
 * something of its own to write first, nothing (0). A negative errno: the bus is lost; sd-bus meets it in its next turn. */
int relay_bulk_write (sd_bus *bus, const guint8 *data, gsize size);
