/* SPDX-License-Identifier: MIT */
#include "prpctl/secret-input.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "prpctl/failure.h"

/*
 * A terminal of which echo was taken away must have it back whatever happens. So the signals that end or stop a program
 * are held back and read from a descriptor: when one comes, the terminal is put right first, and the signal then sent to
 * ourselves, as if it had only now arrived. (Against SIGKILL there is no remedy.)
 *
 * Lines are taken apart by us and not by the terminal, whose own lines end at 4,095 bytes in silence: tokens may be longer.
 * Hence the keys that correct a line are ours to do as well. What waits behind the last line is thrown away with the echo
 * still off: the rest of what was pasted by mistake must not show up at the shell's prompt.
 */

/* The secrets, their line ends, and one byte more to know that there is too much. */
#define BUFFER_BYTES (PRPCTL_SECRETS_MAX * (RELAY_CREDENTIAL_MAX_BYTES + 2) + 1)

#define REFUSE(error, ...) g_set_error ((error), PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, __VA_ARGS__)

static gboolean
refuse_too_long (GError **error)
{
  REFUSE (error, _("That is longer than %d bytes: it is no token."), RELAY_CREDENTIAL_MAX_BYTES);
  return FALSE;
}

/* Takes the @length bytes at @text, which has room for a NUL behind them, for a secret. */
static gboolean
take_secret (char *text, gsize length, char **ret_secret, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (length > RELAY_CREDENTIAL_MAX_BYTES)
    return refuse_too_long (error);
  if (!relay_credential_clean (text, length, _("The input"), &local_error)) {
    REFUSE (error, "%s", local_error->message);
    return FALSE;
  }
  *ret_secret = g_strdup (text);
  return TRUE;
}

static void
hand_over (char **secrets, guint n, char **ret_secrets)
{
  for (guint i = 0; i < n; i++)
    ret_secrets[i] = g_steal_pointer (&secrets[i]);
}

static void
wipe (char **secrets, guint n)
{
  for (guint i = 0; i < n; i++)
    relay_secret_clear (&secrets[i]);
}

/* -- from a program --------------------------------------------------------------------------------------------- */

/* Up to BUFFER_BYTES of it. -1 with errno set on failure. */
static gssize
read_all (int fd, char *buffer)
{
  gsize length = 0;

  while (length < BUFFER_BYTES) {
    gssize n = read (fd, buffer + length, BUFFER_BYTES - length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    length += (gsize) n;
  }
  return (gssize) length;
}

static gboolean
split_lines (char *buffer, gsize length, guint n, char **secrets, GError **error)
{
  char *line = buffer, *end = buffer + length;

  for (guint i = 0; i < n; i++) {
    char *line_end = line < end ? memchr (line, '\n', (gsize) (end - line)) : NULL;

    if (i > 0 && line >= end) {
      REFUSE (error, _("The input has one line; with --refresh-token the second one is the refresh token."));
      return FALSE;
    }
    if (line_end == NULL)
      line_end = end;
    *line_end = '\0';
    if (!take_secret (line, (gsize) (line_end - line), &secrets[i], error))
      return FALSE;
    line = line_end + 1;
  }
  for (; line < end; line++)
    if (*line != '\n' && *line != '\r') {
      if (n == 1)
        REFUSE (error, _("The input has more than one line. With --refresh-token the second one is the refresh token."));
      else
        REFUSE (error, _("The input has more than two lines."));
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_lines (int fd, guint n, char **secrets, GError **error)
{
  char *buffer = g_malloc (BUFFER_BYTES + 1);
  gssize length = read_all (fd, buffer);
  gboolean good = FALSE;

  if (length < 0)
    REFUSE (error, _("The input cannot be read: %s"), g_strerror (errno));
  else if (length == BUFFER_BYTES)
    refuse_too_long (error);
  else
    good = split_lines (buffer, (gsize) length, n, secrets, error);
  explicit_bzero (buffer, BUFFER_BYTES + 1);
  g_free (buffer);
  return good;
}

/* -- at a terminal ---------------------------------------------------------------------------------------------- */

typedef struct {
  int fd, signals;
  struct termios saved;
  sigset_t old_mask;
  char *line; /* RELAY_CREDENTIAL_MAX_BYTES + 2 */
  gsize length;
} Terminal;

static void
say (const char *text)
{
  gssize n = write (STDERR_FILENO, text, strlen (text));

  (void) n; /* who cannot see the prompt can still type */
}

static gboolean
begin (Terminal *terminal, GError **error)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM, SIGUSR1, SIGUSR2 };
  struct termios quiet;
  sigset_t mask;

  sigemptyset (&mask);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++) {
    struct sigaction action;

    /* One that is ignored, as under nohup, would still be told of here. */
    if (sigaction (signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
      sigaddset (&mask, signals[i]);
  }
  sigprocmask (SIG_BLOCK, &mask, &terminal->old_mask);
  terminal->signals = signalfd (-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);

  if (terminal->signals >= 0 && tcgetattr (terminal->fd, &terminal->saved) == 0) {
    quiet = terminal->saved;
    quiet.c_lflag &= ~(tcflag_t) (ECHO | ECHONL | ICANON);
    quiet.c_lflag |= ISIG;
    quiet.c_iflag |= ICRNL;
    quiet.c_cc[VMIN] = 0; /* a read never waits: Ctrl-C takes away what poll has told of */
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr (terminal->fd, TCSAFLUSH, &quiet) == 0)
      return TRUE;
  }
  REFUSE (error, _("The terminal cannot be kept from showing what is typed: %s"), g_strerror (errno));
  if (terminal->signals >= 0)
    close (terminal->signals);
  sigprocmask (SIG_SETMASK, &terminal->old_mask, NULL);
  return FALSE;
}

static void
end (Terminal *terminal)
{
  tcsetattr (terminal->fd, TCSAFLUSH, &terminal->saved);
  close (terminal->signals);
  sigprocmask (SIG_SETMASK, &terminal->old_mask, NULL);
}

/* Gives the signal that has come its way, with the terminal as it was. Most do not return. */
static gboolean
take_signal (Terminal *terminal, const char *prompt, GError **error)
{
  struct signalfd_siginfo info;

  if (read (terminal->signals, &info, sizeof info) != sizeof info)
    return TRUE;
  explicit_bzero (terminal->line, RELAY_CREDENTIAL_MAX_BYTES + 2);
  terminal->length = 0;
  say ("\n");
  end (terminal);
  kill (getpid (), (int) info.ssi_signo);
  /* It was stopped, and goes on. */
  if (!begin (terminal, error)) {
    terminal->signals = -1;
    return FALSE;
  }
  say (prompt);
  return TRUE;
}

/* TRUE: the line is at its end. */
static gboolean
take_key (Terminal *terminal, char key)
{
  enum { ERASE_LINE = 0x15, ERASE_WORD = 0x17, END = 0x04, BACKSPACE = 0x08, DELETE = 0x7f };

  switch (key) {
  case '\n':
  case END:
    return TRUE;
  case BACKSPACE:
  case DELETE:
    terminal->length -= terminal->length > 0 ? 1 : 0;
    return FALSE;
  case ERASE_LINE:
  case ERASE_WORD:
    terminal->length = 0;
    return FALSE;
  default:
    if (terminal->length <= RELAY_CREDENTIAL_MAX_BYTES) /* one too many tells that it is too long */
      terminal->line[terminal->length++] = key;
    return FALSE;
  }
}

static gboolean
read_line (Terminal *terminal, const char *prompt, GError **error)
{
  struct pollfd fds[] = { { terminal->signals, POLLIN, 0 }, { terminal->fd, POLLIN, 0 } };

  terminal->length = 0;
  say (prompt);
  for (;;) {
    char key = 0;
    gssize n;

    fds[0].fd = terminal->signals;
    if (poll (fds, G_N_ELEMENTS (fds), -1) < 0 && errno != EINTR)
      break;
    if ((fds[0].revents & POLLIN) != 0 && !take_signal (terminal, prompt, error))
      return FALSE;
    if (fds[1].revents == 0)
      continue;
    n = read (terminal->fd, &key, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (n < 0 || (n == 0 && (fds[1].revents & ~POLLIN) != 0))
      break;
    if (n == 0)
      continue;
    if (take_key (terminal, key)) {
      say ("\n");
      return TRUE;
    }
  }
  REFUSE (error, _("The terminal is gone."));
  return FALSE;
}

/* Is there more of what was pasted? */
static gboolean
has_more (const Terminal *terminal)
{
  struct pollfd fd = { terminal->fd, POLLIN, 0 };
  char key;

  while (poll (&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0 && read (terminal->fd, &key, 1) == 1)
    if (key != '\n')
      return TRUE;
  return FALSE;
}

static gboolean
ask (int fd, const char *const *prompts, guint n, char **secrets, GError **error)
{
  Terminal terminal = { .fd = fd };
  gboolean good = begin (&terminal, error);

  if (!good)
    return FALSE;
  terminal.line = g_malloc0 (RELAY_CREDENTIAL_MAX_BYTES + 2);
  for (guint i = 0; i < n && good; i++)
    good = read_line (&terminal, prompts[i], error) &&
           take_secret (terminal.line, terminal.length, &secrets[i], error);
  if (good && has_more (&terminal)) {
    REFUSE (error, _("That was more than one line."));
    good = FALSE;
  }
  if (terminal.signals >= 0)
    end (&terminal);
  explicit_bzero (terminal.line, RELAY_CREDENTIAL_MAX_BYTES + 2);
  g_free (terminal.line);
  return good;
}

gboolean
prpctl_secret_input_read (int fd, const char *const *prompts, guint n, char **ret_secrets, GError **error)
{
  char *secrets[PRPCTL_SECRETS_MAX] = { NULL };
  gboolean good;

  g_return_val_if_fail (n <= PRPCTL_SECRETS_MAX, FALSE);

  good = isatty (fd) ? ask (fd, prompts, n, secrets, error) : read_lines (fd, n, secrets, error);
  if (good)
    hand_over (secrets, n, ret_secrets);
  wipe (secrets, n);
  return good;
}
