/* SPDX-License-Identifier: MIT */
#include "common/http.h"

#include <string.h>

#include <glib/gstdio.h>

#include "build-config.h"

#include "common/error.h"
#include "tests/unit/common/tls-server.h"

#define SECRET "s3cr3t-t0k3n"

/* -- one request ---------------------------------------------------------------------------------------------- */

typedef struct {
  SoupSession *session;
  SoupMessage *message;
  GCancellable *cancellable;
  gboolean done;
  GBytes *body;
  SoupWebsocketConnection *websocket;
  GError *error;
} Exchange;

static void
on_answered (GObject *session, GAsyncResult *result, gpointer user_data)
{
  Exchange *exchange = user_data;

  exchange->body = soup_session_send_and_read_finish (SOUP_SESSION (session), result, &exchange->error);
  exchange->done = TRUE;
}

static void
on_websocket (GObject *session, GAsyncResult *result, gpointer user_data)
{
  Exchange *exchange = user_data;

  exchange->websocket = soup_session_websocket_connect_finish (SOUP_SESSION (session), result, &exchange->error);
  exchange->done = TRUE;
}

static void
wait_for (gboolean *condition)
{
  while (!*condition)
    g_main_context_iteration (NULL, TRUE);
}

/* Sends a GET with a secret in it, or a WebSocket handshake where @url is ws: or wss:, and waits for what comes of
 * it. */
static Exchange *
exchange_new (const char *url, const char *ca_file, guint timeout_sec)
{
  Exchange *exchange = g_new0 (Exchange, 1);
  g_autoptr (GError) error = NULL;

  exchange->session = relay_http_session_new (url, ca_file, timeout_sec, &error);
  g_assert_no_error (error);
  exchange->cancellable = g_cancellable_new ();
  exchange->message = relay_http_message_new ("GET", url, exchange->cancellable);
  soup_message_headers_replace (soup_message_get_request_headers (exchange->message), "Authorization",
                                "Bearer " SECRET);
  if (g_str_has_prefix (url, "ws"))
    soup_session_websocket_connect_async (exchange->session, exchange->message, NULL, NULL, G_PRIORITY_DEFAULT,
                                          exchange->cancellable, on_websocket, exchange);
  else
    soup_session_send_and_read_async (exchange->session, exchange->message, G_PRIORITY_DEFAULT,
                                      exchange->cancellable, on_answered, exchange);
  wait_for (&exchange->done);
  return exchange;
}

static void
exchange_free (Exchange *exchange)
{
  g_clear_object (&exchange->websocket);
  g_clear_pointer (&exchange->body, g_bytes_unref);
  g_clear_error (&exchange->error);
  g_object_unref (exchange->message);
  g_object_unref (exchange->cancellable);
  g_object_unref (exchange->session);
  g_free (exchange);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Exchange, exchange_free)

static void
assert_trouble (Exchange *exchange, const char *code, RelayRemedy remedy)
{
  g_autoptr (RelayTrouble) trouble = relay_http_explain (exchange->message, exchange->error);

  g_test_message ("%s: %s", trouble->code, trouble->text);
  g_assert_cmpstr (trouble->code, ==, code);
  g_assert_cmpint (trouble->remedy, ==, remedy);
  g_assert_null (strstr (trouble->text, SECRET));
  g_assert_true (g_utf8_validate (trouble->text, -1, NULL));
}

/* -- servers -------------------------------------------------------------------------------------------------- */

/* An HTTP server that answers with the status in the path (/429) and the headers in the query (Retry-After=3). */
typedef struct {
  SoupServer *server;
  guint16 port;
  guint n_requests;
  SoupMessageHeaders *headers; /* of the last request */
} HttpServer;

static void
on_request (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  HttpServer *server = user_data;
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  GHashTableIter iter;
  gpointer name, value;

  server->n_requests++;
  g_clear_pointer (&server->headers, soup_message_headers_unref);
  server->headers = soup_message_headers_ref (soup_server_message_get_request_headers (message));
  if (query != NULL) {
    g_hash_table_iter_init (&iter, query);
    while (g_hash_table_iter_next (&iter, &name, &value))
      soup_message_headers_replace (headers, name, value);
  }
  soup_server_message_set_status (message, (guint) g_ascii_strtoull (path + 1, NULL, 10), NULL);
  soup_server_message_set_response (message, "text/plain", SOUP_MEMORY_STATIC, "hello", 5);
}

static HttpServer *
http_server_new (void)
{
  HttpServer *server = g_new0 (HttpServer, 1);
  g_autoptr (GError) error = NULL;
  GSList *uris;

  server->server = soup_server_new (NULL, NULL);
  soup_server_add_handler (server->server, NULL, on_request, server, NULL);
  soup_server_listen_local (server->server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error);
  g_assert_no_error (error);
  uris = soup_server_get_uris (server->server);
  server->port = (guint16) g_uri_get_port (uris->data);
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  return server;
}

static void
http_server_free (HttpServer *server)
{
  while (g_main_context_iteration (NULL, FALSE))
    ; /* connections that our side has closed; a server that ends in their midst loses track of them */
  soup_server_disconnect (server->server);
  g_clear_pointer (&server->headers, soup_message_headers_unref);
  g_object_unref (server->server);
  g_free (server);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HttpServer, http_server_free)

static Exchange *
ask (HttpServer *server, const char *scheme, const char *path)
{
  g_autofree char *url = g_strdup_printf ("%s://127.0.0.1:%u%s", scheme, server->port, path);

  return exchange_new (url, NULL, 0);
}

/* A server that answers anything with @reply (NULL: nothing at all), and hangs up or does not. */
typedef struct {
  GSocketService *service;
  guint16 port;
  const char *reply;
  gboolean hang_up;
  GPtrArray *connections;
  char request[4096];
} RawServer;

static void
on_raw_request (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  GSocketConnection *connection = user_data;
  RawServer *server = g_object_get_data (G_OBJECT (connection), "server");
  gssize length = g_input_stream_read_finish (G_INPUT_STREAM (stream), result, NULL);

  if (length > 0 && server->reply != NULL)
    g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), server->reply,
                               strlen (server->reply), NULL, NULL, NULL);
  if (length > 0 && server->hang_up)
    g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  g_object_unref (connection);
}

static gboolean
on_raw_connection (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user_data)
{
  RawServer *server = user_data;

  g_ptr_array_add (server->connections, g_object_ref (connection));
  g_object_set_data (G_OBJECT (connection), "server", server);
  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (connection)), server->request,
                             sizeof server->request, G_PRIORITY_DEFAULT, NULL, on_raw_request,
                             g_object_ref (connection));
  return TRUE;
}

static RawServer *
raw_server_new (const char *reply, gboolean hang_up)
{
  RawServer *server = g_new0 (RawServer, 1);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) effective = NULL;
  g_autoptr (GError) error = NULL;

  server->reply = reply;
  server->hang_up = hang_up;
  server->connections = g_ptr_array_new_with_free_func (g_object_unref);
  server->service = g_socket_service_new ();
  g_socket_listener_add_address (G_SOCKET_LISTENER (server->service), address, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_TCP, NULL, &effective, &error);
  g_assert_no_error (error);
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (effective));
  g_signal_connect (server->service, "incoming", G_CALLBACK (on_raw_connection), server);
  return server;
}

static void
raw_server_free (RawServer *server)
{
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  for (guint i = 0; i < server->connections->len; i++)
    g_socket_shutdown (g_socket_connection_get_socket (server->connections->pdata[i]), TRUE, TRUE, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ; /* reads that end now */
  g_ptr_array_unref (server->connections);
  g_object_unref (server->service);
  g_free (server);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RawServer, raw_server_free)

static Exchange *
ask_raw (RawServer *server, const char *scheme, guint timeout_sec)
{
  g_autofree char *url = g_strdup_printf ("%s://127.0.0.1:%u/", scheme, server->port);

  return exchange_new (url, NULL, timeout_sec);
}

/* -- addresses ------------------------------------------------------------------------------------------------ */

static void
test_loopback (void)
{
  static const char *const yes[] = { "localhost", "LocalHost", "localhost.", "a.localhost", "a.b.localhost.",
                                     "127.0.0.1", "127.255.3.4", "::1" };
  static const char *const no[] = { "",
                                    ".",
                                    ".localhost",
                                    "localhost.example",
                                    "notlocalhost",
                                    "localhost.localdomain",
                                    "128.0.0.1",
                                    "0.0.0.0",
                                    "::",
                                    "::2",
                                    "127.0.0.1.example",
                                    "127",
                                    "127.1",
                                    "0x7f.0.0.1",
                                    "[::1]",
                                    "api.prp.dev",
                                    "10.0.0.1" };

  for (gsize i = 0; i < G_N_ELEMENTS (yes); i++) {
    g_test_message ("%s", yes[i]);
    g_assert_true (relay_http_host_is_loopback (yes[i]));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (no); i++) {
    g_test_message ("%s", no[i]);
    g_assert_false (relay_http_host_is_loopback (no[i]));
  }
}

static void
test_check_url (void)
{
  static const char *const good[] = {
    "wss://api.prp.dev/v1/ws/prps", "wss://api.prp.dev", "wss://api.prp.dev:8443/x?y=z", "WSS://API.PRP.DEV/",
    "wss://[2001:db8::1]/x", "ws://localhost:8080/x", "ws://127.0.0.1/", "ws://[::1]:1/", "ws://sim.localhost/",
  };
  static const struct {
    const char *url;
    const char *reason;
  } bad[] = {
    { "", "this is not a complete address (wss://HOST/PATH)" },
    { "api.prp.dev/v1", "this is not a complete address (wss://HOST/PATH)" },
    { "wss:", "this is not a complete address (wss://HOST/PATH)" },
    { "wss:///v1", "this is not a complete address (wss://HOST/PATH)" },
    { "/v1/ws", "this is not a complete address (wss://HOST/PATH)" },
    { "wss://api prp.dev/", "this is not a complete address (wss://HOST/PATH)" },
    { "wss://host:port/", "this is not a complete address (wss://HOST/PATH)" },
    { "wss://host:99999/", "this is not a complete address (wss://HOST/PATH)" },
    { "https://api.prp.dev/", "the address must begin with wss://" },
    { "http://localhost/", "the address must begin with wss://" },
    { "file:///etc/passwd", "this is not a complete address (wss://HOST/PATH)" },
    { "ws://api.prp.dev/",
      "the token would travel unencrypted: the address must begin with wss:// unless the host is this "
      "computer" },
    { "ws://localhost.example/",
      "the token would travel unencrypted: the address must begin with wss:// unless the host is "
      "this computer" },
    { "ws://localhost@evil.example/",
      "the token would travel unencrypted: the address must begin with wss:// unless the host "
      "is this computer" },
    { "wss://user@api.prp.dev/", "the address must not hold a user name or password" },
    { "ws://user:password@localhost/", "the address must not hold a user name or password" },
    { "wss://api.prp.dev/#top", "the address must not hold a fragment (#…)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", good[i]);
    g_assert_true (relay_http_check_url (good[i], "wss", "ws", &error));
    g_assert_no_error (error);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", bad[i].url);
    g_assert_false (relay_http_check_url (bad[i].url, "wss", "ws", &error));
    g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
    g_assert_cmpstr (error->message, ==, bad[i].reason);
  }
}

/* -- answers -------------------------------------------------------------------------------------------------- */

static void
test_request (void)
{
  g_autoptr (HttpServer) server = http_server_new ();
  g_autoptr (Exchange) exchange = ask (server, "http", "/200");
  g_autoptr (Exchange) handshake = NULL;

  g_assert_no_error (exchange->error);
  g_assert_cmpuint (soup_message_get_status (exchange->message), ==, 200);
  g_assert_cmpstr (soup_message_headers_get_one (server->headers, "User-Agent"), ==, "prp-relay/" VERSION);
  g_assert_cmpstr (soup_message_headers_get_one (server->headers, "Authorization"), ==, "Bearer " SECRET);
  g_assert_null (soup_message_headers_get_one (server->headers, "Accept-Encoding"));

  handshake = ask (server, "ws", "/200");
  assert_trouble (handshake, "NOT_WEBSOCKET", RELAY_REMEDY_RETRY);
  g_assert_cmpstr (soup_message_headers_get_one (server->headers, "User-Agent"), ==, "prp-relay/" VERSION);
  g_assert_cmpstr (soup_message_headers_get_one (server->headers, "Upgrade"), ==, "websocket");
  g_assert_null (soup_message_headers_get_one (server->headers, "Sec-WebSocket-Extensions"));
}

/* What each status means, the same for a request and for a handshake. */
static void
test_status (void)
{
  static const struct {
    const char *path;
    const char *code;
    RelayRemedy remedy;
    guint64 retry_after_sec;
  } cases[] = {
    { "/401", "AUTH_FAILED", RELAY_REMEDY_RENEW, 0 },
    { "/403", "FORBIDDEN", RELAY_REMEDY_STOP, 0 },
    { "/404", "HTTP_ERROR", RELAY_REMEDY_RETRY, 0 },
    { "/429", "RATE_LIMITED", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/429?Retry-After=7", "RATE_LIMITED", RELAY_REMEDY_RETRY_AFTER, 7 },
    { "/500", "HTTP_ERROR", RELAY_REMEDY_RETRY, 0 },
    { "/502?Retry-After=5", "HTTP_ERROR", RELAY_REMEDY_RETRY_AFTER, 5 },
    { "/503", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=0", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=120", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 120 },
    { "/503?Retry-After=99999", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 3600 },
    { "/503?Retry-After=99999999999999999999999", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 3600 },
    { "/503?Retry-After=-5", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=5s", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=soon", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=Fri,%2031%20Dec%201999%2023:59:59%20GMT", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 0 },
    { "/503?Retry-After=Fri,%2031%20Dec%209999%2023:59:59%20GMT", "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, 3600 },
  };
  g_autoptr (HttpServer) server = http_server_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (gsize j = 0; j < 2; j++) {
      g_autoptr (Exchange) exchange = ask (server, j == 0 ? "http" : "ws", cases[i].path);
      g_autoptr (RelayTrouble) trouble = relay_http_explain (exchange->message, exchange->error);

      g_test_message ("%s", cases[i].path);
      assert_trouble (exchange, cases[i].code, cases[i].remedy);
      g_assert_cmpuint (trouble->retry_after_usec, ==, cases[i].retry_after_sec * G_USEC_PER_SEC);
    }
}

static void
test_retry_after_date (void)
{
  g_autoptr (HttpServer) server = http_server_new ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) then = g_date_time_add_seconds (now, 100);
  g_autofree char *date = soup_date_time_to_string (then, SOUP_DATE_HTTP);
  g_autofree char *escaped = g_uri_escape_string (date, NULL, FALSE);
  g_autofree char *path = g_strdup_printf ("/503?Retry-After=%s", escaped);
  g_autoptr (Exchange) exchange = ask (server, "ws", path);
  g_autoptr (RelayTrouble) trouble = relay_http_explain (exchange->message, exchange->error);

  g_assert_cmpuint (trouble->retry_after_usec, >=, 90 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (trouble->retry_after_usec, <=, 101 * (guint64) G_USEC_PER_SEC);
}

/* A challenge is the server's answer, not a question to us. */
static void
test_challenge (void)
{
  g_autoptr (HttpServer) server = http_server_new ();
  g_autoptr (Exchange) exchange = ask (server, "http", "/401?WWW-Authenticate=Basic%20realm%3Dx");

  assert_trouble (exchange, "AUTH_FAILED", RELAY_REMEDY_RENEW);
  g_assert_cmpuint (server->n_requests, ==, 1);
}

static void
test_redirect (void)
{
  g_autoptr (HttpServer) elsewhere = http_server_new ();

  for (gsize i = 0; i < 5; i++)
    for (gsize j = 0; j < 2; j++) {
      static const guint statuses[] = { 301, 302, 303, 307, 308 };
      g_autoptr (HttpServer) server = http_server_new ();
      g_autofree char *target = g_strdup_printf ("http://127.0.0.1:%u/200", elsewhere->port);
      g_autofree char *path = g_strdup_printf ("/%u?Location=%s", statuses[i], target);
      g_autoptr (Exchange) exchange = ask (server, j == 0 ? "http" : "ws", path);
      g_autoptr (RelayTrouble) trouble = relay_http_explain (exchange->message, exchange->error);

      assert_trouble (exchange, "REDIRECT", RELAY_REMEDY_RETRY);
      g_assert_nonnull (strstr (trouble->text, target));
      g_assert_cmpuint (server->n_requests, ==, 1);
      g_assert_cmpuint (elsewhere->n_requests, ==, 0);
    }
}

static void
test_hostile_location (void)
{
  g_autoptr (RawServer) server = raw_server_new ("HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe\x01/\r\n"
                                                 "Content-Length: 0\r\n\r\n", TRUE);
  g_autoptr (Exchange) exchange = ask_raw (server, "ws", 0);

  assert_trouble (exchange, "REDIRECT", RELAY_REMEDY_RETRY);
}

static void
test_bad_upgrade (void)
{
  g_autoptr (RawServer) server = raw_server_new ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: nonsense\r\n\r\n",
                                                 FALSE);
  g_autoptr (Exchange) exchange = ask_raw (server, "ws", 0);

  g_assert_null (exchange->websocket);
  assert_trouble (exchange, "PROTOCOL", RELAY_REMEDY_RETRY);
}

static void
test_not_http (void)
{
  g_autoptr (RawServer) server = raw_server_new ("SSH-2.0-OpenSSH_9.2p1\r\n\r\n", TRUE);
  g_autoptr (Exchange) exchange = ask_raw (server, "ws", 0);

  assert_trouble (exchange, "NOT_HTTP", RELAY_REMEDY_RETRY);
}

static void
test_cut (void)
{
  g_autoptr (RawServer) at_once = raw_server_new (NULL, TRUE);
  g_autoptr (RawServer) in_header = raw_server_new ("HTTP/1.1 200 OK\r\nContent-", TRUE);
  g_autoptr (RawServer) in_body = raw_server_new ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", TRUE);
  g_autoptr (RawServer) in_refusal = raw_server_new ("HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nhalf", TRUE);
  g_autoptr (Exchange) first = ask_raw (at_once, "ws", 0);
  g_autoptr (Exchange) second = ask_raw (in_header, "ws", 0);
  g_autoptr (Exchange) third = ask_raw (in_body, "http", 0);
  g_autoptr (Exchange) fourth = ask_raw (in_refusal, "http", 0);

  assert_trouble (first, "CONNECTION_LOST", RELAY_REMEDY_RETRY);
  assert_trouble (second, "NOT_HTTP", RELAY_REMEDY_RETRY); /* libsoup does not tell half a header from none */
  assert_trouble (third, "CONNECTION_LOST", RELAY_REMEDY_RETRY);
  assert_trouble (fourth, "AUTH_FAILED", RELAY_REMEDY_RENEW);
}

/* -- the network ---------------------------------------------------------------------------------------------- */

static void
test_refused (void)
{
  RawServer *server = raw_server_new (NULL, FALSE);
  g_autofree char *url = g_strdup_printf ("ws://127.0.0.1:%u/", server->port);
  g_autoptr (Exchange) exchange = NULL;

  raw_server_free (server); /* a port that was free a moment ago */
  exchange = exchange_new (url, NULL, 0);
  assert_trouble (exchange, "REFUSED", RELAY_REMEDY_RETRY);
}

static void
test_timeout (void)
{
  g_autoptr (RawServer) server = raw_server_new (NULL, FALSE);
  g_autoptr (Exchange) exchange = ask_raw (server, "ws", 1);

  assert_trouble (exchange, "TIMEOUT", RELAY_REMEDY_RETRY);
}

/* A resolver that knows no name, so that the test asks no name server. */
typedef GResolver NoResolver;
typedef GResolverClass NoResolverClass;
static GType no_resolver_get_type (void);
G_DEFINE_TYPE (NoResolver, no_resolver, G_TYPE_RESOLVER)

static void
no_resolver_lookup (GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
                    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (resolver, cancellable, callback, user_data);

  g_task_return_new_error (task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "no such name");
}

static GList *
no_resolver_lookup_finish (GResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
no_resolver_class_init (NoResolverClass *class)
{
  class->lookup_by_name_with_flags_async = no_resolver_lookup;
  class->lookup_by_name_with_flags_finish = no_resolver_lookup_finish;
}

static void
no_resolver_init (NoResolver *resolver)
{
}

static void
test_dns (void)
{
  g_autoptr (GResolver) usual = g_resolver_get_default ();
  g_autoptr (GResolver) resolver = g_object_new (no_resolver_get_type (), NULL);
  g_autoptr (Exchange) exchange = NULL;
  g_autoptr (RelayTrouble) trouble = NULL;

  g_resolver_set_default (resolver);
  exchange = exchange_new ("wss://nowhere.invalid/", NULL, 0);
  g_resolver_set_default (usual);
  trouble = relay_http_explain (exchange->message, exchange->error);
  assert_trouble (exchange, "DNS", RELAY_REMEDY_RETRY);
  g_assert_nonnull (strstr (trouble->text, "nowhere.invalid"));
}

/* -- TLS ------------------------------------------------------------------------------------------------------ */

static Exchange *
ask_tls (TlsServer *server, const char *scheme, const char *ca_file)
{
  g_autofree char *url = g_strdup_printf ("%s://localhost:%u/", scheme, tls_server_get_port (server));

  return exchange_new (url, ca_file, 10);
}

static void
test_tls_good (void)
{
  static const char *const versions[] = { "-tls1_2", "-tls1_3" };
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, "localhost", NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++) {
    g_autoptr (TlsServer) server = tls_server_new (authority, certificate, versions[i], "-www", NULL);
    g_autoptr (Exchange) exchange = ask_tls (server, "https", tls_authority_get_ca_file (authority));

    g_assert_no_error (exchange->error);
    g_assert_cmpuint (soup_message_get_status (exchange->message), ==, 200);
  }
}

/* Each of these servers is turned away before it has seen a byte of the request. */
static void
assert_tls_refused (TlsAuthority *authority, const char *certificate, const char *ca_file, const char *code,
                    const char *ended, const char *option, const char *option2, const char *option3)
{
  static const char *const schemes[] = { "https", "wss" };

  for (gsize i = 0; i < G_N_ELEMENTS (schemes); i++) {
    g_autoptr (TlsServer) server = tls_server_new (authority, certificate, option, option2, option3, NULL);
    g_autoptr (Exchange) exchange = ask_tls (server, schemes[i], ca_file);
    g_autofree char *seen = NULL;

    g_assert_nonnull (exchange->error);
    assert_trouble (exchange, code, RELAY_REMEDY_RETRY);
    seen = tls_server_read_until (server, ended);
    g_assert_null (strstr (seen, "GET"));
    g_assert_null (strstr (seen, SECRET));
  }
}

static void
test_tls_expired (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate =
    tls_authority_issue (authority, "localhost", "20200101000000Z", "20210101000000Z");

  assert_tls_refused (authority, certificate, tls_authority_get_ca_file (authority), "TLS_EXPIRED", "ERROR", NULL,
                      NULL, NULL);
}

static void
test_tls_not_yet_valid (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate =
    tls_authority_issue (authority, "localhost", "20980101000000Z", "20990101000000Z");

  assert_tls_refused (authority, certificate, tls_authority_get_ca_file (authority), "TLS_NOT_YET_VALID", "ERROR",
                      NULL, NULL, NULL);
}

static void
test_tls_wrong_host (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, "other.example", NULL, NULL);

  assert_tls_refused (authority, certificate, tls_authority_get_ca_file (authority), "TLS_WRONG_HOST", "ERROR",
                      NULL, NULL, NULL);
}

static void
test_tls_self_signed (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue_self_signed (authority);

  assert_tls_refused (authority, certificate, tls_authority_get_ca_file (authority), "TLS_UNTRUSTED", "ERROR",
                      NULL, NULL, NULL);
  assert_tls_refused (authority, certificate, NULL, "TLS_UNTRUSTED", "ERROR", NULL, NULL, NULL);
}

/* CaFile names the only authorities; and without it ours is not among the system's. */
static void
test_tls_unknown_authority (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autoptr (TlsAuthority) other = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, "localhost", NULL, NULL);

  assert_tls_refused (authority, certificate, tls_authority_get_ca_file (other), "TLS_UNTRUSTED", "ERROR", NULL,
                      NULL, NULL);
  assert_tls_refused (authority, certificate, NULL, "TLS_UNTRUSTED", "ERROR", NULL, NULL, NULL);
}

static void
test_tls_too_old (void)
{
  static const char *const versions[] = { "-tls1", "-tls1_1" };
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, "localhost", NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    assert_tls_refused (authority, certificate, tls_authority_get_ca_file (authority), "TLS_TOO_OLD", "DONE",
                        versions[i], "-cipher", "DEFAULT@SECLEVEL=0");
}

/* After the refusal the session has no connection left over that the next message would take. */
static void
test_tls_too_old_twice (void)
{
  g_autoptr (TlsAuthority) authority = tls_authority_new ();
  g_autofree char *certificate = tls_authority_issue (authority, "localhost", NULL, NULL);
  g_autoptr (TlsServer) server =
    tls_server_new (authority, certificate, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL);
  g_autofree char *url = g_strdup_printf ("https://localhost:%u/", tls_server_get_port (server));
  g_autoptr (SoupSession) session = relay_http_session_new (url, tls_authority_get_ca_file (authority), 10, NULL);

  for (gsize i = 0; i < 3; i++) {
    g_autoptr (Exchange) exchange = g_new0 (Exchange, 1);
    g_autofree char *seen = NULL;

    exchange->session = g_object_ref (session);
    exchange->cancellable = g_cancellable_new ();
    exchange->message = relay_http_message_new ("GET", url, exchange->cancellable);
    soup_session_send_and_read_async (session, exchange->message, G_PRIORITY_DEFAULT, exchange->cancellable,
                                      on_answered, exchange);
    wait_for (&exchange->done);
    assert_trouble (exchange, "TLS_TOO_OLD", RELAY_REMEDY_RETRY);
    seen = tls_server_read_until (server, "DONE");
    g_assert_null (strstr (seen, "GET"));
  }
}

static void
test_tls_not_spoken (void)
{
  g_autoptr (RawServer) server = raw_server_new ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", TRUE);
  g_autoptr (Exchange) exchange = ask_raw (server, "wss", 0);

  assert_trouble (exchange, "TLS", RELAY_REMEDY_RETRY);
}

static void
test_ca_file (void)
{
  static const struct {
    const char *content; /* NULL: there is no such file */
    const char *reason;
  } cases[] = { { NULL, "No such file" },
                { "", "it holds no certificate" },
                { "nonsense\n", "it holds no certificate" } };
  g_autofree char *folder = g_dir_make_tmp ("prp-relay-http-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "ca.pem", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;

    if (cases[i].content != NULL)
      g_assert_true (g_file_set_contents (path, cases[i].content, -1, NULL));
    g_assert_null (relay_http_session_new ("wss://localhost/", path, 0, &error));
    g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, path));
    g_assert_nonnull (strstr (error->message, cases[i].reason));
  }
  g_unlink (path);
  g_rmdir (folder);
}

/* A proxy is for the way to other computers. */
static void
test_proxy (void)
{
  g_autoptr (SoupSession) here = relay_http_session_new ("ws://[::1]:80/", NULL, 0, NULL);
  g_autoptr (SoupSession) there = relay_http_session_new ("wss://api.prp.dev/", NULL, 0, NULL);

  g_assert_null (soup_session_get_proxy_resolver (here));
  g_assert_nonnull (soup_session_get_proxy_resolver (there));
}

int
main (int argc, char **argv)
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE); /* whatever the machine has set */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/loopback", test_loopback);
  g_test_add_func ("/http/check-url", test_check_url);
  g_test_add_func ("/http/request", test_request);
  g_test_add_func ("/http/status", test_status);
  g_test_add_func ("/http/retry-after-date", test_retry_after_date);
  g_test_add_func ("/http/challenge", test_challenge);
  g_test_add_func ("/http/redirect", test_redirect);
  g_test_add_func ("/http/hostile-location", test_hostile_location);
  g_test_add_func ("/http/bad-upgrade", test_bad_upgrade);
  g_test_add_func ("/http/not-http", test_not_http);
  g_test_add_func ("/http/cut", test_cut);
  g_test_add_func ("/http/refused", test_refused);
  g_test_add_func ("/http/timeout", test_timeout);
  g_test_add_func ("/http/dns", test_dns);
  g_test_add_func ("/http/tls/good", test_tls_good);
  g_test_add_func ("/http/tls/expired", test_tls_expired);
  g_test_add_func ("/http/tls/not-yet-valid", test_tls_not_yet_valid);
  g_test_add_func ("/http/tls/wrong-host", test_tls_wrong_host);
  g_test_add_func ("/http/tls/self-signed", test_tls_self_signed);
  g_test_add_func ("/http/tls/unknown-authority", test_tls_unknown_authority);
  g_test_add_func ("/http/tls/too-old", test_tls_too_old);
  g_test_add_func ("/http/tls/too-old-twice", test_tls_too_old_twice);
  g_test_add_func ("/http/tls/not-spoken", test_tls_not_spoken);
  g_test_add_func ("/http/ca-file", test_ca_file);
  g_test_add_func ("/http/proxy", test_proxy);
  return g_test_run ();
}
