/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What a token endpoint answers (RFC 6749 §5), read. Pure. Nothing of an answer gets into an error's text: whatever it says
 * could quote a token.
 */
typedef struct {
  char *access_token;  /* NULL: there is none, or none that could stand in a header */
  char *refresh_token; /* likewise */
  guint64 life_usec;   /* of the access token; 0 if it is not told */
} RelayTokenReply;

#define RELAY_TOKEN_REPLY_MAX_LIFE_SEC (10 * 365 * 24 * 3600) /* of what expires_in is believed */

/* Wipes the tokens. */
void relay_token_reply_clear (RelayTokenReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelayTokenReply, relay_token_reply_clear)

/* Reads a success (§5.1). The members may also be spelled as on the protocol page (accessToken). FALSE with @error set
 * (RELAY_ERROR_SERVER, in both languages) where the access token is missing or not to be used; @ret_reply is filled all the
 * same, for there may be a refresh token to be kept. */
gboolean relay_token_reply_read (RelayTokenReply *ret_reply, const char *text, gsize length, GError **error);

/* The error code of a failure, if it is one that §5.2 defines: static. Else NULL. */
const char *relay_token_reply_read_error (const char *text, gsize length);
