/* SPDX-License-Identifier: MIT */
#include "common/log.h"
#include "link/connector-private.h"

/*
 * The token of the connection: asked for before connecting, renewed ahead of its end, and when it was refused.
 *
 * A refused token is kept in `refused` until there is another one; as long as it is, a request is for a renewal, so that
 * the server never sees a token again that it refused. `renewed` says that the token in use (or that of the handover) is the
 * fruit of that: if it is refused too, nothing but new credentials can help.
 *
 * While connected, whatever comes of a request (`request` says which), the connection at hand goes on until another one has
 * taken over, be its token refused or not: it is the server that decides how long it lasts. Only where there can be no
 * other token, it is closed.
 */

static void on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data);

void
relay_connector_set_refused (RelayConnector *connector, RelayToken *token, gboolean expired)
{
  g_clear_pointer (&connector->refused, relay_token_unref);
  connector->refused = relay_token_ref (token);
  connector->refused_expired = expired;
}

void
relay_connector_forget_refusals (RelayConnector *connector)
{
  g_clear_pointer (&connector->refused, relay_token_unref);
  g_clear_pointer (&connector->verdict, relay_trouble_free);
  connector->renewed = FALSE;
  connector->n_renewals = 0;
}

/* ---- asking ---- */

/* Takes the place of what was asked before; a renewal under way is not broken off by that (token.h). */
void
relay_connector_request_token (RelayConnector *connector)
{
  if (connector->refused != NULL) {
    connector->request = REQUEST_RENEW;
    relay_tokens_renew (connector->tokens, connector->refused, connector->refused_expired, on_token, connector);
  } else {
    connector->request = REQUEST_GET;
    relay_tokens_get (connector->tokens, on_token, connector);
  }
}

void
relay_connector_check_token (RelayConnector *connector)
{
  if (connector->request == REQUEST_NONE)
    relay_connector_request_token (connector);
}

void
relay_connector_take_refusal (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble,
                              gboolean expired)
{
  guint n_delayed;

  /* A newer one is on its way, or there is none to be had. */
  if (connector->next != NULL || connector->refused != NULL || connector->verdict != NULL)
    return;

  relay_connector_set_refused (connector, token, expired);
  if (!expired && connector->renewed) {
    relay_connector_close (connector, 1000, "the token is no longer good", g_intern_string (trouble->code));
    relay_connector_set_unauthorized (connector, trouble);
    return;
  }
  relay_connector_log_trouble (connector, trouble, "Renewing the token");
  if (connector->n_renewals++ < RELAY_CONNECTOR_QUICK_RENEWALS) {
    relay_connector_request_token (connector);
    return;
  }
  /* The server takes each new token for a moment only: no hurry. */
  n_delayed = connector->n_renewals - RELAY_CONNECTOR_QUICK_RENEWALS;
  relay_turn_arm_in (connector->renewal_timer, relay_connector_get_delay (connector, n_delayed, 0));
}

/* ---- ahead of its end ---- */

/* Where our clock is ahead of the server's, each token comes with its end in the past. To renew that one ahead of its
 * end too would be a loop, so the server's word is waited for. */
void
relay_connector_set_renewal (RelayConnector *connector)
{
  connector->renewal_usec = relay_token_get_renewal (connector->token, g_random_double ());
  if (connector->renewal_usec > g_get_real_time ())
    connector->clock_doubted = FALSE;
  else if (connector->clock_doubted)
    connector->renewal_usec = 0;
  relay_status_set_token_expires (connector->status, (guint64) relay_token_get_expires (connector->token));
}

void
relay_connector_watch_renewal (RelayConnector *connector, guint64 min_usec)
{
  gint64 left = connector->renewal_usec - g_get_real_time ();

  /* A refused token is being replaced already. */
  if (connector->renewal_usec == 0 || connector->refused != NULL || !relay_tokens_can_renew (connector->tokens))
    return;
  relay_turn_arm_in (connector->renewal_timer,
                     MAX (min_usec, (guint64) CLAMP (left, 0, RELAY_CONNECTOR_RENEWAL_CHECK_USEC)));
}

void
relay_connector_on_renewal (gpointer user_data)
{
  RelayConnector *connector = user_data;

  if (connector->refused != NULL) {
    relay_connector_request_token (connector);
  } else if (g_get_real_time () < connector->renewal_usec) {
    relay_connector_watch_renewal (connector, 0);
  } else if (connector->request != REQUEST_RENEW && connector->next == NULL) {
    connector->request = REQUEST_RENEW;
    relay_tokens_renew (connector->tokens, connector->token, FALSE, on_token, connector);
  }
}

/* ---- the answer ---- */

/* There is a token to go on with. */
static void
note_token (RelayConnector *connector)
{
  connector->renewed = connector->refused != NULL || (connector->renewed && connector->step == STEP_TOKEN);
  g_clear_pointer (&connector->refused, relay_token_unref);
}

/* There is none, and never will be. With a token that was refused, the connection at hand has no future; where that was a newer
 * one, it goes on. */
static void
take_last_word (RelayConnector *connector, const RelayTrouble *trouble)
{
  if (relay_token_equal (connector->refused, connector->token)) {
    relay_connector_close (connector, 1000, "the token is no longer good",
                           connector->refused_expired ? "TOKEN_EXPIRED" : "AUTH_FAILED");
    relay_connector_set_unauthorized (connector, trouble);
    return;
  }
  g_clear_pointer (&connector->refused, relay_token_unref);
  g_clear_pointer (&connector->verdict, relay_trouble_free);
  connector->verdict = relay_trouble_copy (trouble);
}

static void
take_no_token_while_up (RelayConnector *connector, const RelayTrouble *trouble, Request request)
{
  if (connector->refused != NULL && trouble->remedy == RELAY_REMEDY_STOP) {
    take_last_word (connector, trouble);
    return;
  }
  relay_connector_log_trouble (connector, trouble, "The present connection stays, but there is no new token");
  if (trouble->remedy == RELAY_REMEDY_STOP || (request == REQUEST_GET && connector->next != NULL))
    return;
  relay_turn_arm_in (request == REQUEST_RENEW ? connector->renewal_timer : connector->handover_timer,
                     MAX (RELAY_CONNECTOR_RENEWAL_RETRY_USEC,
                          relay_connector_get_delay (connector, 0, trouble->retry_after_usec)));
}

/* While connected: a renewal, or a look at changed credentials. */
static void
take_token_while_up (RelayConnector *connector, RelayToken *token, const RelayTrouble *trouble, Request request)
{
  if (token == NULL) {
    take_no_token_while_up (connector, trouble, request);
    return;
  }
  if (relay_token_equal (token, connector->token) ||
      (connector->next_token != NULL && relay_token_equal (token, connector->next_token)))
    return;
  if (request == REQUEST_RENEW && relay_token_is_due (token)) {
    connector->clock_doubted = TRUE;
    relay_warning ("The new token seems to be at its end, too; is the clock right? The server has the last word");
  }
  note_token (connector);
  relay_handover_begin (connector, token);
}

static void
on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  RelayConnector *connector = user_data;
  Request request = connector->request;

  connector->request = REQUEST_NONE;
  if (connector->stopping) {
    relay_connector_check_stopped (connector);
    return;
  }
  switch (connector->step) {
  case STEP_TOKEN:
    if (token == NULL) {
      relay_connector_fail (connector, trouble);
      break;
    }
    note_token (connector);
    relay_connector_open (connector, token);
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

/* The credentials' file changed, or the keyring. */
void
relay_connector_on_tokens_changed (gpointer user_data)
{
  RelayConnector *connector = user_data;

  switch (connector->step) {
  case STEP_OFF:
    if (connector->stopping || connector->status->state != RELAY_STATE_UNAUTHORIZED)
      break;
    G_GNUC_FALLTHROUGH;
  case STEP_WAITING:
    relay_connector_forget_refusals (connector);
    if (connector->step == STEP_WAITING && connector->server_busy)
      break;
    relay_info ("The credentials have changed: connecting");
    relay_connector_begin_attempt (connector);
    break;
  case STEP_UP:
    g_clear_pointer (&connector->verdict, relay_trouble_free);
    relay_connector_check_token (connector);
    break;
  case STEP_TOKEN:
  case STEP_LINK:
    connector->recheck = TRUE;
    break;
  }
}

void
relay_connector_check_keyring (RelayConnector *connector)
{
  if (!connector->stopping)
    relay_tokens_keyring_changed (connector->tokens);
}
