/* SPDX-License-Identifier: MIT */
#include "simulator/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <libsoup/soup.h>

#include "build-config.h"

#include "common/http.h"
#include "common/log.h"
#include "simulator/oauth.h"

/*
 * libsoup does HTTP and checks the handshake; behind it, the connection is stolen and becomes a session.
 *
 * Bodies: libsoup would collect a request's body without an end. Each message is told on its start not to, and the
 * chunks are collected here, up to a limit by path; what is beyond is read and thrown away, and answered with 413.
 *
 * Connections are accepted here and handed to libsoup, for three reasons: libsoup 3.2 never lets go of a socket
 * that it has accepted itself; they are counted; and the socket is needed when the connection is stolen, while
 * libsoup only knows it of connections of its own. It travels as data of the remote address, the one object of
 * ours that a SoupServerMessage hands back.
 *
 * The control has no password. What keeps others out is that it is on a loopback address, and what keeps web pages
 * of the user's own browser out is check_browser().
 */

#define MAX_FORM_BYTES (64 * 1024)
#define STATUS_UPGRADE_REQUIRED 426 /* RFC 9110 §15.5.22; libsoup has no name for it */
#define MAX_CONNECTIONS 256    /* at a time, of whatever kind; SIM_HUB_MAX_SESSIONS of them can be WebSockets */
#define HTTP_TIMEOUT_SEC 60    /* for the next byte of a request, or for the next request */
#define MAX_STALLED 64 /* handshakes kept without an answer; more are let in */

struct SimServer {
  SoupServer *soup;
  GSocketService *service;
  GTlsCertificate *certificate; /* NULL without TLS */
  guint *n_connections;         /* shared with the sockets, which may outlive the server */
  SimHub *hub;
  SimGate gate;
  SimControl *control;
  GInetAddress *address;
  guint16 port;
  guint n_stalled;
};

typedef struct {
  GByteArray *bytes;
  gsize max_bytes;
  gboolean is_too_long;
} Body;

static void
body_free (Body *body)
{
  g_byte_array_unref (body->bytes);
  g_free (body);
}

static G_DEFINE_QUARK (sim-server-body, body)
static G_DEFINE_QUARK (sim-server-socket, socket)

static void
set_json (SoupServerMessage *message, guint status, const char *json)
{
  g_autofree char *line = g_strconcat (json, "\n", NULL);
  gsize length = strlen (line);

  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_TAKE, g_steal_pointer (&line),
                                    length);
}

static void
set_text (SoupServerMessage *message, guint status, const char *text)
{
  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "text/plain; charset=utf-8", SOUP_MEMORY_COPY, text, strlen (text));
}

static void
set_header (SoupServerMessage *message, const char *name, const char *value)
{
  soup_message_headers_replace (soup_server_message_get_response_headers (message), name, value);
}

static const char *
get_header (SoupServerMessage *message, const char *name)
{
  return soup_message_headers_get_one (soup_server_message_get_request_headers (message), name);
}

/* -- bodies -------------------------------------------------------------------------------------------------- */

static void
on_got_headers (SoupServerMessage *message, gpointer user_data)
{
  const char *path = g_uri_get_path (soup_server_message_get_uri (message));
  Body *body = g_object_get_qdata (G_OBJECT (message), body_quark ());

  if (g_str_has_prefix (path, SIM_CONTROL_PATH "/"))
    body->max_bytes = sim_control_get_max_body (path + strlen (SIM_CONTROL_PATH "/"));
}

static void
on_got_chunk (SoupServerMessage *message, GBytes *chunk, gpointer user_data)
{
  Body *body = g_object_get_qdata (G_OBJECT (message), body_quark ());
  gsize length;
  const guint8 *bytes = g_bytes_get_data (chunk, &length);

  if (length > body->max_bytes - body->bytes->len)
    body->is_too_long = TRUE;
  if (!body->is_too_long)
    g_byte_array_append (body->bytes, bytes, (guint) length);
}

static void
on_request_started (SoupServer *soup, SoupServerMessage *message, gpointer user_data)
{
  Body *body = g_new0 (Body, 1);

  body->bytes = g_byte_array_new ();
  body->max_bytes = MAX_FORM_BYTES;
  g_object_set_qdata_full (G_OBJECT (message), body_quark (), body, (GDestroyNotify) body_free);
  soup_message_body_set_accumulate (soup_server_message_get_request_body (message), FALSE);
  g_signal_connect (message, "got-headers", G_CALLBACK (on_got_headers), NULL);
  g_signal_connect (message, "got-chunk", G_CALLBACK (on_got_chunk), NULL);
}

/* The body with a NUL behind it, or NULL if it was too long, which is then answered. Owned by @message. */
static const char *
get_body (SoupServerMessage *message, gsize *ret_length)
{
  Body *body = g_object_get_qdata (G_OBJECT (message), body_quark ());

  if (body->is_too_long) {
    set_json (message, 413, "{\"ok\":false,\"error\":\"The body is too long\"}");
    return NULL;
  }
  *ret_length = body->bytes->len;
  g_byte_array_append (body->bytes, (const guint8 *) "", 1);
  return (const char *) body->bytes->data;
}

/* -- handshake ----------------------------------------------------------------------------------------------- */

/* The protocol page's error message as the body: it is what the client's developer will look at. */
static void
refuse_unauthorized (SimServer *server, SoupServerMessage *message, const char *challenge, const char *code,
                     const char *text)
{
  g_autofree char *id = sim_ids_next (sim_hub_get_ids (server->hub), "msg");
  g_autofree char *json = sim_message_format_error (id, g_get_real_time (), code, text, NULL, NULL);

  server->gate.n_unauthorized++;
  relay_info ("handshake refused: %s", text);
  set_json (message, SOUP_STATUS_UNAUTHORIZED, json);
  set_header (message, "WWW-Authenticate", challenge);
}

/* RFC 6750 §2.1 and §3. Returns FALSE if the request was answered. */
static gboolean
check_token (SimServer *server, SoupServerMessage *message, gint64 *ret_expires_usec)
{
  static const char challenge[] = "Bearer realm=\"prp-simulator\"";
  const char *authorization = get_header (message, "Authorization");
  const char *token;

  *ret_expires_usec = 0;
  if (authorization == NULL || g_ascii_strncasecmp (authorization, "Bearer ", strlen ("Bearer ")) != 0) {
    refuse_unauthorized (server, message, challenge, "AUTH_FAILED", "There is no bearer token in the request");
    return FALSE;
  }
  token = authorization + strlen ("Bearer ");
  token += strspn (token, " ");

  switch (sim_tokens_check (sim_hub_get_tokens (server->hub), token, g_get_real_time (), ret_expires_usec)) {
  case SIM_TOKEN_ACCEPTED:
    return TRUE;
  case SIM_TOKEN_EXPIRED:
    refuse_unauthorized (
        server, message,
        "Bearer realm=\"prp-simulator\", error=\"invalid_token\", error_description=\"The token expired\"",
        "TOKEN_EXPIRED", "The token has expired");
    return FALSE;
  case SIM_TOKEN_REVOKED:
  case SIM_TOKEN_UNKNOWN:
    refuse_unauthorized (server, message, "Bearer realm=\"prp-simulator\", error=\"invalid_token\"", "AUTH_FAILED",
                         "The token is not valid");
    return FALSE;
  }
  g_assert_not_reached ();
}

/* Returns TRUE if the request was refused on demand. */
static gboolean
obey_refusal (SimRefusal *refusal, SoupServerMessage *message)
{
  guint status = sim_refusal_take (refusal);

  if (status == 0)
    return FALSE;
  if (status == SOUP_STATUS_UNAUTHORIZED)
    set_header (message, "WWW-Authenticate", "Bearer realm=\"prp-simulator\", error=\"invalid_token\"");
  if (refusal->retry_after_sec > 0) {
    g_autofree char *seconds = g_strdup_printf ("%u", refusal->retry_after_sec);

    set_header (message, "Retry-After", seconds);
  }
  if (refusal->location != NULL)
    set_header (message, "Location", refusal->location);
  set_text (message, status, "Refused on demand\n");
  return TRUE;
}

static void
on_stalled_finished (SoupServerMessage *message, gpointer user_data)
{
  SimServer *server = user_data;

  server->n_stalled--;
}

typedef struct {
  SimServer *server;
  gint64 token_expires_usec;
} Newcomer;

/* The 101 is out. */
static void
on_upgraded (SoupServerMessage *message, gpointer user_data)
{
  const Newcomer *newcomer = user_data;
  GSocketAddress *remote = soup_server_message_get_remote_address (message);
  g_autoptr (GSocket) socket = g_object_ref (g_object_get_qdata (G_OBJECT (remote), socket_quark ()));
  g_autoptr (GIOStream) stream = soup_server_message_steal_connection (message);

  g_socket_set_timeout (socket, 0);
  if (sim_hub_has_room (newcomer->server->hub)) /* several may have been on their way at once */
    sim_hub_adopt (newcomer->server->hub, stream, socket, newcomer->token_expires_usec);
}

static void
on_websocket (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query,
              gpointer user_data)
{
  SimServer *server = user_data;
  gint64 expires_usec;
  Newcomer *newcomer;

  if (!g_str_equal (path, SIM_WEBSOCKET_PATH)) {
    set_text (message, SOUP_STATUS_NOT_FOUND, "There is nothing here\n");
    return;
  }
  server->gate.n_handshakes++;
  /* Whoever is refused is hung up on, as most servers do: some clients wait for it. A 101 overwrites this. */
  set_header (message, "Connection", "close");
  if (server->gate.stall_left > 0 && server->n_stalled < MAX_STALLED) {
    server->gate.stall_left--;
    server->gate.n_stalled++;
    server->n_stalled++;
    g_signal_connect (message, "finished", G_CALLBACK (on_stalled_finished), server);
    soup_server_message_pause (message);
    return;
  }
  if (obey_refusal (&server->gate.handshakes, message)) {
    server->gate.n_refused++;
    relay_info ("handshake refused on demand: %u", soup_server_message_get_status (message));
    return;
  }
  if (!check_token (server, message, &expires_usec))
    return;
  if (!soup_websocket_server_check_handshake (message, NULL, NULL, NULL, NULL)) {
    set_header (message, "Upgrade", "websocket");
    set_header (message, "Sec-WebSocket-Version", "13");
    set_text (message, STATUS_UPGRADE_REQUIRED, "This is a WebSocket\n");
    soup_server_message_set_status (message, STATUS_UPGRADE_REQUIRED, "Upgrade Required");
    return;
  }
  if (!sim_hub_has_room (server->hub)) {
    set_header (message, "Retry-After", "5");
    set_text (message, SOUP_STATUS_SERVICE_UNAVAILABLE, "There are too many connections\n");
    return;
  }

  soup_websocket_server_process_handshake (message, NULL, NULL, NULL, NULL);
  server->gate.n_accepted++;
  newcomer = g_new (Newcomer, 1);
  *newcomer = (Newcomer){ server, expires_usec };
  g_signal_connect_data (message, "wrote-informational", G_CALLBACK (on_upgraded), newcomer,
                         (GClosureNotify) G_CALLBACK (g_free), 0);
}

/* -- token endpoint ------------------------------------------------------------------------------------------ */

static void
on_token (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  SimServer *server = user_data;
  const char *content_type =
      soup_message_headers_get_content_type (soup_server_message_get_request_headers (message), NULL);
  g_autofree char *json = NULL;
  const char *body;
  gsize length;
  guint status;

  if (!g_str_equal (path, SIM_TOKEN_PATH)) {
    set_text (message, SOUP_STATUS_NOT_FOUND, "There is nothing here\n");
    return;
  }
  set_header (message, "Cache-Control", "no-store"); /* RFC 6749 §5.1 */
  set_header (message, "Pragma", "no-cache");
  if (!g_str_equal (soup_server_message_get_method (message), "POST")) {
    set_header (message, "Allow", "POST");
    json = sim_oauth_format_error ("invalid_request", "The method has to be POST");
    set_json (message, SOUP_STATUS_METHOD_NOT_ALLOWED, json);
    return;
  }
  server->gate.n_renewals++;
  if (obey_refusal (&server->gate.renewals, message)) {
    server->gate.n_renewals_refused++;
    return;
  }
  body = get_body (message, &length);
  if (body == NULL)
    return;
  status = sim_oauth_handle (sim_hub_get_tokens (server->hub), content_type, body, g_get_real_time (), &json);
  if (status != SOUP_STATUS_OK)
    server->gate.n_renewals_refused++;
  relay_info ("token endpoint: %u", status);
  set_json (message, status, json);
}

/* -- control ------------------------------------------------------------------------------------------------- */

/* Is the host of this "host[:port]", with an optional scheme in front, this machine? */
static gboolean
is_loopback_authority (const char *text)
{
  g_autofree char *url = strstr (text, "://") != NULL ? g_strdup (text) : g_strconcat ("http://", text, NULL);
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);

  return uri != NULL && g_uri_get_host (uri) != NULL && g_uri_get_userinfo (uri) == NULL &&
         relay_http_host_is_loopback (g_uri_get_host (uri));
}

/* A web page in the user's browser can send requests here. It cannot hide that it does: a request from another
 * site has that site's Origin (or says so in Sec-Fetch-Site), and one through a name that was made to point here
 * (DNS rebinding) has that name as its Host. Returns FALSE if the request was answered. */
static gboolean
check_browser (SoupServerMessage *message)
{
  const char *host = get_header (message, "Host"), *origin = get_header (message, "Origin");
  const char *site = get_header (message, "Sec-Fetch-Site");

  if (host != NULL && is_loopback_authority (host) && (origin == NULL || is_loopback_authority (origin)) &&
      g_strcmp0 (site, "cross-site") != 0)
    return TRUE;

  set_json (message, SOUP_STATUS_FORBIDDEN, "{\"ok\":false,\"error\":\"The control is for this machine only\"}");
  return FALSE;
}

static void
on_control (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  SimServer *server = user_data;
  const char *command = path + strlen (SIM_CONTROL_PATH);
  g_autofree char *json = NULL;
  const char *allow = NULL, *body;
  gsize length;
  guint status;

  if (*command != '\0' && *command != '/') {
    set_text (message, SOUP_STATUS_NOT_FOUND, "There is nothing here\n");
    return;
  }
  if (!check_browser (message))
    return;
  body = get_body (message, &length);
  if (body == NULL)
    return;
  status = sim_control_handle (server->control, soup_server_message_get_method (message),
                               command + (*command == '/' ? 1 : 0), query, body, length, &json, &allow);
  set_header (message, "Cache-Control", "no-store");
  if (allow != NULL)
    set_header (message, "Allow", allow);
  set_json (message, status, json);
}

/* -- the rest ------------------------------------------------------------------------------------------------ */

static void
on_index (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  SimServer *server = user_data;
  g_autofree char *websocket = NULL, *token = NULL, *control = NULL, *text = NULL;

  if (!g_str_equal (path, "/")) {
    set_text (message, SOUP_STATUS_NOT_FOUND, "There is nothing here\n");
    return;
  }
  websocket = sim_server_format_url (server, "ws", SIM_WEBSOCKET_PATH);
  token = sim_server_format_url (server, "http", SIM_TOKEN_PATH);
  control = sim_server_format_url (server, "http", SIM_CONTROL_PATH);
  text = g_strdup_printf ("This is prp-simulator " VERSION ", a simulated PRP service for trying and testing.\n"
                          "Events: %s\nTokens: %s\nFaults on demand: %s\n",
                          websocket, token, control);
  set_text (message, SOUP_STATUS_OK, text);
}

static void
on_connection_gone (gpointer user_data, GObject *socket)
{
  guint *n_connections = user_data;

  (*n_connections)--;
  g_rc_box_release (n_connections);
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user_data)
{
  SimServer *server = user_data;
  GSocket *socket = g_socket_connection_get_socket (connection);
  g_autoptr (GSocketAddress) local = g_socket_connection_get_local_address (connection, NULL);
  g_autoptr (GSocketAddress) remote = g_socket_connection_get_remote_address (connection, NULL);
  g_autoptr (GIOStream) stream = g_object_ref (G_IO_STREAM (connection));
  g_autoptr (GError) error = NULL;

  (*server->n_connections)++;
  g_object_weak_ref (G_OBJECT (socket), on_connection_gone, g_rc_box_acquire (server->n_connections));
  if (*server->n_connections > MAX_CONNECTIONS || local == NULL || remote == NULL)
    return TRUE; /* nobody holds it: it closes */

  g_socket_set_timeout (socket, HTTP_TIMEOUT_SEC);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
  g_object_set_qdata_full (G_OBJECT (remote), socket_quark (), g_object_ref (socket), g_object_unref);
  if (server->certificate != NULL) {
    GIOStream *tls = g_tls_server_connection_new (stream, server->certificate, &error);

    if (tls != NULL)
      g_set_object (&stream, tls);
    g_clear_object (&tls);
  }
  if (error != NULL || !soup_server_accept_iostream (server->soup, stream, local, remote, &error))
    relay_warning ("connection not accepted: %s", error->message);
  return TRUE;
}

SimServer *
sim_server_new (SimHub *hub, GTlsCertificate *certificate, SimTokenSink sink, gpointer user_data)
{
  SimServer *server = g_new0 (SimServer, 1);

  server->hub = hub;
  server->certificate = certificate != NULL ? g_object_ref (certificate) : NULL;
  server->n_connections = g_rc_box_new0 (guint);
  server->control = sim_control_new (hub, &server->gate, sink, user_data);
  server->soup = soup_server_new ("server-header", "prp-simulator/" VERSION, NULL);
  g_signal_connect (server->soup, "request-started", G_CALLBACK (on_request_started), NULL);
  soup_server_add_handler (server->soup, NULL, on_index, server, NULL);
  soup_server_add_handler (server->soup, SIM_WEBSOCKET_PATH, on_websocket, server, NULL);
  soup_server_add_handler (server->soup, SIM_TOKEN_PATH, on_token, server, NULL);
  soup_server_add_handler (server->soup, SIM_CONTROL_PATH, on_control, server, NULL);
  server->service = g_socket_service_new ();
  g_signal_connect (server->service, "incoming", G_CALLBACK (on_incoming), server);
  return server;
}

void
sim_server_free (SimServer *server)
{
  if (server == NULL)
    return;
  sim_server_stop (server);
  g_object_unref (server->service);
  g_object_unref (server->soup);
  g_clear_object (&server->certificate);
  g_rc_box_release (server->n_connections);
  sim_control_free (server->control);
  sim_gate_clear (&server->gate);
  g_clear_object (&server->address);
  g_free (server);
}

gboolean
sim_server_listen (SimServer *server, GInetAddress *address, guint16 port, GError **error)
{
  g_autoptr (GSocketAddress) wanted = g_inet_socket_address_new (address, port);
  g_autoptr (GSocketAddress) got = NULL;

  if (!g_inet_address_get_is_loopback (address)) {
    g_autofree char *text = g_inet_address_to_string (address);

    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s is not a loopback address", text);
    return FALSE;
  }
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (server->service), wanted, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_TCP, NULL, &got, error))
    return FALSE;
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (got));
  g_set_object (&server->address, address);
  return TRUE;
}

char *
sim_server_format_url (SimServer *server, const char *scheme, const char *path)
{
  g_autofree char *host = g_inet_address_to_string (server->address);
  gboolean is_v6 = g_inet_address_get_family (server->address) == G_SOCKET_FAMILY_IPV6;

  return g_strdup_printf ("%s%s://%s%s%s:%u%s", scheme, server->certificate != NULL ? "s" : "", is_v6 ? "[" : "",
                          host, is_v6 ? "]" : "", server->port, path);
}

guint16
sim_server_get_port (SimServer *server)
{
  return server->port;
}

void
sim_server_stop (SimServer *server)
{
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  soup_server_disconnect (server->soup);
}
