/* SPDX-License-Identifier: MIT */
#include "link/connector.h"

#include <string.h>

#include "common/log.h"
#include "tests/unit/link/connector-bed.h"

static void
on_stopped (gpointer user_data)
{
  Bed *bed = user_data;

  g_assert_false (bed->stopped);
  bed->stopped = TRUE;
}

/* ---- connected ---- */

static void
test_connect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_start (&bed);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  g_assert_true (relay_connector_is_trying (bed.connector));
  bed_ping (&bed);
  g_assert_cmpint (bed.ping, ==, RELAY_ERROR_NOT_CONNECTED);
  wait_for_connections (&bed, 1);
  g_assert_cmpstr (bed.status->connection_id, ==, "conn_abc123");
  g_assert_cmpstr (bed.status->error_code, ==, "");
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_cmpuint (bed.status->connected_since_usec, >, 0);
  g_assert_cmpuint (bed.status->token_expires_usec, ==, 0);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");

  /* No effect while connected. */
  relay_connector_connect (bed.connector);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 1);
  bed_ping (&bed);
  ws_wait_for (bed.ping == -1);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

/* A query may hold a secret: it is sent, and not shown. */
static void
test_query (void)
{
  g_auto (Bed) bed = { 0 };
  g_autofree char *url = NULL;

  bed_init (&bed);
  url = g_strconcat (bed.url, "?key=s3cret", NULL);
  bed.options.link.url = url;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  g_assert_nonnull (strstr (ws_server_last (bed.server)->request, "?key=s3cret"));
}

typedef enum { END_ABORT = 1, END_FIN = 2 } End; /* or a close code */

/* All channels come back in one message, however the connection ended. */
static void
test_resubscribe (gconstpointer data)
{
  guint end = GPOINTER_TO_UINT (data);
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;
  g_autofree char *action = NULL;
  guint n_channels;

  bed_connect (&bed);
  for (guint i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf ("project:%u", i);

    relay_subscriptions_set_durable (bed.subscriptions, name, TRUE);
  }
  ws_wait_for (bed_is_active (&bed, "project:299"));
  peer = ws_server_last (bed.server);
  if (end == END_ABORT) {
    ws_peer_abort (peer);
  } else {
    if (end != END_FIN)
      ws_peer_send_close (peer, end, "for a test");
    ws_peer_end (peer);
  }
  ws_wait_for (bed.status->state == RELAY_STATE_WAITING);
  g_assert_false (bed_is_active (&bed, "project:299"));
  g_assert_cmpstr (bed.status->error_code, !=, "");
  g_assert_cmpuint (bed.status->attempts, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time ());
  g_assert_cmpuint (bed.status->connected_since_usec, ==, 0);
  g_assert_cmpstr (bed.status->connection_id, ==, "");

  wait_for_connections (&bed, 2);
  ws_wait_for (bed_is_active (&bed, "project:299"));
  peer = ws_server_last (bed.server);
  g_assert_cmpuint (peer->texts->len, ==, 1);
  action = service_get_action (peer->texts->pdata[0], &n_channels);
  g_assert_cmpstr (action, ==, "subscribe");
  g_assert_cmpuint (n_channels, ==, 300);
  g_assert_cmpstr (bed.status->error_code, ==, "");
}

static void
test_stable (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.stable_usec = 150 * MSEC;
  bed_start (&bed);
  for (guint i = 1; i <= 3; i++) {
    wait_for_connections (&bed, i);
    g_assert_cmpuint (bed.status->attempts, ==, i - 1);
    if (i < 3) {
      ws_peer_abort (ws_server_last (bed.server));
      ws_wait_for (bed.status->state != RELAY_STATE_CONNECTED);
    }
  }
  ws_wait_for (bed.status->attempts == 0);
  /* The end of a connection that was stable is no failed attempt. */
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
}

static void
test_paused (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_start (&bed);
  /* Also a connection that is only just being made. */
  relay_connector_set_paused (bed.connector, TRUE);
  ws_wait_for (ws_server_count (bed.server) == 1);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.status->connections, ==, 0);
  relay_connector_set_paused (bed.connector, FALSE);
  wait_for_connections (&bed, 1);
  relay_connector_set_paused (bed.connector, TRUE);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_DELETED);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_events, ==, 0);
  relay_connector_set_paused (bed.connector, FALSE);
  ws_wait_for (bed.n_events == 1);
}

/* ---- asked for ---- */

static void
test_disconnect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_disconnect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
  ws_wait_for (ws_server_last (bed.server)->ended);
  g_assert_cmpuint (ws_server_last (bed.server)->close_code, ==, 1000);
  g_assert_false (relay_connector_is_trying (bed.connector));
  /* Neither time nor new credentials change that. */
  bed_set_token (&bed, "better");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpstr (bed.status->error_code, ==, "");

  bed_set_token (&bed, "good");
  relay_connector_connect (bed.connector);
  wait_for_connections (&bed, 2);
}

/* Connect while the closing handshake is still under way. */
static void
test_disconnect_connect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_disconnect (bed.connector);
  relay_connector_connect (bed.connector);
  relay_connector_disconnect (bed.connector);
  relay_connector_connect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

/* At any time of an attempt. */
static void
test_disconnect_early (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->silent = TRUE;
  bed_start (&bed);
  relay_connector_disconnect (bed.connector);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 0);
  relay_connector_connect (bed.connector);
  ws_wait_for (bed.server->peers->len == 1);
  relay_connector_disconnect (bed.connector);
  ws_wait_for (ws_server_last (bed.server)->ended);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
}

static void
test_stop (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  g_assert_false (bed.stopped);
  ws_wait_for (bed.stopped);
  g_assert_cmpuint (ws_server_last (bed.server)->close_code, ==, 1001);
  relay_connector_connect (bed.connector);
  relay_connector_disconnect (bed.connector);
  relay_connector_configure (bed.connector, &bed.options);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
}

static void
test_stop_deaf (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  bed.server->deaf_to_close = TRUE;
  relay_connector_stop (bed.connector, on_stopped, &bed);
  ws_wait_for (bed.stopped);
}

static void
test_stop_unconnected (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  g_assert_false (bed.stopped);
  ws_wait_for (bed.stopped);
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

static void
test_configure (void)
{
  g_auto (Bed) bed = { 0 };
  g_autoptr (WsServer) other = ws_server_new ();
  g_autofree char *other_url = ws_server_get_url (other);

  bed_connect (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:bad", TRUE);
  ws_wait_for (relay_subscriptions_lookup (bed.subscriptions, "project:bad")->state == RELAY_CHANNEL_REJECTED);

  /* Nothing new: the connection stays, what was refused is asked for again. */
  relay_connector_configure (bed.connector, &bed.options);
  ws_wait_for (service_count (ws_server_last (bed.server), "subscribe") == 2);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);

  /* Another token. */
  bed_set_bearer (&bed, "better");
  bed.options.tokens.token_file = NULL;
  bed.options.tokens.token_command = (char **) (const char *const[]){ "echo", "better", NULL };
  relay_connector_configure (bed.connector, &bed.options);
  wait_for_connections (&bed, 2);
  ws_wait_for (((WsPeer *) bed.server->peers->pdata[0])->close_code == 1000);

  /* Another server. */
  service_set_greeting (other, TRUE);
  bed.options.link.url = other_url;
  relay_connector_configure (bed.connector, &bed.options);
  g_assert_cmpstr (bed.status->url, ==, other_url);
  wait_for_connections (&bed, 3);
  g_assert_cmpuint (ws_server_count (other), ==, 1);
  g_clear_pointer (&bed.connector, relay_connector_free);
}

/* ---- what was missed ---- */

static void
connect_channels (Bed *bed)
{
  bed_init (bed);
  bed->options.gap_usec = 300 * MSEC;
  relay_subscriptions_hold (bed->subscriptions, "project:a");
  relay_subscriptions_hold (bed->subscriptions, "project:b");
  bed_start (bed);
  wait_for_connections (bed, 1);
  ws_wait_for (bed_is_active (bed, "project:a") && bed_is_active (bed, "project:b"));
}

/* A server that says goodbye in good order has said all until then. */
static void
test_gap_disconnect (gconstpointer data)
{
  gboolean stop = GPOINTER_TO_INT (data);
  g_auto (Bed) bed = { 0 };
  gint64 before;

  connect_channels (&bed);
  ws_run_for (200 * MSEC);
  before = g_get_real_time ();
  if (stop)
    relay_connector_stop (bed.connector, on_stopped, &bed);
  else
    relay_connector_disconnect (bed.connector);
  g_assert_cmpint (relay_coverage_get_since (bed.coverage, "project:a"), <, before);
  if (stop)
    ws_wait_for (bed.stopped);
  else
    ws_wait_for (relay_coverage_get_since (bed.coverage, "project:a") >= before);
  g_assert_cmpint (relay_coverage_get_since (bed.coverage, "project:b"), >=, before);
  if (stop)
    return;
  relay_connector_connect (bed.connector);
  ws_wait_for (bed.gaps->len > 0);
  g_assert_cmpint (bed.gap_since_usec, >=, before);
  bed_expect_gaps (&bed, "DISCONNECTED project:a project:b");
}

/* Confirms project:a, and will hear of anything else later. */
static void
answer_half (WsPeer *peer, const char *text, gpointer user_data)
{
  g_autofree char *busy = service_error ("RATE_LIMITED", NULL, NULL);

  if (strstr (text, "project:a") != NULL)
    ws_peer_send_text (peer, "{\"id\":\"m\",\"type\":\"subscription.confirmed\",\"timestamp\":\"t\",\"data\":{"
                             "\"subscribedChannels\":[\"project:a\"]}}");
  ws_peer_send_text (peer, busy);
}

/* A server that has us wait for some channels is no reason not to tell of the others. */
static void
test_gap_in_parts (void)
{
  g_auto (Bed) bed = { 0 };

  connect_channels (&bed);
  bed.server->text = answer_half;
  ws_peer_abort (ws_server_last (bed.server));
  ws_wait_for (bed.gaps->len > 0);
  g_assert_false (bed_is_active (&bed, "project:b"));
  bed_expect_gaps (&bed, "CONNECTION_LOST project:a");
  bed.server->text = service_answer;
  ws_wait_for (bed.gaps->len > 0);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:b");
}

/* ---- freed at any time ---- */

static void
test_free (gconstpointer data)
{
  RelayState state = GPOINTER_TO_INT (data);
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  if (state == RELAY_STATE_WAITING)
    bed.server->answer = g_strdup ("");
  bed_start (&bed);
  wait_for_state (&bed, state);
  if (state == RELAY_STATE_CONNECTED) {
    bed_ping (&bed);
    relay_connector_disconnect (bed.connector);
    g_assert_cmpint (bed.ping, ==, RELAY_ERROR_NOT_CONNECTED);
  }
  g_clear_pointer (&bed.connector, relay_connector_free);
  ws_run_for (50 * MSEC);
}

int
main (int argc, char **argv)
{
  static const guint ends[] = { END_ABORT, END_FIN, 1000, 1001, 1011, 1012, 4000 };
  static const RelayState states[] = { RELAY_STATE_CONNECTING, RELAY_STATE_CONNECTED, RELAY_STATE_WAITING };

  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-connector", g_test_verbose () ? LOG_DEBUG : LOG_ERR);
  g_test_add_func ("/connector/connect", test_connect);
  g_test_add_func ("/connector/query", test_query);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree char *path = g_strdup_printf ("/connector/resubscribe/%u", ends[i]);

    g_test_add_data_func (path, GUINT_TO_POINTER (ends[i]), test_resubscribe);
  }
  g_test_add_func ("/connector/stable", test_stable);
  g_test_add_func ("/connector/paused", test_paused);
  g_test_add_func ("/connector/disconnect", test_disconnect);
  g_test_add_func ("/connector/disconnect-connect", test_disconnect_connect);
  g_test_add_func ("/connector/disconnect-early", test_disconnect_early);
  g_test_add_func ("/connector/stop", test_stop);
  g_test_add_func ("/connector/stop-deaf", test_stop_deaf);
  g_test_add_func ("/connector/stop-unconnected", test_stop_unconnected);
  g_test_add_func ("/connector/configure", test_configure);
  g_test_add_data_func ("/connector/gap/disconnect", GINT_TO_POINTER (FALSE), test_gap_disconnect);
  g_test_add_data_func ("/connector/gap/stop", GINT_TO_POINTER (TRUE), test_gap_disconnect);
  g_test_add_func ("/connector/gap/in-parts", test_gap_in_parts);
  for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
    g_autofree char *path = g_strdup_printf ("/connector/free/%s", relay_state_to_string (states[i]));

    g_test_add_data_func (path, GINT_TO_POINTER (states[i]), test_free);
  }
  return g_test_run ();
}
