/* SPDX-License-Identifier: MIT */
#include "bus/outbox.h"

#include <errno.h>

#include "bus/signals.h"
#include "common/bus-source.h"
#include "common/log.h"

/*
 * A message is made the moment its event comes, since an event is only valid then, and goes through two queues. `held`
 * has those whose event is not stored yet: their owner releases them once a turn, so they come from one turn or two of
 * the loop, and a turn brings 64 KiB of frames at most, or the end of one message. Of what is released
 * sd-bus keeps what the bus cannot take, in a queue of its own, and from the first message there on the WebSocket is not
 * read (`congested`), so that this queue holds no more than a turn or two either. Should sd-bus refuse even that, the
 * message waits in `unsent`.
 */
struct RelayOutbox {
  sd_bus *bus;
  RelayStatus *status;
  RelayOutboxCongested notify;
  gpointer user_data;
  GQueue held, unsent; /* sd_bus_message */
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
  return outbox;
}

static void
clear_queue (GQueue *queue)
{
  while (!g_queue_is_empty (queue))
    sd_bus_message_unref (g_queue_pop_head (queue));
}

void
relay_outbox_free (RelayOutbox *outbox)
{
  if (outbox == NULL)
    return;
  clear_queue (&outbox->held);
  clear_queue (&outbox->unsent);
  g_free (outbox);
}

gboolean
relay_outbox_is_written (RelayOutbox *outbox)
{
  guint64 n = 0;

  return g_queue_is_empty (&outbox->unsent) && (sd_bus_get_n_queued_write (outbox->bus, &n) < 0 || n == 0);
}

gboolean
relay_outbox_is_empty (RelayOutbox *outbox)
{
  return g_queue_is_empty (&outbox->held) && relay_outbox_is_written (outbox);
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

/* @r: of making it. Only memory or a bus that is gone can be the cause; losing the bus ends the daemon elsewhere. */
static void
hold (RelayOutbox *outbox, sd_bus_message *message, int r, guint64 sequence)
{
  if (r < 0)
    relay_err ("Could not make the signal of event %" G_GUINT64_FORMAT ": %s", sequence, g_strerror (-r));
  else
    g_queue_push_tail (&outbox->held, message);
}

void
relay_outbox_add (RelayOutbox *outbox, const RelayEvent *event)
{
  sd_bus_message *message = NULL;
  int r = relay_signals_new (outbox->bus, event, &message);

  hold (outbox, message, r, event->sequence);
}

void
relay_outbox_add_gap (RelayOutbox *outbox, const RelayGap *gap)
{
  sd_bus_message *message = NULL;
  int r = relay_signals_new_gap (outbox->bus, gap, &message);

  hold (outbox, message, r, gap->sequence);
}

/* FALSE: sd-bus would not even queue it, now. */
static gboolean
try_to_send (RelayOutbox *outbox, sd_bus_message *message)
{
  int r = sd_bus_send (outbox->bus, message, NULL);

  if (r == -ENOBUFS)
    return FALSE;
  if (r < 0)
    relay_err ("Could not send a signal: %s", g_strerror (-r));
  else if (sd_bus_message_is_signal (message, NULL, "Gap") <= 0)
    outbox->status->events_emitted++;
  return TRUE;
}

static void
send_unsent (RelayOutbox *outbox)
{
  sd_bus_message *message;

  while ((message = g_queue_peek_head (&outbox->unsent)) != NULL) {
    if (!try_to_send (outbox, message))
      return;
    sd_bus_message_unref (g_queue_pop_head (&outbox->unsent));
  }
}

void
relay_outbox_release (RelayOutbox *outbox)
{
  sd_bus_message *message;

  if (g_queue_is_empty (&outbox->held))
    return;
  while ((message = g_queue_pop_head (&outbox->held)) != NULL)
    if (g_queue_is_empty (&outbox->unsent) && try_to_send (outbox, message))
      sd_bus_message_unref (message);
    else
      g_queue_push_tail (&outbox->unsent, message);
  relay_outbox_check (outbox);
}

gboolean
relay_outbox_bus_turned (RelayOutbox *outbox)
{
  send_unsent (outbox);
  if (!relay_outbox_is_written (outbox))
    return FALSE;
  set_congested (outbox, FALSE);
  return TRUE;
}
