/* SPDX-License-Identifier: MIT */
#include "link/connector.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/http.h"
#include "common/log.h"
#include "common/turn.h"
#include "link/backoff.h"

/*
 * The connection as a state machine. What goes on is the step, what others are shown is the state (status.h):
 *
 *   step      state                        leaves by
 *   OFF       disconnected, unauthorized   Connect, Reload, a changed token file
 *   WAITING   waiting, offline             the timer; Connect, Reload; and, unless the server said when, a
 *                                          changed token file, the network's return
 *   TOKEN     connecting                   a token: LINK; none: fail()
 *   LINK      connecting                   established: UP; closed: fail()
 *   UP        connected                    closed: fail(); refused or another token: TOKEN
 *
 * begin_attempt() is the only way into TOKEN from a standstill, plan_attempt() the only place that decides on a
 * later attempt, fail() the only place that judges a trouble.
 *
 * There is one conversation at a time. One that we close stays (`is_closing`) until it has ended, be it for a new token,
 * Disconnect or the daemon's end; meanwhile the step is already the next one's, and a token that comes is kept in
 * `next_token` until the place is free: break before make.
 *
 * A refused token is kept in `refused` until there is another one; as long as it is, an attempt begins with a
 * renewal, so that the server never sees a token again that it refused. `renewed` says that the token in use is
 * the fruit of that: if it is refused too, nothing but new credentials can help.
 *
 * While connected, a token may be asked for as well (a renewal ahead of its end, credentials that changed): `request` says
 * which, and whatever comes of it, the connection at hand stays until there is another token in hand.
 */
typedef enum { STEP_OFF, STEP_WAITING, STEP_TOKEN, STEP_LINK, STEP_UP } Step;
typedef enum { REQUEST_NONE, REQUEST_GET, REQUEST_RENEW } Request;

struct RelayConnector {
  RelayConnectorOptions options;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayConnectorEvent event;
  gpointer user_data;
  char *peer; /* where to, as it is shown: the URL without its query, which may hold a secret */
  gboolean is_loopback;

  Step step;
  gboolean gave_up; /* OFF by max_attempts */
  gboolean must_wait; /* WAITING for as long as was asked: not to be hastened */
  gboolean server_busy; /* it was the server that asked, not the token endpoint: another token hastens nothing */
  GSource *attempt_timer;

  RelayConversation *conversation;
  gboolean is_closing;
  gboolean is_stable;
  GSource *stable_timer;
  gboolean paused;

  RelayTokens *tokens;
  Request request;
  RelayToken *token;      /* of the conversation */
  RelayToken *next_token; /* to connect with when the old conversation has ended */
  RelayToken *refused;
  gboolean refused_expired;
  gboolean renewed;
  guint n_renewals; /* in a row without a stable connection */
  gboolean recheck; /* the credentials changed while connecting */
  gint64 renewal_usec; /* CLOCK_REALTIME when to renew `token`, 0 if its end is unknown, or not to be believed */
  gboolean clock_doubted; /* a token that was renewed ahead of its end gave one that seems at its end as well */
  GSource *renewal_timer;

  GNetworkMonitor *monitor; /* NULL if the server is on this machine */
  gulong monitor_handler;
  gboolean network_available;

  char *logged_topic; /* code and state of the last trouble that was logged, NULL since connected */
  gboolean stopping;
  RelayConnectorStopped stopped;
  gpointer stopped_data;
};

static void begin_attempt (RelayConnector *connector);
static void open_next (RelayConnector *connector);
static void on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data);

/* ---- what is shown ---- */

/* What happens next, and why. Repeated attempts that fail for the same reason are told once until connected again. */
static void
log_trouble (RelayConnector *connector, const RelayTrouble *trouble, const char *next)
{
  const char *state = relay_state_to_string (connector->status->state);
  g_autofree char *topic = g_strconcat (trouble->code, " ", state, NULL);
  int level = g_strcmp0 (connector->logged_topic, topic) != 0 ? LOG_WARNING : LOG_DEBUG;

  relay_log_fields (level, RELAY_LOG_FIELDS ("PRP_STATE", state, "PRP_CODE", trouble->code, "PRP_URL", connector->peer),
                    "%s (%s): %s", next, trouble->code, trouble->text);
  g_free (connector->logged_topic);
  connector->logged_topic = g_steal_pointer (&topic);
}

/* The conversation is no longer one to rely on: it ended, or we end it. */
static void
leave_up (RelayConnector *connector)
{
  relay_turn_disarm (connector->stable_timer);
  relay_turn_disarm (connector->renewal_timer);
  connector->is_stable = FALSE;
  relay_status_set_connected_since (connector->status, 0);
  relay_status_set_server (connector->status, "", "", NULL);
}

static void
close_conversation (RelayConnector *connector, guint code, const char *reason)
{
  if (connector->conversation == NULL || connector->is_closing)
    return;
  leave_up (connector);
  connector->is_closing = TRUE;
  relay_conversation_close (connector->conversation, code, reason);
}

/* Nothing is under way or ahead any more. */
static void
turn_off (RelayConnector *connector, RelayState state)
{
  connector->step = STEP_OFF;
  relay_turn_disarm (connector->attempt_timer);
  g_clear_pointer (&connector->next_token, relay_token_unref);
  relay_status_set_next_attempt (connector->status, 0);
  relay_status_set_state (connector->status, state);
}

/* ---- planning ---- */

static gboolean
is_network_trouble (const RelayTrouble *trouble)
{
  return g_str_equal (trouble->code, "DNS") || g_str_equal (trouble->code, "UNREACHABLE");
}

/* The only place that decides on a later attempt: in @delay_usec. */
static void
plan_attempt (RelayConnector *connector, guint64 delay_usec, RelayState state)
{
  connector->step = STEP_WAITING;
  relay_turn_arm_in (connector->attempt_timer, delay_usec);
  relay_status_set_next_attempt (connector->status, (guint64) g_get_real_time () + delay_usec);
  relay_status_set_state (connector->status, state);
}

static void
give_up (RelayConnector *connector, const RelayTrouble *trouble)
{
  g_autofree char *text =
      g_strdup_printf (_("Gave up after %u failed attempts; `prpctl connect` tries again. The last error was: %s"),
                       connector->status->attempts, trouble->text);

  connector->gave_up = TRUE;
  relay_status_set_error (connector->status, trouble->code, text);
  turn_off (connector, RELAY_STATE_DISCONNECTED);
  log_trouble (connector, trouble, "Gave up until asked to connect");
}

/* After @trouble it is worth another attempt, some time: when, or no more? */
static void
plan_after (RelayConnector *connector, const RelayTrouble *trouble)
{
  guint n_failed = connector->status->attempts;
  guint64 delay = relay_backoff_delay (connector->options.initial_delay_usec, connector->options.max_delay_usec,
                                       n_failed > 0 ? n_failed - 1 : 0, g_random_double ());
  gboolean offline = connector->monitor != NULL && is_network_trouble (trouble) &&
                     !g_network_monitor_get_network_available (connector->monitor);
  g_autofree char *next = NULL;

  if (connector->options.max_attempts > 0 && n_failed >= connector->options.max_attempts) {
    give_up (connector, trouble);
    return;
  }

  connector->must_wait = trouble->remedy == RELAY_REMEDY_RETRY_AFTER && trouble->retry_after_usec > 0;
  connector->server_busy = connector->must_wait && connector->step != STEP_TOKEN;
  if (connector->must_wait)
    delay = MAX (delay, trouble->retry_after_usec);
  plan_attempt (connector, delay, offline ? RELAY_STATE_OFFLINE : RELAY_STATE_WAITING);

  next = g_strdup_printf ("Next attempt in %.1f s%s", (double) delay / G_USEC_PER_SEC,
                          offline ? ", or when the network is back" : "");
  log_trouble (connector, trouble, next);
}

static void
set_unauthorized (RelayConnector *connector, const RelayTrouble *trouble)
{
  relay_status_set_error (connector->status, trouble->code, trouble->text);
  relay_status_set_token_expires (connector->status, 0);
  turn_off (connector, RELAY_STATE_UNAUTHORIZED);
  log_trouble (connector, trouble, "Waiting for other credentials, or to be asked to connect");
}

/* The token in use is no good. */
static void
set_refused (RelayConnector *connector, gboolean expired)
{
  g_clear_pointer (&connector->refused, relay_token_unref);
  connector->refused = relay_token_ref (connector->token);
  connector->refused_expired = expired;
}

static void
forget_refusals (RelayConnector *connector)
{
  g_clear_pointer (&connector->refused, relay_token_unref);
  connector->renewed = FALSE;
  connector->n_renewals = 0;
}

/* An attempt came to nothing, or the connection was lost. */
static void
fail (RelayConnector *connector, const RelayTrouble *trouble)
{
  gboolean was_attempt = connector->step != STEP_TOKEN || trouble->remedy != RELAY_REMEDY_STOP;

  if (was_attempt && !connector->is_stable)
    relay_status_set_attempts (connector->status, connector->status->attempts + 1);
  leave_up (connector);
  relay_status_set_error (connector->status, trouble->code, trouble->text);

  switch (trouble->remedy) {
  case RELAY_REMEDY_RENEW:
    if (connector->token == NULL || connector->renewed) {
      set_unauthorized (connector, trouble);
    } else {
      set_refused (connector, FALSE);
      begin_attempt (connector);
      log_trouble (connector, trouble, "Renewing the token");
    }
    break;
  case RELAY_REMEDY_STOP:
    set_unauthorized (connector, trouble);
    break;
  case RELAY_REMEDY_RETRY:
  case RELAY_REMEDY_RETRY_AFTER:
    plan_after (connector, trouble);
    break;
  }
}

/* ---- tokens ---- */

/* Takes the place of what was asked before; a renewal under way is not broken off by that (token.h). */
static void
request_token (RelayConnector *connector)
{
  if (connector->refused != NULL) {
    connector->request = REQUEST_RENEW;
    relay_tokens_renew (connector->tokens, connector->refused, connector->refused_expired, on_token, connector);
  } else {
    connector->request = REQUEST_GET;
    relay_tokens_get (connector->tokens, on_token, connector);
  }
}

/* The renewal ahead, in @min_usec at the earliest. */
static void
watch_renewal (RelayConnector *connector, guint64 min_usec)
{
  gint64 left = connector->renewal_usec - g_get_real_time ();

  if (connector->renewal_usec == 0 || !relay_tokens_can_renew (connector->tokens))
    return;
  relay_turn_arm_in (connector->renewal_timer,
                   MAX (min_usec, (guint64) CLAMP (left, 0, RELAY_CONNECTOR_RENEWAL_CHECK_USEC)));
}

static void
on_renewal (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (g_get_real_time () < connector->renewal_usec) {
    watch_renewal (connector, 0);
  } else if (connector->request != REQUEST_RENEW) {
    connector->request = REQUEST_RENEW;
    relay_tokens_renew (connector->tokens, connector->token, FALSE, on_token, connector);
  }
}

/* Is there another token than the one in use? */
static void
check_token (RelayConnector *connector)
{
  if (connector->request == REQUEST_NONE)
    request_token (connector);
}

/* ---- the conversation ---- */

static void
on_established (RelayConversation *conversation, gpointer user_data)
{
  RelayConnector *connector = user_data;
  RelayStatus *status = connector->status;

  connector->step = STEP_UP;
  relay_turn_arm_in (connector->stable_timer, connector->options.stable_usec != 0 ? connector->options.stable_usec
                                                                                : RELAY_CONNECTOR_STABLE_USEC);
  watch_renewal (connector, RELAY_CONNECTOR_RENEWAL_MIN_USEC);
  status->connections++;
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
    check_token (connector);
  }
}

static void
on_stable (gpointer user_data)
{
  RelayConnector *connector = user_data;

  connector->is_stable = TRUE;
  relay_status_set_attempts (connector->status, 0);
  forget_refusals (connector);
}

static void
on_event (RelayConversation *conversation, RelayEvent *event, gpointer user_data)
{
  RelayConnector *connector = user_data;

  connector->event (event, connector->user_data);
}

static void
on_token_refused (RelayConversation *conversation, const RelayTrouble *trouble, gboolean expired, gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->is_closing)
    return;
  set_refused (connector, expired);
  close_conversation (connector, 1000, "the token is no longer good");
  relay_status_set_error (connector->status, trouble->code, trouble->text);

  if (!expired && connector->renewed) {
    set_unauthorized (connector, trouble);
  } else if (connector->n_renewals++ < RELAY_CONNECTOR_QUICK_RENEWALS) {
    begin_attempt (connector);
    log_trouble (connector, trouble, "Renewing the token");
  } else {
    /* The server takes each new token for a moment only: no hurry. */
    relay_status_set_attempts (connector->status, connector->status->attempts + 1);
    plan_after (connector, trouble);
  }
}

/* What must not be broken off: the goodbye, and a refresh, whose answer may hold the only good refresh token. */
static void
check_stopped (RelayConnector *connector)
{
  if (connector->conversation == NULL && !relay_tokens_is_refreshing (connector->tokens))
    relay_turn_arm (connector->attempt_timer);
}

/* The old conversation is gone, and whoever waited for that goes on. */
static void
on_closed (RelayConversation *conversation, const RelayTrouble *trouble, gpointer user_data)
{
  RelayConnector *connector = user_data;
  gboolean was_asked = connector->is_closing;

  g_clear_pointer (&connector->conversation, relay_conversation_free);
  connector->is_closing = FALSE;

  if (connector->stopping)
    check_stopped (connector);
  else if (!was_asked)
    fail (connector, trouble);
  else if (connector->next_token != NULL)
    open_next (connector);
}

static const RelayConversationEvents conversation_events = {
  .established = on_established,
  .event = on_event,
  .token_refused = on_token_refused,
  .closed = on_closed,
};

/* Where our clock is ahead of the server's, each token comes with its end in the past. To renew that one ahead of its
 * end too would be a loop, so the server's word is waited for. */
static void
set_renewal (RelayConnector *connector)
{
  connector->renewal_usec = relay_token_get_renewal (connector->token, g_random_double ());
  if (connector->renewal_usec > g_get_real_time ())
    connector->clock_doubted = FALSE;
  else if (connector->clock_doubted)
    connector->renewal_usec = 0;
}

/* Connects with next_token, as soon as there is nothing in the way. */
static void
open_next (RelayConnector *connector)
{
  if (connector->conversation != NULL)
    return;
  connector->step = STEP_LINK;
  g_clear_pointer (&connector->token, relay_token_unref);
  connector->token = g_steal_pointer (&connector->next_token);
  set_renewal (connector);
  relay_status_set_token_expires (connector->status, (guint64) relay_token_get_expires (connector->token));
  connector->conversation = relay_conversation_new (&connector->options.link, connector->options.actions_per_sec,
                                                    connector->token, connector->subscriptions, connector->status,
                                                    &conversation_events, connector);
  relay_conversation_set_paused (connector->conversation, connector->paused);
}

/* Goes on with @token: a step from any other but OFF and WAITING. */
static void
use_token (RelayConnector *connector, RelayToken *token)
{
  connector->step = STEP_TOKEN;
  if (connector->refused != NULL)
    connector->renewed = TRUE;
  g_clear_pointer (&connector->refused, relay_token_unref);
  g_clear_pointer (&connector->next_token, relay_token_unref);
  connector->next_token = relay_token_ref (token);
  relay_status_set_state (connector->status, RELAY_STATE_CONNECTING);
  open_next (connector);
}

/* While connected: a renewal ahead of the token's end, or a look at changed credentials. Whatever comes of it,
 * the connection at hand is good. */
static void
take_token_while_up (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble, Request request)
{
  if (token != NULL && !relay_token_equal (token, connector->token)) {
    relay_info ("There is a new token: connecting anew with it");
    if (request == REQUEST_RENEW && relay_token_is_due (token)) {
      connector->clock_doubted = TRUE;
      relay_warning ("The new token seems to be at its end, too; is the clock right? The server has the last word");
    }
    close_conversation (connector, 1000, "reconnecting with a new token");
    connector->renewed = FALSE;
    use_token (connector, token);
  } else if (token == NULL) {
    gboolean again = request == REQUEST_RENEW && trouble->remedy != RELAY_REMEDY_STOP;

    relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_CODE", trouble->code),
                      "The present connection stays, but there is no new token: %s: %s", trouble->code, trouble->text);
    if (again)
      watch_renewal (connector, MAX (RELAY_CONNECTOR_RENEWAL_RETRY_USEC, trouble->retry_after_usec));
  }
}

static void
on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  RelayConnector *connector = user_data;
  Request request = connector->request;

  connector->request = REQUEST_NONE;
  if (connector->stopping) {
    check_stopped (connector);
    return;
  }
  switch (connector->step) {
  case STEP_TOKEN:
    if (token != NULL)
      use_token (connector, token);
    else
      fail (connector, trouble);
    break;
  case STEP_UP:
    take_token_while_up (connector, token, trouble, request);
    break;
  case STEP_OFF:
  case STEP_WAITING:
  case STEP_LINK:
    /* Nobody waits for it any more; the next one who asks is given it. */
    if (token != NULL && connector->refused != NULL && !relay_token_equal (token, connector->refused))
      g_clear_pointer (&connector->refused, relay_token_unref);
    break;
  }
}

/* The credentials' file changed. */
static void
on_tokens_changed (gpointer user_data)
{
  RelayConnector *connector = user_data;

  switch (connector->step) {
  case STEP_OFF:
    if (connector->stopping || connector->status->state != RELAY_STATE_UNAUTHORIZED)
      break;
    G_GNUC_FALLTHROUGH;
  case STEP_WAITING:
    forget_refusals (connector);
    if (connector->step == STEP_WAITING && connector->server_busy)
      break;
    relay_info ("The credentials have changed: connecting");
    begin_attempt (connector);
    break;
  case STEP_UP:
    check_token (connector);
    break;
  case STEP_TOKEN:
  case STEP_LINK:
    connector->recheck = TRUE;
    break;
  }
}

/* ---- attempts ---- */

static void
begin_attempt (RelayConnector *connector)
{
  connector->step = STEP_TOKEN;
  connector->gave_up = FALSE;
  g_clear_pointer (&connector->next_token, relay_token_unref);
  relay_turn_disarm (connector->attempt_timer);
  relay_status_set_next_attempt (connector->status, 0);
  relay_status_set_state (connector->status, RELAY_STATE_CONNECTING);
  request_token (connector);
}

/* The time has come: for the next attempt, or to say that all is stopped. */
static void
on_attempt (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->stopping)
    connector->stopped (connector->stopped_data);
  else
    begin_attempt (connector);
}

static void
on_network_changed (GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
  RelayConnector *connector = user_data;
  gboolean is_back = available && !connector->network_available;
  gint64 now = g_get_monotonic_time ();
  guint64 delay = (guint64) (g_random_double () * RELAY_CONNECTOR_HASTE_USEC);

  connector->network_available = available;
  if (!is_back || connector->step != STEP_WAITING || connector->must_wait ||
      g_source_get_ready_time (connector->attempt_timer) <= now + (gint64) delay)
    return;
  relay_info ("The network is back: connecting");
  plan_attempt (connector, delay, RELAY_STATE_WAITING);
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

/* A network reported as down says nothing about a server on this machine. */
static void
watch_network (RelayConnector *connector)
{
  if (connector->is_loopback || connector->monitor != NULL)
    return;
  connector->monitor = g_object_ref (g_network_monitor_get_default ());
  connector->network_available = g_network_monitor_get_network_available (connector->monitor);
  connector->monitor_handler =
      g_signal_connect (connector->monitor, "network-changed", G_CALLBACK (on_network_changed), connector);
}

static void
unwatch_network (RelayConnector *connector)
{
  if (connector->monitor != NULL)
    g_clear_signal_handler (&connector->monitor_handler, connector->monitor);
  g_clear_object (&connector->monitor);
}

static void
on_wake (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->conversation != NULL)
    relay_conversation_wake (connector->conversation);
}

/* ---- the interface ---- */

RelayConnector *
relay_connector_new (const RelayConnectorOptions *options, RelaySubscriptions *subscriptions, RelayStatus *status,
                     RelayConnectorEvent event, gpointer user_data)
{
  RelayConnector *connector = g_new0 (RelayConnector, 1);

  relay_connector_options_copy (options, &connector->options);
  connector->subscriptions = subscriptions;
  connector->status = status;
  connector->event = event;
  connector->user_data = user_data;
  connector->attempt_timer = relay_turn_new ("relay-connector-attempt", on_attempt, connector);
  connector->stable_timer = relay_turn_new ("relay-connector-stable", on_stable, connector);
  connector->renewal_timer = relay_turn_new ("relay-connector-renewal", on_renewal, connector);
  connector->tokens = relay_tokens_new (&connector->options.tokens, on_tokens_changed, connector);
  take_url (connector);
  relay_subscriptions_set_wake (subscriptions, on_wake, connector);
  return connector;
}

void
relay_connector_free (RelayConnector *connector)
{
  if (connector == NULL)
    return;
  relay_subscriptions_set_wake (connector->subscriptions, NULL, NULL);
  unwatch_network (connector);
  g_clear_pointer (&connector->conversation, relay_conversation_free);
  relay_tokens_free (connector->tokens);
  relay_turn_free (connector->attempt_timer);
  relay_turn_free (connector->stable_timer);
  relay_turn_free (connector->renewal_timer);
  g_clear_pointer (&connector->token, relay_token_unref);
  g_clear_pointer (&connector->next_token, relay_token_unref);
  g_clear_pointer (&connector->refused, relay_token_unref);
  relay_connector_options_clear (&connector->options);
  g_free (connector->peer);
  g_free (connector->logged_topic);
  g_free (connector);
}

void
relay_connector_start (RelayConnector *connector)
{
  watch_network (connector);
  begin_attempt (connector);
}

void
relay_connector_stop (RelayConnector *connector, RelayConnectorStopped stopped, gpointer user_data)
{
  g_return_if_fail (!connector->stopping);

  connector->stopping = TRUE;
  connector->stopped = stopped;
  connector->stopped_data = user_data;
  unwatch_network (connector);
  turn_off (connector, RELAY_STATE_DISCONNECTED);
  close_conversation (connector, 1001, "going away");
  relay_turn_arm_in (connector->attempt_timer, RELAY_CONNECTOR_STOP_USEC);
  if (relay_tokens_is_refreshing (connector->tokens) && connector->request == REQUEST_NONE)
    request_token (connector);
  check_stopped (connector);
}

void
relay_connector_connect (RelayConnector *connector)
{
  if (connector->stopping || (connector->step != STEP_OFF && connector->step != STEP_WAITING))
    return;
  if (connector->step == STEP_OFF) {
    forget_refusals (connector);
    relay_status_set_attempts (connector->status, 0);
  }
  begin_attempt (connector);
}

void
relay_connector_disconnect (RelayConnector *connector)
{
  if (connector->stopping)
    return;
  connector->gave_up = FALSE;
  turn_off (connector, RELAY_STATE_DISCONNECTED);
  close_conversation (connector, 1000, "disconnected by the user");
  relay_log_fields (LOG_INFO, RELAY_LOG_FIELDS ("PRP_STATE", relay_state_to_string (connector->status->state)),
                    "Disconnected until asked to connect");
}

void
relay_connector_configure (RelayConnector *connector, const RelayConnectorOptions *options)
{
  RelayConnectorOptions old = connector->options;
  gboolean another_server;

  if (connector->stopping)
    return;
  relay_connector_options_copy (options, &connector->options);
  another_server = g_strcmp0 (old.link.url, options->link.url) != 0 || g_strcmp0 (old.link.ca_file, options->link.ca_file) != 0;
  relay_tokens_configure (connector->tokens, &connector->options.tokens);
  connector->request = REQUEST_NONE;
  relay_connector_options_clear (&old);
  take_url (connector);
  forget_refusals (connector);
  relay_subscriptions_ask_again (connector->subscriptions);
  if (connector->is_loopback)
    unwatch_network (connector);
  else
    watch_network (connector);

  switch (connector->step) {
  case STEP_OFF:
    if (connector->status->state == RELAY_STATE_UNAUTHORIZED || connector->gave_up)
      relay_connector_connect (connector);
    break;
  case STEP_UP:
    relay_turn_disarm (connector->renewal_timer);
    if (!another_server) {
      watch_renewal (connector, RELAY_CONNECTOR_RENEWAL_MIN_USEC);
      check_token (connector);
      break;
    }
    G_GNUC_FALLTHROUGH;
  case STEP_LINK:
  case STEP_TOKEN:
  case STEP_WAITING:
    close_conversation (connector, 1000, "the configuration has changed");
    begin_attempt (connector);
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
