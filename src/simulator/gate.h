/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * How the next requests are turned away, on demand: what the control sets and the HTTP server obeys. Pure.
 */
typedef struct {
  guint status;          /* HTTP status, 0: let in */
  guint left;            /* requests still to be refused; 0: all until told otherwise */
  guint retry_after_sec; /* 0: no such header */
  char *location;        /* for redirects, or NULL */
} SimRefusal;

typedef struct {
  SimRefusal handshakes, renewals;
  guint stall_left; /* handshakes that are never answered */

  guint64 n_handshakes, n_accepted, n_unauthorized, n_refused, n_stalled; /* since start */
  guint64 n_renewals, n_renewals_refused;
} SimGate;

/* A zeroed gate lets everybody in. */
void sim_gate_clear (SimGate *gate);

/* @status 0 lets in again. @count 0: until told otherwise. @location may be NULL. */
void sim_refusal_set (SimRefusal *refusal, guint status, guint count, guint retry_after_sec, const char *location);

/* One request is at the gate: returns the status to refuse it with, or 0. */
guint sim_refusal_take (SimRefusal *refusal);
