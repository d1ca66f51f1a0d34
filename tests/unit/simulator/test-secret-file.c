/* SPDX-License-Identifier: MIT */
#include "simulator/secret-file.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("secret-file-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "token", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_remove (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0); /* nothing else was left */
  g_free (fixture->folder);
  g_free (fixture->path);
}

static void
assert_file (const char *path, const char *contents)
{
  g_autofree char *text = NULL;
  struct stat st;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, contents);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 0777, ==, 0600);
}

static void
test_create (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *token = sim_secret_file_read_or_create (fixture->path, "fresh", &error);
  g_autofree char *again = sim_secret_file_read_or_create (fixture->path, "fresher", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (token, ==, "fresh");
  g_assert_cmpstr (again, ==, "fresh");
  assert_file (fixture->path, "fresh\n");
}

static void
test_replace (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sim_secret_file_replace (fixture->path, "one", &error));
  g_assert_no_error (error);
  assert_file (fixture->path, "one\n");
  g_assert_true (sim_secret_file_replace (fixture->path, "two", NULL));
  assert_file (fixture->path, "two\n");
}

static void
test_bad (Fixture *fixture, gconstpointer data)
{
  g_autofree char *too_long = g_strnfill (9000, 'a');
  const char *const contents[] = { "", "\n", "two words\n", "a\nb\n", too_long };

  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_true (g_file_set_contents (fixture->path, contents[i], -1, NULL));
    g_assert_null (sim_secret_file_read_or_create (fixture->path, "fresh", &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    g_assert_nonnull (strstr (error->message, fixture->path));
  }
}

static void
test_impossible (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "nowhere", "token", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (sim_secret_file_read_or_create (path, "fresh", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_nonnull (strstr (error->message, path));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/simulator/secret-file/create", Fixture, NULL, set_up, test_create, tear_down);
  g_test_add ("/simulator/secret-file/replace", Fixture, NULL, set_up, test_replace, tear_down);
  g_test_add ("/simulator/secret-file/bad", Fixture, NULL, set_up, test_bad, tear_down);
  g_test_add ("/simulator/secret-file/impossible", Fixture, NULL, set_up, test_impossible, tear_down);
  return g_test_run ();
}
