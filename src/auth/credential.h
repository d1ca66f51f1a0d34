/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/trouble.h"

/*
 * Secrets at rest: files that hold one token each. What is not safe or not a token is refused with words that
 * say what to do; no text ever quotes what a file holds.
 */

#define RELAY_CREDENTIAL_MAX_BYTES (64 * 1024) /* of a secret, and of what it is read from */

/* Overwrites the secret, then frees it. NULL is allowed. */
void relay_secret_free (char *secret);
void relay_secret_clear (char **secret);
#define relay_autosecret __attribute__ ((cleanup (relay_secret_clear)))

/* Makes a token out of the @length bytes at @text (which must have room for a NUL behind them): ends it and takes
 * line ends at its end away, in place. Error: RELAY_ERROR_AUTH_FAILED where the rest is empty or cannot stand in a
 * header;
 * @what: what @text is, to begin the message with ("TokenFile /path"). */
gboolean relay_credential_clean (char *text, gsize length, const char *what, GError **error);

/* Who answers for the file's permissions. */
typedef enum {
  RELAY_CREDENTIAL_PRIVATE, /* the user: it must be ours or root's, and nobody else's to read or write */
  RELAY_CREDENTIAL_SYSTEMD, /* systemd, which sets them as it sees fit (systemd.exec(5)) */
} RelayCredentialGuard;

/* Reads the secret in @path. TRUE with *ret_secret NULL where there is no such file; FALSE where it is there but
 * cannot be used. @key: the name under which the user knows it ("TokenFile"). Error: RELAY_ERROR_AUTH_FAILED, a
 * sentence; RELAY_ERROR_IO where it is not the file's fault (no descriptor is to be had, say), and another try may do. */
gboolean relay_credential_read_file (const char *key, const char *path, RelayCredentialGuard guard,
                                     char **ret_secret, GError **error);

/* The same for $CREDENTIALS_DIRECTORY/@name. */
gboolean relay_credential_read_systemd (const char *name, char **ret_secret, GError **error);

/* RELAY_CAUSE_BAD_CREDENTIALS; for RELAY_ERROR_IO RELAY_CAUSE_CREDENTIALS_FOR_NOW. */
RelayCause relay_credential_get_cause (const GError *error);

/* Replaces @path by a file with @secret and a line end, mode 0600: all of it or, after any failure, the old one.
 * It is on the disk on return. Missing folders are made (0700); a symbolic link stays one. Error: G_FILE_ERROR. */
gboolean relay_credential_write_file (const char *path, const char *secret, GError **error);
