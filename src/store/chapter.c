/* SPDX-License-Identifier: MIT */
#include "store/chapter.h"

#include <string.h>

#include "wire/seen.h"
#include "wire/siphash.h"

/* Ids and types are short; what is longer goes by way of the heap. */
#define SHORT_BYTES 256

/* The value of a string on the tape: as it stands in the text, or cooked, in @buffer or *ret_heap. */
static const char *
get_string (const RelayEvent *event, guint token, char buffer[SHORT_BYTES], char **ret_heap, gsize *ret_length)
{
  const RelayJsonToken *string = &event->reader->tape[token];
  char *copy = buffer;

  if ((string->flags & RELAY_JSON_COOKED) == 0) {
    *ret_length = string->end - string->start;
    return event->reader->text + string->start;
  }
  *ret_length = relay_json_reader_string_length (event->reader, token);
  if (*ret_length > SHORT_BYTES)
    copy = *ret_heap = g_malloc (*ret_length);
  relay_json_reader_string_copy (event->reader, token, copy);
  return copy;
}

static guint16
make_tag (const guint8 key[16], const char *id, gsize length)
{
  guint64 hash[2];

  relay_siphash (key, id, length, hash);
  return MAX ((guint16) hash[0], 1);
}

void
relay_digest_make (RelayDigest *digest, const RelayEvent *event, const guint8 key[16], RelayTypeNames *names)
{
  char buffer[SHORT_BYTES];
  g_autofree char *type_heap = NULL, *id_heap = NULL;
  const char *string;
  gsize length;

  *digest = (RelayDigest){ 0 };
  string = get_string (event, event->type, buffer, &type_heap, &length);
  digest->type = relay_type_names_number (names, string, length);
  for (RelaySubject subject = 0; subject < RELAY_N_SUBJECTS; subject++) {
    guint token = relay_event_find_subject (event, subject);
    g_autofree char *heap = NULL;

    if (token != 0) {
      string = get_string (event, token, buffer, &heap, &length);
      digest->tags[subject] = make_tag (key, string, length);
    }
  }
  if (event->id != 0) {
    string = get_string (event, event->id, buffer, &id_heap, &length);
    digest->has_id = length > 0;
    relay_seen_hash (key, string, length, digest->id);
  }
}

gboolean
relay_chapter_is_full (const RelayChapter *chapter)
{
  return chapter->n_events == RELAY_CHAPTER_EVENTS || chapter->n_bytes >= RELAY_CHAPTER_MAX_BYTES;
}

gboolean
relay_chapter_add (RelayChapter *chapter, guint64 sequence, const RelayDigest *digest, gsize n_bytes)
{
  guint place = chapter->n_events;

  if (place > 0 && (sequence != chapter->first + place || relay_chapter_is_full (chapter)))
    return FALSE;
  if (place == 0)
    chapter->first = sequence;
  chapter->n_events++;
  chapter->n_bytes += n_bytes;
  chapter->types[place] = digest->type;
  for (guint i = 0; i < RELAY_N_SUBJECTS; i++) {
    guint16 tag = GUINT16_TO_LE (digest->tags[i]);

    memcpy (&chapter->tags[i][2 * place], &tag, sizeof tag);
    chapter->has_tags[i] |= tag != 0;
  }
  return TRUE;
}

void
relay_chapter_get_view (const RelayChapter *chapter, RelayChapterView *view)
{
  *view = (RelayChapterView){ .first = chapter->first, .n_events = chapter->n_events, .types = chapter->types };
  for (guint i = 0; i < RELAY_N_SUBJECTS; i++)
    view->tags[i] = chapter->has_tags[i] ? chapter->tags[i] : NULL;
}

void
relay_chapter_filter_init (RelayChapterFilter *filter, const RelayQuery *query, const guint8 key[16],
                           RelayTypeNames *names)
{
  *filter = (RelayChapterFilter){ .is_needed = query->types != NULL };
  for (guint number = 0; number <= G_MAXUINT8; number++) {
    /* A number that is not in the file yet may be given to another type there, by another process. */
    gboolean is_stored = number <= relay_type_names_get_n_stored (names);
    const char *name = is_stored ? relay_type_names_get (names, (guint8) number) : NULL;

    filter->types[number] = name == NULL || relay_query_matches_type (query, name);
  }
  for (RelaySubject subject = 0; subject < RELAY_N_SUBJECTS; subject++) {
    const char *id = relay_query_get_subject (query, subject);

    if (id != NULL) {
      filter->is_needed = TRUE;
      filter->tags[subject] = make_tag (key, id, strlen (id));
    }
  }
}

gboolean
relay_chapter_filter_accepts (const RelayChapterFilter *filter, const RelayDigest *digest)
{
  for (guint i = 0; i < RELAY_N_SUBJECTS; i++)
    if (filter->tags[i] != 0 && filter->tags[i] != digest->tags[i])
      return FALSE;
  return filter->types[digest->type];
}

static guint16
get_tag (const guint8 *tags, gint place)
{
  guint16 tag;

  memcpy (&tag, tags + 2 * place, sizeof tag);
  return tag;
}

gint
relay_chapter_find (const RelayChapterView *chapter, const RelayChapterFilter *filter, gint from, gint step)
{
  const guint8 *tags[RELAY_N_SUBJECTS];
  guint16 wanted[RELAY_N_SUBJECTS];
  guint n_wanted = 0;

  for (guint i = 0; i < RELAY_N_SUBJECTS; i++)
    if (filter->tags[i] != 0) {
      if (chapter->tags[i] == NULL)
        return -1;
      tags[n_wanted] = chapter->tags[i];
      wanted[n_wanted++] = GUINT16_TO_LE (filter->tags[i]);
    }

  for (gint place = from; place >= 0 && place < (gint) chapter->n_events; place += step) {
    guint i = 1;

    /* Nearly all of the time is spent here. */
    if (n_wanted > 0 && get_tag (tags[0], place) != wanted[0])
      continue;
    while (i < n_wanted && get_tag (tags[i], place) == wanted[i])
      i++;
    if (i >= n_wanted && filter->types[chapter->types[place]])
      return place;
  }
  return -1;
}
