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
test_bad (void)
{
  static const char *const cases[][3] = {
    { "--frobnicate" },       { "--timeout", "soon" },  { "--timeout", "0" },    { "--timeout", "-1" },
    { "--timeout", "nan" },   { "--timeout", "1e9" },   { "--timeout", "5 s" },  { "--timeout", "" },
    { "--seconds", "inf" },   { "--count", "0" },       { "--count", "-3" },     { "--count", "ten" },
    { "--count", "1.5" },     { "--count", "99999999999999999999" }, { "--count" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (PrpctlOptions) options = PARSE (&error, cases[i][0], cases[i][1]);

    g_test_message ("%s %s", cases[i][0], cases[i][1]);
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
  g_test_add_func ("/options/bad", test_bad);
  return g_test_run ();
}
