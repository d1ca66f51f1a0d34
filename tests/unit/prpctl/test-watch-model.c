/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-model.h"

#include <string.h>

#define NOW (G_GUINT64_CONSTANT (1705320131) * G_USEC_PER_SEC)

static gboolean
apply (PrpctlWatchModel *model, const char *type, const char *data, guint64 usec)
{
  g_autofree char *json = g_strdup_printf ("{\"id\":\"m\",\"type\":\"%s\",\"data\":%s}", type, data);

  return prpctl_watch_model_apply (model, json, usec);
}

static const PrpctlWatchRow *
get_row (PrpctlWatchModel *model, guint i)
{
  const GPtrArray *rows = prpctl_watch_model_get_rows (model);

  g_assert_cmpuint (i, <, rows->len);
  return g_ptr_array_index (rows, i);
}

/* The ids in their order. */
static void
assert_order (PrpctlWatchModel *model, const char *expected)
{
  const GPtrArray *rows = prpctl_watch_model_get_rows (model);
  g_autoptr (GString) ids = g_string_new (NULL);

  for (guint i = 0; i < rows->len; i++)
    g_string_append_printf (ids, "%s%s", i > 0 ? " " : "", ((const PrpctlWatchRow *) g_ptr_array_index (rows, i))->id);
  g_assert_cmpstr (ids->str, ==, expected);
}

static void
test_life (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  const PrpctlWatchRow *row;

  g_assert_cmpuint (prpctl_watch_model_get_rows (model)->len, ==, 0);
  g_assert_true (apply (model, "prp.created", "{\"id\":\"a\",\"projectId\":\"p\",\"name\":\"The name\",\"status\":"
                        "\"pending\",\"priority\":\"high\"}", NOW));
  row = get_row (model, 0);
  g_assert_cmpstr (row->id, ==, "a");
  g_assert_cmpstr (row->name, ==, "The name");
  g_assert_cmpstr (row->project, ==, "p");
  g_assert_cmpstr (row->priority, ==, "high");
  g_assert_cmpstr (row->agent, ==, "");
  g_assert_cmpfloat (row->progress, <, 0);
  g_assert_cmpuint (row->changed_usec, ==, NOW);
  g_assert_cmpint (row->rank, ==, PRPCTL_WATCH_WAITING);

  g_assert_true (apply (model, "agent.assigned", "{\"agentId\":\"x\",\"prpId\":\"a\",\"priority\":\"low\"}", NOW + 1));
  g_assert_cmpstr (row->agent, ==, "x");
  g_assert_cmpstr (row->priority, ==, "low");
  g_assert_true (apply (model, "prp.updated", "{\"id\":\"a\",\"changes\":{\"status\":{\"old\":\"pending\",\"new\":\"active\"},"
                        "\"name\":{\"new\":\"Another\"},\"assignedAgent\":{\"new\":null},\"other\":3}}", NOW + 2));
  g_assert_cmpstr (row->status, ==, "active");
  g_assert_cmpstr (row->name, ==, "Another");
  g_assert_cmpstr (row->agent, ==, "");
  g_assert_cmpint (row->rank, ==, PRPCTL_WATCH_WORKING);
  g_assert_true (apply (model, "agent.progress", "{\"agentId\":\"y\",\"prpId\":\"a\",\"progress\":45.5,\"currentTask\":"
                        "\"Work\"}", NOW + 3));
  g_assert_cmpstr (row->agent, ==, "y");
  g_assert_cmpstr (row->task, ==, "Work");
  g_assert_cmpfloat (row->progress, ==, 45.5);
  g_assert_true (apply (model, "prp.status_changed", "{\"id\":\"a\",\"newStatus\":\"completed\"}", NOW + 4));
  g_assert_cmpint (row->rank, ==, PRPCTL_WATCH_FINISHED);
  g_assert_cmpuint (row->changed_usec, ==, NOW + 4);
  g_assert_cmpuint (prpctl_watch_model_count (model, PRPCTL_WATCH_FINISHED), ==, 1);
  g_assert_cmpuint (prpctl_watch_model_count (model, PRPCTL_WATCH_WORKING), ==, 0);
  g_assert_cmpuint (prpctl_watch_model_get_newest (model), ==, NOW + 4);
}

/* What the first event of a PRP is depends on where the history begins. */
static void
test_begins_anywhere (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();

  g_assert_true (apply (model, "agent.progress", "{\"agentId\":\"x\",\"prpId\":\"a\",\"progress\":5}", NOW));
  g_assert_true (apply (model, "prp.status_changed", "{\"id\":\"b\",\"newStatus\":\"blocked\"}", NOW));
  g_assert_true (apply (model, "prp.updated", "{\"id\":\"c\"}", NOW));
  g_assert_true (apply (model, "agent.assigned", "{\"agentId\":\"x\",\"prpId\":\"d\"}", NOW));
  g_assert_false (apply (model, "prp.deleted", "{\"id\":\"e\"}", NOW)); /* of that there is nothing to be shown */
  g_assert_true (apply (model, "agent.progress", "{\"agentId\":\"x\",\"prpId\":\"e\",\"progress\":5}", NOW));
  assert_order (model, "e d c b a");
}

static void
test_nonsense (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  g_autofree char *long_id = g_strnfill (1025, 'x');
  g_autofree char *too_long = g_strdup_printf ("{\"id\":\"%s\"}", long_id);
  static const char *const data[] = { "{}", "null", "[]", "{\"id\":3}", "{\"id\":\"\"}", "{\"id\":null}", "\"a\"" };

  for (gsize i = 0; i < G_N_ELEMENTS (data); i++) {
    g_assert_false (apply (model, "prp.created", data[i], NOW));
    g_assert_false (apply (model, "agent.progress", data[i], NOW));
  }
  g_assert_false (apply (model, "prp.created", too_long, NOW));
  g_assert_false (apply (model, "prp.other", "{\"id\":\"a\"}", NOW));
  g_assert_false (prpctl_watch_model_apply (model, "", NOW));
  g_assert_false (prpctl_watch_model_apply (model, "{\"type\":\"prp.created\"}", NOW));
  g_assert_cmpuint (prpctl_watch_model_get_rows (model)->len, ==, 0);

  /* Members of another type are as if they were missing. */
  g_assert_true (apply (model, "prp.created", "{\"id\":\"a\",\"name\":[1],\"status\":{}}", NOW));
  g_assert_true (apply (model, "agent.progress", "{\"prpId\":\"a\",\"progress\":\"much\"}", NOW));
  g_assert_cmpstr (get_row (model, 0)->name, ==, "");
  g_assert_cmpfloat (get_row (model, 0)->progress, <, 0);
  g_assert_true (apply (model, "prp.updated", "{\"id\":\"a\",\"changes\":{\"name\":3,\"status\":{\"old\":\"x\"}},"
                        "\"new\":\"trap\"}", NOW));
  g_assert_cmpstr (get_row (model, 0)->name, ==, "");
  g_assert_true (apply (model, "agent.progress", "{\"prpId\":\"a\",\"progress\":1e999}", NOW));
  g_assert_cmpfloat (get_row (model, 0)->progress, ==, 100);
  g_assert_true (apply (model, "agent.progress", "{\"prpId\":\"a\",\"progress\":-3}", NOW));
  g_assert_cmpfloat (get_row (model, 0)->progress, ==, 0);
}

static void
test_long_field (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  g_autoptr (GString) data = g_string_new ("{\"id\":\"a\",\"name\":\"x");

  for (guint i = 0; i < 500; i++)
    g_string_append (data, "漢");
  g_string_append (data, "\"}");
  g_assert_true (apply (model, "prp.created", data->str, NOW));
  g_assert_true (g_utf8_validate (get_row (model, 0)->name, -1, NULL));
  g_assert_cmpuint (strlen (get_row (model, 0)->name), ==, 1 + 133 * strlen ("漢"));
}

static void
test_order (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();

  for (const char *p = "abcd"; *p != '\0'; p++) {
    g_autofree char *data = g_strdup_printf ("{\"id\":\"%c\",\"status\":\"active\"}", *p);

    apply (model, "prp.created", data, NOW);
  }
  assert_order (model, "d c b a");
  /* Progress moves nothing. */
  apply (model, "agent.progress", "{\"prpId\":\"b\",\"progress\":5}", NOW + 1);
  assert_order (model, "d c b a");
  apply (model, "prp.status_changed", "{\"id\":\"d\",\"newStatus\":\"COMPLETED\"}", NOW + 2);
  assert_order (model, "c b a d");
  apply (model, "prp.status_changed", "{\"id\":\"c\",\"newStatus\":\"pending\"}", NOW + 2);
  assert_order (model, "b a c d");
  apply (model, "prp.status_changed", "{\"id\":\"a\",\"newStatus\":\"blocked\"}", NOW + 2);
  assert_order (model, "a b c d");
  apply (model, "prp.deleted", "{\"id\":\"a\"}", NOW + 2);
  assert_order (model, "b c d a");
  /* Work on it says that it is not waiting. */
  apply (model, "agent.progress", "{\"prpId\":\"c\",\"progress\":5}", NOW + 3);
  g_assert_cmpint (get_row (model, 0)->rank, ==, PRPCTL_WATCH_WORKING);
  assert_order (model, "c b d a");
}

static void
test_deleted (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();

  g_assert_cmpuint (prpctl_watch_model_get_expiry (model), ==, G_MAXUINT64);
  apply (model, "prp.created", "{\"id\":\"a\"}", NOW);
  apply (model, "prp.created", "{\"id\":\"b\"}", NOW);
  apply (model, "prp.deleted", "{\"id\":\"a\"}", NOW);
  apply (model, "prp.deleted", "{\"id\":\"b\"}", NOW + 5);
  g_assert_cmpint (get_row (model, 0)->rank, ==, PRPCTL_WATCH_DELETED);
  g_assert_cmpuint (prpctl_watch_model_get_expiry (model), ==, NOW + PRPCTL_WATCH_DELETED_USEC);
  g_assert_false (apply (model, "agent.progress", "{\"prpId\":\"a\",\"progress\":5}", NOW + 6)); /* too late */
  g_assert_false (prpctl_watch_model_expire (model, NOW + PRPCTL_WATCH_DELETED_USEC - 1));
  g_assert_true (prpctl_watch_model_expire (model, NOW + PRPCTL_WATCH_DELETED_USEC));
  assert_order (model, "b");
  g_assert_cmpuint (prpctl_watch_model_get_expiry (model), ==, NOW + 5 + PRPCTL_WATCH_DELETED_USEC);
  g_assert_true (apply (model, "prp.created", "{\"id\":\"b\"}", NOW + 7)); /* again */
  g_assert_false (prpctl_watch_model_expire (model, NOW + 10 * PRPCTL_WATCH_DELETED_USEC));
  assert_order (model, "b");
  g_assert_cmpuint (prpctl_watch_model_get_expiry (model), ==, G_MAXUINT64);
}

static void
add_many (PrpctlWatchModel *model, guint from, guint n, const char *status)
{
  for (guint i = from; i < from + n; i++) {
    g_autofree char *data = g_strdup_printf ("{\"id\":\"%u\",\"status\":\"%s\"}", i, status);

    g_assert_true (apply (model, "prp.created", data, NOW));
  }
}

static void
test_bounded (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();

  add_many (model, 0, PRPCTL_WATCH_MAX_ROWS - 10, "active");
  add_many (model, 100000, 3000, "completed");
  g_assert_cmpuint (prpctl_watch_model_count (model, PRPCTL_WATCH_WORKING), ==, PRPCTL_WATCH_MAX_ROWS - 10);
  g_assert_cmpuint (prpctl_watch_model_get_rows (model)->len, <=, PRPCTL_WATCH_MAX_ROWS + 250);
  g_assert_false (prpctl_watch_model_is_cut (model));
  add_many (model, 200000, 1000, "active");
  g_assert_true (prpctl_watch_model_is_cut (model));
  g_assert_cmpuint (prpctl_watch_model_get_rows (model)->len, <=, PRPCTL_WATCH_MAX_ROWS + 250);
  g_assert_cmpstr (get_row (model, 0)->id, ==, "200999");
  /* One that falls off with its own event, as all others go before it. */
  add_many (model, 300000, 300, "completed");
  for (guint i = 300299; i > 300000; i--) {
    g_autofree char *data = g_strdup_printf ("{\"id\":\"%u\"}", i);

    apply (model, "prp.deleted", data, NOW);
  }
  g_assert_cmpuint (prpctl_watch_model_get_rows (model)->len, <=, PRPCTL_WATCH_MAX_ROWS + 250);
}

static void
test_gap (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  guint64 since, until;

  prpctl_watch_model_get_gap (model, &since, &until);
  g_assert_cmpuint (since, ==, 0);
  g_assert_cmpuint (until, ==, 0);
  g_assert_true (apply (model, "relay.gap", "{\"since\":5,\"until\":7,\"cause\":\"TIMEOUT\",\"channels\":[]}", NOW));
  prpctl_watch_model_get_gap (model, &since, &until);
  g_assert_cmpuint (since, ==, 5);
  g_assert_cmpuint (until, ==, 7);
  prpctl_watch_model_set_gap (model, 8, 9);
  prpctl_watch_model_get_gap (model, &since, &until);
  g_assert_cmpuint (since, ==, 8);
  g_assert_cmpuint (until, ==, 9);
  g_assert_true (apply (model, "relay.gap", "{\"since\":\"x\",\"until\":-7}", NOW));
  prpctl_watch_model_get_gap (model, &since, &until);
  g_assert_cmpuint (until, ==, 0);
}

static void
test_copies (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  g_autoptr (GPtrArray) copies = NULL;

  apply (model, "prp.created", "{\"id\":\"a\",\"name\":\"x\"}", NOW);
  copies = prpctl_watch_model_dup_rows (model);
  apply (model, "prp.created", "{\"id\":\"a\",\"name\":\"y\"}", NOW);
  g_assert_cmpuint (copies->len, ==, 1);
  g_assert_cmpstr (((const PrpctlWatchRow *) g_ptr_array_index (copies, 0))->name, ==, "x");
  prpctl_watch_model_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch-model/life", test_life);
  g_test_add_func ("/watch-model/begins-anywhere", test_begins_anywhere);
  g_test_add_func ("/watch-model/nonsense", test_nonsense);
  g_test_add_func ("/watch-model/long-field", test_long_field);
  g_test_add_func ("/watch-model/order", test_order);
  g_test_add_func ("/watch-model/deleted", test_deleted);
  g_test_add_func ("/watch-model/bounded", test_bounded);
  g_test_add_func ("/watch-model/gap", test_gap);
  g_test_add_func ("/watch-model/copies", test_copies);
  return g_test_run ();
}
