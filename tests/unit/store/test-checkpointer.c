/* SPDX-License-Identifier: MIT */
#include "store/checkpointer.h"

#include <sqlite3.h>

#include "store-fixture.h"

static void
run (sqlite3 *db, const char *sql)
{
  char *message = NULL;

  sqlite3_exec (db, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
}

/* What of the file is not in its -wal alone. */
static gsize
get_length (const char *path)
{
  g_autofree char *contents = NULL;
  gsize length = 0;

  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  return length;
}

static sqlite3 *
open_writer (StoreFixture *f)
{
  sqlite3 *db = NULL;

  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  run (db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
  return db;
}

/* All that is committed is written back, again and again, and the -wal starts over. */
static void
test_requests (StoreFixture *f, gconstpointer data)
{
  g_autofree char *wal = g_strconcat (f->path, "-wal", NULL);
  g_autoptr (RelayCheckpointer) checkpointer = relay_checkpointer_new (f->path);
  sqlite3 *db = open_writer (f);
  gsize before = 0;

  g_assert_false (relay_checkpointer_is_busy (checkpointer));
  relay_checkpointer_wait (checkpointer);
  for (guint i = 0; i < 5; i++) {
    gsize after;

    run (db, "INSERT INTO t VALUES (randomblob(100000))");
    g_assert_true (relay_checkpointer_request (checkpointer));
    relay_checkpointer_wait (checkpointer);
    g_assert_false (relay_checkpointer_is_busy (checkpointer));
    after = get_length (f->path);
    g_assert_cmpuint (after, >=, before + 90000);
    before = after;
    g_assert_cmpuint (get_length (wal), <, 250000);
  }
  sqlite3_close (db);
}

/* It may be asked while it works, and ended. */
static void
test_end (StoreFixture *f, gconstpointer data)
{
  sqlite3 *db = open_writer (f);

  for (guint i = 0; i < 50; i++) {
    g_autoptr (RelayCheckpointer) checkpointer = relay_checkpointer_new (f->path);

    run (db, "INSERT INTO t VALUES (randomblob(10000))");
    for (guint n = 0; n < i % 4; n++)
      g_assert_true (relay_checkpointer_request (checkpointer));
  }
  sqlite3_close (db);
}

/* A file that is not there is no reason to make one; it is looked for again with the next request. */
static void
test_missing (StoreFixture *f, gconstpointer data)
{
  g_autoptr (RelayCheckpointer) checkpointer = relay_checkpointer_new (f->path);
  sqlite3 *db;

  g_assert_true (relay_checkpointer_request (checkpointer));
  relay_checkpointer_wait (checkpointer);
  g_assert_false (fixture_exists (f, "relay.db"));

  db = open_writer (f);
  run (db, "INSERT INTO t VALUES (randomblob(100000))");
  g_assert_true (relay_checkpointer_request (checkpointer));
  relay_checkpointer_wait (checkpointer);
  g_assert_cmpuint (get_length (f->path), >=, 100000);
  sqlite3_close (db);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("checkpointer/requests", test_requests);
  FIXTURE_ADD ("checkpointer/end", test_end);
  FIXTURE_ADD ("checkpointer/missing", test_missing);
  return g_test_run ();
}
