/* SPDX-License-Identifier: MIT */
#include "common/trouble.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/error.h"

/*
 * The one table of causes. A row is found by (domain of the cause, number) and gives the code of LastError, the
 * remedy, and the words. "%s" in the words is the detail: what exactly was found.
 */
typedef enum {
  DOMAIN_OURS,   /* RelayCause */
  DOMAIN_IO,     /* GIOErrorEnum */
  DOMAIN_RESOLVER, /* any GResolverError */
  DOMAIN_TLS,    /* GTlsError, where the certificate is not to blame */
  DOMAIN_CERTIFICATE, /* GTlsCertificateFlags, first match counts */
  DOMAIN_HTTP,   /* status, or a class as 3, 4, 5 */
  DOMAIN_CLOSE,  /* close code of RFC 6455 */
  DOMAIN_SERVER, /* RelayError, from the server's code */
} Domain;

#define ANY (-1) /* the domain's last row: whatever has no row of its own */

typedef struct {
  Domain domain;
  int number;
  const char *code; /* NULL: the server's own */
  RelayRemedy remedy;
  const char *text; /* to be translated */
} Row;

static const Row table[] = {
  { DOMAIN_OURS, RELAY_CAUSE_NO_CREDENTIALS, "NO_CREDENTIALS", RELAY_REMEDY_STOP,
    N_("There is no token to sign in with. Run “prpctl login”, or set TokenFile= or TokenCommand= in relay.conf.") },
  { DOMAIN_OURS, RELAY_CAUSE_BAD_CREDENTIALS, "BAD_CREDENTIALS", RELAY_REMEDY_STOP,
    N_("The configured token cannot be used: %s") },
  { DOMAIN_OURS, RELAY_CAUSE_CREDENTIALS_FOR_NOW, "BAD_CREDENTIALS", RELAY_REMEDY_RETRY,
    N_("The configured token cannot be used: %s") },
  { DOMAIN_OURS, RELAY_CAUSE_KEYRING_LOCKED, "KEYRING_LOCKED", RELAY_REMEDY_STOP,
    N_("The token is in the keyring, which is locked. Unlock the keyring; the relay goes on by itself then.") },
  { DOMAIN_OURS, RELAY_CAUSE_KEYRING_FAILED, "KEYRING_FAILED", RELAY_REMEDY_RETRY,
    N_("The keyring could not be asked for the token: %s") },
  { DOMAIN_OURS, RELAY_CAUSE_RENEWAL_FAILED, "RENEWAL_FAILED", RELAY_REMEDY_RETRY,
    N_("The token could not be renewed for now: %s") },
  { DOMAIN_OURS, RELAY_CAUSE_RENEWAL_REFUSED, "RENEWAL_REFUSED", RELAY_REMEDY_STOP,
    N_("The server refused to renew the token (%s). Sign in again: “prpctl login”.") },
  { DOMAIN_OURS, RELAY_CAUSE_HANDSHAKE_TIMEOUT, "HANDSHAKE_TIMEOUT", RELAY_REMEDY_RETRY,
    N_("The server accepted the connection but did not complete the handshake in time.") },
  { DOMAIN_OURS, RELAY_CAUSE_SILENT, "TIMEOUT", RELAY_REMEDY_RETRY,
    N_("The server fell silent: it did not answer a ping in time.") },
  { DOMAIN_OURS, RELAY_CAUSE_TOO_BIG, "MESSAGE_TOO_BIG", RELAY_REMEDY_RETRY,
    N_("The server sent a message larger than MaxMessageBytes allows.") },
  { DOMAIN_OURS, RELAY_CAUSE_NOT_UTF8, "NOT_UTF8", RELAY_REMEDY_RETRY,
    N_("The server sent a text message that is not valid UTF-8.") },
  { DOMAIN_OURS, RELAY_CAUSE_PROTOCOL, "PROTOCOL", RELAY_REMEDY_RETRY,
    N_("The server broke the WebSocket protocol: %s") },
  { DOMAIN_OURS, RELAY_CAUSE_TLS_TOO_OLD, "TLS_TOO_OLD", RELAY_REMEDY_RETRY,
    N_("The server only offers an outdated version of TLS; at least TLS 1.2 is needed. The token was not sent.") },
  { DOMAIN_OURS, RELAY_CAUSE_LOST, "CONNECTION_LOST", RELAY_REMEDY_RETRY,
    N_("The connection was cut.") },
  { DOMAIN_OURS, RELAY_CAUSE_TOKEN_EXPIRED, "TOKEN_EXPIRED", RELAY_REMEDY_RENEW,
    N_("The token has expired.") },
  { DOMAIN_OURS, RELAY_CAUSE_NO_TOKEN_FILE, "NO_CREDENTIALS", RELAY_REMEDY_STOP,
    N_("There is no token to sign in with: the TokenFile %s does not exist. It will be used as soon as it "
       "does.") },
  { DOMAIN_OURS, RELAY_CAUSE_NO_OTHER_TOKEN, "AUTH_FAILED", RELAY_REMEDY_STOP,
    N_("The server refused the token, and there is no other. Sign in again: “prpctl login”.") },
  { DOMAIN_OURS, RELAY_CAUSE_NO_NEWER_TOKEN, "TOKEN_EXPIRED", RELAY_REMEDY_STOP,
    N_("The token has expired, and there is no newer one. Sign in again: “prpctl login”.") },
  { DOMAIN_OURS, RELAY_CAUSE_NOT_HTTP, "NOT_HTTP", RELAY_REMEDY_RETRY,
    N_("What answers at that address does not speak proper HTTP. Is the address in relay.conf right?") },
  { DOMAIN_OURS, RELAY_CAUSE_CONFIGURATION, "CONFIGURATION", RELAY_REMEDY_RETRY,
    N_("The configuration cannot be used: %s.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE_FULL, "STORE_FULL", RELAY_REMEDY_RETRY,
    N_("Events are relayed, but new ones and changes of subscriptions are kept in memory only: there is no room to store "
       "them (%s). Make room; what waits is stored then.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE_READ_ONLY, "STORE_READ_ONLY", RELAY_REMEDY_RETRY,
    N_("Events are relayed, but new ones and changes of subscriptions are kept in memory only: their store may not be "
       "written (%s). Make the file and its folder writable for the user; what waits is stored then.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE_DAMAGED, "STORE_DAMAGED", RELAY_REMEDY_RETRY,
    N_("The store of past events and subscriptions was damaged, and a new one was begun (%s). Subscribe again to what is "
       "missing in `prpctl channels`.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE_NEWER, "STORE_NEWER", RELAY_REMEDY_RETRY,
    N_("The store of past events and subscriptions was made by a newer version of the relay, and a new one was begun "
       "(%s). Subscribe again to what is missing in `prpctl channels`.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE_LOCKED, "STORE_LOCKED", RELAY_REMEDY_RETRY,
    N_("Events are relayed, but new ones and changes of subscriptions are kept in memory only: another program has their "
       "store locked (%s). What waits is stored when that program is done.") },
  { DOMAIN_OURS, RELAY_CAUSE_STORE, "STORE", RELAY_REMEDY_RETRY,
    N_("Events are relayed, but new ones and changes of subscriptions are kept in memory only: their store cannot be "
       "used (%s). It is tried again by itself.") },

  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_EXPIRED, "TLS_EXPIRED", RELAY_REMEDY_RETRY,
    N_("The certificate of %s has expired. The token was not sent.") },
  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_NOT_ACTIVATED, "TLS_NOT_YET_VALID", RELAY_REMEDY_RETRY,
    N_("The certificate of %s is not valid yet; is the clock of this computer right? The token was not sent.") },
  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_BAD_IDENTITY, "TLS_WRONG_HOST", RELAY_REMEDY_RETRY,
    N_("The certificate presented by %s belongs to another host. The token was not sent.") },
  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_REVOKED, "TLS_REVOKED", RELAY_REMEDY_RETRY,
    N_("The certificate of %s was revoked. The token was not sent.") },
  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_INSECURE, "TLS_INSECURE", RELAY_REMEDY_RETRY,
    N_("The certificate of %s uses an insecure algorithm. The token was not sent.") },
  { DOMAIN_CERTIFICATE, G_TLS_CERTIFICATE_UNKNOWN_CA, "TLS_UNTRUSTED", RELAY_REMEDY_RETRY,
    N_("The certificate of %s is not signed by an authority that this computer trusts; "
       "set CaFile= in relay.conf for a private one. The token was not sent.") },
  { DOMAIN_CERTIFICATE, ANY, "TLS_CERTIFICATE", RELAY_REMEDY_RETRY,
    N_("The certificate of %s cannot be verified. The token was not sent.") },
  { DOMAIN_TLS, ANY, "TLS", RELAY_REMEDY_RETRY,
    N_("No secure connection could be made with the server: %s") },

  { DOMAIN_RESOLVER, ANY, "DNS", RELAY_REMEDY_RETRY,
    N_("The name %s cannot be resolved. Check the network, and the address in relay.conf.") },
  { DOMAIN_IO, G_IO_ERROR_CONNECTION_REFUSED, "REFUSED", RELAY_REMEDY_RETRY,
    N_("Nothing accepts connections at %s.") },
  { DOMAIN_IO, G_IO_ERROR_HOST_UNREACHABLE, "UNREACHABLE", RELAY_REMEDY_RETRY,
    N_("%s cannot be reached from this network.") },
  { DOMAIN_IO, G_IO_ERROR_NETWORK_UNREACHABLE, "UNREACHABLE", RELAY_REMEDY_RETRY,
    N_("%s cannot be reached from this network.") },
  { DOMAIN_IO, G_IO_ERROR_TIMED_OUT, "TIMEOUT", RELAY_REMEDY_RETRY,
    N_("%s did not answer in time.") },
  { DOMAIN_IO, G_IO_ERROR_PROXY_FAILED, "PROXY", RELAY_REMEDY_RETRY,
    N_("The proxy on the way to %s cannot be used.") },
  { DOMAIN_IO, G_IO_ERROR_PROXY_AUTH_FAILED, "PROXY", RELAY_REMEDY_RETRY,
    N_("The proxy on the way to %s cannot be used.") },
  { DOMAIN_IO, G_IO_ERROR_PROXY_NEED_AUTH, "PROXY", RELAY_REMEDY_RETRY,
    N_("The proxy on the way to %s cannot be used.") },
  { DOMAIN_IO, ANY, "CONNECTION_LOST", RELAY_REMEDY_RETRY,
    N_("The connection to the server was cut: %s") },

  { DOMAIN_HTTP, 401, "AUTH_FAILED", RELAY_REMEDY_RENEW,
    N_("The server refused the token.") },
  { DOMAIN_HTTP, 403, "FORBIDDEN", RELAY_REMEDY_STOP,
    N_("The server knows the token but does not allow it to receive events.") },
  { DOMAIN_HTTP, 429, "RATE_LIMITED", RELAY_REMEDY_RETRY_AFTER,
    N_("The server asks for fewer connections (429). Waiting as told.") },
  { DOMAIN_HTTP, 503, "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER,
    N_("The server is not available for now (503). Waiting as told.") },
  { DOMAIN_HTTP, 3, "REDIRECT", RELAY_REMEDY_RETRY,
    N_("The server redirects to %s, which is not followed, so that the token goes nowhere else. "
       "If the service has moved, set Url= in relay.conf.") },
  { DOMAIN_HTTP, 4, "HTTP_ERROR", RELAY_REMEDY_RETRY,
    N_("The server answered the handshake with HTTP status %s. Is Url= in relay.conf right?") },
  { DOMAIN_HTTP, 5, "HTTP_ERROR", RELAY_REMEDY_RETRY,
    N_("The server answered the handshake with HTTP status %s.") },
  { DOMAIN_HTTP, ANY, "NOT_WEBSOCKET", RELAY_REMEDY_RETRY,
    N_("There is an HTTP server at that address, but it does not speak WebSocket (status %s). "
       "Is Url= in relay.conf right?") },

  { DOMAIN_CLOSE, 0, "CONNECTION_LOST", RELAY_REMEDY_RETRY,
    N_("The connection was cut.") },
  { DOMAIN_CLOSE, 1000, "CLOSED", RELAY_REMEDY_RETRY,
    N_("The server closed the connection (%s).") },
  { DOMAIN_CLOSE, 1001, "SERVER_GOING_AWAY", RELAY_REMEDY_RETRY,
    N_("The server is going away (%s).") },
  { DOMAIN_CLOSE, 1005, "CLOSED", RELAY_REMEDY_RETRY,
    N_("The server closed the connection without a reason.") },
  { DOMAIN_CLOSE, 1006, "CONNECTION_LOST", RELAY_REMEDY_RETRY,
    N_("The connection was cut.") },
  { DOMAIN_CLOSE, 1008, "POLICY", RELAY_REMEDY_RETRY,
    N_("The server closed the connection for reasons of policy (%s).") },
  { DOMAIN_CLOSE, 1011, "SERVER_ERROR", RELAY_REMEDY_RETRY,
    N_("The server closed the connection after an error of its own (%s).") },
  { DOMAIN_CLOSE, 1012, "SERVER_RESTART", RELAY_REMEDY_RETRY,
    N_("The server is restarting (%s).") },
  { DOMAIN_CLOSE, 1013, "TRY_LATER", RELAY_REMEDY_RETRY,
    N_("The server is overloaded and asks to come back later (%s).") },
  { DOMAIN_CLOSE, ANY, "CLOSED", RELAY_REMEDY_RETRY,
    N_("The server closed the connection (%s).") },

  { DOMAIN_SERVER, RELAY_ERROR_AUTH_FAILED, NULL, RELAY_REMEDY_RENEW,
    N_("The server refused the token: %s") },
  { DOMAIN_SERVER, RELAY_ERROR_TOKEN_EXPIRED, NULL, RELAY_REMEDY_RENEW,
    N_("The token has expired: %s") },
  { DOMAIN_SERVER, ANY, NULL, RELAY_REMEDY_RETRY,
    N_("The server reported an error: %s") },
};

/* Retry-After is honoured up to here; a server that says "next week" is asked again within the hour. */
#define RETRY_AFTER_MAX_USEC (3600 * (guint64) G_USEC_PER_SEC)

static const Row *
find_row (Domain domain, int number)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].domain == domain && (table[i].number == number || table[i].number == ANY))
      return &table[i];

  g_assert_not_reached ();
}

/* The first row of @tls_errors: the last row of a certificate is for any. */
static const Row *
find_certificate_row (GTlsCertificateFlags tls_errors)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].domain == DOMAIN_CERTIFICATE &&
        (table[i].number == ANY || ((guint) table[i].number & (guint) tls_errors) != 0))
      return &table[i];

  g_assert_not_reached ();
}

static const Row *
find_http_row (guint status)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].domain == DOMAIN_HTTP &&
        (table[i].number == (int) status || table[i].number == (int) status / 100 || table[i].number == ANY))
      return &table[i];

  g_assert_not_reached ();
}

/* What others say (a server, a library, a file's name) is shown as text: bounded, valid UTF-8, on one line. Noncharacters
 * are valid UTF-8, but sd-bus refuses whatever holds one (Unicode §23.7). */
static char *
make_showable (const char *text)
{
  enum { MAX_BYTES = 500 };
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, (gssize) strnlen (text, MAX_BYTES)) : g_strdup ("");
  GString *showable = g_string_sized_new (strlen (valid));

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (g_unichar_iscntrl (c))
      c = ' ';
    else if ((c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE)
      c = 0xFFFD;
    g_string_append_unichar (showable, c);
  }
  return g_string_free (showable, FALSE);
}

static char *
make_text (const char *words, const char *detail)
{
  g_auto (GStrv) parts = g_strsplit (words, "%s", 2);
  g_autofree char *showable = make_showable (detail);

  return g_strjoinv (showable, parts);
}

/* @code: of the server, for a row that has none. @english: @detail for the log. */
static RelayTrouble *
trouble_from_row_in_english (const Row *row, const char *code, const char *detail, const char *english)
{
  RelayTrouble *trouble = g_new0 (RelayTrouble, 1);

  trouble->code = make_showable (row->code != NULL ? row->code : code);
  trouble->text = make_text (_(row->text), detail);
  trouble->english = make_text (row->text, english);
  trouble->remedy = row->remedy;
  return trouble;
}

static RelayTrouble *
trouble_from_row (const Row *row, const char *code, const char *detail)
{
  return trouble_from_row_in_english (row, code, detail, detail);
}

RelayTrouble *
relay_trouble_new_from_error (RelayCause cause, const GError *error)
{
  return trouble_from_row_in_english (find_row (DOMAIN_OURS, (int) cause), NULL, error->message, relay_error_get_english (error));
}

RelayTrouble *
relay_trouble_new_from_trouble (RelayCause cause, const RelayTrouble *trouble)
{
  return trouble_from_row_in_english (find_row (DOMAIN_OURS, (int) cause), NULL, trouble->text, trouble->english);
}

RelayTrouble *
relay_trouble_new (RelayCause cause, const char *detail)
{
  return trouble_from_row (find_row (DOMAIN_OURS, (int) cause), NULL, detail);
}

RelayTrouble *
relay_trouble_from_http_status (guint status, guint64 retry_after_usec, const char *location)
{
  g_autofree char *number = g_strdup_printf ("%u", status);
  RelayTrouble *trouble;

  trouble = trouble_from_row (find_http_row (status), NULL, location != NULL && status / 100 == 3 ? location : number);
  if (retry_after_usec > 0 && trouble->remedy == RELAY_REMEDY_RETRY && status >= 500)
    trouble->remedy = RELAY_REMEDY_RETRY_AFTER;
  if (trouble->remedy == RELAY_REMEDY_RETRY_AFTER)
    trouble->retry_after_usec = MIN (retry_after_usec, RETRY_AFTER_MAX_USEC);
  return trouble;
}

RelayTrouble *
relay_trouble_from_io_error (const GError *error, GTlsCertificateFlags tls_errors, const char *host)
{
  const Row *row;

  if (tls_errors != G_TLS_CERTIFICATE_NO_FLAGS)
    return trouble_from_row (find_certificate_row (tls_errors), NULL, host);
  if (error->domain == G_RESOLVER_ERROR)
    return trouble_from_row (find_row (DOMAIN_RESOLVER, error->code), NULL, host);
  if (error->domain == G_TLS_ERROR)
    return trouble_from_row (find_row (DOMAIN_TLS, error->code), NULL, error->message);

  row = find_row (DOMAIN_IO, error->domain == G_IO_ERROR ? error->code : ANY);
  return trouble_from_row (row, NULL, row->number == ANY ? error->message : host);
}

RelayTrouble *
relay_trouble_from_close (guint code, const char *reason)
{
  g_autofree char *showable = make_showable (reason != NULL ? reason : "");
  g_autofree char *detail =
    *showable != '\0' ? g_strdup_printf ("%u, “%s”", code, showable) : g_strdup_printf ("%u", code);

  return trouble_from_row (find_row (DOMAIN_CLOSE, (int) code), NULL, detail);
}

RelayTrouble *
relay_trouble_from_server (const char *code, const char *message)
{
  const Row *row = find_row (DOMAIN_SERVER, (int) relay_error_from_server_code (code));

  return trouble_from_row (row, code != NULL && *code != '\0' ? code : "SERVER_ERROR", message);
}

RelayTrouble *
relay_trouble_copy (const RelayTrouble *trouble)
{
  RelayTrouble *copy = g_new0 (RelayTrouble, 1);

  *copy = *trouble;
  copy->code = g_strdup (trouble->code);
  copy->text = g_strdup (trouble->text);
  copy->english = g_strdup (trouble->english);
  return copy;
}

void
relay_trouble_free (RelayTrouble *trouble)
{
  if (trouble == NULL)
    return;
  g_free (trouble->code);
  g_free (trouble->text);
  g_free (trouble->english);
  g_free (trouble);
}
