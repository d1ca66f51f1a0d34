/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "common/error.h"
#include "history-fixture.h"

static void
test_filters (StoreFixture *f, gconstpointer data)
{
  const char *prps[] = { "prp.*", NULL }, *both[] = { "relay.gap", "agent.*", NULL }, *none[] = { "none", NULL };
  RelayStore *store = fixture_open_good (f);

  for (guint round = 0; round < 3; round++) {
    if (round == 0) {
      history_append (store, "p", "a", 1000);                                                            /* 1 */
      history_append (store, "q", "a", 2000);                                                            /* 2 */
      history_append_text (store, "{\"type\":\"prp.created\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", 1500); /* 3 */
      history_append_text (store, "{\"type\":\"relay.gap\",\"data\":{}}", 3000);                          /* 4 */
      history_append (store, "p", "b", 4000);                                                            /* 5 */
    }
    history_expect (store, (RelayQuery){ 0 }, "1 2 3 4 5");
    history_expect (store, (RelayQuery){ .newest = TRUE }, "5 4 3 2 1");
    history_expect (store, (RelayQuery){ .after = 3 }, "4 5");
    history_expect (store, (RelayQuery){ .after = 3, .newest = TRUE }, "5 4");
    history_expect (store, (RelayQuery){ .after = 5 }, "");
    history_expect (store, (RelayQuery){ .after = G_MAXUINT64 }, "");
    history_expect (store, (RelayQuery){ .prp = (char *) "p" }, "1 3 5");
    history_expect (store, (RelayQuery){ .prp = (char *) "p", .agent = (char *) "a" }, "1");
    history_expect (store, (RelayQuery){ .project = (char *) "j" }, "3");
    history_expect (store, (RelayQuery){ .project = (char *) "k" }, "");
    history_expect (store, (RelayQuery){ .types = (char **) prps }, "3");
    history_expect (store, (RelayQuery){ .types = (char **) both, .newest = TRUE }, "5 4 2 1");
    history_expect (store, (RelayQuery){ .types = (char **) none }, "");
    history_expect (store, (RelayQuery){ .since_usec = 2000 }, "2 4 5");
    history_expect (store, (RelayQuery){ .since_usec = 1500, .prp = (char *) "p", .newest = TRUE }, "5 3");
    history_expect (store, (RelayQuery){ .since_usec = 5000 }, "");
    if (round == 0)
      fixture_commit (store); /* first they wait, then they are in the file, then in one that was opened again */
    if (round == 1) {
      relay_store_free (store);
      store = fixture_open_good (f);
    }
  }
  relay_store_free (store);
}

/* The whole of the event comes back, byte for byte. */
static gboolean
check_event (const RelayEvent *event, gpointer user_data)
{
  const char *text = user_data;

  g_assert_cmpmem (event->reader->text, event->reader->length, text, strlen (text));
  g_assert_cmpuint (event->sequence, ==, 1);
  g_assert_cmpint (event->received_usec, ==, 12345);
  return TRUE;
}

static void
test_text (StoreFixture *f, gconstpointer data)
{
  g_autofree char *pad = g_strnfill (100000, 'x');
  g_autofree char *text = g_strdup_printf (" {\"id\":\"m\", \"type\":\"prp.odd\",\"data\":[1.0,\"\\u0000\\ud800ä\",\"%s\"] , \"more\":null}\n", pad);
  const RelayQuery query = { 0 };
  RelayStore *store = fixture_open_good (f);

  history_append_text (store, text, 12345);
  for (guint round = 0; round < 2; round++) {
    guint64 position = 0;
    gboolean end = FALSE;

    g_assert_true (relay_history_scan (store, &query, &position, check_event, text, &end, NULL));
    g_assert_true (end);
    g_assert_cmpuint (position, ==, 1);
    fixture_commit (store);
  }
  relay_store_free (store);
}

static gboolean
take_some (const RelayEvent *event, gpointer user_data)
{
  guint *n_left = user_data;

  if (*n_left == 0)
    return FALSE;
  --*n_left;
  return TRUE;
}

/* What was not taken comes again; what came, left or was written between two steps does not matter. */
static void
test_steps (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  RelayQuery query = { .prp = (char *) "p" };
  guint64 position = 0;
  gboolean end = FALSE;
  guint n_left = 300, n_steps = 0;

  history_append_many (store, 2500);
  fixture_commit (store);
  history_append_many (store, 500);

  g_assert_true (relay_history_scan (store, &query, &position, take_some, &n_left, &end, NULL));
  g_assert_cmpuint (n_left, ==, 0);
  g_assert_false (end);
  g_assert_cmpuint (position, ==, 300);
  fixture_commit (store);
  history_append_many (store, 10);
  for (n_left = 10000; !end; n_steps++)
    g_assert_true (relay_history_scan (store, &query, &position, take_some, &n_left, &end, NULL));
  g_assert_cmpuint (n_left, ==, 10000 - 2710);
  g_assert_cmpuint (n_steps, ==, 3); /* of 1,000 rows each, chapters and all */

  query.newest = TRUE;
  position = 0;
  n_left = 5;
  g_assert_true (relay_history_scan (store, &query, &position, take_some, &n_left, &end, NULL));
  g_assert_false (end);
  g_assert_cmpuint (position, ==, 3006);
  fixture_commit (store);
  history_set_limits (store, 1000, 0);
  history_settle (store);
  for (n_left = 10000; !end;)
    g_assert_true (relay_history_scan (store, &query, &position, take_some, &n_left, &end, NULL));
  g_assert_cmpuint (n_left, ==, 10000 - 995);
  relay_store_free (store);
}

/* A step reads a bounded number of bytes, too. */
static void
test_large (StoreFixture *f, gconstpointer data)
{
  g_autofree char *pad = g_strnfill (700000, 'x');
  g_autofree char *text = g_strdup_printf ("{\"type\":\"t\",\"pad\":\"%s\"}", pad);
  const RelayQuery query = { 0 };
  RelayStore *store = fixture_open_good (f);
  guint64 position = 0;
  gboolean end = FALSE;
  guint n_left = 100, n_steps = 0;

  for (guint i = 0; i < 12; i++) {
    history_append_text (store, text, 0);
    if (i % 2 == 0)
      fixture_commit (store);
  }
  for (; !end; n_steps++)
    g_assert_true (relay_history_scan (store, &query, &position, take_some, &n_left, &end, NULL));
  g_assert_cmpuint (n_left, ==, 88);
  g_assert_cmpuint (n_steps, >=, 6);
  relay_store_free (store);
}

/* ---- against a plain model ---- */

typedef struct {
  guint64 sequence;
  gint64 received_usec;
  guint type, prp, agent, project; /* 0: none */
  gboolean is_stored;
} Row;

typedef struct {
  RelayStore *store;
  GArray *rows;
  gint64 now_usec;
} Model;

static const char *const types[] = { "agent.progress", "agent.assigned", "prp.updated", "prp.commented", "relay.gap", "x" };

static void
add_member (GString *text, const char *name, guint number)
{
  if (number != 0)
    g_string_append_printf (text, "\"%s\":\"%u\",", name, number);
}

static void
model_append (Model *model)
{
  g_autoptr (GString) text = g_string_new ("{\"data\":{");
  Row row = { .type = (guint) g_test_rand_int_range (0, G_N_ELEMENTS (types)),
              .prp = (guint) g_test_rand_int_range (0, 5),
              .agent = (guint) g_test_rand_int_range (0, 20),
              .project = g_test_rand_int_range (0, 50) == 0 };

  if (row.type == 0)
    row.project = 0;
  add_member (text, "prpId", row.prp);
  add_member (text, "agentId", row.agent);
  add_member (text, "projectId", row.project);
  g_string_append_printf (text, "\"x\":1},\"type\":\"%s\"}", types[row.type]);
  /* Once in a while the clock is set, forth or back. */
  model->now_usec += g_test_rand_int_range (0, 200) == 0 ? g_test_rand_int_range (-50000, 50000) : g_test_rand_int_range (0, 20);
  row.received_usec = model->now_usec;
  row.sequence = history_append_text (model->store, text->str, row.received_usec);
  g_array_append_val (model->rows, row);
}

static void
model_commit (Model *model)
{
  fixture_commit (model->store);
  for (guint i = 0; i < model->rows->len; i++)
    g_array_index (model->rows, Row, i).is_stored = TRUE;
}

/* What is in the file now is what a kill would leave. */
static void
model_kill (StoreFixture *f, Model *model)
{
  static const char *const suffixes[] = { "", "-wal" };
  char *directory = g_strconcat (f->directory, "+", NULL);

  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    g_autofree char *from = g_strconcat (f->path, suffixes[i], NULL);
    g_autofree char *to = g_strconcat (directory, "/relay.db", suffixes[i], NULL);
    g_autofree char *contents = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (from, &contents, &length, NULL));
    g_assert_true (g_file_set_contents (to, contents, (gssize) length, NULL));
  }
  relay_store_free (model->store);
  g_free (f->directory);
  g_free (f->path);
  f->directory = directory;
  f->path = g_build_filename (directory, "relay.db", NULL);
  model->store = fixture_open_good (f);
  for (guint i = model->rows->len; i > 0 && !g_array_index (model->rows, Row, i - 1).is_stored; i--)
    g_array_set_size (model->rows, i - 1);
}

static gboolean
row_matches (const Row *row, const RelayQuery *query, guint type, guint prp, guint agent, guint project)
{
  return row->sequence > query->after && row->received_usec >= query->since_usec && (prp == 0 || row->prp == prp) &&
         (agent == 0 || row->agent == agent) && (project == 0 || row->project == project) &&
         (query->types == NULL || row->type == type || (type == 2 && row->type == 3));
}

static void
model_check (Model *model)
{
  guint prp = (guint) g_test_rand_int_range (0, 5), agent = (guint) g_test_rand_int_range (0, 22);
  guint project = g_test_rand_int_range (0, 4) == 0, type = (guint) g_test_rand_int_range (0, G_N_ELEMENTS (types));
  g_autofree char *p = g_strdup_printf ("%u", prp), *a = g_strdup_printf ("%u", agent), *j = g_strdup_printf ("%u", project);
  const char *globs[] = { type == 2 ? "prp.*" : types[type], NULL };
  guint n = model->rows->len;
  const Row *some = n > 0 ? &g_array_index (model->rows, Row, g_test_rand_int_range (0, (gint) n)) : NULL;
  RelayQuery query = { .newest = g_test_rand_bit (),
                       .after = some != NULL && g_test_rand_bit () ? some->sequence : 0,
                       .since_usec = some != NULL && g_test_rand_bit () ? some->received_usec : 0,
                       .types = g_test_rand_bit () ? (char **) globs : NULL,
                       .prp = prp != 0 ? p : NULL,
                       .agent = agent != 0 ? a : NULL,
                       .project = project != 0 ? j : NULL };
  guint limit = (guint) g_test_rand_int_range (0, 200), n_expected = 0;
  g_autoptr (GArray) found = history_list (model->store, &query, limit);

  for (guint i = 0; i < n && (limit == 0 || n_expected < limit); i++) {
    const Row *row = &g_array_index (model->rows, Row, query.newest ? n - 1 - i : i);

    if (row_matches (row, &query, type, prp, agent, project)) {
      g_assert_cmpuint (n_expected, <, found->len);
      g_assert_cmpuint (g_array_index (found, guint64, n_expected), ==, row->sequence);
      n_expected++;
    }
  }
  g_assert_cmpuint (found->len, ==, n_expected);
}

static void
test_model (StoreFixture *f, gconstpointer data)
{
  Model model = { .rows = g_array_new (FALSE, FALSE, sizeof (Row)), .now_usec = 1000000 };

  model.store = fixture_open_good (f);
  for (guint round = 0; round < 60; round++) {
    for (gint n = g_test_rand_int_range (0, 400); n > 0; n--) {
      model_append (&model);
      if (g_test_rand_int_range (0, 50) == 0)
        model_commit (&model);
    }
    if (round % 10 == 9) {
      model_kill (f, &model);
    } else if (round % 7 == 6) {
      relay_store_free (model.store);
      model.store = fixture_open_good (f);
      for (guint i = 0; i < model.rows->len; i++)
        g_array_index (model.rows, Row, i).is_stored = TRUE;
    } else if (round == 33) {
      g_assert_true (relay_history_clear (model.store, NULL));
      g_array_set_size (model.rows, 0);
    }
    for (guint i = 0; i < 20; i++)
      model_check (&model);
  }
  relay_store_free (model.store);
  g_array_unref (model.rows);
}

/* ---- ids ---- */

static gboolean
is_new (RelaySeen *seen, const char *id)
{
  return relay_seen_add (seen, id, strlen (id));
}

static void
test_load_seen (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  RelaySeen *seen;
  guint n_steps = 0;

  for (guint i = 0; i < 2500; i++) {
    g_autofree char *text = g_strdup_printf ("{\"id\":\"m%u\",\"type\":\"t\"}", i);

    history_append_text (store, i % 100 == 50 ? "{\"type\":\"t\"}" : text, 0);
  }
  relay_store_free (store);

  store = fixture_open_good (f);
  seen = relay_seen_new (relay_history_get_key (store));
  history_append_text (store, "{\"id\":\"m2499\",\"type\":\"t\"}", 0); /* meanwhile, and again */
  g_assert_true (is_new (seen, "m2499"));
  fixture_commit (store);
  while (relay_history_load_seen (store, seen))
    n_steps++;
  g_assert_cmpuint (n_steps, ==, 2);
  g_assert_false (relay_history_load_seen (store, seen));
  for (guint i = 0; i < 2500; i++) {
    g_autofree char *id = g_strdup_printf ("m%u", i);

    g_assert_cmpint (is_new (seen, id), ==, i % 100 == 50);
  }
  g_assert_true (is_new (seen, "m2500"));
  relay_seen_free (seen);
  relay_store_free (store);
}

/* ---- what cannot be read ---- */

static void
test_body_of_somebody_else (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);

  history_append_many (store, 4);
  fixture_commit (store);
  fixture_sql (f->path, "UPDATE events SET body = 'no JSON' WHERE sequence = 2");
  history_expect (store, (RelayQuery){ 0 }, "1 3 4"); /* and a warning */
  relay_store_free (store);
}

static gboolean
take (const RelayEvent *event, gpointer user_data)
{
  return TRUE;
}

/* A page in the middle of the file is overwritten while it is in use. The scan says so; the next commit sets
 * the file aside, and what came since goes into a new one. */
static void
test_damage (StoreFixture *f, gconstpointer data)
{
  RelayStore *store = fixture_open_good (f);
  g_autofree char *contents = NULL, *id = g_strdup (relay_history_get_id (store));
  g_autoptr (GError) error = NULL;
  const RelayQuery query = { 0 };
  guint64 position = 0, first;
  gboolean end, ok = TRUE;
  gsize length;
  guint n_dirty = 0;
  FILE *file;

  history_append_many (store, 3000);
  relay_store_free (store);
  g_assert_true (g_file_get_contents (f->path, &contents, &length, NULL));
  store = fixture_open_good (f);
  relay_store_set_durable (store, "a:1", TRUE);
  fixture_commit (store);
  file = g_fopen (f->path, "r+b");
  g_assert_cmpint (fseek (file, (long) (length / 2 / 4096 * 4096), SEEK_SET), ==, 0);
  for (guint i = 0; i < 20 * 4096; i++)
    g_assert_cmpint (fputc (0xa5, file), ==, 0xa5);
  fclose (file);

  relay_store_set_dirty (store, fixture_count, &n_dirty);
  while (ok && !(ok = relay_history_scan (store, &query, &position, take, NULL, &end, &error), end && ok))
    ;
  g_assert_false (ok);
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_IO);
  g_test_message ("%s", error->message);
  g_assert_cmpuint (n_dirty, ==, 1);
  g_assert_null (relay_store_get_trouble (store));

  first = history_append (store, "p", "a", 0); /* before anybody commits */
  fixture_commit (store);
  fixture_expect_trouble (store, "STORE_DAMAGED", "*relay.db.bad-1*");
  g_assert_true (relay_store_is_persistent (store));
  fixture_expect_durable (store, "a:1");
  g_assert_cmpstr (relay_history_get_id (store), !=, id);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  g_assert_cmpuint (history_count (store), ==, 1);
  history_append_many (store, 200);
  relay_store_free (store);

  store = fixture_open_good (f);
  g_assert_cmpuint (history_count (store), ==, 201);
  g_assert_cmpuint (relay_history_get_first_sequence (store), ==, first);
  fixture_expect_durable (store, "a:1");
  relay_store_free (store);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  FIXTURE_ADD ("history-scan/filters", test_filters);
  FIXTURE_ADD ("history-scan/text", test_text);
  FIXTURE_ADD ("history-scan/steps", test_steps);
  FIXTURE_ADD ("history-scan/large", test_large);
  FIXTURE_ADD ("history-scan/model", test_model);
  FIXTURE_ADD ("history-scan/load-seen", test_load_seen);
  FIXTURE_ADD ("history-scan/body-of-somebody-else", test_body_of_somebody_else);
  FIXTURE_ADD ("history-scan/damage", test_damage);
  return g_test_run ();
}
