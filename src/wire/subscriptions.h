/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

#include "common/channel-name.h"
#include "common/error.h"

/*
 * The channels: what is wanted (durable subscriptions and holds) against what the server confirmed on the present
 * connection, and what to ask it for next. Pure: no clock, no I/O; time is handed in, requests are handed out.
 *
 * Each wanted channel is, on the present connection, in one of these phases:
 *
 *   idle ──connected──> queued ──sent──> asked ──confirmed──> on
 *                         ^                │ └──refused alone──> rejected | full
 *                         └──refused in a batch: split, asked again
 *
 * A channel that is wanted no more leaves: at once when the server was never asked, by an `unsubscribe` when it is
 * on (or may be), and after the answer when it is asked (RELAY_SUBSCRIPTIONS_ANSWER_USEC at most). An unsubscribe
 * is sent when nothing is asked, so that no answer is ever taken for another question's.
 */
typedef struct RelaySubscriptions RelaySubscriptions;

typedef enum {
  RELAY_CHANNEL_PENDING,
  RELAY_CHANNEL_ACTIVE,
  RELAY_CHANNEL_REJECTED,
} RelayChannelState;

typedef struct {
  char *name;
  RelayChannelState state;
  char *error_code;    /* of the refusal, "" if none; with PENDING: SUBSCRIPTION_LIMIT, tried again when room appears */
  char *error_message;
  gboolean durable;
  guint n_holds;
  gint64 active_since_usec; /* CLOCK_REALTIME, 0 unless active */
  gint64 confirmed_usec;    /* CLOCK_REALTIME of the last confirmation */
} RelayChannel;

/* What happened to a channel; ADDED and REMOVED say whether it is wanted by anyone. */
typedef enum {
  RELAY_CHANNEL_ADDED = 1 << 0,
  RELAY_CHANNEL_REMOVED = 1 << 1, /* @channel is still readable during the call, and gone after it */
  RELAY_CHANNEL_STATE = 1 << 2,   /* state, error or active_since */
  RELAY_CHANNEL_DURABLE = 1 << 3,
  RELAY_CHANNEL_HOLDS = 1 << 4,
  RELAY_CHANNEL_ANSWERED = 1 << 5, /* the server's word on it is final for this connection (see _is_answered) */
} RelayChannelChange;

typedef void (*RelaySubscriptionsChanged) (const RelayChannel *channel, RelayChannelChange change, gpointer user_data);

/* There may be something to send (or to send at another time): ask relay_subscriptions_next soon. */
typedef void (*RelaySubscriptionsWake) (gpointer user_data);

/* One message to send. */
typedef struct {
  gboolean subscribe; /* else unsubscribe */
  char *id;           /* "relay-" and a number: names it in an error's details.requestId. Not used twice. */
  char **channels;
} RelayRequest;

#define RELAY_SUBSCRIPTIONS_BATCH 500                              /* most channels in one message, … */
#define RELAY_SUBSCRIPTIONS_LARGE_BATCH 2000                       /* … where the server takes so many, … */
#define RELAY_SUBSCRIPTIONS_LARGE_BATCH_BYTES (64 * 1024)          /* … and their names are no longer than that */
#define RELAY_SUBSCRIPTIONS_ANSWER_USEC (10 * G_USEC_PER_SEC)      /* how long an answer is waited for */
/* After RATE_LIMITED: the longest first pause, which doubles up to … until a confirmation comes, and the shortest
 * one. */
#define RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC (1 * G_USEC_PER_SEC)
#define RELAY_SUBSCRIPTIONS_RATE_DELAY_MAX_USEC (60 * G_USEC_PER_SEC)
#define RELAY_SUBSCRIPTIONS_RATE_DELAY_MIN_USEC (G_USEC_PER_SEC / 5)

/* @max_channels: most names in the table, wanted or on their way out. */
RelaySubscriptions *relay_subscriptions_new (guint max_channels);
void relay_subscriptions_free (RelaySubscriptions *subscriptions);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaySubscriptions, relay_subscriptions_free)

/* Takes effect for what comes next; never drops what is there. */
void relay_subscriptions_set_max_channels (RelaySubscriptions *subscriptions, guint max_channels);

/* Calls @changed on each change (never NULL), until _free; any number of watchers, called in the order they came.
 *
 * The watchers of a change are called when all that the function does is done, before it returns; they see the
 * channel as it is by then. A watcher may call everything here but _free. What it changes is announced after what
 * is being announced, before the outermost function returns; then the wake is called, at most once. */
void relay_subscriptions_watch (RelaySubscriptions *subscriptions, RelaySubscriptionsChanged changed,
                                gpointer user_data);
/* Ends what _watch with the same arguments began. */
void relay_subscriptions_unwatch (RelaySubscriptions *subscriptions, RelaySubscriptionsChanged changed,
                                  gpointer user_data);
void relay_subscriptions_set_wake (RelaySubscriptions *subscriptions, RelaySubscriptionsWake wake, gpointer user_data);

/* ---- what is wanted ---- */

/* Would wanting @n_new more names (that are not in the table) stay within max_channels?
 * Error: RELAY_ERROR_LIMITS_EXCEEDED. */
gboolean relay_subscriptions_check_room (RelaySubscriptions *subscriptions, guint n_new, GError **error);

/* Names are valid (relay_channel_name_check). A name in state REJECTED, or refused for the server's limit, is
 * asked for again by a new want. Holds are counted. */
void relay_subscriptions_set_durable (RelaySubscriptions *subscriptions, const char *name, gboolean durable);
void relay_subscriptions_hold (RelaySubscriptions *subscriptions, const char *name);
void relay_subscriptions_release (RelaySubscriptions *subscriptions, const char *name);

/* The channel, if wanted by anyone; else NULL. Valid until the next change. */
const RelayChannel *relay_subscriptions_lookup (RelaySubscriptions *subscriptions, const char *name);

/* Every wanted channel, in the order they came. Caller frees the array (g_ptr_array_unref), not what is in it. */
GPtrArray *relay_subscriptions_list (RelaySubscriptions *subscriptions);
guint relay_subscriptions_get_n_channels (RelaySubscriptions *subscriptions);

/* Is the server's word on @name final on this connection: active, rejected, or refused for its limit?
 * FALSE while disconnected, queued, asked, unanswered, or not wanted at all. */
gboolean relay_subscriptions_is_answered (RelaySubscriptions *subscriptions, const char *name);

/* Asks again for everything rejected or refused for the limit (Reload). */
void relay_subscriptions_ask_again (RelaySubscriptions *subscriptions);

/* ---- the connection ---- */

/* A connection is ready to be asked: every wanted channel is queued. */
void relay_subscriptions_connected (RelaySubscriptions *subscriptions);
/* The connection is gone: nothing is subscribed any more; active becomes pending. */
void relay_subscriptions_disconnected (RelaySubscriptions *subscriptions);

/* Make before break: another connection is ready to be asked, while the present one goes on. From here on it is the new
 * one that is asked and answers; a channel that the one before has stays active, whatever the new one says. */
void relay_subscriptions_begin_handover (RelaySubscriptions *subscriptions);
gboolean relay_subscriptions_is_handing_over (RelaySubscriptions *subscriptions);
/* Has the new connection given its word on all that the one before has and that is still wanted? */
gboolean relay_subscriptions_is_handed_over (RelaySubscriptions *subscriptions);
/* @taken: the one before is gone: what the new one did not confirm is active no more. Else the new one is gone, and the
 * one before is the present one again: what it does not have is queued for it, what it has and nobody wants any more is
 * unsubscribed. */
void relay_subscriptions_end_handover (RelaySubscriptions *subscriptions, gboolean taken);

/* Is nothing queued or asked: has the server answered all that it is going to? FALSE without a connection. */
gboolean relay_subscriptions_is_settled (RelaySubscriptions *subscriptions);

/* The next message to send, or NULL; then *ret_next_usec is when to ask again (CLOCK_MONOTONIC µs like @now_usec,
 * -1: only after wake). Every call that returns a request counts as sent, and is to be followed by another: wake
 * is only called for what a NULL did not know of. Caller frees. */
RelayRequest *relay_subscriptions_next (RelaySubscriptions *subscriptions, gint64 now_usec, gint64 *ret_next_usec);

/* subscription.confirmed: @names as the server sent them, in any grouping, also its total; those that were not
 * asked for on this connection are ignored. @realtime_usec: for ActiveSince. */
void relay_subscriptions_confirmed (RelaySubscriptions *subscriptions, const char *const *names, gint64 realtime_usec);

/* An `error` of the server. @request_id, @action: details.requestId and details.action, or NULL. Where the id is
 * none (or empty), or not in the form of ours, it is about the oldest unanswered subscribe that has a channel
 * which the message names, or just the oldest: if the action is "subscribe", which nobody but us can have asked
 * for on this connection, or if there is neither an action nor an id. @code, @message: as sent; the message may
 * name the channel at fault, which is taken as a hint where to split, never as proof. What follows depends on the
 * code: INVALID_CHANNEL and unknown codes: a batch is split, a single channel is rejected; SUBSCRIPTION_LIMIT:
 * likewise, but a single channel stays pending with that error and nothing more is asked for until room appears;
 * RATE_LIMITED, AUTH_FAILED, TOKEN_EXPIRED: asked again (after a growing pause; on the next connection);
 * INVALID_ACTION: all rejected. An error for an unsubscribe changes nothing, but RATE_LIMITED, which repeats it.
 * Returns whether it was the answer to a request of ours on this connection. @jitter: uniform in [0, 1), for the
 * pause. */
gboolean relay_subscriptions_refused (RelaySubscriptions *subscriptions, const char *request_id, const char *action,
                                      const char *code, const char *message, gint64 now_usec, double jitter);

void relay_request_free (RelayRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayRequest, relay_request_free)

/* "pending", "active", "rejected". Static. */
const char *relay_channel_state_to_string (RelayChannelState state);
