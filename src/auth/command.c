/* SPDX-License-Identifier: MIT */
#include "auth/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "common/error.h"

/*
 * A command is over when it has closed its output *and* ended: either alone says nothing about the other. Both are
 * waited for at once, against one deadline; whichever fails first decides.
 *
 * Its standard error goes nowhere: a program that fails to print a secret may print it there. The exit status has
 * to do, and the advice to run it by hand.
 *
 * The answer of the read comes even after its cancellation, and the child is to be reaped whatever happens, so
 * each of the two holds a reference, and `done` is NULL once nobody wants to hear any more.
 */
struct RelayCommand {
  gint ref_count;
  char *name; /* of the program, without its arguments: they may hold a secret */
  GPid session; /* the process group of all that it has started; 0 where there is nothing to kill */
  GCancellable *cancellable;
  GSource *deadline;
  guint64 timeout_usec;
  char *output; /* RELAY_CREDENTIAL_MAX_BYTES + 1 */
  gsize length;
  gboolean output_ended, process_ended;
  int wait_status;
  GError *start_error;
  RelayCommandDone done;
  gpointer user_data;
};

static RelayCommand *
command_ref (RelayCommand *command)
{
  command->ref_count++;
  return command;
}

static void
command_unref (RelayCommand *command)
{
  if (--command->ref_count > 0)
    return;
  explicit_bzero (command->output, RELAY_CREDENTIAL_MAX_BYTES + 1);
  g_free (command->output);
  g_free (command->name);
  g_clear_object (&command->cancellable);
  g_clear_error (&command->start_error);
  g_free (command);
}

static void
stop (RelayCommand *command)
{
  if (command->deadline != NULL) {
    g_source_destroy (command->deadline);
    g_clear_pointer (&command->deadline, g_source_unref);
  }
  g_cancellable_cancel (command->cancellable);

  /* Not SIGTERM: who ignored thirty seconds may ignore that too. */
  if (command->session > 0 && !(command->output_ended && command->process_ended))
    kill (-command->session, SIGKILL);
  command->session = 0;
}

/* Takes @error. Neither is looked at any more after the first call. */
static void
finish (RelayCommand *command, GError *error)
{
  g_autoptr (GError) owned_error = error;
  RelayCommandDone done = command->done;

  if (done == NULL)
    return;
  command->done = NULL;
  command_ref (command);
  stop (command);
  done (owned_error == NULL ? command->output : NULL, owned_error, command->user_data);
  command_unref (command);
}

static void
check_finished (RelayCommand *command)
{
  g_autofree char *what = NULL;
  GError *error = NULL;

  if (command->done == NULL || !command->process_ended)
    return;

  if (!WIFEXITED (command->wait_status))
    relay_error_set (&error, RELAY_ERROR_AUTH_FAILED, N_("TokenCommand (%s) was ended by signal %d."),
                 command->name, WTERMSIG (command->wait_status));
  else if (WEXITSTATUS (command->wait_status) != 0)
    relay_error_set (&error, RELAY_ERROR_AUTH_FAILED,
                 N_("TokenCommand (%s) failed with exit status %d: run it in a terminal to see why. If it works there, see "
                   "“SANDBOX” in prp-relayd(1)."),
                 command->name, WEXITSTATUS (command->wait_status));
  else if (!command->output_ended)
    return;
  else {
    what = g_strdup_printf (_("The output of TokenCommand (%s)"), command->name);
    relay_credential_clean (command->output, command->length, what, &error);
  }
  finish (command, error);
}

static void
on_read (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  RelayCommand *command = user_data;
  GError *error = NULL;

  if (!g_input_stream_read_all_finish (G_INPUT_STREAM (stream), result, &command->length, &error)) {
    GError *failure = NULL;

    relay_error_set (&failure, RELAY_ERROR_AUTH_FAILED,
                 N_("The output of TokenCommand (%s) cannot be read: %s."), command->name, error->message);
    g_error_free (error);
    finish (command, failure);
  } else if (command->length > RELAY_CREDENTIAL_MAX_BYTES)
    finish (command,
            relay_error_new (RELAY_ERROR_AUTH_FAILED,
                         N_("TokenCommand (%s) printed more than %d bytes: that is no token."), command->name,
                         RELAY_CREDENTIAL_MAX_BYTES));
  else {
    command->output_ended = TRUE;
    check_finished (command);
  }
  command_unref (command);
}

static void
on_ended (GPid pid, int wait_status, gpointer user_data)
{
  RelayCommand *command = user_data;

  command->process_ended = TRUE;
  command->wait_status = wait_status;
  check_finished (command);
  command_unref (command);
}

static gboolean
on_deadline (gpointer user_data)
{
  RelayCommand *command = user_data;

  finish (command,
          relay_error_new (RELAY_ERROR_AUTH_FAILED,
                       N_("TokenCommand (%s) did not end within %.3g seconds and was killed."), command->name,
                       (double) command->timeout_usec / G_USEC_PER_SEC));
  return G_SOURCE_REMOVE;
}

static gboolean
on_not_started (gpointer user_data)
{
  RelayCommand *command = user_data;

  finish (command, g_steal_pointer (&command->start_error));
  return G_SOURCE_REMOVE;
}

/* In the child, between fork and exec: nothing but async-signal-safe calls. */
static void
enter_session (gpointer user_data)
{
  sigset_t none;

  setsid ();
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

/* What systemd says to us is not said to it. Caller frees. */
static char **
make_environment (void)
{
  char **environment = g_get_environ ();

  environment = g_environ_unsetenv (environment, "NOTIFY_SOCKET");
  environment = g_environ_unsetenv (environment, "WATCHDOG_USEC");
  return g_environ_unsetenv (environment, "WATCHDOG_PID");
}

static gboolean
spawn (RelayCommand *command, const char *const *argv, GError **error)
{
  g_auto (GStrv) environment = make_environment ();
  g_autoptr (GInputStream) output = NULL;
  int fd = -1;

  if (!g_spawn_async_with_pipes_and_fds (
        NULL, argv, (const char *const *) environment,
        G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_CLOEXEC_PIPES,
        enter_session, NULL, -1, -1, -1, NULL, NULL, 0, &command->session, NULL, &fd, NULL, error))
    return FALSE;

  output = g_unix_input_stream_new (fd, TRUE);
  g_input_stream_read_all_async (output, command->output, RELAY_CREDENTIAL_MAX_BYTES + 1, G_PRIORITY_DEFAULT,
                                 command->cancellable, on_read, command_ref (command));
  g_child_watch_add (command->session, on_ended, command_ref (command));
  return TRUE;
}

/* Is the machine to blame, which has run out of descriptors (for the pipe), processes or memory, and not the program? */
static gboolean
is_for_now (const GError *error)
{
  if (error->domain != G_SPAWN_ERROR)
    return error->domain == G_UNIX_ERROR;
  switch (error->code) {
  case G_SPAWN_ERROR_FORK:
  case G_SPAWN_ERROR_FAILED:
  case G_SPAWN_ERROR_NOMEM:
  case G_SPAWN_ERROR_MFILE:
  case G_SPAWN_ERROR_NFILE:
    return TRUE;
  default:
    return FALSE;
  }
}

RelayCommand *
relay_command_start (const char *const *argv, guint64 timeout_usec, RelayCommandDone done, gpointer user_data)
{
  RelayCommand *command = g_new0 (RelayCommand, 1);
  g_autoptr (GError) error = NULL;

  command->ref_count = 1;
  command->name = g_strdup (argv[0]);
  command->timeout_usec = timeout_usec;
  command->output = g_malloc (RELAY_CREDENTIAL_MAX_BYTES + 1);
  command->cancellable = g_cancellable_new ();
  command->done = done;
  command->user_data = user_data;

  if (!spawn (command, argv, &error)) {
    relay_error_set (&command->start_error, is_for_now (error) ? RELAY_ERROR_IO : RELAY_ERROR_AUTH_FAILED,
                 N_("TokenCommand cannot be started: %s."), error->message);
    command->deadline = g_idle_source_new ();
    g_source_set_callback (command->deadline, on_not_started, command, NULL);
  } else {
    command->deadline = g_timeout_source_new ((guint) (timeout_usec / 1000));
    g_source_set_callback (command->deadline, on_deadline, command, NULL);
  }
  g_source_attach (command->deadline, NULL);
  return command;
}

void
relay_command_free (RelayCommand *command)
{
  if (command == NULL)
    return;
  command->done = NULL;
  stop (command);
  command_unref (command);
}
