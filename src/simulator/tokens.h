/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Which tokens are accepted, and until when; the refresh token and its rotation. No I/O; the time is handed in
 * (CLOCK_REALTIME in µs, as the claims of a JWT are about that clock).
 */
#define SIM_TOKENS_MAX_REMEMBERED 1024 /* access tokens; beyond it the oldest is forgotten, hence refused */
#define SIM_TOKEN_MAX_BYTES 8192

typedef enum {
  SIM_TOKEN_ACCEPTED,
  SIM_TOKEN_UNKNOWN,
  SIM_TOKEN_EXPIRED, /* its life has ended */
  SIM_TOKEN_REVOKED,
} SimTokenState;

typedef struct SimTokens SimTokens;

/* @life_usec: of every access token, from when it is issued or first heard of; 0 for no end.
 * @accept_any: accept tokens never heard of. */
SimTokens *sim_tokens_new (guint64 life_usec, gboolean accept_any);
void sim_tokens_free (SimTokens *tokens);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimTokens, sim_tokens_free)

/* Is @token a b64token (RFC 6750 §2.1), fit for a header, and no longer than SIM_TOKEN_MAX_BYTES? */
gboolean sim_token_is_valid (const char *token);

/* A fresh secret that is one, 256 bits. Caller frees. */
char *sim_token_generate (void);

/* Accepts @token from now on. */
void sim_tokens_accept (SimTokens *tokens, const char *token, gint64 now_usec);

/* Issues a JWT, accepted from now on. Caller frees. */
char *sim_tokens_issue (SimTokens *tokens, gint64 now_usec);

/* May the bearer of @token come in? *ret_expires_usec: when that ends, 0 for never; set only if accepted. */
SimTokenState sim_tokens_check (SimTokens *tokens, const char *token, gint64 now_usec, gint64 *ret_expires_usec);

/* Every access token known now is from now on in @state (EXPIRED or REVOKED). Returns how many were accepted
 * before. */
guint sim_tokens_end_all (SimTokens *tokens, SimTokenState state);

/* The refresh token that is good for the next renewal; NULL (the default) for none. */
void sim_tokens_set_refresh_token (SimTokens *tokens, const char *refresh_token);
const char *sim_tokens_get_refresh_token (SimTokens *tokens);

/* RFC 6749 §6 with rotation: if @refresh_token is the good one, voids it and issues an access token and another
 * refresh token. Returns FALSE if it is not. Caller frees both. */
gboolean sim_tokens_refresh (SimTokens *tokens, const char *refresh_token, gint64 now_usec,
                             char **ret_access_token, char **ret_refresh_token);

guint64 sim_tokens_get_life (SimTokens *tokens);

/* Does @text, or if it is JSON any string in it, contain a token of ours, good or not? */
gboolean sim_tokens_are_in (SimTokens *tokens, const char *text);
