/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/verbs.h"

/* The verbs `login` and `logout`. Neither starts the relay. */
gboolean prpctl_login (PrpctlRun *run, GError **error);
gboolean prpctl_logout (PrpctlRun *run, GError **error);
