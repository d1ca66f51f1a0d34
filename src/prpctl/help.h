/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/option-table.h"

/*
 * What --help shows: of a verb, and of all of them.
 */
typedef struct {
  const char *name;
  const char *arguments; /* to be translated; NULL: it takes none */
  const char *summary;   /* likewise; NULL: not for people, never shown */
  PrpctlOptionFlags options; /* of those that not every verb takes */
  PrpctlWordKind argument_kind;
} PrpctlVerbWords;

#define PRPCTL_HELP_COLUMNS 100

/* "Usage: prpctl monitor …", what it does, its options. */
void prpctl_help_append_verb (GString *out, const PrpctlVerbWords *verb);

/* One line for the verb, as it stands in the list of all. */
void prpctl_help_append_summary (GString *out, const PrpctlVerbWords *verb);

/* The options with these flags, a line each, or more where one is too long. */
void prpctl_help_append_options (GString *out, PrpctlOptionFlags options);
