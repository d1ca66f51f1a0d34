/* SPDX-License-Identifier: MIT */
#include "simulator/session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <glib-unix.h>

#include "common/log.h"
#include "simulator/frames.h"

/*
 * A session owns the stream that was stolen from the HTTP server, and one queue of bytes to be written.
 *
 *   OPEN ──→ CLOSING ──→ DEAD        CLOSING: a close frame is sent or queued, the client's answer awaited
 *     └────→ FROZEN ───→ DEAD        FROZEN: half-open; no source but one that notices that the client is gone
 *
 * Whatever ends a session goes through finish(), which is safe from anywhere: it stops all sources, closes the
 * connection, and lets an idle source tell the owner, so that the owner frees it with none of its functions on the
 * stack.
 *
 * What is sent is put into the queue as frames; a source on the stream writes when it can be written to. So the
 * frames of one turn leave in one write, and a client that does not read is known by the length of its queue.
 */

#define READ_BYTES (64 * 1024)

typedef enum {
  STATE_OPEN,
  STATE_CLOSING,
  STATE_FROZEN,
  STATE_DEAD,
} State;

static const char *const state_names[] = { "open", "closing", "half-open", "dead" };

struct SimSession {
  State state;
  char *id;
  GIOStream *stream;
  GSocket *socket;
  const SimSessionLimits *limits;
  SimIds *ids;
  const SimSessionEvents *events;
  gpointer user_data;

  SimFrameReader *reader;
  gboolean reader_broken; /* what comes is read and thrown away */
  GByteArray *queue;
  gsize queue_written; /* bytes of it that are out */
  gboolean close_received;

  GHashTable *channels; /* set of char * */
  SimTokenState token_state;
  double allowance; /* actions that may come now */
  gint64 allowance_time;
  gint64 silent_until; /* monotonic */
  char *last_event;

  gint64 since_usec; /* CLOCK_REALTIME */
  guint64 n_received[SIM_N_ACTIONS];
  guint64 n_events_sent;

  GSource *input, *output, *hangup, *heartbeat, *expiry, *deadline, *farewell;
};

static void
clear_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
set_timer (SimSession *session, GSource **timer, guint64 delay_usec, GSourceFunc func)
{
  clear_source (timer);
  *timer = g_timeout_source_new ((guint) MIN ((delay_usec + 999) / 1000, (guint64) G_MAXINT));
  g_source_set_callback (*timer, func, session, NULL);
  g_source_attach (*timer, NULL);
}

static void
clear_sources (SimSession *session)
{
  clear_source (&session->input);
  clear_source (&session->output);
  clear_source (&session->hangup);
  clear_source (&session->heartbeat);
  clear_source (&session->expiry);
  clear_source (&session->deadline);
}

/* Ends the connection below the WebSocket; not through the stream, which over TLS would have something to say. */
static void
close_socket (SimSession *session)
{
  if (!g_socket_is_closed (session->socket))
    g_socket_close (session->socket, NULL);
}

static gboolean
on_farewell (gpointer user_data)
{
  SimSession *session = user_data;

  clear_source (&session->farewell);
  session->events->closed (session, session->user_data);
  return G_SOURCE_REMOVE;
}

static void
finish (SimSession *session, const char *why)
{
  if (session->state == STATE_DEAD)
    return;
  relay_debug ("%s: gone: %s", session->id, why);
  session->state = STATE_DEAD;
  clear_sources (session);
  close_socket (session);

  session->farewell = g_idle_source_new ();
  g_source_set_priority (session->farewell, G_PRIORITY_DEFAULT);
  g_source_set_callback (session->farewell, on_farewell, session, NULL);
  g_source_attach (session->farewell, NULL);
}

static gsize
get_queued_bytes (const SimSession *session)
{
  return session->queue->len - session->queue_written;
}

/* Both sides have said goodbye, or the client cannot be understood any more: nothing is left but to hang up. */
static void
check_closed (SimSession *session)
{
  if (session->state != STATE_CLOSING || get_queued_bytes (session) > 0)
    return;
  if (session->close_received) {
    /* The one end where the stream may say goodbye as well, which over TLS is a close_notify: the client has taken
     * all that there was, so this does not wait; and if it does, then not for long. */
    g_socket_set_timeout (session->socket, 1);
    g_io_stream_close (session->stream, NULL, NULL);
    finish (session, "closed");
  } else if (session->reader_broken) {
    g_socket_shutdown (session->socket, FALSE, TRUE, NULL);
  }
}

/* Writes what the stream takes. FALSE: the session is dead. */
static gboolean
write_queue (SimSession *session)
{
  GPollableOutputStream *output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (session->stream));
  gboolean congested = sim_session_is_congested (session);

  while (get_queued_bytes (session) > 0) {
    g_autoptr (GError) error = NULL;
    gssize n = g_pollable_output_stream_write_nonblocking (output, session->queue->data + session->queue_written,
                                                           get_queued_bytes (session), NULL, &error);

    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
      break;
    if (n < 0) {
      finish (session, error->message);
      return FALSE;
    }
    session->queue_written += (gsize) n;
  }

  if (session->queue_written == session->queue->len) {
    /* A buffer that was once large is given back. */
    if (session->queue->len > SIM_SESSION_ROOMY_BYTES) {
      g_byte_array_unref (session->queue);
      session->queue = g_byte_array_new ();
    }
    g_byte_array_set_size (session->queue, 0);
    session->queue_written = 0;
  } else if (session->queue_written > session->queue->len / 2) {
    g_byte_array_remove_range (session->queue, 0, (guint) session->queue_written);
    session->queue_written = 0;
  }
  if (congested && !sim_session_is_congested (session))
    session->events->roomy (session, session->user_data);
  return TRUE;
}

static gboolean
on_writable (GObject *stream, gpointer user_data)
{
  SimSession *session = user_data;

  if (!write_queue (session))
    return G_SOURCE_REMOVE;
  if (get_queued_bytes (session) > 0)
    return G_SOURCE_CONTINUE;
  clear_source (&session->output);
  check_closed (session);
  return G_SOURCE_REMOVE;
}

/* To be called when something was put into the queue. */
static void
schedule_write (SimSession *session)
{
  GPollableOutputStream *output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (session->stream));

  if (get_queued_bytes (session) > SIM_SESSION_MAX_QUEUED_BYTES) {
    relay_warning ("%s: does not read what is sent to it; cut off", session->id);
    finish (session, "does not read");
    return;
  }
  if (session->output != NULL)
    return;
  session->output = g_pollable_output_stream_create_source (output, NULL);
  g_source_set_callback (session->output, G_SOURCE_FUNC (on_writable), session, NULL);
  g_source_attach (session->output, NULL);
}

static gboolean
is_silent (const SimSession *session)
{
  return session->silent_until > 0 && g_get_monotonic_time () < session->silent_until;
}

gboolean
sim_session_is_talking (SimSession *session)
{
  return session->state == STATE_OPEN && !is_silent (session);
}

gboolean
sim_session_is_frozen (SimSession *session)
{
  return session->state == STATE_FROZEN;
}

gboolean
sim_session_is_congested (SimSession *session)
{
  return get_queued_bytes (session) >= SIM_SESSION_ROOMY_BYTES;
}

gboolean
sim_session_send_text (SimSession *session, const char *text)
{
  if (!sim_session_is_talking (session))
    return FALSE;
  sim_frame_append (session->queue, TRUE, SIM_OPCODE_TEXT, text, strlen (text));
  schedule_write (session);
  return TRUE;
}

gboolean
sim_session_send_frames (SimSession *session, const GByteArray *frames)
{
  if (!sim_session_is_talking (session))
    return FALSE;
  g_byte_array_append (session->queue, frames->data, frames->len);
  schedule_write (session);
  return TRUE;
}

gboolean
sim_session_send_event (SimSession *session, const char *text)
{
  if (!sim_session_send_text (session, text))
    return FALSE;
  session->n_events_sent++;
  g_free (session->last_event);
  session->last_event = g_strdup (text);
  return TRUE;
}

gboolean
sim_session_repeat_event (SimSession *session, guint count)
{
  if (session->last_event == NULL || !sim_session_is_talking (session))
    return FALSE;
  for (guint i = 0; i < count; i++)
    if (sim_session_send_text (session, session->last_event))
      session->n_events_sent++;
  return TRUE;
}

/* A message of the session's own; @data is not consumed. */
static void
send_message (SimSession *session, const char *type, JsonNode *data)
{
  g_autofree char *id = sim_ids_next (session->ids, "msg");
  g_autofree char *text = sim_message_format (id, type, g_get_real_time (), data);

  sim_session_send_text (session, text);
}

/* The same with a string or an array of strings as the only member of data. */
static void
send_message_with (SimSession *session, const char *type, const char *member, const char *string, char **strings)
{
  g_autoptr (JsonBuilder) builder = json_builder_begin_object (json_builder_new ());
  g_autoptr (JsonNode) data = NULL;

  json_builder_set_member_name (builder, member);
  if (strings != NULL) {
    json_builder_begin_array (builder);
    for (char **s = strings; *s != NULL; s++)
      json_builder_add_string_value (builder, *s);
    json_builder_end_array (builder);
  } else {
    json_builder_add_string_value (builder, string);
  }
  json_builder_end_object (builder);
  data = json_builder_get_root (builder);
  send_message (session, type, data);
}

static void
send_error (SimSession *session, const SimRequest *request, RelayError error, const char *message)
{
  g_autofree char *id = sim_ids_next (session->ids, "msg");
  g_autofree char *text = sim_message_format_error (id, g_get_real_time (), relay_error_get_server_code (error),
                                                    message, request->id, request->name);

  sim_session_send_text (session, text);
}

static void
send_established (SimSession *session)
{
  static const char *const features[] = { "subscribe", "unsubscribe", "heartbeat" };
  g_autoptr (JsonBuilder) builder = json_builder_begin_object (json_builder_new ());
  g_autoptr (JsonNode) data = NULL;

  json_builder_add_string_value (json_builder_set_member_name (builder, "connectionId"), session->id);
  json_builder_add_string_value (json_builder_set_member_name (builder, "serverVersion"), "1.0.0+simulator");
  json_builder_begin_array (json_builder_set_member_name (builder, "features"));
  for (gsize i = 0; i < G_N_ELEMENTS (features); i++)
    json_builder_add_string_value (builder, features[i]);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  data = json_builder_get_root (builder);
  send_message (session, "connection.established", data);
}

static gboolean
on_heartbeat (gpointer user_data)
{
  SimSession *session = user_data;
  g_autofree char *now = sim_time_format (g_get_real_time ());

  send_message_with (session, "heartbeat", "serverTime", now, NULL);
  return session->state == STATE_OPEN ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
sim_session_restart_heartbeat (SimSession *session)
{
  clear_source (&session->heartbeat);
  if (session->state == STATE_OPEN && session->limits->heartbeat_usec > 0)
    set_timer (session, &session->heartbeat, session->limits->heartbeat_usec, on_heartbeat);
}

static gboolean
on_close_timeout (gpointer user_data)
{
  finish (user_data, "the client does not answer the close frame");
  return G_SOURCE_REMOVE;
}

void
sim_session_close (SimSession *session, guint code, const char *reason)
{
  if (session->state == STATE_FROZEN)
    finish (session, "closed while half-open");
  if (session->state != STATE_OPEN)
    return;

  session->state = STATE_CLOSING;
  clear_source (&session->heartbeat);
  clear_source (&session->expiry);
  sim_frame_append_close (session->queue, code, reason);
  schedule_write (session);
  if (session->state == STATE_CLOSING)
    set_timer (session, &session->deadline, SIM_SESSION_CLOSE_TIMEOUT_USEC, on_close_timeout);
}

static gboolean
on_grace_over (gpointer user_data)
{
  SimSession *session = user_data;

  clear_source (&session->deadline);
  sim_session_close (session, SIM_CLOSE_POLICY, "token expired");
  return G_SOURCE_REMOVE;
}

void
sim_session_end_token (SimSession *session, SimTokenState state)
{
  g_autofree char *now = sim_time_format (g_get_real_time ());

  if (session->state != STATE_OPEN || session->token_state == SIM_TOKEN_EXPIRED)
    return;
  session->token_state = state;
  clear_source (&session->expiry);
  if (state != SIM_TOKEN_EXPIRED)
    return;
  send_message_with (session, "token_expired", "expiredAt", now, NULL);
  if (session->state == STATE_OPEN)
    set_timer (session, &session->deadline, session->limits->expiry_grace_usec, on_grace_over);
}

static gboolean
on_token_expired (gpointer user_data)
{
  SimSession *session = user_data;

  sim_session_end_token (session, SIM_TOKEN_EXPIRED);
  return G_SOURCE_REMOVE;
}

/* A bucket that holds a second's worth of actions. */
static gboolean
take_allowance (SimSession *session)
{
  double capacity = session->limits->max_actions_per_sec;
  gint64 now = g_get_monotonic_time ();

  if (session->limits->max_actions_per_sec == 0)
    return TRUE;
  session->allowance += (double) (now - session->allowance_time) / G_USEC_PER_SEC * capacity;
  session->allowance = MIN (session->allowance, capacity);
  session->allowance_time = now;
  if (session->allowance < 1)
    return FALSE;
  session->allowance -= 1;
  return TRUE;
}

static void
subscribe (SimSession *session, const SimRequest *request)
{
  g_autoptr (GHashTable) fresh = g_hash_table_new (g_str_hash, g_str_equal);

  for (char **channel = request->channels; *channel != NULL; channel++)
    if (!g_hash_table_contains (session->channels, *channel))
      g_hash_table_add (fresh, *channel);

  if (g_hash_table_size (session->channels) + g_hash_table_size (fresh) > session->limits->max_channels) {
    g_autofree char *message =
        g_strdup_printf ("A connection may have %u subscriptions", session->limits->max_channels);

    send_error (session, request, RELAY_ERROR_SUBSCRIPTION_LIMIT, message);
    return;
  }
  for (char **channel = request->channels; *channel != NULL; channel++)
    g_hash_table_add (session->channels, g_strdup (*channel));
  send_message_with (session, "subscription.confirmed", "subscribedChannels", NULL, request->channels);
}

static void
handle_request (SimSession *session, const SimRequest *request)
{
  session->n_received[request->action]++;
  session->events->received (session, request, session->user_data);

  if (session->token_state == SIM_TOKEN_EXPIRED) {
    send_error (session, request, RELAY_ERROR_TOKEN_EXPIRED, "The token has expired");
    return;
  }
  if (session->token_state != SIM_TOKEN_ACCEPTED) {
    send_error (session, request, RELAY_ERROR_AUTH_FAILED, "The token is not valid any more");
    sim_session_close (session, SIM_CLOSE_POLICY, "authentication failed");
    return;
  }
  if (!take_allowance (session)) {
    g_autofree char *message =
        g_strdup_printf ("More than %u actions a second", session->limits->max_actions_per_sec);

    send_error (session, request, RELAY_ERROR_RATE_LIMITED, message);
    return;
  }

  if (request->is_refused) {
    send_error (session, request, request->error, request->error_message);
    return;
  }

  switch (request->action) {
  case SIM_ACTION_NONE:
  case SIM_N_ACTIONS:
    g_assert_not_reached ();
  case SIM_ACTION_SUBSCRIBE:
    subscribe (session, request);
    break;
  case SIM_ACTION_UNSUBSCRIBE:
    for (char **channel = request->channels; *channel != NULL; channel++)
      g_hash_table_remove (session->channels, *channel);
    break;
  case SIM_ACTION_PING:
    send_message (session, "pong", NULL);
    break;
  }
}

static void
handle_close (SimSession *session, GBytes *payload)
{
  g_autofree char *reason = NULL;
  guint code;

  if (sim_frame_parse_close (payload, &code, &reason))
    relay_debug ("%s: the client closes: %u %s", session->id, code, reason);
  session->close_received = TRUE;
  sim_session_close (session, code, NULL); /* echoes the code, RFC 6455 §5.5.1 */
  check_closed (session);
}

static void
handle_message (SimSession *session, SimOpcode opcode, GBytes *payload)
{
  gsize length;
  const char *bytes = g_bytes_get_data (payload, &length);
  g_autoptr (SimRequest) request = NULL;

  if (opcode == SIM_OPCODE_CLOSE) {
    handle_close (session, payload);
    return;
  }
  if (session->state != STATE_OPEN)
    return; /* closing: only the client's close frame is awaited */

  switch (opcode) {
  case SIM_OPCODE_PING:
    if (sim_session_is_talking (session)) {
      sim_frame_append (session->queue, TRUE, SIM_OPCODE_PONG, bytes, length);
      schedule_write (session);
    }
    break;
  case SIM_OPCODE_TEXT:
    request = sim_request_parse (bytes != NULL ? bytes : "", length);
    handle_request (session, request);
    break;
  case SIM_OPCODE_BINARY:
    request = sim_request_new_refused (RELAY_ERROR_INVALID_ACTION, "Messages have to be text, not binary");
    handle_request (session, request);
    break;
  default:
    break;
  }
}

static void
handle_input (SimSession *session, const void *bytes, gsize length)
{
  if (session->reader_broken)
    return;
  sim_frame_reader_feed (session->reader, bytes, length);

  while (session->state == STATE_OPEN || session->state == STATE_CLOSING) {
    SimOpcode opcode;
    guint code;
    g_autoptr (GBytes) payload = NULL;

    switch (sim_frame_reader_next (session->reader, &opcode, &payload, &code)) {
    case SIM_FRAME_MESSAGE:
      handle_message (session, opcode, payload);
      break;
    case SIM_FRAME_BROKEN:
      relay_debug ("%s: the client broke the WebSocket protocol: closing with %u", session->id, code);
      session->reader_broken = TRUE;
      sim_session_close (session, code, NULL);
      check_closed (session);
      return;
    case SIM_FRAME_NEED_MORE:
      return;
    }
  }
}

static gboolean
on_readable (GObject *stream, gpointer user_data)
{
  SimSession *session = user_data;
  g_autofree guint8 *buffer = g_malloc (READ_BYTES);
  g_autoptr (GError) error = NULL;
  gssize n = g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), buffer, READ_BYTES, NULL,
                                                       &error);

  if (n > 0)
    handle_input (session, buffer, (gsize) n);
  else if (n == 0)
    finish (session, "the client hung up");
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    finish (session, error->message);

  return session->input != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

SimSession *
sim_session_new (GIOStream *stream, GSocket *socket, gint64 token_expires_usec, const SimSessionLimits *limits,
                 SimIds *ids, const SimSessionEvents *events, gpointer user_data)
{
  SimSession *session = g_new0 (SimSession, 1);

  session->id = sim_ids_next (ids, "conn");
  session->stream = g_object_ref (stream);
  session->socket = g_object_ref (socket);
  session->limits = limits;
  session->ids = ids;
  session->events = events;
  session->user_data = user_data;
  session->reader = sim_frame_reader_new (SIM_SESSION_MAX_MESSAGE_BYTES);
  session->queue = g_byte_array_new ();
  session->channels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  session->token_state = SIM_TOKEN_ACCEPTED;
  session->allowance = limits->max_actions_per_sec;
  session->allowance_time = g_get_monotonic_time ();
  session->since_usec = g_get_real_time ();

  session->input = g_pollable_input_stream_create_source (
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream)), NULL);
  g_source_set_callback (session->input, G_SOURCE_FUNC (on_readable), session, NULL);
  g_source_attach (session->input, NULL);

  send_established (session);
  sim_session_restart_heartbeat (session);
  if (token_expires_usec > 0)
    set_timer (session, &session->expiry, (guint64) MAX (token_expires_usec - session->since_usec, 0),
               on_token_expired);
  return session;
}

void
sim_session_free (SimSession *session)
{
  if (session == NULL)
    return;
  clear_sources (session);
  clear_source (&session->farewell);
  close_socket (session);
  g_object_unref (session->stream);
  g_object_unref (session->socket);
  sim_frame_reader_free (session->reader);
  g_byte_array_unref (session->queue);
  g_hash_table_unref (session->channels);
  g_free (session->last_event);
  g_free (session->id);
  g_free (session);
}

const char *
sim_session_get_id (SimSession *session)
{
  return session->id;
}

guint64
sim_session_get_events_sent (SimSession *session)
{
  return session->n_events_sent;
}

gboolean
sim_session_wants (SimSession *session, const SimEvent *event)
{
  return g_hash_table_contains (session->channels, event->project_channel) ||
         g_hash_table_contains (session->channels, event->prp_channel) ||
         (event->agent_channel != NULL && g_hash_table_contains (session->channels, event->agent_channel));
}

void
sim_session_drop (SimSession *session, gboolean reset, gboolean flush)
{
  const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

  if (session->state == STATE_DEAD)
    return;
  if (flush && session->state != STATE_FROZEN && !write_queue (session))
    return;
  /* SO_LINGER with 0 makes close(2) send a RST. */
  if (reset && setsockopt (g_socket_get_fd (session->socket), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
    relay_warning ("%s: SO_LINGER: %s", session->id, g_strerror (errno));
  finish (session, reset ? "reset on demand" : "dropped on demand");
}

static gboolean
on_hangup (gint fd, GIOCondition condition, gpointer user_data)
{
  finish (user_data, "the client of a half-open connection hung up");
  return G_SOURCE_REMOVE;
}

void
sim_session_freeze (SimSession *session)
{
  if (session->state != STATE_OPEN && session->state != STATE_CLOSING)
    return;
  clear_sources (session);
  session->state = STATE_FROZEN;

  /* POLLRDHUP tells that the client has closed without anything being read. GLib has no name for it, but hands it
   * on. */
  session->hangup = g_unix_fd_source_new (g_socket_get_fd (session->socket), (GIOCondition) POLLRDHUP);
  g_source_set_callback (session->hangup, G_SOURCE_FUNC (on_hangup), session, NULL);
  g_source_attach (session->hangup, NULL);
}

void
sim_session_silence (SimSession *session, guint64 duration_usec)
{
  session->silent_until = duration_usec > 0 ? g_get_monotonic_time () + (gint64) duration_usec : G_MAXINT64;
}

JsonNode *
sim_session_describe (SimSession *session)
{
  g_autoptr (JsonBuilder) builder = json_builder_begin_object (json_builder_new ());
  g_autofree char *since = sim_time_format (session->since_usec);
  g_autoptr (GList) channels = g_list_sort (g_hash_table_get_keys (session->channels), (GCompareFunc) strcmp);

  json_builder_add_string_value (json_builder_set_member_name (builder, "connection"), session->id);
  json_builder_add_string_value (
      json_builder_set_member_name (builder, "state"),
      session->state == STATE_OPEN && is_silent (session) ? "silent" : state_names[session->state]);
  json_builder_add_string_value (json_builder_set_member_name (builder, "since"), since);
  json_builder_begin_array (json_builder_set_member_name (builder, "subscriptions"));
  for (GList *link = channels; link != NULL; link = link->next)
    json_builder_add_string_value (builder, link->data);
  json_builder_end_array (builder);
  json_builder_begin_object (json_builder_set_member_name (builder, "received"));
  for (SimAction action = SIM_ACTION_NONE; action < SIM_N_ACTIONS; action++)
    json_builder_add_int_value (json_builder_set_member_name (builder, sim_action_to_string (action)),
                                (gint64) session->n_received[action]);
  json_builder_end_object (builder);
  json_builder_add_int_value (json_builder_set_member_name (builder, "eventsSent"),
                              (gint64) session->n_events_sent);
  json_builder_add_int_value (json_builder_set_member_name (builder, "queuedBytes"),
                              (gint64) get_queued_bytes (session));
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}
