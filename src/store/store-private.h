/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/checkpointer.h"
#include "store/database.h"
#include "store/history.h"
#include "store/statements.h"
#include "store/stored.h"
#include "store/waiting.h"

/*
 * What the modules that make up the store share: store.c (the file, its transactions, durable subscriptions,
 * numbers), history.c (writing the history, and what leaves it) and history-scan.c (reading it).
 */

/* Where the history stands. A transaction works on a copy, which counts once it is committed. */
typedef struct {
  char id[RELAY_STORED_MAX_ID_BYTES + 1];
  guint64 removed; /* the highest number that is known to be missing */
  guint64 cleared; /* up to here, what is still in the file is not shown */
  /* Of the rows in the file; no sequence: there is none. */
  guint64 first_sequence;
  gint64 first_received_usec;
  guint64 last_sequence;
  guint64 last_ordinal;
  gint64 last_stamp_usec;
  guint64 n_rows;
  guint64 chapters_from; /* once the first row is beyond, there are chapters to remove */
  RelayChapter chapter;
  gboolean is_adopted; /* rows of an earlier run that are in no chapter are in this one */
  gboolean is_shrinking; /* there is more to remove */
  gsize n_unmeasured_bytes; /* written since the size of the file was looked at */
} RelayHistoryState;

typedef struct {
  RelayHistoryLimits limits;
  gint64 max_file_bytes;
  RelayHistoryState state;
  guint8 key[16];
  RelayTypeNames *names;
  RelayWaiting waiting;
  guint64 dropped;        /* the highest number that left as it could not be kept */
  gint64 next_aging_usec; /* when what is too old is looked for, CLOCK_REALTIME; 0: nothing ever is */
  gboolean is_of_file;    /* `state` and `key` are; else there never was one, or it is lost */
  gboolean has_warned;    /* of an event that cannot be read */
  guint64 seen_position;  /* relay_history_load_seen stands here */
} RelayHistory;

struct RelayStore {
  char *directory;
  RelayDatabase file;
  RelayStatements statements;
  gint64 data_version;     /* of what was read */
  gboolean is_synced;      /* the next commit is to reach the disk; as SQLite is set */
  int n_wal_frames;
  int checkpoint_frames;   /* with that many, the -wal is written back by the thread … */
  int full_frames;         /* … and with that many by a commit */
  RelayCheckpointer *checkpointer; /* of the file; NULL: there is none */
  gint64 looked_usec;      /* when the file was last seen to be in its place; monotonic */
  char *damage;            /* the file was found to be damaged, in these words */

  RelayTrouble *trouble;   /* of the last commit */
  RelayTrouble *notice;    /* what was set aside */
  gint64 failed_usec;      /* monotonic; 0: the last commit did not fail */

  GHashTable *durable; /* as in RelayStored */
  GHashTable *noted;   /* set of names whose row is to be written */
  gint64 alive_usec, written_alive_usec;
  guint64 written_removed; /* likewise of the history's state */
  gint64 alive_written_usec; /* monotonic */

  guint64 next_sequence;
  guint64 end_sequence;     /* behind the last number of the block */
  guint64 file_sequence;    /* `next` in the file, as far as is known */
  gboolean is_file_clean;   /* likewise `clean` */
  gboolean is_block_noted;  /* the file does not know of the block yet */

  RelayHistory history;

  gboolean is_dirty; /* and `dirty` was called */
  RelayStoreDirty dirty;
  gpointer dirty_data;
};

/* ---- store.c ---- */

void relay_store_make_dirty (RelayStore *store);
/* Remembers that reading ended with @rc, if that means that the file is to be set aside. */
void relay_store_note_damage (RelayStore *store, int rc);
/* Writes @state in a transaction of its own, synced. Returns a result code of SQLite. */
int relay_store_write_state (RelayStore *store, const RelayHistoryState *state);
void relay_store_set_error (RelayStore *store, int rc, const char *done, GError **error);

/* ---- history.c ---- */

void relay_history_init (RelayHistory *history);
void relay_history_finish (RelayHistory *history);

/* Goes on with what the file holds; what waits is to be written to it. */
void relay_history_take_over (RelayStore *store, RelayStored *stored);
/* There is no file, or none any more. */
void relay_history_lose (RelayStore *store);

/* Is there anything to write, or to remove? */
gboolean relay_history_is_due (RelayStore *store);

/* Within a transaction: writes what waits, removes what is to leave, and says in *state where that leads to.
 * Returns a result code of SQLite. */
int relay_history_write (RelayStore *store, RelayHistoryState *state);
/* It is committed. */
void relay_history_written (RelayStore *store, const RelayHistoryState *state);

/* ---- retention.c ---- */

/* What was received before that is too old. G_MININT64: nothing is. */
gint64 relay_retention_get_limit (const RelayHistory *history, gint64 now_usec);
/* Sets when what is too old is to be looked for: when the oldest event will be. */
void relay_retention_plan (RelayHistory *history, gint64 now_usec);
/* Within a transaction that is about to write @n_coming rows. Returns a result code of SQLite. */
int relay_retention_make_room (RelayStore *store, RelayHistoryState *state, guint64 n_coming);
/* Within a transaction that has written @n_written rows. Returns a result code of SQLite. */
int relay_retention_apply (RelayStore *store, RelayHistoryState *state, guint64 n_written);
/* It is committed. */
void relay_retention_applied (RelayHistory *history, gint64 now_usec);
