/* SPDX-License-Identifier: MIT */
#pragma once

#include "store/type-names.h"
#include "wire/query.h"

/*
 * The index of the history. It is not kept event by event, as the indices of SQLite are, but by chapters: of up to
 * RELAY_CHAPTER_EVENTS events in a row it says which types they have, and what they are about, in a few columns of
 * one row, written once when the chapter is complete. Who looks for an event looks through the chapters (of a
 * million events: 3,900 rows of about 1 KB), and reads only the events that they point to.
 *
 * What an event is about stands there as a tag: 16 bits of a keyed hash. So a chapter can point to an event in
 * vain (once in 65,536), but it never misses one.
 */
#define RELAY_CHAPTER_EVENTS 256
#define RELAY_CHAPTER_MAX_BYTES (256 * 1024) /* of its events, which are read again after a kill */

/* What the index says of one event. */
typedef struct {
  guint8 type;                     /* its number among the RelayTypeNames */
  guint16 tags[RELAY_N_SUBJECTS];  /* 0: it has no such subject */
  gboolean has_id;
  guint64 id[2];                   /* the hash of its id, as relay_seen_hash has it */
} RelayDigest;

void relay_digest_make (RelayDigest *digest, const RelayEvent *event, const guint8 key[16], RelayTypeNames *names);

/* A chapter that is being written. All zeros: an empty one. */
typedef struct {
  guint64 first;    /* sequence of its first event; they count up by one */
  guint n_events;
  gsize n_bytes;    /* of the events' texts */
  guint8 types[RELAY_CHAPTER_EVENTS];
  guint8 tags[RELAY_N_SUBJECTS][2 * RELAY_CHAPTER_EVENTS]; /* little-endian */
  gboolean has_tags[RELAY_N_SUBJECTS]; /* is any of them other than 0? */
} RelayChapter;

/* FALSE: the chapter (not empty then) is to be closed before, as it is full, or the event is not its next one. */
gboolean relay_chapter_add (RelayChapter *chapter, guint64 sequence, const RelayDigest *digest, gsize n_bytes);

gboolean relay_chapter_is_full (const RelayChapter *chapter);

/* A chapter as it is stored; the columns are borrowed. */
typedef struct {
  guint64 first;
  guint n_events;
  const guint8 *types;                  /* n_events */
  const guint8 *tags[RELAY_N_SUBJECTS]; /* 2 × n_events, or NULL: none has such a subject */
} RelayChapterView;

/* The chapter that is being written, likewise. */
void relay_chapter_get_view (const RelayChapter *chapter, RelayChapterView *view);

/* What is looked for, in terms of the index. */
typedef struct {
  gboolean is_needed;              /* FALSE: it matches everything */
  gboolean types[G_MAXUINT8 + 1];
  guint16 tags[RELAY_N_SUBJECTS];  /* 0: any */
} RelayChapterFilter;

void relay_chapter_filter_init (RelayChapterFilter *filter, const RelayQuery *query, const guint8 key[16],
                                RelayTypeNames *names);

/* Could the event be one of those? */
gboolean relay_chapter_filter_accepts (const RelayChapterFilter *filter, const RelayDigest *digest);

/* The first of the events @from, @from + @step, … (@step is 1 or -1) that could be, as its place in the
 * chapter; -1 if there is none. */
gint relay_chapter_find (const RelayChapterView *chapter, const RelayChapterFilter *filter, gint from, gint step);
