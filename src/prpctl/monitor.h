/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/verbs.h"

/*
 * Follows the relay's events until it is told to stop: a line each on stdout; what there is to say about the relay
 * itself goes to stderr.
 */
gboolean prpctl_monitor (PrpctlRun *run, GError **error);
