/* SPDX-License-Identifier: MIT */
#include "prpctl/option-table.h"

#include <string.h>

#include <glib/gi18n-lib.h>

static const PrpctlOption options[] = {
  { PRPCTL_OPTION_JSON, 'j', "json", NULL, N_("JSON instead of words") },
  { PRPCTL_OPTION_NO_COLOR, 0, "no-color", NULL, N_("No colors on a terminal") },
  { PRPCTL_OPTION_NO_START, 0, "no-start", NULL, N_("Do not start the relay if it is not running") },
  { PRPCTL_OPTION_TIMEOUT, 0, "timeout", N_("SECONDS"), N_("How long to wait for an answer (30)") },
  { PRPCTL_OPTION_HELP, 'h', "help", NULL, N_("Show this help") },
  { PRPCTL_OPTION_VERSION, 0, "version", NULL, N_("Show the version") },

  { PRPCTL_OPTION_CHANNEL, 0, "channel", N_("CHANNEL"),
    N_("Hold this channel, and show only what concerns it; may be given several times"), PRPCTL_WORD_CHANNEL },
  { PRPCTL_OPTION_TYPE, 0, "type", N_("GLOB"), N_("Of this type, as in 'prp.*'; may be given several times"), PRPCTL_WORD_TYPE },
  { PRPCTL_OPTION_PRP, 0, "prp", N_("ID"), N_("About this PRP"), PRPCTL_WORD_PRP },
  { PRPCTL_OPTION_AGENT, 0, "agent", N_("ID"), N_("About this agent"), PRPCTL_WORD_AGENT },
  { PRPCTL_OPTION_PROJECT, 0, "project", N_("ID"), N_("About this project"), PRPCTL_WORD_PROJECT },

  { PRPCTL_OPTION_EXEC, 0, "exec", N_("COMMAND"),
    N_("Run this for each event, with the event on its standard input and in its environment; without a shell"),
    PRPCTL_WORD_PROGRAM },
  { PRPCTL_OPTION_JOBS, 0, "jobs", N_("NUMBER"), N_("So many commands at once (1: one by one, in order)") },
  { PRPCTL_OPTION_EXEC_TIMEOUT, 0, "exec-timeout", N_("SECONDS"), N_("End a command that takes longer (60)") },

  { PRPCTL_OPTION_COUNT, 'n', "count", N_("NUMBER"), N_("End after so many events") },
  { PRPCTL_OPTION_SECONDS, 0, "seconds", N_("SECONDS"), N_("End after this time") },
  { PRPCTL_OPTION_QUIET, 'q', "quiet", NULL, N_("Nothing about the relay itself on stderr") },

  { PRPCTL_OPTION_LINES, 'n', "lines", N_("NUMBER"),
    N_("The newest so many events; 0 or 'all': all of them (100; with --since or --from: all)") },
  { PRPCTL_OPTION_SINCE, 0, "since", N_("TIME"),
    N_("From this time on: '10 min ago', 1h, today, 'yesterday 14:00', '2026-11-23 14:00', …"), PRPCTL_WORD_TIME },
  { PRPCTL_OPTION_CLEAR, 0, "clear", NULL, N_("Have the relay forget all of them") },

  { PRPCTL_OPTION_FROM, 0, "from", N_("CURSOR"),
    N_("Begin behind this place in the history: a cursor, the number of an event, 'start', or 'now'; misses nothing, "
       "shows nothing twice, and says where it cannot know"),
    PRPCTL_WORD_CURSOR },
  { PRPCTL_OPTION_SHOW_CURSOR, 0, "show-cursor", NULL,
    N_("Tell the cursor: at the end on stderr, and with --json in each event") },
  { PRPCTL_OPTION_CURSOR_FILE, 0, "cursor-file", N_("FILE"),
    N_("Begin behind the cursor in this file, if there is one, and keep it there"), PRPCTL_WORD_FILE },
  { PRPCTL_OPTION_STRICT, 0, "strict", NULL,
    N_("End where events may have been missed (with 7), or a command failed (with 8)") },

  { PRPCTL_OPTION_REFRESH_TOKEN, 0, "refresh-token", NULL, N_("Ask for a refresh token, too") },
  { PRPCTL_OPTION_FILE, 0, "file", NULL, N_("Store in files, not in the desktop's keyring") },
  { 0 },
};

const PrpctlOption *
prpctl_option_table_get (void)
{
  return options;
}

const PrpctlOption *
prpctl_option_table_find (PrpctlOptionFlags flags)
{
  for (const PrpctlOption *option = options; option->name != NULL; option++)
    if ((flags & option->flag) != 0)
      return option;
  return NULL;
}

const PrpctlOption *
prpctl_option_table_find_name (const char *name, gsize length)
{
  for (const PrpctlOption *option = options; option->name != NULL; option++)
    if (strlen (option->name) == length && memcmp (option->name, name, length) == 0)
      return option;
  return NULL;
}

const PrpctlOption *
prpctl_option_table_find_letter (char letter)
{
  for (const PrpctlOption *option = options; option->name != NULL; option++)
    if (option->letter == letter && letter != 0)
      return option;
  return NULL;
}
