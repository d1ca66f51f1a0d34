/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include "common/error.h"
#include "common/log.h"
#include "store/store-private.h"

/*
 * Reading the history, a step at a time. Rows of the file come first, then what waits; with `newest` all of that
 * backward. Where the query asks for something that the chapters know of, a step goes from chapter to chapter and
 * reads those events only that they point to. Events that are in no chapter (those written last, and perhaps some
 * between two chapters, left by a run that was killed) are read one by one, a chapter's worth at most.
 *
 * A time is searched for by halving the numbers, as the stamp of events never falls.
 *
 * Nothing is kept from one step to the next but the number that was looked at last: what was written, or has left,
 * meanwhile does not matter. Between steps no statement is open, so that no checkpoint has to wait.
 */

/* What one step reads of events' texts, about. */
#define STEP_BYTES (1024 * 1024)

typedef struct {
  RelayStore *store;
  const RelayQuery *query;
  RelayChapterFilter filter;
  RelayHistoryFound found;
  gpointer user_data;
  RelayJsonReader reader;
  guint64 low;        /* only events above */
  guint64 position;   /* looked at up to here, or with `newest` down to here */
  guint n_rows_left;
  gssize n_bytes_left;
  gboolean is_stopped; /* not taken, or no more in this step */
} Scan;

/* May one more be looked at? */
static gboolean
take_turn (Scan *scan)
{
  if (scan->is_stopped)
    return FALSE;
  if (scan->n_rows_left == 0 || scan->n_bytes_left <= 0) {
    scan->is_stopped = TRUE;
    return FALSE;
  }
  scan->n_rows_left--;
  return TRUE;
}

/* It cannot be read. Whoever has not seen it is told, as the history is not complete there. */
static void
leave_out (RelayStore *store, guint64 sequence)
{
  if (!store->history.has_warned)
    relay_warning ("Event %" G_GUINT64_FORMAT " of the history cannot be read; it is left out, as any like it", sequence);
  store->history.has_warned = TRUE;
  store->history.state.removed = MAX (store->history.state.removed, sequence);
}

/* Looks at one event. */
static void
look_at (Scan *scan, guint64 sequence, gint64 received_usec, const char *text, gsize length)
{
  RelayEvent event;

  scan->n_bytes_left -= (gssize) length;
  if (text == NULL || !relay_event_read (&event, &scan->reader, text, length, NULL)) {
    leave_out (scan->store, sequence);
  } else {
    event.sequence = sequence;
    event.received_usec = received_usec;
    if (relay_query_matches (scan->query, &event) && !scan->found (&event, scan->user_data)) {
      scan->is_stopped = TRUE;
      return;
    }
  }
  scan->position = sequence;
}

/* The statement gives sequence, time of reception, and text. */
static int
look_at_rows (Scan *scan, sqlite3_stmt *statement)
{
  int rc = SQLITE_ROW;

  while (rc == SQLITE_ROW && !scan->is_stopped) {
    rc = sqlite3_step (statement);
    if (rc == SQLITE_ROW && take_turn (scan))
      look_at (scan, (guint64) sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1),
               (const char *) sqlite3_column_text (statement, 2), (gsize) sqlite3_column_bytes (statement, 2));
  }
  return relay_statement_end (statement, rc);
}

/* The rows between two numbers, one by one. */
static int
look_between (Scan *scan, guint64 above, guint64 below)
{
  RelayStatement which = scan->query->newest ? RELAY_STATEMENT_EVENTS_BACKWARD : RELAY_STATEMENT_EVENTS_FORWARD;
  sqlite3_stmt *statement = relay_statement_begin (&scan->store->statements, which);

  if (above + 1 >= below)
    return SQLITE_OK;
  sqlite3_bind_int64 (statement, 1, (gint64) above);
  sqlite3_bind_int64 (statement, 2, (gint64) below);
  return look_at_rows (scan, statement);
}

/* ---- chapters ---- */

/* Of the columns, those that are asked for. */
static int
read_chapter (const Scan *scan, RelayChapterView *chapter, sqlite3_stmt *statement)
{
  *chapter = (RelayChapterView){ .first = (guint64) sqlite3_column_int64 (statement, 0),
                                 .types = sqlite3_column_blob (statement, 1),
                                 .n_events = (guint) sqlite3_column_bytes (statement, 1) };
  for (int i = 0; i < RELAY_N_SUBJECTS; i++)
    if (scan->filter.tags[i] != 0) {
      chapter->tags[i] = sqlite3_column_blob (statement, 2 + i);
      if (chapter->tags[i] != NULL && (guint) sqlite3_column_bytes (statement, 2 + i) != 2 * chapter->n_events)
        return SQLITE_CORRUPT;
    }
  return chapter->n_events > 0 ? SQLITE_OK : SQLITE_CORRUPT;
}

/* Looks at what the chapter points to, of the numbers that are above the one and below the other. */
static int
look_into_chapter (Scan *scan, const RelayChapterView *chapter, guint64 above, guint64 below)
{
  guint64 first = MAX (chapter->first, above + 1), last = MIN (chapter->first + chapter->n_events, below) - 1;
  gboolean newest = scan->query->newest;
  gint place = (gint) ((newest ? last : first) - chapter->first);
  int rc = SQLITE_OK;

  while (rc == SQLITE_OK && !scan->is_stopped) {
    sqlite3_stmt *statement;

    place = relay_chapter_find (chapter, &scan->filter, place, newest ? -1 : 1);
    if (place < 0 || chapter->first + (guint) place < first || chapter->first + (guint) place > last)
      break;
    statement = relay_statement_begin (&scan->store->statements, RELAY_STATEMENT_EVENT);
    sqlite3_bind_int64 (statement, 1, (gint64) chapter->first + place);
    rc = look_at_rows (scan, statement);
    place += newest ? -1 : 1;
    if (place < 0)
      break;
  }
  if (rc == SQLITE_OK && !scan->is_stopped)
    scan->position = newest ? first : last;
  return rc;
}

/* Looks into the chapter, and at what stands before it and in none. */
static int
go_on_forward (Scan *scan, const RelayChapterView *chapter)
{
  int rc;

  if (chapter->first + chapter->n_events <= scan->position + 1)
    return SQLITE_OK;
  rc = look_between (scan, scan->position, chapter->first);
  if (rc == SQLITE_OK && take_turn (scan))
    rc = look_into_chapter (scan, chapter, scan->position, G_MAXINT64);
  return rc;
}

static int
scan_chapters_forward (Scan *scan)
{
  sqlite3_stmt *statement = relay_statement_begin (&scan->store->statements, RELAY_STATEMENT_CHAPTERS_FORWARD);
  RelayChapterView chapter;
  int rc = SQLITE_OK;

  sqlite3_bind_int64 (statement, 1, (gint64) scan->position + 1);
  while (rc == SQLITE_OK && !scan->is_stopped && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
    rc = read_chapter (scan, &chapter, statement);
    if (rc == SQLITE_OK)
      rc = go_on_forward (scan, &chapter);
  }
  rc = relay_statement_end (statement, rc);
  relay_chapter_get_view (&scan->store->history.state.chapter, &chapter);
  if (rc == SQLITE_OK && !scan->is_stopped && chapter.n_events > 0)
    rc = go_on_forward (scan, &chapter);
  return rc == SQLITE_OK && !scan->is_stopped ? look_between (scan, scan->position, G_MAXINT64) : rc;
}

/* Likewise, and at what stands behind it. *ret_end: nothing before it is asked for. */
static int
go_on_backward (Scan *scan, const RelayChapterView *chapter, gboolean *ret_end)
{
  guint64 end = chapter->first + chapter->n_events;
  int rc = SQLITE_OK;

  *ret_end = end <= scan->low + 1;
  if (end < scan->position)
    rc = look_between (scan, MAX (end - 1, scan->low), scan->position);
  if (rc == SQLITE_OK && !*ret_end && take_turn (scan))
    rc = look_into_chapter (scan, chapter, scan->low, scan->position);
  return rc;
}

static int
scan_chapters_backward (Scan *scan)
{
  sqlite3_stmt *statement = relay_statement_begin (&scan->store->statements, RELAY_STATEMENT_CHAPTERS_BACKWARD);
  RelayChapterView chapter;
  gboolean end = FALSE;
  int rc = SQLITE_OK;

  relay_chapter_get_view (&scan->store->history.state.chapter, &chapter);
  if (chapter.n_events > 0 && chapter.first < scan->position)
    rc = go_on_backward (scan, &chapter, &end);
  sqlite3_bind_int64 (statement, 1, (gint64) scan->position);
  while (rc == SQLITE_OK && !scan->is_stopped && !end && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
    rc = read_chapter (scan, &chapter, statement);
    if (rc == SQLITE_OK)
      rc = go_on_backward (scan, &chapter, &end);
  }
  rc = relay_statement_end (statement, rc);
  return rc == SQLITE_OK && !scan->is_stopped ? look_between (scan, scan->low, scan->position) : rc;
}

static int
scan_file (Scan *scan)
{
  if (scan->store->file.db == NULL)
    return SQLITE_OK;
  if (scan->filter.is_needed)
    return scan->query->newest ? scan_chapters_backward (scan) : scan_chapters_forward (scan);
  if (scan->query->newest)
    return look_between (scan, scan->low, scan->position);
  return look_between (scan, scan->position, G_MAXINT64);
}

/* ---- what waits ---- */

static void
scan_waiting (Scan *scan)
{
  const RelayWaiting *waiting = &scan->store->history.waiting;
  gboolean newest = scan->query->newest;
  const RelayWaitingEvent *event;

  event = newest ? relay_waiting_find_below (waiting, scan->position)
                 : relay_waiting_find_above (waiting, scan->position);
  while (event != NULL && event->sequence > scan->low && take_turn (scan)) {
    if (relay_chapter_filter_accepts (&scan->filter, &event->digest))
      look_at (scan, event->sequence, event->received_usec, event->text, event->length);
    else
      scan->position = event->sequence;
    event = newest ? event->previous : event->next;
  }
}

/* ---- where a scan begins and ends ---- */

/* The number below the first row that can have been received at @since_usec or later. */
static int
find_since (Scan *scan, gint64 since_usec, guint64 *ret_low)
{
  guint64 low = *ret_low, high = scan->store->history.state.last_sequence; /* the answer is one of low … high */
  int rc = SQLITE_OK;

  if (scan->store->file.db == NULL)
    return SQLITE_OK;
  while (rc == SQLITE_OK && low < high) {
    guint64 middle = low + (high - low) / 2;
    sqlite3_stmt *statement = relay_statement_begin (&scan->store->statements, RELAY_STATEMENT_STAMP);

    sqlite3_bind_int64 (statement, 1, (gint64) middle + 1);
    rc = sqlite3_step (statement);
    if (rc == SQLITE_ROW && sqlite3_column_int64 (statement, 1) < since_usec)
      low = MAX ((guint64) sqlite3_column_int64 (statement, 0), middle + 1);
    else
      high = middle;
    rc = relay_statement_end (statement, rc);
  }
  *ret_low = low;
  return rc;
}

static int
begin (Scan *scan, guint64 position)
{
  int rc = SQLITE_OK;

  relay_chapter_filter_init (&scan->filter, scan->query, scan->store->history.key, scan->store->history.names);
  scan->low = MIN (MAX (scan->query->after, scan->store->history.state.cleared), G_MAXINT64 - 1);
  if (scan->query->since_usec > 0 && (position == 0 || scan->query->newest))
    rc = find_since (scan, scan->query->since_usec, &scan->low);
  if (scan->query->newest)
    scan->position = position == 0 ? G_MAXINT64 : position;
  else
    scan->position = MAX (position, scan->low);
  return rc;
}

gboolean
relay_history_scan (RelayStore *store, const RelayQuery *query, guint64 *position, RelayHistoryFound found,
                    gpointer user_data, gboolean *ret_end, GError **error)
{
  Scan scan = { .store = store,
                .query = query,
                .found = found,
                .user_data = user_data,
                .n_rows_left = RELAY_HISTORY_STEP_ROWS,
                .n_bytes_left = STEP_BYTES };
  int rc = begin (&scan, *position);

  if (query->newest)
    scan_waiting (&scan);
  if (rc == SQLITE_OK && !scan.is_stopped)
    rc = scan_file (&scan);
  if (rc == SQLITE_OK && !scan.is_stopped && !query->newest)
    scan_waiting (&scan);
  relay_json_reader_clear (&scan.reader);
  if (rc != SQLITE_OK) {
    relay_store_set_error (store, rc, "read", error);
    relay_store_note_damage (store, rc);
    return FALSE;
  }
  *position = scan.position;
  *ret_end = !scan.is_stopped;
  return TRUE;
}

/* ---- ids ---- */

gboolean
relay_history_load_seen (RelayStore *store, RelaySeen *seen)
{
  RelayHistory *self = &store->history;
  sqlite3_stmt *statement;
  guint n_left = RELAY_HISTORY_STEP_ROWS;
  gboolean has_room = TRUE;
  int rc = SQLITE_ROW;

  if (store->file.db == NULL || self->seen_position == 0)
    return FALSE;
  statement = relay_statement_begin (&store->statements, RELAY_STATEMENT_IDS);
  sqlite3_bind_int64 (statement, 1, (gint64) self->seen_position);
  while (n_left-- > 0 && has_room && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
    guint64 hash[2];

    self->seen_position = (guint64) sqlite3_column_int64 (statement, 0);
    if (sqlite3_column_bytes (statement, 1) == (int) sizeof hash) {
      memcpy (hash, sqlite3_column_blob (statement, 1), sizeof hash);
      has_room = relay_seen_add_older (seen, hash);
    }
  }
  if (rc != SQLITE_ROW || !has_room)
    self->seen_position = 0;
  rc = relay_statement_end (statement, rc);
  relay_store_note_damage (store, rc);
  return self->seen_position != 0;
}
