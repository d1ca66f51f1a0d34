/* SPDX-License-Identifier: MIT */
#include "simulator/tokens.h"

#include <string.h>

#include <json-glib/json-glib.h>

#define SEC ((gint64) G_USEC_PER_SEC)
#define NOW (1700000000 * SEC)

static SimTokenState
check (SimTokens *tokens, const char *token, gint64 now)
{
  gint64 expires;

  return sim_tokens_check (tokens, token, now, &expires);
}

static void
test_accept (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (0, FALSE);
  gint64 expires = -1;

  g_assert_cmpint (check (tokens, "one", NOW), ==, SIM_TOKEN_UNKNOWN);
  sim_tokens_accept (tokens, "one", NOW);
  g_assert_cmpint (sim_tokens_check (tokens, "one", NOW + 1000000 * SEC, &expires), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpint (expires, ==, 0);
  g_assert_cmpint (check (tokens, "two", NOW), ==, SIM_TOKEN_UNKNOWN);
  g_assert_cmpint (check (tokens, "", NOW), ==, SIM_TOKEN_UNKNOWN);
}

static void
test_life (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (60 * SEC, FALSE);
  gint64 expires = -1;

  sim_tokens_accept (tokens, "one", NOW);
  g_assert_cmpint (sim_tokens_check (tokens, "one", NOW + 60 * SEC - 1, &expires), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpint (expires, ==, NOW + 60 * SEC);
  g_assert_cmpint (check (tokens, "one", NOW + 60 * SEC), ==, SIM_TOKEN_EXPIRED);
  sim_tokens_accept (tokens, "one", NOW + 70 * SEC);
  g_assert_cmpint (check (tokens, "one", NOW + 71 * SEC), ==, SIM_TOKEN_ACCEPTED);
}

static void
test_any (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (60 * SEC, TRUE);

  g_assert_cmpint (check (tokens, "whatever", NOW), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpint (check (tokens, "whatever", NOW + 59 * SEC), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpint (check (tokens, "whatever", NOW + 60 * SEC), ==,
                   SIM_TOKEN_EXPIRED); /* from when it was first seen */
  g_assert_cmpint (check (tokens, "no token", NOW), ==, SIM_TOKEN_UNKNOWN);
  g_assert_cmpint (check (tokens, "", NOW), ==, SIM_TOKEN_UNKNOWN);
}

static void
test_end_all (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (0, FALSE);

  sim_tokens_accept (tokens, "one", NOW);
  sim_tokens_accept (tokens, "two", NOW);
  g_assert_cmpuint (sim_tokens_end_all (tokens, SIM_TOKEN_REVOKED), ==, 2);
  g_assert_cmpint (check (tokens, "one", NOW), ==, SIM_TOKEN_REVOKED);
  sim_tokens_accept (tokens, "three", NOW);
  g_assert_cmpuint (sim_tokens_end_all (tokens, SIM_TOKEN_EXPIRED), ==, 1);
  g_assert_cmpint (check (tokens, "two", NOW), ==, SIM_TOKEN_EXPIRED);
}

static void
test_bounded (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (0, TRUE);

  for (guint i = 0; i < SIM_TOKENS_MAX_REMEMBERED + 1; i++) {
    g_autofree char *token = g_strdup_printf ("token%u", i);

    g_assert_cmpint (check (tokens, token, NOW), ==, SIM_TOKEN_ACCEPTED);
  }
  g_assert_cmpuint (sim_tokens_end_all (tokens, SIM_TOKEN_REVOKED), ==, SIM_TOKENS_MAX_REMEMBERED);
}

static char *
decode (const char *part)
{
  g_autofree char *padded = g_strconcat (part, "===", NULL);
  gsize length;

  padded[(strlen (part) + 3) / 4 * 4] = '\0';
  g_strdelimit (padded, "-", '+');
  g_strdelimit (padded, "_", '/');
  g_base64_decode_inplace (padded, &length);
  return g_strndup (padded, length);
}

static void
test_jwt (void)
{
  for (guint life = 0; life <= 90; life += 90) {
    g_autoptr (SimTokens) tokens = sim_tokens_new (life * SEC, FALSE);
    g_autofree char *token = sim_tokens_issue (tokens, NOW), *another = sim_tokens_issue (tokens, NOW);
    g_auto (GStrv) parts = g_strsplit (token, ".", -1);
    g_autofree char *header = NULL, *payload = NULL;
    g_autoptr (JsonNode) claims = NULL;
    JsonObject *object;

    g_assert_cmpint (check (tokens, token, NOW), ==, SIM_TOKEN_ACCEPTED);
    g_assert_cmpstr (token, !=, another);
    g_assert_true (sim_token_is_valid (token));
    g_assert_cmpuint (g_strv_length (parts), ==, 3);
    g_assert_null (strchr (token, '='));
    g_assert_cmpuint (strlen (parts[2]), ==, 43); /* 256 bits */
    header = decode (parts[0]);
    g_assert_cmpstr (header, ==, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    payload = decode (parts[1]);
    claims = json_from_string (payload, NULL);
    object = json_node_get_object (claims);
    g_assert_cmpint (json_object_get_int_member (object, "iat"), ==, 1700000000);
    g_assert_cmpint (json_object_has_member (object, "exp"), ==, life > 0);
    g_assert_cmpint (json_object_get_int_member_with_default (object, "exp", 1700000000), ==, 1700000000 + life);
  }
}

static void
test_rotation (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (60 * SEC, FALSE);
  g_autofree char *access = NULL, *refresh = NULL, *access2 = NULL, *refresh2 = NULL;

  g_assert_false (sim_tokens_refresh (tokens, "first", NOW, &access, &refresh));
  sim_tokens_set_refresh_token (tokens, "first");
  g_assert_false (sim_tokens_refresh (tokens, "other", NOW, &access, &refresh));
  g_assert_null (access);

  g_assert_true (sim_tokens_refresh (tokens, "first", NOW, &access, &refresh));
  g_assert_cmpint (check (tokens, access, NOW), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpint (check (tokens, refresh, NOW), ==, SIM_TOKEN_UNKNOWN);
  g_assert_cmpstr (refresh, ==, sim_tokens_get_refresh_token (tokens));

  g_assert_false (sim_tokens_refresh (tokens, "first", NOW, &access2, &refresh2)); /* void after its use */
  g_assert_true (sim_tokens_refresh (tokens, refresh, NOW, &access2, &refresh2));
  g_assert_cmpstr (refresh, !=, refresh2);
  g_assert_cmpint (check (tokens, access, NOW), ==, SIM_TOKEN_ACCEPTED);
}

static void
test_valid (void)
{
  g_autofree char *fresh = sim_token_generate (), *other = sim_token_generate ();
  g_autofree char *too_long = g_strnfill (SIM_TOKEN_MAX_BYTES + 1, 'a');

  g_assert_true (sim_token_is_valid (fresh));
  g_assert_cmpstr (fresh, !=, other);
  g_assert_cmpuint (strlen (fresh), ==, 43);
  g_assert_true (sim_token_is_valid ("aZ0-._~+/=="));
  g_assert_false (sim_token_is_valid (""));
  g_assert_false (sim_token_is_valid ("="));
  g_assert_false (sim_token_is_valid ("a=b"));
  g_assert_false (sim_token_is_valid ("a b"));
  g_assert_false (sim_token_is_valid ("ä"));
  g_assert_false (sim_token_is_valid (too_long));
}

static void
test_are_in (void)
{
  g_autoptr (SimTokens) tokens = sim_tokens_new (0, FALSE);
  g_autofree char *access = NULL, *refresh = NULL;
  const char *secret = "a-token-that-is-long";

  sim_tokens_accept (tokens, secret, NOW);
  sim_tokens_accept (tokens, "dev", NOW);
  sim_tokens_set_refresh_token (tokens, "refresh-me-with-this");
  g_assert_true (sim_tokens_refresh (tokens, "refresh-me-with-this", NOW, &access, &refresh));

  g_assert_true (sim_tokens_are_in (tokens, "xxa-token-that-is-longxx"));
  g_assert_true (sim_tokens_are_in (tokens, "{\"x\":[\"a-token\\u002dthat-is-long\"]}"));
  g_assert_true (sim_tokens_are_in (tokens, "{\"a-token-that\\u002dis-long\":1}"));
  g_assert_true (sim_tokens_are_in (tokens, "the token is \"dev\""));
  g_assert_true (sim_tokens_are_in (tokens, "dev"));
  g_assert_true (sim_tokens_are_in (tokens, "refresh-me-with-this")); /* even though it is void */
  g_assert_true (sim_tokens_are_in (tokens, access));
  g_assert_true (sim_tokens_are_in (tokens, refresh));
  g_assert_false (
      sim_tokens_are_in (tokens, "{\"action\":\"subscribe\",\"payload\":{\"channels\":[\"prp:device\"]}}"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/tokens/accept", test_accept);
  g_test_add_func ("/simulator/tokens/life", test_life);
  g_test_add_func ("/simulator/tokens/any", test_any);
  g_test_add_func ("/simulator/tokens/end-all", test_end_all);
  g_test_add_func ("/simulator/tokens/bounded", test_bounded);
  g_test_add_func ("/simulator/tokens/jwt", test_jwt);
  g_test_add_func ("/simulator/tokens/rotation", test_rotation);
  g_test_add_func ("/simulator/tokens/valid", test_valid);
  g_test_add_func ("/simulator/tokens/are-in", test_are_in);
  return g_test_run ();
}
