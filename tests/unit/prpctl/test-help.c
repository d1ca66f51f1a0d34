/* SPDX-License-Identifier: MIT */
#include "prpctl/help.h"

#include <string.h>

static void
test_verb (void)
{
  static const PrpctlVerbWords verb = { "history", "[WORD]", "List them", PRPCTL_OPTION_LINES | PRPCTL_OPTION_CLEAR };
  g_autoptr (GString) out = g_string_new (NULL);

  prpctl_help_append_verb (out, &verb);
  g_assert_true (g_str_has_prefix (out->str, "Usage: prpctl history [OPTION…] [WORD]\n\nList them\n\nOptions:\n  -n, --lines NUMBER        "));
  g_assert_nonnull (strstr (out->str, "\n      --clear               Have the relay forget all of them\n"));
  g_assert_nonnull (strstr (out->str, "\nOptions of every command:\n  -j, --json                JSON instead of words\n"));
  g_assert_null (strstr (out->str, "--type"));
}

static void
test_plain_verb (void)
{
  static const PrpctlVerbWords verb = { "ping", NULL, "Measure", 0 };
  g_autoptr (GString) out = g_string_new (NULL);

  prpctl_help_append_verb (out, &verb);
  g_assert_true (g_str_has_prefix (out->str, "Usage: prpctl ping [OPTION…]\n\nMeasure\n\nOptions of every command:\n"));
}

/* The second lines stand below the first; no line is too long, in any script. */
static void
test_wrapping (void)
{
  static const char long_word[] = "an-argument-that-is-much-too-long-for-the-column-where-such-stand";
  g_autoptr (GString) text = g_string_new (NULL), out = g_string_new (NULL);
  PrpctlVerbWords verb = { "x", NULL, NULL, 0 };
  g_auto (GStrv) lines = NULL;

  for (guint i = 0; i < 70; i++)
    g_string_append (text, "日");
  verb.summary = text->str;
  prpctl_help_append_summary (out, &verb);
  lines = g_strsplit (out->str, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_cmpuint ((guint) g_utf8_strlen (lines[0], -1), ==, 26 + 37);
  g_assert_cmpuint ((guint) g_utf8_strlen (lines[1], -1), ==, 26 + 33);

  g_string_truncate (out, 0);
  verb.summary = "short";
  verb.arguments = long_word;
  prpctl_help_append_summary (out, &verb);
  g_clear_pointer (&lines, g_strfreev);
  lines = g_strsplit (out->str, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_cmpstr (lines[1], ==, "                          short");

  g_string_truncate (out, 0);
  prpctl_help_append_options (out, PRPCTL_OPTION_FROM);
  g_clear_pointer (&lines, g_strfreev);
  lines = g_strsplit (out->str, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), >=, 3);
  for (guint i = 0; lines[i] != NULL; i++) {
    g_assert_cmpuint ((guint) g_utf8_strlen (lines[i], -1), <=, PRPCTL_HELP_COLUMNS);
    if (i > 0 && *lines[i] != '\0')
      g_assert_cmpuint ((guint) strspn (lines[i], " "), ==, 28);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/help/verb", test_verb);
  g_test_add_func ("/help/plain-verb", test_plain_verb);
  g_test_add_func ("/help/wrapping", test_wrapping);
  return g_test_run ();
}
