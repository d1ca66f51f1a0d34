/* SPDX-License-Identifier: MIT */
#include "store/statements.h"

#include <string.h>

#include "store/schema.h"

typedef struct {
  sqlite3 *db;
  RelayStatements statements;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (sqlite3_open (":memory:", &f->db), ==, SQLITE_OK);
  g_assert_cmpint (relay_schema_migrate (f->db, 1), ==, SQLITE_OK);
  g_assert_cmpint (relay_statements_prepare (&f->statements, f->db), ==, SQLITE_OK);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_statements_clear (&f->statements);
  relay_statements_clear (&f->statements); /* harmless */
  g_assert_cmpint (sqlite3_close (f->db), ==, SQLITE_OK);
}

/* Whatever grows is only ever entered by its key; nothing is sorted. */
static void
test_plans (Fixture *f, gconstpointer data)
{
  guint n_searches = 0;

  for (guint i = 0; i < RELAY_N_STATEMENTS; i++) {
    g_autofree char *sql = g_strconcat ("EXPLAIN QUERY PLAN ", relay_statement_get_sql (i), NULL);
    sqlite3_stmt *statement = NULL;

    if (g_str_has_prefix (relay_statement_get_sql (i), "PRAGMA"))
      continue;
    g_assert_cmpint (sqlite3_prepare_v2 (f->db, sql, -1, &statement, NULL), ==, SQLITE_OK);
    while (sqlite3_step (statement) == SQLITE_ROW) {
      const char *detail = (const char *) sqlite3_column_text (statement, 3);
      gboolean is_search = g_pattern_match_simple ("SEARCH *USING *PRIMARY KEY *", detail);

      /* What a subquery found is gone through: it is bounded. */
      if (!is_search && strstr (detail, "(subquery-") == NULL && !g_str_has_prefix (detail, "SCALAR SUBQUERY") &&
          !g_str_has_prefix (detail, "CO-ROUTINE"))
        g_error ("%s: %s", relay_statement_get_sql (i), detail);
      n_searches += is_search;
    }
    sqlite3_finalize (statement);
  }
  g_assert_cmpuint (n_searches, >, 15);
}

static void
test_run (Fixture *f, gconstpointer data)
{
  const gint64 values[] = { 100, 50 };
  gint64 value = -1;

  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_RESERVE, values, 2, &value), ==, SQLITE_OK);
  g_assert_cmpint (value, ==, 150);
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_RESERVE, values, 2, NULL), ==, SQLITE_OK);
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_RESERVE, values, 2, &value), ==, SQLITE_OK);
  g_assert_cmpint (value, ==, 250);

  value = -1;
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_FIRST_EVENT, NULL, 0, &value), ==, SQLITE_OK);
  g_assert_cmpint (value, ==, -1); /* there is none */

  /* An error is handed over, and the statement can be used again. */
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_COMMIT, NULL, 0, NULL), ==, SQLITE_ERROR);
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_BEGIN, NULL, 0, NULL), ==, SQLITE_OK);
  g_assert_cmpint (relay_statement_run (&f->statements, RELAY_STATEMENT_COMMIT, NULL, 0, NULL), ==, SQLITE_OK);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/store/statements/plans", Fixture, NULL, set_up, test_plans, tear_down);
  g_test_add ("/store/statements/run", Fixture, NULL, set_up, test_run, tear_down);
  return g_test_run ();
}
