/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * What every method needs to answer its caller.
 */

/* Answers with the error, by its name on the bus; one of a foreign domain as RELAY_ERROR_IO. */
int relay_reply_error (sd_bus_message *message, const GError *error);

/* What is needed of @message to answer it later: a caller may have put many MiB into its arguments. Caller unrefs. */
sd_bus_message *relay_reply_copy_head (sd_bus_message *message);
