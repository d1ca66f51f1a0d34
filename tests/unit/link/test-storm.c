/* SPDX-License-Identifier: MIT */
#include <glib/gstdio.h>
#include <string.h>

#include "common/log.h"
#include "tests/unit/link/connector-bed.h"

/*
 * All that can happen to a connector, at random and in quick succession; whatever it was: when all is well again, there is one
 * connection that has all channels, and nothing was told that cannot be. `--seed` repeats a run.
 */
#define N_STORMS 20
#define N_STROKES 25

/* Says nothing about channels. */
static void
ignore (WsPeer *ignored, const char *text, gpointer user_data)
{
}

static gboolean
is_open (const WsPeer *peer)
{
  return peer->upgraded && !peer->ended && !peer->reset;
}

static WsPeer *
pick_peer (Bed *bed)
{
  WsPeer *peer = bed->server->peers->pdata[g_test_rand_int_range (0, (gint32) bed->server->peers->len)];

  return is_open (peer) ? peer : ws_server_last (bed->server);
}

static void
answer_all (Bed *bed)
{
  for (guint i = 0; i < bed->server->peers->len; i++) {
    WsPeer *peer = bed->server->peers->pdata[i];

    for (guint j = 0; is_open (peer) && j < peer->texts->len; j++)
      service_answer (peer, peer->texts->pdata[j], NULL);
  }
}

static void
set_answer (Bed *bed, const char *answer)
{
  g_free (bed->server->answer);
  bed->server->answer = g_strdup (answer);
}

/* What the service does. */
static void
strike_server (Bed *bed, guint what)
{
  static const guint codes[] = { 1000, 1001, 1011, 1013, 4000, 4001 };
  g_autofree char *error = service_error (what % 2 == 0 ? "AUTH_FAILED" : "RATE_LIMITED", NULL, NULL);
  WsPeer *peer = pick_peer (bed);

  switch (what) {
  case 0:
  case 1:
  case 2:
    if (is_open (peer))
      ws_peer_send_text (peer, SERVICE_TOKEN_EXPIRED);
    break;
  case 3:
    if (is_open (peer))
      ws_peer_abort (peer);
    break;
  case 4:
    if (is_open (peer)) {
      ws_peer_send_close (peer, codes[g_test_rand_int_range (0, G_N_ELEMENTS (codes))], "");
      ws_peer_end (peer);
    }
    break;
  case 5:
    bed->server->text = bed->server->text == ignore ? service_answer : ignore;
    break;
  case 6:
    answer_all (bed);
    break;
  case 7:
    bed->server->deaf_to_close = !bed->server->deaf_to_close;
    break;
  case 8:
    set_answer (bed, bed->server->answer != NULL ? NULL : "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    break;
  case 9:
    set_answer (bed, bed->server->answer != NULL ? NULL : "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    break;
  case 10:
    bed->server->silent = !bed->server->silent;
    break;
  case 11:
  case 12:
  case 13:
    if (is_open (peer))
      ws_peer_send_text (peer, error);
    break;
  case 14:
    if (is_open (peer))
      ws_peer_send_text (peer, SERVICE_ESTABLISHED);
    break;
  case 15:
    bed->refresh_status = bed->refresh_status == 200 ? 502 : 200;
    break;
  case 16:
  case 17:
  case 18:
    if (is_open (peer))
      ws_peer_send_text (peer, "{\"id\":\"m\",\"type\":\"subscription.confirmed\",\"timestamp\":\"t\",\"data\":{"
                               "\"subscribedChannels\":[\"project:c\"]}}");
    break;
  default:
    g_assert_not_reached ();
  }
}

/* What the user, the bus, and the machine do. */
static void
strike_client (Bed *bed, guint what)
{
  g_autofree char *token = g_strdup_printf ("token-%d", g_test_rand_int_range (0, 3));

  switch (what) {
  case 0:
    relay_connector_disconnect (bed->connector);
    break;
  case 1:
  case 2:
    relay_connector_connect (bed->connector);
    break;
  case 3:
    relay_connector_configure (bed->connector, &bed->options);
    break;
  case 4:
  case 5:
    relay_connector_set_paused (bed->connector, what == 4);
    break;
  case 6:
    bed_set_token (bed, token);
    break;
  case 7:
    bed_set_bearer (bed, token);
    break;
  case 8:
    relay_connector_hasten (bed->connector, g_test_rand_bit ());
    break;
  case 9:
    relay_connector_set_network (bed->connector, g_test_rand_bit ());
    break;
  case 10:
  case 12:
  case 13:
    relay_subscriptions_set_durable (bed->subscriptions, "project:c",
                                     relay_subscriptions_lookup (bed->subscriptions, "project:c") == NULL);
    break;
  case 11:
    bed_ping (bed);
    break;
  default:
    g_assert_not_reached ();
  }
}

/* What would only keep everything else from happening is over soon. */
static void
clear_up (Bed *bed)
{
  set_answer (bed, NULL);
  bed->server->silent = FALSE;
  bed->refresh_status = 200;
  bed_set_bearer (bed, NULL);
  relay_connector_set_paused (bed->connector, FALSE);
  if (bed->status->state == RELAY_STATE_DISCONNECTED || bed->status->state == RELAY_STATE_UNAUTHORIZED)
    relay_connector_connect (bed->connector);
}

static guint
count_open (Bed *bed)
{
  guint n = 0;

  for (guint i = 0; i < bed->server->peers->len; i++)
    n += is_open (bed->server->peers->pdata[i]);
  return n;
}

/* All is well, but nothing more is said unless somebody asks. */
static void
calm_down (Bed *bed, guint number)
{
  g_autofree char *token = g_strdup_printf ("calm-%u", number);

  bed->server->text = service_answer;
  bed->server->deaf_to_close = FALSE;
  bed->server->silent = FALSE;
  set_answer (bed, NULL);
  bed->refresh_status = 200;
  bed_set_bearer (bed, token);
  relay_connector_set_paused (bed->connector, FALSE);
  ws_run_for (20 * MSEC);
  answer_all (bed);
  /* The user sees to it. */
  bed_set_token (bed, token);
  if (bed->status->state == RELAY_STATE_DISCONNECTED)
    relay_connector_connect (bed->connector);
}

static void
check_calm (Bed *bed, gint64 calm_usec)
{
  ws_wait_for (bed->status->state == RELAY_STATE_CONNECTED && bed_is_active (bed, "project:a") &&
               bed_is_active (bed, "project:b") && count_open (bed) == 1);
  ws_wait_for (relay_subscriptions_is_settled (bed->subscriptions));
  ws_run_for (20 * MSEC);
  g_assert_cmpint (relay_coverage_get_since (bed->coverage, "project:a"), ==, RELAY_COVERAGE_ACTIVE);
  g_assert_cmpint (relay_coverage_get_since (bed->coverage, "project:b"), ==, RELAY_COVERAGE_ACTIVE);
  g_assert_cmpint (relay_coverage_get_since (bed->coverage, "project:c"), <=, RELAY_COVERAGE_ACTIVE);
  /* The connection is not older than that, and nothing of what was before it is open. */
  bed->earliest_gap_usec = (guint64) calm_usec;
  g_assert_cmpint (relay_connector_get_alive (bed->connector), >=, calm_usec);
  g_string_truncate (bed->gaps, 0);
  g_string_truncate (bed->states, 0);
}

static void
strike (Bed *bed)
{
  for (guint i = 0; i < N_STROKES; i++) {
    if (g_test_rand_int_range (0, 3) > 0)
      strike_server (bed, (guint) g_test_rand_int_range (0, 19));
    else
      strike_client (bed, (guint) g_test_rand_int_range (0, 14));
    if (g_test_rand_int_range (0, 3) == 0)
      clear_up (bed);
    if (g_test_rand_bit ())
      ws_run_for ((guint64) g_test_rand_int_range (0, 8000));
  }
}

static void
test_storm (void)
{
  g_auto (Bed) bed = { 0 };
  gint64 calm_usec;

  bed_init (&bed);
  bed_add_endpoint (&bed);
  bed.options.initial_delay_usec = 5 * MSEC;
  bed.options.max_delay_usec = 20 * MSEC;
  bed.options.handover_usec = 100 * MSEC;
  bed.options.gap_usec = 50 * MSEC;
  bed.options.link.handshake_timeout_usec = 100 * MSEC;
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  relay_subscriptions_hold (bed.subscriptions, "project:b");
  bed_start (&bed);
  for (guint i = 0; i <= N_STORMS; i++) {
    calm_usec = g_get_real_time () - 50 * MSEC; /* a tick of the kernel's, and the way */
    calm_down (&bed, i);
    check_calm (&bed, calm_usec);
    if (i == N_STORMS)
      break;
    g_test_message ("storm %u", i);
    strike (&bed);
  }
  g_test_message ("%u connections, %u refreshes", bed.server->peers->len, bed.n_refreshes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-storm", g_test_verbose () ? LOG_DEBUG : LOG_EMERG);
  g_test_add_func ("/link/storm", test_storm);
  return g_test_run ();
}
