/* SPDX-License-Identifier: MIT */
#include "common/trouble.h"

#include <string.h>

#include "catalogue.h"
#include "common/error.h"

#define HOUR_USEC (3600 * (guint64) G_USEC_PER_SEC)

/* Takes @trouble. */
static void
assert_trouble (RelayTrouble *trouble, const char *code, RelayRemedy remedy, const char *words)
{
  g_test_message ("%s: %s", trouble->code, trouble->text);
  g_assert_cmpstr (trouble->code, ==, code);
  g_assert_cmpint (trouble->remedy, ==, remedy);
  g_assert_nonnull (strstr (trouble->text, words));
  g_assert_null (strstr (trouble->text, "%s"));
  g_assert_null (strchr (trouble->text, '\n'));
  g_assert_true (g_utf8_validate (trouble->text, -1, NULL));
  g_assert_cmpstr (trouble->english, ==, trouble->text); /* no catalogue is there to make a difference */
  relay_trouble_free (trouble);
}

static void
test_causes (void)
{
  static const struct {
    RelayCause cause;
    const char *code;
    RelayRemedy remedy;
  } cases[] = {
    { RELAY_CAUSE_NO_CREDENTIALS, "NO_CREDENTIALS", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_NO_TOKEN_FILE, "NO_CREDENTIALS", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_BAD_CREDENTIALS, "BAD_CREDENTIALS", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_CREDENTIALS_FOR_NOW, "BAD_CREDENTIALS", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_KEYRING_LOCKED, "KEYRING_LOCKED", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_KEYRING_FAILED, "KEYRING_FAILED", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_RENEWAL_FAILED, "RENEWAL_FAILED", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_RENEWAL_REFUSED, "RENEWAL_REFUSED", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_NO_OTHER_TOKEN, "AUTH_FAILED", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_NO_NEWER_TOKEN, "TOKEN_EXPIRED", RELAY_REMEDY_STOP },
    { RELAY_CAUSE_HANDSHAKE_TIMEOUT, "HANDSHAKE_TIMEOUT", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_SILENT, "TIMEOUT", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_TOO_BIG, "MESSAGE_TOO_BIG", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_NOT_UTF8, "NOT_UTF8", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_PROTOCOL, "PROTOCOL", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_TLS_TOO_OLD, "TLS_TOO_OLD", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_LOST, "CONNECTION_LOST", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_TOKEN_EXPIRED, "TOKEN_EXPIRED", RELAY_REMEDY_RENEW },
    { RELAY_CAUSE_NOT_HTTP, "NOT_HTTP", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_CONFIGURATION, "CONFIGURATION", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE_FULL, "STORE_FULL", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE_READ_ONLY, "STORE_READ_ONLY", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE_DAMAGED, "STORE_DAMAGED", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE_NEWER, "STORE_NEWER", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE_LOCKED, "STORE_LOCKED", RELAY_REMEDY_RETRY },
    { RELAY_CAUSE_STORE, "STORE", RELAY_REMEDY_RETRY },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    assert_trouble (relay_trouble_new (cases[i].cause, NULL), cases[i].code, cases[i].remedy, "");
    assert_trouble (relay_trouble_new (cases[i].cause, "the detail."), cases[i].code, cases[i].remedy, ".");
  }
  assert_trouble (relay_trouble_new (RELAY_CAUSE_BAD_CREDENTIALS, "the detail."), "BAD_CREDENTIALS",
                  RELAY_REMEDY_STOP, "cannot be used: the detail.");
}

static void
test_http_status (void)
{
  static const struct {
    guint status;
    const char *code;
    RelayRemedy remedy;
    const char *words;
  } cases[] = {
    { 101, "NOT_WEBSOCKET", RELAY_REMEDY_RETRY, "101" },  { 200, "NOT_WEBSOCKET", RELAY_REMEDY_RETRY, "200" },
    { 302, "REDIRECT", RELAY_REMEDY_RETRY, "redirects" }, { 400, "HTTP_ERROR", RELAY_REMEDY_RETRY, "400" },
    { 401, "AUTH_FAILED", RELAY_REMEDY_RENEW, "token" },  { 403, "FORBIDDEN", RELAY_REMEDY_STOP, "token" },
    { 404, "HTTP_ERROR", RELAY_REMEDY_RETRY, "404" },     { 429, "RATE_LIMITED", RELAY_REMEDY_RETRY_AFTER, "429" },
    { 500, "HTTP_ERROR", RELAY_REMEDY_RETRY, "500" },     { 503, "UNAVAILABLE", RELAY_REMEDY_RETRY_AFTER, "503" },
    { 599, "HTTP_ERROR", RELAY_REMEDY_RETRY, "599" },     { 999, "NOT_WEBSOCKET", RELAY_REMEDY_RETRY, "999" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_trouble (relay_trouble_from_http_status (cases[i].status, 0, NULL), cases[i].code, cases[i].remedy,
                    cases[i].words);
  assert_trouble (relay_trouble_from_http_status (307, 0, "https://other.example/x"), "REDIRECT",
                  RELAY_REMEDY_RETRY, "https://other.example/x");
  assert_trouble (relay_trouble_from_http_status (404, 0, "https://other.example/x"), "HTTP_ERROR",
                  RELAY_REMEDY_RETRY, "404");
}

/* Honoured where the server is to blame and says when; never longer than an hour; no matter with other answers. */
static void
test_retry_after (void)
{
  static const struct {
    guint status;
    guint64 asked_usec, usec;
    RelayRemedy remedy;
  } cases[] = {
    { 503, 0, 0, RELAY_REMEDY_RETRY_AFTER },
    { 503, 5000000, 5000000, RELAY_REMEDY_RETRY_AFTER },
    { 503, HOUR_USEC, HOUR_USEC, RELAY_REMEDY_RETRY_AFTER },
    { 503, HOUR_USEC + 1, HOUR_USEC, RELAY_REMEDY_RETRY_AFTER },
    { 429, G_MAXUINT64, HOUR_USEC, RELAY_REMEDY_RETRY_AFTER },
    { 500, 7, 7, RELAY_REMEDY_RETRY_AFTER },
    { 404, 7, 0, RELAY_REMEDY_RETRY },
    { 401, 7, 0, RELAY_REMEDY_RENEW },
    { 403, 7, 0, RELAY_REMEDY_STOP },
    { 302, 7, 0, RELAY_REMEDY_RETRY },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (RelayTrouble) trouble = relay_trouble_from_http_status (cases[i].status, cases[i].asked_usec, NULL);

    g_assert_cmpuint (trouble->retry_after_usec, ==, cases[i].usec);
    g_assert_cmpint (trouble->remedy, ==, cases[i].remedy);
  }
}

static void
assert_io (GQuark domain, int number, const char *code, const char *words)
{
  g_autoptr (GError) error = g_error_new_literal (domain, number, "what the library says");

  assert_trouble (relay_trouble_from_io_error (error, G_TLS_CERTIFICATE_NO_FLAGS, "api.example"), code,
                  RELAY_REMEDY_RETRY, words);
}

static void
test_io_error (void)
{
  assert_io (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "DNS", "api.example");
  assert_io (G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE, "DNS", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED, "REFUSED", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE, "UNREACHABLE", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE, "UNREACHABLE", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "TIMEOUT", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_PROXY_FAILED, "PROXY", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_PROXY_AUTH_FAILED, "PROXY", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_PROXY_NEED_AUTH, "PROXY", "api.example");
  assert_io (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "CONNECTION_LOST", "what the library says");
  assert_io (G_IO_ERROR, G_IO_ERROR_FAILED, "CONNECTION_LOST", "what the library says");
  assert_io (G_TLS_ERROR, G_TLS_ERROR_NOT_TLS, "TLS", "what the library says");
  assert_io (G_FILE_ERROR, G_FILE_ERROR_IO, "CONNECTION_LOST", "what the library says");
}

static void
test_certificate (void)
{
  static const struct {
    GTlsCertificateFlags flags;
    const char *code;
  } cases[] = {
    { G_TLS_CERTIFICATE_EXPIRED, "TLS_EXPIRED" },
    { G_TLS_CERTIFICATE_NOT_ACTIVATED, "TLS_NOT_YET_VALID" },
    { G_TLS_CERTIFICATE_BAD_IDENTITY, "TLS_WRONG_HOST" },
    { G_TLS_CERTIFICATE_REVOKED, "TLS_REVOKED" },
    { G_TLS_CERTIFICATE_INSECURE, "TLS_INSECURE" },
    { G_TLS_CERTIFICATE_UNKNOWN_CA, "TLS_UNTRUSTED" },
    { G_TLS_CERTIFICATE_GENERIC_ERROR, "TLS_CERTIFICATE" },
    { G_TLS_CERTIFICATE_EXPIRED | G_TLS_CERTIFICATE_UNKNOWN_CA, "TLS_EXPIRED" },
    { G_TLS_CERTIFICATE_BAD_IDENTITY | G_TLS_CERTIFICATE_UNKNOWN_CA, "TLS_WRONG_HOST" },
  };
  g_autoptr (GError) error = g_error_new_literal (G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, "bad");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_trouble (relay_trouble_from_io_error (error, cases[i].flags, "api.example"), cases[i].code,
                    RELAY_REMEDY_RETRY, "api.example");
}

static void
test_close (void)
{
  static const struct {
    guint code;
    const char *reason;
    const char *name, *words;
  } cases[] = {
    { 0, NULL, "CONNECTION_LOST", "cut" },
    { 1006, "", "CONNECTION_LOST", "cut" },
    { 1000, NULL, "CLOSED", "(1000)" },
    { 1000, "", "CLOSED", "(1000)" },
    { 1000, "bye", "CLOSED", "(1000, “bye”)" },
    { 1001, "deploy", "SERVER_GOING_AWAY", "deploy" },
    { 1005, NULL, "CLOSED", "without a reason" },
    { 1008, "no", "POLICY", "(1008, “no”)" },
    { 1011, "oops", "SERVER_ERROR", "oops" },
    { 1012, NULL, "SERVER_RESTART", "1012" },
    { 1013, NULL, "TRY_LATER", "1013" },
    { 4000, "own", "CLOSED", "(4000, “own”)" },
    { 65535, NULL, "CLOSED", "65535" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_trouble (relay_trouble_from_close (cases[i].code, cases[i].reason), cases[i].name, RELAY_REMEDY_RETRY,
                    cases[i].words);
}

static void
test_server (void)
{
  assert_trouble (relay_trouble_from_server ("AUTH_FAILED", "bad token"), "AUTH_FAILED", RELAY_REMEDY_RENEW,
                  "bad token");
  assert_trouble (relay_trouble_from_server ("TOKEN_EXPIRED", ""), "TOKEN_EXPIRED", RELAY_REMEDY_RENEW, "expired");
  assert_trouble (relay_trouble_from_server ("INVALID_CHANNEL", "no x:y"), "INVALID_CHANNEL", RELAY_REMEDY_RETRY,
                  "no x:y");
  assert_trouble (relay_trouble_from_server ("BRAND_NEW", "what"), "BRAND_NEW", RELAY_REMEDY_RETRY, "what");
  assert_trouble (relay_trouble_from_server (NULL, NULL), "SERVER_ERROR", RELAY_REMEDY_RETRY, "error");
  assert_trouble (relay_trouble_from_server ("", "x"), "SERVER_ERROR", RELAY_REMEDY_RETRY, "x");
}

/* What others say is shown, but as one bounded line of valid text; and a "%s" in it is no place to put something.
 */
static void
test_hostile_words (void)
{
  g_autofree char *long_text = g_strnfill (100000, 'x');
  g_autoptr (RelayTrouble) trouble = relay_trouble_from_server (long_text, long_text);

  g_assert_cmpuint (strlen (trouble->text), <, 1000);
  g_assert_cmpuint (strlen (trouble->code), <, 1000);
  assert_trouble (relay_trouble_from_server ("A\xff"
                                             "B",
                                             "c\nd\x1b[2J\xc3"),
                  "A\xef\xbf\xbd"
                  "B",
                  RELAY_REMEDY_RETRY, "c d [2J");
  assert_trouble (relay_trouble_from_http_status (302, 0, "http://\xff/\n"), "REDIRECT", RELAY_REMEDY_RETRY,
                  "http://");
  /* Noncharacters: U+FFFF, U+FDD0, U+1FFFE. */
  assert_trouble (relay_trouble_from_close (1000, "a\xef\xbf\xbf\xef\xb7\x90\xf0\x9f\xbf\xbe"), "CLOSED", RELAY_REMEDY_RETRY,
                  "“a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd”");
  {
    g_autoptr (RelayTrouble) percent = relay_trouble_from_close (1000, "100%s %n");

    g_assert_nonnull (strstr (percent->text, "“100%s %n”"));
  }
}

static void
test_copy (void)
{
  g_autoptr (RelayTrouble) trouble = relay_trouble_from_http_status (503, 42, NULL);
  g_autoptr (RelayTrouble) copy = relay_trouble_copy (trouble);

  g_assert_cmpstr (copy->code, ==, trouble->code);
  g_assert_cmpstr (copy->text, ==, trouble->text);
  g_assert_true (copy->text != trouble->text);
  g_assert_cmpint (copy->remedy, ==, trouble->remedy);
  g_assert_cmpuint (copy->retry_after_usec, ==, 42);
  relay_trouble_free (NULL);
}

/* What a person is told is in their language; the log keeps to English, in what the table says and in what an error of ours
 * says. */
static void
test_two_languages (void)
{
  Catalogue *catalogue = catalogue_new (GETTEXT_PACKAGE, "The configured token cannot be used: %s", "Nicht zu gebrauchen: %s");
  g_autoptr (GError) plain = g_error_new_literal (RELAY_ERROR, RELAY_ERROR_IO, "as it is");
  g_autoptr (GError) error = relay_error_new (RELAY_ERROR_AUTH_FAILED, "The configured token cannot be used: %s", "why");
  g_autoptr (GError) same = g_error_copy (error);
  g_autoptr (RelayTrouble) outer = relay_trouble_new_from_error (RELAY_CAUSE_BAD_CREDENTIALS, same);
  g_autoptr (RelayTrouble) copy = relay_trouble_copy (outer);
  g_autoptr (RelayTrouble) nested = relay_trouble_new_from_trouble (RELAY_CAUSE_RENEWAL_FAILED, copy);

  g_assert_cmpstr (error->message, ==, "Nicht zu gebrauchen: why");
  g_assert_cmpstr (relay_error_get_english (same), ==, "The configured token cannot be used: why");
  g_assert_cmpstr (relay_error_get_english (plain), ==, "as it is");
  g_assert_cmpstr (outer->text, ==, "Nicht zu gebrauchen: Nicht zu gebrauchen: why");
  g_assert_cmpstr (outer->english, ==, "The configured token cannot be used: The configured token cannot be used: why");
  g_assert_cmpstr (copy->english, ==, outer->english);
  g_assert_nonnull (strstr (nested->text, outer->text));
  g_assert_nonnull (strstr (nested->english, outer->english));
  catalogue_free (catalogue);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/trouble/causes", test_causes);
  g_test_add_func ("/trouble/http-status", test_http_status);
  g_test_add_func ("/trouble/retry-after", test_retry_after);
  g_test_add_func ("/trouble/io-error", test_io_error);
  g_test_add_func ("/trouble/certificate", test_certificate);
  g_test_add_func ("/trouble/close", test_close);
  g_test_add_func ("/trouble/server", test_server);
  g_test_add_func ("/trouble/hostile-words", test_hostile_words);
  g_test_add_func ("/trouble/copy", test_copy);
  g_test_add_func ("/trouble/two-languages", test_two_languages);
  return g_test_run ();
}
