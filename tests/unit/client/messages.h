/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include "common/bus-source.h"
#include "common/names.h"

/*
 * Real messages without a bus: a connection that never gets an answer makes them, sealing them makes them readable.
 */
typedef struct {
  sd_bus *bus;
  int peer;
} Messages;

static inline void
messages_set_up (Messages *messages, gconstpointer data)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_cmpint (sd_bus_new (&messages->bus), >=, 0);
  g_assert_cmpint (sd_bus_set_fd (messages->bus, fds[0], fds[0]), >=, 0);
  g_assert_cmpint (sd_bus_start (messages->bus), >=, 0);
  messages->peer = fds[1];
}

static inline void
messages_tear_down (Messages *messages, gconstpointer data)
{
  sd_bus_close_unref (messages->bus);
  close (messages->peer);
}

/* A signal of the events' interface, for arguments to be appended. */
static inline sd_bus_message *
messages_new_signal (Messages *messages, const char *member)
{
  sd_bus_message *message = NULL;

  g_assert_cmpint (
    sd_bus_message_new_signal (messages->bus, &message, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE, member), >=, 0);
  return message;
}

static inline void
messages_seal (sd_bus_message *message)
{
  g_assert_cmpint (sd_bus_message_seal (message, 1, 0), >=, 0);
  g_assert_cmpint (sd_bus_message_rewind (message, TRUE), >=, 0);
}

#define append(message, ...) g_assert_cmpint (sd_bus_message_append (message, __VA_ARGS__), >=, 0)
#define open_container(message, type, contents) \
  g_assert_cmpint (sd_bus_message_open_container (message, type, contents), >=, 0)
#define close_container(message) g_assert_cmpint (sd_bus_message_close_container (message), >=, 0)
