/* SPDX-License-Identifier: MIT */
#include "store-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void
fixture_set_up (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->top = g_dir_make_tmp ("test-store-XXXXXX", &error);
  g_assert_no_error (error);
  f->directory = g_build_filename (f->top, "state", "prp-relay", NULL);
  f->path = g_build_filename (f->directory, "relay.db", NULL);
}

static void
remove_tree (const char *path)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK)) {
    g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
  }
  g_assert_cmpint (g_remove (path), ==, 0);
}

void
fixture_tear_down (StoreFixture *f, gconstpointer data)
{
  remove_tree (f->top);
  g_free (f->top);
  g_free (f->directory);
  g_free (f->path);
}

char *
fixture_in_directory (StoreFixture *f, const char *name)
{
  return g_build_filename (f->directory, name, NULL);
}

gboolean
fixture_exists (StoreFixture *f, const char *name)
{
  g_autofree char *path = fixture_in_directory (f, name);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

RelayStore *
fixture_open_good (StoreFixture *f)
{
  RelayStore *store = relay_store_open (f->directory);

  if (relay_store_get_trouble (store) != NULL)
    g_error ("%s", relay_store_get_trouble (store)->text);
  g_assert_true (relay_store_is_persistent (store));
  return store;
}

void
fixture_expect_trouble (RelayStore *store, const char *code, const char *words)
{
  const RelayTrouble *trouble = relay_store_get_trouble (store);

  g_assert_nonnull (trouble);
  g_test_message ("%s", trouble->text);
  g_assert_cmpstr (trouble->code, ==, code);
  g_assert_cmpint (trouble->remedy, ==, RELAY_REMEDY_RETRY);
  if (!g_pattern_match_simple (words, trouble->text))
    g_error ("“%s” does not match “%s”", words, trouble->text);
}

RelayStore *
fixture_open_troubled (StoreFixture *f, gboolean persistent, const char *code, const char *words)
{
  RelayStore *store = relay_store_open (f->directory);

  fixture_expect_trouble (store, code, words);
  g_assert_cmpint (relay_store_is_persistent (store), ==, persistent);
  return store;
}

void
fixture_commit (RelayStore *store)
{
  g_autoptr (GError) error = NULL;

  relay_store_commit (store, &error);
  g_assert_no_error (error);
}

void
fixture_expect_durable (RelayStore *store, const char *expected)
{
  g_auto (GStrv) names = relay_store_list_durable (store);
  g_autofree char *text = g_strjoinv (" ", names);

  g_assert_cmpstr (text, ==, expected);
}

void
fixture_sql (const char *path, const char *text)
{
  sqlite3 *db = NULL;
  char *message = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  sqlite3_exec (db, text, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
  sqlite3_close (db);
}

void
fixture_expect_now (guint64 sequence)
{
  g_assert_cmpuint (sequence, >, (guint64) g_get_real_time () - 60 * G_USEC_PER_SEC);
  g_assert_cmpuint (sequence, <=, (guint64) g_get_real_time ());
}

void
fixture_count (gpointer user_data)
{
  ++*(guint *) user_data;
}

void
fixture_put (StoreFixture *f, const char *name, const char *contents, gssize length)
{
  g_autofree char *path = fixture_in_directory (f, name);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  g_file_set_contents (path, contents, length, &error);
  g_assert_no_error (error);
}

void
fixture_expect_contents (StoreFixture *f, const char *name, const char *contents)
{
  g_autofree char *path = fixture_in_directory (f, name);
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &found, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, contents);
}

/* A file of ours with some durable subscriptions, cleanly closed. */
void
fixture_make_store (StoreFixture *f)
{
  RelayStore *store = fixture_open_good (f);

  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_next_sequence (store);
  relay_store_free (store);
}

/* Runs @part in a child; asserts are its own. */
void
fixture_in_child (StoreFixture *f, void (*part) (StoreFixture *f))
{
  pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    part (f);
    _exit (0);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

/* Not a byte more for any file: as on a full disk. */
void
fixture_set_full (gboolean full)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = full ? 0 : limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}
