/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/verbs.h"

/* `prpctl watch`. */
gboolean prpctl_watch (PrpctlRun *run, GError **error);
