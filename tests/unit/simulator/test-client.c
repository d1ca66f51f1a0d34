/* SPDX-License-Identifier: MIT */
#include "test-client.h"

#include <string.h>
#include <sys/socket.h>

#include <gio/gio.h>

#define DEADLINE_SEC 30 /* valgrind and a busy machine included */

static gboolean
on_deadline (gpointer user_data)
{
  g_error ("what was waited for did not happen in %d seconds", DEADLINE_SEC);
  return G_SOURCE_REMOVE;
}

void
test_wait_for (TestCondition condition, gpointer user_data)
{
  guint deadline = g_timeout_add_seconds (DEADLINE_SEC, on_deadline, NULL);

  while (!condition (user_data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
}

typedef struct {
  const guint *n;
  guint value;
} Count;

static gboolean
is_reached (gpointer user_data)
{
  const Count *count = user_data;

  return *count->n >= count->value;
}

void
test_wait_for_count (const guint *n, guint value)
{
  Count count = { n, value };

  test_wait_for (is_reached, &count);
}

static GSocketConnection *
wrap (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return g_socket_connection_factory_create_connection (socket);
}

void
test_make_pair (GSocketConnection **ret_server, GSocketConnection **ret_client)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  *ret_server = wrap (fds[0]);
  *ret_client = wrap (fds[1]);
}

static void
on_message (SoupWebsocketConnection *connection, SoupWebsocketDataType type, GBytes *message, TestClient *client)
{
  if (type == SOUP_WEBSOCKET_DATA_TEXT)
    g_queue_push_tail (&client->texts, g_strndup (g_bytes_get_data (message, NULL), g_bytes_get_size (message)));
  else
    client->n_binary++;
}

static void
on_pong (SoupWebsocketConnection *connection, GBytes *message, TestClient *client)
{
  client->n_pongs++;
}

static void
on_error (SoupWebsocketConnection *connection, GError *error, TestClient *client)
{
  if (client->error == NULL)
    client->error = g_error_copy (error);
}

static void
on_closed (SoupWebsocketConnection *connection, TestClient *client)
{
  client->is_closed = TRUE;
}

TestClient *
test_client_new_for_connection (SoupWebsocketConnection *connection)
{
  TestClient *client = g_new0 (TestClient, 1);

  client->connection = g_object_ref (connection);
  g_queue_init (&client->texts);
  soup_websocket_connection_set_max_incoming_payload_size (connection, 0);
  g_signal_connect (connection, "message", G_CALLBACK (on_message), client);
  g_signal_connect (connection, "pong", G_CALLBACK (on_pong), client);
  g_signal_connect (connection, "error", G_CALLBACK (on_error), client);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), client);
  return client;
}

TestClient *
test_client_new (GIOStream *stream)
{
  g_autoptr (GUri) uri = g_uri_parse ("ws://127.0.0.1/", SOUP_HTTP_URI_FLAGS, NULL);
  g_autoptr (SoupWebsocketConnection) connection =
      soup_websocket_connection_new (stream, uri, SOUP_WEBSOCKET_CONNECTION_CLIENT, NULL, NULL, NULL);

  return test_client_new_for_connection (connection);
}

void
test_client_free (TestClient *client)
{
  if (client == NULL)
    return;
  g_signal_handlers_disconnect_by_data (client->connection, client);
  g_io_stream_close (soup_websocket_connection_get_io_stream (client->connection), NULL, NULL);
  g_object_unref (client->connection);
  g_queue_clear_full (&client->texts, g_free);
  g_clear_error (&client->error);
  g_free (client);
}

void
test_client_send (TestClient *client, const char *text)
{
  soup_websocket_connection_send_text (client->connection, text);
}

static gboolean
has_text (gpointer user_data)
{
  TestClient *client = user_data;

  if (client->texts.length == 0 && client->is_closed)
    g_error ("the connection ended while a message was waited for");
  return client->texts.length > 0;
}

char *
test_client_next_text (TestClient *client)
{
  test_wait_for (has_text, client);
  return g_queue_pop_head (&client->texts);
}

JsonObject *
test_client_next (TestClient *client, const char *type)
{
  g_autofree char *text = test_client_next_text (client);
  g_autoptr (JsonNode) node = json_from_string (text, NULL);
  JsonObject *message;

  g_assert_nonnull (node);
  message = json_node_get_object (node);
  g_assert_cmpstr (json_object_get_string_member (message, "type"), ==, type);
  g_assert_true (g_str_has_prefix (json_object_get_string_member (message, "id"), "msg_"));
  g_assert_true (g_regex_match_simple ("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$",
                                       json_object_get_string_member (message, "timestamp"), 0, 0));
  return json_object_ref (message);
}

void
test_client_subscribe (TestClient *client, const char *channels)
{
  g_autofree char *text = g_strdup_printf ("{\"action\":\"subscribe\",\"payload\":{\"channels\":[%s]}}", channels);

  json_object_unref (test_client_next (client, "connection.established"));
  test_client_send (client, text);
  json_object_unref (test_client_next (client, "subscription.confirmed"));
}

void
test_client_expect_error (TestClient *client, const char *code, const char *request_id, const char *action)
{
  g_autoptr (JsonObject) message = test_client_next (client, "error");
  JsonObject *data = json_object_get_object_member (message, "data");
  JsonObject *details =
      json_object_has_member (data, "details") ? json_object_get_object_member (data, "details") : NULL;

  g_assert_cmpstr (json_object_get_string_member (data, "code"), ==, code);
  g_assert_cmpuint (strlen (json_object_get_string_member (data, "message")), >, 0);
  if (request_id == NULL && action == NULL) {
    g_assert_null (details);
    return;
  }
  g_assert_cmpstr (json_object_get_string_member_with_default (details, "requestId", NULL), ==, request_id);
  g_assert_cmpstr (json_object_get_string_member_with_default (details, "action", NULL), ==, action);
}

static gboolean
is_closed (gpointer user_data)
{
  return ((TestClient *) user_data)->is_closed;
}

guint
test_client_wait_closed (TestClient *client)
{
  test_wait_for (is_closed, client);
  return soup_websocket_connection_get_close_code (client->connection);
}
