/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * TokenCommand: a program that prints the token. It is started without a shell, with no standard input and no
 * terminal, in a session of its own, so that it can be ended together with all that it has started.
 */
typedef struct RelayCommand RelayCommand;

/* @secret: what it printed, a valid token; NULL with @error set (a sentence; RELAY_ERROR_AUTH_FAILED, or RELAY_ERROR_IO as in
 * credential.h) where there is none. Both borrowed for the call. */
typedef void (*RelayCommandDone) (const char *secret, const GError *error, gpointer user_data);

/* Starts @argv, and calls @done once, from the main loop, never from within this call. What still runs after
 * @timeout_usec is killed. */
RelayCommand *relay_command_start (const char *const *argv, guint64 timeout_usec, RelayCommandDone done,
                                   gpointer user_data);
/* Kills what still runs; @done is not called any more. Allowed within @done, and needed after it. */
void relay_command_free (RelayCommand *command);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayCommand, relay_command_free)
