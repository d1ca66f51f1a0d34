/* SPDX-License-Identifier: MIT */
#pragma once

#include "link/link.h"
#include "wire/event.h"
#include "wire/status.h"
#include "wire/subscriptions.h"

/*
 * What is said over one link: the server's messages are read and told apart, the channels are asked for and their answers
 * taken in, actions are paced. One conversation per link; a connector may have two of them at a time.
 */
typedef struct RelayConversation RelayConversation;

/* Proceed without connection.established, should the server not send it. */
#define RELAY_CONVERSATION_ESTABLISHED_USEC (2 * G_USEC_PER_SEC)
/* Malformed messages are logged at most this often. */
#define RELAY_CONVERSATION_MALFORMED_LOG_USEC (60 * G_USEC_PER_SEC)
/* Most callers that wait for one pong. */
#define RELAY_CONVERSATION_MAX_PINGS 1000
/* What a server may say of itself: bytes of one string, and features. */
#define RELAY_CONVERSATION_MAX_SERVER_BYTES 256
#define RELAY_CONVERSATION_MAX_FEATURES 64

/* Each but `heard` may end the conversation's life (relay_conversation_free). */
typedef struct {
  /* The server is ready: connection.established came (or nothing of the kind in time). */
  void (*established) (RelayConversation *conversation, gpointer user_data);
  /* An event to be relayed, duplicates included; valid during the call. */
  void (*event) (RelayConversation *conversation, RelayEvent *event, gpointer user_data);
  /* The server says that the token is no longer good: token_expired, or an error AUTH_FAILED or TOKEN_EXPIRED. */
  void (*token_refused) (RelayConversation *conversation, const RelayTrouble *trouble, gboolean expired, gpointer user_data);
  /* Bytes came, of whatever frame. The conversation is not to be freed. */
  void (*heard) (RelayConversation *conversation, gpointer user_data);
  /* The end, exactly once. @trouble as in RelayLinkEvents. */
  void (*closed) (RelayConversation *conversation, const RelayTrouble *trouble, gpointer user_data);
} RelayConversationEvents;

/* @error: RELAY_ERROR_NOT_CONNECTED, RELAY_ERROR_TIMEOUT, RELAY_ERROR_LIMITS_EXCEEDED (over
 * RELAY_CONVERSATION_MAX_PINGS callers wait already), or the server's error for the ping; NULL on success. */
typedef void (*RelayPingCallback) (guint64 rtt_usec, const GError *error, gpointer user_data);

/* Starts at once. @subscriptions and @status are borrowed; @actions_per_sec: for the pace. */
RelayConversation *relay_conversation_new (const RelayLinkOptions *options, double actions_per_sec, RelayToken *token,
                                           RelaySubscriptions *subscriptions, RelayStatus *status,
                                           const RelayConversationEvents *events, gpointer user_data);
/* Ends it at once; waiting pings fail with NOT_CONNECTED. */
void relay_conversation_free (RelayConversation *conversation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayConversation, relay_conversation_free)

/* Closes it properly; `closed` follows. */
void relay_conversation_close (RelayConversation *conversation, guint code, const char *reason);
gboolean relay_conversation_is_established (RelayConversation *conversation);
/* Is this the conversation in which the channels are asked for and answered? At first it is not. @subscriptions are to be
 * told of the connection's beginning and end by the owner: there may be two conversations, and only one asks. */
void relay_conversation_set_asking (RelayConversation *conversation, gboolean asking);
/* Shows what the server said of itself in the status, now and whenever it says it anew. */
void relay_conversation_publish (RelayConversation *conversation);
/* The channels may need something: sends what there is, soon. */
void relay_conversation_wake (RelayConversation *conversation);
/* A round trip of the protocol's ping, shared by all who ask while one is under way. Answers within pong_timeout_usec. */
void relay_conversation_ping (RelayConversation *conversation, RelayPingCallback callback, gpointer user_data);
/* Who waits for a pong of @from, which is about to be closed, waits for one of @conversation instead. */
void relay_conversation_adopt_pings (RelayConversation *conversation, RelayConversation *from);
/* As relay_link_probe, relay_link_get_proof and relay_link_get_proof_boottime. */
void relay_conversation_probe (RelayConversation *conversation, guint64 timeout_usec);
gint64 relay_conversation_get_proof (RelayConversation *conversation);
gint64 relay_conversation_get_proof_boottime (RelayConversation *conversation);
void relay_conversation_set_paused (RelayConversation *conversation, gboolean paused);
