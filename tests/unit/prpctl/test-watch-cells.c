/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-cells.h"

static void
test_measure (void)
{
  static const struct {
    const char *text;
    guint columns;
  } cases[] = {
    { "", 0 }, { "abc", 3 }, { "äöü", 3 }, { "漢字", 4 }, { "ひらがな", 8 }, { "한글", 4 }, { "e\u0301", 1 },
    { "a\u200db", 2 }, { "🚀", 2 }, { "ｆｕｌｌ", 8 }, { "ไทยที่นี่", 5 }, { "…", 1 }, { "█", 1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpuint (prpctl_cells_measure (cases[i].text), ==, cases[i].columns);
}

static void
test_append (void)
{
  static const struct {
    const char *text;
    guint columns;
    const char *expected;
    guint taken;
  } cases[] = {
    { "abc", 3, "abc", 3 },
    { "abc", 9, "abc", 3 },
    { "abcd", 3, "ab…", 3 },
    { "abcd", 1, "…", 1 },
    { "abcd", 0, "", 0 },
    { "", 0, "", 0 },
    { "漢字漢字", 8, "漢字漢字", 8 },
    { "漢字漢字", 7, "漢字漢…", 7 },
    { "漢字漢字", 6, "漢字…", 5 }, /* half a character is none */
    { "漢", 1, "…", 1 },
    { "e\u0301e\u0301", 2, "e\u0301e\u0301", 2 },
    { "e\u0301e\u0301x", 2, "e\u0301…", 2 },
    { "\u0301x", 2, "x", 1 }, /* would join what is left of it */
    { "x\u0301\u0301\u0301\u0301\u0301\u0301y", 2, "x\u0301\u0301\u0301\u0301y", 2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GString) out = g_string_new (NULL);

    g_assert_cmpuint (prpctl_cells_append (out, cases[i].text, cases[i].columns, TRUE), ==, cases[i].taken);
    g_assert_cmpstr (out->str, ==, cases[i].expected);
    g_assert_cmpuint (prpctl_cells_measure (out->str), ==, cases[i].taken);
  }
}

/* Between words, and anywhere in scripts without spaces, but for marks that may not begin or end a line. */
static void
test_append_wrapped (void)
{
  static const struct {
    const char *text;
    const char *expected;
  } cases[] = {
    { "", "\n" },
    { "one", "one\n" },
    { "one two three", "one two\n  three\n" },
    { "one  two three", "one  two\n  three\n" },
    { "much-too-long one", "much-too-long\n  one\n" },
    { "日日日日日日日日日", "日日日日\n  日日日日\n  日\n" },
    { "日日日日。日", "日日日\n  日。日\n" },
    { "日日日(日", "日日日\n  (日\n" },
    { "日日日「日」", "日日日\n  「日」\n" },
    { "日日日ロー日", "日日日\n  ロー日\n" },
    { "日日 word", "日日\n  word\n" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GString) out = g_string_new (NULL);

    prpctl_cells_append_wrapped (out, cases[i].text, 2, 10);
    g_assert_cmpstr (out->str, ==, cases[i].expected);
  }
}

static void
test_append_ascii (void)
{
  g_autoptr (GString) out = g_string_new (NULL);

  g_assert_cmpuint (prpctl_cells_append (out, "abcdef", 4, FALSE), ==, 4);
  prpctl_cells_append_spaces (out, 2);
  g_assert_cmpstr (out->str, ==, "abc~  ");
}

static void
assert_bar (double percent, guint columns, gboolean utf8, const char *expected)
{
  g_autoptr (GString) out = g_string_new (NULL);

  prpctl_cells_append_bar (out, percent, columns, utf8 ? "·" : ".", utf8);
  g_assert_cmpstr (out->str, ==, expected);
}

static void
test_bar (void)
{
  assert_bar (0, 4, TRUE, "····");
  assert_bar (50, 4, TRUE, "██··");
  assert_bar (100, 4, TRUE, "████");
  assert_bar (45, 4, TRUE, "█▊··");
  assert_bar (3.2, 4, TRUE, "▏···");
  assert_bar (0.1, 4, TRUE, "····");
  assert_bar (99.9, 4, TRUE, "███▉"); /* full only when all is done */
  assert_bar (50, 0, TRUE, "");
  assert_bar (100, 0, TRUE, "");
  assert_bar (-5, 2, TRUE, "··");
  assert_bar (500, 2, TRUE, "██");
  assert_bar (0, 4, FALSE, "....");
  assert_bar (45, 10, FALSE, "#####.....");
  assert_bar (99.9, 4, FALSE, "###.");
  assert_bar (100, 4, FALSE, "####");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch-cells/measure", test_measure);
  g_test_add_func ("/watch-cells/append", test_append);
  g_test_add_func ("/watch-cells/append-wrapped", test_append_wrapped);
  g_test_add_func ("/watch-cells/append-ascii", test_append_ascii);
  g_test_add_func ("/watch-cells/bar", test_bar);
  return g_test_run ();
}
