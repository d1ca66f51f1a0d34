/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "history-fixture.h"
#include "store/store-private.h"

/*
 * The store, where something goes wrong with its file while it is in use. Whatever that is: the trouble says so,
 * events go on and are listed, nothing that is in a file that can be read is destroyed, and a later commit mends
 * it.
 */

/* ---- system calls that fail: SQLite has its own way for tests to take their place ---- */

typedef ssize_t (*WriteCall) (int fd, const void *data, size_t size, off_t offset);
typedef ssize_t (*ReadCall) (int fd, void *data, size_t size, off_t offset);

static int write_error, read_error; /* 0: none */
static gboolean no_growth;          /* a full disk: what a file has can be overwritten */
static guint n_syncs;       /* of the thread that writes */
static gint n_other_syncs; /* of the one that does nothing else; atomic */

static ssize_t
failing_pwrite (int fd, const void *data, size_t size, off_t offset)
{
  struct stat st;

  if (write_error != 0 || (no_growth && fstat (fd, &st) == 0 && offset + (off_t) size > st.st_size)) {
    errno = write_error != 0 ? write_error : ENOSPC;
    return -1;
  }
  return pwrite (fd, data, size, offset);
}

static ssize_t
failing_pread (int fd, void *data, size_t size, off_t offset)
{
  if (read_error != 0) {
    errno = read_error;
    return -1;
  }
  return pread (fd, data, size, offset);
}

/* SQLite's, as it finds ours first. */
int
fdatasync (int fd)
{
  if (getpid () == (pid_t) syscall (SYS_gettid))
    n_syncs++;
  else
    g_atomic_int_inc (&n_other_syncs);
  return (int) syscall (SYS_fdatasync, fd);
}

static void
take_system_calls (void)
{
  static const char *const writes[] = { "pwrite", "pwrite64" }, *const reads[] = { "pread", "pread64" };
  sqlite3_vfs *vfs = sqlite3_vfs_find (NULL);
  guint n_taken = 0;

  for (guint i = 0; i < 2; i++) {
    n_taken += vfs->xSetSystemCall (vfs, writes[i], (sqlite3_syscall_ptr) (WriteCall) failing_pwrite) == SQLITE_OK;
    n_taken += vfs->xSetSystemCall (vfs, reads[i], (sqlite3_syscall_ptr) (ReadCall) failing_pread) == SQLITE_OK;
  }
  g_assert_cmpuint (n_taken, >=, 2);
}

/* ---- writing fails ---- */

static void
expect_commit_fails (RelayStore *store, const char *code, const char *words)
{
  g_autoptr (GError) error = NULL;

  relay_store_retry (store);
  g_assert_false (relay_store_commit (store, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_IO);
  fixture_expect_trouble (store, code, words);
}

static void
write_fails (StoreFixture *f, int error, const char *code)
{
  RelayStore *store = fixture_open_good (f);
  guint before = history_count (store), n_dirty = 0;
  const char *id = relay_history_get_id (store);
  g_autofree char *old_id = g_strdup (id);

  history_append_many (store, 20);
  fixture_commit (store);
  relay_store_set_dirty (store, fixture_count, &n_dirty);
  write_error = error;
  history_append_many (store, 30);
  g_assert_cmpuint (n_dirty, ==, 1);
  expect_commit_fails (store, code, "*/relay.db: *");
  history_append_many (store, 40);
  /* Sooner than it may be repeated, nothing is tried; nor is it asked for. */
  g_assert_false (relay_store_commit (store, NULL));
  g_assert_cmpuint (n_dirty, ==, 1);
  expect_commit_fails (store, code, "*/relay.db: *");
  g_assert_cmpuint (history_count (store), >=, 70);

  write_error = 0;
  g_assert_false (relay_store_commit (store, NULL));
  store->failed_usec -= RELAY_STORE_RETRY_USEC; /* some time later */
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_true (relay_store_is_persistent (store));
  g_assert_cmpuint (history_count (store), ==, before + 90);
  g_assert_cmpstr (relay_history_get_id (store), ==, old_id);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  relay_store_free (store);

  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, before + 90);
  relay_store_free (store);
  g_assert_false (fixture_exists (f, "relay.db.bad-1"));
}

static void
test_write (StoreFixture *f, gconstpointer data)
{
  static const struct {
    int error;
    const char *code;
  } cases[] = { { ENOSPC, "STORE_FULL" }, { EDQUOT, "STORE_FULL" }, { EROFS, "STORE_READ_ONLY" }, { EIO, "STORE" } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    write_fails (f, cases[i].error, cases[i].code);
}

/* On a full disk a history that has its length goes on: what it takes is what was left. */
static void
test_full_disk (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  history_set_limits (store, 1000, 0);
  for (guint i = 0; i < 300; i++) {
    history_append_many (store, 10);
    fixture_commit (store);
  }
  relay_checkpointer_wait (store->checkpointer); /* the file has its length as well */
  no_growth = TRUE;
  for (guint i = 0; i < 300; i++) {
    history_append_many (store, 10);
    fixture_commit (store);
  }
  no_growth = FALSE;
  g_assert_null (relay_store_get_trouble (store));
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 1000);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, 6000);
  relay_store_free (store);
}

/* A full disk at the start, and then a reader of what is there. */
static void
test_write_at_start (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  guint64 first;

  history_append_many (store, 20);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_free (store);

  write_error = ENOSPC;
  store = relay_store_open (f->directory);
  first = history_append (store, "p", "a", 0);
  write_error = 0;
  fixture_expect_trouble (store, "STORE_FULL", "*/relay.db: *");
  fixture_expect_now (first);
  fixture_expect_durable (store, "a:1");
  g_assert_cmpuint (history_count (store), ==, 21);
  fixture_commit (store);
  g_assert_cmpuint (history_count (store), ==, 21);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  relay_store_free (store);
}

static gboolean
take (const RelayEvent *event, gpointer user_data)
{
  return TRUE;
}

static RelayStore *
read_fails (StoreFixture *f, int error)
{
  RelayStore *store = fixture_open_good (f);
  const RelayQuery query = { .prp = (char *) "p" };
  guint64 position = 0;
  gboolean end;
  g_autoptr (GError) found = NULL;

  history_append_many (store, 20000);
  relay_store_free (store);
  store = fixture_open_good (f);
  read_error = error;
  g_assert_false (relay_history_scan (store, &query, &position, take, NULL, &end, &found));
  read_error = 0;
  g_assert_error (found, RELAY_ERROR, RELAY_ERROR_IO);
  g_assert_nonnull (strstr (found->message, f->path));
  g_test_message ("%s", found->message);
  return store;
}

/* That a file cannot be read for now is no reason to set it aside. */
static void
test_read (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = read_fails (f, ESTALE);

  g_assert_cmpuint (history_count (store), ==, 20000);
  history_append_many (store, 1);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (history_count (store), ==, 20001);
  relay_store_free (store);
  g_assert_false (fixture_exists (f, "relay.db.bad-1"));
}

/* A block that the disk does not give is a damaged file, as SQLite has it. */
static void
test_bad_block (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = read_fails (f, EIO);

  history_append_many (store, 1);
  fixture_commit (store);
  fixture_expect_trouble (store, "STORE_DAMAGED", "*relay.db.bad-1*");
  g_assert_cmpuint (history_count (store), ==, 1);
  relay_store_free (store);
  g_assert_true (fixture_exists (f, "relay.db.bad-1"));
}

/* ---- what reaches the disk ---- */

static void
test_syncs (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  n_syncs = 0;
  relay_store_next_sequence (store); /* a block is reserved */
  g_assert_cmpuint (n_syncs, >, 0);
  fixture_commit (store);

  n_syncs = 0;
  for (guint i = 0; i < 50; i++) {
    history_append_many (store, 1);
    relay_store_set_alive (store, g_get_real_time ());
    fixture_commit (store);
  }
  g_assert_cmpuint (n_syncs, ==, 0);

  relay_store_set_durable (store, "a:1", TRUE);
  fixture_commit (store);
  g_assert_cmpuint (n_syncs, ==, 1);
  relay_store_set_covered (store, "a:1", 0);
  fixture_commit (store);
  g_assert_cmpuint (n_syncs, ==, 2);
  history_append_many (store, 1);
  fixture_commit (store);
  g_assert_cmpuint (n_syncs, ==, 2);

  /* Checkpoints: two for each, and nearly all of them where no event waits. */
  n_syncs = 0;
  for (guint i = 0; i < 1000; i++) {
    history_append_many (store, 10);
    fixture_commit (store);
  }
  g_assert_cmpuint (n_syncs, <, 10);
  relay_checkpointer_wait (store->checkpointer);
  g_assert_cmpint (g_atomic_int_get (&n_other_syncs), >, 0);
  g_assert_cmpint (g_atomic_int_get (&n_other_syncs), <, 50);
  relay_store_free (store);
}

static goffset
get_size (const char *path)
{
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_size;
}

/* The -wal stays short, but for as long as somebody reads; however slow the disk, so that the thread lags. */
static void
test_wal (StoreFixture *f, gconstpointer data)
{
  enum { BOUND = 17 * 1024 * 1024, MAX_COMMITS = 50000 };
  g_autofree char *wal = g_strconcat (f->path, "-wal", NULL);
  RelayStore *store = fixture_open_good (f);
  sqlite3 *reader = NULL;

  history_set_limits (store, 500, 0);
  for (guint round = 0; round < 3; round++) {
    guint n_commits = round == 1 ? MAX_COMMITS : 3000;

    for (guint i = 0; i < n_commits && (round != 1 || get_size (wal) <= BOUND); i++) {
      history_append_many (store, 10);
      fixture_commit (store);
    }
    if (round == 0) {
      g_assert_cmpint (get_size (wal), <, BOUND);
      g_assert_cmpint (sqlite3_open (f->path, &reader), ==, SQLITE_OK);
      g_assert_cmpint (sqlite3_exec (reader, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL), ==, SQLITE_OK);
    } else if (round == 1) {
      g_assert_cmpint (get_size (wal), >, BOUND);
      g_assert_cmpint (sqlite3_exec (reader, "COMMIT", NULL, NULL, NULL), ==, SQLITE_OK);
      sqlite3_close (reader);
    } else {
      g_assert_cmpint (get_size (wal), <, BOUND);
    }
  }
  relay_store_free (store);
}

/* ---- another process ---- */

static void
test_locked (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  sqlite3 *db = NULL;

  history_append_many (store, 10);
  fixture_commit (store);
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), ==, SQLITE_OK);
  history_append_many (store, 10);
  expect_commit_fails (store, "STORE_LOCKED", "*/relay.db: database is locked*");
  g_assert_cmpuint (history_count (store), ==, 20); /* reading goes on */
  g_assert_cmpint (sqlite3_exec (db, "COMMIT", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  relay_store_retry (store);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (history_count (store), ==, 20);
  relay_store_free (store);
}

/* Locked from the start: it is read, and taken over when it is free. */
static void
test_locked_at_start (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  sqlite3 *db = NULL;

  history_append_many (store, 10);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_free (store);
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), ==, SQLITE_OK);
  store = fixture_open_troubled (f, FALSE, "STORE_LOCKED", "*/relay.db: database is locked*");
  fixture_expect_durable (store, "a:1");
  history_append_many (store, 10);
  g_assert_cmpuint (history_count (store), ==, 20);
  g_assert_cmpint (sqlite3_exec (db, "COMMIT", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (history_count (store), ==, 20);
  relay_store_free (store);
}

/* ---- the file is gone, or another one ---- */

/* It is looked after once a second. */
static void
commit_later (RelayStore *store)
{
  store->looked_usec -= 2 * G_USEC_PER_SEC;
  fixture_commit (store);
}

static void
expect_begun_anew (StoreFixture *f, RelayStore *store, const char *old_id, guint64 sequence)
{
  history_append_many (store, 3);
  commit_later (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpstr (relay_history_get_id (store), !=, old_id);
  g_assert_cmpuint (history_count (store), ==, 3);
  g_assert_cmpuint (relay_history_get_last_sequence (store), >, sequence);
  fixture_expect_durable (store, "a:1");
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 3);
  fixture_expect_durable (store, "a:1");
  relay_store_free (store);
}

static void
test_deleted (StoreFixture *f, gconstpointer data)
{
  static const char *const names[] = { "relay.db-wal", "relay.db-shm", "relay.db" };

  /* All that belongs to it, or the file alone. */
  for (guint first = 0; first < G_N_ELEMENTS (names); first += 2) {
    RelayStore *store = fixture_open_good (f);
    g_autofree char *id = g_strdup (relay_history_get_id (store));

    relay_store_set_durable (store, "a:1", TRUE);
    history_append_many (store, 100);
    fixture_commit (store);
    for (guint i = first; i < G_N_ELEMENTS (names); i++) {
      g_autofree char *path = fixture_in_directory (f, names[i]);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
    expect_begun_anew (f, store, id, relay_history_get_last_sequence (store));
    history_expect_sound (f);
  }
}

/* A backup is put in its place: it is used, and what is known goes there. The old -wal is not taken for its
 * own. */
static void
test_replaced (StoreFixture *f, gconstpointer data)
{
  g_autofree char *backup = NULL, *id = NULL, *other_id = NULL;
  RelayStore *store;
  guint64 sequence;

  store = fixture_open_good (f);
  history_append_many (store, 50);
  relay_store_set_durable (store, "b:2", TRUE);
  other_id = g_strdup (relay_history_get_id (store));
  relay_store_free (store);
  backup = fixture_in_directory (f, "backup");
  g_assert_cmpint (g_rename (f->path, backup), ==, 0);

  store = fixture_open_good (f);
  id = g_strdup (relay_history_get_id (store));
  g_assert_cmpstr (id, !=, other_id);
  relay_store_set_durable (store, "a:1", TRUE);
  history_append_many (store, 300);
  fixture_commit (store);
  g_assert_cmpint (g_rename (backup, f->path), ==, 0);
  sequence = history_append (store, "q", NULL, 0);
  commit_later (store);
  g_assert_cmpstr (relay_history_get_id (store), ==, other_id);
  fixture_expect_durable (store, "a:1 b:2");
  g_assert_cmpuint (history_count (store), ==, 51);
  g_assert_cmpuint (relay_store_next_sequence (store), >, sequence);
  relay_store_free (store);
  history_expect_sound (f);
  g_assert_cmpint (history_sql_int (f, "SELECT count(*) FROM events"), ==, 51);
}

/* The whole folder. */
static void
test_folder_gone (StoreFixture *f, gconstpointer data)
{
  g_autofree char *away = g_strconcat (f->directory, "-away", NULL);
  RelayStore *store = fixture_open_good (f);
  g_autofree char *id = g_strdup (relay_history_get_id (store));

  relay_store_set_durable (store, "a:1", TRUE);
  history_append_many (store, 100);
  fixture_commit (store);
  g_assert_cmpint (g_rename (f->directory, away), ==, 0);
  expect_begun_anew (f, store, id, relay_history_get_last_sequence (store));
}

/* Cut in the middle while it is in use. */
static void
test_truncated (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  g_autofree char *id = NULL;

  relay_store_set_durable (store, "a:1", TRUE);
  history_append_many (store, 3000);
  relay_store_free (store);
  store = fixture_open_good (f);
  id = g_strdup (relay_history_get_id (store));
  g_assert_cmpint (truncate (f->path, 20 * 4096 + 100), ==, 0);
  history_append_many (store, 3);
  history_set_limits (store, 100, 0); /* touches what is not there any more */
  fixture_commit (store);
  fixture_expect_trouble (store, "STORE_DAMAGED", "*relay.db.bad-1*");
  g_assert_cmpuint (history_count (store), ==, 3);
  g_assert_cmpstr (relay_history_get_id (store), !=, id);
  relay_store_acknowledge (store);
  relay_store_free (store);
  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 3);
  fixture_expect_durable (store, "a:1");
  relay_store_free (store);
}

/* Somebody dropped a table. */
static void
test_without_table (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  history_append_many (store, 10);
  fixture_commit (store);
  fixture_sql (f->path, "DROP TABLE events");
  history_append_many (store, 3);
  fixture_commit (store);
  fixture_expect_trouble (store, "STORE_DAMAGED", "*relay.db.bad-1: *no such table*");
  g_assert_cmpuint (history_count (store), ==, 3);
  relay_store_free (store);
}

/* ---- a file that cannot be written at first ---- */

/* To root every directory is writable. */
static void
become_owner (StoreFixture *f)
{
  g_autofree char *state = g_path_get_dirname (f->directory);

  if (geteuid () != 0)
    return;
  g_assert_cmpint (chown (f->top, 65534, 65534), ==, 0);
  g_assert_cmpint (chown (state, 65534, 65534), ==, 0);
  g_assert_cmpint (chown (f->directory, 65534, 65534), ==, 0);
  g_assert_cmpint (chown (f->path, 65534, 65534), ==, 0);
  g_assert_cmpint (setgid (65534), ==, 0);
  g_assert_cmpint (setuid (65534), ==, 0);
}

static void
read_only_part (StoreFixture *f)
{
  RelayStore *store;
  g_autofree char *id = NULL;
  guint64 first;

  become_owner (f);
  g_assert_cmpint (chmod (f->directory, 0555), ==, 0);
  store = fixture_open_troubled (f, FALSE, "STORE_READ_ONLY", "*/relay.db: *");
  /* What is in the file is in effect, and listed. */
  fixture_expect_durable (store, "a:1 b:2");
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, 1234);
  g_assert_cmpuint (history_count (store), ==, 100);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  id = g_strdup (relay_history_get_id (store));

  first = history_append (store, "p", "a", 0);
  fixture_expect_now (first);
  history_append_many (store, 9);
  g_assert_cmpuint (history_count (store), ==, 110);
  relay_store_set_durable (store, "b:2", FALSE);
  relay_store_set_durable (store, "c:3", TRUE);
  relay_store_set_covered (store, "c:3", 77);
  relay_store_set_covered (store, "a:1", 0);
  expect_commit_fails (store, "STORE_READ_ONLY", "*/relay.db: *");
  g_assert_cmpuint (history_count (store), ==, 110);
  g_assert_false (relay_history_clear (store, NULL));

  g_assert_cmpint (chmod (f->directory, 0755), ==, 0);
  relay_store_retry (store);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpstr (relay_history_get_id (store), ==, id);
  g_assert_cmpuint (history_count (store), ==, 110);
  g_assert_cmpuint (history_append (store, "p", "a", 0), ==, first + 10);
  relay_store_free (store);
}

static void
forbidden_part (StoreFixture *f)
{
  RelayStore *store;
  guint64 first;
  g_autofree char *id = NULL;
  g_autoptr (GArray) found = NULL;

  become_owner (f);
  g_assert_cmpint (chmod (f->directory, 0), ==, 0);
  store = fixture_open_troubled (f, FALSE, "STORE_READ_ONLY", "*/relay.db: *");
  fixture_expect_durable (store, "");
  g_assert_cmpuint (history_count (store), ==, 0);
  id = g_strdup (relay_history_get_id (store));
  first = history_append (store, "q", NULL, 0);
  expect_commit_fails (store, "STORE_READ_ONLY", "*/relay.db: *");
  g_assert_cmpstr (relay_history_get_id (store), ==, id); /* it is the same as long as nothing is lost */
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  relay_store_set_durable (store, "d:4", TRUE);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_covered (store, "a:1", 99);

  g_assert_cmpint (chmod (f->directory, 0755), ==, 0);
  relay_store_retry (store);
  fixture_commit (store);
  /* Both together: what is said in memory is newer. */
  fixture_expect_durable (store, "a:1 c:3 d:4");
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, 99);
  g_assert_cmpint (relay_store_get_covered (store, "c:3"), ==, 77);
  g_assert_cmpstr (relay_history_get_id (store), !=, id);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, 1);
  g_assert_cmpuint (history_count (store), ==, 112);
  /* What waited is found by its subject, though it was hashed with another key. */
  history_append (store, "q", NULL, 0);
  found = history_list (store, &(RelayQuery){ .prp = (char *) "q" }, 0);
  g_assert_cmpuint (found->len, ==, 2);
  g_assert_cmpuint (relay_history_get_last_sequence (store), ==, first + 1);
  relay_store_free (store);
}

static void
test_not_writable (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  history_append_many (store, 100);
  relay_store_set_durable (store, "a:1", TRUE);
  relay_store_set_durable (store, "b:2", TRUE);
  relay_store_set_covered (store, "a:1", 1234);
  relay_store_free (store);
  fixture_in_child (f, read_only_part);
  fixture_in_child (f, forbidden_part);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1 c:3 d:4");
  g_assert_cmpint (relay_store_get_covered (store, "a:1"), ==, 99);
  g_assert_cmpuint (history_count (store), ==, 113);
  relay_store_free (store);
}

/* Of an earlier version, with no history in it. */
static void
old_version_part (StoreFixture *f)
{
  RelayStore *store;
  guint64 first;

  become_owner (f);
  g_assert_cmpint (chmod (f->directory, 0555), ==, 0);
  store = fixture_open_troubled (f, FALSE, "STORE_READ_ONLY", "*/relay.db: *");
  fixture_expect_durable (store, "a:1");
  first = history_append (store, "p", "a", 0);
  fixture_expect_now (first);
  g_assert_cmpuint (history_count (store), ==, 1);
  g_assert_cmpint (chmod (f->directory, 0755), ==, 0);
  fixture_commit (store);
  g_assert_null (relay_store_get_trouble (store));
  g_assert_cmpuint (history_count (store), ==, 1);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  relay_store_free (store);
}

static void
test_old_version_not_writable (StoreFixture *f, gconstpointer data)
{
  RelayStore *store;

  g_assert_cmpint (g_mkdir_with_parents (f->directory, 0700), ==, 0);
  fixture_sql (f->path, "CREATE TABLE durable (channel TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"
                        "CREATE TABLE sequence (one INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;"
                        "INSERT INTO sequence VALUES (1, 7); INSERT INTO durable VALUES ('a:1');"
                        "PRAGMA application_id = 0x50525052; PRAGMA user_version = 1;");
  fixture_in_child (f, old_version_part);
  store = fixture_open_good (f);
  fixture_expect_durable (store, "a:1");
  g_assert_cmpuint (history_count (store), ==, 1);
  relay_store_free (store);
}

/* ---- numbers ---- */

static void
take_more_than_reserved (RelayStore *store, volatile guint64 *last)
{
  for (guint i = 0; i < RELAY_STORE_SEQUENCE_BLOCK / 2; i++)
    *last = relay_store_next_sequence (store);
  g_assert_true (relay_store_commit (store, NULL));
  write_error = ENOSPC;
  for (guint i = 0; i < 3 * RELAY_STORE_SEQUENCE_BLOCK; i++) {
    guint64 next = relay_store_next_sequence (store);

    g_assert_cmpuint (next, >, *last);
    *last = next;
    if (i % 1000 == 0) {
      relay_store_retry (store);
      relay_store_commit (store, NULL);
    }
  }
}

/* The disk is full, more numbers are given out than are reserved, and then it is killed. */
static void
test_numbers_past_the_block (StoreFixture *f, gconstpointer data)
{
  volatile guint64 *last = mmap (NULL, sizeof *last, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true (last != MAP_FAILED);
  for (guint round = 0; round < 3; round++) {
    pid_t pid = fork ();
    int status;
    RelayStore *store;
    guint64 next;

    g_assert_cmpint (pid, >=, 0);
    if (pid == 0) {
      take_more_than_reserved (relay_store_open (f->directory), last);
      kill (getpid (), SIGKILL);
    }
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFSIGNALED (status));
    g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
    while ((guint64) g_get_real_time () <= *last) /* no relay is so fast that it has a number for each µs */
      g_usleep (1000);
    store = fixture_open_good (f);
    next = relay_store_next_sequence (store);
    g_assert_cmpuint (next, >, *last);
    *last = next;
    relay_store_free (store);
  }
  munmap ((void *) last, sizeof *last);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  take_system_calls ();
  FIXTURE_ADD ("failures/write", test_write);
  FIXTURE_ADD ("failures/full-disk", test_full_disk);
  FIXTURE_ADD ("failures/write-at-start", test_write_at_start);
  FIXTURE_ADD ("failures/read", test_read);
  FIXTURE_ADD ("failures/bad-block", test_bad_block);
  FIXTURE_ADD ("failures/syncs", test_syncs);
  FIXTURE_ADD ("failures/wal", test_wal);
  FIXTURE_ADD ("failures/locked", test_locked);
  FIXTURE_ADD ("failures/locked-at-start", test_locked_at_start);
  FIXTURE_ADD ("failures/deleted", test_deleted);
  FIXTURE_ADD ("failures/replaced", test_replaced);
  FIXTURE_ADD ("failures/folder-gone", test_folder_gone);
  FIXTURE_ADD ("failures/truncated", test_truncated);
  FIXTURE_ADD ("failures/without-table", test_without_table);
  FIXTURE_ADD ("failures/not-writable", test_not_writable);
  FIXTURE_ADD ("failures/old-version-not-writable", test_old_version_not_writable);
  FIXTURE_ADD ("failures/numbers-past-the-block", test_numbers_past_the_block);
  return g_test_run ();
}
