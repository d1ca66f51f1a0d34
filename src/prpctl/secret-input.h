/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Secrets that a person types or pastes at a terminal, where nothing of them is shown; or that a program writes to us, a
 * line each.
 */

#define PRPCTL_SECRETS_MAX 2

/* Reads @n secrets from @fd: at a terminal each behind its prompt (on stderr), else lines, of which there must be
 * that many. They are tokens as credential.h allows them. Whatever ends this program meanwhile, the terminal shows again
 * what is typed. On success all of ret_secrets is set, each to be freed by relay_secret_free; else nothing. Error:
 * PRPCTL_ERROR, without the secret. */
gboolean prpctl_secret_input_read (int fd, const char *const *prompts, guint n, char **ret_secrets, GError **error);
