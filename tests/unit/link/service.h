/* SPDX-License-Identifier: MIT */
#pragma once

#include "tests/unit/link/ws-server.h"

/*
 * For tests: what the PRP service says, over a WsServer. It greets with connection.established, confirms channels, and
 * answers pings; a channel whose name holds "bad" is refused, with all that were named beside it.
 */
#define SERVICE_ESTABLISHED                                                                                         \
  "{\"id\":\"msg_1\",\"type\":\"connection.established\",\"timestamp\":\"2024-01-15T10:00:00Z\",\"data\":{"         \
  "\"connectionId\":\"conn_abc123\",\"serverVersion\":\"1.0.0\",\"features\":[\"subscribe\",\"heartbeat\"]}}"
#define SERVICE_TOKEN_EXPIRED "{\"id\":\"msg_2\",\"type\":\"token_expired\",\"timestamp\":\"2024-01-15T10:00:00Z\",\"data\":{}}"
#define SERVICE_HEARTBEAT                                                                                           \
  "{\"id\":\"msg_3\",\"type\":\"heartbeat\",\"timestamp\":\"2024-01-15T10:01:00Z\",\"data\":{\"serverTime\":\"x\"}}"
#define SERVICE_DELETED                                                                                             \
  "{\"id\":\"msg_4\",\"type\":\"prp.deleted\",\"timestamp\":\"2024-01-15T16:00:00Z\",\"data\":{"                    \
  "\"id\":\"prp_789012\",\"projectId\":\"proj_123456\",\"deletedBy\":\"usr_123456\",\"reason\":\"Duplicate entry\"}}"

/* Greets right behind the 101 answer from now on, or not. */
void service_set_greeting (WsServer *server, gboolean greeting);
/* A WsServerText: set it as the server's `text`. */
void service_answer (WsPeer *peer, const char *text, gpointer user_data);
/* An `error` message. Caller frees. */
char *service_error (const char *code, const char *request_id, const char *action);

/* The `action` of a client's message, and how many channels it names. Caller frees. */
char *service_get_action (const char *text, guint *ret_n_channels);
/* How many messages with @action the peer received. */
guint service_count (WsPeer *peer, const char *action);
