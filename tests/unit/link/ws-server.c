/* SPDX-License-Identifier: MIT */
#include "tests/unit/link/ws-server.h"

#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 §1.3 */

static void peer_write (WsPeer *peer);

/* ---- out ---- */

static gboolean
on_writable (GObject *stream, gpointer user_data)
{
  WsPeer *peer = user_data;

  g_clear_pointer (&peer->writer, g_source_unref);
  peer_write (peer);
  return G_SOURCE_REMOVE;
}

static void
stop (WsPeer *peer)
{
  if (peer->reader != NULL)
    g_source_destroy (peer->reader);
  if (peer->writer != NULL)
    g_source_destroy (peer->writer);
  g_clear_pointer (&peer->reader, g_source_unref);
  g_clear_pointer (&peer->writer, g_source_unref);
}

static void
peer_write (WsPeer *peer)
{
  GPollableOutputStream *output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (peer->stream));
  g_autoptr (GError) error = NULL;

  while (peer->out->len > 0 && error == NULL) {
    gssize n = g_pollable_output_stream_write_nonblocking (output, peer->out->data, peer->out->len, NULL, &error);

    if (n > 0)
      g_byte_array_remove_range (peer->out, 0, (guint) n);
  }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
    if (peer->writer == NULL) {
      peer->writer = g_pollable_output_stream_create_source (output, NULL);
      g_source_set_callback (peer->writer, G_SOURCE_FUNC (on_writable), peer, NULL);
      g_source_attach (peer->writer, NULL);
    }
    return;
  }
  if (error != NULL)
    g_byte_array_set_size (peer->out, 0); /* the client is gone: its reader will see */
  if (peer->end_when_written) {
    GSocket *socket = g_object_get_data (G_OBJECT (peer->stream), "socket");

    if (G_IS_TLS_CONNECTION (peer->stream))
      g_io_stream_close (peer->stream, NULL, NULL);
    g_socket_shutdown (socket, FALSE, TRUE, NULL);
  }
}

void
ws_append_frame (GByteArray *bytes, guint8 opcode, gboolean fin, gconstpointer payload, gsize length)
{
  guint8 header[10] = { (guint8) ((fin ? 0x80 : 0) | opcode) };
  guint n = 2;

  if (length < 126) {
    header[1] = (guint8) length;
  } else if (length < 65536) {
    header[1] = 126;
    for (; n < 4; n++)
      header[n] = (guint8) (length >> (8 * (3 - n)));
  } else {
    header[1] = 127;
    for (; n < 10; n++)
      header[n] = (guint8) (length >> (8 * (9 - n)));
  }
  g_byte_array_append (bytes, header, n);
  if (length > 0)
    g_byte_array_append (bytes, payload, (guint) length);
}

void
ws_peer_send (WsPeer *peer, gconstpointer data, gsize length)
{
  g_byte_array_append (peer->out, data, (guint) length);
  peer_write (peer);
}

void
ws_peer_send_frame (WsPeer *peer, guint8 opcode, gboolean fin, gconstpointer payload, gsize length)
{
  ws_append_frame (peer->out, opcode, fin, payload, length);
  peer_write (peer);
}

void
ws_peer_send_text (WsPeer *peer, const char *text)
{
  ws_peer_send_frame (peer, 0x1, TRUE, text, strlen (text));
}

void
ws_peer_send_close (WsPeer *peer, guint code, const char *reason)
{
  guint8 payload[125] = { (guint8) (code >> 8), (guint8) code };
  gsize length = reason != NULL ? strlen (reason) : 0;

  g_assert_cmpuint (length, <=, 123);
  if (length > 0)
    memcpy (payload + 2, reason, length);
  peer->close_sent = TRUE;
  ws_peer_send_frame (peer, 0x8, TRUE, payload, code == 0 ? 0 : 2 + length);
}

void
ws_peer_stop_reading (WsPeer *peer)
{
  GSocket *socket = g_object_get_data (G_OBJECT (peer->stream), "socket");

  /* Or the kernel would read on instead, as far as tcp_rmem goes. */
  g_assert_true (g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, 64 * 1024, NULL));
  peer->not_reading = TRUE;
}

void
ws_peer_end (WsPeer *peer)
{
  peer->end_when_written = TRUE;
  peer_write (peer);
}

void
ws_peer_abort (WsPeer *peer)
{
  GSocket *socket = g_object_get_data (G_OBJECT (peer->stream), "socket");
  struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  stop (peer);
  peer->ended = TRUE;
  g_assert_cmpint (setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_LINGER, &linger, sizeof linger), ==, 0);
  g_socket_close (socket, NULL);
}

/* ---- in ---- */

static char *
get_header (const char *request, const char *name)
{
  g_autofree char *start = g_strdup_printf ("\r\n%s: ", name);
  const char *value = strcasestr (request, start);
  const char *end;

  if (value == NULL)
    return NULL;
  value += strlen (start);
  end = strstr (value, "\r\n");
  return g_strndup (value, (gsize) (end - value));
}

static void
answer (WsPeer *peer)
{
  WsServer *server = peer->server;
  g_autofree char *key = get_header (peer->request, "Sec-WebSocket-Key");
  g_autofree char *authorization = get_header (peer->request, "Authorization");
  g_autofree char *expected = g_strdup_printf ("Bearer %s", server->bearer);
  g_autofree char *text = NULL;

  if (server->silent)
    return;
  if (server->answer != NULL) {
    ws_peer_send (peer, server->answer, strlen (server->answer));
    ws_peer_end (peer);
  } else if (server->bearer != NULL && g_strcmp0 (authorization, expected) != 0) {
    server->n_refused++;
    text = g_strdup ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    ws_peer_send (peer, text, strlen (text));
    ws_peer_end (peer);
  } else {
    g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
    guint8 digest[20];
    gsize length = sizeof digest;
    g_autofree char *accept = NULL;

    g_assert_nonnull (key);
    g_checksum_update (checksum, (const guchar *) key, -1);
    g_checksum_update (checksum, (const guchar *) GUID, -1);
    g_checksum_get_digest (checksum, digest, &length);
    if (server->bad_accept)
      digest[0] ^= 1;
    accept = g_base64_encode (digest, length);
    text = g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    peer->upgraded = TRUE;
    g_byte_array_append (peer->out, (const guint8 *) text, (guint) strlen (text));
    if (server->behind != NULL)
      g_byte_array_append (peer->out, server->behind->data, server->behind->len);
    peer_write (peer);
  }
}

static void
take_frame (WsPeer *peer, guint8 opcode, guint8 *payload, gsize length)
{
  WsServer *server = peer->server;

  switch (opcode) {
  case 0x1: {
    char *text = g_strndup ((const char *) payload, length);

    g_ptr_array_add (peer->texts, text);
    if (server->text != NULL)
      server->text (peer, text, server->user_data);
    break;
  }
  case 0x8:
    peer->close_code = length >= 2 ? (guint) (payload[0] << 8 | payload[1]) : 1005;
    peer->close_reason = length > 2 ? g_strndup ((const char *) payload + 2, length - 2) : g_strdup ("");
    if (server->deaf_to_close)
      break;
    if (!peer->close_sent)
      ws_peer_send_close (peer, peer->close_code == 1005 ? 0 : peer->close_code, NULL);
    ws_peer_end (peer);
    break;
  case 0xa:
    peer->n_pongs++;
    break;
  default:
    g_error ("The client sent a frame of opcode %x", opcode);
  }
}

/* One frame, if it is complete. */
static gboolean
take_in (WsPeer *peer)
{
  guint8 *data = peer->in->data;
  gsize at = 2, length;

  if (peer->in->len < 2)
    return FALSE;
  g_assert_cmphex (data[1] & 0x80, ==, 0x80); /* a client masks */
  length = data[1] & 0x7f;
  for (gsize n = length == 126 ? 2 : length == 127 ? 8 : 0, i = 0; i < n; i++, at++) {
    if (peer->in->len < 2 + n)
      return FALSE;
    length = (i == 0 ? 0 : length << 8) | data[2 + i];
  }
  if (peer->in->len < at + 4 + length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    data[at + 4 + i] ^= data[at + i % 4];

  g_assert_cmphex (data[0] & 0x80, ==, 0x80); /* this client does not fragment */
  take_frame (peer, data[0] & 0x0f, data + at + 4, length);
  g_byte_array_remove_range (peer->in, 0, (guint) (at + 4 + length));
  return TRUE;
}

static gboolean
on_readable (GObject *stream, gpointer user_data)
{
  WsPeer *peer = user_data;
  guint8 buffer[4096];
  gssize n = 0;
  g_autoptr (GError) error = NULL;
  const char *end;

  if (peer->not_reading)
    return G_SOURCE_REMOVE;
  n = g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), buffer, sizeof buffer, NULL, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return G_SOURCE_CONTINUE;
  if (n <= 0) {
    peer->ended = TRUE;
    peer->reset = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
    return G_SOURCE_REMOVE;
  }
  g_byte_array_append (peer->in, buffer, (guint) n);

  if (peer->request == NULL) {
    end = g_strstr_len ((const char *) peer->in->data, (gssize) peer->in->len, "\r\n\r\n");
    if (end == NULL)
      return G_SOURCE_CONTINUE;
    peer->request = g_strndup ((const char *) peer->in->data, (gsize) (end - (const char *) peer->in->data) + 4);
    g_byte_array_remove_range (peer->in, 0, (guint) strlen (peer->request));
    if (peer->server->request != NULL)
      peer->server->request (peer, peer->server->user_data);
    else
      answer (peer);
  }
  while (peer->upgraded && take_in (peer))
    ;
  return G_SOURCE_CONTINUE;
}

/* ---- the server ---- */

static void
peer_free (WsPeer *peer)
{
  stop (peer);
  g_io_stream_close (peer->stream, NULL, NULL);
  g_object_unref (peer->stream);
  g_byte_array_unref (peer->in);
  g_byte_array_unref (peer->out);
  g_ptr_array_unref (peer->texts);
  g_free (peer->request);
  g_free (peer->close_reason);
  g_free (peer);
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user_data)
{
  WsServer *server = user_data;
  WsPeer *peer = g_new0 (WsPeer, 1);

  g_socket_set_option (g_socket_connection_get_socket (connection), IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
  peer->server = server;
  if (server->certificate != NULL) {
    peer->stream = g_tls_server_connection_new (G_IO_STREAM (connection), server->certificate, NULL);
    g_assert_nonnull (peer->stream);
  } else {
    peer->stream = g_object_ref (G_IO_STREAM (connection));
  }
  g_object_set_data_full (G_OBJECT (peer->stream), "socket", g_object_ref (g_socket_connection_get_socket (connection)),
                          g_object_unref);
  peer->in = g_byte_array_new ();
  peer->out = g_byte_array_new ();
  peer->texts = g_ptr_array_new_with_free_func (g_free);
  peer->reader = g_pollable_input_stream_create_source (
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (peer->stream)), NULL);
  g_source_set_callback (peer->reader, G_SOURCE_FUNC (on_readable), peer, NULL);
  g_source_attach (peer->reader, NULL);
  g_ptr_array_add (server->peers, peer);
  return TRUE;
}

WsServer *
ws_server_new (void)
{
  WsServer *server = g_new0 (WsServer, 1);
  g_autoptr (GInetAddress) address = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any_port = g_inet_socket_address_new (address, 0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) error = NULL;

  server->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) peer_free);
  server->service = g_socket_service_new ();
  g_socket_listener_add_address (G_SOCKET_LISTENER (server->service), any_port, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_TCP, NULL, &bound, &error);
  g_assert_no_error (error);
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_signal_connect (server->service, "incoming", G_CALLBACK (on_incoming), server);
  return server;
}

void
ws_server_free (WsServer *server)
{
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  g_signal_handlers_disconnect_by_data (server->service, server);
  g_object_unref (server->service);
  g_ptr_array_unref (server->peers);
  g_clear_pointer (&server->behind, g_byte_array_unref);
  g_clear_object (&server->certificate);
  g_free (server->answer);
  g_free (server->bearer);
  g_free (server);
}

char *
ws_server_get_url (WsServer *server)
{
  return g_strdup_printf (server->certificate != NULL ? "wss://localhost:%u/" : "ws://127.0.0.1:%u/", server->port);
}

WsPeer *
ws_server_last (WsServer *server)
{
  return server->peers->len > 0 ? g_ptr_array_index (server->peers, server->peers->len - 1) : NULL;
}

guint
ws_server_count (WsServer *server)
{
  guint n = 0;

  for (guint i = 0; i < server->peers->len; i++)
    n += ((WsPeer *) g_ptr_array_index (server->peers, i))->upgraded;
  return n;
}

static void
on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  g_assert_nonnull (token);
  *(RelayToken **) user_data = relay_token_ref (token);
}

RelayToken *
ws_make_token (const char *value)
{
  g_autofree char *directory = g_dir_make_tmp ("prp-relay-link-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "token", NULL);
  RelayTokenOptions options = { .token_file = path };
  g_autoptr (RelayTokens) tokens = NULL;
  RelayToken *token = NULL;

  g_assert_true (g_file_set_contents_full (path, value, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  tokens = relay_tokens_new (&options, NULL, NULL);
  relay_tokens_get (tokens, on_token, &token);
  ws_wait_for (token != NULL);
  g_unlink (path);
  g_rmdir (directory);
  return token;
}

static gboolean
on_tick (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

GSource *
ws_tick_new (void)
{
  GSource *tick = g_timeout_source_new (10);

  g_source_set_callback (tick, on_tick, NULL, NULL);
  g_source_attach (tick, NULL);
  return tick;
}

void
ws_run_for (guint64 usec)
{
  gint64 end = g_get_monotonic_time () + (gint64) usec;

  ws_wait_for (g_get_monotonic_time () >= end);
}
