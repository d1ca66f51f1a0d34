/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What we say to the server (protocol page, "Client Actions"): one JSON text per action, each with an id of ours
 * that an answer's details.requestId names.
 */

/* @id: a RelayRequest's (for pings another, such as "ping-" and a number); @channels: names, NULL-terminated, at
 * least one. One line of compact JSON. Caller frees. */
char *relay_action_subscribe (const char *id, const char *const *channels);
char *relay_action_unsubscribe (const char *id, const char *const *channels);
char *relay_action_ping (const char *id);
