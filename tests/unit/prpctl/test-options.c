/* SPDX-License-Identifier: MIT */
#include "prpctl/options.h"

#include "prpctl/failure.h"

#define PARSE(error, ...) prpctl_options_parse ((const char *const[]){ "prpctl", __VA_ARGS__, NULL }, error)

static void
test_order (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) before = PARSE (&error, "--json", "--timeout", "2.5", "monitor", "project:a");
  g_autoptr (PrpctlOptions) behind = PARSE (&error, "monitor", "project:a", "--count=3", "-q", "--seconds", "0.5", "agent:b");

  g_assert_no_error (error);
  g_assert_cmpstr (before->verb, ==, "monitor");
  g_assert_true (before->json);
  g_assert_cmpuint (before->timeout_usec, ==, 2500000);
  g_assert_cmpuint (before->given, ==, 0);
  g_assert_cmpuint (g_strv_length (before->arguments), ==, 1);

  g_assert_cmpstr (behind->verb, ==, "monitor");
  g_assert_false (behind->json);
  g_assert_cmpuint (behind->timeout_usec, ==, PRPCTL_DEFAULT_TIMEOUT_USEC);
  g_assert_cmpuint (behind->count, ==, 3);
  g_assert_cmpuint (behind->seconds_usec, ==, 500000);
  g_assert_true (behind->quiet);
  g_assert_cmpuint (behind->given, ==, PRPCTL_OPTION_COUNT | PRPCTL_OPTION_SECONDS | PRPCTL_OPTION_QUIET);
  g_assert_cmpstr (behind->arguments[0], ==, "project:a");
  g_assert_cmpstr (behind->arguments[1], ==, "agent:b");
  g_assert_null (behind->arguments[2]);
}

static void
test_nothing (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) options = prpctl_options_parse ((const char *const[]){ "prpctl", NULL }, &error);
  g_autoptr (PrpctlOptions) flags = PARSE (&error, "--help", "--version", "--no-start", "--no-color");

  g_assert_no_error (error);
  g_assert_null (options->verb);
  g_assert_cmpuint (g_strv_length (options->arguments), ==, 0);
  g_assert_true (flags->help && flags->version && flags->no_start && flags->no_color);
  g_assert_null (flags->verb);
}

static void
test_dashes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) options = PARSE (&error, "subscribe", "--", "--json", "-x");

  g_assert_no_error (error);
  g_assert_cmpstr (options->verb, ==, "subscribe");
  g_assert_false (options->json);
  g_assert_cmpuint (g_strv_length (options->arguments), ==, 2);
  g_assert_cmpstr (options->arguments[0], ==, "--json");
}

static void
test_history (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) plain = PARSE (&error, "history");
  g_autoptr (PrpctlOptions) number = PARSE (&error, "history", "-n", "7");
  g_autoptr (PrpctlOptions) all = PARSE (&error, "history", "--lines", "all");
  g_autoptr (PrpctlOptions) zero = PARSE (&error, "-n", "0", "history");
  g_autoptr (PrpctlOptions) since = PARSE (&error, "history", "--since", "@5", "--type", "prp.*", "--type=error", "--prp", "p",
                                           "--agent", "a", "--project", "j");
  g_autoptr (PrpctlOptions) from = PARSE (&error, "history", "--from", "ab:12", "--show-cursor", "--strict", "-n", "3");
  g_autoptr (PrpctlOptions) clear = PARSE (&error, "history", "--clear");

  g_assert_no_error (error);
  g_assert_cmpuint (plain->lines, ==, PRPCTL_DEFAULT_LINES);
  g_assert_cmpuint (number->lines, ==, 7);
  g_assert_cmpuint (number->given, ==, PRPCTL_OPTION_LINES);
  g_assert_cmpuint (all->lines, ==, 0);
  g_assert_cmpuint (zero->lines, ==, 0);
  g_assert_cmpuint (since->lines, ==, 0);
  g_assert_cmpuint (since->since_usec, ==, 5000000);
  g_assert_cmpstr (since->types[1], ==, "error");
  g_assert_cmpstr (since->prp, ==, "p");
  g_assert_cmpstr (since->agent, ==, "a");
  g_assert_cmpstr (since->project, ==, "j");
  g_assert_cmpuint (since->given, ==, PRPCTL_OPTION_SINCE | PRPCTL_OPTION_TYPE | PRPCTL_OPTION_PRP | PRPCTL_OPTION_AGENT |
                                       PRPCTL_OPTION_PROJECT);
  g_assert_cmpstr (from->from.history_id, ==, "ab");
  g_assert_cmpuint (from->from.sequence, ==, 12);
  g_assert_cmpuint (from->lines, ==, 3);
  g_assert_cmpuint (from->given, ==,
                    PRPCTL_OPTION_FROM | PRPCTL_OPTION_SHOW_CURSOR | PRPCTL_OPTION_STRICT | PRPCTL_OPTION_LINES);
  g_assert_true (clear->clear && clear->given == PRPCTL_OPTION_CLEAR);
}

static void
test_monitor (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) plain = PARSE (&error, "monitor");
  g_autoptr (PrpctlOptions) exec = PARSE (&error, "monitor", "--exec", "a 'b c' \"$HOME\" *", "--jobs", "64",
                                          "--exec-timeout", "1.5", "--channel", "a:b", "--channel=c:d", "--cursor-file",
                                          "\xff");

  g_assert_no_error (error);
  g_assert_null (plain->exec);
  g_assert_cmpuint (plain->jobs, ==, 1);
  g_assert_cmpuint (plain->exec_timeout_usec, ==, PRPCTL_DEFAULT_EXEC_TIMEOUT_USEC);
  g_assert_cmpuint (g_strv_length (exec->exec), ==, 4);
  g_assert_cmpstr (exec->exec[1], ==, "b c");
  g_assert_cmpstr (exec->exec[2], ==, "$HOME");
  g_assert_cmpuint (exec->jobs, ==, 64);
  g_assert_cmpuint (exec->exec_timeout_usec, ==, 1500000);
  g_assert_cmpstr (exec->channels[1], ==, "c:d");
  g_assert_null (exec->channels[2]);
  g_assert_cmpstr (exec->cursor_file, ==, "\xff");
  g_assert_cmpuint (exec->lines, ==, 0);
}

static void
test_bad (void)
{
  static const char *const cases[][3] = {
    { "--frobnicate" },       { "--timeout", "soon" },  { "--timeout", "0" },    { "--timeout", "-1" },
    { "--timeout", "nan" },   { "--timeout", "1e9" },   { "--timeout", "5 s" },  { "--timeout", "" },
    { "--seconds", "inf" },   { "--count", "0" },       { "--count", "-3" },     { "--count", "ten" },
    { "--count", "1.5" },     { "--count", "99999999999999999999" }, { "--count" },
    { "--lines", "-1" },      { "--lines", "some" },    { "--since", "soon" },   { "--from", "there" },
    { "--from", "" },         { "--type" },             { "--lines", "4294967296" }, { "--type", "" },
    { "--prp", "" },          { "--agent", "" },        { "--project", "" },
    { "--exec", "" },         { "--exec", "a 'b" },     { "--jobs", "2" },       { "--exec-timeout", "2" },
    { "--channel", "" },      { "--cursor-file", "" },
    { "--type", "\xff" },      { "-n", "x" },            { "-nx" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (PrpctlOptions) options = PARSE (&error, cases[i][0], cases[i][1]);

    g_test_message ("%s, case %" G_GSIZE_FORMAT, cases[i][0], i);
    g_assert_null (options);
    g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/options/order", test_order);
  g_test_add_func ("/options/nothing", test_nothing);
  g_test_add_func ("/options/dashes", test_dashes);
  g_test_add_func ("/options/history", test_history);
  g_test_add_func ("/options/monitor", test_monitor);
  g_test_add_func ("/options/bad", test_bad);
  return g_test_run ();
}
