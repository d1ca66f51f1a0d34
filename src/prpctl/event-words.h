/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * A signal of dev.prp.Relay1.Events as a line for a person.
 */

/* What happened, without a line break, safe for a terminal: "PRP prp_789012 “Implement Authentication” created in
 * proj_123456 (high)". NULL for a signal that is not known or does not have the arguments it ought to have.
 * @ret_received_usec: when the relay received it, CLOCK_REALTIME, 0 if it does not say. Leaves @message rewound. */
char *prpctl_event_make_words (sd_bus_message *message, guint64 *ret_received_usec);
