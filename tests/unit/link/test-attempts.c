/* SPDX-License-Identifier: MIT */
#include "link/connector.h"

#include <string.h>

#include "common/log.h"
#include "link/connector-private.h"
#include "tests/unit/link/connector-bed.h"
#include "tests/unit/link/no-names.h"

/* ---- after a failure ---- */

static void
test_retry_after (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 start = (guint64) g_get_real_time ();

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpstr (bed.status->error_code, ==, "UNAVAILABLE");
  g_assert_cmpuint (bed.status->next_attempt_usec, >=, start + 2 * SEC);
  g_assert_cmpuint (bed.status->next_attempt_usec, <, start + 4 * SEC);
  g_assert_true (relay_connector_is_trying (bed.connector));
  g_clear_pointer (&bed.server->answer, g_free);
  wait_for_connections (&bed, 1);
  g_assert_cmpuint ((guint64) g_get_real_time (), >=, start + 2 * SEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

static void
test_connect_now (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_clear_pointer (&bed.server->answer, g_free);
  relay_connector_connect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  /* The trouble is shown until it is overcome. */
  g_assert_cmpstr (bed.status->error_code, ==, "UNAVAILABLE");
  wait_for_connections (&bed, 1);
}

static void
test_max_attempts (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  bed.options.max_attempts = 3;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_DISCONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 3);
  g_assert_cmpuint (bed.status->attempts, ==, 3);
  g_assert_cmpstr (bed.status->error_code, ==, "HTTP_ERROR");
  g_assert_nonnull (strstr (bed.status->error_text, "prpctl connect"));
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  g_assert_false (relay_connector_is_trying (bed.connector));

  relay_connector_connect (bed.connector);
  wait_for_state (&bed, RELAY_STATE_DISCONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 6);

  /* A new configuration is a reason to try again, too. */
  g_clear_pointer (&bed.server->answer, g_free);
  relay_connector_configure (bed.connector, &bed.options);
  wait_for_connections (&bed, 1);
}

static void
test_backoff (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("");
  bed.options.initial_delay_usec = 100 * MSEC;
  bed.options.max_delay_usec = 100 * MSEC;
  bed_start (&bed);
  ws_wait_for (bed.status->attempts >= 4);
  g_assert_cmpstr (bed.status->error_code, ==, "CONNECTION_LOST");
  g_assert_cmpuint (bed.server->peers->len, ==, bed.status->attempts);
}

/* The loss of a stable connection is no failed attempt, but the first reason to wait: the next ceiling is twice as high. */
static void
test_backoff_after_loss (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.stable_usec = 50 * MSEC;
  bed.options.initial_delay_usec = 3600 * SEC;
  bed.options.max_delay_usec = 4 * 3600 * SEC;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  ws_wait_for (bed.connector->is_stable);
  g_clear_pointer (&bed.server->answer, g_free);
  bed.server->answer = g_strdup ("");
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_cmpuint (bed.connector->n_setbacks, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + 3600 * SEC);

  relay_connector_connect (bed.connector);
  ws_wait_for (bed.status->attempts == 1 && bed.status->state == RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.connector->n_setbacks, ==, 2);

  /* A network that changes is a new start. */
  relay_connector_hasten (bed.connector, FALSE);
  g_assert_cmpuint (bed.connector->n_setbacks, ==, 0);
}

/* ---- without a network ---- */

static void
test_offline (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  g_free (bed.url);
  bed.options.link.url = bed.url = g_strdup ("ws://no-such-host.invalid/");
  bed_start (&bed);
  relay_connector_set_network (bed.connector, FALSE);
  wait_for_state (&bed, RELAY_STATE_OFFLINE);
  g_assert_cmpstr (bed.status->error_code, ==, "DNS");
  g_assert_cmpuint (bed.status->attempts, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time ());
  g_assert_false (relay_connector_is_trying (bed.connector));

  /* Still not back: no reason to hurry. */
  relay_connector_set_network (bed.connector, FALSE);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_OFFLINE);
  /* Back: at once, nearly. This time it is not the network's fault. */
  relay_connector_set_network (bed.connector, TRUE);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
  ws_wait_for (bed.status->attempts == 2 && bed.status->state == RELAY_STATE_WAITING);
  /* Another one: so once more. */
  relay_connector_set_network (bed.connector, TRUE);
  ws_wait_for (bed.status->attempts == 3 && bed.status->state == RELAY_STATE_WAITING);
}

/* A server on this machine needs no network. */
static void
test_offline_loopback (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_set_network (bed.connector, FALSE);
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  wait_for_connections (&bed, 2);
}

/* ---- after a sleep ---- */

/* What was planned comes at once, and what failed before counts no more; but when the server said when, it is kept to. */
static void
test_hasten_waiting (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  bed.server->answer = g_strdup ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_free (bed.server->answer);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n");
  relay_connector_hasten (bed.connector, TRUE);
  g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
  ws_wait_for (bed.server->peers->len == 2 && bed.status->state == RELAY_STATE_WAITING);

  relay_connector_hasten (bed.connector, TRUE);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time () + 2000 * SEC);
}

/* The backoff starts anew: initial delay, as after the first failure. */
static void
test_hasten_forgives (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("");
  bed.options.initial_delay_usec = 1 * SEC;
  bed.options.max_delay_usec = 3600 * SEC;
  bed_start (&bed);
  for (guint i = 1; i <= 12; i++) {
    ws_wait_for (bed.status->attempts == i && bed.status->state == RELAY_STATE_WAITING);
    relay_connector_hasten (bed.connector, TRUE);
  }
  ws_wait_for (bed.status->attempts == 13 && bed.status->state == RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + SEC);
}

/* A connection that turns out to be dead: there is no reason to wait, unless it happens again. */
static void
test_hasten_dead (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 1000000 * SEC;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  relay_connector_hasten (bed.connector, TRUE);
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
  wait_for_connections (&bed, 2);

  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
}

/* Names that do not resolve yet. */
static void
test_hasten_names (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 1000000 * SEC;
  g_free (bed.url);
  bed.options.link.url = bed.url = g_strdup ("ws://no-such-host.invalid/");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
  relay_connector_hasten (bed.connector, TRUE);
  for (guint i = 2; i <= 4; i++) {
    ws_wait_for (bed.status->attempts == i && bed.status->state == RELAY_STATE_WAITING);
    g_assert_cmpuint (bed.status->next_attempt_usec, <=, (guint64) g_get_real_time () + RELAY_CONNECTOR_HASTE_USEC);
  }
}

/* A handshake from before has nobody to answer it. */
static void
test_hasten_handshake (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->silent = TRUE;
  bed_start (&bed);
  ws_wait_for (bed.server->peers->len == 1);
  relay_connector_hasten (bed.connector, FALSE);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  bed.server->silent = FALSE;
  relay_connector_hasten (bed.connector, TRUE);
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
}

/* While connected: the connection is to prove that it is alive. */
static void
test_hasten_up (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  g_assert_cmpint (relay_connector_get_alive (bed.connector), >, 0);
  relay_connector_hasten (bed.connector, TRUE);
  ws_wait_for (service_count (ws_server_last (bed.server), "ping") == 1);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.status->connections, ==, 1);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  no_names_install ();
  relay_log_init ("test-attempts", g_test_verbose () ? LOG_DEBUG : LOG_ERR);
  g_test_add_func ("/attempts/retry-after", test_retry_after);
  g_test_add_func ("/attempts/connect-now", test_connect_now);
  g_test_add_func ("/attempts/max-attempts", test_max_attempts);
  g_test_add_func ("/attempts/backoff", test_backoff);
  g_test_add_func ("/attempts/backoff-after-loss", test_backoff_after_loss);
  g_test_add_func ("/attempts/offline", test_offline);
  g_test_add_func ("/attempts/offline-loopback", test_offline_loopback);
  g_test_add_func ("/attempts/hasten-waiting", test_hasten_waiting);
  g_test_add_func ("/attempts/hasten-forgives", test_hasten_forgives);
  g_test_add_func ("/attempts/hasten-dead", test_hasten_dead);
  g_test_add_func ("/attempts/hasten-names", test_hasten_names);
  g_test_add_func ("/attempts/hasten-handshake", test_hasten_handshake);
  g_test_add_func ("/attempts/hasten-up", test_hasten_up);
  return g_test_run ();
}
