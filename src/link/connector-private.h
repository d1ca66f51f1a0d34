/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/turn.h"
#include "link/connector.h"

/*
 * What connector.c, attempts.c, renewal.c and handover.c share. For nobody else.
 */
typedef enum { STEP_OFF, STEP_WAITING, STEP_TOKEN, STEP_LINK, STEP_UP } Step;
typedef enum { REQUEST_NONE, REQUEST_GET, REQUEST_RENEW } Request;

/* A conversation that we close: it is heard to its end. */
typedef struct {
  RelayConversation *conversation;
  gint64 handed_over_usec; /* CLOCK_REALTIME when another one had taken over all channels; 0: none did */
  gint64 lost_usec;        /* its proof of life when its channels were lost with it; 0: it had none, or they were taken over */
  gint64 closed_usec, closed_boottime_usec; /* when we closed it, by two clocks */
} Retired;

struct RelayConnector {
  RelayConnectorOptions options;
  RelaySubscriptions *subscriptions;
  RelayCoverage *coverage;
  RelayStatus *status;
  const RelayConnectorEvents *events;
  gpointer user_data;
  char *peer; /* where to, as it is shown: the URL without its query, which may hold a secret */
  gboolean is_loopback;

  Step step;
  gboolean gave_up; /* OFF by max_attempts */
  gboolean must_wait; /* WAITING for as long as was asked: not to be hastened */
  gboolean server_busy; /* it was the server that asked, not the token endpoint: another token hastens nothing */
  guint n_setbacks; /* failed attempts and lost connections, in a row, since the last sleep or change of the network */
  gint64 eager_until_usec; /* CLOCK_MONOTONIC: until then attempts are not put off for long; 0: they may be */
  GSource *attempt_timer;
  gboolean has_network;

  RelayConversation *conversation;
  gboolean is_stable;
  GSource *stable_timer;
  gboolean paused;
  gint64 alive_told_usec; /* CLOCK_MONOTONIC */
  GSource *answers_turn;  /* the server has said something about channels */
  gint64 unanswered_usec; /* CLOCK_MONOTONIC since when there is one of which it has not; 0: there is none */
  GArray *retired;        /* of Retired, the oldest first */

  RelayConversation *next; /* to take over from `conversation` */
  RelayToken *next_token;
  GSource *handover_timer; /* with `next`: until when all is to be confirmed on it; else when to try again */
  guint n_handovers_failed; /* in a row */
  gint64 handover_wait_usec; /* CLOCK_MONOTONIC: the server asked for none before that, with whatever token; 0: it did not */
  RelayTrouble *verdict; /* on the newest token, while the connection at hand goes on with one that was refused; or NULL */

  RelayTokens *tokens;
  Request request;
  RelayToken *token; /* of the conversation */
  RelayToken *refused;
  gboolean refused_expired;
  gboolean renewed;
  guint n_renewals; /* in a row without a stable connection */
  gboolean recheck; /* the credentials changed while connecting */
  gint64 renewal_usec; /* CLOCK_REALTIME when to renew `token`, 0 if its end is unknown, or not to be believed */
  gboolean clock_doubted; /* a token that was renewed ahead of its end gave one that seems at its end as well */
  GSource *renewal_timer;

  char *logged_topic; /* code and state of the last trouble that was logged, NULL since connected */
  gboolean stopping;
  RelayConnectorStopped stopped;
  gpointer stopped_data;
};

/* ---- connector.c ---- */

/* Opens the conversation, with @token. */
void relay_connector_open (RelayConnector *connector, RelayToken *token);
/* The conversation is no longer one to rely on: it ended, or we end it. */
void relay_connector_leave_up (RelayConnector *connector);
/* The channels are heard no more, since the proof of life, which is returned. @cause: static or interned. */
gint64 relay_connector_lose_channels (RelayConnector *connector, const char *cause);
/* Closes all there is; it is heard to its end. */
void relay_connector_close (RelayConnector *connector, guint code, const char *reason, const char *cause);
/* A connection is up, be it the first or one that took over. */
void relay_connector_set_up (RelayConnector *connector);
/* Ends, if nothing is left that must not be broken off. */
void relay_connector_check_stopped (RelayConnector *connector);

/* ---- attempts.c ---- */

void relay_connector_log_trouble (RelayConnector *connector, const RelayTrouble *trouble, const char *next);
/* Nothing is under way or ahead any more. */
void relay_connector_turn_off (RelayConnector *connector, RelayState state);
void relay_connector_set_unauthorized (RelayConnector *connector, const RelayTrouble *trouble);
void relay_connector_begin_attempt (RelayConnector *connector);
/* An attempt came to nothing, or the connection was lost. */
void relay_connector_fail (RelayConnector *connector, const RelayTrouble *trouble);
/* After @n_failed failures in a row; the server asked for @retry_after_usec, or for nothing (0). */
guint64 relay_connector_get_delay (RelayConnector *connector, guint n_failed, guint64 retry_after_usec);
/* The callback of attempt_timer. */
void relay_connector_on_attempt (gpointer user_data);

/* ---- renewal.c ---- */

/* Asks for a token to connect with, or for another than the one that was refused. */
void relay_connector_request_token (RelayConnector *connector);
/* Is there another token than the one in use? */
void relay_connector_check_token (RelayConnector *connector);
/* The token in use, or in use for the handover, is no good. */
void relay_connector_set_refused (RelayConnector *connector, RelayToken *token, gboolean expired);
void relay_connector_forget_refusals (RelayConnector *connector);
/* A token is in use from now on: when is it to be renewed? */
void relay_connector_set_renewal (RelayConnector *connector);
/* The renewal ahead, in @min_usec at the earliest. */
void relay_connector_watch_renewal (RelayConnector *connector, guint64 min_usec);
/* The server says, on an established connection, that its @token is no longer good. */
void relay_connector_take_refusal (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble,
                                   gboolean expired);
/* The callbacks of renewal_timer and of the tokens. */
void relay_connector_on_renewal (gpointer user_data);
void relay_connector_on_tokens_changed (gpointer user_data);

/* ---- handover.c ---- */

extern const RelayConversationEvents relay_connector_conversation_events;

/* Make before break, with @token, while UP; later, if the server has asked for that. */
void relay_handover_begin (RelayConnector *connector, RelayToken *token);
/* The new connection was established. */
void relay_handover_take_established (RelayConnector *connector);
/* It has ended (@ended), or is to be. @trouble: why another attempt is to be made, if that makes sense; NULL: none is. */
void relay_handover_abandon (RelayConnector *connector, const RelayTrouble *trouble, gboolean ended);
/* Something was confirmed: is the new connection to take over now? */
void relay_handover_check (RelayConnector *connector);
/* The connection at hand has ended (@trouble). Returns whether the new one could take its place. */
gboolean relay_handover_rescue (RelayConnector *connector, const RelayTrouble *trouble);
/* Closes the conversation, and hears it to its end. Of @handed_over_usec and @lost_usec (see Retired) one is 0, or both. */
void relay_handover_retire (RelayConnector *connector, RelayConversation *conversation, guint code, const char *reason,
                            gint64 handed_over_usec, gint64 lost_usec);
/* A conversation ended: FALSE if it was none of the retired. */
gboolean relay_handover_take_end (RelayConnector *connector, RelayConversation *conversation);
/* Cuts what is still heard to its end. */
void relay_handover_cut (RelayConnector *connector);
/* @alive_usec, a proof of life of the connection at hand; or an earlier time, if what a connection that was taken over still
 * has to bring could be missed since that. */
gint64 relay_handover_get_alive (RelayConnector *connector, gint64 alive_usec);
/* The callback of handover_timer. */
void relay_handover_on_timer (gpointer user_data);
