/* SPDX-License-Identifier: MIT */
#include "prpctl/cursor-file.h"

#include <glib/gstdio.h>

#include "prpctl/failure.h"

static void
test_round_trip (void)
{
  g_autofree char *directory = g_dir_make_tmp ("prp-relay-cursor-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "cursor", NULL);
  g_autoptr (GError) error = NULL;
  ClientCursor cursor = { 0 };
  gboolean found = TRUE;

  g_assert_true (prpctl_cursor_file_read (path, &cursor, &found, &error));
  g_assert_false (found);
  for (guint i = 1; i <= 2; i++) {
    g_autofree char *text = client_cursor_format ("ab", i);

    g_assert_true (prpctl_cursor_file_write (path, text, &error));
    g_assert_true (prpctl_cursor_file_read (path, &cursor, &found, &error));
    g_assert_no_error (error);
    g_assert_true (found);
    g_assert_cmpstr (cursor.history_id, ==, "ab");
    g_assert_cmpuint (cursor.sequence, ==, i);
    client_cursor_clear (&cursor);
  }
  g_assert_true (g_file_set_contents (path, " \n", -1, NULL));
  g_assert_true (prpctl_cursor_file_read (path, &cursor, &found, &error));
  g_assert_false (found);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

static void
test_bad (void)
{
  g_autofree char *directory = g_dir_make_tmp ("prp-relay-cursor-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "cursor", NULL);
  g_autofree char *beyond = g_build_filename (path, "cursor", NULL);
  g_autoptr (GError) no_cursor = NULL, unreadable = NULL, unwritable = NULL;
  ClientCursor cursor = { 0 };
  gboolean found;

  g_assert_true (g_file_set_contents (path, "not a cursor", -1, NULL));
  g_assert_false (prpctl_cursor_file_read (path, &cursor, &found, &no_cursor));
  g_assert_error (no_cursor, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE);
  g_assert_false (prpctl_cursor_file_read (beyond, &cursor, &found, &unreadable));
  g_assert_error (unreadable, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE);
  g_assert_false (prpctl_cursor_file_write (beyond, "ab:1", &unwritable));
  g_assert_error (unwritable, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cursor-file/round-trip", test_round_trip);
  g_test_add_func ("/cursor-file/bad", test_bad);
  return g_test_run ();
}
