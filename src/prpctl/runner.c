/* SPDX-License-Identifier: MIT */
#include "prpctl/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

/*
 * A job is its process: it begins with it and is over when it has ended, read or unread. That one has ended is told by
 * SIGCHLD, which poll() sees through a signalfd; as the signal is one for all, it is then asked of each.
 *
 *   RUNNING ──(its time is over, or stop)→ TERMINATING ──(grace is over, or stop again)→ KILLED
 *      └──────────────────────┬───────────────────┴───────────────────────────────────────┘
 *                             └→ the process has ended: reaped, told, gone
 *
 * A process that has ended stays a zombie until what is left of its group was killed (where it was to be ended): as long
 * as it does, no other can get its number.
 */
typedef enum {
  STATE_RUNNING,
  STATE_TERMINATING,
  STATE_KILLED,
} State;

typedef struct {
  guint64 ticket;
  State state;
  PrpctlRunEnd why; /* it was terminated */
  pid_t pid;        /* also its process group */
  int input_fd; /* -1: all is written, or nobody reads */
  GBytes *input;
  gsize n_written;
  guint64 deadline_usec; /* CLOCK_MONOTONIC, of its state */
} Job;

struct PrpctlRunner {
  char **argv;
  guint max_jobs;
  guint64 timeout_usec;
  PrpctlRunnerEnded ended;
  gpointer user_data;
  GPtrArray *jobs; /* of Job */
  int signal_fd;
  sigset_t old_mask;
};

static guint64
get_now (void)
{
  return (guint64) g_get_monotonic_time ();
}

static void
close_input (Job *job)
{
  if (job->input_fd >= 0)
    close (job->input_fd);
  job->input_fd = -1;
}

static void
job_free (Job *job)
{
  close_input (job);
  g_bytes_unref (job->input);
  g_free (job);
}

PrpctlRunner *
prpctl_runner_new (const char *const *argv, guint max_jobs, guint64 timeout_usec, PrpctlRunnerEnded ended,
                   gpointer user_data, GError **error)
{
  PrpctlRunner *runner;
  sigset_t signals, old_mask;
  int signal_fd;

  g_assert (max_jobs >= 1 && max_jobs <= PRPCTL_RUNNER_MAX_JOBS);
  /* Whoever started us may have it ignored: the kernel would then reap what we are to. */
  (void) signal (SIGCHLD, SIG_DFL);
  sigemptyset (&signals);
  sigaddset (&signals, SIGCHLD);
  signal_fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) {
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot watch for signals: %s"), g_strerror (errno));
    return NULL;
  }
  (void) sigprocmask (SIG_BLOCK, &signals, &old_mask);
  runner = g_new0 (PrpctlRunner, 1);
  runner->signal_fd = signal_fd;
  runner->old_mask = old_mask;
  runner->argv = g_strdupv ((char **) argv);
  runner->max_jobs = max_jobs;
  runner->timeout_usec = timeout_usec;
  runner->ended = ended;
  runner->user_data = user_data;
  runner->jobs = g_ptr_array_new_with_free_func ((GDestroyNotify) job_free);
  return runner;
}

/* Signals the whole group. It is there as long as its first process was not reaped. */
static void
signal_group (const Job *job, int number)
{
  (void) kill (-job->pid, number);
}

void
prpctl_runner_free (PrpctlRunner *runner)
{
  if (runner == NULL)
    return;
  for (guint i = 0; i < runner->jobs->len; i++) {
    const Job *job = runner->jobs->pdata[i];

    signal_group (job, SIGKILL);
    while (waitpid (job->pid, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  close (runner->signal_fd);
  (void) sigprocmask (SIG_SETMASK, &runner->old_mask, NULL);
  g_ptr_array_unref (runner->jobs);
  g_strfreev (runner->argv);
  g_free (runner);
}

gboolean
prpctl_runner_has_room (const PrpctlRunner *runner)
{
  return runner->jobs->len < runner->max_jobs;
}

gboolean
prpctl_runner_is_idle (const PrpctlRunner *runner)
{
  return runner->jobs->len == 0;
}

/* -- starting ---------------------------------------------------------------------------------------------------- */

/* As it would be for a program that a shell starts: we block signals and ignore SIGPIPE, it does not. */
static int
set_attributes (posix_spawnattr_t *attributes)
{
  sigset_t none, defaults;
  int r;

  sigemptyset (&none);
  sigemptyset (&defaults);
  sigaddset (&defaults, SIGPIPE);
  r = posix_spawnattr_setsigmask (attributes, &none);
  if (r == 0)
    r = posix_spawnattr_setsigdefault (attributes, &defaults);
  if (r == 0)
    r = posix_spawnattr_setpgroup (attributes, 0);
  if (r == 0)
    r = posix_spawnattr_setflags (attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  return r;
}

/* Returns 0 or an errno. @input_fd becomes its standard input. The program is looked for here: not everywhere does
 * posix_spawn() say that there was none. */
static int
spawn (char *const *argv, const char *const *environment, int input_fd, pid_t *ret_pid)
{
  g_autofree char *program = g_find_program_in_path (argv[0]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int r;

  if (program == NULL)
    return strchr (argv[0], '/') != NULL && access (argv[0], F_OK) == 0 ? EACCES : ENOENT;
  r = posix_spawn_file_actions_init (&actions);
  if (r != 0)
    return r;
  r = posix_spawnattr_init (&attributes);
  if (r == 0) {
    r = set_attributes (&attributes);
    if (r == 0)
      r = posix_spawn_file_actions_adddup2 (&actions, input_fd, STDIN_FILENO);
    if (r == 0)
      r = posix_spawn (ret_pid, program, &actions, &attributes, argv, (char *const *) environment);
    posix_spawnattr_destroy (&attributes);
  }
  posix_spawn_file_actions_destroy (&actions);
  return r;
}

static int
start_job (PrpctlRunner *runner, const char *const *environment, Job *job)
{
  int fds[2], r;

  if (pipe2 (fds, O_CLOEXEC) < 0)
    return errno;
  job->input_fd = fds[1];
  /* Of ours only: the description of the other end is the command's own. */
  if (fcntl (fds[1], F_SETFL, O_NONBLOCK) < 0)
    r = errno;
  else
    r = spawn (runner->argv, environment, fds[0], &job->pid);
  close (fds[0]);
  return r;
}

gboolean
prpctl_runner_start (PrpctlRunner *runner, guint64 ticket, const char *const *environment, GBytes *input, GError **error)
{
  Job *job = g_new0 (Job, 1);
  int r;

  g_assert (prpctl_runner_has_room (runner));
  job->ticket = ticket;
  job->input_fd = -1;
  job->input = g_bytes_ref (input);
  job->deadline_usec = get_now () + runner->timeout_usec;
  r = start_job (runner, environment, job);
  if (r != 0) {
    g_autofree char *safe = prpctl_text_make_safe (runner->argv[0], 255);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("“%s” cannot be started: %s"), safe, g_strerror (r));
    job_free (job);
    return FALSE;
  }
  g_ptr_array_add (runner->jobs, job);
  return TRUE;
}

/* -- while it runs ----------------------------------------------------------------------------------------------- */

/* Writes what the command takes. One that does not want it is none of our trouble. */
static void
feed (Job *job)
{
  gsize length;
  const char *data = g_bytes_get_data (job->input, &length);

  while (job->input_fd >= 0) {
    gssize n = job->n_written < length ? write (job->input_fd, data + job->n_written, length - job->n_written) : 0;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n > 0)
      job->n_written += (gsize) n;
    if (n < 0 || job->n_written == length)
      close_input (job);
  }
}

static void
terminate (Job *job, PrpctlRunEnd why)
{
  job->state = STATE_TERMINATING;
  job->why = why;
  job->deadline_usec = get_now () + PRPCTL_RUNNER_GRACE_USEC;
  signal_group (job, SIGTERM);
  signal_group (job, SIGCONT); /* a stopped one would not hear it */
}

static void
kill_job (Job *job)
{
  job->state = STATE_KILLED;
  job->deadline_usec = G_MAXUINT64;
  signal_group (job, SIGKILL);
}

void
prpctl_runner_stop (PrpctlRunner *runner)
{
  for (guint i = 0; i < runner->jobs->len; i++) {
    Job *job = runner->jobs->pdata[i];

    if (job->state == STATE_RUNNING)
      terminate (job, PRPCTL_RUN_STOPPED);
    else if (job->state == STATE_TERMINATING)
      kill_job (job);
  }
}

static void
check_time (Job *job)
{
  if (get_now () < job->deadline_usec)
    return;
  if (job->state == STATE_RUNNING)
    terminate (job, PRPCTL_RUN_TIMED_OUT);
  else
    kill_job (job);
}

/* Has it ended? Then it is reaped. */
static gboolean
reap (Job *job, PrpctlRunResult *ret_result)
{
  siginfo_t info = { 0 };

  if (waitid (P_PID, (id_t) job->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != job->pid)
    return FALSE;
  if (job->state != STATE_RUNNING)
    signal_group (job, SIGKILL);
  (void) waitid (P_PID, (id_t) job->pid, &info, WEXITED);
  ret_result->end = job->state != STATE_RUNNING   ? job->why :
                    info.si_code == CLD_EXITED ? PRPCTL_RUN_EXITED :
                                                 PRPCTL_RUN_SIGNALED;
  ret_result->number = info.si_status;
  return TRUE;
}

guint
prpctl_runner_get_fds (const PrpctlRunner *runner, struct pollfd *fds)
{
  guint n = 0;

  fds[n++] = (struct pollfd){ .fd = runner->signal_fd, .events = POLLIN };
  for (guint i = 0; i < runner->jobs->len; i++) {
    const Job *job = runner->jobs->pdata[i];

    if (job->input_fd >= 0)
      fds[n++] = (struct pollfd){ .fd = job->input_fd, .events = POLLOUT };
  }
  return n;
}

guint64
prpctl_runner_get_deadline (const PrpctlRunner *runner)
{
  guint64 deadline_usec = G_MAXUINT64;

  for (guint i = 0; i < runner->jobs->len; i++)
    deadline_usec = MIN (deadline_usec, ((const Job *) runner->jobs->pdata[i])->deadline_usec);
  return deadline_usec;
}

void
prpctl_runner_dispatch (PrpctlRunner *runner)
{
  struct signalfd_siginfo info;

  /* Before they are asked: one that ends behind this is told of anew. */
  while (read (runner->signal_fd, &info, sizeof info) == sizeof info)
    ;
  for (guint i = 0; i < runner->jobs->len;) {
    Job *job = runner->jobs->pdata[i];
    PrpctlRunResult result;

    feed (job);
    if (reap (job, &result)) {
      guint64 ticket = job->ticket;

      g_ptr_array_remove_index (runner->jobs, i);
      runner->ended (ticket, &result, runner->user_data);
    } else {
      check_time (job);
      i++;
    }
  }
}

char *
prpctl_run_result_describe (const PrpctlRunResult *result)
{
  switch (result->end) {
  case PRPCTL_RUN_EXITED:
    return g_strdup_printf (_("ended with status %d"), result->number);
  case PRPCTL_RUN_SIGNALED:
    return g_strdup_printf (_("was ended by signal %d (%s)"), result->number, g_strsignal (result->number));
  case PRPCTL_RUN_TIMED_OUT:
    return g_strdup (_("did not end in time, and was ended"));
  case PRPCTL_RUN_STOPPED:
    return g_strdup (_("was ended before it was done"));
  }
  g_assert_not_reached ();
}
