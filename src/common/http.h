/* SPDX-License-Identifier: MIT */
#pragma once

#include <libsoup/soup.h>

#include "common/trouble.h"

/*
 * HTTP as this project allows it: certificates always verified, TLS 1.2 at least and known before the first
 * byte of the request leaves, no redirect followed, no cookie, no cache, no compression of WebSocket messages.
 * Both users of HTTP (the WebSocket's handshake and the token endpoint) go through here.
 */

/* Is @host ("localhost", a name below it, 127.0.0.0/8, ::1) this machine? Bare, without brackets or port. */
gboolean relay_http_host_is_loopback (const char *host);

/* Checks that @url is absolute with a host, and that its scheme is @secure_scheme ("wss"), or @plain_scheme ("ws")
 * on a loopback host only: a token never travels in clear. No user or password in it, and no fragment.
 * Error: RELAY_ERROR_CONFIGURATION with words that fit behind "Url: ". */
gboolean relay_http_check_url (const char *url, const char *secure_scheme, const char *plain_scheme,
                               GError **error);

/* A session for requests to @url's host. @ca_file: PEM file of the only CAs to trust, or NULL for the system's.
 * @timeout_sec: for each single I/O operation, 0 for none. Error: RELAY_ERROR_CONFIGURATION if @ca_file cannot be
 * read. */
SoupSession *relay_http_session_new (const char *url, const char *ca_file, guint timeout_sec, GError **error);

/* A message for @url that refuses redirects and whose TLS is checked at the end of the TLS handshake: a peer
 * below TLS 1.2 gets nothing; @cancellable is cancelled then. @method: "GET", "POST". */
SoupMessage *relay_http_message_new (const char *method, const char *url, GCancellable *cancellable);

/* Why @message came to nothing. @error: of the send, or NULL where the status alone tells. Reads the TLS version,
 * the certificate's errors, the status, Retry-After and Location from the message. */
RelayTrouble *relay_http_explain (SoupMessage *message, const GError *error);
