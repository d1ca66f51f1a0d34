/* SPDX-License-Identifier: MIT */
#include "common/http.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "build-config.h"

#include "common/error.h"

/*
 * Every request of the relay carries a secret, so the rule here is: nothing is sent before the peer is known to be
 * the one we want, over a connection that nobody can read.
 *
 * - GIO verifies the certificate, and no handler of `accept-certificate` ever says yes to a bad one. The signal is
 *   only listened to, because it tells what was wrong: libsoup forgets that when it drops the connection.
 * - The minimum version of TLS is not for GIO's caller to set. It is checked in between: libsoup emits
 *   `network-event` TLS_HANDSHAKED when the handshake is done, and writes the request only after. Cancelling there
 *   ends the connection. Each message has a connection of its own, so that there is always a handshake to look at.
 * - No redirect is followed: libsoup would strip the Authorization header, but send the rest to wherever it is
 *   told to.
 * - The session has no feature at all: no cookies, no cache, no HSTS; no authentication manager, which would
 *   answer a 401 by itself; no content decoder and no WebSocket extensions, since nothing bounds what they unpack
 *   to.
 *
 * What the signals tell is kept with the message (Notes) until relay_http_explain puts it into words.
 */
typedef struct {
  GCancellable *cancellable;
  GTlsCertificateFlags certificate_errors;
  gboolean tls_too_old;
} Notes;

static void
notes_free (Notes *notes)
{
  g_object_unref (notes->cancellable);
  g_free (notes);
}

static G_DEFINE_QUARK (relay-http-notes, notes)

gboolean
relay_http_host_is_loopback (const char *host)
{
  g_autoptr (GInetAddress) address = NULL;
  g_autofree char *name = g_ascii_strdown (host, -1);

  /* RFC 6761 §6.3; GResolver answers these names with the loopback addresses and asks nobody. */
  if (g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  if (g_str_equal (name, "localhost") || (g_str_has_suffix (name, ".localhost") && name[0] != '.'))
    return TRUE;

  address = g_inet_address_new_from_string (host);
  return address != NULL && g_inet_address_get_is_loopback (address);
}

gboolean
relay_http_check_url (const char *url, const char *secure_scheme, const char *plain_scheme, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;
  const char *fault = NULL;

  /* g_uri_parse lets spaces pass in a host. */
  for (const char *p = url; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p) || *p == ' ')
      host = NULL;

  /* Behind the first check the host is known; behind the second the scheme is one of the two. */
  if (host == NULL || *host == '\0')
    fault = _("this is not a complete address (%s://HOST/PATH)");
  else if (!g_str_equal (g_uri_get_scheme (uri), secure_scheme) &&
           !g_str_equal (g_uri_get_scheme (uri), plain_scheme))
    fault = _("the address must begin with %s://");
  else if (g_str_equal (g_uri_get_scheme (uri), plain_scheme) && !relay_http_host_is_loopback (host))
    fault = _("the token would travel unencrypted: the address must begin with %s:// unless the host is this "
              "computer");
  else if (g_uri_get_userinfo (uri) != NULL)
    fault = _("the address must not hold a user name or password");
  else if (g_uri_get_fragment (uri) != NULL)
    fault = _("the address must not hold a fragment (#…)");
  if (fault == NULL)
    return TRUE;

  {
    g_auto (GStrv) parts = g_strsplit (fault, "%s", 2);
    g_autofree char *text = g_strjoinv (secure_scheme, parts);

    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, text);
  }
  return FALSE;
}

/* GTlsFileDatabase takes a file without any certificate for an empty list, and then trusts nobody. */
static GTlsDatabase *
load_ca_file (const char *ca_file, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  GTlsDatabase *database = NULL;
  GList *certificates = g_tls_certificate_list_new_from_file (ca_file, &local_error);

  if (local_error == NULL && certificates == NULL)
    g_set_error_literal (&local_error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, _("it holds no certificate"));
  g_list_free_full (certificates, g_object_unref);
  if (local_error == NULL)
    database = g_tls_file_database_new (ca_file, &local_error);
  if (database == NULL)
    relay_error_set (error, RELAY_ERROR_CONFIGURATION, N_("the CA file %s cannot be used: %s"), ca_file,
                 local_error->message);
  return database;
}

SoupSession *
relay_http_session_new (const char *url, const char *ca_file, guint timeout_sec, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, NULL);
  g_autoptr (SoupSession) session = NULL;

  session = soup_session_new_with_options ("timeout", timeout_sec, "user-agent", "prp-relay/" VERSION, NULL);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_SESSION_FEATURE);

  if (ca_file != NULL) {
    g_autoptr (GTlsDatabase) database = load_ca_file (ca_file, error);

    if (database == NULL)
      return NULL;
    soup_session_set_tls_database (session, database);
  }

  /* A proxy has no business between this computer and itself; and its resolver costs memory and threads. */
  if (uri != NULL && g_uri_get_host (uri) != NULL && relay_http_host_is_loopback (g_uri_get_host (uri)))
    soup_session_set_proxy_resolver (session, NULL);

  return g_steal_pointer (&session);
}

static gboolean
on_accept_certificate (SoupMessage *message, GTlsCertificate *certificate, GTlsCertificateFlags errors,
                       gpointer user_data)
{
  Notes *notes = user_data;

  notes->certificate_errors = errors;
  return FALSE;
}

static void
refuse (SoupMessage *message, Notes *notes)
{
  notes->tls_too_old = TRUE;
  soup_message_headers_clear (soup_message_get_request_headers (message));
  g_cancellable_cancel (notes->cancellable);
}

static void
on_network_event (SoupMessage *message, GSocketClientEvent event, GIOStream *connection, gpointer user_data)
{
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKED &&
      (!G_IS_TLS_CONNECTION (connection) ||
       g_tls_connection_get_protocol_version (G_TLS_CONNECTION (connection)) < G_TLS_PROTOCOL_VERSION_TLS_1_2))
    refuse (message, user_data);
}

SoupMessage *
relay_http_message_new (const char *method, const char *url, GCancellable *cancellable)
{
  SoupMessage *message = soup_message_new (method, url);
  Notes *notes = g_new0 (Notes, 1);

  notes->cancellable = g_object_ref (cancellable);
  g_object_set_qdata_full (G_OBJECT (message), notes_quark (), notes, (GDestroyNotify) notes_free);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT | SOUP_MESSAGE_NEW_CONNECTION |
                                     SOUP_MESSAGE_DO_NOT_USE_AUTH_CACHE);
  g_signal_connect (message, "accept-certificate", G_CALLBACK (on_accept_certificate), notes);
  g_signal_connect (message, "network-event", G_CALLBACK (on_network_event), notes);
  return message;
}

/* RFC 9110 §10.2.3: a number of seconds, or a date. 0 for anything else; cut to what a guint64 of µs holds. */
static guint64
read_retry_after (SoupMessage *message)
{
  const char *value = soup_message_headers_get_one (soup_message_get_response_headers (message), "Retry-After");
  g_autoptr (GDateTime) date = NULL;
  gint64 wait_sec;

  if (value == NULL)
    return 0;
  if (g_ascii_isdigit (*value)) {
    guint64 sec = 0;
    g_autoptr (GError) error = NULL;

    if (!g_ascii_string_to_unsigned (value, 10, 0, G_MAXUINT32, &sec, &error))
      return g_error_matches (error, G_NUMBER_PARSER_ERROR, G_NUMBER_PARSER_ERROR_OUT_OF_BOUNDS)
               ? G_MAXUINT32 * (guint64) G_USEC_PER_SEC
               : 0;
    return sec * G_USEC_PER_SEC;
  }
  date = soup_date_time_new_from_http_string (value);
  if (date == NULL)
    return 0;
  wait_sec = g_date_time_to_unix (date) - g_get_real_time () / G_USEC_PER_SEC;
  return wait_sec > 0 ? (guint64) wait_sec * G_USEC_PER_SEC : 0;
}

RelayTrouble *
relay_http_explain (SoupMessage *message, const GError *error)
{
  const Notes *notes = g_object_get_qdata (G_OBJECT (message), notes_quark ());
  guint status = soup_message_get_status (message);
  SoupMessageHeaders *headers = soup_message_get_response_headers (message);

  if (notes->tls_too_old)
    return relay_trouble_new (RELAY_CAUSE_TLS_TOO_OLD, NULL);

  /* 101 with an error: it said yes to the WebSocket, but not as RFC 6455 §4.1 demands. */
  if (status == SOUP_STATUS_SWITCHING_PROTOCOLS && error != NULL && error->domain == SOUP_WEBSOCKET_ERROR)
    return relay_trouble_new (RELAY_CAUSE_PROTOCOL, error->message);

  /* Any other answer tells more than how its body ended; a success with an error was cut short. */
  if (status != SOUP_STATUS_NONE && (error == NULL || error->domain == SOUP_WEBSOCKET_ERROR || status >= 300))
    return relay_trouble_from_http_status (status, read_retry_after (message),
                                           soup_message_headers_get_one (headers, "Location"));
  g_return_val_if_fail (error != NULL, relay_trouble_new (RELAY_CAUSE_LOST, NULL));

  if (error->domain == SOUP_SESSION_ERROR)
    return relay_trouble_new (RELAY_CAUSE_NOT_HTTP, NULL);
  return relay_trouble_from_io_error (error, notes->certificate_errors,
                                      g_uri_get_host (soup_message_get_uri (message)));
}
