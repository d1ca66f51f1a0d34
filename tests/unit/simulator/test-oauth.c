/* SPDX-License-Identifier: MIT */
#include "simulator/oauth.h"

#include <json-glib/json-glib.h>

#define NOW (1700000000 * (gint64) G_USEC_PER_SEC)
#define FORM "application/x-www-form-urlencoded"

static JsonObject *
ask (SimTokens *tokens, const char *content_type, const char *body, guint expected_status)
{
  g_autofree char *json = NULL;
  g_autoptr (JsonNode) node = NULL;

  g_assert_cmpuint (sim_oauth_handle (tokens, content_type, body, NOW, &json), ==, expected_status);
  node = json_from_string (json, NULL);
  g_assert_nonnull (node);
  return json_node_dup_object (node);
}

static void
test_refresh (void)
{
  for (guint life = 0; life <= 60; life += 60) {
    g_autoptr (SimTokens) tokens = sim_tokens_new (life * (guint64) G_USEC_PER_SEC, FALSE);
    g_autoptr (JsonObject) reply = NULL, again = NULL;
    gint64 expires;

    sim_tokens_set_refresh_token (tokens, "a+b/c==");
    reply = ask (tokens, FORM,
                 "grant_type=refresh_token&client_id=prp-relay&refresh_token=a%2Bb%2Fc%3D%3D&scope=", 200);
    g_assert_cmpstr (json_object_get_string_member (reply, "token_type"), ==, "Bearer");
    g_assert_cmpstr (json_object_get_string_member (reply, "refresh_token"), ==,
                     sim_tokens_get_refresh_token (tokens));
    g_assert_cmpint (
        sim_tokens_check (tokens, json_object_get_string_member (reply, "access_token"), NOW, &expires), ==,
        SIM_TOKEN_ACCEPTED);
    g_assert_cmpint (json_object_get_int_member_with_default (reply, "expires_in", 0), ==, life);

    again = ask (tokens, FORM, "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%3D", 400);
    g_assert_cmpstr (json_object_get_string_member (again, "error"), ==, "invalid_grant");
  }
}

/* RFC 6749 §5.2. */
static void
test_errors (void)
{
  static const struct {
    const char *content_type, *body, *error;
  } cases[] = {
    { NULL, "grant_type=refresh_token&refresh_token=r", "invalid_request" },
    { "application/json", "{}", "invalid_request" },
    { FORM, "", "invalid_request" },
    { FORM, "refresh_token=r", "invalid_request" },
    { FORM, "grant_type=refresh_token", "invalid_request" },
    { FORM, "grant_type=refresh_token&refresh_token=", "invalid_request" },
    { FORM, "grant_type=refresh_token&refresh_token=r&refresh_token=r", "invalid_request" },
    { FORM, "grant_type=refresh_token&refresh_token=%ff", "invalid_request" },
    { FORM, "grant_type=password&username=u&password=p", "unsupported_grant_type" },
    { FORM, "grant_type=refresh_token&refresh_token=wrong", "invalid_grant" },
  };
  g_autoptr (SimTokens) tokens = sim_tokens_new (0, FALSE);

  sim_tokens_set_refresh_token (tokens, "r");
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (JsonObject) reply = ask (tokens, cases[i].content_type, cases[i].body, 400);

    g_assert_cmpstr (json_object_get_string_member (reply, "error"), ==, cases[i].error);
    g_assert_true (json_object_has_member (reply, "error_description"));
  }
  g_assert_cmpstr (sim_tokens_get_refresh_token (tokens), ==, "r"); /* not used up by any of these */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/oauth/refresh", test_refresh);
  g_test_add_func ("/simulator/oauth/errors", test_errors);
  return g_test_run ();
}
