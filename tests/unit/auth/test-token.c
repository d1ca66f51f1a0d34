/* SPDX-License-Identifier: MIT */
#include "auth/token.h"

#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "auth/file-watch.h"
#include "common/names.h"
#include "tests/unit/auth/token-endpoint.h"

typedef struct {
  char *folder, *token_path, *refresh_path, *count_path;
  TokenEndpoint *endpoint;
  RelayTokenOptions options;
  RelayTokens *tokens;
  guint n_changes;

  guint n_answers;
  RelayToken *token;
  RelayTrouble *trouble;
} Fixture;

/* -- helpers -------------------------------------------------------------------------------------------------- */

/* A JSON Web Token named @name that ends in @sec seconds from now (or has). Caller frees. */
static char *
make_jwt (const char *name, gint64 sec)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree char *payload =
    g_strdup_printf ("{\"iat\":%" G_GINT64_FORMAT ",\"exp\":%" G_GINT64_FORMAT "}", now - 100, now + sec);
  g_autofree char *encoded = g_base64_encode ((const guchar *) payload, strlen (payload));

  for (char *p = encoded; *p != '\0'; p++)
    if (*p == '=')
      *p = '\0';
  return g_strdup_printf ("%s.%s.x", name, encoded);
}

static void
write_file (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-relay-token-XXXXXX", NULL);
  fixture->token_path = g_build_filename (fixture->folder, "token", NULL);
  fixture->refresh_path = g_build_filename (fixture->folder, "refresh-token", NULL);
  fixture->count_path = g_build_filename (fixture->folder, "count", NULL);
  fixture->endpoint = token_endpoint_new ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *systemd_path = g_build_filename (fixture->folder, RELAY_CREDENTIAL_TOKEN, NULL);

  relay_tokens_free (fixture->tokens);
  relay_token_options_clear (&fixture->options);
  token_endpoint_free (fixture->endpoint);
  relay_token_unref (fixture->token);
  relay_trouble_free (fixture->trouble);
  g_unsetenv ("CREDENTIALS_DIRECTORY");
  g_unlink (fixture->token_path);
  g_unlink (fixture->refresh_path);
  g_unlink (fixture->count_path);
  g_unlink (systemd_path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->token_path);
  g_free (fixture->refresh_path);
  g_free (fixture->count_path);
}

static void
use_file (Fixture *fixture, const char *token)
{
  fixture->options.token_file = g_strdup (fixture->token_path);
  if (token != NULL)
    write_file (fixture->token_path, token);
}

static void
use_command (Fixture *fixture, const char *script)
{
  fixture->options.token_command =
    g_strdupv ((char *[]){ (char *) "/bin/sh", (char *) "-c", (char *) script, NULL });
}

static void
use_refresh (Fixture *fixture, const char *refresh_token)
{
  fixture->options.refresh_url = g_strdup (fixture->endpoint->url);
  fixture->options.refresh_token_file = g_strdup (fixture->refresh_path);
  if (refresh_token != NULL)
    write_file (fixture->refresh_path, refresh_token);
}

static void
use_systemd (Fixture *fixture, const char *token)
{
  g_autofree char *path = g_build_filename (fixture->folder, RELAY_CREDENTIAL_TOKEN, NULL);

  write_file (path, token);
  g_setenv ("CREDENTIALS_DIRECTORY", fixture->folder, TRUE);
}

static void
on_changed (gpointer user_data)
{
  ((Fixture *) user_data)->n_changes++;
}

static void
start (Fixture *fixture)
{
  fixture->tokens = relay_tokens_new (&fixture->options, on_changed, fixture);
}

static void
on_token (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true ((token != NULL) != (trouble != NULL));
  fixture->n_answers++;
  g_clear_pointer (&fixture->token, relay_token_unref);
  g_clear_pointer (&fixture->trouble, relay_trouble_free);
  fixture->token = token != NULL ? relay_token_ref (token) : NULL;
  fixture->trouble = trouble != NULL ? relay_trouble_copy (trouble) : NULL;
}

G_GNUC_NORETURN static void
not_called (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  g_assert_not_reached ();
}

/* For the answer, and only one. */
static void
wait_for_answer (Fixture *fixture)
{
  g_assert_cmpuint (fixture->n_answers, ==, 0);
  while (fixture->n_answers == 0)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (fixture->n_answers, ==, 1);
  fixture->n_answers = 0;
}

static void
get (Fixture *fixture)
{
  relay_tokens_get (fixture->tokens, on_token, fixture);
  wait_for_answer (fixture);
}

/* Another one than the last. */
static void
renew (Fixture *fixture, gboolean expired)
{
  relay_tokens_renew (fixture->tokens, fixture->token, expired, on_token, fixture);
  wait_for_answer (fixture);
}

static void
assert_token (Fixture *fixture, const char *value)
{
  g_autoptr (SoupMessageHeaders) headers = soup_message_headers_new (SOUP_MESSAGE_HEADERS_REQUEST);
  g_autofree char *expected = g_strdup_printf ("Bearer %s", value);

  if (fixture->trouble != NULL)
    g_error ("%s: %s", fixture->trouble->code, fixture->trouble->text);
  relay_token_authorize (fixture->token, headers);
  g_assert_cmpstr (soup_message_headers_get_one (headers, "Authorization"), ==, expected);
}

static void
assert_trouble (Fixture *fixture, const char *code, RelayRemedy remedy, const char *words)
{
  g_assert_null (fixture->token);
  g_assert_cmpstr (fixture->trouble->code, ==, code);
  g_assert_cmpint (fixture->trouble->remedy, ==, remedy);
  if (strstr (fixture->trouble->text, words) == NULL)
    g_error ("“%s” is not in “%s”", words, fixture->trouble->text);
}

static guint
count_runs (Fixture *fixture)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  g_file_get_contents (fixture->count_path, &text, &length, NULL);
  return (guint) length;
}

/* -- one token ------------------------------------------------------------------------------------------------ */

static void
test_token (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayToken) first = NULL;
  g_autofree char *jwt = make_jwt ("a", 1000);
  gint64 now = g_get_real_time (), expires;

  use_file (fixture, "opaque\n");
  start (fixture);
  get (fixture);
  assert_token (fixture, "opaque");
  g_assert_cmpint (relay_token_get_expires (fixture->token), ==, 0);
  g_assert_cmpint (relay_token_get_renewal (fixture->token, 0.5), ==, 0);
  first = relay_token_ref (fixture->token);

  get (fixture);
  g_assert_true (relay_token_equal (first, fixture->token));

  write_file (fixture->token_path, jwt);
  get (fixture);
  assert_token (fixture, jwt);
  g_assert_false (relay_token_equal (first, fixture->token));
  expires = relay_token_get_expires (fixture->token);
  g_assert_cmpint (expires, >=, now + 998 * G_USEC_PER_SEC);
  g_assert_cmpint (expires, <=, now + 1001 * G_USEC_PER_SEC);
  /* issued 100 s ago: a life of 1,100 s, of which a tenth is more than a minute */
  g_assert_cmpint (relay_token_get_renewal (fixture->token, 0), ==, expires - 60 * G_USEC_PER_SEC);
  g_assert_cmpint (relay_token_get_renewal (fixture->token, 0.5), ==, expires - 75 * G_USEC_PER_SEC);
}

/* A short life: a tenth of it. */
static void
test_short_life (Fixture *fixture, gconstpointer data)
{
  g_autofree char *jwt = make_jwt ("a", 20);
  gint64 expires;

  use_file (fixture, jwt);
  start (fixture);
  get (fixture);
  expires = relay_token_get_expires (fixture->token);
  g_assert_cmpint (relay_token_get_renewal (fixture->token, 0), ==, expires - 12 * G_USEC_PER_SEC);
}

/* -- sources -------------------------------------------------------------------------------------------------- */

static void
test_order (Fixture *fixture, gconstpointer data)
{
  use_systemd (fixture, "from-systemd\n");
  use_command (fixture, "echo from-command");
  use_file (fixture, "from-file\n");
  start (fixture);
  get (fixture);
  assert_token (fixture, "from-systemd");

  g_unsetenv ("CREDENTIALS_DIRECTORY");
  relay_tokens_free (fixture->tokens);
  start (fixture);
  get (fixture);
  assert_token (fixture, "from-command");

  g_clear_pointer (&fixture->options.token_command, g_strfreev);
  relay_tokens_free (fixture->tokens);
  start (fixture);
  get (fixture);
  assert_token (fixture, "from-file");
}

static void
test_none (Fixture *fixture, gconstpointer data)
{
  start (fixture);
  get (fixture);
  assert_trouble (fixture, "NO_CREDENTIALS", RELAY_REMEDY_STOP, "TokenFile= or TokenCommand=");
  g_assert_false (relay_tokens_can_renew (fixture->tokens));
}

static void
test_missing_file (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, NULL);
  start (fixture);
  get (fixture);
  assert_trouble (fixture, "NO_CREDENTIALS", RELAY_REMEDY_STOP, fixture->token_path);

  write_file (fixture->token_path, "here\n");
  get (fixture);
  assert_token (fixture, "here");

  g_unlink (fixture->token_path);
  get (fixture);
  assert_trouble (fixture, "NO_CREDENTIALS", RELAY_REMEDY_STOP, fixture->token_path);
}

/* What is there but broken is told, not passed over. */
static void
test_bad_sources (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "good\n");
  g_assert_cmpint (g_chmod (fixture->token_path, 0604), ==, 0);
  start (fixture);
  get (fixture);
  assert_trouble (fixture, "BAD_CREDENTIALS", RELAY_REMEDY_STOP, "chmod 600");

  g_assert_cmpint (g_chmod (fixture->token_path, 0600), ==, 0);
  use_systemd (fixture, "\n");
  get (fixture);
  assert_trouble (fixture, "BAD_CREDENTIALS", RELAY_REMEDY_STOP, "The systemd credential ");

  g_unsetenv ("CREDENTIALS_DIRECTORY");
  use_command (fixture, "exit 1");
  relay_tokens_free (fixture->tokens);
  start (fixture);
  get (fixture);
  assert_trouble (fixture, "BAD_CREDENTIALS", RELAY_REMEDY_STOP, "exit status 1");
}

/* A command may be slow or ask something: it only runs when its last token will no longer do. */
static void
test_command_runs (Fixture *fixture, gconstpointer data)
{
  g_autofree char *fresh = make_jwt ("fresh", 1000);
  g_autofree char *stale = make_jwt ("stale", -5);
  g_autofree char *script = g_strdup_printf ("printf x >>%s; cat %s", fixture->count_path, fixture->token_path);

  write_file (fixture->token_path, fresh);
  use_command (fixture, script);
  start (fixture);
  g_assert_true (relay_tokens_can_renew (fixture->tokens));
  get (fixture);
  get (fixture);
  assert_token (fixture, fresh);
  g_assert_cmpuint (count_runs (fixture), ==, 1);

  write_file (fixture->token_path, stale);
  renew (fixture, FALSE);
  assert_token (fixture, stale);
  g_assert_cmpuint (count_runs (fixture), ==, 2);
  get (fixture);
  g_assert_cmpuint (count_runs (fixture), ==, 3);

  renew (fixture, TRUE);
  assert_trouble (fixture, "TOKEN_EXPIRED", RELAY_REMEDY_STOP, "no newer one");
  g_assert_cmpuint (count_runs (fixture), ==, 4);
}

/* -- requests ------------------------------------------------------------------------------------------------- */

static void
test_replaced (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "token\n");
  start (fixture);
  relay_tokens_get (fixture->tokens, not_called, NULL);
  relay_tokens_get (fixture->tokens, on_token, fixture);
  wait_for_answer (fixture);
  assert_token (fixture, "token");
}

static void
test_replaced_command (Fixture *fixture, gconstpointer data)
{
  g_autofree char *script = g_strdup_printf ("printf x >>%s; test $(wc -c <%s) -gt 1 || sleep 1000; echo second",
                                             fixture->count_path, fixture->count_path);

  use_command (fixture, script);
  start (fixture);
  relay_tokens_get (fixture->tokens, not_called, NULL);
  while (count_runs (fixture) == 0)
    g_main_context_iteration (NULL, FALSE);
  get (fixture);
  assert_token (fixture, "second");
}

static void
test_cancel (Fixture *fixture, gconstpointer data)
{
  g_autofree char *script = g_strdup_printf ("printf x >>%s; sleep 1000", fixture->count_path);

  use_command (fixture, script);
  start (fixture);
  relay_tokens_cancel (fixture->tokens);
  relay_tokens_get (fixture->tokens, not_called, NULL);
  relay_tokens_cancel (fixture->tokens);
  relay_tokens_get (fixture->tokens, not_called, NULL);
  while (count_runs (fixture) == 0)
    g_main_context_iteration (NULL, FALSE);
  relay_tokens_cancel (fixture->tokens);
  relay_tokens_get (fixture->tokens, not_called, NULL);
  g_clear_pointer (&fixture->tokens, relay_tokens_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  relay_tokens_free (NULL);
}

static void
on_token_free_all (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_clear_pointer (&fixture->tokens, relay_tokens_free);
  on_token (token, trouble, user_data);
}

/* Whoever is called back may end it all. */
static void
test_free_in_callback (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "token\n");
  start (fixture);
  relay_tokens_get (fixture->tokens, on_token_free_all, fixture);
  wait_for_answer (fixture);
  assert_token (fixture, "token");

  use_command (fixture, "echo token");
  start (fixture);
  relay_tokens_get (fixture->tokens, on_token_free_all, fixture);
  wait_for_answer (fixture);
  assert_token (fixture, "token");
  g_clear_pointer (&fixture->options.token_command, g_strfreev);

  g_unlink (fixture->token_path);
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"renewed\"}");
  start (fixture);
  relay_tokens_get (fixture->tokens, on_token_free_all, fixture);
  wait_for_answer (fixture);
  assert_token (fixture, "renewed");
}

static void
on_token_ask_again (RelayToken *token, const RelayTrouble *trouble, gpointer user_data)
{
  Fixture *fixture = user_data;

  relay_tokens_renew (fixture->tokens, token, FALSE, on_token, fixture);
}

static void
test_ask_in_callback (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "token\n");
  start (fixture);
  relay_tokens_get (fixture->tokens, on_token_ask_again, fixture);
  wait_for_answer (fixture);
  assert_trouble (fixture, "AUTH_FAILED", RELAY_REMEDY_STOP, "there is no other");
}

/* -- renewal -------------------------------------------------------------------------------------------------- */

static void
test_renew_from_source (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "one\n");
  start (fixture);
  get (fixture);
  write_file (fixture->token_path, "two\n");
  renew (fixture, FALSE);
  assert_token (fixture, "two");
  renew (fixture, FALSE);
  assert_trouble (fixture, "AUTH_FAILED", RELAY_REMEDY_STOP, "there is no other");
  get (fixture);
  renew (fixture, TRUE);
  assert_trouble (fixture, "TOKEN_EXPIRED", RELAY_REMEDY_STOP, "there is no newer one");
}

static void
test_renew_by_refresh (Fixture *fixture, gconstpointer data)
{
  g_autofree char *stored = NULL;
  gint64 now = g_get_real_time (), expires;

  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL,
                         "{\"access_token\":\"two\",\"refresh_token\":\"r1\",\"expires_in\":1000}");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\"}");
  start (fixture);
  g_assert_true (relay_tokens_can_renew (fixture->tokens));
  get (fixture);
  assert_token (fixture, "one");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 0);

  renew (fixture, FALSE);
  assert_token (fixture, "two");
  g_assert_true (g_file_get_contents (fixture->refresh_path, &stored, NULL, NULL));
  g_assert_cmpstr (stored, ==, "r1\n");
  expires = relay_token_get_expires (fixture->token);
  g_assert_cmpint (expires, >=, now + 1000 * G_USEC_PER_SEC);
  g_assert_cmpint (expires, <=, g_get_real_time () + 1000 * G_USEC_PER_SEC);

  get (fixture); /* from memory, though the file still says "one" */
  assert_token (fixture, "two");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 1);

  renew (fixture, FALSE); /* and the endpoint has nothing else to give */
  assert_trouble (fixture, "AUTH_FAILED", RELAY_REMEDY_STOP, "there is no other");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 2);
}

/* What the token says of itself counts more than expires_in. */
static void
test_renewed_jwt (Fixture *fixture, gconstpointer data)
{
  g_autofree char *jwt = make_jwt ("a", 500);
  g_autofree char *body = g_strdup_printf ("{\"access_token\":\"%s\",\"expires_in\":5}", jwt);

  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, body);
  start (fixture);
  get (fixture); /* no source at all but the refresh token */
  assert_token (fixture, jwt);
  g_assert_cmpint (relay_token_get_expires (fixture->token), >, g_get_real_time () + 400 * G_USEC_PER_SEC);
}

static void
test_expired_at_start (Fixture *fixture, gconstpointer data)
{
  g_autofree char *stale = make_jwt ("stale", -5);

  use_file (fixture, stale);
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\"}");
  start (fixture);
  get (fixture);
  assert_token (fixture, "two");
}

/* The server's clock counts, not ours: where nothing newer is to be had, an expired token is worth a try. */
static void
test_expired_without_refresh (Fixture *fixture, gconstpointer data)
{
  g_autofree char *stale = make_jwt ("stale", -5);

  use_file (fixture, stale);
  start (fixture);
  get (fixture);
  assert_token (fixture, stale);

  use_refresh (fixture, NULL); /* RefreshUrl, but nothing to refresh with */
  relay_tokens_free (fixture->tokens);
  start (fixture);
  get (fixture);
  assert_token (fixture, stale);
  renew (fixture, TRUE);
  assert_trouble (fixture, "TOKEN_EXPIRED", RELAY_REMEDY_STOP, "no newer one");
}

static void
test_renewed_expires (Fixture *fixture, gconstpointer data)
{
  g_autofree char *stale = make_jwt ("stale", -5);
  g_autofree char *body = g_strdup_printf ("{\"access_token\":\"%s\"}", stale);

  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, body);
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"three\"}");
  start (fixture);
  get (fixture);
  renew (fixture, TRUE);
  assert_token (fixture, stale);
  get (fixture);
  assert_token (fixture, "three");
}

/* Somebody has signed in anew: that overrules what was renewed since. */
static void
test_source_overrules (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\"}");
  start (fixture);
  get (fixture);
  renew (fixture, FALSE);
  assert_token (fixture, "two");

  write_file (fixture->token_path, "three\n");
  get (fixture);
  assert_token (fixture, "three");
  write_file (fixture->token_path, "four\n");
  renew (fixture, FALSE); /* no need to ask the endpoint */
  assert_token (fixture, "four");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 1);
}

static void
test_source_taken_away (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\"}");
  start (fixture);
  get (fixture);
  renew (fixture, FALSE);
  g_unlink (fixture->token_path);
  get (fixture); /* what was renewed stands for itself */
  assert_token (fixture, "two");
}

static void
test_refresh_fails (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 503, "Retry-After: 9", "");
  token_endpoint_answer (fixture->endpoint, 400, NULL, "{\"error\":\"invalid_grant\"}");
  start (fixture);
  get (fixture);
  renew (fixture, FALSE);
  assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY_AFTER, "503");
  g_assert_cmpuint (fixture->trouble->retry_after_usec, ==, 9 * G_USEC_PER_SEC);
  get (fixture);
  renew (fixture, FALSE);
  assert_trouble (fixture, "RENEWAL_REFUSED", RELAY_REMEDY_STOP, "invalid_grant");
  get (fixture);
  g_assert_cmpint (g_chmod (fixture->refresh_path, 0666), ==, 0);
  renew (fixture, FALSE);
  assert_trouble (fixture, "BAD_CREDENTIALS", RELAY_REMEDY_STOP, "RefreshTokenFile");
}

/* A refresh that is under way serves whoever asks next; a second one would use a token that may be void by now. */
static void
test_joined (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayToken) refused = NULL;

  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\",\"refresh_token\":\"r1\"}");
  start (fixture);
  get (fixture);
  refused = relay_token_ref (fixture->token);

  token_endpoint_hold (fixture->endpoint);
  relay_tokens_renew (fixture->tokens, refused, FALSE, not_called, NULL);
  token_endpoint_wait (fixture->endpoint);
  relay_tokens_cancel (fixture->tokens);
  relay_tokens_renew (fixture->tokens, refused, TRUE, on_token, fixture);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (fixture->n_answers, ==, 0);
  token_endpoint_release (fixture->endpoint);
  wait_for_answer (fixture);
  assert_token (fixture, "two");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 1);

  /* And what nobody waited for is there for the next. */
  token_endpoint_clear (fixture->endpoint);
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"three\",\"refresh_token\":\"r2\"}");
  token_endpoint_hold (fixture->endpoint);
  relay_tokens_renew (fixture->tokens, fixture->token, FALSE, not_called, NULL);
  token_endpoint_wait (fixture->endpoint);
  relay_tokens_cancel (fixture->tokens);
  token_endpoint_release (fixture->endpoint);
  get (fixture);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  assert_token (fixture, "three");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 2);
}

/* -- changes -------------------------------------------------------------------------------------------------- */

static void
wait_for_change (Fixture *fixture)
{
  fixture->n_changes = 0;
  while (fixture->n_changes == 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_changed (Fixture *fixture, gconstpointer data)
{
  use_file (fixture, NULL);
  start (fixture);
  get (fixture);
  assert_trouble (fixture, "NO_CREDENTIALS", RELAY_REMEDY_STOP, "does not exist");
  write_file (fixture->token_path, "one\n");
  wait_for_change (fixture);
  get (fixture);
  assert_token (fixture, "one");
}

static void
on_marked (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
}

/* That we store a refresh token is no news, that somebody else does is. */
static void
test_refresh_file_changed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayFileWatch) watch = NULL;
  gboolean marked = FALSE;

  use_file (fixture, "one\n");
  use_refresh (fixture, "r0");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"two\",\"refresh_token\":\"r1\"}");
  start (fixture);
  get (fixture);
  renew (fixture, FALSE);
  assert_token (fixture, "two");

  /* A later change of another file, watched the same way: by then its own would have been told. */
  watch = relay_file_watch_new (fixture->count_path, on_marked, &marked);
  write_file (fixture->count_path, "x");
  while (!marked)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (fixture->n_changes, ==, 0);

  write_file (fixture->refresh_path, "r9\n");
  wait_for_change (fixture);
}

static void
test_options (Fixture *fixture, gconstpointer data)
{
  RelayTokenOptions copy, empty = { 0 };

  use_file (fixture, NULL);
  use_command (fixture, "x y");
  use_refresh (fixture, NULL);
  fixture->options.client_id = g_strdup ("client");
  fixture->options.ca_file = g_strdup ("/ca.pem");
  relay_token_options_copy (&fixture->options, &copy);
  g_assert_cmpstr (copy.token_file, ==, fixture->token_path);
  g_assert_cmpstrv (copy.token_command, fixture->options.token_command);
  g_assert_cmpstr (copy.refresh_url, ==, fixture->endpoint->url);
  g_assert_cmpstr (copy.refresh_token_file, ==, fixture->refresh_path);
  g_assert_cmpstr (copy.client_id, ==, "client");
  g_assert_cmpstr (copy.ca_file, ==, "/ca.pem");
  relay_token_options_clear (&copy);
  g_assert_cmpmem (&copy, sizeof copy, &empty, sizeof empty);
  relay_token_options_clear (&copy);
  relay_token_options_copy (&empty, &copy);
  g_assert_cmpmem (&copy, sizeof copy, &empty, sizeof empty);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/token/token", test_token);
  ADD ("/token/short-life", test_short_life);
  ADD ("/token/order", test_order);
  ADD ("/token/none", test_none);
  ADD ("/token/missing-file", test_missing_file);
  ADD ("/token/bad-sources", test_bad_sources);
  ADD ("/token/command-runs", test_command_runs);
  ADD ("/token/replaced", test_replaced);
  ADD ("/token/replaced-command", test_replaced_command);
  ADD ("/token/cancel", test_cancel);
  ADD ("/token/free-in-callback", test_free_in_callback);
  ADD ("/token/ask-in-callback", test_ask_in_callback);
  ADD ("/token/renew-from-source", test_renew_from_source);
  ADD ("/token/renew-by-refresh", test_renew_by_refresh);
  ADD ("/token/renewed-jwt", test_renewed_jwt);
  ADD ("/token/expired-at-start", test_expired_at_start);
  ADD ("/token/expired-without-refresh", test_expired_without_refresh);
  ADD ("/token/renewed-expires", test_renewed_expires);
  ADD ("/token/source-overrules", test_source_overrules);
  ADD ("/token/source-taken-away", test_source_taken_away);
  ADD ("/token/refresh-fails", test_refresh_fails);
  ADD ("/token/joined", test_joined);
  ADD ("/token/changed", test_changed);
  ADD ("/token/refresh-file-changed", test_refresh_file_changed);
  ADD ("/token/options", test_options);
#undef ADD
  return g_test_run ();
}
