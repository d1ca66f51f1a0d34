/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The service: owns every part and ties them together. Runs in the default main context.
 */
typedef struct NotifyDaemon NotifyDaemon;

#define NOTIFY_DAEMON_BUS_NAME "dev.prp.Notify1" /* there is one on a bus */
#define NOTIFY_DAEMON_FLUSH_USEC G_USEC_PER_SEC  /* at the end: for the bus to take what is left */
#define NOTIFY_DAEMON_STORE_USEC (2 * G_USEC_PER_SEC) /* so much later than it was told, an event is remembered as told */

/* @config_path: as given by --config, or NULL. Error: ready for the user. */
NotifyDaemon *notify_daemon_new (const char *config_path, GError **error);
void notify_daemon_free (NotifyDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyDaemon, notify_daemon_free)

/* Runs until notify_daemon_stop has done its work (TRUE), or the bus is lost (FALSE). */
gboolean notify_daemon_run (NotifyDaemon *daemon);

/* Takes back what is on the screen (its buttons would lead nowhere), and ends. */
void notify_daemon_stop (NotifyDaemon *daemon);

/* Reads the configuration again. One that cannot be used is told in the journal, and the old one stays. */
void notify_daemon_reload (NotifyDaemon *daemon);
