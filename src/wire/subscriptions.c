/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "wire/subscriptions-private.h"

/*
 * Wanted against confirmed: the channels, who wants them, and who is told. What is asked when is in requests.c.
 *
 * A channel is in the table while someone wants it, and after that for as long as the server may have it. It is in
 * one phase, and stands in at most one queue (subscriptions-private.h), which relay_subscriptions_move alone
 * changes.
 *
 * Changes are announced when all is consistent: each public function collects them, and the outermost one calls
 * the watchers before it returns. So watchers may call back into this module.
 */

typedef struct {
  Channel *channel;
  RelayChannelChange change;
} Announcement;

typedef struct {
  RelaySubscriptionsChanged changed; /* NULL: watches no more; removed when nobody walks through the array */
  gpointer user_data;
} Watcher;

/* ---- announcements ---- */

static void
channel_unref (Channel *channel)
{
  if (--channel->refs > 0)
    return;
  g_ref_string_release (channel->public.name);
  g_ref_string_release (channel->public.error_code);
  g_ref_string_release (channel->public.error_message);
  g_clear_pointer (&channel->verdict_code, g_ref_string_release);
  g_clear_pointer (&channel->verdict_message, g_ref_string_release);
  g_free (channel);
}

static void
announce (RelaySubscriptions *self, Channel *channel, RelayChannelChange change)
{
  Announcement *announcement = g_new (Announcement, 1);

  channel->refs++;
  *announcement = (Announcement){ channel, change };
  g_queue_push_tail (&self->announcements, announcement);
}

static void
announcement_free (Announcement *announcement)
{
  channel_unref (announcement->channel);
  g_free (announcement);
}

void
relay_subscriptions_enter (RelaySubscriptions *self)
{
  self->depth++;
}

void
relay_subscriptions_leave (RelaySubscriptions *self)
{
  Announcement *announcement;

  if (self->depth == 1) {
    while ((announcement = g_queue_pop_head (&self->announcements)) != NULL) {
      for (guint i = 0; i < self->watchers->len; i++) {
        Watcher watcher = g_array_index (self->watchers, Watcher, i);

        if (watcher.changed != NULL)
          watcher.changed (&announcement->channel->public, announcement->change, watcher.user_data);
      }
      announcement_free (announcement);
    }
    for (guint i = self->watchers->len; i-- > 0;)
      if (g_array_index (self->watchers, Watcher, i).changed == NULL)
        g_array_remove_index (self->watchers, i);
  }
  if (--self->depth == 0 && self->is_wake_due) {
    self->is_wake_due = FALSE;
    if (self->wake != NULL && self->is_connected)
      self->wake (self->wake_data);
  }
}

/* ---- channels ---- */

static void
replace (char **string, char *value)
{
  char *old = *string;

  *string = g_ref_string_acquire (value);
  g_ref_string_release (old);
}

void
relay_subscriptions_set_state (RelaySubscriptions *self, Channel *channel, RelayChannelState state, char *code,
                               char *message, gint64 active_since_usec, RelayChannelChange change)
{
  RelayChannel *public = &channel->public;
  g_autoptr (GRefString) none = g_ref_string_new_intern ("");

  if (code == NULL)
    code = none;
  if (message == NULL)
    message = none;
  if (public->state != state || public->active_since_usec != active_since_usec ||
      !g_str_equal (public->error_code, code) || !g_str_equal (public->error_message, message))
    change |= RELAY_CHANNEL_STATE;
  public->state = state;
  public->active_since_usec = active_since_usec;
  replace (&public->error_code, code);
  replace (&public->error_message, message);

  if (change != 0 && channel_is_wanted (channel))
    announce (self, channel, change);
}

static void
piece_free (RelaySubscriptions *self, Piece *piece)
{
  g_assert (piece->channels.length == 0);
  if (piece->queue != NULL)
    g_queue_unlink (piece->queue, &piece->link);
  if (piece->number != 0)
    g_hash_table_remove (self->requests, &piece->number);
  g_free (piece);
}

void
relay_subscriptions_move (RelaySubscriptions *self, Channel *channel, Phase phase, GQueue *queue, Piece *piece)
{
  Piece *left = channel->piece;

  if (channel->queue != NULL)
    g_queue_unlink (channel->queue, &channel->link);
  channel->phase = phase;
  channel->queue = queue;
  channel->piece = piece;
  if (queue != NULL)
    g_queue_push_tail_link (queue, &channel->link);
  if (left != NULL && left != piece && left->channels.length == 0)
    piece_free (self, left);
  self->is_wake_due = TRUE;
}

Channel *
relay_subscriptions_add (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_new0 (Channel, 1);

  channel->public.name = g_ref_string_new (name);
  channel->public.error_code = g_ref_string_new_intern ("");
  channel->public.error_message = g_ref_string_new_intern ("");
  channel->refs = 1;
  channel->link.data = channel;
  channel->arrival.data = channel;
  g_queue_push_tail_link (&self->arrivals, &channel->arrival);
  g_hash_table_insert (self->channels, channel->public.name, channel);
  return channel;
}

void
relay_subscriptions_remove (RelaySubscriptions *self, Channel *channel)
{
  relay_subscriptions_move (self, channel, PHASE_IDLE, NULL, NULL);
  if (self->is_handing_over && channel->before != BEFORE_NOTHING) {
    channel->is_asked = FALSE;
    channel->is_in_doubt = FALSE;
    return;
  }
  g_queue_unlink (&self->arrivals, &channel->arrival);
  g_hash_table_remove (self->channels, channel->public.name);
  channel_unref (channel);
}

void
relay_subscriptions_discard (RelaySubscriptions *self, Channel *channel)
{
  if (channel->is_in_doubt)
    relay_subscriptions_move (self, channel, PHASE_LATE, &self->leaving, NULL);
  else
    relay_subscriptions_remove (self, channel);
}

/* Someone wants it, be it for the first time or again: sees to it that the server is asked. */
static void
channel_want (RelaySubscriptions *self, Channel *channel)
{
  switch (channel->phase) {
  case PHASE_QUEUED:
  case PHASE_ASKED:
    return;
  case PHASE_ON:
    if (channel->queue != NULL)
      relay_subscriptions_move (self, channel, PHASE_ON, NULL, NULL);
    return;
  case PHASE_IDLE:
  case PHASE_LATE:
  case PHASE_REJECTED:
  case PHASE_FULL:
    if (channel->public.state == RELAY_CHANNEL_REJECTED)
      relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
    if (self->is_connected)
      relay_subscriptions_move (self, channel, PHASE_QUEUED, &self->fresh, NULL);
    return;
  default:
    g_assert_not_reached ();
  }
}

/* Nobody wants it any more. */
static void
channel_unwant (RelaySubscriptions *self, Channel *channel)
{
  self->n_wanted--;
  switch (channel->phase) {
  case PHASE_ASKED:
    /* The answer comes first. */
    return;
  case PHASE_ON:
  case PHASE_LATE:
    relay_subscriptions_move (self, channel, channel->phase, &self->leaving, NULL);
    return;
  case PHASE_QUEUED:
    /* Maybe for the second time, after its request was refused: that may have been for the others', and it is
     * about to be confirmed. */
    channel->is_in_doubt |= channel->is_asked;
    relay_subscriptions_use_room (self, 1);
    relay_subscriptions_discard (self, channel);
    return;
  case PHASE_IDLE:
  case PHASE_REJECTED:
  case PHASE_FULL:
    relay_subscriptions_discard (self, channel);
    return;
  default:
    g_assert_not_reached ();
  }
}

/* ---- the connection ---- */

void
relay_subscriptions_connected (RelaySubscriptions *self)
{
  relay_subscriptions_enter (self);
  relay_subscriptions_disconnected (self);
  self->is_connected = TRUE;
  for (GList *link = self->arrivals.head; link != NULL; link = link->next) {
    Channel *channel = link->data;

    relay_subscriptions_move (self, channel, PHASE_QUEUED, &self->again, NULL);
    if (channel->public.state == RELAY_CHANNEL_REJECTED)
      relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  }
  relay_subscriptions_leave (self);
}

void
relay_subscriptions_reset (RelaySubscriptions *self)
{
  self->batch = RELAY_SUBSCRIPTIONS_BATCH;
  self->is_exploring = FALSE;
  self->is_anonymous = FALSE;
  self->resume_usec = 0;
  self->n_pauses = 0;
  self->first_number = self->next_number;
  for (guint i = 0; i < REMEMBERED_UNSUBSCRIBES; i++)
    g_clear_pointer (&self->unsubscribes[i].names, g_strfreev);
}

void
relay_subscriptions_disconnected (RelaySubscriptions *self)
{
  GList *next;

  relay_subscriptions_enter (self);
  if (self->is_handing_over)
    relay_subscriptions_end_handover (self, TRUE);
  self->is_connected = FALSE;
  relay_subscriptions_lose_asked (self);
  relay_subscriptions_reset (self);

  for (GList *link = self->arrivals.head; link != NULL; link = next) {
    Channel *channel = link->data;

    next = link->next;
    if (!channel_is_wanted (channel)) {
      relay_subscriptions_remove (self, channel);
      continue;
    }
    relay_subscriptions_move (self, channel, PHASE_IDLE, NULL, NULL);
    channel->is_asked = FALSE;
    channel->is_in_doubt = FALSE;
    if (channel->public.state == RELAY_CHANNEL_ACTIVE)
      relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  }
  relay_subscriptions_leave (self);
}

/* ---- what is wanted ---- */

/* The channel, made if need be, for a want that follows. */
static Channel *
ensure_channel (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  return channel != NULL ? channel : relay_subscriptions_add (self, name);
}

void
relay_subscriptions_set_durable (RelaySubscriptions *self, const char *name, gboolean durable)
{
  Channel *channel = durable ? ensure_channel (self, name) : g_hash_table_lookup (self->channels, name);
  gboolean was_wanted;

  if (channel == NULL || (!durable && !channel->public.durable))
    return;

  relay_subscriptions_enter (self);
  was_wanted = channel_is_wanted (channel);
  if (channel->public.durable != durable) {
    channel->public.durable = durable;
    if (!was_wanted)
      self->n_wanted++;
    announce (self, channel, RELAY_CHANNEL_DURABLE | (was_wanted ? 0 : RELAY_CHANNEL_ADDED) |
                               (channel_is_wanted (channel) ? 0 : RELAY_CHANNEL_REMOVED));
  }
  if (durable)
    channel_want (self, channel);
  else if (!channel_is_wanted (channel))
    channel_unwant (self, channel);
  relay_subscriptions_leave (self);
}

void
relay_subscriptions_hold (RelaySubscriptions *self, const char *name)
{
  Channel *channel = ensure_channel (self, name);
  gboolean was_wanted;

  relay_subscriptions_enter (self);
  was_wanted = channel_is_wanted (channel);
  channel->public.n_holds++;
  if (!was_wanted)
    self->n_wanted++;
  announce (self, channel, RELAY_CHANNEL_HOLDS | (was_wanted ? 0 : RELAY_CHANNEL_ADDED));
  channel_want (self, channel);
  relay_subscriptions_leave (self);
}

void
relay_subscriptions_release (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  g_return_if_fail (channel != NULL && channel->public.n_holds > 0);

  relay_subscriptions_enter (self);
  channel->public.n_holds--;
  announce (self, channel, RELAY_CHANNEL_HOLDS | (channel_is_wanted (channel) ? 0 : RELAY_CHANNEL_REMOVED));
  if (!channel_is_wanted (channel))
    channel_unwant (self, channel);
  relay_subscriptions_leave (self);
}

void
relay_subscriptions_ask_again (RelaySubscriptions *self)
{
  relay_subscriptions_enter (self);
  if (self->is_connected)
    for (GList *link = self->arrivals.head; link != NULL; link = link->next) {
      Channel *channel = link->data;

      if (channel->phase != PHASE_REJECTED && channel->phase != PHASE_FULL)
        continue;
      relay_subscriptions_move (self, channel, PHASE_QUEUED, &self->again, NULL);
      if (channel->public.state == RELAY_CHANNEL_REJECTED)
        relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
    }
  relay_subscriptions_leave (self);
}

gboolean
relay_subscriptions_check_room (RelaySubscriptions *self, guint n_new, GError **error)
{
  guint n_channels = g_hash_table_size (self->channels);

  if (n_channels <= self->max_channels && n_new <= self->max_channels - n_channels)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
               _("No more than %u channels can be subscribed at a time (MaxChannels= in relay.conf)."),
               self->max_channels);
  return FALSE;
}

const RelayChannel *
relay_subscriptions_lookup (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  return channel != NULL && channel_is_wanted (channel) ? &channel->public : NULL;
}

GPtrArray *
relay_subscriptions_list (RelaySubscriptions *self)
{
  GPtrArray *list = g_ptr_array_sized_new (self->n_wanted);

  for (GList *link = self->arrivals.head; link != NULL; link = link->next)
    if (channel_is_wanted (link->data))
      g_ptr_array_add (list, &((Channel *) link->data)->public);
  return list;
}

guint
relay_subscriptions_get_n_channels (RelaySubscriptions *self)
{
  return self->n_wanted;
}

gboolean
relay_subscriptions_is_answered (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  return channel != NULL && channel_is_wanted (channel) &&
         (channel->phase == PHASE_ON || channel->phase == PHASE_REJECTED || channel->phase == PHASE_FULL);
}

gboolean
relay_subscriptions_is_settled (RelaySubscriptions *self)
{
  return self->is_connected && self->fresh.length == 0 && self->again.length == 0 && self->pieces.length == 0 &&
         self->asked.length == 0;
}

/* ---- beginning and end ---- */

RelaySubscriptions *
relay_subscriptions_new (guint max_channels)
{
  RelaySubscriptions *self = g_new0 (RelaySubscriptions, 1);

  self->max_channels = max_channels;
  self->channels = g_hash_table_new (g_str_hash, g_str_equal);
  self->requests = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->watchers = g_array_new (FALSE, FALSE, sizeof (Watcher));
  self->next_number = self->first_number = 1;
  return self;
}

void
relay_subscriptions_free (RelaySubscriptions *self)
{
  if (self == NULL)
    return;

  self->is_handing_over = FALSE;
  while (self->arrivals.length > 0)
    relay_subscriptions_remove (self, self->arrivals.head->data);
  g_queue_clear_full (&self->announcements, (GDestroyNotify) announcement_free);
  for (guint i = 0; i < REMEMBERED_UNSUBSCRIBES; i++)
    g_strfreev (self->unsubscribes[i].names);
  g_hash_table_unref (self->channels);
  g_hash_table_unref (self->requests);
  g_array_unref (self->watchers);
  g_free (self);
}

void
relay_subscriptions_set_max_channels (RelaySubscriptions *self, guint max_channels)
{
  self->max_channels = max_channels;
}

void
relay_subscriptions_watch (RelaySubscriptions *self, RelaySubscriptionsChanged changed, gpointer user_data)
{
  Watcher watcher = { changed, user_data };

  g_array_append_val (self->watchers, watcher);
}

void
relay_subscriptions_unwatch (RelaySubscriptions *self, RelaySubscriptionsChanged changed, gpointer user_data)
{
  relay_subscriptions_enter (self);
  for (guint i = 0; i < self->watchers->len; i++) {
    Watcher *watcher = &g_array_index (self->watchers, Watcher, i);

    if (watcher->changed == changed && watcher->user_data == user_data) {
      watcher->changed = NULL;
      break;
    }
  }
  relay_subscriptions_leave (self);
}

void
relay_subscriptions_set_wake (RelaySubscriptions *self, RelaySubscriptionsWake wake, gpointer user_data)
{
  self->wake = wake;
  self->wake_data = user_data;
}

const char *
relay_channel_state_to_string (RelayChannelState state)
{
  static const char *const names[] = {
    [RELAY_CHANNEL_PENDING] = RELAY_CHANNEL_STATE_NAME_PENDING,
    [RELAY_CHANNEL_ACTIVE] = RELAY_CHANNEL_STATE_NAME_ACTIVE,
    [RELAY_CHANNEL_REJECTED] = RELAY_CHANNEL_STATE_NAME_REJECTED,
  };

  return names[state];
}
