/* SPDX-License-Identifier: MIT */
#include "link/link.h"

#include <string.h>

#include "tests/unit/common/tls-server.h"
#include "tests/unit/link/link-probe.h"
#include "tests/unit/link/no-names.h"

#define LIMIT PROBE_LIMIT
#define MSEC 1000

/* ---- what goes well ---- */

static void
test_messages (void)
{
  g_auto (Pair) pair = { 0 };
  static const guint8 binary[] = { 1, 2, 3 };

  pair_open (&pair, NULL);
  g_assert_nonnull (strstr (pair.peer->request, "\r\nAuthorization: Bearer t0ken\r\n"));
  g_assert_null (strstr (pair.peer->request, "Sec-WebSocket-Extensions"));

  ws_peer_send_text (pair.peer, "{\"one\":1}");
  ws_peer_send_frame (pair.peer, 0x2, TRUE, binary, sizeof binary);
  ws_peer_send_frame (pair.peer, 0x1, FALSE, "tw", 2);
  ws_peer_send_frame (pair.peer, 0x9, TRUE, "in between", 10);
  ws_peer_send_frame (pair.peer, 0x0, TRUE, "o", 1);
  ws_peer_send_text (pair.peer, "");
  ws_wait_for (pair.probe->messages->len == 3 && pair.peer->n_pongs == 1);
  probe_assert_message (pair.probe, 0, "{\"one\":1}");
  probe_assert_message (pair.probe, 1, "two");
  probe_assert_message (pair.probe, 2, "");
  g_assert_cmpuint (pair.probe->n_unusable, ==, 1);
  g_assert_cmpuint (pair.probe->bytes, ==, 11 + 5 + 4 + 12 + 3 + 2);

  g_assert_true (relay_link_send (pair.probe->link, "{\"three\":3}"));
  ws_wait_for (pair.peer->texts->len == 1);
  g_assert_cmpstr (pair.peer->texts->pdata[0], ==, "{\"three\":3}");
}

/* What the server sends right behind its 101, in the same segment, must not be lost. */
static void
test_behind_answer (gconstpointer data)
{
  guint n_messages = GPOINTER_TO_UINT (data);
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;
  g_autofree char *big = g_strnfill (3000, 'x');

  server->behind = g_byte_array_new ();
  for (guint i = 0; i < n_messages; i++)
    ws_append_frame (server->behind, 0x1, TRUE, big, strlen (big));
  ws_append_frame (server->behind, 0x1, TRUE, "last", 4);
  probe = probe_new (url, NULL);
  ws_wait_for (probe->messages->len == n_messages + 1);
  for (guint i = 0; i < n_messages; i++)
    probe_assert_message (probe, i, big);
  probe_assert_message (probe, n_messages, "last");
}

static void
test_pong (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 first, second;

  pair_open (&pair, NULL);
  g_assert_cmpint (relay_link_take_pong (pair.probe->link), ==, -1);
  g_assert_true (relay_link_ping (pair.probe->link));
  ws_run_for (20 * MSEC);
  for (guint i = 0; i < 40; i++)
    g_assert_true (relay_link_ping (pair.probe->link));
  ws_wait_for (pair.peer->texts->len == 41);
  g_assert_nonnull (strstr (pair.peer->texts->pdata[0], "\"ping\""));

  /* The oldest are forgotten, the order is kept. */
  first = relay_link_take_pong (pair.probe->link);
  g_assert_cmpint (first, >=, 0);
  for (guint i = 0; i < 15; i++) {
    second = relay_link_take_pong (pair.probe->link);
    g_assert_cmpint (second, >=, 0);
    g_assert_cmpint (second, <=, first + 10 * MSEC);
  }
  g_assert_cmpint (relay_link_take_pong (pair.probe->link), ==, -1);
}

/* A pong that never came is not waited for for ever: the next one is of the next ping. */
static void
test_pong_lost (void)
{
  RelayLinkOptions options = { .ping_interval_usec = 60000 * MSEC, .pong_timeout_usec = 200 * MSEC };
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, &options);
  g_assert_true (relay_link_ping (pair.probe->link));
  ws_run_for (250 * MSEC);
  g_assert_true (relay_link_ping (pair.probe->link));
  g_assert_cmpint (relay_link_take_pong (pair.probe->link), <, 200 * MSEC);
  g_assert_cmpint (relay_link_take_pong (pair.probe->link), ==, -1);

  /* The last one may still be late. */
  g_assert_true (relay_link_ping (pair.probe->link));
  ws_run_for (250 * MSEC);
  g_assert_cmpint (relay_link_take_pong (pair.probe->link), >=, 250 * MSEC);
}

static void
test_paused (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 100 * MSEC, .pong_timeout_usec = 100 * MSEC };
  g_autofree char *big = g_strnfill (50000, 'x');
  guint64 before;

  pair_open (&pair, &options);
  relay_link_set_paused (pair.probe->link, TRUE);
  before = pair.probe->bytes;
  for (guint i = 0; i < 200; i++)
    ws_peer_send_text (pair.peer, big);
  /* Longer than it takes to be found dead: liveness rests. And TCP holds the server back. */
  ws_run_for (400 * MSEC);
  g_assert_cmpuint (pair.probe->bytes, ==, before);
  g_assert_cmpuint (pair.probe->messages->len, ==, 0);
  g_assert_cmpuint (pair.peer->texts->len, ==, 0);
  g_assert_false (pair.probe->closed);
  g_assert_cmpuint (pair.peer->out->len, >, 0);

  relay_link_set_paused (pair.probe->link, FALSE);
  ws_wait_for (pair.probe->messages->len == 200);
}

/* ---- the handshake ---- */

typedef struct {
  const char *answer;
  const char *code;
  RelayRemedy remedy;
  guint64 retry_after_usec;
} Refusal;

static void
test_refusal (gconstpointer data)
{
  const Refusal *refusal = data;
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  server->answer = g_strdup (refusal->answer);
  probe = probe_new (url, NULL);
  probe_assert_ended (probe, refusal->code);
  g_assert_cmpint (probe->trouble->remedy, ==, refusal->remedy);
  g_assert_cmpuint (probe->trouble->retry_after_usec, ==, refusal->retry_after_usec);
  g_assert_false (probe->opened);
  g_assert_cmpuint (server->peers->len, ==, 1);
}

static const Refusal refusals[] = {
  { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "NOT_WEBSOCKET", RELAY_REMEDY_RETRY, 0 },
  { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", "REDIRECT", RELAY_REMEDY_RETRY, 0 },
  { "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n", "AUTH_FAILED", RELAY_REMEDY_RENEW, 0 },
  { "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "FORBIDDEN", RELAY_REMEDY_STOP, 0 },
  { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP_ERROR", RELAY_REMEDY_RETRY, 0 },
  { "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "RATE_LIMITED", RELAY_REMEDY_RETRY_AFTER,
    7 * G_USEC_PER_SEC },
  { "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", "UNAVAILABLE",
    RELAY_REMEDY_RETRY_AFTER, 120 * G_USEC_PER_SEC },
  { "HTTP/1.1 101 Switching Protocols\r\n\r\n", "PROTOCOL", RELAY_REMEDY_RETRY, 0 },
  { "220 mail.example ESMTP\r\n\r\n", "NOT_HTTP", RELAY_REMEDY_RETRY, 0 },
  { "", "CONNECTION_LOST", RELAY_REMEDY_RETRY, 0 },
};

static void
test_bad_accept (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  server->bad_accept = TRUE;
  probe = probe_new (url, NULL);
  probe_assert_ended (probe, "PROTOCOL");
}

static void
test_handshake_timeout (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  RelayLinkOptions options = { .handshake_timeout_usec = 150 * MSEC };
  g_autoptr (Probe) probe = NULL;

  server->silent = TRUE;
  probe = probe_new (url, &options);
  probe_assert_ended (probe, "HANDSHAKE_TIMEOUT");
  /* And the connection is given up, not left behind. */
  ws_wait_for (ws_server_last (server)->ended);
}

/* A refusal whose body never ends is still a refusal. */
static void
test_endless_answer (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  RelayLinkOptions options = { .handshake_timeout_usec = 200 * MSEC };
  g_autoptr (Probe) probe = NULL;
  const char *answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000000\r\n\r\nsorry, but";

  server->silent = TRUE;
  probe = probe_new (url, &options);
  ws_wait_for (server->peers->len == 1 && ws_server_last (server)->request != NULL);
  ws_peer_send (ws_server_last (server), answer, strlen (answer));
  probe_assert_ended (probe, "AUTH_FAILED");
}

static void
test_nobody_there (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  ws_server_free (g_steal_pointer (&server));
  probe = probe_new (url, NULL);
  probe_assert_ended (probe, "REFUSED");
}

static void
test_no_such_name (void)
{
  g_autoptr (Probe) probe = probe_new ("ws://no-such-host.invalid/", NULL);

  probe_assert_ended (probe, "DNS");
}

static void
test_bad_ca_file (void)
{
  RelayLinkOptions options = { .ca_file = (char *) "/nonexistent/ca.pem" };
  g_autoptr (Probe) probe = probe_new ("wss://127.0.0.1:1/", &options);

  g_assert_false (probe->closed);
  probe_assert_ended (probe, "CONFIGURATION");
}

/* ---- liveness ---- */

static void
test_silent (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 150 * MSEC, .pong_timeout_usec = 150 * MSEC };
  gint64 start;

  pair_open (&pair, &options);
  start = g_get_monotonic_time ();
  ws_wait_for (pair.peer->texts->len == 1);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 140 * MSEC);
  g_assert_nonnull (strstr (pair.peer->texts->pdata[0], "\"ping\""));
  probe_assert_ended (pair.probe, "TIMEOUT");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 290 * MSEC);
  ws_wait_for (pair.peer->ended);
}

static void
answer_ping (WsPeer *peer, const char *text, gpointer user_data)
{
  if (strstr (text, "\"ping\"") != NULL)
    ws_peer_send_text (peer, "{\"type\":\"pong\"}");
}

static void
test_answered (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 60 * MSEC, .pong_timeout_usec = 2000 * MSEC };

  pair_open (&pair, &options);
  pair.server->text = answer_ping;
  ws_wait_for (pair.probe->messages->len == 4);
  g_assert_false (pair.probe->closed);
}

/* Any frame is a sign of life, also one that is no message. */
static void
test_any_frame (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 400 * MSEC, .pong_timeout_usec = 400 * MSEC };

  pair_open (&pair, &options);
  for (guint i = 0; i < 20; i++) {
    ws_peer_send_frame (pair.peer, 0x9, TRUE, NULL, 0);
    ws_run_for (60 * MSEC);
  }
  g_assert_cmpuint (pair.peer->texts->len, ==, 0);
  g_assert_cmpuint (pair.peer->n_pongs, ==, 20);
  g_assert_false (pair.probe->closed);
}

/* ---- the end ---- */

static void
test_fin_in_frame (void)
{
  g_auto (Pair) pair = { 0 };
  static const guint8 half[] = { 0x81, 100, 'h', 'a', 'l', 'f' };

  pair_open (&pair, NULL);
  ws_peer_send (pair.peer, half, sizeof half);
  ws_peer_end (pair.peer);
  probe_assert_ended (pair.probe, "CONNECTION_LOST");
  g_assert_cmpuint (pair.probe->messages->len, ==, 0);
}

static void
test_abort (void)
{
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  ws_peer_abort (pair.peer);
  probe_assert_ended (pair.probe, "CONNECTION_LOST");
}

typedef struct {
  guint code;
  const char *reason;
  const char *expected;
} Goodbye;

static const Goodbye goodbyes[] = {
  { 0, NULL, "CLOSED" },
  { 1000, "done", "CLOSED" },
  { 1001, "bye", "SERVER_GOING_AWAY" },
  { 1008, NULL, "POLICY" },
  { 1011, "oops", "SERVER_ERROR" },
  { 1012, "back soon", "SERVER_RESTART" },
  { 1013, NULL, "TRY_LATER" },
  { 4000, "own", "CLOSED" },
};

static void
test_goodbye (gconstpointer data)
{
  const Goodbye *goodbye = data;
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  ws_peer_send_text (pair.peer, "before");
  ws_peer_send_close (pair.peer, goodbye->code, goodbye->reason);
  ws_peer_send_text (pair.peer, "behind");
  probe_assert_ended (pair.probe, goodbye->expected);
  g_assert_cmpint (pair.probe->trouble->remedy, ==, RELAY_REMEDY_RETRY);
  if (goodbye->reason != NULL)
    g_assert_nonnull (strstr (pair.probe->trouble->text, goodbye->reason));
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  ws_wait_for (pair.peer->ended);
  g_assert_cmpuint (pair.peer->close_code, !=, 0);
}

/* A server that says goodbye, but keeps the connection open. */
static void
test_lingering (void)
{
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  pair.server->deaf_to_close = TRUE;
  ws_peer_send_close (pair.peer, 1001, "bye");
  probe_assert_ended (pair.probe, "SERVER_GOING_AWAY");
  ws_wait_for (pair.peer->ended);
}

static void
test_close (void)
{
  g_auto (Pair) pair = { 0 };
  g_autofree char *reason = g_strnfill (300, 'r');

  pair_open (&pair, NULL);
  pair.probe->in_call = TRUE;
  relay_link_close (pair.probe->link, 1000, reason);
  relay_link_close (pair.probe->link, 1001, "twice does no harm");
  pair.probe->in_call = FALSE;
  g_assert_false (relay_link_send (pair.probe->link, "too late"));
  g_assert_false (relay_link_ping (pair.probe->link));
  ws_wait_for (pair.probe->closed);
  g_assert_null (pair.probe->trouble);
  g_assert_cmpuint (pair.peer->close_code, ==, 1000);
  g_assert_cmpuint (strlen (pair.peer->close_reason), ==, 123);
}

/* A reason is cut between characters. */
static void
test_close_reason (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GString) reason = g_string_new ("x");

  for (guint i = 0; i < 100; i++)
    g_string_append (reason, "é");
  pair_open (&pair, NULL);
  relay_link_close (pair.probe->link, 1001, reason->str);
  ws_wait_for (pair.probe->closed);
  g_assert_cmpuint (strlen (pair.peer->close_reason), ==, 123);
  g_assert_true (g_utf8_validate (pair.peer->close_reason, -1, NULL));
}

static void
test_close_timeout (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 start;

  pair_open (&pair, NULL);
  pair.server->deaf_to_close = TRUE;
  start = g_get_monotonic_time ();
  relay_link_close (pair.probe->link, 1000, NULL);
  ws_wait_for (pair.peer->close_code != 0);
  /* What is under way still arrives. */
  ws_peer_send_text (pair.peer, "one more");
  ws_wait_for (pair.probe->closed);
  g_assert_null (pair.probe->trouble);
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, RELAY_LINK_CLOSE_TIMEOUT_USEC);
  ws_wait_for (pair.peer->ended);
}

static void
test_close_in_handshake (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  server->silent = TRUE;
  probe = probe_new (url, NULL);
  ws_wait_for (server->peers->len == 1 && ws_server_last (server)->request != NULL);
  probe->in_call = TRUE;
  relay_link_close (probe->link, 1000, NULL);
  probe->in_call = FALSE;
  ws_wait_for (probe->closed);
  g_assert_null (probe->trouble);
  g_assert_false (probe->opened);
  ws_wait_for (ws_server_last (server)->ended);
}

/* ---- what the peer must not do ---- */

static void
test_not_utf8 (void)
{
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  ws_peer_send_text (pair.peer, "fine");
  ws_peer_send_text (pair.peer, "\xff\xfe");
  ws_peer_send_text (pair.peer, "behind");
  probe_assert_ended (pair.probe, "NOT_UTF8");
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  g_assert_cmpuint (pair.peer->close_code, ==, 1007);
}

/* Having broken the protocol, the peer goes on and on: nothing of that may pile up. */
static void
test_masked (void)
{
  g_auto (Pair) pair = { 0 };
  static const guint8 masked[] = { 0x81, 0x84, 0, 0, 0, 0, 'm', 'a', 's', 'k' };

  pair_open (&pair, NULL);
  ws_peer_send (pair.peer, masked, sizeof masked);
  probe_assert_ended (pair.probe, "PROTOCOL");
  g_assert_cmpuint (pair.peer->close_code, ==, 1002);
  g_assert_cmpuint (pair.probe->messages->len, ==, 0);
}

static void
test_size (gconstpointer data)
{
  guint n_fragments = GPOINTER_TO_UINT (data);
  gsize piece = LIMIT / n_fragments;
  g_autofree char *text = g_strnfill (LIMIT + 1, 'x');
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  for (guint over = 0; over <= 1; over++) {
    for (guint i = 0; i < n_fragments; i++)
      ws_peer_send_frame (pair.peer, i == 0 ? 0x1 : 0x0, i == n_fragments - 1, text,
                          i == n_fragments - 1 ? LIMIT - (n_fragments - 1) * piece + over : piece);
    if (over == 0)
      ws_wait_for (pair.probe->messages->len == 1);
  }
  g_assert_cmpuint (g_bytes_get_size (pair.probe->messages->pdata[0]), ==, LIMIT);
  probe_assert_ended (pair.probe, "MESSAGE_TOO_BIG");
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  g_assert_cmpuint (pair.peer->close_code, ==, 1009);
}

/* The close frame must reach a peer that is in the middle of sending very much. */
static void
test_much_too_big (void)
{
  g_auto (Pair) pair = { 0 };
  g_autofree char *text = g_strnfill (20000000, 'x');

  pair_open (&pair, NULL);
  ws_peer_send_text (pair.peer, text);
  probe_assert_ended (pair.probe, "MESSAGE_TOO_BIG");
  g_assert_cmpuint (pair.peer->close_code, ==, 1009);
  g_assert_cmpuint (pair.peer->out->len, ==, 0);
}

static void
test_huge_length (void)
{
  g_auto (Pair) pair = { 0 };
  static const guint8 header[] = { 0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

  pair_open (&pair, NULL);
  ws_peer_send (pair.peer, header, sizeof header);
  probe_assert_ended (pair.probe, "MESSAGE_TOO_BIG");
  g_assert_cmpuint (pair.peer->close_code, ==, 1009);
}

/* A peer that pings and pings, and does not read our answers. */
static void
test_ping_flood (void)
{
  g_auto (Pair) pair = { 0 };
  g_autofree char *big = g_strnfill (1000000, 'x');

  pair_open (&pair, NULL);
  ws_peer_stop_reading (pair.peer);
  /* More than the kernel takes in, so that sooner or later nothing more can be written. */
  for (guint i = 0; i < 60; i++)
    g_assert_true (relay_link_send (pair.probe->link, big));
  ws_wait_for ((ws_peer_send_frame (pair.peer, 0x9, TRUE, "ping", 4), pair.probe->closed));
  probe_assert_ended (pair.probe, "PROTOCOL");
  g_assert_nonnull (strstr (pair.probe->trouble->text, "pings"));
}

/* ---- over TLS ---- */

static TlsAuthority *
set_certificate (WsServer *server, const char *host)
{
  TlsAuthority *authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, host, NULL, NULL);
  g_autofree char *directory = g_path_get_dirname (certificate);
  g_autofree char *key = g_build_filename (directory, "server.key", NULL);
  g_autoptr (GError) error = NULL;

  server->certificate = g_tls_certificate_new_from_files (certificate, key, &error);
  g_assert_no_error (error);
  return authority;
}

/* TLS has buffers of its own, below and above what a descriptor tells: nothing may get stuck in them. */
static void
test_tls (void)
{
  g_auto (Pair) pair = { .server = ws_server_new () };
  g_autoptr (TlsAuthority) authority = set_certificate (pair.server, "localhost");
  RelayLinkOptions options = { .ca_file = (char *) tls_authority_get_ca_file (authority) };
  g_autofree char *big = g_strnfill (50000, 'x');
  guint n = 0;

  pair.server->behind = g_byte_array_new ();
  for (; n < 20; n++)
    ws_append_frame (pair.server->behind, 0x1, TRUE, big, strlen (big));
  pair_open (&pair, &options);
  ws_wait_for (pair.probe->messages->len == n);

  for (guint i = 0; i < 40; i++) {
    relay_link_set_paused (pair.probe->link, TRUE);
    for (guint j = 0; j < 5; j++, n++)
      ws_peer_send_text (pair.peer, big);
    if (i % 2 == 0)
      ws_run_for (5 * MSEC);
    relay_link_set_paused (pair.probe->link, FALSE);
    if (i % 4 == 0)
      ws_run_for (5 * MSEC);
  }
  ws_wait_for (pair.probe->messages->len == n);
  for (guint i = 0; i < n; i++)
    probe_assert_message (pair.probe, i, big);

  g_assert_true (relay_link_send (pair.probe->link, "over"));
  ws_wait_for (pair.peer->texts->len == 1);
  relay_link_close (pair.probe->link, 1000, NULL);
  ws_wait_for (pair.probe->closed);
  g_assert_cmpuint (pair.peer->close_code, ==, 1000);
}

static void
test_tls_too_big (void)
{
  g_auto (Pair) pair = { .server = ws_server_new () };
  g_autoptr (TlsAuthority) authority = set_certificate (pair.server, "localhost");
  RelayLinkOptions options = { .ca_file = (char *) tls_authority_get_ca_file (authority) };
  g_autofree char *text = g_strnfill (3000000, 'x');

  pair_open (&pair, &options);
  ws_peer_send_text (pair.peer, text);
  probe_assert_ended (pair.probe, "MESSAGE_TOO_BIG");
  g_assert_cmpuint (pair.peer->close_code, ==, 1009);
}

/* With TLS a goodbye is said in a thread, which would wait for a peer that does not read for ever. */
static void
test_tls_stuck (void)
{
  g_auto (Pair) pair = { .server = ws_server_new () };
  g_autoptr (TlsAuthority) authority = set_certificate (pair.server, "localhost");
  RelayLinkOptions options = { .ca_file = (char *) tls_authority_get_ca_file (authority) };
  g_autofree char *big = g_strnfill (1000000, 'x');

  pair_open (&pair, &options);
  ws_peer_stop_reading (pair.peer);
  for (guint i = 0; i < 30; i++)
    g_assert_true (relay_link_send (pair.probe->link, big));
  ws_run_for (50 * MSEC);
  relay_link_close (pair.probe->link, 1000, NULL);
  ws_wait_for (pair.probe->closed);
}

static void
test_tls_wrong_host (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autoptr (TlsAuthority) authority = set_certificate (server, "elsewhere.example");
  RelayLinkOptions options = { .ca_file = (char *) tls_authority_get_ca_file (authority) };
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = probe_new (url, &options);

  probe_assert_ended (probe, "TLS_WRONG_HOST");
  g_assert_null (ws_server_last (server)->request);
}

/* ---- freeing, at any time ---- */

static void
test_free_when_opened (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = probe_new (url, NULL);

  probe->free_when_opened = TRUE;
  ws_wait_for (probe->opened);
  ws_wait_for (ws_server_last (server)->ended);
  g_assert_false (probe->closed);
}

static void
test_free_in_message (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  pair_open (&pair, NULL);
  pair.probe->free_at = 2;
  for (guint i = 0; i < 100; i++)
    ws_append_frame (bytes, 0x1, TRUE, "{}", 2);
  ws_peer_send (pair.peer, bytes->data, bytes->len);
  ws_wait_for (pair.peer->ended);
  g_assert_cmpuint (pair.probe->messages->len, ==, 2);
  g_assert_false (pair.probe->closed);
}

static void
test_free_in_handshake (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  server->silent = TRUE;
  probe = probe_new (url, NULL);
  ws_wait_for (server->peers->len == 1 && ws_server_last (server)->request != NULL);
  probe_free_link (probe);
  ws_wait_for (ws_server_last (server)->ended);
  g_assert_false (probe->closed);
}

static void
test_free_at_once (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = probe_new (url, NULL);

  probe_free_link (probe);
  ws_run_for (50 * MSEC);
  g_assert_false (probe->opened);
  g_assert_false (probe->closed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  no_names_install ();
  g_test_add_func ("/link/messages", test_messages);
  g_test_add_data_func ("/link/behind-answer/one", GUINT_TO_POINTER (0), test_behind_answer);
  g_test_add_data_func ("/link/behind-answer/many", GUINT_TO_POINTER (100), test_behind_answer);
  g_test_add_func ("/link/pong", test_pong);
  g_test_add_func ("/link/pong-lost", test_pong_lost);
  g_test_add_func ("/link/paused", test_paused);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path = g_strdup_printf ("/link/refusal/%u-%s", i, refusals[i].code);

    g_test_add_data_func (path, &refusals[i], test_refusal);
  }
  g_test_add_func ("/link/bad-accept", test_bad_accept);
  g_test_add_func ("/link/handshake-timeout", test_handshake_timeout);
  g_test_add_func ("/link/endless-answer", test_endless_answer);
  g_test_add_func ("/link/nobody-there", test_nobody_there);
  g_test_add_func ("/link/no-such-name", test_no_such_name);
  g_test_add_func ("/link/bad-ca-file", test_bad_ca_file);
  g_test_add_func ("/link/silent", test_silent);
  g_test_add_func ("/link/answered", test_answered);
  g_test_add_func ("/link/any-frame", test_any_frame);
  g_test_add_func ("/link/fin-in-frame", test_fin_in_frame);
  g_test_add_func ("/link/abort", test_abort);
  for (guint i = 0; i < G_N_ELEMENTS (goodbyes); i++) {
    g_autofree char *path = g_strdup_printf ("/link/goodbye/%u", goodbyes[i].code);

    g_test_add_data_func (path, &goodbyes[i], test_goodbye);
  }
  g_test_add_func ("/link/lingering", test_lingering);
  g_test_add_func ("/link/close", test_close);
  g_test_add_func ("/link/close-reason", test_close_reason);
  g_test_add_func ("/link/close-timeout", test_close_timeout);
  g_test_add_func ("/link/close-in-handshake", test_close_in_handshake);
  g_test_add_func ("/link/not-utf8", test_not_utf8);
  g_test_add_func ("/link/masked", test_masked);
  g_test_add_data_func ("/link/size/one", GUINT_TO_POINTER (1), test_size);
  g_test_add_data_func ("/link/size/many", GUINT_TO_POINTER (4000), test_size);
  g_test_add_func ("/link/much-too-big", test_much_too_big);
  g_test_add_func ("/link/huge-length", test_huge_length);
  g_test_add_func ("/link/ping-flood", test_ping_flood);
  g_test_add_func ("/link/tls/messages", test_tls);
  g_test_add_func ("/link/tls/too-big", test_tls_too_big);
  g_test_add_func ("/link/tls/stuck", test_tls_stuck);
  g_test_add_func ("/link/tls/wrong-host", test_tls_wrong_host);
  g_test_add_func ("/link/free/when-opened", test_free_when_opened);
  g_test_add_func ("/link/free/in-message", test_free_in_message);
  g_test_add_func ("/link/free/in-handshake", test_free_in_handshake);
  g_test_add_func ("/link/free/at-once", test_free_at_once);
  return g_test_run ();
}
