/* SPDX-License-Identifier: MIT */
#include "common/bus-source.h"

#include <errno.h>
#include <poll.h>

/*
 * sd-bus brings its own idea of when it wants to be called: a descriptor, a set of poll events, a deadline. All three
 * can change with every call made on the bus from anywhere, so none is remembered: each turn of the loop asks afresh.
 * (A set of events kept from the turn before hangs as soon as a synchronous call has moved messages to the read queue;
 * changing the loop's poll set from prepare wakes the loop for ever.)
 *
 * There is one GPollFD; its events are written in place in prepare, which GLib reads behind it.
 */
typedef struct {
  GSource source;
  sd_bus *bus;
  GPollFD pollfd;
  const RelayBusSourceEvents *events;
  gpointer user_data;
} BusSource;

static gboolean
wants_write (BusSource *self)
{
  return self->events->wants_write != NULL && self->events->wants_write (self->user_data);
}

/* What sd-bus wants to be polled for, and what whoever writes beside it wants. */
static int
get_events (BusSource *self)
{
  int events = sd_bus_get_events (self->bus);
  guint64 n_queued = 0;

  if (events < 0 || !wants_write (self))
    return events;
  if (sd_bus_get_n_queued_write (self->bus, &n_queued) >= 0 && n_queued > 0)
    events &= ~POLLIN;
  return events | POLLOUT;
}

static gboolean
bus_source_prepare (GSource *source, gint *timeout_msec)
{
  BusSource *self = (BusSource *) source;
  guint64 deadline_usec;
  gint64 now_usec;
  int events;

  *timeout_msec = -1;

  /* A failure is for dispatch to meet and report. */
  events = get_events (self);
  if (events < 0 || sd_bus_get_timeout (self->bus, &deadline_usec) < 0)
    return TRUE;

  self->pollfd.events = (gushort) events;
  if (deadline_usec == UINT64_MAX)
    return FALSE;

  now_usec = g_get_monotonic_time ();
  if (deadline_usec <= (guint64) now_usec)
    return TRUE;
  *timeout_msec = (gint) MIN ((deadline_usec - (guint64) now_usec + 999) / 1000, (guint64) G_MAXINT);
  return FALSE;
}

static gboolean
bus_source_check (GSource *source)
{
  BusSource *self = (BusSource *) source;
  guint64 deadline_usec;

  if (self->pollfd.revents != 0)
    return TRUE;
  return sd_bus_get_timeout (self->bus, &deadline_usec) < 0 ||
         (deadline_usec != UINT64_MAX && deadline_usec <= (guint64) g_get_monotonic_time ());
}

/* Returns 0, or the negative errno with which the bus is lost. */
static int
process (GSource *source, sd_bus *bus)
{
  BusSource *self = (BusSource *) source;

  for (guint i = 0; i < RELAY_BUS_SOURCE_MESSAGES_PER_TURN && !g_source_is_destroyed (source); i++) {
    int r = sd_bus_process (bus, NULL);

    /* -EBUSY: a handler runs the loop; it is not for us to say more. */
    if (r == 0 || r == -EBUSY)
      return 0;
    if (r < 0)
      return r;
    /* With exit-on-disconnect off, the end of the connection shows as success; the next turn would spin. */
    if (sd_bus_is_open (bus) <= 0)
      return -ECONNRESET;
    if (!g_source_is_destroyed (source) && wants_write (self))
      return 0;
  }
  return 0;
}

static gboolean
bus_source_dispatch (GSource *source, GSourceFunc callback G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
  BusSource *self = (BusSource *) source;
  g_autoptr (sd_bus) bus = sd_bus_ref (self->bus);
  int r = process (source, bus);

  if (g_source_is_destroyed (source)) /* by a handler: whoever was to be told may be gone */
    return G_SOURCE_REMOVE;
  if (r < 0) {
    self->events->failed (r, self->user_data);
    return G_SOURCE_REMOVE;
  }
  if (self->events->turned != NULL)
    self->events->turned (self->user_data);
  return G_SOURCE_CONTINUE;
}

static void
bus_source_finalize (GSource *source)
{
  BusSource *self = (BusSource *) source;

  g_clear_pointer (&self->bus, sd_bus_unref);
}

/* What strangers say in the name of the bus is heard by nobody. sd-bus takes any unique name for the sender that a match rule
 * names, its own rules included: it would believe each of them that a peer it tracks has left.
 *
 * sd-bus rewinds a message for its filters. A handler of replies that goes on reading one later has to return 1 for it. */
static int
drop_forged (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  return sd_bus_message_is_signal (message, "org.freedesktop.DBus", NULL) > 0 &&
         g_strcmp0 (sd_bus_message_get_sender (message), "org.freedesktop.DBus") != 0;
}

GSource *
relay_bus_source_new (sd_bus *bus, const RelayBusSourceEvents *events, gpointer user_data)
{
  static GSourceFuncs funcs = {
    .prepare = bus_source_prepare,
    .check = bus_source_check,
    .dispatch = bus_source_dispatch,
    .finalize = bus_source_finalize,
  };
  GSource *source = g_source_new (&funcs, sizeof (BusSource));
  BusSource *self = (BusSource *) source;

  /* It goes with the bus. Without memory for it there is none for anything else. */
  (void) sd_bus_add_filter (bus, NULL, drop_forged, NULL);
  self->bus = sd_bus_ref (bus);
  self->events = events;
  self->user_data = user_data;
  self->pollfd.fd = sd_bus_get_fd (bus);
  g_source_add_poll (source, &self->pollfd);
  g_source_set_static_name (source, "relay-bus");
  return source;
}
