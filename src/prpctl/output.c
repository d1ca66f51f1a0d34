/* SPDX-License-Identifier: MIT */
#include "prpctl/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

void
prpctl_output_init (PrpctlOutput *output, int fd)
{
  output->fd = fd;
  output->pending = g_string_new (NULL);
  output->n_written = 0;
}

void
prpctl_output_clear (PrpctlOutput *output)
{
  if (output->pending != NULL)
    g_string_free (g_steal_pointer (&output->pending), TRUE);
}

gboolean
prpctl_output_is_empty (const PrpctlOutput *output)
{
  return output->n_written == output->pending->len;
}

int
prpctl_output_write_some (PrpctlOutput *output)
{
  /* A pipe that is ready takes PIPE_BUF bytes at once (pipe(7)); with more, a blocking one may block. */
  gsize length = MIN (output->pending->len - output->n_written, PIPE_BUF);
  gssize n = write (output->fd, output->pending->str + output->n_written, length);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  output->n_written += (gsize) n;
  if (prpctl_output_is_empty (output)) {
    g_string_truncate (output->pending, 0);
    output->n_written = 0;
  }
  return 0;
}

int
prpctl_output_drain (PrpctlOutput *output)
{
  while (!prpctl_output_is_empty (output)) {
    struct pollfd pfd = { .fd = output->fd, .events = POLLOUT };
    int r;

    if (poll (&pfd, 1, -1) < 0 && errno != EINTR)
      return -errno;
    r = prpctl_output_write_some (output);
    if (r < 0)
      return r;
  }
  return 0;
}
