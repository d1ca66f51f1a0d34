/* SPDX-License-Identifier: MIT */
#include "prpctl/completion.h"

#include <string.h>

static const PrpctlVerbWords *
find_verb (const PrpctlVerbWords *verbs, const char *name)
{
  for (; verbs->name != NULL; verbs++)
    if (g_str_equal (verbs->name, name))
      return verbs;
  return NULL;
}

/* The option whose value is the word behind @word: "--type", "-n", "-jn"; NULL where none is expected. */
static const PrpctlOption *
find_open_option (const char *word)
{
  const PrpctlOption *option = NULL;

  if (g_str_has_prefix (word, "--")) {
    option = prpctl_option_table_find_name (word + 2, strlen (word + 2));
  } else {
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
      option = prpctl_option_table_find_letter (*letter);
      if (option == NULL || (option->argument != NULL && letter[1] != '\0'))
        return NULL;
    }
  }
  return option != NULL && option->argument != NULL ? option : NULL;
}

static void
find_option (PrpctlCompletion *completion, const char *word)
{
  const char *equals = g_str_has_prefix (word, "--") ? strchr (word, '=') : NULL;
  const PrpctlOption *option;

  completion->kind = PRPCTL_WORD_OPTION;
  if (equals == NULL)
    return;
  option = prpctl_option_table_find_name (word + 2, (gsize) (equals - word) - 2);
  completion->kind = option != NULL ? option->value_kind : PRPCTL_WORD_ANY;
  completion->prefix_bytes = (gsize) (equals - word) + 1;
  completion->begun = equals + 1;
}

PrpctlCompletion
prpctl_completion_find (const char *const *words, const PrpctlVerbWords *verbs)
{
  PrpctlCompletion completion = { .kind = PRPCTL_WORD_ANY, .begun = "" };
  const PrpctlOption *open = NULL;
  gboolean only_words = FALSE, has_verb = FALSE;

  if (*words == NULL)
    return completion;
  for (; words[1] != NULL; words++) {
    if (open != NULL)
      open = NULL;
    else if (!only_words && g_str_equal (*words, "--"))
      only_words = TRUE;
    else if (!only_words && (*words)[0] == '-' && (*words)[1] != '\0')
      open = find_open_option (*words);
    else if (!has_verb) {
      has_verb = TRUE;
      completion.verb = find_verb (verbs, *words);
    }
  }

  completion.begun = *words;
  if (open != NULL)
    completion.kind = open->value_kind;
  else if (!only_words && **words == '-')
    find_option (&completion, *words);
  else if (!has_verb)
    completion.kind = PRPCTL_WORD_COMMAND;
  else if (completion.verb != NULL)
    completion.kind = completion.verb->argument_kind;
  return completion;
}
