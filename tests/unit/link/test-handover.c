/* SPDX-License-Identifier: MIT */
#include <glib/gstdio.h>
#include <string.h>

#include "common/log.h"
#include "tests/unit/link/connector-bed.h"

/* The server's connection @i, the first being 0. */
static WsPeer *
peer (Bed *bed, guint i)
{
  ws_wait_for (bed->server->peers->len > i);
  return bed->server->peers->pdata[i];
}

/* Says nothing about channels. */
static void
ignore (WsPeer *ignored, const char *text, gpointer user_data)
{
}

static void
confirm_all (WsPeer *to)
{
  for (guint i = 0; i < to->texts->len; i++)
    service_answer (to, to->texts->pdata[i], NULL);
}

/* Connected, with two channels that are active, and an endpoint that renews. @handover_usec: how long the new connection
 * may take; 0: the default. */
static void
start_with (Bed *bed, guint64 handover_usec)
{
  bed_init (bed);
  bed->options.handover_usec = handover_usec;
  bed_add_endpoint (bed);
  relay_subscriptions_set_durable (bed->subscriptions, "project:a", TRUE);
  relay_subscriptions_hold (bed->subscriptions, "project:b");
  bed_start (bed);
  wait_for_connections (bed, 1);
  ws_wait_for (bed_is_active (bed, "project:a") && bed_is_active (bed, "project:b"));
}

static void
start (Bed *bed)
{
  start_with (bed, 0);
}

/* … and a second connection on which nothing is answered yet. */
static void
begin_unanswered (Bed *bed)
{
  bed->server->text = ignore;
  ws_peer_send_text (peer (bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (service_count (peer (bed, 1), "subscribe") == 1);
}

static void
start_unanswered (Bed *bed)
{
  start (bed);
  begin_unanswered (bed);
}

#define assert_unbroken(bed) \
  G_STMT_START { \
    g_assert_cmpstr ((bed)->states->str, ==, "connecting connected "); \
    g_assert_true (bed_is_active ((bed), "project:a") && bed_is_active ((bed), "project:b")); \
    bed_expect_gaps ((bed), ""); \
  } G_STMT_END

static void
test_three_in_a_row (void)
{
  g_auto (Bed) bed = { 0 };

  start (&bed);
  for (guint i = 0; i < 3; i++) {
    ws_peer_send_text (peer (&bed, i), SERVICE_TOKEN_EXPIRED);
    wait_for_connections (&bed, i + 2);
    ws_wait_for (peer (&bed, i)->close_code == 1000 && peer (&bed, i)->ended);
  }
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.n_refreshes, ==, 3);
  g_assert_cmpuint (ws_server_count (bed.server), ==, 4);
}

/* What comes over either of them is relayed. */
static void
test_both_are_heard (void)
{
  g_auto (Bed) bed = { 0 };

  start_unanswered (&bed);
  ws_peer_send_text (peer (&bed, 0), SERVICE_DELETED);
  ws_peer_send_text (peer (&bed, 1), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 2);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (peer (&bed, 0)->close_code, ==, 0); /* not before all is confirmed */
  confirm_all (peer (&bed, 1));
  ws_wait_for (peer (&bed, 0)->close_code == 1000);
  assert_unbroken (&bed);
}

/* The first one ends while the second is being asked. */
static void
test_old_one_dies (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 before;

  start_unanswered (&bed);
  ws_peer_send_text (peer (&bed, 1), "{\"id\":\"m\",\"type\":\"subscription.confirmed\",\"timestamp\":\"t\",\"data\":{"
                                     "\"subscribedChannels\":[\"project:a\"]}}");
  ws_peer_send_text (peer (&bed, 1), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 1);
  ws_run_for (50 * MSEC);
  ws_peer_send_text (peer (&bed, 0), SERVICE_HEARTBEAT); /* is alive after that */
  ws_run_for (50 * MSEC);
  before = (guint64) g_get_real_time ();
  ws_peer_abort (peer (&bed, 0));
  ws_wait_for (!bed_is_active (&bed, "project:b"));
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");
  g_assert_true (bed_is_active (&bed, "project:a"));
  g_assert_cmpuint (bed.status->connections, ==, 2);
  bed_expect_gaps (&bed, "");
  confirm_all (peer (&bed, 1));
  ws_wait_for (bed_is_active (&bed, "project:b") && bed.gaps->len > 0);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:b");
  g_assert_cmpuint (bed.gap_since_usec, <=, before);
  g_assert_cmpuint (bed.gap_until_usec, >=, before);
}

/* … and before that, while it is being made. */
static void
test_old_one_dies_early (void)
{
  g_auto (Bed) bed = { 0 };

  bed.options.link.handshake_timeout_usec = 0;
  start (&bed);
  bed.server->silent = TRUE;
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (peer (&bed, 1)->request != NULL);
  bed.server->silent = FALSE;
  ws_peer_abort (peer (&bed, 0));
  wait_for_state (&bed, RELAY_STATE_CONNECTING);
  g_assert_cmpstr (bed.status->error_code, ==, "CONNECTION_LOST");
  g_assert_false (bed_is_active (&bed, "project:a"));
  ws_peer_abort (peer (&bed, 1));
  wait_for_connections (&bed, 2);
  ws_wait_for (bed.gaps->len > 0);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:a project:b");
}

/* The second one ends: the first goes on, and is asked for what is new. Another attempt follows. */
static void
test_new_one_dies (void)
{
  g_auto (Bed) bed = { 0 };

  start_unanswered (&bed);
  relay_subscriptions_hold (bed.subscriptions, "project:c");
  ws_wait_for (service_count (peer (&bed, 1), "subscribe") == 2);
  ws_peer_abort (peer (&bed, 1));
  ws_wait_for (service_count (peer (&bed, 0), "subscribe") == 2);
  assert_unbroken (&bed);
  bed.server->text = service_answer;
  confirm_all (peer (&bed, 0));
  ws_wait_for (bed_is_active (&bed, "project:c"));
  wait_for_connections (&bed, 2);
  ws_wait_for (peer (&bed, 0)->close_code == 1000);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.n_refreshes, ==, 1); /* the new token was good */
}

/* Nothing is answered on the second one, ever. */
static void
test_new_one_is_slow (void)
{
  g_auto (Bed) bed = { 0 };

  start_with (&bed, 200 * MSEC);
  bed.server->text = ignore;
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  peer (&bed, 2); /* a second attempt */
  ws_wait_for (peer (&bed, 1)->close_code == 1000);
  assert_unbroken (&bed);
  bed.server->text = service_answer;
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
}

/* … or it is not read, as the bus takes no more: then it is no fault of the server's, and the new one has all the time. */
static void
test_new_one_is_paused (void)
{
  g_auto (Bed) bed = { 0 };

  start_with (&bed, 200 * MSEC);
  begin_unanswered (&bed);
  relay_connector_set_paused (bed.connector, TRUE);
  confirm_all (peer (&bed, 1));
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (peer (&bed, 0)->close_code, ==, 0);
  g_assert_cmpuint (peer (&bed, 1)->close_code, ==, 0);
  bed.server->text = service_answer;
  relay_connector_set_paused (bed.connector, FALSE);
  wait_for_connections (&bed, 2);
  ws_wait_for (peer (&bed, 0)->close_code == 1000);
  assert_unbroken (&bed);
}

/* The server is busy for a while: the first one goes on, and the server is left in peace as long as it asks for. */
static void
test_new_one_is_put_off (void)
{
  g_auto (Bed) bed = { 0 };
  gint64 asked_usec;

  start (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  peer (&bed, 1);
  asked_usec = g_get_monotonic_time ();
  ws_wait_for (bed.server->peers->len == 3);
  g_assert_cmpint (g_get_monotonic_time () - asked_usec, >=, 1 * SEC);
  assert_unbroken (&bed);
  g_clear_pointer (&bed.server->answer, g_free);
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

/* The new token is no better: the first connection goes on as long as it lasts, then it is over. */
static void
test_new_one_is_refused (void)
{
  g_auto (Bed) bed = { 0 };

  start (&bed);
  bed.granted = g_strdup ("bad");
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (bed.server->n_refused == 1);
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_peer_send_text (peer (&bed, 0), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 1);
  ws_run_for (600 * MSEC);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);

  ws_peer_send_close (peer (&bed, 0), 4001, "expired");
  ws_peer_end (peer (&bed, 0));
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

/* Somebody writes a token that is no good: what is at hand goes on, until a better one comes. */
static void
test_bad_file (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  relay_subscriptions_set_durable (bed.subscriptions, "project:b", TRUE);
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  ws_wait_for (bed_is_active (&bed, "project:a") && bed_is_active (&bed, "project:b"));
  bed_set_token (&bed, "bad");
  ws_wait_for (bed.server->n_refused == 1);
  ws_run_for (600 * MSEC);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.server->n_refused, ==, 1);

  bed_set_bearer (&bed, "better");
  bed_set_token (&bed, "better");
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
}

/* The fruit of a renewal that nobody had to ask for is refused: it is renewed once more. */
static void
test_refused_ahead (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 2;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  bed.granted = g_strdup ("bad");
  ws_wait_for (bed.server->n_refused == 1);
  g_clear_pointer (&bed.granted, g_free);
  bed.life_sec = 3600;
  wait_for_connections (&bed, 2);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");
  g_assert_cmpuint (bed.n_refreshes, ==, 3);
}

/* The second token expires before it was of any use. */
static void
test_expired_meanwhile (void)
{
  g_auto (Bed) bed = { 0 };

  start_unanswered (&bed);
  ws_peer_send_text (peer (&bed, 1), SERVICE_TOKEN_EXPIRED);
  bed.server->text = service_answer;
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (bed.server->peers->len, ==, 3);
  ws_wait_for (peer (&bed, 1)->close_code == 1000 && peer (&bed, 0)->close_code == 1000);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
}

/* The server ends the first one as soon as it has said that the token is over. */
static void
test_server_ends_it (void)
{
  g_auto (Bed) bed = { 0 };

  start (&bed);
  bed.options.initial_delay_usec = 3600 * SEC;
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_peer_send_close (peer (&bed, 0), 4001, "expired");
  ws_peer_end (peer (&bed, 0));
  wait_for_connections (&bed, 2);
  ws_wait_for (bed_is_active (&bed, "project:b") && bed.gaps->len > 0);
  bed_expect_gaps (&bed, "CLOSED project:a project:b");
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

/* In the middle of it, whatever is asked: both are closed. */
static void
test_interrupted (gconstpointer data)
{
  guint what = GPOINTER_TO_UINT (data);
  g_auto (Bed) bed = { 0 };

  start_unanswered (&bed);
  switch (what) {
  case 0:
    relay_connector_disconnect (bed.connector);
    g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
    break;
  case 1:
    relay_connector_configure (bed.connector, &bed.options);
    bed.server->text = service_answer;
    wait_for_connections (&bed, 2);
    ws_wait_for (peer (&bed, 2)->upgraded && peer (&bed, 2)->close_code == 0);
    break;
  default:
    g_clear_pointer (&bed.connector, relay_connector_free);
    ws_wait_for (peer (&bed, 0)->ended && peer (&bed, 1)->ended);
    return;
  }
  ws_wait_for (peer (&bed, 0)->close_code == 1000 && peer (&bed, 1)->close_code == 1000);
  if (what == 0) {
    bed.server->text = service_answer;
    relay_connector_connect (bed.connector);
    wait_for_connections (&bed, 2);
    ws_wait_for (bed.gaps->len > 0);
    bed_expect_gaps (&bed, "DISCONNECTED project:a project:b");
  }
}

/* ---- what was missed ---- */

#define CONFIRMED(channel) \
  "{\"id\":\"m\",\"type\":\"subscription.confirmed\",\"timestamp\":\"t\",\"data\":{\"subscribedChannels\":[\"" channel "\"]}}"

static gint64
get_since (Bed *bed, const char *channel)
{
  return relay_coverage_get_since (bed->coverage, channel);
}

/* A second connection has taken over; the first one was told so, and does not answer that. Returns when it was last heard. */
static guint64
start_unproven (Bed *bed)
{
  guint64 heard;

  start_unanswered (bed);
  heard = (guint64) g_get_real_time ();
  ws_run_for (50 * MSEC);
  bed->server->deaf_to_close = TRUE;
  confirm_all (peer (bed, 1));
  ws_wait_for (peer (bed, 0)->close_code == 1000);
  bed_expect_gaps (bed, "");
  return heard;
}

/* What the service had for the first one, and held back, is lost with it. */
static void
test_held_back (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 heard = start_unproven (&bed);

  bed.server->text = service_answer;
  ws_peer_abort (peer (&bed, 0));
  ws_wait_for (bed.gaps->len > 0);
  g_assert_cmpuint (bed.gap_since_usec, <=, heard);
  g_assert_cmpuint (bed.gap_until_usec, >, heard);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");
  bed_expect_gaps (&bed, "CONNECTION_LOST project:a project:b");
}

/* It never ends: cut after a while. Meanwhile it is not taken for granted that it brought all. */
static void
test_never_ends (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 heard = start_unproven (&bed);

  ws_peer_send_text (peer (&bed, 1), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 1);
  ws_run_for (50 * MSEC);
  g_assert_cmpint (relay_connector_get_alive (bed.connector), <=, heard);
  g_assert_cmpint (relay_connector_get_alive (bed.connector), >, 0);
  ws_wait_for (bed.gaps->len > 0);
  g_assert_cmpint (relay_connector_get_alive (bed.connector), >, heard);
  g_assert_cmpuint (bed.gap_since_usec, <=, heard);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:a project:b");
}

/* The one that took over is lost before it. */
static void
test_both_die (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 heard = start_unproven (&bed);

  ws_peer_abort (peer (&bed, 1));
  ws_wait_for (!bed_is_active (&bed, "project:a"));
  g_assert_cmpint (get_since (&bed, "project:a"), >, heard);
  ws_peer_abort (peer (&bed, 0));
  ws_wait_for (get_since (&bed, "project:a") <= (gint64) heard && get_since (&bed, "project:b") <= (gint64) heard);
  bed.server->text = service_answer;
  ws_wait_for (strchr (bed.gaps->str, ',') != NULL);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:a project:b, CONNECTION_LOST project:a project:b");
}

static void
on_stopped (gpointer user_data)
{
  ((Bed *) user_data)->stopped = TRUE;
}

/* The relay ends while nothing is read. */
static void
test_stopped_while_paused (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 heard = start_unproven (&bed);

  relay_connector_set_paused (bed.connector, TRUE);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  ws_wait_for (bed.stopped);
  g_assert_cmpint (get_since (&bed, "project:a"), <=, heard);
  g_assert_cmpint (get_since (&bed, "project:a"), >, heard - 10 * G_USEC_PER_SEC);
}

/* Asked for on the second one alone, which ends. */
static void
test_asked_meanwhile (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 heard;

  start_unanswered (&bed);
  relay_subscriptions_hold (bed.subscriptions, "project:c");
  ws_wait_for (service_count (peer (&bed, 1), "subscribe") == 2);
  heard = (guint64) g_get_real_time () - 50 * MSEC; /* a tick of the kernel's may be missing */
  ws_peer_send_text (peer (&bed, 1), CONFIRMED ("project:c"));
  ws_wait_for (bed_is_active (&bed, "project:c"));
  ws_peer_abort (peer (&bed, 1));
  ws_wait_for (!bed_is_active (&bed, "project:c"));
  g_assert_cmpint (get_since (&bed, "project:c"), >=, heard);
  bed.server->text = service_answer;
  confirm_all (peer (&bed, 0));
  ws_wait_for (bed.gaps->len > 0);
  g_assert_cmpuint (bed.gap_since_usec, >=, heard);
  bed_expect_gaps (&bed, "CONNECTION_LOST project:c");
}

/* ---- what comes in between ---- */

/* Who waits for a pong of the first one is given that of the second one. */
static void
test_ping (void)
{
  g_auto (Bed) bed = { 0 };

  start_unanswered (&bed);
  bed_ping (&bed);
  ws_wait_for (service_count (peer (&bed, 0), "ping") == 1);
  bed.server->text = service_answer;
  confirm_all (peer (&bed, 1));
  ws_wait_for (bed.ping != 0);
  g_assert_cmpint (bed.ping, ==, -1);
  g_assert_cmpuint (service_count (peer (&bed, 1), "ping"), ==, 1);
}

/* A token that was forbidden says nothing about the one that came after it. */
static void
test_forbidden_before (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 2;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  bed.life_sec = 3600;
  bed.granted = g_strdup ("bad");
  bed.server->answer = g_strdup ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  ws_wait_for (bed.server->peers->len == 2 && peer (&bed, 1)->ended);
  g_clear_pointer (&bed.server->answer, g_free);
  g_clear_pointer (&bed.granted, g_free);
  relay_connector_hasten (bed.connector, TRUE);
  wait_for_connections (&bed, 2);
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_connections (&bed, 3);
}

/* The endpoint is down, and the configuration is read again: the service says only once that the token has expired. */
static void
test_reload_after_refusal (void)
{
  g_auto (Bed) bed = { 0 };

  start (&bed);
  bed.refresh_status = 502;
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (bed.n_refreshes == 1);
  ws_run_for (50 * MSEC);
  bed.refresh_status = 200;
  relay_connector_configure (bed.connector, &bed.options);
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
}

/* The server says when: another token is no reason to come sooner. */
static void
test_retry_after (void)
{
  g_auto (Bed) bed = { 0 };
  gint64 refused;

  start (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n");
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (peer (&bed, 1)->ended);
  refused = g_get_monotonic_time ();
  g_clear_pointer (&bed.server->answer, g_free);
  ws_run_for (50 * MSEC);
  bed_set_bearer (&bed, "newer");
  bed_set_token (&bed, "newer");
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (bed.server->peers->len == 3);
  g_assert_cmpint (g_get_monotonic_time () - refused, >=, 2 * G_USEC_PER_SEC - 100 * MSEC);
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
}

/* The new token is at its end before it was of any use, and there is no other one for a while. */
static void
test_endpoint_down (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed.options.link.handshake_timeout_usec = 1200 * MSEC;
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  relay_subscriptions_set_durable (bed.subscriptions, "project:b", TRUE);
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  ws_wait_for (bed_is_active (&bed, "project:a") && bed_is_active (&bed, "project:b"));
  bed.server->silent = TRUE;
  bed.life_sec = 1;
  ws_peer_send_text (peer (&bed, 0), SERVICE_TOKEN_EXPIRED);
  ws_wait_for (bed.n_refreshes == 1);
  bed.refresh_status = 502;
  ws_wait_for (bed.n_refreshes == 2);
  bed.server->silent = FALSE;
  bed.refresh_status = 200;
  bed.life_sec = 0;
  wait_for_connections (&bed, 2);
  assert_unbroken (&bed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-handover", g_test_verbose () ? LOG_DEBUG : LOG_ERR);
  g_test_add_func ("/link/handover/three-in-a-row", test_three_in_a_row);
  g_test_add_func ("/link/handover/both-are-heard", test_both_are_heard);
  g_test_add_func ("/link/handover/old-one-dies", test_old_one_dies);
  g_test_add_func ("/link/handover/old-one-dies-early", test_old_one_dies_early);
  g_test_add_func ("/link/handover/new-one-dies", test_new_one_dies);
  g_test_add_func ("/link/handover/new-one-is-slow", test_new_one_is_slow);
  g_test_add_func ("/link/handover/new-one-is-paused", test_new_one_is_paused);
  g_test_add_func ("/link/handover/new-one-is-put-off", test_new_one_is_put_off);
  g_test_add_func ("/link/handover/new-one-is-refused", test_new_one_is_refused);
  g_test_add_func ("/link/handover/bad-file", test_bad_file);
  g_test_add_func ("/link/handover/refused-ahead", test_refused_ahead);
  g_test_add_func ("/link/handover/expired-meanwhile", test_expired_meanwhile);
  g_test_add_func ("/link/handover/server-ends-it", test_server_ends_it);
  g_test_add_data_func ("/link/handover/interrupted/disconnect", GUINT_TO_POINTER (0), test_interrupted);
  g_test_add_data_func ("/link/handover/interrupted/reload", GUINT_TO_POINTER (1), test_interrupted);
  g_test_add_data_func ("/link/handover/interrupted/free", GUINT_TO_POINTER (2), test_interrupted);
  g_test_add_func ("/link/handover/held-back", test_held_back);
  g_test_add_func ("/link/handover/never-ends", test_never_ends);
  g_test_add_func ("/link/handover/both-die", test_both_die);
  g_test_add_func ("/link/handover/stopped-while-paused", test_stopped_while_paused);
  g_test_add_func ("/link/handover/asked-meanwhile", test_asked_meanwhile);
  g_test_add_func ("/link/handover/ping", test_ping);
  g_test_add_func ("/link/handover/forbidden-before", test_forbidden_before);
  g_test_add_func ("/link/handover/reload-after-refusal", test_reload_after_refusal);
  g_test_add_func ("/link/handover/retry-after", test_retry_after);
  g_test_add_func ("/link/handover/endpoint-down", test_endpoint_down);
  return g_test_run ();
}
