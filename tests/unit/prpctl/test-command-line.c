/* SPDX-License-Identifier: MIT */
#include "prpctl/command-line.h"

#include "prpctl/failure.h"

#define PARSE(error, ...) prpctl_command_line_parse ((const char *const[]){ "prpctl", __VA_ARGS__, NULL }, error)

/* The places where a value can stand. */
static void
test_values (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlCommandLine) behind = PARSE (&error, "-n", "5", "--prp", "a", "history");
  g_autoptr (PrpctlCommandLine) joined = PARSE (&error, "-n5", "history", "--prp=a=b", "--agent=");
  g_autoptr (PrpctlCommandLine) letters = PARSE (&error, "-jqn5");
  g_autoptr (PrpctlCommandLine) dashes = PARSE (&error, "--prp", "-n1", "--agent", "--", "-n", "-1", "-");
  const char *const *values;

  g_assert_no_error (error);
  g_assert_cmpstr (prpctl_command_line_get_value (behind, PRPCTL_OPTION_COUNT), ==, "5");
  g_assert_cmpstr (prpctl_command_line_get_value (behind, PRPCTL_OPTION_PRP), ==, "a");
  g_assert_null (prpctl_command_line_get_value (behind, PRPCTL_OPTION_AGENT));
  g_assert_cmpstr (prpctl_command_line_get_verb (behind), ==, "history");
  g_assert_cmpstr (prpctl_command_line_get_value (joined, PRPCTL_OPTION_COUNT), ==, "5");
  g_assert_cmpstr (prpctl_command_line_get_value (joined, PRPCTL_OPTION_PRP), ==, "a=b");
  g_assert_cmpstr (prpctl_command_line_get_value (joined, PRPCTL_OPTION_AGENT), ==, "");
  g_assert_cmpstr (prpctl_command_line_get_verb (joined), ==, "history");
  g_assert_cmpuint (prpctl_command_line_get_given (letters), ==,
                    PRPCTL_OPTION_JSON | PRPCTL_OPTION_QUIET | PRPCTL_OPTION_COUNT);
  g_assert_cmpstr (prpctl_command_line_get_value (letters, PRPCTL_OPTION_COUNT), ==, "5");
  g_assert_null (prpctl_command_line_get_verb (letters));

  /* A value is what stands there, whatever it looks like. */
  g_assert_cmpstr (prpctl_command_line_get_value (dashes, PRPCTL_OPTION_PRP), ==, "-n1");
  g_assert_cmpstr (prpctl_command_line_get_value (dashes, PRPCTL_OPTION_AGENT), ==, "--");
  g_assert_cmpstr (prpctl_command_line_get_value (dashes, PRPCTL_OPTION_COUNT), ==, "-1");
  g_assert_cmpstr (prpctl_command_line_get_verb (dashes), ==, "-");
  values = prpctl_command_line_get_values (dashes, PRPCTL_OPTION_COUNT);
  g_assert_cmpstr (values[0], ==, "-1");
  g_assert_null (values[1]);
}

static void
test_repeated (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlCommandLine) line = PARSE (&error, "--type", "a", "monitor", "--type=b", "c", "--json", "-j", "--", "--type");
  const char *const *types = prpctl_command_line_get_values (line, PRPCTL_OPTION_TYPE);
  const char *const *arguments = prpctl_command_line_get_arguments (line);

  g_assert_no_error (error);
  g_assert_cmpstr (types[0], ==, "a");
  g_assert_cmpstr (types[1], ==, "b");
  g_assert_null (types[2]);
  g_assert_cmpstr (prpctl_command_line_get_value (line, PRPCTL_OPTION_TYPE), ==, "b");
  g_assert_cmpstr (arguments[0], ==, "c");
  g_assert_cmpstr (arguments[1], ==, "--type");
  g_assert_null (arguments[2]);
}

static void
test_nothing (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlCommandLine) name = prpctl_command_line_parse ((const char *const[]){ "prpctl", NULL }, &error);
  g_autoptr (PrpctlCommandLine) none = prpctl_command_line_parse ((const char *const[]){ NULL }, &error);

  g_assert_no_error (error);
  g_assert_null (prpctl_command_line_get_verb (name));
  g_assert_null (prpctl_command_line_get_arguments (name)[0]);
  g_assert_cmpuint (prpctl_command_line_get_given (none), ==, 0);
}

static void
test_bad (void)
{
  static const struct {
    const char *word, *message;
  } cases[] = {
    { "--jsom", "There is no option --jsom.\nDid you mean --json?" },
    { "--tpye=x", "There is no option --tpye.\nDid you mean --type?" },
    { "--sec", "There is no option --sec.\nDid you mean --seconds?" },
    { "--frobnicate", "There is no option --frobnicate.\n'prpctl --help' shows what there is." },
    { "--\033[1m", "There is no option --\357\277\275[1m.\n'prpctl --help' shows what there is." },
    { "--json=yes", "--json takes no value.\n'prpctl --help' shows what there is." },
    { "--type", "--type needs a value.\n'prpctl --help' shows what there is." },
    { "-jn", "-n needs a value.\n'prpctl --help' shows what there is." },
    { "-jx", "There is no option -x.\n'prpctl --help' shows what there is." },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (PrpctlCommandLine) line = PARSE (&error, "monitor", cases[i].word);

    g_assert_null (line);
    g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE);
    g_assert_cmpstr (error->message, ==, cases[i].message);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/command-line/values", test_values);
  g_test_add_func ("/command-line/repeated", test_repeated);
  g_test_add_func ("/command-line/nothing", test_nothing);
  g_test_add_func ("/command-line/bad", test_bad);
  return g_test_run ();
}
