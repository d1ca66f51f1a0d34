/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The daemon: owns every part and ties them together. Runs in the default main context.
 */
typedef struct RelayDaemon RelayDaemon;

#define RELAY_DAEMON_FLUSH_USEC (2 * G_USEC_PER_SEC) /* at the end: for the bus to take what is left */

/* @config_path: as given by --config, or NULL. Takes the bus name, opens the store, and begins to connect. Errors: RELAY_ERROR,
 * ready for the user: the configuration, no bus, or the name is taken. */
RelayDaemon *relay_daemon_new (const char *config_path, GError **error);
void relay_daemon_free (RelayDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayDaemon, relay_daemon_free)

/* Runs until relay_daemon_stop has done its work (TRUE), or the bus is lost (FALSE). */
gboolean relay_daemon_run (RelayDaemon *daemon);

/* Closes the connection properly, lets the bus take what is left, stores everything; relay_daemon_run returns then. */
void relay_daemon_stop (RelayDaemon *daemon);

/* Reads configuration and credentials again. Error: RELAY_ERROR_CONFIGURATION; everything stays as it was. */
gboolean relay_daemon_reload (RelayDaemon *daemon, GError **error);
