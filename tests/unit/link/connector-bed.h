/* SPDX-License-Identifier: MIT */
#pragma once

#include "link/connector.h"
#include "tests/unit/link/service.h"

/*
 * For tests: a service, a token endpoint, a folder with secrets, and a connector that lives on them.
 */
#define MSEC 1000
#define SEC ((guint64) G_USEC_PER_SEC)

typedef struct {
  WsServer *server;
  char *url;
  char *directory, *token_file, *refresh_file;
  RelayConnectorOptions options;
  RelaySubscriptions *subscriptions;
  RelayCoverage *coverage;
  RelayStatus *status;
  RelayConnector *connector;
  GString *gaps; /* "CAUSE channel channel, …" */
  guint64 gap_since_usec, gap_until_usec; /* of the last one */
  guint64 earliest_gap_usec; /* no gap may begin before that */
  guint n_events;
  gboolean stopped;
  GString *states; /* each state, with its error's code */
  int ping;        /* 0: no answer yet, -1: pong, else RelayError */

  WsServer *endpoint;
  guint n_refreshes;
  guint refresh_status; /* of its answers; 200 at first */
  guint64 life_sec; /* of the tokens it hands out; 0: not said */
  gboolean is_late; /* they are JWTs, whose end was an hour ago */
  char *granted;    /* the token it hands out; NULL: "renewed-N", which the service takes from then on */
} Bed;

/* A service that takes the token "good", which is in the token file; options to be changed before bed_start. */
void bed_init (Bed *bed);
/* Gives the bed a token endpoint (RFC 6749 §6). */
void bed_add_endpoint (Bed *bed);
void bed_start (Bed *bed);
/* All of that, and waits until it is connected. */
void bed_connect (Bed *bed);
void bed_clear (Bed *bed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

/* Writes the token file, as an editor or a tool does. */
void bed_set_token (Bed *bed, const char *token);
/* Which token the service takes from now on. */
void bed_set_bearer (Bed *bed, const char *token);
gboolean bed_is_active (Bed *bed, const char *channel);
/* What was told as missed since the last time. */
void bed_expect_gaps (Bed *bed, const char *expected);
/* Asks the connector for a ping: the answer goes to @bed->ping. */
void bed_ping (Bed *bed);

#define wait_for_state(bed, its_state) ws_wait_for ((bed)->status->state == (its_state))
#define wait_for_connections(bed, n) \
  ws_wait_for ((bed)->status->connections == (n) && (bed)->status->state == RELAY_STATE_CONNECTED)
