/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#define RELAY_CHANNEL_NAME_MAX_BYTES 255

/* Checks the syntax kind:id: printable ASCII without spaces, both sides non-empty, at most
 * RELAY_CHANNEL_NAME_MAX_BYTES. The id may hold further colons. Error: RELAY_ERROR_INVALID_CHANNEL. */
gboolean relay_channel_name_check (const char *name, GError **error);
