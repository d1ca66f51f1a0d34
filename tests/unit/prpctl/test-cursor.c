/* SPDX-License-Identifier: MIT */
#include "prpctl/cursor.h"

#include "prpctl/failure.h"

static void
test_good (void)
{
  static const struct {
    const char *text;
    PrpctlCursorKind kind;
    const char *id;
    guint64 sequence;
  } cases[] = {
    { "0123abc:42", PRPCTL_CURSOR_AT, "0123abc", 42 },
    { "a:b:0", PRPCTL_CURSOR_AT, "a:b", 0 },
    { "7", PRPCTL_CURSOR_AT, NULL, 7 },
    { "x:18446744073709551615", PRPCTL_CURSOR_AT, "x", G_MAXUINT64 },
    { "start", PRPCTL_CURSOR_START, NULL, 0 },
    { "now", PRPCTL_CURSOR_NOW, NULL, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    PrpctlCursor cursor = { 0 };
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", cases[i].text);
    g_assert_true (prpctl_cursor_parse (cases[i].text, &cursor, &error));
    g_assert_no_error (error);
    g_assert_cmpint (cursor.kind, ==, cases[i].kind);
    g_assert_cmpstr (cursor.history_id, ==, cases[i].id);
    g_assert_cmpuint (cursor.sequence, ==, cases[i].sequence);
    if (cases[i].id != NULL) {
      g_autofree char *text = prpctl_cursor_format (cursor.history_id, cursor.sequence);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
    prpctl_cursor_clear (&cursor);
  }
}

static void
test_bad (void)
{
  static const char *const cases[] = { "", ":", ":1", "x", "x:", "x:-1", "-1", "+1", "x:1 ", "1.5", "x:18446744073709551616",
                                       "Start", "\xff:1", "x:1\033" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    PrpctlCursor cursor = { .sequence = 5 };
    g_autoptr (GError) error = NULL;

    g_test_message ("case %" G_GSIZE_FORMAT, i);
    g_assert_false (prpctl_cursor_parse (cases[i], &cursor, &error));
    g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE);
    g_assert_null (strchr (error->message, '\033'));
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
