/* SPDX-License-Identifier: MIT */
#pragma once

#include "config/key-file.h"

/*
 * The part of relay.conf(5) that says which events become desktop notifications: [Notifications], and a group
 * [Notifications CHANNEL] for each channel where it is another. prp-relayd checks it with the rest of the file,
 * prp-notify reads it and nothing else.
 */
typedef enum {
  RELAY_PRIORITY_LOW,
  RELAY_PRIORITY_MEDIUM,
  RELAY_PRIORITY_HIGH,
  RELAY_PRIORITY_CRITICAL,
} RelayPriority;

/* Immutable once it is loaded. */
typedef struct {
  gboolean enabled;       /* of events in general; a channel's own group goes before it: ask _decide */
  char **types;           /* shell globs (fnmatch(3) without flags); likewise */
  char **channels;        /* to be held by prp-notify; empty: none. Valid names, each once */
  char *open_url;         /* https://… or http://…, in which {prp_id}, {project_id} and {agent_id} stand for
                           * themselves, behind the host and its port. NULL: there is nothing to open */
  gboolean trouble;       /* tell of what the person has to see to; never TRUE if no event can notify */
  guint min_priority;     /* a RelayPriority */
  GHashTable *overrides;  /* private */
} RelayNotifications;

#define RELAY_NOTIFICATIONS_MAX_OVERRIDES 1000 /* groups [Notifications CHANNEL] */
#define RELAY_NOTIFICATIONS_MAX_GLOB_BYTES 255 /* and so much of a type is compared */
#define RELAY_NOTIFICATIONS_MAX_URL_BYTES 2048 /* of the template */

/* All its defaults. */
RelayNotifications *relay_notifications_new (void);
void relay_notifications_free (RelayNotifications *notifications);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayNotifications, relay_notifications_free)

/* Has @file read this part as well, into @notifications, which is new and outlives @file: to check it. */
void relay_notifications_add_to (RelayNotifications *notifications, RelayKeyFile *file);
/* Reads this part of relay.conf and lets the others be; only that they are groups and keys is checked. @path: NULL for
 * the default file, which need not exist. Error: RELAY_ERROR_CONFIGURATION, ready for the user (all faults, a line each). */
RelayNotifications *relay_notifications_load (const char *path, GError **error);

/* Shall an event of @type about these things be a notification? @prp_id, @agent_id, @project_id, @priority: NULL or "" for
 * one that is not known. Of the groups that fit, prp:ID goes before agent:ID, that before project:ID, and that before
 * [Notifications], key for key. Pure. */
gboolean relay_notifications_decide (const RelayNotifications *notifications, const char *type, const char *prp_id,
                                     const char *agent_id, const char *project_id, const char *priority);

/* "low", …; what is not known (NULL, "", a word of tomorrow) counts as RELAY_PRIORITY_MEDIUM. */
RelayPriority relay_priority_from_string (const char *text);
