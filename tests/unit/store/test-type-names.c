/* SPDX-License-Identifier: MIT */
#include "store/type-names.h"

#include <string.h>

static guint8
number_of (RelayTypeNames *names, const char *name)
{
  return relay_type_names_number (names, name, strlen (name));
}

static void
test_numbers (void)
{
  g_autoptr (RelayTypeNames) names = relay_type_names_new ();

  g_assert_cmpuint (number_of (names, "a"), ==, 1);
  g_assert_cmpuint (number_of (names, "b"), ==, 2);
  g_assert_cmpuint (number_of (names, "a"), ==, 1);
  g_assert_cmpuint (relay_type_names_number (names, "abc", 1), ==, 1);
  g_assert_cmpuint (number_of (names, ""), ==, 3);
  g_assert_cmpstr (relay_type_names_get (names, 2), ==, "b");
  g_assert_cmpstr (relay_type_names_get (names, 3), ==, "");
  g_assert_null (relay_type_names_get (names, 0));
  g_assert_null (relay_type_names_get (names, 4));
}

static void
test_limits (void)
{
  g_autoptr (RelayTypeNames) names = relay_type_names_new ();
  g_autofree char *longest = g_strnfill (RELAY_TYPE_NAME_MAX_BYTES, 'x');
  g_autofree char *too_long = g_strnfill (RELAY_TYPE_NAME_MAX_BYTES + 1, 'x');

  g_assert_cmpuint (number_of (names, too_long), ==, 0);
  g_assert_cmpuint (number_of (names, longest), ==, 1);
  for (guint i = 2; i <= RELAY_TYPE_NAMES_MAX + 10; i++) {
    g_autofree char *name = g_strdup_printf ("type %u", i);

    g_assert_cmpuint (number_of (names, name), ==, i <= RELAY_TYPE_NAMES_MAX ? i : 0);
  }
  g_assert_cmpuint (number_of (names, longest), ==, 1);
}

static void
test_stored (void)
{
  g_autoptr (RelayTypeNames) names = relay_type_names_new ();

  g_assert_true (relay_type_names_load (names, 1, "a", 1));
  g_assert_true (relay_type_names_load (names, 2, "b", 1));
  g_assert_cmpuint (relay_type_names_get_n_stored (names), ==, 2);
  number_of (names, "c");
  g_assert_cmpuint (relay_type_names_get_n_stored (names), ==, 2);
  relay_type_names_set_stored (names);
  g_assert_cmpuint (relay_type_names_get_n_stored (names), ==, 3);
  g_assert_cmpstr (relay_type_names_get (names, 3), ==, "c");

  g_assert_false (relay_type_names_load (names, 5, "e", 1)); /* one is missing */
  g_assert_false (relay_type_names_load (names, 4, "a", 1)); /* twice */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/type-names/numbers", test_numbers);
  g_test_add_func ("/store/type-names/limits", test_limits);
  g_test_add_func ("/store/type-names/stored", test_stored);
  return g_test_run ();
}
