/* SPDX-License-Identifier: MIT */
#include "simulator/hub.h"

#include <string.h>

#include "simulator/frames.h"
#include "test-client.h"

#define NOW G_GINT64_CONSTANT (1705312800000000)

typedef struct {
  SimTokens *tokens;
  SimHub *hub;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const SimHubSettings settings = { .events_per_sec = 0, .seed = 7, .limits = { 0, 100, 0, G_USEC_PER_SEC } };

  fixture->tokens = sim_tokens_new (0, FALSE);
  fixture->hub = sim_hub_new (&settings, fixture->tokens);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sim_hub_free (fixture->hub);
  sim_tokens_free (fixture->tokens);
}

static TestClient *
connect_client (Fixture *fixture)
{
  g_autoptr (GSocketConnection) server = NULL, client = NULL;

  test_make_pair (&server, &client);
  sim_hub_adopt (fixture->hub, G_IO_STREAM (server), g_socket_connection_get_socket (server), 0);
  return test_client_new (G_IO_STREAM (client));
}

static char *
dup_id (const char *message)
{
  g_autoptr (JsonNode) node = json_from_string (message, NULL);

  return g_strdup (json_object_get_string_member (json_node_get_object (node), "id"));
}

/* Each gets what it has subscribed to and nothing else; who gets the same event gets it under the same id. */
static void
test_routing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) all = connect_client (fixture), agent = connect_client (fixture),
                         none = connect_client (fixture);
  g_autoptr (SimWorld) twin = sim_world_new (7);
  enum { N = 500 };

  test_client_subscribe (all, "\"project:proj_atlas\",\"project:proj_borealis\",\"project:proj_comet\"");
  test_client_subscribe (agent, "\"agent:agent_001\"");
  sim_hub_burst (fixture->hub, N, 0);
  for (guint i = 0; i < N; i++) {
    g_autoptr (SimEvent) expected = sim_world_step (twin, NOW);
    g_autofree char *text = test_client_next_text (all);
    g_autofree char *type = g_strdup_printf ("\"type\":\"%s\"", expected->type);

    g_assert_nonnull (strstr (text, type)); /* the world is the seed's */
    if (g_strcmp0 (expected->agent_channel, "agent:agent_001") == 0) {
      g_autofree char *same = test_client_next_text (agent);
      g_autofree char *id = dup_id (text), *same_id = dup_id (same);

      g_assert_cmpstr (id, ==, same_id);
    }
  }
  test_client_send (agent, "{\"action\":\"ping\"}");
  json_object_unref (test_client_next (agent, "pong"));
  json_object_unref (test_client_next (none, "connection.established"));
  g_assert_cmpuint (none->texts.length, ==, 0);
}

static gboolean
expire (SimSession *session, gpointer user_data)
{
  sim_session_end_token (session, SIM_TOKEN_EXPIRED);
  return TRUE;
}

/* A client that renews its token connects again while its first connection is still open: both are served, the one whose
 * token has expired until its time is over, and what is for both has the same id. */
static void
test_handover (Fixture *fixture, gconstpointer data)
{
  static const char channels[] = "\"project:proj_atlas\",\"project:proj_borealis\",\"project:proj_comet\"";
  g_autoptr (TestClient) old = connect_client (fixture), new = NULL;
  enum { N = 20 };

  sim_hub_get_limits (fixture->hub)->expiry_grace_usec = 60 * G_USEC_PER_SEC;
  test_client_subscribe (old, channels);
  g_assert_cmpuint (sim_hub_for_each (fixture->hub, NULL, expire, NULL), ==, 1);
  json_object_unref (test_client_next (old, "token_expired"));
  new = connect_client (fixture);
  test_client_subscribe (new, channels);
  sim_hub_burst (fixture->hub, N, 0);
  for (guint i = 0; i < N; i++) {
    g_autofree char *first = test_client_next_text (old), *second = test_client_next_text (new);

    g_assert_cmpstr (first, ==, second);
  }
  g_assert_cmpuint (sim_hub_get_n_sessions (fixture->hub), ==, 2);
}

/* A burst that is larger than all buffers waits for the client, and loses nothing. */
static void
test_large_burst (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) client = connect_client (fixture);
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  enum { N = 10000 };

  test_client_subscribe (client, "\"project:proj_atlas\",\"project:proj_borealis\",\"project:proj_comet\"");
  sim_hub_burst (fixture->hub, N, 0);
  for (guint i = 0; i < N; i++) {
    g_autofree char *text = test_client_next_text (client);

    g_assert_true (g_hash_table_add (ids, dup_id (text)));
  }
}

static void
test_stream (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) client = connect_client (fixture);

  test_client_subscribe (client, "\"project:proj_atlas\",\"project:proj_borealis\",\"project:proj_comet\"");
  sim_hub_set_rate (fixture->hub, 200);
  for (guint i = 0; i < 20; i++)
    g_free (test_client_next_text (client));

  sim_hub_set_paused (fixture->hub, TRUE);
  test_client_send (client, "{\"action\":\"ping\"}");
  for (gboolean done = FALSE; !done;) { /* what was on its way */
    g_autofree char *text = test_client_next_text (client);

    done = strstr (text, "\"pong\"") != NULL;
  }
  sim_hub_burst (fixture->hub, 1, 100); /* on top of a paused stream */
  g_free (test_client_next_text (client));
  sim_hub_set_paused (fixture->hub, FALSE);
  g_free (test_client_next_text (client));
}

static void
test_messages (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) client = connect_client (fixture);
  g_autofree char *log = NULL;
  g_autofree char *long_id = g_strnfill (SIM_HUB_MAX_LOGGED_BYTES, 'x');
  g_autofree char *long_text = g_strdup_printf ("{\"id\":\"%s\",\"action\":\"ping\"}", long_id);
  g_autoptr (JsonNode) node = NULL;
  JsonArray *messages;
  JsonObject *message;

  sim_tokens_accept (fixture->tokens, "a-very-secret-token", NOW);
  json_object_unref (test_client_next (client, "connection.established"));
  test_client_send (client, "{\"id\":\"1\", \"action\":\"ping\", \"n\":1e400}");
  test_client_send (client, "it's not JSON: a\"b");
  test_client_send (client, "{\"id\":\"a-very-secret-token\",\"action\":\"ping\"}");
  test_client_send (client, long_text);
  for (guint i = 0; i < 4; i++)
    g_free (test_client_next_text (client));

  log = sim_hub_format_messages (fixture->hub);
  g_assert_nonnull (strstr (log, "{\"id\":\"1\", \"action\":\"ping\", \"n\":1e400}")); /* to the letter */
  g_assert_null (strstr (log, "secret"));
  node = json_from_string (log, NULL);
  messages = json_node_get_array (node);
  g_assert_cmpuint (json_array_get_length (messages), ==, 4);
  message = json_array_get_object_element (messages, 0);
  g_assert_cmpstr (json_object_get_string_member (message, "action"), ==, "ping");
  g_assert_true (json_object_has_member (message, "connection"));
  message = json_array_get_object_element (messages, 1);
  g_assert_cmpstr (json_object_get_string_member (message, "action"), ==, "invalid");
  g_assert_cmpstr (json_object_get_string_member (message, "text"), ==, "it's not JSON: a\"b");
  g_assert_true (json_object_has_member (json_array_get_object_element (messages, 2), "withheld"));
  message = json_array_get_object_element (messages, 3);
  g_assert_true (json_object_get_boolean_member (message, "cut"));
  g_assert_cmpuint (strlen (json_object_get_string_member (message, "text")), ==, SIM_HUB_MAX_LOGGED_BYTES);
}

static void
test_messages_bounded (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) client = connect_client (fixture);
  g_autofree char *log = NULL;
  g_autoptr (JsonNode) node = NULL;
  JsonArray *messages;

  json_object_unref (test_client_next (client, "connection.established"));
  for (guint i = 0; i <= SIM_HUB_MAX_LOGGED; i++) {
    g_autofree char *text = g_strdup_printf ("{\"action\":\"ping\",\"id\":\"%u\"}", i);

    test_client_send (client, text);
    json_object_unref (test_client_next (client, "pong"));
  }
  log = sim_hub_format_messages (fixture->hub);
  node = json_from_string (log, NULL);
  messages = json_node_get_array (node);
  g_assert_cmpuint (json_array_get_length (messages), ==, SIM_HUB_MAX_LOGGED);
  g_assert_cmpstr (
      json_object_get_string_member (
          json_object_get_object_member (json_array_get_object_element (messages, 0), "message"), "id"),
      ==, "1");
}

static gboolean
freeze (SimSession *session, gpointer user_data)
{
  sim_session_freeze (session);
  return TRUE;
}

static void
test_room (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) clients = g_ptr_array_new_with_free_func ((GDestroyNotify) test_client_free);
  g_autoptr (JsonObject) established = NULL;
  const char *id;

  for (guint i = 0; i < SIM_HUB_MAX_SESSIONS; i++) {
    g_assert_true (sim_hub_has_room (fixture->hub));
    g_ptr_array_add (clients, connect_client (fixture));
  }
  g_assert_false (sim_hub_has_room (fixture->hub));

  /* A half-open one makes room, as nobody hears of it any more. */
  established = test_client_next (clients->pdata[3], "connection.established");
  id = json_object_get_string_member (json_object_get_object_member (established, "data"), "connectionId");
  g_assert_true (sim_hub_has_session (fixture->hub, id));
  g_assert_cmpuint (sim_hub_for_each (fixture->hub, id, freeze, NULL), ==, 1);
  g_assert_true (sim_hub_has_room (fixture->hub));
  g_ptr_array_add (clients, connect_client (fixture));
  g_assert_cmpuint (sim_hub_get_n_sessions (fixture->hub), ==, SIM_HUB_MAX_SESSIONS);
  g_assert_false (sim_hub_has_session (fixture->hub, id));
  g_assert_cmpuint (test_client_wait_closed (clients->pdata[3]), ==, 0);
}

static gboolean
on_done (gpointer user_data)
{
  *(guint *) user_data += 1;
  return G_SOURCE_REMOVE;
}

static void
test_close_all (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) one = connect_client (fixture), other = connect_client (fixture);
  guint n_done = 0;

  sim_hub_close_all (fixture->hub, SIM_CLOSE_GOING_AWAY, "bye", on_done, &n_done);
  g_assert_cmpuint (n_done, ==, 0);
  g_assert_cmpuint (test_client_wait_closed (one), ==, SIM_CLOSE_GOING_AWAY);
  g_assert_cmpuint (test_client_wait_closed (other), ==, SIM_CLOSE_GOING_AWAY);
  test_wait_for_count (&n_done, 1);
  g_assert_cmpuint (sim_hub_get_n_sessions (fixture->hub), ==, 0);
}

static void
test_close_none (Fixture *fixture, gconstpointer data)
{
  guint n_done = 0;

  sim_hub_close_all (fixture->hub, SIM_CLOSE_GOING_AWAY, "bye", on_done, &n_done);
  test_wait_for_count (&n_done, 1);
}

static void
test_describe (Fixture *fixture, gconstpointer data)
{
  g_autoptr (TestClient) client = connect_client (fixture);
  g_autoptr (JsonNode) before = NULL, after = NULL;
  JsonObject *members, *connection;

  test_client_subscribe (client, "\"project:proj_atlas\"");
  sim_hub_burst (fixture->hub, 1, 0);
  g_free (test_client_next_text (client)); /* the first is in that project */
  before = sim_hub_describe (fixture->hub);
  members = json_node_get_object (before);
  connection = json_array_get_object_element (json_object_get_array_member (members, "connections"), 0);
  g_assert_cmpstr (json_object_get_string_member (connection, "state"), ==, "open");
  g_assert_cmpstr (json_array_get_string_element (json_object_get_array_member (connection, "subscriptions"), 0),
                   ==, "project:proj_atlas");
  g_assert_cmpint (
      json_object_get_int_member (json_object_get_object_member (connection, "received"), "subscribe"), ==, 1);
  g_assert_cmpint (json_object_get_int_member (connection, "eventsSent"), ==, 1);
  g_assert_cmpint (json_object_get_int_member (members, "eventsHappened"), ==, 1);

  sim_hub_for_each (fixture->hub, NULL, freeze, NULL);
  g_clear_pointer (&client, test_client_free);
  while (sim_hub_get_n_sessions (fixture->hub) > 0)
    g_main_context_iteration (NULL, TRUE);
  after = sim_hub_describe (fixture->hub); /* the totals outlive the connection */
  members = json_node_get_object (after);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (members, "connections")), ==, 0);
  g_assert_cmpint (json_object_get_int_member (members, "eventsSent"), ==, 1);
  g_assert_cmpint (json_object_get_int_member (json_object_get_object_member (members, "received"), "subscribe"),
                   ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/simulator/hub/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("routing", test_routing);
  ADD ("handover", test_handover);
  ADD ("large-burst", test_large_burst);
  ADD ("stream", test_stream);
  ADD ("messages", test_messages);
  ADD ("messages-bounded", test_messages_bounded);
  ADD ("room", test_room);
  ADD ("close-all", test_close_all);
  ADD ("close-none", test_close_none);
  ADD ("describe", test_describe);
  return g_test_run ();
}
