/* SPDX-License-Identifier: MIT */
#pragma once

#include "simulator/tokens.h"

/*
 * The token endpoint of RFC 6749, as far as renewing a token goes (§6). Pure: a request's body to a reply's.
 */

/* @content_type: of the request, without parameters; may be NULL. Returns the HTTP status; *ret_json is the
 * reply's body. */
guint sim_oauth_handle (SimTokens *tokens, const char *content_type, const char *body, gint64 realtime_usec,
                        char **ret_json);

/* An error reply of §5.2. Caller frees. */
char *sim_oauth_format_error (const char *error, const char *description);
