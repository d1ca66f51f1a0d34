/* SPDX-License-Identifier: MIT */
#include "wire/gap.h"

#include <string.h>

/* It is a message like any other, with what the signal says in its data. */
static void
test_text (void)
{
  char *channels[] = { (char *) "a:\"quoted\"", (char *) "b:back\\slash", NULL };
  RelayGap gap = { 1700000000000001, 1700000061500000, "CONNECTION_LOST", channels, 42 };
  g_autofree char *text = relay_gap_to_text (&gap);
  g_autoptr (GError) error = NULL;
  RelayJsonReader reader = { 0 };
  RelayEvent event;
  guint list, first;
  g_autofree char *timestamp = NULL, *cause = NULL, *a = NULL, *b = NULL;

  g_assert_true (relay_event_read (&event, &reader, text, strlen (text), &error));
  g_assert_no_error (error);
  g_assert_cmpint (event.kind, ==, RELAY_EVENT_OTHER);
  g_assert_true (relay_json_reader_string_equal (&reader, event.type, RELAY_GAP_TYPE));
  timestamp = relay_json_reader_dup_string (&reader, event.timestamp);
  g_assert_cmpstr (timestamp, ==, "2023-11-14T22:14:21.500000Z");
  cause = relay_event_dup_member (&event, "cause");
  g_assert_cmpstr (cause, ==, "CONNECTION_LOST");
  g_assert_nonnull (strstr (text, "\"since\":1700000000000001,\"until\":1700000061500000,"));
  g_assert_nonnull (strstr (text, "\"sequence\":42}"));

  list = relay_event_find (&event, "channels");
  first = list + 1;
  a = relay_json_reader_dup_string (&reader, first);
  b = relay_json_reader_dup_string (&reader, reader.tape[first].next);
  g_assert_cmpstr (a, ==, channels[0]);
  g_assert_cmpstr (b, ==, channels[1]);
  relay_json_reader_clear (&reader);
}

/* A time beyond what a calendar has, and no channel: still a message. */
static void
test_odd (void)
{
  char *channels[] = { NULL };
  RelayGap gap = { 0, G_MAXUINT64, "RESTARTED", channels, 1 };
  g_autofree char *text = relay_gap_to_text (&gap);
  RelayJsonReader reader = { 0 };
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &reader, text, strlen (text), NULL));
  g_assert_nonnull (strstr (text, "\"channels\":[]"));
  relay_json_reader_clear (&reader);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/gap/text", test_text);
  g_test_add_func ("/wire/gap/odd", test_odd);
  return g_test_run ();
}
