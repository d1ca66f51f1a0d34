/* SPDX-License-Identifier: MIT */
#include "link/proof.h"

#include <string.h>

#include "common/clock.h"
#include "tests/integration/shim-clock.h"
#include "tests/unit/link/ws-server.h"

#define MSEC 1000
#define HOUR (3600 * (gint64) G_USEC_PER_SEC)
/* The bound is early by a tick and a round trip of the loopback; on a busy machine that is what a wait may take more. */
#define TICKS (30 * MSEC)

/* Two ends of a TCP connection. */
typedef struct {
  GSocket *ours, *peer;
  RelayProof proof;
} Pair;

static void
pair_open (Pair *pair)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) outgoing = NULL, incoming = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = g_socket_listener_add_any_inet_port (listener, NULL, &error);

  g_assert_no_error (error);
  outgoing = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, &error);
  g_assert_no_error (error);
  incoming = g_socket_listener_accept (listener, NULL, NULL, &error);
  g_assert_no_error (error);
  /* The connections would close them. */
  pair->ours = g_socket_new_from_fd (dup (g_socket_get_fd (g_socket_connection_get_socket (outgoing))), &error);
  g_assert_no_error (error);
  pair->peer = g_socket_new_from_fd (dup (g_socket_get_fd (g_socket_connection_get_socket (incoming))), &error);
  g_assert_no_error (error);
  relay_proof_begin (&pair->proof, pair->ours);
}

static void
pair_clear (Pair *pair)
{
  g_clear_object (&pair->ours);
  g_clear_object (&pair->peer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

/* Something arrives now. */
static void
arrive (Pair *pair)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_socket_send (pair->peer, "x", 1, NULL, &error), ==, 1);
  g_assert_true (g_socket_condition_timed_wait (pair->ours, G_IO_IN, 20 * (gint64) G_USEC_PER_SEC, NULL, &error));
}

static void
empty (Pair *pair)
{
  char byte;

  g_assert_cmpint (g_socket_receive (pair->ours, &byte, 1, NULL, NULL), ==, 1);
  relay_proof_emptied (&pair->proof, 1, FALSE);
}

static void
test_none (void)
{
  RelayProof proof = { 0 };

  g_assert_cmpint (relay_proof_get (&proof), ==, 0);
  relay_proof_end (&proof);
}

static void
test_begin (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before = g_get_real_time ();

  pair_open (&pair);
  g_assert_cmpint (relay_proof_get (&pair.proof), <=, g_get_real_time ());
  g_assert_cmpint (relay_proof_get (&pair.proof), >, before - TICKS);
}

/* Read at once: the proof is that of the arrival. */
static void
test_fresh (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before, after;

  pair_open (&pair);
  for (guint i = 0; i < 3; i++) {
    ws_run_for (100 * MSEC);
    before = g_get_real_time ();
    arrive (&pair);
    empty (&pair);
    after = g_get_real_time ();
    g_assert_cmpint (relay_proof_get (&pair.proof), >=, before - TICKS);
    g_assert_cmpint (relay_proof_get (&pair.proof), <=, after);
  }
}

/* Nothing came: an empty socket alone says nothing. */
static void
test_silent (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before;

  pair_open (&pair);
  before = relay_proof_get (&pair.proof);
  ws_run_for (100 * MSEC);
  relay_proof_emptied (&pair.proof, 0, FALSE);
  g_assert_cmpint (relay_proof_get (&pair.proof), <=, before + MSEC);
  g_assert_cmpint (relay_proof_get_age (&pair.proof), >=, 100 * MSEC);
}

/* It lay there for long: what was sent since may be lost. */
static void
test_read_late (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 arrived;

  pair_open (&pair);
  ws_run_for (100 * MSEC);
  arrive (&pair);
  arrived = g_get_real_time ();
  ws_run_for (300 * MSEC);
  empty (&pair);
  g_assert_cmpint (relay_proof_get (&pair.proof), <=, arrived);
  g_assert_cmpint (relay_proof_get (&pair.proof), >=, arrived - 2 * TICKS);
}

/* It lay there overnight. By the clock that counts, the proof is as old as the night is long. */
static void
test_read_after_sleep (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 slept;

  pair_open (&pair);
  ws_run_for (100 * MSEC);
  arrive (&pair);
  slept = g_get_real_time ();
  shim_clock_sleep (HOUR);
  empty (&pair);
  g_assert_cmpint (relay_proof_get (&pair.proof), <=, slept);
  g_assert_cmpint (relay_proof_get_age (&pair.proof), >=, HOUR);

  /* What comes next is of today. */
  ws_run_for (50 * MSEC);
  arrive (&pair);
  empty (&pair);
  g_assert_cmpint (relay_proof_get (&pair.proof), >=, slept + HOUR);
}

/* The clock of the day is set: the proof is told by the clock as it is. */
static void
test_clock_set (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before;

  pair_open (&pair);
  before = relay_proof_get (&pair.proof);
  shim_clock_set (HOUR);
  g_assert_cmpint (ABS (relay_proof_get (&pair.proof) - before - HOUR), <=, MSEC);
  shim_clock_set (-HOUR);
}

/* Whoever had to hold the server back does not know what waits there. */
static void
test_large (void)
{
  g_auto (Pair) pair = { 0 };
  gint64 before, asked;

  pair_open (&pair);
  before = pair.proof.proof_usec;
  ws_run_for (50 * MSEC);
  arrive (&pair);
  relay_proof_emptied (&pair.proof, RELAY_PROOF_MAX_BATCH_BYTES + 1, FALSE);
  g_assert_cmpint (pair.proof.proof_usec, ==, before);

  /* But an answer is one. */
  asked = relay_clock_boottime ();
  ws_run_for (20 * MSEC);
  relay_proof_answered (&pair.proof, asked);
  g_assert_cmpint (pair.proof.proof_usec, ==, asked);
  relay_proof_answered (&pair.proof, asked - HOUR);
  g_assert_cmpint (pair.proof.proof_usec, ==, asked);
}

/* The end of the stream is dated like all that comes, late or not, and stays when the socket is gone. */
static void
test_end (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 before, after, told;

  pair_open (&pair);
  arrive (&pair);
  empty (&pair);
  ws_run_for (100 * MSEC);
  before = g_get_real_time ();
  g_socket_shutdown (pair.peer, FALSE, TRUE, &error);
  g_assert_no_error (error);
  g_assert_true (g_socket_condition_timed_wait (pair.ours, G_IO_IN, 20 * (gint64) G_USEC_PER_SEC, NULL, &error));
  after = g_get_real_time ();
  ws_run_for (200 * MSEC);
  relay_proof_emptied (&pair.proof, 0, TRUE);
  told = relay_proof_get (&pair.proof);
  g_assert_cmpint (told, >=, before - TICKS);
  g_assert_cmpint (told, <=, after);
  relay_proof_end (&pair.proof);
  g_clear_object (&pair.ours);
  g_assert_cmpint (ABS (relay_proof_get (&pair.proof) - told), <=, MSEC);
}

/* A busy connection, and no TCP below (a socket that tells nothing): the empty socket before it counts. */
static void
test_busy (void)
{
  RelayProof proof;
  gint64 before = 0;

  relay_proof_begin (&proof, NULL);
  for (guint i = 0; i < 100; i++) {
    gint64 empty_usec = proof.empty_usec;

    relay_proof_emptied (&proof, 100, FALSE);
    g_assert_cmpint (proof.proof_usec, ==, empty_usec);
    g_assert_cmpint (proof.proof_usec, >=, before);
    before = proof.proof_usec;
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proof/none", test_none);
  g_test_add_func ("/proof/begin", test_begin);
  g_test_add_func ("/proof/fresh", test_fresh);
  g_test_add_func ("/proof/silent", test_silent);
  g_test_add_func ("/proof/read-late", test_read_late);
  g_test_add_func ("/proof/read-after-sleep", test_read_after_sleep);
  g_test_add_func ("/proof/clock-set", test_clock_set);
  g_test_add_func ("/proof/large", test_large);
  g_test_add_func ("/proof/end", test_end);
  g_test_add_func ("/proof/busy", test_busy);
  return g_test_run ();
}
