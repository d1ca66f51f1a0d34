/* SPDX-License-Identifier: MIT */
#include "link/conversation.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/log.h"
#include "common/turn.h"
#include "wire/action.h"
#include "wire/pace.h"

/*
 * What is said over a link, in both directions.
 *
 * Heard: each message is read into one RelayEvent, counted, and goes one of three ways: it drives the connection
 * (established, confirmed, pong, token_expired), it is handed up to be relayed, or both (an error). What cannot be read is
 * counted and skipped.
 *
 * Said: nothing is sent from within a call. Whoever has something to ask (a channel, a ping) only arms the sender,
 * which runs in the next turn of the loop and asks what there is to say by then. So all that is asked in one turn becomes
 * one message, and the pace is kept in one place. The pings of liveness are the link's own and are not paced: there is at most
 * one in a ping interval.
 *
 * The conversation is established by connection.established; or, as a server may leave that out, by the first other
 * message that is no error, or after a while of silence. Channels are asked for from then on, if this is the conversation
 * that asks: while one connection takes over from another there are two, and only the new one does.
 */

typedef struct {
  RelayPingCallback callback;
  gpointer user_data;
} Waiter;

struct RelayConversation {
  RelayLink *link;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  const RelayConversationEvents *events;
  gpointer user_data;
  gboolean *gone; /* set to TRUE when freed, for on_message, which may be in the middle */

  char *id, *version; /* what the server said of itself */
  char **features;
  gboolean is_published;

  gboolean established;
  gboolean asking;
  gboolean closing; /* by us; what still comes is relayed, nothing more is asked */
  GSource *established_timer;

  GSource *sender;
  RelayPace pace;

  guint64 pong_timeout_usec;
  GArray *waiters; /* of Waiter: who asked for a ping */
  gboolean ping_sent;
  GSource *ping_timer; /* the waiters' deadline */

  RelayJsonReader reader;
  gint64 malformed_logged_usec; /* CLOCK_MONOTONIC; 0: never */
  guint64 malformed_unlogged;
};

/* ---- pings ---- */

/* Answers all who wait. @error: NULL if there was a pong. */
static void
answer_pings (RelayConversation *conversation, guint64 rtt_usec, const GError *error)
{
  g_autoptr (GArray) waiters = g_steal_pointer (&conversation->waiters);

  /* They may ask again at once. */
  conversation->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
  conversation->ping_sent = FALSE;
  relay_turn_disarm (conversation->ping_timer);
  for (guint i = 0; i < waiters->len; i++) {
    Waiter *waiter = &g_array_index (waiters, Waiter, i);

    waiter->callback (rtt_usec, error, waiter->user_data);
  }
}

static void
fail_pings (RelayConversation *conversation, RelayError code, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (RELAY_ERROR, (int) code, message);

  answer_pings (conversation, 0, error);
}

static void
on_ping_timeout (gpointer user_data)
{
  fail_pings (user_data, RELAY_ERROR_TIMEOUT, _("The server did not answer the ping in time."));
}

/* ---- sending ---- */

static gboolean
can_send (RelayConversation *conversation)
{
  return conversation->established && !conversation->closing;
}

/* Something to say: one more action. FALSE if there is nothing; *ret_next_usec as relay_subscriptions_next. */
static gboolean
send_one (RelayConversation *conversation, gint64 now_usec, gint64 *ret_next_usec)
{
  g_autoptr (RelayRequest) request = NULL;
  g_autofree char *text = NULL;

  if (conversation->waiters->len > 0 && !conversation->ping_sent) {
    conversation->ping_sent = TRUE;
    relay_link_ping (conversation->link);
    return TRUE;
  }

  if (!conversation->asking)
    return FALSE;
  request = relay_subscriptions_next (conversation->subscriptions, now_usec, ret_next_usec);
  if (request == NULL)
    return FALSE;
  text = request->subscribe ? relay_action_subscribe (request->id, (const char *const *) request->channels)
                            : relay_action_unsubscribe (request->id, (const char *const *) request->channels);
  relay_link_send (conversation->link, text);
  return TRUE;
}

static void
on_send (gpointer user_data)
{
  RelayConversation *conversation = user_data;
  gint64 now = g_get_monotonic_time ();
  gint64 next = -1;
  guint64 wait;

  if (!can_send (conversation))
    return;
  while ((wait = relay_pace_take (&conversation->pace, now)) == 0) {
    if (send_one (conversation, now, &next))
      continue;
    relay_pace_put_back (&conversation->pace);
    if (next >= 0)
      relay_turn_arm_at (conversation->sender, next);
    return;
  }
  relay_turn_arm_in (conversation->sender, wait);
}

/* ---- what the server says of itself ---- */

/* The string, cut to @max_bytes between characters; "" if @token is none. */
static char *
dup_bounded (const RelayEvent *event, guint token, gsize max_bytes)
{
  char *string = relay_json_reader_dup_string (event->reader, token);

  if (string == NULL)
    return g_strdup ("");
  if (strlen (string) > max_bytes) {
    char *end = g_utf8_find_prev_char (string, string + max_bytes + 1);

    *(end != NULL ? end : string) = '\0';
  }
  return string;
}

static void
take_server (RelayConversation *conversation, const RelayEvent *event)
{
  const RelayJsonReader *reader = event->reader;
  guint id = relay_event_find (event, "connectionId");
  guint version = relay_event_find (event, "serverVersion");
  guint features = relay_event_find (event, "features");
  GPtrArray *names = g_ptr_array_new ();

  if (features != 0 && reader->tape[features].type == RELAY_JSON_ARRAY) {
    for (guint i = features + 1; i < reader->tape[features].next && names->len < RELAY_CONVERSATION_MAX_FEATURES;
         i = reader->tape[i].next)
      if (reader->tape[i].type == RELAY_JSON_STRING)
        g_ptr_array_add (names, dup_bounded (event, i, RELAY_CONVERSATION_MAX_SERVER_BYTES));
  }
  g_ptr_array_add (names, NULL);

  g_free (conversation->id);
  g_free (conversation->version);
  g_strfreev (conversation->features);
  conversation->id = dup_bounded (event, id, RELAY_CONVERSATION_MAX_SERVER_BYTES);
  conversation->version = dup_bounded (event, version, RELAY_CONVERSATION_MAX_SERVER_BYTES);
  conversation->features = (char **) g_ptr_array_free (names, FALSE);
  if (conversation->is_published)
    relay_conversation_publish (conversation);
}

static void
set_established (RelayConversation *conversation)
{
  conversation->established = TRUE;
  relay_turn_disarm (conversation->established_timer);
  conversation->events->established (conversation, conversation->user_data);
}

static void
on_established_timeout (gpointer user_data)
{
  set_established (user_data);
}

/* ---- hearing ---- */

static void
take_confirmation (RelayConversation *conversation, const RelayEvent *event)
{
  const RelayJsonReader *reader = event->reader;
  guint list = relay_event_find (event, "subscribedChannels");
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (list != 0 && reader->tape[list].type == RELAY_JSON_ARRAY) {
    for (guint i = list + 1; i < reader->tape[list].next; i = reader->tape[i].next)
      if (reader->tape[i].type == RELAY_JSON_STRING)
        g_ptr_array_add (names, relay_json_reader_dup_string (reader, i));
  }
  g_ptr_array_add (names, NULL);
  relay_subscriptions_confirmed (conversation->subscriptions, (const char *const *) names->pdata, g_get_real_time ());
}

/* Is the error the answer to a ping? One that does not say what it is about can be, if it is of a kind that answers
 * an action, and there is no subscribe that it could answer (@taken). */
static gboolean
is_about_ping (RelayConversation *conversation, const char *request_id, const char *action, const char *code,
               gboolean taken)
{
  RelayError error = relay_error_from_server_code (code);

  if (request_id != NULL && g_str_has_prefix (request_id, RELAY_LINK_PING_ID_PREFIX))
    return TRUE;
  if (action != NULL)
    return g_str_equal (action, "ping");
  return conversation->ping_sent && !taken && (request_id == NULL || *request_id == '\0') &&
         (error == RELAY_ERROR_INVALID_ACTION || error == RELAY_ERROR_RATE_LIMITED);
}

static void
take_error (RelayConversation *conversation, const RelayEvent *event, const char *code, const char *message)
{
  guint details = relay_event_find (event, "details");
  g_autofree char *request_id =
      relay_json_reader_dup_string (event->reader, relay_json_reader_find (event->reader, details, "requestId"));
  g_autofree char *action =
      relay_json_reader_dup_string (event->reader, relay_json_reader_find (event->reader, details, "action"));

  gboolean taken = conversation->asking &&
                   relay_subscriptions_refused (conversation->subscriptions, request_id, action, code, message,
                                                g_get_monotonic_time (), g_random_double ());

  if (is_about_ping (conversation, request_id, action, code, taken) &&
      relay_link_take_pong (conversation->link) >= 0 && conversation->ping_sent)
    fail_pings (conversation, relay_error_from_server_code (code),
                *message != '\0' ? message : _("The server refused the ping."));
}

static void
take_pong (RelayConversation *conversation)
{
  gint64 rtt = relay_link_take_pong (conversation->link);

  /* The answer to a ping of liveness, sent before ours, tells the round trip just as well. */
  if (rtt >= 0 && conversation->ping_sent)
    answer_pings (conversation, (guint64) rtt, NULL);
}

static void
note_malformed (RelayConversation *conversation, const char *reason)
{
  gint64 now = g_get_monotonic_time ();

  conversation->status->malformed_dropped++;
  conversation->malformed_unlogged++;
  if (conversation->malformed_logged_usec != 0 &&
      now - conversation->malformed_logged_usec < RELAY_CONVERSATION_MALFORMED_LOG_USEC)
    return;
  relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_CONNECTION", conversation->id),
                    "Skipped %" G_GUINT64_FORMAT " message(s) of the server that cannot be read, the last one because: %s",
                    conversation->malformed_unlogged, reason);
  conversation->malformed_logged_usec = now;
  conversation->malformed_unlogged = 0;
}

/* An error is relayed as an event, and may be the answer to a question of ours, or the end of the token. */
static void
hear_error (RelayConversation *conversation, RelayEvent *event)
{
  g_autofree char *code = relay_event_dup_member (event, "code");
  g_autofree char *message = relay_event_dup_member (event, "message");
  RelayError error = relay_error_from_server_code (code);
  gboolean gone = FALSE;

  if (can_send (conversation))
    take_error (conversation, event, code, message);

  /* cppcheck-suppress autoVariables ; taken back below, if the conversation is still there */
  conversation->gone = &gone;
  conversation->events->event (conversation, event, conversation->user_data);
  if (gone)
    return;
  conversation->gone = NULL;

  if (!conversation->closing && (error == RELAY_ERROR_AUTH_FAILED || error == RELAY_ERROR_TOKEN_EXPIRED)) {
    g_autoptr (RelayTrouble) trouble = relay_trouble_from_server (code, message);

    conversation->events->token_refused (conversation, trouble, error == RELAY_ERROR_TOKEN_EXPIRED,
                                         conversation->user_data);
  }
}

/* Each branch that calls up does so last: the conversation may be gone afterwards. */
static void
hear (RelayConversation *conversation, RelayEvent *event)
{
  if (relay_event_kind_is_relayed (event->kind))
    conversation->status->events_received++;

  switch (event->kind) {
  case RELAY_EVENT_CONNECTION_ESTABLISHED:
    if (conversation->closing)
      break;
    take_server (conversation, event);
    if (!conversation->established)
      set_established (conversation);
    break;
  case RELAY_EVENT_SUBSCRIPTION_CONFIRMED:
    if (can_send (conversation) && conversation->asking)
      take_confirmation (conversation, event);
    break;
  case RELAY_EVENT_PONG:
    take_pong (conversation);
    break;
  case RELAY_EVENT_HEARTBEAT:
    break;
  case RELAY_EVENT_TOKEN_EXPIRED:
    if (!conversation->closing) {
      g_autoptr (RelayTrouble) trouble = relay_trouble_new (RELAY_CAUSE_TOKEN_EXPIRED, NULL);

      conversation->events->token_refused (conversation, trouble, TRUE, conversation->user_data);
    }
    break;
  case RELAY_EVENT_ERROR:
    hear_error (conversation, event);
    break;
  case RELAY_EVENT_PRP_CREATED:
  case RELAY_EVENT_PRP_UPDATED:
  case RELAY_EVENT_PRP_STATUS_CHANGED:
  case RELAY_EVENT_PRP_DELETED:
  case RELAY_EVENT_AGENT_ASSIGNED:
  case RELAY_EVENT_AGENT_PROGRESS:
  case RELAY_EVENT_OTHER:
  case RELAY_EVENT_N_KINDS:
    conversation->events->event (conversation, event, conversation->user_data);
    break;
  }
}

static void
on_message (RelayLink *link, const char *text, gsize length, gpointer user_data)
{
  RelayConversation *conversation = user_data;
  g_autoptr (GError) error = NULL;
  RelayEvent event;

  if (!relay_event_read (&event, &conversation->reader, text, length, &error)) {
    note_malformed (conversation, error->message);
    return;
  }
  event.received_usec = g_get_real_time ();

  if (!conversation->established && !conversation->closing && event.kind != RELAY_EVENT_CONNECTION_ESTABLISHED &&
      event.kind != RELAY_EVENT_ERROR && event.kind != RELAY_EVENT_TOKEN_EXPIRED) {
    gboolean gone = FALSE;

    conversation->gone = &gone;
    set_established (conversation);
    if (gone)
      return;
    conversation->gone = NULL;
  }
  hear (conversation, &event);
}

static void
on_unusable (RelayLink *link, const char *reason, gpointer user_data)
{
  note_malformed (user_data, reason);
}

static void
on_heard (RelayLink *link, gsize bytes, gpointer user_data)
{
  RelayConversation *conversation = user_data;

  conversation->status->bytes_received += bytes;
  conversation->status->last_alive_usec = (guint64) g_get_real_time ();
  conversation->events->heard (conversation, conversation->user_data);
}

static void
on_opened (RelayLink *link, gpointer user_data)
{
  RelayConversation *conversation = user_data;

  conversation->status->last_alive_usec = (guint64) g_get_real_time ();
  relay_turn_arm_in (conversation->established_timer, RELAY_CONVERSATION_ESTABLISHED_USEC);
}

/* Nothing is asked any more, nor answered. */
static void
end (RelayConversation *conversation)
{
  conversation->closing = TRUE;
  relay_turn_disarm (conversation->established_timer);
  relay_turn_disarm (conversation->sender);
  fail_pings (conversation, RELAY_ERROR_NOT_CONNECTED, _("The connection to the server was lost."));
}

static void
on_closed (RelayLink *link, const RelayTrouble *trouble, gpointer user_data)
{
  RelayConversation *conversation = user_data;

  end (conversation);
  conversation->events->closed (conversation, trouble, conversation->user_data);
}

static const RelayLinkEvents link_events = {
  .opened = on_opened,
  .heard = on_heard,
  .message = on_message,
  .unusable = on_unusable,
  .closed = on_closed,
};

/* ---- the interface ---- */

RelayConversation *
relay_conversation_new (const RelayLinkOptions *options, double actions_per_sec, RelayToken *token,
                        RelaySubscriptions *subscriptions, RelayStatus *status, const RelayConversationEvents *events,
                        gpointer user_data)
{
  RelayConversation *conversation = g_new0 (RelayConversation, 1);

  conversation->subscriptions = subscriptions;
  conversation->status = status;
  conversation->events = events;
  conversation->user_data = user_data;
  conversation->established_timer = relay_turn_new ("relay-conversation-established", on_established_timeout, conversation);
  conversation->sender = relay_turn_new ("relay-conversation-send", on_send, conversation);
  conversation->ping_timer = relay_turn_new ("relay-conversation-ping", on_ping_timeout, conversation);
  relay_pace_init (&conversation->pace, actions_per_sec, g_get_monotonic_time ());
  conversation->pong_timeout_usec = options->pong_timeout_usec;
  conversation->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
  conversation->id = g_strdup ("");
  conversation->version = g_strdup ("");
  conversation->link = relay_link_new (options, &link_events, conversation);
  relay_link_open (conversation->link, token);
  return conversation;
}

void
relay_conversation_free (RelayConversation *conversation)
{
  if (conversation == NULL)
    return;
  if (conversation->gone != NULL)
    *conversation->gone = TRUE;
  g_clear_pointer (&conversation->link, relay_link_free);
  end (conversation);
  relay_turn_free (conversation->established_timer);
  relay_turn_free (conversation->sender);
  relay_turn_free (conversation->ping_timer);
  g_array_unref (conversation->waiters);
  g_free (conversation->id);
  g_free (conversation->version);
  g_strfreev (conversation->features);
  relay_json_reader_clear (&conversation->reader);
  g_free (conversation);
}

void
relay_conversation_close (RelayConversation *conversation, guint code, const char *reason)
{
  end (conversation);
  relay_link_close (conversation->link, code, reason);
}

gboolean
relay_conversation_is_established (RelayConversation *conversation)
{
  return can_send (conversation);
}

void
relay_conversation_set_asking (RelayConversation *conversation, gboolean asking)
{
  conversation->asking = asking;
  if (asking)
    relay_conversation_wake (conversation);
}

void
relay_conversation_publish (RelayConversation *conversation)
{
  conversation->is_published = TRUE;
  relay_status_set_server (conversation->status, conversation->id, conversation->version,
                           (const char *const *) conversation->features);
}

void
relay_conversation_wake (RelayConversation *conversation)
{
  if (can_send (conversation))
    relay_turn_arm (conversation->sender);
}

void
relay_conversation_ping (RelayConversation *conversation, RelayPingCallback callback, gpointer user_data)
{
  Waiter waiter = { callback, user_data };
  g_autoptr (GError) error = NULL;

  if (!can_send (conversation))
    error = g_error_new_literal (RELAY_ERROR, RELAY_ERROR_NOT_CONNECTED, _("There is no connection to the server."));
  else if (conversation->waiters->len >= RELAY_CONVERSATION_MAX_PINGS)
    error = g_error_new_literal (RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED, _("Too many callers wait for a ping already."));
  if (error != NULL) {
    callback (0, error, user_data);
    return;
  }

  g_array_append_val (conversation->waiters, waiter);
  if (conversation->waiters->len == 1) {
    relay_turn_arm_in (conversation->ping_timer, conversation->pong_timeout_usec);
    relay_conversation_wake (conversation);
  }
}

void
relay_conversation_adopt_pings (RelayConversation *conversation, RelayConversation *from)
{
  g_autoptr (GArray) waiters = g_steal_pointer (&from->waiters);

  from->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
  for (guint i = 0; i < waiters->len; i++) {
    const Waiter *waiter = &g_array_index (waiters, Waiter, i);

    relay_conversation_ping (conversation, waiter->callback, waiter->user_data);
  }
}

void
relay_conversation_set_paused (RelayConversation *conversation, gboolean paused)
{
  relay_link_set_paused (conversation->link, paused);
}

void
relay_conversation_probe (RelayConversation *conversation, guint64 timeout_usec)
{
  relay_link_probe (conversation->link, timeout_usec);
}

gint64
relay_conversation_get_proof (RelayConversation *conversation)
{
  return relay_link_get_proof (conversation->link);
}

gint64
relay_conversation_get_proof_boottime (RelayConversation *conversation)
{
  return relay_link_get_proof_boottime (conversation->link);
}
