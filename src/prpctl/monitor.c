/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/event-json.h"
#include "prpctl/event-words.h"
#include "prpctl/output.h"
#include "prpctl/status.h"
#include "prpctl/text.h"

/*
 * One loop over four descriptors: the bus, signals (SIGINT and SIGTERM end it in order), stdout and stderr.
 *
 * Nothing blocks but poll(). Text that a slow reader does not take waits in a buffer, and while there is any, the bus
 * is not read: the buffer holds the lines of one turn and no more. stdout is polled even with nothing to write, so
 * that a reader who leaves (`| head -1`) is noticed before the next event.
 *
 * Getting started is a chain of calls, each made from the answer to the one before: the signals are matched first, so
 * that no event falls between, then the properties are read (which starts the relay where that is wanted), then the
 * channels are held. When the relay comes back after an absence the chain runs again; it never starts a relay then:
 * whoever stopped it may have meant it.
 */

#define MESSAGES_PER_TURN 64
#define BUFFER_MAX_BYTES (64 * 1024) /* lines made in one turn; the last one may be longer */
#define NOTE_MAX_CHARS 500
#define ENDING_USEC G_USEC_PER_SEC /* when told to stop: what a slow reader has to take the rest of the last line */

typedef struct {
  PrpctlRun *run;
  PrpctlOutput events, notes;
  PrpctlStatus *status;
  char *owner;       /* the relay's unique name on the bus, NULL while it is away */
  sd_bus_slot *call; /* the link of the chain that waits for its answer */
  gint64 call_usec;  /* CLOCK_MONOTONIC, when it was sent */
  gboolean started;  /* the chain has run to its end once */
  guint64 n_events;  /* shown so far */
  gboolean done;     /* nothing more to show: write what is left, then end */
  GError *error;     /* why it is done, if for a failure */
} Monitor;

static guint64
get_now (void)
{
  return (guint64) g_get_real_time ();
}

/* Something about the relay, for stderr. */
static void G_GNUC_PRINTF (2, 3)
note (Monitor *monitor, const char *format, ...)
{
  const PrpctlRun *run = monitor->run;
  guint64 now = get_now ();
  g_autofree char *time = prpctl_text_format_time (now, now);
  va_list arguments;

  if (run->options->quiet)
    return;
  g_string_append_printf (monitor->notes.pending, "%s  ", time);
  va_start (arguments, format);
  g_string_append_vprintf (monitor->notes.pending, format, arguments);
  va_end (arguments);
  g_string_append_c (monitor->notes.pending, '\n');
}

static void
note_state (Monitor *monitor)
{
  g_autofree char *summary = prpctl_status_summarize (monitor->status, get_now ());

  note (monitor, _("relay: %s"), summary);
}

static void
fail (Monitor *monitor, GError *error)
{
  if (monitor->error == NULL)
    monitor->error = error;
  else
    g_error_free (error);
  monitor->done = TRUE;
}

/* A link of the chain broke. At the start that ends everything; later the relay is only told of. */
static void
chain_broken (Monitor *monitor, GError *error)
{
  if (!monitor->started) {
    fail (monitor, error);
    return;
  }
  note (monitor, "%s", error->message);
  g_error_free (error);
}

/* -- the chain ------------------------------------------------------------------------------------------------- */

static GError *
make_reply_error (Monitor *monitor, sd_bus_message *reply)
{
  const sd_bus_error *bus_error = sd_bus_message_get_error (reply);
  guint64 waited = (guint64) (g_get_monotonic_time () - monitor->call_usec);
  GError *error = NULL;

  /* sd-bus answers a call itself when its time is over, with the name that also stands for a lost peer. */
  if (sd_bus_error_has_name (bus_error, SD_BUS_ERROR_NO_REPLY) && waited >= monitor->run->options->timeout_usec)
    prpctl_failure_from_bus (NULL, NULL, -ETIMEDOUT, &error);
  else
    prpctl_failure_from_bus (bus_error->name, bus_error->message, -sd_bus_message_get_errno (reply), &error);
  return error;
}

static void
call_async (Monitor *monitor, sd_bus_message *call, sd_bus_message_handler_t answered)
{
  GError *error = NULL;
  int r;

  monitor->call = sd_bus_slot_unref (monitor->call);
  monitor->call_usec = g_get_monotonic_time ();
  r = sd_bus_call_async (monitor->run->client->bus, &monitor->call, call, answered, monitor,
                         monitor->run->options->timeout_usec);
  if (!prpctl_client_check (r, &error))
    fail (monitor, error);
}

static void
chain_ended (Monitor *monitor)
{
  g_autofree char *joined = NULL;
  char **channels = monitor->run->options->arguments;

  if (monitor->started)
    return;
  monitor->started = TRUE;
  joined = g_strjoinv (", ", channels);
  if (channels[0] != NULL)
    note (monitor, _("monitoring %s"), joined);
  else
    note (monitor, _("monitoring whatever the relay receives"));
}

static void
note_channels (Monitor *monitor, sd_bus_message *reply)
{
  const char *channel, *state;
  int r = sd_bus_message_skip (reply, "u");

  if (r >= 0)
    r = sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "{ss}");
  while (r >= 0 && (r = sd_bus_message_read (reply, "{ss}", &channel, &state)) > 0) {
    g_autofree char *why = prpctl_channel_explain (state, NULL, prpctl_status_is_connected (monitor->status));
    g_autofree char *safe_channel = prpctl_text_make_safe (channel, NOTE_MAX_CHARS);
    g_autofree char *safe_state = prpctl_text_make_safe (state, NOTE_MAX_CHARS);

    if (why != NULL)
      note (monitor, "%s  %s  %s", safe_channel, safe_state, why);
  }
}

static int
on_held (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    chain_broken (monitor, make_reply_error (monitor, reply));
    return 0;
  }
  note_channels (monitor, reply);
  chain_ended (monitor);
  return 0;
}

static void
hold (Monitor *monitor)
{
  const PrpctlRun *run = monitor->run;
  g_autoptr (sd_bus_message) call = NULL;
  GError *error = NULL;

  if (run->options->arguments[0] == NULL) {
    chain_ended (monitor);
    return;
  }
  call = prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", &error);
  if (call == NULL ||
      !prpctl_client_append_strings (call, run->options->arguments, &error) ||
      !prpctl_client_check (sd_bus_message_append (call, "a{sv}", 2, RELAY_HOLD_OPTION_APP_ID, "s", "prpctl",
                                                   RELAY_HOLD_OPTION_REASON, "s", "prpctl monitor"), &error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, FALSE), &error)) {
    fail (monitor, error);
    return;
  }
  call_async (monitor, call, on_held);
}

static int
on_properties_read (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  gboolean state_changed = FALSE;
  GError *error = NULL;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    /* A relay that is not there, and is not to be started, is waited for. */
    if (sd_bus_message_is_method_error (reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER) && monitor->run->client->no_start) {
      note (monitor, _("relay: not running; waiting for it to come"));
      chain_ended (monitor);
    } else {
      chain_broken (monitor, make_reply_error (monitor, reply));
    }
    return 0;
  }
  if (!prpctl_client_check (prpctl_status_read (monitor->status, reply, &state_changed), &error)) {
    chain_broken (monitor, error);
    return 0;
  }
  /* At the start "monitoring" says enough of a relay that is well. */
  if (state_changed && (monitor->started || !prpctl_status_is_connected (monitor->status)))
    note_state (monitor);
  hold (monitor);
  return 0;
}

static void
begin_chain (Monitor *monitor, gboolean auto_start)
{
  PrpctlClient *client = monitor->run->client;
  g_autoptr (sd_bus_message) call = NULL;
  GError *error = NULL;

  call = prpctl_client_new_call (client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", &error);
  if (call == NULL || !prpctl_client_check (sd_bus_message_append (call, "s", RELAY_INTERFACE), &error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, auto_start), &error)) {
    fail (monitor, error);
    return;
  }
  call_async (monitor, call, on_properties_read);
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
  const PrpctlRun *run = monitor->run;
  GString *out = monitor->events.pending;

  if (monitor->done || !is_from_relay (monitor, message))
    return 0;

  if (run->options->json) {
    int r = prpctl_event_append_json (out, message);

    if (r == 0)
      return 0;
    if (r < 0) {
      note (monitor, _("relay: an event cannot be read: %s"), g_strerror (-r));
      return 0;
    }
    g_string_append_c (out, '\n');
  } else {
    guint64 now = get_now (), received = 0;
    g_autofree char *words = prpctl_event_make_words (message, &received);
    g_autofree char *time = NULL;

    if (words == NULL)
      return 0;
    time = prpctl_text_format_time (received != 0 ? received : now, now);
    g_string_append_printf (out, "%s%s%s  %s\n", prpctl_text_get_style (PRPCTL_STYLE_DIM, run->color), time,
                            prpctl_text_get_style (PRPCTL_STYLE_PLAIN, run->color), words);
  }
  monitor->n_events++;
  if (monitor->n_events == run->options->count)
    monitor->done = TRUE;
  return 0;
}

static int
on_properties_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  gboolean state_changed = FALSE;
  const char *interface;
  int r;

  if (monitor->done || !is_from_relay (monitor, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_INTERFACE))
    return 0;
  r = prpctl_status_read (monitor->status, message, &state_changed);
  if (r < 0)
    note (monitor, _("relay: its properties cannot be read: %s"), g_strerror (-r));
  else if (state_changed && monitor->started)
    note_state (monitor);
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
    note (monitor, _("relay: went away; waiting for it to come back"));
  set_owner (monitor, new_owner);
  /* The chain's own calls tell how it goes until it has run. */
  if (!monitor->started)
    return 0;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (monitor->owner != NULL) {
    note (monitor, _("relay: is running"));
    /* It begins afresh, whatever the one before it said. */
    prpctl_status_free (monitor->status);
    monitor->status = prpctl_status_new ();
    begin_chain (monitor, FALSE);
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

    if (monitor->done || monitor->events.pending->len >= BUFFER_MAX_BYTES || monitor->notes.pending->len > 0)
      return 1;
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
  monitor->done = TRUE;
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

    if (written && monitor->done)
      return;
    if (written && !enough) {
      GError *error = NULL;

      r = process_bus (monitor);
      if (!prpctl_client_check (r, &error))
        fail (monitor, error);
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
  if (match_signals (&monitor, &monitor.error)) {
    begin_chain (&monitor, !run->client->no_start);
    loop (&monitor, signal_fd);
  }

  sd_bus_slot_unref (monitor.call);
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
