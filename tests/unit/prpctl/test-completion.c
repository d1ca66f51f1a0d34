/* SPDX-License-Identifier: MIT */
#include "prpctl/completion.h"

static const PrpctlVerbWords verbs[] = {
  { "monitor", "[CHANNEL…]", "x", PRPCTL_OPTION_TYPE, PRPCTL_WORD_CHANNEL },
  { "ping", NULL, "x", 0, PRPCTL_WORD_ANY },
  { 0 },
};

#define MAX_WORDS 6

static void
test_places (void)
{
  static const struct {
    const char *words[MAX_WORDS];
    PrpctlWordKind kind;
    const char *verb, *begun;
    gsize prefix_bytes;
  } cases[] = {
    { { "" }, PRPCTL_WORD_COMMAND, NULL, "", 0 },
    { { "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "--json", "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "-j", "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "--timeout", "5", "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "--timeout=5", "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "--timeout", "mo" }, PRPCTL_WORD_ANY, NULL, "mo", 0 },
    { { "-n5", "mo" }, PRPCTL_WORD_COMMAND, NULL, "mo", 0 },
    { { "-jn", "mo" }, PRPCTL_WORD_ANY, NULL, "mo", 0 },
    { { "-" }, PRPCTL_WORD_OPTION, NULL, "-", 0 },
    { { "--", "-" }, PRPCTL_WORD_COMMAND, NULL, "-", 0 },
    { { "monitor", "" }, PRPCTL_WORD_CHANNEL, "monitor", "", 0 },
    { { "monitor", "a:b", "c" }, PRPCTL_WORD_CHANNEL, "monitor", "c", 0 },
    { { "monitor", "--type", "p" }, PRPCTL_WORD_TYPE, "monitor", "p", 0 },
    { { "monitor", "--type=p" }, PRPCTL_WORD_TYPE, "monitor", "p", 7 },
    { { "monitor", "--type=p", "" }, PRPCTL_WORD_CHANNEL, "monitor", "", 0 },
    { { "monitor", "--frob=p" }, PRPCTL_WORD_ANY, "monitor", "p", 7 },
    { { "monitor", "--frob", "p" }, PRPCTL_WORD_CHANNEL, "monitor", "p", 0 },
    { { "monitor", "--prp", "--type", "--ty" }, PRPCTL_WORD_OPTION, "monitor", "--ty", 0 },
    { { "--prp", "monitor", "--agent", "x" }, PRPCTL_WORD_AGENT, NULL, "x", 0 },
    { { "ping", "" }, PRPCTL_WORD_ANY, "ping", "", 0 },
    { { "frob", "" }, PRPCTL_WORD_ANY, NULL, "", 0 },
    { { "frob", "monitor", "" }, PRPCTL_WORD_ANY, NULL, "", 0 },
    { { NULL }, PRPCTL_WORD_ANY, NULL, "", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    PrpctlCompletion completion = prpctl_completion_find (cases[i].words, verbs);

    g_test_message ("case %" G_GSIZE_FORMAT, i);
    g_assert_cmpint (completion.kind, ==, cases[i].kind);
    g_assert_cmpstr (completion.verb != NULL ? completion.verb->name : NULL, ==, cases[i].verb);
    g_assert_cmpstr (completion.begun, ==, cases[i].begun);
    g_assert_cmpuint (completion.prefix_bytes, ==, cases[i].prefix_bytes);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/completion/places", test_places);
  return g_test_run ();
}
