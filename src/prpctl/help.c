/* SPDX-License-Identifier: MIT */
#include "prpctl/help.h"

#include <glib/gi18n-lib.h>

#include "prpctl/watch-cells.h"

/*
 * The lines are broken here and not in the texts, so that a translation need not count columns.
 */
#define SYNOPSIS_COLUMNS 26 /* of a verb in the list */
#define OPTION_COLUMNS 28

/* @left, then @text at column @indent: on the line below where @left reaches that far. */
static void
append_pair (GString *out, const char *left, const char *text, guint indent)
{
  guint taken = prpctl_cells_measure (left);

  g_string_append (out, left);
  if (taken >= indent) {
    g_string_append_c (out, '\n');
    taken = 0;
  }
  prpctl_cells_append_spaces (out, indent - taken);
  prpctl_cells_append_wrapped (out, text, indent, PRPCTL_HELP_COLUMNS);
}

static char *
make_synopsis (const PrpctlVerbWords *verb)
{
  return verb->arguments != NULL ? g_strdup_printf ("%s %s", verb->name, _(verb->arguments)) : g_strdup (verb->name);
}

void
prpctl_help_append_summary (GString *out, const PrpctlVerbWords *verb)
{
  g_autofree char *synopsis = make_synopsis (verb);
  g_autofree char *left = g_strdup_printf ("  %s", synopsis);

  append_pair (out, left, _(verb->summary), SYNOPSIS_COLUMNS);
}

void
prpctl_help_append_options (GString *out, PrpctlOptionFlags options)
{
  for (const PrpctlOption *option = prpctl_option_table_get (); option->name != NULL; option++) {
    g_autofree char *left = NULL;
    char letter[] = { '-', option->letter, ',', '\0' };

    if ((options & option->flag) == 0)
      continue;
    left = g_strdup_printf ("  %s --%s%s%s", option->letter != 0 ? letter : "   ", option->name,
                            option->argument != NULL ? " " : "", option->argument != NULL ? _(option->argument) : "");
    append_pair (out, left, _(option->summary), OPTION_COLUMNS);
  }
}

void
prpctl_help_append_verb (GString *out, const PrpctlVerbWords *verb)
{
  const char *arguments = verb->arguments != NULL ? _(verb->arguments) : "";

  g_string_append_printf (out, _("Usage: prpctl %s [OPTION…]%s%s\n\n"), verb->name, *arguments != '\0' ? " " : "",
                          arguments);
  prpctl_cells_append_wrapped (out, _(verb->summary), 0, PRPCTL_HELP_COLUMNS);
  if (verb->options != 0) {
    g_string_append (out, _("\nOptions:\n"));
    prpctl_help_append_options (out, verb->options);
  }
  g_string_append (out, _("\nOptions of every command:\n"));
  prpctl_help_append_options (out, PRPCTL_OPTIONS_OF_ALL);
}
