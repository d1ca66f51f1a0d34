/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

/*
 * The last proof of life of a connection: a time of which is known that all the server had sent by then was heard. What
 * can have been missed when the connection is lost begins there.
 */
typedef struct {
  /* private; the times are of CLOCK_BOOTTIME unless they say otherwise */
  GSocket *socket; /* borrowed; NULL: nothing is known but what was seen */
  gint64 proof_usec;
  gint64 empty_usec, empty_monotonic_usec; /* when there was last nothing to read */
  gint64 rtt_usec;
  gint64 rtt_asked_usec;
} RelayProof;

/* More than this between two looks at an empty socket, and the server may not have been able to send all it had: the smallest
 * window that a receiver offers is larger. */
#define RELAY_PROOF_MAX_BATCH_BYTES (32 * 1024)

/* The connection is open, and nothing of it was read yet. */
void relay_proof_begin (RelayProof *proof, GSocket *socket);

/* There is nothing more to read: the socket is empty, or (@ended) the stream came to its orderly end. @bytes: how many came
 * since it was empty before, all of which were understood. */
void relay_proof_emptied (RelayProof *proof, gsize bytes, gboolean ended);

/* The server answered what was asked at @asked_usec (CLOCK_BOOTTIME). */
void relay_proof_answered (RelayProof *proof, gint64 asked_usec);

/* CLOCK_REALTIME µs, by that clock as it stands now; 0: there is none. */
gint64 relay_proof_get (const RelayProof *proof);
/* How old it is, sleep included. */
gint64 relay_proof_get_age (const RelayProof *proof);
/* CLOCK_BOOTTIME µs, which nobody sets; 0: there is none. */
gint64 relay_proof_get_boottime (const RelayProof *proof);

/* The socket is about to go. */
void relay_proof_end (RelayProof *proof);
