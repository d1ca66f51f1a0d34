/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/error.h"

/*
 * A client's message ("Client to Server Messages" of the protocol page), checked as far as that can be done
 * without knowing the connection. Pure.
 */
typedef enum {
  SIM_ACTION_NONE, /* none of those below */
  SIM_ACTION_SUBSCRIBE,
  SIM_ACTION_UNSUBSCRIBE,
  SIM_ACTION_PING,
  SIM_N_ACTIONS,
} SimAction;

typedef struct {
  SimAction action;
  char *id;            /* as sent; NULL if there was none */
  char *name;          /* of the action as sent, known or not; NULL if there was none */
  char **channels;     /* for subscribe and unsubscribe */
  char *text;          /* the whole message as sent, ends at a NUL in it; NULL if it was no text */
  gboolean is_json;
  gboolean is_refused; /* it cannot be done, whoever asks; always so with SIM_ACTION_NONE */
  RelayError error;    /* if it is */
  char *error_message; /* likewise; quotes what was wrong */
} SimRequest;

/* @text need not end in NUL. Never NULL: what cannot be understood is a refused request. */
SimRequest *sim_request_parse (const char *text, gsize length);

/* For what was no text message at all. */
SimRequest *sim_request_new_refused (RelayError error, const char *message);

void sim_request_free (SimRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimRequest, sim_request_free)

/* The name of an action as the protocol page has it; "invalid" for none. */
const char *sim_action_to_string (SimAction action);

/* Would the simulator let a client subscribe to @channel? Kinds are those of the protocol page; an id that begins
 * with "invalid" plays one that does not exist. */
gboolean sim_channel_exists (const char *channel);
