/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "simulator/message.h"
#include "simulator/request.h"
#include "simulator/tokens.h"
#include "simulator/world.h"

/*
 * One client: a WebSocket behind its handshake. Speaks the protocol page with it, and misbehaves on demand.
 */
#define SIM_SESSION_MAX_MESSAGE_BYTES (256 * 1024)      /* of a client's message */
#define SIM_SESSION_MAX_QUEUED_BYTES (16 * 1024 * 1024) /* not yet read by a client; more, and it is cut off */
#define SIM_SESSION_ROOMY_BYTES (256 * 1024)            /* below it, sending more at once is reasonable */
#define SIM_SESSION_CLOSE_TIMEOUT_USEC (3 * G_USEC_PER_SEC) /* for the client's answer to a close frame */

typedef struct SimSession SimSession;

/* What may change while sessions run; read afresh at each use. */
typedef struct {
  guint64 heartbeat_usec;    /* 0 for none */
  guint max_channels;        /* subscriptions of one session */
  guint max_actions_per_sec; /* 0 for no limit */
  guint64 expiry_grace_usec; /* from token_expired to the close */
} SimSessionLimits;

/* `closed` comes from the loop, with no function of the session on the stack: there, and only there or when none
 * of its sources can be running, a session may be freed. The others must not end one; `roomy` must not send. */
typedef struct {
  void (*received) (SimSession *session, const SimRequest *request, gpointer user_data);
  void (*roomy) (SimSession *session, gpointer user_data); /* what was queued fell below SIM_SESSION_ROOMY_BYTES */
  void (*closed) (SimSession *session, gpointer user_data);
} SimSessionEvents;

/* Takes over the connection and sends connection.established. @socket: the one below @stream. @limits, @ids and
 * @events must outlive the session. @token_expires_usec: CLOCK_REALTIME, 0 for never. */
SimSession *sim_session_new (GIOStream *stream, GSocket *socket, gint64 token_expires_usec,
                             const SimSessionLimits *limits, SimIds *ids, const SimSessionEvents *events,
                             gpointer user_data);

/* Cuts the connection if it is still there. `closed` is not called. */
void sim_session_free (SimSession *session);

const char *sim_session_get_id (SimSession *session);
guint64 sim_session_get_events_sent (SimSession *session);

/* Not closing, not half-open, not silent: what is sent to it goes out. */
gboolean sim_session_is_talking (SimSession *session);

/* Is it half-open, by sim_session_freeze? */
gboolean sim_session_is_frozen (SimSession *session);

/* Is its queue above SIM_SESSION_ROOMY_BYTES, so that a burst had better wait? */
gboolean sim_session_is_congested (SimSession *session);

/* Has it subscribed to a channel of @event? */
gboolean sim_session_wants (SimSession *session, const SimEvent *event);

/* All of these return FALSE, and do nothing, if the session is not talking. */
gboolean sim_session_send_event (SimSession *session, const char *text); /* kept for sim_session_repeat_event */
gboolean sim_session_send_text (SimSession *session, const char *text);
gboolean sim_session_send_frames (SimSession *session, const GByteArray *frames); /* as they are, unchecked */
gboolean sim_session_repeat_event (SimSession *session, guint count);    /* also FALSE if there was none yet */

/* Sends a close frame, waits for the client's, ends. Cuts a half-open connection. */
void sim_session_close (SimSession *session, guint code, const char *reason);

/* Cuts the connection without a close frame: with a FIN, or @reset, with a RST. What is queued is sent before if
 * @flush, as far as the client takes it at once. */
void sim_session_drop (SimSession *session, gboolean reset, gboolean flush);

/* From now on neither reads nor writes, as if the machine at the other end were gone. */
void sim_session_freeze (SimSession *session);

/* Reads, but says nothing for @duration_usec (0: for good). Only a close frame is still answered. */
void sim_session_silence (SimSession *session, guint64 duration_usec);

/* The token is no good any more. EXPIRED: the client is told, and closed after the grace. REVOKED: it finds out
 * from the answer to its next action. */
void sim_session_end_token (SimSession *session, SimTokenState state);

/* To be called after a change of limits->heartbeat_usec. */
void sim_session_restart_heartbeat (SimSession *session);

/* Id, state, subscriptions and counters. */
JsonNode *sim_session_describe (SimSession *session);
