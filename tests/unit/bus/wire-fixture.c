/* SPDX-License-Identifier: MIT */
#include "wire-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
wire_fixture_set_up (WireFixture *f)
{
  /* What a bus says to whoever authenticates. */
  static const char welcome[] = "DATA\r\nOK 00112233445566778899aabbccddeeff\r\n";
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  f->peer = fds[1];
  g_assert_cmpint (send (f->peer, welcome, strlen (welcome), 0), ==, strlen (welcome));
  f->bus = NULL;
  g_assert_cmpint (sd_bus_new (&f->bus), >=, 0);
  g_assert_cmpint (sd_bus_set_fd (f->bus, fds[0], fds[0]), >=, 0);
  g_assert_cmpint (sd_bus_negotiate_fds (f->bus, 0), >=, 0);
  g_assert_cmpint (sd_bus_start (f->bus), >=, 0);
  while (sd_bus_is_ready (f->bus) == 0)
    g_assert_cmpint (sd_bus_process (f->bus, NULL), >=, 0);
  g_assert_cmpint (sd_bus_is_ready (f->bus), >, 0);
  g_byte_array_unref (wire_fixture_take (f));
}

void
wire_fixture_tear_down (WireFixture *f)
{
  sd_bus_close (f->bus);
  sd_bus_unref (f->bus);
  close (f->peer);
}

GByteArray *
wire_fixture_take (WireFixture *f)
{
  GByteArray *taken = g_byte_array_new ();
  guint8 buffer[16 * 1024];
  guint64 n_queued = 0;
  gssize n;

  do {
    while ((n = recv (f->peer, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
      g_byte_array_append (taken, buffer, (guint) n);
    g_assert_true (n < 0 && errno == EAGAIN);
    g_assert_cmpint (sd_bus_get_n_queued_write (f->bus, &n_queued), >=, 0);
    if (n_queued > 0)
      g_assert_cmpint (sd_bus_process (f->bus, NULL), >=, 0);
  } while (n_queued > 0);
  return taken;
}
