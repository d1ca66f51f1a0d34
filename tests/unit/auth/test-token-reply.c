/* SPDX-License-Identifier: MIT */
#include "auth/token-reply.h"

#include <string.h>

#include "common/error.h"

static void
assert_tokens (const char *text, const char *access_token, const char *refresh_token)
{
  g_auto (RelayTokenReply) reply = { 0 };
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", text);
  g_assert_true (relay_token_reply_read (&reply, text, strlen (text), &error));
  g_assert_no_error (error);
  g_assert_cmpstr (reply.access_token, ==, access_token);
  g_assert_cmpstr (reply.refresh_token, ==, refresh_token);
}

static void
test_tokens (void)
{
  assert_tokens ("{\"access_token\":\"a\"}", "a", NULL);
  assert_tokens ("{\"accessToken\":\"a\",\"refreshToken\":\"r\"}", "a", "r");
  /* The name of the RFC goes first. */
  assert_tokens ("{\"accessToken\":\"b\",\"access_token\":\"a\",\"refresh_token\":\"r\",\"refreshToken\":\"q\"}", "a", "r");
  assert_tokens ("{\"access_token\":\"a\\u002e\\n\",\"token_type\":\"bEaReR\"}", "a.", NULL);
  /* What cannot stand in a header is none. */
  assert_tokens ("{\"access_token\":\"a\",\"refresh_token\":\"r\\u0000\",\"token_type\":7}", "a", NULL);
  assert_tokens ("{\"access_token\":\"a\",\"refresh_token\":[]}", "a", NULL);
}

static void
assert_refused (const char *text, const char *words, const char *refresh_token)
{
  g_auto (RelayTokenReply) reply = { 0 };
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", text);
  g_assert_false (relay_token_reply_read (&reply, text, strlen (text), &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_SERVER);
  g_assert_nonnull (strstr (relay_error_get_english (error), words));
  g_assert_cmpstr (reply.refresh_token, ==, refresh_token);
}

static void
test_refused (void)
{
  assert_refused ("", "not JSON", NULL);
  assert_refused ("access_token=a", "not JSON", NULL);
  assert_refused ("\"a\"", "no access token", NULL);
  assert_refused ("{\"access_token\":\"\"}", "no access token", NULL);
  assert_refused ("{\"access_token\":\"a b\\u0001\"}", "no access token", NULL);
  /* The refresh token is to be kept, for the old one may be void. */
  assert_refused ("{\"access_token\":null,\"refresh_token\":\"r\"}", "no access token", "r");
  assert_refused ("{\"access_token\":\"a\",\"refresh_token\":\"r\",\"token_type\":\"mac\"}", "not known", "r");
}

static guint64
read_life (const char *expires_in)
{
  g_autofree char *text = g_strdup_printf ("{\"access_token\":\"a\",\"expires_in\":%s}", expires_in);
  g_auto (RelayTokenReply) reply = { 0 };

  g_assert_true (relay_token_reply_read (&reply, text, strlen (text), NULL));
  return reply.life_usec;
}

static void
test_life (void)
{
  const guint64 most = (guint64) RELAY_TOKEN_REPLY_MAX_LIFE_SEC * G_USEC_PER_SEC;

  g_assert_cmpuint (read_life ("3600"), ==, 3600 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (read_life ("\"3600\""), ==, 3600 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (read_life ("0.5"), ==, 500000);
  g_assert_cmpuint (read_life ("-5"), ==, 0);
  g_assert_cmpuint (read_life ("18446744073709551615"), ==, most);
  g_assert_cmpuint (read_life ("1e400"), ==, most);
  g_assert_cmpuint (read_life ("\"inf\""), ==, 0);
  g_assert_cmpuint (read_life ("\"nan\""), ==, 0);
  g_assert_cmpuint (read_life ("\"3600 s\""), ==, 0);
  g_assert_cmpuint (read_life ("\"\""), ==, 0);
  g_assert_cmpuint (read_life ("null"), ==, 0);
}

static void
test_error (void)
{
#define READ(text) relay_token_reply_read_error (text, strlen (text))
  g_assert_cmpstr (READ ("{\"error\":\"invalid_grant\"}"), ==, "invalid_grant");
  g_assert_cmpstr (READ ("{\"error\":\"invalid\\u005fscope\"}"), ==, "invalid_scope");
  /* Anything else could be a token. */
  g_assert_null (READ ("{\"error\":\"secret\"}"));
  g_assert_null (READ ("{\"error\":7}"));
  g_assert_null (READ ("{}"));
  g_assert_null (READ ("[\"error\",\"invalid_grant\"]"));
  g_assert_null (READ ("invalid_grant"));
#undef READ
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/token-reply/tokens", test_tokens);
  g_test_add_func ("/token-reply/refused", test_refused);
  g_test_add_func ("/token-reply/life", test_life);
  g_test_add_func ("/token-reply/error", test_error);
  return g_test_run ();
}
