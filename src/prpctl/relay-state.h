/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/relay-client.h"
#include "prpctl/status.h"

/*
 * The relay, if it runs: told that its credentials are others, and watched until it is clear what it makes of them. It is
 * never started for that.
 */
typedef struct {
  PrpctlClient *client; /* NULL: no bus */
  gboolean is_running;
  PrpctlStatus *status; /* as of the last look */
} PrpctlRelayState;

/* How long to wait for an attempt to connect to succeed or fail. */
#define PRPCTL_RELAY_STATE_WAIT_USEC (10 * (guint64) G_USEC_PER_SEC)

/* @url: the server of relay.conf. A relay that is for another one is told to read the file again first. */
PrpctlRelayState *prpctl_relay_state_new (const PrpctlOptions *options, const char *url);
void prpctl_relay_state_free (PrpctlRelayState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlRelayState, prpctl_relay_state_free)

/* Has it read its credentials again, and waits for the outcome. */
void prpctl_relay_state_reload (PrpctlRelayState *state);
/* The same, and ends the connection that was made with the old ones. */
void prpctl_relay_state_sign_out (PrpctlRelayState *state);
