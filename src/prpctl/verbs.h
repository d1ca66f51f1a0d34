/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/failure.h"
#include "prpctl/help.h"
#include "prpctl/relay-client.h"

/*
 * What prpctl can do: one table of verbs, and what each needs to run.
 */
typedef struct {
  const PrpctlOptions *options;
  PrpctlClient *client; /* NULL for verbs that need no bus */
  gboolean color;
  GString *out;         /* for stdout, written when the verb has run */
  PrpctlExit exit_status;
} PrpctlRun;

/* The verb of this number, from 0 on, also those that are not for people; NULL behind the last. Static. */
const PrpctlVerbWords *prpctl_verbs_get (guint i);

/* Runs the command line @argv (with the program's name in front). Returns the exit status. */
int prpctl_run (const char *const *argv);
