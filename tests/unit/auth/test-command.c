/* SPDX-License-Identifier: MIT */
#include "auth/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "common/error.h"

#define LONG_USEC (60 * (guint64) G_USEC_PER_SEC)
#define SHORT_USEC (200 * 1000)

typedef struct {
  RelayCommand *command;
  guint n_done;
  char *secret;
  GError *error;
} Run;

static void
on_done (const char *secret, const GError *error, gpointer user_data)
{
  Run *run = user_data;

  g_assert_true ((secret != NULL) != (error != NULL));
  run->n_done++;
  run->secret = g_strdup (secret);
  run->error = error != NULL ? g_error_copy (error) : NULL;
  g_clear_pointer (&run->command, relay_command_free);
}

static Run
run_argv (const char *const *argv, guint64 timeout_usec)
{
  Run run = { 0 };

  run.command = relay_command_start (argv, timeout_usec, on_done, &run);
  g_assert_cmpuint (run.n_done, ==, 0);
  while (run.n_done == 0)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (run.n_done, ==, 1);
  return run;
}

static void
run_clear (Run *run)
{
  g_free (run->secret);
  g_clear_error (&run->error);
}

static Run
run_shell (const char *script, guint64 timeout_usec)
{
  return run_argv ((const char *const[]){ "/bin/sh", "-c", script, NULL }, timeout_usec);
}

static void
assert_secret (const char *script, const char *secret)
{
  Run run = run_shell (script, LONG_USEC);

  g_assert_no_error (run.error);
  g_assert_cmpstr (run.secret, ==, secret);
  run_clear (&run);
}

static void
assert_fails (const char *script, guint64 timeout_usec, const char *message)
{
  Run run = run_shell (script, timeout_usec);

  g_assert_error (run.error, RELAY_ERROR, RELAY_ERROR_AUTH_FAILED);
  g_assert_cmpstr (run.error->message, ==, message);
  run_clear (&run);
}

static void
test_output (void)
{
  assert_secret ("echo abc", "abc");
  assert_secret ("printf abc", "abc");
  assert_secret ("printf 'abc\\r\\n'", "abc");
  assert_secret ("printf a; sleep 0.05; printf b; exec >&-; sleep 0.05", "ab");
  assert_secret ("echo abc; echo secret >&2", "abc");
}

static void
test_arguments (void)
{
  Run run = run_argv ((const char *const[]){ "printf", "%s", "$HOME;*'\"|", NULL }, LONG_USEC); /* no shell */

  g_assert_no_error (run.error);
  g_assert_cmpstr (run.secret, ==, "$HOME;*'\"|");
  run_clear (&run);
}

static void
test_surroundings (void)
{
  g_setenv ("NOTIFY_SOCKET", "/nowhere", TRUE);
  g_setenv ("WATCHDOG_USEC", "1", TRUE);
  g_setenv ("PRP_TEST_VARIABLE", "seen", TRUE);
  assert_secret ("echo \"${NOTIFY_SOCKET-none},${WATCHDOG_USEC-none},$PRP_TEST_VARIABLE\"", "none,none,seen");
  assert_secret ("cat; echo end", "end"); /* nothing to read */
  assert_secret ("test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ && echo leader", "leader");
  assert_secret ("(: </dev/tty) 2>/dev/null && echo terminal || echo none", "none");
  g_unsetenv ("NOTIFY_SOCKET");
  g_unsetenv ("WATCHDOG_USEC");
}

static void
test_failures (void)
{
  assert_fails ("exit 3", LONG_USEC,
                "TokenCommand (/bin/sh) failed with exit status 3: run it in a terminal to see why. If it works "
                "there, see “SANDBOX” in prp-relayd(1).");
  assert_fails ("echo abc; echo s3cret >&2; exit 1", LONG_USEC,
                "TokenCommand (/bin/sh) failed with exit status 1: run it in a terminal to see why. If it works "
                "there, see “SANDBOX” in prp-relayd(1).");
  assert_fails ("kill -TERM $$", LONG_USEC, "TokenCommand (/bin/sh) was ended by signal 15.");
  assert_fails ("true", LONG_USEC, "The output of TokenCommand (/bin/sh) holds no token: it is empty.");
  assert_fails ("echo; echo abc", LONG_USEC,
                "The output of TokenCommand (/bin/sh) holds no token: there is a space, a line break or a special "
                "character "
                "in it.");
  assert_fails ("echo Bearer abc", LONG_USEC,
                "The output of TokenCommand (/bin/sh) begins with “Bearer”: only the token itself belongs there.");
}

/* Fails at once, though somebody else still holds the output. */
static void
test_failure_with_heir (void)
{
  assert_fails ("sleep 1000 & exit 7", LONG_USEC,
                "TokenCommand (/bin/sh) failed with exit status 7: run it in a terminal to see why. If it works "
                "there, see “SANDBOX” in prp-relayd(1).");
}

static void
test_not_started (void)
{
  Run run = run_argv ((const char *const[]){ "/nowhere/program", "s3cret", NULL }, LONG_USEC);

  g_assert_error (run.error, RELAY_ERROR, RELAY_ERROR_AUTH_FAILED);
  g_assert_true (g_str_has_prefix (run.error->message, "TokenCommand cannot be started: "));
  g_assert_nonnull (strstr (run.error->message, "/nowhere/program"));
  g_assert_null (strstr (run.error->message, "s3cret"));
  run_clear (&run);
}

/* For the pipe: that may pass. */
static void
test_no_descriptor (void)
{
  struct rlimit before, none;
  Run run;

  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &before));
  none = before;
  none.rlim_cur = (rlim_t) dup (STDERR_FILENO);
  close ((int) none.rlim_cur);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &none));
  run = run_shell ("echo abc", LONG_USEC);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &before));
  g_assert_error (run.error, RELAY_ERROR, RELAY_ERROR_IO);
  run_clear (&run);
}

static void
test_too_much (void)
{
  assert_fails ("yes xxxxxxxxxxxxxxx | tr -d '\\n'", LONG_USEC,
                "TokenCommand (/bin/sh) printed more than 65536 bytes: that is no token.");
  assert_fails ("head -c 65537 /dev/zero | tr '\\0' x", LONG_USEC,
                "TokenCommand (/bin/sh) printed more than 65536 bytes: that is no token.");
}

/* Is there (still) a process with the number in the file @path? Waits for the file to have one. */
static pid_t
read_pid (const char *path)
{
  for (;;) {
    g_autofree char *text = NULL;

    if (g_file_get_contents (path, &text, NULL, NULL) && strchr (text, '\n') != NULL)
      return (pid_t) atoi (text);
    g_main_context_iteration (NULL, FALSE);
    g_usleep (1000);
  }
}

static void
wait_until_gone (pid_t pid)
{
  while (kill (pid, 0) == 0) {
    g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
    g_autofree char *stat = NULL;

    /* An orphan whose new parent does not reap is dead as well. */
    if (g_file_get_contents (path, &stat, NULL, NULL) && strstr (stat, ") Z ") != NULL)
      return;
    g_main_context_iteration (NULL, FALSE);
    g_usleep (1000);
  }
  g_assert_cmpint (errno, ==, ESRCH);
}

/* Ignoring SIGTERM does not help, and what it has started goes with it. */
static void
test_timeout (void)
{
  g_autofree char *folder = g_dir_make_tmp ("prp-relay-command-XXXXXX", NULL);
  g_autofree char *own = g_build_filename (folder, "own", NULL);
  g_autofree char *child = g_build_filename (folder, "child", NULL);
  g_autofree char *script = g_strdup_printf (
    "trap '' TERM HUP INT; sleep 1000 & echo $! >%s; echo $$ >%s; echo abc; wait; wait", child, own);

  assert_fails (script, SHORT_USEC, "TokenCommand (/bin/sh) did not end within 0.2 seconds and was killed.");
  wait_until_gone (read_pid (own));
  wait_until_gone (read_pid (child));
  g_unlink (own);
  g_unlink (child);
  g_rmdir (folder);
}

static void
test_timeout_with_closed_output (void)
{
  assert_fails ("echo abc; exec >&-; sleep 1000", SHORT_USEC,
                "TokenCommand (/bin/sh) did not end within 0.2 seconds and was killed.");
}

static void
test_timeout_with_heir (void)
{
  assert_fails ("echo abc; sleep 1000 &", SHORT_USEC,
                "TokenCommand (/bin/sh) did not end within 0.2 seconds and was killed.");
}

static void
test_free (void)
{
  g_autofree char *folder = g_dir_make_tmp ("prp-relay-command-XXXXXX", NULL);
  g_autofree char *own = g_build_filename (folder, "own", NULL);
  g_autofree char *script = g_strdup_printf ("trap '' TERM; echo $$ >%s; sleep 1000; sleep 1000", own);
  Run run = { 0 };

  run.command =
    relay_command_start ((const char *const[]){ "/bin/sh", "-c", script, NULL }, LONG_USEC, on_done, &run);
  read_pid (own);
  relay_command_free (run.command);
  wait_until_gone (read_pid (own));
  g_assert_cmpuint (run.n_done, ==, 0);

  /* At once, and one that could not be started. */
  relay_command_free (
    relay_command_start ((const char *const[]){ "sleep", "1000", NULL }, LONG_USEC, on_done, &run));
  relay_command_free (relay_command_start ((const char *const[]){ "/nowhere", NULL }, LONG_USEC, on_done, &run));
  relay_command_free (NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (run.n_done, ==, 0);
  g_unlink (own);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/command/output", test_output);
  g_test_add_func ("/command/arguments", test_arguments);
  g_test_add_func ("/command/surroundings", test_surroundings);
  g_test_add_func ("/command/failures", test_failures);
  g_test_add_func ("/command/failure-with-heir", test_failure_with_heir);
  g_test_add_func ("/command/not-started", test_not_started);
  g_test_add_func ("/command/no-descriptor", test_no_descriptor);
  g_test_add_func ("/command/too-much", test_too_much);
  g_test_add_func ("/command/timeout", test_timeout);
  g_test_add_func ("/command/timeout-with-closed-output", test_timeout_with_closed_output);
  g_test_add_func ("/command/timeout-with-heir", test_timeout_with_heir);
  g_test_add_func ("/command/free", test_free);
  return g_test_run ();
}
