/* SPDX-License-Identifier: MIT */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/names.h"
#include "store/store.h"

/*
 * There is always a database to work with, and nothing that was found is ever destroyed:
 *
 *   what is found                                    what is done
 *   nothing, or the beginning of a file of ours      it is made, or finished
 *   a file of ours with an older schema              it is brought to the present one, in one transaction
 *   what is no database, or damaged, or not ours,    it is renamed to relay.db.bad-N, with its -wal and -shm, so
 *   or of a newer schema                             that SQLite can still open it; then a new one is made
 *   what cannot be written, or not even be opened    a database in memory, with the durable subscriptions of the
 *                                                    file, where they can be read
 *
 * A file of ours bears our application id and schema version, both written by the transaction that makes the
 * tables; so there is no time at which it is half made.
 *
 * Two processes may open the same file. Working on it side by side is what SQLite is good at; looking at it and
 * then renaming it is not, so opening is guarded by a lock on the directory.
 */

#define APPLICATION_ID 0x50525052 /* "PRPR", at offset 68 of the file, for file(1) and for us */
#define FILE_MODE 0600
#define DIRECTORY_MODE 0700
#define BAD_PREFIX RELAY_STORE_FILE ".bad-"
#define MAX_SET_ASIDE 1000 /* files of that name: who has that many has another problem */
#define LOCK_POLL_USEC 10000

/* What is known of the file while it is being opened. */
typedef struct {
  const char *directory;
  char *path;
  int directory_fd;
  RelayDatabaseRead read;
  gpointer user_data;
  gboolean is_made;   /* by us, just now */
  gboolean is_locked; /* by another process */
  char *reason;       /* why it cannot be used */
  GString *warning;
} Opening;

typedef enum {
  VERDICT_GOOD,
  VERDICT_BAD,       /* to be set aside */
  VERDICT_UNUSABLE,  /* not for us to touch */
} Verdict;

gboolean
relay_database_is_damage (int rc)
{
  return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

char *
relay_database_explain (sqlite3 *db)
{
  int system_error = sqlite3_system_errno (db);

  switch (sqlite3_errcode (db) & 0xff) {
  case SQLITE_CANTOPEN:
  case SQLITE_IOERR:
  case SQLITE_FULL:
  case SQLITE_READONLY:
    if (system_error != 0)
      return g_strdup_printf ("%s: %s", sqlite3_errmsg (db), g_strerror (system_error));
    break;
  default:
    break;
  }
  return g_strdup (sqlite3_errmsg (db));
}

/* ---- the schema ---- */

/* What brings the schema from version N to N + 1, in the order of N. @first_sequence: the first number of a new
 * store. */
typedef int (*Migration) (sqlite3 *db, gint64 first_sequence);

static int
make_version_1 (sqlite3 *db, gint64 first_sequence)
{
  char sql[512];

  g_snprintf (sql, sizeof sql,
              "CREATE TABLE durable (channel TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"
              /* Numbers below `next` may have been given out. */
              "CREATE TABLE sequence (one INTEGER PRIMARY KEY CHECK (one = 1),"
              " next INTEGER NOT NULL CHECK (next BETWEEN 1 AND 0x4000000000000000)) STRICT;"
              "INSERT INTO sequence VALUES (1, %" G_GINT64_FORMAT ");",
              first_sequence);
  return sqlite3_exec (db, sql, NULL, NULL, NULL);
}

static const Migration migrations[] = { make_version_1 };

G_STATIC_ASSERT (G_N_ELEMENTS (migrations) == RELAY_STORE_SCHEMA_VERSION);

static int
query_int64 (sqlite3 *db, const char *sql, gint64 *ret_value)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);

  if (rc != SQLITE_OK)
    return rc;
  rc = sqlite3_step (statement);
  if (rc != SQLITE_ROW)
    return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
  *ret_value = sqlite3_column_int64 (statement, 0);
  return SQLITE_OK;
}

/* Brings the schema from @version to the present one. Where it fails nothing has changed. */
static int
migrate (sqlite3 *db, gint64 first_sequence)
{
  char sql[128];
  gint64 version;
  int rc = sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  /* Read again: another process may have been faster. */
  if (rc == SQLITE_OK)
    rc = query_int64 (db, "PRAGMA user_version", &version);
  for (; rc == SQLITE_OK && version < RELAY_STORE_SCHEMA_VERSION; version++)
    rc = migrations[version](db, first_sequence);

  g_snprintf (sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
              RELAY_STORE_SCHEMA_VERSION);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (db, sql, NULL, NULL, NULL);
  if (!sqlite3_get_autocommit (db))
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return rc;
}

/* ---- judging a file ---- */

static Verdict
judge_error (Opening *opening, sqlite3 *db, int rc)
{
  opening->is_locked = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
  g_free (opening->reason);
  if (rc == sqlite3_extended_errcode (db))
    opening->reason = relay_database_explain (db);
  else
    opening->reason = g_strdup (sqlite3_errstr (rc));
  /* A file that says it is ours and lacks our tables is damaged too. */
  return relay_database_is_damage (rc) || (rc & 0xff) == SQLITE_ERROR ? VERDICT_BAD : VERDICT_UNUSABLE;
}

/* Whose is it, and of which version? */
static Verdict
identify (Opening *opening, sqlite3 *db, gint64 *ret_version)
{
  gint64 application_id = 0, version = 0, n_tables = 0;
  int rc;

  if ((rc = query_int64 (db, "PRAGMA application_id", &application_id)) != SQLITE_OK ||
      (rc = query_int64 (db, "PRAGMA user_version", &version)) != SQLITE_OK ||
      (rc = query_int64 (db, "SELECT count(*) FROM sqlite_schema", &n_tables)) != SQLITE_OK)
    return judge_error (opening, db, rc);

  g_clear_pointer (&opening->reason, g_free);
  if (application_id != APPLICATION_ID && (application_id != 0 || version != 0 || n_tables != 0)) {
    opening->reason = g_strdup ("it is a database of another program");
    return VERDICT_BAD;
  }
  if (version < 0 || version > RELAY_STORE_SCHEMA_VERSION) {
    opening->reason = g_strdup_printf ("it is of a newer version (schema %d, this program knows %d)",
                                       (int) version, RELAY_STORE_SCHEMA_VERSION);
    return VERDICT_BAD;
  }
  *ret_version = version;
  return VERDICT_GOOD;
}

/* The number with which a new file begins: 1, if it is the first one here; else the clock's µs, which is above
 * everything that a lost one may have given out. */
static gint64
get_first_sequence (Opening *opening)
{
  g_autoptr (GDir) directory = g_dir_open (opening->directory, 0, NULL);
  gboolean is_first = opening->is_made && directory != NULL;
  const char *name;

  while (is_first && (name = g_dir_read_name (directory)) != NULL)
    is_first = !g_str_has_prefix (name, BAD_PREFIX);
  return is_first ? 1 : g_get_real_time ();
}

static Verdict
prepare (Opening *opening, sqlite3 *db)
{
  static const char settings[] = "PRAGMA trusted_schema = OFF;"
                                 "PRAGMA synchronous = FULL;"
                                 "PRAGMA journal_mode = WAL;";
  gint64 version = 0;
  Verdict verdict = identify (opening, db, &version);
  int rc;

  if (verdict != VERDICT_GOOD)
    return verdict;
  /* SQLite opens what it may not write for reading, and says so only when it is written. */
  if (sqlite3_db_readonly (db, "main") != 0) {
    opening->reason = g_strdup ("it may not be written");
    return VERDICT_UNUSABLE;
  }
  if ((rc = sqlite3_exec (db, settings, NULL, NULL, NULL)) != SQLITE_OK)
    return judge_error (opening, db, rc);
  if (version < RELAY_STORE_SCHEMA_VERSION &&
      (rc = migrate (db, get_first_sequence (opening))) != SQLITE_OK)
    return judge_error (opening, db, rc);
  if (opening->read != NULL && (rc = opening->read (db, opening->user_data)) != SQLITE_OK)
    return judge_error (opening, db, rc);
  /* Can it be written? This takes no space, but the lock, and what a lock needs. */
  if ((rc = sqlite3_exec (db, "BEGIN IMMEDIATE; COMMIT", NULL, NULL, NULL)) != SQLITE_OK)
    return judge_error (opening, db, rc);
  return VERDICT_GOOD;
}

/* ---- the directory ---- */

static gboolean
open_directory (Opening *opening)
{
  gint64 deadline_usec = g_get_monotonic_time () + RELAY_STORE_BUSY_TIMEOUT_MSEC * (gint64) 1000;
  gboolean is_new = !g_file_test (opening->directory, G_FILE_TEST_EXISTS);

  if (g_mkdir_with_parents (opening->directory, DIRECTORY_MODE) < 0 ||
      /* The umask may have taken something away. */
      (is_new && chmod (opening->directory, DIRECTORY_MODE) < 0) ||
      (opening->directory_fd = open (opening->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
      /* SQLite would only say that it misses its -wal. */
      faccessat (AT_FDCWD, opening->directory, W_OK, AT_EACCESS) < 0) {
    opening->reason = g_strdup (g_strerror (errno));
    return FALSE;
  }
  while (flock (opening->directory_fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      break; /* a file system without locks: SQLite will have its own word on that */
    if (g_get_monotonic_time () >= deadline_usec) {
      opening->reason = g_strdup ("another process is opening it");
      opening->is_locked = TRUE;
      return FALSE;
    }
    g_usleep (LOCK_POLL_USEC);
  }
  return TRUE;
}

/* Makes the file, so that it never has another mode than ours; SQLite gives its -wal and -shm the same. */
static gboolean
make_file (Opening *opening)
{
  int fd = open (opening->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

  if (fd < 0) {
    if (errno == EEXIST)
      return TRUE;
    opening->reason = g_strdup (g_strerror (errno));
    return FALSE;
  }
  opening->is_made = TRUE;
  if (fchmod (fd, FILE_MODE) < 0)
    opening->reason = g_strdup (g_strerror (errno));
  close (fd);
  /* A power cut shall not take away the name of what is stored. */
  if (fsync (opening->directory_fd) < 0 && errno != EINVAL && opening->reason == NULL)
    opening->reason = g_strdup (g_strerror (errno));
  return opening->reason == NULL;
}

static gboolean
rename_new (const char *from, const char *to)
{
  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;
  /* The file system cannot tell; we hold the directory's lock. */
  if (g_file_test (to, G_FILE_TEST_EXISTS)) {
    errno = EEXIST;
    return FALSE;
  }
  return rename (from, to) == 0;
}

/* Renames the file with what belongs to it. Returns the new name, or NULL (then why is in the reason). */
static char *
set_aside (Opening *opening)
{
  static const char *const suffixes[] = { "-wal", "-shm" };

  for (guint n = 1; n <= MAX_SET_ASIDE; n++) {
    g_autofree char *name = g_strdup_printf (BAD_PREFIX "%u", n);
    g_autofree char *bad = g_build_filename (opening->directory, name, NULL);

    if (!rename_new (opening->path, bad)) {
      if (errno == EEXIST)
        continue;
      g_free (opening->reason);
      opening->reason = g_strdup (g_strerror (errno));
      return NULL;
    }
    for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++) {
      g_autofree char *from = g_strconcat (opening->path, suffixes[i], NULL);
      g_autofree char *to = g_strconcat (bad, suffixes[i], NULL);

      /* What stays behind would be taken for the new file's: it goes under any name. */
      if (!rename_new (from, to) && errno != ENOENT) {
        g_autofree char *stray = g_strdup_printf ("%s.%" G_GINT64_FORMAT, to, g_get_real_time ());

        if (!rename_new (from, stray)) {
          g_free (opening->reason);
          opening->reason = g_strdup (g_strerror (errno));
          return NULL;
        }
      }
    }
    return g_steal_pointer (&name);
  }
  g_free (opening->reason);
  opening->reason = g_strdup_printf ("there are %d files set aside already", MAX_SET_ASIDE);
  return NULL;
}

/* ---- opening ---- */

static void
warn (Opening *opening, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
warn (Opening *opening, const char *format, ...)
{
  va_list args;

  if (opening->warning->len > 0)
    g_string_append_c (opening->warning, ' ');
  va_start (args, format);
  g_string_append_vprintf (opening->warning, format, args);
  va_end (args);
}

static sqlite3 *
open_handle (const char *path, int flags, int *ret_rc)
{
  sqlite3 *db = NULL;

  *ret_rc = sqlite3_open_v2 (path, &db, flags | SQLITE_OPEN_EXRESCODE, NULL);
  if (db == NULL)
    g_error ("Not enough memory for SQLite");
  sqlite3_busy_timeout (db, RELAY_STORE_BUSY_TIMEOUT_MSEC);
  return db;
}

/* Opens the file, and judges it. NULL: the verdict says what to do. */
static sqlite3 *
try_file (Opening *opening, Verdict *ret_verdict)
{
  g_autoptr (sqlite3) db = NULL;
  int rc;

  opening->is_made = FALSE;
  *ret_verdict = VERDICT_UNUSABLE;
  if (!make_file (opening))
    return NULL;

  db = open_handle (opening->path, SQLITE_OPEN_READWRITE, &rc);
  *ret_verdict = rc == SQLITE_OK ? prepare (opening, db) : judge_error (opening, db, rc);
  if (*ret_verdict == VERDICT_GOOD)
    return g_steal_pointer (&db);
  /* What is set aside is left as it is: its -wal too. */
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  return NULL;
}

/* Opens the file, or after setting it aside another. NULL: the reason says why there is none. */
static sqlite3 *
open_file (Opening *opening, const char *damage)
{
  g_autofree char *reason = NULL, *bad = NULL;
  Verdict verdict = VERDICT_BAD;
  sqlite3 *db;

  if (damage == NULL) {
    db = try_file (opening, &verdict);
    if (db != NULL || verdict != VERDICT_BAD)
      return db;
  } else {
    opening->reason = g_strdup (damage);
  }

  reason = g_steal_pointer (&opening->reason);
  bad = set_aside (opening);
  if (bad == NULL) {
    warn (opening, "%s cannot be used (%s), and could not be set aside.", opening->path, reason);
    return NULL;
  }
  warn (opening, "%s cannot be used: %s. It was renamed to %s.", opening->path, reason, bad);
  if (damage == NULL)
    warn (opening, "The durable subscriptions that it held are not in effect: subscribe to those channels again.");
  return try_file (opening, &verdict);
}

static gboolean
copy_durable_from (Opening *opening, const char *parameters, sqlite3 *memory)
{
  g_autofree char *escaped = g_uri_escape_string (opening->path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?", parameters, NULL);
  g_autoptr (sqlite3) db = NULL;
  g_autoptr (sqlite3_stmt) select = NULL, insert = NULL;
  gint64 version = 0;
  int rc;

  db = open_handle (uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &rc);
  if (rc != SQLITE_OK || identify (opening, db, &version) != VERDICT_GOOD ||
      version != RELAY_STORE_SCHEMA_VERSION ||
      sqlite3_prepare_v2 (db, "SELECT channel FROM durable", -1, &select, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2 (memory, "INSERT OR IGNORE INTO durable VALUES (?1)", -1, &insert, NULL) != SQLITE_OK)
    return FALSE;
  while ((rc = sqlite3_step (select)) == SQLITE_ROW) {
    sqlite3_bind_text (insert, 1, (const char *) sqlite3_column_text (select, 0), -1, SQLITE_TRANSIENT);
    if (sqlite3_step (insert) != SQLITE_DONE)
      return FALSE;
    sqlite3_reset (insert);
  }
  return rc == SQLITE_DONE;
}

/* The durable subscriptions of a file that can be read and not written. A reader needs the -shm, and to make it
 * where it is missing; without it, the file can only be read alone, when nobody writes and nothing waits in the
 * -wal. */
static gboolean
copy_durable (Opening *opening, sqlite3 *memory)
{
  g_autofree char *wal = g_strconcat (opening->path, "-wal", NULL);
  struct stat st;

  if (stat (opening->path, &st) < 0 || !S_ISREG (st.st_mode))
    return FALSE;
  if (copy_durable_from (opening, "mode=ro", memory))
    return TRUE;
  return !opening->is_locked && (stat (wal, &st) < 0 || st.st_size == 0) &&
         copy_durable_from (opening, "immutable=1", memory);
}

static sqlite3 *
open_memory (Opening *opening)
{
  g_autofree char *reason = g_steal_pointer (&opening->reason);
  gboolean is_locked = opening->is_locked;
  int rc;
  sqlite3 *db = open_handle (":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY, &rc);

  if (rc == SQLITE_OK)
    rc = migrate (db, g_get_real_time ());
  if (rc != SQLITE_OK)
    g_error ("No database in memory: %s", sqlite3_errstr (rc));

  warn (opening, "Nothing can be stored in %s: %s.", opening->path, reason != NULL ? reason : "unknown error");
  if (copy_durable (opening, db))
    warn (opening, "The durable subscriptions in it are in effect, but changes from now on are lost at the end.");
  else
    warn (opening, "Durable subscriptions are not known, and those made from now on are lost at the end.");
  if (is_locked)
    warn (opening, "Restart prp-relayd when the other process is done with it.");
  else
    warn (opening, "Make room, or make %s writable for the user, then restart prp-relayd.", opening->directory);
  if (opening->read != NULL)
    opening->read (db, opening->user_data);
  return db;
}

sqlite3 *
relay_database_open (const char *directory, const char *damage, RelayDatabaseRead read, gpointer user_data,
                     gboolean *ret_persistent, char **ret_warning)
{
  g_autofree char *path = g_build_filename (directory, RELAY_STORE_FILE, NULL);
  g_autoptr (GString) warning = g_string_new (NULL);
  Opening opening = { .directory = directory,
                      .path = path,
                      .directory_fd = -1,
                      .read = read,
                      .user_data = user_data,
                      .warning = warning };
  sqlite3 *db = NULL;

  if (open_directory (&opening))
    db = open_file (&opening, damage);
  *ret_persistent = db != NULL;
  if (db == NULL)
    db = open_memory (&opening);

  if (opening.directory_fd >= 0)
    close (opening.directory_fd); /* ends the lock */
  g_free (opening.reason);
  if (warning->len > 0)
    *ret_warning = g_strdup (warning->str);
  return db;
}
