/* SPDX-License-Identifier: MIT */
#include "bus/bulk-write.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "wire-fixture.h"

static void
set_up (WireFixture *f, gconstpointer data)
{
  wire_fixture_set_up (f);
}

static void
tear_down (WireFixture *f, gconstpointer data)
{
  wire_fixture_tear_down (f);
}

static void
set_buffer (WireFixture *f, int bytes)
{
  g_assert_cmpint (setsockopt (sd_bus_get_fd (f->bus), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), ==, 0);
}

static void
test_limit (WireFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus) never = NULL;
  int fds[2];

  set_buffer (f, 1024 * 1024);
  g_assert_cmpuint (relay_bulk_write_get_limit (f->bus), ==, RELAY_BULK_WRITE_MAX_BYTES);
  set_buffer (f, 8 * 1024); /* the system doubles it */
  g_assert_cmpuint (relay_bulk_write_get_limit (f->bus), ==, 8 * 1024 - 64);

  /* Not ready; not even begun; no such socket. */
  g_assert_cmpint (sd_bus_new (&never), >=, 0);
  g_assert_cmpuint (relay_bulk_write_get_limit (never), ==, 0);
  g_assert_cmpint (relay_bulk_write (never, (const guint8 *) "x", 1), <, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_cmpint (sd_bus_set_fd (never, fds[0], fds[0]), >=, 0);
  g_assert_cmpint (sd_bus_start (never), >=, 0);
  g_assert_cmpuint (relay_bulk_write_get_limit (never), ==, 0);
  sd_bus_close (never);
  close (fds[1]);
}

/* However full the socket is: a write of the limit goes as a whole or not at all. */
static void
test_whole (WireFixture *f, gconstpointer data)
{
  const int buffers[] = { 2 * 1024, 8 * 1024, 64 * 1024, 128 * 1024, 1024 * 1024 };
  const gsize room = 4 * 1024 * 1024;
  g_autofree guint8 *bytes = g_malloc (RELAY_BULK_WRITE_MAX_BYTES);
  g_autofree guint8 *heard = g_malloc (room);

  memset (bytes, 'x', RELAY_BULK_WRITE_MAX_BYTES);
  for (gsize i = 0; i < G_N_ELEMENTS (buffers); i++) {
    gsize limit, written = 0;
    int r;

    set_buffer (f, buffers[i]);
    limit = relay_bulk_write_get_limit (f->bus);
    for (gsize size = limit; size > limit / 4; size -= limit / 8)
      while ((r = relay_bulk_write (f->bus, bytes, size)) != 0) {
        g_assert_cmpint (r, ==, 1);
        written += size;
      }
    g_assert_cmpuint (written, >, 0);
    g_assert_cmpint (recv (f->peer, heard, room, MSG_DONTWAIT), ==, written);
  }
}

/* Nothing goes past what sd-bus has begun. */
static void
test_behind_sd_bus (WireFixture *f, gconstpointer data)
{
  g_autofree char *filling = g_strnfill (256 * 1024, 'x');
  g_autoptr (sd_bus_message) message = NULL;
  g_autoptr (GByteArray) taken = NULL;
  g_autoptr (GByteArray) bulk = NULL;
  guint8 part[1000];

  set_buffer (f, 16 * 1024);
  g_assert_cmpint (sd_bus_message_new_signal (f->bus, &message, "/a", "a.b", "C"), >=, 0);
  g_assert_cmpint (sd_bus_message_append (message, "s", filling), >=, 0);
  g_assert_cmpint (sd_bus_send (f->bus, message, NULL), >=, 0);
  g_assert_cmpint (relay_bulk_write (f->bus, (const guint8 *) "bulk", 4), ==, 0);
  /* Room in the socket changes nothing. */
  g_assert_cmpint (recv (f->peer, part, sizeof part, 0), ==, sizeof part);
  g_assert_cmpint (relay_bulk_write (f->bus, (const guint8 *) "bulk", 4), ==, 0);

  taken = wire_fixture_take (f);
  g_assert_cmpuint (taken->len, >, 255 * 1024);
  g_assert_cmpint (relay_bulk_write (f->bus, (const guint8 *) "bulk", 4), ==, 1);
  bulk = wire_fixture_take (f);
  g_assert_cmpmem (bulk->data, bulk->len, "bulk", 4);
}

static gpointer
read_slowly (gpointer user_data)
{
  int peer = GPOINTER_TO_INT (user_data);
  GByteArray *heard = g_byte_array_new ();
  guint8 bytes[4096];
  gssize n;

  while ((n = recv (peer, bytes, sizeof bytes, 0)) > 0) {
    g_byte_array_append (heard, bytes, (guint) n);
    g_thread_yield ();
  }
  return heard;
}

/* More than the limit, which goes in parts: it is seen through. */
static void
test_in_parts (WireFixture *f, gconstpointer data)
{
  const gsize size = 200 * 1024;
  g_autofree guint8 *bytes = g_malloc (size);
  g_autoptr (GByteArray) heard = NULL;
  GThread *reader;
  int blocking = 0;

  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8) (i * 31 >> 3);
  set_buffer (f, 16 * 1024);
  blocking = dup (f->peer);
  g_assert_cmpint (g_unix_set_fd_nonblocking (blocking, FALSE, NULL), ==, TRUE);
  reader = g_thread_new ("reader", read_slowly, GINT_TO_POINTER (blocking));
  g_assert_cmpint (relay_bulk_write (f->bus, bytes, size), ==, 1);
  g_assert_cmpint (shutdown (sd_bus_get_fd (f->bus), SHUT_WR), ==, 0);
  heard = g_thread_join (reader);
  g_assert_cmpmem (heard->data, heard->len, bytes, size);
  close (blocking);
}

/* … or the connection is given up: nothing may follow half a message. */
static void
test_in_part (WireFixture *f, gconstpointer data)
{
  const gsize size = 200 * 1024;
  g_autofree guint8 *bytes = g_malloc0 (size);
  int r;

  set_buffer (f, 16 * 1024);
  g_assert_cmpint (relay_bulk_write (f->bus, bytes, size), ==, -ETIMEDOUT);
  g_assert_cmpint (relay_bulk_write (f->bus, bytes, 1), <, 0);
  do
    r = sd_bus_process (f->bus, NULL);
  while (r > 0 && sd_bus_is_open (f->bus) > 0);
  g_assert_true (r < 0 || sd_bus_is_open (f->bus) <= 0);
}

static void
test_gone (WireFixture *f, gconstpointer data)
{
  g_assert_cmpint (shutdown (f->peer, SHUT_RDWR), ==, 0);
  g_assert_cmpint (relay_bulk_write (f->bus, (const guint8 *) "x", 1), ==, -EPIPE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/bus/bulk-write/" path, WireFixture, NULL, set_up, function, tear_down)
  ADD ("limit", test_limit);
  ADD ("whole", test_whole);
  ADD ("behind-sd-bus", test_behind_sd_bus);
  ADD ("in-parts", test_in_parts);
  ADD ("in-part", test_in_part);
  ADD ("gone", test_gone);
  return g_test_run ();
}
