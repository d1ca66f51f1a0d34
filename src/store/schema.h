/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <sqlite3.h>

/*
 * The tables of the file, and how those of an older version become the present ones.
 */
#define RELAY_SCHEMA_APPLICATION_ID 0x50525052 /* "PRPR", at offset 68 of the file, for file(1) and for us */

/* Brings the schema to the present version, from whichever it is. @first_sequence: the first number of a new
 * store. Where it fails nothing has changed. Returns a result code of SQLite. */
int relay_schema_migrate (sqlite3 *db, gint64 first_sequence);

/* The first column of the first row. SQLITE_CORRUPT if there is none. */
int relay_schema_query_int64 (sqlite3 *db, const char *sql, gint64 *ret_value);
