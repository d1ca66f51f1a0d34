/* SPDX-License-Identifier: MIT */
#include "wire/query.h"

#include <string.h>

typedef struct {
  RelayJsonReader reader;
  RelayEvent event;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_json_reader_clear (&f->reader);
}

static void
read_event (Fixture *f, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (relay_event_read (&f->event, &f->reader, text, strlen (text), &error));
  g_assert_no_error (error);
}

static void
test_subjects (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    const char *ids[RELAY_N_SUBJECTS]; /* NULL: none */
  } rows[] = {
    { "{\"type\":\"prp.created\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", { "p", NULL, "j" } },
    { "{\"type\":\"prp.updated\",\"data\":{\"id\":\"p\"}}", { "p", NULL, NULL } },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\"}}", { "p", "a", NULL } },
    { "{\"type\":\"agent.moved\",\"data\":{\"id\":\"a\",\"prpId\":\"p\",\"projectId\":\"j\"}}", { "p", "a", "j" } },
    { "{\"type\":\"project.renamed\",\"data\":{\"id\":\"j\"}}", { NULL, NULL, "j" } },
    /* The member of its own comes first, if it is a string. */
    { "{\"type\":\"prp.linked\",\"data\":{\"id\":\"l\",\"prpId\":\"p\"}}", { "p", NULL, NULL } },
    { "{\"type\":\"prp.linked\",\"data\":{\"id\":\"l\",\"prpId\":7}}", { "l", NULL, NULL } },
    { "{\"type\":\"pr\\u0070.linked\",\"data\":{\"id\":\"l\"}}", { "l", NULL, NULL } },
    { "{\"type\":\"prp.linked\",\"data\":{\"id\":\"\"}}", { "", NULL, NULL } },
    { "{\"type\":\"prp\",\"data\":{\"id\":\"p\"}}", { NULL, NULL, NULL } },
    { "{\"type\":\"prps.x\",\"data\":{\"id\":\"p\"}}", { NULL, NULL, NULL } },
    { "{\"type\":\"comment.added\",\"data\":{\"id\":\"c\"}}", { NULL, NULL, NULL } },
    { "{\"type\":\"prp.updated\",\"data\":{\"id\":7}}", { NULL, NULL, NULL } },
    { "{\"type\":\"prp.updated\",\"data\":[\"id\",\"p\"]}", { NULL, NULL, NULL } },
    { "{\"type\":\"prp.updated\",\"id\":\"m\",\"prpId\":\"p\"}", { NULL, NULL, NULL } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    read_event (f, rows[i].text);
    for (RelaySubject subject = 0; subject < RELAY_N_SUBJECTS; subject++) {
      guint token = relay_event_find_subject (&f->event, subject);
      g_autofree char *id = token != 0 ? relay_json_reader_dup_string (&f->reader, token) : NULL;

      if (g_strcmp0 (id, rows[i].ids[subject]) != 0)
        g_error ("subject %u of %s is %s", (guint) subject, rows[i].text, id);
    }
  }
}

static void
test_types (Fixture *f, gconstpointer data)
{
  const char *globs[] = { "prp.*", "agent.p[or]o?ress", "odd\\*", NULL };
  const char *none[] = { NULL };
  RelayQuery query = { .types = (char **) globs };
  const RelayQuery every = { 0 }, no = { .types = (char **) none };

  g_assert_true (relay_query_matches_type (&query, "prp.created"));
  g_assert_true (relay_query_matches_type (&query, "prp."));
  g_assert_true (relay_query_matches_type (&query, "prp..a/b"));
  g_assert_true (relay_query_matches_type (&query, "agent.progress"));
  g_assert_true (relay_query_matches_type (&query, "odd*"));
  g_assert_false (relay_query_matches_type (&query, "oddity"));
  g_assert_false (relay_query_matches_type (&query, "agent.assigned"));
  g_assert_false (relay_query_matches_type (&query, "xprp.created"));
  g_assert_false (relay_query_matches_type (&query, ""));
  g_assert_true (relay_query_matches_type (&every, "anything"));
  g_assert_false (relay_query_matches_type (&no, "anything"));
}

static gboolean
matches (Fixture *f, RelayQuery query)
{
  return relay_query_matches (&query, &f->event);
}

static void
test_matches (Fixture *f, gconstpointer data)
{
  const char *agents[] = { "agent.*", NULL }, *prps[] = { "prp.*", NULL };

  read_event (f, "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"\\u00e4\",\"prpId\":\"p\"}}");
  f->event.sequence = 10;
  f->event.received_usec = 1000;

  g_assert_true (matches (f, (RelayQuery){ 0 }));
  g_assert_true (matches (f, (RelayQuery){ .newest = TRUE }));
  g_assert_true (matches (f, (RelayQuery){ .after = 9 }));
  g_assert_false (matches (f, (RelayQuery){ .after = 10 }));
  g_assert_true (matches (f, (RelayQuery){ .since_usec = 1000 }));
  g_assert_false (matches (f, (RelayQuery){ .since_usec = 1001 }));
  g_assert_true (matches (f, (RelayQuery){ .prp = (char *) "p" }));
  g_assert_false (matches (f, (RelayQuery){ .prp = (char *) "" }));
  g_assert_false (matches (f, (RelayQuery){ .prp = (char *) "pp" }));
  g_assert_true (matches (f, (RelayQuery){ .agent = (char *) "ä" }));
  g_assert_false (matches (f, (RelayQuery){ .agent = (char *) "p" }));
  g_assert_false (matches (f, (RelayQuery){ .project = (char *) "p" }));
  g_assert_true (matches (f, (RelayQuery){ .types = (char **) agents }));
  g_assert_false (matches (f, (RelayQuery){ .types = (char **) prps }));
  g_assert_true (matches (f, (RelayQuery){ 9, FALSE, (char **) agents, (char *) "p", (char *) "ä", NULL, 1000 }));

  /* One that would match everything but the subject that it lacks. */
  read_event (f, "{\"type\":\"agent.progress\",\"data\":{}}");
  g_assert_false (matches (f, (RelayQuery){ .prp = (char *) "" }));
}

/* Neither a long type nor a glob that backtracks takes long; the beginning counts. */
static void
test_long_type (Fixture *f, gconstpointer data)
{
  g_autofree char *a = g_strnfill (100000, 'a');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"%s\"}", a);
  g_autofree char *cooked = g_strdup_printf ("{\"type\":\"\\u0061%s\"}", a);
  const char *globs[] = { "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab", NULL }, *prefix[] = { "aaa*", NULL };

  for (guint i = 0; i < 2; i++) {
    read_event (f, i == 0 ? text : cooked);
    f->event.sequence = 1;
    g_assert_false (matches (f, (RelayQuery){ .types = (char **) globs }));
    g_assert_true (matches (f, (RelayQuery){ .types = (char **) prefix }));
  }
}

static void
test_clear (Fixture *f, gconstpointer data)
{
  g_auto (RelayQuery) query = { 1, TRUE, g_strsplit ("a b", " ", 0), g_strdup ("p"), g_strdup ("a"), g_strdup ("j"), 7 };

  g_assert_cmpstr (relay_query_get_subject (&query, RELAY_SUBJECT_PRP), ==, "p");
  g_assert_cmpstr (relay_query_get_subject (&query, RELAY_SUBJECT_AGENT), ==, "a");
  g_assert_cmpstr (relay_query_get_subject (&query, RELAY_SUBJECT_PROJECT), ==, "j");
  relay_query_clear (&query);
  for (RelaySubject subject = 0; subject < RELAY_N_SUBJECTS; subject++)
    g_assert_null (relay_query_get_subject (&query, subject));
  g_assert_true (relay_query_matches_type (&query, ""));
  g_assert_cmpuint (query.after, ==, 0);
  g_assert_false (query.newest);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/wire/query/subjects", Fixture, NULL, set_up, test_subjects, tear_down);
  g_test_add ("/wire/query/types", Fixture, NULL, set_up, test_types, tear_down);
  g_test_add ("/wire/query/matches", Fixture, NULL, set_up, test_matches, tear_down);
  g_test_add ("/wire/query/long-type", Fixture, NULL, set_up, test_long_type, tear_down);
  g_test_add ("/wire/query/clear", Fixture, NULL, set_up, test_clear, tear_down);
  return g_test_run ();
}
