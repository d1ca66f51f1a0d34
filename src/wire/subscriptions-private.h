/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/subscriptions.h"

/*
 * What subscriptions.c and requests.c share. For nobody else.
 */

/* Unsubscribes whose names are remembered, should the server refuse them with RATE_LIMITED; older ones were
 * taken. */
#define REMEMBERED_UNSUBSCRIBES 8

/* On the present connection. What is `on` or `late` and wanted no more stands in `leaving` until its unsubscribe
 * is sent. */
typedef enum {
  PHASE_IDLE,     /* not to be asked; in no queue */
  PHASE_QUEUED,   /* to be asked; in `fresh`, in `again`, or in a piece that is in `pieces` */
  PHASE_ASKED,    /* sent, not answered; in a piece that is in `asked` */
  PHASE_LATE,     /* asked, and not answered in time; in a piece that `requests` alone knows */
  PHASE_ON,       /* confirmed; in no queue */
  PHASE_REJECTED, /* refused; in no queue */
  PHASE_FULL,     /* refused for the server's limit; in `full` */
} Phase;

/* During a handover: what the connection before has of it. */
typedef enum {
  BEFORE_NOTHING,
  BEFORE_MAYBE, /* it was asked, or is in doubt */
  BEFORE_ON,    /* confirmed: it is heard, whatever the other connection says */
} Before;

typedef struct {
  GQueue channels;  /* unanswered, by Channel.link */
  guint n_asked;    /* channels in its request; 0 while it is to be sent */
  guint64 number;   /* of its request; 0 while it is to be sent */
  guint64 order;    /* number of the first request that had these channels; 0 before that */
  gint64 sent_usec; /* CLOCK_MONOTONIC */
  GList link;       /* in `queue` */
  GQueue *queue;    /* pieces, asked or (late) none */
} Piece;

typedef struct {
  RelayChannel public;  /* first: watchers and callers see this. Strings are GRefStrings. */
  guint refs;           /* the table's and each announcement's */
  Phase phase;
  gboolean is_asked;    /* for on this connection, and not refused since: a confirmation is meant for it */
  gboolean is_in_doubt; /* the server may have it without ever having said so */
  GQueue *queue;        /* where `link` stands, or NULL */
  Piece *piece;         /* whose queue that is, or NULL */
  GList link;
  GList arrival;        /* in `arrivals` */
  Before before;
  char *verdict_code;   /* of a refusal that is shown when the handover is over: GRefStrings, or NULL */
  char *verdict_message;
} Channel;

typedef struct {
  guint64 number;
  char **names;
} Unsubscribe;

struct RelaySubscriptions {
  guint max_channels;
  GHashTable *channels; /* name → Channel */
  GQueue arrivals;      /* all of them, in the order they came */
  guint n_wanted;

  gboolean is_connected;
  gboolean is_handing_over;
  guint64 next_number;  /* of the next request; never used twice */
  guint64 first_number; /* of this connection */
  GQueue fresh;         /* wants that came while connected */
  GQueue again;         /* wants of before the connection, and of `full` where room appeared */
  GQueue pieces;        /* parts of refused requests */
  guint turn;           /* which of those three was served last */
  GQueue asked;         /* pieces sent and unanswered, in order */
  GHashTable *requests; /* number → piece in `asked`, or late */
  GQueue full;
  GQueue leaving;
  Unsubscribe unsubscribes[REMEMBERED_UNSUBSCRIBES];
  guint next_unsubscribe;

  guint batch;          /* most channels in one subscribe */
  gboolean is_wary;     /* the server did not take a large one: never again */
  gboolean is_exploring; /* the limit: parts one by one */
  gboolean is_anonymous; /* the server's errors don't say which request: one by one, so that there is but one */
  gint64 paused_usec;    /* when the pause began, */
  gint64 resume_usec;    /* and ends: CLOCK_MONOTONIC */
  guint n_pauses;        /* without a confirmation */

  GArray *watchers;     /* of Watcher */
  GQueue announcements; /* of Announcement */
  guint depth;          /* public functions on the stack */
  RelaySubscriptionsWake wake;
  gpointer wake_data;
  gboolean is_wake_due;
};

static inline gboolean
channel_is_wanted (const Channel *channel)
{
  return channel->public.durable || channel->public.n_holds > 0;
}

/* Around whatever changes something: announcements go out, and the wake is called, when the outermost one is
 * left. */
void relay_subscriptions_enter (RelaySubscriptions *self);
void relay_subscriptions_leave (RelaySubscriptions *self);

/* What was asked on the present connection, and how, is void. */
void relay_subscriptions_reset (RelaySubscriptions *self);

Channel *relay_subscriptions_add (RelaySubscriptions *self, const char *name);
/* During a handover it stays in the table, wanted by nobody, if the connection before may have it. */
void relay_subscriptions_remove (RelaySubscriptions *self, Channel *channel);

/* Nobody wants it, and the server did not say that it has it: removes it, or unsubscribes it where there is
 * doubt. */
void relay_subscriptions_discard (RelaySubscriptions *self, Channel *channel);

/* Takes the channel out of the queue that it stands in, and puts it into @queue (of @piece; either may be NULL).
 * The piece that it leaves empty is freed. */
void relay_subscriptions_move (RelaySubscriptions *self, Channel *channel, Phase phase, GQueue *queue,
                               Piece *piece);

/* There may be room for @n channels more at the server: as many that wait for it are asked again. */
void relay_subscriptions_use_room (RelaySubscriptions *self, guint n);

/* The server refused it: likewise; but what the connection before still brings is not shown as refused. */
void relay_subscriptions_set_refused (RelaySubscriptions *self, Channel *channel, RelayChannelState state, char *code,
                                      char *message);

/* From now on no request is large. */
void relay_subscriptions_become_wary (RelaySubscriptions *self);
/* The connection is lost, and what was asked with it: perhaps for that. */
void relay_subscriptions_lose_asked (RelaySubscriptions *self);

/* The one setter of what is shown of a channel's state. @code, @message: GRefStrings, or NULL for none. @change:
 * what is announced in any case. */
void relay_subscriptions_set_state (RelaySubscriptions *self, Channel *channel, RelayChannelState state,
                                    char *code, char *message, gint64 active_since_usec, RelayChannelChange change);
