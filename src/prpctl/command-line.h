/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/option-table.h"

/*
 * The words of a command line, sorted: options with their values, the verb, its arguments. What the values mean is
 * for options.c, and which verb takes what for verbs.c.
 *
 * As getopt_long(3) reads them: options stand anywhere; a value stands behind a space or "=", or right behind a letter
 * (-n1); letters without a value can be joined (-jq); "--" ends the options.
 */
typedef struct PrpctlCommandLine PrpctlCommandLine;

/* Reads @argv (with the program's name in front). Error: PRPCTL_ERROR, PRPCTL_EXIT_USAGE. */
PrpctlCommandLine *prpctl_command_line_parse (const char *const *argv, GError **error);
void prpctl_command_line_free (PrpctlCommandLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlCommandLine, prpctl_command_line_free)

/* All options that were given. */
PrpctlOptionFlags prpctl_command_line_get_given (const PrpctlCommandLine *line);

/* What was given for the option, NULL if it was not: the last value, or all of them (NULL at the end). */
const char *prpctl_command_line_get_value (const PrpctlCommandLine *line, PrpctlOptionFlags flag);
const char *const *prpctl_command_line_get_values (const PrpctlCommandLine *line, PrpctlOptionFlags flag);

/* The words that are no options: the verb, NULL if there is none, and what follows it, never NULL. */
const char *prpctl_command_line_get_verb (const PrpctlCommandLine *line);
const char *const *prpctl_command_line_get_arguments (const PrpctlCommandLine *line);
