/* SPDX-License-Identifier: MIT */
#pragma once

#include <sqlite3.h>

#include "store/type-names.h"

/*
 * What a file of ours holds besides the events themselves, as it is read when it is opened: a few rows, whatever
 * its size.
 */
typedef struct {
  guint64 sequence; /* 0: there is no event */
  guint64 ordinal;
  gint64 received_usec, stamp_usec;
} RelayStoredEvent;

typedef struct {
  GHashTable *durable; /* name (GRefString) → since when it is not covered (gint64 *) */
  guint64 next;        /* number */
  gboolean is_clean;   /* `next` is above all that were given out */
  gboolean has_history;  /* FALSE: a file of the version before that; what follows is empty then */
  char history_id[33];
  guint8 key[16];
  guint64 removed, cleared;
  gint64 alive_usec;
  RelayStoredEvent first, last;
  RelayTypeNames *names;
} RelayStored;

#define RELAY_STORED_MAX_ID_BYTES 32

RelayStored *relay_stored_new (void);
void relay_stored_free (RelayStored *stored);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayStored, relay_stored_free)

/* Durable subscriptions: a set with a number each. */
GHashTable *relay_durable_new (void);
void relay_durable_set (GHashTable *durable, const char *channel, gint64 covered_usec);

/* RelayDatabaseRead; @user_data is the RelayStored, which is filled anew. */
int relay_stored_read (sqlite3 *db, gpointer user_data);
