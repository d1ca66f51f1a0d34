/* SPDX-License-Identifier: MIT */
#include "tests/unit/auth/token-endpoint.h"

#include <string.h>

typedef struct {
  guint status;
  char *header, *body;
} Answer;

static void
answer_free (gpointer data)
{
  Answer *answer = data;

  g_free (answer->header);
  g_free (answer->body);
  g_free (answer);
}

static void
reply (TokenEndpoint *endpoint, SoupServerMessage *message)
{
  const Answer *answer;

  g_assert_cmpuint (endpoint->answers->len, >, 0);
  answer = endpoint->answers->pdata[0];
  if (answer->header != NULL) {
    g_auto (GStrv) parts = g_strsplit (answer->header, ": ", 2);

    soup_message_headers_append (soup_server_message_get_response_headers (message), parts[0], parts[1]);
  }
  soup_server_message_set_status (message, answer->status, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_COPY, answer->body,
                                    strlen (answer->body));
  if (endpoint->answers->len > 1)
    g_ptr_array_remove_index (endpoint->answers, 0);
}

static void
on_request (SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
            gpointer user_data)
{
  TokenEndpoint *endpoint = user_data;
  SoupMessageBody *body = soup_server_message_get_request_body (message);
  g_autoptr (GBytes) bytes = soup_message_body_flatten (body);

  endpoint->n_requests++;
  g_free (endpoint->method);
  endpoint->method = g_strdup (soup_server_message_get_method (message));
  g_free (endpoint->body);
  endpoint->body = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_clear_pointer (&endpoint->headers, soup_message_headers_unref);
  endpoint->headers = soup_message_headers_ref (soup_server_message_get_request_headers (message));

  if (endpoint->held) {
    g_assert_null (endpoint->waiting);
    endpoint->waiting = g_object_ref (message);
    soup_server_message_pause (message);
  } else
    reply (endpoint, message);
}

TokenEndpoint *
token_endpoint_new (void)
{
  TokenEndpoint *endpoint = g_new0 (TokenEndpoint, 1);
  g_autoptr (GError) error = NULL;
  GSList *uris;

  endpoint->answers = g_ptr_array_new_with_free_func (answer_free);
  endpoint->server = soup_server_new (NULL, NULL);
  soup_server_add_handler (endpoint->server, NULL, on_request, endpoint, NULL);
  soup_server_listen_local (endpoint->server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error);
  g_assert_no_error (error);
  uris = soup_server_get_uris (endpoint->server);
  endpoint->url = g_strdup_printf ("http://127.0.0.1:%d/oauth/token", g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  return endpoint;
}

void
token_endpoint_free (TokenEndpoint *endpoint)
{
  if (endpoint == NULL)
    return;
  while (g_main_context_iteration (NULL, FALSE))
    ; /* connections that our side has closed; a server that ends in their midst loses track of them */
  soup_server_disconnect (endpoint->server);
  g_clear_object (&endpoint->waiting);
  g_clear_pointer (&endpoint->headers, soup_message_headers_unref);
  g_object_unref (endpoint->server);
  g_ptr_array_unref (endpoint->answers);
  g_free (endpoint->url);
  g_free (endpoint->method);
  g_free (endpoint->body);
  g_free (endpoint);
}

void
token_endpoint_answer (TokenEndpoint *endpoint, guint status, const char *header, const char *body)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->status = status;
  answer->header = g_strdup (header);
  answer->body = g_strdup (body);
  g_ptr_array_add (endpoint->answers, answer);
}

void
token_endpoint_clear (TokenEndpoint *endpoint)
{
  g_ptr_array_set_size (endpoint->answers, 0);
}

void
token_endpoint_hold (TokenEndpoint *endpoint)
{
  endpoint->held = TRUE;
}

void
token_endpoint_wait (TokenEndpoint *endpoint)
{
  while (endpoint->waiting == NULL)
    g_main_context_iteration (NULL, TRUE);
}

void
token_endpoint_release (TokenEndpoint *endpoint)
{
  g_autoptr (SoupServerMessage) message = g_steal_pointer (&endpoint->waiting);

  endpoint->held = FALSE;
  reply (endpoint, message);
  soup_server_message_unpause (message);
}
