/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "bus/holds.h"
#include "wire/subscriptions.h"

/*
 * Calls of Subscribe and Hold between their arrival and their answer, which waits for the server's word on every channel
 * named. What each channel came to is written down the moment it is known, and the answer is sent at the end of the loop's
 * turn: what was refused is taken back, what is left is made to last, and only then is anything confirmed to anybody.
 */
typedef struct RelayCalls RelayCalls;

#define RELAY_CALLS_ANSWER_USEC (10 * G_USEC_PER_SEC) /* from the call to its answer, at most */
#define RELAY_CALLS_MAX 4096                          /* calls that wait at one time, of all callers */
#define RELAY_CALLS_MAX_PER_CLIENT 1024
#define RELAY_CALLS_MAX_NAMES 65536 /* of the channels of all that wait */

/* What was refused is not kept: ends the durable subscription that a call had begun. */
typedef void (*RelayCallsUndo) (const char *channel, gpointer user_data);

/* Makes what was stored last, for all calls that are answered in one turn. */
typedef void (*RelayCallsCommit) (gpointer user_data);

/* @subscriptions and @holds are borrowed. */
RelayCalls *relay_calls_new (RelaySubscriptions *subscriptions, RelayHolds *holds, RelayCallsUndo undo, RelayCallsCommit commit,
                             gpointer user_data);
/* Calls that still wait are answered with what is known. */
void relay_calls_free (RelayCalls *calls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayCalls, relay_calls_free)

/* May @sender have one more call waiting, with so many channels? Error: RELAY_ERROR_LIMITS_EXCEEDED. */
gboolean relay_calls_check_room (RelayCalls *calls, const char *sender, guint n_channels, GError **error);

/* Will answer @message. @channels: valid names, no doubles. @begun: those whose durable subscription is this call's doing;
 * NULL for Hold. @cookie: of the hold; 0 for Subscribe. @wait: FALSE: no answer is to be expected, do without. */
void relay_calls_add (RelayCalls *calls, sd_bus_message *message, const char *const *channels, const char *const *begun,
                      guint32 cookie, gboolean wait);

/* Likewise, where all is done (Unsubscribe): the answer, without arguments, is sent with the others of this turn. */
void relay_calls_add_done (RelayCalls *calls, sd_bus_message *message);

/* RELAY_CHANNEL_ANSWERED: the server's word on @channel is final. */
void relay_calls_channel_answered (RelayCalls *calls, const RelayChannel *channel);

/* No answer is to be expected any more (offline, unauthorized, disconnected): everything that waits is answered. */
void relay_calls_give_up (RelayCalls *calls);
