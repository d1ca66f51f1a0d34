/* SPDX-License-Identifier: MIT */
#include "store/checkpointer.h"

#include "store/database.h"

/*
 * Writing back takes two syncs, some milliseconds each, for which no event need wait: SQLite lets it happen beside a
 * writer (PASSIVE), which goes on at the end of the -wal. Only when everything is back in the file at the moment
 * in which the writer begins anew does it begin at the front; to see to that, where it never stops, is the store's
 * business (store.c).
 *
 * The connection writes nothing, and leaves the -wal alone when it closes. A failure is no error: what is committed
 * is in the -wal, and it will be tried again. A connection that failed is opened anew then.
 *
 * What the two threads share is `is_requested` and `is_ending`, under the lock.
 */
struct RelayCheckpointer {
  char *path;
  GThread *thread; /* NULL: not begun */
  GMutex lock;
  GCond changed;
  gboolean is_requested; /* and not yet done */
  gboolean is_ending;
};

static sqlite3 *
open_file (const char *path)
{
  g_autoptr (sqlite3) db = NULL;
  int rc = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

  if (rc != SQLITE_OK || sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
    return NULL;
  /* Only who has read something knows that there is a -wal. */
  if (sqlite3_exec (db, "PRAGMA user_version", NULL, NULL, NULL) != SQLITE_OK)
    return NULL;
  return g_steal_pointer (&db);
}

static void
write_back (const char *path, sqlite3 **db)
{
  if (*db == NULL)
    *db = open_file (path);
  if (*db != NULL && sqlite3_wal_checkpoint_v2 (*db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
    g_clear_pointer (db, sqlite3_close_v2);
}

static gpointer
run (gpointer data)
{
  RelayCheckpointer *self = data;
  g_autoptr (sqlite3) db = NULL;

  g_mutex_lock (&self->lock);
  while (!self->is_ending) {
    if (!self->is_requested) {
      g_cond_wait (&self->changed, &self->lock);
      continue;
    }
    g_mutex_unlock (&self->lock);
    write_back (self->path, &db);
    g_mutex_lock (&self->lock);
    self->is_requested = FALSE;
    g_cond_signal (&self->changed);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

RelayCheckpointer *
relay_checkpointer_new (const char *path)
{
  RelayCheckpointer *self = g_new0 (RelayCheckpointer, 1);

  self->path = g_strdup (path);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  return self;
}

void
relay_checkpointer_free (RelayCheckpointer *self)
{
  if (self == NULL)
    return;
  if (self->thread != NULL) {
    g_mutex_lock (&self->lock);
    self->is_ending = TRUE;
    g_cond_signal (&self->changed);
    g_mutex_unlock (&self->lock);
    g_thread_join (self->thread);
  }
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self->path);
  g_free (self);
}

gboolean
relay_checkpointer_request (RelayCheckpointer *self)
{
  if (self->thread == NULL)
    self->thread = g_thread_try_new ("relay-store", run, self, NULL);
  if (self->thread == NULL)
    return FALSE;
  g_mutex_lock (&self->lock);
  self->is_requested = TRUE;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

gboolean
relay_checkpointer_is_busy (RelayCheckpointer *self)
{
  gboolean is_busy;

  g_mutex_lock (&self->lock);
  is_busy = self->is_requested;
  g_mutex_unlock (&self->lock);
  return is_busy;
}

void
relay_checkpointer_wait (RelayCheckpointer *self)
{
  g_mutex_lock (&self->lock);
  while (self->is_requested)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}
