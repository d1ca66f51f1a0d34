/* SPDX-License-Identifier: MIT */
#include "client/event.h"

#include "messages.h"

static void
assert_event (sd_bus_message *message, const char *expected)
{
  g_auto (ClientEvent) event = { 0 };

  messages_seal (message);
  g_assert_cmpint (client_event_read_signal (message, &event), ==, 1);
  g_assert_cmpstr (event.json, ==, expected);
}

/* In what order the relay puts the members is its own business. */
static void
test_order (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "PrpDeleted");

  append (message, "sss", "prp_789012", "proj_123456", "Duplicate entry");
  append (message, "a{sv}", 8,
          "zusatz", "av", 2, "x", (gint64) 1, "g", "",
          "metadata", "a{sv}", 2, "version", "s", "1", "source", "s", "api",
          "received", "t", G_GUINT64_CONSTANT (1705334400000000),
          "data", "a{sv}", 3, "id", "s", "prp_789012", "share", "d", 1.0, "deletedBy", "g", "",
          "timestamp", "s", "2024-01-15T16:00:00Z",
          "type", "s", "prp.deleted",
          "sequence", "t", G_GUINT64_CONSTANT (7),
          "id", "s", "msg_123459");
  assert_event (message,
                "{\"id\":\"msg_123459\",\"type\":\"prp.deleted\",\"timestamp\":\"2024-01-15T16:00:00Z\","
                "\"data\":{\"id\":\"prp_789012\",\"share\":1.0,\"deletedBy\":null},"
                "\"metadata\":{\"version\":\"1\",\"source\":\"api\"},\"zusatz\":[1,null]}");
}

/* The one event with a dictionary among its arguments that is not the event. */
static void
test_updated (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "PrpUpdated");

  append (message, "s", "prp_789012");
  append (message, "a{sa{sv}}", 1, "assignedAgent", 2, "old", "g", "", "new", "s", "agent_001");
  append (message, "a{sv}", 4, "sequence", "t", G_GUINT64_CONSTANT (7), "id", "s", "msg_1", "type", "s", "prp.updated",
          "data", "a{sv}", 0);
  assert_event (message, "{\"id\":\"msg_1\",\"type\":\"prp.updated\",\"data\":{}}");
}

static void
test_sparse (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) other = messages_new_signal (m, "OtherEvent");
  g_autoptr (sd_bus_message) empty = messages_new_signal (m, "OtherEvent");
  g_autoptr (sd_bus_message) only_other = messages_new_signal (m, "OtherEvent");

  append (other, "sa{sv}", "x\ny", 1, "type", "s", "x\ny");
  assert_event (other, "{\"type\":\"x\\ny\"}");
  append (empty, "sa{sv}", "x", 0);
  assert_event (empty, "{}");
  append (only_other, "sa{sv}", "x", 2, "a", "b", 1, "b", "b", 0);
  assert_event (only_other, "{\"a\":true,\"b\":false}");
}

/* The one signal without its event, as the history has it. */
static void
test_gap (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "Gap");
  g_autoptr (sd_bus_message) far = messages_new_signal (m, "Gap");
  g_autoptr (sd_bus_message) other = messages_new_signal (m, "Gap");
  g_auto (ClientEvent) event = { 0 }, none = { 0 };

  append (message, "ttsast", G_GUINT64_CONSTANT (1705334400000000), G_GUINT64_CONSTANT (1705334460000007),
          "CONNECTION_LOST", 2, "agent:\"a", "project:x", G_GUINT64_CONSTANT (9));
  messages_seal (message);
  g_assert_cmpint (client_event_read_signal (message, &event), ==, 1);
  g_assert_cmpstr (event.json, ==,
                   "{\"id\":\"\",\"type\":\"relay.gap\",\"timestamp\":\"2024-01-15T16:01:00.000007Z\",\"data\":{"
                   "\"since\":1705334400000000,\"until\":1705334460000007,\"cause\":\"CONNECTION_LOST\","
                   "\"channels\":[\"agent:\\\"a\",\"project:x\"],\"sequence\":9}}");
  g_assert_cmpuint (event.sequence, ==, 9);
  g_assert_cmpuint (event.received_usec, ==, G_GUINT64_CONSTANT (1705334460000007));

  append (far, "ttsast", (guint64) 0, G_MAXUINT64, "X", 0, (guint64) 1);
  assert_event (far, "{\"id\":\"\",\"type\":\"relay.gap\",\"timestamp\":\"\",\"data\":{\"since\":0,"
                     "\"until\":18446744073709551615,\"cause\":\"X\",\"channels\":[],\"sequence\":1}}");
  append (other, "tts", (guint64) 0, (guint64) 0, "X");
  messages_seal (other);
  g_assert_cmpint (client_event_read_signal (other, &none), ==, 0);
}

static void
test_numbers (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "OtherEvent");
  g_autoptr (sd_bus_message) odd = messages_new_signal (m, "OtherEvent");
  g_auto (ClientEvent) event = { 0 }, none = { 0 };

  append (message, "sa{sv}", "x", 2, "received", "t", (guint64) 5, "sequence", "t", G_MAXUINT64);
  messages_seal (message);
  g_assert_cmpint (client_event_read_signal (message, &event), ==, 1);
  g_assert_cmpuint (event.sequence, ==, G_MAXUINT64);
  g_assert_cmpuint (event.received_usec, ==, 5);
  append (odd, "sa{sv}", "x", 2, "received", "s", "now", "sequence", "x", (gint64) -1);
  messages_seal (odd);
  g_assert_cmpint (client_event_read_signal (odd, &none), ==, 1);
  g_assert_cmpuint (none.sequence, ==, 0);
  g_assert_cmpuint (none.received_usec, ==, 0);
}

static void
test_no_event (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "Tomorrow");
  g_auto (ClientEvent) event = { 0 };

  append (message, "ttsas", G_GUINT64_CONSTANT (1), G_GUINT64_CONSTANT (2), "cause", 1, "project:x");
  messages_seal (message);
  g_assert_cmpint (client_event_read_signal (message, &event), ==, 0);
  g_assert_null (event.json);
}

/* What cannot be written leaves nothing behind. */
static void
test_bad (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "OtherEvent");
  g_auto (ClientEvent) event = { 0 };

  append (message, "sa{sv}", "x", 2, "id", "s", "1", "data", "a{us}", 1, 7, "seven");
  messages_seal (message);
  g_assert_cmpint (client_event_read_signal (message, &event), <, 0);
  g_assert_null (event.json);
}

/* It can be read again by whoever comes next. */
static void
test_rewound (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "OtherEvent");
  const char *type;

  append (message, "sa{sv}", "x", 1, "type", "s", "x");
  assert_event (message, "{\"type\":\"x\"}");
  g_assert_cmpint (sd_bus_message_read (message, "s", &type), >, 0);
  g_assert_cmpstr (type, ==, "x");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/event-json/order", Messages, NULL, messages_set_up, test_order, messages_tear_down);
  g_test_add ("/event-json/updated", Messages, NULL, messages_set_up, test_updated, messages_tear_down);
  g_test_add ("/event-json/sparse", Messages, NULL, messages_set_up, test_sparse, messages_tear_down);
  g_test_add ("/event-json/gap", Messages, NULL, messages_set_up, test_gap, messages_tear_down);
  g_test_add ("/event-json/numbers", Messages, NULL, messages_set_up, test_numbers, messages_tear_down);
  g_test_add ("/event-json/no-event", Messages, NULL, messages_set_up, test_no_event, messages_tear_down);
  g_test_add ("/event-json/bad", Messages, NULL, messages_set_up, test_bad, messages_tear_down);
  g_test_add ("/event-json/rewound", Messages, NULL, messages_set_up, test_rewound, messages_tear_down);
  return g_test_run ();
}
