/* SPDX-License-Identifier: MIT */
#include "wire/subscriptions.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"

/*
 * Wanted against confirmed.
 *
 * A channel is in the table while someone wants it, and after that for as long as the server may have it. It is in
 * one phase, and stands in at most one queue, which channel_move() alone changes:
 *
 *   idle      not to be asked on this connection             (no queue)
 *   queued    to be asked                                    fresh, again, or the queue of a piece in `pieces`
 *   asked     sent, not answered                             the queue of a piece in `asked`
 *   late      asked, and not answered in time                the queue of a piece known to `requests` only
 *   on        confirmed                                      (no queue)
 *   rejected  refused                                        (no queue)
 *   full      refused for the server's limit                 full
 *
 * What is `on` or `late` and wanted no more stands in `leaving` until its unsubscribe is sent.
 *
 * A piece is the set of channels of one request that are still unanswered; one that is empty is no more. The
 * server may confirm names in any grouping, so a confirmation only looks at the channels; a refusal is about a request, and
 * concerns what is unanswered of it:
 *
 *   - A single channel: it is refused. That is the only way in which a channel is.
 *   - More of them: the piece is split, and the parts are asked again, each in a request of its own, never merged with
 *     anything. As parts are always smaller than the whole, that ends, whatever the server does: b bad channels
 *     among n cost at most 2·b·⌈log₂ n⌉ requests more.
 *   - For the server's limit, the parts are asked one after the other, the first one's first part first ("exploring"): the
 *     first single channel that is refused proves that the server is full, and what is queued (wants that were never sent
 *     excepted: whoever asks is told the server's word) waits for room as well. That costs 2·⌈log₂ n⌉ requests,
 *     where asking all parts at once would cost n.
 *
 * Room appears when channels are unsubscribed: as many of those in `full` are asked again, who waits longest first. A refusal
 * that is older than an unsubscribe (it was asked before that was sent) proves nothing, and is asked again.
 *
 * Who is asked next goes round among fresh wants, old ones (a new connection, room) and parts, so that no one of
 * them keeps the others waiting: neither callers that come and go, nor a batch full of bad names.
 *
 * Changes are announced when all is consistent: each public function collects them, and the outermost one calls the
 * watchers before it returns. So watchers may call back into this module.
 */

#define CODE_MAX_BYTES 64     /* of an error's code that is kept */
#define MESSAGE_MAX_BYTES 512 /* of an error's message that is kept, and searched for a channel */

/* Unsubscribes whose names are remembered, should the server refuse them with RATE_LIMITED; older ones were taken. */
#define REMEMBERED_UNSUBSCRIBES 8

#define ID_PREFIX "relay-"
#define RELAY_SUBSCRIPTIONS_RATE_DELAY_MIN_USEC (G_USEC_PER_SEC / 5)

typedef enum {
  PHASE_IDLE,
  PHASE_QUEUED,
  PHASE_ASKED,
  PHASE_LATE,
  PHASE_ON,
  PHASE_REJECTED,
  PHASE_FULL,
} Phase;

typedef struct {
  GQueue channels;        /* unanswered, by Channel.link */
  guint64 number;         /* of its request; 0 while it is to be sent */
  guint64 order;          /* number of the first request that had these channels; 0 before that */
  gint64 sent_usec;       /* CLOCK_MONOTONIC */
  guint64 n_unsubscribed; /* channels unsubscribed before it was sent */
  GList link;             /* in `queue` */
  GQueue *queue;          /* pieces, asked or (late) none */
} Piece;

typedef struct {
  RelayChannel public; /* first: watchers and callers see this. Strings are GRefStrings. */
  guint refs;          /* the table's and each announcement's */
  Phase phase;
  gboolean is_asked;   /* a subscribe of it was sent on this connection: a confirmation can be meant for it */
  GQueue *queue;       /* where `link` stands, or NULL */
  Piece *piece;        /* whose queue that is, or NULL */
  GList link;
  GList arrival; /* in `arrivals` */
} Channel;

typedef struct {
  Channel *channel;
  RelayChannelChange change;
} Announcement;

typedef struct {
  RelaySubscriptionsChanged changed;
  gpointer user_data;
} Watcher;

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
  guint64 n_unsubscribed; /* channels, in all */
  Unsubscribe unsubscribes[REMEMBERED_UNSUBSCRIBES];
  guint next_unsubscribe;

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

/* ---- announcements ---- */

static void
channel_unref (Channel *channel)
{
  if (--channel->refs > 0)
    return;
  g_ref_string_release (channel->public.name);
  g_ref_string_release (channel->public.error_code);
  g_ref_string_release (channel->public.error_message);
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

static void
enter (RelaySubscriptions *self)
{
  self->depth++;
}

static void
leave (RelaySubscriptions *self)
{
  Announcement *announcement;

  if (self->depth == 1) {
    while ((announcement = g_queue_pop_head (&self->announcements)) != NULL) {
      for (guint i = 0; i < self->watchers->len; i++) {
        Watcher watcher = g_array_index (self->watchers, Watcher, i);

        watcher.changed (&announcement->channel->public, announcement->change, watcher.user_data);
      }
      announcement_free (announcement);
    }
  }
  if (--self->depth == 0 && self->is_wake_due) {
    self->is_wake_due = FALSE;
    if (self->wake != NULL && self->is_connected)
      self->wake (self->wake_data);
  }
}

/* ---- channels ---- */

static gboolean
channel_is_wanted (const Channel *channel)
{
  return channel->public.durable || channel->public.n_holds > 0;
}

static void
replace (char **string, char *value)
{
  g_ref_string_release (*string);
  *string = g_ref_string_acquire (value);
}

/* The one setter of what is shown of a channel's state. @code, @message: GRefStrings, or NULL for none. @change: what
 * is to be announced in any case. */
static void
channel_set_state (RelaySubscriptions *self, Channel *channel, RelayChannelState state, char *code, char *message,
                   gint64 active_since_usec, RelayChannelChange change)
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

/* Takes the channel out of the queue that it stands in, and puts it into @queue (of @piece). The piece that it leaves
 * empty is freed. */
static void
channel_move (RelaySubscriptions *self, Channel *channel, Phase phase, GQueue *queue, Piece *piece)
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

static Channel *
channel_new (RelaySubscriptions *self, const char *name)
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

static void
channel_remove (RelaySubscriptions *self, Channel *channel)
{
  channel_move (self, channel, PHASE_IDLE, NULL, NULL);
  g_queue_unlink (&self->arrivals, &channel->arrival);
  g_hash_table_remove (self->channels, channel->public.name);
  channel_unref (channel);
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
      channel_move (self, channel, PHASE_ON, NULL, NULL);
    return;
  case PHASE_IDLE:
  case PHASE_LATE:
  case PHASE_REJECTED:
  case PHASE_FULL:
    if (channel->public.state == RELAY_CHANNEL_REJECTED)
      channel_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
    if (self->is_connected)
      channel_move (self, channel, PHASE_QUEUED, &self->fresh, NULL);
    return;
  default:
    g_assert_not_reached ();
  }
}

/* Nobody wants it any more. What was asked is answered first. */
static void
channel_unwant (RelaySubscriptions *self, Channel *channel)
{
  self->n_wanted--;
  if (channel->phase == PHASE_ON || channel->phase == PHASE_LATE)
    channel_move (self, channel, channel->phase, &self->leaving, NULL);
  else if (channel->phase != PHASE_ASKED)
    channel_remove (self, channel);
}

/* ---- pieces ---- */

static Piece *
piece_new (void)
{
  Piece *piece = g_new0 (Piece, 1);

  g_queue_init (&piece->channels);
  piece->link.data = piece;
  return piece;
}

/* A piece to be sent, of those in @channels from @start on up to @end; nothing if there are none. @order: of the piece
 * that they were in. It is asked before what is as old or younger, or, if @last, after what there is. */
static void
queue_piece (RelaySubscriptions *self, GPtrArray *channels, guint start, guint end, guint64 order, gboolean last)
{
  GList *behind = last ? NULL : self->pieces.head;
  Piece *piece;

  if (start == end)
    return;

  piece = piece_new ();
  for (guint i = start; i < end; i++)
    channel_move (self, channels->pdata[i], PHASE_QUEUED, &piece->channels, piece);

  while (behind != NULL && ((Piece *) behind->data)->order < order)
    behind = behind->next;
  piece->order = order;
  piece->queue = &self->pieces;
  g_queue_insert_before_link (&self->pieces, behind, &piece->link);
}

/* A piece of at most RELAY_SUBSCRIPTIONS_BATCH of the channels in @queue. */
static Piece *
gather_piece (RelaySubscriptions *self, GQueue *queue)
{
  Piece *piece = piece_new ();

  while (queue->length > 0 && piece->channels.length < RELAY_SUBSCRIPTIONS_BATCH)
    channel_move (self, queue->head->data, PHASE_QUEUED, &piece->channels, piece);
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

/* Ends the piece: its channels, in no queue, for whoever decides on them. Those that nobody wants are dropped: the server
 * has refused the request, so that it has none of them. */
static GPtrArray *
piece_dissolve (RelaySubscriptions *self, Piece *piece)
{
  GPtrArray *channels = g_ptr_array_sized_new (piece->channels.length);

  for (guint n = piece->channels.length; n > 0; n--) {
    Channel *channel = piece->channels.head->data;

    if (!channel_is_wanted (channel)) {
      channel_remove (self, channel);
      continue;
    }
    channel_move (self, channel, PHASE_IDLE, NULL, NULL);
    g_ptr_array_add (channels, channel);
  }
  return channels;
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
    for (guint n = piece->channels.length; n > 0; n--) {
      Channel *channel = piece->channels.head->data;

      if (channel_is_wanted (channel))
        channel_move (self, channel, PHASE_LATE, &piece->channels, piece);
      else
        channel_move (self, channel, PHASE_LATE, &self->leaving, NULL);
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
  piece->sent_usec = now_usec;
  piece->n_unsubscribed = self->n_unsubscribed;
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

/* There may be room for @n channels more at the server. */
static void
use_room (RelaySubscriptions *self, guint n)
{
  for (; n > 0 && self->full.length > 0; n--)
    channel_move (self, self->full.head->data, PHASE_QUEUED, &self->again, NULL);
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
    channel_remove (self, channel);
  }
  self->n_unsubscribed += n;
  use_room (self, n);

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
      request = send_unsubscribe (self);
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

void
relay_subscriptions_confirmed (RelaySubscriptions *self, const char *const *names, gint64 realtime_usec)
{
  enter (self);
  for (; *names != NULL; names++) {
    Channel *channel = g_hash_table_lookup (self->channels, *names);

    if (channel == NULL || !channel->is_asked || channel->phase == PHASE_ON)
      continue;
    channel_move (self, channel, PHASE_ON, channel_is_wanted (channel) ? NULL : &self->leaving, NULL);
    channel_set_state (self, channel, RELAY_CHANNEL_ACTIVE, NULL, NULL, realtime_usec, RELAY_CHANNEL_ANSWERED);
    self->n_pauses = 0;
  }
  leave (self);
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
    channel_move (self, channels->pdata[i], PHASE_REJECTED, NULL, NULL);
    channel_set_state (self, channels->pdata[i], RELAY_CHANNEL_REJECTED, code, message, 0, RELAY_CHANNEL_ANSWERED);
  }
}

/* A piece of more than one channel was refused, and one of them may be @named as the culprit: asks the two parts. */
static void
split (RelaySubscriptions *self, Piece *piece, Channel *named)
{
  guint64 order = piece->order;
  gboolean is_named_wanted = named != NULL && channel_is_wanted (named);
  g_autoptr (GPtrArray) channels = piece_dissolve (self, piece);
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
  channel_move (self, channel, PHASE_FULL, &self->full, NULL);
  channel_set_state (self, channel, RELAY_CHANNEL_PENDING, code, message, 0, RELAY_CHANNEL_ANSWERED);
}

/* The server holds no more: whoever was asked alone waits for room, and so do all who would be asked after it. */
static void
refuse_for_limit (RelaySubscriptions *self, Piece *piece, char *code, char *message)
{
  guint n_unanswered = piece->channels.length;
  guint64 order = piece->order;
  gboolean is_outdated = piece->n_unsubscribed != self->n_unsubscribed;
  g_autoptr (GPtrArray) channels = piece_dissolve (self, piece);
  guint middle = channels->len / 2;

  if (n_unanswered > 1 || is_outdated) {
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

  if (self->n_pauses > 0 && (sent_usec < self->paused_usec || now_usec < self->resume_usec))
    return;
  if (self->n_pauses < 6)
    delay_usec = MIN (RELAY_SUBSCRIPTIONS_RATE_DELAY_USEC << self->n_pauses, delay_usec);
  self->n_pauses++;
  self->paused_usec = now_usec;
  self->resume_usec = now_usec + MAX ((gint64) ((double) delay_usec * jitter), RELAY_SUBSCRIPTIONS_RATE_DELAY_MIN_USEC);
}

/* The unsubscribe @number was refused with RATE_LIMITED: the server still has those channels. */
static void
repeat_unsubscribe (RelaySubscriptions *self, guint64 number)
{
  for (guint i = 0; i < REMEMBERED_UNSUBSCRIBES; i++) {
    Unsubscribe *unsubscribe = &self->unsubscribes[i];

    if (unsubscribe->names == NULL || unsubscribe->number != number)
      continue;
    for (char **name = unsubscribe->names; *name != NULL; name++)
      /* One that is in the table again is wanted again: its subscribe says all. */
      if (!g_hash_table_contains (self->channels, *name))
        channel_move (self, channel_new (self, *name), PHASE_LATE, &self->leaving, NULL);
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

static void
piece_refused (RelaySubscriptions *self, Piece *piece, RelayError error, char *code, char *message)
{
  guint64 order = piece->order;
  g_autoptr (GPtrArray) channels = NULL;

  if (error == RELAY_ERROR_SUBSCRIPTION_LIMIT) {
    refuse_for_limit (self, piece, code, message);
    return;
  }
  if (error != RELAY_ERROR_RATE_LIMITED && error != RELAY_ERROR_AUTH_FAILED && error != RELAY_ERROR_TOKEN_EXPIRED &&
      error != RELAY_ERROR_INVALID_ACTION && piece->channels.length > 1) {
    split (self, piece, find_named (piece, message));
    return;
  }

  channels = piece_dissolve (self, piece);
  if (error == RELAY_ERROR_AUTH_FAILED || error == RELAY_ERROR_TOKEN_EXPIRED || channels->len == 0)
    return; /* idle until the next connection */
  if (error == RELAY_ERROR_RATE_LIMITED)
    queue_piece (self, channels, 0, channels->len, order, FALSE);
  else
    reject (self, channels, code, message);
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
relay_subscriptions_refused (RelaySubscriptions *self, const char *request_id, const char *action, const char *code,
                             const char *message, gint64 now_usec, double jitter)
{
  RelayError error = relay_error_from_server_code (code);
  g_autoptr (GRefString) bounded_code = make_bounded (code, CODE_MAX_BYTES);
  g_autoptr (GRefString) bounded_message = make_bounded (message, MESSAGE_MAX_BYTES);
  Piece *piece;
  guint64 number = 0;

  if (request_id != NULL) {
    if (!parse_id (self, request_id, &number))
      return FALSE;
    piece = g_hash_table_lookup (self->requests, &number);
  } else {
    if (action != NULL && !g_str_equal (action, "subscribe"))
      return FALSE;
    piece = guess_piece (self, bounded_message);
    if (piece == NULL)
      return FALSE;
    self->is_anonymous = TRUE;
  }

  enter (self);
  if (error == RELAY_ERROR_RATE_LIMITED)
    pause_sending (self, piece != NULL ? piece->sent_usec : now_usec, now_usec, jitter);
  if (piece != NULL)
    piece_refused (self, piece, error, bounded_code, bounded_message);
  else if (error == RELAY_ERROR_RATE_LIMITED)
    repeat_unsubscribe (self, number);
  leave (self);
  return TRUE;
}

/* ---- the connection ---- */

void
relay_subscriptions_connected (RelaySubscriptions *self)
{
  enter (self);
  relay_subscriptions_disconnected (self);
  self->is_connected = TRUE;
  for (GList *link = self->arrivals.head; link != NULL; link = link->next) {
    Channel *channel = link->data;

    channel_move (self, channel, PHASE_QUEUED, &self->again, NULL);
    if (channel->public.state == RELAY_CHANNEL_REJECTED)
      channel_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  }
  leave (self);
}

void
relay_subscriptions_disconnected (RelaySubscriptions *self)
{
  GList *next;

  enter (self);
  self->is_connected = FALSE;
  self->is_exploring = FALSE;
  self->is_anonymous = FALSE;
  self->resume_usec = 0;
  self->n_pauses = 0;
  self->first_number = self->next_number;
  for (guint i = 0; i < REMEMBERED_UNSUBSCRIBES; i++)
    g_clear_pointer (&self->unsubscribes[i].names, g_strfreev);

  for (GList *link = self->arrivals.head; link != NULL; link = next) {
    Channel *channel = link->data;

    next = link->next;
    if (!channel_is_wanted (channel)) {
      channel_remove (self, channel);
      continue;
    }
    channel_move (self, channel, PHASE_IDLE, NULL, NULL);
    channel->is_asked = FALSE;
    if (channel->public.state == RELAY_CHANNEL_ACTIVE)
      channel_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
  }
  leave (self);
}

/* ---- what is wanted ---- */

/* The channel, made if need be, for a want that follows. */
static Channel *
ensure_channel (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  return channel != NULL ? channel : channel_new (self, name);
}

void
relay_subscriptions_set_durable (RelaySubscriptions *self, const char *name, gboolean durable)
{
  Channel *channel = durable ? ensure_channel (self, name) : g_hash_table_lookup (self->channels, name);
  gboolean was_wanted;

  if (channel == NULL || (!durable && !channel->public.durable))
    return;

  enter (self);
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
  leave (self);
}

void
relay_subscriptions_hold (RelaySubscriptions *self, const char *name)
{
  Channel *channel = ensure_channel (self, name);
  gboolean was_wanted;

  enter (self);
  was_wanted = channel_is_wanted (channel);
  channel->public.n_holds++;
  if (!was_wanted)
    self->n_wanted++;
  announce (self, channel, RELAY_CHANNEL_HOLDS | (was_wanted ? 0 : RELAY_CHANNEL_ADDED));
  channel_want (self, channel);
  leave (self);
}

void
relay_subscriptions_release (RelaySubscriptions *self, const char *name)
{
  Channel *channel = g_hash_table_lookup (self->channels, name);

  g_return_if_fail (channel != NULL && channel->public.n_holds > 0);

  enter (self);
  channel->public.n_holds--;
  announce (self, channel, RELAY_CHANNEL_HOLDS | (channel_is_wanted (channel) ? 0 : RELAY_CHANNEL_REMOVED));
  if (!channel_is_wanted (channel))
    channel_unwant (self, channel);
  leave (self);
}

void
relay_subscriptions_ask_again (RelaySubscriptions *self)
{
  enter (self);
  if (self->is_connected)
    for (GList *link = self->arrivals.head; link != NULL; link = link->next) {
      Channel *channel = link->data;

      if (channel->phase != PHASE_REJECTED && channel->phase != PHASE_FULL)
        continue;
      channel_move (self, channel, PHASE_QUEUED, &self->again, NULL);
      if (channel->public.state == RELAY_CHANNEL_REJECTED)
        channel_set_state (self, channel, RELAY_CHANNEL_PENDING, NULL, NULL, 0, 0);
    }
  leave (self);
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

  while (self->arrivals.length > 0)
    channel_remove (self, self->arrivals.head->data);
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
  for (guint i = 0; i < self->watchers->len; i++) {
    const Watcher *watcher = &g_array_index (self->watchers, Watcher, i);

    if (watcher->changed == changed && watcher->user_data == user_data) {
      g_array_remove_index (self->watchers, i);
      return;
    }
  }
}

void
relay_subscriptions_set_wake (RelaySubscriptions *self, RelaySubscriptionsWake wake, gpointer user_data)
{
  self->wake = wake;
  self->wake_data = user_data;
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

gboolean
relay_channel_name_check (const char *name, GError **error)
{
  const char *colon = strchr (name, ':');
  gsize length = strlen (name);
  const char *reason = NULL;

  if (length > RELAY_CHANNEL_NAME_MAX_BYTES)
    reason = _("it is longer than 255 bytes");
  else if (colon == NULL || colon == name || colon[1] == '\0')
    reason = _("it is not of the form kind:id");
  for (const char *p = name; reason == NULL && *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      reason = _("only printable ASCII characters without spaces are allowed");

  if (reason != NULL) {
    g_autofree char *shown = g_strescape (name, "\"\\");

    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_CHANNEL, _("“%.*s” is not a channel: %s."),
                 RELAY_CHANNEL_NAME_MAX_BYTES, shown, reason);
    return FALSE;
  }
  return TRUE;
}
