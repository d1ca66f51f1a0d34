/* SPDX-License-Identifier: MIT */
#include "auth/file-watch.h"

#include <unistd.h>

#include <glib/gstdio.h>

typedef struct {
  char *folder, *path, *other;
  RelayFileWatch *watch;
  guint n_changes;
} Fixture;

static void
on_changed (gpointer user_data)
{
  ((Fixture *) user_data)->n_changes++;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-relay-watch-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "token", NULL);
  fixture->other = g_build_filename (fixture->folder, "other", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  relay_file_watch_free (fixture->watch);
  g_unlink (fixture->path);
  g_unlink (fixture->other);
  g_rmdir (fixture->folder);
  g_free (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->other);
}

static void
start (Fixture *fixture, const char *path)
{
  fixture->watch = relay_file_watch_new (path, on_changed, fixture);
}

static void
wait_for_change (Fixture *fixture)
{
  fixture->n_changes = 0;
  while (fixture->n_changes == 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
write_in_place (const char *path, const char *text)
{
  FILE *file = g_fopen (path, "w");

  g_assert_nonnull (file);
  g_assert_cmpint (fputs (text, file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

static void
test_life (Fixture *fixture, gconstpointer data)
{
  start (fixture, fixture->path);

  write_in_place (fixture->path, "made");
  wait_for_change (fixture);
  write_in_place (fixture->path, "written");
  wait_for_change (fixture);
  g_assert_cmpint (g_chmod (fixture->path, 0600), ==, 0);
  wait_for_change (fixture);
  write_in_place (fixture->other, "replaced");
  g_assert_cmpint (g_rename (fixture->other, fixture->path), ==, 0);
  wait_for_change (fixture);
  write_in_place (fixture->path, "written again");
  wait_for_change (fixture);
  g_assert_cmpint (g_unlink (fixture->path), ==, 0);
  wait_for_change (fixture);
  write_in_place (fixture->path, "made again");
  wait_for_change (fixture);
}

/* Several steps in a row are one change. */
static void
test_settle (Fixture *fixture, gconstpointer data)
{
  start (fixture, fixture->path);
  for (guint i = 0; i < 20; i++) {
    write_in_place (fixture->other, "x");
    g_assert_cmpint (g_rename (fixture->other, fixture->path), ==, 0);
  }
  wait_for_change (fixture);
  g_assert_cmpuint (fixture->n_changes, ==, 1);
}

static void
test_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *elsewhere = g_dir_make_tmp ("prp-relay-watch-XXXXXX", NULL);
  g_autofree char *real = g_build_filename (elsewhere, "real", NULL);

  write_in_place (real, "one");
  g_assert_cmpint (symlink (real, fixture->path), ==, 0);
  start (fixture, fixture->path);
  write_in_place (real, "two");
  wait_for_change (fixture);

  /* The link leads elsewhere, and that is watched from then on. */
  write_in_place (fixture->other, "three");
  g_assert_cmpint (g_unlink (fixture->path), ==, 0);
  g_assert_cmpint (symlink ("other", fixture->path), ==, 0);
  wait_for_change (fixture);
  write_in_place (fixture->other, "four");
  wait_for_change (fixture);

  g_unlink (real);
  g_rmdir (elsewhere);
}

static void
test_no_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *deeper = g_build_filename (fixture->folder, "later", NULL);
  g_autofree char *path = g_build_filename (deeper, "token", NULL);

  start (fixture, path);
  g_assert_cmpint (g_mkdir (deeper, 0700), ==, 0);
  write_in_place (path, "made");
  wait_for_change (fixture);
  g_unlink (path);
  g_rmdir (deeper);
}

static void
test_free (Fixture *fixture, gconstpointer data)
{
  start (fixture, fixture->path);
  write_in_place (fixture->path, "x");
  g_clear_pointer (&fixture->watch, relay_file_watch_free);
  relay_file_watch_free (NULL);

  /* Another one on the same file tells when the first would have spoken. */
  start (fixture, fixture->path);
  write_in_place (fixture->path, "y");
  wait_for_change (fixture);
  g_assert_cmpuint (fixture->n_changes, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/file-watch/life", test_life);
  ADD ("/file-watch/settle", test_settle);
  ADD ("/file-watch/link", test_link);
  ADD ("/file-watch/no-folder", test_no_folder);
  ADD ("/file-watch/free", test_free);
#undef ADD
  return g_test_run ();
}
