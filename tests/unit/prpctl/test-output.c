/* SPDX-License-Identifier: MIT */
#include "prpctl/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A pipe that is ready never blocks the writer, and everything arrives. */
static void
test_some (void)
{
  enum { LENGTH = 3 * PIPE_BUF + 5 };
  PrpctlOutput output;
  g_autofree char *text = g_strnfill (LENGTH, 'x');
  g_autoptr (GString) arrived = g_string_new (NULL);
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (fds[1], F_SETPIPE_SZ, PIPE_BUF), >=, PIPE_BUF);
  prpctl_output_init (&output, fds[1]);
  g_assert_true (prpctl_output_is_empty (&output));
  g_string_append (output.pending, text);

  while (!prpctl_output_is_empty (&output)) {
    struct pollfd pfd = { .fd = fds[1], .events = POLLOUT };
    char buffer[PIPE_BUF];
    gssize n;

    g_assert_cmpint (poll (&pfd, 1, 0), ==, 1);
    g_assert_cmpint (prpctl_output_write_some (&output), ==, 0);
    n = read (fds[0], buffer, sizeof buffer);
    g_assert_cmpint (n, >, 0);
    g_string_append_len (arrived, buffer, n);
  }
  g_assert_cmpstr (arrived->str, ==, text);
  g_assert_cmpuint (output.pending->len, ==, 0);

  close (fds[0]);
  close (fds[1]);
  prpctl_output_clear (&output);
}

static void
test_full (void)
{
  PrpctlOutput output;
  int fds[2];
  int r = 0;

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  prpctl_output_init (&output, fds[1]);
  for (guint i = 0; i < 1000 && r == 0; i++) {
    gsize before = output.n_written;

    g_string_set_size (output.pending, 10 * 1024 * 1024);
    memset (output.pending->str, 'x', output.pending->len);
    r = prpctl_output_write_some (&output);
    if (output.n_written == before)
      break;
  }
  g_assert_cmpint (r, ==, 0); /* no error: later, then */
  g_assert_false (prpctl_output_is_empty (&output));

  close (fds[0]);
  close (fds[1]);
  prpctl_output_clear (&output);
}

static void
test_nobody_reads (void)
{
  PrpctlOutput output;
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  close (fds[0]);
  prpctl_output_init (&output, fds[1]);
  g_assert_cmpint (prpctl_output_drain (&output), ==, 0);
  g_string_append (output.pending, "x");
  g_assert_cmpint (prpctl_output_drain (&output), ==, -EPIPE);
  close (fds[1]);
  prpctl_output_clear (&output);
}

static void
test_no_space (void)
{
  PrpctlOutput output;
  int fd = open ("/dev/full", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  prpctl_output_init (&output, fd);
  g_string_append (output.pending, "x");
  g_assert_cmpint (prpctl_output_drain (&output), ==, -ENOSPC);
  close (fd);
  prpctl_output_clear (&output);
}

int
main (int argc, char **argv)
{
  signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/output/some", test_some);
  g_test_add_func ("/output/full", test_full);
  g_test_add_func ("/output/nobody-reads", test_nobody_reads);
  g_test_add_func ("/output/no-space", test_no_space);
  return g_test_run ();
}
