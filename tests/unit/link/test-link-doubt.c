/* SPDX-License-Identifier: MIT */
#include "link/link.h"

#include <string.h>

#include "tests/integration/shim-clock.h"
#include "tests/unit/link/link-probe.h"

/*
 * A link in doubt: the probe after a sleep, the proof of life, and the end of a link that is paused.
 */
#define MSEC 1000
#define HOUR (3600 * (gint64) G_USEC_PER_SEC)
#define SLACK (30 * MSEC) /* a proof may be that much early: a tick of the kernel's, and a wait on a busy machine */

static void
answer_ping (WsPeer *peer, const char *text, gpointer user_data)
{
  if (strstr (text, "\"ping\"") != NULL)
    ws_peer_send_text (peer, "{\"type\":\"pong\"}");
}

/* ---- the probe ---- */

static void
test_probe_dead (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 start;

  pair_open (&pair, NULL);
  start = g_get_monotonic_time ();
  pair.probe->in_call = TRUE;
  relay_link_probe (pair.probe->link, 200 * MSEC);
  relay_link_probe (pair.probe->link, 200 * MSEC);
  pair.probe->in_call = FALSE;
  ws_wait_for (pair.peer->texts->len == 1);
  g_assert_nonnull (strstr (pair.peer->texts->pdata[0], "\"ping\""));
  /* A further one while this one is under way neither asks again nor waits longer. */
  ws_run_for (100 * MSEC);
  relay_link_probe (pair.probe->link, 3600 * (guint64) G_USEC_PER_SEC);
  probe_assert_ended (pair.probe, "TIMEOUT");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 200 * MSEC);
  g_assert_cmpuint (pair.peer->texts->len, ==, 1);
}

static void
test_probe_alive (void)
{
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  pair.server->text = answer_ping;
  for (guint i = 1; i <= 3; i++) {
    relay_link_probe (pair.probe->link, 500 * MSEC);
    ws_wait_for (pair.probe->messages->len == i);
    g_assert_cmpuint (pair.peer->texts->len, ==, i);
  }
  ws_run_for (700 * MSEC);
  g_assert_false (pair.probe->closed);

  /* Any frame will do. */
  pair.server->text = NULL;
  relay_link_probe (pair.probe->link, 300 * MSEC);
  ws_wait_for (pair.peer->texts->len == 4);
  ws_peer_send_frame (pair.peer, 0x9, TRUE, "", 0);
  ws_run_for (500 * MSEC);
  g_assert_false (pair.probe->closed);
}

/* What had come before is read, in many turns, and proves nothing: the question comes behind it. */
static void
test_probe_drains (void)
{
  g_auto (Pair) pair = { 0 };
  g_autofree char *big = g_strnfill (50000, 'x');
  guint n = 60;

  pair_open (&pair, NULL);
  relay_link_set_paused (pair.probe->link, TRUE);
  for (guint i = 0; i < n; i++)
    ws_peer_send_text (pair.peer, big);
  ws_run_for (50 * MSEC);
  relay_link_set_paused (pair.probe->link, FALSE);
  relay_link_probe (pair.probe->link, 300 * MSEC);
  g_assert_cmpuint (pair.probe->messages->len, <, n);
  ws_wait_for (pair.peer->texts->len == 1);
  g_assert_cmpuint (pair.probe->messages->len, ==, n);
  probe_assert_ended (pair.probe, "TIMEOUT");
}

/* Paused, there is no hurry; then there is. */
static void
test_probe_paused (gconstpointer data)
{
  gboolean asked_before = GPOINTER_TO_INT (data);
  g_auto (Pair) pair = { 0 };
  gint64 start;

  pair_open (&pair, NULL);
  if (!asked_before)
    relay_link_set_paused (pair.probe->link, TRUE);
  relay_link_probe (pair.probe->link, 300 * MSEC);
  if (asked_before) {
    ws_wait_for (pair.peer->texts->len == 1);
    relay_link_set_paused (pair.probe->link, TRUE);
  }
  ws_run_for (500 * MSEC);
  g_assert_false (pair.probe->closed);
  g_assert_cmpuint (pair.peer->texts->len, ==, asked_before);
  start = g_get_monotonic_time ();
  relay_link_set_paused (pair.probe->link, FALSE);
  probe_assert_ended (pair.probe, "TIMEOUT");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 300 * MSEC);
  g_assert_cmpuint (pair.peer->texts->len, ==, 1);
}

/* The answer came during the pause. */
static void
test_probe_answered_in_pause (void)
{
  g_auto (Pair) pair = { 0 };

  pair_open (&pair, NULL);
  pair.server->text = answer_ping;
  relay_link_probe (pair.probe->link, 200 * MSEC);
  ws_wait_for (pair.peer->texts->len == 1);
  relay_link_set_paused (pair.probe->link, TRUE);
  ws_run_for (300 * MSEC);
  relay_link_set_paused (pair.probe->link, FALSE);
  ws_run_for (500 * MSEC);
  g_assert_false (pair.probe->closed);
}

/* Liveness asked already: its deadline stays. */
static void
test_probe_shortens (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 100 * MSEC, .pong_timeout_usec = 300 * MSEC };

  pair_open (&pair, &options);
  ws_wait_for (pair.peer->texts->len == 1);
  relay_link_probe (pair.probe->link, 3600 * (guint64) G_USEC_PER_SEC);
  probe_assert_ended (pair.probe, "TIMEOUT");
  g_assert_cmpuint (pair.peer->texts->len, ==, 2);
}

static void
test_probe_elsewhen (void)
{
  g_autoptr (WsServer) server = ws_server_new ();
  g_autofree char *url = ws_server_get_url (server);
  g_autoptr (Probe) probe = NULL;

  server->silent = TRUE;
  probe = probe_new (url, NULL);
  relay_link_probe (probe->link, 50 * MSEC);
  g_assert_cmpint (relay_link_get_proof (probe->link), ==, 0);
  ws_run_for (200 * MSEC);
  g_assert_false (probe->closed);
  relay_link_close (probe->link, 1000, NULL);
  relay_link_probe (probe->link, 50 * MSEC);
  ws_wait_for (probe->closed);
  g_assert_null (probe->trouble);
  relay_link_probe (probe->link, 50 * MSEC);
  ws_run_for (100 * MSEC);
}

/* ---- the proof ---- */

static void
test_proof (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before, proof;

  before = g_get_real_time ();
  pair_open (&pair, NULL);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), >=, before - SLACK);
  ws_run_for (100 * MSEC);
  before = g_get_real_time ();
  ws_peer_send_text (pair.peer, "x");
  ws_wait_for (pair.probe->messages->len == 1);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  proof = relay_link_get_proof (pair.probe->link);
  g_assert_cmpint (proof, >=, before - SLACK);
  g_assert_cmpint (proof, <=, g_get_real_time ());

  /* Silence proves nothing, … */
  ws_run_for (100 * MSEC);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, proof + MSEC);
  /* … nor does what nobody has read. */
  relay_link_set_paused (pair.probe->link, TRUE);
  ws_peer_send_text (pair.peer, "y");
  ws_run_for (100 * MSEC);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, proof + MSEC);
  before = g_get_real_time ();
  relay_link_set_paused (pair.probe->link, FALSE);
  ws_wait_for (pair.probe->messages->len == 2);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  /* It is as old as it is, however late it was read. */
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), >, proof + 50 * MSEC);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, before);
}

/* What came before the sleep and was read behind it is of before the sleep. The answer to a ping is not. */
static void
test_proof_sleep (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before, asked;

  pair_open (&pair, NULL);
  relay_link_set_paused (pair.probe->link, TRUE);
  ws_peer_send_text (pair.peer, "x");
  ws_run_for (50 * MSEC);
  before = g_get_real_time ();
  shim_clock_sleep (HOUR);
  relay_link_set_paused (pair.probe->link, FALSE);
  relay_link_probe (pair.probe->link, RELAY_LINK_PROBE_USEC);
  asked = g_get_real_time ();
  ws_wait_for (pair.peer->texts->len == 1);
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, before);

  ws_run_for (20 * MSEC);
  ws_peer_send_text (pair.peer, "{\"type\":\"pong\"}");
  ws_wait_for (pair.probe->messages->len == 2);
  relay_link_take_pong (pair.probe->link);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), >=, asked - SLACK);
}

/* A large batch does not prove anything, so in the end the server is asked. */
static void
test_proof_flood (void)
{
  g_auto (Pair) pair = { 0 };
  RelayLinkOptions options = { .ping_interval_usec = 300 * MSEC };
  g_autofree char *big = g_strnfill (90000, 'x');
  gint64 start;

  pair_open (&pair, &options);
  start = g_get_real_time ();
  while (pair.peer->texts->len == 0) {
    guint n = pair.probe->messages->len;

    relay_link_set_paused (pair.probe->link, TRUE);
    ws_peer_send_text (pair.peer, big);
    ws_run_for (20 * MSEC);
    relay_link_set_paused (pair.probe->link, FALSE);
    ws_wait_for (pair.probe->messages->len > n);
    while (g_main_context_iteration (NULL, FALSE))
      ;
    g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, start + 20 * MSEC);
  }
  g_assert_cmpint (g_get_real_time () - start, >=, 300 * MSEC);
  relay_link_take_pong (pair.probe->link);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), >, start + 250 * MSEC);
}

/* Nothing behind a broken frame was heard, though it was read. */
static void
test_proof_broken (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gint64 before;

  pair_open (&pair, NULL);
  before = g_get_real_time ();
  ws_run_for (100 * MSEC);
  ws_append_frame (bytes, 0x1, TRUE, "fine", 4);
  ws_append_frame (bytes, 0x1, TRUE, "\xff\xfe", 2);
  ws_append_frame (bytes, 0x1, TRUE, "behind", 6);
  ws_peer_send (pair.peer, bytes->data, bytes->len);
  probe_assert_ended (pair.probe, "NOT_UTF8");
  g_assert_cmpuint (pair.probe->messages->len, ==, 1);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, before + MSEC);
}

typedef enum { GOODBYE, RESTART, FIN, ABORT } End;

/* The end, however orderly, and when it was. */
static void
test_proof_end (gconstpointer data)
{
  End end = (End) GPOINTER_TO_INT (data);
  g_auto (Pair) pair = { 0 };
  gint64 opened, before;

  pair_open (&pair, NULL);
  opened = g_get_real_time ();
  ws_run_for (150 * MSEC);
  before = g_get_real_time ();
  if (end == GOODBYE || end == RESTART)
    ws_peer_send_close (pair.peer, end == GOODBYE ? 1001 : 1012, "bye");
  if (end == ABORT)
    ws_peer_abort (pair.peer);
  else
    ws_peer_end (pair.peer);
  ws_wait_for (pair.probe->closed);
  if (end == ABORT)
    g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, opened + MSEC);
  else
    g_assert_cmpint (relay_link_get_proof (pair.probe->link), >=, before - SLACK);
  g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, g_get_real_time ());
}

/* The peer's answer to our close proves all that it sent before that; without one nothing is proved. */
static void
test_proof_close (gconstpointer data)
{
  gboolean answered = GPOINTER_TO_INT (data);
  g_auto (Pair) pair = { 0 };
  gint64 opened, before;

  pair_open (&pair, NULL);
  pair.server->deaf_to_close = !answered;
  opened = g_get_real_time ();
  ws_run_for (100 * MSEC);
  before = g_get_real_time ();
  relay_link_close (pair.probe->link, 1000, "done");
  if (!answered) {
    ws_wait_for (pair.peer->close_code == 1000);
    ws_peer_abort (pair.peer);
  }
  ws_wait_for (pair.probe->closed);
  g_assert_null (pair.probe->trouble);
  if (answered)
    g_assert_cmpint (relay_link_get_proof (pair.probe->link), >=, before);
  else
    g_assert_cmpint (relay_link_get_proof (pair.probe->link), <=, opened + MSEC);
}

/* ---- closing ---- */

/* Far longer than anybody's timeout, libsoup's included: what is there is read when reading goes on. */
static void
test_close_paused (gconstpointer data)
{
  gboolean paused_before = GPOINTER_TO_INT (data);
  g_auto (Pair) pair = { 0 };
  g_autofree char *big = g_strnfill (50000, 'x');

  pair_open (&pair, NULL);
  if (paused_before)
    relay_link_set_paused (pair.probe->link, TRUE);
  else
    pair.server->deaf_to_close = TRUE;
  for (guint i = 0; paused_before && i < 20; i++)
    ws_peer_send_text (pair.peer, big);
  relay_link_close (pair.probe->link, 1000, NULL);
  if (!paused_before) {
    ws_wait_for (pair.peer->close_code == 1000);
    relay_link_set_paused (pair.probe->link, TRUE);
    for (guint i = 0; i < 20; i++)
      ws_peer_send_text (pair.peer, big);
    ws_peer_send_close (pair.peer, 1000, NULL);
    ws_peer_end (pair.peer);
  }
  ws_run_for (5500 * MSEC);
  g_assert_false (pair.probe->closed);
  g_assert_cmpuint (pair.probe->messages->len, ==, 0);
  relay_link_set_paused (pair.probe->link, FALSE);
  ws_wait_for (pair.probe->closed);
  g_assert_null (pair.probe->trouble);
  g_assert_cmpuint (pair.probe->messages->len, ==, 20);
}

/* The time that is left goes on behind a pause; a peer that never answers does not keep the link for ever. */
static void
test_close_paused_deaf (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 start;
  gint64 unpaused = 0;

  pair_open (&pair, NULL);
  pair.server->deaf_to_close = TRUE;
  relay_link_close (pair.probe->link, 1000, NULL);
  while (!pair.probe->closed) {
    relay_link_set_paused (pair.probe->link, TRUE);
    ws_run_for (100 * MSEC);
    g_assert_false (pair.probe->closed);
    relay_link_set_paused (pair.probe->link, FALSE);
    start = g_get_monotonic_time ();
    ws_run_for (300 * MSEC);
    unpaused += g_get_monotonic_time () - start;
  }
  g_assert_null (pair.probe->trouble);
  g_assert_cmpint (unpaused, >=, RELAY_LINK_CLOSE_TIMEOUT_USEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/probe/dead", test_probe_dead);
  g_test_add_func ("/link/probe/alive", test_probe_alive);
  g_test_add_func ("/link/probe/drains", test_probe_drains);
  g_test_add_data_func ("/link/probe/paused/before", GINT_TO_POINTER (FALSE), test_probe_paused);
  g_test_add_data_func ("/link/probe/paused/behind", GINT_TO_POINTER (TRUE), test_probe_paused);
  g_test_add_func ("/link/probe/answered-in-pause", test_probe_answered_in_pause);
  g_test_add_func ("/link/probe/shortens", test_probe_shortens);
  g_test_add_func ("/link/probe/elsewhen", test_probe_elsewhen);
  g_test_add_func ("/link/proof/heard", test_proof);
  g_test_add_func ("/link/proof/sleep", test_proof_sleep);
  g_test_add_func ("/link/proof/flood", test_proof_flood);
  g_test_add_func ("/link/proof/broken", test_proof_broken);
  g_test_add_data_func ("/link/proof/goodbye", GINT_TO_POINTER (GOODBYE), test_proof_end);
  g_test_add_data_func ("/link/proof/restart", GINT_TO_POINTER (RESTART), test_proof_end);
  g_test_add_data_func ("/link/proof/fin", GINT_TO_POINTER (FIN), test_proof_end);
  g_test_add_data_func ("/link/proof/abort", GINT_TO_POINTER (ABORT), test_proof_end);
  g_test_add_data_func ("/link/proof/close/answered", GINT_TO_POINTER (TRUE), test_proof_close);
  g_test_add_data_func ("/link/proof/close/unanswered", GINT_TO_POINTER (FALSE), test_proof_close);
  g_test_add_data_func ("/link/close/paused/before", GINT_TO_POINTER (TRUE), test_close_paused);
  g_test_add_data_func ("/link/close/paused/behind", GINT_TO_POINTER (FALSE), test_close_paused);
  g_test_add_func ("/link/close/paused/deaf", test_close_paused_deaf);
  return g_test_run ();
}
