/* SPDX-License-Identifier: MIT */
#pragma once

#include <sqlite3.h>

#include "common/trouble.h"

/*
 * The file: how it is opened, known as ours, brought to the present schema, or set aside. What is in it is the
 * business of others.
 */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3, sqlite3_close_v2)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

#define RELAY_DATABASE_PAGE_BYTES 4096

typedef struct {
  sqlite3 *db;           /* NULL: there is no file that could be used, not even for reading */
  gboolean is_writable;
  RelayTrouble *trouble; /* why it is not, or NULL */
  RelayTrouble *notice;  /* what was set aside, or NULL */
  /* Which file this is, to be known again. */
  guint64 device, inode, wal_inode;
} RelayDatabase;

/* Reads what the database holds. Returns a result code of SQLITE; may be called again, with another database. */
typedef int (*RelayDatabaseRead) (sqlite3 *db, gpointer user_data);

/* Opens @directory/relay.db as store.h has it. @damage: why the file is to be set aside whatever it looks like,
 * or NULL. @wait_msec: how long another process is waited for. @read: what it cannot read is damaged. */
void relay_database_open (RelayDatabase *database, const char *directory, const char *damage, guint wait_msec,
                          RelayDatabaseRead read, gpointer user_data);
/* Closes and forgets everything. All statements are finalized. @keep: leave the -wal as it is, and where it is. */
void relay_database_clear (RelayDatabase *database, const char *directory, gboolean keep);

/* Is there still that file, at its place in @directory? */
gboolean relay_database_is_in_place (const RelayDatabase *database, const char *directory);

/* Is @rc (of SQLite) word that the file is no database, or a broken one? */
gboolean relay_database_is_damage (int rc);

/* What went wrong last, in words: SQLite's, and the system's where it was asked. Caller frees. */
char *relay_database_explain (sqlite3 *db);
/* The cause that @rc, the last result, stands for. */
RelayCause relay_database_find_cause (sqlite3 *db, int rc);
/* Both together, as a trouble of @directory/relay.db. */
RelayTrouble *relay_database_make_trouble (sqlite3 *db, int rc, const char *directory);
