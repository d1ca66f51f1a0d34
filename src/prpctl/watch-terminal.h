/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The terminal, taken over for a picture that fills it: the alternate screen, keys as they are typed and not echoed. Given
 * back as it was in the end, also where the program dies of a fault of its own.
 *
 * One per process.
 */
typedef struct PrpctlTerminal PrpctlTerminal;

/* The terminal that is standard output. Error: PRPCTL_ERROR, where it is none or one that cannot do what is needed; the
 * message says what to use instead. */
PrpctlTerminal *prpctl_terminal_new (GError **error);

/* Gives it back. */
void prpctl_terminal_free (PrpctlTerminal *terminal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlTerminal, prpctl_terminal_free)

/* Takes it over, at the start and again behind leave(), or whatever others may have done to it. Appends to @out what is to
 * be written before anything else is; the screen is empty then. */
gboolean prpctl_terminal_enter (PrpctlTerminal *terminal, GString *out, GError **error);

/* Gives it back as it was. */
void prpctl_terminal_leave (PrpctlTerminal *terminal);

/* To be polled for keys (POLLIN) and room (POLLOUT); reading and writing do not block. */
int prpctl_terminal_get_fd (const PrpctlTerminal *terminal);

/* At least 1 × 1. */
void prpctl_terminal_get_size (const PrpctlTerminal *terminal, guint *ret_columns, guint *ret_lines);
