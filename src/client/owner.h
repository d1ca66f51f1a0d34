/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * Who owns a name of the bus, as the bus tells it. A match rule alone does not see to that: what a stranger sends to us and
 * nobody else needs no rule, and sd-bus takes any unique name for the sender of a rule that has another.
 */
#define CLIENT_OWNER_RULE(name) \
  "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus'," \
  "member='NameOwnerChanged',arg0='" name "'"

/* Is @message the bus's word that @name has another owner? Sets who it was and who it is, unique names in @message; "" for
 * nobody. */
gboolean client_owner_read_changed (sd_bus_message *message, const char *name, const char **ret_old_owner,
                                    const char **ret_new_owner);
