/* SPDX-License-Identifier: MIT */
#include "bus/outbox.h"

#include <errno.h>

#include "bus/bulk-write.h"
#include "bus/signals.h"
#include "common/bus-source.h"
#include "common/log.h"

/*
 * A signal is made the moment its event comes, since an event is only valid then: as bytes, behind those of the events before
 * it in one batch, which is written at once beneath sd-bus (bus/bulk-write.c); or, where it is too large for that or
 * the bus is none of that kind, as a message for sd-bus. Batches and messages are the pieces of one order.
 *
 * They go through two queues. `held` has those whose event is not stored yet: their owner releases them once a turn,
 * so they come from one turn or two of the loop, and a turn brings 64 KiB of frames at most, or the end of one message. Of what
 * is released, `leaving` keeps what the bus cannot take for now, and sd-bus a message in a queue of its own; from the first of
 * them on the WebSocket is not read (`congested`), so that this is no more than a turn or two either.
 *
 * What is sent through sd-bus otherwise, such as the answer to a call, does not wait for pieces that are leaving. Pieces wait
 * for it, while the bus source takes in no further calls (wants_write): neither side starves.
 *
 * Serial numbers: sd-bus counts its own from 1 and goes beyond FIRST_SERIAL after 2³¹ messages. Nobody answers a signal;
 * they are apart for whoever reads the traffic.
 */
#define FIRST_SERIAL 0x80000000u

/* One of the two: a message, or bytes. */
typedef struct {
  sd_bus_message *message;
  guint8 *bytes;
  gsize size, limit;
  guint n_events;
} Piece;

struct RelayOutbox {
  sd_bus *bus;
  RelayStatus *status;
  RelayOutboxCongested notify;
  gpointer user_data;
  GQueue held, leaving; /* Piece */
  guint32 serial;
  gboolean congested;
};

RelayOutbox *
relay_outbox_new (sd_bus *bus, RelayStatus *status, RelayOutboxCongested congested, gpointer user_data)
{
  RelayOutbox *outbox = g_new0 (RelayOutbox, 1);

  outbox->bus = bus;
  outbox->status = status;
  outbox->notify = congested;
  outbox->user_data = user_data;
  outbox->serial = FIRST_SERIAL;
  return outbox;
}

static void
piece_free (Piece *piece)
{
  sd_bus_message_unref (piece->message);
  g_free (piece->bytes);
  g_free (piece);
}

static void
clear_queue (GQueue *queue)
{
  while (!g_queue_is_empty (queue))
    piece_free (g_queue_pop_head (queue));
}

void
relay_outbox_free (RelayOutbox *outbox)
{
  if (outbox == NULL)
    return;
  clear_queue (&outbox->held);
  clear_queue (&outbox->leaving);
  g_free (outbox);
}

gboolean
relay_outbox_is_written (RelayOutbox *outbox)
{
  guint64 n = 0;

  return g_queue_is_empty (&outbox->leaving) && (sd_bus_get_n_queued_write (outbox->bus, &n) < 0 || n == 0);
}

gboolean
relay_outbox_is_empty (RelayOutbox *outbox)
{
  return g_queue_is_empty (&outbox->held) && relay_outbox_is_written (outbox);
}

gboolean
relay_outbox_wants_write (RelayOutbox *outbox)
{
  return !g_queue_is_empty (&outbox->leaving);
}

static void
set_congested (RelayOutbox *outbox, gboolean congested)
{
  if (outbox->congested == congested)
    return;
  outbox->congested = congested;
  outbox->notify (congested, outbox->user_data);
}

void
relay_outbox_check (RelayOutbox *outbox)
{
  if (!relay_outbox_is_written (outbox))
    set_congested (outbox, TRUE);
}

/* ---- making ---- */

/* @r: of making it. Only memory or a bus that is gone can be the cause; losing the bus ends the daemon elsewhere. */
static void
hold_message (RelayOutbox *outbox, sd_bus_message *message, int r, guint64 sequence, guint n_events)
{
  Piece *piece;

  if (r < 0) {
    relay_err ("Could not make the signal of event %" G_GUINT64_FORMAT ": %s", sequence, g_strerror (-r));
    return;
  }
  piece = g_new0 (Piece, 1);
  piece->message = message;
  piece->n_events = n_events;
  g_queue_push_tail (&outbox->held, piece);
}

static gboolean
add_to_batch (RelayOutbox *outbox, Piece *batch, const RelayEvent *event)
{
  RelayMarshal marshal;

  if (relay_signals_write (&marshal, batch->bytes + batch->size, batch->limit - batch->size, outbox->serial, event) < 0)
    return FALSE;
  batch->size += (gsize) (marshal.at - marshal.begin);
  batch->n_events++;
  outbox->serial = MAX (outbox->serial + 1, FIRST_SERIAL);
  return TRUE;
}

/* FALSE: it is for sd-bus to send. */
static gboolean
hold_bytes (RelayOutbox *outbox, const RelayEvent *event)
{
  Piece *batch = g_queue_peek_tail (&outbox->held);

  if (batch != NULL && batch->bytes != NULL && add_to_batch (outbox, batch, event))
    return TRUE;
  batch = g_new0 (Piece, 1);
  batch->limit = relay_bulk_write_get_limit (outbox->bus);
  batch->bytes = g_malloc (batch->limit);
  if (batch->limit == 0 || !add_to_batch (outbox, batch, event)) {
    piece_free (batch);
    return FALSE;
  }
  g_queue_push_tail (&outbox->held, batch);
  return TRUE;
}

void
relay_outbox_add (RelayOutbox *outbox, const RelayEvent *event)
{
  sd_bus_message *message = NULL;
  int r;

  if (event->reader->length <= 2 * RELAY_BULK_WRITE_MAX_BYTES && hold_bytes (outbox, event))
    return;
  r = relay_signals_new (outbox->bus, event, &message);
  hold_message (outbox, message, r, event->sequence, 1);
}

void
relay_outbox_add_gap (RelayOutbox *outbox, const RelayGap *gap)
{
  sd_bus_message *message = NULL;
  int r = relay_signals_new_gap (outbox->bus, gap, &message);

  hold_message (outbox, message, r, gap->sequence, 0);
}

/* ---- sending ---- */

/* FALSE: not now. */
static gboolean
try_to_send (RelayOutbox *outbox, const Piece *piece)
{
  int r;

  if (piece->message != NULL) {
    r = sd_bus_send (outbox->bus, piece->message, NULL);
    if (r == -ENOBUFS)
      return FALSE;
  } else {
    r = relay_bulk_write (outbox->bus, piece->bytes, piece->size);
    if (r == 0)
      return FALSE;
  }
  if (r >= 0)
    outbox->status->events_emitted += piece->n_events;
  else /* it has nowhere to go; whoever watches the bus hears of it as well */
    relay_err ("Could not send %u signal(s): %s", MAX (piece->n_events, 1), g_strerror (-r));
  return TRUE;
}

static void
send_leaving (RelayOutbox *outbox)
{
  Piece *piece;

  while ((piece = g_queue_peek_head (&outbox->leaving)) != NULL) {
    if (!try_to_send (outbox, piece))
      return;
    piece_free (g_queue_pop_head (&outbox->leaving));
  }
}

void
relay_outbox_release (RelayOutbox *outbox)
{
  gboolean first = g_queue_is_empty (&outbox->leaving);
  Piece *piece;

  if (g_queue_is_empty (&outbox->held))
    return;
  while ((piece = g_queue_pop_head (&outbox->held)) != NULL)
    g_queue_push_tail (&outbox->leaving, piece);
  /* Else the bus takes nothing for now. */
  if (first)
    send_leaving (outbox);
  relay_outbox_check (outbox);
}

gboolean
relay_outbox_bus_turned (RelayOutbox *outbox)
{
  send_leaving (outbox);
  if (!relay_outbox_is_written (outbox))
    return FALSE;
  set_congested (outbox, FALSE);
  return TRUE;
}
