/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions-private.h"

/*
 * The handover from one connection to another, as far as the channels go: all are asked for on the new one, as after any
 * connecting, but for what is shown: a channel that the connection before has is heard, so it stays active.
 *
 * Of the connection before only this is kept: which channels it has, or may have (`before`). It is asked for nothing more, so
 * that is all there is to know, should it turn out to be the one that stays.
 *
 * A channel that nobody wants any more, and the connection before may have, stays in the table until the end: it is to
 * be unsubscribed if that connection stays, and forgotten if it goes.
 */

static Before
get_before (const Channel *channel)
{
  if (channel->phase == PHASE_ON)
    return BEFORE_ON;
  return channel->phase == PHASE_ASKED || channel->is_asked || channel->is_in_doubt ? BEFORE_MAYBE : BEFORE_NOTHING;
}

static void
take_verdict (Channel *channel, char **ret_code, char **ret_message)
{
  *ret_code = g_steal_pointer (&channel->verdict_code);
  *ret_message = g_steal_pointer (&channel->verdict_message);
}

void
relay_subscriptions_begin_handover (RelaySubscriptions *self)
{
  GList *next;

  g_return_if_fail (self->is_connected && !self->is_handing_over);

  relay_subscriptions_enter (self);
  for (GList *link = self->arrivals.head; link != NULL; link = next) {
    Channel *channel = link->data;

    next = link->next;
    channel->before = get_before (channel);
    channel->is_asked = FALSE;
    channel->is_in_doubt = FALSE;
    if (!channel_is_wanted (channel)) {
      relay_subscriptions_move (self, channel, PHASE_IDLE, NULL, NULL);
      if (channel->before == BEFORE_NOTHING)
        relay_subscriptions_remove (self, channel);
      continue;
    }
    relay_subscriptions_move (self, channel, PHASE_QUEUED, &self->again, NULL);
    if (channel->public.state == RELAY_CHANNEL_REJECTED)
      relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  }
  self->is_handing_over = TRUE;
  relay_subscriptions_reset (self);
  relay_subscriptions_leave (self);
}

gboolean
relay_subscriptions_is_handing_over (RelaySubscriptions *self)
{
  return self->is_handing_over;
}

gboolean
relay_subscriptions_is_handed_over (RelaySubscriptions *self)
{
  if (!self->is_handing_over)
    return FALSE;
  for (GList *link = self->arrivals.head; link != NULL; link = link->next) {
    const Channel *channel = link->data;

    if (channel_is_wanted (channel) && channel->before == BEFORE_ON && channel->phase != PHASE_ON &&
        channel->phase != PHASE_REJECTED && channel->phase != PHASE_FULL)
      return FALSE;
  }
  return TRUE;
}

void
relay_subscriptions_set_refused (RelaySubscriptions *self, Channel *channel, RelayChannelState state, char *code,
                                 char *message)
{
  if (!self->is_handing_over || channel->before != BEFORE_ON) {
    relay_subscriptions_set_state (self, channel, state, code, message, 0, RELAY_CHANNEL_ANSWERED);
    return;
  }
  g_clear_pointer (&channel->verdict_code, g_ref_string_release);
  g_clear_pointer (&channel->verdict_message, g_ref_string_release);
  channel->verdict_code = g_ref_string_acquire (code);
  channel->verdict_message = g_ref_string_acquire (message);
  relay_subscriptions_set_state (self, channel, channel->public.state, channel->public.error_code,
                                 channel->public.error_message, channel->public.active_since_usec,
                                 RELAY_CHANNEL_ANSWERED);
}

/* The new connection is the only one: its word counts. */
static void
settle_on_new (RelaySubscriptions *self, Channel *channel)
{
  g_autoptr (GRefString) code = NULL;
  g_autoptr (GRefString) message = NULL;

  channel->before = BEFORE_NOTHING;
  take_verdict (channel, &code, &message);
  if (!channel_is_wanted (channel) && channel->phase == PHASE_IDLE)
    relay_subscriptions_remove (self, channel);
  else if (code != NULL && (channel->phase == PHASE_REJECTED || channel->phase == PHASE_FULL))
    relay_subscriptions_set_state (self, channel,
                                   channel->phase == PHASE_FULL ? RELAY_CHANNEL_PENDING : RELAY_CHANNEL_REJECTED, code,
                                   message, 0, 0);
  else if (channel->public.state == RELAY_CHANNEL_ACTIVE && channel->phase != PHASE_ON)
    relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
}

/* The connection before goes on: back to what it has. */
static void
settle_on_old (RelaySubscriptions *self, Channel *channel)
{
  Before before = channel->before;
  g_autoptr (GRefString) code = NULL;
  g_autoptr (GRefString) message = NULL;

  channel->before = BEFORE_NOTHING;
  take_verdict (channel, &code, &message);
  channel->is_asked = before != BEFORE_NOTHING;
  channel->is_in_doubt = before == BEFORE_MAYBE;
  if (before != BEFORE_ON)
    relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  if (!channel_is_wanted (channel)) {
    if (before == BEFORE_NOTHING)
      relay_subscriptions_remove (self, channel);
    else
      relay_subscriptions_move (self, channel, before == BEFORE_ON ? PHASE_ON : PHASE_LATE, &self->leaving, NULL);
  } else if (before == BEFORE_ON) {
    relay_subscriptions_move (self, channel, PHASE_ON, NULL, NULL);
    relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_ACTIVE, NULL, NULL, channel->public.active_since_usec,
                                   RELAY_CHANNEL_ANSWERED);
  } else {
    relay_subscriptions_move (self, channel, PHASE_QUEUED, &self->again, NULL);
  }
}

void
relay_subscriptions_end_handover (RelaySubscriptions *self, gboolean taken)
{
  GList *next;

  g_return_if_fail (self->is_handing_over);

  relay_subscriptions_enter (self);
  self->is_handing_over = FALSE;
  if (!taken)
    relay_subscriptions_lose_asked (self);
  for (GList *link = self->arrivals.head; link != NULL; link = next) {
    next = link->next;
    if (taken)
      settle_on_new (self, link->data);
    else
      settle_on_old (self, link->data);
  }
  /* What the connection before had, the server may have counted. */
  if (taken)
    relay_subscriptions_use_room (self, self->full.length);
  else
    relay_subscriptions_reset (self);
  relay_subscriptions_leave (self);
}
