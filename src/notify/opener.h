/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"

/*
 * Opens an address the desktop's way. What opens it is no child of ours where that can be: a browser is not to live
 * in the sandbox of this service, nor to end with it. In order:
 *
 *   1. the portal (org.freedesktop.portal.OpenURI);
 *   2. a transient unit of the user's systemd that runs xdg-open, or gio open;
 *   3. the same program, started here.
 *
 * A way that is not there is passed over. One that is there and fails is the end: another might open it a second time.
 */
typedef struct NotifyOpener NotifyOpener;

#define NOTIFY_OPENER_MAX_JOBS 8                          /* at a time */
#define NOTIFY_OPENER_CALL_USEC (25 * G_USEC_PER_SEC)
#define NOTIFY_OPENER_WATCH_USEC (60 * (guint64) G_USEC_PER_SEC) /* so long a failure is heard of */

/* @reason: for people. */
typedef void (*NotifyOpenerFailed) (const char *url, const char *reason, gpointer user_data);

NotifyOpener *notify_opener_new (sd_bus *bus, NotifyOpenerFailed failed, gpointer user_data);
void notify_opener_free (NotifyOpener *opener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyOpener, notify_opener_free)

/* @token: of the activation that asked for it, NULL for none. */
void notify_opener_open (NotifyOpener *opener, const char *url, const char *token);

/* The template with each {prp_id}, {project_id} and {agent_id} filled in, percent-encoded; NULL: one that it names is
 * not known, or would be a step in a path. Caller frees. */
char *notify_opener_fill (const char *template, const char *prp_id, const char *project_id, const char *agent_id);
