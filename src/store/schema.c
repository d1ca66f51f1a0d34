/* SPDX-License-Identifier: MIT */
#include "store/schema.h"

#include "store/store.h"

/* Each migration brings the schema from version N to N + 1; they stand in the order of N, and none is ever
 * changed once it was released. */
typedef int (*Migration) (sqlite3 *db, gint64 first_sequence);

static int
make_version_1 (sqlite3 *db, gint64 first_sequence)
{
  char sql[512];

  g_snprintf (sql, sizeof sql,
              "CREATE TABLE durable (channel TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"
              /* Numbers below `next` may have been given out. */
              "CREATE TABLE sequence (one INTEGER PRIMARY KEY CHECK (one = 1),"
              " next INTEGER NOT NULL CHECK (next BETWEEN 1 AND 0x4000000000000000)) STRICT;"
              "INSERT INTO sequence VALUES (1, %" G_GINT64_FORMAT ");",
              first_sequence);
  return sqlite3_exec (db, sql, NULL, NULL, NULL);
}

static int
make_version_2 (sqlite3 *db, gint64 first_sequence)
{
  static const char sql[] =
    /* wire/coverage.h */
    "ALTER TABLE durable ADD COLUMN covered INTEGER NOT NULL DEFAULT -1;"
    /* 0 from the first number that is given out until a clean end: who finds it cannot tell from `next` what
     * was given out, as the file may have taken nothing any more. */
    "ALTER TABLE sequence ADD COLUMN clean INTEGER NOT NULL DEFAULT 1;"
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " history_id TEXT NOT NULL,"
    " key BLOB NOT NULL CHECK (length(key) = 16)," /* under which ids are hashed */
    " removed INTEGER NOT NULL,"                   /* up to this number, the history is not complete */
    " cleared INTEGER NOT NULL,"                   /* up to this number, it was forgotten */
    " alive INTEGER NOT NULL) STRICT;"             /* last proof of life of a connection, µs */
    "INSERT INTO meta SELECT 1, lower(hex(randomblob(16))), randomblob(16), next - 1, 0, 0 FROM sequence;"
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY,"
    " ordinal INTEGER NOT NULL,"   /* one more than that of the event before: so there is no need to count */
    " received INTEGER NOT NULL,"  /* µs; it falls where the clock was set back, and … */
    " ahead INTEGER NOT NULL,"     /* … received + ahead never does, so a time can be searched for by halving */
    " id BLOB,"                    /* hash of the message's id; NULL where it has none */
    " body TEXT NOT NULL) STRICT;" /* the message, as it came; last, as what is before it is read without it */
    /* store/chapter.h */
    "CREATE TABLE chapters (first INTEGER PRIMARY KEY,"
    " types BLOB NOT NULL, prps BLOB, agents BLOB, projects BLOB) STRICT;"
    "CREATE TABLE types (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;";

  return sqlite3_exec (db, sql, NULL, NULL, NULL);
}

static const Migration migrations[] = { make_version_1, make_version_2 };

G_STATIC_ASSERT (G_N_ELEMENTS (migrations) == RELAY_STORE_SCHEMA_VERSION);

int
relay_schema_query_int64 (sqlite3 *db, const char *sql, gint64 *ret_value)
{
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);

  if (rc == SQLITE_OK)
    rc = sqlite3_step (statement);
  if (rc == SQLITE_ROW) {
    *ret_value = sqlite3_column_int64 (statement, 0);
    rc = SQLITE_OK;
  } else if (rc == SQLITE_DONE) {
    rc = SQLITE_CORRUPT;
  }
  sqlite3_finalize (statement);
  return rc;
}

int
relay_schema_migrate (sqlite3 *db, gint64 first_sequence)
{
  char sql[128];
  gint64 version = 0;
  int rc = sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  /* Read within the transaction: another process may have been faster. */
  if (rc == SQLITE_OK)
    rc = relay_schema_query_int64 (db, "PRAGMA user_version", &version);
  for (; rc == SQLITE_OK && version < RELAY_STORE_SCHEMA_VERSION; version++)
    rc = migrations[version](db, first_sequence);

  g_snprintf (sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
              RELAY_SCHEMA_APPLICATION_ID, RELAY_STORE_SCHEMA_VERSION);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (db, sql, NULL, NULL, NULL);
  if (!sqlite3_get_autocommit (db))
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return rc;
}
