/* SPDX-License-Identifier: MIT */
#include "tests/unit/link/service.h"

#include <string.h>

#include "common/json-reader.h"

void
service_set_greeting (WsServer *server, gboolean greeting)
{
  g_clear_pointer (&server->behind, g_byte_array_unref);
  if (!greeting)
    return;
  server->behind = g_byte_array_new ();
  ws_append_frame (server->behind, 0x1, TRUE, SERVICE_ESTABLISHED, strlen (SERVICE_ESTABLISHED));
}

static void
clear_reader (RelayJsonReader *reader)
{
  relay_json_reader_clear (reader);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelayJsonReader, clear_reader)

static guint
find_channels (const RelayJsonReader *reader)
{
  return relay_json_reader_find (reader, relay_json_reader_find (reader, 0, "payload"), "channels");
}

char *
service_get_action (const char *text, guint *ret_n_channels)
{
  g_auto (RelayJsonReader) reader = { 0 };
  g_autoptr (GError) error = NULL;
  guint channels;

  relay_json_reader_read (&reader, text, strlen (text), &error);
  g_assert_no_error (error);
  channels = find_channels (&reader);
  *ret_n_channels = 0;
  for (guint i = channels + 1; channels != 0 && i < reader.tape[channels].next; i = reader.tape[i].next)
    ++*ret_n_channels;
  return relay_json_reader_dup_string (&reader, relay_json_reader_find (&reader, 0, "action"));
}

guint
service_count (WsPeer *peer, const char *action)
{
  guint n = 0;

  for (guint i = 0; i < peer->texts->len; i++) {
    guint n_channels;
    g_autofree char *its_action = service_get_action (peer->texts->pdata[i], &n_channels);

    n += g_str_equal (its_action, action);
  }
  return n;
}

char *
service_error (const char *code, const char *request_id, const char *action)
{
  g_autofree char *details =
      request_id != NULL ? g_strdup_printf (",\"details\":{\"requestId\":\"%s\",\"action\":\"%s\"}", request_id, action)
                         : g_strdup ("");

  return g_strdup_printf ("{\"id\":\"msg_5\",\"type\":\"error\",\"timestamp\":\"2024-01-15T10:00:00Z\",\"data\":{"
                          "\"code\":\"%s\",\"message\":\"No\"%s}}", code, details);
}

void
service_answer (WsPeer *peer, const char *text, gpointer user_data)
{
  g_auto (RelayJsonReader) reader = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *action = NULL, *id = NULL, *names = NULL, *answer = NULL;
  guint channels;

  relay_json_reader_read (&reader, text, strlen (text), &error);
  g_assert_no_error (error);
  action = relay_json_reader_dup_string (&reader, relay_json_reader_find (&reader, 0, "action"));
  id = relay_json_reader_dup_string (&reader, relay_json_reader_find (&reader, 0, "id"));
  channels = find_channels (&reader);

  if (g_str_equal (action, "ping")) {
    answer = g_strdup ("{\"id\":\"msg_6\",\"type\":\"pong\",\"timestamp\":\"2024-01-15T10:01:00Z\"}");
  } else if (g_str_equal (action, "subscribe")) {
    names = g_malloc0 (relay_json_reader_text_length (&reader, channels) + 1);
    relay_json_reader_text_copy (&reader, channels, names);
    if (strstr (names, "bad") != NULL)
      answer = service_error ("INVALID_CHANNEL", id, action);
    else
      answer = g_strdup_printf ("{\"id\":\"msg_7\",\"type\":\"subscription.confirmed\",\"timestamp\":\"2024-01-15T10:00:05Z\","
                                "\"data\":{\"subscribedChannels\":%s}}", names);
  }
  if (answer != NULL)
    ws_peer_send_text (peer, answer);
}
