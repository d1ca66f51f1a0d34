/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor-private.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/history-call.h"
#include "prpctl/text.h"

/*
 * Getting started is a chain of calls, each made from the answer to the one before: the signals are matched first, so
 * that no event falls between, then the properties are read (which starts the relay where that is wanted), then the
 * channels are held, then, with --from, the history is listed. When the relay comes back after an absence the chain
 * runs again; it never starts a relay then: whoever stopped it may have meant it.
 *
 * The history comes in pages: a page is asked for, then the properties of the history, which tell whether the page is
 * what was needed (client/catch-up.h); then its events are shown, as fast as they are read, then the next page is
 * asked for. Signals that come meanwhile are held.
 */

#define NOTE_MAX_CHARS 500
#define PAGE_EVENTS 500

static void
drop_page (Monitor *monitor)
{
  g_clear_pointer (&monitor->page, sd_bus_message_unref);
  client_event_clear (&monitor->page_event);
  monitor->page_is_good = FALSE;
}

/* A link of the chain broke. At the start that ends everything; later the relay is only told of. */
static void
chain_broken (Monitor *monitor, GError *error)
{
  /* One that has left is listed when it is back. */
  gboolean has_left = error->code == PRPCTL_EXIT_NO_RELAY;

  if (!monitor->started) {
    monitor_fail (monitor, error);
    return;
  }
  monitor_note (monitor, "%s", error->message);
  g_error_free (error);
  drop_page (monitor);
  /* What was signalled meanwhile need not wait any longer. */
  if (!has_left && monitor->catch_up != NULL && client_catch_up_is_listing (monitor->catch_up)) {
    monitor_tell_missed (monitor, _("events may have been missed: the relay's history cannot be listed"));
    client_catch_up_give_up (monitor->catch_up);
  }
}

static GError *
make_reply_error (Monitor *monitor, sd_bus_message *reply)
{
  const sd_bus_error *bus_error = sd_bus_message_get_error (reply);
  guint64 waited = (guint64) (g_get_monotonic_time () - monitor->call_usec);
  GError *error = NULL;

  /* sd-bus answers a call itself when its time is over, with the name that also stands for a lost peer. */
  if (sd_bus_error_has_name (bus_error, SD_BUS_ERROR_NO_REPLY) && waited >= monitor->run->options->timeout_usec)
    prpctl_failure_from_bus (NULL, NULL, -ETIMEDOUT, &error);
  else if (monitor->is_history_call)
    prpctl_history_failure (bus_error->name, bus_error->message, -sd_bus_message_get_errno (reply), &error);
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
  monitor->is_history_call = FALSE;
  r = sd_bus_call_async (monitor->run->client->bus, &monitor->call, call, answered, monitor,
                         monitor->run->options->timeout_usec);
  if (!prpctl_client_check (r, &error))
    monitor_fail (monitor, error);
}

static void
chain_ended (Monitor *monitor)
{
  g_autofree char *joined = NULL;
  char **channels = monitor->channels;

  monitor->started = TRUE;
  if (monitor->announced)
    return;
  monitor->announced = TRUE;
  joined = g_strjoinv (", ", channels);
  if (channels[0] != NULL)
    monitor_note (monitor, _("monitoring %s"), joined);
  else
    monitor_note (monitor, _("monitoring whatever the relay receives"));
}

/* -- the history ------------------------------------------------------------------------------------------------- */

/* Calls the history with @call, which is consumed; @error: why there is none. */
static void
call_history (Monitor *monitor, sd_bus_message *call, sd_bus_message_handler_t answered, GError *error)
{
  int r = call != NULL ? sd_bus_message_set_auto_start (call, FALSE) : 0;

  if (call == NULL || !prpctl_client_check (r, &error)) {
    monitor_fail (monitor, error);
  } else {
    call_async (monitor, call, answered);
    monitor->is_history_call = TRUE;
  }
  sd_bus_message_unref (call);
}

static void list_history (Monitor *monitor);

/* The properties, behind the page: is it what was needed? */
static int
on_history_read (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  g_auto (ClientHistoryFacts) facts = { 0 };
  ClientMissed missed;
  GError *error = NULL;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    chain_broken (monitor, make_reply_error (monitor, reply));
    return 0;
  }
  if (!prpctl_client_check (client_history_read_facts (reply, &facts), &error)) {
    chain_broken (monitor, error);
    return 0;
  }
  monitor->started = TRUE;
  monitor->page_is_good = client_catch_up_judge (monitor->catch_up, monitor->page_event.sequence, &facts, &missed);
  monitor_exec_note_cursor (monitor);
  if (missed != CLIENT_MISSED_NOTHING) {
    monitor_tell_missed (monitor, prpctl_history_describe_missed (missed));
    if (monitor->run->options->json && monitor->exec == NULL && !monitor->done) {
      prpctl_history_append_missed (monitor->events.pending, missed);
      g_string_append_c (monitor->events.pending, '\n');
    }
  }
  if (!monitor->page_is_good) {
    drop_page (monitor);
    list_history (monitor);
  } else if (monitor->page == NULL) {
    chain_ended (monitor);
  }
  return 0;
}

static void
read_history (Monitor *monitor)
{
  GError *error = NULL;
  sd_bus_message *call = prpctl_history_new_get_all (monitor->run->client, &error);

  call_history (monitor, call, on_history_read, error);
}

static int
on_history_listed (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;
  GError *error = NULL;
  int r;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    chain_broken (monitor, make_reply_error (monitor, reply));
    return 0;
  }
  r = client_history_enter_list (reply);
  if (r >= 0)
    r = client_history_read_event (reply, &monitor->page_event);
  if (!prpctl_client_check (r, &error)) {
    chain_broken (monitor, error);
    return 0;
  }
  monitor->page = sd_bus_message_ref (reply);
  monitor->page_result = r;
  read_history (monitor);
  return 0;
}

static void
list_history (Monitor *monitor)
{
  ClientHistoryQuery query = { .after = client_catch_up_get_position (monitor->catch_up), .limit = PAGE_EVENTS };
  sd_bus_message *call;
  GError *error = NULL;

  if (!client_catch_up_wants_page (monitor->catch_up)) {
    read_history (monitor);
    return;
  }
  call = prpctl_history_new_list (monitor->run->client, &query, &error);
  call_history (monitor, call, on_history_listed, error);
}

/* Shows what there is room for of the page, then asks for the next one. */
static void
show_page (Monitor *monitor)
{
  guint64 last = 0;
  gboolean more = FALSE;
  GError *error = NULL;
  int r;

  while (monitor->page_result > 0 && monitor_can_show (monitor)) {
    if (client_catch_up_pass (monitor->catch_up, &monitor->page_event))
      monitor_show_event (monitor, &monitor->page_event);
    client_event_clear (&monitor->page_event);
    monitor->page_result = client_history_read_event (monitor->page, &monitor->page_event);
  }
  if (monitor->page_result > 0 || monitor->done)
    return;
  r = monitor->page_result;
  if (r >= 0)
    r = client_history_leave_list (monitor->page, &last, &more);
  if (!prpctl_client_check (r, &error)) {
    chain_broken (monitor, error);
    return;
  }
  drop_page (monitor);
  client_catch_up_end_page (monitor->catch_up, last, more);
  if (client_catch_up_is_listing (monitor->catch_up))
    list_history (monitor);
  else
    chain_ended (monitor);
}

gboolean
monitor_show_history (Monitor *monitor)
{
  g_auto (ClientEvent) event = { 0 };

  if (monitor->catch_up == NULL || !monitor_can_show (monitor))
    return FALSE;
  if (client_catch_up_fell_behind (monitor->catch_up)) {
    list_history (monitor);
    return TRUE;
  }
  if (monitor->page_is_good && monitor->page != NULL) {
    show_page (monitor);
    return TRUE;
  }
  if (!client_catch_up_pop_held (monitor->catch_up, &event))
    return FALSE;
  monitor_show_event (monitor, &event);
  return TRUE;
}

/* -- the relay's state, and the channels ------------------------------------------------------------------------- */

/* The channels are held, or there are none to hold. */
static void
go_on_behind_hold (Monitor *monitor)
{
  if (monitor->catch_up != NULL)
    list_history (monitor);
  else
    chain_ended (monitor);
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
      monitor_note (monitor, "%s  %s  %s", safe_channel, safe_state, why);
  }
}

static int
on_held (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Monitor *monitor = user_data;

  monitor->call = sd_bus_slot_unref (monitor->call);
  if (!sd_bus_message_is_method_error (reply, NULL)) {
    note_channels (monitor, reply);
  } else {
    GError *error = make_reply_error (monitor, reply);

    if (!monitor->started) {
      monitor_fail (monitor, error);
      return 0;
    }
    monitor_note (monitor, "%s", error->message);
    g_error_free (error);
  }
  go_on_behind_hold (monitor);
  return 0;
}

static void
hold (Monitor *monitor)
{
  const PrpctlRun *run = monitor->run;
  g_autoptr (sd_bus_message) call = NULL;
  GError *error = NULL;

  if (monitor->channels[0] == NULL) {
    go_on_behind_hold (monitor);
    return;
  }
  call = prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", &error);
  if (call == NULL ||
      !prpctl_client_append_strings (call, monitor->channels, &error) ||
      !prpctl_client_check (sd_bus_message_append (call, "a{sv}", 2, RELAY_HOLD_OPTION_APP_ID, "s", "prpctl",
                                                   RELAY_HOLD_OPTION_REASON, "s", "prpctl monitor"), &error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, FALSE), &error)) {
    monitor_fail (monitor, error);
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
  monitor->status_asked = FALSE;
  if (sd_bus_message_is_method_error (reply, NULL)) {
    /* A relay that is not there, and is not to be started, is waited for. */
    if (sd_bus_message_is_method_error (reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER) && monitor->run->client->no_start) {
      monitor_note (monitor, _("relay: not running; waiting for it to come"));
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
    monitor_note_state (monitor);
  hold (monitor);
  return 0;
}

void
monitor_break_off_chain (Monitor *monitor)
{
  monitor->call = sd_bus_slot_unref (monitor->call);
  monitor->status_asked = FALSE;
  drop_page (monitor);
}

void
monitor_begin_chain (Monitor *monitor, gboolean auto_start)
{
  PrpctlClient *client = monitor->run->client;
  g_autoptr (sd_bus_message) call = NULL;
  GError *error = NULL;

  call = prpctl_client_new_call (client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", &error);
  if (call == NULL || !prpctl_client_check (sd_bus_message_append (call, "s", RELAY_INTERFACE), &error) ||
      !prpctl_client_check (sd_bus_message_set_auto_start (call, auto_start), &error)) {
    monitor_fail (monitor, error);
    return;
  }
  monitor->status_asked = TRUE;
  call_async (monitor, call, on_properties_read);
}
