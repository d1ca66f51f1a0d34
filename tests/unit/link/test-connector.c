/* SPDX-License-Identifier: MIT */
#include "link/connector.h"

#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <string.h>

#include "common/log.h"
#include "tests/unit/link/service.h"

#define MSEC 1000
#define SEC ((guint64) G_USEC_PER_SEC)

/* ---- the bed: a service, a token endpoint, a folder with secrets, and a connector ---- */

typedef struct {
  WsServer *server;
  char *url;
  char *directory, *token_file, *refresh_file;
  RelayConnectorOptions options;
  RelaySubscriptions *subscriptions;
  RelayStatus *status;
  RelayConnector *connector;
  guint n_events;
  gboolean stopped;
  GString *states; /* each state, with its error's code */
  int ping;        /* 0: no answer yet, -1: pong, else RelayError */

  SoupServer *endpoint;
  guint n_refreshes;
  guint refresh_status;
  guint64 life_sec; /* of the tokens it hands out; 0: not said */
  char *granted;    /* the token it hands out; NULL: "renewed-N", which the service takes from then on */
} Bed;

static void
on_event (RelayEvent *event, gpointer user_data)
{
  ((Bed *) user_data)->n_events++;
}

static void
on_stopped (gpointer user_data)
{
  Bed *bed = user_data;

  g_assert_false (bed->stopped);
  bed->stopped = TRUE;
}

static void
on_ping (guint64 rtt_usec, const GError *error, gpointer user_data)
{
  ((Bed *) user_data)->ping = error != NULL ? error->code : -1;
}

static void
on_status (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  Bed *bed = user_data;

  if (fields & RELAY_STATUS_STATE)
    g_string_append_printf (bed->states, "%s ", relay_state_to_string (status->state));
}

static void
set_token (Bed *bed, const char *token)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (bed->token_file, token, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error);
  g_assert_no_error (error);
}

/* RFC 6749 §6. */
static void
on_refresh (SoupServer *endpoint, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  Bed *bed = user_data;
  g_autofree char *token = NULL, *reply = NULL, *expires = NULL;

  bed->n_refreshes++;
  if (bed->refresh_status != SOUP_STATUS_OK) {
    static const char refusal[] = "{\"error\":\"invalid_grant\"}";

    soup_server_message_set_status (message, bed->refresh_status, NULL);
    if (bed->refresh_status == SOUP_STATUS_BAD_REQUEST)
      soup_server_message_set_response (message, "application/json", SOUP_MEMORY_STATIC, refusal, strlen (refusal));
    return;
  }
  token = bed->granted != NULL ? g_strdup (bed->granted) : g_strdup_printf ("renewed-%u", bed->n_refreshes);
  if (bed->granted == NULL) {
    g_free (bed->server->bearer);
    bed->server->bearer = g_strdup (token);
  }
  expires = bed->life_sec > 0 ? g_strdup_printf (",\"expires_in\":%" G_GUINT64_FORMAT, bed->life_sec) : g_strdup ("");
  reply = g_strdup_printf ("{\"access_token\":\"%s\",\"token_type\":\"Bearer\"%s}", token, expires);
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_COPY, reply, strlen (reply));
}

static void
bed_init (Bed *bed)
{
  bed->server = ws_server_new ();
  bed->url = ws_server_get_url (bed->server);
  service_set_greeting (bed->server, TRUE);
  bed->server->text = service_answer;
  bed->server->bearer = g_strdup ("good");
  bed->directory = g_dir_make_tmp ("prp-relay-connector-XXXXXX", NULL);
  bed->token_file = g_build_filename (bed->directory, "token", NULL);
  bed->refresh_file = g_build_filename (bed->directory, "refresh-token", NULL);
  set_token (bed, "good");
  bed->options = (RelayConnectorOptions){
    .link = {
      .url = bed->url,
      .ping_interval_usec = 3600 * SEC,
      .pong_timeout_usec = 2 * SEC,
      .max_message_bytes = 1000000,
    },
    .tokens = { .token_file = bed->token_file },
    .actions_per_sec = 100,
    .initial_delay_usec = 250 * MSEC,
    .max_delay_usec = 500 * MSEC,
  };
  bed->subscriptions = relay_subscriptions_new (10000);
  bed->status = relay_status_new ();
  bed->states = g_string_new (NULL);
  relay_status_watch (bed->status, on_status, bed);
  bed->refresh_status = SOUP_STATUS_OK;
}

/* Gives the bed a token endpoint. */
static void
add_endpoint (Bed *bed)
{
  g_autoptr (GError) error = NULL;
  GSList *uris;

  bed->endpoint = soup_server_new (NULL, NULL);
  soup_server_add_handler (bed->endpoint, NULL, on_refresh, bed, NULL);
  soup_server_listen_local (bed->endpoint, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error);
  g_assert_no_error (error);
  uris = soup_server_get_uris (bed->endpoint);
  bed->options.tokens.refresh_url = g_uri_to_string (uris->data);
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  g_assert_true (g_file_set_contents_full (bed->refresh_file, "refresh", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  bed->options.tokens.refresh_token_file = bed->refresh_file;
}

static void
bed_start (Bed *bed)
{
  bed->connector = relay_connector_new (&bed->options, bed->subscriptions, bed->status, on_event, bed);
  g_assert_cmpstr (bed->status->url, ==, bed->url);
  relay_connector_start (bed->connector);
}

static void
bed_clear (Bed *bed)
{
  relay_connector_free (bed->connector);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  relay_subscriptions_free (bed->subscriptions);
  relay_status_free (bed->status);
  ws_server_free (bed->server);
  g_clear_object (&bed->endpoint);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_unlink (bed->token_file);
  g_unlink (bed->refresh_file);
  g_assert_cmpint (g_rmdir (bed->directory), ==, 0);
  g_free (bed->options.tokens.refresh_url);
  g_free (bed->url);
  g_free (bed->directory);
  g_free (bed->token_file);
  g_free (bed->refresh_file);
  g_free (bed->granted);
  g_string_free (bed->states, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

#define wait_for_state(bed, its_state) ws_wait_for ((bed)->status->state == (its_state))
#define wait_for_connections(bed, n) \
  ws_wait_for ((bed)->status->connections == (n) && (bed)->status->state == RELAY_STATE_CONNECTED)

static void
bed_connect (Bed *bed)
{
  bed_init (bed);
  bed_start (bed);
  wait_for_connections (bed, 1);
}

static gboolean
is_active (Bed *bed, const char *name)
{
  return relay_subscriptions_lookup (bed->subscriptions, name)->state == RELAY_CHANNEL_ACTIVE;
}

/* ---- connected ---- */

static void
test_connect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_start (&bed);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  g_assert_true (relay_connector_is_trying (bed.connector));
  relay_connector_ping (bed.connector, on_ping, &bed);
  g_assert_cmpint (bed.ping, ==, RELAY_ERROR_NOT_CONNECTED);
  wait_for_connections (&bed, 1);
  g_assert_cmpstr (bed.status->connection_id, ==, "conn_abc123");
  g_assert_cmpstr (bed.status->error_code, ==, "");
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_cmpuint (bed.status->connected_since_usec, >, 0);
  g_assert_cmpuint (bed.status->token_expires_usec, ==, 0);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected ");

  /* No effect while connected. */
  relay_connector_connect (bed.connector);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_DELETED);
  ws_wait_for (bed.n_events == 1);
  relay_connector_ping (bed.connector, on_ping, &bed);
  ws_wait_for (bed.ping == -1);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

typedef enum { END_ABORT = 1, END_FIN = 2 } End; /* or a close code */

/* All channels come back in one message, however the connection ended. */
static void
test_resubscribe (gconstpointer data)
{
  guint end = GPOINTER_TO_UINT (data);
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;
  g_autofree char *action = NULL;
  guint n_channels;

  bed_connect (&bed);
  for (guint i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf ("project:%u", i);

    relay_subscriptions_set_durable (bed.subscriptions, name, TRUE);
  }
  ws_wait_for (is_active (&bed, "project:299"));
  peer = ws_server_last (bed.server);
  if (end == END_ABORT) {
    ws_peer_abort (peer);
  } else {
    if (end != END_FIN)
      ws_peer_send_close (peer, end, "for a test");
    ws_peer_end (peer);
  }
  ws_wait_for (bed.status->state == RELAY_STATE_WAITING);
  g_assert_false (is_active (&bed, "project:299"));
  g_assert_cmpstr (bed.status->error_code, !=, "");
  g_assert_cmpuint (bed.status->attempts, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, >, (guint64) g_get_real_time ());
  g_assert_cmpuint (bed.status->connected_since_usec, ==, 0);
  g_assert_cmpstr (bed.status->connection_id, ==, "");

  wait_for_connections (&bed, 2);
  ws_wait_for (is_active (&bed, "project:299"));
  peer = ws_server_last (bed.server);
  g_assert_cmpuint (peer->texts->len, ==, 1);
  action = service_get_action (peer->texts->pdata[0], &n_channels);
  g_assert_cmpstr (action, ==, "subscribe");
  g_assert_cmpuint (n_channels, ==, 300);
  g_assert_cmpstr (bed.status->error_code, ==, "");
}

static void
test_stable (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.stable_usec = 150 * MSEC;
  bed_start (&bed);
  for (guint i = 1; i <= 3; i++) {
    wait_for_connections (&bed, i);
    g_assert_cmpuint (bed.status->attempts, ==, i - 1);
    if (i < 3) {
      ws_peer_abort (ws_server_last (bed.server));
      ws_wait_for (bed.status->state != RELAY_STATE_CONNECTED);
    }
  }
  ws_wait_for (bed.status->attempts == 0);
  /* The end of a connection that was stable is no failed attempt. */
  ws_peer_abort (ws_server_last (bed.server));
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
}

static void
test_paused (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed_start (&bed);
  /* Also a connection that is only just being made. */
  relay_connector_set_paused (bed.connector, TRUE);
  ws_wait_for (ws_server_count (bed.server) == 1);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.status->connections, ==, 0);
  relay_connector_set_paused (bed.connector, FALSE);
  wait_for_connections (&bed, 1);
  relay_connector_set_paused (bed.connector, TRUE);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_DELETED);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_events, ==, 0);
  relay_connector_set_paused (bed.connector, FALSE);
  ws_wait_for (bed.n_events == 1);
}

/* ---- trying ---- */

static void
test_retry_after (void)
{
  g_auto (Bed) bed = { 0 };
  guint64 start = (guint64) g_get_real_time ();

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpstr (bed.status->error_code, ==, "UNAVAILABLE");
  g_assert_cmpuint (bed.status->next_attempt_usec, >=, start + 2 * SEC);
  g_assert_cmpuint (bed.status->next_attempt_usec, <, start + 4 * SEC);
  g_assert_true (relay_connector_is_trying (bed.connector));
  g_clear_pointer (&bed.server->answer, g_free);
  wait_for_connections (&bed, 1);
  g_assert_cmpuint ((guint64) g_get_real_time (), >=, start + 2 * SEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

static void
test_connect_now (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_clear_pointer (&bed.server->answer, g_free);
  relay_connector_connect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  /* The trouble is shown until it is overcome. */
  g_assert_cmpstr (bed.status->error_code, ==, "UNAVAILABLE");
  wait_for_connections (&bed, 1);
}

static void
test_max_attempts (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  bed.options.max_attempts = 3;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_DISCONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 3);
  g_assert_cmpuint (bed.status->attempts, ==, 3);
  g_assert_cmpstr (bed.status->error_code, ==, "HTTP_ERROR");
  g_assert_nonnull (strstr (bed.status->error_text, "prpctl connect"));
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);
  g_assert_false (relay_connector_is_trying (bed.connector));

  relay_connector_connect (bed.connector);
  wait_for_state (&bed, RELAY_STATE_DISCONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 6);

  /* A new configuration is a reason to try again, too. */
  g_clear_pointer (&bed.server->answer, g_free);
  relay_connector_configure (bed.connector, &bed.options);
  wait_for_connections (&bed, 1);
}

static void
test_backoff (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("");
  bed.options.initial_delay_usec = 100 * MSEC;
  bed.options.max_delay_usec = 100 * MSEC;
  bed_start (&bed);
  ws_wait_for (bed.status->attempts >= 4);
  g_assert_cmpstr (bed.status->error_code, ==, "CONNECTION_LOST");
  g_assert_cmpuint (bed.server->peers->len, ==, bed.status->attempts);
}

/* ---- asked for ---- */

static void
test_disconnect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_disconnect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
  ws_wait_for (ws_server_last (bed.server)->ended);
  g_assert_cmpuint (ws_server_last (bed.server)->close_code, ==, 1000);
  g_assert_false (relay_connector_is_trying (bed.connector));
  /* Neither time nor new credentials change that. */
  set_token (&bed, "better");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpstr (bed.status->error_code, ==, "");

  set_token (&bed, "good");
  relay_connector_connect (bed.connector);
  wait_for_connections (&bed, 2);
}

/* Connect while the closing handshake is still under way. */
static void
test_disconnect_connect (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_disconnect (bed.connector);
  relay_connector_connect (bed.connector);
  relay_connector_disconnect (bed.connector);
  relay_connector_connect (bed.connector);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTING);
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

/* At any time of an attempt. */
static void
test_disconnect_early (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->silent = TRUE;
  bed_start (&bed);
  relay_connector_disconnect (bed.connector);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 0);
  relay_connector_connect (bed.connector);
  ws_wait_for (bed.server->peers->len == 1);
  relay_connector_disconnect (bed.connector);
  ws_wait_for (ws_server_last (bed.server)->ended);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
}

static void
test_stop (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  g_assert_false (bed.stopped);
  ws_wait_for (bed.stopped);
  g_assert_cmpuint (ws_server_last (bed.server)->close_code, ==, 1001);
  relay_connector_connect (bed.connector);
  relay_connector_disconnect (bed.connector);
  relay_connector_configure (bed.connector, &bed.options);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_DISCONNECTED);
}

static void
test_stop_deaf (void)
{
  g_auto (Bed) bed = { 0 };
  gint64 start;

  bed_connect (&bed);
  bed.server->deaf_to_close = TRUE;
  start = g_get_monotonic_time ();
  relay_connector_stop (bed.connector, on_stopped, &bed);
  ws_wait_for (bed.stopped);
  g_assert_cmpint (g_get_monotonic_time () - start, <, RELAY_LINK_CLOSE_TIMEOUT_USEC + G_USEC_PER_SEC);
}

static void
test_stop_unconnected (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.server->answer = g_strdup ("");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  relay_connector_stop (bed.connector, on_stopped, &bed);
  g_assert_false (bed.stopped);
  ws_wait_for (bed.stopped);
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

static void
test_configure (void)
{
  g_auto (Bed) bed = { 0 };
  g_autoptr (WsServer) other = ws_server_new ();
  g_autofree char *other_url = ws_server_get_url (other);

  bed_connect (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:bad", TRUE);
  ws_wait_for (relay_subscriptions_lookup (bed.subscriptions, "project:bad")->state == RELAY_CHANNEL_REJECTED);

  /* Nothing new: the connection stays, what was refused is asked for again. */
  relay_connector_configure (bed.connector, &bed.options);
  ws_wait_for (service_count (ws_server_last (bed.server), "subscribe") == 2);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);

  /* Another token. */
  g_free (bed.server->bearer);
  bed.server->bearer = g_strdup ("better");
  bed.options.tokens.token_file = NULL;
  bed.options.tokens.token_command = (char **) (const char *const[]){ "echo", "better", NULL };
  relay_connector_configure (bed.connector, &bed.options);
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (((WsPeer *) bed.server->peers->pdata[0])->close_code, ==, 1000);

  /* Another server. */
  service_set_greeting (other, TRUE);
  bed.options.link.url = other_url;
  relay_connector_configure (bed.connector, &bed.options);
  g_assert_cmpstr (bed.status->url, ==, other_url);
  wait_for_connections (&bed, 3);
  g_assert_cmpuint (ws_server_count (other), ==, 1);
  g_clear_pointer (&bed.connector, relay_connector_free);
}

/* ---- tokens ---- */

static void
test_no_token (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  g_unlink (bed.token_file);
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "NO_CREDENTIALS");
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_false (relay_connector_is_trying (bed.connector));
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 0);
  /* It appears, and is noticed. */
  set_token (&bed, "good");
  wait_for_connections (&bed, 1);
}

/* The server refuses the only token there is: it is asked once. */
static void
test_refused (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  set_token (&bed, "bad");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpuint (bed.status->next_attempt_usec, ==, 0);

  /* Asked to, it tries again, once. */
  relay_connector_connect (bed.connector);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);

  set_token (&bed, "good");
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 3);
}

/* Each renewal gives another token, none of which will do: two handshakes, then quiet. */
static void
test_refused_twice (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  set_token (&bed, "bad");
  bed.granted = g_strdup ("bad-too");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

static void
test_refused_renewed (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  set_token (&bed, "old");
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpstr (bed.status->error_code, ==, "");
}

/* The endpoint is down for a while: the refused token is not shown to the server again meanwhile. */
static void
test_endpoint_down (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  set_token (&bed, "old");
  bed.refresh_status = SOUP_STATUS_BAD_GATEWAY;
  bed_start (&bed);
  ws_wait_for (bed.n_refreshes == 3 && bed.status->state == RELAY_STATE_WAITING);
  g_assert_cmpstr (bed.status->error_code, ==, "RENEWAL_FAILED");
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  bed.refresh_status = SOUP_STATUS_OK;
  wait_for_connections (&bed, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 2);
}

static void
test_endpoint_refuses (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  set_token (&bed, "old");
  bed.refresh_status = SOUP_STATUS_BAD_REQUEST;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "RENEWAL_REFUSED");
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

static void
test_expired (void)
{
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;

  bed_init (&bed);
  add_endpoint (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  peer = ws_server_last (bed.server);
  ws_wait_for (is_active (&bed, "project:a"));
  ws_peer_send_text (peer, SERVICE_TOKEN_EXPIRED);
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (peer->close_code, ==, 1000);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
  g_assert_cmpstr (bed.states->str, ==, "connecting connected connecting connected ");
  ws_wait_for (is_active (&bed, "project:a"));
}

/* Nothing can renew it. */
static void
test_expired_for_good (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  ws_peer_send_text (ws_server_last (bed.server), SERVICE_TOKEN_EXPIRED);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "TOKEN_EXPIRED");
  ws_wait_for (ws_server_last (bed.server)->close_code == 1000);
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
}

static void
expire_at_once (WsPeer *peer, const char *text, gpointer user_data)
{
  ws_peer_send_text (peer, SERVICE_TOKEN_EXPIRED);
}

/* Each token has expired as soon as it is used: a few are renewed at once, the others with a delay. */
static void
test_expired_again (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  bed.server->text = expire_at_once;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_assert_cmpuint (bed.n_refreshes, ==, RELAY_CONNECTOR_QUICK_RENEWALS);
  g_assert_cmpuint (ws_server_count (bed.server), ==, RELAY_CONNECTOR_QUICK_RENEWALS + 1);
  g_assert_cmpstr (bed.status->error_code, ==, "TOKEN_EXPIRED");
  g_assert_cmpuint (bed.status->attempts, ==, 1);
}

static void
refuse_at_once (WsPeer *peer, const char *text, gpointer user_data)
{
  g_autofree char *error = service_error ("AUTH_FAILED", NULL, NULL);

  ws_peer_send_text (peer, error);
}

/* Refused not by a 401, but by a message, and the renewed token too. */
static void
test_refused_by_message (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  relay_subscriptions_set_durable (bed.subscriptions, "project:a", TRUE);
  bed.server->text = refuse_at_once;
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_UNAUTHORIZED);
  g_assert_cmpstr (bed.status->error_code, ==, "AUTH_FAILED");
  ws_run_for (600 * MSEC);
  g_assert_cmpuint (ws_server_count (bed.server), ==, 2);
  g_assert_cmpuint (bed.n_refreshes, ==, 1);
}

/* Ahead of its end, with nothing said by the server. */
static void
test_renewed_ahead (void)
{
  g_auto (Bed) bed = { 0 };
  WsPeer *peer;
  guint64 expires;

  bed_init (&bed);
  add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 2;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  expires = bed.status->token_expires_usec;
  g_assert_cmpuint (expires, >, (guint64) g_get_real_time ());
  peer = ws_server_last (bed.server);
  bed.life_sec = 3600;
  wait_for_connections (&bed, 2);
  g_assert_cmpuint ((guint64) g_get_real_time (), <, expires + SEC / 2);
  g_assert_cmpuint (peer->close_code, ==, 1000);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
  g_assert_cmpuint (bed.status->token_expires_usec, >, expires + 3000 * SEC);
  g_assert_cmpuint (bed.status->attempts, ==, 0);
}

/* That fails: the connection at hand stays. */
static void
test_renewal_fails (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  g_unlink (bed.token_file);
  bed.life_sec = 1;
  bed_start (&bed);
  wait_for_connections (&bed, 1);
  bed.refresh_status = SOUP_STATUS_SERVICE_UNAVAILABLE;
  ws_wait_for (bed.n_refreshes == 2);
  ws_run_for (300 * MSEC);
  g_assert_cmpint (bed.status->state, ==, RELAY_STATE_CONNECTED);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);
  g_assert_cmpuint (bed.n_refreshes, ==, 2);
}

static void
test_token_changed (void)
{
  g_auto (Bed) bed = { 0 };

  bed_connect (&bed);
  /* Written anew, but the same. */
  set_token (&bed, "good");
  ws_run_for (700 * MSEC);
  g_assert_cmpuint (bed.server->peers->len, ==, 1);

  g_free (bed.server->bearer);
  bed.server->bearer = g_strdup ("better");
  set_token (&bed, "better");
  wait_for_connections (&bed, 2);
  g_assert_cmpuint (((WsPeer *) bed.server->peers->pdata[0])->close_code, ==, 1000);
}

/* While waiting for something else. */
static void
test_token_changed_waiting (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  bed.options.initial_delay_usec = bed.options.max_delay_usec = 3600 * SEC;
  bed.server->answer = g_strdup ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  bed_start (&bed);
  wait_for_state (&bed, RELAY_STATE_WAITING);
  g_clear_pointer (&bed.server->answer, g_free);
  g_free (bed.server->bearer);
  bed.server->bearer = g_strdup ("better");
  set_token (&bed, "better");
  wait_for_connections (&bed, 1);
}

/* ---- freed at any time ---- */

static void
test_free (gconstpointer data)
{
  RelayState state = GPOINTER_TO_INT (data);
  g_auto (Bed) bed = { 0 };

  bed_init (&bed);
  add_endpoint (&bed);
  if (state == RELAY_STATE_WAITING)
    bed.server->answer = g_strdup ("");
  bed_start (&bed);
  wait_for_state (&bed, state);
  if (state == RELAY_STATE_CONNECTED) {
    relay_connector_ping (bed.connector, on_ping, &bed);
    relay_connector_disconnect (bed.connector);
    g_assert_cmpint (bed.ping, ==, RELAY_ERROR_NOT_CONNECTED);
  }
  g_clear_pointer (&bed.connector, relay_connector_free);
  ws_run_for (50 * MSEC);
}

int
main (int argc, char **argv)
{
  static const guint ends[] = { END_ABORT, END_FIN, 1000, 1001, 1011, 1012, 4000 };
  static const RelayState states[] = { RELAY_STATE_CONNECTING, RELAY_STATE_CONNECTED, RELAY_STATE_WAITING };

  g_test_init (&argc, &argv, NULL);
  relay_log_init ("test-connector", g_test_verbose () ? LOG_DEBUG : LOG_ERR);
  g_test_add_func ("/connector/connect", test_connect);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree char *path = g_strdup_printf ("/connector/resubscribe/%u", ends[i]);

    g_test_add_data_func (path, GUINT_TO_POINTER (ends[i]), test_resubscribe);
  }
  g_test_add_func ("/connector/stable", test_stable);
  g_test_add_func ("/connector/paused", test_paused);
  g_test_add_func ("/connector/retry-after", test_retry_after);
  g_test_add_func ("/connector/connect-now", test_connect_now);
  g_test_add_func ("/connector/max-attempts", test_max_attempts);
  g_test_add_func ("/connector/backoff", test_backoff);
  g_test_add_func ("/connector/disconnect", test_disconnect);
  g_test_add_func ("/connector/disconnect-connect", test_disconnect_connect);
  g_test_add_func ("/connector/disconnect-early", test_disconnect_early);
  g_test_add_func ("/connector/stop", test_stop);
  g_test_add_func ("/connector/stop-deaf", test_stop_deaf);
  g_test_add_func ("/connector/stop-unconnected", test_stop_unconnected);
  g_test_add_func ("/connector/configure", test_configure);
  g_test_add_func ("/connector/no-token", test_no_token);
  g_test_add_func ("/connector/refused", test_refused);
  g_test_add_func ("/connector/refused-twice", test_refused_twice);
  g_test_add_func ("/connector/refused-renewed", test_refused_renewed);
  g_test_add_func ("/connector/refused-by-message", test_refused_by_message);
  g_test_add_func ("/connector/endpoint-down", test_endpoint_down);
  g_test_add_func ("/connector/endpoint-refuses", test_endpoint_refuses);
  g_test_add_func ("/connector/expired", test_expired);
  g_test_add_func ("/connector/expired-for-good", test_expired_for_good);
  g_test_add_func ("/connector/expired-again", test_expired_again);
  g_test_add_func ("/connector/renewed-ahead", test_renewed_ahead);
  g_test_add_func ("/connector/renewal-fails", test_renewal_fails);
  g_test_add_func ("/connector/token-changed", test_token_changed);
  g_test_add_func ("/connector/token-changed-waiting", test_token_changed_waiting);
  for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
    g_autofree char *path = g_strdup_printf ("/connector/free/%s", relay_state_to_string (states[i]));

    g_test_add_data_func (path, GINT_TO_POINTER (states[i]), test_free);
  }
  return g_test_run ();
}
