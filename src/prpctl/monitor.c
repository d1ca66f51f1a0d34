/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/event-line.h"
#include "prpctl/monitor-private.h"
#include "prpctl/text.h"

/*
 * One loop over four descriptors: the bus, signals (SIGINT and SIGTERM end it in order), stdout and stderr.
 *
 * Nothing blocks but poll(). Text that a slow reader does not take waits in a buffer, and while there is any, the bus
 * is not read: the buffer holds the lines of one turn and no more. stdout is polled even with nothing to write, so
 * that a reader who leaves (`| head -1`) is noticed before the next event.
 */

#define MESSAGES_PER_TURN 64
#define ENDING_USEC G_USEC_PER_SEC /* when told to stop: what a slow reader has to take the rest of the last line */

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

void
monitor_show_event (Monitor *monitor, const ClientEvent *event)
{
  const PrpctlOptions *options = monitor->run->options;
  PrpctlLineStyle style = { .json = options->json, .color = monitor->run->color };
  g_autofree char *cursor = options->show_cursor ? client_catch_up_format_cursor (monitor->catch_up) : NULL;

  prpctl_event_append_line (monitor->events.pending, event, &style, cursor, get_now ());
  monitor->n_events++;
  if (monitor->n_events == options->count)
    monitor->done = TRUE;
}

gboolean
monitor_has_room (Monitor *monitor)
{
  return !monitor->done && monitor->events.pending->len < MONITOR_BUFFER_MAX_BYTES && monitor->notes.pending->len == 0;
}

/* -- what the bus brings ----------------------------------------------------------------------------------------- */

/* Anyone on the bus can send us a signal; only the relay's count. */
static gboolean
is_from_relay (Monitor *monitor, sd_bus_message *message)
{
  return g_strcmp0 (sd_bus_message_get_sender (message), monitor->owner) == 0;
}

static int
on_event (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  g_auto (ClientEvent) event = { 0 };
  int r;

  if (monitor->done || !is_from_relay (monitor, message))
    return 0;
  r = client_event_read_signal (message, &event);
  if (r < 0)
    monitor_note (monitor, _("relay: an event cannot be read: %s"), g_strerror (-r));
  if (r <= 0)
    return 0;
  if (monitor->catch_up == NULL)
    monitor_show_event (monitor, &event);
  else if (client_catch_up_is_listing (monitor->catch_up))
    client_catch_up_hold (monitor->catch_up, &event);
  else if (client_catch_up_pass (monitor->catch_up, &event))
    monitor_show_event (monitor, &event);
  return 0;
}

static int
on_properties_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  gboolean state_changed = FALSE;
  const char *interface;
  int r;

  /* An answer that is still to come has this change in it. */
  if (monitor->done || monitor->status_asked || !is_from_relay (monitor, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_INTERFACE))
    return 0;
  r = prpctl_status_read (monitor->status, message, &state_changed);
  if (r < 0)
    monitor_note (monitor, _("relay: its properties cannot be read: %s"), g_strerror (-r));
  else if (state_changed && monitor->started)
    monitor_note_state (monitor);
  return 0;
}

static int
on_history_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  const char *interface, *key, *id;
  int r;

  if (monitor->catch_up == NULL || !is_from_relay (monitor, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_HISTORY_INTERFACE))
    return 0;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r > 0 && (r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r <= 0)
      break;
    if (!g_str_equal (key, "HistoryId"))
      r = sd_bus_message_skip (message, "v");
    else if ((r = sd_bus_message_read (message, "v", "s", &id)) > 0)
      client_catch_up_set_history_id (monitor->catch_up, id);
    if (r > 0)
      r = sd_bus_message_exit_container (message);
  }
  return 0;
}

static void
set_owner (Monitor *monitor, const char *owner)
{
  g_free (monitor->owner);
  monitor->owner = *owner != '\0' ? g_strdup (owner) : NULL;
}

static int
on_owner_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  const char *name, *old_owner, *new_owner;

  if (sd_bus_message_read (message, "sss", &name, &old_owner, &new_owner) < 0 ||
      !g_str_equal (name, RELAY_BUS_NAME) || g_str_equal (new_owner, monitor->owner != NULL ? monitor->owner : ""))
    return 0;

  if (monitor->started && monitor->owner != NULL)
    monitor_note (monitor, _("relay: went away; waiting for it to come back"));
  set_owner (monitor, new_owner);
  /* The chain's own calls tell how it goes until it has run. */
  if (!monitor->started)
    return 0;

  monitor_break_off_chain (monitor);
  if (monitor->owner != NULL) {
    if (monitor->catch_up != NULL)
      client_catch_up_begin (monitor->catch_up);
    monitor_note (monitor, _("relay: is running"));
    /* It begins afresh, whatever the one before it said. */
    prpctl_status_free (monitor->status);
    monitor->status = prpctl_status_new ();
    monitor_begin_chain (monitor, FALSE);
  }
  return 0;
}

static gboolean
find_owner (Monitor *monitor, GError **error)
{
  g_auto (sd_bus_error) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  const char *owner;
  int r = sd_bus_call_method (monitor->run->client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "GetNameOwner", &bus_error, &reply, "s", RELAY_BUS_NAME);

  if (r < 0 && sd_bus_error_has_name (&bus_error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
    return TRUE;
  if (r >= 0)
    r = sd_bus_message_read (reply, "s", &owner);
  if (r < 0) {
    prpctl_failure_from_bus (bus_error.name, bus_error.message, r, error);
    return FALSE;
  }
  set_owner (monitor, owner);
  return TRUE;
}

static gboolean
match_signals (Monitor *monitor, GError **error)
{
  static const struct {
    const char *rule;
    sd_bus_message_handler_t handler;
  } matches[] = {
    { "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
      "member='NameOwnerChanged',arg0='" RELAY_BUS_NAME "'", on_owner_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='" RELAY_INTERFACE "'",
      on_properties_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='" RELAY_HISTORY_INTERFACE "'",
      on_history_changed },
    { "type='signal',sender='" RELAY_BUS_NAME "',path='" RELAY_OBJECT_PATH "',"
      "interface='" RELAY_EVENTS_INTERFACE "'", on_event },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (matches); i++) {
    /* Returns when the bus has taken it. */
    int r = sd_bus_add_match (monitor->run->client->bus, NULL, matches[i].rule, matches[i].handler, monitor);

    if (!prpctl_client_check (r, error))
      return FALSE;
  }
  return find_owner (monitor, error);
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

    if (!monitor_has_room (monitor))
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

/* One wait, and what follows from it for signals, stdout and stderr. @busy: the bus has more, don't wait.
 * Returns FALSE when a signal says that it is enough. */
static gboolean
wait_and_write (Monitor *monitor, int signal_fd, guint64 deadline_usec, gboolean busy)
{
  enum { SIGNALS, EVENTS, NOTES, BUS, N_FDS };
  sd_bus *bus = monitor->run->client->bus;
  gboolean has_events = !prpctl_output_is_empty (&monitor->events);
  gboolean has_notes = !prpctl_output_is_empty (&monitor->notes);
  struct pollfd fds[N_FDS] = {
    [SIGNALS] = { .fd = signal_fd, .events = POLLIN },
    [EVENTS] = { .fd = monitor->events.fd, .events = has_events ? POLLOUT : 0 },
    [NOTES] = { .fd = has_notes && !has_events ? monitor->notes.fd : -1, .events = POLLOUT },
    [BUS] = { .fd = -1 },
  };
  guint64 bus_deadline_usec = G_MAXUINT64;

  if (!has_events && !has_notes) {
    fds[BUS].fd = sd_bus_get_fd (bus);
    fds[BUS].events = (short) MAX (sd_bus_get_events (bus), 0);
    if (sd_bus_get_timeout (bus, &bus_deadline_usec) > 0)
      deadline_usec = MIN (deadline_usec, bus_deadline_usec);
    if (busy)
      deadline_usec = 0;
  }
  if (poll (fds, N_FDS, get_poll_timeout (deadline_usec)) <= 0)
    return TRUE;

  write_ready (monitor, fds[EVENTS].revents, fds[NOTES].revents);
  if (fds[SIGNALS].revents != 0) {
    struct signalfd_siginfo info;

    return read (signal_fd, &info, sizeof info) != sizeof info;
  }
  return TRUE;
}

/* Where it stands, behind the last event that was written: the last that is said. Returns whether there is something
 * to say. */
static gboolean
tell_cursor (Monitor *monitor)
{
  g_autofree char *cursor = NULL;

  if (!monitor->run->options->show_cursor || monitor->cursor_told || monitor->error != NULL)
    return FALSE;
  monitor->cursor_told = TRUE;
  cursor = client_catch_up_format_cursor (monitor->catch_up);
  if (cursor == NULL)
    return FALSE;
  g_string_append_printf (monitor->notes.pending, "-- cursor: %s\n", cursor);
  return TRUE;
}

static void
loop (Monitor *monitor, int signal_fd)
{
  guint64 seconds_usec = monitor->run->options->seconds_usec;
  guint64 deadline_usec = seconds_usec != 0 ? (guint64) g_get_monotonic_time () + seconds_usec : G_MAXUINT64;
  gboolean ending = FALSE; /* told to stop, by a signal or the time */

  for (;;) {
    gboolean written = prpctl_output_is_empty (&monitor->events) && prpctl_output_is_empty (&monitor->notes);
    gboolean enough = (guint64) g_get_monotonic_time () >= deadline_usec;
    int r = 0;

    if (written && monitor->done && !tell_cursor (monitor))
      return;
    written = written && !monitor->done;
    if (written && !enough) {
      GError *error = NULL;

      r = process_bus (monitor);
      if (!prpctl_client_check (r, &error))
        monitor_fail (monitor, error);
    }
    if (!enough)
      enough = !wait_and_write (monitor, signal_fd, deadline_usec, r > 0 || monitor->done);
    if (enough && ending)
      return;
    if (enough) {
      ending = monitor->done = TRUE;
      deadline_usec = (guint64) g_get_monotonic_time () + ENDING_USEC;
    }
  }
}

gboolean
prpctl_monitor (PrpctlRun *run, GError **error)
{
  ClientCursor now = { .kind = CLIENT_CURSOR_NOW };
  Monitor monitor = { .run = run };
  sigset_t signals;
  int signal_fd;

  sigemptyset (&signals);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGTERM);
  (void) sigprocmask (SIG_BLOCK, &signals, NULL);
  signal_fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) {
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot watch for signals: %s"), g_strerror (errno));
    return FALSE;
  }

  prpctl_output_init (&monitor.events, STDOUT_FILENO);
  prpctl_output_init (&monitor.notes, STDERR_FILENO);
  monitor.status = prpctl_status_new ();
  if ((run->options->given & PRPCTL_OPTION_FROM) != 0)
    monitor.catch_up = client_catch_up_new (&run->options->from);
  else if (run->options->show_cursor)
    monitor.catch_up = client_catch_up_new (&now);
  if (match_signals (&monitor, &monitor.error)) {
    monitor_begin_chain (&monitor, !run->client->no_start);
    loop (&monitor, signal_fd);
  }

  monitor_break_off_chain (&monitor);
  client_catch_up_free (monitor.catch_up);
  prpctl_status_free (monitor.status);
  prpctl_output_clear (&monitor.events);
  prpctl_output_clear (&monitor.notes);
  g_free (monitor.owner);
  close (signal_fd);
  if (monitor.error != NULL) {
    g_propagate_error (error, monitor.error);
    return FALSE;
  }
  return TRUE;
}
