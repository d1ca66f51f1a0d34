/* SPDX-License-Identifier: MIT */
#include "bus/listings.h"

#include <string.h>

#include "bus/reply.h"
#include "bus/signals.h"
#include "common/bus-source.h"
#include "common/error.h"
#include "common/log.h"
#include "common/turn.h"

/*
 * A listing waits, in the order of arrival, until it may start, and then has its turn with those that have started, one
 * step of one listing in a turn of the loop. A step looks at RELAY_HISTORY_STEP_ROWS rows at most (store/history.h), and adds
 * RELAY_LISTINGS_STEP_BYTES to the answer, or one event. So a listing delays whatever else there is by some milliseconds
 * at most, however large the history, the answer, or the number of listings.
 *
 * Memory: only those that have started have an answer, and they are RELAY_LISTINGS_MAX_STARTED, of different callers (who
 * asks for much waits for himself). While the bus has not taken what was sent, no step is made, so that answers don't
 * gather there.
 *
 * The newest events are found from the end on, but listed in order: what is found is kept as text, and when all of it is
 * there, is put into the answer from its other end.
 */
typedef struct {
  guint64 sequence;
  gint64 received_usec;
  gsize length;
  char text[];
} Found;

typedef struct {
  RelayListings *listings;
  sd_bus_message *call; /* its head */
  RelayQuery query;
  guint limit;

  sd_bus_message *reply;   /* NULL: not started */
  guint64 position;        /* of the scan */
  guint64 last_sequence;   /* of the events that are there; with `newest`: the last one given out at the start */
  guint n_events;
  gsize bytes, step_bytes; /* as estimated: in all, and in this step */
  gboolean full;           /* nothing more fits, or is wanted */
  GPtrArray *found;        /* Found, the newest first, to be put into the answer; NULL: they are put there at once */
  gboolean scanned;
  int failure;             /* of sd-bus, negative errno */
} Listing;

struct RelayListings {
  RelayOutbox *outbox;
  const RelayHistoryActions *actions;
  gpointer user_data;
  GQueue waiting, started; /* Listing */
  sd_bus_track *callers;   /* of all listings, once for each */
  RelayJsonReader reader;  /* of what was found */
  GSource *turn;
};

static void
listing_free (Listing *listing)
{
  sd_bus_track_remove_name (listing->listings->callers, sd_bus_message_get_sender (listing->call));
  sd_bus_message_unref (listing->call);
  sd_bus_message_unref (listing->reply);
  relay_query_clear (&listing->query);
  g_clear_pointer (&listing->found, g_ptr_array_unref);
  g_free (listing);
}

/* ---- adding events ---- */

static gboolean
append (Listing *listing, const RelayEvent *event)
{
  listing->failure = relay_signals_append_event (listing->reply, event);
  return listing->failure >= 0;
}

static void
keep (Listing *listing, const RelayEvent *event)
{
  gsize length = event->reader->length;
  Found *found = g_malloc (sizeof *found + length);

  found->sequence = event->sequence;
  found->received_usec = event->received_usec;
  found->length = length;
  memcpy (found->text, event->reader->text, length);
  g_ptr_array_add (listing->found, found);
}

static gboolean
on_found (const RelayEvent *event, gpointer user_data)
{
  Listing *listing = user_data;
  gsize bytes = relay_signals_estimate_bytes (event);

  if (listing->n_events == listing->limit || (listing->n_events > 0 && listing->bytes + bytes > RELAY_LISTINGS_MAX_BYTES)) {
    listing->full = TRUE;
    return FALSE;
  }
  if (listing->step_bytes > 0 && listing->step_bytes + bytes > RELAY_LISTINGS_STEP_BYTES)
    return FALSE;

  if (listing->found != NULL) {
    keep (listing, event);
  } else {
    listing->last_sequence = event->sequence;
    if (!append (listing, event))
      return FALSE;
  }
  listing->bytes += bytes;
  listing->step_bytes += bytes;
  /* Whether one more matches is not worth a search. */
  listing->full = ++listing->n_events == listing->limit;
  return !listing->full;
}

/* Puts what was found into the answer, as much as belongs into one step. */
static void
assemble (Listing *listing)
{
  RelayJsonReader *reader = &listing->listings->reader;

  while (listing->found->len > 0) {
    const Found *found = listing->found->pdata[listing->found->len - 1];
    RelayEvent event;
    gsize bytes;

    /* It was read before, when it was found. */
    if (!relay_event_read (&event, reader, found->text, found->length, NULL))
      g_assert_not_reached ();
    event.sequence = found->sequence;
    event.received_usec = found->received_usec;
    bytes = relay_signals_estimate_bytes (&event);
    if (listing->step_bytes > 0 && listing->step_bytes + bytes > RELAY_LISTINGS_STEP_BYTES)
      return;
    if (!append (listing, &event))
      return;
    listing->step_bytes += bytes;
    g_ptr_array_set_size (listing->found, (int) listing->found->len - 1);
  }
}

/* ---- steps ---- */

static int
start (Listing *listing)
{
  RelayListings *listings = listing->listings;
  int r = sd_bus_message_new_method_return (listing->call, &listing->reply);

  if (r < 0)
    return r;
  if (listing->query.newest) {
    listing->last_sequence = listings->actions->get_last_sequence (listings->user_data);
    listing->found = g_ptr_array_new_with_free_func (g_free);
  }
  return sd_bus_message_open_container (listing->reply, 'a', "a{sv}");
}

/* Who stops at an event goes on behind it; who has seen all goes on behind the last number that was given out. */
static int
finish (Listing *listing)
{
  RelayListings *listings = listing->listings;
  guint64 last = listings->actions->get_last_sequence (listings->user_data);
  gboolean newest = listing->query.newest;
  guint64 reached = newest || listing->full ? listing->last_sequence : last;
  gboolean more = listing->full && (newest || reached < last);
  int r = sd_bus_message_close_container (listing->reply);

  if (r >= 0)
    r = sd_bus_message_append (listing->reply, "tb", reached, (int) more);
  return r < 0 ? r : sd_bus_message_send (listing->reply);
}

/* Returns 0 if there is more to do, a positive number when it is answered, a negative errno if it cannot be. */
static int
step (Listing *listing)
{
  RelayListings *listings = listing->listings;
  g_autoptr (GError) error = NULL;
  int r = listing->reply != NULL ? 0 : start (listing);

  if (r < 0)
    return r;
  listing->step_bytes = 0;
  if (!listing->scanned) {
    gboolean end = FALSE;

    if (!listings->actions->scan (&listing->query, &listing->position, on_found, listing, &end, &error, listings->user_data)) {
      r = relay_reply_error (listing->call, error);
      return r < 0 ? r : 1;
    }
    listing->scanned = end || listing->full;
  } else if (listing->found != NULL) {
    assemble (listing);
  }
  if (listing->failure < 0)
    return listing->failure;
  if (!listing->scanned || (listing->found != NULL && listing->found->len > 0))
    return 0;
  r = finish (listing);
  return r < 0 ? r : 1;
}

/* ---- turns ---- */

/* Those whose caller has left the bus. */
static void
prune (RelayListings *listings, GQueue *queue)
{
  for (GList *link = queue->head, *next; link != NULL; link = next) {
    Listing *listing = link->data;

    next = link->next;
    if (sd_bus_track_count_name (listings->callers, sd_bus_message_get_sender (listing->call)) <= 0) {
      listing_free (listing);
      g_queue_delete_link (queue, link);
    }
  }
}

static guint
count_caller (const GQueue *queue, const char *caller)
{
  guint n = 0;

  for (const GList *link = queue->head; link != NULL; link = link->next) {
    const Listing *listing = link->data;

    n += g_str_equal (sd_bus_message_get_sender (listing->call), caller);
  }
  return n;
}

static void
start_some (RelayListings *listings)
{
  for (GList *link = listings->waiting.head, *next; link != NULL; link = next) {
    Listing *listing = link->data;

    if (listings->started.length == RELAY_LISTINGS_MAX_STARTED)
      return;
    next = link->next;
    if (count_caller (&listings->started, sd_bus_message_get_sender (listing->call)) == 0) {
      g_queue_unlink (&listings->waiting, link);
      g_queue_push_tail_link (&listings->started, link);
    }
  }
}

/* Memory is all that can be the cause. */
static void
give_up (Listing *listing, int failure)
{
  const char *caller = sd_bus_message_get_sender (listing->call);

  relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_SENDER", caller), "Could not answer ListEvents of %s: %s", caller,
                    g_strerror (-failure));
  sd_bus_reply_method_errno (listing->call, failure, NULL);
}

static void
on_turn (gpointer user_data)
{
  RelayListings *listings = user_data;
  Listing *listing;
  int r;

  prune (listings, &listings->waiting);
  prune (listings, &listings->started);
  if (!relay_outbox_is_written (listings->outbox)) {
    relay_outbox_check (listings->outbox);
    return;
  }
  start_some (listings);
  listing = g_queue_pop_head (&listings->started);
  if (listing == NULL)
    return;
  r = step (listing);
  if (r == 0) {
    g_queue_push_tail (&listings->started, listing);
  } else {
    if (r < 0)
      give_up (listing, r);
    listing_free (listing);
    relay_outbox_check (listings->outbox);
  }
  relay_listings_bus_drained (listings);
}

void
relay_listings_bus_drained (RelayListings *listings)
{
  if (listings->waiting.length + listings->started.length > 0)
    relay_turn_arm (listings->turn);
}

/* ---- life ---- */

int
relay_listings_new (sd_bus *bus, RelayOutbox *outbox, const RelayHistoryActions *actions, gpointer user_data,
                    RelayListings **ret_listings)
{
  g_autoptr (RelayListings) listings = g_new0 (RelayListings, 1);
  int r;

  listings->outbox = outbox;
  listings->actions = actions;
  listings->user_data = user_data;
  listings->turn = relay_turn_new ("relay-listings", on_turn, listings);
  r = sd_bus_track_new (bus, &listings->callers, NULL, NULL);
  if (r >= 0)
    r = sd_bus_track_set_recursive (listings->callers, 1);
  if (r < 0)
    return r;
  *ret_listings = g_steal_pointer (&listings);
  return 0;
}

void
relay_listings_free (RelayListings *listings)
{
  if (listings == NULL)
    return;
  g_queue_clear_full (&listings->waiting, (GDestroyNotify) listing_free);
  g_queue_clear_full (&listings->started, (GDestroyNotify) listing_free);
  relay_turn_free (listings->turn);
  sd_bus_track_unref (listings->callers);
  relay_json_reader_clear (&listings->reader);
  g_free (listings);
}

static gboolean
check_room (RelayListings *listings, const char *caller, GError **error)
{
  guint n = listings->waiting.length + listings->started.length;
  guint of_caller = count_caller (&listings->waiting, caller) + count_caller (&listings->started, caller);

  if (n < RELAY_LISTINGS_MAX && of_caller < RELAY_LISTINGS_MAX_PER_CLIENT)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
               "Too many calls of ListEvents wait (%u of %s, at most %d; %u in all, at most %d); "
               "wait for some of them to be answered", of_caller, caller, RELAY_LISTINGS_MAX_PER_CLIENT, n, RELAY_LISTINGS_MAX);
  return FALSE;
}

gboolean
relay_listings_add (RelayListings *listings, sd_bus_message *message, RelayQuery *query, guint limit, GError **error)
{
  const char *caller = sd_bus_message_get_sender (message);
  Listing *listing;
  int r;

  prune (listings, &listings->waiting);
  prune (listings, &listings->started);
  if (!check_room (listings, caller, error))
    return FALSE;
  r = sd_bus_track_add_name (listings->callers, caller);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, "Cannot watch whether %s stays on the bus: %s", caller, strerror (-r));
    return FALSE;
  }
  listing = g_new0 (Listing, 1);
  listing->listings = listings;
  listing->call = relay_reply_copy_head (message);
  listing->query = *query;
  *query = (RelayQuery){ 0 };
  listing->limit = limit == 0 ? RELAY_LISTINGS_MAX_EVENTS : MIN (limit, RELAY_LISTINGS_MAX_EVENTS);
  g_queue_push_tail (&listings->waiting, listing);
  relay_turn_arm (listings->turn);
  return TRUE;
}
