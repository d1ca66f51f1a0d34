/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <sqlite3.h>

/*
 * The file: how it is opened, known as ours, brought to the present schema, or set aside. What is in it is the
 * business of store.c.
 */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3, sqlite3_close_v2)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

/* Reads what the database holds, once it is of the present schema. Returns a result code of SQLite; may be called
 * again, with another database. */
typedef int (*RelayDatabaseRead) (sqlite3 *db, gpointer user_data);

/* As relay_store_open has it: never NULL, *ret_persistent FALSE if it is in memory; *ret_warning is left alone if
 * all is well. @damage: why the file is to be set aside whatever it looks like, or NULL. @read: what it cannot
 * read is damaged; may be NULL. */
sqlite3 *relay_database_open (const char *directory, const char *damage, RelayDatabaseRead read,
                              gpointer user_data, gboolean *ret_persistent, char **ret_warning);

/* Is @rc (of SQLite) word that the file is no database, or a broken one? */
gboolean relay_database_is_damage (int rc);

/* What went wrong last, in words: SQLite's, and the system's where it was asked. Caller frees. */
char *relay_database_explain (sqlite3 *db);
