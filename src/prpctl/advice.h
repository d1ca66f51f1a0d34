/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What to do next: one table over what can be wrong with the connection, and one over the relay's states.
 */

/* A sentence or two for the relay's @state and the @code of LastError ("" for none), translated; NULL where there is
 * nothing to do, or nothing is known of what a newer relay says. Static. */
const char *prpctl_advice_find (const char *state, const char *code);
