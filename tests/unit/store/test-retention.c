/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include "history-fixture.h"
#include "store/store-private.h"

#define HOUR_USEC (3600 * (gint64) G_USEC_PER_SEC)

static guint
count_chapters (StoreFixture *f)
{
  return (guint) history_sql_int (f, "SELECT count(*) FROM chapters");
}

/* Whatever the size of the commits, the last ones are kept, and no more. */
static void
test_count (StoreFixture *f, gconstpointer data)
{
  static const guint batches[] = { 1, 7, 100, 300, 1000, 5000 };
  RelayStore *store = fixture_open_good (f);
  guint64 last = 0;

  history_set_limits (store, 1000, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (batches); i++) {
    for (guint n = 0; n < 3; n++) {
      history_append_many (store, batches[i]);
      last += batches[i];
      fixture_commit (store);
      g_assert_cmpuint (relay_history_get_last_sequence (store), ==, last);
      g_assert_cmpuint (relay_history_get_first_sequence (store), ==, last > 1000 ? last - 999 : 1);
      g_assert_cmpuint (history_count (store), ==, MIN (last, 1000));
    }
  }
  g_assert_cmpint (history_sql_int (f, "SELECT count(*) FROM events"), ==, 1000);
  g_assert_cmpuint (count_chapters (f), <, 10);
  relay_store_free (store);

  store = fixture_open_good (f);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, last - 999);
  history_set_limits (store, 1000, 0);
  history_append_many (store, 1);
  fixture_commit (store);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, last - 998);
  g_assert_cmpuint (history_count (store), ==, 1000);
  relay_store_free (store);
}

/* Of many events some leave at a time, so that most commits have none to remove; never are there more. */
static void
test_spare (StoreFixture *f, gconstpointer data)
{
  enum { MAX = 8192, SPARE = MAX / 1024 };
  RelayStore *store = fixture_open_good (f);
  guint n_removals = 0;
  guint64 before;

  history_set_limits (store, MAX, 0);
  history_append_many (store, MAX);
  fixture_commit (store);
  before = relay_history_get_first_sequence (store);
  g_assert_cmpuint (before, ==, 1);
  for (guint i = 1; i <= 5 * (SPARE + 1); i++) {
    guint64 first;

    history_append_many (store, 1);
    fixture_commit (store);
    first = relay_history_get_first_sequence (store);
    n_removals += first != before;
    before = first;
    g_assert_cmpint (MAX + i - (first - 1), <=, MAX);
    g_assert_cmpint (MAX + i - (first - 1), >=, MAX - SPARE);
  }
  g_assert_cmpuint (n_removals, ==, 5);
  relay_store_free (store);

  /* What the first row tells is not written for itself. */
  g_assert_cmpint (history_sql_int (f, "SELECT removed FROM meta"), ==, 0);
  store = fixture_open_good (f);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, before);
  g_assert_cmpuint (history_count (store), ==, MAX + 5 * (SPARE + 1) - (before - 1));
  relay_store_free (store);
}

/* A lowered limit is reached in steps: no commit removes much at once. */
static void
test_lowered (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint before = 3000, n_dirty = 0;

  history_append_many (store, 3000);
  fixture_commit (store);
  relay_store_set_dirty (store, fixture_count, &n_dirty);
  history_set_limits (store, 3000, 0);
  g_assert_cmpuint (n_dirty, ==, 0);
  history_set_limits (store, 100, 0);
  g_assert_cmpuint (n_dirty, ==, 1);
  while (before > 100) {
    guint after;

    fixture_commit (store);
    after = history_count (store);
    g_assert_cmpuint (before - after, <=, 200);
    g_assert_cmpuint (before, >, after);
    g_assert_cmpuint (n_dirty, ==, after > 100 ? 2 : 1);
    n_dirty = 1;
    before = after;
  }
  g_assert_cmpuint (history_count (store), ==, 100);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 2901);
  relay_store_free (store);
}

static void
test_none (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  RelaySeen *seen;

  history_append_many (store, 500);
  fixture_commit (store);
  history_append_many (store, 10);
  history_set_limits (store, 0, 0);
  history_settle (store);
  g_assert_cmpuint (history_count (store), ==, 0);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 511);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 510);
  g_assert_cmpuint (count_chapters (f), ==, 0);

  history_append_many (store, 5);
  fixture_commit (store);
  g_assert_cmpuint (history_count (store), ==, 0);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 516);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 515);
  relay_store_free (store);

  store = fixture_open_good (f);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 516);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 515);
  seen = relay_seen_new (relay_history_get_key (store));
  g_assert_false (relay_history_load_seen (store, seen));
  relay_seen_free (seen);
  /* From now on there is one. */
  history_set_limits (store, 10, 0);
  history_append_many (store, 1);
  history_expect (store, (RelayQuery){ 0 }, "516");
  relay_store_free (store);
}

static void
test_age (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  gint64 now_usec = g_get_real_time ();

  history_append (store, "p", "a", now_usec - 5 * HOUR_USEC); /* 1 */
  history_append (store, "p", "a", now_usec - 3 * HOUR_USEC);
  history_append (store, "p", "a", now_usec - HOUR_USEC); /* 3 */
  fixture_commit (store);
  g_assert_cmpint (relay_history_get_next_aging (store), ==, 0);
  history_set_limits (store, 100, 4 * (guint64) HOUR_USEC);
  g_assert_cmpint (relay_history_get_next_aging (store), <=, now_usec); /* at once */
  history_settle (store);
  history_expect (store, (RelayQuery){ 0 }, "2 3");
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 2);
  /* When the next one will be too old. */
  g_assert_cmpint (relay_history_get_next_aging (store), >=, now_usec + HOUR_USEC);
  g_assert_cmpint (relay_history_get_next_aging (store), <=, now_usec + 2 * HOUR_USEC);
  relay_store_free (store);

  /* The clock may have gone on while it was closed. */
  fixture_sql (f->path, "UPDATE events SET received = received - 7200000000");
  store = fixture_open_good (f);
  history_set_limits (store, 100, 4 * (guint64) HOUR_USEC);
  history_settle (store);
  history_expect (store, (RelayQuery){ 0 }, "3");
  relay_store_free (store);
}

/* A clock that was ahead for a while does not keep what came then, and behind it, for ever. */
static void
test_age_of_the_future (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  gint64 now_usec = g_get_real_time ();

  history_append (store, "p", "a", now_usec + 1000 * HOUR_USEC);
  history_append (store, "p", "a", now_usec - 10 * HOUR_USEC);
  history_append (store, "p", "a", now_usec - HOUR_USEC);
  fixture_commit (store);
  history_set_limits (store, 100, 4 * (guint64) HOUR_USEC);
  g_assert_cmpint (relay_history_get_next_aging (store), >, now_usec);
  g_assert_cmpint (relay_history_get_next_aging (store), <=, now_usec + 2 * HOUR_USEC);
  store->history.next_aging_usec = now_usec; /* an hour later */
  history_settle (store);
  history_expect (store, (RelayQuery){ 0 }, "3");
  relay_store_free (store);
}

/* What was removed is used again. */
static void
test_reuse (StoreFixture *f, gconstpointer data)
{
  g_autofree char *pad = g_strnfill (1000000, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"t\",\"pad\":\"%s\"}", pad);
  RelayStore *store = fixture_open_good (f);
  gint64 n_pages;

  for (guint i = 0; i < 5; i++) {
    for (guint n = 0; n < 4; n++)
      history_append_text (store, text, 0);
    fixture_commit (store);
  }
  n_pages = history_sql_int (f, "PRAGMA page_count");
  g_assert_cmpuint (history_count (store), ==, 20);
  history_set_limits (store, 5, 0);
  history_settle (store);
  history_set_limits (store, 100, 0);
  for (guint n = 0; n < 4; n++)
    history_append_text (store, text, 0);
  fixture_commit (store);
  g_assert_cmpint (history_sql_int (f, "PRAGMA page_count"), <=, n_pages + 2);
  relay_store_free (store);
}

/* What is used of the file has its bound, whatever the events' size; there is always an end to the removing. */
static void
test_size (StoreFixture *f, gconstpointer data)
{
  g_autofree char *pad = g_strnfill (50000, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"t\",\"pad\":\"%s\"}", pad);
  RelayStore *store = fixture_open_good (f);
  gint64 n_used;
  guint n_events;

  g_assert_cmpint (store->history.max_file_bytes, ==, RELAY_HISTORY_MAX_FILE_BYTES);
  store->history.max_file_bytes = 4 * 1024 * 1024;
  for (guint i = 0; i < 300; i++) {
    history_append_text (store, text, 0);
    if (i % 7 == 0)
      fixture_commit (store);
  }
  history_settle (store);
  n_used = history_sql_int (f, "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count");
  g_assert_cmpint (n_used * RELAY_DATABASE_PAGE_BYTES, <=, 5 * 1024 * 1024 + 100000); /* it is looked at once in a MiB */
  n_events = history_count (store);
  g_assert_cmpuint (n_events, >, 70); /* not many more left than had to: 4 MiB are 78 of them */
  g_assert_cmpuint (n_events, <, 120);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 301 - n_events);

  store->history.max_file_bytes = 1;
  for (guint i = 0; i < 30; i++)
    history_append_text (store, text, 0);
  history_settle (store);
  g_assert_cmpuint (history_count (store), ==, 0);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 331);
  relay_store_free (store);
}

static void
test_limit_of_age (void)
{
  RelayHistory history = { .limits = { 10, 0 } };

  g_assert_cmpint (relay_retention_get_limit (&history, 1000), ==, G_MININT64);
  history.limits.max_age_usec = 300;
  g_assert_cmpint (relay_retention_get_limit (&history, 1000), ==, 700);
  history.limits.max_age_usec = G_MAXUINT64;
  g_assert_cmpint (relay_retention_get_limit (&history, 1000), ==, G_MININT64);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("retention/count", test_count);
  FIXTURE_ADD ("retention/spare", test_spare);
  FIXTURE_ADD ("retention/lowered", test_lowered);
  FIXTURE_ADD ("retention/none", test_none);
  FIXTURE_ADD ("retention/age", test_age);
  FIXTURE_ADD ("retention/age-of-the-future", test_age_of_the_future);
  FIXTURE_ADD ("retention/reuse", test_reuse);
  FIXTURE_ADD ("retention/size", test_size);
  g_test_add_func ("/store/retention/limit-of-age", test_limit_of_age);
  return g_test_run ();
}
