/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "wire/subscriptions-private.h"

/*
 * What to ask the server for, and what its answers mean.
 *
 * A piece is the set of channels of one request that are still unanswered; one that is empty is no more. The
 * server may confirm names in any grouping, so a confirmation only looks at the channels; a refusal is about a
 * request, and concerns what is unanswered of it:
 *
 *   - A single channel: it is refused. That is the only way in which a channel is, but for INVALID_ACTION (a server that
 *     knows no subscribe needs not be asked again).
 *   - More of them: the piece is split, and the parts are asked again, each in a request of its own, never merged
 *     with anything. As parts are always smaller than the whole, that ends, whatever the server does: b bad channels
 *     among n cost at most 2·b·⌈log₂ n⌉ requests more.
 *   - For the server's limit, the parts are asked one after the other, the first one's first part first
 *     ("exploring"): the first single channel that is refused proves that the server is full, and what is queued
 *     waits for room as well, but for fresh wants: whoever asks is told the server's word. That costs at most
 *     2·⌈log₂ n⌉ requests more, where asking all parts at once would cost n.
 *
 * How many channels one request may have, the protocol does not say. RELAY_SUBSCRIPTIONS_BATCH go in each, until the
 * server has confirmed one of the largest there was: then twice as many do. So 10,000 channels are asked for in 13
 * messages instead of 20, and in 0.3 s instead of 1 s at the usual pace. The first trouble with a large one (refused for
 * whatever reason, not answered, the connection lost meanwhile) ends that for good; what was in it is asked again in small
 * ones, so that no word on a request for its size is taken for one on its channels.
 *
 * Room appears when channels are unsubscribed: as many of those in `full` are asked again, who waits longest
 * first. Where one of them turns out to need no room (it is rejected, or wanted no more), the next one is asked
 * instead.
 *
 * An unsubscribe waits until what is asked is answered, and what is to be asked waits for the unsubscribe. So no
 * answer from before it is taken for one from after it: neither does a confirmation that names all there is speak
 * of a channel that has gone and come again, nor a refusal for the limit of room that has appeared.
 *
 * A channel is in doubt when the server may have it without having said so: it was not answered in time, or was
 * let go while the refused request that it was in is taken apart, or an unsubscribe of it was not taken. It is
 * unsubscribed when nobody wants it, in whatever phase that finds it.
 *
 * Who is asked next goes round among fresh wants, old ones (a new connection, room) and parts, so that no one of
 * them keeps the others waiting: neither callers that come and go, nor a batch full of bad names.
 */

#define CODE_MAX_BYTES 64     /* of an error's code that is kept */
#define MESSAGE_MAX_BYTES 512 /* of an error's message that is kept, and searched for a channel */

#define ID_PREFIX "relay-"

/* ---- pieces ---- */

static Piece *
piece_new (void)
{
  Piece *piece = g_new0 (Piece, 1);

  g_queue_init (&piece->channels);
  piece->link.data = piece;
  return piece;
}

/* A piece to be sent, of those in @channels from @start on up to @end; nothing if there are none. @order: of the
 * piece that they were in. It is asked before what is as old or younger, or, if @last, after what there is. */
static void
queue_piece (RelaySubscriptions *self, GPtrArray *channels, guint start, guint end, guint64 order, gboolean last)
{
  GList *behind = last ? NULL : self->pieces.head;
  Piece *piece;

  if (start == end)
    return;

  piece = piece_new ();
  for (guint i = start; i < end; i++)
    relay_subscriptions_move (self, channels->pdata[i], PHASE_QUEUED, &piece->channels, piece);

  while (behind != NULL && ((Piece *) behind->data)->order < order)
    behind = behind->next;
  piece->order = order;
  piece->queue = &self->pieces;
  g_queue_insert_before_link (&self->pieces, behind, &piece->link);
}

/* A piece of the channels in @queue, as many as one request may have. */
static Piece *
gather_piece (RelaySubscriptions *self, GQueue *queue)
{
  Piece *piece = piece_new ();
  gsize n_bytes = 0;

  while (queue->length > 0 && piece->channels.length < self->batch) {
    Channel *channel = queue->head->data;

    n_bytes += strlen (channel->public.name);
    if (piece->channels.length >= RELAY_SUBSCRIPTIONS_BATCH && n_bytes > RELAY_SUBSCRIPTIONS_LARGE_BATCH_BYTES)
      break;
    relay_subscriptions_move (self, channel, PHASE_QUEUED, &piece->channels, piece);
  }
  return piece;
}

static Piece *
pop_piece (RelaySubscriptions *self)
{
  Piece *piece = g_queue_peek_head (&self->pieces);

  g_queue_unlink (&self->pieces, &piece->link);
  piece->queue = NULL;
  return piece;
}

/* The piece to be sent next, out of any queue, or NULL. */
static Piece *
take_piece (RelaySubscriptions *self)
{
  if (self->is_exploring && self->pieces.length > 0)
    return pop_piece (self);

  for (guint i = 0; i < 3; i++) {
    self->turn = (self->turn + 1) % 3;
    if (self->turn == 0 && self->fresh.length > 0)
      return gather_piece (self, &self->fresh);
    if (self->turn == 1 && self->again.length > 0)
      return gather_piece (self, &self->again);
    if (self->turn == 2 && self->pieces.length > 0)
      return pop_piece (self);
  }
  return NULL;
}

/* Ends the piece: its channels, in no queue, for whoever decides on them; what nobody wants is not among them.
 * @done: the server may have done a part of what was asked, and be about to confirm it. */
static GPtrArray *
piece_dissolve (RelaySubscriptions *self, Piece *piece, gboolean done)
{
  GPtrArray *channels = g_ptr_array_sized_new (piece->channels.length);

  for (guint n = piece->channels.length; n > 0; n--) {
    Channel *channel = piece->channels.head->data;

    channel->is_asked = done;
    if (channel_is_wanted (channel)) {
      relay_subscriptions_move (self, channel, PHASE_IDLE, NULL, NULL);
      g_ptr_array_add (channels, channel);
    } else {
      channel->is_in_doubt |= done;
      relay_subscriptions_use_room (self, 1);
      relay_subscriptions_discard (self, channel);
    }
  }
  return channels;
}

static gboolean
piece_is_large (const Piece *piece)
{
  return piece->n_asked > RELAY_SUBSCRIPTIONS_BATCH;
}

void
relay_subscriptions_become_wary (RelaySubscriptions *self)
{
  self->is_wary = TRUE;
  self->batch = RELAY_SUBSCRIPTIONS_BATCH;
}

void
relay_subscriptions_lose_asked (RelaySubscriptions *self)
{
  for (GList *link = self->asked.head; link != NULL; link = link->next)
    if (piece_is_large (link->data))
      relay_subscriptions_become_wary (self);
}

/* What was asked RELAY_SUBSCRIPTIONS_ANSWER_USEC ago is late. An answer is still good. */
static void
expire_pieces (RelaySubscriptions *self, gint64 now_usec)
{
  Piece *piece;

  while ((piece = g_queue_peek_head (&self->asked)) != NULL &&
         now_usec - piece->sent_usec >= RELAY_SUBSCRIPTIONS_ANSWER_USEC) {
    g_queue_unlink (&self->asked, &piece->link);
    piece->queue = NULL;
    if (piece_is_large (piece))
      relay_subscriptions_become_wary (self);
    for (guint n = piece->channels.length; n > 0; n--) {
      Channel *channel = piece->channels.head->data;

      channel->is_in_doubt = TRUE;
      if (channel_is_wanted (channel))
        relay_subscriptions_move (self, channel, PHASE_LATE, &piece->channels, piece);
      else
        relay_subscriptions_move (self, channel, PHASE_LATE, &self->leaving, NULL);
    }
  }
}

/* ---- what to send ---- */

static RelayRequest *
request_new (RelaySubscriptions *self, gboolean subscribe, guint n_channels)
{
  RelayRequest *request = g_new0 (RelayRequest, 1);

  request->subscribe = subscribe;
  request->id = g_strdup_printf (ID_PREFIX "%" G_GUINT64_FORMAT, self->next_number++);
  request->channels = g_new0 (char *, n_channels + 1);
  return request;
}

static RelayRequest *
send_subscribe (RelaySubscriptions *self, Piece *piece, gint64 now_usec)
{
  RelayRequest *request = request_new (self, TRUE, piece->channels.length);
  guint n = 0;

  piece->number = self->next_number - 1;
  if (piece->order == 0)
    piece->order = piece->number;
  piece->n_asked = piece->channels.length;
  piece->sent_usec = now_usec;
  piece->queue = &self->asked;
  g_queue_push_tail_link (&self->asked, &piece->link);
  g_hash_table_insert (self->requests, &piece->number, piece);

  for (GList *link = piece->channels.head; link != NULL; link = link->next) {
    Channel *channel = link->data;

    channel->phase = PHASE_ASKED;
    channel->is_asked = TRUE;
    request->channels[n++] = g_strdup (channel->public.name);
  }
  return request;
}

void
relay_subscriptions_use_room (RelaySubscriptions *self, guint n)
{
  for (; n > 0 && self->full.length > 0; n--)
    relay_subscriptions_move (self, self->full.head->data, PHASE_QUEUED, &self->again, NULL);
}

static RelayRequest *
send_unsubscribe (RelaySubscriptions *self)
{
  guint n = MIN (self->leaving.length, RELAY_SUBSCRIPTIONS_BATCH);
  RelayRequest *request = request_new (self, FALSE, n);
  Unsubscribe *remembered = &self->unsubscribes[self->next_unsubscribe];

  for (guint i = 0; i < n; i++) {
    Channel *channel = self->leaving.head->data;

    request->channels[i] = g_strdup (channel->public.name);
    relay_subscriptions_remove (self, channel);
  }
  relay_subscriptions_use_room (self, n);

  self->next_unsubscribe = (self->next_unsubscribe + 1) % REMEMBERED_UNSUBSCRIBES;
  g_strfreev (remembered->names);
  remembered->number = self->next_number - 1;
  remembered->names = g_strdupv (request->channels);
  return request;
}

RelayRequest *
relay_subscriptions_next (RelaySubscriptions *self, gint64 now_usec, gint64 *ret_next_usec)
{
  RelayRequest *request = NULL;
  Piece *piece = NULL;
  gint64 next_usec = -1;

  if (self->is_connected) {
    expire_pieces (self, now_usec);
    if (self->asked.length == 0 && self->pieces.length == 0)
      self->is_exploring = FALSE;

    if (now_usec < self->resume_usec)
      next_usec = self->resume_usec;
    else if (self->leaving.length > 0)
      request = self->asked.length == 0 ? send_unsubscribe (self) : NULL;
    else if (!(self->is_exploring || self->is_anonymous) || self->asked.length == 0)
      piece = take_piece (self);

    if (piece != NULL)
      request = send_subscribe (self, piece, now_usec);
  }

  if (request == NULL) {
    piece = g_queue_peek_head (&self->asked);
    if (piece != NULL && (next_usec < 0 || piece->sent_usec + RELAY_SUBSCRIPTIONS_ANSWER_USEC < next_usec))
      next_usec = piece->sent_usec + RELAY_SUBSCRIPTIONS_ANSWER_USEC;
    *ret_next_usec = next_usec;
  }
  /* The caller asks until there is nothing left to send. */
  self->is_wake_due = FALSE;
  return request;
}

/* ---- what is answered ---- */

/* The channel is about to be confirmed: if it is the last one of its request, the server takes that many. */
static void
note_taken (RelaySubscriptions *self, const Channel *channel)
{
  const Piece *piece = channel->piece;

  if (piece != NULL && piece->channels.length == 1 && piece->n_asked >= self->batch && !self->is_wary)
    self->batch = MIN (2 * self->batch, RELAY_SUBSCRIPTIONS_LARGE_BATCH);
}

void
relay_subscriptions_confirmed (RelaySubscriptions *self, const char *const *names, gint64 realtime_usec)
{
  relay_subscriptions_enter (self);
  for (; *names != NULL; names++) {
    Channel *channel = g_hash_table_lookup (self->channels, *names);
    gint64 active_since;

    if (channel == NULL || !(channel->is_asked || channel->is_in_doubt) || channel->phase == PHASE_ON)
      continue;
    channel->is_in_doubt = FALSE;
    note_taken (self, channel);
    relay_subscriptions_move (self, channel, PHASE_ON, channel_is_wanted (channel) ? NULL : &self->leaving, NULL);
    channel->public.confirmed_usec = realtime_usec;
    /* During a handover it may have been active all the time. */
    if (channel->public.active_since_usec == 0)
      active_since = realtime_usec;
    else
      active_since = channel->public.active_since_usec;
    relay_subscriptions_set_state (self, channel, RELAY_CHANNEL_ACTIVE, NULL, NULL, active_since, RELAY_CHANNEL_ANSWERED);
    self->n_pauses = 0;
  }
  relay_subscriptions_leave (self);
}

/* Does @name stand in @text as a word of its own: between blanks or the text's ends, punctuation aside? */
static gboolean
is_named (const char *text, const char *name)
{
  gsize length = strlen (name);

  for (const char *found = strstr (text, name); found != NULL; found = strstr (found + 1, name)) {
    const char *before = found, *behind = found + length;

    while (before > text && g_ascii_ispunct (before[-1]))
      before--;
    while (g_ascii_ispunct (*behind))
      behind++;
    if ((before == text || g_ascii_isspace (before[-1])) && (*behind == '\0' || g_ascii_isspace (*behind)))
      return TRUE;
  }
  return FALSE;
}

/* The one channel of the piece that @message names, or NULL if there is none, or more than one. */
static Channel *
find_named (Piece *piece, const char *message)
{
  Channel *named = NULL;

  for (GList *link = piece->channels.head; link != NULL; link = link->next) {
    Channel *channel = link->data;

    if (!is_named (message, channel->public.name))
      continue;
    if (named != NULL)
      return NULL;
    named = channel;
  }
  return named;
}

static void
reject (RelaySubscriptions *self, GPtrArray *channels, char *code, char *message)
{
  for (guint i = 0; i < channels->len; i++) {
    Channel *channel = channels->pdata[i];

    relay_subscriptions_move (self, channel, PHASE_REJECTED, NULL, NULL);
    relay_subscriptions_set_refused (self, channel, RELAY_CHANNEL_REJECTED, code, message);
  }
  relay_subscriptions_use_room (self, channels->len);
}

/* A piece of more than one channel was refused, and one of them may be @named as the culprit: asks the two
 * parts. */
static void
split (RelaySubscriptions *self, Piece *piece, Channel *named)
{
  guint64 order = piece->order;
  gboolean is_named_wanted = named != NULL && channel_is_wanted (named);
  g_autoptr (GPtrArray) channels = piece_dissolve (self, piece, TRUE);
  guint middle = channels->len / 2;
  guint index;

  if (is_named_wanted && g_ptr_array_find (channels, named, &index)) {
    /* The innocent first: they are many. */
    g_ptr_array_remove_index (channels, index);
    g_ptr_array_add (channels, named);
    middle = channels->len - 1;
  } else if (named != NULL) {
    /* Nobody wants the culprit any more. */
    middle = 0;
  }

  queue_piece (self, channels, 0, middle, order, TRUE);
  queue_piece (self, channels, middle, channels->len, order, TRUE);
}

static void
hold_back (RelaySubscriptions *self, Channel *channel, char *code, char *message)
{
  relay_subscriptions_move (self, channel, PHASE_FULL, &self->full, NULL);
  channel->is_asked = FALSE;
  relay_subscriptions_set_refused (self, channel, RELAY_CHANNEL_PENDING, code, message);
}

/* The server holds no more: whoever was asked alone waits for room, and so do all who would be asked after it. */
static void
refuse_for_limit (RelaySubscriptions *self, Piece *piece, char *code, char *message)
{
  guint n_unanswered = piece->channels.length;
  guint64 order = piece->order;
  g_autoptr (GPtrArray) channels = piece_dissolve (self, piece, n_unanswered > 1);
  guint middle = channels->len / 2;

  if (n_unanswered > 1) {
    self->is_exploring = TRUE;
    queue_piece (self, channels, middle, channels->len, order, FALSE);
    queue_piece (self, channels, 0, middle, order, FALSE);
    return;
  }

  if (channels->len > 0)
    hold_back (self, channels->pdata[0], code, message);
  while ((piece = g_queue_peek_head (&self->pieces)) != NULL)
    for (guint n = piece->channels.length; n > 0; n--)
      hold_back (self, piece->channels.head->data, code, message);
  while (self->again.length > 0)
    hold_back (self, self->again.head->data, code, message);
}

/* RATE_LIMITED: nothing is said for a while. What was sent before the last pause began does not prolong it. */
static void
pause_sending (RelaySubscriptions *self, gint64 sent_usec, gint64 now_usec, double jitter)
{
  gint64 delay_usec = RELAY_SUBSCRIPTIONS_RATE_DELAY_MAX_USEC;
  gint64 jittered_usec;

  if (self->n_pauses > 0 && (sent_usec < self->paused_usec || now_usec < self->resume_usec))
    return;
  if (self->n_pauses < 6)
    delay_usec = MIN (RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC << self->n_pauses, delay_usec);
  self->n_pauses++;
  self->paused_usec = now_usec;
  jittered_usec = (gint64) ((double) delay_usec * jitter);
  self->resume_usec = now_usec + MAX (jittered_usec, RELAY_SUBSCRIPTIONS_RATE_DELAY_MIN_USEC);
}

/* The unsubscribe @number was refused with RATE_LIMITED: the server still has those channels. */
static void
repeat_unsubscribe (RelaySubscriptions *self, guint64 number)
{
  for (guint i = 0; i < REMEMBERED_UNSUBSCRIBES; i++) {
    Unsubscribe *unsubscribe = &self->unsubscribes[i];

    if (unsubscribe->names == NULL || unsubscribe->number != number)
      continue;
    for (char **name = unsubscribe->names; *name != NULL; name++) {
      Channel *channel = g_hash_table_lookup (self->channels, *name);

      if (channel == NULL)
        channel = relay_subscriptions_add (self, *name);
      if (!channel_is_wanted (channel) && channel->phase == PHASE_IDLE)
        relay_subscriptions_move (self, channel, PHASE_LATE, &self->leaving, NULL);
      /* Where it is wanted again, its subscribe says all, unless that is never sent. */
      channel->is_in_doubt = TRUE;
    }
    g_clear_pointer (&unsubscribe->names, g_strfreev);
  }
}

/* A GRefString of @text (may be NULL), cut between characters: what is kept of what a server says is bounded. */
static char *
make_bounded (const char *text, gsize max_bytes)
{
  gsize length = text != NULL ? strnlen (text, max_bytes + 1) : 0;

  if (length > max_bytes)
    for (length = max_bytes; length > 0 && ((guchar) text[length] & 0xC0) == 0x80;)
      length--;
  return g_ref_string_new_len (text != NULL ? text : "", (gssize) length);
}

/* Does it say something about the channels, or only about the request? */
static gboolean
is_word_on_channel (RelayError error)
{
  return error != RELAY_ERROR_RATE_LIMITED && error != RELAY_ERROR_AUTH_FAILED &&
         error != RELAY_ERROR_TOKEN_EXPIRED && error != RELAY_ERROR_INVALID_ACTION;
}

static void
piece_refused (RelaySubscriptions *self, Piece *piece, RelayError error, char *code, char *message)
{
  guint64 order = piece->order;
  gboolean is_large = piece_is_large (piece);
  g_autoptr (GPtrArray) channels = NULL;

  if (is_large)
    relay_subscriptions_become_wary (self);
  if (is_large && error != RELAY_ERROR_AUTH_FAILED && error != RELAY_ERROR_TOKEN_EXPIRED) {
    channels = piece_dissolve (self, piece, error != RELAY_ERROR_RATE_LIMITED);
    for (guint i = 0; i < channels->len; i++)
      relay_subscriptions_move (self, channels->pdata[i], PHASE_QUEUED, &self->again, NULL);
    return;
  }
  switch (error) {
  case RELAY_ERROR_SUBSCRIPTION_LIMIT:
    refuse_for_limit (self, piece, code, message);
    return;
  case RELAY_ERROR_RATE_LIMITED:
    channels = piece_dissolve (self, piece, FALSE);
    queue_piece (self, channels, 0, channels->len, order, FALSE);
    return;
  case RELAY_ERROR_AUTH_FAILED:
  case RELAY_ERROR_TOKEN_EXPIRED:
    /* Idle until the next connection. */
    g_ptr_array_unref (piece_dissolve (self, piece, FALSE));
    return;
  case RELAY_ERROR_INVALID_ACTION:
    channels = piece_dissolve (self, piece, FALSE);
    reject (self, channels, code, message);
    return;
  default:
    if (piece->channels.length > 1) {
      split (self, piece, find_named (piece, message));
      return;
    }
    channels = piece_dissolve (self, piece, FALSE);
    reject (self, channels, code, message);
    return;
  }
}

/* Which request of this connection has the id? */
static gboolean
parse_id (RelaySubscriptions *self, const char *id, guint64 *ret_number)
{
  guint64 number;

  if (!self->is_connected || !g_str_has_prefix (id, ID_PREFIX) ||
      !g_ascii_string_to_unsigned (id + strlen (ID_PREFIX), 10, 0, G_MAXUINT64, &number, NULL) ||
      number < self->first_number || number >= self->next_number)
    return FALSE;
  *ret_number = number;
  return TRUE;
}

/* The oldest piece that is asked and has a channel which @message names; where there is none, the oldest. */
static Piece *
guess_piece (RelaySubscriptions *self, const char *message)
{
  for (GList *link = self->asked.head; link != NULL; link = link->next)
    for (GList *channel = ((Piece *) link->data)->channels.head; channel != NULL; channel = channel->next)
      if (is_named (message, ((Channel *) channel->data)->public.name))
        return link->data;

  return g_queue_peek_head (&self->asked);
}

gboolean
relay_subscriptions_refused (RelaySubscriptions *self, const char *request_id, const char *action,
                             const char *code, const char *message, gint64 now_usec, double jitter)
{
  RelayError error = relay_error_from_server_code (code);
  g_autoptr (GRefString) bounded_code = make_bounded (code, CODE_MAX_BYTES);
  g_autoptr (GRefString) bounded_message = make_bounded (message, MESSAGE_MAX_BYTES);
  Piece *piece;
  guint64 number = 0;

  if (request_id != NULL && g_str_has_prefix (request_id, ID_PREFIX)) {
    if (!parse_id (self, request_id, &number))
      return FALSE;
    piece = g_hash_table_lookup (self->requests, &number);
  } else {
    gboolean is_numbered = request_id != NULL && *request_id != '\0';

    if (action != NULL ? !g_str_equal (action, "subscribe") : is_numbered)
      return FALSE;
    piece = guess_piece (self, bounded_message);
    if (piece == NULL)
      return FALSE;
    self->is_anonymous = TRUE;
  }

  relay_subscriptions_enter (self);
  if (error == RELAY_ERROR_RATE_LIMITED)
    pause_sending (self, piece != NULL ? piece->sent_usec : now_usec, now_usec, jitter);
  if (piece != NULL && piece->channels.length == 1 && is_word_on_channel (error))
    ((Channel *) piece->channels.head->data)->is_in_doubt = FALSE;
  if (piece != NULL)
    piece_refused (self, piece, error, bounded_code, bounded_message);
  else if (error == RELAY_ERROR_RATE_LIMITED)
    repeat_unsubscribe (self, number);
  relay_subscriptions_leave (self);
  return TRUE;
}

void
relay_request_free (RelayRequest *request)
{
  if (request == NULL)
    return;
  g_free (request->id);
  g_strfreev (request->channels);
  g_free (request);
}
