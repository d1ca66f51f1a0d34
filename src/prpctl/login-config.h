/* SPDX-License-Identifier: MIT */
#pragma once

#include "auth/secret-service.h"

/*
 * What `prpctl login` has to know of relay.conf and systemd: for which server the token is, and which other sources of
 * tokens the relay would take first. It is for words only, so a file that cannot be read is one that says nothing: the relay
 * itself tells what is wrong with it.
 */
typedef struct {
  char *url; /* Url=, or what it is if it is left out */
  gboolean has_token_command, has_refresh_url;
  char *token_file, *refresh_token_file; /* absolute; NULL: not configured, or just the file of `prpctl login` */
} PrpctlLoginConfig;

/* Reads the file at @path; NULL: where the relay reads it by default. */
PrpctlLoginConfig *prpctl_login_config_new (const char *path);
void prpctl_login_config_free (PrpctlLoginConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlLoginConfig, prpctl_login_config_free)

/* Which source the relay asks before the keyring or, with @in_file, before the file of `prpctl login`, in words; NULL if none.
 * Caller frees. */
char *prpctl_login_config_find_first (const PrpctlLoginConfig *config, RelaySecretKind kind, gboolean in_file);
