/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <sqlite3.h>

/*
 * Every statement that is made again and again, prepared once. What each is for stands beside its text.
 */
typedef enum {
  RELAY_STATEMENT_BEGIN,
  RELAY_STATEMENT_COMMIT,
  RELAY_STATEMENT_ROLLBACK,
  RELAY_STATEMENT_DATA_VERSION,
  /* durable subscriptions, numbers, and what there is one of */
  RELAY_STATEMENT_SET_DURABLE,
  RELAY_STATEMENT_UNSET_DURABLE,
  RELAY_STATEMENT_RESERVE,
  RELAY_STATEMENT_RAISE,
  RELAY_STATEMENT_GIVE_BACK,
  RELAY_STATEMENT_SET_META,
  /* writing the history */
  RELAY_STATEMENT_ADD_TYPE,
  RELAY_STATEMENT_ADD_EVENT,
  RELAY_STATEMENT_ADD_CHAPTER,
  RELAY_STATEMENT_LAST_CHAPTER,
  /* retention */
  RELAY_STATEMENT_FIRST_EVENT,
  RELAY_STATEMENT_LAST_EVENT,
  RELAY_STATEMENT_FIND_EXPIRED,
  RELAY_STATEMENT_REMOVE_EVENTS,
  RELAY_STATEMENT_REMOVE_CHAPTERS,
  RELAY_STATEMENT_REMOVE_ALL_CHAPTERS,
  RELAY_STATEMENT_COUNT_PAGES,
  RELAY_STATEMENT_COUNT_FREE_PAGES,
  /* reading the history */
  RELAY_STATEMENT_EVENT,
  RELAY_STATEMENT_EVENTS_FORWARD,
  RELAY_STATEMENT_EVENTS_BACKWARD,
  RELAY_STATEMENT_CHAPTERS_FORWARD,
  RELAY_STATEMENT_CHAPTERS_BACKWARD,
  RELAY_STATEMENT_STAMP,
  RELAY_STATEMENT_IDS,
  RELAY_N_STATEMENTS,
} RelayStatement;

typedef struct {
  sqlite3_stmt *prepared[RELAY_N_STATEMENTS];
} RelayStatements;

const char *relay_statement_get_sql (RelayStatement which);

/* Returns a result code of SQLite. _clear is due in either case. */
int relay_statements_prepare (RelayStatements *statements, sqlite3 *db);
void relay_statements_clear (RelayStatements *statements);

/* The statement, to be bound and stepped by the caller, who ends with relay_statement_end. */
sqlite3_stmt *relay_statement_begin (RelayStatements *statements, RelayStatement which);
/* Makes it ready for the next use. @rc: of the last step; SQLITE_OK is returned where it was SQLITE_DONE or
 * SQLITE_ROW. */
int relay_statement_end (sqlite3_stmt *statement, int rc);

/* Binds @n_values numbers, runs the statement to its end, and hands over the first column of its first row, if
 * it has one. */
int relay_statement_run (RelayStatements *statements, RelayStatement which, const gint64 *values, guint n_values,
                         gint64 *ret_value);
