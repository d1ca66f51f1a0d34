/* SPDX-License-Identifier: MIT */
#include "simulator/hub.h"

#include <math.h>
#include <string.h>

#include "common/log.h"

/*
 * Two pumps step the world and hand out what happens: the stream, a timer that owes `rate` events a second, and
 * the burst, which owes a number of events and pays as fast as the clients take them: it stops while a client has
 * much unread, and the client's session wakes it. An event goes to every session that has subscribed to one of its
 * channels, with the same id to each. The world goes on when nobody listens.
 */

#define TICK_USEC (20 * (gint64) 1000) /* the shortest pause of the stream's timer; faster rates send several */
#define BURST_CHUNK 200                /* events of a burst in one turn of the loop */

typedef struct {
  gint64 realtime_usec;
  char *session, *action; /* action: as the session counts it */
  char *text;             /* NULL if it was no text, or withheld */
  gboolean is_json, is_cut, is_withheld;
} LoggedMessage;

struct SimHub {
  SimTokens *tokens;
  SimWorld *world;
  SimIds ids;
  SimSessionLimits limits;
  GPtrArray *sessions; /* of SimSession, the oldest first */
  GQueue logged;       /* of LoggedMessage */
  guint64 n_events;    /* that happened in the world */
  guint64 n_sent_before; /* to sessions that are gone */
  guint64 n_received[SIM_N_ACTIONS];

  double rate, credit;
  gboolean paused;
  gint64 credited; /* monotonic: until when credit is counted */
  guint stream_timer;

  guint burst_left;
  double burst_rate, burst_credit;
  gint64 burst_credited;
  guint burst_source;

  GSourceFunc done; /* when the last session is gone */
  gpointer done_data;
  guint done_source;
};

static void schedule_burst (SimHub *hub);

static void
logged_message_free (LoggedMessage *message)
{
  g_free (message->session);
  g_free (message->action);
  g_free (message->text);
  g_free (message);
}

/* A session calls: nothing here may end it. */
static void
on_received (SimSession *session, const SimRequest *request, gpointer user_data)
{
  SimHub *hub = user_data;
  LoggedMessage *message = g_new0 (LoggedMessage, 1);

  hub->n_received[request->action]++;
  message->realtime_usec = g_get_real_time ();
  message->session = g_strdup (sim_session_get_id (session));
  message->action = g_strdup (sim_action_to_string (request->action));
  if (request->text != NULL && sim_tokens_are_in (hub->tokens, request->text)) {
    message->is_withheld = TRUE;
  } else if (request->text != NULL) {
    const char *end;

    message->is_cut = strlen (request->text) > SIM_HUB_MAX_LOGGED_BYTES;
    message->is_json = request->is_json && !message->is_cut;
    g_utf8_validate (request->text, message->is_cut ? SIM_HUB_MAX_LOGGED_BYTES : -1, &end);
    message->text = g_strndup (request->text, (gsize) (end - request->text));
  }

  relay_debug ("%s: client sends: %s", message->session, message->text != NULL ? message->text : "(withheld)");
  if (hub->logged.length == SIM_HUB_MAX_LOGGED)
    logged_message_free (g_queue_pop_head (&hub->logged));
  g_queue_push_tail (&hub->logged, message);
}

static void
on_roomy (SimSession *session, gpointer user_data)
{
  schedule_burst (user_data);
}

static gboolean
on_done (gpointer user_data)
{
  SimHub *hub = user_data;

  hub->done_source = 0;
  hub->done (hub->done_data);
  return G_SOURCE_REMOVE;
}

static void
check_done (SimHub *hub)
{
  if (hub->done != NULL && hub->sessions->len == 0 && hub->done_source == 0)
    hub->done_source = g_idle_add (on_done, hub);
}

static void
on_closed (SimSession *session, gpointer user_data)
{
  SimHub *hub = user_data;

  relay_info ("%s: disconnected", sim_session_get_id (session));
  hub->n_sent_before += sim_session_get_events_sent (session);
  g_ptr_array_remove (hub->sessions, session);
  schedule_burst (hub);
  check_done (hub);
}

static const SimSessionEvents session_events = { on_received, on_roomy, on_closed };

/* Lets one thing happen in the world. */
static void
step (SimHub *hub)
{
  gint64 now = g_get_real_time ();
  g_autoptr (SimEvent) event = sim_world_step (hub->world, now);
  g_autofree char *id = sim_ids_next (&hub->ids, "msg");
  g_autofree char *text = NULL;

  hub->n_events++;
  for (guint i = 0; i < hub->sessions->len; i++) {
    SimSession *session = hub->sessions->pdata[i];

    if (!sim_session_wants (session, event))
      continue;
    if (text == NULL)
      text = sim_message_format (id, event->type, now, event->data);
    sim_session_send_event (session, text);
  }
}

static gboolean
on_stream_timer (gpointer user_data)
{
  SimHub *hub = user_data;
  gint64 now = g_get_monotonic_time ();

  hub->credit += (double) (now - hub->credited) / G_USEC_PER_SEC * hub->rate;
  hub->credit = MIN (hub->credit, MAX (hub->rate, 1)); /* a suspended machine owes no more than a second's worth */
  hub->credited = now;
  while (hub->credit >= 1) {
    step (hub);
    hub->credit -= 1;
  }
  return G_SOURCE_CONTINUE;
}

static void
restart_stream (SimHub *hub)
{
  g_clear_handle_id (&hub->stream_timer, g_source_remove);
  hub->credit = 0;
  hub->credited = g_get_monotonic_time ();
  if (hub->paused || hub->rate <= 0)
    return;
  /* A quarter of the pause between events: a timer is late a little, and that should not add up. */
  hub->stream_timer =
      g_timeout_add ((guint) CLAMP (G_USEC_PER_SEC / hub->rate / 4, TICK_USEC, 10.0 * G_USEC_PER_SEC) / 1000,
                     on_stream_timer, hub);
}

void
sim_hub_set_rate (SimHub *hub, double events_per_sec)
{
  hub->rate = CLAMP (events_per_sec, 0, SIM_HUB_MAX_RATE);
  restart_stream (hub);
}

void
sim_hub_set_paused (SimHub *hub, gboolean paused)
{
  hub->paused = paused;
  restart_stream (hub);
}

static gboolean
is_anyone_congested (SimHub *hub)
{
  for (guint i = 0; i < hub->sessions->len; i++)
    if (sim_session_is_talking (hub->sessions->pdata[i]) && sim_session_is_congested (hub->sessions->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean
on_burst (gpointer user_data)
{
  SimHub *hub = user_data;
  gint64 now = g_get_monotonic_time ();

  hub->burst_credit += (double) (now - hub->burst_credited) / G_USEC_PER_SEC * hub->burst_rate;
  hub->burst_credited = now;
  if (hub->burst_rate <= 0)
    hub->burst_credit = BURST_CHUNK;
  hub->burst_credit = MIN (hub->burst_credit, MAX (hub->burst_rate, BURST_CHUNK));

  while (hub->burst_left > 0 && hub->burst_credit >= 1 && !is_anyone_congested (hub)) {
    step (hub);
    hub->burst_left--;
    hub->burst_credit -= 1;
  }
  if (hub->burst_left > 0 && (hub->burst_rate > 0 || !is_anyone_congested (hub)))
    return G_SOURCE_CONTINUE;
  hub->burst_source = 0; /* done, or until on_roomy */
  return G_SOURCE_REMOVE;
}

static void
schedule_burst (SimHub *hub)
{
  if (hub->burst_left == 0 || hub->burst_source != 0)
    return;
  hub->burst_credited = g_get_monotonic_time ();
  hub->burst_source =
      hub->burst_rate > 0 ? g_timeout_add (TICK_USEC / 1000, on_burst, hub) : g_idle_add (on_burst, hub);
}

void
sim_hub_burst (SimHub *hub, guint count, double events_per_sec)
{
  g_clear_handle_id (&hub->burst_source, g_source_remove);
  hub->burst_left = count;
  hub->burst_rate = CLAMP (events_per_sec, 0, SIM_HUB_MAX_RATE);
  hub->burst_credit = 1; /* the first one at once */
  schedule_burst (hub);
}

SimHub *
sim_hub_new (const SimHubSettings *settings, SimTokens *tokens)
{
  SimHub *hub = g_new0 (SimHub, 1);

  hub->tokens = tokens;
  hub->world = sim_world_new (settings->seed);
  hub->limits = settings->limits;
  hub->sessions = g_ptr_array_new_with_free_func ((GDestroyNotify) sim_session_free);
  g_queue_init (&hub->logged);
  sim_ids_init (&hub->ids);
  sim_hub_set_rate (hub, settings->events_per_sec);
  return hub;
}

void
sim_hub_free (SimHub *hub)
{
  if (hub == NULL)
    return;
  g_clear_handle_id (&hub->stream_timer, g_source_remove);
  g_clear_handle_id (&hub->burst_source, g_source_remove);
  g_clear_handle_id (&hub->done_source, g_source_remove);
  g_ptr_array_unref (hub->sessions);
  g_queue_clear_full (&hub->logged, (GDestroyNotify) logged_message_free);
  sim_world_free (hub->world);
  g_free (hub);
}

SimTokens *
sim_hub_get_tokens (SimHub *hub)
{
  return hub->tokens;
}

SimIds *
sim_hub_get_ids (SimHub *hub)
{
  return &hub->ids;
}

SimWorld *
sim_hub_get_world (SimHub *hub)
{
  return hub->world;
}

guint
sim_hub_get_n_sessions (SimHub *hub)
{
  return hub->sessions->len;
}

SimSessionLimits *
sim_hub_get_limits (SimHub *hub)
{
  return &hub->limits;
}

/* The oldest half-open session, which nobody can miss, or NULL. */
static SimSession *
find_frozen (SimHub *hub)
{
  for (guint i = 0; i < hub->sessions->len; i++)
    if (sim_session_is_frozen (hub->sessions->pdata[i]))
      return hub->sessions->pdata[i];
  return NULL;
}

gboolean
sim_hub_has_room (SimHub *hub)
{
  return hub->sessions->len < SIM_HUB_MAX_SESSIONS || find_frozen (hub) != NULL;
}

void
sim_hub_adopt (SimHub *hub, GIOStream *stream, GSocket *socket, gint64 token_expires_usec)
{
  SimSession *session;

  if (hub->sessions->len >= SIM_HUB_MAX_SESSIONS) {
    SimSession *frozen = find_frozen (hub);

    g_return_if_fail (frozen != NULL);
    hub->n_sent_before += sim_session_get_events_sent (frozen);
    g_ptr_array_remove (hub->sessions, frozen);
  }
  session = sim_session_new (stream, socket, token_expires_usec, &hub->limits, &hub->ids, &session_events, hub);
  g_ptr_array_add (hub->sessions, session);
  relay_info ("%s: connected", sim_session_get_id (session));
}

guint
sim_hub_for_each (SimHub *hub, const char *id, SimSessionFunc func, gpointer user_data)
{
  guint n = 0;

  for (guint i = 0; i < hub->sessions->len; i++)
    if (id == NULL || g_str_equal (sim_session_get_id (hub->sessions->pdata[i]), id))
      n += func (hub->sessions->pdata[i], user_data) ? 1 : 0;
  return n;
}

static gboolean
is_there (SimSession *session, gpointer user_data)
{
  return TRUE;
}

gboolean
sim_hub_has_session (SimHub *hub, const char *id)
{
  return sim_hub_for_each (hub, id, is_there, NULL) > 0;
}

JsonNode *
sim_hub_describe (SimHub *hub)
{
  g_autoptr (JsonBuilder) builder = json_builder_begin_object (json_builder_new ());
  guint64 n_sent = hub->n_sent_before;

  json_builder_begin_array (json_builder_set_member_name (builder, "connections"));
  for (guint i = 0; i < hub->sessions->len; i++) {
    json_builder_add_value (builder, sim_session_describe (hub->sessions->pdata[i]));
    n_sent += sim_session_get_events_sent (hub->sessions->pdata[i]);
  }
  json_builder_end_array (builder);
  json_builder_begin_object (json_builder_set_member_name (builder, "received"));
  for (SimAction action = SIM_ACTION_NONE; action < SIM_N_ACTIONS; action++)
    json_builder_add_int_value (json_builder_set_member_name (builder, sim_action_to_string (action)),
                                (gint64) hub->n_received[action]);
  json_builder_end_object (builder);
  json_builder_add_int_value (json_builder_set_member_name (builder, "eventsHappened"), (gint64) hub->n_events);
  json_builder_add_int_value (json_builder_set_member_name (builder, "eventsSent"), (gint64) n_sent);
  json_builder_add_double_value (json_builder_set_member_name (builder, "eventsPerSec"), hub->rate);
  json_builder_add_boolean_value (json_builder_set_member_name (builder, "paused"), hub->paused);
  json_builder_add_int_value (json_builder_set_member_name (builder, "burstLeft"), hub->burst_left);
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}

/* By hand, so that a message that is JSON stands in it as it was sent, to the digit. */
char *
sim_hub_format_messages (SimHub *hub)
{
  GString *text = g_string_new ("[");

  for (GList *link = hub->logged.head; link != NULL; link = link->next) {
    const LoggedMessage *message = link->data;
    g_autofree char *time = sim_time_format (message->realtime_usec);

    g_string_append_printf (text, "%s\n{\"time\":\"%s\",\"connection\":\"%s\",\"action\":\"%s\"",
                            text->len > 1 ? "," : "", time, message->session, message->action);
    if (message->is_withheld)
      g_string_append (text, ",\"withheld\":\"it contains a token\"");
    if (message->is_cut)
      g_string_append (text, ",\"cut\":true");
    if (message->is_json) {
      g_string_append_printf (text, ",\"message\":%s", message->text);
    } else if (message->text != NULL) {
      g_autoptr (JsonNode) node = json_node_init_string (json_node_alloc (), message->text);
      g_autofree char *quoted = sim_json_format (node);

      g_string_append_printf (text, ",\"text\":%s", quoted);
    }
    g_string_append_c (text, '}');
  }
  g_string_append (text, "\n]");
  return g_string_free (text, FALSE);
}

typedef struct {
  guint code;
  const char *reason;
} Farewell;

static gboolean
close_session (SimSession *session, gpointer user_data)
{
  const Farewell *farewell = user_data;

  sim_session_close (session, farewell->code, farewell->reason);
  return TRUE;
}

void
sim_hub_close_all (SimHub *hub, guint code, const char *reason, GSourceFunc done, gpointer user_data)
{
  Farewell farewell = { code, reason };

  hub->done = done;
  hub->done_data = user_data;
  sim_hub_for_each (hub, NULL, close_session, &farewell);
  check_done (hub);
}
