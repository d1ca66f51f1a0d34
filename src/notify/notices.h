/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/server.h"
#include "notify/trouble.h"

/*
 * The notifications that are about no PRP: one for the trouble that there is, and one each for the last gap, the last thing that
 * the service said, and the last address that could not be opened.
 */
typedef struct NotifyNotices NotifyNotices;

NotifyNotices *notify_notices_new (NotifyServer *server);
/* Takes them from the screen. */
void notify_notices_free (NotifyNotices *notices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyNotices, notify_notices_free)

/* What the trouble is now; it is told once, and taken back with NOTIFY_TROUBLE_NONE. @since_usec: of an outage, CLOCK_REALTIME.
 * @text: what is wrong, in the relay's words; may be NULL. */
void notify_notices_set_trouble (NotifyNotices *notices, NotifyTroubleKind kind, guint64 since_usec, const char *text);

/* As notify_words_of_gap. */
void notify_notices_tell_gap (NotifyNotices *notices, guint64 since_usec, guint64 until_usec);

/* Takes @news over. */
void notify_notices_tell_service (NotifyNotices *notices, NotifyNews *news);

void notify_notices_tell_failed_open (NotifyNotices *notices, const char *url, const char *reason);
