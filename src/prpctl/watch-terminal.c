/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"

/*
 * The terminal is opened anew: then reading and writing can be made not to block without doing the same to the shell, which
 * shares standard output with us. Where that is not allowed (a terminal that belongs to another user, after su), it is
 * the controlling terminal that is opened, which is the same one.
 *
 * Signals that end the program in order are the caller's, who then frees the terminal. Those of a fault (abort, a bad
 * address) have a handler here that gives the terminal back, then dies of them as it would have. It can be told nothing
 * and may do next to nothing, so what it needs is kept in the one variable that outlives a call.
 */

/* The alternate screen, no wrapping at the right margin, no cursor. */
#define ENTER_SEQUENCE "\033[?1049h\033[?7l\033[?25l\033[0m\033[2J"
/* CAN ends a sequence that was written in part. */
#define LEAVE_SEQUENCE "\030\033[0m\033[?25h\033[?7h\033[?1049l"

#define LEAVE_MSEC 500 /* what a terminal that takes nothing is given to take the last sequence */

static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };

/* For the handler. */
static struct {
  volatile sig_atomic_t fd; /* 1 more than it; 0: there is nothing to be given back */
  struct termios modes;
  struct sigaction before[G_N_ELEMENTS (faults)];
} taken;

struct PrpctlTerminal {
  int fd;
  struct termios modes; /* as they were */
};

static void
write_leave_sequence (int fd)
{
  const char *p = LEAVE_SEQUENCE;
  gsize left = strlen (LEAVE_SEQUENCE);

  while (left > 0) {
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    gssize n = write (fd, p, left);

    if (n > 0) {
      p += n;
      left -= (gsize) n;
    } else if (errno != EINTR && (errno != EAGAIN || poll (&pfd, 1, LEAVE_MSEC) <= 0)) {
      return;
    }
  }
}

static void
on_fault (int signal_number)
{
  if (taken.fd != 0) {
    write_leave_sequence (taken.fd - 1);
    (void) tcsetattr (taken.fd - 1, TCSANOW, &taken.modes);
    taken.fd = 0;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    if (faults[i] == signal_number)
      (void) sigaction (signal_number, &taken.before[i], NULL);
  (void) raise (signal_number); /* comes when this returns */
}

/* A background process that changes the terminal is stopped until it is in the foreground; one without a parent
 * that would bring it there goes on. */
static gboolean
set_modes (int fd, const struct termios *modes)
{
  int r;

  do
    r = tcsetattr (fd, TCSANOW, modes);
  while (r < 0 && errno == EINTR);
  return r == 0;
}

static gboolean
fail (GError **error, const char *text)
{
  /* Translators: what to use where `prpctl watch` cannot be; --json is an option. */
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, "%s\n%s", text,
               _("'prpctl monitor' prints lines, and 'prpctl watch --json' the list for a program."));
  return FALSE;
}

PrpctlTerminal *
prpctl_terminal_new (GError **error)
{
  const char *type = g_getenv ("TERM");
  PrpctlTerminal *terminal;
  int fd;

  if (!isatty (STDOUT_FILENO)) {
    fail (error, _("'prpctl watch' draws on a terminal, and standard output is none."));
    return NULL;
  }
  if (type == NULL || *type == '\0' || g_str_equal (type, "dumb")) {
    fail (error, _("'prpctl watch' draws on a terminal that can move its cursor, which this one (TERM) cannot."));
    return NULL;
  }
  fd = open ("/proc/self/fd/1", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    fd = open ("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    g_autofree char *text = g_strdup_printf (_("The terminal cannot be opened: %s"), g_strerror (errno));

    fail (error, text);
    return NULL;
  }
  terminal = g_new0 (PrpctlTerminal, 1);
  terminal->fd = fd;
  return terminal;
}

void
prpctl_terminal_free (PrpctlTerminal *terminal)
{
  if (terminal == NULL)
    return;
  prpctl_terminal_leave (terminal);
  close (terminal->fd);
  g_free (terminal);
}

/* Those in `taken` are to be given back from now on. */
static void
watch_faults (void)
{
  struct sigaction action = { .sa_handler = on_fault };

  sigemptyset (&action.sa_mask);
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    (void) sigaction (faults[i], &action, &taken.before[i]);
}

static void
unwatch_faults (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    (void) sigaction (faults[i], &taken.before[i], NULL);
}

gboolean
prpctl_terminal_enter (PrpctlTerminal *terminal, GString *out, GError **error)
{
  gboolean is_first = taken.fd == 0;
  struct termios modes;

  if (is_first && tcgetattr (terminal->fd, &terminal->modes) < 0) {
    g_autofree char *text = g_strdup_printf (_("The terminal cannot be used: %s"), g_strerror (errno));

    return fail (error, text);
  }
  if (is_first) {
    taken.modes = terminal->modes;
    taken.fd = terminal->fd + 1;
    watch_faults ();
  }
  modes = terminal->modes;
  modes.c_lflag &= ~(tcflag_t) (ICANON | ECHO | ECHONL | IEXTEN);
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VTIME] = 0;
  if (!set_modes (terminal->fd, &modes)) {
    g_autofree char *text = g_strdup_printf (_("The terminal cannot be used: %s"), g_strerror (errno));

    prpctl_terminal_leave (terminal);
    return fail (error, text);
  }
  g_string_append (out, ENTER_SEQUENCE);
  return TRUE;
}

void
prpctl_terminal_leave (PrpctlTerminal *terminal)
{
  if (taken.fd == 0)
    return;
  write_leave_sequence (terminal->fd);
  (void) set_modes (terminal->fd, &terminal->modes);
  taken.fd = 0;
  unwatch_faults ();
}

int
prpctl_terminal_get_fd (const PrpctlTerminal *terminal)
{
  return terminal->fd;
}

static guint
read_number (const char *variable, guint otherwise)
{
  const char *text = g_getenv (variable);
  guint64 number;

  return text != NULL && g_ascii_string_to_unsigned (text, 10, 1, 1000, &number, NULL) ? (guint) number : otherwise;
}

void
prpctl_terminal_get_size (const PrpctlTerminal *terminal, guint *ret_columns, guint *ret_lines)
{
  struct winsize size = { 0 };

  (void) ioctl (terminal->fd, TIOCGWINSZ, &size);
  /* A serial line knows no size. */
  *ret_columns = size.ws_col > 0 ? MIN (size.ws_col, 1000) : read_number ("COLUMNS", 80);
  *ret_lines = size.ws_row > 0 ? MIN (size.ws_row, 1000) : read_number ("LINES", 24);
}
