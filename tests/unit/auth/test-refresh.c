/* SPDX-License-Identifier: MIT */
#include "auth/refresh.h"
#include "auth/token-reply.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "common/error.h"
#include "tests/unit/auth/token-endpoint.h"

#define LONG_USEC (60 * (guint64) G_USEC_PER_SEC)

typedef struct {
  char *folder, *path;
  TokenEndpoint *endpoint;
  RelayRefresher *refresher;
  guint n_done;
  char *access_token;
  guint64 life_usec;
  RelayTrouble *trouble;
  char *stored; /* what the file held when the access token was handed out */
} Fixture;

static void
write_file (const char *path, const char *text, int mode)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-relay-refresh-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "refresh-token", NULL);
  fixture->endpoint = token_endpoint_new ();
  write_file (fixture->path, "r0\n", 0600);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  relay_refresher_free (fixture->refresher);
  g_unsetenv ("CREDENTIALS_DIRECTORY");
  token_endpoint_free (fixture->endpoint);
  g_unlink (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0); /* nothing was left behind */
  g_free (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->access_token);
  g_free (fixture->stored);
  relay_trouble_free (fixture->trouble);
}

static void
create (Fixture *fixture, const char *client_id, const char *path)
{
  relay_refresher_free (fixture->refresher);
  fixture->refresher = relay_refresher_new (fixture->endpoint->url, NULL, client_id, path, NULL, LONG_USEC);
}

static void
on_done (const char *access_token, guint64 life_usec, const RelayTrouble *trouble, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_true ((access_token != NULL) != (trouble != NULL));
  fixture->n_done++;
  fixture->access_token = g_strdup (access_token);
  fixture->life_usec = life_usec;
  fixture->trouble = trouble != NULL ? relay_trouble_copy (trouble) : NULL;
  g_file_get_contents (fixture->path, &fixture->stored, NULL, NULL);
}

static void
refresh (Fixture *fixture)
{
  fixture->n_done = 0;
  g_clear_pointer (&fixture->access_token, g_free);
  g_clear_pointer (&fixture->stored, g_free);
  g_clear_pointer (&fixture->trouble, relay_trouble_free);

  relay_refresher_start (fixture->refresher, on_done, fixture);
  g_assert_true (relay_refresher_is_running (fixture->refresher));
  g_assert_cmpuint (fixture->n_done, ==, 0);
  while (fixture->n_done == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (relay_refresher_is_running (fixture->refresher));
  g_assert_cmpuint (fixture->n_done, ==, 1);
}

static void
assert_token (Fixture *fixture, const char *access_token)
{
  if (fixture->trouble != NULL)
    g_error ("%s: %s", fixture->trouble->code, fixture->trouble->text);
  g_assert_cmpstr (fixture->access_token, ==, access_token);
}

static void
assert_trouble (Fixture *fixture, const char *code, RelayRemedy remedy, const char *text)
{
  g_assert_null (fixture->access_token);
  g_assert_cmpstr (fixture->trouble->code, ==, code);
  g_assert_cmpint (fixture->trouble->remedy, ==, remedy);
  g_assert_cmpstr (fixture->trouble->text, ==, text);
}

/* RFC 6749 §6, to the letter. */
static void
test_request (Fixture *fixture, gconstpointer data)
{
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"token_type\":\"Bearer\"}");
  create (fixture, NULL, fixture->path);
  g_assert_true (relay_refresher_is_ready (fixture->refresher, NULL));
  refresh (fixture);
  assert_token (fixture, "a1");
  g_assert_cmpuint (fixture->life_usec, ==, 0);
  g_assert_cmpstr (fixture->endpoint->method, ==, "POST");
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r0");
  g_assert_cmpstr (soup_message_headers_get_one (fixture->endpoint->headers, "Content-Type"), ==,
                   "application/x-www-form-urlencoded");
  g_assert_cmpstr (soup_message_headers_get_one (fixture->endpoint->headers, "Accept"), ==, "application/json");
  g_assert_null (soup_message_headers_get_one (fixture->endpoint->headers, "Authorization"));

  write_file (fixture->path, "a+b/c=&client_id=evil%", 0600);
  create (fixture, "my client", fixture->path);
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==,
                   "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%26client_id%3Devil%25&client_id=my+"
                   "client");
}

static void
test_replies (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *body;
    guint64 life_usec;
  } cases[] = {
    { "{\"access_token\":\"a1\"}", 0 },
    { "{\"accessToken\":\"a1\",\"tokenType\":\"bearer\",\"expiresIn\":60}", 60000000 },
    { "{\"access_token\":\"a1\",\"accessToken\":\"a2\"}", 0 },
    { " {\"token_type\":\"BEARER\",\"expires_in\":3600,\"access_token\":\"a1\",\"scope\":null} \n", 3600000000 },
    { "{\"access_token\":\"a1\",\"expires_in\":0.5}", 500000 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"3600\"}", 3600000000 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"1.5\"}", 1500000 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"soon\"}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"60s\"}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"nan\"}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":\"\"}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":-5}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":null}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":[1]}", 0 },
    { "{\"access_token\":\"a1\",\"expires_in\":1e400}", (guint64) RELAY_TOKEN_REPLY_MAX_LIFE_SEC * G_USEC_PER_SEC },
    { "{\"access_token\":\"\\u0061\\u0031\"}", 0 },
  };

  create (fixture, NULL, fixture->path);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_test_message ("%s", cases[i].body);
    token_endpoint_clear (fixture->endpoint);
    token_endpoint_answer (fixture->endpoint, 200, NULL, cases[i].body);
    refresh (fixture);
    assert_token (fixture, "a1");
    g_assert_cmpuint (fixture->life_usec, ==, cases[i].life_usec);
    g_assert_cmpstr (fixture->stored, ==, "r0\n");
  }
}

static void
test_rotation (Fixture *fixture, gconstpointer data)
{
  struct stat st;

  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"accessToken\":\"a2\",\"refreshToken\":\"r2\"}");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a3\",\"refresh_token\":\"r2\"}");
  create (fixture, NULL, fixture->path);

  refresh (fixture);
  assert_token (fixture, "a1");
  g_assert_cmpstr (fixture->stored, ==, "r1\n");
  g_assert_cmpint (stat (fixture->path, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 07777, ==, 0600);
  g_assert_false (relay_refresher_is_file_foreign (fixture->refresher));

  refresh (fixture);
  assert_token (fixture, "a2");
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r1");
  g_assert_cmpstr (fixture->stored, ==, "r2\n");

  refresh (fixture); /* the same once more: nothing to store */
  assert_token (fixture, "a3");
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r2");
  g_assert_false (relay_refresher_is_file_foreign (fixture->refresher));

  write_file (fixture->path, "r9\n", 0600);
  g_assert_true (relay_refresher_is_file_foreign (fixture->refresher));
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r9");
}

/* Whatever else is wrong with the answer: the old refresh token may be void by now. */
static void
test_rotation_with_fault (Fixture *fixture, gconstpointer data)
{
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":5,\"refresh_token\":\"r1\"}");
  create (fixture, NULL, fixture->path);
  refresh (fixture);
  assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY,
                  "The token could not be renewed for now: the answer of the token endpoint holds no access "
                  "token.");
  g_assert_cmpstr (fixture->stored, ==, "r1\n");
}

static void
use_systemd (Fixture *fixture, const char *token)
{
  g_autofree char *path = g_build_filename (fixture->folder, "prp-refresh-token", NULL);

  write_file (path, token, 0440);
  g_setenv ("CREDENTIALS_DIRECTORY", fixture->folder, TRUE);
}

static void
stop_systemd (Fixture *fixture)
{
  g_autofree char *path = g_build_filename (fixture->folder, "prp-refresh-token", NULL);

  g_unlink (path);
}

/* systemd hands over the first one; the file takes over with the second. */
static void
test_systemd (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  use_systemd (fixture, "s0\n");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}");
  create (fixture, NULL, fixture->path);
  g_assert_true (relay_refresher_is_ready (fixture->refresher, NULL));
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=s0");
  g_assert_cmpstr (fixture->stored, ==, "r1\n");
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r1");
  stop_systemd (fixture);
}

/* What cannot be stored is used from memory, until somebody puts another one into the file. */
static void
test_not_stored (Fixture *fixture, gconstpointer data)
{
  g_autofree char *below = g_build_filename (fixture->path, "token", NULL);

  use_systemd (fixture, "s0\n");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}");
  create (fixture, NULL, below); /* below a file */
  refresh (fixture);
  assert_token (fixture, "a1");
  refresh (fixture);
  assert_token (fixture, "a1");
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r1");

  g_unlink (fixture->path);
  g_mkdir (fixture->path, 0700);
  write_file (below, "r7\n", 0600);
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r7");
  g_unlink (below);
  g_rmdir (fixture->path);
  stop_systemd (fixture);
}

static void
test_nowhere_to_store (Fixture *fixture, gconstpointer data)
{
  use_systemd (fixture, "s0\n");
  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}");
  create (fixture, NULL, NULL);
  refresh (fixture);
  assert_token (fixture, "a1");
  refresh (fixture);
  g_assert_cmpstr (fixture->endpoint->body, ==, "grant_type=refresh_token&refresh_token=r1");
  stop_systemd (fixture);
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  static const struct {
    guint status;
    const char *body;
    const char *said;
  } cases[] = {
    { 400, "{\"error\":\"invalid_grant\",\"error_description\":\"r0 is void\"}", "invalid_grant" },
    { 401, "{\"error\":\"invalid_grant\"}", "invalid_grant" },
    { 401, "{\"error\":\"invalid_client\"}", "invalid_client" },
    { 400, "{\"error\":\"unauthorized_client\"}", "unauthorized_client" },
    { 400, "{\"error\":\"invalid_request\"}", "invalid_request" },
    { 400, "{\"error\":\"unsupported_grant_type\"}", "unsupported_grant_type" },
    { 400, "{\"error\":\"invalid_scope\"}", "invalid_scope" },
    { 401, "", "HTTP status 401" },
    { 401, "{\"error\":\"r0\"}", "HTTP status 401" },
    { 403, "<html>r0</html>", "HTTP status 403" },
  };

  create (fixture, NULL, fixture->path);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text =
      g_strdup_printf ("The server refused to renew the token (%s). Sign in again: “prpctl login”.", cases[i].said);

    token_endpoint_clear (fixture->endpoint);
    token_endpoint_answer (fixture->endpoint, cases[i].status, NULL, cases[i].body);
    refresh (fixture);
    assert_trouble (fixture, "RENEWAL_REFUSED", RELAY_REMEDY_STOP, text);
    g_assert_cmpstr (fixture->stored, ==, "r0\n");
  }
}

static void
test_failures (Fixture *fixture, gconstpointer data)
{
  g_autofree char *long_body = g_strnfill (RELAY_REFRESH_MAX_REPLY_BYTES + 1, ' ');
  g_autofree char *longest_body = g_strnfill (RELAY_REFRESH_MAX_REPLY_BYTES, ' ');
  const struct {
    guint status;
    const char *body;
    const char *said;
  } cases[] = {
    { 400, "", "the token endpoint answered with HTTP status 400." },
    { 400, "{\"error\":\"temporarily_unavailable\"}", "the token endpoint answered with HTTP status 400." },
    { 404, "{\"error\":\"invalid_grant\"}", "the token endpoint answered with HTTP status 404." },
    { 500, "", "the token endpoint answered with HTTP status 500." },
    { 200, "", "the answer of the token endpoint is not JSON." },
    { 200, "access_token=a1", "the answer of the token endpoint is not JSON." },
    { 200, "{\"access_token\":\"a1\"", "the answer of the token endpoint is not JSON." },
    { 200, "{\"access_token\":\"a1\"}{}", "the answer of the token endpoint is not JSON." },
    { 200, longest_body, "the answer of the token endpoint is not JSON." },
    { 200, long_body, "the answer of the token endpoint is too long." },
    { 200, "{}", "the answer of the token endpoint holds no access token." },
    { 200, "[\"access_token\",\"a1\"]", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":null}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"\"}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"a b\"}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"a\\r\\nX-Evil: 1\"}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"a\\u0000b\"}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"\xc3\xa9\"}", "the answer of the token endpoint holds no access token." },
    { 200, "{\"access_token\":\"a1\",\"token_type\":\"mac\"}",
      "the token endpoint gave a token of a type that is not known." },
  };

  create (fixture, NULL, fixture->path);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = g_strdup_printf ("The token could not be renewed for now: %s", cases[i].said);

    token_endpoint_clear (fixture->endpoint);
    token_endpoint_answer (fixture->endpoint, cases[i].status, NULL, cases[i].body);
    refresh (fixture);
    assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY, text);
    g_assert_cmpstr (fixture->stored, ==, "r0\n");
  }
}

static void
test_retry_after (Fixture *fixture, gconstpointer data)
{
  static const guint statuses[] = { 429, 503 };

  create (fixture, NULL, fixture->path);
  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++) {
    g_autofree char *text = g_strdup_printf ("The token could not be renewed for now: the token endpoint answered "
                                             "with HTTP "
                                             "status %u.",
                                             statuses[i]);

    token_endpoint_clear (fixture->endpoint);
    token_endpoint_answer (fixture->endpoint, statuses[i], "Retry-After: 17", "{}");
    refresh (fixture);
    assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY_AFTER, text);
    g_assert_cmpuint (fixture->trouble->retry_after_usec, ==, 17 * G_USEC_PER_SEC);
  }
}

static void
test_redirect (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TokenEndpoint) elsewhere = token_endpoint_new ();
  g_autofree char *location = g_strdup_printf ("Location: %s", elsewhere->url);

  token_endpoint_answer (elsewhere, 200, NULL, "{\"access_token\":\"evil\"}");
  token_endpoint_answer (fixture->endpoint, 307, location, "{}");
  create (fixture, NULL, fixture->path);
  refresh (fixture);
  assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY,
                  "The token could not be renewed for now: the token endpoint redirects elsewhere, which is not "
                  "followed. Is "
                  "RefreshUrl= in relay.conf right?");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 1);
  g_assert_cmpuint (elsewhere->n_requests, ==, 0);
}

static void
test_unreachable (Fixture *fixture, gconstpointer data)
{
  create (fixture, NULL, fixture->path);
  soup_server_disconnect (fixture->endpoint->server);
  refresh (fixture);
  assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY,
                  "The token could not be renewed for now: Nothing accepts connections at 127.0.0.1.");
}

static void
test_timeout (Fixture *fixture, gconstpointer data)
{
  token_endpoint_hold (fixture->endpoint);
  fixture->refresher = relay_refresher_new (fixture->endpoint->url, NULL, NULL, fixture->path, NULL, 100 * 1000);
  refresh (fixture);
  assert_trouble (fixture, "RENEWAL_FAILED", RELAY_REMEDY_RETRY,
                  "The token could not be renewed for now: the token endpoint did not answer in time.");
}

static void
test_no_refresh_token (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  create (fixture, NULL, fixture->path);
  g_assert_cmpint (g_chmod (fixture->path, 0640), ==, 0);
  g_assert_false (relay_refresher_is_ready (fixture->refresher, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_AUTH_FAILED);
  g_assert_nonnull (strstr (error->message, "RefreshTokenFile "));
  refresh (fixture);
  g_assert_cmpstr (fixture->trouble->code, ==, "BAD_CREDENTIALS");
  g_assert_nonnull (strstr (fixture->trouble->text, "chmod 600"));

  g_clear_error (&error);
  g_unlink (fixture->path);
  g_assert_false (relay_refresher_is_ready (fixture->refresher, &error));
  g_assert_no_error (error);
  refresh (fixture);
  g_assert_cmpstr (fixture->trouble->code, ==, "NO_CREDENTIALS");
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 0);
}

static void
test_bad_ca_file (Fixture *fixture, gconstpointer data)
{
  fixture->refresher =
    relay_refresher_new (fixture->endpoint->url, "/nowhere/ca.pem", NULL, fixture->path, NULL, LONG_USEC);
  refresh (fixture);
  g_assert_cmpstr (fixture->trouble->code, ==, "RENEWAL_FAILED");
  g_assert_nonnull (strstr (fixture->trouble->text, "/nowhere/ca.pem"));
}

/* Nobody waits any more, but the server has given away the next refresh token. */
static void
test_free_while_running (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  token_endpoint_answer (fixture->endpoint, 200, NULL, "{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}");
  token_endpoint_hold (fixture->endpoint);
  create (fixture, NULL, fixture->path);
  relay_refresher_start (fixture->refresher, on_done, fixture);
  token_endpoint_wait (fixture->endpoint);
  g_clear_pointer (&fixture->refresher, relay_refresher_free);
  token_endpoint_release (fixture->endpoint);

  for (;;) {
    g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
    if (g_str_equal (text, "r1\n"))
      break;
    g_clear_pointer (&text, g_free);
    g_main_context_iteration (NULL, TRUE);
  }
  g_assert_cmpuint (fixture->n_done, ==, 0);
}

static void
test_free_before_start (Fixture *fixture, gconstpointer data)
{
  create (fixture, NULL, fixture->path);
  relay_refresher_start (fixture->refresher, on_done, fixture);
  g_clear_pointer (&fixture->refresher, relay_refresher_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (fixture->n_done, ==, 0);
  g_assert_cmpuint (fixture->endpoint->n_requests, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/refresh/request", test_request);
  ADD ("/refresh/replies", test_replies);
  ADD ("/refresh/rotation", test_rotation);
  ADD ("/refresh/rotation-with-fault", test_rotation_with_fault);
  ADD ("/refresh/systemd", test_systemd);
  ADD ("/refresh/not-stored", test_not_stored);
  ADD ("/refresh/nowhere-to-store", test_nowhere_to_store);
  ADD ("/refresh/refused", test_refused);
  ADD ("/refresh/failures", test_failures);
  ADD ("/refresh/retry-after", test_retry_after);
  ADD ("/refresh/redirect", test_redirect);
  ADD ("/refresh/unreachable", test_unreachable);
  ADD ("/refresh/timeout", test_timeout);
  ADD ("/refresh/no-refresh-token", test_no_refresh_token);
  ADD ("/refresh/bad-ca-file", test_bad_ca_file);
  ADD ("/refresh/free-while-running", test_free_while_running);
  ADD ("/refresh/free-before-start", test_free_before_start);
#undef ADD
  return g_test_run ();
}
