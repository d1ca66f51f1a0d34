/* SPDX-License-Identifier: MIT */
#include "store/statements.h"

/* Where a table is large, the statement names a bound of its key, so that it is found by it; the unit test asks
 * SQLite. */
static const char *const texts[RELAY_N_STATEMENTS] = {
  [RELAY_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
  [RELAY_STATEMENT_COMMIT] = "COMMIT",
  [RELAY_STATEMENT_ROLLBACK] = "ROLLBACK",
  /* Another one where another connection has written. */
  [RELAY_STATEMENT_DATA_VERSION] = "PRAGMA data_version",

  [RELAY_STATEMENT_SET_DURABLE] = "INSERT OR REPLACE INTO durable VALUES (?1, ?2)",
  [RELAY_STATEMENT_UNSET_DURABLE] = "DELETE FROM durable WHERE channel = ?1",
  [RELAY_STATEMENT_RESERVE] =
    "UPDATE sequence SET next = max(next, ?1) + ?2, clean = 0 WHERE one = 1 RETURNING next",
  [RELAY_STATEMENT_RAISE] = "UPDATE sequence SET next = max(next, ?1), clean = 0 WHERE one = 1",
  [RELAY_STATEMENT_GIVE_BACK] = "UPDATE sequence SET next = ?1, clean = 1 WHERE one = 1 AND next = ?2",
  [RELAY_STATEMENT_SET_META] =
    "UPDATE meta SET history_id = ?1, removed = ?2, cleared = ?3, alive = ?4 WHERE one = 1",

  [RELAY_STATEMENT_ADD_TYPE] = "INSERT INTO types VALUES (?1, ?2)",
  [RELAY_STATEMENT_ADD_EVENT] = "INSERT OR REPLACE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  [RELAY_STATEMENT_ADD_CHAPTER] = "INSERT OR REPLACE INTO chapters VALUES (?1, ?2, ?3, ?4, ?5)",
  [RELAY_STATEMENT_LAST_CHAPTER] =
    "SELECT first, length(types) FROM chapters WHERE first > 0 ORDER BY first DESC LIMIT 1",

  [RELAY_STATEMENT_FIRST_EVENT] =
    "SELECT sequence, ordinal, received, ahead FROM events WHERE sequence > 0 ORDER BY sequence LIMIT 1",
  [RELAY_STATEMENT_LAST_EVENT] =
    "SELECT sequence, ordinal, received, ahead FROM events WHERE sequence > 0 ORDER BY sequence DESC LIMIT 1",
  /* Of the oldest ?2 events, the last one received before ?1. */
  [RELAY_STATEMENT_FIND_EXPIRED] =
    "SELECT max(sequence) FROM"
    " (SELECT sequence, received FROM events WHERE sequence > 0 ORDER BY sequence LIMIT ?2) WHERE received < ?1",
  [RELAY_STATEMENT_REMOVE_EVENTS] = "DELETE FROM events WHERE sequence <= ?1",
  /* Those that end before event ?1. */
  [RELAY_STATEMENT_REMOVE_CHAPTERS] =
    "DELETE FROM chapters WHERE first < (SELECT max(first) FROM chapters WHERE first <= ?1)",
  [RELAY_STATEMENT_REMOVE_ALL_CHAPTERS] = "DELETE FROM chapters WHERE first <= ?1",
  [RELAY_STATEMENT_COUNT_PAGES] = "PRAGMA page_count",
  [RELAY_STATEMENT_COUNT_FREE_PAGES] = "PRAGMA freelist_count",

  [RELAY_STATEMENT_EVENT] = "SELECT sequence, received, body FROM events WHERE sequence = ?1",
  /* Those above ?1 and below ?2. */
  [RELAY_STATEMENT_EVENTS_FORWARD] =
    "SELECT sequence, received, body FROM events WHERE sequence > ?1 AND sequence < ?2 ORDER BY sequence",
  [RELAY_STATEMENT_EVENTS_BACKWARD] =
    "SELECT sequence, received, body FROM events WHERE sequence > ?1 AND sequence < ?2 ORDER BY sequence DESC",
  /* From the one with event ?1 on, or the first one behind it. */
  [RELAY_STATEMENT_CHAPTERS_FORWARD] =
    "SELECT first, types, prps, agents, projects FROM chapters"
    " WHERE first >= (SELECT coalesce(max(first), 0) FROM chapters WHERE first <= ?1) ORDER BY first",
  [RELAY_STATEMENT_CHAPTERS_BACKWARD] =
    "SELECT first, types, prps, agents, projects FROM chapters WHERE first < ?1 ORDER BY first DESC",
  [RELAY_STATEMENT_STAMP] =
    "SELECT sequence, received + ahead FROM events WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
  [RELAY_STATEMENT_IDS] = "SELECT sequence, id FROM events WHERE sequence < ?1 ORDER BY sequence DESC",
};

const char *
relay_statement_get_sql (RelayStatement which)
{
  g_assert (which < RELAY_N_STATEMENTS);
  return texts[which];
}

int
relay_statements_prepare (RelayStatements *self, sqlite3 *db)
{
  int rc = SQLITE_OK;

  for (guint i = 0; i < RELAY_N_STATEMENTS && rc == SQLITE_OK; i++)
    rc = sqlite3_prepare_v3 (db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &self->prepared[i], NULL);
  return rc;
}

void
relay_statements_clear (RelayStatements *self)
{
  for (guint i = 0; i < RELAY_N_STATEMENTS; i++)
    g_clear_pointer (&self->prepared[i], sqlite3_finalize);
}

sqlite3_stmt *
relay_statement_begin (RelayStatements *self, RelayStatement which)
{
  return self->prepared[which];
}

int
relay_statement_end (sqlite3_stmt *statement, int rc)
{
  sqlite3_reset (statement);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int
relay_statement_run (RelayStatements *self, RelayStatement which, const gint64 *values, guint n_values,
                     gint64 *ret_value)
{
  sqlite3_stmt *statement = relay_statement_begin (self, which);
  gboolean is_first = TRUE;
  int rc;

  for (guint i = 0; i < n_values; i++)
    sqlite3_bind_int64 (statement, (int) i + 1, values[i]);
  while ((rc = sqlite3_step (statement)) == SQLITE_ROW) {
    if (ret_value != NULL && is_first)
      *ret_value = sqlite3_column_int64 (statement, 0);
    is_first = FALSE;
  }
  return relay_statement_end (statement, rc);
}
