/* SPDX-License-Identifier: MIT */
#pragma once

#include <libsoup/soup.h>

#include "common/trouble.h"

/*
 * The bearer token: where it comes from, when it ends, and how another is had. Together with credential.c and
 * secret-service.c the only place that sees a secret; whoever needs one gets a RelayToken, which can be used but not
 * read.
 *
 * Sources, in this order: $CREDENTIALS_DIRECTORY/prp-token, TokenCommand, TokenFile (or the file of `prpctl login`), the
 * Secret Service; where none is there but RefreshUrl and a refresh token are, the token endpoint. Renewal (RFC 6749 §6)
 * where RefreshUrl is set, else by asking the sources again. A renewed token goes into the Secret Service if the one
 * before it was there.
 */
typedef struct RelayToken RelayToken;   /* immutable, reference counted, wiped when freed */
typedef struct RelayTokens RelayTokens; /* the manager */

/* All strings may be NULL: not configured. Paths are absolute. */
typedef struct {
  char *token_file;
  char **token_command; /* argv, split as a shell would, no shell */
  char *refresh_url;
  char *refresh_token_file;
  char *client_id;
  char *ca_file;
  char *login_token_file;         /* in the place of a token_file that is not configured */
  char *login_refresh_token_file; /* likewise */
  char *keyring_url;              /* the server, for the Secret Service (secret-service.h); NULL: it is not asked */
} RelayTokenOptions;

#define RELAY_TOKEN_COMMAND_TIMEOUT_USEC (30 * G_USEC_PER_SEC)
#define RELAY_TOKEN_MAX_BYTES (64 * 1024)         /* of a token, a command's output, the endpoint's reply */
#define RELAY_TOKEN_REFRESH_TIMEOUT_USEC (30 * G_USEC_PER_SEC)
#define RELAY_TOKEN_RENEW_BEFORE_USEC (60 * G_USEC_PER_SEC) /* or a tenth of its life, whichever is less */

RelayToken *relay_token_ref (RelayToken *token);
void relay_token_unref (RelayToken *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayToken, relay_token_unref)

/* Adds "Authorization: Bearer …" (RFC 6750 §2.1). */
void relay_token_authorize (RelayToken *token, SoupMessageHeaders *headers);
gboolean relay_token_equal (RelayToken *a, RelayToken *b);
/* CLOCK_REALTIME µs when it ends, 0 if unknown (from the JWT, else from the endpoint's expires_in). */
gint64 relay_token_get_expires (RelayToken *token);
/* CLOCK_REALTIME µs when to renew it: RENEW_BEFORE or a tenth of its life before its end, earlier by up to half of
 * that again for @jitter in [0, 1); 0 if its end is unknown. */
gint64 relay_token_get_renewal (RelayToken *token, double jitter);
/* Is it past that time, whatever the jitter? */
gboolean relay_token_is_due (RelayToken *token);

/* @token: NULL with @trouble set where there is none. Both borrowed for the call. */
typedef void (*RelayTokenCallback) (RelayToken *token, const RelayTrouble *trouble, gpointer user_data);
/* The source's file, or what the Secret Service holds, changed: another token may be there. */
typedef void (*RelayTokensChanged) (gpointer user_data);

RelayTokens *relay_tokens_new (const RelayTokenOptions *options, RelayTokensChanged changed, gpointer user_data);
/* Takes new options, and reads the sources again for whoever asks next; pending callbacks are not called any more. What
 * has to do with refreshing stays if its options do: a refresh that is under way (a second one would use a token that
 * may be void by now), and a refresh token that could not be stored. So does what was renewed since the TokenFile was
 * read, if that is still the same. */
void relay_tokens_configure (RelayTokens *tokens, const RelayTokenOptions *options);
/* Pending callbacks are not called any more; a running command is ended. */
void relay_tokens_free (RelayTokens *tokens);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayTokens, relay_tokens_free)

/* Gets a token: the one at hand if it is still good, else from the sources, renewed first where it has expired and
 * can be. One request at a time (a second one replaces the first, whose callback is not called). @callback is
 * always called from the main loop, never from within this call. */
void relay_tokens_get (RelayTokens *tokens, RelayTokenCallback callback, gpointer user_data);

/* Gets another token than @refused: by RefreshUrl where there is one, else by asking the sources again; if they
 * give just the same token, that is the trouble (AUTH_FAILED or, with @expired, TOKEN_EXPIRED; remedy STOP). A
 * rotated refresh token is stored (atomically, mode 0600, synced) before the new token is handed out. */
void relay_tokens_renew (RelayTokens *tokens, RelayToken *refused, gboolean expired, RelayTokenCallback callback,
                         gpointer user_data);

/* Could relay_tokens_renew give another token without a person doing something: RefreshUrl or TokenCommand? */
gboolean relay_tokens_can_renew (RelayTokens *tokens);
/* Is the answer to a refresh still to come? Who leaves now may lose the refresh token that it brings. */
gboolean relay_tokens_is_refreshing (RelayTokens *tokens);
/* Something changed in the Secret Service. Where a token is wanted from there, it is asked again, and the one who waits
 * for changes called. */
void relay_tokens_keyring_changed (RelayTokens *tokens);
void relay_tokens_cancel (RelayTokens *tokens);

void relay_token_options_clear (RelayTokenOptions *options);
void relay_token_options_copy (const RelayTokenOptions *options, RelayTokenOptions *ret_copy);
