/* SPDX-License-Identifier: MIT */
#include "notify/relay.h"

#include <errno.h>

#include "client/history.h"
#include "client/owner.h"
#include "common/log.h"
#include "common/names.h"
#include "common/turn.h"

/*
 * A chain of calls, each made from the answer to the one before, runs whenever there is another relay on the bus: its
 * properties, once what earlier runs told (for the names of PRPs), then the history from the cursor on, page by page, each
 * with the properties of the history behind it (client/catch-up.h). Signals are matched before anything is asked; those
 * that come while the chain runs are held. The channels are held beside the chain, as that waits for the service.
 */

#define APP_ID "dev.prp.Notify1"

struct NotifyRelay {
  sd_bus *bus;
  const NotifyRelayEvents *events;
  gpointer user_data;

  char *owner; /* its unique name; NULL: it is away, or not known yet */
  sd_bus_slot *matches[4];
  sd_bus_slot *call; /* of the chain */
  gint64 call_usec;  /* CLOCK_MONOTONIC, when it was sent */
  GSource *retry_turn;
  gboolean is_known; /* what earlier runs told was asked for */

  ClientCatchUp *catch_up;
  ClientCursor from;
  sd_bus_message *page;
  ClientEvent page_event; /* its first */
  int page_result;

  char *state, *text;
  guint64 reloaded_usec;

  char **channels;
  sd_bus_slot *hold_call;
  gboolean hold_again; /* other channels are wanted than those that it asks for */
  guint32 cookie; /* of the hold; 0: none */
};

static void list_history (NotifyRelay *relay);

/* -- the chain --------------------------------------------------------------------------------------------------- */

static void
drop_page (NotifyRelay *relay)
{
  g_clear_pointer (&relay->page, sd_bus_message_unref);
  client_event_clear (&relay->page_event);
}

static void
hand_over_held (NotifyRelay *relay)
{
  for (;;) {
    g_auto (ClientEvent) event = { 0 };

    if (!client_catch_up_pop_held (relay->catch_up, &event))
      return;
    relay->events->event (&event, NOTIFY_PHASE_PAST, relay->user_data);
  }
}

static void
chain_ended (NotifyRelay *relay)
{
  drop_page (relay);
  hand_over_held (relay);
  relay->events->caught_up (relay->user_data);
}

static void
chain_broken (NotifyRelay *relay, const char *what, const char *why)
{
  relay_warning ("%s: %s", what, why);
  if (client_catch_up_is_listing (relay->catch_up)) {
    client_catch_up_give_up (relay->catch_up);
    relay->events->missed (relay->user_data);
  }
  chain_ended (relay);
}

/* There is none (any more): what it has is listed when one comes. The name of the error also stands for a deadline. */
static gboolean
has_left (const NotifyRelay *relay, const sd_bus_error *error)
{
  return sd_bus_error_has_name (error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
         sd_bus_error_has_name (error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
         (sd_bus_error_has_name (error, SD_BUS_ERROR_NO_REPLY) &&
          g_get_monotonic_time () - relay->call_usec < NOTIFY_RELAY_CALL_USEC);
}

static void
tell_left (NotifyRelay *relay, const sd_bus_error *error)
{
  relay_notice ("There is no relay on the bus (%s); waiting for one", error->message != NULL ? error->message : error->name);
  drop_page (relay);
  relay->events->caught_up (relay->user_data);
}

static gboolean
is_broken (NotifyRelay *relay, sd_bus_message *reply, const char *what)
{
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  relay->call = sd_bus_slot_unref (relay->call);
  if (error == NULL)
    return FALSE;
  if (has_left (relay, error)) {
    tell_left (relay, error);
  } else {
    chain_broken (relay, what, error->message != NULL ? error->message : error->name);
  }
  return TRUE;
}

/* @r: of making the call, which is consumed. */
static void
call_relay (NotifyRelay *relay, int r, sd_bus_message *call, gboolean auto_start, sd_bus_message_handler_t answered)
{
  relay->call = sd_bus_slot_unref (relay->call);
  relay->call_usec = g_get_monotonic_time ();
  if (r >= 0)
    r = sd_bus_message_set_auto_start (call, auto_start);
  if (r >= 0)
    r = sd_bus_call_async (relay->bus, &relay->call, call, answered, relay, NOTIFY_RELAY_CALL_USEC);
  sd_bus_message_unref (call);
  if (r < 0)
    chain_broken (relay, "Cannot call the relay", g_strerror (-r));
}

/* Hands over what the page has, and goes on. */
static void
read_page (NotifyRelay *relay)
{
  guint64 last = 0;
  gboolean more = FALSE;
  int r = relay->page_result;

  while (r > 0) {
    if (client_catch_up_pass (relay->catch_up, &relay->page_event))
      relay->events->event (&relay->page_event, NOTIFY_PHASE_PAST, relay->user_data);
    client_event_clear (&relay->page_event);
    r = client_history_read_event (relay->page, &relay->page_event);
  }
  if (r >= 0)
    r = client_history_leave_list (relay->page, &last, &more);
  if (r < 0) {
    chain_broken (relay, "The relay's history cannot be read", g_strerror (-r));
    return;
  }
  client_catch_up_end_page (relay->catch_up, last, more);
  if (client_catch_up_is_listing (relay->catch_up))
    list_history (relay);
  else
    chain_ended (relay);
}

static int
on_history_facts (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  g_auto (ClientHistoryFacts) facts = { 0 };
  ClientMissed missed;
  gboolean is_good;
  int r;

  if (is_broken (relay, reply, "The relay's history cannot be listed"))
    return 0;
  r = client_history_read_facts (reply, &facts);
  if (r < 0) {
    chain_broken (relay, "The relay's history cannot be read", g_strerror (-r));
    return 0;
  }
  is_good = client_catch_up_judge (relay->catch_up, relay->page_event.sequence, &facts, &missed);
  if (missed != CLIENT_MISSED_NOTHING) {
    relay_warning ("%s: events may have been missed",
                   missed == CLIENT_MISSED_HISTORY ? "The relay's history is another one" : "The relay's history is too short");
    relay->events->missed (relay->user_data);
  }
  if (!is_good)
    list_history (relay);
  else if (relay->page != NULL)
    read_page (relay);
  else
    chain_ended (relay);
  return 0;
}

static void
ask_facts (NotifyRelay *relay)
{
  sd_bus_message *call = NULL;
  int r = client_history_new_get_all (relay->bus, &call);

  call_relay (relay, r, call, FALSE, on_history_facts);
}

static int
on_page (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  int r;

  if (is_broken (relay, reply, "The relay's history cannot be listed"))
    return 0;
  r = client_history_enter_list (reply);
  if (r >= 0)
    r = client_history_read_event (reply, &relay->page_event);
  relay->page = sd_bus_message_ref (reply);
  relay->page_result = r;
  ask_facts (relay);
  /* It is ours: what nobody has taken goes on to the filters of the bus (common/bus-source.c), rewound. */
  return 1;
}

static void
list_history (NotifyRelay *relay)
{
  ClientHistoryQuery query = { .after = client_catch_up_get_position (relay->catch_up), .limit = NOTIFY_RELAY_PAGE_EVENTS };
  sd_bus_message *call = NULL;
  const char *bad;
  int r;

  drop_page (relay);
  if (!client_catch_up_wants_page (relay->catch_up)) {
    ask_facts (relay);
    return;
  }
  r = client_history_new_list (relay->bus, &query, &call, &bad);
  call_relay (relay, r, call, FALSE, on_page);
}

/* -- what is known from earlier runs ----------------------------------------------------------------------------- */

static int
on_known (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  int r = sd_bus_message_is_method_error (reply, NULL) ? -EIO : client_history_enter_list (reply);

  relay->call = sd_bus_slot_unref (relay->call);
  while (r >= 0) {
    g_auto (ClientEvent) event = { 0 };

    r = client_history_read_event (reply, &event);
    if (r <= 0)
      break;
    if (relay->from.kind != CLIENT_CURSOR_AT || event.sequence <= relay->from.sequence)
      relay->events->event (&event, NOTIFY_PHASE_KNOWN, relay->user_data);
  }
  /* Without it PRPs go by their ids until something says their name: no reason to stop. */
  list_history (relay);
  return 0;
}

static void
ask_known (NotifyRelay *relay)
{
  static const char *const types[] = { "prp.created", "prp.updated", "prp.status_changed", "agent.assigned", NULL };
  ClientHistoryQuery query = { .limit = NOTIFY_RELAY_KNOWN_EVENTS, .newest = TRUE, .types = (char **) types };
  sd_bus_message *call = NULL;
  const char *bad;
  int r = client_history_new_list (relay->bus, &query, &call, &bad);

  relay->is_known = TRUE;
  call_relay (relay, r, call, FALSE, on_known);
}

/* -- properties -------------------------------------------------------------------------------------------------- */

static int
read_properties (NotifyRelay *relay, sd_bus_message *message)
{
  g_autofree char *state = g_strdup (relay->state), *text = g_strdup (relay->text);
  guint64 reloaded = relay->reloaded_usec;
  const char *key, *value, *code;
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  while (r >= 0 && (r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r < 0)
      break;
    if (g_str_equal (key, "State") && (r = sd_bus_message_read (message, "v", "s", &value)) > 0) {
      g_free (state);
      state = g_strdup (value);
    } else if (g_str_equal (key, "LastError") && (r = sd_bus_message_read (message, "v", "(ss)", &code, &value)) > 0) {
      g_free (text);
      text = g_strdup (value);
    } else if (g_str_equal (key, "Reloaded")) {
      r = sd_bus_message_read (message, "v", "t", &reloaded);
    } else {
      r = sd_bus_message_skip (message, "v");
    }
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
  }
  if (r < 0)
    return r;
  if (g_strcmp0 (state, relay->state) != 0 || g_strcmp0 (text, relay->text) != 0) {
    g_free (relay->state);
    g_free (relay->text);
    relay->state = g_steal_pointer (&state);
    relay->text = g_steal_pointer (&text);
    if (relay->state != NULL)
      relay->events->state (relay->state, relay->text != NULL ? relay->text : "", relay->user_data);
  }
  if (reloaded != relay->reloaded_usec) {
    gboolean is_first = relay->reloaded_usec == 0;

    relay->reloaded_usec = reloaded;
    if (!is_first)
      relay->events->reloaded (relay->user_data);
  }
  return 0;
}

static void hold (NotifyRelay *relay);

/* Of one that is there and does not answer (it was stopped, or the machine is short of everything) nothing is known, not even
 * whose signals are its own: it is asked again. Nothing is missed by that, as the history goes on from where it was. */
static void
not_reached (NotifyRelay *relay, const sd_bus_error *error)
{
  if (has_left (relay, error)) {
    tell_left (relay, error);
    return;
  }
  relay_warning ("The relay does not answer (%s); asking again later", error->message != NULL ? error->message : error->name);
  relay_turn_arm_in (relay->retry_turn, NOTIFY_RELAY_RETRY_USEC);
  relay->events->caught_up (relay->user_data); /* as far as that goes */
}

static int
on_properties (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  const char *sender = sd_bus_message_get_sender (reply);
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  relay->call = sd_bus_slot_unref (relay->call);
  if (error != NULL) {
    not_reached (relay, error);
    return 0;
  }
  g_free (relay->owner);
  relay->owner = g_strdup (sender);
  if (read_properties (relay, reply) < 0)
    relay_warning ("The relay's properties cannot be read");
  hold (relay);
  if (relay->is_known)
    list_history (relay);
  else
    ask_known (relay);
  return 0;
}

static void
begin_chain (NotifyRelay *relay, gboolean auto_start)
{
  sd_bus_message *call = NULL;
  int r = sd_bus_message_new_method_call (relay->bus, &call, RELAY_BUS_NAME, RELAY_OBJECT_PATH, "org.freedesktop.DBus.Properties",
                                          "GetAll");

  if (r >= 0)
    r = sd_bus_message_append (call, "s", RELAY_INTERFACE);
  client_catch_up_begin (relay->catch_up);
  relay->events->listing (relay->user_data);
  call_relay (relay, r, call, auto_start, on_properties);
}

static void
on_retry (gpointer user_data)
{
  begin_chain (user_data, FALSE);
}

/* -- channels ---------------------------------------------------------------------------------------------------- */

static void
release (NotifyRelay *relay)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r;

  if (relay->cookie == 0 || relay->owner == NULL)
    return;
  r = sd_bus_message_new_method_call (relay->bus, &call, relay->owner, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release");
  if (r >= 0)
    r = sd_bus_message_append (call, "u", relay->cookie);
  if (r >= 0)
    r = sd_bus_message_set_expect_reply (call, FALSE);
  if (r >= 0)
    (void) sd_bus_send (relay->bus, call, NULL);
  relay->cookie = 0;
}

static int
on_held (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  const sd_bus_error *error = sd_bus_message_get_error (reply);
  guint32 cookie = 0;

  relay->hold_call = sd_bus_slot_unref (relay->hold_call);
  if (error != NULL) {
    relay_warning ("The channels of [Notifications] Channels= cannot be held: %s",
                   error->message != NULL ? error->message : error->name);
  } else {
    (void) sd_bus_message_read (reply, "u", &cookie);
    /* The former hold ends behind the new one: what is in both is not unsubscribed in between. */
    release (relay);
    relay->cookie = cookie;
  }
  if (relay->hold_again)
    hold (relay);
  return 0;
}

static void
hold (NotifyRelay *relay)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r;

  /* One whose answer nobody hears could not be released. */
  relay->hold_again = relay->hold_call != NULL;
  if (relay->owner == NULL || relay->hold_again)
    return;
  if (relay->channels == NULL || relay->channels[0] == NULL) {
    release (relay);
    return;
  }
  r = sd_bus_message_new_method_call (relay->bus, &call, relay->owner, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold");
  if (r >= 0)
    r = sd_bus_message_append_strv (call, relay->channels);
  if (r >= 0)
    r = sd_bus_message_append (call, "a{sv}", 2, RELAY_HOLD_OPTION_APP_ID, "s", APP_ID, RELAY_HOLD_OPTION_REASON, "s",
                               "[Notifications] Channels=");
  if (r >= 0)
    r = sd_bus_call_async (relay->bus, &relay->hold_call, call, on_held, relay, NOTIFY_RELAY_CALL_USEC);
  if (r < 0)
    relay_warning ("Cannot ask the relay to hold channels: %s", g_strerror (-r));
}

void
notify_relay_set_channels (NotifyRelay *relay, const char *const *channels)
{
  static const char *const none[] = { NULL };
  const char *const *wanted = channels != NULL ? channels : none;

  if (relay->channels != NULL && g_strv_equal ((const char *const *) relay->channels, wanted))
    return;
  g_strfreev (relay->channels);
  relay->channels = g_strdupv ((char **) wanted);
  hold (relay);
}

/* -- what the bus brings ----------------------------------------------------------------------------------------- */

static gboolean
is_from_relay (NotifyRelay *relay, sd_bus_message *message)
{
  return relay->owner != NULL && g_strcmp0 (sd_bus_message_get_sender (message), relay->owner) == 0;
}

static int
on_event (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  g_auto (ClientEvent) event = { 0 };
  int r;

  if (!is_from_relay (relay, message))
    return 0;
  r = client_event_read_signal (message, &event);
  if (r < 0)
    relay_warning ("An event cannot be read: %s", g_strerror (-r));
  if (r <= 0)
    return 0;
  if (client_catch_up_is_listing (relay->catch_up))
    client_catch_up_hold (relay->catch_up, &event);
  else if (client_catch_up_pass (relay->catch_up, &event))
    relay->events->event (&event, NOTIFY_PHASE_LIVE, relay->user_data);
  return 0;
}

static int
on_properties_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  const char *interface;

  if (!is_from_relay (relay, message) || sd_bus_message_read (message, "s", &interface) < 0 ||
      !g_str_equal (interface, RELAY_INTERFACE))
    return 0;
  if (read_properties (relay, message) < 0)
    relay_warning ("The relay's properties cannot be read");
  return 0;
}

static int
on_history_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  const char *interface, *key, *id;
  int r;

  if (!is_from_relay (relay, message) || sd_bus_message_read (message, "s", &interface) < 0 ||
      !g_str_equal (interface, RELAY_HISTORY_INTERFACE))
    return 0;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r > 0 && sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r > 0 && !g_str_equal (key, "HistoryId"))
      r = sd_bus_message_skip (message, "v");
    else if (r > 0 && (r = sd_bus_message_read (message, "v", "s", &id)) > 0)
      client_catch_up_set_history_id (relay->catch_up, id);
    if (r > 0)
      r = sd_bus_message_exit_container (message);
  }
  return 0;
}

static int
on_owner_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyRelay *relay = user_data;
  const char *old_owner, *new_owner;

  if (!client_owner_read_changed (message, RELAY_BUS_NAME, &old_owner, &new_owner) ||
      g_strcmp0 (new_owner, relay->owner) == 0)
    return 0;
  relay_turn_disarm (relay->retry_turn);
  relay->call = sd_bus_slot_unref (relay->call);
  relay->hold_call = sd_bus_slot_unref (relay->hold_call);
  relay->hold_again = FALSE;
  relay->cookie = 0; /* its holds went with it */
  drop_page (relay);
  g_clear_pointer (&relay->state, g_free);
  g_clear_pointer (&relay->text, g_free);
  g_clear_pointer (&relay->owner, g_free);
  if (*new_owner != '\0') {
    relay->owner = g_strdup (new_owner);
    begin_chain (relay, FALSE);
  } else {
    relay->events->caught_up (relay->user_data); /* as far as that goes */
    relay->events->left (relay->user_data);
  }
  return 0;
}

/* -- life -------------------------------------------------------------------------------------------------------- */

NotifyRelay *
notify_relay_new (sd_bus *bus, const ClientCursor *from, const NotifyRelayEvents *events, gpointer user_data)
{
  static const struct {
    const char *rule;
    sd_bus_message_handler_t handler;
  } rules[] = {
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
  NotifyRelay *relay = g_new0 (NotifyRelay, 1);

  relay->bus = sd_bus_ref (bus);
  relay->events = events;
  relay->user_data = user_data;
  relay->catch_up = client_catch_up_new (from);
  relay->retry_turn = relay_turn_new ("notify-relay-retry", on_retry, relay);
  relay->from = (ClientCursor){ from->kind, NULL, from->sequence };
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++) {
    int r = sd_bus_add_match_async (bus, &relay->matches[i], rules[i].rule, rules[i].handler, NULL, relay);

    if (r < 0)
      relay_warning ("Cannot listen to the relay: %s", g_strerror (-r));
  }
  return relay;
}

void
notify_relay_free (NotifyRelay *relay)
{
  if (relay == NULL)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (relay->matches); i++)
    sd_bus_slot_unref (relay->matches[i]);
  sd_bus_slot_unref (relay->call);
  sd_bus_slot_unref (relay->hold_call);
  relay_turn_free (relay->retry_turn);
  drop_page (relay);
  client_catch_up_free (relay->catch_up);
  g_strfreev (relay->channels);
  g_free (relay->state);
  g_free (relay->text);
  g_free (relay->owner);
  sd_bus_unref (relay->bus);
  g_free (relay);
}

void
notify_relay_start (NotifyRelay *relay)
{
  begin_chain (relay, TRUE);
}

char *
notify_relay_format_cursor (const NotifyRelay *relay)
{
  return client_catch_up_format_cursor (relay->catch_up);
}
