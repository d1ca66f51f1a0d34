/* SPDX-License-Identifier: MIT */
#include "notify/markup.h"

static void
test_lines (void)
{
  static const struct {
    const char *text;
    guint max_chars;
    const char *line;
  } cases[] = {
    { NULL, 10, "" },
    { "", 10, "" },
    { "plain <b>&\"", 20, "plain <b>&\"" },
    { "  two\nlines\r\n\tand a tab ", 40, "two lines   and a tab" },
    { "\x1b[31mred\x07", 20, "[31mred" },
    { "line\xe2\x80\xa8para\xe2\x80\xa9", 20, "line para" },
    /* U+202E turns the direction; U+200D joins. */
    { "a\xe2\x80\xae" "b", 20, "a\xef\xbf\xbd" "b" },
    { "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", 20, "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb" },
    { "bad \xff\xc3", 20, "bad \xef\xbf\xbd\xef\xbf\xbd" },
    /* Cut at a character, never inside one; not for nothing. */
    { "äöüß", 4, "äöüß" },
    { "äöüß", 3, "äöü…" },
    { "ab cd", 3, "ab…" },
    { "ab   ", 2, "ab…" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *line = notify_markup_make_line (cases[i].text, cases[i].max_chars);

    g_assert_cmpstr (line, ==, cases[i].line);
    g_assert_true (g_utf8_validate (line, -1, NULL));
  }
}

static void
test_escape (void)
{
  g_autofree char *escaped = notify_markup_escape ("<b>&\"'\nä</b> &amp;");
  g_autofree char *empty = notify_markup_escape ("");

  g_assert_cmpstr (escaped, ==, "&lt;b&gt;&amp;\"'\nä&lt;/b&gt; &amp;amp;");
  g_assert_cmpstr (empty, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/markup/lines", test_lines);
  g_test_add_func ("/markup/escape", test_escape);
  return g_test_run ();
}
