/* SPDX-License-Identifier: MIT */
#include <glib/gi18n-lib.h>

#include "common/log.h"
#include "link/backoff.h"
#include "link/connector-private.h"

/*
 * When to connect. relay_connector_begin_attempt is the only way into an attempt from a standstill, plan_attempt the only
 * place that decides on a later one, relay_connector_fail the only one that judges a trouble.
 *
 * Sleep and changes of the network only ever hasten: what was planned comes sooner, and the backoff starts anew, as what
 * failed before says nothing about the network at hand.
 */

/* ---- what is shown ---- */

/* What happens next, and why. Repeated attempts that fail for the same reason are told once until connected again. */
void
relay_connector_log_trouble (RelayConnector *connector, const RelayTrouble *trouble, const char *next)
{
  const char *state = relay_state_to_string (connector->status->state);
  g_autofree char *topic = g_strconcat (trouble->code, " ", state, NULL);
  int level = g_strcmp0 (connector->logged_topic, topic) != 0 ? LOG_WARNING : LOG_DEBUG;

  relay_log_fields (level, RELAY_LOG_FIELDS ("PRP_STATE", state, "PRP_CODE", trouble->code, "PRP_URL", connector->peer),
                    "%s (%s): %s", next, trouble->code, trouble->english);
  g_free (connector->logged_topic);
  connector->logged_topic = g_steal_pointer (&topic);
}

void
relay_connector_turn_off (RelayConnector *connector, RelayState state)
{
  connector->step = STEP_OFF;
  relay_turn_disarm (connector->attempt_timer);
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
  relay_connector_turn_off (connector, RELAY_STATE_DISCONNECTED);
  relay_connector_log_trouble (connector, trouble, "Gave up until asked to connect");
}

guint64
relay_connector_get_delay (RelayConnector *connector, guint n_failed, guint64 retry_after_usec)
{
  return relay_backoff_delay (connector->options.initial_delay_usec, connector->options.max_delay_usec,
                              n_failed > 0 ? n_failed - 1 : 0, retry_after_usec, g_random_double ());
}

/* Shortly after a sleep or a change of the network: that names do not resolve yet, or that the connection from before was found to
 * be dead, says nothing about the server, and an attempt costs it nothing, or one handshake. */
static gboolean
is_eager (RelayConnector *connector, const RelayTrouble *trouble)
{
  return g_get_monotonic_time () < connector->eager_until_usec &&
         (is_network_trouble (trouble) || connector->step == STEP_UP);
}

/* After @trouble it is worth another attempt, some time: when, or no more? */
static void
plan_after (RelayConnector *connector, const RelayTrouble *trouble)
{
  guint n_failed = connector->status->attempts;
  guint64 delay = relay_connector_get_delay (connector, connector->n_setbacks, trouble->retry_after_usec);
  gboolean offline = !connector->is_loopback && is_network_trouble (trouble) && !connector->has_network;
  g_autofree char *next = NULL;

  if (connector->options.max_attempts > 0 && n_failed >= connector->options.max_attempts) {
    give_up (connector, trouble);
    return;
  }

  if (is_eager (connector, trouble)) {
    connector->n_setbacks = 0;
    delay = MIN (delay, RELAY_CONNECTOR_HASTE_USEC);
  }
  connector->must_wait = trouble->remedy == RELAY_REMEDY_RETRY_AFTER && trouble->retry_after_usec > 0;
  connector->server_busy = connector->must_wait && connector->step != STEP_TOKEN;
  plan_attempt (connector, delay, offline ? RELAY_STATE_OFFLINE : RELAY_STATE_WAITING);

  next = g_strdup_printf ("Next attempt in %.1f s%s", (double) delay / G_USEC_PER_SEC,
                          offline ? ", or when the network is back" : "");
  relay_connector_log_trouble (connector, trouble, next);
}

void
relay_connector_set_unauthorized (RelayConnector *connector, const RelayTrouble *trouble)
{
  relay_status_set_error (connector->status, trouble->code, trouble->text);
  relay_status_set_token_expires (connector->status, 0);
  relay_connector_turn_off (connector, RELAY_STATE_UNAUTHORIZED);
  relay_connector_log_trouble (connector, trouble, "Waiting for other credentials, or to be asked to connect");
}

/* The connection was lost, and its token has been refused before: what to do follows from that. */
static gboolean
fail_refused (RelayConnector *connector, const RelayTrouble *trouble)
{
  if (connector->step != STEP_UP || trouble->remedy != RELAY_REMEDY_RETRY)
    return FALSE;
  if (connector->verdict != NULL) {
    g_autoptr (RelayTrouble) verdict = relay_trouble_copy (connector->verdict);

    relay_connector_set_unauthorized (connector, verdict);
    return TRUE;
  }
  if (connector->refused == NULL || connector->n_renewals > RELAY_CONNECTOR_QUICK_RENEWALS)
    return FALSE;
  relay_connector_begin_attempt (connector);
  relay_connector_log_trouble (connector, trouble, "Connecting with another token");
  return TRUE;
}

void
relay_connector_fail (RelayConnector *connector, const RelayTrouble *trouble)
{
  gboolean was_attempt = connector->step != STEP_TOKEN || trouble->remedy != RELAY_REMEDY_STOP;

  if (was_attempt) {
    connector->n_setbacks++;
    if (!connector->is_stable)
      relay_status_set_attempts (connector->status, connector->status->attempts + 1);
  }
  relay_connector_leave_up (connector);
  relay_status_set_error (connector->status, trouble->code, trouble->text);
  if (fail_refused (connector, trouble))
    return;

  switch (trouble->remedy) {
  case RELAY_REMEDY_RENEW:
    if (connector->token == NULL || connector->renewed) {
      relay_connector_set_unauthorized (connector, trouble);
    } else {
      relay_connector_set_refused (connector, connector->token, FALSE);
      relay_connector_begin_attempt (connector);
      relay_connector_log_trouble (connector, trouble, "Renewing the token");
    }
    break;
  case RELAY_REMEDY_STOP:
    relay_connector_set_unauthorized (connector, trouble);
    break;
  case RELAY_REMEDY_RETRY:
  case RELAY_REMEDY_RETRY_AFTER:
    plan_after (connector, trouble);
    break;
  }
}

/* ---- attempts ---- */

void
relay_connector_begin_attempt (RelayConnector *connector)
{
  connector->step = STEP_TOKEN;
  connector->gave_up = FALSE;
  g_clear_pointer (&connector->verdict, relay_trouble_free);
  relay_turn_disarm (connector->attempt_timer);
  relay_status_set_next_attempt (connector->status, 0);
  relay_status_set_state (connector->status, RELAY_STATE_CONNECTING);
  relay_connector_request_token (connector);
}

/* The time has come: for the next attempt, or to say that all is stopped. */
void
relay_connector_on_attempt (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->stopping) {
    relay_handover_cut (connector);
    connector->stopped (connector->stopped_data);
  } else {
    relay_connector_begin_attempt (connector);
  }
}

/* ---- hastening ---- */

static void
hasten_waiting (RelayConnector *connector)
{
  const gint64 most = RELAY_CONNECTOR_HASTE_USEC;
  guint64 delay = (guint64) (g_random_double () * (double) most);

  connector->n_setbacks = 0;
  if (connector->must_wait ||
      g_source_get_ready_time (connector->attempt_timer) <= g_get_monotonic_time () + (gint64) delay)
    return;
  relay_info ("Connecting sooner: the network has changed, or the machine was asleep");
  plan_attempt (connector, delay, RELAY_STATE_WAITING);
}

void
relay_connector_hasten (RelayConnector *connector, gboolean slept)
{
  if (connector->stopping)
    return;
  connector->eager_until_usec = g_get_monotonic_time () + RELAY_CONNECTOR_EAGER_USEC;
  switch (connector->step) {
  case STEP_OFF:
  case STEP_TOKEN:
    break;
  case STEP_WAITING:
    hasten_waiting (connector);
    break;
  case STEP_LINK:
    /* A handshake from before the sleep has no peer any more, but would be waited for. */
    connector->n_setbacks = 0;
    if (slept) {
      g_clear_pointer (&connector->conversation, relay_conversation_free);
      relay_connector_begin_attempt (connector);
    }
    break;
  case STEP_UP:
    connector->n_setbacks = 0;
    relay_conversation_probe (connector->conversation, RELAY_LINK_PROBE_USEC);
    if (connector->next != NULL)
      relay_conversation_probe (connector->next, RELAY_LINK_PROBE_USEC);
    /* The clock of the day went on meanwhile. */
    relay_connector_watch_renewal (connector, 0);
    break;
  }
}

void
relay_connector_set_network (RelayConnector *connector, gboolean available)
{
  connector->has_network = available;
  /* A network that comes or goes says nothing about a server on this machine. */
  if (available && !connector->is_loopback)
    relay_connector_hasten (connector, FALSE);
}
