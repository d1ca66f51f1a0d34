/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/http.h"
#include "common/log.h"
#include "link/connector-private.h"

/*
 * The connection as a state machine. What goes on is the step, what others are shown is the state (status.h):
 *
 *   step      state                        leaves by
 *   OFF       disconnected, unauthorized   Connect, Reload, a changed token file
 *   WAITING   waiting, offline             the timer; Connect, Reload; and, unless the server said when, a
 *                                          changed token file, the network's return, the end of a sleep
 *   TOKEN     connecting                   a token: LINK; none: fail
 *   LINK      connecting                   established: UP; closed: fail
 *   UP        connected                    closed: fail
 *
 * When to connect is decided in attempts.c, with which token in renewal.c. While UP, another connection may be made, to take
 * over (handover.c): that is no step of its own, for what is shown is that we are connected, and so it is.
 *
 * A conversation that we close is retired: what still comes is relayed, until it has ended.
 */

/* ---- the conversation ---- */

void
relay_connector_leave_up (RelayConnector *connector)
{
  relay_turn_disarm (connector->stable_timer);
  relay_turn_disarm (connector->renewal_timer);
  relay_turn_disarm (connector->handover_timer);
  connector->is_stable = FALSE;
  connector->handover_wait_usec = 0;
  relay_status_set_connected_since (connector->status, 0);
  relay_status_set_server (connector->status, "", "", NULL);
}

gint64
relay_connector_lose_channels (RelayConnector *connector, const char *cause)
{
  gint64 proof_usec = relay_conversation_get_proof (connector->conversation);

  relay_coverage_tell (connector->coverage, TRUE);
  relay_coverage_set_alive (connector->coverage, proof_usec);
  relay_coverage_set_cause (connector->coverage, cause);
  relay_subscriptions_disconnected (connector->subscriptions);
  connector->unanswered_usec = 0;
  return proof_usec;
}

void
relay_connector_close (RelayConnector *connector, guint code, const char *reason, const char *cause)
{
  RelayConversation *conversation;
  gint64 lost_usec;

  relay_handover_abandon (connector, NULL, FALSE);
  if (connector->conversation == NULL)
    return;
  relay_connector_leave_up (connector);
  lost_usec = relay_connector_lose_channels (connector, cause);
  conversation = g_steal_pointer (&connector->conversation);
  relay_handover_retire (connector, conversation, code, reason, 0, lost_usec);
}

void
relay_connector_set_up (RelayConnector *connector)
{
  RelayStatus *status = connector->status;

  connector->step = STEP_UP;
  connector->is_stable = FALSE;
  connector->eager_until_usec = 0;
  relay_turn_arm_in (connector->stable_timer, connector->options.stable_usec != 0 ? connector->options.stable_usec
                                                                                  : RELAY_CONNECTOR_STABLE_USEC);
  relay_connector_watch_renewal (connector, RELAY_CONNECTOR_RENEWAL_MIN_USEC);
  status->connections++;
  relay_conversation_publish (connector->conversation);
  relay_status_set_error (status, "", "");
  relay_status_set_connected_since (status, (guint64) g_get_real_time ());
  relay_status_set_state (status, RELAY_STATE_CONNECTED);
  g_clear_pointer (&connector->logged_topic, g_free);
  relay_log_fields (LOG_INFO,
                    RELAY_LOG_FIELDS ("PRP_STATE", relay_state_to_string (status->state), "PRP_CONNECTION",
                                      status->connection_id, "PRP_URL", connector->peer),
                    "Connected to %s", connector->peer);

  if (connector->recheck) {
    connector->recheck = FALSE;
    relay_connector_check_token (connector);
  }
}

static void
on_established (RelayConversation *conversation, gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (conversation == connector->next) {
    relay_handover_take_established (connector);
  } else if (conversation == connector->conversation) {
    relay_connector_set_up (connector);
    relay_subscriptions_connected (connector->subscriptions);
    relay_conversation_set_asking (conversation, TRUE);
  }
}

static void
on_stable (gpointer user_data)
{
  RelayConnector *connector = user_data;

  connector->is_stable = TRUE;
  connector->n_setbacks = 0;
  relay_status_set_attempts (connector->status, 0);
  connector->n_renewals = 0;
  if (connector->next == NULL && connector->refused == NULL && connector->verdict == NULL)
    relay_connector_forget_refusals (connector);
}

static void
on_event (RelayConversation *conversation, RelayEvent *event, gpointer user_data)
{
  RelayConnector *connector = user_data;

  connector->events->event (event, connector->user_data);
}

static void
on_token_refused (RelayConversation *conversation, const RelayTrouble *trouble, gboolean expired, gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (conversation == connector->conversation && connector->step == STEP_UP) {
    relay_connector_take_refusal (connector, connector->token, trouble, expired);
  } else if (conversation == connector->conversation) {
    /* Before it was established: as if the handshake had been answered so. */
    relay_connector_close (connector, 1000, "the token is no longer good", g_intern_string (trouble->code));
    relay_connector_fail (connector, trouble);
  } else if (conversation == connector->next && expired) {
    g_autoptr (RelayToken) token = relay_token_ref (connector->next_token);

    relay_handover_abandon (connector, NULL, FALSE);
    relay_connector_take_refusal (connector, token, trouble, TRUE);
  } else if (conversation == connector->next) {
    relay_handover_abandon (connector, trouble, FALSE);
  }
}

static void
on_heard (RelayConversation *conversation, gpointer user_data)
{
  RelayConnector *connector = user_data;
  gint64 now = g_get_monotonic_time ();

  if (conversation != connector->conversation || connector->step != STEP_UP ||
      now - connector->alive_told_usec < RELAY_CONNECTOR_ALIVE_USEC)
    return;
  connector->alive_told_usec = now;
  connector->events->alive (connector->user_data);
}

static void
on_closed (RelayConversation *conversation, const RelayTrouble *trouble, gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (relay_handover_take_end (connector, conversation)) {
    if (connector->stopping)
      relay_connector_check_stopped (connector);
  } else if (conversation == connector->next) {
    relay_handover_abandon (connector, trouble, TRUE);
  } else if (!relay_handover_rescue (connector, trouble)) {
    relay_connector_lose_channels (connector, g_intern_string (trouble->code));
    g_clear_pointer (&connector->conversation, relay_conversation_free);
    relay_connector_fail (connector, trouble);
  }
}

const RelayConversationEvents relay_connector_conversation_events = {
  .established = on_established,
  .event = on_event,
  .token_refused = on_token_refused,
  .heard = on_heard,
  .closed = on_closed,
};

void
relay_connector_open (RelayConnector *connector, RelayToken *token)
{
  connector->step = STEP_LINK;
  g_clear_pointer (&connector->token, relay_token_unref);
  connector->token = relay_token_ref (token);
  relay_connector_set_renewal (connector);
  relay_status_set_state (connector->status, RELAY_STATE_CONNECTING);
  connector->conversation = relay_conversation_new (&connector->options.link, connector->options.actions_per_sec, token,
                                                    connector->subscriptions, connector->status,
                                                    &relay_connector_conversation_events, connector);
  relay_conversation_set_paused (connector->conversation, connector->paused);
}

/* ---- the channels ---- */

/* There may be something to ask. */
static void
on_wake (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->conversation != NULL)
    relay_conversation_wake (connector->conversation);
  if (connector->next != NULL)
    relay_conversation_wake (connector->next);
}

static void
on_channel_changed (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (change & (RELAY_CHANNEL_ANSWERED | RELAY_CHANNEL_REMOVED))
    relay_turn_arm (connector->answers_turn);
}

/* What was missed is told when all is answered. But a server that has us wait, or callers that never cease to ask for channels,
 * are not to keep it from those who wait for it. */
static void
tell_gaps (RelayConnector *connector)
{
  guint64 patience = connector->options.gap_usec != 0 ? connector->options.gap_usec : RELAY_CONNECTOR_GAP_USEC;
  gint64 now = g_get_monotonic_time ();
  gboolean is_time;

  if (connector->step != STEP_UP || relay_subscriptions_is_settled (connector->subscriptions))
    connector->unanswered_usec = 0;
  else if (connector->unanswered_usec == 0)
    connector->unanswered_usec = now;
  is_time = connector->unanswered_usec != 0 && now - connector->unanswered_usec >= (gint64) patience;
  relay_coverage_tell (connector->coverage, is_time);
  if (is_time)
    connector->unanswered_usec = now;
}

/* The server has answered, for some channels or all: is it time to tell what was missed, or to hand over? What it does not
 * answer at all is known as that only later, without a word of anybody's. */
static void
on_answers (gpointer user_data)
{
  RelayConnector *connector = user_data;

  tell_gaps (connector);
  relay_handover_check (connector);
  if (connector->unanswered_usec != 0)
    relay_turn_arm_in (connector->answers_turn, RELAY_CONNECTOR_ANSWERS_CHECK_USEC);
}

/* ---- options ---- */

static void
take_url (RelayConnector *connector)
{
  g_autoptr (GUri) uri = g_uri_parse (connector->options.link.url, G_URI_FLAGS_NONE, NULL);

  /* Configuration has checked it, so that it parses, has a host, and neither password nor fragment. */
  g_free (connector->peer);
  connector->peer = g_strndup (connector->options.link.url, strcspn (connector->options.link.url, "?"));
  connector->is_loopback = uri != NULL && g_uri_get_host (uri) != NULL && relay_http_host_is_loopback (g_uri_get_host (uri));
  relay_status_set_url (connector->status, connector->peer);
}

void
relay_connector_options_clear (RelayConnectorOptions *options)
{
  relay_link_options_clear (&options->link);
  relay_token_options_clear (&options->tokens);
}

void
relay_connector_options_copy (const RelayConnectorOptions *options, RelayConnectorOptions *ret_copy)
{
  *ret_copy = *options;
  relay_link_options_copy (&options->link, &ret_copy->link);
  relay_token_options_copy (&options->tokens, &ret_copy->tokens);
}

/* ---- the interface ---- */

RelayConnector *
relay_connector_new (const RelayConnectorOptions *options, RelaySubscriptions *subscriptions, RelayCoverage *coverage,
                     RelayStatus *status, const RelayConnectorEvents *events, gpointer user_data)
{
  RelayConnector *connector = g_new0 (RelayConnector, 1);

  relay_connector_options_copy (options, &connector->options);
  connector->subscriptions = subscriptions;
  connector->coverage = coverage;
  connector->status = status;
  connector->events = events;
  connector->user_data = user_data;
  connector->has_network = TRUE;
  connector->alive_told_usec = G_MININT64 / 2;
  connector->attempt_timer = relay_turn_new ("relay-connector-attempt", relay_connector_on_attempt, connector);
  connector->stable_timer = relay_turn_new ("relay-connector-stable", on_stable, connector);
  connector->renewal_timer = relay_turn_new ("relay-connector-renewal", relay_connector_on_renewal, connector);
  connector->handover_timer = relay_turn_new ("relay-connector-handover", relay_handover_on_timer, connector);
  connector->answers_turn = relay_turn_new ("relay-connector-answers", on_answers, connector);
  connector->retired = g_array_new (FALSE, FALSE, sizeof (Retired));
  connector->tokens = relay_tokens_new (&connector->options.tokens, relay_connector_on_tokens_changed, connector);
  take_url (connector);
  relay_subscriptions_set_wake (subscriptions, on_wake, connector);
  relay_subscriptions_watch (subscriptions, on_channel_changed, connector);
  return connector;
}

void
relay_connector_free (RelayConnector *connector)
{
  if (connector == NULL)
    return;
  relay_subscriptions_set_wake (connector->subscriptions, NULL, NULL);
  relay_subscriptions_unwatch (connector->subscriptions, on_channel_changed, connector);
  g_clear_pointer (&connector->conversation, relay_conversation_free);
  g_clear_pointer (&connector->next, relay_conversation_free);
  for (guint i = 0; i < connector->retired->len; i++)
    relay_conversation_free (g_array_index (connector->retired, Retired, i).conversation);
  g_array_unref (connector->retired);
  relay_tokens_free (connector->tokens);
  relay_turn_free (connector->attempt_timer);
  relay_turn_free (connector->stable_timer);
  relay_turn_free (connector->renewal_timer);
  relay_turn_free (connector->handover_timer);
  relay_turn_free (connector->answers_turn);
  g_clear_pointer (&connector->token, relay_token_unref);
  g_clear_pointer (&connector->next_token, relay_token_unref);
  g_clear_pointer (&connector->refused, relay_token_unref);
  g_clear_pointer (&connector->verdict, relay_trouble_free);
  relay_connector_options_clear (&connector->options);
  g_free (connector->peer);
  g_free (connector->logged_topic);
  g_free (connector);
}

void
relay_connector_start (RelayConnector *connector)
{
  relay_connector_begin_attempt (connector);
}

/* What must not be broken off: the goodbye, and a refresh, whose answer may hold the only good refresh token. */
void
relay_connector_check_stopped (RelayConnector *connector)
{
  if (connector->retired->len == 0 && !relay_tokens_is_refreshing (connector->tokens))
    relay_turn_arm (connector->attempt_timer);
}

void
relay_connector_stop (RelayConnector *connector, RelayConnectorStopped stopped, gpointer user_data)
{
  g_return_if_fail (!connector->stopping);

  connector->stopping = TRUE;
  connector->stopped = stopped;
  connector->stopped_data = user_data;
  relay_connector_turn_off (connector, RELAY_STATE_DISCONNECTED);
  relay_connector_close (connector, 1001, "going away", RELAY_GAP_CAUSE_RESTARTED);
  relay_turn_arm_in (connector->attempt_timer, RELAY_CONNECTOR_STOP_USEC);
  if (relay_tokens_is_refreshing (connector->tokens) && connector->request == REQUEST_NONE)
    relay_connector_request_token (connector);
  relay_connector_check_stopped (connector);
}

void
relay_connector_connect (RelayConnector *connector)
{
  if (connector->stopping || (connector->step != STEP_OFF && connector->step != STEP_WAITING))
    return;
  if (connector->step == STEP_OFF) {
    relay_connector_forget_refusals (connector);
    connector->n_setbacks = 0;
    relay_status_set_attempts (connector->status, 0);
  }
  relay_connector_begin_attempt (connector);
}

void
relay_connector_disconnect (RelayConnector *connector)
{
  if (connector->stopping)
    return;
  connector->gave_up = FALSE;
  relay_connector_turn_off (connector, RELAY_STATE_DISCONNECTED);
  relay_connector_close (connector, 1000, "disconnected by the user", RELAY_GAP_CAUSE_DISCONNECTED);
  relay_log_fields (LOG_INFO, RELAY_LOG_FIELDS ("PRP_STATE", relay_state_to_string (connector->status->state)),
                    "Disconnected until asked to connect");
}

/* The same server, with other options: they count from the next connection on. */
static void
reconsider (RelayConnector *connector)
{
  relay_turn_disarm (connector->renewal_timer);
  relay_handover_abandon (connector, NULL, FALSE);
  connector->handover_wait_usec = 0; /* who asks does not want to wait */
  relay_connector_watch_renewal (connector, RELAY_CONNECTOR_RENEWAL_MIN_USEC);
  relay_connector_check_token (connector);
}

void
relay_connector_configure (RelayConnector *connector, const RelayConnectorOptions *options)
{
  RelayConnectorOptions old = connector->options;
  gboolean another_server, is_refused;

  if (connector->stopping)
    return;
  relay_connector_options_copy (options, &connector->options);
  another_server = g_strcmp0 (old.link.url, options->link.url) != 0 || g_strcmp0 (old.link.ca_file, options->link.ca_file) != 0;
  relay_tokens_configure (connector->tokens, &connector->options.tokens);
  connector->request = REQUEST_NONE;
  relay_connector_options_clear (&old);
  take_url (connector);
  is_refused = connector->refused != NULL && connector->step == STEP_UP && !another_server &&
               relay_token_equal (connector->refused, connector->token);
  relay_connector_forget_refusals (connector);
  /* The token in use is to be replaced in any case: the server will not say so again. */
  if (is_refused)
    relay_connector_set_refused (connector, connector->token, connector->refused_expired);
  relay_subscriptions_ask_again (connector->subscriptions);

  switch (connector->step) {
  case STEP_OFF:
    if (connector->status->state == RELAY_STATE_UNAUTHORIZED || connector->gave_up)
      relay_connector_connect (connector);
    break;
  case STEP_UP:
    if (!another_server) {
      reconsider (connector);
      break;
    }
    G_GNUC_FALLTHROUGH;
  case STEP_LINK:
  case STEP_TOKEN:
  case STEP_WAITING:
    relay_connector_close (connector, 1000, "the configuration has changed", RELAY_GAP_CAUSE_RECONFIGURED);
    relay_connector_begin_attempt (connector);
    break;
  }
}

void
relay_connector_ping (RelayConnector *connector, RelayPingCallback callback, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (connector->step == STEP_UP) {
    relay_conversation_ping (connector->conversation, callback, user_data);
    return;
  }
  error = g_error_new_literal (RELAY_ERROR, RELAY_ERROR_NOT_CONNECTED, _("There is no connection to the server."));
  callback (0, error, user_data);
}

void
relay_connector_set_paused (RelayConnector *connector, gboolean paused)
{
  connector->paused = paused;
  if (connector->conversation != NULL)
    relay_conversation_set_paused (connector->conversation, paused);
  if (connector->next != NULL)
    relay_conversation_set_paused (connector->next, paused);
  for (guint i = 0; i < connector->retired->len; i++)
    relay_conversation_set_paused (g_array_index (connector->retired, Retired, i).conversation, paused);
}

gint64
relay_connector_get_alive (RelayConnector *connector)
{
  if (connector->step != STEP_UP)
    return 0;
  return relay_handover_get_alive (connector, relay_conversation_get_proof (connector->conversation));
}

gboolean
relay_connector_is_trying (RelayConnector *connector)
{
  switch (connector->status->state) {
  case RELAY_STATE_CONNECTING:
  case RELAY_STATE_CONNECTED:
  case RELAY_STATE_WAITING:
    return TRUE;
  case RELAY_STATE_OFFLINE:
  case RELAY_STATE_UNAUTHORIZED:
  case RELAY_STATE_DISCONNECTED:
    return FALSE;
  default:
    g_assert_not_reached ();
  }
}
