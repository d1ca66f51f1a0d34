/* SPDX-License-Identifier: MIT */
#include "link/link.h"

#include <libsoup/soup.h>
#include <string.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/turn.h"
#include "link/paced-stream.h"
#include "link/proof.h"
#include "wire/action.h"

/*
 * A link goes through its phases once, from top to bottom (any of them may be left out):
 *
 *   NEW        nothing happened yet
 *   HANDSHAKE  libsoup is connecting; deadline: the handshake's
 *   OPEN       messages flow; deadline: liveness
 *   CLOSING    the end is certain, not yet here; deadline: the closing handshake's
 *   CLOSED     the end was reported
 *
 * One timer serves, as only one deadline can be ahead at a time. `trouble` is the first thing that went wrong: libsoup reports
 * an error first and the end later (or, where the peer does not answer, five seconds later: our deadline is shorter), and
 * what follows an error is often only its echo. The end is reported from finish() alone, and finish() is called
 * from the loop alone.
 *
 * Between libsoup's WebSocket and its HTTP connection stands a RelayPacedStream. libsoup does the handshake and hands over
 * a connection that it reads by itself; so that one is made to let go of its stream (see take_stream) and a second one is made
 * on the wrapper. Nothing was read in between, and what the server sent right behind its 101 answer is still in
 * the stream's buffer.
 *
 * Liveness: `heard_usec` is only noted when bytes come; the timer computes what is left when it fires, so that it
 * is set twice a ping interval at most, however many frames there are.
 *
 * A probe is a shorter deadline beside that one. It begins by waiting until all that is there has been read, be it from
 * before the doubt arose; then it sends a ping, and whatever is heard behind that ends it. It never pushes the deadline of
 * liveness back.
 *
 * A link that is told to close has a deadline, too, but not while it is paused: what it has not read by the deadline is
 * lost.
 */

/* Unanswered pings whose time is remembered. There are more only if the server never answers one but keeps sending. */
#define MAX_PINGS 16
/* The payload of a control frame is 125 bytes, two of which are the code (RFC 6455 §5.5). */
#define MAX_CLOSE_REASON_BYTES 123

typedef enum { PHASE_NEW, PHASE_HANDSHAKE, PHASE_OPEN, PHASE_CLOSING, PHASE_CLOSED } Phase;

/* What outlives the link, should that be freed while libsoup is still at it. */
typedef struct {
  RelayLink *link; /* NULL when it is gone */
  SoupSession *session;
  SoupMessage *message;
  GCancellable *cancellable;
} Handshake;

typedef struct {
  gint64 sent_usec;          /* CLOCK_MONOTONIC */
  gint64 sent_boottime_usec;
} Ping;

struct RelayLink {
  RelayLinkOptions options;
  const RelayLinkEvents *events;
  gpointer user_data;

  Phase phase;
  gboolean close_asked; /* by relay_link_close: no trouble then */
  guint close_code;     /* what with, 0 if no close frame was sent for it */
  gint64 close_boottime_usec;
  gint64 close_left_usec; /* of the closing handshake's time, while paused */
  RelayTrouble *trouble;
  GSource *timer;

  Handshake *handshake; /* in PHASE_HANDSHAKE */
  GSocket *socket;      /* the bottom of it all, for cutting */
  SoupWebsocketConnection *websocket;
  RelayPacedStream *stream;
  gboolean paused;

  gint64 heard_usec; /* CLOCK_MONOTONIC; bytes came, or the silence started to count */
  gint64 asked_usec; /* when liveness sent its ping, 0 if none is in question */
  guint64 probe_timeout_usec; /* 0: no probe is under way */
  gint64 probe_usec; /* CLOCK_MONOTONIC when it sent its ping, 0 while there is something to be read before that */
  RelayProof proof;
  gboolean parted;     /* the proof is the last one: the server has said goodbye */
  gboolean must_prove; /* nothing proved that long that a ping shall */
  Ping pings[MAX_PINGS]; /* each unanswered one, oldest first */
  guint n_pings;
  guint next_ping_id;
};

/* ---- the end ---- */

static void
handshake_free (Handshake *handshake)
{
  g_clear_object (&handshake->message);
  g_clear_object (&handshake->session);
  g_clear_object (&handshake->cancellable);
  g_free (handshake);
}

/* Gives the handshake up; libsoup's last call frees it. */
static void
abandon_handshake (RelayLink *link)
{
  Handshake *handshake = g_steal_pointer (&link->handshake);

  if (handshake == NULL)
    return;
  handshake->link = NULL;
  g_cancellable_cancel (handshake->cancellable);
}

static void
take_trouble (RelayLink *link, RelayTrouble *trouble)
{
  if (link->trouble == NULL)
    link->trouble = trouble;
  else
    relay_trouble_free (trouble);
}

/* Lets go of everything, without another word to the peer. */
static void
cut (RelayLink *link)
{
  abandon_handshake (link);
  relay_proof_end (&link->proof);
  if (link->stream != NULL)
    relay_paced_stream_disarm (link->stream);
  /* libsoup closes the stream when its WebSocket goes. With TLS that says goodbye, in a thread, for as long as the peer
   * does not read: without a socket under it, it ends at once. */
  if (link->socket != NULL)
    g_socket_shutdown (link->socket, TRUE, TRUE, NULL);
  if (link->websocket != NULL)
    g_signal_handlers_disconnect_by_data (link->websocket, link);
  g_clear_object (&link->websocket);
  g_clear_object (&link->stream);
  g_clear_object (&link->socket);
}

/* Registered codes that libsoup 3.2 does not know (1012 restart, 1013 try later, 1014 bad gateway): it takes them for a
 * violation, but the code tells more. */
static gboolean
is_odd_goodbye (RelayLink *link)
{
  guint code = soup_websocket_connection_get_close_code (link->websocket);

  return code >= 1012 && code <= 1014;
}

/* Has the peer's close frame come? */
static gboolean
is_goodbye_said (RelayLink *link)
{
  return link->websocket != NULL && soup_websocket_connection_get_close_code (link->websocket) != 0;
}

static gboolean
is_encrypted (RelayLink *link)
{
  return g_strcmp0 (g_uri_peek_scheme (link->options.url), "wss") == 0;
}

/* What the peer's close frame said, if one came. */
static void
take_goodbye (RelayLink *link)
{
  guint code = soup_websocket_connection_get_close_code (link->websocket);

  /* An answer to ours repeats its code (RFC 6455 §5.5.1); any other may have crossed it. */
  if (code != 0 && code == link->close_code && link->trouble == NULL)
    relay_proof_answered (&link->proof, link->close_boottime_usec);
  if (is_odd_goodbye (link))
    g_clear_pointer (&link->trouble, relay_trouble_free);
  take_trouble (link, relay_trouble_from_close (code, soup_websocket_connection_get_close_data (link->websocket)));
}

static void
finish (RelayLink *link)
{
  g_autoptr (RelayTrouble) trouble = NULL;

  if (link->websocket != NULL)
    take_goodbye (link);
  trouble = g_steal_pointer (&link->trouble);
  cut (link);
  link->phase = PHASE_CLOSED;
  relay_turn_disarm (link->timer);
  if (link->close_asked)
    g_clear_pointer (&trouble, relay_trouble_free);
  else if (trouble == NULL)
    trouble = relay_trouble_new (RELAY_CAUSE_LOST, NULL);
  link->events->closed (link, trouble, link->user_data);
}

/* Paused while closing: there may be something to be heard yet. Not where the end is the peer's doing, or where what comes
 * is of no more use. */
static gboolean
may_rest (RelayLink *link)
{
  return link->paused && link->close_code != 0 && link->trouble == NULL &&
         soup_websocket_connection_get_close_code (link->websocket) == 0;
}

/* A pause began or ended, or something else did of what may_rest depends on. */
static void
rest_closing (RelayLink *link)
{
  gint64 deadline = g_source_get_ready_time (link->timer);

  if (may_rest (link) && deadline >= 0) {
    link->close_left_usec = MAX (deadline - g_get_monotonic_time (), 0);
    relay_turn_disarm (link->timer);
  } else if (!may_rest (link) && deadline < 0) {
    relay_turn_arm_in (link->timer, (guint64) link->close_left_usec);
  }
}

/* The end is near: @delay_usec at most. */
static void
begin_closing (RelayLink *link, guint64 delay_usec)
{
  if (link->phase < PHASE_CLOSING) {
    link->phase = PHASE_CLOSING;
    relay_turn_arm_in (link->timer, delay_usec);
  }
  if (link->phase == PHASE_CLOSING)
    rest_closing (link);
}

/* ---- liveness ---- */

/* @base + @span, or never where that is beyond all time. */
static gint64
add_usec (gint64 base, guint64 span)
{
  return span < (guint64) (G_MAXINT64 - base) ? base + (gint64) span : G_MAXINT64;
}

/* When the server is dead if it is not heard until then; never if it was not asked. */
static gint64
get_death (RelayLink *link)
{
  gint64 death = G_MAXINT64;

  if (link->asked_usec != 0)
    death = add_usec (link->asked_usec, link->options.pong_timeout_usec);
  if (link->probe_usec != 0)
    death = MIN (death, add_usec (link->probe_usec, link->probe_timeout_usec));
  return death;
}

static void
watch_liveness (RelayLink *link)
{
  gint64 deadline = get_death (link);

  if (link->paused) {
    relay_turn_disarm (link->timer);
    return;
  }
  if (link->must_prove || (link->probe_timeout_usec != 0 && link->probe_usec == 0))
    deadline = 0; /* looked at in each turn until all is read; meanwhile no turn waits for anything */
  else if (link->asked_usec == 0)
    deadline = MIN (deadline, add_usec (link->heard_usec, link->options.ping_interval_usec));
  relay_turn_arm_at (link->timer, deadline);
}

/* Whoever was asked has answered. */
static void
note_heard (RelayLink *link, gint64 now)
{
  link->heard_usec = now;
  link->asked_usec = 0;
  if (link->probe_usec != 0) {
    link->probe_usec = 0;
    link->probe_timeout_usec = 0;
  }
}

static void
ask (RelayLink *link, gint64 now)
{
  gboolean is_silent = link->asked_usec == 0 && now >= add_usec (link->heard_usec, link->options.ping_interval_usec);
  gboolean is_probe = link->probe_timeout_usec != 0 && link->probe_usec == 0;

  if (is_silent)
    link->asked_usec = now;
  if (is_probe)
    link->probe_usec = now;
  if (is_silent || is_probe || link->must_prove)
    relay_link_ping (link);
  link->must_prove = FALSE;
}

static void
check_liveness (RelayLink *link)
{
  gint64 now = g_get_monotonic_time ();

  /* The loop may be late (a busy machine, a stopped process): what is there but unread is no silence. */
  if (relay_paced_stream_has_unread (link->stream)) {
    note_heard (link, now);
  } else if (now >= get_death (link)) {
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_SILENT, NULL));
    finish (link);
    return;
  } else {
    ask (link, now);
  }
  /* Unless the ping met a dead socket. */
  if (link->phase == PHASE_OPEN)
    watch_liveness (link);
}

static void
on_timer (gpointer user_data)
{
  RelayLink *link = user_data;

  switch (link->phase) {
  case PHASE_HANDSHAKE: {
    /* An answer that was not 101 and whose body never ends has said enough. */
    guint status = soup_message_get_status (link->handshake->message);

    if (status != SOUP_STATUS_NONE)
      take_trouble (link, relay_http_explain (link->handshake->message, NULL));
    else
      take_trouble (link, relay_trouble_new (RELAY_CAUSE_HANDSHAKE_TIMEOUT, NULL));
    finish (link);
    break;
  }
  case PHASE_OPEN:
    check_liveness (link);
    break;
  case PHASE_NEW:
  case PHASE_CLOSING:
    finish (link);
    break;
  case PHASE_CLOSED:
    break;
  }
}

/* ---- the stream ---- */

static void
on_heard (RelayPacedStream *stream, gsize bytes, gpointer user_data)
{
  RelayLink *link = user_data;

  gint64 now = g_get_monotonic_time ();

  /* An answered question waits no more: with a timeout that is longer than the interval, the next one would be late. */
  if ((link->asked_usec != 0 || link->probe_usec != 0) && link->phase == PHASE_OPEN) {
    note_heard (link, now);
    watch_liveness (link);
  } else {
    link->heard_usec = now;
  }
  link->events->heard (link, bytes, link->user_data);
}

/* libsoup has digested each piece that it was handed before it asks for another, so by now nothing is on its way.
 *
 * Behind its goodbye the server says no event any more, but it may take its time until it hangs up: that proves nothing. */
static void
on_emptied (RelayPacedStream *stream, gsize bytes, gboolean ended, gpointer user_data)
{
  RelayLink *link = user_data;

  if (!link->parted) {
    link->parted = is_goodbye_said (link);
    /* Where its end is a record of TLS, that is data too, and of the two it is the end which the kernel dates. */
    if (!link->parted || !ended || !is_encrypted (link))
      relay_proof_emptied (&link->proof, bytes, ended && !link->parted);
  }
  /* A server that has much to say is never asked for being silent; but what it sends may prove nothing. */
  if (bytes > RELAY_PROOF_MAX_BATCH_BYTES && link->phase == PHASE_OPEN && link->n_pings == 0 && !link->must_prove &&
      relay_proof_get_age (&link->proof) > (gint64) MIN (link->options.ping_interval_usec, G_MAXINT64)) {
    link->must_prove = TRUE;
    watch_liveness (link);
  }
}

/* Within a read of libsoup's: it may be told to close there, and sends the frame at once. */
static void
on_exceeded (RelayPacedStream *stream, RelayPacedStreamExcess excess, gpointer user_data)
{
  RelayLink *link = user_data;
  gboolean too_big = excess == RELAY_PACED_STREAM_TOO_BIG;

  if (too_big)
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_TOO_BIG, NULL));
  else
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_PROTOCOL, "it sends pings and does not read the answers"));
  begin_closing (link, RELAY_LINK_CLOSE_TIMEOUT_USEC);
  if (soup_websocket_connection_get_state (link->websocket) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (link->websocket,
                                     too_big ? SOUP_WEBSOCKET_CLOSE_TOO_BIG : SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION,
                                     too_big ? "message too big" : "too many pings");
}

static const RelayPacedStreamEvents stream_events = {
  .heard = on_heard,
  .emptied = on_emptied,
  .exceeded = on_exceeded,
};

/* ---- libsoup's WebSocket ---- */

static void
on_message (SoupWebsocketConnection *websocket, int type, GBytes *message, gpointer user_data)
{
  RelayLink *link = user_data;
  gsize length;
  const char *text = g_bytes_get_data (message, &length);

  /* Behind a violation of the protocol nothing counts any more, though libsoup goes on. */
  if (link->trouble != NULL)
    return;
  if (type == SOUP_WEBSOCKET_DATA_TEXT)
    link->events->message (link, text, length, link->user_data);
  else
    link->events->unusable (link, "a binary message", link->user_data);
}

static void
on_error (SoupWebsocketConnection *websocket, GError *error, gpointer user_data)
{
  RelayLink *link = user_data;

  /* A goodbye of that kind is the last there is; behind any other error there is more, which is skipped. */
  if (is_odd_goodbye (link))
    relay_proof_emptied (&link->proof, 1, FALSE);
  if (error->domain != SOUP_WEBSOCKET_ERROR) {
    g_autoptr (GUri) uri = g_uri_parse (link->options.url, G_URI_FLAGS_NONE, NULL);

    take_trouble (link, relay_trouble_from_io_error (error, G_TLS_CERTIFICATE_NO_FLAGS,
                                                     uri != NULL ? g_uri_get_host (uri) : link->options.url));
  } else if (error->code == SOUP_WEBSOCKET_CLOSE_BAD_DATA) {
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_NOT_UTF8, NULL));
  } else if (error->code == SOUP_WEBSOCKET_CLOSE_TOO_BIG) {
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_TOO_BIG, NULL));
  } else {
    take_trouble (link, relay_trouble_new (RELAY_CAUSE_PROTOCOL, error->message));
  }
  begin_closing (link, RELAY_LINK_CLOSE_TIMEOUT_USEC);
  /* libsoup 3.2 would go on to buffer and to judge what comes behind the error. */
  relay_paced_stream_drain (link->stream);
}

/* The peer began the closing handshake. */
static void
on_closing (SoupWebsocketConnection *websocket, gpointer user_data)
{
  begin_closing (user_data, RELAY_LINK_CLOSE_TIMEOUT_USEC);
}

/* The stream is being closed, for whatever reason: it has ended, or it failed. */
static void
on_state_changed (SoupWebsocketConnection *websocket, GParamSpec *pspec, gpointer user_data)
{
  if (soup_websocket_connection_get_state (websocket) != SOUP_WEBSOCKET_STATE_OPEN)
    begin_closing (user_data, RELAY_LINK_CLOSE_TIMEOUT_USEC);
}

static void
on_closed (SoupWebsocketConnection *websocket, gpointer user_data)
{
  finish (user_data);
}

/* Takes the stream out of @websocket, which is consumed. libsoup 3.2 has no call for this: a WebSocket that is disposed of closes
 * its stream. But a stream that has an operation pending refuses to be closed (g_io_stream_set_pending), and libsoup takes
 * the WebSocket for closed nonetheless. */
static GIOStream *
take_stream (SoupWebsocketConnection *websocket)
{
  GIOStream *stream = g_object_ref (soup_websocket_connection_get_io_stream (websocket));
  gboolean pending = g_io_stream_set_pending (stream, NULL);

  g_object_run_dispose (G_OBJECT (websocket));
  g_object_unref (websocket);
  if (pending)
    g_io_stream_clear_pending (stream);
  return stream;
}

static void
open_websocket (RelayLink *link, SoupWebsocketConnection *websocket)
{
  g_autoptr (GUri) uri = g_uri_ref (soup_websocket_connection_get_uri (websocket));
  g_autoptr (GIOStream) base = take_stream (websocket);

  link->stream = relay_paced_stream_new (base, link->options.max_message_bytes, &stream_events, link);
  relay_paced_stream_set_paused (link->stream, link->paused);
  link->websocket = soup_websocket_connection_new (G_IO_STREAM (link->stream), uri, SOUP_WEBSOCKET_CONNECTION_CLIENT, NULL,
                                                   NULL, NULL);
  /* The stream's gauge is stricter and knows how to say goodbye; but without any cap libsoup 3.2 reckons with lengths
   * of 2⁶⁴ (and below 125 it would refuse control frames). */
  soup_websocket_connection_set_max_incoming_payload_size (link->websocket, MAX (link->options.max_message_bytes, 125));
  g_signal_connect (link->websocket, "message", G_CALLBACK (on_message), link);
  g_signal_connect (link->websocket, "error", G_CALLBACK (on_error), link);
  g_signal_connect (link->websocket, "closing", G_CALLBACK (on_closing), link);
  g_signal_connect (link->websocket, "notify::state", G_CALLBACK (on_state_changed), link);
  g_signal_connect (link->websocket, "closed", G_CALLBACK (on_closed), link);
}

/* ---- the handshake ---- */

static void
on_network_event (SoupMessage *message, GSocketClientEvent event, GIOStream *connection, gpointer user_data)
{
  Handshake *handshake = user_data;

  if (handshake->link != NULL && event == G_SOCKET_CLIENT_CONNECTED && G_IS_SOCKET_CONNECTION (connection))
    g_set_object (&handshake->link->socket, g_socket_connection_get_socket (G_SOCKET_CONNECTION (connection)));
}

static void
on_handshake_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Handshake *handshake = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SoupWebsocketConnection) websocket =
      soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);
  RelayLink *link = handshake->link;

  if (link != NULL) {
    link->handshake = NULL;
    if (websocket != NULL) {
      link->phase = PHASE_OPEN;
      open_websocket (link, g_steal_pointer (&websocket));
      relay_proof_begin (&link->proof, link->socket);
      link->heard_usec = g_get_monotonic_time ();
      watch_liveness (link);
    } else {
      link->trouble = relay_http_explain (handshake->message, error);
    }
  }
  handshake_free (handshake);

  if (link == NULL)
    return;
  if (link->phase == PHASE_OPEN)
    link->events->opened (link, link->user_data);
  else
    finish (link);
}

void
relay_link_open (RelayLink *link, RelayToken *token)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SoupSession) session = NULL;
  Handshake *handshake;

  g_return_if_fail (link->phase == PHASE_NEW);

  session = relay_http_session_new (link->options.url, link->options.ca_file, 0, &error);
  if (session == NULL) {
    take_trouble (link, relay_trouble_new_from_error (RELAY_CAUSE_CONFIGURATION, error));
    begin_closing (link, 0);
    return;
  }
  /* Nothing bounds what compressed messages unpack to: not offered. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);

  handshake = g_new0 (Handshake, 1);
  handshake->link = link;
  handshake->session = g_steal_pointer (&session);
  handshake->cancellable = g_cancellable_new ();
  handshake->message = relay_http_message_new ("GET", link->options.url, handshake->cancellable);
  relay_token_authorize (token, soup_message_get_request_headers (handshake->message));
  g_signal_connect (handshake->message, "network-event", G_CALLBACK (on_network_event), handshake);

  link->handshake = handshake;
  link->phase = PHASE_HANDSHAKE;
  relay_turn_arm_in (link->timer, link->options.handshake_timeout_usec != 0 ? link->options.handshake_timeout_usec
                                                                         : RELAY_LINK_HANDSHAKE_TIMEOUT_USEC);
  soup_session_websocket_connect_async (handshake->session, handshake->message, NULL, NULL, G_PRIORITY_DEFAULT,
                                        handshake->cancellable, on_handshake_done, handshake);
}

/* ---- the interface ---- */

RelayLink *
relay_link_new (const RelayLinkOptions *options, const RelayLinkEvents *events, gpointer user_data)
{
  RelayLink *link = g_new0 (RelayLink, 1);

  relay_link_options_copy (options, &link->options);
  link->events = events;
  link->user_data = user_data;
  link->timer = relay_turn_new ("relay-link", on_timer, link);
  return link;
}

void
relay_link_free (RelayLink *link)
{
  if (link == NULL)
    return;
  cut (link);
  relay_turn_free (link->timer);
  relay_trouble_free (link->trouble);
  relay_link_options_clear (&link->options);
  g_free (link);
}

static gboolean
is_open (RelayLink *link)
{
  return link->phase == PHASE_OPEN &&
         soup_websocket_connection_get_state (link->websocket) == SOUP_WEBSOCKET_STATE_OPEN;
}

gboolean
relay_link_send (RelayLink *link, const char *text)
{
  if (!is_open (link))
    return FALSE;
  soup_websocket_connection_send_text (link->websocket, text);
  return TRUE;
}

gboolean
relay_link_ping (RelayLink *link)
{
  g_autofree char *id = g_strdup_printf (RELAY_LINK_PING_ID_PREFIX "%u", link->next_ping_id);
  g_autofree char *text = relay_action_ping (id);

  if (!relay_link_send (link, text))
    return FALSE;
  link->next_ping_id++;
  if (link->n_pings == MAX_PINGS)
    memmove (link->pings, link->pings + 1, --link->n_pings * sizeof link->pings[0]);
  link->pings[link->n_pings++] = (Ping){ g_get_monotonic_time (), relay_clock_boottime () };
  return TRUE;
}

gint64
relay_link_take_pong (RelayLink *link)
{
  gint64 now = g_get_monotonic_time ();
  gint64 sent;

  if (link->n_pings == 0)
    return -1;
  /* Whichever of them is meant: it is no answer to an earlier one. */
  relay_proof_answered (&link->proof, link->pings[0].sent_boottime_usec);
  do {
    sent = link->pings[0].sent_usec;
    memmove (link->pings, link->pings + 1, --link->n_pings * sizeof link->pings[0]);
  } while (link->n_pings > 0 && now - sent > (gint64) link->options.pong_timeout_usec);
  return now - sent;
}

/* As much of @reason as a close frame holds, cut between characters. */
static char *
make_close_reason (const char *reason)
{
  const char *end;

  if (reason == NULL)
    return NULL;
  if (strlen (reason) <= MAX_CLOSE_REASON_BYTES)
    return g_strdup (reason);
  end = g_utf8_find_prev_char (reason, reason + MAX_CLOSE_REASON_BYTES + 1);
  return g_strndup (reason, end != NULL ? (gsize) (end - reason) : 0);
}

/* libsoup 3.2 gives the peer five seconds for its answer, and then stops reading. The deadline here is shorter, and rests
 * while nothing is read; so that one must not strike in between. It is the one timeout source that has the WebSocket for
 * its data. */
static void
stop_close_timer (SoupWebsocketConnection *websocket)
{
  GSource *source = g_main_context_find_source_by_funcs_user_data (NULL, &g_timeout_funcs, websocket);

  if (source != NULL)
    g_source_set_ready_time (source, -1);
}

void
relay_link_close (RelayLink *link, guint code, const char *reason)
{
  g_autofree char *short_reason = make_close_reason (reason);
  gboolean open = is_open (link);

  if (link->phase == PHASE_CLOSED)
    return;
  link->close_asked = TRUE;
  abandon_handshake (link);
  if (open) {
    link->close_code = code;
    link->close_boottime_usec = relay_clock_boottime ();
  }
  begin_closing (link, open ? RELAY_LINK_CLOSE_TIMEOUT_USEC : 0);
  if (open) {
    soup_websocket_connection_close (link->websocket, (gushort) code, short_reason);
    stop_close_timer (link->websocket);
  }
}

void
relay_link_probe (RelayLink *link, guint64 timeout_usec)
{
  if (link->phase != PHASE_OPEN || link->probe_timeout_usec != 0)
    return;
  link->probe_timeout_usec = MAX (timeout_usec, 1);
  watch_liveness (link);
}

gint64
relay_link_get_proof (RelayLink *link)
{
  return relay_proof_get (&link->proof);
}

gint64
relay_link_get_proof_boottime (RelayLink *link)
{
  return relay_proof_get_boottime (&link->proof);
}

void
relay_link_set_paused (RelayLink *link, gboolean paused)
{
  if (link->paused == !!paused)
    return;
  link->paused = !!paused;
  if (link->stream != NULL)
    relay_paced_stream_set_paused (link->stream, link->paused);
  if (link->phase == PHASE_OPEN) {
    /* What the server said in between is not known: the silence counts from here. */
    link->heard_usec = g_get_monotonic_time ();
    link->asked_usec = 0;
    if (link->probe_usec != 0)
      link->probe_usec = link->heard_usec;
    watch_liveness (link);
  } else if (link->phase == PHASE_CLOSING) {
    rest_closing (link);
  }
}

void
relay_link_options_clear (RelayLinkOptions *options)
{
  g_clear_pointer (&options->url, g_free);
  g_clear_pointer (&options->ca_file, g_free);
}

void
relay_link_options_copy (const RelayLinkOptions *options, RelayLinkOptions *ret_copy)
{
  *ret_copy = *options;
  ret_copy->url = g_strdup (options->url);
  ret_copy->ca_file = g_strdup (options->ca_file);
}
