/* SPDX-License-Identifier: MIT */
#include "link/conversation.h"

#include <string.h>

#include "common/log.h"
#include "tests/unit/link/service.h"

#define MSEC 1000

typedef struct {
  WsServer *server;
  char *url;
  WsPeer *peer;
  RelayLinkOptions options;
  double actions_per_sec;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayConversation *conversation;

  guint n_established, n_refused, n_closed;
  gboolean expired;
  GPtrArray *events; /* strings: the type of each */
  char *code;        /* of the trouble that ended it or refused the token */
  GArray *pings;     /* int: -1 for an answer, else RelayError */
  guint64 rtt_usec;
  const char *free_in; /* the callback in which it is freed */
} Talk;

static void
maybe_free (Talk *talk, const char *where)
{
  if (g_strcmp0 (talk->free_in, where) == 0)
    g_clear_pointer (&talk->conversation, relay_conversation_free);
}

static void
on_established (RelayConversation *conversation, gpointer user_data)
{
  Talk *talk = user_data;

  talk->n_established++;
  relay_conversation_publish (conversation);
  relay_subscriptions_connected (talk->subscriptions);
  relay_conversation_set_asking (conversation, TRUE);
  maybe_free (talk, "established");
}

static void
on_event (RelayConversation *conversation, RelayEvent *event, gpointer user_data)
{
  Talk *talk = user_data;

  g_assert_true (relay_event_kind_is_relayed (event->kind));
  g_assert_cmpint (event->received_usec, >, 0);
  g_ptr_array_add (talk->events, relay_json_reader_dup_string (event->reader, event->type));
  maybe_free (talk, "event");
}

static void
on_token_refused (RelayConversation *conversation, const RelayTrouble *trouble, gboolean expired, gpointer user_data)
{
  Talk *talk = user_data;

  talk->n_refused++;
  talk->expired = expired;
  g_free (talk->code);
  talk->code = g_strdup (trouble->code);
  maybe_free (talk, "token_refused");
}

static void
on_closed (RelayConversation *conversation, const RelayTrouble *trouble, gpointer user_data)
{
  Talk *talk = user_data;

  talk->n_closed++;
  relay_subscriptions_disconnected (talk->subscriptions);
  if (trouble != NULL) {
    g_free (talk->code);
    talk->code = g_strdup (trouble->code);
  }
  maybe_free (talk, "closed");
}

static void
on_heard (RelayConversation *conversation, gpointer user_data)
{
}

static void
on_ping (guint64 rtt_usec, const GError *error, gpointer user_data)
{
  Talk *talk = user_data;
  int code = error != NULL ? error->code : -1;

  if (error != NULL)
    g_assert_true (error->domain == RELAY_ERROR);
  talk->rtt_usec = rtt_usec;
  g_array_append_val (talk->pings, code);
}

static const RelayConversationEvents events = {
  .established = on_established,
  .event = on_event,
  .token_refused = on_token_refused,
  .heard = on_heard,
  .closed = on_closed,
};

static void
on_wake (gpointer user_data)
{
  Talk *talk = user_data;

  if (talk->conversation != NULL)
    relay_conversation_wake (talk->conversation);
}

static void
talk_init (Talk *talk)
{
  talk->server = ws_server_new ();
  talk->url = ws_server_get_url (talk->server);
  service_set_greeting (talk->server, TRUE);
  talk->server->text = service_answer;
  talk->options = (RelayLinkOptions){
    .url = talk->url,
    .ping_interval_usec = 3600 * (guint64) G_USEC_PER_SEC,
    .pong_timeout_usec = 200 * MSEC,
    .max_message_bytes = 100000,
  };
  talk->actions_per_sec = 100;
  talk->subscriptions = relay_subscriptions_new (10000);
  relay_subscriptions_set_wake (talk->subscriptions, on_wake, talk);
  talk->status = relay_status_new ();
  talk->events = g_ptr_array_new_with_free_func (g_free);
  talk->pings = g_array_new (FALSE, FALSE, sizeof (int));
}

static void
talk_clear (Talk *talk)
{
  relay_conversation_free (talk->conversation);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  relay_subscriptions_free (talk->subscriptions);
  relay_status_free (talk->status);
  ws_server_free (talk->server);
  g_ptr_array_unref (talk->events);
  g_array_unref (talk->pings);
  g_free (talk->code);
  g_free (talk->url);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Talk, talk_clear)

static void
talk_start (Talk *talk)
{
  g_autoptr (RelayToken) token = ws_make_token ("t0ken");

  talk->conversation = relay_conversation_new (&talk->options, talk->actions_per_sec, token, talk->subscriptions,
                                               talk->status, &events, talk);
  ws_wait_for (ws_server_count (talk->server) > 0);
  talk->peer = ws_server_last (talk->server);
}

static void
talk_open (Talk *talk)
{
  talk_init (talk);
  talk_start (talk);
  ws_wait_for (talk->n_established == 1);
}

static RelayChannelState
get_state (Talk *talk, const char *name)
{
  const RelayChannel *channel = relay_subscriptions_lookup (talk->subscriptions, name);

  g_assert_nonnull (channel);
  return channel->state;
}

/* ---- the beginning ---- */

static void
test_established (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  g_assert_true (relay_conversation_is_established (talk.conversation));
  g_assert_cmpstr (talk.status->connection_id, ==, "conn_abc123");
  g_assert_cmpstr (talk.status->server_version, ==, "1.0.0");
  g_assert_cmpuint (g_strv_length (talk.status->features), ==, 2);
  g_assert_cmpstr (talk.status->features[1], ==, "heartbeat");
  g_assert_cmpuint (talk.events->len, ==, 0);
  g_assert_cmpuint (talk.status->events_received, ==, 0);
  g_assert_cmpuint (talk.status->bytes_received, >, strlen (SERVICE_ESTABLISHED));
  g_assert_cmpuint (talk.status->last_alive_usec, >, (guint64) g_get_real_time () - 60 * G_USEC_PER_SEC);
}

/* What a server says of itself has no end of its own. */
static void
test_bounded (void)
{
  g_auto (Talk) talk = { 0 };
  g_autoptr (GString) text = g_string_new ("{\"type\":\"connection.established\",\"data\":{\"connectionId\":\"x");

  talk_init (&talk);
  for (guint i = 0; i < 1000; i++)
    g_string_append (text, "é");
  g_string_append (text, "\",\"serverVersion\":7,\"features\":[null");
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (text, ",\"feature-%u\"", i);
  g_string_append (text, "]}}");
  service_set_greeting (talk.server, FALSE);
  talk_start (&talk);
  ws_peer_send_text (talk.peer, text->str);
  ws_wait_for (talk.n_established == 1);
  g_assert_cmpuint (strlen (talk.status->connection_id), ==, RELAY_CONVERSATION_MAX_SERVER_BYTES - 1);
  g_assert_true (g_utf8_validate (talk.status->connection_id, -1, NULL));
  g_assert_cmpstr (talk.status->server_version, ==, "");
  g_assert_cmpuint (g_strv_length (talk.status->features), ==, RELAY_CONVERSATION_MAX_FEATURES);
}

/* Behind our close: no news of a connection that is over. */
static void
test_established_late (void)
{
  g_auto (Talk) talk = { 0 };
  guint64 heard;

  talk_open (&talk);
  talk.server->deaf_to_close = TRUE;
  relay_conversation_close (talk.conversation, 1000, "bye");
  relay_status_set_server (talk.status, "", "", NULL);
  heard = talk.status->bytes_received;
  ws_peer_send_text (talk.peer, "{\"type\":\"connection.established\",\"data\":{\"connectionId\":\"two\"}}");
  ws_wait_for (talk.status->bytes_received > heard);
  g_assert_cmpstr (talk.status->connection_id, ==, "");
}

/* A second greeting is taken in, and asks for nothing anew. */
static void
test_established_twice (void)
{
  g_auto (Talk) talk = { 0 };

  talk_init (&talk);
  relay_subscriptions_hold (talk.subscriptions, "project:a");
  talk_start (&talk);
  ws_wait_for (get_state (&talk, "project:a") == RELAY_CHANNEL_ACTIVE);
  ws_peer_send_text (talk.peer, "{\"type\":\"connection.established\",\"data\":{\"connectionId\":\"two\"}}");
  ws_wait_for (g_str_equal (talk.status->connection_id, "two"));
  /* Whatever might be asked would be asked before this. */
  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (talk.pings->len == 1);
  g_assert_cmpuint (talk.n_established, ==, 1);
  g_assert_cmpuint (service_count (talk.peer, "subscribe"), ==, 1);
  g_assert_cmpint (get_state (&talk, "project:a"), ==, RELAY_CHANNEL_ACTIVE);
}

static void
test_not_greeted (void)
{
  g_auto (Talk) talk = { 0 };
  gint64 start;

  talk_init (&talk);
  service_set_greeting (talk.server, FALSE);
  relay_subscriptions_hold (talk.subscriptions, "project:a");
  start = g_get_monotonic_time ();
  talk_start (&talk);
  ws_wait_for (get_state (&talk, "project:a") == RELAY_CHANNEL_ACTIVE);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, RELAY_CONVERSATION_ESTABLISHED_USEC);
  g_assert_cmpuint (talk.n_established, ==, 1);
}

static void
test_event_first (void)
{
  g_auto (Talk) talk = { 0 };

  talk_init (&talk);
  service_set_greeting (talk.server, FALSE);
  talk_start (&talk);
  ws_peer_send_text (talk.peer, SERVICE_DELETED);
  ws_wait_for (talk.events->len == 1);
  g_assert_cmpuint (talk.n_established, ==, 1);
  ws_peer_send_text (talk.peer, SERVICE_ESTABLISHED);
  ws_wait_for (g_str_equal (talk.status->connection_id, "conn_abc123"));
  g_assert_cmpuint (talk.n_established, ==, 1);
}

static void
test_error_first (void)
{
  g_auto (Talk) talk = { 0 };
  g_autofree char *error = service_error ("AUTH_FAILED", NULL, NULL);

  talk_init (&talk);
  service_set_greeting (talk.server, FALSE);
  talk_start (&talk);
  ws_peer_send_text (talk.peer, error);
  ws_wait_for (talk.n_refused == 1);
  g_assert_cmpuint (talk.n_established, ==, 0);
  g_assert_cmpuint (talk.events->len, ==, 1);
  g_assert_cmpstr (talk.code, ==, "AUTH_FAILED");
  g_assert_false (talk.expired);
}

/* ---- what is heard ---- */

static void
test_events (void)
{
  g_auto (Talk) talk = { 0 };
  static const guint8 binary[] = { 1, 2, 3 };

  talk_open (&talk);
  ws_peer_send_text (talk.peer, SERVICE_DELETED);
  ws_peer_send_text (talk.peer, SERVICE_HEARTBEAT);
  ws_peer_send_text (talk.peer, "not json");
  ws_peer_send_text (talk.peer, "[]");
  ws_peer_send_text (talk.peer, "{}");
  ws_peer_send_frame (talk.peer, 0x2, TRUE, binary, sizeof binary);
  ws_peer_send_text (talk.peer, "{\"type\":\"something.else\",\"data\":null}");
  ws_wait_for (talk.events->len == 2);
  g_assert_cmpstr (talk.events->pdata[0], ==, "prp.deleted");
  g_assert_cmpstr (talk.events->pdata[1], ==, "something.else");
  g_assert_cmpuint (talk.status->events_received, ==, 2);
  g_assert_cmpuint (talk.status->malformed_dropped, ==, 4);
  g_assert_cmpuint (talk.n_closed, ==, 0);
}

typedef struct {
  const char *text;
  const char *code;
  gboolean expired;
  guint n_events; /* relayed besides */
} Refusal;

static const Refusal refusals[] = {
  { SERVICE_TOKEN_EXPIRED, "TOKEN_EXPIRED", TRUE, 0 },
  { "{\"type\":\"error\",\"data\":{\"code\":\"TOKEN_EXPIRED\",\"message\":\"m\"}}", "TOKEN_EXPIRED", TRUE, 1 },
  { "{\"type\":\"error\",\"data\":{\"code\":\"AUTH_FAILED\",\"message\":\"m\"}}", "AUTH_FAILED", FALSE, 1 },
};

static void
test_token_refused (gconstpointer data)
{
  const Refusal *refusal = data;
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  ws_peer_send_text (talk.peer, refusal->text);
  ws_wait_for (talk.n_refused == 1);
  g_assert_cmpstr (talk.code, ==, refusal->code);
  g_assert_cmpint (talk.expired, ==, refusal->expired);
  g_assert_cmpuint (talk.events->len, ==, refusal->n_events);
}

static void
test_other_error (void)
{
  g_auto (Talk) talk = { 0 };
  g_autofree char *error = service_error ("QUOTA", NULL, NULL);

  talk_open (&talk);
  ws_peer_send_text (talk.peer, error);
  ws_peer_send_text (talk.peer, SERVICE_DELETED);
  ws_wait_for (talk.events->len == 2);
  g_assert_cmpstr (talk.events->pdata[0], ==, "error");
  g_assert_cmpuint (talk.n_refused, ==, 0);
  g_assert_cmpuint (talk.n_closed, ==, 0);
}

/* ---- channels ---- */

static void
test_channels (void)
{
  g_auto (Talk) talk = { 0 };
  static const char *const names[] = { "project:a", "agent:b", "prp:bad", "prp:c" };

  talk_open (&talk);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    relay_subscriptions_hold (talk.subscriptions, names[i]);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    ws_wait_for (relay_subscriptions_is_answered (talk.subscriptions, names[i]));
  g_assert_cmpint (get_state (&talk, "project:a"), ==, RELAY_CHANNEL_ACTIVE);
  g_assert_cmpint (get_state (&talk, "agent:b"), ==, RELAY_CHANNEL_ACTIVE);
  g_assert_cmpint (get_state (&talk, "prp:bad"), ==, RELAY_CHANNEL_REJECTED);
  g_assert_cmpint (get_state (&talk, "prp:c"), ==, RELAY_CHANNEL_ACTIVE);
  /* Each refusal is an event as well. */
  g_assert_cmpuint (talk.events->len, >, 0);

  relay_subscriptions_release (talk.subscriptions, "agent:b");
  ws_wait_for (service_count (talk.peer, "unsubscribe") == 1);
}

/* All that is asked for in one turn goes out as one message. */
static void
test_one_turn (void)
{
  g_auto (Talk) talk = { 0 };
  guint n_channels;
  g_autofree char *action = NULL;

  talk_open (&talk);
  for (guint i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf ("project:%u", i);

    relay_subscriptions_hold (talk.subscriptions, name);
    g_assert_cmpuint (talk.peer->texts->len, ==, 0);
  }
  ws_wait_for (get_state (&talk, "project:299") == RELAY_CHANNEL_ACTIVE);
  g_assert_cmpuint (talk.peer->texts->len, ==, 1);
  action = service_get_action (talk.peer->texts->pdata[0], &n_channels);
  g_assert_cmpstr (action, ==, "subscribe");
  g_assert_cmpuint (n_channels, ==, 300);
}

/* Turn by turn there is a message each, as fast as the pace allows; then they gather. */
static void
test_pace (void)
{
  g_auto (Talk) talk = { 0 };
  gint64 start;

  talk_init (&talk);
  talk.actions_per_sec = 5;
  talk_start (&talk);
  ws_wait_for (talk.n_established == 1);
  start = g_get_monotonic_time ();
  for (guint i = 0; i < 40; i++) {
    g_autofree char *name = g_strdup_printf ("project:%u", i);

    relay_subscriptions_hold (talk.subscriptions, name);
    ws_run_for (5 * MSEC);
  }
  ws_wait_for (get_state (&talk, "project:39") == RELAY_CHANNEL_ACTIVE);
  g_assert_cmpuint (talk.peer->texts->len, >=, 6);
  g_assert_cmpuint (talk.peer->texts->len, <=,
                    6 + (guint) ((g_get_monotonic_time () - start) * 5 / G_USEC_PER_SEC));
}

static void
test_disconnected (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  relay_subscriptions_hold (talk.subscriptions, "project:a");
  ws_wait_for (get_state (&talk, "project:a") == RELAY_CHANNEL_ACTIVE);
  ws_peer_abort (talk.peer);
  ws_wait_for (talk.n_closed == 1);
  g_assert_cmpstr (talk.code, ==, "CONNECTION_LOST");
  g_assert_cmpint (get_state (&talk, "project:a"), ==, RELAY_CHANNEL_PENDING);
  g_assert_false (relay_conversation_is_established (talk.conversation));
}

/* Closing: what is under way is still relayed, nothing more is asked or believed. */
static void
test_close (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  talk.server->deaf_to_close = TRUE;
  relay_conversation_close (talk.conversation, 1000, "enough");
  relay_subscriptions_hold (talk.subscriptions, "project:a");
  ws_wait_for (talk.peer->close_code == 1000);
  ws_peer_send_text (talk.peer, SERVICE_DELETED);
  ws_peer_send_text (talk.peer, "{\"type\":\"subscription.confirmed\",\"data\":{\"subscribedChannels\":[\"project:a\"]}}");
  ws_peer_send_text (talk.peer, SERVICE_TOKEN_EXPIRED);
  ws_peer_send_close (talk.peer, 1000, NULL);
  ws_peer_end (talk.peer);
  ws_wait_for (talk.n_closed == 1);
  g_assert_null (talk.code);
  g_assert_cmpuint (talk.events->len, ==, 1);
  g_assert_cmpuint (talk.n_refused, ==, 0);
  g_assert_cmpint (get_state (&talk, "project:a"), ==, RELAY_CHANNEL_PENDING);
  g_assert_cmpuint (talk.peer->texts->len, ==, 0);
}

/* ---- pings ---- */

static void
test_ping (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  for (guint i = 0; i < 3; i++)
    relay_conversation_ping (talk.conversation, on_ping, &talk);
  g_assert_cmpuint (talk.pings->len, ==, 0);
  ws_wait_for (talk.pings->len == 3);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (g_array_index (talk.pings, int, i), ==, -1);
  g_assert_cmpuint (talk.rtt_usec, <, talk.options.pong_timeout_usec);
  g_assert_cmpuint (service_count (talk.peer, "ping"), ==, 1);

  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (talk.pings->len == 4);
  g_assert_cmpuint (service_count (talk.peer, "ping"), ==, 2);
}

static void
test_ping_unanswered (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  talk.server->text = NULL;
  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (talk.pings->len == 1);
  g_assert_cmpint (g_array_index (talk.pings, int, 0), ==, RELAY_ERROR_TIMEOUT);
  /* A pong that comes too late, or unasked for, answers nobody. */
  ws_peer_send_text (talk.peer, "{\"type\":\"pong\"}");
  ws_peer_send_text (talk.peer, SERVICE_DELETED);
  ws_wait_for (talk.events->len == 1);
  g_assert_cmpuint (talk.pings->len, ==, 1);

  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (service_count (talk.peer, "ping") == 2);
  relay_conversation_close (talk.conversation, 1000, NULL);
  g_assert_cmpint (g_array_index (talk.pings, int, 1), ==, RELAY_ERROR_NOT_CONNECTED);
  relay_conversation_ping (talk.conversation, on_ping, &talk);
  g_assert_cmpint (g_array_index (talk.pings, int, 2), ==, RELAY_ERROR_NOT_CONNECTED);
}

static void
refuse_ping (Talk *talk, const char *code, const char *request_id, const char *action)
{
  g_autofree char *error = service_error (code, request_id, action);

  ws_peer_send_text (talk->peer, error);
}

/* An error is an answer, too: nobody waits for the timeout. */
static void
test_ping_refused (void)
{
  g_auto (Talk) talk = { 0 };

  talk_init (&talk);
  talk.options.pong_timeout_usec = 3600 * (guint64) G_USEC_PER_SEC;
  talk_start (&talk);
  ws_wait_for (talk.n_established == 1);
  talk.server->text = NULL;
  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (service_count (talk.peer, "ping") == 1);

  /* About something else, or about nothing in particular. */
  refuse_ping (&talk, "INVALID_ACTION", "relay-1", "subscribe");
  refuse_ping (&talk, "SOMETHING_ELSE", NULL, NULL);
  ws_wait_for (talk.events->len == 2);
  g_assert_cmpuint (talk.pings->len, ==, 0);

  refuse_ping (&talk, "RATE_LIMITED", "relay-ping-0", "ping");
  ws_wait_for (talk.pings->len == 1);
  g_assert_cmpint (g_array_index (talk.pings, int, 0), ==, RELAY_ERROR_RATE_LIMITED);

  relay_conversation_ping (talk.conversation, on_ping, &talk);
  ws_wait_for (service_count (talk.peer, "ping") == 2);
  refuse_ping (&talk, "INVALID_ACTION", NULL, NULL);
  ws_wait_for (talk.pings->len == 2);
  g_assert_cmpint (g_array_index (talk.pings, int, 1), ==, RELAY_ERROR_INVALID_ACTION);

  /* With nobody waiting it is nothing but an event. */
  refuse_ping (&talk, "INVALID_ACTION", "relay-ping-1", "ping");
  ws_wait_for (talk.events->len == 5);
  g_assert_cmpuint (talk.pings->len, ==, 2);
}

static void
test_ping_bounded (void)
{
  g_auto (Talk) talk = { 0 };

  talk_open (&talk);
  talk.server->text = NULL;
  for (guint i = 0; i < RELAY_CONVERSATION_MAX_PINGS; i++)
    relay_conversation_ping (talk.conversation, on_ping, &talk);
  g_assert_cmpuint (talk.pings->len, ==, 0);
  relay_conversation_ping (talk.conversation, on_ping, &talk);
  g_assert_cmpuint (talk.pings->len, ==, 1);
  g_assert_cmpint (g_array_index (talk.pings, int, 0), ==, RELAY_ERROR_LIMITS_EXCEEDED);
  g_clear_pointer (&talk.conversation, relay_conversation_free);
  g_assert_cmpuint (talk.pings->len, ==, 1 + RELAY_CONVERSATION_MAX_PINGS);
}

/* ---- doubt ---- */

static void
test_probe (void)
{
  g_auto (Talk) talk = { 0 };
  gint64 opened;

  talk_open (&talk);
  opened = relay_conversation_get_proof (talk.conversation);
  g_assert_cmpint (opened, >, g_get_real_time () - 60 * (gint64) G_USEC_PER_SEC);
  ws_run_for (100 * MSEC);
  relay_conversation_probe (talk.conversation, 5 * G_USEC_PER_SEC);
  /* The service's answer is a pong, which proves the time of the question. */
  ws_wait_for (relay_conversation_get_proof (talk.conversation) >= opened + 90 * MSEC);
  g_assert_cmpuint (service_count (talk.peer, "ping"), ==, 1);
  g_assert_cmpuint (talk.n_closed, ==, 0);

  talk.server->text = NULL;
  relay_conversation_probe (talk.conversation, 100 * MSEC);
  ws_wait_for (talk.n_closed == 1);
  g_assert_cmpstr (talk.code, ==, "TIMEOUT");
}

/* ---- freed within its calls ---- */

static void
test_free (gconstpointer data)
{
  g_auto (Talk) talk = { 0 };
  g_autofree char *error = service_error ("TOKEN_EXPIRED", NULL, NULL);
  guint n = 0;

  talk_init (&talk);
  talk.free_in = data;
  relay_subscriptions_hold (talk.subscriptions, "project:a");
  talk_start (&talk);
  for (; n < 10; n++)
    ws_peer_send_text (talk.peer, error);
  ws_peer_send_close (talk.peer, 1001, NULL);
  ws_peer_end (talk.peer);
  ws_wait_for (talk.conversation == NULL);
  ws_run_for (20 * MSEC);
  g_assert_cmpuint (talk.n_established, ==, 1);
  g_assert_cmpuint (talk.n_closed, ==, g_strcmp0 (data, "closed") == 0);
  if (g_strcmp0 (data, "event") == 0) {
    g_assert_cmpuint (talk.events->len, ==, 1);
    g_assert_cmpuint (talk.n_refused, ==, 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-conversation", LOG_ERR);
  g_test_add_func ("/conversation/established", test_established);
  g_test_add_func ("/conversation/bounded", test_bounded);
  g_test_add_func ("/conversation/established-late", test_established_late);
  g_test_add_func ("/conversation/established-twice", test_established_twice);
  g_test_add_func ("/conversation/not-greeted", test_not_greeted);
  g_test_add_func ("/conversation/event-first", test_event_first);
  g_test_add_func ("/conversation/error-first", test_error_first);
  g_test_add_func ("/conversation/events", test_events);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path = g_strdup_printf ("/conversation/token-refused/%u", i);

    g_test_add_data_func (path, &refusals[i], test_token_refused);
  }
  g_test_add_func ("/conversation/other-error", test_other_error);
  g_test_add_func ("/conversation/channels", test_channels);
  g_test_add_func ("/conversation/one-turn", test_one_turn);
  g_test_add_func ("/conversation/pace", test_pace);
  g_test_add_func ("/conversation/disconnected", test_disconnected);
  g_test_add_func ("/conversation/close", test_close);
  g_test_add_func ("/conversation/ping", test_ping);
  g_test_add_func ("/conversation/ping-unanswered", test_ping_unanswered);
  g_test_add_func ("/conversation/ping-refused", test_ping_refused);
  g_test_add_func ("/conversation/ping-bounded", test_ping_bounded);
  g_test_add_func ("/conversation/probe", test_probe);
  g_test_add_data_func ("/conversation/free/established", "established", test_free);
  g_test_add_data_func ("/conversation/free/event", "event", test_free);
  g_test_add_data_func ("/conversation/free/token-refused", "token_refused", test_free);
  g_test_add_data_func ("/conversation/free/closed", "closed", test_free);
  return g_test_run ();
}
