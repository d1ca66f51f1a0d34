/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/subscriptions.h"

#define SEC ((gint64) G_USEC_PER_SEC)
#define REALTIME 1700000000000000

/*
 * The fixture plays the server's and the clock's part. Requests are compared as text, and so is what is announced.
 */
typedef struct {
  RelaySubscriptions *subs;
  gint64 now_usec;
  gint64 next_usec;
  char *last_id;
  GString *announced;
  guint n_wakes;
} Fixture;

void set_up (Fixture *f, gconstpointer data);
void tear_down (Fixture *f, gconstpointer data);
/* The next request is @expected ("+ a:1 a:2", "- a:1"), or there is none (NULL; next_usec says until when). */
void expect (Fixture *f, const char *expected);
/* What was announced since the last time: "a:1 added holds, a:2 state answered". */
void expect_announced (Fixture *f, const char *expected);
/* @names: separated by blanks. */
void hold (Fixture *f, const char *names);
void release (Fixture *f, const char *names);
void confirm (Fixture *f, const char *names);
/* An error for request @id (NULL: the last one sent). */
void refuse (Fixture *f, const char *id, const char *code, const char *message);
void expect_state (Fixture *f, const char *name, RelayChannelState state, const char *code, gboolean answered);
/* "PREFIX:0 PREFIX:1 …" */
char *many (const char *prefix, guint n);
/* How many channels the next request has, 0 if there is none. */
guint next_size (Fixture *f, gboolean subscribe);

#define expect_active(f, name) expect_state (f, name, RELAY_CHANNEL_ACTIVE, "", TRUE)
#define expect_pending(f, name) expect_state (f, name, RELAY_CHANNEL_PENDING, "", FALSE)
#define expect_rejected(f, name, code) expect_state (f, name, RELAY_CHANNEL_REJECTED, code, TRUE)
#define expect_limited(f, name) expect_state (f, name, RELAY_CHANNEL_PENDING, "SUBSCRIPTION_LIMIT", TRUE)

/* Was that error taken for an answer to a request of ours? */
#define REFUSED(id, action) \
  relay_subscriptions_refused (f->subs, id, action, "INVALID_CHANNEL", "?", f->now_usec, 0.5)
