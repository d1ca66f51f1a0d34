/* SPDX-License-Identifier: MIT */
#pragma once

#include "auth/secret-service.h"

/*
 * Where `prpctl login` puts the tokens and `prpctl logout` takes them from: the desktop's keyring, or files beside
 * relay.conf. Waits for the keyring, which may ask the user to unlock it.
 */

/* A person may have to find a password. */
#define PRPCTL_KEYRING_TIMEOUT_USEC (120 * G_USEC_PER_SEC)
/* When it takes longer than this, it is said what is waited for. */
#define PRPCTL_KEYRING_PATIENCE_USEC (2 * G_USEC_PER_SEC)

/* The file for a token of this kind. Caller frees. */
char *prpctl_login_get_path (RelaySecretKind kind);

/* *ret_reason: why it is not done, a sentence; NULL if it is. */
RelaySecretResult prpctl_login_store_in_keyring (RelaySecretKind kind, const char *url, const char *secret,
                                                 char **ret_reason);
RelaySecretResult prpctl_login_remove_from_keyring (RelaySecretKind kind, const char *url, char **ret_reason);

/* Error: PRPCTL_ERROR. */
gboolean prpctl_login_store_in_file (RelaySecretKind kind, const char *secret, GError **error);
/* *ret_removed: was there one? */
gboolean prpctl_login_remove_file (RelaySecretKind kind, gboolean *ret_removed, GError **error);
