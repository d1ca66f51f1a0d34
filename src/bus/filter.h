/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "wire/query.h"

/*
 * The filter of ListEvents, an a{sv}, as dbus/dev.prp.Relay1.History.xml has it.
 */
#define RELAY_FILTER_MAX_BYTES (16 * 1024) /* of all its strings: a filter waits with its call */

/* Reads the filter that stands at this place of @message. Whatever is not understood is refused, in words that name the
 * key: a filter that is not heeded would be a wrong answer. Error: RELAY_ERROR_INVALID_ARGS. Caller clears *ret_query, whose
 * `after` is 0. */
gboolean relay_filter_read (sd_bus_message *message, RelayQuery *ret_query, GError **error);
