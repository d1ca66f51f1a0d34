/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "history-fixture.h"
#include "store/store-private.h"

static void
test_durable (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  fixture_expect_durable (store, "");
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "c:'\"\\%", TRUE);
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_set_durable (store, "d:4", FALSE);
  fixture_expect_durable (store, "a:1 b:2 c:'\"\\%");
  fixture_commit (store);
  fixture_commit (store);
  relay_store_set_durable (store, "b:2", FALSE);
  fixture_expect_durable (store, "a:1 c:'\"\\%");
  relay_store_free (store); /* commits */

  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 c:'\"\\%");
  relay_store_set_durable (store, "a:1", FALSE);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_set_durable (store, "b:2", FALSE);
  relay_store_free (store);

  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 c:'\"\\%");
  relay_store_free (store);
}

static void
test_dirty (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint n = 0;

  relay_store_set_dirty (store, fixture_count, &n);
  relay_store_set_durable (store, "a:1", FALSE);
  g_assert_cmpuint (n, ==, 0);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "a:2", TRUE);
  g_assert_cmpuint (n, ==, 1);
  fixture_commit (store);
  relay_store_set_durable (store, "a:2", TRUE);
  g_assert_cmpuint (n, ==, 1);
  relay_store_set_durable (store, "a:2", FALSE);
  g_assert_cmpuint (n, ==, 2);
  relay_store_next_sequence (store); /* writes by itself */
  g_assert_cmpuint (n, ==, 2);
  relay_store_free (store);
}

/* What is known of a durable channel's coverage goes with it. */
static void
test_covered (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint n = 0;

  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, -1);
  relay_store_set_covered (store, "a:1", 5); /* is not durable */
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, -1);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "b:2", TRUE);
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, -1);
  relay_store_set_covered (store, "a:1", 0);
  relay_store_set_covered (store, "b:2", 1700000000000000);
  relay_store_free (store);

  store = fixture_open_good (f);
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, 0);
  g_assert_cmpint (relay_store_get_covered (store, "b:2"), ==, 1700000000000000);
  relay_store_set_dirty (store, fixture_count, &n);
  relay_store_set_covered (store, "a:1", 0);
  g_assert_cmpuint (n, ==, 0);
  relay_store_set_covered (store, "a:1", 7);
  g_assert_cmpuint (n, ==, 1);
  relay_store_set_durable (store, "b:2", FALSE);
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, 7);
  g_assert_cmpint (relay_store_get_covered (store, "b:2"), ==, -1);
  relay_store_free (store);
}

/* The last proof of life goes with whatever else is written, and by itself only now and then. */
static void
test_alive (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint n = 0;

  g_assert_cmpint (relay_store_get_alive (store), ==, 0);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_alive (store, 1000);
  g_assert_cmpint (relay_store_get_alive (store), ==, 1000);
  fixture_commit (store);

  relay_store_set_dirty (store, fixture_count, &n);
  relay_store_set_alive (store, 2000);
  fixture_commit (store);
  g_assert_cmpuint (n, ==, 0);
  g_assert_cmpint (history_sql_int (f, "SELECT alive FROM meta"), ==, 1000);
  store->alive_written_usec -= RELAY_STORE_ALIVE_USEC; /* some time later */
  relay_store_set_alive (store, 3000);
  g_assert_cmpuint (n, ==, 1);
  fixture_commit (store);
  g_assert_cmpint (history_sql_int (f, "SELECT alive FROM meta"), ==, 3000);
  relay_store_set_alive (store, 2500); /* the clock was set back: at once */
  g_assert_cmpuint (n, ==, 2);
  fixture_commit (store);
  g_assert_cmpint (history_sql_int (f, "SELECT alive FROM meta"), ==, 2500);
  relay_store_set_alive (store, 4000);
  relay_store_free (store); /* the end */

  store = fixture_open_good (f);
  g_assert_cmpint (relay_store_get_alive (store), ==, 4000);
  relay_store_free (store);
}

static void
test_sequence (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint64 expected = 1;

  for (guint round = 0; round < 4; round++) {
    for (guint i = 0; i < RELAY_STORE_SEQUENCE_BLOCK * 3 / 4; i++)
      g_assert_cmpuint (relay_store_next_sequence (store), ==, expected++);
    relay_store_free (store);
    store = fixture_open_good (f); /* a clean end skips nothing */
  }
  relay_store_free (store);
  store = fixture_open_good (f); /* nor one without any number */
  g_assert_cmpuint (relay_store_next_sequence (store), ==, expected++);
  relay_store_free (store);
  store = fixture_open_good (f); /* nor one at the very end of a block */
  for (guint i = 0; i < RELAY_STORE_SEQUENCE_BLOCK; i++)
    g_assert_cmpuint (relay_store_next_sequence (store), ==, expected++);
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (relay_store_next_sequence (store), ==, expected++);
  relay_store_free (store);
}

/* What is only found when the file is written: a list of free pages that leads nowhere. */
static void
test_damaged_in_use (StoreFixture *f, gconstpointer data)
{
  g_autofree char *contents = NULL;
  g_auto (GStrv) before = NULL, after = NULL;
  RelayStore *store = fixture_open_good (f);
  guint64 sequence;
  gsize length;

  for (guint round = 0; round < 2; round++) {
    for (guint i = 0; i < 1000; i++) {
      g_autofree char *name = g_strdup_printf ("prp:%0200u", i);

      relay_store_set_durable (store, name, round == 0);
    }
    fixture_commit (store);
  }
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_free (store);

  g_assert_true (g_file_get_contents (f->path, &contents, &length, NULL));
  memset (contents + 32, 0x11, 4); /* number of the first free page */
  fixture_put (f, "relay.db", contents, (gssize) length);

  store = fixture_open_good (f);
  sequence = relay_store_next_sequence (store);
  for (guint i = 0; i < 1000; i++) {
    g_autofree char *name = g_strdup_printf ("prp:%0200u", i);

    relay_store_set_durable (store, name, TRUE);
  }
  relay_store_set_durable (store, "a:1", FALSE);
  before = relay_store_list_durable (store);
  g_assert_cmpuint (g_strv_length (before), ==, 1000);
  fixture_commit (store); /* everything, anew */
  fixture_expect_trouble (store, "STORE_DAMAGED", "*renamed to relay.db.bad-1: *malformed*");
  g_assert_true (relay_store_is_persistent (store));
  relay_store_acknowledge (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (relay_store_next_sequence (store), >, sequence);
  sequence = relay_store_next_sequence (store);
  relay_store_free (store);

  store = fixture_open_good (f);
  after = relay_store_list_durable (store);
  g_assert_true (g_strv_equal ((const char *const *) before, (const char *const *) after));
  g_assert_cmpuint (relay_store_next_sequence (store), ==, sequence + 1);
  relay_store_free (store);
}

static void
full_in_use_part (StoreFixture *f)
{
  RelayStore *store = fixture_open_good (f), *other;
  g_autoptr (GError) error = NULL;
  guint64 sequence = relay_store_next_sequence (store);
  guint n_dirty = 0;

  relay_store_set_dirty (store, fixture_count, &n_dirty);
  fixture_set_full (TRUE);
  relay_store_set_durable (store, "c:3", TRUE);
  relay_store_set_durable (store, "a:1", FALSE);
  for (guint i = 0; i < 3; i++) {
    g_clear_error (&error);
    relay_store_retry (store);
    g_assert_false (relay_store_commit (store, &error));
    g_assert_error (error, RELAY_ERROR, RELAY_ERROR_IO);
    g_assert_nonnull (strstr (error->message, f->path));
  }
  /* Numbers go on past what is reserved. */
  for (guint i = 0; i < 3 * RELAY_STORE_SEQUENCE_BLOCK; i++)
    g_assert_cmpuint (relay_store_next_sequence (store), ==, ++sequence);
  relay_store_set_durable (store, "d:4", TRUE);
  fixture_expect_durable (store, "b:2 c:3 d:4");
  g_assert_false (relay_store_commit (store, NULL));
  fixture_set_full (FALSE);
  fixture_expect_trouble (store, "STORE_FULL", "*/relay.db: *");
  g_assert_cmpuint (n_dirty, ==, 1); /* to repeat it is the owner's */

  relay_store_retry (store);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  other = fixture_open_good (f);
  fixture_expect_durable (other, "b:2 c:3 d:4");
  g_assert_cmpuint (relay_store_next_sequence (other), >, sequence);
  relay_store_free (other);
  relay_store_free (store);
}

static void
test_full (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  fixture_make_store (f);
  fixture_in_child (f, full_in_use_part);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "b:2 c:3 d:4");
  relay_store_free (store);
}

static void
test_two (StoreFixture *f, gconstpointer data)
{
  RelayStore *first = fixture_open_good (f), *second = fixture_open_good (f);
  g_autoptr (GHashTable) numbers = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  for (guint i = 0; i < 5 * RELAY_STORE_SEQUENCE_BLOCK; i++) {
    guint64 number = relay_store_next_sequence (g_test_rand_bit () ? first : second);

    g_assert_true (g_hash_table_add (numbers, g_memdup2 (&number, sizeof number)));
  }
  relay_store_set_durable (first, "a:1", TRUE);
  relay_store_set_durable (second, "b:2", TRUE);
  fixture_commit (second);
  fixture_commit (first);
  relay_store_free (first);
  relay_store_free (second);

  first = fixture_open_good (f);
  fixture_expect_durable (first, "a:1 b:2");
  for (guint i = 0; i < RELAY_STORE_SEQUENCE_BLOCK; i++) {
    guint64 number = relay_store_next_sequence (first);

    g_assert_false (g_hash_table_contains (numbers, &number));
  }
  relay_store_free (first);
}

static void
test_locked (StoreFixture *f, gconstpointer data)
{
  RelayStore *store, *other;
  sqlite3 *db = NULL;
  g_autoptr (GError) error = NULL;

  fixture_make_store (f);
  store = fixture_open_good (f);
  relay_store_set_durable (store, "c:3", TRUE);
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_false (relay_store_commit (store, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_IO);
  g_assert_nonnull (strstr (error->message, "locked"));
  fixture_expect_trouble (store, "STORE_LOCKED", "*/relay.db: *locked*");
  other = fixture_open_troubled (f, FALSE, "STORE_LOCKED", "*/relay.db: *locked*");
  fixture_expect_durable (other, "a:1 b:2");
  relay_store_free (other);
  g_assert_cmpint (sqlite3_exec (db, "COMMIT", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);

  relay_store_retry (store);
  fixture_commit (store);
  relay_store_free (store);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 b:2 c:3");
  relay_store_free (store);
}

/* What the child did last, readable when it is dead. */
typedef struct {
  volatile guint64 sequence;  /* given out */
  volatile guint64 committed; /* step whose commit returned */
} Progress;

/* Moves a mark: "step:N" becomes "step:N+1" in one commit each; and takes numbers all the while. */
G_NORETURN static void
run_victim (StoreFixture *f, Progress *progress, int pipe_fd)
{
  RelayStore *store = relay_store_open (f->directory);

  if (relay_store_get_trouble (store) != NULL)
    _exit (1);
  for (guint64 step = progress->committed + 1;; step++) {
    g_auto (GStrv) names = relay_store_list_durable (store);
    g_autofree char *next = g_strdup_printf ("step:%" G_GUINT64_FORMAT, step);

    for (char **name = names; *name != NULL; name++)
      relay_store_set_durable (store, *name, FALSE);
    relay_store_set_durable (store, next, TRUE);
    for (guint i = 0; i < RELAY_STORE_SEQUENCE_BLOCK / 3; i++) {
      guint64 sequence = relay_store_next_sequence (store);

      if (sequence <= progress->sequence)
        _exit (2);
      progress->sequence = sequence;
    }
    if (!relay_store_commit (store, NULL))
      _exit (3);
    progress->committed = step;
    if (write (pipe_fd, "", 1) != 1)
      _exit (4);
  }
}

static void
test_kill (StoreFixture *f, gconstpointer data)
{
  Progress *progress = mmap (NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true (progress != MAP_FAILED);
  for (guint round = 0; round < 50; round++) {
    int fds[2], status;
    char buffer[1];
    pid_t pid;
    RelayStore *store;
    g_auto (GStrv) names = NULL;
    guint64 step;

    g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
    pid = fork ();
    g_assert_cmpint (pid, >=, 0);
    if (pid == 0) {
      close (fds[0]);
      run_victim (f, progress, fds[1]);
    }
    close (fds[1]);
    for (gint32 n = g_test_rand_int_range (1, 8); n > 0; n--)
      g_assert_cmpint (read (fds[0], buffer, 1), ==, 1);
    kill (pid, SIGKILL);
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFSIGNALED (status));
    close (fds[0]);

    /* All of the last commit, or all of the one that was under way. */
    store = fixture_open_good (f);
    names = relay_store_list_durable (store);
    g_assert_cmpuint (g_strv_length (names), ==, 1);
    g_assert_true (g_str_has_prefix (names[0], "step:"));
    step = g_ascii_strtoull (names[0] + strlen ("step:"), NULL, 10);
    g_assert_cmpuint (step, >=, progress->committed);
    g_assert_cmpuint (step, <=, progress->committed + 1);
    progress->committed = step;
    if (round % 2 == 0) {
      g_assert_cmpuint (relay_store_next_sequence (store), >, progress->sequence);
      progress->sequence = relay_store_next_sequence (store);
    }
    relay_store_free (store);
  }
  g_assert_false (fixture_exists (f, "relay.db.bad-1"));
  munmap (progress, sizeof *progress);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("store/durable", test_durable);
  FIXTURE_ADD ("store/dirty", test_dirty);
  FIXTURE_ADD ("store/covered", test_covered);
  FIXTURE_ADD ("store/alive", test_alive);
  FIXTURE_ADD ("store/sequence", test_sequence);
  FIXTURE_ADD ("store/damaged-in-use", test_damaged_in_use);
  FIXTURE_ADD ("store/full", test_full);
  FIXTURE_ADD ("store/two", test_two);
  FIXTURE_ADD ("store/locked", test_locked);
  FIXTURE_ADD ("store/kill", test_kill);
  return g_test_run ();
}
