/* SPDX-License-Identifier: MIT */
#include "bus/filter.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bus-source.h"
#include "common/error.h"

/* A bus that is never spoken to: messages are built on it, sealed, and read. */
typedef struct {
  sd_bus *bus;
  int peer;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  f->peer = fds[1];
  g_assert_cmpint (sd_bus_new (&f->bus), >=, 0);
  g_assert_cmpint (sd_bus_set_fd (f->bus, fds[0], fds[0]), >=, 0);
  g_assert_cmpint (sd_bus_start (f->bus), >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  sd_bus_close (f->bus);
  sd_bus_unref (f->bus);
  close (f->peer);
}

static sd_bus_message *
begin (Fixture *f)
{
  sd_bus_message *m = NULL;

  g_assert_cmpint (sd_bus_message_new_signal (f->bus, &m, "/x", "a.b", "C"), >=, 0);
  return m;
}

static gboolean
read_filter (sd_bus_message *m, RelayQuery *ret_query, GError **error)
{
  g_assert_cmpint (sd_bus_message_seal (m, 1, 0), >=, 0);
  g_assert_cmpint (sd_bus_message_rewind (m, TRUE), >=, 0);
  return relay_filter_read (m, ret_query, error);
}

/* Consumes @m: an a{sv} that is refused, in words that say @words. */
static void
assert_refused (sd_bus_message *m, const char *words)
{
  g_autoptr (sd_bus_message) own = m;
  g_autoptr (GError) error = NULL;
  RelayQuery query;

  g_assert_false (read_filter (own, &query, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS);
  if (strstr (error->message, words) == NULL)
    g_error ("“%s” does not say “%s”", error->message, words);
}

static void
test_empty (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) m = begin (f);
  g_autoptr (GError) error = NULL;
  RelayQuery query;

  g_assert_cmpint (sd_bus_message_append (m, "a{sv}", 0), >=, 0);
  g_assert_true (read_filter (m, &query, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (query.after, ==, 0);
  g_assert_false (query.newest);
  g_assert_null (query.types);
  g_assert_null (query.prp);
  g_assert_null (query.agent);
  g_assert_null (query.project);
  g_assert_cmpint (query.since_usec, ==, 0);
}

static void
test_all (Fixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) m = begin (f);
  g_autoptr (GError) error = NULL;
  RelayQuery query;
  const char *behind;

  g_assert_cmpint (sd_bus_message_append (m, "a{sv}s", 6, "newest", "b", 1, "types", "as", 2, "prp.*", "x", "project", "s", "o",
                                          "agent", "s", "a", "prp", "s", "p", "since", "t", G_MAXUINT64, "behind"), >=, 0);
  g_assert_true (read_filter (m, &query, &error));
  g_assert_no_error (error);
  g_assert_true (query.newest);
  g_assert_cmpuint (g_strv_length (query.types), ==, 2);
  g_assert_cmpstr (query.types[0], ==, "prp.*");
  g_assert_cmpstr (query.types[1], ==, "x");
  g_assert_cmpstr (query.prp, ==, "p");
  g_assert_cmpstr (query.agent, ==, "a");
  g_assert_cmpstr (query.project, ==, "o");
  g_assert_cmpint (query.since_usec, ==, G_MAXINT64);
  relay_query_clear (&query);
  g_assert_cmpint (sd_bus_message_read (m, "s", &behind), >, 0);
  g_assert_cmpstr (behind, ==, "behind");
}

#define REFUSED(words, ...)                                                                                            \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    sd_bus_message *refused_m = begin (f);                                                                             \
    g_assert_cmpint (sd_bus_message_append (refused_m, "a{sv}", __VA_ARGS__), >=, 0);                                  \
    assert_refused (refused_m, words);                                                                                 \
  }                                                                                                                    \
  G_STMT_END

static void
test_refused (Fixture *f, gconstpointer data)
{
  g_autofree char *long_key = g_strnfill (1000, 'k');
  g_autoptr (GString) umlauts = g_string_new (NULL);

  REFUSED ("no filter key “type”; there are types, prp, agent, project, since, newest", 1, "type", "s", "x");
  REFUSED ("no filter key “”", 1, "", "s", "x");
  REFUSED ("kkkk”;", 1, long_key, "s", "x");
  while (umlauts->len < 100)
    g_string_append (umlauts, "ä");
  g_string_prepend_c (umlauts, 'k');
  REFUSED ("ä”;", 1, umlauts->str, "s", "x");

  REFUSED ("key types must be an array of strings (as), it is s", 1, "types", "s", "prp.*");
  REFUSED ("key prp must be a string (s), it is as", 1, "prp", "as", 1, "p");
  REFUSED ("key agent must be a string (s), it is o", 1, "agent", "o", "/p");
  REFUSED ("key project must be a string (s), it is v", 1, "project", "v", "s", "p");
  REFUSED ("key since must be a time in µs (t), it is x", 1, "since", "x", (gint64) 5);
  REFUSED ("key newest must be a boolean (b), it is u", 1, "newest", "u", 1);

  REFUSED ("key prp stands twice", 2, "prp", "s", "p", "prp", "s", "q");
  REFUSED ("key types stands twice", 2, "types", "as", 1, "p", "types", "as", 1, "q");
  REFUSED ("key types is empty", 1, "types", "as", 0);
}

/* @n globs of @length bytes each. */
static sd_bus_message *
make_types (Fixture *f, guint n, guint length)
{
  g_autofree char *glob = g_strnfill (length, 'g');
  sd_bus_message *m = begin (f);

  g_assert_cmpint (sd_bus_message_open_container (m, 'a', "{sv}"), >=, 0);
  g_assert_cmpint (sd_bus_message_open_container (m, 'e', "sv"), >=, 0);
  g_assert_cmpint (sd_bus_message_append_basic (m, 's', "types"), >=, 0);
  g_assert_cmpint (sd_bus_message_open_container (m, 'v', "as"), >=, 0);
  g_assert_cmpint (sd_bus_message_open_container (m, 'a', "s"), >=, 0);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (sd_bus_message_append_basic (m, 's', glob), >=, 0);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (sd_bus_message_close_container (m), >=, 0);
  return m;
}

static void
assert_n_types (sd_bus_message *m, guint n)
{
  g_autoptr (sd_bus_message) own = m;
  g_autoptr (GError) error = NULL;
  RelayQuery query;

  g_assert_true (read_filter (own, &query, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (query.types), ==, n);
  relay_query_clear (&query);
}

/* Each limit is exact. */
static void
test_limits (Fixture *f, gconstpointer data)
{
  g_autofree char *longest = g_strnfill (RELAY_QUERY_MAX_STRING_BYTES, 'p');
  g_autofree char *longer = g_strnfill (RELAY_QUERY_MAX_STRING_BYTES + 1, 'p');
  g_autoptr (sd_bus_message) m = begin (f);
  RelayQuery query;

  assert_n_types (make_types (f, RELAY_QUERY_MAX_TYPES, 10), RELAY_QUERY_MAX_TYPES);
  assert_refused (make_types (f, RELAY_QUERY_MAX_TYPES + 1, 10), "key types has too many strings, at most 64");
  assert_n_types (make_types (f, 4, RELAY_FILTER_MAX_BYTES / 4), 4);
  assert_refused (make_types (f, 5, RELAY_FILTER_MAX_BYTES / 4), "too long at its key types");
  assert_refused (make_types (f, 1, RELAY_QUERY_MAX_STRING_BYTES + 1), "key types is too long");

  g_assert_cmpint (sd_bus_message_append (m, "a{sv}", 1, "prp", "s", longest), >=, 0);
  g_assert_true (read_filter (m, &query, NULL));
  g_assert_cmpstr (query.prp, ==, longest);
  relay_query_clear (&query);
  REFUSED ("key prp is too long", 1, "prp", "s", longer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/bus/filter/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("empty", test_empty);
  ADD ("all", test_all);
  ADD ("refused", test_refused);
  ADD ("limits", test_limits);
  return g_test_run ();
}
