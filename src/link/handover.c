/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/log.h"
#include "link/connector-private.h"

/*
 * Make before break: a connection with another token is made beside the one at hand, all channels are confirmed on it,
 * and only then it takes over; the old one is closed, and heard to its end. Events that come over both are relayed once (their
 * ids tell). It ends in one of three ways, and in each there is one connection:
 *
 *   all that the old one has is answered on the new one    the new one takes over
 *   the new one ends first, or does not answer in time     the old one goes on, and another attempt is planned
 *   the old one ends first                                 the new one takes over as it is: once established, with
 *                                                          what it has; before that, as a connection being made
 *
 * What was missed follows from the proof of life of the old connection (the last time at which all that the server had
 * sent was heard) and the times at which the new one confirmed: an event is missed only between the two. After a clean
 * end of the old one the proof is later than all confirmations, and nothing was. So the reckoning is made once, when
 * the old connection has ended for good.
 *
 * That the server refuses the newer token (a 401, a 403) is no reason to give up the connection at hand. It is kept as
 * the verdict, for when that ends.
 */

/* An old connection that did not come to an orderly end. */
#define CAUSE_CUT "CONNECTION_LOST"

/* ---- conversations that we close ---- */

/* What CLOCK_REALTIME was set by since we closed it; where it was not, the times of then are to stay what they are. */
static gint64
get_set (const Retired *retired)
{
  gint64 set_usec = relay_clock_get_day () - (retired->closed_usec - retired->closed_boottime_usec);

  return ABS (set_usec) >= RELAY_COVERAGE_SET_MIN_USEC ? set_usec : 0;
}

/* Its proof of life, CLOCK_REALTIME by that clock as it stood when we closed it. */
static gint64
get_proof (const Retired *retired)
{
  gint64 proof_usec = relay_conversation_get_proof_boottime (retired->conversation);

  return proof_usec != 0 ? retired->closed_usec + (proof_usec - retired->closed_boottime_usec) : 0;
}

/* It has ended for good: was anything missed? What its times are compared with is by the clock as it stands now. */
static void
reckon (RelayConnector *connector, const Retired *retired)
{
  gint64 set_usec = get_set (retired);
  gint64 proof_usec = get_proof (retired) + set_usec;

  if (retired->handed_over_usec != 0)
    relay_coverage_handed_over (connector->coverage, proof_usec, retired->handed_over_usec + set_usec, CAUSE_CUT);
  else if (retired->lost_usec != 0)
    relay_coverage_prove (connector->coverage, retired->lost_usec + set_usec, proof_usec);
  relay_turn_arm (connector->answers_turn);
}

/* Takes it from the list. */
static void
bury (RelayConnector *connector, guint index)
{
  Retired retired = g_array_index (connector->retired, Retired, index);

  g_array_remove_index (connector->retired, index);
  reckon (connector, &retired);
  relay_conversation_free (retired.conversation);
}

void
relay_handover_retire (RelayConnector *connector, RelayConversation *conversation, guint code, const char *reason,
                       gint64 handed_over_usec, gint64 lost_usec)
{
  Retired retired = {
    .conversation = conversation,
    .handed_over_usec = handed_over_usec,
    .lost_usec = lost_usec,
    .closed_usec = g_get_real_time (),
    .closed_boottime_usec = relay_clock_boottime (),
  };

  if (connector->retired->len == RELAY_CONNECTOR_MAX_RETIRED)
    bury (connector, 0);
  g_array_append_val (connector->retired, retired);
  relay_conversation_close (conversation, code, reason);
}

void
relay_handover_cut (RelayConnector *connector)
{
  while (connector->retired->len > 0)
    bury (connector, 0);
}

gint64
relay_handover_get_alive (RelayConnector *connector, gint64 alive_usec)
{
  for (guint i = 0; i < connector->retired->len; i++) {
    const Retired *retired = &g_array_index (connector->retired, Retired, i);
    gint64 proof_usec = get_proof (retired);

    if (retired->handed_over_usec > proof_usec)
      alive_usec = MIN (alive_usec, proof_usec + get_set (retired));
  }
  return alive_usec;
}

gboolean
relay_handover_take_end (RelayConnector *connector, RelayConversation *conversation)
{
  for (guint i = 0; i < connector->retired->len; i++) {
    if (g_array_index (connector->retired, Retired, i).conversation != conversation)
      continue;
    bury (connector, i);
    return TRUE;
  }
  return FALSE;
}

/* ---- the new connection ---- */

void
relay_handover_begin (RelayConnector *connector, RelayToken *token)
{
  if (connector->next == NULL && g_get_monotonic_time () < connector->handover_wait_usec) {
    /* With the newest token that there is by then. */
    relay_turn_arm_at (connector->handover_timer, connector->handover_wait_usec);
    return;
  }
  if (connector->next != NULL)
    relay_handover_abandon (connector, NULL, FALSE);
  relay_info ("There is a new token: a second connection is made with it, to take over");
  relay_turn_disarm (connector->handover_timer);
  connector->next_token = relay_token_ref (token);
  connector->next = relay_conversation_new (&connector->options.link, connector->options.actions_per_sec, token,
                                            connector->subscriptions, connector->status,
                                            &relay_connector_conversation_events, connector);
  relay_conversation_set_paused (connector->next, connector->paused);
}

static void
arm_deadline (RelayConnector *connector)
{
  relay_turn_arm_in (connector->handover_timer, connector->options.handover_usec != 0 ? connector->options.handover_usec
                                                                                      : RELAY_CONNECTOR_HANDOVER_USEC);
}

void
relay_handover_take_established (RelayConnector *connector)
{
  arm_deadline (connector);
  relay_conversation_set_asking (connector->conversation, FALSE);
  relay_subscriptions_begin_handover (connector->subscriptions);
  relay_conversation_set_asking (connector->next, TRUE);
  relay_turn_arm (connector->answers_turn);
}

/* The server refused @token in the handshake. It is renewed once; that the fruit of a renewal is refused is the verdict. */
static void
take_refusal (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble)
{
  relay_connector_log_trouble (connector, trouble, "The new token was refused; the connection with the old one goes on");
  if (trouble->remedy == RELAY_REMEDY_RENEW && !connector->renewed) {
    relay_connector_set_refused (connector, token, FALSE);
    relay_connector_request_token (connector);
    return;
  }
  g_clear_pointer (&connector->verdict, relay_trouble_free);
  connector->verdict = relay_trouble_copy (trouble);
}

/* Another attempt, or none: the connection at hand is there in any case. */
static void
plan_another (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble)
{
  guint64 delay;
  g_autofree char *next = NULL;

  if (trouble->remedy == RELAY_REMEDY_RENEW || trouble->remedy == RELAY_REMEDY_STOP) {
    take_refusal (connector, token, trouble);
    return;
  }
  connector->n_handovers_failed++;
  delay = relay_connector_get_delay (connector, connector->n_handovers_failed, trouble->retry_after_usec);
  connector->handover_wait_usec = trouble->retry_after_usec > 0 ? g_get_monotonic_time () + (gint64) delay : 0;
  relay_turn_arm_in (connector->handover_timer, delay);
  next = g_strdup_printf ("The connection with the new token came to nothing, the old one goes on; next attempt in %.1f s",
                          (double) delay / G_USEC_PER_SEC);
  relay_connector_log_trouble (connector, trouble, next);
}

void
relay_handover_abandon (RelayConnector *connector, const RelayTrouble *trouble, gboolean ended)
{
  RelayConversation *next = g_steal_pointer (&connector->next);
  g_autoptr (RelayToken) token = g_steal_pointer (&connector->next_token);
  gint64 lost_usec = 0;

  relay_turn_disarm (connector->handover_timer);
  if (next == NULL)
    return;
  if (relay_subscriptions_is_handing_over (connector->subscriptions)) {
    /* What was asked for meanwhile, it alone has. */
    lost_usec = relay_conversation_get_proof (next);
    relay_coverage_set_alive (connector->coverage, lost_usec);
    relay_coverage_set_cause (connector->coverage, trouble != NULL ? g_intern_string (trouble->code)
                                                                   : RELAY_GAP_CAUSE_RECONFIGURED);
    relay_subscriptions_end_handover (connector->subscriptions, FALSE);
    relay_conversation_set_asking (connector->conversation, TRUE);
  }
  if (ended)
    relay_conversation_free (next);
  else
    relay_handover_retire (connector, next, 1000, "another connection goes on", 0, lost_usec);
  if (trouble != NULL)
    plan_another (connector, token, trouble);
}

void
relay_handover_on_timer (gpointer user_data)
{
  RelayConnector *connector = user_data;
  g_autoptr (RelayTrouble) trouble = NULL;

  if (connector->next == NULL) {
    relay_connector_check_token (connector);
  } else if (connector->paused) {
    /* What the server says is not read: that is no fault of its own. */
    arm_deadline (connector);
  } else {
    trouble = relay_trouble_new (RELAY_CAUSE_SILENT, NULL);
    relay_handover_abandon (connector, trouble, FALSE);
  }
}

/* ---- taking over ---- */

/* The new one is the one at hand from here on. Returns the old one, of which the proof of life is @proof_usec. */
static RelayConversation *
take_over (RelayConnector *connector, gint64 proof_usec, const char *cause)
{
  RelayConversation *old = g_steal_pointer (&connector->conversation);

  relay_coverage_set_alive (connector->coverage, proof_usec);
  relay_coverage_set_cause (connector->coverage, cause);
  connector->conversation = g_steal_pointer (&connector->next);
  g_clear_pointer (&connector->token, relay_token_unref);
  connector->token = g_steal_pointer (&connector->next_token);
  connector->handover_wait_usec = 0;
  g_clear_pointer (&connector->verdict, relay_trouble_free); /* was on another one */
  relay_turn_disarm (connector->handover_timer);
  relay_connector_set_renewal (connector);
  return old;
}

static void
settle (RelayConnector *connector)
{
  relay_subscriptions_end_handover (connector->subscriptions, TRUE);
  connector->n_handovers_failed = 0;
  relay_connector_set_up (connector);
  relay_turn_arm (connector->answers_turn);
}

void
relay_handover_check (RelayConnector *connector)
{
  gint64 now = g_get_real_time ();
  RelayConversation *old;

  if (connector->next == NULL || !relay_subscriptions_is_handed_over (connector->subscriptions))
    return;
  old = take_over (connector, relay_conversation_get_proof (connector->conversation), CAUSE_CUT);
  settle (connector);
  relay_conversation_adopt_pings (connector->conversation, old);
  relay_handover_retire (connector, old, 1000, "another connection has taken over", now, 0);
}

/* With what was confirmed so far. */
static void
rescue_channels (RelayConnector *connector, const RelayTrouble *trouble, gint64 proof_usec)
{
  const char *cause = g_intern_string (trouble->code);

  relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_CODE", trouble->code),
                    "The old connection ended before the new one had confirmed all (%s); the new one goes on", trouble->code);
  relay_conversation_free (take_over (connector, proof_usec, cause));
  settle (connector);
  relay_coverage_handed_over (connector->coverage, proof_usec, g_get_real_time (), cause);
}

gboolean
relay_handover_rescue (RelayConnector *connector, const RelayTrouble *trouble)
{
  gint64 proof_usec;

  if (connector->next == NULL)
    return FALSE;

  proof_usec = relay_conversation_get_proof (connector->conversation);
  if (relay_subscriptions_is_handing_over (connector->subscriptions)) {
    rescue_channels (connector, trouble, proof_usec);
    return TRUE;
  }
  relay_connector_leave_up (connector);
  relay_connector_lose_channels (connector, g_intern_string (trouble->code));
  relay_conversation_free (take_over (connector, proof_usec, g_intern_string (trouble->code)));
  connector->step = STEP_LINK;
  relay_status_set_error (connector->status, trouble->code, trouble->text);
  relay_status_set_state (connector->status, RELAY_STATE_CONNECTING);
  relay_connector_log_trouble (connector, trouble, "The connection with the new token takes its place");
  return TRUE;
}
