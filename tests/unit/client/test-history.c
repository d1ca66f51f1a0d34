/* SPDX-License-Identifier: MIT */
#include "client/history.h"

#include <errno.h>

#include "client/json-writer.h"
#include "messages.h"

static void
test_list (Messages *m, gconstpointer data)
{
  char *types[] = { (char *) "prp.*", (char *) "error", NULL };
  ClientHistoryQuery query = { .after = 7, .limit = 9, .newest = TRUE, .types = types, .prp = "p", .agent = "a",
                               .project = "j", .since_usec = 5 };
  ClientHistoryQuery plain = { .after = 1, .types = types + 2 };
  g_autoptr (sd_bus_message) call = NULL;
  g_autoptr (sd_bus_message) plain_call = NULL;
  const char *bad;
  g_autoptr (GString) filter = g_string_new (NULL);
  guint64 after;
  guint32 limit;

  g_assert_cmpint (client_history_new_list (m->bus, &query, &call, &bad), >=, 0);
  g_assert_cmpint (client_history_new_list (m->bus, &plain, &plain_call, &bad), >=, 0);
  messages_seal (call);
  g_assert_true (sd_bus_message_is_method_call (call, RELAY_HISTORY_INTERFACE, "ListEvents"));
  g_assert_cmpstr (sd_bus_message_get_signature (call, TRUE), ==, "tua{sv}");
  g_assert_cmpint (sd_bus_message_read (call, "tu", &after, &limit), >, 0);
  g_assert_cmpuint (after, ==, 7);
  g_assert_cmpuint (limit, ==, 9);
  g_assert_cmpint (client_json_append_value (filter, call), ==, 0);
  g_assert_cmpstr (filter->str, ==, "{\"types\":[\"prp.*\",\"error\"],\"prp\":\"p\",\"agent\":\"a\",\"project\":\"j\","
                                    "\"since\":5,\"newest\":true}");

  messages_seal (plain_call);
  g_assert_cmpint (sd_bus_message_read (plain_call, "tu", &after, &limit), >, 0);
  g_assert_cmpint (sd_bus_message_enter_container (plain_call, 'a', "{sv}"), >, 0);
  g_assert_cmpint (sd_bus_message_at_end (plain_call, FALSE), >, 0);
}

static void
test_list_bad (Messages *m, gconstpointer data)
{
  char *types[] = { (char *) "prp.*", (char *) "\xff", NULL };
  const ClientHistoryQuery queries[] = { { .types = types }, { .prp = "\xff" }, { .agent = "\xff" }, { .project = "\xff" } };

  for (gsize i = 0; i < G_N_ELEMENTS (queries); i++) {
    sd_bus_message *call = NULL;
    const char *bad = NULL;

    g_assert_cmpint (client_history_new_list (m->bus, &queries[i], &call, &bad), ==, -EINVAL);
    g_assert_cmpstr (bad, ==, "\xff");
    g_assert_null (call);
  }
}

static void
test_get_all (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) call = NULL;
  const char *interface = NULL;

  g_assert_cmpint (client_history_new_get_all (m->bus, &call), >=, 0);
  messages_seal (call);
  g_assert_true (sd_bus_message_is_method_call (call, "org.freedesktop.DBus.Properties", "GetAll"));
  g_assert_cmpint (sd_bus_message_read (call, "s", &interface), >, 0);
  g_assert_cmpstr (interface, ==, RELAY_HISTORY_INTERFACE);
}

static void
test_answer (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "Answer");
  g_auto (ClientEvent) event = { 0 };
  guint64 last = 0;
  gboolean more = FALSE;

  open_container (message, 'a', "a{sv}");
  append (message, "a{sv}", 2, "sequence", "t", (guint64) 3, "type", "s", "x");
  append (message, "a{sv}", 1, "sequence", "t", (guint64) 4);
  close_container (message);
  append (message, "tb", (guint64) 9, 1);
  messages_seal (message);

  g_assert_cmpint (client_history_enter_list (message), >, 0);
  g_assert_cmpint (client_history_read_event (message, &event), ==, 1);
  g_assert_cmpuint (event.sequence, ==, 3);
  g_assert_cmpstr (event.json, ==, "{\"type\":\"x\"}");
  client_event_clear (&event);
  g_assert_cmpint (client_history_read_event (message, &event), ==, 1);
  g_assert_cmpuint (event.sequence, ==, 4);
  g_assert_cmpint (client_history_read_event (message, &event), ==, 0);
  g_assert_cmpint (client_history_leave_list (message, &last, &more), >, 0);
  g_assert_cmpuint (last, ==, 9);
  g_assert_true (more);
}

static void
test_facts (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) whole = messages_new_signal (m, "Answer");
  g_autoptr (sd_bus_message) part = messages_new_signal (m, "Answer");
  g_autoptr (sd_bus_message) bad = messages_new_signal (m, "Answer");
  g_auto (ClientHistoryFacts) facts = { 0 };

  append (whole, "a{sv}", 4, "LastSequence", "t", (guint64) 9, "Other", "as", 1, "x", "HistoryId", "s", "abc",
          "FirstSequence", "t", (guint64) 2);
  append (part, "a{sv}", 2, "HistoryId", "s", "abc", "FirstSequence", "t", (guint64) 2);
  append (bad, "a{sv}", 1, "HistoryId", "u", 5);
  messages_seal (whole);
  messages_seal (part);
  messages_seal (bad);
  g_assert_cmpint (client_history_read_facts (part, &facts), ==, -EBADMSG);
  g_assert_cmpint (client_history_read_facts (bad, &facts), <, 0);
  g_assert_null (facts.id);
  g_assert_cmpint (client_history_read_facts (whole, &facts), ==, 1);
  g_assert_cmpstr (facts.id, ==, "abc");
  g_assert_cmpuint (facts.first_sequence, ==, 2);
  g_assert_cmpuint (facts.last_sequence, ==, 9);
}

#define ADD(path, function) g_test_add (path, Messages, NULL, messages_set_up, function, messages_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/history/list", test_list);
  ADD ("/history/list-bad", test_list_bad);
  ADD ("/history/answer", test_answer);
  ADD ("/history/facts", test_facts);
  ADD ("/history/get-all", test_get_all);
  return g_test_run ();
}
