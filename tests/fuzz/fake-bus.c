/* SPDX-License-Identifier: MIT */
#include "fake-bus.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
/* Of this bus's two ends one is the service's, in the main loop, the other is looked after by fake_bus_settle. There is one hitch:
 * to watch a caller sd-bus asks the bus who that is, and waits for the answer. While it waits, in ppoll, the bus answers. */
static FakeBus *current;

#define MAX_ROUNDS 100000 /* of the loop, for one thing that happened */

struct FakeBus {
  sd_bus *service, *callers;
  GSource *source;
  int callers_fd;
  GHashTable *names; /* set */
  gboolean refuse_matches, stalled, broken;
  FakeBusReceived received;
  gpointer user_data;
  const RelayBusSourceEvents *events; /* NULL for nobody */
  gpointer events_data;
};

/* ---- the bus's own object ---- */

static void
answer_bus_call (FakeBus *bus, sd_bus_message *message)
{
  g_autoptr (sd_bus_message) reply = NULL;
  const char *name = "";
  int r;

  if (sd_bus_message_is_method_call (message, BUS_NAME, "Hello")) {
    r = sd_bus_message_new_method_return (message, &reply);
    if (r >= 0)
      r = sd_bus_message_append (reply, "s", ":1.1");
  } else if (sd_bus_message_is_method_call (message, BUS_NAME, "GetNameOwner") &&
             sd_bus_message_read (message, "s", &name) > 0 && fake_bus_has (bus, name)) {
    r = sd_bus_message_new_method_return (message, &reply);
    if (r >= 0)
      r = sd_bus_message_append (reply, "s", name);
  } else if (sd_bus_message_is_method_call (message, BUS_NAME, "GetNameOwner")) {
    r = sd_bus_message_new_method_errorf (message, &reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "no owner");
  } else if (bus->refuse_matches && sd_bus_message_is_method_call (message, BUS_NAME, "AddMatch")) {
    r = sd_bus_message_new_method_errorf (message, &reply, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many match rules");
  } else {
    r = sd_bus_message_new_method_return (message, &reply);
  }
  g_assert_cmpint (r, >=, 0);
  g_assert_cmpint (sd_bus_message_set_sender (reply, BUS_NAME), >=, 0);
  g_assert_cmpint (sd_bus_send (bus->callers, reply, NULL), >=, 0);
}

static int
on_message (sd_bus_message *message, void *user_data, sd_bus_error *error)
{
  FakeBus *bus = user_data;

  if (g_strcmp0 (sd_bus_message_get_destination (message), BUS_NAME) != 0)
    bus->received (message, bus->user_data);
  else if (sd_bus_message_is_method_call (message, NULL, NULL) && sd_bus_message_get_expect_reply (message) > 0)
    answer_bus_call (bus, message);
  return 1;
}

static void
tell_owner_changed (FakeBus *bus, const char *name, const char *old_owner, const char *new_owner)
{
  g_autoptr (sd_bus_message) signal = NULL;

  g_assert_cmpint (sd_bus_message_new_signal (bus->callers, &signal, BUS_PATH, BUS_NAME, "NameOwnerChanged"), >=, 0);
  g_assert_cmpint (sd_bus_message_append (signal, "sss", name, old_owner, new_owner), >=, 0);
  fake_bus_deliver (bus, signal, BUS_NAME);
}

void
fake_bus_join (FakeBus *bus, const char *name)
{
  g_hash_table_add (bus->names, g_strdup (name));
  tell_owner_changed (bus, name, "", name);
}

void
fake_bus_leave (FakeBus *bus, const char *name)
{
  if (g_hash_table_remove (bus->names, name))
    tell_owner_changed (bus, name, name, "");
}

gboolean
fake_bus_has (FakeBus *bus, const char *name)
{
  return g_hash_table_contains (bus->names, name);
}

void
fake_bus_refuse_matches (FakeBus *bus, gboolean refuse)
{
  bus->refuse_matches = refuse;
}

void
fake_bus_stall (FakeBus *bus, gboolean stall)
{
  bus->stalled = stall;
}

/* ---- messages ---- */

guint64
fake_bus_deliver (FakeBus *bus, sd_bus_message *message, const char *sender)
{
  guint64 cookie = 0;

  if (bus->broken || sd_bus_message_set_sender (message, sender) < 0 || sd_bus_send (bus->callers, message, &cookie) < 0)
    return 0;
  return cookie;
}

void
fake_bus_deliver_bytes (FakeBus *bus, const void *bytes, gsize length)
{
  (void) sd_bus_flush (bus->callers);
  (void) send (bus->callers_fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static gboolean
process_callers (FakeBus *bus)
{
  gboolean any = FALSE;

  while (sd_bus_process (bus->callers, NULL) > 0)
    any = TRUE;
  return any;
}

/* In place of the C library's; by another name, since its header may define it. */
int fake_bus_ppoll (struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout, const sigset_t *mask) __asm__ ("ppoll");

int
fake_bus_ppoll (struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout, const sigset_t *mask)
{
  struct timespec rest = timeout != NULL ? *timeout : (struct timespec){ 0 };

  if (current != NULL)
    process_callers (current);
  return (int) syscall (SYS_ppoll, fds, n_fds, timeout != NULL ? &rest : NULL, mask, _NSIG / 8);
}

void
fake_bus_settle (FakeBus *bus)
{
  guint rounds = 0;
  gboolean any;

  do {
    g_assert_cmpuint (rounds++, <, MAX_ROUNDS);
    any = g_main_context_iteration (NULL, FALSE);
    any = (!bus->stalled && process_callers (bus)) || any;
  } while (any);
}

gboolean
fake_bus_is_broken (FakeBus *bus)
{
  return bus->broken;
}

/* ---- life ---- */

static void
on_failed (int error, gpointer user_data)
{
  ((FakeBus *) user_data)->broken = TRUE;
}

static void
on_turned (gpointer user_data)
{
  FakeBus *bus = user_data;

  if (bus->events != NULL)
    bus->events->turned (bus->events_data);
}

static gboolean
wants_write (gpointer user_data)
{
  FakeBus *bus = user_data;

  return bus->events != NULL && bus->events->wants_write (bus->events_data);
}

FakeBus *
fake_bus_new (FakeBusReceived received, gpointer user_data)
{
  static const RelayBusSourceEvents events = { .failed = on_failed, .turned = on_turned, .wants_write = wants_write };
  FakeBus *bus = g_new0 (FakeBus, 1);
  const char *name = NULL;
  int fds[2];

  current = bus;
  bus->received = received;
  bus->user_data = user_data;
  bus->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);

  g_assert_cmpint (sd_bus_new (&bus->callers), >=, 0);
  g_assert_cmpint (sd_bus_set_fd (bus->callers, fds[1], fds[1]), >=, 0);
  g_assert_cmpint (sd_bus_set_server (bus->callers, 1, SD_ID128_MAKE (1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0)), >=, 0);
  g_assert_cmpint (sd_bus_set_trusted (bus->callers, 1), >=, 0);
  g_assert_cmpint (sd_bus_add_filter (bus->callers, NULL, on_message, bus), >=, 0);
  g_assert_cmpint (sd_bus_start (bus->callers), >=, 0);
  bus->callers_fd = fds[1];

  g_assert_cmpint (sd_bus_new (&bus->service), >=, 0);
  g_assert_cmpint (sd_bus_set_fd (bus->service, fds[0], fds[0]), >=, 0);
  g_assert_cmpint (sd_bus_set_bus_client (bus->service, 1), >=, 0);
  g_assert_cmpint (sd_bus_set_exit_on_disconnect (bus->service, 0), >=, 0);
  g_assert_cmpint (sd_bus_start (bus->service), >=, 0);
  bus->source = relay_bus_source_new (bus->service, &events, bus);
  g_source_attach (bus->source, NULL);

  fake_bus_settle (bus);
  g_assert_cmpint (sd_bus_is_ready (bus->service), >, 0);
  g_assert_cmpint (sd_bus_get_unique_name (bus->service, &name), >=, 0);
  return bus;
}

void
fake_bus_free (FakeBus *bus)
{
  if (bus == NULL)
    return;
  current = NULL;
  g_source_destroy (bus->source);
  g_source_unref (bus->source);
  sd_bus_close_unref (bus->service);
  sd_bus_close_unref (bus->callers);
  g_hash_table_unref (bus->names);
  g_free (bus);
}

sd_bus *
fake_bus_get_service (FakeBus *bus)
{
  return bus->service;
}

void
fake_bus_set_events (FakeBus *bus, const RelayBusSourceEvents *events, gpointer user_data)
{
  bus->events = events;
  bus->events_data = user_data;
}

sd_bus *
fake_bus_get_callers (FakeBus *bus)
{
  return bus->callers;
}
