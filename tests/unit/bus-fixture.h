/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"

/*
 * A private bus (a real dbus-daemon) with two connections in this process: the one whose objects are tested and one that
 * calls them. Both run in the default main context; nothing sleeps, everything waits for a condition.
 */
typedef struct {
  char *directory;
  char *address;
  GPid pid;
  sd_bus *server, *client;
  GSource *server_source, *client_source;
  int failed; /* of the server's source: its error, 0 while all is well */
  guint turns;
} BusFixture;

#define BUS_FIXTURE_TIMEOUT_USEC (30 * G_USEC_PER_SEC)

void bus_fixture_set_up (BusFixture *f);
void bus_fixture_tear_down (BusFixture *f);

/* One more connection to that bus, in the main context: for a caller that leaves. */
sd_bus *bus_fixture_connect (BusFixture *f, GSource **ret_source);
void bus_fixture_disconnect (sd_bus *bus, GSource *source);

/* Runs the main context until @condition holds; fails the test if it does not within the timeout. */
#define bus_fixture_wait(condition)                                                                                    \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    gint64 wait_end = g_get_monotonic_time () + BUS_FIXTURE_TIMEOUT_USEC;                                              \
    g_autoptr (GSource) wait_source = bus_fixture_wake_at (wait_end);                                                  \
    while (!(condition)) {                                                                                             \
      if (g_get_monotonic_time () >= wait_end)                                                                         \
        g_error ("%s:%d: not within the timeout: %s", __FILE__, __LINE__, #condition);                                 \
      g_main_context_iteration (NULL, TRUE);                                                                           \
    }                                                                                                                  \
    g_source_destroy (wait_source);                                                                                    \
  }                                                                                                                    \
  G_STMT_END

GSource *bus_fixture_wake_at (gint64 monotonic_usec);

/* Calls a method of the server's object at @path from @bus and runs the loop until the answer is there. The answer may be an
 * error: sd_bus_message_is_method_error. @types as for sd_bus_message_append. */
sd_bus_message *bus_fixture_call (BusFixture *f, sd_bus *bus, const char *path, const char *interface, const char *member,
                                  const char *types, ...);

/* The same without waiting: *ret_reply is set when the answer comes. The slot is the caller's. */
sd_bus_slot *bus_fixture_call_async (BusFixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *path,
                                     const char *interface, const char *member, const char *types, ...);

/* The same with a message of the caller's making. */
sd_bus_slot *bus_fixture_send (sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply);

/* The name of the error that a call came to, or NULL. */
const char *bus_fixture_error (sd_bus_message *reply);
