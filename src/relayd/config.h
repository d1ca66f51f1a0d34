/* SPDX-License-Identifier: MIT */
#pragma once

#include "link/connector.h"

/*
 * The configuration: a key file (relay.conf(5)) read into an immutable, validated struct. Whatever is not
 * understood is refused with file, group, key and reason, also in the groups of other programs; nothing of a bad
 * file takes effect.
 */
typedef struct {
  RelayConnectorOptions connector;
  guint max_channels;
  guint max_holds_per_client;
  guint max_events;     /* of the history; 0: none at all */
  guint64 max_age_usec; /* likewise; 0: whatever their age */
} RelayConfig;

#define RELAY_CONFIG_MAX_MESSAGE_BYTES_MAX                                                                        \
  (4 * 1024 * 1024) /* above it a signal could pass D-Bus's 64 MiB for an array */

/* @path: as given by --config; NULL: the default ($XDG_CONFIG_HOME/prp-relay/relay.conf), which need not exist.
 * Error: RELAY_ERROR_CONFIGURATION, message ready for the user (several faults: all of them, a line each). */
RelayConfig *relay_config_load (const char *path, GError **error);
void relay_config_free (RelayConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayConfig, relay_config_free)
