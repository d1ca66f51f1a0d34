/* SPDX-License-Identifier: MIT */
#include "link/proof.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/clock.h"

/*
 * TCP delivers in order. Whoever has read a byte has read all that was sent before it, so the time at which the last byte
 * was *sent* is a proof of life: an event that was sent earlier was heard, and is not lost with the connection. That time is
 * on the server's side and is not told; it has to be bounded from below by what is known here:
 *
 *   sent ≥ arrived − time on the way,   and the time on the way is taken for the socket's smoothed round trip time, which
 *                                       is twice as much as it takes unless packets were lost just then
 *   arrived ≥ the moment before at which the socket was seen to be empty
 *   arrived = the kernel's word for it (TCP_INFO), to a tick
 *
 * The time of the read is no such bound. A process that was stopped, a loop that was held up or a machine that slept
 * reads bytes that are a second or a night old, and what was sent since may never have come. So a batch is dated
 * with the empty socket before it where that was a moment ago (a busy connection: no call of the kernel's is spent on it), and
 * else by asking the kernel, whose ticks stand still during sleep: where the machine slept in between, the empty socket
 * before it is all there is.
 *
 * A large batch is not trusted. It says that the server was held back (by us, while we did not read): what it sent
 * last may have waited there for long, behind a full window, and more may be waiting still. It proves nothing.
 *
 * An answer is the strictest proof: what the server sends is in order as well, so that whatever it sent before it was
 * asked came before the answer. It needs no clock but ours, and holds however long anything waited anywhere.
 */

/* An empty socket that long ago is as good as the kernel's ticks (1 to 10 ms). */
#define RECENT_USEC (10 * 1000)
#define RTT_USEC G_USEC_PER_SEC /* the round trip time is asked for this often */
/* CLOCK_BOOTTIME and CLOCK_MONOTONIC are read one after the other: less than this between them is no sleep. */
#define SLEEP_MIN_USEC (10 * 1000)

static gboolean
get_info (RelayProof *proof, struct tcp_info *ret_info)
{
  socklen_t length = sizeof *ret_info;

  *ret_info = (struct tcp_info){ 0 };
  if (proof->socket == NULL || g_socket_is_closed (proof->socket) ||
      getsockopt (g_socket_get_fd (proof->socket), IPPROTO_TCP, TCP_INFO, ret_info, &length) < 0)
    return FALSE;
  proof->rtt_usec = ret_info->tcpi_rtt;
  proof->rtt_asked_usec = relay_clock_boottime ();
  return TRUE;
}

/* Length of the kernel's ticks, by which it dates what arrives. */
static gint64
get_tick (void)
{
  struct timespec tick;

  clock_getres (CLOCK_MONOTONIC_COARSE, &tick);
  return tick.tv_nsec / 1000 + 1000; /* and it tells whole milliseconds */
}

/* When did the last of what was read arrive, at the earliest? */
static gint64
date_arrival (RelayProof *proof, gint64 now_usec, gint64 now_monotonic_usec, gboolean ended)
{
  gint64 passed = now_monotonic_usec - proof->empty_monotonic_usec;
  gboolean slept = now_usec - proof->empty_usec - passed > SLEEP_MIN_USEC;
  struct tcp_info info;
  gint64 elapsed;

  if (slept || passed <= RECENT_USEC || !get_info (proof, &info))
    return proof->empty_usec;
  elapsed = (gint64) info.tcpi_last_data_recv;
  if (ended) /* an end alone is no data, but acknowledges ours */
    elapsed = MIN (elapsed, (gint64) info.tcpi_last_ack_recv);
  return MAX (proof->empty_usec, now_usec - elapsed * 1000 - get_tick ());
}

void
relay_proof_begin (RelayProof *proof, GSocket *socket)
{
  struct tcp_info info;

  *proof = (RelayProof){ .socket = socket };
  proof->empty_usec = relay_clock_boottime ();
  proof->empty_monotonic_usec = g_get_monotonic_time ();
  get_info (proof, &info);
  proof->proof_usec = proof->empty_usec - proof->rtt_usec;
}

void
relay_proof_emptied (RelayProof *proof, gsize bytes, gboolean ended)
{
  /* Of the clocks, the one that the others are reckoned from is read first: a pause in between then makes the proof
   * older, never younger. */
  gint64 now = relay_clock_boottime ();
  gint64 now_monotonic = g_get_monotonic_time ();
  struct tcp_info info;

  if ((bytes > 0 || ended) && bytes <= RELAY_PROOF_MAX_BATCH_BYTES) {
    gint64 arrived = date_arrival (proof, now, now_monotonic, ended);

    if (now - proof->rtt_asked_usec > RTT_USEC)
      get_info (proof, &info);
    proof->proof_usec = MAX (proof->proof_usec, arrived - proof->rtt_usec);
  }
  proof->empty_usec = now;
  proof->empty_monotonic_usec = now_monotonic;
}

void
relay_proof_answered (RelayProof *proof, gint64 asked_usec)
{
  proof->proof_usec = MAX (proof->proof_usec, asked_usec);
}

gint64
relay_proof_get (const RelayProof *proof)
{
  gint64 now_real = g_get_real_time ();

  return proof->proof_usec != 0 ? now_real - relay_proof_get_age (proof) : 0;
}

gint64
relay_proof_get_age (const RelayProof *proof)
{
  return relay_clock_boottime () - proof->proof_usec;
}

gint64
relay_proof_get_boottime (const RelayProof *proof)
{
  return proof->proof_usec;
}

void
relay_proof_end (RelayProof *proof)
{
  proof->socket = NULL;
}
