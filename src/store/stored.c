/* SPDX-License-Identifier: MIT */
#include "store/stored.h"

#include <string.h>

#include "store/schema.h"
#include "store/statements.h"

GHashTable *
relay_durable_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, (GDestroyNotify) g_ref_string_release, g_free);
}

void
relay_durable_set (GHashTable *durable, const char *channel, gint64 covered_usec)
{
  g_hash_table_replace (durable, g_ref_string_new (channel), g_memdup2 (&covered_usec, sizeof covered_usec));
}

RelayStored *
relay_stored_new (void)
{
  RelayStored *self = g_new0 (RelayStored, 1);

  self->durable = relay_durable_new ();
  self->names = relay_type_names_new ();
  return self;
}

void
relay_stored_free (RelayStored *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->durable);
  relay_type_names_free (self->names);
  g_free (self);
}

/* Each row is handed to @row, which returns FALSE for one that cannot be. */
static int
read_rows (sqlite3 *db, const char *sql, gboolean (*row) (RelayStored *self, sqlite3_stmt *statement),
           RelayStored *self)
{
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);

  while (rc == SQLITE_OK && (rc = sqlite3_step (statement)) == SQLITE_ROW)
    rc = row (self, statement) ? SQLITE_OK : SQLITE_CORRUPT;
  sqlite3_finalize (statement);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static gboolean
read_durable (RelayStored *self, sqlite3_stmt *statement)
{
  const char *channel = (const char *) sqlite3_column_text (statement, 0);

  if (channel == NULL)
    return FALSE;
  relay_durable_set (self->durable, channel, sqlite3_column_int64 (statement, 1));
  return TRUE;
}

static gboolean
read_sequence (RelayStored *self, sqlite3_stmt *statement)
{
  self->next = (guint64) sqlite3_column_int64 (statement, 0);
  self->is_clean = sqlite3_column_int (statement, 1) != 0;
  return TRUE;
}

static gboolean
read_meta (RelayStored *self, sqlite3_stmt *statement)
{
  const char *id = (const char *) sqlite3_column_text (statement, 0);
  const void *key = sqlite3_column_blob (statement, 1);

  if (id == NULL || *id == '\0' || strlen (id) > RELAY_STORED_MAX_ID_BYTES ||
      sqlite3_column_bytes (statement, 1) != (int) sizeof self->key)
    return FALSE;
  g_strlcpy (self->history_id, id, sizeof self->history_id);
  memcpy (self->key, key, sizeof self->key);
  self->removed = (guint64) MAX (sqlite3_column_int64 (statement, 2), 0);
  self->cleared = (guint64) MAX (sqlite3_column_int64 (statement, 3), 0);
  self->alive_usec = sqlite3_column_int64 (statement, 4);
  return TRUE;
}

static gboolean
read_type (RelayStored *self, sqlite3_stmt *statement)
{
  const char *name = (const char *) sqlite3_column_text (statement, 1);

  return name != NULL && relay_type_names_load (self->names, sqlite3_column_int64 (statement, 0), name,
                                                (gsize) sqlite3_column_bytes (statement, 1));
}

static void
read_event (RelayStoredEvent *event, sqlite3_stmt *statement)
{
  event->sequence = (guint64) sqlite3_column_int64 (statement, 0);
  event->ordinal = (guint64) sqlite3_column_int64 (statement, 1);
  event->received_usec = sqlite3_column_int64 (statement, 2);
  event->stamp_usec = event->received_usec + sqlite3_column_int64 (statement, 3);
}

static gboolean
read_first (RelayStored *self, sqlite3_stmt *statement)
{
  read_event (&self->first, statement);
  return TRUE;
}

static gboolean
read_last (RelayStored *self, sqlite3_stmt *statement)
{
  read_event (&self->last, statement);
  return TRUE;
}

static int
read_history (RelayStored *self, sqlite3 *db)
{
  static const char meta[] = "SELECT history_id, key, removed, cleared, alive FROM meta WHERE one = 1";
  int rc = read_rows (db, meta, read_meta, self);

  if (rc == SQLITE_OK)
    rc = read_rows (db, "SELECT number, name FROM types ORDER BY number", read_type, self);
  if (rc == SQLITE_OK)
    rc = read_rows (db, relay_statement_get_sql (RELAY_STATEMENT_FIRST_EVENT), read_first, self);
  if (rc == SQLITE_OK)
    rc = read_rows (db, relay_statement_get_sql (RELAY_STATEMENT_LAST_EVENT), read_last, self);
  if (rc == SQLITE_OK && self->history_id[0] == '\0')
    rc = SQLITE_CORRUPT;
  self->has_history = TRUE;
  return rc;
}

static void
empty (RelayStored *self)
{
  RelayStored emptied = { .durable = self->durable, .names = relay_type_names_new () };

  g_hash_table_remove_all (self->durable);
  relay_type_names_free (self->names);
  *self = emptied;
}

int
relay_stored_read (sqlite3 *db, gpointer user_data)
{
  RelayStored *self = user_data;
  static const char durable[] = "SELECT channel, covered FROM durable";
  static const char durable_1[] = "SELECT channel, -1 FROM durable"; /* in version 1 */
  static const char sequence[] = "SELECT next, clean FROM sequence WHERE one = 1";
  static const char sequence_1[] = "SELECT next, 0 FROM sequence WHERE one = 1";
  gint64 version = 0;
  int rc = relay_schema_query_int64 (db, "PRAGMA user_version", &version);

  empty (self);
  if (rc == SQLITE_OK)
    rc = read_rows (db, version == 1 ? durable_1 : durable, read_durable, self);
  if (rc == SQLITE_OK)
    rc = read_rows (db, version == 1 ? sequence_1 : sequence, read_sequence, self);
  if (rc == SQLITE_OK && self->next == 0)
    rc = SQLITE_CORRUPT;
  return rc == SQLITE_OK && version > 1 ? read_history (self, db) : rc;
}
