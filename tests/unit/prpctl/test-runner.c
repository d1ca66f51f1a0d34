/* SPDX-License-Identifier: MIT */
#include "prpctl/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "prpctl/failure.h"

/* Real processes: what is run is /bin/sh, told what to do by its arguments and its input. */
#define PATIENCE_USEC (60 * (guint64) G_USEC_PER_SEC)

typedef struct {
  PrpctlRunner *runner;
  char *directory;
  GString *story; /* "1:exited 0; " */
  guint n_ended;
} Bench;

static void
on_ended (guint64 ticket, const PrpctlRunResult *result, gpointer user_data)
{
  static const char *const ends[] = { "exited", "signaled", "timed-out", "stopped" };
  Bench *bench = user_data;

  bench->n_ended++;
  g_string_append_printf (bench->story, "%" G_GUINT64_FORMAT ":%s", ticket, ends[result->end]);
  if (result->end <= PRPCTL_RUN_SIGNALED)
    g_string_append_printf (bench->story, " %d", result->number);
  g_string_append (bench->story, "; ");
}

static void
set_up (Bench *bench, const char *script, guint max_jobs, guint64 timeout_usec)
{
  const char *const argv[] = { "sh", "-c", script, "sh", NULL };

  bench->directory = g_dir_make_tmp ("prp-relay-runner-XXXXXX", NULL);
  bench->story = g_string_new (NULL);
  bench->n_ended = 0;
  bench->runner = prpctl_runner_new (argv, max_jobs, timeout_usec, on_ended, bench, NULL);
  g_assert_nonnull (bench->runner);
}

static void
tear_down (Bench *bench)
{
  g_autofree char *command = g_strdup_printf ("rm -r '%s'", bench->directory);

  prpctl_runner_free (bench->runner);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (bench->directory);
  g_string_free (bench->story, TRUE);
  /* Nobody is left behind. */
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

static void
start (Bench *bench, guint64 ticket, const char *input, gsize length)
{
  g_autoptr (GBytes) bytes = g_bytes_new (input, length);
  g_autofree char *directory = g_strconcat ("DIRECTORY=", bench->directory, NULL);
  g_autofree char *path = g_strconcat ("PATH=", g_getenv ("PATH"), NULL);
  g_autofree char *number = g_strdup_printf ("TICKET=%" G_GUINT64_FORMAT, ticket);
  const char *const environment[] = { directory, path, number, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_true (prpctl_runner_start (bench->runner, ticket, environment, bytes, &error));
  g_assert_no_error (error);
}

/* One turn of a loop. */
static void
turn (Bench *bench)
{
  struct pollfd fds[PRPCTL_RUNNER_MAX_FDS];
  guint n = prpctl_runner_get_fds (bench->runner, fds);
  guint64 now = (guint64) g_get_monotonic_time ();
  guint64 deadline = MIN (prpctl_runner_get_deadline (bench->runner), now + G_USEC_PER_SEC / 50);

  (void) poll (fds, n, deadline > now ? (int) ((deadline - now + 999) / 1000) : 0);
  prpctl_runner_dispatch (bench->runner);
}

static void
run_until (Bench *bench, guint n_ended)
{
  guint64 deadline = (guint64) g_get_monotonic_time () + PATIENCE_USEC;

  while (bench->n_ended < n_ended) {
    g_assert_cmpuint ((guint64) g_get_monotonic_time (), <, deadline);
    turn (bench);
  }
}

static gboolean
file_exists (Bench *bench, const char *name)
{
  g_autofree char *path = g_build_filename (bench->directory, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
wait_for_file (Bench *bench, const char *name)
{
  guint64 deadline = (guint64) g_get_monotonic_time () + PATIENCE_USEC;

  while (!file_exists (bench, name)) {
    g_assert_cmpuint ((guint64) g_get_monotonic_time (), <, deadline);
    turn (bench);
  }
}

static char *
read_file (Bench *bench, const char *name)
{
  g_autofree char *path = g_build_filename (bench->directory, name, NULL);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
test_input (void)
{
  Bench bench;
  g_autofree char *got = NULL;

  set_up (&bench, "cat > $DIRECTORY/got; exit 3", 1, PATIENCE_USEC);
  g_assert_true (prpctl_runner_is_idle (bench.runner));
  start (&bench, 7, "hello\n", 6);
  g_assert_false (prpctl_runner_is_idle (bench.runner));
  g_assert_false (prpctl_runner_has_room (bench.runner));
  run_until (&bench, 1);
  got = read_file (&bench, "got");
  g_assert_cmpstr (got, ==, "hello\n");
  g_assert_cmpstr (bench.story->str, ==, "7:exited 3; ");
  g_assert_true (prpctl_runner_is_idle (bench.runner) && prpctl_runner_has_room (bench.runner));
  tear_down (&bench);
}

/* Much more than a pipe holds: whole for who reads, and no matter to who does not. */
static void
test_much_input (void)
{
  enum { BYTES = 4 * 1024 * 1024 };
  Bench bench;
  g_autofree char *much = g_strnfill (BYTES, 'x');
  g_autofree char *got = NULL;

  set_up (&bench, "case $TICKET in 1) wc -c > $DIRECTORY/got ;; 2) exit 0 ;; 3) exec <&-; exit 5 ;; esac", 3, PATIENCE_USEC);
  for (guint i = 1; i <= 3; i++)
    start (&bench, i, much, BYTES);
  run_until (&bench, 3);
  got = read_file (&bench, "got");
  g_assert_cmpint (atoi (got), ==, BYTES);
  g_assert_nonnull (strstr (bench.story->str, "2:exited 0; "));
  g_assert_nonnull (strstr (bench.story->str, "3:exited 5; "));
  tear_down (&bench);
}

/* One that never reads, and does not end, does not hold up the others. */
static void
test_not_reading (void)
{
  enum { BYTES = 1024 * 1024 };
  Bench bench;
  g_autofree char *much = g_strnfill (BYTES, 'x');

  set_up (&bench, "case $TICKET in 1) exec sleep 1000 ;; *) cat > /dev/null ;; esac", 2, PATIENCE_USEC);
  start (&bench, 1, much, BYTES);
  for (guint i = 2; i < 6; i++) {
    start (&bench, i, much, BYTES);
    run_until (&bench, i - 1);
  }
  g_assert_cmpstr (bench.story->str, ==, "2:exited 0; 3:exited 0; 4:exited 0; 5:exited 0; ");
  tear_down (&bench); /* ends the first */
}

static void
test_timeout (void)
{
  Bench bench;
  g_autofree char *told = NULL;

  set_up (&bench, "trap 'echo told > $DIRECTORY/told; exit 0' TERM; : > $DIRECTORY/ready; while :; do sleep 0.01; done", 1,
          G_USEC_PER_SEC / 5);
  start (&bench, 1, "", 0);
  run_until (&bench, 1);
  g_assert_cmpstr (bench.story->str, ==, "1:timed-out; ");
  if (file_exists (&bench, "ready")) {
    told = read_file (&bench, "told");
    g_assert_cmpstr (told, ==, "told\n");
  }
  tear_down (&bench);
}

/* Deaf to SIGTERM, with a child of its own, which is as deaf and goes as well. */
static void
test_stop (void)
{
  Bench bench;
  g_autofree char *pid = NULL;
  char **words;

  set_up (&bench, "trap '' TERM; (echo $$ > $DIRECTORY/new; mv $DIRECTORY/new $DIRECTORY/group; sleep 1000); exit 0", 1,
          PATIENCE_USEC);
  start (&bench, 1, "", 0);
  wait_for_file (&bench, "group");
  pid = read_file (&bench, "group");
  prpctl_runner_stop (bench.runner);
  turn (&bench);
  g_assert_cmpuint (bench.n_ended, ==, 0);
  prpctl_runner_stop (bench.runner);
  run_until (&bench, 1);
  g_assert_cmpstr (bench.story->str, ==, "1:stopped; ");
  words = g_strsplit (pid, "\n", 2);
  /* Killed, though whoever inherited it may still have to reap it. */
  for (guint64 deadline = (guint64) g_get_monotonic_time () + PATIENCE_USEC; kill (-atoi (words[0]), 0) == 0;) {
    g_autofree char *command = g_strdup_printf ("sh -c 'exec 2>/dev/null; for p in /proc/[0-9]*; do read -r _ _ state _ group _ < $p/stat || continue; "
                                                "[ x$group = x%s ] && [ $state != Z ] && exit 1; done; exit 0'", words[0]);
    int status = -1;

    g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, &status, NULL));
    if (status == 0)
      break;
    g_assert_cmpuint ((guint64) g_get_monotonic_time (), <, deadline);
  }
  g_strfreev (words);
  tear_down (&bench);
}

/* It is as a shell would start it: no signal is blocked or ignored, in a group of its own; nothing of ours is open in it. */
static void
test_surroundings (void)
{
  Bench bench;
  g_autofree char *status = NULL, *files = NULL;
  sigset_t signals;
  int leak = dup (STDOUT_FILENO);

  g_assert_cmpint (fcntl (leak, F_SETFD, FD_CLOEXEC), ==, 0);
  sigemptyset (&signals);
  sigaddset (&signals, SIGTERM);
  g_assert_cmpint (sigprocmask (SIG_BLOCK, &signals, NULL), ==, 0);
  set_up (&bench,
          "while read -r name value; do [ $name = SigBlk: ] && echo $value > $DIRECTORY/status; done < /proc/$$/status; ls /proc/$$/fd | sort -n | tr '\\n' ' ' > $DIRECTORY/files;"
          "kill -PIPE $$", 1, PATIENCE_USEC);
  start (&bench, 1, "", 0);
  run_until (&bench, 1);
  g_assert_cmpint (sigprocmask (SIG_UNBLOCK, &signals, NULL), ==, 0);
  close (leak);
  status = read_file (&bench, "status");
  files = read_file (&bench, "files");
  g_assert_cmpstr (status, ==, "0000000000000000\n");
  g_assert_true (g_str_has_prefix (files, "0 1 2 "));
  g_assert_cmpstr (bench.story->str, ==, "1:signaled 13; ");
  tear_down (&bench);
}

/* Nothing is as whoever started us had it: with SIGCHLD ignored, nobody would be told of an end. */
static void
test_ignored_signal (void)
{
  Bench bench;

  signal (SIGCHLD, SIG_IGN);
  set_up (&bench, "exit 3", 1, PATIENCE_USEC);
  start (&bench, 1, "", 0);
  run_until (&bench, 1);
  g_assert_cmpstr (bench.story->str, ==, "1:exited 3; ");
  tear_down (&bench);
}

static void
test_not_executable (void)
{
  const char *const argv[] = { "/dev/null", NULL };
  g_autoptr (PrpctlRunner) runner = prpctl_runner_new (argv, 1, PATIENCE_USEC, on_ended, NULL, NULL);
  g_autoptr (GBytes) input = g_bytes_new_static ("x", 1);
  g_autoptr (GError) error = NULL;

  g_assert_false (prpctl_runner_start (runner, 1, (const char *const[]){ NULL }, input, &error));
  g_assert_cmpstr (error->message, ==, "“/dev/null” cannot be started: Permission denied");
}

static void
test_no_such_command (void)
{
  g_autoptr (PrpctlRunner) runner =
    prpctl_runner_new ((const char *const[]){ "no-such-command\033", NULL }, 1, PATIENCE_USEC, on_ended, NULL, NULL);
  g_autoptr (GBytes) input = g_bytes_new_static ("x", 1);
  g_autoptr (GError) error = NULL;

  g_assert_false (prpctl_runner_start (runner, 1, (const char *const[]){ NULL }, input, &error));
  g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE);
  g_assert_cmpstr (error->message, ==, "“no-such-command\357\277\275” cannot be started: No such file or directory");
  g_assert_true (prpctl_runner_is_idle (runner));
}

static void
test_words (void)
{
  static const struct {
    PrpctlRunResult result;
    const char *words;
  } cases[] = {
    { { PRPCTL_RUN_EXITED, 3 }, "ended with status 3" },
    { { PRPCTL_RUN_SIGNALED, SIGKILL }, "was ended by signal 9 (Killed)" },
    { { PRPCTL_RUN_TIMED_OUT, 0 }, "did not end in time, and was ended" },
    { { PRPCTL_RUN_STOPPED, 0 }, "was ended before it was done" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *words = prpctl_run_result_describe (&cases[i].result);

    g_assert_cmpstr (words, ==, cases[i].words);
  }
}

int
main (int argc, char **argv)
{
  signal (SIGPIPE, SIG_IGN); /* as prpctl does */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/runner/input", test_input);
  g_test_add_func ("/runner/much-input", test_much_input);
  g_test_add_func ("/runner/not-reading", test_not_reading);
  g_test_add_func ("/runner/timeout", test_timeout);
  g_test_add_func ("/runner/stop", test_stop);
  g_test_add_func ("/runner/surroundings", test_surroundings);
  g_test_add_func ("/runner/ignored-signal", test_ignored_signal);
  g_test_add_func ("/runner/not-executable", test_not_executable);
  g_test_add_func ("/runner/no-such-command", test_no_such_command);
  g_test_add_func ("/runner/words", test_words);
  return g_test_run ();
}
