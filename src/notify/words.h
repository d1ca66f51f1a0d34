/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/card.h"
#include "notify/digest.h"

/*
 * What a notification says: a summary, one line, and a body of lines, in the user's language and without any markup. Each
 * line is a whole message of its own: no sentence is put together from pieces, and each has at most one number. Pure.
 */
typedef struct {
  char *summary;
  char *body;
} NotifyWords;

void notify_words_clear (NotifyWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (NotifyWords, notify_words_clear)

/* The name that a PRP goes by. Caller frees. */
char *notify_words_name_card (const NotifyCard *card);

void notify_words_of_card (const NotifyCard *card, NotifyWords *ret_words);

/* @names: of the first PRPs, NULL-terminated. @is_past: nobody was told of it when it happened. */
void notify_words_of_digest (const NotifyDigest *digest, const char *const *names, gboolean is_past, NotifyWords *ret_words);

/* The relay needs new credentials; @text: what it says of it, may be NULL. */
void notify_words_of_unauthorized (const char *text, NotifyWords *ret_words);

/* There is no connection since that time (CLOCK_REALTIME, µs). @text: as above. */
void notify_words_of_outage (guint64 since_usec, const char *text, NotifyWords *ret_words);

/* Events may have been missed between these times (0: it is not known when). */
void notify_words_of_gap (guint64 since_usec, guint64 until_usec, NotifyWords *ret_words);

/* The service reports an error, or something that is about no PRP. */
void notify_words_of_service (const NotifyNews *news, NotifyWords *ret_words);

/* @url could not be opened: @reason. */
void notify_words_of_failed_open (const char *url, const char *reason, NotifyWords *ret_words);

/* On the buttons. Static. */
const char *notify_words_get_open (void);
const char *notify_words_get_mute (void);
const char *notify_words_get_dismiss (void);
