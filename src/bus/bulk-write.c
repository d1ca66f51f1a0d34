/* SPDX-License-Identifier: MIT */
#include "bus/bulk-write.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/*
 * sd_bus_send is a system call a message, and of the bus a wake-up. A flood of events deserves better: here dozens of messages
 * go in one write, past sd-bus. Two things must hold, for bytes that fall in the middle of a message are the end of the
 * connection.
 *
 * Nothing of sd-bus's is half written when we write: what it could not write at once is in its queue until its last byte
 * is out, and it tells the queue's length. It is only asked of a bus that is ready, behind Hello and authentication.
 *
 * Nothing of ours is half written when sd-bus writes: on Linux a write to a Unix stream socket is cut into buffers of at
 * most 32 KiB and some, and of at most half of SO_SNDBUF less 64 bytes; and a buffer is taken as a whole or, as long as there is
 * no room, not at all (EAGAIN). So what fits one of them goes at once. Should that ever not be so, the rest is waited for, in
 * bounds, before sd-bus can be asked anything; without it the connection is of no use any more.
 *
 * The serial numbers of our messages must not be taken for those of calls which sd-bus waits for an answer to: see outbox.c.
 *
 * A connection that fails here is shut down, not closed: sd-bus owns the descriptor, and finds the end of it as if it were
 * the bus that went.
 */

gsize
relay_bulk_write_get_limit (sd_bus *bus)
{
  int fd = sd_bus_get_fd (bus), domain, type, buffer_bytes;
  socklen_t size = sizeof (int);

  if (fd < 0 || sd_bus_is_ready (bus) <= 0 || getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
      getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
      getsockopt (fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &size) < 0 || domain != AF_UNIX || type != SOCK_STREAM)
    return 0;
  return (gsize) CLAMP (buffer_bytes / 2 - 64, 0, RELAY_BULK_WRITE_MAX_BYTES);
}

/* As send, but a negative errno; 0 where it would block. */
static gssize
try_to_write (int fd, const guint8 *data, gsize size)
{
  gssize n;

  do
    n = send (fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return n;
  return errno == EAGAIN ? 0 : -errno;
}

/* Returns 0, or a negative errno. */
static int
write_rest (int fd, const guint8 *data, gsize size)
{
  const gint64 deadline_usec = g_get_monotonic_time () + RELAY_BULK_WRITE_FINISH_MSEC * (gint64) 1000;

  while (size > 0) {
    struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
    gint64 left_usec = deadline_usec - g_get_monotonic_time ();
    gssize n;

    if (left_usec <= 0)
      return -ETIMEDOUT;
    if (poll (&pollfd, 1, (int) (left_usec / 1000) + 1) < 0 && errno != EINTR)
      return -errno;
    n = try_to_write (fd, data, size);
    if (n < 0)
      return (int) n;
    data += n;
    size -= (gsize) n;
  }
  return 0;
}

int
relay_bulk_write (sd_bus *bus, const guint8 *data, gsize size)
{
  int fd = sd_bus_get_fd (bus), r;
  guint64 n_queued;
  gssize n;

  if (fd < 0)
    return fd;
  r = sd_bus_get_n_queued_write (bus, &n_queued);
  if (r < 0)
    return r;
  if (n_queued > 0)
    return 0;
  n = try_to_write (fd, data, size);
  if (n == 0)
    return 0;
  r = n < 0 ? (int) n : write_rest (fd, data + n, size - (gsize) n);
  if (r < 0) {
    (void) shutdown (fd, SHUT_RDWR);
    return r;
  }
  return 1;
}
