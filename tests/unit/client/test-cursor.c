/* SPDX-License-Identifier: MIT */
#include "client/cursor.h"

#include "prpctl/failure.h"

static void
test_good (void)
{
  static const struct {
    const char *text;
    ClientCursorKind kind;
    const char *id;
    guint64 sequence;
  } cases[] = {
    { "0123abc:42", CLIENT_CURSOR_AT, "0123abc", 42 },
    { "a:b:0", CLIENT_CURSOR_AT, "a:b", 0 },
    { "7", CLIENT_CURSOR_AT, NULL, 7 },
    { "x:18446744073709551615", CLIENT_CURSOR_AT, "x", G_MAXUINT64 },
    { "start", CLIENT_CURSOR_START, NULL, 0 },
    { "now", CLIENT_CURSOR_NOW, NULL, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    ClientCursor cursor = { 0 };

    g_test_message ("%s", cases[i].text);
    g_assert_true (client_cursor_parse (cases[i].text, &cursor));
    g_assert_cmpint (cursor.kind, ==, cases[i].kind);
    g_assert_cmpstr (cursor.history_id, ==, cases[i].id);
    g_assert_cmpuint (cursor.sequence, ==, cases[i].sequence);
    if (cases[i].id != NULL) {
      g_autofree char *text = client_cursor_format (cursor.history_id, cursor.sequence);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
    client_cursor_clear (&cursor);
  }
}

static void
test_bad (void)
{
  static const char *const cases[] = { "", ":", ":1", "x", "x:", "x:-1", "-1", "+1", "x:1 ", "1.5", "x:18446744073709551616",
                                       "Start", "\xff:1", "x:1\033" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    ClientCursor cursor = { .sequence = 5 };

    g_test_message ("case %" G_GSIZE_FORMAT, i);
    g_assert_false (client_cursor_parse (cases[i], &cursor));
    g_assert_cmpuint (cursor.sequence, ==, 5);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cursor/good", test_good);
  g_test_add_func ("/cursor/bad", test_bad);
  return g_test_run ();
}
