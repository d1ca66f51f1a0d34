/* SPDX-License-Identifier: MIT */
#include "relayd/daemon.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <systemd/sd-daemon.h>

#include "build-config.h"
#include "bus/service.h"
#include "common/bus-source.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/names.h"
#include "common/turn.h"
#include "link/connector.h"
#include "link/wake.h"
#include "relayd/config.h"
#include "relayd/keyring-watch.h"
#include "relayd/records.h"
#include "wire/seen.h"

/*
 * An event's way: the connector hands it over, here it is checked for having been seen, gets its number, and goes to the
 * records, which store it, and to the service, which makes its signal. At the end of the turn the records are committed, and
 * the signals sent. The other way: when the bus takes no more, the service says so and the connector stops reading.
 *
 * The objects are on the bus before the name is taken, and the name is taken before the store is opened: a second
 * daemon touches nothing. Nothing of the bus is handled before the loop runs, so no call can come too early.
 */
struct RelayDaemon {
  char *config_path;
  RelayConfig *config;
  GMainLoop *loop;
  gboolean stopping, failed;

  sd_bus *bus;
  GSource *bus_source;
  RelayService *service;

  RelayRecords *records;
  RelayStore *store; /* the records' */

  RelayStatus *status;
  RelaySubscriptions *subscriptions;
  RelaySeen *seen;
  GSource *seen_turn; /* NULL: the ids of earlier runs are all in it */
  RelayCoverage *coverage;
  RelayConnector *connector;
  RelayWake *wake;
  RelayKeyringWatch *keyring_watch;

  GSource *status_turn, *watchdog, *flush_deadline;
  guint64 watchdog_usec;
};

/* ---- events ---- */

/* The ids of events of earlier runs: so many that they are loaded in steps, one a turn, so as not to delay the start. */
static void
on_seen_turn (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  if (relay_history_load_seen (daemon->store, daemon->seen))
    relay_turn_arm (daemon->seen_turn);
  else
    g_clear_pointer (&daemon->seen_turn, relay_turn_free);
}

static void
start_seen (RelayDaemon *daemon)
{
  daemon->seen = relay_seen_new (relay_history_get_key (daemon->store));
  daemon->seen_turn = relay_turn_new ("relay-seen", on_seen_turn, daemon);
  relay_turn_arm (daemon->seen_turn);
}

static gboolean
was_seen (RelayDaemon *daemon, const RelayEvent *event)
{
  const RelayJsonToken *id = &event->reader->tape[event->id];
  g_autofree char *cooked = NULL;

  if (event->id == 0)
    return FALSE;
  /* The first event does not wait for turns. */
  while (daemon->seen_turn != NULL)
    on_seen_turn (daemon);
  if ((id->flags & RELAY_JSON_COOKED) == 0)
    return !relay_seen_add (daemon->seen, event->reader->text + id->start, id->end - id->start);
  cooked = relay_json_reader_dup_string (event->reader, event->id);
  return !relay_seen_add (daemon->seen, cooked, strlen (cooked));
}

static void
on_event (RelayEvent *event, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  if (was_seen (daemon, event)) {
    daemon->status->duplicates_dropped++;
    return;
  }
  event->sequence = relay_store_next_sequence (daemon->store);
  if (!daemon->failed)
    relay_service_emit (daemon->service, event);
  relay_records_append (daemon->records, event);
}

static void
remember_alive (gpointer user_data)
{
  RelayDaemon *daemon = user_data;
  gint64 alive_usec = relay_connector_get_alive (daemon->connector);

  if (alive_usec > 0)
    relay_store_set_alive (daemon->store, alive_usec);
}

static void
on_alive (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_wake_check (daemon->wake);
  remember_alive (daemon);
}

static const RelayConnectorEvents connector_events = { .event = on_event, .alive = on_alive };

/* ---- gaps ---- */

static gint64
get_day (gpointer user_data)
{
  return relay_clock_get_day ();
}

static void
log_gap (const RelayGap *gap)
{
  const guint n_channels = g_strv_length (gap->channels);

  if (gap->since_usec <= RELAY_GAP_SINCE_UNKNOWN)
    relay_log_fields (LOG_NOTICE, RELAY_LOG_FIELDS ("PRP_CODE", gap->cause),
                      "Events may have been missed on %u channel(s), since it is not known when (%s)", n_channels, gap->cause);
  else
    relay_log_fields (LOG_NOTICE, RELAY_LOG_FIELDS ("PRP_CODE", gap->cause),
                      "Events may have been missed on %u channel(s) in %.1f s (%s)", n_channels,
                      (double) (gap->until_usec - gap->since_usec) / G_USEC_PER_SEC, gap->cause);
}

static void
on_gap (const RelayGap *gap, gpointer user_data)
{
  RelayDaemon *daemon = user_data;
  RelayGap numbered = *gap;

  log_gap (gap);
  numbered.sequence = relay_store_next_sequence (daemon->store);
  if (!daemon->failed)
    relay_service_emit_gap (daemon->service, &numbered);
  relay_records_append_gap (daemon->records, &numbered);
}

/* Of a durable channel it is kept whether it is heard, or since when it is not: the next run has to tell of what it missed. */
static void
on_covered (const char *channel, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_store_set_covered (daemon->store, channel, relay_coverage_get_since (daemon->coverage, channel));
}

/* ---- hints ---- */

/* What is stored by the clock as it was is stored anew: when the relay was last alive, and since when channels are not heard. */
static void
on_clock_set (gint64 ahead_usec, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_info ("The clock was set by %+.1f s", (double) ahead_usec / G_USEC_PER_SEC);
  relay_coverage_follow_clock (daemon->coverage);
  remember_alive (daemon);
}

static void
on_slept (guint64 duration_usec, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_info ("The machine was asleep for %.0f s", (double) duration_usec / G_USEC_PER_SEC);
  relay_connector_hasten (daemon->connector, TRUE);
}

static void
on_network_changed (gboolean available, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_set_network (daemon->connector, available);
}

static void
on_keyring_changed (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_check_keyring (daemon->connector);
}

static const RelayWakeEvents wake_events = { .clock_set = on_clock_set,
                                             .slept = on_slept,
                                             .network_changed = on_network_changed };

/* ---- what is stored ---- */

static void
on_settled (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  if (!daemon->failed)
    relay_service_release (daemon->service);
}

/* What an earlier run left: its channels, each of which is not heard since that time, or since that run ended. */
static void
restore_durable (RelayDaemon *daemon, gint64 ended_usec)
{
  g_auto (GStrv) channels = relay_store_list_durable (daemon->store);

  for (char **channel = channels; *channel != NULL; channel++) {
    const RelayChannel *known = relay_subscriptions_lookup (daemon->subscriptions, *channel);
    gint64 since_usec = relay_store_get_covered (daemon->store, *channel);

    if (!relay_channel_name_check (*channel, NULL) || (known != NULL && known->durable))
      continue;
    if (since_usec == RELAY_COVERAGE_ACTIVE)
      since_usec = ended_usec;
    if (since_usec > 0)
      relay_coverage_restore (daemon->coverage, *channel, since_usec);
    on_covered (*channel, daemon);
    relay_subscriptions_set_durable (daemon->subscriptions, *channel, TRUE);
  }
  relay_coverage_tell (daemon->coverage, FALSE);
}

/* Of a file that could not be read before it is no longer known when its run ended: long ago. */
static void
on_recovered (gpointer user_data)
{
  restore_durable (user_data, RELAY_GAP_SINCE_UNKNOWN);
}

static RelayHistoryLimits
get_history_limits (RelayDaemon *daemon)
{
  return (RelayHistoryLimits){ daemon->config->max_events, daemon->config->max_age_usec };
}

static void
open_store (RelayDaemon *daemon)
{
  g_autofree char *directory = g_build_filename (g_get_user_state_dir (), RELAY_STATE_SUBDIR, NULL);
  static const RelayRecordsEvents events = { .committing = remember_alive,
                                             .settled = on_settled,
                                             .recovered = on_recovered };
  const RelayHistoryLimits limits = get_history_limits (daemon);

  daemon->records = relay_records_new (directory, &limits, daemon->status, &events, daemon);
  daemon->store = relay_records_get_store (daemon->records);
  restore_durable (daemon, relay_store_get_alive (daemon->store));
}

/* ---- what the service asks of the store ---- */

static void
action_store_durable (const char *channel, gboolean durable, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_store_set_durable (daemon->store, channel, durable);
  on_covered (channel, daemon);
}

static void
action_commit (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  /* Where it fails, the call is answered all the same: LastError tells. */
  relay_records_commit (daemon->records);
}

static gboolean
action_scan (const RelayQuery *query, guint64 *position, RelayHistoryActionsFound found, gpointer found_data, gboolean *ret_end,
             GError **error, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_records_commit (daemon->records);
  return relay_history_scan (daemon->store, query, position, found, found_data, ret_end, error);
}

static gboolean
action_clear (GError **error, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_records_clear (daemon->records, error);
}

static const char *
action_get_id (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_history_get_id (daemon->store);
}

static guint64
action_get_first_sequence (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_history_get_first_sequence (daemon->store);
}

static guint64
action_get_last_sequence (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_history_get_last_sequence (daemon->store);
}

/* ---- what the service asks of the connection ---- */

static void
action_connect (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_connect (daemon->connector);
}

static void
action_disconnect (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_disconnect (daemon->connector);
}

static gboolean
action_reload (GError **error, gpointer user_data)
{
  return relay_daemon_reload (user_data, error);
}

static void
action_ping (RelayServicePong pong, gpointer pong_data, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_ping (daemon->connector, pong, pong_data);
}

static gboolean
action_is_trying (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_connector_is_trying (daemon->connector);
}

static void
action_congested (gboolean congested, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_connector_set_paused (daemon->connector, congested);
}

static const RelayServiceActions actions = {
  .connect = action_connect,
  .disconnect = action_disconnect,
  .reload = action_reload,
  .ping = action_ping,
  .store_durable = action_store_durable,
  .commit = action_commit,
  .is_trying = action_is_trying,
  .congested = action_congested,
  .history = {
    .scan = action_scan,
    .clear = action_clear,
    .get_id = action_get_id,
    .get_first_sequence = action_get_first_sequence,
    .get_last_sequence = action_get_last_sequence,
  },
};

/* ---- the service manager ---- */

/* For `systemctl --user status`. */
static void
on_status_turn (gpointer user_data)
{
  RelayDaemon *daemon = user_data;
  const RelayStatus *status = daemon->status;

  if (status->error_text[0] != '\0')
    sd_notifyf (0, "STATUS=%s: %s (%s)", relay_state_to_string (status->state), status->error_text, status->error_code);
  else
    sd_notifyf (0, "STATUS=%s: %s", relay_state_to_string (status->state), status->url);
}

static void
on_status_changed (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  if ((fields & (RELAY_STATUS_STATE | RELAY_STATUS_LAST_ERROR | RELAY_STATUS_URL)) != 0)
    relay_turn_arm (daemon->status_turn);
}

static void
on_watchdog (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  sd_notify (0, "WATCHDOG=1");
  relay_turn_arm_in (daemon->watchdog, daemon->watchdog_usec / 2);
}

static void
start_notifying (RelayDaemon *daemon)
{
  daemon->status_turn = relay_turn_new ("relay-status", on_status_turn, daemon);
  relay_status_watch (daemon->status, on_status_changed, daemon);
  daemon->watchdog = relay_turn_new ("relay-watchdog", on_watchdog, daemon);
  if (sd_watchdog_enabled (0, &daemon->watchdog_usec) > 0)
    on_watchdog (daemon);
}

/* ---- the end ---- */

static void
quit_if_flushed (RelayDaemon *daemon)
{
  if (daemon->flush_deadline != NULL && relay_service_is_flushed (daemon->service))
    g_main_loop_quit (daemon->loop);
}

static void
on_flush_deadline (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  relay_warning ("The bus did not take the last signals in time; they are lost");
  g_main_loop_quit (daemon->loop);
}

static void
on_connector_stopped (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  daemon->flush_deadline = relay_turn_new ("relay-flush", on_flush_deadline, daemon);
  relay_turn_arm_in (daemon->flush_deadline, RELAY_DAEMON_FLUSH_USEC);
  /* No event comes any more: what has come is stored, and goes out. */
  relay_records_commit_last (daemon->records);
  if (daemon->failed)
    g_main_loop_quit (daemon->loop);
  else
    quit_if_flushed (daemon);
}

void
relay_daemon_stop (RelayDaemon *daemon)
{
  if (daemon->stopping)
    return;
  daemon->stopping = TRUE;
  relay_info ("Stopping");
  sd_notify (0, "STOPPING=1");
  remember_alive (daemon);
  relay_connector_stop (daemon->connector, on_connector_stopped, daemon);
}

/* ---- the bus ---- */

static void
on_bus_failed (int error, gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  /* A fresh start is the only way back onto a bus: names, matches and holds are gone with the connection. */
  relay_err ("The session bus was lost: %s", g_strerror (-error));
  daemon->failed = TRUE;
  relay_connector_set_paused (daemon->connector, FALSE); /* what is there can still be stored */
  if (daemon->flush_deadline != NULL)
    g_main_loop_quit (daemon->loop);
  else
    relay_daemon_stop (daemon);
}

static void
on_bus_turned (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  if (daemon->failed)
    return;
  relay_service_bus_turned (daemon->service);
  quit_if_flushed (daemon);
}

static gboolean
bus_wants_write (gpointer user_data)
{
  RelayDaemon *daemon = user_data;

  return relay_service_wants_write (daemon->service);
}

static gboolean
open_bus (RelayDaemon *daemon, GError **error)
{
  int r = sd_bus_open_user (&daemon->bus);

  if (r >= 0)
    r = sd_bus_set_exit_on_disconnect (daemon->bus, 0);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO,
                 _("Cannot connect to the session bus: %s. Is $DBUS_SESSION_BUS_ADDRESS or $XDG_RUNTIME_DIR set?"),
                 strerror (-r));
    return FALSE;
  }
  return TRUE;
}

static gboolean
take_name (RelayDaemon *daemon, GError **error)
{
  int r = sd_bus_request_name (daemon->bus, RELAY_BUS_NAME, 0);

  if (r == -EEXIST || r == -EALREADY) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO,
                 _("The name %s is taken: a relay is running on this session bus already. There can only be one."),
                 RELAY_BUS_NAME);
    return FALSE;
  }
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, _("Cannot take the name %s on the session bus: %s"), RELAY_BUS_NAME,
                 strerror (-r));
    return FALSE;
  }
  return TRUE;
}

static gboolean
join_bus (RelayDaemon *daemon, GError **error)
{
  static const RelayBusSourceEvents events = { .failed = on_bus_failed,
                                               .turned = on_bus_turned,
                                               .wants_write = bus_wants_write };
  RelayServiceOptions options = { daemon->config->max_channels, daemon->config->max_holds_per_client };

  if (!open_bus (daemon, error))
    return FALSE;
  daemon->service = relay_service_new (daemon->bus, &options, daemon->subscriptions, daemon->status, &actions, daemon, error);
  if (daemon->service == NULL || !take_name (daemon, error))
    return FALSE;
  daemon->bus_source = relay_bus_source_new (daemon->bus, &events, daemon);
  g_source_attach (daemon->bus_source, NULL);
  return TRUE;
}

/* ---- life ---- */

/* With faults in the words of the log. */
static RelayConfig *
load_config_in_english (const char *path, GError **error)
{
  gpointer before = relay_log_begin_english ();
  RelayConfig *config = relay_config_load (path, error);

  relay_log_end_english (before);
  return config;
}

/* The caller is told what is wrong in the words of the user; here it is looked for once more. */
static void
log_bad_config (RelayDaemon *daemon)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RelayConfig) config = load_config_in_english (daemon->config_path, &error);

  if (config == NULL)
    relay_log_lines (LOG_ERR, error->message);
  relay_err ("The old configuration stays");
}

gboolean
relay_daemon_reload (RelayDaemon *daemon, GError **error)
{
  g_autoptr (RelayConfig) config = relay_config_load (daemon->config_path, error);
  RelayServiceOptions options;
  RelayHistoryLimits limits;

  if (config == NULL) {
    log_bad_config (daemon);
    return FALSE;
  }
  relay_config_free (daemon->config);
  daemon->config = g_steal_pointer (&config);

  options = (RelayServiceOptions){ daemon->config->max_channels, daemon->config->max_holds_per_client };
  relay_service_configure (daemon->service, &options);
  relay_subscriptions_set_max_channels (daemon->subscriptions, daemon->config->max_channels);
  limits = get_history_limits (daemon);
  relay_records_configure (daemon->records, &limits);
  relay_connector_configure (daemon->connector, &daemon->config->connector);
  relay_status_set_reloaded (daemon->status, (guint64) g_get_real_time ());
  relay_info ("Configuration and credentials read again");
  return TRUE;
}

RelayDaemon *
relay_daemon_new (const char *config_path, GError **error)
{
  g_autoptr (RelayDaemon) daemon = g_new0 (RelayDaemon, 1);

  daemon->config_path = g_strdup (config_path);
  daemon->config = load_config_in_english (config_path, error);
  if (daemon->config == NULL)
    return NULL;

  daemon->loop = g_main_loop_new (NULL, FALSE);
  daemon->status = relay_status_new ();
  relay_status_set_reloaded (daemon->status, (guint64) g_get_real_time ());
  daemon->subscriptions = relay_subscriptions_new (daemon->config->max_channels);
  daemon->coverage = relay_coverage_new (daemon->subscriptions, get_day, on_gap, on_covered, daemon);
  daemon->connector = relay_connector_new (&daemon->config->connector, daemon->subscriptions, daemon->coverage,
                                           daemon->status, &connector_events, daemon);
  if (!join_bus (daemon, error))
    return NULL;
  open_store (daemon);
  start_seen (daemon);
  start_notifying (daemon);
  daemon->wake = relay_wake_new (&wake_events, daemon);
  daemon->keyring_watch = relay_keyring_watch_new (daemon->bus, on_keyring_changed, daemon);
  relay_connector_set_network (daemon->connector, relay_wake_is_network_available (daemon->wake));
  relay_connector_start (daemon->connector);
  sd_notify (0, "READY=1");
  relay_info ("prp-relayd " VERSION " is ready for %s", daemon->status->url);
  return g_steal_pointer (&daemon);
}

void
relay_daemon_free (RelayDaemon *daemon)
{
  if (daemon == NULL)
    return;
  /* Nothing may ask for what is gone: the bus first, then who feeds it, then what both stand on. */
  if (daemon->bus_source != NULL) {
    g_source_destroy (daemon->bus_source);
    g_source_unref (daemon->bus_source);
  }
  if (daemon->status != NULL)
    relay_status_unwatch (daemon->status, on_status_changed, daemon);
  relay_service_free (daemon->service);
  relay_wake_free (daemon->wake);
  relay_keyring_watch_free (daemon->keyring_watch);
  relay_connector_free (daemon->connector);
  relay_coverage_free (daemon->coverage);
  relay_records_free (daemon->records);
  relay_subscriptions_free (daemon->subscriptions);
  relay_seen_free (daemon->seen);
  relay_status_free (daemon->status);
  relay_turn_free (daemon->seen_turn);
  relay_turn_free (daemon->status_turn);
  relay_turn_free (daemon->watchdog);
  relay_turn_free (daemon->flush_deadline);
  if (daemon->bus != NULL)
    sd_bus_close_unref (daemon->bus);
  g_clear_pointer (&daemon->loop, g_main_loop_unref);
  relay_config_free (daemon->config);
  g_free (daemon->config_path);
  g_free (daemon);
}

gboolean
relay_daemon_run (RelayDaemon *daemon)
{
  g_main_loop_run (daemon->loop);
  return !daemon->failed;
}
