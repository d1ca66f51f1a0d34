/* SPDX-License-Identifier: MIT */
#include "simulator/world.h"

#include <string.h>

#include "simulator/message.h"

#define N_STEPS 20000
#define NOW G_GINT64_CONSTANT (1705312800000000) /* 2024-01-15T10:00:00Z */

/* The member data of the protocol page's examples, verbatim. */
static const struct {
  const char *type, *data;
} examples[] = {
  { "prp.created",
    "{\"id\":\"prp_789012\",\"projectId\":\"proj_123456\",\"name\":\"Implement Authentication\","
    "\"description\":\"Add JWT authentication to the API\",\"status\":\"pending\",\"priority\":\"high\","
    "\"createdBy\":\"usr_123456\",\"createdAt\":\"2024-01-15T10:00:00Z\"}" },
  { "prp.updated", "{\"id\":\"prp_789012\",\"changes\":{\"status\":{\"old\":\"pending\",\"new\":\"active\"},"
                   "\"assignedAgent\":{\"old\":null,\"new\":\"agent_001\"}},\"updatedBy\":\"usr_123456\","
                   "\"updatedAt\":\"2024-01-15T11:30:00Z\"}" },
  { "prp.status_changed", "{\"id\":\"prp_789012\",\"previousStatus\":\"active\",\"newStatus\":\"completed\","
                          "\"reason\":\"All requirements met\",\"changedBy\":\"agent_001\",\"metrics\":{"
                          "\"estimatedHours\":8,\"actualHours\":7.5,\"completionRate\":100}}" },
  { "prp.deleted", "{\"id\":\"prp_789012\",\"projectId\":\"proj_123456\",\"deletedBy\":\"usr_123456\","
                   "\"reason\":\"Duplicate entry\"}" },
  { "agent.assigned", "{\"agentId\":\"agent_001\",\"prpId\":\"prp_789012\",\"priority\":\"high\","
                      "\"estimatedStartTime\":\"2024-01-15T12:00:00Z\"}" },
  { "agent.progress",
    "{\"agentId\":\"agent_001\",\"prpId\":\"prp_789012\",\"progress\":45,"
    "\"currentTask\":\"Implementing JWT middleware\",\"completedTasks\":[\"Setup authentication routes\","
    "\"Configure JWT library\"],\"remainingTasks\":[\"Implement refresh token logic\",\"Add tests\"]}" },
};

/* Same members in the same order, each of the same type; of arrays, each element as the example's first. */
static gboolean
has_same_shape (JsonNode *example, JsonNode *actual)
{
  if (JSON_NODE_HOLDS_OBJECT (example) && JSON_NODE_HOLDS_OBJECT (actual)) {
    g_autoptr (GList) names = json_object_get_members (json_node_get_object (example));
    g_autoptr (GList) actual_names = json_object_get_members (json_node_get_object (actual));
    GList *a = names, *b = actual_names;

    for (; a != NULL && b != NULL; a = a->next, b = b->next)
      if (!g_str_equal (a->data, b->data) ||
          !has_same_shape (json_object_get_member (json_node_get_object (example), a->data),
                           json_object_get_member (json_node_get_object (actual), b->data)))
        return FALSE;
    return a == NULL && b == NULL;
  }
  if (JSON_NODE_HOLDS_ARRAY (example) && JSON_NODE_HOLDS_ARRAY (actual)) {
    JsonArray *array = json_node_get_array (actual);

    for (guint i = 0; i < json_array_get_length (array); i++)
      if (!has_same_shape (json_array_get_element (json_node_get_array (example), 0),
                           json_array_get_element (array, i)))
        return FALSE;
    return TRUE;
  }
  return json_node_get_node_type (example) == json_node_get_node_type (actual) &&
         json_node_get_value_type (example) == json_node_get_value_type (actual);
}

/* What may have changed is up to the server; that it has old and new is not. */
static void
check_changes (JsonObject *data)
{
  JsonObject *changes = json_object_get_object_member (data, "changes");
  g_autoptr (GList) names = json_object_get_members (changes);

  g_assert_nonnull (names);
  for (GList *link = names; link != NULL; link = link->next) {
    JsonObject *change = json_object_get_object_member (changes, link->data);

    g_assert_cmpuint (json_object_get_size (change), ==, 2);
    g_assert_true (json_object_has_member (change, "old"));
    g_assert_nonnull (json_object_get_string_member (change, "new"));
  }
}

static gsize
find_example (const char *type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (examples); i++)
    if (g_str_equal (examples[i].type, type))
      return i;
  g_error ("unknown type %s", type);
}

/* Every event has the members of the page's example, and every type comes. */
static void
test_shape (void)
{
  g_autoptr (SimWorld) world = sim_world_new (1);
  guint counts[G_N_ELEMENTS (examples)] = { 0 };
  gboolean with_null = FALSE;

  for (guint i = 0; i < N_STEPS; i++) {
    g_autoptr (SimEvent) event = sim_world_step (world, NOW);
    gsize type = find_example (event->type);
    g_autoptr (JsonNode) example = json_from_string (examples[type].data, NULL);
    JsonObject *data = json_node_get_object (event->data);

    counts[type]++;
    if (g_str_equal (event->type, "prp.updated")) {
      JsonNode *changes = json_object_get_member (data, "changes");
      g_autofree char *text = sim_json_format (changes);

      check_changes (data);
      with_null = with_null || strstr (text, "\"old\":null") != NULL;
      json_object_set_member (json_node_get_object (example), "changes", json_node_copy (changes));
    }
    g_assert_true (has_same_shape (example, event->data));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (examples); i++)
    g_assert_cmpuint (counts[i], >, N_STEPS / 1000);
  g_assert_true (with_null);
}

static void
test_deterministic (void)
{
  g_autoptr (SimWorld) one = sim_world_new (42), same = sim_world_new (42), other = sim_world_new (43);
  guint n_different = 0;

  for (guint i = 0; i < 1000; i++) {
    g_autoptr (SimEvent) a = sim_world_step (one, NOW), b = sim_world_step (same, NOW),
                         c = sim_world_step (other, NOW);
    g_autofree char *text_a = sim_json_format (a->data), *text_b = sim_json_format (b->data);
    g_autofree char *text_c = sim_json_format (c->data);

    g_assert_cmpstr (a->type, ==, b->type);
    g_assert_cmpstr (text_a, ==, text_b);
    n_different += g_str_equal (text_a, text_c) ? 0 : 1;
  }
  g_assert_cmpuint (n_different, >, 900);
}

/* The same seed on every machine, for good: recipes may rely on it. */
static void
test_known_start (void)
{
  static const char *const types[] = { "prp.created", "prp.created", "prp.created" };
  g_autoptr (SimWorld) world = sim_world_new (7);

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autoptr (SimEvent) event = sim_world_step (world, NOW);

    g_assert_cmpstr (event->type, ==, types[i]);
    if (i == 0) {
      g_assert_cmpstr (event->project_channel, ==, "project:proj_atlas");
      g_assert_cmpstr (event->prp_channel, ==, "prp:prp_830632");
      g_assert_null (event->agent_channel);
    }
  }
}

typedef enum { GONE, PENDING, ASSIGNED, UPDATED, ACTIVE, BLOCKED } Stage;

static const char *
get (SimEvent *event, const char *name)
{
  return json_object_get_string_member (json_node_get_object (event->data), name);
}

/* The stage that an event leads to, after checking that it may come now. */
static Stage
follow (Stage stage, SimEvent *event, gint64 *progress)
{
  if (g_str_equal (event->type, "prp.created")) {
    g_assert_cmpint (stage, ==, GONE);
    *progress = 0;
    return PENDING;
  }
  if (g_str_equal (event->type, "prp.deleted")) {
    g_assert_cmpint (stage, ==, PENDING);
    return GONE;
  }
  if (g_str_equal (event->type, "agent.assigned")) {
    g_assert_cmpint (stage, ==, PENDING);
    return ASSIGNED;
  }
  if (g_str_equal (event->type, "prp.updated")) {
    g_assert_true (stage == PENDING || stage == ASSIGNED);
    return stage == ASSIGNED ? UPDATED : PENDING;
  }
  if (g_str_equal (event->type, "agent.progress")) {
    gint64 now = json_object_get_int_member (json_node_get_object (event->data), "progress");

    g_assert_cmpint (stage, ==, ACTIVE);
    g_assert_cmpint (now, >, *progress);
    g_assert_cmpint (now, <=, 100);
    *progress = now;
    return ACTIVE;
  }
  g_assert_cmpstr (event->type, ==, "prp.status_changed");
  if (g_str_equal (get (event, "newStatus"), "active")) {
    g_assert_cmpstr (get (event, "previousStatus"), ==, stage == UPDATED ? "pending" : "blocked");
    g_assert_true (stage == UPDATED || stage == BLOCKED);
    return ACTIVE;
  }
  g_assert_cmpint (stage, ==, ACTIVE);
  g_assert_cmpstr (get (event, "previousStatus"), ==, "active");
  if (g_str_equal (get (event, "newStatus"), "blocked"))
    return BLOCKED;
  g_assert_cmpstr (get (event, "newStatus"), ==, "completed");
  g_assert_cmpint (*progress, ==, 100);
  return GONE;
}

/* Each PRP's events come in an order that makes sense, no id is used twice, and no agent has two at a time. */
static void
test_life_cycle (void)
{
  g_autoptr (SimWorld) world = sim_world_new (3);
  g_autoptr (GHashTable) stages = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) progress = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) works_on =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free); /* agent → PRP */
  guint n_completed = 0, n_alive = 0;

  for (guint i = 0; i < N_STEPS; i++) {
    g_autoptr (SimEvent) event = sim_world_step (world, NOW);
    gboolean is_new = g_str_equal (event->type, "prp.created");
    Stage stage;

    if (is_new) {
      g_assert_false (g_hash_table_contains (stages, event->prp_channel));
      g_hash_table_insert (progress, g_strdup (event->prp_channel), g_new0 (gint64, 1));
      n_alive++;
    }
    stage = follow (GPOINTER_TO_INT (g_hash_table_lookup (stages, event->prp_channel)), event,
                    g_hash_table_lookup (progress, event->prp_channel));
    g_hash_table_replace (stages, g_strdup (event->prp_channel), GINT_TO_POINTER (stage));
    n_alive -= stage == GONE ? 1 : 0;
    g_assert_cmpuint (n_alive, <=, SIM_WORLD_MAX_PRPS);

    if (stage == ASSIGNED) {
      g_assert_false (g_hash_table_contains (works_on, event->agent_channel));
      g_hash_table_insert (works_on, g_strdup (event->agent_channel), g_strdup (event->prp_channel));
    } else if (event->agent_channel != NULL) {
      g_assert_cmpstr (g_hash_table_lookup (works_on, event->agent_channel), ==, event->prp_channel);
    }
    if (stage == GONE && event->agent_channel != NULL) {
      g_hash_table_remove (works_on, event->agent_channel);
      n_completed++;
    }
  }
  g_assert_cmpuint (n_completed, >, N_STEPS / 100);
}

/* A channel of an event is of the very thing that its data names. */
static void
test_channels (void)
{
  static const char *const prp_members[] = { "id", "prpId" };
  g_autoptr (SimWorld) world = sim_world_new (5);

  for (guint i = 0; i < 1000; i++) {
    g_autoptr (SimEvent) event = sim_world_step (world, NOW);
    gboolean of_agent = g_str_has_prefix (event->type, "agent.");
    g_autofree char *prp = g_strconcat ("prp:", get (event, prp_members[of_agent ? 1 : 0]), NULL);

    g_assert_cmpstr (event->prp_channel, ==, prp);
    if (of_agent) {
      g_autofree char *agent = g_strconcat ("agent:", get (event, "agentId"), NULL);

      g_assert_cmpstr (event->agent_channel, ==, agent);
    }
    if (json_object_has_member (json_node_get_object (event->data), "projectId")) {
      g_autofree char *project = g_strconcat ("project:", get (event, "projectId"), NULL);

      g_assert_cmpstr (event->project_channel, ==, project);
    }
  }
}

static void
test_describe (void)
{
  g_autoptr (SimWorld) world = sim_world_new (9);
  g_autoptr (JsonNode) state = NULL;
  JsonObject *members, *first;

  for (guint i = 0; i < 50; i++)
    sim_event_free (sim_world_step (world, NOW));
  state = sim_world_describe (world);
  members = json_node_get_object (state);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (members, "projects")), ==,
                    SIM_WORLD_N_PROJECTS);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (members, "agents")), ==,
                    SIM_WORLD_N_AGENTS);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (members, "prps")), >, 0);
  first = json_array_get_object_element (json_object_get_array_member (members, "projects"), 0);
  g_assert_cmpstr (json_object_get_string_member (first, "id"), ==, "proj_atlas");
  g_assert_cmpstr (json_object_get_string_member (first, "channel"), ==, "project:proj_atlas");
  g_assert_cmpstr (sim_world_agent_id (0), ==, "agent_001");
  g_assert_cmpstr (sim_world_agent_id (4), ==, "agent_005");
  g_assert_null (sim_world_agent_id (5));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/world/shape", test_shape);
  g_test_add_func ("/simulator/world/deterministic", test_deterministic);
  g_test_add_func ("/simulator/world/known-start", test_known_start);
  g_test_add_func ("/simulator/world/life-cycle", test_life_cycle);
  g_test_add_func ("/simulator/world/channels", test_channels);
  g_test_add_func ("/simulator/world/describe", test_describe);
  return g_test_run ();
}
