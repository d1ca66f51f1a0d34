/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "common/trouble.h"

/*
 * Refreshing an access token (RFC 6749 §6), and keeping the refresh token that this takes, which the server may
 * replace each time.
 */
typedef struct RelayRefresher RelayRefresher;

#define RELAY_REFRESH_MAX_REPLY_BYTES (64 * 1024)

/* @access_token: NULL with @trouble set where there is none. @life_usec: from expires_in, 0 if not told. Both
 * pointers are borrowed for the call. */
typedef void (*RelayRefreshDone) (const char *access_token, guint64 life_usec, const RelayTrouble *trouble,
                                  gpointer user_data);

/* @url: the token endpoint. The other texts may be NULL. Where @token_file does not hold a refresh token, the
 * first is $CREDENTIALS_DIRECTORY/prp-refresh-token; where that is not there either, it is the one in the keyring for
 * the server @keyring_url (secret-service.h). @timeout_usec: from a request to the end of its answer. */
RelayRefresher *relay_refresher_new (const char *url, const char *ca_file, const char *client_id,
                                     const char *token_file, const char *keyring_url, guint64 timeout_usec);
/* A request under way is finished nevertheless: what it asked for cannot be asked for twice if the server replaces
 * the refresh token, so the new one is still stored. Its callback is not called. */
void relay_refresher_free (RelayRefresher *refresher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayRefresher, relay_refresher_free)

/* Is there a refresh token, as far as that can be known without asking the keyring? FALSE with @error set
 * (RELAY_ERROR_AUTH_FAILED, a sentence) where it is there but unusable. */
gboolean relay_refresher_is_ready (RelayRefresher *refresher, GError **error);

/* Does it ask the keyring where it is not ready? */
gboolean relay_refresher_has_keyring (RelayRefresher *refresher);

gboolean relay_refresher_is_running (RelayRefresher *refresher);
/* Is there an answer of the endpoint to come, or one to be stored? It may hold the only good refresh token. */
gboolean relay_refresher_is_at_risk (RelayRefresher *refresher);

/* Asks the endpoint for another access token. A new refresh token is stored where the old one was (in a file:
 * atomically, 0600, synced) before @done is called: once, from the main loop, never from within this call. Not while
 * one is running. Troubles: NO_CREDENTIALS, BAD_CREDENTIALS, KEYRING_LOCKED and KEYRING_FAILED about the refresh token;
 * RENEWAL_REFUSED where the server will not have it; RENEWAL_FAILED for anything that may pass, with what Retry-After
 * asked for. */
void relay_refresher_start (RelayRefresher *refresher, RelayRefreshDone done, gpointer user_data);

/* Has somebody else changed the file since the refresher last wrote it? */
gboolean relay_refresher_is_file_foreign (RelayRefresher *refresher);
