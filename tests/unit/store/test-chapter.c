/* SPDX-License-Identifier: MIT */
#include "store/chapter.h"

#include <string.h>

#include "wire/seen.h"

static const guint8 key[16] = "sixteen bytes ok";

typedef struct {
  RelayTypeNames *names;
  RelayJsonReader reader;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->names = relay_type_names_new ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_type_names_free (f->names);
  relay_json_reader_clear (&f->reader);
}

static RelayDigest
digest_of (Fixture *f, const char *text)
{
  RelayDigest digest;
  RelayEvent event;

  g_assert_true (relay_event_read (&event, &f->reader, text, strlen (text), NULL));
  relay_digest_make (&digest, &event, key, f->names);
  return digest;
}

static void
test_digest (Fixture *f, gconstpointer data)
{
  RelayDigest digest = digest_of (f, "{\"id\":\"m\",\"type\":\"prp.created\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}");
  RelayDigest same, other;
  guint64 hash[2];

  g_assert_cmpstr (relay_type_names_get (f->names, digest.type), ==, "prp.created");
  g_assert_cmpuint (digest.tags[RELAY_SUBJECT_PRP], !=, 0);
  g_assert_cmpuint (digest.tags[RELAY_SUBJECT_AGENT], ==, 0);
  g_assert_cmpuint (digest.tags[RELAY_SUBJECT_PROJECT], !=, 0);
  relay_seen_hash (key, "m", 1, hash);
  g_assert_true (digest.has_id);
  g_assert_cmpmem (digest.id, sizeof digest.id, hash, sizeof hash);

  /* However it is written. */
  same = digest_of (f, "{\"id\":\"\\u006d\",\"type\":\"prp.cr\\u0065ated\",\"data\":{\"id\":\"\\u0070\",\"projectId\":\"j\"}}");
  g_assert_cmpmem (&same, sizeof same, &digest, sizeof digest);

  other = digest_of (f, "{\"type\":\"x\",\"data\":{\"prpId\":\"q\"}}");
  g_assert_false (other.has_id);
  g_assert_cmpuint (other.type, !=, digest.type);
  g_assert_cmpuint (other.tags[RELAY_SUBJECT_PRP], !=, digest.tags[RELAY_SUBJECT_PRP]);
  g_assert_false (digest_of (f, "{\"id\":\"\",\"type\":\"x\"}").has_id);
}

static void
test_long_strings (Fixture *f, gconstpointer data)
{
  g_autofree char *id = g_strnfill (5000, 'x');
  g_autofree char *plain = g_strdup_printf ("{\"id\":\"%s\",\"type\":\"t\",\"data\":{\"prpId\":\"%s\"}}", id, id);
  g_autofree char *cooked = g_strdup_printf ("{\"id\":\"\\u0078%s\",\"type\":\"t\",\"data\":{\"prpId\":\"\\u0078%s\"}}", id + 1, id + 1);
  RelayDigest one = digest_of (f, plain), two = digest_of (f, cooked);

  g_assert_cmpmem (&one, sizeof one, &two, sizeof two);
}

static void
test_adding (Fixture *f, gconstpointer data)
{
  RelayDigest digest = digest_of (f, "{\"type\":\"t\",\"data\":{\"agentId\":\"a\"}}");
  RelayChapter chapter = { 0 };

  for (guint i = 0; i < RELAY_CHAPTER_EVENTS; i++) {
    g_assert_false (relay_chapter_is_full (&chapter));
    g_assert_true (relay_chapter_add (&chapter, 100 + i, &digest, 10));
    g_assert_false (relay_chapter_add (&chapter, 102 + i, &digest, 10)); /* not the next one */
  }
  g_assert_true (relay_chapter_is_full (&chapter));
  g_assert_false (relay_chapter_add (&chapter, 100 + RELAY_CHAPTER_EVENTS, &digest, 10));
  g_assert_cmpuint (chapter.first, ==, 100);
  g_assert_cmpuint (chapter.n_bytes, ==, 10 * RELAY_CHAPTER_EVENTS);
  g_assert_true (chapter.has_tags[RELAY_SUBJECT_AGENT]);
  g_assert_false (chapter.has_tags[RELAY_SUBJECT_PRP]);

  chapter = (RelayChapter){ 0 };
  g_assert_true (relay_chapter_add (&chapter, 7, &digest, RELAY_CHAPTER_MAX_BYTES - 1));
  g_assert_true (relay_chapter_add (&chapter, 8, &digest, 1));
  g_assert_true (relay_chapter_is_full (&chapter));
}

static RelayChapterView
view_of (const RelayChapter *chapter)
{
  RelayChapterView view = { chapter->first, chapter->n_events, chapter->types, { NULL } };

  for (guint i = 0; i < RELAY_N_SUBJECTS; i++)
    view.tags[i] = chapter->has_tags[i] ? chapter->tags[i] : NULL;
  return view;
}

/* What is found forward, and then backward, as places. */
static void
expect_found (Fixture *f, const RelayChapter *chapter, RelayQuery query, const char *expected)
{
  RelayChapterView view = view_of (chapter);
  RelayChapterFilter filter;
  g_autoptr (GString) forward = g_string_new (""), backward = g_string_new ("");

  relay_type_names_set_stored (f->names);
  relay_chapter_filter_init (&filter, &query, key, f->names);
  for (gint i = 0; (i = relay_chapter_find (&view, &filter, i, 1)) >= 0; i++)
    g_string_append_c (forward, (char) ('0' + i));
  for (gint i = (gint) chapter->n_events - 1; (i = relay_chapter_find (&view, &filter, i, -1)) >= 0; i--)
    g_string_prepend_c (backward, (char) ('0' + i));
  g_assert_cmpstr (forward->str, ==, expected);
  g_assert_cmpstr (backward->str, ==, expected);
}

static void
test_finding (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = {
    "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\"}}",
    "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"b\",\"prpId\":\"p\"}}",
    "{\"type\":\"prp.updated\",\"data\":{\"id\":\"p\"}}",
    "{\"type\":\"relay.gap\",\"data\":{}}",
    "{\"type\":\"prp.updated\",\"data\":{\"id\":\"q\"}}",
  };
  const char *prps[] = { "prp.*", NULL }, *gaps[] = { "relay.gap", "no*", NULL }, *none[] = { "none", NULL };
  RelayChapter chapter = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    RelayDigest digest = digest_of (f, texts[i]);

    g_assert_true (relay_chapter_add (&chapter, i, &digest, 1));
  }
  expect_found (f, &chapter, (RelayQuery){ 0 }, "01234");
  expect_found (f, &chapter, (RelayQuery){ .prp = (char *) "p" }, "012");
  expect_found (f, &chapter, (RelayQuery){ .prp = (char *) "q" }, "4");
  expect_found (f, &chapter, (RelayQuery){ .prp = (char *) "p", .agent = (char *) "b" }, "1");
  expect_found (f, &chapter, (RelayQuery){ .project = (char *) "p" }, "");
  expect_found (f, &chapter, (RelayQuery){ .types = (char **) prps }, "24");
  expect_found (f, &chapter, (RelayQuery){ .types = (char **) prps, .prp = (char *) "p" }, "2");
  expect_found (f, &chapter, (RelayQuery){ .types = (char **) gaps }, "3");
  expect_found (f, &chapter, (RelayQuery){ .types = (char **) none }, "");
}

/* What the numbers do not tell may be anything: no number, and one that is not in the file yet. */
static void
test_unknown_types (Fixture *f, gconstpointer data)
{
  const char *globs[] = { "b", NULL };
  const RelayQuery query = { .types = (char **) globs }, every = { 0 };
  RelayChapterFilter filter;

  g_assert_true (relay_type_names_load (f->names, 1, "a", 1));
  g_assert_true (relay_type_names_load (f->names, 2, "b", 1));
  g_assert_cmpuint (relay_type_names_number (f->names, "c", 1), ==, 3);
  relay_chapter_filter_init (&filter, &query, key, f->names);
  g_assert_true (filter.is_needed);
  g_assert_true (filter.types[0]);
  g_assert_false (filter.types[1]);
  g_assert_true (filter.types[2]);
  g_assert_true (filter.types[3]);
  g_assert_true (filter.types[G_MAXUINT8]);

  g_assert_true (relay_chapter_filter_accepts (&filter, &(RelayDigest){ .type = 2 }));
  g_assert_false (relay_chapter_filter_accepts (&filter, &(RelayDigest){ .type = 1 }));
  filter.tags[RELAY_SUBJECT_PRP] = 5;
  g_assert_true (relay_chapter_filter_accepts (&filter, &(RelayDigest){ .type = 2, .tags = { 5, 1, 2 } }));
  g_assert_false (relay_chapter_filter_accepts (&filter, &(RelayDigest){ .type = 2, .tags = { 6, 5, 5 } }));

  relay_chapter_filter_init (&filter, &every, key, f->names);
  g_assert_false (filter.is_needed);
}

#define ADD(name, function) g_test_add ("/store/chapter/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("digest", test_digest);
  ADD ("long-strings", test_long_strings);
  ADD ("adding", test_adding);
  ADD ("finding", test_finding);
  ADD ("unknown-types", test_unknown_types);
  return g_test_run ();
}
