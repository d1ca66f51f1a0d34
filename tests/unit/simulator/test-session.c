/* SPDX-License-Identifier: MIT */
#include "simulator/session.h"

#include <string.h>

#include "simulator/frames.h"
#include "simulator/garbage.h"
#include "test-client.h"

#define MSEC ((guint64) 1000)
#define SEC ((guint64) G_USEC_PER_SEC)

typedef struct {
  SimSessionLimits limits;
  SimIds ids;
  SimSession *session;
  guint n_received, n_roomy, n_closed;
  TestClient *client;      /* unless raw */
  GSocketConnection *raw; /* the client's end */
} Fixture;

static void
on_received (SimSession *session, const SimRequest *request, gpointer user_data)
{
  ((Fixture *) user_data)->n_received++;
}

static void
on_roomy (SimSession *session, gpointer user_data)
{
  ((Fixture *) user_data)->n_roomy++;
}

static void
on_closed (SimSession *session, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true (session == fixture->session);
  g_clear_pointer (&fixture->session, sim_session_free);
  fixture->n_closed++;
}

static const SimSessionEvents events = { on_received, on_roomy, on_closed };

static void
set_up_limits (Fixture *fixture, gconstpointer data)
{
  fixture->limits = (SimSessionLimits){ 0, 5, 0, 10 * SEC };
  sim_ids_init (&fixture->ids);
}

static void
start (Fixture *fixture, gint64 token_expires_usec, gboolean raw)
{
  g_autoptr (GSocketConnection) server = NULL, client = NULL;

  test_make_pair (&server, &client);
  fixture->session = sim_session_new (G_IO_STREAM (server), g_socket_connection_get_socket (server),
                                      token_expires_usec, &fixture->limits, &fixture->ids, &events, fixture);
  if (raw)
    fixture->raw = g_steal_pointer (&client);
  else
    fixture->client = test_client_new (G_IO_STREAM (client));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  set_up_limits (fixture, data);
  start (fixture, 0, FALSE);
}

static void
set_up_raw (Fixture *fixture, gconstpointer data)
{
  set_up_limits (fixture, data);
  start (fixture, 0, TRUE);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_client_free (fixture->client);
  g_clear_object (&fixture->raw);
  sim_session_free (fixture->session);
}

static void
skip_established (Fixture *fixture)
{
  json_object_unref (test_client_next (fixture->client, "connection.established"));
}

/* Nothing is on its way: the answer to a ping is the very next message. */
static void
assert_no_message (Fixture *fixture)
{
  test_client_send (fixture->client, "{\"action\":\"ping\"}");
  json_object_unref (test_client_next (fixture->client, "pong"));
}

static void
test_established (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonObject) message = test_client_next (fixture->client, "connection.established");
  JsonObject *members = json_object_get_object_member (message, "data");
  JsonArray *features = json_object_get_array_member (members, "features");

  g_assert_cmpstr (json_object_get_string_member (members, "connectionId"), ==,
                   sim_session_get_id (fixture->session));
  g_assert_true (g_str_has_prefix (sim_session_get_id (fixture->session), "conn_"));
  g_assert_true (json_object_has_member (members, "serverVersion"));
  g_assert_cmpuint (json_array_get_length (features), ==, 3);
  g_assert_cmpstr (json_array_get_string_element (features, 0), ==, "subscribe");
}

static void
test_ping (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonObject) pong = NULL;

  skip_established (fixture);
  test_client_send (fixture->client, "{\"id\":\"client_msg_003\",\"action\":\"ping\"}");
  pong = test_client_next (fixture->client, "pong");
  g_assert_cmpuint (json_object_get_size (pong), ==, 3); /* no data, as on the protocol page */
}

static void
test_subscribe (Fixture *fixture, gconstpointer data)
{
  SimEvent of_project = { .project_channel = (char *) "project:p", .prp_channel = (char *) "prp:x" };
  SimEvent of_agent = { .project_channel = (char *) "project:q", .prp_channel = (char *) "prp:x",
                        .agent_channel = (char *) "agent:a" };
  SimEvent of_other = { .project_channel = (char *) "project:q", .prp_channel = (char *) "prp:x" };
  g_autoptr (JsonObject) confirmed = NULL;
  JsonArray *channels;

  skip_established (fixture);
  test_client_send (fixture->client, "{\"id\":\"1\",\"action\":\"subscribe\",\"payload\":{\"channels\":"
                                     "[\"project:p\",\"agent:a\"]}}");
  confirmed = test_client_next (fixture->client, "subscription.confirmed");
  channels =
      json_object_get_array_member (json_object_get_object_member (confirmed, "data"), "subscribedChannels");
  g_assert_cmpuint (json_array_get_length (channels), ==, 2);
  g_assert_cmpstr (json_array_get_string_element (channels, 0), ==, "project:p");
  g_assert_cmpstr (json_array_get_string_element (channels, 1), ==, "agent:a");
  g_assert_true (sim_session_wants (fixture->session, &of_project));
  g_assert_true (sim_session_wants (fixture->session, &of_agent));
  g_assert_false (sim_session_wants (fixture->session, &of_other));

  test_client_send (fixture->client, "{\"id\":\"2\",\"action\":\"unsubscribe\",\"payload\":{\"channels\":"
                                     "[\"agent:a\",\"prp:never\"]}}");
  assert_no_message (fixture); /* the protocol page has no reply */
  g_assert_false (sim_session_wants (fixture->session, &of_agent));
  g_assert_true (sim_session_wants (fixture->session, &of_project));
}

static void
test_bad_channel (Fixture *fixture, gconstpointer data)
{
  SimEvent event = { .project_channel = (char *) "project:p", .prp_channel = (char *) "prp:x" };
  g_autoptr (JsonObject) message = NULL;

  skip_established (fixture);
  test_client_send (fixture->client,
                    "{\"id\":\"client_msg_004\",\"action\":\"subscribe\",\"payload\":{\"channels\":"
                    "[\"project:p\",\"invalid:channel\"]}}");
  message = test_client_next (fixture->client, "error");
  g_assert_cmpstr (json_object_get_string_member (json_object_get_object_member (message, "data"), "message"), ==,
                   "Channel 'invalid:channel' does not exist");
  g_assert_false (sim_session_wants (fixture->session, &event)); /* the batch is refused whole */
  assert_no_message (fixture);
}

static void
test_bad_actions (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  test_client_send (fixture->client, "{\"id\":\"1\",\"action\":\"dance\"}");
  test_client_expect_error (fixture->client, "INVALID_ACTION", "1", "dance");
  test_client_send (fixture->client, "not JSON");
  test_client_expect_error (fixture->client, "INVALID_ACTION", NULL, NULL);
  test_client_send (fixture->client, "{\"id\":\"2\",\"action\":\"subscribe\",\"payload\":7}");
  test_client_expect_error (fixture->client, "INVALID_ACTION", "2", "subscribe");
  soup_websocket_connection_send_binary (fixture->client->connection, "x", 1);
  test_client_expect_error (fixture->client, "INVALID_ACTION", NULL, NULL);
  test_client_send (fixture->client, "{\"id\":\"\\ud800\",\"action\":\"\\ud800\"}");
  test_client_expect_error (fixture->client, "INVALID_ACTION", "\xef\xbf\xbd", "\xef\xbf\xbd");
  assert_no_message (fixture);
}

static void
test_subscription_limit (Fixture *fixture, gconstpointer data)
{
  SimEvent event = { .project_channel = (char *) "project:p", .prp_channel = (char *) "prp:6" };

  test_client_subscribe (fixture->client, "\"prp:1\",\"prp:2\",\"prp:3\",\"prp:4\"");
  test_client_send (fixture->client,
                    "{\"id\":\"1\",\"action\":\"subscribe\",\"payload\":{\"channels\":[\"prp:5\",\"prp:6\"]}}");
  test_client_expect_error (fixture->client, "SUBSCRIPTION_LIMIT", "1", "subscribe");
  g_assert_false (sim_session_wants (fixture->session, &event));

  /* What is subscribed already takes no room again. */
  test_client_send (fixture->client,
                    "{\"action\":\"subscribe\",\"payload\":{\"channels\":[\"prp:1\",\"prp:6\",\"prp:6\"]}}");
  json_object_unref (test_client_next (fixture->client, "subscription.confirmed"));
  g_assert_true (sim_session_wants (fixture->session, &event));
}

static void
test_rate_limit (Fixture *fixture, gconstpointer data)
{
  guint n_limited = 0;

  skip_established (fixture);
  fixture->limits.max_actions_per_sec = 1;
  for (guint i = 0; i < 20; i++)
    test_client_send (fixture->client, "{\"id\":\"x\",\"action\":\"ping\"}");
  /* However slow the machine, twenty at once are not spread over twenty seconds. */
  for (guint i = 0; i < 20; i++) {
    g_autofree char *text = test_client_next_text (fixture->client);

    if (strstr (text, "\"RATE_LIMITED\"") != NULL) {
      g_assert_nonnull (strstr (text, "\"details\":{\"requestId\":\"x\",\"action\":\"ping\"}"));
      n_limited++;
    } else {
      g_assert_nonnull (strstr (text, "\"pong\""));
    }
  }
  g_assert_cmpuint (n_limited, >, 0);
}

static void
test_heartbeat (Fixture *fixture, gconstpointer data)
{
  fixture->limits.heartbeat_usec = 5 * MSEC;
  start (fixture, 0, FALSE);
  skip_established (fixture);
  for (guint i = 0; i < 3; i++) {
    g_autoptr (JsonObject) message = test_client_next (fixture->client, "heartbeat");

    g_assert_true (json_object_has_member (json_object_get_object_member (message, "data"), "serverTime"));
  }
}

static void
test_heartbeat_changes (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  fixture->limits.heartbeat_usec = 5 * MSEC;
  sim_session_restart_heartbeat (fixture->session);
  json_object_unref (test_client_next (fixture->client, "heartbeat"));
}

/* By itself, with the time it was given. */
static void
test_token_expires (Fixture *fixture, gconstpointer data)
{
  fixture->limits.expiry_grace_usec = 20 * MSEC;
  start (fixture, g_get_real_time () + (gint64) (20 * MSEC), FALSE);
  skip_established (fixture);
  json_object_unref (test_client_next (fixture->client, "token_expired"));
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, SIM_CLOSE_POLICY);
  test_wait_for_count (&fixture->n_closed, 1);
}

static void
test_expired (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_end_token (fixture->session, SIM_TOKEN_EXPIRED);
  sim_session_end_token (fixture->session, SIM_TOKEN_EXPIRED); /* is said once */
  json_object_unref (test_client_next (fixture->client, "token_expired"));
  test_client_send (fixture->client, "{\"id\":\"1\",\"action\":\"ping\"}");
  test_client_expect_error (fixture->client, "TOKEN_EXPIRED", "1", "ping");
}

static void
test_revoked (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_end_token (fixture->session, SIM_TOKEN_REVOKED);
  test_client_send (fixture->client, "{\"id\":\"1\",\"action\":\"ping\"}");
  test_client_expect_error (fixture->client, "AUTH_FAILED", "1", "ping");
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, SIM_CLOSE_POLICY);
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  sim_session_close (fixture->session, 4000, "be gone");
  g_assert_false (sim_session_send_text (fixture->session, "too late"));
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 4000);
  g_assert_cmpstr (soup_websocket_connection_get_close_data (fixture->client->connection), ==, "be gone");
  g_assert_no_error (fixture->client->error);
  test_wait_for_count (&fixture->n_closed, 1);
}

static void
test_client_closes (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  soup_websocket_connection_close (fixture->client->connection, 4001, "bye");
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 4001);
  g_assert_no_error (fixture->client->error);
  test_wait_for_count (&fixture->n_closed, 1);
}

static void
test_drop (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_drop (fixture->session, FALSE, FALSE);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 0);
  test_wait_for_count (&fixture->n_closed, 1);
}

/* Nothing is answered, not even the WebSocket's ping; that the client went away is noticed nonetheless. */
static void
test_half_open (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_freeze (fixture->session);
  g_assert_true (sim_session_is_frozen (fixture->session));
  g_assert_false (sim_session_send_text (fixture->session, "{}"));
  test_client_send (fixture->client, "{\"action\":\"ping\"}");
  g_io_stream_close (soup_websocket_connection_get_io_stream (fixture->client->connection), NULL, NULL);
  test_wait_for_count (&fixture->n_closed, 1);
  g_assert_cmpuint (fixture->n_received, ==, 0);
  g_assert_cmpuint (fixture->client->texts.length, ==, 0);
}

static void
test_half_open_closes (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_freeze (fixture->session);
  sim_session_close (fixture->session, SIM_CLOSE_GOING_AWAY, NULL);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 0); /* cut: it says nothing any more */
  test_wait_for_count (&fixture->n_closed, 1);
}

static void
test_silence (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  sim_session_silence (fixture->session, 0);
  g_assert_false (sim_session_is_talking (fixture->session));
  test_client_send (fixture->client, "{\"action\":\"ping\"}");
  test_wait_for_count (&fixture->n_received, 1); /* it is read */
  soup_websocket_connection_close (fixture->client->connection, 1000, NULL);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 1000);
  g_assert_cmpuint (fixture->client->texts.length, ==, 0);
}

static gboolean
is_talking (gpointer user_data)
{
  return sim_session_is_talking (((Fixture *) user_data)->session);
}

static void
test_silence_ends (Fixture *fixture, gconstpointer data)
{
  fixture->limits.heartbeat_usec = 5 * MSEC; /* also what keeps the loop turning */
  start (fixture, 0, FALSE);
  skip_established (fixture);
  sim_session_silence (fixture->session, 30 * MSEC);
  g_assert_false (sim_session_is_talking (fixture->session));
  test_wait_for (is_talking, fixture);
  json_object_unref (test_client_next (fixture->client, "heartbeat"));
}

static void
test_repeat (Fixture *fixture, gconstpointer data)
{
  skip_established (fixture);
  g_assert_false (sim_session_repeat_event (fixture->session, 1));
  g_assert_true (sim_session_send_event (fixture->session, "{\"n\":1}"));
  g_assert_true (sim_session_send_text (fixture->session, "{\"n\":2}"));
  g_assert_true (sim_session_repeat_event (fixture->session, 2));
  for (guint i = 0; i < 4; i++) {
    g_autofree char *text = test_client_next_text (fixture->client);

    g_assert_cmpstr (text, ==, i == 1 ? "{\"n\":2}" : "{\"n\":1}");
  }
  g_assert_cmpuint (sim_session_get_events_sent (fixture->session), ==, 3);
}

/* Garbage arrives as what it is: a correct client takes the well-formed frames and ends at the others. */
static void
test_garbage (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  g_autofree char *text = NULL;
  gboolean cut;

  skip_established (fixture);
  g_assert_true (sim_garbage_append (frames, "truncated", "msg_1", 0, 1, &cut));
  g_assert_true (sim_garbage_append (frames, "binary", "msg_2", 0, 10, &cut));
  g_assert_true (sim_garbage_append (frames, "bad-utf8", "msg_3", 0, 1, &cut));
  g_assert_true (sim_session_send_frames (fixture->session, frames));
  text = test_client_next_text (fixture->client);
  g_assert_true (g_str_has_prefix (text, "{\"id\":\"msg_1\""));
  test_client_wait_closed (fixture->client);
  g_assert_cmpuint (fixture->client->n_binary, ==, 1);
  g_assert_error (fixture->client->error, SOUP_WEBSOCKET_ERROR, SOUP_WEBSOCKET_CLOSE_BAD_DATA);
}

/* -- a client that is no libsoup ----------------------------------------------------------------------------- */


static void
on_raw_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes **ret_bytes = user_data;

  *ret_bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);
  if (*ret_bytes == NULL)
    *ret_bytes = g_bytes_new (NULL, 0);
}

static gboolean
has_bytes (gpointer user_data)
{
  return *(GBytes **) user_data != NULL;
}

/* Reads until a control frame, or the end. Returns its opcode, 0 for the end. */
static guint
read_control_frame (Fixture *fixture, GByteArray *ret_payload)
{
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (fixture->raw));
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (;;) {
    g_autoptr (GBytes) read = NULL;
    guint at = 0;

    g_input_stream_read_bytes_async (input, 65536, G_PRIORITY_DEFAULT, NULL, on_raw_read, &read);
    test_wait_for (has_bytes, &read);
    if (g_bytes_get_size (read) == 0)
      return 0;
    g_byte_array_append (bytes, g_bytes_get_data (read, NULL), (guint) g_bytes_get_size (read));
    while (bytes->len - at >= 4) {
      guint header = bytes->data[at + 1] < 126 ? 2 : 4;
      guint length = header == 2 ? bytes->data[at + 1] : (guint) bytes->data[at + 2] << 8 | bytes->data[at + 3];

      g_assert_cmpuint (bytes->data[at + 1], <, 127);
      if (bytes->len - at < header + length)
        break;
      if ((bytes->data[at] & 0x08) != 0) {
        g_byte_array_append (ret_payload, bytes->data + at + header, length);
        return bytes->data[at] & 0x0f;
      }
      at += header + length;
    }
    g_byte_array_remove_range (bytes, 0, at);
  }
}

static void
write_raw (Fixture *fixture, const void *bytes, gsize length)
{
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (fixture->raw));

  g_assert_true (g_output_stream_write_all (output, bytes, length, NULL, NULL, NULL));
}

static void
assert_closed_with (Fixture *fixture, guint code)
{
  g_autoptr (GByteArray) payload = g_byte_array_new (), nothing = g_byte_array_new ();

  g_assert_cmphex (read_control_frame (fixture, payload), ==, SIM_OPCODE_CLOSE);
  g_assert_cmpuint ((guint) payload->data[0] << 8 | payload->data[1], ==, code);
  g_assert_cmphex (read_control_frame (fixture, nothing), ==, 0); /* and hung up on */
  g_io_stream_close (G_IO_STREAM (fixture->raw), NULL, NULL);
  test_wait_for_count (&fixture->n_closed, 1);
}

static void
test_unmasked (Fixture *fixture, gconstpointer data)
{
  write_raw (fixture, "\x81\x02{}", 4);
  assert_closed_with (fixture, SIM_CLOSE_PROTOCOL_ERROR);
}

static void
test_not_utf8 (Fixture *fixture, gconstpointer data)
{
  write_raw (fixture, "\x81\x81\0\0\0\0\xff", 7);
  assert_closed_with (fixture, SIM_CLOSE_NOT_UTF8);
}

static void
test_too_big (Fixture *fixture, gconstpointer data)
{
  const guint8 header[] = { 0x81, 0xff, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0 }; /* a byte over 256 KiB */

  g_assert_cmpuint (SIM_SESSION_MAX_MESSAGE_BYTES, ==, 0x40000);
  write_raw (fixture, header, sizeof header);
  assert_closed_with (fixture, SIM_CLOSE_TOO_BIG);
}

static void
test_websocket_ping (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  write_raw (fixture, "\x89\x84\0\0\0\0ping", 10);
  g_assert_cmphex (read_control_frame (fixture, payload), ==, SIM_OPCODE_PONG);
  g_assert_cmpmem (payload->data, payload->len, "ping", 4);
}

static void
test_hangs_up (Fixture *fixture, gconstpointer data)
{
  g_io_stream_close (G_IO_STREAM (fixture->raw), NULL, NULL);
  test_wait_for_count (&fixture->n_closed, 1);
}

/* A client that does not read is cut off when too much has piled up. */
static void
test_slow (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (1024 * 1024, 'x');
  guint n = 0;

  while (fixture->n_closed == 0) {
    if (fixture->session != NULL && sim_session_send_text (fixture->session, text))
      n++;
    g_main_context_iteration (NULL, FALSE);
    g_assert_cmpuint (n, <=, SIM_SESSION_MAX_QUEUED_BYTES / (1024 * 1024) + 8);
  }
  g_assert_cmpuint (n, >=, SIM_SESSION_MAX_QUEUED_BYTES / (1024 * 1024));
}

/* Congestion is told, and its end. */
static void
test_roomy (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (2 * 1024 * 1024, 'x');
  g_autofree char *got = NULL;

  skip_established (fixture);
  g_assert_true (sim_session_send_text (fixture->session, text));
  g_assert_true (sim_session_is_congested (fixture->session));
  got = test_client_next_text (fixture->client);
  g_assert_cmpuint (strlen (got), ==, strlen (text));
  test_wait_for_count (&fixture->n_roomy, 1);
  g_assert_false (sim_session_is_congested (fixture->session));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/simulator/session/" name, Fixture, NULL, set_up, func, tear_down)
#define ADD_RAW(name, func) g_test_add ("/simulator/session/" name, Fixture, NULL, set_up_raw, func, tear_down)
#define ADD_LATER(name, func) \
  g_test_add ("/simulator/session/" name, Fixture, NULL, set_up_limits, func, tear_down)
  ADD ("established", test_established);
  ADD ("ping", test_ping);
  ADD ("subscribe", test_subscribe);
  ADD ("bad-channel", test_bad_channel);
  ADD ("bad-actions", test_bad_actions);
  ADD ("subscription-limit", test_subscription_limit);
  ADD ("rate-limit", test_rate_limit);
  ADD_LATER ("heartbeat", test_heartbeat);
  ADD ("heartbeat-changes", test_heartbeat_changes);
  ADD_LATER ("token-expires", test_token_expires);
  ADD ("expired", test_expired);
  ADD ("revoked", test_revoked);
  ADD ("close", test_close);
  ADD ("client-closes", test_client_closes);
  ADD ("drop", test_drop);
  ADD ("half-open", test_half_open);
  ADD ("half-open-closes", test_half_open_closes);
  ADD ("silence", test_silence);
  ADD_LATER ("silence-ends", test_silence_ends);
  ADD ("repeat", test_repeat);
  ADD ("garbage", test_garbage);
  ADD_RAW ("unmasked", test_unmasked);
  ADD_RAW ("not-utf8", test_not_utf8);
  ADD_RAW ("too-big", test_too_big);
  ADD_RAW ("websocket-ping", test_websocket_ping);
  ADD_RAW ("hangs-up", test_hangs_up);
  ADD_RAW ("slow", test_slow);
  ADD ("roomy", test_roomy);
  return g_test_run ();
}
