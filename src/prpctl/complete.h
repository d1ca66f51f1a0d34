/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/verbs.h"

/*
 * `prpctl _complete -- WORD…`: what the completions of the shells (data/completions/) ask for while somebody types the
 * last of these words. A line for each that it can become: the word, a tab, what it is; or ":files" or ":programs"
 * where the shell knows more. It must never be in the way: the relay is not started, it is given a second to answer,
 * and whatever fails just leaves nothing to choose from.
 *
 * So the scripts know nothing of commands and options, and cannot fall behind.
 */
gboolean prpctl_complete (PrpctlRun *run, GError **error);
