/* SPDX-License-Identifier: MIT */
#include "prpctl/help.h"

#include <glib/gi18n-lib.h>

/*
 * The lines are broken here and not in the texts, so that a translation need not count columns.
 */
#define SYNOPSIS_COLUMNS 26 /* of a verb in the list */
#define OPTION_COLUMNS 28

/* Columns of a terminal. */
static int
get_width (const char *text, const char *end)
{
  int width = 0;

  for (const char *c = text; c < end; c = g_utf8_next_char (c)) {
    gunichar character = g_utf8_get_char (c);

    width += g_unichar_iszerowidth (character) ? 0 : g_unichar_iswide (character) ? 2 : 1;
  }
  return width;
}

static const char *
get_end (const char *text)
{
  const char *end = text;

  while (*end != '\0')
    end = g_utf8_next_char (end);
  return end;
}

/* May a line be broken before @c, which is not the first character? */
static gboolean
is_break (const char *c)
{
  return *c == ' ' || *c == '\0' || g_unichar_iswide (g_utf8_get_char (c));
}

/* Where the line that begins at @text ends, at most @columns wide if there is any place to break it. */
static const char *
find_line_end (const char *text, int columns)
{
  const char *end = NULL;
  const char *c = text;

  do {
    c = g_utf8_next_char (c);
    if (is_break (c)) {
      if (end != NULL && get_width (text, c) > columns)
        break;
      end = c;
    }
  } while (*c != '\0');
  return end;
}

/* @text from column @indent on, to which the line is already filled. */
static void
append_wrapped (GString *out, const char *text, int indent)
{
  while (*text != '\0') {
    const char *end = find_line_end (text, PRPCTL_HELP_COLUMNS - indent);

    g_string_append_len (out, text, end - text);
    g_string_append_c (out, '\n');
    for (text = end; *text == ' '; text++)
      ;
    if (*text != '\0')
      g_string_append_printf (out, "%*s", indent, "");
  }
}

/* @left, then @text at column @indent: on the line below where @left reaches that far. */
static void
append_pair (GString *out, const char *left, const char *text, int indent)
{
  int padding = indent - get_width (left, get_end (left));

  g_string_append (out, left);
  if (padding <= 0)
    g_string_append_printf (out, "\n%*s", indent, "");
  else
    g_string_append_printf (out, "%*s", padding, "");
  append_wrapped (out, text, indent);
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
  append_wrapped (out, _(verb->summary), 0);
  if (verb->options != 0) {
    g_string_append (out, _("\nOptions:\n"));
    prpctl_help_append_options (out, verb->options);
  }
  g_string_append (out, _("\nOptions of every command:\n"));
  prpctl_help_append_options (out, PRPCTL_OPTIONS_OF_ALL);
}
