/* SPDX-License-Identifier: MIT */
#pragma once

#include <poll.h>

#include <glib.h>

/*
 * Runs one command again and again, each time with another text on its standard input: several at once, but no more
 * than were asked for, and none for longer than it may. Belongs to a loop around poll(): it waits for nothing itself.
 *
 *   has_room → start … → get_fds and get_deadline for poll() → dispatch → `ended` for each that has
 *
 * Each command is started without a shell, in a process group of its own, so that it can be ended together with what
 * it has started; its standard output and error are ours. A command that does not read its input, or not all of it,
 * holds up nobody.
 */
typedef struct PrpctlRunner PrpctlRunner;

#define PRPCTL_RUNNER_MAX_JOBS 64
#define PRPCTL_RUNNER_MAX_FDS (1 + PRPCTL_RUNNER_MAX_JOBS)
#define PRPCTL_RUNNER_GRACE_USEC (5 * (guint64) G_USEC_PER_SEC) /* between SIGTERM and SIGKILL */

typedef enum {
  PRPCTL_RUN_EXITED,    /* `number` is the exit status */
  PRPCTL_RUN_SIGNALED,  /* `number` is the signal that ended it, which we did not send */
  PRPCTL_RUN_TIMED_OUT, /* it was ended because its time was over; whatever it came back with */
  PRPCTL_RUN_STOPPED,   /* it was ended by prpctl_runner_stop() */
} PrpctlRunEnd;

typedef struct {
  PrpctlRunEnd end;
  int number;
} PrpctlRunResult;

/* @ticket: that of the start. Called from dispatch; may start another. */
typedef void (*PrpctlRunnerEnded) (guint64 ticket, const PrpctlRunResult *result, gpointer user_data);

/* @argv: the command and its arguments; it is searched for in PATH. @max_jobs: from 1 to PRPCTL_RUNNER_MAX_JOBS. Takes
 * SIGCHLD for itself, as long as there is a runner: there can be one. Error: PRPCTL_ERROR, PRPCTL_EXIT_FAILURE. */
PrpctlRunner *prpctl_runner_new (const char *const *argv, guint max_jobs, guint64 timeout_usec, PrpctlRunnerEnded ended,
                                 gpointer user_data, GError **error);

/* Kills what still runs, waits until it is gone, and tells nobody. */
void prpctl_runner_free (PrpctlRunner *runner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlRunner, prpctl_runner_free)

gboolean prpctl_runner_has_room (const PrpctlRunner *runner);
gboolean prpctl_runner_is_idle (const PrpctlRunner *runner);

/* Needs room. @environment: all of it. @input: for the standard input, which ends behind it. Error: PRPCTL_ERROR,
 * PRPCTL_EXIT_FAILURE; `ended` is not called then. */
gboolean prpctl_runner_start (PrpctlRunner *runner, guint64 ticket, const char *const *environment, GBytes *input,
                              GError **error);

/* Has all that run end: by SIGTERM, and SIGKILL after a while; called again, by SIGKILL at once. */
void prpctl_runner_stop (PrpctlRunner *runner);

/* Fills in what poll() is to wait for, at most PRPCTL_RUNNER_MAX_FDS. Returns how many. */
guint prpctl_runner_get_fds (const PrpctlRunner *runner, struct pollfd *fds);

/* Until when it may wait, CLOCK_MONOTONIC; UINT64_MAX for ever. */
guint64 prpctl_runner_get_deadline (const PrpctlRunner *runner);

/* Does all that can be done now. */
void prpctl_runner_dispatch (PrpctlRunner *runner);

/* For a person: "ended with status 3". Caller frees. */
char *prpctl_run_result_describe (const PrpctlRunResult *result);
