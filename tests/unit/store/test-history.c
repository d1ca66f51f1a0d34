/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history-fixture.h"

static void
test_bounds (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 0);
  history_append_many (store, 3);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 3);
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 3);
  relay_store_free (store);
}

static void
test_clear (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  g_autofree char *id = NULL, *new_id = NULL;
  guint8 key[16];

  history_append_many (store, 1000);
  fixture_commit (store);
  history_append_many (store, 10);
  id = g_strdup (relay_history_get_id (store));
  memcpy (key, relay_history_get_key (store), sizeof key);
  relay_store_set_durable (store, "a:1", TRUE);

  g_assert_true (relay_history_clear (store, NULL));
  new_id = g_strdup (relay_history_get_id (store));
  g_assert_cmpstr (new_id, !=, id);
  g_assert_cmpuint (history_count (store), ==, 0);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1011);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 1010);
  fixture_expect_durable (store, "a:1");
  history_append_many (store, 2);
  history_expect (store, (RelayQuery){ 0 }, "1011 1012");
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1011);
  relay_store_free (store);

  /* It holds, and what is still in the file is removed in steps. */
  store = fixture_open_good (f);
  g_assert_cmpstr (relay_history_get_id (store), ==, new_id);
  g_assert_cmpmem (relay_history_get_key (store), 16, key, 16);
  history_expect (store, (RelayQuery){ 0 }, "1011 1012");
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1011);
  history_append_many (store, 1);
  history_settle (store);
  history_expect (store, (RelayQuery){ .prp = (char *) "p" }, "1011 1012 1013");
  g_assert_cmpint (history_sql_int (f, "SELECT count(*) FROM events"), ==, 3);
  relay_store_free (store);
}

static void
uncommitted_part (RelayStore *store)
{
  history_append_many (store, 300);
  g_assert_true (relay_store_commit (store, NULL));
  history_append_many (store, 50);
  g_assert_true (relay_store_commit (store, NULL));
  history_append_many (store, 7);
}

/* What was committed is there; numbers go up; what was left of a chapter is adopted. */
static void
test_kill (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;
  guint64 before = 0;

  for (guint round = 1; round <= 3; round++) {
    guint64 sequence;

    history_in_killed_child (f, uncommitted_part);
    store = fixture_open_good (f);
    g_assert_cmpuint (history_count (store), ==, round * 351 - 1);
    sequence = history_append (store, "q", NULL, 0);
    g_assert_cmpuint (sequence, >, before + 357);
    before = sequence;
    fixture_commit (store);
    g_assert_cmpuint (history_count (store), ==, round * 351);
    relay_store_free (store);
  }
  g_assert_cmpint (history_sql_int (f, "SELECT sum(length(types)) FROM chapters"), >=, 3 * 350 - 1);
}

/* What the child did last, readable when it is dead. */
typedef struct {
  volatile guint64 given_out, committed; /* sequence numbers */
} Progress;

G_NORETURN static void
run_victim (StoreFixture *f, Progress *progress, int pipe_fd)
{
  RelayStore *store = relay_store_open (f->directory);

  if (relay_store_get_trouble (store) != NULL)
    _exit (1);
  history_set_limits (store, 2000, 0);
  for (guint round = 1;; round++) {
    for (gint n = g_test_rand_int_range (1, 300); n > 0; n--) {
      guint64 sequence = history_append (store, "p", "a", 0);

      if (sequence <= progress->given_out)
        _exit (2);
      progress->given_out = sequence;
    }
    if (!relay_store_commit (store, NULL))
      _exit (3);
    progress->committed = progress->given_out;
    if (write (pipe_fd, "", 1) != 1)
      _exit (4);
  }
}

/* The last event of a listing, and how many there are. */
static guint64
list_all (RelayStore *store, guint *ret_n)
{
  g_autoptr (GArray) all = history_list (store, &(RelayQuery){ 0 }, 0);
  g_autoptr (GArray) found = history_list (store, &(RelayQuery){ .prp = (char *) "p" }, 0);

  g_assert_cmpmem (all->data, all->len * sizeof (guint64), found->data, found->len * sizeof (guint64));
  for (guint i = 1; i < all->len; i++)
    g_assert_cmpuint (g_array_index (all, guint64, i), >, g_array_index (all, guint64, i - 1));
  *ret_n = all->len;
  return all->len > 0 ? g_array_index (all, guint64, all->len - 1) : 0;
}

/* At any moment: what a commit took is there, in order; no number comes twice; the file is sound. */
static void
test_kill_at_random (StoreFixture *f, gconstpointer data)
{
  Progress *progress = mmap (NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true (progress != MAP_FAILED);
  for (guint round = 0; round < 30; round++) {
    int fds[2], status;
    char buffer[1];
    pid_t pid;
    RelayStore *store;
    guint n_events;

    g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
    pid = fork ();
    g_assert_cmpint (pid, >=, 0);
    if (pid == 0) {
      close (fds[0]);
      run_victim (f, progress, fds[1]);
    }
    close (fds[1]);
    for (gint n = g_test_rand_int_range (1, 20); n > 0; n--)
      g_assert_cmpint (read (fds[0], buffer, 1), ==, 1);
    kill (pid, SIGKILL);
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFSIGNALED (status));
    close (fds[0]);

    store = fixture_open_good (f);
    g_assert_cmpuint (list_all (store, &n_events), >=, progress->committed);
    g_assert_cmpuint (n_events, <=, 2000);
    relay_store_free (store);
    history_expect_sound (f);
  }
  g_assert_cmpint (history_sql_int (f, "SELECT count(*) FROM events"), ==,
                   history_sql_int (f, "SELECT max(ordinal) - min(ordinal) + 1 FROM events"));
  g_assert_false (fixture_exists (f, "relay.db.bad-1"));
  munmap (progress, sizeof *progress);
}

/* Two processes write side by side; each sees what the other wrote. */
static void
test_two (StoreFixture *f, gconstpointer data)
{
  const char *globs[] = { "second.*", NULL };
  RelayStore *first = fixture_open_good (f), *second = fixture_open_good (f);

  for (guint i = 0; i < 300; i++) {
    history_append_text (first, i % 2 == 0 ? "{\"type\":\"first.a\"}" : "{\"type\":\"first.b\"}", 0);
    history_append_text (second, "{\"type\":\"second.a\",\"data\":{\"prpId\":\"p\"}}", 0);
    if (i % 10 == 0) {
      fixture_commit (first);
      fixture_commit (second);
    }
  }
  fixture_commit (first);
  fixture_commit (second);
  for (guint i = 0; i < 2; i++) {
    RelayStore *store = i == 0 ? first : second;
    g_autoptr (GArray) by_type = history_list (store, &(RelayQuery){ .types = (char **) globs }, 0);
    g_autoptr (GArray) by_prp = history_list (store, &(RelayQuery){ .prp = (char *) "p", .newest = TRUE }, 0);

    g_assert_cmpuint (history_count (store), ==, 600);
    g_assert_cmpuint (by_type->len, ==, 300);
    g_assert_cmpuint (by_prp->len, ==, 300);
  }
  relay_store_free (first);
  relay_store_free (second);
  first = fixture_open_good (f);
  history_set_limits (first, 100, 0);
  history_append_many (first, 1);
  history_settle (first);
  g_assert_cmpuint (history_count (first), <=, 400); /* how many there were is an estimate: the ordinals of one */
  g_assert_cmpuint (history_count (first), >=, 100);
  relay_store_free (first);
}

/* ---- where the file takes nothing ---- */

static void
full_part (StoreFixture *f)
{
  RelayStore *store = fixture_open_good (f);

  history_append_many (store, 100);
  fixture_commit (store);
  fixture_set_full (TRUE);
  history_append_many (store, 1000);
  g_assert_false (relay_store_commit (store, NULL));
  /* They are listed all the same. */
  g_assert_cmpuint (history_count (store), ==, 1100);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  history_append_many (store, 100);
  relay_store_retry (store);
  g_assert_false (relay_store_commit (store, NULL));
  g_assert_cmpuint (history_count (store), ==, 1200);
  g_assert_false (relay_history_clear (store, NULL));
  g_assert_cmpuint (history_count (store), ==, 1200);
  fixture_set_full (FALSE);
  fixture_expect_trouble (store, "STORE_FULL", "*/relay.db: *");

  relay_store_retry (store);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (history_count (store), ==, 1200);
  relay_store_free (store);
}

static void
test_full (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  fixture_in_child (f, full_part);
  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 1200);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  relay_store_free (store);
}

static void
overflow_part (StoreFixture *f)
{
  enum { N_EVENTS = 2 * RELAY_HISTORY_WAITING_MAX_EVENTS };
  RelayStore *store = fixture_open_good (f);
  guint64 first;

  history_append_many (store, 100);
  fixture_commit (store);
  fixture_set_full (TRUE);
  history_append_many (store, N_EVENTS);
  g_assert_false (relay_store_commit (store, NULL));
  first = relay_history_get_first_sequence (store);
  fixture_set_full (FALSE);
  g_assert_cmpuint (first, ==, 100 + N_EVENTS - RELAY_HISTORY_WAITING_MAX_EVENTS + 1);
  g_assert_cmpuint (history_count (store), ==, 100 + RELAY_HISTORY_WAITING_MAX_EVENTS);
  relay_store_retry (store);
  fixture_commit (store);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  relay_store_free (store);
}

/* What memory could not keep is told, also after a restart. */
static void
test_overflow (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  fixture_in_child (f, overflow_part);
  store = fixture_open_good (f);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 100 + RELAY_HISTORY_WAITING_MAX_EVENTS + 1);
  g_assert_cmpuint (history_count (store), ==, 100 + RELAY_HISTORY_WAITING_MAX_EVENTS);
  relay_store_free (store);
}

/* Nothing is dropped while the file takes what comes, however much that is in one turn. */
static void
test_burst (StoreFixture *f, gconstpointer data)
{
  g_autofree char *pad = g_strnfill (3 * 1024 * 1024, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"t\",\"pad\":\"%s\"}", pad);
  RelayStore *store = fixture_open_good (f);

  for (guint i = 0; i < 5; i++)
    history_append_text (store, text, 0);
  history_expect (store, (RelayQuery){ 0 }, "1 2 3 4 5");
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  history_append_many (store, 2 * RELAY_HISTORY_WAITING_MAX_EVENTS);
  g_assert_cmpuint (history_count (store), ==, 5 + 2 * RELAY_HISTORY_WAITING_MAX_EVENTS);
  relay_store_free (store);
}

/* Without a file it is all in memory; the history is as long as memory allows. */
static void
test_memory (StoreFixture *f, gconstpointer data)
{
  g_autofree char *state = g_path_get_dirname (f->directory);
  RelayStore *store;
  guint64 first;
  g_autofree char *id = NULL;

  g_assert_true (g_file_set_contents (state, "a file", -1, NULL));
  store = fixture_open_troubled (f, FALSE, "STORE", "*");
  id = g_strdup (relay_history_get_id (store));
  g_assert_cmpuint (strlen (id), ==, 32);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, relay_history_get_last_sequence (store) + 1);
  first = history_append (store, "p", "a", 0);
  fixture_expect_now (first);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  history_append_many (store, 10);
  g_assert_cmpuint (history_count (store), ==, 11);
  history_set_limits (store, 5, 0);
  history_append_many (store, 1);
  g_assert_cmpuint (history_count (store), ==, 5);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first + 7);
  g_assert_false (relay_history_clear (store, NULL));
  g_assert_cmpuint (history_count (store), ==, 5);

  /* The file can be made: what waits goes there. */
  g_assert_cmpint (unlink (state), ==, 0);
  relay_store_retry (store);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_true (relay_store_is_persistent (store));
  g_assert_cmpuint (history_count (store), ==, 5);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first + 7);
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 5);
  g_assert_cmpuint (history_append (store, "p", "a", 0), ==, first + 12);
  relay_store_free (store);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("history/bounds", test_bounds);
  FIXTURE_ADD ("history/clear", test_clear);
  FIXTURE_ADD ("history/kill", test_kill);
  FIXTURE_ADD ("history/kill-at-random", test_kill_at_random);
  FIXTURE_ADD ("history/two", test_two);
  FIXTURE_ADD ("history/full", test_full);
  FIXTURE_ADD ("history/overflow", test_overflow);
  FIXTURE_ADD ("history/burst", test_burst);
  FIXTURE_ADD ("history/memory", test_memory);
  return g_test_run ();
}
