/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>

#include "catalogue.h"

/* Each case runs in a process of its own, whose stderr is looked at. */
static void
assert_stderr (const char *pattern)
{
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr (pattern);
}

static void
test_default_level (void)
{
  if (g_test_subprocess ()) {
    relay_debug ("not this");
    relay_info ("but this: %d", 42);
    return;
  }
  assert_stderr ("prp-relay: but this: 42\n");
}

static void
test_levels (void)
{
  if (g_test_subprocess ()) {
    relay_log_init ("prp-test", LOG_WARNING);
    g_assert_true (relay_log_enabled (LOG_ERR));
    g_assert_true (relay_log_enabled (LOG_WARNING));
    g_assert_false (relay_log_enabled (LOG_NOTICE));
    relay_err ("one");
    relay_warning ("two");
    relay_notice ("three");
    relay_info ("four");
    relay_debug ("five");
    return;
  }
  assert_stderr ("prp-test: one\nprp-test: two\n");
}

static void
test_debug (void)
{
  if (g_test_subprocess ()) {
    relay_log_init ("prp-test", LOG_DEBUG);
    relay_debug ("all of it");
    return;
  }
  assert_stderr ("prp-test: all of it\n");
}

/* Fields are for the journal; they do no harm without one, nor does one that is left out. */
static void
test_fields (void)
{
  if (g_test_subprocess ()) {
    relay_log_fields (LOG_INFO, RELAY_LOG_FIELDS ("PRP_FILE", "/a/b", "PRP_CODE", NULL), "with %s", "fields");
    return;
  }
  assert_stderr ("prp-relay: with fields\n");
}

/* One message is one line, whatever a server has put into it. */
static void
test_one_line (void)
{
  if (g_test_subprocess ()) {
    relay_info ("%s", "a\nprp-relay: forged\r\x1b[31m\x7f");
    return;
  }
  assert_stderr ("prp-relay: a prp-relay: forged  [31m \n");
}

static void
test_lines (void)
{
  if (g_test_subprocess ()) {
    relay_log_lines (LOG_ERR, "one\ntwo");
    return;
  }
  assert_stderr ("prp-relay: one\nprp-relay: two\n");
}

/* In English in between, and in the language of the person behind; also when that was the first message at all. */
static void
test_english (void)
{
  if (g_test_subprocess ()) {
    Catalogue *catalogue = catalogue_new ("prp-test", "one", "eins");
    gpointer before;

    textdomain ("prp-test");
    before = relay_log_begin_english ();
    g_assert_cmpstr (g_dgettext ("prp-test", "one"), ==, "one");
    relay_log_end_english (before);
    g_assert_cmpstr (g_dgettext ("prp-test", "one"), ==, "eins");
    catalogue_free (catalogue);
    return;
  }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

static void
test_errno (void)
{
  if (g_test_subprocess ()) {
    errno = ENOSPC;
    relay_info ("x");
    g_assert_cmpint (errno, ==, ENOSPC);
    return;
  }
  assert_stderr ("prp-relay: x\n");
}

/* $JOURNAL_STREAM of somebody else (inherited through a pipe, or nonsense) keeps stderr in use. */
static void
test_other_stream (void)
{
  static const char *const streams[] = { "1:2", "", "nonsense", "18446744073709551615:18446744073709551615" };

  if (g_test_subprocess ()) {
    for (gsize i = 0; i < G_N_ELEMENTS (streams); i++) {
      g_setenv ("JOURNAL_STREAM", streams[i], TRUE);
      relay_log_init ("prp-test", LOG_INFO);
      relay_info ("still here");
    }
    return;
  }
  assert_stderr ("prp-test: still here\nprp-test: still here\nprp-test: still here\nprp-test: still here\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log/default-level", test_default_level);
  g_test_add_func ("/log/levels", test_levels);
  g_test_add_func ("/log/debug", test_debug);
  g_test_add_func ("/log/fields", test_fields);
  g_test_add_func ("/log/one-line", test_one_line);
  g_test_add_func ("/log/lines", test_lines);
  g_test_add_func ("/log/english", test_english);
  g_test_add_func ("/log/errno", test_errno);
  g_test_add_func ("/log/other-stream", test_other_stream);
  return g_test_run ();
}
