/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/event.h"
#include "config/notifications.h"
#include "notify/memory.h"
#include "notify/relay.h"
#include "notify/server.h"

/*
 * What is to be on the screen: decides of each event whether it is told, and where: by the card of its PRP, by the digest,
 * or by nothing.
 */
typedef struct NotifyDesk NotifyDesk;

/* So long news gathers before it is shown: a PRP that is created, assigned and changed in one go is one notification. */
#define NOTIFY_DESK_SETTLE_USEC (150 * 1000)
/* A notification changes no more often than that. */
#define NOTIFY_DESK_CHANGE_USEC (500 * 1000)

/* @memory and @config are borrowed. */
NotifyDesk *notify_desk_new (sd_bus *bus, NotifyMemory *memory, const RelayNotifications *config);
void notify_desk_free (NotifyDesk *desk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyDesk, notify_desk_free)

void notify_desk_configure (NotifyDesk *desk, const RelayNotifications *config);

void notify_desk_handle_event (NotifyDesk *desk, const ClientEvent *event, NotifyPhase phase);

/* What is past comes between the two. */
void notify_desk_begin_past (NotifyDesk *desk);
void notify_desk_end_past (NotifyDesk *desk);

/* Of what is past, something is not known. */
void notify_desk_add_missed (NotifyDesk *desk);

/* The relay's state, and what is wrong in its words; NULL: it left. */
void notify_desk_set_state (NotifyDesk *desk, const char *state, const char *text);

/* Is there something that nobody was told yet? */
gboolean notify_desk_has_untold (const NotifyDesk *desk);

/* Takes all of ours from the screen, and forgets it. What is on its way there goes when it is known where it is: when
 * _is_clear. Nothing else may be asked of the desk from here on. */
void notify_desk_clear (NotifyDesk *desk);
gboolean notify_desk_is_clear (const NotifyDesk *desk);
