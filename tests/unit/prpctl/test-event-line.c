/* SPDX-License-Identifier: MIT */
#include "prpctl/event-line.h"

#define NOW (G_GUINT64_CONSTANT (1795447845) * G_USEC_PER_SEC)

static void
assert_line (const ClientEvent *event, gboolean json, gboolean color, const char *cursor, const char *expected)
{
  PrpctlLineStyle style = { .json = json, .color = color };
  g_autoptr (GString) out = g_string_new ("before\n");
  g_autofree char *whole = g_strdup_printf ("before\n%s\n", expected);

  prpctl_event_append_line (out, event, &style, cursor, NOW);
  g_assert_cmpstr (out->str, ==, whole);
}

static void
test_words (void)
{
  ClientEvent event = { 7, NOW - 60 * G_USEC_PER_SEC, (char *) "{\"type\":\"x.y\",\"data\":{\"a\":1}}" };
  ClientEvent yesterday = { 7, NOW - 86400 * (guint64) G_USEC_PER_SEC, event.json };
  ClientEvent timeless = { 7, 0, event.json };

  assert_line (&event, FALSE, FALSE, NULL, "15:29:45  x.y {\"a\":1}");
  assert_line (&event, FALSE, TRUE, "id:7", "\033[2m15:29:45\033[0m  x.y {\"a\":1}");
  assert_line (&yesterday, FALSE, FALSE, NULL, "2026-11-22 15:30:45  x.y {\"a\":1}");
  assert_line (&timeless, FALSE, FALSE, NULL, "15:30:45  x.y {\"a\":1}");
}

static void
test_json (void)
{
  ClientEvent event = { 7, NOW, (char *) "{\"type\":\"x.y\"}" };
  ClientEvent empty = { 7, NOW, (char *) "{}" };

  assert_line (&event, TRUE, TRUE, NULL, "{\"type\":\"x.y\"}");
  assert_line (&event, TRUE, FALSE, "i\"d:7", "{\"type\":\"x.y\",\"cursor\":\"i\\\"d:7\"}");
  assert_line (&empty, TRUE, FALSE, "id:7", "{\"cursor\":\"id:7\"}");
}

int
main (int argc, char **argv)
{
  g_setenv ("TZ", "UTC", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-line/words", test_words);
  g_test_add_func ("/event-line/json", test_json);
  return g_test_run ();
}
