/* SPDX-License-Identifier: MIT */
#include "store/database.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store-fixture.h"

static guint
mode_of (const char *path)
{
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_mode & 0777;
}

static void
test_modes (StoreFixture *f, gconstpointer data)
{
  static const mode_t umasks[] = { 0, 022, 0377 };

  for (gsize i = 0; i < G_N_ELEMENTS (umasks); i++) {
    g_autofree char *directory = g_strdup_printf ("%s/umask-%o", f->top, umasks[i]);
    g_autofree char *path = g_build_filename (directory, "relay.db", NULL);
    g_autofree char *wal = g_strconcat (path, "-wal", NULL);
    g_autofree char *shm = g_strconcat (path, "-shm", NULL);
    mode_t old = umask (umasks[i]);
    RelayStore *store = relay_store_open (directory);

    relay_store_set_durable (store, "a:1", TRUE);
    fixture_commit (store);
    umask (old);
    g_assert_null (relay_store_get_trouble (store));
    g_assert_cmpuint (mode_of (directory), ==, 0700);
    g_assert_cmpuint (mode_of (path), ==, 0600);
    g_assert_cmpuint (mode_of (wal), ==, 0600);
    g_assert_cmpuint (mode_of (shm), ==, 0600);
    relay_store_free (store);
  }
}

/* What takes the place of a lost store works, and is a good one from then on. */
static void
expect_new (StoreFixture *f, RelayStore *store)
{
  guint64 first = relay_store_next_sequence (store);

  fixture_expect_now (first);
  fixture_expect_durable (store, "");
  relay_store_set_durable (store, "c:3", TRUE);
  relay_store_free (store);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "c:3");
  g_assert_cmpuint (relay_store_next_sequence (store), ==, first + 1);
  relay_store_free (store);
}

static void
test_garbage (StoreFixture *f, gconstpointer data)
{
  g_autofree char *second = g_strnfill (10000, 'x');

  fixture_put (f, "relay.db", "garbage", -1);
  fixture_put (f, "relay.db-wal", "the garbage's wal", -1);
  fixture_put (f, "relay.db-shm", "the garbage's shm", -1);
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*/relay.db was renamed to relay.db.bad-1: *not a database*"));
  fixture_expect_contents (f, "relay.db.bad-1", "garbage");
  fixture_expect_contents (f, "relay.db.bad-1-wal", "the garbage's wal");
  g_assert_true (fixture_exists (f, "relay.db.bad-1-shm")); /* SQLite's scratch */

  fixture_put (f, "relay.db", second, -1);
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*renamed to relay.db.bad-2:*"));
  fixture_expect_contents (f, "relay.db.bad-1", "garbage");
  fixture_expect_contents (f, "relay.db.bad-2", second);
}

/* The wal of one that was set aside before stands in the way: nothing is overwritten, and nothing is taken for
 * ours. */
static void
test_stray_wal (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  guint n = 0;

  fixture_put (f, "relay.db", "garbage", -1);
  fixture_put (f, "relay.db-wal", "new", -1);
  fixture_put (f, "relay.db.bad-1-wal", "old", -1);
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*renamed to relay.db.bad-1:*"));
  fixture_expect_contents (f, "relay.db.bad-1-wal", "old");
  dir = g_dir_open (f->directory, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "relay.db.bad-1-wal.")) {
      fixture_expect_contents (f, name, "new");
      n++;
    }
  g_assert_cmpuint (n, ==, 1);
}

static void
test_newer (StoreFixture *f, gconstpointer data)
{
  g_autofree char *bad = fixture_in_directory (f, "relay.db.bad-1");

  fixture_make_store (f);
  fixture_sql (f->path, "PRAGMA user_version = 3; CREATE TABLE future (x)");
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_NEWER", "*relay.db.bad-1: its schema is 3, and this version knows 2*"));
  fixture_sql (bad, "DELETE FROM future; DELETE FROM durable");
}

static void
test_not_ours (StoreFixture *f, gconstpointer data)
{
  g_autofree char *first = fixture_in_directory (f, "relay.db.bad-1");
  g_autofree char *second = fixture_in_directory (f, "relay.db.bad-2");

  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  fixture_sql (f->path, "CREATE TABLE theirs (x)");
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*relay.db.bad-1: *database of another program*"));
  fixture_sql (first, "INSERT INTO theirs VALUES (1)");

  fixture_sql (f->path, "PRAGMA application_id = 1234");
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*relay.db.bad-2: *database of another program*"));
  fixture_sql (second, "INSERT INTO durable (channel) VALUES ('x:y')");
}

static void
test_without_tables (StoreFixture *f, gconstpointer data)
{
  fixture_make_store (f);
  fixture_sql (f->path, "DROP TABLE durable");
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*relay.db.bad-1: *no such table*"));
  fixture_sql (f->path, "DELETE FROM sequence");
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*renamed to relay.db.bad-2:*"));
}

/* Every page but the first is overwritten. */
static void
test_damaged (StoreFixture *f, gconstpointer data)
{
  g_autofree char *contents = NULL;
  gsize length;

  fixture_make_store (f);
  g_assert_true (g_file_get_contents (f->path, &contents, &length, NULL));
  g_assert_cmpuint (length, >, 4096);
  memset (contents + 4096, 0x5a, length - 4096);
  fixture_put (f, "relay.db", contents, (gssize) length);
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*relay.db.bad-1: *malformed*"));
}

/* Our own file, from before it had any tables. */
static void
test_upgrade (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  fixture_sql (f->path, "PRAGMA application_id = 0x50525052");
  store = fixture_open_good (f);
  expect_new (f, store);
}

/* A file that somebody, or a power cut, left empty is not the first one here: numbers may have been given out. */
static void
test_empty_file (StoreFixture *f, gconstpointer data)
{
  fixture_put (f, "relay.db", "", 0);
  expect_new (f, fixture_open_good (f));
}

static void
test_after_set_aside (StoreFixture *f, gconstpointer data)
{
  fixture_put (f, "relay.db.bad-1", "garbage", -1);
  expect_new (f, fixture_open_good (f));
}

/* A store in memory does all but last. */
static void
expect_memory (RelayStore *store, const char *durable)
{
  guint64 first = relay_store_next_sequence (store);
  g_autofree char *expected = g_strconcat (durable, *durable != '\0' ? " " : "", "z:1", NULL);

  fixture_expect_now (first);
  fixture_expect_durable (store, durable);
  relay_store_set_durable (store, "z:1", TRUE);
  g_assert_false (relay_store_commit (store, NULL));
  fixture_expect_durable (store, expected);
  for (guint i = 1; i <= 2 * RELAY_STORE_SEQUENCE_BLOCK; i++)
    g_assert_cmpuint (relay_store_next_sequence (store), ==, first + i);
  relay_store_free (store);
}

static void
test_no_directory (StoreFixture *f, gconstpointer data)
{
  g_autofree char *state = g_path_get_dirname (f->directory);

  g_assert_true (g_file_set_contents (state, "a file", -1, NULL));
  expect_memory (fixture_open_troubled (f, FALSE, "STORE", "*/relay.db: Not a directory*"), "");
}

static void
test_directory_in_place (StoreFixture *f, gconstpointer data)
{
  g_assert_cmpint (g_mkdir_with_parents (f->path, 0700), ==, 0);
  expect_memory (fixture_open_troubled (f, FALSE, "STORE", "*/relay.db: unable to open*"), "");
}

/* To root every directory is writable. */
static void
become_nobody (void)
{
  if (geteuid () == 0) {
    g_assert_cmpint (setgid (65534), ==, 0);
    g_assert_cmpint (setuid (65534), ==, 0);
  }
}

static void
read_only_part (StoreFixture *f)
{
  become_nobody ();
  expect_memory (fixture_open_troubled (f, FALSE, "STORE_READ_ONLY", "*Permission denied*"), "a:1 b:2");
}

static void
forbidden_part (StoreFixture *f)
{
  become_nobody ();
  expect_memory (fixture_open_troubled (f, FALSE, "STORE_READ_ONLY", "*Permission denied*"), "");
}

static void
set_modes (StoreFixture *f, mode_t top, mode_t directory, mode_t file)
{
  g_autofree char *state = g_path_get_dirname (f->directory);

  g_assert_cmpint (chmod (f->top, top), ==, 0);
  g_assert_cmpint (chmod (state, top), ==, 0);
  g_assert_cmpint (chmod (f->directory, 0700), ==, 0);
  g_assert_cmpint (chmod (f->path, file), ==, 0);
  g_assert_cmpint (chmod (f->directory, directory), ==, 0);
}

static void
test_read_only (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  fixture_make_store (f);
  set_modes (f, 0755, 0555, 0444);
  fixture_in_child (f, read_only_part);
  set_modes (f, 0755, 0, 0444);
  fixture_in_child (f, forbidden_part);

  set_modes (f, 0700, 0700, 0600);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 b:2");
  g_assert_cmpuint (relay_store_next_sequence (store), ==, 2);
  relay_store_free (store);
}

static void
full_at_start_part (StoreFixture *f)
{
  RelayStore *store;
  guint64 sequence;

  fixture_set_full (TRUE);
  store = relay_store_open (f->directory);
  sequence = relay_store_next_sequence (store);
  fixture_set_full (FALSE); /* for the child's own messages */
  fixture_expect_trouble (store, "STORE_FULL", "*/relay.db: *Make room*");
  g_assert_false (relay_store_is_persistent (store));
  fixture_expect_now (sequence);
  fixture_expect_durable (store, "a:1 b:2");

  /* There is room again. */
  relay_store_set_durable (store, "z:1", TRUE);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_true (relay_store_is_persistent (store));
  g_assert_cmpuint (relay_store_next_sequence (store), ==, sequence + 1);
  relay_store_free (store);
}

static void
test_full (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  fixture_make_store (f);
  fixture_in_child (f, full_at_start_part);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 b:2 z:1");
  relay_store_free (store);
}

/* Somebody is at it, and might be renaming it just now: even garbage is left alone. */
static void
test_being_opened (StoreFixture *f, gconstpointer data)
{
  int fd;

  fixture_put (f, "relay.db", "garbage", -1);
  fd = open (f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  expect_memory (fixture_open_troubled (f, FALSE, "STORE_LOCKED", "*another process is opening it*"), "");
  fixture_expect_contents (f, "relay.db", "garbage");
  g_assert_false (fixture_exists (f, "relay.db.bad-1"));
  close (fd);
  expect_new (f, fixture_open_troubled (f, TRUE, "STORE_DAMAGED", "*renamed to relay.db.bad-1:*"));
}

static gboolean
store_name (StoreFixture *f, guint number)
{
  g_autofree char *name = g_strdup_printf ("child:%u", number);
  g_autoptr (RelayStore) store = relay_store_open (f->directory);

  relay_store_set_durable (store, name, TRUE);
  return relay_store_is_persistent (store) && relay_store_commit (store, NULL);
}

/* Many processes that find garbage at the same time: one sets it aside, and what it puts there is nobody else's
 * garbage. */
static void
test_race (StoreFixture *f, gconstpointer data)
{
  enum { N_CHILDREN = 8 };
  pid_t pids[N_CHILDREN];
  g_auto (GStrv) names = NULL;
  RelayStore *store;

  fixture_put (f, "relay.db", "garbage", -1);
  for (guint i = 0; i < N_CHILDREN; i++) {
    pids[i] = fork ();
    g_assert_cmpint (pids[i], >=, 0);
    if (pids[i] == 0)
      _exit (store_name (f, i) ? 0 : 1);
  }
  for (guint i = 0; i < N_CHILDREN; i++) {
    int status;

    g_assert_cmpint (waitpid (pids[i], &status, 0), ==, pids[i]);
    g_assert_true (WIFEXITED (status));
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  }
  fixture_expect_contents (f, "relay.db.bad-1", "garbage");
  g_assert_false (fixture_exists (f, "relay.db.bad-2"));
  store = fixture_open_good (f);
  names = relay_store_list_durable (store);
  g_assert_cmpuint (g_strv_length (names), ==, N_CHILDREN);
  relay_store_free (store);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("database/modes", test_modes);
  FIXTURE_ADD ("database/garbage", test_garbage);
  FIXTURE_ADD ("database/stray-wal", test_stray_wal);
  FIXTURE_ADD ("database/newer", test_newer);
  FIXTURE_ADD ("database/not-ours", test_not_ours);
  FIXTURE_ADD ("database/without-tables", test_without_tables);
  FIXTURE_ADD ("database/damaged", test_damaged);
  FIXTURE_ADD ("database/upgrade", test_upgrade);
  FIXTURE_ADD ("database/empty-file", test_empty_file);
  FIXTURE_ADD ("database/after-set-aside", test_after_set_aside);
  FIXTURE_ADD ("database/no-directory", test_no_directory);
  FIXTURE_ADD ("database/directory-in-place", test_directory_in_place);
  FIXTURE_ADD ("database/read-only", test_read_only);
  FIXTURE_ADD ("database/full", test_full);
  FIXTURE_ADD ("database/being-opened", test_being_opened);
  FIXTURE_ADD ("database/race", test_race);
  return g_test_run ();
}
