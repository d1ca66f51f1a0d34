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
#include "store/schema.h"
#include "store/store.h"

/*
 * Nothing that was found is ever destroyed:
 *
 *   what is found                                    what is done
 *   nothing, or the beginning of a file of ours      it is made, or finished
 *   a file of ours with an older schema              it is brought to the present one, in one transaction
 *   what is no database, or damaged, or not ours,    it is renamed to relay.db.bad-N, with its -wal and -shm, so
 *   or of a newer schema                             that SQLite can still open it; then a new one is made
 *   what cannot be written                           it is opened for reading, and left as it is
 *   what cannot even be read                         there is no database
 *
 * A file of ours bears our application id and schema version, both written by the transaction that makes the
 * tables; so there is no time at which it is half made.
 *
 * Two processes may open the same file. Working on it side by side is what SQLite is good at; looking at it and
 * then renaming it is not, so opening is guarded by a lock on the directory.
 */

#define FILE_MODE 0600
#define DIRECTORY_MODE 0700
#define BAD_PREFIX RELAY_STORE_FILE ".bad-"
#define MAX_SET_ASIDE 1000 /* files of that name: who has that many has another problem */
#define LOCK_POLL_USEC 10000

/* Of the -wal, once all of it is in the file: what a burst left is given back. */
#define MAX_WAL_BYTES "8388608"
#define CACHE_KIB "2000"

/* What is known of the file while it is being opened. */
typedef struct {
  const char *directory;
  char *path;
  int directory_fd;
  guint wait_msec;
  RelayDatabaseRead read;
  gpointer user_data;
  gboolean is_made;   /* by us, just now */
  gboolean is_newer;  /* its schema */
  RelayCause cause;   /* why it cannot be used */
  char *reason;       /* likewise, in words */
  RelayTrouble *notice;
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

/* errno of the call that failed, 0 if there is none. Of a failed COMMIT, SQLite only notes it with the file
 * that was written: the -wal. */
static int
get_system_error (sqlite3 *db)
{
  int system_error = sqlite3_system_errno (db);
  sqlite3_file *wal = NULL;

  if (system_error == 0 && sqlite3_file_control (db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
      wal != NULL && wal->pMethods != NULL)
    wal->pMethods->xFileControl (wal, SQLITE_FCNTL_LAST_ERRNO, &system_error);
  return system_error;
}

char *
relay_database_explain (sqlite3 *db)
{
  int system_error = get_system_error (db);

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

/* The cause for which @rc stands. @system_error: errno of the call that failed, 0 if that is not known. */
static RelayCause
find_cause (int rc, int system_error)
{
  switch (rc & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return RELAY_CAUSE_STORE_LOCKED;
  case SQLITE_FULL:
    return RELAY_CAUSE_STORE_FULL;
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return RELAY_CAUSE_STORE_READ_ONLY;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return RELAY_CAUSE_STORE_DAMAGED;
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
    break;
  default:
    return RELAY_CAUSE_STORE;
  }
  switch (system_error) {
  case ENOSPC:
  case EDQUOT:
  case EFBIG: /* RLIMIT_FSIZE */
    return RELAY_CAUSE_STORE_FULL;
  case EACCES:
  case EPERM:
  case EROFS:
    return RELAY_CAUSE_STORE_READ_ONLY;
  default:
    return RELAY_CAUSE_STORE;
  }
}

RelayCause
relay_database_find_cause (sqlite3 *db, int rc)
{
  return find_cause (rc, get_system_error (db));
}

/* Why @rc came about: it is the last result of @db, or one of our own. Caller frees. */
static char *
explain_result (sqlite3 *db, int rc)
{
  return rc == sqlite3_extended_errcode (db) ? relay_database_explain (db) : g_strdup (sqlite3_errstr (rc));
}

RelayTrouble *
relay_database_make_trouble (sqlite3 *db, int rc, const char *directory)
{
  g_autofree char *reason = explain_result (db, rc);
  g_autofree char *detail = g_strdup_printf ("%s/" RELAY_STORE_FILE ": %s", directory, reason);

  return relay_trouble_new (relay_database_find_cause (db, rc), detail);
}

static void
set_reason (Opening *opening, RelayCause cause, const char *reason)
{
  opening->cause = cause;
  g_free (opening->reason);
  opening->reason = g_strdup (reason);
}

static void
set_system_reason (Opening *opening, int error)
{
  set_reason (opening, find_cause (SQLITE_CANTOPEN, error), g_strerror (error));
}

/* ---- judging a file ---- */

static Verdict
judge_error (Opening *opening, sqlite3 *db, int rc)
{
  g_autofree char *reason = explain_result (db, rc);

  set_reason (opening, relay_database_find_cause (db, rc), reason);
  /* A file that says it is ours and lacks our tables is damaged too. */
  return relay_database_is_damage (rc) || (rc & 0xff) == SQLITE_ERROR ? VERDICT_BAD : VERDICT_UNUSABLE;
}

/* Whose is it, and of which version? */
static Verdict
identify (Opening *opening, sqlite3 *db, gint64 *ret_version)
{
  gint64 application_id = 0, version = 0, n_tables = 0;
  int rc;

  if ((rc = relay_schema_query_int64 (db, "PRAGMA application_id", &application_id)) != SQLITE_OK ||
      (rc = relay_schema_query_int64 (db, "PRAGMA user_version", &version)) != SQLITE_OK ||
      (rc = relay_schema_query_int64 (db, "SELECT count(*) FROM sqlite_schema", &n_tables)) != SQLITE_OK)
    return judge_error (opening, db, rc);

  if (application_id != RELAY_SCHEMA_APPLICATION_ID && (application_id != 0 || version != 0 || n_tables != 0)) {
    set_reason (opening, RELAY_CAUSE_STORE_DAMAGED, "it is a database of another program");
    return VERDICT_BAD;
  }
  if (version < 0 || version > RELAY_STORE_SCHEMA_VERSION) {
    g_autofree char *reason = g_strdup_printf ("its schema is %d, and this version knows %d", (int) version,
                                               RELAY_STORE_SCHEMA_VERSION);

    set_reason (opening, RELAY_CAUSE_STORE_NEWER, reason);
    opening->is_newer = TRUE;
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
                                 /* Of a new file: */
                                 "PRAGMA page_size = " G_STRINGIFY (RELAY_DATABASE_PAGE_BYTES) ";"
                                 "PRAGMA synchronous = FULL;"
                                 "PRAGMA journal_mode = WAL;"
                                 "PRAGMA journal_size_limit = " MAX_WAL_BYTES ";"
                                 "PRAGMA cache_size = -" CACHE_KIB ";"
                                 /* The store does that: */
                                 "PRAGMA wal_autocheckpoint = 0;"
                                 /* What is forgotten is not to be found in the file: */
                                 "PRAGMA secure_delete = ON;";
  gint64 version = 0;
  Verdict verdict = identify (opening, db, &version);
  int rc;

  if (verdict != VERDICT_GOOD)
    return verdict;
  /* SQLite opens what it may not write for reading, and says so only when it is written. */
  if (sqlite3_db_readonly (db, "main") != 0) {
    set_reason (opening, RELAY_CAUSE_STORE_READ_ONLY, "it may not be written");
    return VERDICT_UNUSABLE;
  }
  if ((rc = sqlite3_exec (db, settings, NULL, NULL, NULL)) != SQLITE_OK)
    return judge_error (opening, db, rc);
  if (version < RELAY_STORE_SCHEMA_VERSION &&
      (rc = relay_schema_migrate (db, get_first_sequence (opening))) != SQLITE_OK)
    return judge_error (opening, db, rc);
  if ((rc = opening->read (db, opening->user_data)) != SQLITE_OK)
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
  gint64 deadline_usec = g_get_monotonic_time () + opening->wait_msec * (gint64) 1000;
  gboolean is_new = !g_file_test (opening->directory, G_FILE_TEST_EXISTS);

  if (g_mkdir_with_parents (opening->directory, DIRECTORY_MODE) < 0 ||
      /* The umask may have taken something away. */
      (is_new && chmod (opening->directory, DIRECTORY_MODE) < 0) ||
      (opening->directory_fd = open (opening->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
      /* SQLite would only say that it misses its -wal. */
      faccessat (AT_FDCWD, opening->directory, W_OK, AT_EACCESS) < 0) {
    set_system_reason (opening, errno);
    return FALSE;
  }
  while (flock (opening->directory_fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      break; /* a file system without locks: SQLite will have its own word on that */
    if (g_get_monotonic_time () >= deadline_usec) {
      set_reason (opening, RELAY_CAUSE_STORE_LOCKED, "another process is opening it");
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
  gboolean ok;

  if (fd < 0) {
    if (errno == EEXIST)
      return TRUE;
    set_system_reason (opening, errno);
    return FALSE;
  }
  opening->is_made = TRUE;
  /* A power cut shall not take away the name of what is stored. */
  ok = fchmod (fd, FILE_MODE) == 0 && (fsync (opening->directory_fd) == 0 || errno == EINVAL);
  if (!ok)
    set_system_reason (opening, errno);
  close (fd);
  return ok;
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

/* What stays behind would be taken for the new file's: it goes under any name. */
static gboolean
rename_companion (Opening *opening, const char *bad, const char *suffix)
{
  g_autofree char *from = g_strconcat (opening->path, suffix, NULL);
  g_autofree char *to = g_strconcat (bad, suffix, NULL);
  g_autofree char *stray = g_strdup_printf ("%s.%" G_GINT64_FORMAT, to, g_get_real_time ());

  return rename_new (from, to) || errno == ENOENT || rename_new (from, stray);
}

/* Renames the file with what belongs to it. Returns the new name, or NULL (then errno says why). */
static char *
set_aside (Opening *opening)
{
  for (guint n = 1; n <= MAX_SET_ASIDE; n++) {
    g_autofree char *name = g_strdup_printf (BAD_PREFIX "%u", n);
    g_autofree char *bad = g_build_filename (opening->directory, name, NULL);

    if (rename_new (opening->path, bad)) {
      gboolean ok = rename_companion (opening, bad, "-wal") && rename_companion (opening, bad, "-shm");

      return ok ? g_steal_pointer (&name) : NULL;
    }
    if (errno != EEXIST)
      return NULL;
  }
  errno = EMLINK;
  return NULL;
}

/* ---- opening ---- */

static sqlite3 *
open_handle (const char *path, int flags, guint wait_msec, int *ret_rc)
{
  sqlite3 *db = NULL;

  *ret_rc = sqlite3_open_v2 (path, &db, flags | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, NULL);
  if (db == NULL)
    g_error ("Not enough memory for SQLite");
  sqlite3_busy_timeout (db, (int) wait_msec);
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

  db = open_handle (opening->path, SQLITE_OPEN_READWRITE, opening->wait_msec, &rc);
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
  g_autofree char *reason = NULL, *bad = NULL, *detail = NULL;
  Verdict verdict = VERDICT_BAD;
  RelayCause cause;
  sqlite3 *db;

  if (damage == NULL) {
    db = try_file (opening, &verdict);
    if (db != NULL || verdict != VERDICT_BAD)
      return db;
  } else {
    set_reason (opening, RELAY_CAUSE_STORE_DAMAGED, damage);
  }

  bad = set_aside (opening);
  if (bad == NULL) {
    reason = g_strdup_printf ("%s; it could not be renamed: %s", opening->reason, g_strerror (errno));
    set_reason (opening, RELAY_CAUSE_STORE, reason);
    return NULL;
  }
  detail = g_strdup_printf ("%s was renamed to %s: %s", opening->path, bad, opening->reason);
  cause = opening->is_newer ? RELAY_CAUSE_STORE_NEWER : RELAY_CAUSE_STORE_DAMAGED;
  opening->notice = relay_trouble_new (cause, detail);
  return try_file (opening, &verdict);
}

static sqlite3 *
try_for_reading (Opening *opening, const char *parameters)
{
  g_autofree char *escaped = g_uri_escape_string (opening->path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?", parameters, NULL);
  Opening judging = { .path = opening->path };
  g_autoptr (sqlite3) db = NULL;
  gint64 version = 0;
  gboolean ok;
  int rc;

  db = open_handle (uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, 0, &rc);
  ok = rc == SQLITE_OK && identify (&judging, db, &version) == VERDICT_GOOD && version > 0 &&
       opening->read (db, opening->user_data) == SQLITE_OK;
  g_free (judging.reason);
  return ok ? g_steal_pointer (&db) : NULL;
}

/* A file that can be read and not written. A reader needs the -shm, and to make it where it is missing; without
 * it, the file can only be read alone, when nobody writes and nothing waits in the -wal. */
static sqlite3 *
open_for_reading (Opening *opening)
{
  g_autofree char *wal = g_strconcat (opening->path, "-wal", NULL);
  struct stat st;
  sqlite3 *db;

  if (stat (opening->path, &st) < 0 || !S_ISREG (st.st_mode))
    return NULL;
  db = try_for_reading (opening, "mode=ro");
  if (db == NULL && opening->cause != RELAY_CAUSE_STORE_LOCKED && (stat (wal, &st) < 0 || st.st_size == 0))
    db = try_for_reading (opening, "immutable=1");
  return db;
}

/* ---- what others call ---- */

void
relay_database_open (RelayDatabase *database, const char *directory, const char *damage, guint wait_msec,
                     RelayDatabaseRead read, gpointer user_data)
{
  g_autofree char *path = g_build_filename (directory, RELAY_STORE_FILE, NULL);
  g_autofree char *wal = g_strconcat (path, "-wal", NULL);
  Opening opening = { .directory = directory,
                      .path = path,
                      .directory_fd = -1,
                      .wait_msec = wait_msec,
                      .read = read,
                      .user_data = user_data };
  struct stat st;

  *database = (RelayDatabase){ 0 };
  if (open_directory (&opening))
    database->db = open_file (&opening, damage);
  database->is_writable = database->db != NULL;
  if (database->db == NULL) {
    g_autofree char *detail = g_strdup_printf ("%s: %s", path, opening.reason);

    database->trouble = relay_trouble_new (opening.cause, detail);
    database->db = open_for_reading (&opening);
  }
  if (database->db != NULL && stat (path, &st) == 0) {
    database->device = st.st_dev;
    database->inode = st.st_ino;
    database->wal_inode = stat (wal, &st) == 0 ? st.st_ino : 0;
  }
  database->notice = opening.notice;
  if (opening.directory_fd >= 0)
    close (opening.directory_fd); /* ends the lock */
  g_free (opening.reason);
}

gboolean
relay_database_is_in_place (const RelayDatabase *database, const char *directory)
{
  g_autofree char *path = g_build_filename (directory, RELAY_STORE_FILE, NULL);
  struct stat st;

  return stat (path, &st) == 0 && st.st_dev == database->device && st.st_ino == database->inode;
}

/* Is the -wal in the directory the one that SQLite has open? */
static gboolean
has_own_wal (const RelayDatabase *database, const char *wal)
{
  struct stat st;

  return stat (wal, &st) == 0 && st.st_dev == database->device && st.st_ino == database->wal_inode;
}

/* The file was moved away, or another one is in its place: what stays behind of it would be taken for the
 * other's. All of it goes back to where it belongs, wherever that is now. */
static void
remove_companions (RelayDatabase *database, const char *directory)
{
  g_autofree char *wal = g_build_filename (directory, RELAY_STORE_FILE "-wal", NULL);
  g_autofree char *shm = g_build_filename (directory, RELAY_STORE_FILE "-shm", NULL);

  if (!database->is_writable || relay_database_is_in_place (database, directory) || !has_own_wal (database, wal))
    return;
  if (sqlite3_wal_checkpoint_v2 (database->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK) {
    unlink (wal);
  } else {
    g_autofree char *stray = g_strdup_printf ("%s.%" G_GINT64_FORMAT, wal, g_get_real_time ());

    rename_new (wal, stray);
  }
  unlink (shm);
}

void
relay_database_clear (RelayDatabase *database, const char *directory, gboolean keep)
{
  if (database->db != NULL && keep)
    sqlite3_db_config (database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  else if (database->db != NULL)
    remove_companions (database, directory);
  sqlite3_close_v2 (database->db);
  relay_trouble_free (database->trouble);
  relay_trouble_free (database->notice);
  *database = (RelayDatabase){ 0 };
}
