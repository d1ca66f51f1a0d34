/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/card.h"

/*
 * What many events come to: how many of each kind, of which PRPs. Pure, and bounded.
 */
#define NOTIFY_DIGEST_MAX_PRPS 2000 /* told apart; beyond it is "more than" */
#define NOTIFY_DIGEST_MAX_NAMES 5   /* named */

typedef struct NotifyDigest NotifyDigest;

NotifyDigest *notify_digest_new (void);
void notify_digest_free (NotifyDigest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyDigest, notify_digest_free)

void notify_digest_clear (NotifyDigest *digest);

/* Counts an event; @card: of its PRP, as it is since then; NULL: it is about none. */
void notify_digest_add (NotifyDigest *digest, NotifyKind kind, const NotifyCard *card);

/* Some of the events may be missing: between the two times (CLOCK_REALTIME, µs; 0 and 0: it is not known which). */
void notify_digest_add_gap (NotifyDigest *digest, guint64 since_usec, guint64 until_usec);

guint notify_digest_get_events (const NotifyDigest *digest);
guint notify_digest_get_events_of (const NotifyDigest *digest, NotifyKind kind);
/* *ret_is_all FALSE: there are more. */
guint notify_digest_get_prps (const NotifyDigest *digest, gboolean *ret_is_all);
/* The ids of the first PRPs, NULL-terminated; borrowed. */
const char *const *notify_digest_get_first_prps (const NotifyDigest *digest);
/* Whether there is a gap, from the first one's begin to the last one's end. */
gboolean notify_digest_get_gap (const NotifyDigest *digest, guint64 *ret_since_usec, guint64 *ret_until_usec);
/* The highest of the PRPs: a RelayPriority. */
guint notify_digest_get_priority (const NotifyDigest *digest);
