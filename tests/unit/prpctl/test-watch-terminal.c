/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "prpctl/failure.h"

/*
 * Each case runs in a child, on a terminal of its own that is its standard output: what it takes over is this process's
 * only once.
 */
typedef struct {
  int master, slave;
  struct termios modes;
} Bed;

static void
set_up (Bed *bed, gconstpointer data)
{
  bed->master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_assert_cmpint (bed->master, >=, 0);
  g_assert_cmpint (grantpt (bed->master), ==, 0);
  g_assert_cmpint (unlockpt (bed->master), ==, 0);
  bed->slave = open (ptsname (bed->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_assert_cmpint (bed->slave, >=, 0);
  g_assert_cmpint (tcgetattr (bed->slave, &bed->modes), ==, 0);
}

static void
tear_down (Bed *bed, gconstpointer data)
{
  close (bed->master);
  close (bed->slave);
}

/* Runs @child on the terminal. Returns how it ended, as waitpid() says it. */
static int
run (Bed *bed, void (*child) (const Bed *bed))
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    dup2 (bed->slave, STDOUT_FILENO);
    g_setenv ("TERM", "xterm", TRUE);
    child (bed);
    _exit (0);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return status;
}

/* All that was written so far. */
static char *
read_all (const Bed *bed)
{
  GString *text = g_string_new (NULL);
  struct pollfd pfd = { .fd = bed->master, .events = POLLIN };

  while (poll (&pfd, 1, 0) > 0 && (pfd.revents & POLLIN) != 0) {
    char bytes[512];
    gssize n = read (bed->master, bytes, sizeof bytes);

    g_assert_cmpint (n, >, 0);
    g_string_append_len (text, bytes, n);
  }
  return g_string_free (text, FALSE);
}

static void
assert_given_back (const Bed *bed)
{
  g_autofree char *text = read_all (bed);
  struct termios modes;

  g_assert_cmpint (tcgetattr (bed->slave, &modes), ==, 0);
  g_assert_cmpuint (modes.c_lflag, ==, bed->modes.c_lflag);
  g_assert_cmpuint (modes.c_iflag, ==, bed->modes.c_iflag);
  g_assert_cmpuint (modes.c_oflag, ==, bed->modes.c_oflag);
  g_assert_cmpmem (modes.c_cc, sizeof modes.c_cc, bed->modes.c_cc, sizeof bed->modes.c_cc);
  g_assert_true (g_str_has_suffix (text, "\033[?25h\033[?7h\033[?1049l"));
}

#define check(condition)  \
  G_STMT_START            \
  {                       \
    if (!(condition)) {   \
      g_printerr ("%s: %s\n", G_STRLOC, #condition); \
      _exit (1);          \
    }                     \
  }                       \
  G_STMT_END

static PrpctlTerminal *
enter (const Bed *bed)
{
  g_autoptr (GString) out = g_string_new (NULL);
  PrpctlTerminal *terminal = prpctl_terminal_new (NULL);
  struct termios modes;

  check (terminal != NULL);
  check (prpctl_terminal_enter (terminal, out, NULL));
  check (strstr (out->str, "\033[?1049h") != NULL);
  check (tcgetattr (bed->slave, &modes) == 0);
  check ((modes.c_lflag & (ICANON | ECHO)) == 0);
  check ((modes.c_lflag & ISIG) != 0);
  check ((modes.c_oflag & OPOST) != 0);
  return terminal;
}

static void
enter_and_free (const Bed *bed)
{
  prpctl_terminal_free (enter (bed));
}

static void
test_given_back (Bed *bed, gconstpointer data)
{
  g_assert_cmpint (run (bed, enter_and_free), ==, 0);
  assert_given_back (bed);
}

/* As around Ctrl-Z: whoever has it meanwhile may change it, and that is what it is then given back as. */
static void
enter_twice (const Bed *bed)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (PrpctlTerminal) terminal = enter (bed);
  struct termios modes = bed->modes;

  check (prpctl_terminal_enter (terminal, out, NULL)); /* without leaving: as behind a stop that was not ours */
  prpctl_terminal_leave (terminal);
  modes.c_cc[VERASE] = 'x';
  check (tcsetattr (bed->slave, TCSANOW, &modes) == 0);
  check (prpctl_terminal_enter (terminal, out, NULL));
  prpctl_terminal_leave (terminal);
  check (tcgetattr (bed->slave, &modes) == 0);
  check (modes.c_cc[VERASE] == 'x');
  check (tcsetattr (bed->slave, TCSANOW, &bed->modes) == 0);
}

static void
test_entered_again (Bed *bed, gconstpointer data)
{
  g_assert_cmpint (run (bed, enter_twice), ==, 0);
  assert_given_back (bed);
}

G_NORETURN static void
die_by_abort (const Bed *bed)
{
  (void) enter (bed);
  abort ();
}

/* As a bad address would; that one a sanitizer takes for itself. */
static void
die_by_trap (const Bed *bed)
{
  (void) enter (bed);
  (void) raise (SIGTRAP);
}

static void
assert_dies (Bed *bed, void (*child) (const Bed *bed), int signal_number)
{
  int status = run (bed, child);

  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, signal_number);
  assert_given_back (bed);
}

/* It dies as it would have, but not before the terminal is given back. */
static void
test_fault (Bed *bed, gconstpointer data)
{
  assert_dies (bed, die_by_abort, SIGABRT);
  assert_dies (bed, die_by_trap, SIGTRAP);
}

static void
check_size (const Bed *bed)
{
  g_autoptr (PrpctlTerminal) terminal = prpctl_terminal_new (NULL);
  struct winsize size = { .ws_col = 123, .ws_row = 45 };
  guint columns, lines;

  check (terminal != NULL);
  g_unsetenv ("COLUMNS");
  g_unsetenv ("LINES");
  prpctl_terminal_get_size (terminal, &columns, &lines);
  check (columns == 80 && lines == 24);
  g_setenv ("COLUMNS", "100", TRUE);
  g_setenv ("LINES", "none", TRUE);
  prpctl_terminal_get_size (terminal, &columns, &lines);
  check (columns == 100 && lines == 24);
  check (ioctl (bed->slave, TIOCSWINSZ, &size) == 0);
  prpctl_terminal_get_size (terminal, &columns, &lines);
  check (columns == 123 && lines == 45);
}

static void
test_size (Bed *bed, gconstpointer data)
{
  g_assert_cmpint (run (bed, check_size), ==, 0);
}

/* Neither reading nor writing blocks, and the descriptor that others share is as it was. */
static void
check_nonblocking (const Bed *bed)
{
  g_autoptr (PrpctlTerminal) terminal = enter (bed);
  char byte;

  check ((fcntl (prpctl_terminal_get_fd (terminal), F_GETFL) & O_NONBLOCK) != 0);
  check ((fcntl (STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
  check (read (prpctl_terminal_get_fd (terminal), &byte, 1) < 0 && errno == EAGAIN);
}

static void
test_nonblocking (Bed *bed, gconstpointer data)
{
  g_assert_cmpint (run (bed, check_nonblocking), ==, 0);
}

/* -- none --------------------------------------------------------------------------------------------------------- */

static void
check_refused (const char *type)
{
  g_autoptr (GError) error = NULL;

  if (type != NULL)
    g_setenv ("TERM", type, TRUE);
  else
    g_unsetenv ("TERM");
  check (prpctl_terminal_new (&error) == NULL);
  check (g_error_matches (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE));
  check (strstr (error->message, "prpctl monitor") != NULL);
  check (strstr (error->message, "--json") != NULL);
}

static void
check_types (const Bed *bed)
{
  check_refused ("dumb");
  check_refused ("");
  check_refused (NULL);
}

static void
check_pipe (const Bed *bed)
{
  int fds[2];

  check (pipe (fds) == 0);
  dup2 (fds[1], STDOUT_FILENO);
  check_refused ("xterm");
}

static void
test_none (Bed *bed, gconstpointer data)
{
  g_assert_cmpint (run (bed, check_types), ==, 0);
  g_assert_cmpint (run (bed, check_pipe), ==, 0);
  prpctl_terminal_free (NULL);
}

#define add(name, function) g_test_add ("/watch-terminal/" name, Bed, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("given-back", test_given_back);
  add ("entered-again", test_entered_again);
  add ("fault", test_fault);
  add ("size", test_size);
  add ("nonblocking", test_nonblocking);
  add ("none", test_none);
  return g_test_run ();
}
