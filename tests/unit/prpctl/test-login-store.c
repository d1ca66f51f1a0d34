/* SPDX-License-Identifier: MIT */
#include "prpctl/login-store.h"

#include <string.h>

#include <glib/gstdio.h>

#include "prpctl/failure.h"
#include "tests/unit/prpctl/isolated.h"

/* With a real keyring: tests/desktop/test_keyring.py. */

#define URL "wss://prp.example/ws"

static void
test_files (void)
{
  g_autofree char *path = prpctl_login_get_path (RELAY_SECRET_ACCESS_TOKEN);
  g_autofree char *refresh_path = prpctl_login_get_path (RELAY_SECRET_REFRESH_TOKEN);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  gboolean removed = TRUE;
  GStatBuf st;

  g_assert_cmpstr (path, !=, refresh_path);
  g_assert_true (prpctl_login_remove_file (RELAY_SECRET_ACCESS_TOKEN, &removed, &error));
  g_assert_false (removed);

  g_assert_true (prpctl_login_store_in_file (RELAY_SECRET_ACCESS_TOKEN, "one", &error));
  g_assert_true (prpctl_login_store_in_file (RELAY_SECRET_ACCESS_TOKEN, "two", &error));
  g_assert_true (g_file_get_contents (path, &text, NULL, &error));
  g_assert_cmpstr (text, ==, "two\n");
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);

  g_assert_true (prpctl_login_remove_file (RELAY_SECRET_REFRESH_TOKEN, &removed, &error));
  g_assert_false (removed);
  g_assert_true (prpctl_login_remove_file (RELAY_SECRET_ACCESS_TOKEN, &removed, &error));
  g_assert_true (removed);
}

static void
test_in_the_way (void)
{
  g_autofree char *path = prpctl_login_get_path (RELAY_SECRET_ACCESS_TOKEN);
  g_autoptr (GError) error = NULL;
  gboolean removed = TRUE;

  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  g_assert_false (prpctl_login_store_in_file (RELAY_SECRET_ACCESS_TOKEN, "the-secret", &error));
  g_assert_error (error, PRPCTL_ERROR, (gint) PRPCTL_EXIT_FAILURE);
  g_assert_null (strstr (error->message, "the-secret"));
  g_clear_error (&error);
  g_assert_false (prpctl_login_remove_file (RELAY_SECRET_ACCESS_TOKEN, &removed, &error));
  g_assert_error (error, PRPCTL_ERROR, (gint) PRPCTL_EXIT_FAILURE);
  g_assert_false (removed);
  g_assert_cmpint (g_rmdir (path), ==, 0);
}

static void
test_no_keyring (void)
{
  g_autofree char *reason = NULL, *other_reason = NULL;

  g_setenv ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
  g_assert_cmpint (prpctl_login_store_in_keyring (RELAY_SECRET_ACCESS_TOKEN, URL, "x", &reason), ==, RELAY_SECRET_ABSENT);
  g_assert_nonnull (reason);
  g_assert_cmpint (prpctl_login_remove_from_keyring (RELAY_SECRET_REFRESH_TOKEN, URL, &other_reason), ==,
                   RELAY_SECRET_ABSENT);
}

int
main (int argc, char **argv)
{
  char *home = isolated_set_up ();
  int status;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prpctl/login-store/files", test_files);
  g_test_add_func ("/prpctl/login-store/in-the-way", test_in_the_way);
  g_test_add_func ("/prpctl/login-store/no-keyring", test_no_keyring);
  status = g_test_run ();
  isolated_tear_down (home);
  return status;
}
