/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include <string.h>

#include "common/error.h"
#include "store/store-private.h"

/*
 * Writing the history. An event that is appended is copied to the waiting ones, with its digest; a commit writes
 * all of them: a row each at the end of one table, and a row for each chapter (chapter.h) that is complete. No
 * other index has to be kept: that is a quarter of the time, and less of the disk. What was written last is in no
 * chapter of the file yet, but in the one that is being written, which is in memory. After a kill the next run
 * adopts those rows into a chapter of its own; until then whoever reads looks at them one by one.
 *
 * With two processes on the same file each writes its own numbers and chapters. A commit that finds that somebody
 * else has written (data_version) reads again what it goes by. The number of rows is an estimate then; the bounds
 * by age and by size hold.
 */

/* ---- where it stands ---- */

static void
make_id (char id[RELAY_STORED_MAX_ID_BYTES + 1])
{
  guint8 random[RELAY_STORED_MAX_ID_BYTES / 2];

  sqlite3_randomness (sizeof random, random);
  for (guint i = 0; i < sizeof random; i++)
    g_snprintf (id + 2 * i, 3, "%02x", random[i]);
}

/* The highest number that is missing, where no row is left. */
static guint64
find_removed (RelayStore *store)
{
  const RelayWaitingEvent *oldest = store->history.waiting.oldest;

  return (oldest != NULL ? oldest->sequence : store->next_sequence) - 1;
}

static void
set_rows (RelayHistoryState *state, const RelayStoredEvent *first, const RelayStoredEvent *last)
{
  state->first_sequence = first->sequence;
  state->first_received_usec = first->received_usec;
  state->last_sequence = last->sequence;
  state->last_ordinal = last->ordinal;
  state->last_stamp_usec = last->stamp_usec;
  if (first->sequence == 0)
    state->n_rows = 0;
  else
    state->n_rows = last->ordinal >= first->ordinal ? last->ordinal - first->ordinal + 1 : 1;
}

/* The digests were made with another key, and other numbers for the types. */
static void
digest_again (RelayHistory *self)
{
  RelayJsonReader reader = { 0 };

  for (RelayWaitingEvent *waiting = self->waiting.oldest; waiting != NULL; waiting = waiting->next) {
    RelayEvent event;

    if (relay_event_read (&event, &reader, waiting->text, waiting->length, NULL))
      relay_digest_make (&waiting->digest, &event, self->key, self->names);
  }
  relay_json_reader_clear (&reader);
}

/* Those in memory have the same numbers as those in the file, and perhaps some more. */
static gboolean
has_same_names (const RelayHistory *self, const RelayStored *stored)
{
  return self->is_of_file && memcmp (self->key, stored->key, sizeof self->key) == 0 &&
         relay_type_names_get_n_stored (self->names) == relay_type_names_get_n_stored (stored->names);
}

void
relay_history_take_over (RelayStore *store, RelayStored *stored)
{
  RelayHistory *self = &store->history;

  self->state = (RelayHistoryState){ .cleared = stored->cleared };
  g_strlcpy (self->state.id, stored->history_id, sizeof self->state.id);
  set_rows (&self->state, &stored->first, &stored->last);
  if (self->state.n_rows > 0)
    self->state.removed = MAX (MAX (stored->removed, stored->first.sequence - 1),
                               MAX (self->dropped, stored->cleared));
  else
    self->state.removed = find_removed (store);
  if (!has_same_names (self, stored)) {
    RelayTypeNames *names = self->names;

    memcpy (self->key, stored->key, sizeof self->key);
    self->names = stored->names;
    stored->names = names;
    digest_again (self);
  }
  self->is_of_file = TRUE;
  self->seen_position = stored->last.sequence + 1;
  relay_retention_plan (self, g_get_real_time ());
}

void
relay_history_lose (RelayStore *store)
{
  RelayHistory *self = &store->history;

  self->seen_position = 0;
  if (!self->is_of_file && self->state.id[0] != '\0')
    return;
  self->is_of_file = FALSE;
  self->state = (RelayHistoryState){ .removed = find_removed (store) };
  make_id (self->state.id);
}

void
relay_history_init (RelayHistory *self)
{
  self->names = relay_type_names_new ();
  self->limits.max_events = G_MAXUINT64;
  self->max_file_bytes = RELAY_HISTORY_MAX_FILE_BYTES;
  sqlite3_randomness (sizeof self->key, self->key);
}

void
relay_history_finish (RelayHistory *self)
{
  relay_waiting_clear (&self->waiting);
  relay_type_names_free (self->names);
}

/* ---- appending ---- */

/* Drops what is over the limits: those of memory, and those of the history. */
static void
bound_waiting (RelayHistory *self)
{
  guint64 max_events = MIN (self->limits.max_events, RELAY_HISTORY_WAITING_MAX_EVENTS);
  gint64 expired_usec = relay_retention_get_limit (self, self->waiting.newest->received_usec);

  while (relay_waiting_is_over (&self->waiting, max_events, RELAY_HISTORY_WAITING_MAX_BYTES) ||
         self->waiting.oldest->received_usec < expired_usec) {
    self->state.removed = self->dropped = self->waiting.oldest->sequence;
    relay_waiting_drop_oldest (&self->waiting);
  }
}

void
relay_history_append (RelayStore *store, const RelayEvent *event)
{
  RelayHistory *self = &store->history;
  RelayWaitingEvent *added;

  if (self->limits.max_events == 0) {
    self->state.removed = event->sequence;
    return;
  }
  added = relay_waiting_add (&self->waiting, event);
  relay_digest_make (&added->digest, event, self->key, self->names);
  /* Where the file takes what waits, nothing need be dropped. */
  if (relay_waiting_is_over (&self->waiting, RELAY_HISTORY_WAITING_MAX_EVENTS, RELAY_HISTORY_WAITING_MAX_BYTES))
    relay_store_commit (store, NULL);
  if (self->waiting.newest != NULL)
    bound_waiting (self);
  relay_store_make_dirty (store);
}

void
relay_history_set_limits (RelayStore *store, const RelayHistoryLimits *limits)
{
  RelayHistory *self = &store->history;

  self->limits = *limits;
  if (limits->max_events == 0 && self->waiting.newest != NULL) {
    self->state.removed = self->dropped = self->waiting.newest->sequence;
    relay_waiting_clear (&self->waiting);
  }
  relay_retention_plan (self, g_get_real_time ());
  if (relay_history_is_due (store))
    relay_store_make_dirty (store);
}

/* ---- writing ---- */

/* Somebody else has written to the file: what was known of it may be wrong. */
static int
read_again (RelayStore *store, RelayHistoryState *state)
{
  g_autoptr (RelayStored) stored = relay_stored_new ();
  RelayTypeNames *names = store->history.names;
  int rc = relay_stored_read (store->file.db, stored);

  if (rc != SQLITE_OK)
    return rc;
  set_rows (state, &stored->first, &stored->last);
  g_strlcpy (state->id, stored->history_id, sizeof state->id);
  state->cleared = MAX (state->cleared, stored->cleared);
  state->removed = MAX (MAX (state->removed, stored->removed), state->cleared);
  if (state->n_rows > 0)
    state->removed = MAX (state->removed, state->first_sequence - 1);
  store->history.names = stored->names;
  stored->names = names;
  /* The events of the chapter that is being written have the numbers that were stored with them. */
  digest_again (&store->history);
  return SQLITE_OK;
}

static int
check_version (RelayStore *store, RelayHistoryState *state)
{
  gint64 version = store->data_version;
  int rc = relay_statement_run (&store->statements, RELAY_STATEMENT_DATA_VERSION, NULL, 0, &version);

  if (rc == SQLITE_OK && version != store->data_version) {
    rc = read_again (store, state);
    if (rc == SQLITE_OK)
      store->data_version = version;
  }
  return rc;
}

static int
write_types (RelayStore *store)
{
  RelayTypeNames *names = store->history.names;
  const char *name;
  int rc = SQLITE_OK;

  for (guint8 number = (guint8) (relay_type_names_get_n_stored (names) + 1);
       rc == SQLITE_OK && (name = relay_type_names_get (names, number)) != NULL; number++) {
    sqlite3_stmt *statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_ADD_TYPE);

    sqlite3_bind_int64 (statement, 1, number);
    sqlite3_bind_text (statement, 2, name, -1, SQLITE_STATIC);
    rc = relay_statement_end (statement, sqlite3_step (statement));
  }
  return rc;
}

static int
write_chapter (RelayStore *store, RelayChapter *chapter)
{
  sqlite3_stmt *statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_ADD_CHAPTER);
  int rc;

  sqlite3_bind_int64 (statement, 1, (gint64) chapter->first);
  sqlite3_bind_blob (statement, 2, chapter->types, (int) chapter->n_events, SQLITE_STATIC);
  for (guint i = 0; i < RELAY_N_SUBJECTS; i++)
    if (chapter->has_tags[i])
      sqlite3_bind_blob (statement, 3 + (int) i, chapter->tags[i], 2 * (int) chapter->n_events, SQLITE_STATIC);
    else
      sqlite3_bind_null (statement, 3 + (int) i);
  rc = relay_statement_end (statement, sqlite3_step (statement));
  *chapter = (RelayChapter){ 0 };
  return rc;
}

/* Adds the event to the chapter that is being written, and writes that when it is complete. */
static int
add_to_chapter (RelayStore *store, RelayHistoryState *state, guint64 sequence, const RelayDigest *digest,
                gsize n_bytes)
{
  int rc = SQLITE_OK;

  if (!relay_chapter_add (&state->chapter, sequence, digest, n_bytes)) {
    rc = write_chapter (store, &state->chapter);
    relay_chapter_add (&state->chapter, sequence, digest, n_bytes);
  }
  if (rc == SQLITE_OK && relay_chapter_is_full (&state->chapter))
    rc = write_chapter (store, &state->chapter);
  return rc;
}

/* The rows behind the last chapter, which an earlier run did not come to close. There is no more than a chapter of
 * them. */
static int
adopt (RelayStore *store, RelayHistoryState *state)
{
  sqlite3_stmt *statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_LAST_CHAPTER);
  RelayJsonReader reader = { 0 };
  gint64 end = 1;
  guint n_left = RELAY_CHAPTER_EVENTS;
  int rc = sqlite3_step (statement);

  if (rc == SQLITE_ROW)
    end = sqlite3_column_int64 (statement, 0) + sqlite3_column_int64 (statement, 1);
  rc = relay_statement_end (statement, rc);
  if (rc != SQLITE_OK)
    return rc;

  statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_EVENTS_FORWARD);
  sqlite3_bind_int64 (statement, 1, end - 1);
  sqlite3_bind_int64 (statement, 2, G_MAXINT64);
  rc = SQLITE_OK;
  while (rc == SQLITE_OK && n_left-- > 0 && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
    const char *text = (const char *) sqlite3_column_text (statement, 2);
    gsize length = (gsize) sqlite3_column_bytes (statement, 2);
    RelayDigest digest = { 0 };
    RelayEvent event;

    if (relay_event_read (&event, &reader, text, length, NULL))
      relay_digest_make (&digest, &event, store->history.key, store->history.names);
    rc = add_to_chapter (store, state, (guint64) sqlite3_column_int64 (statement, 0), &digest, length);
  }
  relay_json_reader_clear (&reader);
  state->is_adopted = TRUE;
  return relay_statement_end (statement, rc);
}

static int
write_event (RelayStore *store, RelayHistoryState *state, const RelayWaitingEvent *event)
{
  sqlite3_stmt *statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_ADD_EVENT);
  gint64 stamp_usec = MAX (state->last_stamp_usec, event->received_usec);

  sqlite3_bind_int64 (statement, 1, (gint64) event->sequence);
  sqlite3_bind_int64 (statement, 2, (gint64) state->last_ordinal + 1);
  sqlite3_bind_int64 (statement, 3, event->received_usec);
  sqlite3_bind_int64 (statement, 4, stamp_usec - event->received_usec);
  if (event->digest.has_id)
    sqlite3_bind_blob (statement, 5, event->digest.id, sizeof event->digest.id, SQLITE_STATIC);
  else
    sqlite3_bind_null (statement, 5);
  sqlite3_bind_text64 (statement, 6, event->text, event->length, SQLITE_STATIC, SQLITE_UTF8);

  if (state->first_sequence == 0) {
    state->first_sequence = event->sequence;
    state->first_received_usec = event->received_usec;
  }
  state->last_sequence = MAX (state->last_sequence, event->sequence);
  state->last_ordinal++;
  state->last_stamp_usec = stamp_usec;
  state->n_rows++;
  state->n_unmeasured_bytes += event->length;
  return relay_statement_end (statement, sqlite3_step (statement));
}

/* ---- transactions ---- */

gboolean
relay_history_is_due (RelayStore *store)
{
  const RelayHistory *self = &store->history;

  return self->waiting.oldest != NULL || self->state.is_shrinking ||
         self->state.n_rows > self->limits.max_events ||
         (self->next_aging_usec != 0 && g_get_real_time () >= self->next_aging_usec);
}

int
relay_history_write (RelayStore *store, RelayHistoryState *state)
{
  RelayHistory *self = &store->history;
  const RelayWaitingEvent *event = self->waiting.oldest;
  int rc = check_version (store, state);

  if (rc == SQLITE_OK && self->waiting.oldest != NULL) {
    if (!state->is_adopted)
      rc = adopt (store, state);
    if (rc == SQLITE_OK)
      rc = write_types (store);
    if (rc == SQLITE_OK)
      rc = relay_retention_make_room (store, state, self->waiting.n_events);
  }
  for (; rc == SQLITE_OK && event != NULL; event = event->next) {
    rc = write_event (store, state, event);
    if (rc == SQLITE_OK)
      rc = add_to_chapter (store, state, event->sequence, &event->digest, event->length);
  }
  return rc == SQLITE_OK ? relay_retention_apply (store, state, self->waiting.n_events) : rc;
}

void
relay_history_written (RelayStore *store, const RelayHistoryState *state)
{
  RelayHistory *self = &store->history;

  if (self->waiting.oldest != NULL)
    relay_type_names_set_stored (self->names);
  relay_waiting_clear (&self->waiting);
  self->state = *state;
  relay_retention_applied (self, g_get_real_time ());
}

gboolean
relay_history_clear (RelayStore *store, GError **error)
{
  RelayHistory *self = &store->history;
  RelayHistoryState state;
  int rc;

  /* What waits is to go as well, and a file that was out of reach may be within it. */
  relay_store_retry (store);
  if (!relay_store_commit (store, error))
    return FALSE;

  state = self->state;
  make_id (state.id);
  state.cleared = state.removed = MAX (relay_history_get_last_sequence (store), state.last_sequence);
  state.chapter = (RelayChapter){ 0 };
  state.is_shrinking = state.n_rows > 0;
  rc = relay_store_write_state (store, &state);
  if (rc != SQLITE_OK) {
    relay_store_set_error (store, rc, "written", error);
    return FALSE;
  }
  self->state = state;
  if (state.is_shrinking)
    relay_store_make_dirty (store);
  return TRUE;
}

/* ---- what others ask ---- */

const char *
relay_history_get_id (RelayStore *store)
{
  return store->history.state.id;
}

guint64
relay_history_get_first_sequence (RelayStore *store)
{
  const RelayHistory *self = &store->history;

  if (self->waiting.oldest == NULL &&
      (self->state.n_rows == 0 || self->state.last_sequence <= self->state.cleared))
    return relay_history_get_last_sequence (store) + 1;
  return self->state.removed + 1;
}

guint64
relay_history_get_last_sequence (RelayStore *store)
{
  return store->next_sequence - 1;
}

gint64
relay_history_get_next_aging (RelayStore *store)
{
  return store->history.next_aging_usec;
}

const guint8 *
relay_history_get_key (RelayStore *store)
{
  return store->history.key;
}
