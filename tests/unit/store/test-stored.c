/* SPDX-License-Identifier: MIT */
#include "store/stored.h"

#include <string.h>

#include "store/schema.h"

typedef struct {
  sqlite3 *db;
  RelayStored *stored;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (sqlite3_open (":memory:", &f->db), ==, SQLITE_OK);
  g_assert_cmpint (relay_schema_migrate (f->db, 10), ==, SQLITE_OK);
  f->stored = relay_stored_new ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_stored_free (f->stored);
  g_assert_cmpint (sqlite3_close (f->db), ==, SQLITE_OK);
}

static int
read_after (Fixture *f, const char *sql)
{
  char *message = NULL;

  sqlite3_exec (f->db, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
  return relay_stored_read (f->db, f->stored);
}

static void
test_all (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (read_after (f, "INSERT INTO durable VALUES ('a:1', 0), ('b:2', 77);"
                                  "UPDATE sequence SET next = 300, clean = 0;"
                                  "UPDATE meta SET history_id = 'abc', removed = 5, cleared = 4, alive = 99;"
                                  "INSERT INTO types VALUES (1, 'one'), (2, 'two');"
                                  "INSERT INTO events VALUES (20, 3, 1000, 5, NULL, '{}'), (30, 4, 900, 105, NULL, '{}'),"
                                  " (31, 5, 2000, 0, NULL, '{}')"), ==, SQLITE_OK);
  g_assert_cmpuint (g_hash_table_size (f->stored->durable), ==, 2);
  g_assert_cmpint (*(gint64 *) g_hash_table_lookup (f->stored->durable, "a:1"), ==, 0);
  g_assert_cmpint (*(gint64 *) g_hash_table_lookup (f->stored->durable, "b:2"), ==, 77);
  g_assert_cmpuint (f->stored->next, ==, 300);
  g_assert_false (f->stored->is_clean);
  g_assert_true (f->stored->has_history);
  g_assert_cmpstr (f->stored->history_id, ==, "abc");
  g_assert_cmpuint (f->stored->removed, ==, 5);
  g_assert_cmpuint (f->stored->cleared, ==, 4);
  g_assert_cmpint (f->stored->alive_usec, ==, 99);
  g_assert_cmpstr (relay_type_names_get (f->stored->names, 2), ==, "two");
  g_assert_cmpuint (f->stored->first.sequence, ==, 20);
  g_assert_cmpuint (f->stored->first.ordinal, ==, 3);
  g_assert_cmpint (f->stored->first.received_usec, ==, 1000);
  g_assert_cmpint (f->stored->first.stamp_usec, ==, 1005);
  g_assert_cmpuint (f->stored->last.sequence, ==, 31);
  g_assert_cmpuint (f->stored->last.ordinal, ==, 5);

  /* Once more: nothing of before is left. */
  g_assert_cmpint (read_after (f, "DELETE FROM durable; DELETE FROM events; DELETE FROM types"), ==, SQLITE_OK);
  g_assert_cmpuint (g_hash_table_size (f->stored->durable), ==, 0);
  g_assert_cmpuint (f->stored->first.sequence, ==, 0);
  g_assert_cmpuint (f->stored->last.sequence, ==, 0);
  g_assert_null (relay_type_names_get (f->stored->names, 1));
}

/* What is not as it was written is damaged. */
static void
test_damage (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (read_after (f, "INSERT INTO types VALUES (2, 'two')"), ==, SQLITE_CORRUPT);
  g_assert_cmpint (read_after (f, "DELETE FROM types; DELETE FROM meta"), ==, SQLITE_CORRUPT);
  g_assert_cmpint (read_after (f, "INSERT INTO meta VALUES (1, '', zeroblob(16), 0, 0, 0)"), ==, SQLITE_CORRUPT);
  g_assert_cmpint (read_after (f, "UPDATE meta SET history_id = 'x'"), ==, SQLITE_OK);
  g_assert_cmpint (read_after (f, "DELETE FROM sequence"), ==, SQLITE_CORRUPT);
  g_assert_cmpint (read_after (f, "DROP TABLE sequence"), ==, SQLITE_ERROR);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/store/stored/all", Fixture, NULL, set_up, test_all, tear_down);
  g_test_add ("/store/stored/damage", Fixture, NULL, set_up, test_damage, tear_down);
  return g_test_run ();
}
