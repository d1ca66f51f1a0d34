/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Is there something that the person has to see to? The relay's states come in, a trouble comes out: it begins once
 * and is over once, however the states flicker in between. Pure: times are the caller's, of a clock that does not go back.
 */
typedef enum {
  NOTIFY_TROUBLE_NONE,
  NOTIFY_TROUBLE_UNAUTHORIZED, /* the relay needs new credentials; also while it tries such */
  NOTIFY_TROUBLE_OUTAGE,       /* there should be a connection, and there is none for long */
} NotifyTroubleKind;

#define NOTIFY_TROUBLE_LONG_USEC (120 * (guint64) G_USEC_PER_SEC) /* what is shorter is no trouble: of an outage, or a gap */
#define NOTIFY_TROUBLE_GRACE_USEC (5 * G_USEC_PER_SEC)  /* what a relay may take to be back after it left */

typedef struct {
  NotifyTroubleKind kind;
  gint64 since_usec;      /* without a connection since then; 0: there is one, or none is wanted */
  gint64 left_usec;       /* when the relay left the bus; 0: it is there, or was never */
} NotifyTrouble;

/* The relay says that it is in @state (as its property). */
void notify_trouble_set_state (NotifyTrouble *trouble, const char *state, gint64 now_usec);

/* The relay left the bus. */
void notify_trouble_set_left (NotifyTrouble *trouble, gint64 now_usec);

/* What is the trouble now? */
NotifyTroubleKind notify_trouble_check (NotifyTrouble *trouble, gint64 now_usec);

/* When that may be another, if the relay says nothing until then; 0: never. */
gint64 notify_trouble_get_deadline (const NotifyTrouble *trouble);
