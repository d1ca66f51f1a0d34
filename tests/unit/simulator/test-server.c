/* SPDX-License-Identifier: MIT */
#include "simulator/server.h"

#include <string.h>

#include "simulator/frames.h"
#include "test-client.h"

#define TOKEN "a-token-for-the-test"

typedef struct {
  SimTokens *tokens;
  SimHub *hub;
  SimServer *server;
  SoupSession *session;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const SimHubSettings settings = { .events_per_sec = 0, .seed = 7, .limits = { 0, 100, 0, G_USEC_PER_SEC } };
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GError) error = NULL;

  fixture->tokens = sim_tokens_new (0, FALSE);
  sim_tokens_accept (fixture->tokens, TOKEN, g_get_real_time ());
  sim_tokens_set_refresh_token (fixture->tokens, "first");
  fixture->hub = sim_hub_new (&settings, fixture->tokens);
  fixture->server = sim_server_new (fixture->hub, NULL, NULL, NULL);
  g_assert_true (sim_server_listen (fixture->server, loopback, 0, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (sim_server_get_port (fixture->server), !=, 0);
  fixture->session = soup_session_new_with_options ("proxy-resolver", NULL, NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  soup_session_abort (fixture->session);
  g_object_unref (fixture->session);
  sim_server_free (fixture->server);
  sim_hub_free (fixture->hub);
  sim_tokens_free (fixture->tokens);
}

static SoupMessage *
make_message (Fixture *fixture, const char *method, const char *path)
{
  g_autofree char *url = sim_server_format_url (fixture->server, "http", path);
  SoupMessage *message = soup_message_new (method, url);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  return message;
}

static void
add_header (SoupMessage *message, const char *name, const char *value)
{
  soup_message_headers_replace (soup_message_get_request_headers (message), name, value);
}

static const char *
get_header (SoupMessage *message, const char *name)
{
  return soup_message_headers_get_one (soup_message_get_response_headers (message), name);
}

static void
set_body (SoupMessage *message, const char *type, const char *body, gsize length)
{
  g_autoptr (GBytes) bytes = g_bytes_new (body, length);

  soup_message_set_request_body_from_bytes (message, type, bytes);
}

typedef struct {
  GAsyncResult *result;
} Reply;

static void
on_reply (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Reply *) user_data)->result = g_object_ref (result);
}

static gboolean
has_reply (gpointer user_data)
{
  return ((Reply *) user_data)->result != NULL;
}

/* Sends @message, checks the status, returns the body. */
static char *
ask (Fixture *fixture, SoupMessage *message, guint expected_status)
{
  Reply reply = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = NULL;

  soup_session_send_and_read_async (fixture->session, message, G_PRIORITY_DEFAULT, NULL, on_reply, &reply);
  test_wait_for (has_reply, &reply);
  body = soup_session_send_and_read_finish (fixture->session, reply.result, &error);
  g_object_unref (reply.result);
  g_assert_no_error (error);
  g_assert_cmpuint (soup_message_get_status (message), ==, expected_status);
  return g_strndup (g_bytes_get_data (body, NULL), g_bytes_get_size (body));
}

/* A handshake; returns NULL if it is refused, which message then has the status of. */
static TestClient *
shake_hands (Fixture *fixture, SoupMessage *message, const char *token)
{
  Reply reply = { 0 };
  g_autoptr (SoupWebsocketConnection) connection = NULL;
  g_autofree char *authorization = token != NULL ? g_strconcat ("Bearer ", token, NULL) : NULL;

  if (authorization != NULL)
    add_header (message, "Authorization", authorization);
  soup_session_websocket_connect_async (fixture->session, message, NULL, NULL, G_PRIORITY_DEFAULT, NULL, on_reply,
                                        &reply);
  test_wait_for (has_reply, &reply);
  connection = soup_session_websocket_connect_finish (fixture->session, reply.result, NULL);
  g_object_unref (reply.result);
  return connection != NULL ? test_client_new_for_connection (connection) : NULL;
}

static void
test_handshake (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) message = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (TestClient) client = shake_hands (fixture, message, TOKEN);

  g_assert_nonnull (client);
  g_assert_null (
      soup_websocket_connection_get_extensions (client->connection)); /* nothing would bound what it unpacks to */
  test_client_subscribe (client, "\"project:proj_atlas\"");
  sim_hub_burst (fixture->hub, 1, 0);
  json_object_unref (test_client_next (client, "prp.created"));
  soup_websocket_connection_close (client->connection, 1000, NULL);
  g_assert_cmpuint (test_client_wait_closed (client), ==, 1000);
}

static void
test_unauthorized (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *authorization, *code, *challenge;
  } cases[] = {
    { NULL, "AUTH_FAILED", "Bearer realm=\"prp-simulator\"" },
    { "Basic dTpw", "AUTH_FAILED", "Bearer realm=\"prp-simulator\"" },
    { "Bearer", "AUTH_FAILED", "Bearer realm=\"prp-simulator\"" },
    { "Bearer wrong", "AUTH_FAILED", "Bearer realm=\"prp-simulator\", error=\"invalid_token\"" },
    { "bearer " TOKEN, "TOKEN_EXPIRED", "Bearer realm=\"prp-simulator\", error=\"invalid_token\", "
                                        "error_description=\"The token expired\"" },
  };

  sim_tokens_end_all (fixture->tokens, SIM_TOKEN_EXPIRED);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SoupMessage) message = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
    g_autofree char *body = NULL;

    if (cases[i].authorization != NULL)
      add_header (message, "Authorization", cases[i].authorization);
    body = ask (fixture, message, 401);
    g_assert_cmpstr (get_header (message, "WWW-Authenticate"), ==, cases[i].challenge);
    g_assert_nonnull (strstr (body, cases[i].code));
    g_assert_null (strstr (body, TOKEN));
  }
  {
    g_autoptr (SoupMessage) message = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);

    g_assert_null (shake_hands (fixture, message, "wrong"));
    g_assert_cmpuint (soup_message_get_status (message), ==, 401);
  }
}

static void
test_no_upgrade (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) message = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);

  add_header (message, "Authorization", "Bearer " TOKEN);
  g_free (ask (fixture, message, 426));
  g_assert_cmpstr (get_header (message, "Upgrade"), ==, "websocket");
}

static char *
control (Fixture *fixture, const char *method, const char *command)
{
  g_autofree char *path = g_strconcat (SIM_CONTROL_PATH, "/", command, NULL);
  g_autoptr (SoupMessage) message = make_message (fixture, method, path);

  return ask (fixture, message, 200);
}

static void
test_refuse (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *command, *header, *value;
    guint status;
  } cases[] = {
    { "refuse?status=503&retry-after=7", "Retry-After", "7", 503 },
    { "refuse?status=429", "Retry-After", NULL, 429 },
    { "refuse?status=401", "WWW-Authenticate", "Bearer realm=\"prp-simulator\", error=\"invalid_token\"", 401 },
    { "refuse?status=302&location=http://127.0.0.1:9/", "Location", "http://127.0.0.1:9/", 302 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SoupMessage) refused = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
    g_autoptr (SoupMessage) accepted = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
    g_autoptr (TestClient) client = NULL;

    g_free (control (fixture, "POST", cases[i].command));
    g_assert_null (shake_hands (fixture, refused, TOKEN));
    g_assert_cmpuint (soup_message_get_status (refused), ==, cases[i].status);
    g_assert_cmpstr (get_header (refused, cases[i].header), ==, cases[i].value);
    client = shake_hands (fixture, accepted, TOKEN);
    g_assert_nonnull (client);
  }
}

/* The handshake is not answered, and others still are. */
static void
test_stall (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) stalled = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (SoupMessage) other = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (TestClient) client = NULL;
  g_autoptr (SoupWebsocketConnection) none = NULL;
  g_autoptr (GError) error = NULL;
  Reply reply = { 0 };
  gboolean is_stalled = FALSE;

  g_free (control (fixture, "POST", "stall"));
  add_header (stalled, "Authorization", "Bearer " TOKEN);
  soup_session_websocket_connect_async (fixture->session, stalled, NULL, NULL, G_PRIORITY_DEFAULT, cancellable,
                                        on_reply, &reply);
  while (!is_stalled) {
    g_autofree char *stats = control (fixture, "GET", "stats");

    is_stalled = strstr (stats, "\"handshakesStalled\":1") != NULL;
  }
  client = shake_hands (fixture, other, TOKEN);
  g_assert_nonnull (client);
  g_assert_null (reply.result);

  g_cancellable_cancel (cancellable);
  test_wait_for (has_reply, &reply);
  none = soup_session_websocket_connect_finish (fixture->session, reply.result, &error);
  g_object_unref (reply.result);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_token_endpoint (Fixture *fixture, gconstpointer data)
{
  static const char form[] = "grant_type=refresh_token&refresh_token=first";
  g_autoptr (SoupMessage) good = make_message (fixture, "POST", SIM_TOKEN_PATH);
  g_autoptr (SoupMessage) again = make_message (fixture, "POST", SIM_TOKEN_PATH);
  g_autoptr (SoupMessage) get = make_message (fixture, "GET", SIM_TOKEN_PATH);
  g_autoptr (SoupMessage) refused = make_message (fixture, "POST", SIM_TOKEN_PATH);
  g_autoptr (SoupMessage) handshake = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autofree char *reply = NULL, *error = NULL;
  g_autoptr (JsonNode) node = NULL;
  g_autoptr (TestClient) client = NULL;

  set_body (good, "application/x-www-form-urlencoded; charset=utf-8", form, strlen (form));
  reply = ask (fixture, good, 200);
  g_assert_cmpstr (get_header (good, "Cache-Control"), ==, "no-store");
  g_assert_cmpstr (soup_message_headers_get_content_type (soup_message_get_response_headers (good), NULL), ==,
                   "application/json");
  node = json_from_string (reply, NULL);
  client = shake_hands (fixture, handshake,
                        json_object_get_string_member (json_node_get_object (node), "access_token"));
  g_assert_nonnull (client);

  set_body (again, "application/x-www-form-urlencoded", form, strlen (form));
  error = ask (fixture, again, 400);
  g_assert_nonnull (strstr (error, "\"invalid_grant\""));
  g_assert_cmpstr (get_header (again, "Cache-Control"), ==, "no-store");

  g_free (ask (fixture, get, 405));
  g_assert_cmpstr (get_header (get, "Allow"), ==, "POST");

  g_free (control (fixture, "POST", "refuse-token?status=503&retry-after=3"));
  set_body (refused, "application/x-www-form-urlencoded", form, strlen (form));
  g_free (ask (fixture, refused, 503));
  g_assert_cmpstr (get_header (refused, "Retry-After"), ==, "3");
}

/* What a web page could make the user's browser send. */
static void
test_browser (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *header, *value;
    guint status;
  } cases[] = {
    { "Origin", "https://evil.example", 403 },   { "Origin", "null", 403 },
    { "Origin", "http://127.0.0.1.evil.example", 403 }, { "Origin", "http://user@evil.example:80", 403 },
    { "Origin", "http://localhost:3000", 200 },  { "Origin", "http://[::1]:3000", 200 },
    { "Host", "evil.example", 403 },             { "Host", "evil.example:8787", 403 },
    { "Host", "127.0.0.1@evil.example", 403 },   { "Host", "localhost:8787", 200 },
    { "Host", "[::1]:8787", 200 },               { "Sec-Fetch-Site", "cross-site", 403 },
    { "Sec-Fetch-Site", "none", 200 },           { "Sec-Fetch-Site", "same-origin", 200 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SoupMessage) message = make_message (fixture, "POST", SIM_CONTROL_PATH "/pause");

    add_header (message, cases[i].header, cases[i].value);
    g_free (ask (fixture, message, cases[i].status));
  }
}

static void
test_control (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) wrong = make_message (fixture, "GET", SIM_CONTROL_PATH "/pause");
  g_autoptr (SoupMessage) unknown = make_message (fixture, "GET", SIM_CONTROL_PATH "/nonsense");
  g_autoptr (SoupMessage) near_miss = make_message (fixture, "GET", SIM_CONTROL_PATH "ler");
  g_autofree char *list = control (fixture, "GET", "");

  g_assert_nonnull (strstr (list, "/control/garbage"));
  g_free (ask (fixture, wrong, 405));
  g_assert_cmpstr (get_header (wrong, "Allow"), ==, "POST");
  g_free (ask (fixture, unknown, 404));
  g_free (ask (fixture, near_miss, 404));
}

static void
test_long_bodies (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *path;
    gsize length;
    guint status;
  } cases[] = {
    { SIM_CONTROL_PATH "/pause", SIM_CONTROL_MAX_BODY_BYTES + 1, 413 },
    { SIM_CONTROL_PATH "/emit", SIM_CONTROL_MAX_BODY_BYTES + 1, 200 },
    { SIM_CONTROL_PATH "/emit", SIM_CONTROL_MAX_EMIT_BYTES, 200 },
    { SIM_CONTROL_PATH "/emit", SIM_CONTROL_MAX_EMIT_BYTES + 1, 413 },
    { SIM_TOKEN_PATH, 64 * 1024 + 1, 413 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SoupMessage) message = make_message (fixture, "POST", cases[i].path);
    g_autofree char *body = g_strnfill (cases[i].length, ' ');

    set_body (message, "application/x-www-form-urlencoded", body, cases[i].length);
    g_free (ask (fixture, message, cases[i].status));
  }
}

static void
test_pages (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) index = make_message (fixture, "GET", "/");
  g_autoptr (SoupMessage) other = make_message (fixture, "GET", "/other");
  g_autoptr (SoupMessage) below = make_message (fixture, "GET", SIM_WEBSOCKET_PATH "/x");
  g_autofree char *text = ask (fixture, index, 200);

  g_assert_true (g_str_has_prefix (text, "This is prp-simulator"));
  g_free (ask (fixture, other, 404));
  g_free (ask (fixture, below, 404));
}

static void
test_full (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) one_more = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (GPtrArray) ends = g_ptr_array_new_with_free_func (g_object_unref);

  while (sim_hub_has_room (fixture->hub)) {
    g_autoptr (GSocketConnection) server = NULL;
    GSocketConnection *client;

    test_make_pair (&server, &client);
    g_ptr_array_add (ends, client);
    sim_hub_adopt (fixture->hub, G_IO_STREAM (server), g_socket_connection_get_socket (server), 0);
  }
  g_assert_null (shake_hands (fixture, one_more, TOKEN));
  g_assert_cmpuint (soup_message_get_status (one_more), ==, 503);
}

static void
test_listen (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SimServer) server = sim_server_new (fixture->hub, NULL, NULL, NULL);
  g_autoptr (GInetAddress) any = g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GError) error = NULL, in_use = NULL;
  g_autofree char *url = sim_server_format_url (fixture->server, "ws", "/x");
  g_autofree char *expected = g_strdup_printf ("ws://127.0.0.1:%u/x", sim_server_get_port (fixture->server));

  g_assert_cmpstr (url, ==, expected);
  g_assert_false (sim_server_listen (server, any, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_false (sim_server_listen (server, loopback, sim_server_get_port (fixture->server), &in_use));
  g_assert_error (in_use, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
}

static gboolean
on_all_closed (gpointer user_data)
{
  *(guint *) user_data += 1;
  return G_SOURCE_REMOVE;
}

/* When it ends, nobody comes in any more, and who is in is told. */
static void
test_end (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SoupMessage) message = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (SoupMessage) late = make_message (fixture, "GET", SIM_WEBSOCKET_PATH);
  g_autoptr (TestClient) client = shake_hands (fixture, message, TOKEN);
  guint n_done = 0;

  g_assert_nonnull (client);
  sim_server_stop (fixture->server);
  g_assert_null (shake_hands (fixture, late, TOKEN));
  sim_hub_close_all (fixture->hub, SIM_CLOSE_GOING_AWAY, "bye", on_all_closed, &n_done);
  g_assert_cmpuint (test_client_wait_closed (client), ==, SIM_CLOSE_GOING_AWAY);
  test_wait_for_count (&n_done, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/simulator/server/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("handshake", test_handshake);
  ADD ("unauthorized", test_unauthorized);
  ADD ("no-upgrade", test_no_upgrade);
  ADD ("refuse", test_refuse);
  ADD ("stall", test_stall);
  ADD ("token-endpoint", test_token_endpoint);
  ADD ("browser", test_browser);
  ADD ("control", test_control);
  ADD ("long-bodies", test_long_bodies);
  ADD ("pages", test_pages);
  ADD ("full", test_full);
  ADD ("listen", test_listen);
  ADD ("end", test_end);
  return g_test_run ();
}
