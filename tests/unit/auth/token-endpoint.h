/* SPDX-License-Identifier: MIT */
#pragma once

#include <libsoup/soup.h>

/*
 * For tests: a token endpoint (RFC 6749 §3.2) in this process. It gives the answers it was told to give, in their
 * order, the last one again and again, and keeps what it was asked.
 */
typedef struct {
  SoupServer *server;
  char *url;
  GPtrArray *answers;
  guint n_requests;
  char *method, *body; /* of the last request */
  SoupMessageHeaders *headers;
  gboolean held;       /* requests are kept waiting */
  SoupServerMessage *waiting;
} TokenEndpoint;

TokenEndpoint *token_endpoint_new (void);
void token_endpoint_free (TokenEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TokenEndpoint, token_endpoint_free)

/* Adds an answer. @header: "Name: value", or NULL. */
void token_endpoint_answer (TokenEndpoint *endpoint, guint status, const char *header, const char *body);
/* Forgets the answers that were not given. */
void token_endpoint_clear (TokenEndpoint *endpoint);

/* From now on requests wait; and until one does. */
void token_endpoint_hold (TokenEndpoint *endpoint);
void token_endpoint_wait (TokenEndpoint *endpoint);
/* Answers the one that waits. */
void token_endpoint_release (TokenEndpoint *endpoint);
