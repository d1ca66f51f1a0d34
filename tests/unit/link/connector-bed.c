/* SPDX-License-Identifier: MIT */
#include "tests/unit/link/connector-bed.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/clock.h"

static void
on_event (RelayEvent *event, gpointer user_data)
{
  ((Bed *) user_data)->n_events++;
}

static void
on_alive (gpointer user_data)
{
}

static const RelayConnectorEvents events = { .event = on_event, .alive = on_alive };

static void
on_gap (const RelayGap *gap, gpointer user_data)
{
  Bed *bed = user_data;
  g_autofree char *channels = g_strjoinv (" ", gap->channels);

  g_string_append_printf (bed->gaps, "%s%s %s", bed->gaps->len > 0 ? ", " : "", gap->cause, channels);
  g_assert_cmpuint (gap->since_usec, >=, bed->earliest_gap_usec);
  g_assert_cmpuint (gap->until_usec, >=, gap->since_usec);
  bed->gap_since_usec = gap->since_usec;
  bed->gap_until_usec = gap->until_usec;
}

static gint64
get_day (gpointer user_data)
{
  return relay_clock_get_day ();
}

static void
on_covered (const char *channel, gpointer user_data)
{
}

void
bed_expect_gaps (Bed *bed, const char *expected)
{
  g_assert_cmpstr (bed->gaps->str, ==, expected);
  g_string_truncate (bed->gaps, 0);
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

void
bed_set_token (Bed *bed, const char *token)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (bed->token_file, token, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error);
  g_assert_no_error (error);
}

static char *
make_late_jwt (guint number)
{
  gint64 now_sec = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree char *claims = g_strdup_printf ("{\"iat\":%" G_GINT64_FORMAT ",\"exp\":%" G_GINT64_FORMAT ",\"n\":%u}",
                                             now_sec - 7200, now_sec - 3600, number);
  g_autofree char *payload = g_base64_encode ((const guchar *) claims, strlen (claims));

  g_strdelimit (payload, "=", '\0');
  return g_strconcat ("e30.", payload, ".c2ln", NULL);
}

/* RFC 6749 §6. */
static void
on_refresh (WsPeer *peer, gpointer user_data)
{
  Bed *bed = user_data;
  g_autofree char *token = NULL, *body = NULL, *expires = NULL, *answer = NULL;

  g_assert_true (g_str_has_prefix (peer->request, "POST "));
  bed->n_refreshes++;
  if (bed->refresh_status == 200) {
    if (bed->granted != NULL)
      token = g_strdup (bed->granted);
    else
      token = bed->is_late ? make_late_jwt (bed->n_refreshes) : g_strdup_printf ("renewed-%u", bed->n_refreshes);
    if (bed->granted == NULL)
      bed_set_bearer (bed, token);
    expires = bed->life_sec > 0 ? g_strdup_printf (",\"expires_in\":%" G_GUINT64_FORMAT, bed->life_sec) : g_strdup ("");
    body = g_strdup_printf ("{\"access_token\":\"%s\",\"token_type\":\"Bearer\"%s}", token, expires);
  } else {
    body = g_strdup (bed->refresh_status == 400 ? "{\"error\":\"invalid_grant\"}" : "");
  }
  answer = g_strdup_printf ("HTTP/1.1 %u Whatever\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            bed->refresh_status, strlen (body), body);
  ws_peer_send (peer, answer, strlen (answer));
  ws_peer_end (peer);
}

void
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
  bed_set_token (bed, "good");
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
  bed->gaps = g_string_new (NULL);
  bed->coverage = relay_coverage_new (bed->subscriptions, get_day, on_gap, on_covered, bed);
  bed->status = relay_status_new ();
  bed->states = g_string_new (NULL);
  relay_status_watch (bed->status, on_status, bed);
  bed->refresh_status = 200;
}

void
bed_add_endpoint (Bed *bed)
{
  g_autofree char *url = NULL;

  bed->endpoint = ws_server_new ();
  bed->endpoint->request = on_refresh;
  bed->endpoint->user_data = bed;
  url = ws_server_get_url (bed->endpoint);
  bed->options.tokens.refresh_url = g_strconcat ("http", url + strlen ("ws"), "token", NULL);
  g_assert_true (g_file_set_contents_full (bed->refresh_file, "refresh", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  bed->options.tokens.refresh_token_file = bed->refresh_file;
}

void
bed_start (Bed *bed)
{
  bed->connector = relay_connector_new (&bed->options, bed->subscriptions, bed->coverage, bed->status, &events,
                                        bed);
  g_assert_cmpstr (bed->status->url, ==, bed->url);
  relay_connector_start (bed->connector);
}

void
bed_clear (Bed *bed)
{
  relay_connector_free (bed->connector);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  relay_coverage_free (bed->coverage);
  relay_subscriptions_free (bed->subscriptions);
  g_string_free (bed->gaps, TRUE);
  relay_status_free (bed->status);
  ws_server_free (bed->server);
  g_clear_pointer (&bed->endpoint, ws_server_free);
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

void
bed_connect (Bed *bed)
{
  bed_init (bed);
  bed_start (bed);
  wait_for_connections (bed, 1);
}

gboolean
bed_is_active (Bed *bed, const char *name)
{
  return relay_subscriptions_lookup (bed->subscriptions, name)->state == RELAY_CHANNEL_ACTIVE;
}

void
bed_set_bearer (Bed *bed, const char *token)
{
  g_free (bed->server->bearer);
  bed->server->bearer = g_strdup (token);
}

void
bed_ping (Bed *bed)
{
  relay_connector_ping (bed->connector, on_ping, bed);
}
