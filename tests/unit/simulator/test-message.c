/* SPDX-License-Identifier: MIT */
#include "simulator/message.h"

#define NOW G_GINT64_CONSTANT (1705312800999999) /* 2024-01-15T10:00:00Z and almost a second */

/* The bodies are those of the protocol page's examples. */
static void
test_format (void)
{
  g_autoptr (JsonNode) data = json_from_string ("{\"serverTime\":\"2024-01-15T10:01:00Z\"}", NULL);
  g_autofree char *heartbeat = sim_message_format ("msg_123463", "heartbeat", NOW, data);
  g_autofree char *pong = sim_message_format ("msg_123465", "pong", NOW, NULL);

  g_assert_cmpstr (heartbeat, ==,
                   "{\"id\":\"msg_123463\",\"type\":\"heartbeat\",\"timestamp\":\"2024-01-15T10:00:00Z\","
                   "\"data\":{\"serverTime\":\"2024-01-15T10:01:00Z\"}}");
  g_assert_cmpstr (pong, ==, "{\"id\":\"msg_123465\",\"type\":\"pong\",\"timestamp\":\"2024-01-15T10:00:00Z\"}");
}

static void
test_error (void)
{
  g_autofree char *full = sim_message_format_error ("msg_123466", NOW, "INVALID_CHANNEL",
                                                    "Channel 'x' does not exist", "client_msg_004", "subscribe");
  g_autofree char *partial = sim_message_format_error ("m", NOW, "C", "t", NULL, "ping");
  g_autofree char *bare = sim_message_format_error ("m", NOW, "C", "t", NULL, NULL);

  g_assert_cmpstr (full, ==,
                   "{\"id\":\"msg_123466\",\"type\":\"error\",\"timestamp\":\"2024-01-15T10:00:00Z\",\"data\":{"
                   "\"code\":\"INVALID_CHANNEL\",\"message\":\"Channel 'x' does not exist\","
                   "\"details\":{\"requestId\":\"client_msg_004\",\"action\":\"subscribe\"}}}");
  g_assert_true (g_str_has_suffix (partial, "\"details\":{\"action\":\"ping\"}}}"));
  g_assert_true (g_str_has_suffix (bare, "\"message\":\"t\"}}"));
}

/* Clients drop what they have seen by its id, so no id may come twice, not even in another run. */
static void
test_ids (void)
{
  SimIds one, other;
  g_autofree char *first = NULL, *second = NULL, *elsewhere = NULL;

  sim_ids_init (&one);
  sim_ids_init (&other);
  first = sim_ids_next (&one, "msg");
  second = sim_ids_next (&one, "msg");
  elsewhere = sim_ids_next (&other, "msg");
  g_assert_true (g_regex_match_simple ("^msg_[0-9a-f]{12}_1$", first, 0, 0));
  g_assert_cmpstr (first, !=, second);
  g_assert_cmpstr (first, !=, elsewhere);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/message/format", test_format);
  g_test_add_func ("/simulator/message/error", test_error);
  g_test_add_func ("/simulator/message/ids", test_ids);
  return g_test_run ();
}
