/* SPDX-License-Identifier: MIT */
#include "notify/daemon.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <systemd/sd-daemon.h>

#include "build-config.h"
#include "common/bus-source.h"
#include "common/error.h"
#include "common/log.h"
#include "common/turn.h"
#include "config/notifications.h"
#include "notify/desk.h"
#include "notify/memory.h"
#include "notify/relay.h"

/*
 * An event goes from the relay to the desk, and then, some time after it was told, into the memory: what was not told when
 * this ends (as there was no notification server) is past for the next run.
 */
struct NotifyDaemon {
  char *config_path;
  RelayNotifications *config;
  GMainLoop *loop;
  gboolean stopping, failed;

  sd_bus *bus;
  GSource *bus_source;
  NotifyMemory *memory;
  NotifyDesk *desk;
  NotifyRelay *relay;

  GSource *store_turn, *watchdog, *flush_deadline;
  guint64 watchdog_usec;
};

/* -- the relay --------------------------------------------------------------------------------------------------- */

static void
store_cursor (NotifyDaemon *daemon)
{
  g_autofree char *cursor = notify_relay_format_cursor (daemon->relay);

  notify_memory_set_cursor (daemon->memory, cursor);
}

static void
on_store (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  if (notify_desk_has_untold (daemon->desk))
    relay_turn_arm_in (daemon->store_turn, NOTIFY_DAEMON_STORE_USEC);
  else
    store_cursor (daemon);
}

static void
store_later (NotifyDaemon *daemon)
{
  if (g_source_get_ready_time (daemon->store_turn) < 0)
    relay_turn_arm_in (daemon->store_turn, NOTIFY_DAEMON_STORE_USEC);
}

static void
on_event (const ClientEvent *event, NotifyPhase phase, gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  notify_desk_handle_event (daemon->desk, event, phase);
  store_later (daemon);
}

static void
on_listing (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  notify_desk_begin_past (daemon->desk);
}

static void
on_caught_up (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  relay_debug ("Caught up with the relay");
  notify_desk_end_past (daemon->desk);
  /* Where the very first run begins is known from here on, also if nobody can be told of anything for long. */
  on_store (daemon);
}

static void
on_missed (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  notify_desk_add_missed (daemon->desk);
}

static void
on_state (const char *state, const char *text, gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  relay_log_fields (LOG_INFO, RELAY_LOG_FIELDS ("PRP_STATE", state), "The relay is %s", state);
  sd_notifyf (0, "STATUS=The relay is %s", state);
  notify_desk_set_state (daemon->desk, state, text);
}

static void
on_left (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  relay_info ("The relay left the bus; waiting for it to come back");
  sd_notify (0, "STATUS=The relay is not running");
  notify_desk_set_state (daemon->desk, NULL, NULL);
}

static void
on_reloaded (gpointer user_data)
{
  notify_daemon_reload (user_data);
}

static const NotifyRelayEvents relay_events = {
  .event = on_event,
  .listing = on_listing,
  .caught_up = on_caught_up,
  .missed = on_missed,
  .state = on_state,
  .left = on_left,
  .reloaded = on_reloaded,
};

/* -- the bus ----------------------------------------------------------------------------------------------------- */

static void
on_bus_failed (int error, gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  relay_err ("The session bus was lost: %s", g_strerror (-error));
  daemon->failed = TRUE;
  g_main_loop_quit (daemon->loop);
}

static void
quit_if_flushed (NotifyDaemon *daemon)
{
  guint64 n = 0;

  if (daemon->stopping && notify_desk_is_clear (daemon->desk) && (sd_bus_get_n_queued_write (daemon->bus, &n) < 0 || n == 0))
    g_main_loop_quit (daemon->loop);
}

static void
on_bus_turned (gpointer user_data)
{
  quit_if_flushed (user_data);
}

static gboolean
join_bus (NotifyDaemon *daemon, GError **error)
{
  static const RelayBusSourceEvents events = { .failed = on_bus_failed, .turned = on_bus_turned };
  int r = sd_bus_open_user (&daemon->bus);

  if (r >= 0)
    r = sd_bus_set_exit_on_disconnect (daemon->bus, 0);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO,
                 _("Cannot connect to the session bus: %s. Is $DBUS_SESSION_BUS_ADDRESS or $XDG_RUNTIME_DIR set?"),
                 strerror (-r));
    return FALSE;
  }
  r = sd_bus_request_name (daemon->bus, NOTIFY_DAEMON_BUS_NAME, 0);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, _("Cannot take the name %s on the session bus: %s"), NOTIFY_DAEMON_BUS_NAME,
                 r == -EEXIST || r == -EALREADY ? _("prp-notify is running already, and once is enough.") : strerror (-r));
    return FALSE;
  }
  daemon->bus_source = relay_bus_source_new (daemon->bus, &events, daemon);
  g_source_attach (daemon->bus_source, NULL);
  return TRUE;
}

/* -- life -------------------------------------------------------------------------------------------------------- */

static void
on_watchdog (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  sd_notify (0, "WATCHDOG=1");
  relay_turn_arm_in (daemon->watchdog, daemon->watchdog_usec / 2);
}

static void
log_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    relay_err ("%s", *line);
}

void
notify_daemon_reload (NotifyDaemon *daemon)
{
  g_autoptr (GError) error = NULL;
  RelayNotifications *config;

  if (daemon->stopping)
    return;
  config = relay_notifications_load (daemon->config_path, &error);
  if (config == NULL) {
    log_lines (error->message);
    relay_err ("The old configuration stays");
    return;
  }
  notify_desk_configure (daemon->desk, config);
  notify_relay_set_channels (daemon->relay, (const char *const *) config->channels);
  relay_notifications_free (daemon->config);
  daemon->config = config;
  relay_info ("Configuration read again");
}

static void
start (NotifyDaemon *daemon)
{
  ClientCursor cursor = { 0 };

  daemon->store_turn = relay_turn_new ("notify-store", on_store, daemon);
  daemon->watchdog = relay_turn_new ("notify-watchdog", on_watchdog, daemon);
  daemon->memory = notify_memory_new (NULL);
  notify_memory_watch (daemon->memory);
  daemon->desk = notify_desk_new (daemon->bus, daemon->memory, daemon->config);
  notify_memory_get_cursor (daemon->memory, &cursor);
  daemon->relay = notify_relay_new (daemon->bus, &cursor, &relay_events, daemon);
  client_cursor_clear (&cursor);
  notify_relay_set_channels (daemon->relay, (const char *const *) daemon->config->channels);
  notify_relay_start (daemon->relay);
  if (sd_watchdog_enabled (0, &daemon->watchdog_usec) > 0)
    on_watchdog (daemon);
}

NotifyDaemon *
notify_daemon_new (const char *config_path, GError **error)
{
  g_autoptr (NotifyDaemon) daemon = g_new0 (NotifyDaemon, 1);

  daemon->config_path = g_strdup (config_path);
  daemon->config = relay_notifications_load (config_path, error);
  if (daemon->config == NULL)
    return NULL;
  daemon->loop = g_main_loop_new (NULL, FALSE);
  if (!join_bus (daemon, error))
    return NULL;
  start (daemon);
  sd_notify (0, "READY=1");
  relay_info ("prp-notify " VERSION " is ready");
  return g_steal_pointer (&daemon);
}

void
notify_daemon_free (NotifyDaemon *daemon)
{
  if (daemon == NULL)
    return;
  if (daemon->bus_source != NULL) {
    g_source_destroy (daemon->bus_source);
    g_source_unref (daemon->bus_source);
  }
  notify_relay_free (daemon->relay);
  notify_desk_free (daemon->desk);
  notify_memory_free (daemon->memory);
  relay_turn_free (daemon->store_turn);
  relay_turn_free (daemon->watchdog);
  relay_turn_free (daemon->flush_deadline);
  if (daemon->bus != NULL)
    sd_bus_close_unref (daemon->bus);
  g_clear_pointer (&daemon->loop, g_main_loop_unref);
  relay_notifications_free (daemon->config);
  g_free (daemon->config_path);
  g_free (daemon);
}

gboolean
notify_daemon_run (NotifyDaemon *daemon)
{
  g_main_loop_run (daemon->loop);
  return !daemon->failed;
}

static void
on_flush_deadline (gpointer user_data)
{
  NotifyDaemon *daemon = user_data;

  relay_warning ("What is left on the screen could not be taken back in time");
  g_main_loop_quit (daemon->loop);
}

void
notify_daemon_stop (NotifyDaemon *daemon)
{
  if (daemon->stopping)
    return;
  daemon->stopping = TRUE;
  relay_info ("Stopping");
  sd_notify (0, "STOPPING=1");
  if (!notify_desk_has_untold (daemon->desk))
    store_cursor (daemon);
  notify_relay_free (g_steal_pointer (&daemon->relay));
  notify_desk_clear (daemon->desk);
  relay_turn_disarm (daemon->store_turn);
  daemon->flush_deadline = relay_turn_new ("notify-flush", on_flush_deadline, daemon);
  relay_turn_arm_in (daemon->flush_deadline, NOTIFY_DAEMON_FLUSH_USEC);
  quit_if_flushed (daemon);
}
