/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * D-Bus values as JSON (RFC 8259): the mapping by which the relay made the values from JSON, backwards. What was
 * null comes as the empty signature and is null again; a double always has a fraction or an exponent, so that it
 * reads back as a double; infinity is written as 1e999, a valid number that reads back as infinity.
 */

/* Containers in a message that a bus lets through; the recursion is bounded by it. */
#define CLIENT_JSON_MAX_CONTAINERS 64

/* Appends the value at @message's position and moves behind it. Returns 0, or a negative errno: -ENXIO at the end of
 * the container, -EBADMSG for what has no JSON (a file descriptor, keys that are no strings, nesting too deep); what
 * @out then holds behind its old length is to be thrown away. */
int client_json_append_value (GString *out, sd_bus_message *message);

/* Likewise, for a dictionary that was already entered: all entries that are left in it. Leaves @message at its end. */
int client_json_append_members (GString *out, sd_bus_message *message);

void client_json_append_string (GString *out, const char *text);
void client_json_append_double (GString *out, double number);
