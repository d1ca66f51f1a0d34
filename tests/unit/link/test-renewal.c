/* SPDX-License-Identifier: MIT */
#include "link/connector.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/log.h"
#include "tests/unit/link/connector-bed.h"

static void
on_stopped (gpointer user_data)
{
  ((Bed *) user_data)->stopped = TRUE;
}

/* What the connector does when its token is missing, refused, at its end, or another one. */

static void
test_no_token (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  g_unlink (bed.token_file);
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "NO_CREDENTIALS");
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_false (relay_connector_is_trying (bed.connector));
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 0);
  /* It appears, and is noticed. */
  bed_set_token (&bed, "good");
  wait_for_connections (&bed, 1);
}

/* The server refuses the only token there is: it is asked once. */
static void
test_refused (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_set_token (&bed, "bad");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);

  /* Asked to, it tries again, once. */
  relay_connector_connect (bed.connector);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);

  bed_set_token (&bed, "good");
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 3);
}

/* Each renewal gives another token, none of which will do: two handshakes, then quiet. */
static void
test_refused_twice (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed_set_token (&bed, "bad");
  bed.granted = g_strdup ("bad-too");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

static void
test_refused_renewed (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed_set_token (&bed, "old");
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpstr (bed.status->error_code, ==, "");
}

/* The endpoint is down for a while: the refused token is not shown to the server again meanwhile. */
static void
test_endpoint_down (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed_set_token (&bed, "old");
  bed.refresh_status = 502;
  bed_start (&bed);
  ws_wait_for (bed.n_refreshes == 3 && bed.status->state == RELAY_STATE_WAITING);
  g_assert_cmpstr (bed.status->error_code, ==, "RENEWAL_FAILED");
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  bed.refresh_status = 200;
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

static void
test_endpoint_refuses (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed_set_token (&bed, "old");
  bed.refresh_status = 400;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "RENEWAL_REFUSED");
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

static void
test_expired (void)
{
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;

  bed_init (&bed);
  bed_add_endpoint (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  peer = ws_server_last (bed.server);
  ws_wait_for (bed_is_active (&bed, "project:a"));
  ws_peer_send_text (peer, SERVICE_TOKEN_EXPIRED);
  wait_for_connections (&bed, 2);
  ws_wait_for (peer->close_code == 1000);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");
  g_assert_true (bed_is_active (&bed, "project:a"));
  bed_expect_gaps (&bed, "");
}

/* Nothing can renew it. */
static void
test_expired_for_good (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_TOKEN_EXPIRED);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "TOKEN_EXPIRED");
  ws_wait_for (ws_server_last (bed.server)->close_code == 1000);
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

/* Each token has expired as soon as it is used: a few are renewed at once, the others with a delay. The connection at
 * hand goes on meanwhile; when it ends, there is no hurry either. */
static void
test_expired_again (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  service_set_greeting (bed.server, TRUE);
  bed_start (&bed);
  for (guint i = 1; i <= RELAY_CONNECTOR_QUICK_RENEWALS + 1; i++) {
    wait_for_connections (&bed, i);
    ws_peer_send_text (ws_server_last (bed.server), SERVICE_TOKEN_EXPIRED);
  }
  ws_run_for (300 * MSEC);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTED);
  g_assert_cmpuint (bed.n_refreshes, ==, RELAY_CONNECTOR_QUICK_RENEWALS);
  g_assert_cmpuint (ws_server_count (bed.server), ==, RELAY_CONNECTOR_QUICK_RENEWALS + 1);
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->attempts, ==, 1);
}

static void
refuse_at_once (WsPeer *peer, const char *text, gpointer user_data)
{
  g_autofree char *error = service_error ("AUTH_FAILED", NULL, NULL);

  ws_peer_send_text (peer, error);
}

/* Refused not by a 401, but by a message, and the renewed token too. */
static void
test_refused_by_message (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  bed.server->text = refuse_at_once;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (ws_server_count (bed.server), ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

/* Ahead of its end, with nothing said by the server. */
static void
test_renewed_ahead (void)
{
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;
  guint64 expires;

  bed_init (&bed);
  bed_add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 2;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  expires = bed.status->token_expires_usec;
  g_assert_cmpuint (expires, >, (guint64) g_get_real_time ());
  peer = ws_server_last (bed.server);
  bed.life_sec = 3600;
  wait_for_connections (&bed, 2);
  g_assert_cmpuint ((guint64) g_get_real_time (), <, expires + SEC / 2);
  ws_wait_for (peer->close_code == 1000);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
  g_assert_cmpuint (bed.status->token_expires_usec, >, expires + 3000 * SEC);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
}

/* By our clock each token has ended before it came: that is told once, and the server's clock counts. */
static void
test_wrong_clock (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.is_late = TRUE;
  bed_start (&bed);
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
  ws_run_for (2 * RELAY_CONNECTOR_RENEWAL_MIN_USEC);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
  g_assert_cmpuint (bed.status->connections, ==, 2);

  /* The server has the last word, as ever, and the next token is right. */
  bed.is_late = FALSE;
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_TOKEN_EXPIRED);
  wait_for_connections (&bed, 3);
  g_assert_cmpuint (bed.n_refreshes, ==, 3);
}

/* A request that the endpoint has, and keeps. */
static void
hold_refresh (WsPeer *peer, gpointer user_data)
{
  *(WsPeer **) user_data = peer;
}

static void
start_held_refresh (Bed *bed, WsPeer **ret_peer)
{
  bed_init (bed);
  bed_add_endpoint (bed);
  bed_set_token (bed, "old");
  bed->endpoint->request = hold_refresh;
  bed->endpoint->user_data = ret_peer;
  bed_start (bed);
  ws_wait_for (*ret_peer != NULL);
}

static void
answer_refresh (WsPeer *peer, const char *reply)
{
  g_autofree char *answer = g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen (reply), reply);

  ws_peer_send (peer, answer, strlen (answer));
  ws_peer_end (peer);
}

/* Reload while the token is renewed: a second request would show a refresh token that is void by now. */
static void
test_configure_refreshing (void)
{
  g_auto (Bed) bed = { 0 };
  WsPeer *asked = NULL;

  start_held_refresh (&bed, &asked);
  relay_connector_configure (bed.connector, &bed.options);
  ws_run_for (100 * MSEC);
  g_assert_cmpuint (bed.endpoint->peers->len, ==, 1);
  answer_refresh (asked, "{\"access_token\":\"good\",\"refresh_token\":\"next\"}");
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.endpoint->peers->len, ==, 1);
}

/* The end in the midst of it: the refresh token that the answer brings is the only good one. */
static void
test_stop_refreshing (void)
{
  g_auto (Bed) bed = { 0 };
  g_autofree char *stored = NULL;
  WsPeer *asked = NULL;

  start_held_refresh (&bed, &asked);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  ws_run_for (100 * MSEC);
  g_assert_false (bed.stopped);
  answer_refresh (asked, "{\"access_token\":\"good\",\"refresh_token\":\"next\"}");
  ws_wait_for (bed.stopped);
  g_assert_true (g_file_get_contents (bed.refresh_file, &stored, NULL, NULL));
  g_assert_cmpstr (stored, ==, "next\n");
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

/* That fails: the connection at hand stays. */
static void
test_renewal_fails (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 1;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  bed.refresh_status = 503;
  ws_wait_for (bed.n_refreshes == 2);
  ws_run_for (300 * MSEC);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
}

static void
test_token_changed (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  /* Written anew, but the same. */
  bed_set_token (&bed, "good");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);

  bed_set_bearer (&bed, "better");
  bed_set_token (&bed, "better");
  wait_for_connections (&bed, 2);
  ws_wait_for (((WsPeer *) bed.server->peers->pdata[0])->close_code == 1000);
}

/* While waiting for something else. */
static void
test_token_changed_waiting (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  bed.server->answer = g_strdup ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_clear_pointer (&bed.server->answer, g_free);
  bed_set_bearer (&bed, "better");
  bed_set_token (&bed, "better");
  wait_for_connections (&bed, 1);
}

/* While the server said when to come back: the new token is for then. */
static void
test_token_changed_retry_after (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 start = (guint64) g_get_real_time ();

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\n"
                                 "Retry-After: 2\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_clear_pointer (&bed.server->answer, g_free);
  bed_set_bearer (&bed, "better");
  bed_set_token (&bed, "better");
  wait_for_connections (&bed, 1);
  g_assert_cmpuint ((guint64) g_get_real_time (), >=, start + 2 * SEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-renewal", g_test_verbose () ? LOG_DEBUG : LOG_ERR);
  g_test_add_func ("/renewal/no-token", test_no_token);
  g_test_add_func ("/renewal/refused", test_refused);
  g_test_add_func ("/renewal/refused-twice", test_refused_twice);
  g_test_add_func ("/renewal/refused-renewed", test_refused_renewed);
  g_test_add_func ("/renewal/refused-by-message", test_refused_by_message);
  g_test_add_func ("/renewal/endpoint-down", test_endpoint_down);
  g_test_add_func ("/renewal/endpoint-refuses", test_endpoint_refuses);
  g_test_add_func ("/renewal/expired", test_expired);
  g_test_add_func ("/renewal/expired-for-good", test_expired_for_good);
  g_test_add_func ("/renewal/expired-again", test_expired_again);
  g_test_add_func ("/renewal/renewed-ahead", test_renewed_ahead);
  g_test_add_func ("/renewal/wrong-clock", test_wrong_clock);
  g_test_add_func ("/renewal/configure-refreshing", test_configure_refreshing);
  g_test_add_func ("/renewal/stop-refreshing", test_stop_refreshing);
  g_test_add_func ("/renewal/renewal-fails", test_renewal_fails);
  g_test_add_func ("/renewal/token-changed", test_token_changed);
  g_test_add_func ("/renewal/token-changed-waiting", test_token_changed_waiting);
  g_test_add_func ("/renewal/token-changed-retry-after", test_token_changed_retry_after);
  return g_test_run ();
}
