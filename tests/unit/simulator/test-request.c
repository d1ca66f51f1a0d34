/* SPDX-License-Identifier: MIT */
#include "simulator/request.h"

#include <string.h>

static void
test_page_examples (void)
{
  g_autoptr (SimRequest) subscribe = NULL, unsubscribe = NULL, ping = NULL;
  const char *text = "{\"id\":\"client_msg_001\",\"action\":\"subscribe\",\"payload\":{\"channels\":"
                     "[\"project:proj_123456\",\"agent:agent_001\",\"prp:prp_789012\"]}}";

  subscribe = sim_request_parse (text, strlen (text));
  g_assert_false (subscribe->is_refused);
  g_assert_cmpint (subscribe->action, ==, SIM_ACTION_SUBSCRIBE);
  g_assert_cmpstr (subscribe->id, ==, "client_msg_001");
  g_assert_cmpstr (subscribe->name, ==, "subscribe");
  g_assert_cmpuint (g_strv_length (subscribe->channels), ==, 3);
  g_assert_cmpstr (subscribe->channels[2], ==, "prp:prp_789012");
  g_assert_cmpstr (subscribe->text, ==, text);

  text = "{\"id\":\"client_msg_002\",\"action\":\"unsubscribe\",\"payload\":{\"channels\":[\"agent:agent_001\"]}}";
  unsubscribe = sim_request_parse (text, strlen (text));
  g_assert_false (unsubscribe->is_refused);
  g_assert_cmpint (unsubscribe->action, ==, SIM_ACTION_UNSUBSCRIBE);
  g_assert_cmpstr (unsubscribe->channels[0], ==, "agent:agent_001");

  text = "{\"action\":\"ping\"}"; /* the id is optional */
  ping = sim_request_parse (text, strlen (text));
  g_assert_false (ping->is_refused);
  g_assert_cmpint (ping->action, ==, SIM_ACTION_PING);
  g_assert_null (ping->id);
}

static void
test_refused (void)
{
  static const struct {
    const char *text, *id, *name;
    RelayError error;
    const char *message; /* its beginning */
  } cases[] = {
    { "", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not JSON: " },
    { "{'action':'ping'}", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not JSON: " },
    { "{\"action\":\"ping\"} {}", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not JSON: " },
    { "{\"action\":\"ping\"/**/}", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not JSON: " },
    { "[]", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not a JSON object" },
    { "\"ping\"", NULL, NULL, RELAY_ERROR_INVALID_ACTION, "The message is not a JSON object" },
    { "{\"id\":\"a\"}", "a", NULL, RELAY_ERROR_INVALID_ACTION, "The member 'action' " },
    { "{\"id\":\"a\",\"action\":1}", "a", NULL, RELAY_ERROR_INVALID_ACTION, "The member 'action' " },
    { "{\"id\":1,\"action\":\"ping\"}", NULL, "ping", RELAY_ERROR_INVALID_ACTION, "The member 'id' " },
    { "{\"action\":\"dance\"}", NULL, "dance", RELAY_ERROR_INVALID_ACTION, "Unknown action 'dance'" },
    { "{\"action\":\"invalid\"}", NULL, "invalid", RELAY_ERROR_INVALID_ACTION, "Unknown action 'invalid'" },
    { "{\"action\":\"subscribe\"}", NULL, "subscribe", RELAY_ERROR_INVALID_ACTION,
      "The action 'subscribe' needs" },
    { "{\"action\":\"subscribe\",\"payload\":[]}", NULL, "subscribe", RELAY_ERROR_INVALID_ACTION, "The action" },
    { "{\"action\":\"subscribe\",\"payload\":{\"channels\":\"prp:a\"}}", NULL, "subscribe",
      RELAY_ERROR_INVALID_ACTION, "The" },
    { "{\"action\":\"subscribe\",\"payload\":{\"channels\":[]}}", NULL, "subscribe", RELAY_ERROR_INVALID_ACTION,
      "The action" },
    { "{\"action\":\"unsubscribe\",\"payload\":{\"channels\":[1]}}", NULL, "unsubscribe",
      RELAY_ERROR_INVALID_ACTION, "The" },
    { "{\"id\":\"b\",\"action\":\"subscribe\",\"payload\":{\"channels\":[\"prp:a\",\"invalid:channel\",\"x\"]}}",
      "b", "subscribe", RELAY_ERROR_INVALID_CHANNEL, "Channel 'invalid:channel' does not exist" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SimRequest) request = sim_request_parse (cases[i].text, strlen (cases[i].text));

    g_assert_true (request->is_refused);
    g_assert_cmpint (request->error, ==, cases[i].error);
    g_assert_cmpstr (request->id, ==, cases[i].id);
    g_assert_cmpstr (request->name, ==, cases[i].name);
    g_assert_true (g_str_has_prefix (request->error_message, cases[i].message));
  }
}

/* Deep enough to overturn a recursive parser. */
static void
test_deep (void)
{
  g_autofree char *text = g_strnfill (200000, '[');
  g_autoptr (SimRequest) request = sim_request_parse (text, strlen (text));

  g_assert_true (request->is_refused);
  g_assert_false (request->is_json);
}

static void
test_channels (void)
{
  g_autofree char *long_id = g_strnfill (255, 'x');
  g_autofree char *too_long = g_strconcat ("prp:", long_id, NULL);

  g_assert_true (sim_channel_exists ("project:proj_atlas"));
  g_assert_true (sim_channel_exists ("agent:a"));
  g_assert_true (sim_channel_exists ("prp:prp:1"));
  g_assert_true (sim_channel_exists ("prp:valid"));
  g_assert_false (sim_channel_exists ("prp:"));
  g_assert_false (sim_channel_exists ("prp"));
  g_assert_false (sim_channel_exists (""));
  g_assert_false (sim_channel_exists ("PRP:x"));
  g_assert_false (sim_channel_exists ("team:x"));
  g_assert_false (sim_channel_exists ("prp:invalid"));
  g_assert_false (sim_channel_exists ("agent:invalid_1"));
  g_assert_false (sim_channel_exists ("prp:a b"));
  g_assert_false (sim_channel_exists ("prp:ü"));
  g_assert_false (sim_channel_exists (too_long));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/request/page-examples", test_page_examples);
  g_test_add_func ("/simulator/request/refused", test_refused);
  g_test_add_func ("/simulator/request/deep", test_deep);
  g_test_add_func ("/simulator/request/channels", test_channels);
  return g_test_run ();
}
