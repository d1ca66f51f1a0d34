/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <string.h>

#include "common/error.h"
#include "common/names.h"
#include "store/database.h"

/*
 * What is durable is held in memory, and the file follows: a change is noted and written by the next commit. Until
 * the file has taken it, it stays noted; so a full disk or a lock delays what is stored, and loses nothing while
 * the relay runs. The notes are names, at most one a channel: whether it is durable is looked up when it is
 * written. Should the file turn out to be damaged while it is in use, it is set aside like one that is found
 * damaged, and the new one gets all.
 *
 * Numbers are reserved in blocks: `next` in the file is above every number that may have been given out, and is
 * written and synced before the first number of a block is. A clean end gives the rest of the block back, unless
 * somebody else has reserved since. Who is killed leaves a gap, which is allowed, and never a number that comes
 * twice.
 */

typedef enum {
  STATEMENT_BEGIN,
  STATEMENT_COMMIT,
  STATEMENT_ROLLBACK,
  STATEMENT_ADD,
  STATEMENT_REMOVE,
  STATEMENT_RESERVE,
  STATEMENT_RAISE,
  STATEMENT_GIVE_BACK,
  N_STATEMENTS,
} Statement;

static const char *const statements[N_STATEMENTS] = {
  [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
  [STATEMENT_COMMIT] = "COMMIT",
  [STATEMENT_ROLLBACK] = "ROLLBACK",
  [STATEMENT_ADD] = "INSERT OR IGNORE INTO durable VALUES (?1)",
  [STATEMENT_REMOVE] = "DELETE FROM durable WHERE channel = ?1",
  [STATEMENT_RESERVE] = "UPDATE sequence SET next = max(next, ?1) + ?2 RETURNING next",
  [STATEMENT_RAISE] = "UPDATE sequence SET next = max(next, ?1)",
  [STATEMENT_GIVE_BACK] = "UPDATE sequence SET next = ?1 WHERE next = ?2",
};

struct RelayStore {
  char *directory;
  sqlite3 *db;
  sqlite3_stmt *statements[N_STATEMENTS];
  gboolean is_persistent;

  GHashTable *durable; /* set of names */
  GHashTable *noted;   /* set of names whose row is to be written */

  guint64 next_sequence;
  guint64 end_sequence;     /* behind the last number of the block */
  gboolean is_block_noted;  /* the file does not know of the block yet */

  gboolean is_dirty; /* and `dirty` was called */
  RelayStoreDirty dirty;
  gpointer dirty_data;
};

/* ---- the database ---- */

static void
set_io_error (RelayStore *self, GError **error)
{
  g_autofree char *reason = relay_database_explain (self->db);

  g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, "%s/%s cannot be written: %s", self->directory,
               RELAY_STORE_FILE, reason);
}

/* Runs a statement to its end. *ret_value: the first column of its first row, if it has one. */
static int
run (RelayStore *self, Statement which, gint64 *ret_value)
{
  sqlite3_stmt *statement = self->statements[which];
  int rc;

  while ((rc = sqlite3_step (statement)) == SQLITE_ROW)
    if (ret_value != NULL)
      *ret_value = sqlite3_column_int64 (statement, 0);
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
run_with_name (RelayStore *self, Statement which, const char *name)
{
  int rc = sqlite3_bind_text (self->statements[which], 1, name, -1, SQLITE_STATIC);

  return rc == SQLITE_OK ? run (self, which, NULL) : rc;
}

static int
run_with_numbers (RelayStore *self, Statement which, guint64 first, guint64 second, gint64 *ret_value)
{
  sqlite3_bind_int64 (self->statements[which], 1, (gint64) first);
  if (sqlite3_bind_parameter_count (self->statements[which]) > 1)
    sqlite3_bind_int64 (self->statements[which], 2, (gint64) second);
  return run (self, which, ret_value);
}

static void
close_database (RelayStore *self)
{
  for (guint i = 0; i < N_STATEMENTS; i++)
    g_clear_pointer (&self->statements[i], sqlite3_finalize);
  g_clear_pointer (&self->db, sqlite3_close_v2);
}

/* Never fails: there is a database in memory at worst. */
static void
open_database (RelayStore *self, const char *damage, RelayDatabaseRead read, char **ret_warning)
{
  self->db = relay_database_open (self->directory, damage, read, self, &self->is_persistent, ret_warning);
  for (guint i = 0; i < N_STATEMENTS; i++)
    if (sqlite3_prepare_v3 (self->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) !=
        SQLITE_OK)
      g_error ("%s: %s", statements[i], sqlite3_errmsg (self->db));
}

/* ---- what is noted ---- */

static void
make_dirty (RelayStore *self)
{
  if (self->is_dirty)
    return;
  self->is_dirty = TRUE;
  if (self->dirty != NULL)
    self->dirty (self->dirty_data);
}

static int
write_noted (RelayStore *self)
{
  GHashTableIter iter;
  gpointer name;
  int rc = run (self, STATEMENT_BEGIN, NULL);

  g_hash_table_iter_init (&iter, self->noted);
  while (rc == SQLITE_OK && g_hash_table_iter_next (&iter, &name, NULL)) {
    gboolean is_durable = g_hash_table_contains (self->durable, name);

    rc = run_with_name (self, is_durable ? STATEMENT_ADD : STATEMENT_REMOVE, name);
  }
  if (rc == SQLITE_OK && self->is_block_noted)
    rc = run_with_numbers (self, STATEMENT_RAISE, self->end_sequence, 0, NULL);
  if (rc == SQLITE_OK)
    rc = run (self, STATEMENT_COMMIT, NULL);
  return rc;
}

static void
roll_back (RelayStore *self)
{
  /* Of some errors SQLite has rolled back by itself. */
  if (!sqlite3_get_autocommit (self->db))
    run (self, STATEMENT_ROLLBACK, NULL);
}

/* The file is damaged: begins another one, and notes everything for it. */
static void
begin_anew (RelayStore *self, GError **error)
{
  g_autofree char *reason = relay_database_explain (self->db);
  g_autofree char *warning = NULL;
  GHashTableIter iter;
  gpointer name;

  close_database (self);
  open_database (self, reason, NULL, &warning);

  g_hash_table_iter_init (&iter, self->durable);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (self->noted, g_ref_string_acquire (name));
  self->is_block_noted = TRUE;
  g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_IO, warning);
}

gboolean
relay_store_commit (RelayStore *self, GError **error)
{
  int rc;

  self->is_dirty = FALSE;
  if (g_hash_table_size (self->noted) == 0 && !self->is_block_noted)
    return TRUE;

  rc = write_noted (self);
  if (rc == SQLITE_OK) {
    g_hash_table_remove_all (self->noted);
    self->is_block_noted = FALSE;
    return TRUE;
  }
  if (relay_database_is_damage (rc)) {
    begin_anew (self, error);
  } else {
    set_io_error (self, error);
    roll_back (self);
  }
  return FALSE;
}

void
relay_store_set_dirty (RelayStore *self, RelayStoreDirty dirty, gpointer user_data)
{
  self->dirty = dirty;
  self->dirty_data = user_data;
}

/* ---- durable subscriptions ---- */

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char **
relay_store_list_durable (RelayStore *self)
{
  GPtrArray *names = g_ptr_array_sized_new (g_hash_table_size (self->durable) + 1);
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, self->durable);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

void
relay_store_set_durable (RelayStore *self, const char *channel, gboolean durable)
{
  g_autoptr (GRefString) name = g_ref_string_new (channel);

  if (durable == g_hash_table_contains (self->durable, name))
    return;

  if (durable)
    g_hash_table_add (self->durable, g_ref_string_acquire (name));
  else
    g_hash_table_remove (self->durable, name);
  g_hash_table_add (self->noted, g_ref_string_acquire (name));
  make_dirty (self);
}

static int
load_durable (RelayStore *self, sqlite3 *db)
{
  g_autoptr (sqlite3_stmt) select = NULL;
  int rc = sqlite3_prepare_v2 (db, "SELECT channel FROM durable", -1, &select, NULL);

  if (rc != SQLITE_OK)
    return rc;
  while ((rc = sqlite3_step (select)) == SQLITE_ROW) {
    const char *name = (const char *) sqlite3_column_text (select, 0);

    if (name == NULL)
      return SQLITE_NOMEM;
    g_hash_table_add (self->durable, g_ref_string_new (name));
  }
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
load_sequence (RelayStore *self, sqlite3 *db)
{
  g_autoptr (sqlite3_stmt) select = NULL;
  int rc = sqlite3_prepare_v2 (db, "SELECT next FROM sequence WHERE next > 0", -1, &select, NULL);

  if (rc != SQLITE_OK)
    return rc;
  if ((rc = sqlite3_step (select)) != SQLITE_ROW)
    return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
  self->next_sequence = self->end_sequence = (guint64) sqlite3_column_int64 (select, 0);
  return SQLITE_OK;
}

/* RelayDatabaseRead */
static int
load (sqlite3 *db, gpointer user_data)
{
  RelayStore *self = user_data;
  int rc;

  g_hash_table_remove_all (self->durable);
  rc = load_durable (self, db);
  return rc == SQLITE_OK ? load_sequence (self, db) : rc;
}

/* ---- numbers ---- */

static void
reserve (RelayStore *self)
{
  gint64 end = 0;
  int rc = run_with_numbers (self, STATEMENT_RESERVE, self->end_sequence, RELAY_STORE_SEQUENCE_BLOCK, &end);

  if (rc == SQLITE_OK && end > RELAY_STORE_SEQUENCE_BLOCK) {
    self->end_sequence = (guint64) end;
    self->next_sequence = self->end_sequence - RELAY_STORE_SEQUENCE_BLOCK;
    self->is_block_noted = FALSE;
    return;
  }
  /* Nothing is worth losing an event. The block is written with the next commit, if that can be. */
  roll_back (self);
  self->end_sequence += RELAY_STORE_SEQUENCE_BLOCK;
  self->is_block_noted = TRUE;
  make_dirty (self);
}

guint64
relay_store_next_sequence (RelayStore *self)
{
  if (self->next_sequence == self->end_sequence)
    reserve (self);
  return self->next_sequence++;
}

/* ---- beginning and end ---- */

RelayStore *
relay_store_open (const char *directory, char **ret_warning)
{
  RelayStore *self = g_new0 (RelayStore, 1);

  self->directory = g_strdup (directory);
  self->durable = g_hash_table_new_full (g_str_hash, g_str_equal, (GDestroyNotify) g_ref_string_release, NULL);
  self->noted = g_hash_table_new_full (g_str_hash, g_str_equal, (GDestroyNotify) g_ref_string_release, NULL);
  open_database (self, NULL, load, ret_warning);
  return self;
}

void
relay_store_free (RelayStore *self)
{
  if (self == NULL)
    return;

  /* A second time, should the first have found a damaged file and begun another one. */
  if (!relay_store_commit (self, NULL))
    relay_store_commit (self, NULL);
  if (self->next_sequence < self->end_sequence)
    run_with_numbers (self, STATEMENT_GIVE_BACK, self->next_sequence, self->end_sequence, NULL);
  close_database (self);
  g_hash_table_unref (self->durable);
  g_hash_table_unref (self->noted);
  g_free (self->directory);
  g_free (self);
}

gboolean
relay_store_is_persistent (RelayStore *self)
{
  return self->is_persistent;
}
