/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/names.h"
#include "store/store-private.h"

/*
 * What is known is held in memory, and the file follows: a change is noted and written by the next commit. Until
 * the file has taken it, it stays noted; so a full disk or a lock delays what is stored, and loses nothing while
 * the relay runs. The notes are names, at most one a channel: whether it is durable is looked up when it is
 * written. Of the history, what waits is bounded (history.h).
 *
 * There are three states: the file can be written; it can only be read; there is none. In the last two every
 * commit tries to open it again, and when that succeeds the memory goes on with the file: what it holds is merged
 * with what is noted (take_over). That is also how it begins. Should the file turn out to be damaged while it is
 * in use, it is set aside like one that is found damaged; should it be gone, or another one be in its place, that
 * one is opened. Both lead to take_over as well, with all of memory noted.
 *
 * Numbers are reserved in blocks: `next` in the file is above every number that may have been given out, and is
 * written and synced before the first number of a block is. A clean end gives the rest of the block back, unless
 * somebody else has reserved since. Who is killed leaves a gap, which is allowed, and never a number that comes
 * twice. There is one hole in that: a block that could not be written (the disk was full) before the relay was
 * killed. Nothing in the file can tell of it then. So a file whose last user reserved numbers and did not end
 * cleanly is taken for such a one, and numbers go on from the clock's µs, which is above anything given before: no
 * relay gives out a million numbers in a second.
 *
 * Commits of events are not synced (synchronous=NORMAL): a kill loses nothing of them, a power cut the last
 * moments. Those of durable subscriptions and numbers are (FULL), and all that was written before them with them.
 * SQLite takes the setting from one transaction to the next.
 *
 * The -wal is written back into the file (a checkpoint) by a thread, whenever it has grown by CHECKPOINT_FRAMES, so
 * that no event waits for the syncs of that. When it has taken everything, and nothing was written meanwhile, the next
 * commit begins at the front again. While one event follows upon the other that never comes to pass: so a -wal of
 * MAX_WAL_FRAMES is written back within a commit, which then has not much left to do. It stays as long as it was.
 */
#define CHECKPOINT_FRAMES 500 /* pages of 4 KiB in the -wal; these take a few ms on an SSD */
#define MAX_WAL_FRAMES 2000   /* after a kill they are all read: some 10 ms */

/* Between looks whether the file is still in its place. */
#define LOOK_USEC G_USEC_PER_SEC

/* ---- the database ---- */

/* Binds a name and perhaps a number, and runs the statement to its end. */
static int
run_with_name (RelayStore *self, RelayStatement which, const char *name, const gint64 *number)
{
  sqlite3_stmt *statement = relay_statement_begin (&self->statements, which);

  sqlite3_bind_text (statement, 1, name, -1, SQLITE_STATIC);
  if (number != NULL)
    sqlite3_bind_int64 (statement, 2, *number);
  return relay_statement_end (statement, sqlite3_step (statement));
}

static int
run_with_numbers (RelayStore *self, RelayStatement which, guint64 first, guint64 second, gint64 *ret_value)
{
  const gint64 values[] = { (gint64) first, (gint64) second };

  return relay_statement_run (&self->statements, which, values, which == RELAY_STATEMENT_RAISE ? 1 : 2, ret_value);
}

static int
run (RelayStore *self, RelayStatement which)
{
  return relay_statement_run (&self->statements, which, NULL, 0, NULL);
}

/* The -wal begins at its front. */
static void
reset_checkpoints (RelayStore *self)
{
  self->checkpoint_frames = CHECKPOINT_FRAMES;
  self->full_frames = MAX_WAL_FRAMES;
}

static int
on_wal_grown (void *user_data, sqlite3 *db, const char *name, int n_frames)
{
  RelayStore *self = user_data;

  if (n_frames < self->n_wal_frames)
    reset_checkpoints (self);
  self->n_wal_frames = n_frames;
  return SQLITE_OK;
}

/* Merges the durable subscriptions of the file with those in memory: a change that is noted is newer. Of the
 * rest the file may lack some, where it is a new one. */
static void
merge_durable (RelayStore *self, const RelayStored *stored)
{
  GHashTableIter iter;
  gpointer name, covered;

  g_hash_table_iter_init (&iter, self->durable);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (!g_hash_table_contains (stored->durable, name))
      g_hash_table_add (self->noted, g_ref_string_acquire (name));
  g_hash_table_iter_init (&iter, stored->durable);
  while (g_hash_table_iter_next (&iter, &name, &covered))
    if (!g_hash_table_contains (self->noted, name))
      relay_durable_set (self->durable, name, *(gint64 *) covered);
}

static void
merge_sequence (RelayStore *self, const RelayStored *stored)
{
  gboolean is_running = self->next_sequence != 0;
  guint64 next = stored->next;

  /* The same file again, with our own block. */
  if (is_running && stored->next == self->file_sequence)
    return;
  /* Nothing else can tell what the last run gave out. */
  if (!stored->is_clean || !self->file.is_writable)
    next = MAX (next, (guint64) g_get_real_time ());
  self->file_sequence = stored->next;
  self->is_file_clean = stored->is_clean;
  if (self->next_sequence < next)
    self->next_sequence = self->end_sequence = next;
  self->is_block_noted = is_running && self->next_sequence > stored->next;
}

/* Goes on with what was opened. */
static void
take_over (RelayStore *self, RelayStored *stored)
{
  if (self->file.db != NULL) {
    merge_durable (self, stored);
    merge_sequence (self, stored);
    self->alive_usec = MAX (self->alive_usec, stored->alive_usec);
    self->written_alive_usec = stored->alive_usec;
    self->written_removed = stored->removed;
  } else if (self->next_sequence == 0) {
    self->next_sequence = self->end_sequence = (guint64) g_get_real_time ();
  }
  if (self->file.db != NULL && stored->has_history)
    relay_history_take_over (self, stored);
  else
    relay_history_lose (self);
}

static void
close_database (RelayStore *self, gboolean keep)
{
  relay_statements_clear (&self->statements);
  g_clear_pointer (&self->checkpointer, relay_checkpointer_free);
  relay_database_clear (&self->file, self->directory, keep);
}

/* A transaction that carries what must not be lost is synced. */
static int
set_synced (RelayStore *self, gboolean synced)
{
  const char *sql = synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
  int rc;

  if (self->is_synced == synced)
    return SQLITE_OK;
  rc = sqlite3_exec (self->file.db, sql, NULL, NULL, NULL);
  if (rc == SQLITE_OK)
    self->is_synced = synced;
  return rc;
}

/* What was opened, made ready for use. It may be lost again by that. */
static void
prepare_database (RelayStore *self)
{
  int rc = relay_statements_prepare (&self->statements, self->file.db);

  self->is_synced = TRUE; /* as it was opened */
  self->n_wal_frames = 0;
  reset_checkpoints (self);
  if (rc == SQLITE_OK && self->file.is_writable)
    rc = relay_statement_run (&self->statements, RELAY_STATEMENT_DATA_VERSION, NULL, 0, &self->data_version);
  if (rc != SQLITE_OK) {
    RelayTrouble *trouble = relay_database_make_trouble (self->file.db, rc, self->directory);

    close_database (self, TRUE);
    self->file.trouble = trouble;
    return;
  }
  self->checkpointer = relay_checkpointer_new (sqlite3_db_filename (self->file.db, "main"));
  sqlite3_wal_hook (self->file.db, on_wal_grown, self);
  sqlite3_busy_timeout (self->file.db, RELAY_STORE_COMMIT_TIMEOUT_MSEC);
}

/* Opens the file, also again. */
static void
open_database (RelayStore *self, guint wait_msec)
{
  g_autoptr (RelayStored) stored = relay_stored_new ();
  g_autofree char *damage = g_steal_pointer (&self->damage);

  /* What was damaged is not what is there now. */
  if (damage != NULL && !relay_database_is_in_place (&self->file, self->directory))
    g_clear_pointer (&damage, g_free);
  close_database (self, damage != NULL);
  relay_database_open (&self->file, self->directory, damage, wait_msec, relay_stored_read, stored);
  if (self->file.notice != NULL) {
    relay_trouble_free (self->notice);
    self->notice = g_steal_pointer (&self->file.notice);
  }
  /* A file of an older version that cannot be brought to the present one holds no history; the rest was read. */
  if (self->file.db != NULL && stored->has_history)
    prepare_database (self);
  take_over (self, stored);
  if (self->file.db != NULL && !stored->has_history) {
    sqlite3_close_v2 (self->file.db);
    self->file.db = NULL;
  }
  self->looked_usec = g_get_monotonic_time ();
}

/* ---- commits ---- */

void
relay_store_make_dirty (RelayStore *self)
{
  if (self->is_dirty)
    return;
  self->is_dirty = TRUE;
  if (self->dirty != NULL)
    self->dirty (self->dirty_data);
}

void
relay_store_note_damage (RelayStore *self, int rc)
{
  if (!relay_database_is_damage (rc) || !self->file.is_writable || self->damage != NULL)
    return;
  self->damage = relay_database_explain (self->file.db);
  relay_store_make_dirty (self);
}

void
relay_store_set_error (RelayStore *self, int rc, const char *done, GError **error)
{
  sqlite3 *db = self->file.db;
  g_autofree char *reason = db != NULL ? relay_database_explain (db) : g_strdup (sqlite3_errstr (rc));

  g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, "%s/" RELAY_STORE_FILE " cannot be %s: %s",
               self->directory, done, reason);
}

/* For so long, or the file says a time that has not come yet: the clock was set back. */
static gboolean
is_alive_older (RelayStore *self, gint64 age_usec)
{
  return self->alive_usec < self->written_alive_usec ||
         (self->alive_usec != self->written_alive_usec &&
          g_get_monotonic_time () - self->alive_written_usec >= age_usec);
}

static gboolean
is_alive_due (RelayStore *self)
{
  return is_alive_older (self, RELAY_STORE_ALIVE_USEC);
}

static gboolean
is_due (RelayStore *self)
{
  return !self->file.is_writable || self->damage != NULL || g_hash_table_size (self->noted) > 0 ||
         self->is_block_noted || relay_history_is_due (self) || is_alive_due (self);
}

static int
write_noted (RelayStore *self)
{
  GHashTableIter iter;
  gpointer name;
  int rc = SQLITE_OK;

  g_hash_table_iter_init (&iter, self->noted);
  while (rc == SQLITE_OK && g_hash_table_iter_next (&iter, &name, NULL)) {
    const gint64 *covered = g_hash_table_lookup (self->durable, name); /* NULL: is not durable */
    RelayStatement which = covered != NULL ? RELAY_STATEMENT_SET_DURABLE : RELAY_STATEMENT_UNSET_DURABLE;

    rc = run_with_name (self, which, name, covered);
  }
  if (rc == SQLITE_OK && self->is_block_noted)
    rc = run_with_numbers (self, RELAY_STATEMENT_RAISE, self->end_sequence, 0, NULL);
  return rc;
}

static int
write_meta (RelayStore *self, const RelayHistoryState *state)
{
  sqlite3_stmt *statement = relay_statement_begin (&self->statements, RELAY_STATEMENT_SET_META);

  sqlite3_bind_text (statement, 1, state->id, -1, SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 2, (gint64) state->removed);
  sqlite3_bind_int64 (statement, 3, (gint64) state->cleared);
  sqlite3_bind_int64 (statement, 4, self->alive_usec);
  return relay_statement_end (statement, sqlite3_step (statement));
}

static void
meta_written (RelayStore *self, const RelayHistoryState *state)
{
  self->written_alive_usec = self->alive_usec;
  self->alive_written_usec = g_get_monotonic_time ();
  self->written_removed = state->removed;
}

/* That what is before the first row is missing can be told from that row. */
static gboolean
is_removed_due (RelayStore *self, const RelayHistoryState *state)
{
  return state->removed < self->written_removed ||
         (state->removed > self->written_removed && state->removed >= state->first_sequence);
}

/* With events alone not each time: that is a page more for each of them. */
static gboolean
is_meta_due (RelayStore *self, const RelayHistoryState *state, gboolean is_synced)
{
  return is_removed_due (self, state) || is_alive_older (self, is_synced ? G_MININT64 : RELAY_STORE_ALIVE_EVENTS_USEC);
}

/* Everything in one transaction. */
static int
write_all (RelayStore *self)
{
  RelayHistoryState state = self->history.state;
  gboolean is_synced = g_hash_table_size (self->noted) > 0 || self->is_block_noted;
  gboolean has_meta = FALSE;
  int rc = set_synced (self, is_synced);

  if (rc == SQLITE_OK)
    rc = run (self, RELAY_STATEMENT_BEGIN);
  if (rc == SQLITE_OK)
    rc = relay_history_write (self, &state);
  if (rc == SQLITE_OK)
    rc = write_noted (self);
  has_meta = is_meta_due (self, &state, is_synced);
  if (rc == SQLITE_OK && has_meta)
    rc = write_meta (self, &state);
  if (rc == SQLITE_OK)
    rc = run (self, RELAY_STATEMENT_COMMIT);
  if (rc != SQLITE_OK)
    return rc;

  g_hash_table_remove_all (self->noted);
  if (self->is_block_noted) {
    self->file_sequence = MAX (self->file_sequence, self->end_sequence);
    self->is_file_clean = FALSE;
  }
  self->is_block_noted = FALSE;
  if (has_meta)
    meta_written (self, &state);
  relay_history_written (self, &state);
  return SQLITE_OK;
}

static void
roll_back (RelayStore *self)
{
  /* Of some errors SQLite has rolled back by itself. */
  if (!sqlite3_get_autocommit (self->file.db))
    run (self, RELAY_STATEMENT_ROLLBACK);
}

int
relay_store_write_state (RelayStore *self, const RelayHistoryState *state)
{
  int rc = set_synced (self, TRUE);

  if (rc == SQLITE_OK)
    rc = write_meta (self, state);
  if (rc == SQLITE_OK)
    meta_written (self, state);
  else
    relay_store_note_damage (self, rc);
  return rc;
}

/* Writes the -wal back, all of it, so that it can be used from its beginning. */
static gboolean
write_wal_back (RelayStore *self)
{
  int n_frames = 0, n_done = 0;
  int rc;

  /* Only one can do that at a time. */
  relay_checkpointer_wait (self->checkpointer);
  rc = sqlite3_wal_checkpoint_v2 (self->file.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_frames, &n_done);
  return rc == SQLITE_OK && n_done > 0 && n_done == n_frames;
}

/* Has the -wal written back, if it is time for that. Somebody who reads may keep it from being done whole, which is
 * no error: it is tried again when it has grown by as much. Nor is a failure: what is committed is in the -wal. */
static void
checkpoint (RelayStore *self)
{
  if (self->n_wal_frames >= self->full_frames &&
      (!relay_checkpointer_is_busy (self->checkpointer) || self->n_wal_frames >= 2 * self->full_frames)) {
    write_wal_back (self);
    self->full_frames = self->n_wal_frames + CHECKPOINT_FRAMES;
  } else if (self->n_wal_frames >= self->checkpoint_frames) {
    self->checkpoint_frames = self->n_wal_frames + CHECKPOINT_FRAMES;
    if (!relay_checkpointer_request (self->checkpointer))
      write_wal_back (self);
  }
}

static void
set_trouble (RelayStore *self, RelayTrouble *trouble)
{
  relay_trouble_free (self->trouble);
  self->trouble = trouble;
}

/* The file is not what it was: it was deleted, or replaced. What it was is left to whoever did that; only its
 * -wal must not be taken for that of another file. */
static gboolean
is_gone (RelayStore *self)
{
  gint64 now_usec = g_get_monotonic_time ();

  if (now_usec - self->looked_usec < LOOK_USEC)
    return FALSE;
  self->looked_usec = now_usec;
  return !relay_database_is_in_place (&self->file, self->directory);
}

/* One attempt to write. *ret_again: something has changed, and another attempt may go better. */
static int
try_to_write (RelayStore *self, gboolean *ret_again)
{
  RelayCause cause;
  int rc;

  *ret_again = FALSE;
  if (self->file.is_writable && self->damage == NULL && is_gone (self)) {
    relay_warning ("%s/" RELAY_STORE_FILE " was deleted or replaced; going on with what is in its place",
                   self->directory);
    open_database (self, 0);
  } else if (!self->file.is_writable || self->damage != NULL) {
    open_database (self, 0);
  }
  if (!self->file.is_writable) {
    set_trouble (self, relay_trouble_copy (self->file.trouble));
    return SQLITE_CANTOPEN;
  }

  rc = write_all (self);
  if (rc == SQLITE_OK)
    return SQLITE_OK;
  set_trouble (self, relay_database_make_trouble (self->file.db, rc, self->directory));
  cause = relay_database_find_cause (self->file.db, rc);
  relay_store_note_damage (self, rc);
  roll_back (self);
  if (cause == RELAY_CAUSE_STORE_FULL) {
    /* There may be room in our own files. */
    *ret_again = write_wal_back (self);
  } else if (cause != RELAY_CAUSE_STORE_LOCKED) {
    /* To be opened, and judged, anew. */
    self->file.is_writable = FALSE;
    *ret_again = TRUE;
  }
  return rc;
}

static gboolean
fail (RelayStore *self, GError **error)
{
  self->failed_usec = g_get_monotonic_time ();
  self->is_dirty = TRUE; /* who repeats it is the owner */
  g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_IO, self->trouble->text);
  return FALSE;
}

gboolean
relay_store_commit (RelayStore *self, GError **error)
{
  gboolean again;
  int rc;

  if (!is_due (self)) {
    self->is_dirty = FALSE;
    return TRUE;
  }
  if (self->trouble != NULL && self->failed_usec != 0 &&
      g_get_monotonic_time () - self->failed_usec < RELAY_STORE_RETRY_USEC) {
    g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_IO, self->trouble->text);
    return FALSE;
  }

  rc = try_to_write (self, &again);
  if (again)
    rc = try_to_write (self, &again);
  if (rc != SQLITE_OK)
    return fail (self, error);

  self->is_dirty = FALSE;
  self->failed_usec = 0;
  set_trouble (self, NULL);
  checkpoint (self);
  if (self->history.state.is_shrinking)
    relay_store_make_dirty (self);
  return TRUE;
}

void
relay_store_retry (RelayStore *self)
{
  self->failed_usec = 0;
}

void
relay_store_set_dirty (RelayStore *self, RelayStoreDirty dirty, gpointer user_data)
{
  self->dirty = dirty;
  self->dirty_data = user_data;
}

/* ---- troubles ---- */

const RelayTrouble *
relay_store_get_trouble (RelayStore *self)
{
  return self->trouble != NULL ? self->trouble : self->notice;
}

void
relay_store_acknowledge (RelayStore *self)
{
  g_clear_pointer (&self->notice, relay_trouble_free);
}

/* ---- durable subscriptions, and what is known of their coverage ---- */

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

static void
note (RelayStore *self, const char *channel)
{
  if (!g_hash_table_contains (self->noted, channel))
    g_hash_table_add (self->noted, g_ref_string_new (channel));
  relay_store_make_dirty (self);
}

void
relay_store_set_durable (RelayStore *self, const char *channel, gboolean durable)
{
  if (durable == g_hash_table_contains (self->durable, channel))
    return;
  if (durable)
    relay_durable_set (self->durable, channel, -1);
  else
    g_hash_table_remove (self->durable, channel);
  note (self, channel);
}

gint64
relay_store_get_covered (RelayStore *self, const char *channel)
{
  const gint64 *covered = g_hash_table_lookup (self->durable, channel);

  return covered != NULL ? *covered : -1;
}

void
relay_store_set_covered (RelayStore *self, const char *channel, gint64 since_usec)
{
  gint64 *covered = g_hash_table_lookup (self->durable, channel);

  if (covered == NULL || *covered == since_usec)
    return;
  *covered = since_usec;
  note (self, channel);
}

gint64
relay_store_get_alive (RelayStore *self)
{
  return self->alive_usec;
}

void
relay_store_set_alive (RelayStore *self, gint64 realtime_usec)
{
  self->alive_usec = realtime_usec;
  if (!self->is_dirty && is_alive_due (self))
    relay_store_make_dirty (self);
}

/* ---- numbers ---- */

static void
reserve (RelayStore *self)
{
  gint64 end = 0;
  gboolean is_good = self->file.is_writable && self->damage == NULL && self->trouble == NULL;
  int rc = is_good ? set_synced (self, TRUE) : SQLITE_READONLY;

  if (rc == SQLITE_OK) {
    rc = run_with_numbers (self, RELAY_STATEMENT_RESERVE, self->end_sequence, RELAY_STORE_SEQUENCE_BLOCK, &end);
    if (rc != SQLITE_OK)
      roll_back (self);
  }
  if (rc == SQLITE_OK && end > RELAY_STORE_SEQUENCE_BLOCK) {
    self->end_sequence = self->file_sequence = (guint64) end;
    self->next_sequence = self->end_sequence - RELAY_STORE_SEQUENCE_BLOCK;
    self->is_file_clean = self->is_block_noted = FALSE;
    return;
  }
  /* Nothing is worth losing an event. The block is written with the next commit, if that can be. */
  self->end_sequence += RELAY_STORE_SEQUENCE_BLOCK;
  self->is_block_noted = TRUE;
  relay_store_make_dirty (self);
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
relay_store_open (const char *directory)
{
  RelayStore *self = g_new0 (RelayStore, 1);

  self->directory = g_strdup (directory);
  self->durable = relay_durable_new ();
  self->noted = g_hash_table_new_full (g_str_hash, g_str_equal, (GDestroyNotify) g_ref_string_release, NULL);
  relay_history_init (&self->history);
  open_database (self, RELAY_STORE_OPEN_TIMEOUT_MSEC);
  if (!self->file.is_writable)
    self->trouble = relay_trouble_copy (self->file.trouble);
  return self;
}

/* A clean end: the file knows exactly what was given out. */
static void
give_back (RelayStore *self)
{
  gboolean is_known = self->is_file_clean && self->next_sequence == self->file_sequence;

  if (self->file.is_writable && !self->is_block_noted && !is_known &&
      set_synced (self, TRUE) == SQLITE_OK)
    run_with_numbers (self, RELAY_STATEMENT_GIVE_BACK, self->next_sequence, self->file_sequence, NULL);
}

void
relay_store_free (RelayStore *self)
{
  if (self == NULL)
    return;

  self->dirty = NULL;
  relay_store_retry (self);
  self->alive_written_usec = G_MININT64 / 2; /* whatever is set is written */
  relay_store_commit (self, NULL);
  give_back (self);
  close_database (self, FALSE);
  relay_history_finish (&self->history);
  relay_trouble_free (self->trouble);
  relay_trouble_free (self->notice);
  g_hash_table_unref (self->durable);
  g_hash_table_unref (self->noted);
  g_free (self->damage);
  g_free (self->directory);
  g_free (self);
}

gboolean
relay_store_is_persistent (RelayStore *self)
{
  return self->file.is_writable;
}
