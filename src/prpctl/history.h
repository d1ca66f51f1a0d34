/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/verbs.h"

/*
 * Lists what the relay has in its history, the oldest first: a line each on stdout.
 */
gboolean prpctl_history (PrpctlRun *run, GError **error);
