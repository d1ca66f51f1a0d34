/* SPDX-License-Identifier: MIT */
#include "store/schema.h"

#include "history-fixture.h"
#include "store/stored.h"

/* A file as version 1 left it. */
static void
put_version_1 (StoreFixture *f)
{
  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  fixture_sql (f->path, "PRAGMA journal_mode = WAL;"
                        "CREATE TABLE durable (channel TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"
                        "CREATE TABLE sequence (one INTEGER PRIMARY KEY CHECK (one = 1),"
                        " next INTEGER NOT NULL CHECK (next BETWEEN 1 AND 0x4000000000000000)) STRICT;"
                        "INSERT INTO sequence VALUES (1, 4711);"
                        "INSERT INTO durable VALUES ('project:a'), ('agent:b');"
                        "PRAGMA application_id = 0x50525052; PRAGMA user_version = 1;");
}

static void
test_from_version_1 (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;
  g_autofree char *id = NULL;

  put_version_1 (f);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "agent:b project:a");
  g_assert_cmpint (relay_store_get_covered (store, "agent:b"), ==, -1);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 4711);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 4710);
  g_assert_cmpuint (history_append (store, "p", NULL, 0), ==, 4711);
  id = g_strdup (relay_history_get_id (store));
  g_assert_cmpuint (strlen (id), ==, 32);
  relay_store_free (store);

  store = fixture_open_good (f);
  history_expect (store, (RelayQuery){ 0 }, "4711");
  g_assert_cmpstr (relay_history_get_id (store), ==, id);
  relay_store_free (store);
  g_assert_cmpint (history_sql_int (f, "PRAGMA user_version"), ==, 2);
}

/* A migration that fails half way leaves what was there. */
static void
test_failure (StoreFixture *f, gconstpointer data)
{
  sqlite3 *db = NULL;
  gint64 version = -1;

  put_version_1 (f);
  fixture_sql (f->path, "CREATE TABLE types (x)"); /* in its way, at its end */
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (relay_schema_migrate (db, 1), !=, SQLITE_OK);
  g_assert_cmpint (relay_schema_query_int64 (db, "PRAGMA user_version", &version), ==, SQLITE_OK);
  g_assert_cmpint (version, ==, 1);
  g_assert_cmpint (relay_schema_query_int64 (db, "SELECT count(*) FROM sqlite_schema WHERE name = 'events'", &version), ==, SQLITE_OK);
  g_assert_cmpint (version, ==, 0);
  g_assert_cmpint (relay_schema_query_int64 (db, "SELECT next FROM sequence WHERE one = 2", &version), ==, SQLITE_CORRUPT);
  sqlite3_close (db);
}

/* What is new has its own number to begin with, its own id and key. */
static void
test_new (void)
{
  g_autoptr (RelayStored) one = relay_stored_new (), two = relay_stored_new ();
  RelayStored *stored[] = { one, two };

  for (guint i = 0; i < 2; i++) {
    sqlite3 *db = NULL;

    g_assert_cmpint (sqlite3_open (":memory:", &db), ==, SQLITE_OK);
    g_assert_cmpint (relay_schema_migrate (db, 500), ==, SQLITE_OK);
    g_assert_cmpint (relay_schema_migrate (db, 600), ==, SQLITE_OK); /* nothing to do */
    g_assert_cmpint (relay_stored_read (db, stored[i]), ==, SQLITE_OK);
    g_assert_cmpuint (stored[i]->next, ==, 500);
    g_assert_cmpuint (stored[i]->removed, ==, 499);
    g_assert_true (stored[i]->is_clean);
    sqlite3_close (db);
  }
  g_assert_cmpstr (one->history_id, !=, two->history_id);
  g_assert_true (memcmp (one->key, two->key, sizeof one->key) != 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("schema/from-version-1", test_from_version_1);
  FIXTURE_ADD ("schema/failure", test_failure);
  g_test_add_func ("/store/schema/new", test_new);
  return g_test_run ();
}
