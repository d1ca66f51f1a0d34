/* SPDX-License-Identifier: MIT */
#include "store/store-private.h"

/*
 * What leaves the history does so at the old end of the table, in each commit. First of all room is made for what
 * comes, so that it is written to the pages which that leaves: once, where a page that is freed behind it would be
 * written twice, empty and then full. Where one event comes at a time, room is made for some more, as removing some
 * rows costs hardly more than removing one.
 *
 * Then comes what is over a limit for another reason: at most as many rows as came, and REMOVE_ROWS on top; what is
 * on top of those that came for REMOVE_USEC only, as rows differ in size. So a lowered limit is reached in steps; as
 * long as there is more to remove, the store is dirty again. How many rows there are is known without counting: each
 * has an ordinal, one more than the row before it had, so it is one subtraction when the file is opened; from then on
 * what comes and goes is counted along.
 */
#define REMOVE_ROWS 200
#define REMOVE_CHUNK_ROWS 64
#define REMOVE_USEC 3000

/* Room that is made beyond what is needed: a 1,024th of what is kept, and not more than a chunk. */
#define SPARE_SHIFT 10

/* What is too old is looked for among so many of the oldest rows: where the clock was wrong for a while, the
 * oldest is not the one that was received first. Not more often than once an hour, so that an idle relay is
 * idle. */
#define AGING_ROWS 200
#define AGING_INTERVAL_USEC (3600 * (gint64) G_USEC_PER_SEC)

/* The size of the file is looked at when so much was written. */
#define MEASURE_BYTES (1024 * 1024)

gint64
relay_retention_get_limit (const RelayHistory *history, gint64 now_usec)
{
  guint64 age_usec = history->limits.max_age_usec;

  return age_usec == 0 || age_usec > (guint64) G_MAXINT64 ? G_MININT64 : now_usec - (gint64) age_usec;
}

void
relay_retention_plan (RelayHistory *history, gint64 now_usec)
{
  const RelayHistoryState *state = &history->state;
  gint64 oldest_usec;

  history->next_aging_usec = 0;
  if (state->first_sequence == 0 || relay_retention_get_limit (history, now_usec) == G_MININT64)
    return;
  oldest_usec = state->first_received_usec;
  if (oldest_usec > now_usec) /* the clock was wrong: it tells nothing of those behind it */
    history->next_aging_usec = now_usec + AGING_INTERVAL_USEC;
  else
    history->next_aging_usec = oldest_usec + (gint64) history->limits.max_age_usec;
}

void
relay_retention_applied (RelayHistory *history, gint64 now_usec)
{
  if (history->state.is_shrinking || (history->next_aging_usec != 0 && now_usec < history->next_aging_usec))
    return;
  relay_retention_plan (history, now_usec);
  if (history->next_aging_usec != 0)
    history->next_aging_usec = MAX (history->next_aging_usec, now_usec + AGING_INTERVAL_USEC);
}

typedef struct {
  RelayStore *store;
  RelayHistoryState *state;
  guint64 n_owed;      /* rows that may be removed whatever the time */
  guint64 n_left;      /* rows that may be removed */
  gint64 deadline_usec;
} Removal;

static int
read_first (Removal *removal)
{
  RelayHistoryState *state = removal->state;
  sqlite3_stmt *statement = relay_statement_begin (&removal->store->statements, RELAY_STATEMENT_FIRST_EVENT);
  int rc = sqlite3_step (statement);

  state->first_sequence = rc == SQLITE_ROW ? (guint64) sqlite3_column_int64 (statement, 0) : 0;
  state->first_received_usec = rc == SQLITE_ROW ? sqlite3_column_int64 (statement, 2) : 0;
  if (state->first_sequence == 0)
    state->n_rows = 0;
  return relay_statement_end (statement, rc);
}

static gboolean
may_remove (const Removal *removal)
{
  return removal->n_left > 0 && removal->state->first_sequence != 0 &&
         (removal->n_owed > 0 || g_get_monotonic_time () < removal->deadline_usec);
}

/* Removes the oldest rows: up to number @last, and @n_rows at most. */
static int
remove_rows (Removal *removal, guint64 last, guint64 n_rows)
{
  RelayHistoryState *state = removal->state;
  int rc = SQLITE_OK;

  while (rc == SQLITE_OK && n_rows > 0 && may_remove (removal) && state->first_sequence <= last) {
    guint64 chunk = MIN (MIN (n_rows, removal->n_left), REMOVE_CHUNK_ROWS);
    gint64 end = (gint64) MIN (last, state->first_sequence + chunk - 1);
    guint64 n_removed;

    rc = relay_statement_run (&removal->store->statements, RELAY_STATEMENT_REMOVE_EVENTS, &end, 1, NULL);
    if (rc != SQLITE_OK)
      break;
    n_removed = (guint64) sqlite3_changes64 (removal->store->file.db);
    state->removed = MAX (state->removed, MIN ((guint64) end, state->last_sequence));
    state->n_rows -= MIN (n_removed, state->n_rows);
    removal->n_left -= MIN (n_removed, removal->n_left);
    removal->n_owed -= MIN (n_removed, removal->n_owed);
    n_rows -= MIN (n_removed, n_rows);
    rc = read_first (removal);
  }
  return rc;
}

static int
remove_old (Removal *removal, gint64 now_usec)
{
  RelayHistory *history = &removal->store->history;
  const gint64 values[] = { relay_retention_get_limit (history, now_usec), AGING_ROWS };
  gint64 last = 0;
  int rc = SQLITE_OK;

  if (history->next_aging_usec == 0 || now_usec < history->next_aging_usec || removal->state->first_sequence == 0)
    return SQLITE_OK;
  rc = relay_statement_run (&removal->store->statements, RELAY_STATEMENT_FIND_EXPIRED, values, 2, &last);
  if (rc == SQLITE_OK && last > 0) {
    rc = remove_rows (removal, (guint64) last, G_MAXUINT64);
    removal->state->is_shrinking = TRUE; /* there may be more behind those */
  }
  return rc;
}

/* What is used of the file, once it has grown by enough, and while it is too much. So many of the rows leave as what is too
 * much is of what is used; as rows differ in size, it is looked at again behind that. */
static int
remove_over_size (Removal *removal)
{
  RelayHistoryState *state = removal->state;
  RelayStatements *statements = &removal->store->statements;
  const gint64 max_used = removal->store->history.max_file_bytes / RELAY_DATABASE_PAGE_BYTES;
  gint64 n_pages = 0, n_free = 0, n_used;
  double part;
  int rc;

  if (state->n_unmeasured_bytes < MEASURE_BYTES)
    return SQLITE_OK;
  rc = relay_statement_run (statements, RELAY_STATEMENT_COUNT_PAGES, NULL, 0, &n_pages);
  if (rc == SQLITE_OK)
    rc = relay_statement_run (statements, RELAY_STATEMENT_COUNT_FREE_PAGES, NULL, 0, &n_free);
  if (rc != SQLITE_OK)
    return rc;
  n_used = n_pages - n_free;
  if (state->first_sequence == 0 || n_used <= max_used) {
    state->n_unmeasured_bytes = 0;
    return SQLITE_OK;
  }
  state->is_shrinking = TRUE;
  part = (double) (n_used - max_used) / (double) n_used;
  return remove_rows (removal, G_MAXINT64, 1 + (guint64) (part * (double) state->n_rows));
}

/* Chapters of which no event is left. */
static int
remove_chapters (Removal *removal)
{
  RelayHistoryState *state = removal->state;
  RelayStatements *statements = &removal->store->statements;
  gboolean is_empty = state->first_sequence == 0;
  const gint64 number = (gint64) (is_empty ? state->last_sequence : state->first_sequence);

  if (state->first_sequence != 0 && state->first_sequence < state->chapters_from)
    return SQLITE_OK;
  state->chapters_from = state->first_sequence + RELAY_CHAPTER_EVENTS;
  if (is_empty)
    return relay_statement_run (statements, RELAY_STATEMENT_REMOVE_ALL_CHAPTERS, &number, 1, NULL);
  return relay_statement_run (statements, RELAY_STATEMENT_REMOVE_CHAPTERS, &number, 1, NULL);
}

int
relay_retention_make_room (RelayStore *store, RelayHistoryState *state, guint64 n_coming)
{
  guint64 max_rows = store->history.limits.max_events;
  guint64 n_spare = MIN (max_rows >> SPARE_SHIFT, REMOVE_CHUNK_ROWS);
  guint64 n_rows = MIN (state->n_rows, n_coming + n_spare);
  Removal removal = { .store = store, .state = state, .n_owed = n_rows, .n_left = n_rows };

  if (state->n_rows + n_coming <= max_rows)
    return SQLITE_OK;
  return remove_rows (&removal, G_MAXINT64, MIN (n_rows, state->n_rows + n_coming + n_spare - max_rows));
}

int
relay_retention_apply (RelayStore *store, RelayHistoryState *state, guint64 n_written)
{
  RelayHistory *self = &store->history;
  Removal removal = { .store = store,
                      .state = state,
                      .n_owed = n_written,
                      .n_left = n_written + REMOVE_ROWS,
                      .deadline_usec = g_get_monotonic_time () + REMOVE_USEC };
  guint64 max_rows = self->limits.max_events;
  int rc = SQLITE_OK;

  state->is_shrinking = FALSE;
  if (state->cleared >= state->first_sequence)
    rc = remove_rows (&removal, state->cleared, G_MAXUINT64);
  if (rc == SQLITE_OK && state->n_rows > max_rows)
    rc = remove_rows (&removal, G_MAXINT64, state->n_rows - max_rows);
  if (rc == SQLITE_OK)
    rc = remove_old (&removal, g_get_real_time ());
  if (rc == SQLITE_OK)
    rc = remove_over_size (&removal);
  if (rc == SQLITE_OK)
    rc = remove_chapters (&removal);
  if (state->first_sequence != 0 && (state->n_rows > max_rows || state->cleared >= state->first_sequence))
    state->is_shrinking = TRUE;
  return rc;
}
