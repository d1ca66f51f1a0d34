/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "prpctl/cursor-file.h"
#include "prpctl/event-line.h"
#include "prpctl/event-words.h"
#include "prpctl/monitor-private.h"
#include "prpctl/text.h"

/*
 * One loop over the bus, signals (SIGINT and SIGTERM end it in order), stdout and stderr, and the commands of --exec.
 *
 * Nothing blocks but poll(). Text that a slow reader does not take waits in a buffer, and while there is any, the bus
 * is not read: the buffer holds the lines of one turn and no more. stdout is polled even with nothing to write, so
 * that a reader who leaves (`| head -1`) is noticed before the next event. While as many commands run as may, the bus
 * is read on (a bus does not wait for ever), and what comes is held for later, or left to the history (client/catch-up.h).
 *
 *   FOLLOWING ──(enough events, the time is over, a failure, a signal)→ ENDING → the end
 *
 * Once it is ending, nothing more is shown or run. Commands that still run are waited for (after a signal they are told to
 * end), then what is left is written, then the cursor is told. After a signal, or when the time is over, a slow
 * reader is not waited for any longer than ENDING_USEC; after a second signal not at all.
 */

#define MESSAGES_PER_TURN 64
#define ENDING_USEC G_USEC_PER_SEC

static guint64
get_now (void)
{
  return (guint64) g_get_real_time ();
}

static void
append_note (Monitor *monitor, const char *text)
{
  guint64 now = get_now ();
  g_autofree char *time = prpctl_text_format_time (now, now);

  g_string_append_printf (monitor->notes.pending, "%s  %s\n", time, text);
}

void
monitor_tell (Monitor *monitor, const char *text)
{
  append_note (monitor, text);
}

void
monitor_note (Monitor *monitor, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (monitor->run->options->quiet)
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  append_note (monitor, text);
}

void
monitor_note_state (Monitor *monitor)
{
  g_autofree char *summary = prpctl_status_summarize (monitor->status, get_now ());

  monitor_note (monitor, _("relay: %s"), summary);
}

void
monitor_fail (Monitor *monitor, GError *error)
{
  if (monitor->error == NULL)
    monitor->error = error;
  else
    g_error_free (error);
  monitor->done = TRUE;
}

void
monitor_tell_missed (Monitor *monitor, const char *text)
{
  if (monitor->run->options->strict) {
    monitor_fail (monitor, g_error_new_literal (PRPCTL_ERROR, PRPCTL_EXIT_MISSED, text));
    return;
  }
  monitor->run->exit_status = PRPCTL_EXIT_MISSED;
  append_note (monitor, text);
}

/* What was not asked for is not shown, but a hole is never left unsaid. */
static void
note_gap (Monitor *monitor, const ClientEvent *event, const PrpctlEventFields *fields)
{
  g_autofree char *words = NULL;

  if (!g_str_equal (fields->values[PRPCTL_FIELD_EVENT_TYPE], CLIENT_EVENT_GAP_TYPE))
    return;
  words = prpctl_event_make_words (event->json, get_now ());
  monitor_note (monitor, "%s", words);
}

static void
print_event (Monitor *monitor, const ClientEvent *event)
{
  const PrpctlOptions *options = monitor->run->options;
  PrpctlLineStyle style = { .json = options->json, .color = monitor->run->color };
  g_autofree char *cursor = options->show_cursor ? client_catch_up_format_cursor (monitor->catch_up) : NULL;

  prpctl_event_append_line (monitor->events.pending, event, &style, cursor, get_now ());
}

void
monitor_show_event (Monitor *monitor, const ClientEvent *event)
{
  if (monitor->filter != NULL || monitor->exec != NULL) {
    g_auto (PrpctlEventFields) fields = { 0 };

    prpctl_event_fields_read (&fields, event);
    if (monitor->filter != NULL && !prpctl_event_filter_pass (monitor->filter, &fields)) {
      note_gap (monitor, event, &fields);
      return;
    }
    if (monitor->exec != NULL)
      monitor_exec_start (monitor, event, &fields);
    else
      print_event (monitor, event);
  } else {
    print_event (monitor, event);
  }
  monitor->n_events++;
  if (monitor->n_events == monitor->run->options->count)
    monitor->done = TRUE;
}

/* May more text be made before what is pending was written? */
static gboolean
has_room (Monitor *monitor)
{
  return !monitor->done && monitor->events.pending->len < MONITOR_BUFFER_MAX_BYTES && monitor->notes.pending->len == 0;
}

gboolean
monitor_can_show (Monitor *monitor)
{
  return has_room (monitor) && monitor_exec_has_room (monitor);
}

/* -- the cursor -------------------------------------------------------------------------------------------------- */

/* Behind all that is dealt with; NULL if that is not known. Caller frees. */
static char *
get_cursor (Monitor *monitor)
{
  return monitor->exec != NULL ? monitor_exec_dup_cursor (monitor) : client_catch_up_format_cursor (monitor->catch_up);
}

/* Where it stands: the last that is said. Returns whether there is something to say. */
static gboolean
tell_cursor (Monitor *monitor)
{
  g_autofree char *cursor = NULL;

  if (!monitor->run->options->show_cursor || monitor->cursor_told || monitor->error != NULL)
    return FALSE;
  monitor->cursor_told = TRUE;
  cursor = get_cursor (monitor);
  if (cursor == NULL)
    return FALSE;
  g_string_append_printf (monitor->notes.pending, "-- cursor: %s\n", cursor);
  return TRUE;
}

static gboolean
is_written (const Monitor *monitor)
{
  return prpctl_output_is_empty (&monitor->events) && prpctl_output_is_empty (&monitor->notes);
}

/* Where it stands, unless what was shown up to there is still to be written. */
static void
keep_cursor (Monitor *monitor)
{
  const char *path = monitor->run->options->cursor_file;
  g_autofree char *cursor = path != NULL && is_written (monitor) ? get_cursor (monitor) : NULL;
  GError *error = NULL;

  if (cursor == NULL || g_strcmp0 (cursor, monitor->kept_cursor) == 0)
    return;
  g_free (monitor->kept_cursor);
  monitor->kept_cursor = g_steal_pointer (&cursor);
  if (!prpctl_cursor_file_write (path, monitor->kept_cursor, &error))
    monitor_fail (monitor, error);
}

/* -- the loop ---------------------------------------------------------------------------------------------------- */

/* Milliseconds until @deadline_usec (CLOCK_MONOTONIC, UINT64_MAX: never), rounded up, as poll() takes them. */
static int
get_poll_timeout (guint64 deadline_usec)
{
  guint64 now = (guint64) g_get_monotonic_time ();

  if (deadline_usec == G_MAXUINT64)
    return -1;
  if (deadline_usec <= now)
    return 0;
  return (int) MIN ((deadline_usec - now + 999) / 1000, G_MAXINT);
}

/* Handles messages until there is none, or enough text to write first. */
static int
process_bus (Monitor *monitor)
{
  for (guint i = 0; i < MESSAGES_PER_TURN; i++) {
    int r;

    if (!has_room (monitor))
      return 1;
    if (monitor_show_history (monitor))
      continue;
    r = sd_bus_process (monitor->run->client->bus, NULL);
    if (r <= 0)
      return r;
  }
  return 1;
}

/* A reader that has left is no failure: it has what it wanted. */
static void
output_failed (Monitor *monitor, int error_number)
{
  if (error_number != -EPIPE && monitor->error == NULL)
    g_set_error (&monitor->error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot write the output: %s"),
                 g_strerror (-error_number));
  monitor->done = monitor->cursor_told = TRUE;
  g_string_truncate (monitor->events.pending, 0);
  g_string_truncate (monitor->notes.pending, 0);
  monitor->events.n_written = monitor->notes.n_written = 0;
}

/* Writes what the reader takes. @ready: what poll() said of stdout and stderr. stderr waits for stdout, so that on a
 * terminal the lines stay in order. */
static void
write_ready (Monitor *monitor, int events_ready, int notes_ready)
{
  int r = 0;

  if (!prpctl_output_is_empty (&monitor->events)) {
    if (events_ready != 0)
      r = prpctl_output_write_some (&monitor->events);
  } else if (events_ready != 0) {
    r = (events_ready & POLLNVAL) != 0 ? -EBADF : -EPIPE; /* not asked for, so it is a hangup */
  } else if (notes_ready != 0) {
    r = prpctl_output_write_some (&monitor->notes);
  }
  if (r < 0)
    output_failed (monitor, r);
}

/* One wait, and what follows from it for stdout, stderr and the commands. @may_wait: there is nothing else to be done.
 * Returns FALSE when a signal says that it is enough. */
static gboolean
wait_and_write (Monitor *monitor, int signal_fd, guint64 deadline_usec, gboolean may_wait)
{
  enum { SIGNALS, EVENTS, NOTES, BUS, COMMANDS };
  sd_bus *bus = monitor->run->client->bus;
  PrpctlRunner *runner = monitor_exec_get_runner (monitor);
  gboolean has_events = !prpctl_output_is_empty (&monitor->events);
  gboolean has_notes = !prpctl_output_is_empty (&monitor->notes);
  struct pollfd fds[COMMANDS + PRPCTL_RUNNER_MAX_FDS] = {
    [SIGNALS] = { .fd = signal_fd, .events = POLLIN },
    /* With --exec stdout is the commands' own. */
    [EVENTS] = { .fd = runner == NULL ? monitor->events.fd : -1, .events = has_events ? POLLOUT : 0 },
    [NOTES] = { .fd = has_notes && !has_events ? monitor->notes.fd : -1, .events = POLLOUT },
    [BUS] = { .fd = -1 },
  };
  guint64 bus_deadline_usec = G_MAXUINT64;
  nfds_t n_fds = COMMANDS;
  int n_ready;

  if (!has_events && !has_notes && !monitor->done) {
    fds[BUS].fd = sd_bus_get_fd (bus);
    fds[BUS].events = (short) MAX (sd_bus_get_events (bus), 0);
    if (sd_bus_get_timeout (bus, &bus_deadline_usec) > 0)
      deadline_usec = MIN (deadline_usec, bus_deadline_usec);
    if (!may_wait)
      deadline_usec = 0;
  }
  if (runner != NULL) {
    n_fds += prpctl_runner_get_fds (runner, fds + COMMANDS);
    deadline_usec = MIN (deadline_usec, prpctl_runner_get_deadline (runner));
  }
  n_ready = poll (fds, n_fds, get_poll_timeout (deadline_usec));
  if (runner != NULL)
    prpctl_runner_dispatch (runner);
  if (n_ready <= 0)
    return TRUE;

  write_ready (monitor, fds[EVENTS].revents, fds[NOTES].revents);
  if (fds[SIGNALS].revents != 0) {
    struct signalfd_siginfo info;

    return read (signal_fd, &info, sizeof info) != sizeof info;
  }
  return TRUE;
}

/* What there is to show and to run. Returns whether the bus has more. */
static gboolean
follow (Monitor *monitor)
{
  GError *error = NULL;
  int r = process_bus (monitor);

  if (!prpctl_client_check (r, &error))
    monitor_fail (monitor, error);
  return r > 0;
}

static void
loop (Monitor *monitor, int signal_fd)
{
  guint64 seconds_usec = monitor->run->options->seconds_usec;
  /* FOLLOWING: of --seconds. ENDING: of a slow reader. */
  guint64 deadline_usec = seconds_usec != 0 ? (guint64) g_get_monotonic_time () + seconds_usec : G_MAXUINT64;
  gboolean hurried = FALSE; /* it was told to end */

  for (;;) {
    gboolean time_is_over = (guint64) g_get_monotonic_time () >= deadline_usec;
    gboolean written, more = FALSE;

    keep_cursor (monitor);
    written = is_written (monitor);
    if (time_is_over && !hurried) {
      hurried = monitor->done = TRUE;
      time_is_over = FALSE;
      deadline_usec = G_MAXUINT64;
    }
    if (monitor->done && monitor_exec_is_idle (monitor)) {
      if (time_is_over || (written && !tell_cursor (monitor)))
        return;
      if (hurried && deadline_usec == G_MAXUINT64)
        deadline_usec = (guint64) g_get_monotonic_time () + ENDING_USEC;
    }
    if (written && !monitor->done) {
      more = follow (monitor);
      keep_cursor (monitor);
      if (monitor->done)
        continue;
    }
    if (!wait_and_write (monitor, signal_fd, deadline_usec, !more)) {
      if (hurried && monitor_exec_is_idle (monitor))
        return;
      if (monitor_exec_get_runner (monitor) != NULL)
        prpctl_runner_stop (monitor_exec_get_runner (monitor));
      if (!hurried)
        deadline_usec = G_MAXUINT64;
      hurried = monitor->done = TRUE;
    }
  }
}

/* -- from the beginning to the end ------------------------------------------------------------------------------- */

/* Where it is to begin: at the cursor that was kept; else where it was told to; else, where it has to know its place, now. */
static gboolean
set_up_place (Monitor *monitor, GError **error)
{
  const PrpctlOptions *options = monitor->run->options;
  ClientCursor now = { .kind = CLIENT_CURSOR_NOW }, kept = { 0 };
  gboolean is_kept = FALSE;

  if (options->cursor_file != NULL && !prpctl_cursor_file_read (options->cursor_file, &kept, &is_kept, error))
    return FALSE;
  if (is_kept)
    monitor->catch_up = client_catch_up_new (&kept);
  else if ((options->given & PRPCTL_OPTION_FROM) != 0)
    monitor->catch_up = client_catch_up_new (&options->from);
  else if (options->show_cursor || options->cursor_file != NULL || options->exec != NULL)
    monitor->catch_up = client_catch_up_new (&now);
  client_cursor_clear (&kept);
  return TRUE;
}

/* The channels that are held: all that were named. Those of --channel say what is shown as well. */
static void
set_up_channels (Monitor *monitor)
{
  const PrpctlOptions *options = monitor->run->options;
  g_autoptr (GStrvBuilder) channels = g_strv_builder_new ();

  g_strv_builder_addv (channels, (const char **) options->arguments);
  if (options->channels != NULL)
    g_strv_builder_addv (channels, (const char **) options->channels);
  monitor->channels = g_strv_builder_end (channels);
  if (options->types != NULL || options->prp != NULL || options->agent != NULL || options->project != NULL ||
      options->channels != NULL)
    monitor->filter = prpctl_event_filter_new ((const char *const *) options->types, options->prp, options->agent,
                                               options->project,
                                               options->channels != NULL ? (const char *const *) monitor->channels : NULL);
}

static gboolean
set_up (Monitor *monitor, int *ret_signal_fd, GError **error)
{
  sigset_t signals;

  if (!set_up_place (monitor, error))
    return FALSE;
  sigemptyset (&signals);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGTERM);
  (void) sigprocmask (SIG_BLOCK, &signals, NULL);
  *ret_signal_fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (*ret_signal_fd < 0) {
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot watch for signals: %s"), g_strerror (errno));
    return FALSE;
  }
  set_up_channels (monitor);
  return monitor_exec_set_up (monitor, error);
}

static void
clear (Monitor *monitor)
{
  monitor_break_off_chain (monitor);
  monitor_exec_clear (monitor);
  client_catch_up_free (monitor->catch_up);
  prpctl_event_filter_free (monitor->filter);
  prpctl_status_free (monitor->status);
  prpctl_output_clear (&monitor->events);
  prpctl_output_clear (&monitor->notes);
  g_strfreev (monitor->channels);
  g_free (monitor->kept_cursor);
  g_free (monitor->owner);
}

gboolean
prpctl_monitor (PrpctlRun *run, GError **error)
{
  Monitor monitor = { .run = run, .status = prpctl_status_new () };
  int signal_fd = -1;

  prpctl_output_init (&monitor.events, STDOUT_FILENO);
  prpctl_output_init (&monitor.notes, STDERR_FILENO);
  if (set_up (&monitor, &signal_fd, &monitor.error) && monitor_match_signals (&monitor, &monitor.error)) {
    monitor_begin_chain (&monitor, !run->client->no_start);
    loop (&monitor, signal_fd);
  }
  clear (&monitor);
  if (signal_fd >= 0)
    close (signal_fd);
  if (monitor.error != NULL) {
    g_propagate_error (error, monitor.error);
    return FALSE;
  }
  return TRUE;
}
