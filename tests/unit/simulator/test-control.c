/* SPDX-License-Identifier: MIT */
#include "simulator/control.h"

#include <string.h>

#include "simulator/garbage.h"
#include "test-client.h"

#define ALL_PROJECTS "\"project:proj_atlas\",\"project:proj_borealis\",\"project:proj_comet\""

typedef struct {
  SimTokens *tokens;
  SimHub *hub;
  SimGate gate;
  SimControl *control;
  TestClient *client;
  char *published;
} Fixture;

static gboolean
publish (const char *token, gpointer user_data, GError **error)
{
  Fixture *fixture = user_data;

  g_free (fixture->published);
  fixture->published = g_strdup (token);
  return TRUE;
}

static TestClient *
connect_client (Fixture *fixture)
{
  g_autoptr (GSocketConnection) server = NULL, client = NULL;

  test_make_pair (&server, &client);
  sim_hub_adopt (fixture->hub, G_IO_STREAM (server), g_socket_connection_get_socket (server), 0);
  return test_client_new (G_IO_STREAM (client));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const SimHubSettings settings = { .events_per_sec = 0, .seed = 7, .limits = { 0, 100, 0, 1000 } };

  fixture->tokens = sim_tokens_new (0, FALSE);
  fixture->hub = sim_hub_new (&settings, fixture->tokens);
  fixture->control = sim_control_new (fixture->hub, &fixture->gate, publish, fixture);
  fixture->client = connect_client (fixture);
  test_client_subscribe (fixture->client, ALL_PROJECTS);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_client_free (fixture->client);
  sim_control_free (fixture->control);
  sim_hub_free (fixture->hub);
  sim_tokens_free (fixture->tokens);
  sim_gate_clear (&fixture->gate);
  g_free (fixture->published);
}

/* @query: "a=b&c=d", or NULL. */
static JsonNode *
ask (Fixture *fixture, const char *method, const char *command, const char *query, const char *body,
     guint expected_status)
{
  g_autoptr (GHashTable) parameters = query != NULL ? g_uri_parse_params (query, -1, "&", 0, NULL) : NULL;
  g_autofree char *json = NULL;
  const char *allow = NULL;
  JsonNode *node;

  g_assert_cmpuint (
      sim_control_handle (fixture->control, method, command, parameters, body, strlen (body), &json, &allow), ==,
      expected_status);
  g_assert_cmpint (allow != NULL, ==, expected_status == 405);
  node = json_from_string (json, NULL);
  g_assert_nonnull (node);
  return node;
}

/* Returns for how many connections it was done, -1 if the reply does not say. */
static gint64
post (Fixture *fixture, const char *command, const char *query, const char *body)
{
  g_autoptr (JsonNode) reply = ask (fixture, "POST", command, query, body, 200);

  g_assert_true (json_object_get_boolean_member (json_node_get_object (reply), "ok"));
  return json_object_get_int_member_with_default (json_node_get_object (reply), "connections", -1);
}

static void
assert_refused (Fixture *fixture, const char *command, const char *query, const char *body, guint status,
                const char *words)
{
  g_autoptr (JsonNode) reply = ask (fixture, "POST", command, query, body, status);
  JsonObject *members = json_node_get_object (reply);

  g_assert_false (json_object_get_boolean_member (members, "ok"));
  g_assert_nonnull (strstr (json_object_get_string_member (members, "error"), words));
}

/* The list is complete, and every command in it has a method and a help. */
static void
test_help (Fixture *fixture, gconstpointer data)
{
  static const char *const wanted[] = {
    "state",        "stats", "messages",     "drop",         "close",     "half-open", "silence", "refuse",
    "refuse-token", "stall", "expire-token", "revoke-token", "new-token", "garbage",   "burst",   "duplicate",
    "emit",         "error", "pause",        "resume",       "rate",      "limits",
  };
  g_autoptr (JsonNode) reply = ask (fixture, "GET", "", NULL, "", 200);
  JsonArray *commands = json_object_get_array_member (json_node_get_object (reply), "commands");
  JsonObject *garbage = json_object_get_object_member (json_node_get_object (reply), "garbage");

  g_assert_cmpuint (json_array_get_length (commands), ==, G_N_ELEMENTS (wanted) + 1);
  for (gsize i = 0; i < G_N_ELEMENTS (wanted); i++) {
    JsonObject *command = json_array_get_object_element (commands, (guint) i + 1);
    g_autofree char *path = g_strconcat ("/control/", wanted[i], NULL);

    g_assert_cmpstr (json_object_get_string_member (command, "command"), ==, path);
    g_assert_cmpuint (strlen (json_object_get_string_member (command, "help")), >, 10);
  }
  for (const SimGarbageKind *kind = sim_garbage_list (); kind->name != NULL; kind++)
    g_assert_true (json_object_has_member (garbage, kind->name));
}

static void
test_refusals (Fixture *fixture, gconstpointer data)
{
  assert_refused (fixture, "nonsense", NULL, "", 404, "GET /control");
  assert_refused (fixture, "state", NULL, "", 405, "method");
  json_node_unref (ask (fixture, "GET", "drop", NULL, "", 405));
  assert_refused (fixture, "pause", "speed=1", "", 400, "no parameter speed");
  assert_refused (fixture, "drop", "connection=conn_x", "", 404, "conn_x");
  assert_refused (fixture, "drop", "reset=perhaps", "", 400, "reset");
  assert_refused (fixture, "close", "code=1006", "", 400, "code");
  assert_refused (fixture, "close", "code=many", "", 400, "code");
  assert_refused (fixture, "refuse", "status=200", "", 400, "status");
  assert_refused (fixture, "refuse", "location=a%0d%0ab", "", 400, "location");
  assert_refused (fixture, "garbage", "kind=nice", "", 400, "not-json, truncated");
  assert_refused (fixture, "garbage", "fragments=0", "", 400, "fragments");
  assert_refused (fixture, "burst", "rate=-1", "", 400, "rate");
  assert_refused (fixture, "rate", NULL, "", 400, "per-sec");
  assert_refused (fixture, "rate", "per-sec=nan", "", 400, "per-sec");
  assert_refused (fixture, "emit", NULL, "", 400, "body");
  assert_refused (fixture, "close", NULL, "{\"code\":", 400, "JSON");
  assert_refused (fixture, "close", NULL, "{\"code\":[1000]}", 400, "code");
  test_client_send (fixture->client, "{\"action\":\"ping\"}");
  json_object_unref (test_client_next (fixture->client, "pong")); /* and none of them did anything */
}

/* Parameters may come in the query, as a form and as JSON. */
static void
test_parameters (Fixture *fixture, gconstpointer data)
{
  static const char *const bodies[] = { "", "status=429&count=3&retry-after=7",
                                        " {\"status\":429,\"count\":\"3\",\"retry-after\":7}" };

  for (gsize i = 0; i < G_N_ELEMENTS (bodies); i++) {
    sim_refusal_set (&fixture->gate.handshakes, 0, 0, 0, NULL);
    post (fixture, "refuse", i == 0 ? "status=429&count=3&retry-after=7" : NULL, bodies[i]);
    g_assert_cmpuint (fixture->gate.handshakes.status, ==, 429);
    g_assert_cmpuint (fixture->gate.handshakes.left, ==, 3);
    g_assert_cmpuint (fixture->gate.handshakes.retry_after_sec, ==, 7);
  }
  post (fixture, "refuse-token", "status=302&location=http://example.org/&count=0", "");
  g_assert_cmpuint (fixture->gate.renewals.status, ==, 302);
  g_assert_cmpstr (fixture->gate.renewals.location, ==, "http://example.org/");
  post (fixture, "stall", "count=2", "");
  g_assert_cmpuint (fixture->gate.stall_left, ==, 2);
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (post (fixture, "close", NULL, "{\"code\":4000,\"reason\":\"be gone\"}"), ==, 1);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 4000);
  g_assert_cmpstr (soup_websocket_connection_get_close_data (fixture->client->connection), ==, "be gone");
}

static void
test_drop_one (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) other = connect_client (fixture);
  g_autoptr (JsonObject) established = test_client_next (other, "connection.established");
  g_autofree char *query = g_strconcat (
      "connection=",
      json_object_get_string_member (json_object_get_object_member (established, "data"), "connectionId"), NULL);

  g_assert_cmpint (post (fixture, "drop", query, ""), ==, 1);
  g_assert_cmpuint (test_client_wait_closed (other), ==, 0);
  test_client_send (fixture->client, "{\"action\":\"ping\"}");
  json_object_unref (test_client_next (fixture->client, "pong"));
}

static void
test_half_open_and_silence (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (post (fixture, "silence", NULL, ""), ==, 1);
  g_assert_cmpint (post (fixture, "error", NULL, ""), ==, 0);
  g_assert_cmpint (post (fixture, "half-open", NULL, ""), ==, 1);
  g_assert_cmpint (post (fixture, "drop", "reset=yes", ""), ==, 1);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 0);
}

static void
test_emit (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "{\"type\":\"foo.bar\",\"n\":1e400}", "no JSON\xff" };
  g_autoptr (JsonNode) good = ask (fixture, "POST", "emit", NULL, texts[0], 200), split = NULL;
  g_autofree char *got = test_client_next_text (fixture->client), *again = NULL, *pieces = NULL;

  g_assert_true (json_object_get_boolean_member (json_node_get_object (good), "json"));
  g_assert_cmpstr (got, ==, texts[0]);
  g_assert_cmpint (post (fixture, "duplicate", NULL, ""), ==, 1);
  again = test_client_next_text (fixture->client);
  g_assert_cmpstr (again, ==, texts[0]);
  g_assert_cmpint (post (fixture, "emit", "fragments=10", texts[0]), ==, 1);
  pieces = test_client_next_text (fixture->client);
  g_assert_cmpstr (pieces, ==, texts[0]);

  split = ask (fixture, "POST", "emit", NULL, texts[1], 200);
  g_assert_false (json_object_get_boolean_member (json_node_get_object (split), "json"));
  test_client_wait_closed (fixture->client); /* as it is not UTF-8 */
}

static void
test_burst_and_duplicate (Fixture *fixture, gconstpointer data)
{
  g_autofree char *last = NULL;

  g_assert_cmpint (post (fixture, "duplicate", NULL, ""), ==, 0); /* nothing to repeat yet */
  post (fixture, "burst", "count=100", "");
  for (guint i = 0; i < 100; i++) {
    g_free (last);
    last = test_client_next_text (fixture->client);
  }
  g_assert_cmpint (post (fixture, "duplicate", "count=2", ""), ==, 1);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *double_of_last = test_client_next_text (fixture->client);

    g_assert_cmpstr (double_of_last, ==, last);
  }
}

static void
test_stream (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonNode) stats = NULL;

  post (fixture, "pause", NULL, "");
  post (fixture, "rate", "per-sec=100", "");
  stats = ask (fixture, "GET", "stats", NULL, "", 200);
  g_assert_true (json_object_get_boolean_member (json_node_get_object (stats), "paused"));
  g_assert_cmpfloat_with_epsilon (json_object_get_double_member (json_node_get_object (stats), "eventsPerSec"),
                                  100, 1e-9);
  post (fixture, "resume", NULL, "");
  g_free (test_client_next_text (fixture->client));
}

static void
test_error (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonObject) message = NULL;
  JsonObject *members;

  post (fixture, "error", "code=RATE_LIMITED&message=slow%20down", "");
  message = test_client_next (fixture->client, "error");
  members = json_object_get_object_member (message, "data");
  g_assert_cmpstr (json_object_get_string_member (members, "code"), ==, "RATE_LIMITED");
  g_assert_cmpstr (json_object_get_string_member (members, "message"), ==, "slow down");
}

static void
test_garbage (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  g_assert_cmpint (post (fixture, "garbage", "kind=nul&fragments=5", ""), ==, 1);
  text = test_client_next_text (fixture->client);
  g_assert_nonnull (strstr (text, "\\u0000"));
  g_assert_cmpint (post (fixture, "garbage", "kind=half-frame", ""), ==, 1);
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 0);
}

static void
test_limits (Fixture *fixture, gconstpointer data)
{
  const SimSessionLimits *limits = sim_hub_get_limits (fixture->hub);

  post (fixture, "limits", NULL, "{\"max-channels\":3,\"max-actions-per-sec\":5,\"heartbeat\":0.005}");
  g_assert_cmpuint (limits->max_channels, ==, 3);
  g_assert_cmpuint (limits->max_actions_per_sec, ==, 5);
  json_object_unref (test_client_next (fixture->client, "heartbeat")); /* also on present connections */
  assert_refused (fixture, "limits", "max-channels=7&heartbeat=x", "", 400, "heartbeat");
  g_assert_cmpuint (limits->max_channels, ==, 3); /* all or nothing */
}

static void
test_expire (Fixture *fixture, gconstpointer data)
{
  gint64 expires;

  sim_tokens_accept (fixture->tokens, "one", 0);
  g_assert_cmpint (post (fixture, "expire-token", NULL, ""), ==, 1);
  g_assert_cmpint (sim_tokens_check (fixture->tokens, "one", 0, &expires), ==, SIM_TOKEN_EXPIRED);
  json_object_unref (test_client_next (fixture->client, "token_expired"));
  g_assert_cmpuint (test_client_wait_closed (fixture->client), ==, 1008);

  post (fixture, "revoke-token", NULL, "");
  g_assert_cmpint (sim_tokens_check (fixture->tokens, "one", 0, &expires), ==, SIM_TOKEN_REVOKED);
}

/* A token goes to its sink and not into the reply. */
static void
test_new_token (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SimControl) deaf = sim_control_new (fixture->hub, &fixture->gate, NULL, NULL);
  g_autoptr (JsonNode) reply = ask (fixture, "POST", "new-token", NULL, "", 200);
  g_autofree char *json = NULL;
  const char *allow = NULL;
  gint64 expires;

  g_assert_cmpuint (json_object_get_size (json_node_get_object (reply)), ==, 1);
  g_assert_cmpint (sim_tokens_check (fixture->tokens, fixture->published, 0, &expires), ==, SIM_TOKEN_ACCEPTED);
  g_assert_cmpuint (sim_control_handle (deaf, "POST", "new-token", NULL, "", 0, &json, &allow), ==, 409);
}

static void
test_look_inside (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonNode) state = ask (fixture, "GET", "state", NULL, "", 200);
  g_autoptr (JsonNode) stats = ask (fixture, "GET", "stats", NULL, "", 200);
  g_autoptr (JsonNode) messages = ask (fixture, "GET", "messages", NULL, "", 200);

  g_assert_true (json_object_has_member (json_node_get_object (state), "prps"));
  g_assert_true (json_object_has_member (json_node_get_object (stats), "handshakesRefused"));
  g_assert_cmpuint (json_array_get_length (json_node_get_array (messages)), ==, 1);
}

static void
test_max_body (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpuint (sim_control_get_max_body ("emit"), ==, SIM_CONTROL_MAX_EMIT_BYTES);
  g_assert_cmpuint (sim_control_get_max_body ("drop"), ==, SIM_CONTROL_MAX_BODY_BYTES);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/simulator/control/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("help", test_help);
  ADD ("refusals", test_refusals);
  ADD ("parameters", test_parameters);
  ADD ("close", test_close);
  ADD ("drop-one", test_drop_one);
  ADD ("half-open-and-silence", test_half_open_and_silence);
  ADD ("emit", test_emit);
  ADD ("burst-and-duplicate", test_burst_and_duplicate);
  ADD ("stream", test_stream);
  ADD ("error", test_error);
  ADD ("garbage", test_garbage);
  ADD ("limits", test_limits);
  ADD ("expire", test_expire);
  ADD ("new-token", test_new_token);
  ADD ("look-inside", test_look_inside);
  ADD ("max-body", test_max_body);
  return g_test_run ();
}
