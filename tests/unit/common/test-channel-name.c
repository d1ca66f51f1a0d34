/* SPDX-License-Identifier: MIT */
#include "common/channel-name.h"

#include <string.h>

#include "common/error.h"

static void
test_names (void)
{
  static const char *const good[] = { "a:b", "project:proj_123456", "a:b:c", "a::", "!:~", "a:\"\\'" };
  static const char *const bad[] = { "",      "a",     ":",      "a:",     ":a",         "::",
                                     "a b:c", "a:b c", "a:b\n", "a:\x7f", "a:\xc3\xa4", " a:b" };
  g_autofree char *longest = g_strdup_printf ("a:%0*d", RELAY_CHANNEL_NAME_MAX_BYTES - 2, 0);
  g_autofree char *too_long = g_strdup_printf ("a:%0*d", RELAY_CHANNEL_NAME_MAX_BYTES - 1, 0);
  g_autofree char *huge = g_strnfill (1000000, '\x01');

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (relay_channel_name_check (good[i], NULL));
  g_assert_true (relay_channel_name_check (longest, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (bad) + 2; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (relay_channel_name_check (i < G_N_ELEMENTS (bad) ? bad[i] : i % 2 ? too_long : huge, &error));
    g_assert_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_CHANNEL);
    g_assert_cmpuint (strlen (error->message), <, 500);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
    for (const char *p = error->message; *p != '\0'; p++)
      g_assert_false (g_ascii_iscntrl (*p));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/channel-name/names", test_names);
  return g_test_run ();
}
