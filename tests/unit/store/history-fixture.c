/* SPDX-License-Identifier: MIT */
#include "history-fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

guint64
history_append_text (RelayStore *store, const char *text, gint64 received_usec)
{
  RelayJsonReader reader = { 0 };
  RelayEvent event;
  g_autoptr (GError) error = NULL;

  relay_event_read (&event, &reader, text, strlen (text), &error);
  g_assert_no_error (error);
  event.sequence = relay_store_next_sequence (store);
  event.received_usec = received_usec != 0 ? received_usec : g_get_real_time ();
  relay_history_append (store, &event);
  relay_json_reader_clear (&reader);
  return event.sequence;
}

guint64
history_append (RelayStore *store, const char *prp, const char *agent, gint64 received_usec)
{
  g_autofree char *p = prp != NULL ? g_strdup_printf ("\"prpId\":\"%s\"", prp) : g_strdup ("\"x\":1");
  g_autofree char *a = agent != NULL ? g_strdup_printf (",\"agentId\":\"%s\"", agent) : g_strdup ("");
  g_autofree char *text = g_strdup_printf ("{\"id\":\"msg_%x\",\"type\":\"agent.progress\",\"data\":{%s%s}}",
                                           (guint) g_test_rand_int (), p, a);

  return history_append_text (store, text, received_usec);
}

void
history_append_many (RelayStore *store, guint n_events)
{
  for (guint i = 0; i < n_events; i++)
    history_append (store, "p", "a", 0);
}

typedef struct {
  GArray *found;
  guint limit;
} Listing;

static gboolean
on_found (const RelayEvent *event, gpointer user_data)
{
  Listing *listing = user_data;

  if (listing->limit != 0 && listing->found->len == listing->limit)
    return FALSE;
  g_array_append_val (listing->found, event->sequence);
  return TRUE;
}

GArray *
history_list (RelayStore *store, const RelayQuery *query, guint limit)
{
  Listing listing = { g_array_new (FALSE, FALSE, sizeof (guint64)), limit };
  guint64 position = 0, before;
  gboolean end = FALSE;

  while (!end && (limit == 0 || listing.found->len < limit)) {
    g_autoptr (GError) error = NULL;

    before = position;
    relay_history_scan (store, query, &position, on_found, &listing, &end, &error);
    g_assert_no_error (error);
    g_assert_true (end || position != before || listing.found->len == limit);
  }
  return listing.found;
}

void
history_expect (RelayStore *store, RelayQuery query, const char *expected)
{
  g_autoptr (GArray) found = history_list (store, &query, 0);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < found->len; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i > 0 ? " " : "", g_array_index (found, guint64, i));
  g_assert_cmpstr (text->str, ==, expected);
}

guint
history_count (RelayStore *store)
{
  const RelayQuery query = { 0 };
  g_autoptr (GArray) found = history_list (store, &query, 0);

  return found->len;
}

void
history_set_limits (RelayStore *store, guint64 max_events, guint64 max_age_usec)
{
  const RelayHistoryLimits limits = { max_events, max_age_usec };

  relay_history_set_limits (store, &limits);
}

static void
on_dirty (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
}

guint
history_settle (RelayStore *store)
{
  gboolean is_dirty = TRUE;
  guint n = 0;

  relay_store_set_dirty (store, on_dirty, &is_dirty);
  for (; is_dirty; n++) {
    is_dirty = FALSE;
    fixture_commit (store);
  }
  relay_store_set_dirty (store, NULL, NULL);
  return n;
}

void
history_in_killed_child (StoreFixture *f, void (*part) (RelayStore *store))
{
  pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    part (relay_store_open (f->directory));
    kill (getpid (), SIGKILL);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
}

gint64
history_sql_int (StoreFixture *f, const char *sql)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  gint64 value;

  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  value = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  sqlite3_close (db);
  return value;
}

void
history_expect_sound (StoreFixture *f)
{
  static const char sql[] = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";

  g_assert_cmpint (history_sql_int (f, sql), ==, 1);
}
