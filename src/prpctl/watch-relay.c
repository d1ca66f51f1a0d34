/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-relay.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "client/owner.h"
#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/history-call.h"
#include "prpctl/text.h"

/*
 * A chain of calls, each made from the answer to the one before, as in prp-relay-history(7): the signals are matched first, so
 * that no event falls between; then the properties are read (which starts the relay where that is wanted); then the channels
 * are held; then the history is listed from its beginning, page by page, with the history's properties read behind each.
 * Signals that come meanwhile are held (client/catch-up.h). When the relay comes back after an absence, the chain runs
 * again, from where the list stands; it does not start a relay then.
 *
 * At the start a link that breaks ends it all. Later it is told, and the list stays as it is.
 */

#define MESSAGES_PER_TURN 64
#define EVENTS_PER_TURN 200 /* of a page */
#define NOTE_MAX_CHARS 500

static guint64
get_now (void)
{
  return (guint64) g_get_real_time ();
}

/* Takes over @text. */
static void
set_trouble (PrpctlWatchRelay *relay, char *text)
{
  /* It gets one line. */
  for (char *p = text; p != NULL && *p != '\0'; p++)
    if (*p == '\n')
      *p = ' ';
  g_free (relay->trouble);
  relay->trouble = text;
  relay->has_changed = TRUE;
}

/* Ends it. Consumes @error. */
static void
fail (PrpctlWatchRelay *relay, GError *error)
{
  if (relay->error == NULL)
    relay->error = error;
  else
    g_error_free (error);
}

static void
drop_page (PrpctlWatchRelay *relay)
{
  g_clear_pointer (&relay->page, sd_bus_message_unref);
  client_event_clear (&relay->page_event);
  relay->page_is_good = FALSE;
}

/* A link of the chain broke. Consumes @error. */
static void
chain_broken (PrpctlWatchRelay *relay, GError *error)
{
  /* One that has left is listed when it is back. */
  gboolean has_left = error->code == PRPCTL_EXIT_NO_RELAY;

  if (!relay->started) {
    fail (relay, error);
    return;
  }
  drop_page (relay);
  if (!has_left) {
    set_trouble (relay, g_strdup (error->message));
    client_catch_up_give_up (relay->catch_up);
  }
  g_error_free (error);
}

static GError *
make_reply_error (PrpctlWatchRelay *relay, sd_bus_message *reply)
{
  const sd_bus_error *bus_error = sd_bus_message_get_error (reply);
  guint64 waited = (guint64) (g_get_monotonic_time () - relay->call_usec);
  GError *error = NULL;

  /* sd-bus answers a call itself when its time is over, with the name that also stands for a lost peer. */
  if (sd_bus_error_has_name (bus_error, SD_BUS_ERROR_NO_REPLY) && waited >= relay->run->options->timeout_usec)
    prpctl_failure_from_bus (NULL, NULL, -ETIMEDOUT, &error);
  else if (relay->is_history_call)
    prpctl_history_failure (bus_error->name, bus_error->message, -sd_bus_message_get_errno (reply), &error);
  else
    prpctl_failure_from_bus (bus_error->name, bus_error->message, -sd_bus_message_get_errno (reply), &error);
  return error;
}

/* Makes the next call of the chain; consumes @call. @error: why there is none. */
static void
call_async (PrpctlWatchRelay *relay, sd_bus_message *call, gboolean auto_start, sd_bus_message_handler_t answered,
            GError *error)
{
  int r = call != NULL ? sd_bus_message_set_auto_start (call, auto_start) : 0;

  relay->call = sd_bus_slot_unref (relay->call);
  relay->call_usec = g_get_monotonic_time ();
  if (r >= 0 && call != NULL)
    r = sd_bus_call_async (relay->run->client->bus, &relay->call, call, answered, relay,
                           relay->run->options->timeout_usec);
  if (call == NULL || !prpctl_client_check (r, &error))
    fail (relay, error);
  sd_bus_message_unref (call);
}

/* -- the history ------------------------------------------------------------------------------------------------- */

static void
apply (PrpctlWatchRelay *relay, const ClientEvent *event)
{
  if (prpctl_watch_model_apply (relay->model, event->json, event->received_usec))
    relay->has_changed = TRUE;
}

static void list_history (PrpctlWatchRelay *relay);

static void
tell_missed (PrpctlWatchRelay *relay, ClientMissed missed)
{
  if (missed != CLIENT_MISSED_NOTHING)
    set_trouble (relay, g_strdup (prpctl_history_describe_missed (missed)));
}

/* The properties, behind the page: is it what was needed? */
static int
on_history_read (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  g_auto (ClientHistoryFacts) facts = { 0 };
  ClientMissed missed;
  GError *error = NULL;

  relay->call = sd_bus_slot_unref (relay->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    chain_broken (relay, make_reply_error (relay, reply));
    return 0;
  }
  if (!prpctl_client_check (client_history_read_facts (reply, &facts), &error)) {
    chain_broken (relay, error);
    return 0;
  }
  relay->started = TRUE;
  relay->page_is_good = client_catch_up_judge (relay->catch_up, relay->page_event.sequence, &facts, &missed);
  tell_missed (relay, missed);
  if (!relay->page_is_good) {
    drop_page (relay);
    list_history (relay);
  }
  return 0;
}

static int
on_history_listed (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  GError *error = NULL;
  int r;

  relay->call = sd_bus_slot_unref (relay->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    chain_broken (relay, make_reply_error (relay, reply));
    return 0;
  }
  r = client_history_enter_list (reply);
  if (r >= 0)
    r = client_history_read_event (reply, &relay->page_event);
  if (!prpctl_client_check (r, &error)) {
    chain_broken (relay, error);
    return 0;
  }
  relay->page = sd_bus_message_ref (reply);
  relay->page_result = r;
  call_async (relay, prpctl_history_new_get_all (relay->run->client, &error), FALSE, on_history_read, error);
  return 0;
}

static void
list_history (PrpctlWatchRelay *relay)
{
  static const char *const types[] = { "prp.*", "agent.*", CLIENT_EVENT_GAP_TYPE, NULL };
  ClientHistoryQuery query = { .after = client_catch_up_get_position (relay->catch_up), .types = (char **) types,
                               .since_usec = relay->run->options->since_usec };
  GError *error = NULL;
  sd_bus_message *call = prpctl_history_new_list (relay->run->client, &query, &error);

  call_async (relay, call, FALSE, on_history_listed, error);
  relay->is_history_call = TRUE;
}

/* Takes some of the page; behind its last event the next page is asked for. */
static void
read_page (PrpctlWatchRelay *relay)
{
  guint64 last = 0;
  gboolean more = FALSE;
  GError *error = NULL;
  int r;

  for (guint i = 0; i < EVENTS_PER_TURN && relay->page_result > 0; i++) {
    if (client_catch_up_pass (relay->catch_up, &relay->page_event))
      apply (relay, &relay->page_event);
    client_event_clear (&relay->page_event);
    relay->page_result = client_history_read_event (relay->page, &relay->page_event);
  }
  if (relay->page_result > 0)
    return;
  r = relay->page_result;
  if (r >= 0)
    r = client_history_leave_list (relay->page, &last, &more);
  if (!prpctl_client_check (r, &error)) {
    chain_broken (relay, error);
    return;
  }
  drop_page (relay);
  client_catch_up_end_page (relay->catch_up, last, more);
  relay->has_changed = TRUE;
  if (client_catch_up_is_listing (relay->catch_up))
    list_history (relay);
}

/* What is at hand without the bus. Returns whether there was any. */
static gboolean
process_history (PrpctlWatchRelay *relay)
{
  g_auto (ClientEvent) event = { 0 };

  if (relay->page_is_good && relay->page != NULL) {
    read_page (relay);
    return TRUE;
  }
  if (!client_catch_up_pop_held (relay->catch_up, &event))
    return FALSE;
  apply (relay, &event);
  return TRUE;
}

/* -- the relay's state, and the channels ------------------------------------------------------------------------- */

/* What was sent while a relay was away is missed where nobody but us wants it: the next relay knows of no gap in a channel
 * that it is asked for for the first time. */
static void
note_own_gap (PrpctlWatchRelay *relay)
{
  if (relay->unheld_usec == 0 || !relay->is_held || !prpctl_status_is_connected (relay->status))
    return;
  prpctl_watch_model_set_gap (relay->model, relay->unheld_usec, get_now ());
  relay->unheld_usec = 0;
  relay->has_changed = TRUE;
}

static void
note_channels (PrpctlWatchRelay *relay, sd_bus_message *reply)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *channel, *state;
  int r = sd_bus_message_skip (reply, "u");

  if (r >= 0)
    r = sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "{ss}");
  while (r >= 0 && (r = sd_bus_message_read (reply, "{ss}", &channel, &state)) > 0)
    if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_REJECTED) && text->len < NOTE_MAX_CHARS) {
      g_autofree char *why = prpctl_channel_explain (state, NULL, prpctl_status_is_connected (relay->status));

      g_string_append (text, text->len > 0 ? "; " : "");
      prpctl_text_append (text, channel, NOTE_MAX_CHARS);
      if (why != NULL)
        g_string_append_printf (text, ": %s", why);
    }
  if (text->len > 0)
    set_trouble (relay, g_strdup (text->str));
}

static int
on_held (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;

  relay->call = sd_bus_slot_unref (relay->call);
  if (!sd_bus_message_is_method_error (reply, NULL)) {
    relay->is_held = TRUE;
    note_channels (relay, reply);
    note_own_gap (relay);
  } else {
    GError *error = make_reply_error (relay, reply);

    if (!relay->started) {
      fail (relay, error);
      return 0;
    }
    set_trouble (relay, g_strdup (error->message));
    g_error_free (error);
  }
  list_history (relay);
  return 0;
}

static void
hold (PrpctlWatchRelay *relay)
{
  const PrpctlRun *run = relay->run;
  g_autoptr (sd_bus_message) call = NULL;
  GError *error = NULL;

  if (run->options->arguments[0] == NULL) {
    list_history (relay);
    return;
  }
  call = prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", &error);
  if (call != NULL &&
      (!prpctl_client_append_strings (call, run->options->arguments, &error) ||
       !prpctl_client_check (sd_bus_message_append (call, "a{sv}", 2, RELAY_HOLD_OPTION_APP_ID, "s", "prpctl",
                                                    RELAY_HOLD_OPTION_REASON, "s", "prpctl watch"), &error)))
    call = sd_bus_message_unref (call);
  call_async (relay, g_steal_pointer (&call), FALSE, on_held, error);
}

/* The properties are there, all or some of them. */
static gboolean
read_status (PrpctlWatchRelay *relay, sd_bus_message *message, GError **error)
{
  if (!prpctl_client_check (prpctl_status_read (relay->status, message, NULL), error))
    return FALSE;
  if (!prpctl_status_is_connected (relay->status))
    relay->lost_usec = MAX (relay->lost_usec, relay->status->last_alive_usec);
  relay->has_changed = TRUE;
  return TRUE;
}

static int
on_properties_read (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  GError *error = NULL;

  relay->call = sd_bus_slot_unref (relay->call);
  if (sd_bus_message_is_method_error (reply, NULL)) {
    /* A relay that is not there, and is not to be started, is waited for. */
    if (sd_bus_message_is_method_error (reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER) && relay->run->client->no_start)
      relay->started = relay->has_changed = TRUE;
    else
      chain_broken (relay, make_reply_error (relay, reply));
  } else if (read_status (relay, reply, &error)) {
    relay->is_known = TRUE;
    hold (relay);
  } else {
    chain_broken (relay, error);
  }
  return 0;
}

static sd_bus_message *
new_get_all (PrpctlWatchRelay *relay, GError **error)
{
  g_autoptr (sd_bus_message) call = prpctl_client_new_call (relay->run->client, RELAY_OBJECT_PATH,
                                                            "org.freedesktop.DBus.Properties", "GetAll", error);

  if (call == NULL || !prpctl_client_check (sd_bus_message_append (call, "s", RELAY_INTERFACE), error))
    return NULL;
  return g_steal_pointer (&call);
}

static void
begin_chain (PrpctlWatchRelay *relay, gboolean auto_start)
{
  GError *error = NULL;

  relay->is_history_call = FALSE;
  call_async (relay, new_get_all (relay, &error), auto_start, on_properties_read, error);
}

static void
break_off_chain (PrpctlWatchRelay *relay)
{
  relay->call = sd_bus_slot_unref (relay->call);
  relay->refresh = sd_bus_slot_unref (relay->refresh);
  relay->is_known = FALSE;
  drop_page (relay);
}

/* -- what the bus brings by itself ------------------------------------------------------------------------------- */

/* Anyone on the bus can send us a signal; only the relay's count. */
static gboolean
is_from_relay (PrpctlWatchRelay *relay, sd_bus_message *message)
{
  return g_strcmp0 (sd_bus_message_get_sender (message), relay->owner) == 0;
}

static int
on_event (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  g_auto (ClientEvent) event = { 0 };

  if (!is_from_relay (relay, message) || client_event_read_signal (message, &event) <= 0)
    return 0;
  if (client_catch_up_is_listing (relay->catch_up))
    client_catch_up_hold (relay->catch_up, &event);
  else if (client_catch_up_pass (relay->catch_up, &event))
    apply (relay, &event);
  return 0;
}

/* When the server was last heard is not signalled, and wanted when it is no longer. */
static int
on_refreshed (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;

  relay->refresh = sd_bus_slot_unref (relay->refresh);
  if (!sd_bus_message_is_method_error (reply, NULL))
    (void) read_status (relay, reply, NULL);
  return 0;
}

static void
refresh (PrpctlWatchRelay *relay)
{
  g_autoptr (sd_bus_message) call = new_get_all (relay, NULL);

  relay->refresh = sd_bus_slot_unref (relay->refresh);
  if (call != NULL && sd_bus_message_set_auto_start (call, FALSE) >= 0)
    (void) sd_bus_call_async (relay->run->client->bus, &relay->refresh, call, on_refreshed, relay,
                              relay->run->options->timeout_usec);
}

static int
on_properties_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  gboolean was_connected = prpctl_status_is_connected (relay->status);
  const char *interface;

  /* An answer that is still to come has this change in it. */
  if (!relay->is_known || !is_from_relay (relay, message))
    return 0;
  if (sd_bus_message_read (message, "s", &interface) < 0 || !g_str_equal (interface, RELAY_INTERFACE))
    return 0;
  if (!read_status (relay, message, NULL))
    return 0;
  if (was_connected && !prpctl_status_is_connected (relay->status))
    refresh (relay);
  note_own_gap (relay);
  return 0;
}

static int
on_history_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  const char *interface, *key, *id;
  int r;

  if (!is_from_relay (relay, message))
    return 0;
  r = sd_bus_message_read (message, "s", &interface);
  if (r < 0 || !g_str_equal (interface, RELAY_HISTORY_INTERFACE))
    return 0;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r > 0 && sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r <= 0)
      break;
    if (!g_str_equal (key, "HistoryId"))
      r = sd_bus_message_skip (message, "v");
    else if ((r = sd_bus_message_read (message, "v", "s", &id)) > 0)
      client_catch_up_set_history_id (relay->catch_up, id);
    if (r > 0)
      r = sd_bus_message_exit_container (message);
  }
  return 0;
}

static void
set_owner (PrpctlWatchRelay *relay, const char *owner)
{
  g_free (relay->owner);
  relay->owner = *owner != '\0' ? g_strdup (owner) : NULL;
}

static int
on_owner_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  PrpctlWatchRelay *relay = user_data;
  const char *old_owner, *new_owner;

  if (!client_owner_read_changed (message, RELAY_BUS_NAME, &old_owner, &new_owner) ||
      g_str_equal (new_owner, relay->owner != NULL ? relay->owner : ""))
    return 0;

  if (prpctl_watch_relay_is_connected (relay))
    relay->lost_usec = get_now ();
  if (relay->is_held && relay->unheld_usec == 0)
    relay->unheld_usec = prpctl_watch_relay_get_as_of (relay, get_now ());
  relay->is_held = FALSE;
  set_owner (relay, new_owner);
  relay->has_changed = TRUE;
  /* The chain's own calls tell how it goes until it has run. */
  if (!relay->started)
    return 0;
  break_off_chain (relay);
  if (relay->owner == NULL)
    return 0;
  /* It begins afresh, whatever the one before it said, or what was wrong with it. */
  g_clear_pointer (&relay->trouble, g_free);
  prpctl_status_free (relay->status);
  relay->status = prpctl_status_new ();
  client_catch_up_begin (relay->catch_up);
  begin_chain (relay, FALSE);
  return 0;
}

static gboolean
find_owner (PrpctlWatchRelay *relay, GError **error)
{
  g_auto (sd_bus_error) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  const char *owner;
  int r = sd_bus_call_method (relay->run->client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "GetNameOwner", &bus_error, &reply, "s", RELAY_BUS_NAME);

  if (r < 0 && sd_bus_error_has_name (&bus_error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
    return TRUE;
  if (r >= 0)
    r = sd_bus_message_read (reply, "s", &owner);
  if (r < 0) {
    prpctl_failure_from_bus (bus_error.name, bus_error.message, r, error);
    return FALSE;
  }
  set_owner (relay, owner);
  return TRUE;
}

static gboolean
match_signals (PrpctlWatchRelay *relay, GError **error)
{
  static const struct {
    const char *rule;
    sd_bus_message_handler_t handler;
  } matches[] = {
    { CLIENT_OWNER_RULE (RELAY_BUS_NAME), on_owner_changed },
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
    int r = sd_bus_add_match (relay->run->client->bus, NULL, matches[i].rule, matches[i].handler, relay);

    if (!prpctl_client_check (r, error))
      return FALSE;
  }
  return find_owner (relay, error);
}

/* -- whoever shows it -------------------------------------------------------------------------------------------- */

gboolean
prpctl_watch_relay_init (PrpctlWatchRelay *relay, PrpctlRun *run, PrpctlWatchModel *model, GError **error)
{
  ClientCursor start = { .kind = CLIENT_CURSOR_START };

  *relay = (PrpctlWatchRelay){ .run = run, .model = model };
  relay->status = prpctl_status_new ();
  relay->catch_up = client_catch_up_new (&start);
  if (!match_signals (relay, error))
    return FALSE;
  begin_chain (relay, !run->client->no_start);
  return TRUE;
}

void
prpctl_watch_relay_clear (PrpctlWatchRelay *relay)
{
  break_off_chain (relay);
  client_catch_up_free (relay->catch_up);
  prpctl_status_free (relay->status);
  g_free (relay->owner);
  g_free (relay->trouble);
  g_clear_error (&relay->error);
}

gboolean
prpctl_watch_relay_process (PrpctlWatchRelay *relay)
{
  for (guint i = 0; i < MESSAGES_PER_TURN && relay->error == NULL; i++) {
    gboolean has_page = relay->page != NULL;
    int r;

    if (process_history (relay)) {
      if (has_page)
        return TRUE;
      continue;
    }
    r = sd_bus_process (relay->run->client->bus, NULL);
    if (r < 0)
      (void) prpctl_client_check (r, &relay->error);
    if (r <= 0)
      return FALSE;
  }
  return TRUE;
}

gboolean
prpctl_watch_relay_is_reading (const PrpctlWatchRelay *relay)
{
  return relay->owner != NULL && client_catch_up_is_listing (relay->catch_up);
}

gboolean
prpctl_watch_relay_is_connected (const PrpctlWatchRelay *relay)
{
  return relay->owner != NULL && relay->is_known && prpctl_status_is_connected (relay->status);
}

char *
prpctl_watch_relay_describe (const PrpctlWatchRelay *relay, guint64 now_usec, guint64 *ret_next_usec)
{
  *ret_next_usec = G_MAXUINT64;
  if (relay->owner == NULL)
    return g_strdup (relay->started ? _("the relay is not running; waiting for it") : _("starting the relay…"));
  if (!relay->is_known)
    return g_strdup (_("asking the relay…"));
  if (relay->status->next_attempt_usec > now_usec)
    *ret_next_usec = now_usec + G_USEC_PER_SEC; /* it counts down */
  return prpctl_status_summarize (relay->status, now_usec);
}

guint64
prpctl_watch_relay_get_as_of (const PrpctlWatchRelay *relay, guint64 now_usec)
{
  guint64 newest_usec = prpctl_watch_model_get_newest (relay->model);

  if (prpctl_watch_relay_is_connected (relay))
    return now_usec;
  return relay->lost_usec != 0 ? relay->lost_usec : newest_usec;
}
