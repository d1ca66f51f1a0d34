/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-json.h"

static void
test_empty (void)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new ();
  g_autoptr (GString) out = g_string_new (NULL);
  PrpctlWatchList list = { .state = "", .rows = rows };

  prpctl_watch_json_append (out, &list);
  g_assert_cmpstr (out->str, ==, "{\"state\":\"\",\"as_of\":0,\"gap\":null,\"prps\":[]}\n");
}

static void
test_rows (void)
{
  g_autoptr (PrpctlWatchModel) model = prpctl_watch_model_new ();
  g_autoptr (GString) out = g_string_new (NULL);
  PrpctlWatchList list = { .state = "connected", .as_of_usec = 9, .gap_since_usec = 5, .gap_until_usec = 7 };

  g_assert_true (prpctl_watch_model_apply (model, "{\"type\":\"prp.created\",\"data\":{\"id\":\"a\",\"projectId\":\"p\",\"name\":"
                                           "\"\\\"\\n\\u001b\",\"status\":\"active\",\"priority\":\"high\"}}", 3));
  g_assert_true (prpctl_watch_model_apply (model, "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"x\",\"prpId\":\"b\","
                                           "\"progress\":45,\"currentTask\":\"t\"}}", 4));
  g_assert_true (prpctl_watch_model_apply (model, "{\"type\":\"prp.deleted\",\"data\":{\"id\":\"a\"}}", 5));
  list.rows = prpctl_watch_model_get_rows (model);
  prpctl_watch_json_append (out, &list);
  g_assert_cmpstr (out->str, ==,
                   "{\"state\":\"connected\",\"as_of\":9,\"gap\":{\"since\":5,\"until\":7},\"prps\":["
                   "{\"id\":\"b\",\"name\":\"\",\"project\":\"\",\"status\":\"\",\"priority\":\"\",\"agent\":\"x\","
                   "\"progress\":45.0,\"task\":\"t\",\"active\":true,\"changed\":4},"
                   "{\"id\":\"a\",\"name\":\"\\\"\\n\\u001b\",\"project\":\"p\",\"status\":\"deleted\",\"priority\":\"high\","
                   "\"agent\":\"\",\"progress\":null,\"task\":\"\",\"active\":false,\"changed\":5}]}\n");
  /* A gap of which it is not known when it began. */
  g_string_truncate (out, 0);
  list.gap_since_usec = 1;
  prpctl_watch_json_append (out, &list);
  g_assert_nonnull (g_strstr_len (out->str, -1, "\"gap\":{\"since\":null,\"until\":7}"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch-json/empty", test_empty);
  g_test_add_func ("/watch-json/rows", test_rows);
  return g_test_run ();
}
