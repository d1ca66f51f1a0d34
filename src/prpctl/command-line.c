/* SPDX-License-Identifier: MIT */
#include "prpctl/command-line.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/nearest.h"
#include "prpctl/text.h"

#define WORD_MAX_CHARS 100

struct PrpctlCommandLine {
  PrpctlOptionFlags given;
  GHashTable *values; /* option → GPtrArray of char *, NULL at the end */
  GPtrArray *words;   /* of char *, NULL at the end */
};

static void
note_value (PrpctlCommandLine *line, const PrpctlOption *option, const char *value)
{
  gpointer key = GUINT_TO_POINTER ((guint) option->flag);
  GPtrArray *values = g_hash_table_lookup (line->values, key);

  line->given |= option->flag;
  if (value == NULL)
    return;
  if (values == NULL) {
    values = g_ptr_array_new_null_terminated (1, g_free, TRUE);
    g_hash_table_insert (line->values, key, values);
  }
  g_ptr_array_add (values, g_strdup (value));
}

/* @text: with one %s, for the @word. @meant: what it may have been, or NULL. */
static gboolean
refuse (GError **error, const char *text, const char *word, const char *meant)
{
  g_autofree char *safe = prpctl_text_make_safe (word, WORD_MAX_CHARS);
  g_autofree char *message = prpctl_text_fill (text, safe);
  g_autofree char *suggestion = meant != NULL ? g_strdup_printf (_("Did you mean --%s?"), meant) : NULL;

  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, "%s\n%s", message,
               suggestion != NULL ? suggestion : _("'prpctl --help' shows what there is."));
  return FALSE;
}

static gboolean
refuse_name (GError **error, const char *name, gsize length)
{
  g_autofree char *typed = g_strndup (name, length);
  g_autofree char *word = g_strdup_printf ("--%s", typed);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (const PrpctlOption *option = prpctl_option_table_get (); option->name != NULL; option++)
    g_ptr_array_add (names, (gpointer) option->name);
  g_ptr_array_add (names, NULL);
  return refuse (error, _("There is no option %s."), word, prpctl_nearest (typed, (const char *const *) names->pdata));
}

/* "--name", "--name=value" or "--name value": @words begins there. Moves to its last word. */
static gboolean
parse_name (PrpctlCommandLine *line, const char *const **words, GError **error)
{
  const char *name = **words + strlen ("--");
  gsize length = strcspn (name, "=");
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  const PrpctlOption *option = prpctl_option_table_find_name (name, length);

  if (option == NULL)
    return refuse_name (error, name, length);
  if (option->argument == NULL && value != NULL)
    return refuse (error, _("--%s takes no value."), option->name, NULL);
  if (option->argument != NULL && value == NULL) {
    value = (*words)[1];
    if (value == NULL)
      return refuse (error, _("--%s needs a value."), option->name, NULL);
    *words += 1;
  }
  note_value (line, option, value);
  return TRUE;
}

/* "-jq", "-n1", "-n 1": likewise. */
static gboolean
parse_letters (PrpctlCommandLine *line, const char *const **words, GError **error)
{
  for (const char *letter = **words + strlen ("-"); *letter != '\0'; letter++) {
    const PrpctlOption *option = prpctl_option_table_find_letter (*letter);
    const char *value = letter + 1;

    if (option == NULL) {
      g_autofree char *rest = g_strdup_printf ("-%s", letter);

      return refuse (error, _("There is no option %s."), rest, NULL);
    }
    if (option->argument == NULL) {
      note_value (line, option, NULL);
      continue;
    }
    if (*value == '\0') {
      value = (*words)[1];
      if (value == NULL)
        return refuse (error, _("-%s needs a value."), letter, NULL);
      *words += 1;
    }
    note_value (line, option, value);
    return TRUE;
  }
  return TRUE;
}

static gboolean
parse (PrpctlCommandLine *line, const char *const *words, GError **error)
{
  gboolean only_words = FALSE;

  for (; *words != NULL; words++) {
    const char *word = *words;

    if (only_words || word[0] != '-' || word[1] == '\0') {
      g_ptr_array_add (line->words, g_strdup (word));
      continue;
    }
    if (g_str_equal (word, "--"))
      only_words = TRUE;
    else if (!(g_str_has_prefix (word, "--") ? parse_name (line, &words, error) : parse_letters (line, &words, error)))
      return FALSE;
  }
  return TRUE;
}

PrpctlCommandLine *
prpctl_command_line_parse (const char *const *argv, GError **error)
{
  g_autoptr (PrpctlCommandLine) line = g_new0 (PrpctlCommandLine, 1);

  line->values = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);
  line->words = g_ptr_array_new_null_terminated (1, g_free, TRUE);
  if (!parse (line, *argv != NULL ? argv + 1 : argv, error))
    return NULL;
  return g_steal_pointer (&line);
}

void
prpctl_command_line_free (PrpctlCommandLine *line)
{
  if (line == NULL)
    return;
  g_hash_table_unref (line->values);
  g_ptr_array_unref (line->words);
  g_free (line);
}

PrpctlOptionFlags
prpctl_command_line_get_given (const PrpctlCommandLine *line)
{
  return line->given;
}

const char *
prpctl_command_line_get_value (const PrpctlCommandLine *line, PrpctlOptionFlags flag)
{
  const GPtrArray *values = g_hash_table_lookup (line->values, GUINT_TO_POINTER ((guint) flag));

  return values != NULL ? values->pdata[values->len - 1] : NULL;
}

const char *const *
prpctl_command_line_get_values (const PrpctlCommandLine *line, PrpctlOptionFlags flag)
{
  const GPtrArray *values = g_hash_table_lookup (line->values, GUINT_TO_POINTER ((guint) flag));

  return values != NULL ? (const char *const *) values->pdata : NULL;
}

const char *
prpctl_command_line_get_verb (const PrpctlCommandLine *line)
{
  return line->words->len > 0 ? line->words->pdata[0] : NULL;
}

const char *const *
prpctl_command_line_get_arguments (const PrpctlCommandLine *line)
{
  return (const char *const *) line->words->pdata + (line->words->len > 0 ? 1 : 0);
}
