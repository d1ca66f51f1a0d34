/* SPDX-License-Identifier: MIT */
#include "prpctl/history-call.h"

#include "client/json-writer.h"
#include "messages.h"
#include "prpctl/failure.h"

static void
test_list (Messages *m, gconstpointer data)
{
  PrpctlClient client = { .bus = m->bus, .no_start = TRUE };
  ClientHistoryQuery query = { .after = 7 };
  g_autoptr (GError) error = NULL;
  g_autoptr (sd_bus_message) call = prpctl_history_new_list (&client, &query, &error);
  g_autoptr (sd_bus_message) get = prpctl_history_new_get_all (&client, &error);

  g_assert_no_error (error);
  g_assert_cmpint (sd_bus_message_get_auto_start (call), ==, 0);
  g_assert_cmpint (sd_bus_message_get_auto_start (get), ==, 0);
  client.no_start = FALSE;
  g_clear_pointer (&get, sd_bus_message_unref);
  get = prpctl_history_new_get_all (&client, &error);
  g_assert_cmpint (sd_bus_message_get_auto_start (get), ==, 1);
}

static void
test_list_bad (Messages *m, gconstpointer data)
{
  PrpctlClient client = { .bus = m->bus };
  ClientHistoryQuery query = { .prp = "a\xff\033" };
  g_autoptr (GError) error = NULL;

  g_assert_null (prpctl_history_new_list (&client, &query, &error));
  g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE);
  g_assert_null (strchr (error->message, '\033'));
}

static void
test_failure (Messages *m, gconstpointer data)
{
  g_autoptr (GError) older = NULL, other = NULL;

  prpctl_history_failure ("org.freedesktop.DBus.Error.UnknownInterface", "x", 0, &older);
  g_assert_error (older, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE);
  g_assert_nonnull (strstr (older->message, "has no history"));
  prpctl_history_failure ("org.freedesktop.DBus.Error.NoReply", "x", 0, &other);
  g_assert_error (other, PRPCTL_ERROR, PRPCTL_EXIT_NO_RELAY);
}

static void
test_missed (Messages *m, gconstpointer data)
{
  g_autoptr (GString) json = g_string_new (NULL);

  prpctl_history_append_missed (json, CLIENT_MISSED_EVENTS);
  g_assert_cmpstr (json->str, ==, "{\"id\":\"\",\"type\":\"prpctl.missed\",\"data\":{\"cause\":\"HISTORY_TOO_SHORT\"}}");
  g_assert_cmpstr (prpctl_history_describe_missed (CLIENT_MISSED_NOTHING), ==, "");
  g_assert_cmpstr (prpctl_history_describe_missed (CLIENT_MISSED_EVENTS), !=,
                   prpctl_history_describe_missed (CLIENT_MISSED_HISTORY));
}

#define ADD(path, function) g_test_add (path, Messages, NULL, messages_set_up, function, messages_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/history-call/list", test_list);
  ADD ("/history-call/list-bad", test_list_bad);
  ADD ("/history-call/failure", test_failure);
  ADD ("/history-call/missed", test_missed);
  return g_test_run ();
}
