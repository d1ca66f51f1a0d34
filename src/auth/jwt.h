/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The times inside a JSON Web Token (RFC 7519 §4.1.4, §4.1.6). Nothing is verified (only the server can): they
 * tell when to renew, no more.
 */
typedef struct {
  gint64 issued_usec;  /* `iat`, CLOCK_REALTIME µs; 0 if not there */
  gint64 expires_usec; /* `exp`, likewise */
} RelayJwtTimes;

/* FALSE (and zeroed times) where @token is not a JWT with an `exp`; that is no error. Bounded: a token over
 * 64 KiB is not looked into. */
gboolean relay_jwt_read_times (const char *token, RelayJwtTimes *ret_times);
