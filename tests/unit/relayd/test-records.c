/* SPDX-License-Identifier: MIT */
#include "relayd/records.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include <glib/gstdio.h>

typedef struct {
  char *directory;
  RelayStatus *status;
  RelayRecords *records;
  RelayJsonReader reader;
  guint n_settled, n_recovered, n_shown;
  gint64 alive_usec;
} Fixture;

static const RelayHistoryLimits plenty = { 1000, 0 };

/* What is set here is in the commit that follows. */
static void
on_committing (gpointer user_data)
{
  Fixture *f = user_data;

  relay_store_set_alive (relay_records_get_store (f->records), ++f->alive_usec);
}

static void
on_settled (gpointer user_data)
{
  ((Fixture *) user_data)->n_settled++;
}

static void
on_recovered (gpointer user_data)
{
  ((Fixture *) user_data)->n_recovered++;
}

static void
on_status (const RelayStatus *status, RelayStatusFields fields, gpointer user_data)
{
  ((Fixture *) user_data)->n_shown++;
}

static void
open_records (Fixture *f)
{
  static const RelayRecordsEvents events = { .committing = on_committing, .settled = on_settled, .recovered = on_recovered };

  f->records = relay_records_new (f->directory, &plenty, f->status, &events, f);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->directory = g_dir_make_tmp ("relay-records-XXXXXX", NULL);
  g_assert_nonnull (f->directory);
  f->status = relay_status_new ();
  relay_status_watch (f->status, on_status, f);
  open_records (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  GDir *dir;
  const char *name;

  relay_records_free (f->records);
  relay_status_free (f->status);
  relay_json_reader_clear (&f->reader);
  dir = g_dir_open (f->directory, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (f->directory, name, NULL);

    g_unlink (path);
  }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (f->directory), ==, 0);
  g_free (f->directory);
}

/* No file can grow, as on a full disk. */
static void
set_full (gboolean full)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = full ? 1 : limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

/* What is due now. */
static void
turn (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* ms until something is due although nothing happens; -1: never. */
static int
get_timeout (void)
{
  GMainContext *context = g_main_context_default ();
  int priority, timeout;

  g_assert_true (g_main_context_acquire (context));
  g_main_context_prepare (context, &priority);
  g_main_context_query (context, G_MAXINT, &timeout, NULL, 0);
  g_main_context_release (context);
  return timeout;
}

static guint64
append (Fixture *f)
{
  static const char text[] = "{\"type\":\"a.b\",\"data\":{\"id\":\"1\"}}";
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &f->reader, text, strlen (text), NULL));
  event.sequence = relay_store_next_sequence (relay_records_get_store (f->records));
  event.received_usec = 1700000000000000;
  relay_records_append (f->records, &event);
  return event.sequence;
}

static gboolean
on_found (const RelayEvent *event, gpointer user_data)
{
  g_string_append_printf (user_data, "%" G_GUINT64_FORMAT " ", event->sequence);
  return TRUE;
}

static void
expect (Fixture *f, const char *expected)
{
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  const RelayQuery all = { 0 };
  guint64 position = 0;
  gboolean end = FALSE;

  while (!end) {
    relay_history_scan (relay_records_get_store (f->records), &all, &position, on_found, found, &end, &error);
    g_assert_no_error (error);
  }
  g_assert_cmpstr (found->str, ==, expected);
}

/* Killed, as it were: what was not committed is not there. */
static void
expect_stored (Fixture *f, const char *expected)
{
  g_autoptr (RelayStatus) status = relay_status_new ();
  g_autofree char *copy = g_dir_make_tmp ("relay-records-XXXXXX", NULL);
  static const char *const names[] = { "relay.db", "relay.db-wal" };
  Fixture other = { .directory = copy, .status = status };
  g_autofree char *shm = g_build_filename (copy, "relay.db-shm", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *from = g_build_filename (f->directory, names[i], NULL);
    g_autofree char *to = g_build_filename (copy, names[i], NULL);
    g_autofree char *bytes = NULL;
    gsize length;

    if (g_file_get_contents (from, &bytes, &length, NULL))
      g_assert_true (g_file_set_contents (to, bytes, (gssize) length, NULL));
  }
  open_records (&other);
  expect (&other, expected);
  relay_records_free (other.records);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (copy, names[i], NULL);

    g_unlink (path);
  }
  g_unlink (shm);
  g_assert_cmpint (g_rmdir (copy), ==, 0);
}

/* One commit at the end of the turn for all that came in it, and then it may be told. */
static void
test_turn (Fixture *f, gconstpointer data)
{
  append (f);
  append (f);
  g_assert_cmpuint (f->n_settled, ==, 0);
  turn ();
  g_assert_cmpuint (f->n_settled, ==, 1);
  expect_stored (f, "1 2 ");
  turn ();
  g_assert_cmpuint (f->n_settled, ==, 1);

  /* At once, where somebody wants an answer. */
  append (f);
  relay_records_commit (f->records);
  g_assert_cmpuint (f->n_settled, ==, 2);
  expect_stored (f, "1 2 3 ");
  g_assert_cmpuint (f->n_shown, ==, 0);
}

static gboolean
on_gap_found (const RelayEvent *event, gpointer user_data)
{
  g_autofree char *cause = relay_event_dup_member (event, "cause");

  g_assert_true (relay_json_reader_string_equal (event->reader, event->type, RELAY_GAP_TYPE));
  g_assert_cmpstr (cause, ==, RELAY_GAP_CAUSE_RESTARTED);
  g_assert_cmpuint (event->sequence, ==, 1);
  ++*(guint *) user_data;
  return TRUE;
}

static void
test_gap (Fixture *f, gconstpointer data)
{
  static const char *const channels[] = { "project:a", NULL };
  RelayStore *store = relay_records_get_store (f->records);
  RelayGap gap = { 5, 6, RELAY_GAP_CAUSE_RESTARTED, (char **) channels, relay_store_next_sequence (store) };
  RelayQuery all = { 0 };
  guint64 position = 0;
  guint n = 0;
  gboolean end;

  relay_records_append_gap (f->records, &gap);
  turn ();
  g_assert_cmpuint (f->n_settled, ==, 1);
  g_assert_true (relay_history_scan (store, &all, &position, on_gap_found, &n, &end, NULL));
  g_assert_cmpuint (n, ==, 1);
}

/* A durable subscription is stored in the next turn as well. */
static void
test_dirty (Fixture *f, gconstpointer data)
{
  relay_store_set_durable (relay_records_get_store (f->records), "project:a", TRUE);
  turn ();
  g_assert_cmpuint (f->n_settled, ==, 1);
}

/* What is set just before a commit is in it. */
static void
test_committing (Fixture *f, gconstpointer data)
{
  append (f);
  turn ();
  relay_records_free (g_steal_pointer (&f->records));
  open_records (f);
  g_assert_cmpint (f->alive_usec, >, 0);
  g_assert_cmpint (relay_store_get_alive (relay_records_get_store (f->records)), ==, f->alive_usec);
}

/* Nothing to store: told all the same, at the end of the turn, so that what is told goes out together. */
static void
test_no_history (Fixture *f, gconstpointer data)
{
  const RelayHistoryLimits none = { 0, 0 };

  append (f);
  turn ();
  relay_records_configure (f->records, &none);
  turn ();
  expect (f, "");
  f->n_settled = 0;
  append (f);
  append (f);
  g_assert_cmpuint (f->n_settled, ==, 0);
  turn ();
  g_assert_cmpuint (f->n_settled, ==, 1);
  expect (f, "");

  relay_records_configure (f->records, &plenty);
  append (f);
  turn ();
  expect (f, "4 ");
}

/* A full disk: everything is told after one attempt, and none is made for a while, unless the user says that something was
 * done. Nothing is lost. */
static void
test_full (Fixture *f, gconstpointer data)
{
  append (f);
  turn ();
  g_assert_cmpint (get_timeout (), ==, -1);
  set_full (TRUE);
  append (f);
  turn ();
  set_full (FALSE);
  g_assert_cmpint (get_timeout (), >, 0); /* another attempt is planned */
  g_assert_cmpint (get_timeout (), <=, (int) (RELAY_RECORDS_RETRY_USEC / 1000));
  g_assert_cmpuint (f->n_settled, ==, 2);
  g_assert_true (g_str_has_prefix (f->status->error_code, "STORE"));
  g_assert_cmpuint (f->n_shown, ==, 1);

  /* There is room, but nobody has looked yet. */
  append (f);
  turn ();
  relay_records_commit (f->records);
  g_assert_cmpuint (f->n_settled, ==, 4);
  expect_stored (f, "1 ");
  g_assert_cmpuint (f->n_shown, ==, 1);

  relay_records_configure (f->records, &plenty);
  g_assert_cmpuint (f->n_settled, ==, 5);
  g_assert_cmpuint (f->n_recovered, >, 0);
  expect_stored (f, "1 2 3 ");
  g_assert_cmpint (get_timeout (), ==, -1);
  g_assert_cmpstr (f->status->error_code, ==, "");
  g_assert_cmpuint (f->n_shown, ==, 2);
  append (f);
  turn ();
  expect_stored (f, "1 2 3 4 ");
}

/* The last attempt is made in any case. */
static void
test_last (Fixture *f, gconstpointer data)
{
  set_full (TRUE);
  append (f);
  turn ();
  set_full (FALSE);
  expect_stored (f, "");
  relay_records_commit_last (f->records);
  expect_stored (f, "1 ");
  g_assert_cmpstr (f->status->error_code, ==, "");
}

static void
test_clear (Fixture *f, gconstpointer data)
{
  g_autofree char *id = g_strdup (relay_history_get_id (relay_records_get_store (f->records)));
  g_autoptr (GError) error = NULL;

  append (f);
  turn ();
  f->n_settled = 0;
  g_assert_true (relay_records_clear (f->records, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (f->n_settled, ==, 1);
  g_assert_cmpstr (relay_history_get_id (relay_records_get_store (f->records)), !=, id);
  expect (f, "");
}

/* A file that is none of ours is shown from the start, until the user has been told. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  g_autofree char *path = g_build_filename (f->directory, "relay.db", NULL);

  g_clear_pointer (&f->records, relay_records_free);
  g_assert_true (g_file_set_contents (path, "This is no database, and it is long enough to be looked at as one.", -1, NULL));
  open_records (f);
  g_assert_cmpstr (f->status->error_code, ==, "STORE_DAMAGED");
  append (f);
  turn ();
  g_assert_cmpstr (f->status->error_code, ==, "STORE_DAMAGED");
  relay_records_configure (f->records, &plenty);
  g_assert_cmpstr (f->status->error_code, ==, "");
  relay_records_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/relayd/records/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("turn", test_turn);
  ADD ("gap", test_gap);
  ADD ("dirty", test_dirty);
  ADD ("committing", test_committing);
  ADD ("no-history", test_no_history);
  ADD ("full", test_full);
  ADD ("last", test_last);
  ADD ("clear", test_clear);
  ADD ("damaged", test_damaged);
  return g_test_run ();
}
