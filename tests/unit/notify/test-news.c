/* SPDX-License-Identifier: MIT */
#include "notify/news.h"

#include <math.h>

static NotifyNews *
read_event (const char *type, const char *data)
{
  g_autofree char *json = g_strdup_printf ("{\"id\":\"m\",\"type\":\"%s\",\"timestamp\":\"t\",\"data\":%s}", type, data);

  return notify_news_read (json);
}

static void
test_types (void)
{
  g_autoptr (NotifyNews) created = read_event ("prp.created", "{\"id\":\"p\",\"projectId\":\"j\",\"name\":\"N\","
                                               "\"status\":\"pending\",\"priority\":\"high\"}");
  g_autoptr (NotifyNews) updated = read_event ("prp.updated", "{\"id\":\"p\",\"changes\":{\"status\":{\"old\":\"a\",\"new\":\"b\"},"
                                               "\"assignedAgent\":{\"old\":null,\"new\":\"g\"},\"name\":5}}");
  g_autoptr (NotifyNews) changed = read_event ("prp.status_changed", "{\"id\":\"p\",\"newStatus\":\"active\",\"reason\":\"R\"}");
  g_autoptr (NotifyNews) done = read_event ("prp.status_changed", "{\"id\":\"p\",\"newStatus\":\"Completed\"}");
  g_autoptr (NotifyNews) failed = read_event ("prp.status_changed", "{\"id\":\"p\",\"newStatus\":\"failed\"}");
  g_autoptr (NotifyNews) deleted = read_event ("prp.deleted", "{\"id\":\"p\",\"projectId\":\"j\",\"reason\":\"\"}");
  g_autoptr (NotifyNews) assigned = read_event ("agent.assigned", "{\"agentId\":\"g\",\"prpId\":\"p\",\"priority\":\"low\"}");
  g_autoptr (NotifyNews) progress = read_event ("agent.progress", "{\"agentId\":\"g\",\"prpId\":\"p\",\"progress\":45.5,"
                                                "\"currentTask\":\"T\"}");
  g_autoptr (NotifyNews) error = read_event ("error", "{\"code\":\"C\",\"message\":\"M\"}");
  g_autoptr (NotifyNews) gap = read_event ("relay.gap", "{\"since\":5,\"until\":9,\"cause\":\"TIMEOUT\"}");

  g_assert_cmpint (created->kind, ==, NOTIFY_KIND_CREATED);
  g_assert_cmpstr (created->prp_id, ==, "p");
  g_assert_cmpstr (created->project_id, ==, "j");
  g_assert_cmpstr (created->name, ==, "N");
  g_assert_cmpstr (created->status, ==, "pending");
  g_assert_cmpstr (created->priority, ==, "high");
  g_assert_cmpint (updated->kind, ==, NOTIFY_KIND_UPDATED);
  g_assert_cmpstr (updated->status, ==, "b");
  g_assert_cmpstr (updated->agent_id, ==, "g");
  g_assert_null (updated->name);
  g_assert_cmpint (changed->kind, ==, NOTIFY_KIND_STATUS);
  g_assert_cmpstr (changed->reason, ==, "R");
  g_assert_cmpint (done->kind, ==, NOTIFY_KIND_COMPLETED);
  g_assert_cmpint (failed->kind, ==, NOTIFY_KIND_FAILED);
  g_assert_cmpint (deleted->kind, ==, NOTIFY_KIND_DELETED);
  g_assert_null (deleted->reason);
  g_assert_cmpint (assigned->kind, ==, NOTIFY_KIND_ASSIGNED);
  g_assert_cmpstr (assigned->agent_id, ==, "g");
  g_assert_cmpint (progress->kind, ==, NOTIFY_KIND_PROGRESS);
  g_assert_cmpfloat (progress->progress, ==, 45.5);
  g_assert_cmpstr (progress->task, ==, "T");
  g_assert_cmpint (error->kind, ==, NOTIFY_KIND_ERROR);
  g_assert_null (error->prp_id);
  g_assert_cmpstr (error->code, ==, "C");
  g_assert_cmpstr (error->reason, ==, "M");
  g_assert_cmpint (gap->kind, ==, NOTIFY_KIND_GAP);
  g_assert_cmpuint (gap->since_usec, ==, 5);
  g_assert_cmpuint (gap->until_usec, ==, 9);
}

/* What is missing, or of another type than it should be. */
static void
test_odd (void)
{
  g_autofree char *long_id = g_strnfill (NOTIFY_NEWS_MAX_ID_BYTES + 1, 'x');
  g_autofree char *long_data = g_strdup_printf ("{\"id\":\"%s\"}", long_id);
  g_autoptr (NotifyNews) nameless = read_event ("prp.deleted", "{\"id\":7}");
  g_autoptr (NotifyNews) too_long = read_event ("prp.deleted", long_data);
  g_autoptr (NotifyNews) no_progress = read_event ("agent.progress", "{\"prpId\":\"p\",\"progress\":\"45\"}");
  g_autoptr (NotifyNews) no_object = read_event ("prp.created", "[1]");
  g_autoptr (NotifyNews) other = read_event ("prp.archived", "{\"id\":\"p\"}");
  g_autoptr (NotifyNews) other_agent = read_event ("agent.stuck", "{\"prpId\":\"p\",\"agentId\":\"g\",\"id\":\"x\"}");
  g_autoptr (NotifyNews) endless = read_event ("agent.progress", "{\"prpId\":\"p\",\"progress\":1e999}");

  g_assert_null (nameless);
  g_assert_null (too_long);
  g_assert_cmpint (no_progress->kind, ==, NOTIFY_KIND_PROGRESS);
  g_assert_true (isnan (no_progress->progress));
  g_assert_null (no_object);
  g_assert_cmpint (other->kind, ==, NOTIFY_KIND_OTHER);
  g_assert_cmpstr (other->prp_id, ==, "p");
  g_assert_cmpstr (other->type, ==, "prp.archived");
  g_assert_cmpstr (other_agent->prp_id, ==, "p");
  g_assert_true (isinf (endless->progress));
  g_assert_null (notify_news_read ("{\"id\":\"x\"}"));
  g_assert_null (notify_news_read ("nonsense"));
  g_assert_null (notify_news_read (""));
  notify_news_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/news/types", test_types);
  g_test_add_func ("/news/odd", test_odd);
  return g_test_run ();
}
