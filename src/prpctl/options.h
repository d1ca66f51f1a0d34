/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/cursor.h"
#include "prpctl/option-table.h"

/*
 * What the command line means. Which verbs take which options is checked by verbs.c.
 */
#define PRPCTL_DEFAULT_TIMEOUT_USEC (30 * (guint64) G_USEC_PER_SEC) /* above the relay's own 10 s, with its start */
#define PRPCTL_MAX_SECONDS (366.0 * 24 * 3600)
#define PRPCTL_DEFAULT_LINES 100
#define PRPCTL_DEFAULT_EXEC_TIMEOUT_USEC (60 * (guint64) G_USEC_PER_SEC)

typedef struct {
  gboolean help, version;
  gboolean json;
  gboolean no_color;
  gboolean no_start; /* do not have the bus start the relay */
  guint64 timeout_usec;
  gboolean quiet;
  guint64 count;        /* events after which monitor ends, 0: never */
  guint64 seconds_usec; /* time after which monitor ends, 0: never */
  ClientCursor from;    /* where monitor and history begin, if it is given */
  gboolean show_cursor;
  gboolean strict;      /* end rather than go on where events may have been missed */
  guint64 lines;        /* the newest that history lists, 0: all */
  guint64 since_usec;   /* CLOCK_REALTIME, 0: any */
  char **types;         /* shell globs; NULL: any; likewise the ids */
  char *prp, *agent, *project;
  char **channels;      /* to be held, and to show nothing else than what concerns them; NULL: none */
  char *cursor_file;
  char **exec;          /* the command and its arguments; NULL: none */
  guint jobs;
  guint64 exec_timeout_usec;
  gboolean clear;
  PrpctlOptionFlags given; /* of those that only some verbs take */
  char *verb;              /* NULL if there is none */
  char **arguments;        /* what follows the verb; never NULL */
} PrpctlOptions;

/* Reads @argv (with the program's name in front). Error: PRPCTL_ERROR, PRPCTL_EXIT_USAGE. */
PrpctlOptions *prpctl_options_parse (const char *const *argv, GError **error);
void prpctl_options_free (PrpctlOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlOptions, prpctl_options_free)
