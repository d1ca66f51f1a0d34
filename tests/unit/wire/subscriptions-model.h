/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/subscriptions.h"

/*
 * The model of test-subscriptions-model.c: what is wanted, a server of many characters, and what is under way between
 * the two.
 */
#define SEC ((gint64) G_USEC_PER_SEC)
#define N_NAMES 60
#define N_STEPS 300
#define MAX_UNDER_WAY 6

/* Cases of a kind: a second's worth, or with -m slow what one wants to have seen once after a change. */
#define N_CASES(n) (g_test_slow () ? 30 * (n) : (n))

/* Of the server. What it does is truthful; the adversary, who is not, has a test of his own. */
typedef struct {
  guint limit;              /* channels it holds */
  gboolean is_partial;      /* takes what it can of a request; else all or nothing */
  gboolean is_error_first;  /* with is_partial */
  gboolean is_limit_first;  /* tells of its limit before it looks at the names */
  gboolean is_anonymous;    /* errors don't say whose they are */
  gboolean names_culprit;   /* in the message */
  gboolean names_innocent;  /* in the message, sometimes */
  gboolean confirms_total;  /* all there is, each time */
  gboolean confirms_oddly;  /* in several messages, twice, and with names of its own */
  gboolean minds_unneeded;  /* an error for an unsubscribe of what it does not have */
  double rate_limited;      /* how often */
  double silent;            /* how often: does it or not, and says nothing */
} Character;

typedef struct {
  char **confirmed; /* else an error */
  char *id;         /* NULL if anonymous */
  const char *action, *code;
  char *message;
} Answer;

/* What was announced of a channel last. */
typedef struct {
  RelayChannelState state;
  char *error_code;
  gboolean durable;
  guint n_holds;
  gint64 active_since_usec;
} Seen;

typedef struct {
  guint32 seed;
  GRand *rand;
  RelaySubscriptions *subs;
  gint64 now_usec;
  gboolean is_connected;
  guint n_messages;

  guint n_holds[N_NAMES]; /* what is wanted */
  gboolean durable[N_NAMES];
  GHashTable *seen; /* name → Seen */

  Character character;
  GHashTable *held;   /* set of names, at the server */
  gboolean is_handing_over;
  gboolean fell_back; /* to a connection that may have had more than it had confirmed */
  GHashTable *held_before;         /* likewise, of the connection before */
  gboolean was_active[N_NAMES];    /* when the handover began, and wanted ever since */
  GQueue requests;    /* under way to it */
  GQueue answers;     /* under way from it */
  guint n_rate_limited; /* in a row */
} Model;

#define CHECK(model, condition) \
  G_STMT_START { \
    if (!(condition)) \
      g_error ("%s:%d: case %u: %s", G_STRFUNC, __LINE__, (model)->seed, #condition); \
  } G_STMT_END

gboolean roll (Model *m, double chance);
/* In [0, n). */
guint pick (Model *m, guint n);
/* Static. */
const char *name_of (guint i);
gboolean is_bad (const char *name);
void answer_free (Answer *answer);

/* The server takes a request, if there is one, and answers or not. */
gboolean serve_one (Model *m);
