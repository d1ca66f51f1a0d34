/* SPDX-License-Identifier: MIT */
#include "store/waiting.h"

#include <string.h>

/* Most of the time what waits came in one turn of the loop, and leaves all at once. So a list will do: only
 * where the file takes nothing it gets long, and then it is walked once for each step of a scan. */

RelayWaitingEvent *
relay_waiting_add (RelayWaiting *self, const RelayEvent *event)
{
  RelayWaitingEvent *added = g_malloc (sizeof *added + event->reader->length);

  *added = (RelayWaitingEvent){ .previous = self->newest,
                                .sequence = event->sequence,
                                .received_usec = event->received_usec,
                                .length = event->reader->length };
  memcpy (added->text, event->reader->text, added->length);
  if (self->newest != NULL)
    self->newest->next = added;
  else
    self->oldest = added;
  self->newest = added;
  self->n_events++;
  self->n_bytes += sizeof *added + added->length;
  return added;
}

gboolean
relay_waiting_is_over (const RelayWaiting *self, guint64 max_events, gsize max_bytes)
{
  return self->n_events > 1 && (self->n_events > max_events || self->n_bytes > max_bytes);
}

void
relay_waiting_drop_oldest (RelayWaiting *self)
{
  RelayWaitingEvent *oldest = self->oldest;

  self->oldest = oldest->next;
  if (self->oldest != NULL)
    self->oldest->previous = NULL;
  else
    self->newest = NULL;
  self->n_events--;
  self->n_bytes -= sizeof *oldest + oldest->length;
  g_free (oldest);
}

void
relay_waiting_clear (RelayWaiting *self)
{
  while (self->oldest != NULL)
    relay_waiting_drop_oldest (self);
}

RelayWaitingEvent *
relay_waiting_find_above (const RelayWaiting *self, guint64 sequence)
{
  RelayWaitingEvent *event = self->oldest;

  while (event != NULL && event->sequence <= sequence)
    event = event->next;
  return event;
}

RelayWaitingEvent *
relay_waiting_find_below (const RelayWaiting *self, guint64 sequence)
{
  RelayWaitingEvent *event = self->newest;

  while (event != NULL && event->sequence >= sequence)
    event = event->previous;
  return event;
}
