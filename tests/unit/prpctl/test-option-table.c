/* SPDX-License-Identifier: MIT */
#include "prpctl/option-table.h"

#include <string.h>

/* Each can be found, by a flag of its own and a name of its own. */
static void
test_rows (void)
{
  guint seen = 0, n = 0;

  for (const PrpctlOption *option = prpctl_option_table_get (); option->name != NULL; option++, n++) {
    guint flag = (guint) option->flag;

    g_assert_cmpuint (flag & (flag - 1), ==, 0);
    g_assert_cmpuint (seen & flag, ==, 0);
    seen |= flag;
    g_assert_true (prpctl_option_table_find (option->flag) == option);
    g_assert_true (prpctl_option_table_find_name (option->name, strlen (option->name)) == option);
    g_assert_true (g_str_is_ascii (option->name));
    g_assert_nonnull (option->summary);
  }
  g_assert_cmpuint (n, >, 15);
  g_assert_cmpuint (seen & PRPCTL_OPTIONS_OF_ALL, ==, PRPCTL_OPTIONS_OF_ALL);
}

static void
test_find (void)
{
  g_assert_null (prpctl_option_table_find (0));
  g_assert_null (prpctl_option_table_find_name ("jso", 3));
  g_assert_cmpstr (prpctl_option_table_find_name ("json=x", 4)->name, ==, "json");
  g_assert_null (prpctl_option_table_find_name ("", 0));
  g_assert_null (prpctl_option_table_find_letter ('x'));
  g_assert_null (prpctl_option_table_find_letter ('\0'));
  g_assert_cmpstr (prpctl_option_table_find_letter ('j')->name, ==, "json");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/option-table/rows", test_rows);
  g_test_add_func ("/option-table/find", test_find);
  return g_test_run ();
}
