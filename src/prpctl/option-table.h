/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The options of prpctl: the one table that the command line is read by, that the help is written from, and that the
 * man page and the completions are compared with.
 */
typedef enum {
  /* of every command */
  PRPCTL_OPTION_JSON = 1 << 0,
  PRPCTL_OPTION_NO_COLOR = 1 << 1,
  PRPCTL_OPTION_NO_START = 1 << 2,
  PRPCTL_OPTION_TIMEOUT = 1 << 3,
  PRPCTL_OPTION_HELP = 1 << 4,
  PRPCTL_OPTION_VERSION = 1 << 5,
  /* of those that say so (verbs.c) */
  PRPCTL_OPTION_QUIET = 1 << 6,
  PRPCTL_OPTION_COUNT = 1 << 7,
  PRPCTL_OPTION_SECONDS = 1 << 8,
  PRPCTL_OPTION_FROM = 1 << 9,
  PRPCTL_OPTION_SHOW_CURSOR = 1 << 10,
  PRPCTL_OPTION_STRICT = 1 << 11,
  PRPCTL_OPTION_LINES = 1 << 12,
  PRPCTL_OPTION_SINCE = 1 << 13,
  PRPCTL_OPTION_TYPE = 1 << 14,
  PRPCTL_OPTION_PRP = 1 << 15,
  PRPCTL_OPTION_AGENT = 1 << 16,
  PRPCTL_OPTION_PROJECT = 1 << 17,
  PRPCTL_OPTION_CLEAR = 1 << 18,
  PRPCTL_OPTION_CHANNEL = 1 << 19,
  PRPCTL_OPTION_EXEC = 1 << 20,
  PRPCTL_OPTION_JOBS = 1 << 21,
  PRPCTL_OPTION_EXEC_TIMEOUT = 1 << 22,
  PRPCTL_OPTION_CURSOR_FILE = 1 << 23,
  PRPCTL_OPTION_REFRESH_TOKEN = 1 << 24,
  PRPCTL_OPTION_FILE = 1 << 25,
} PrpctlOptionFlags;

#define PRPCTL_OPTIONS_OF_ALL \
  (PRPCTL_OPTION_JSON | PRPCTL_OPTION_NO_COLOR | PRPCTL_OPTION_NO_START | PRPCTL_OPTION_TIMEOUT | PRPCTL_OPTION_HELP | \
   PRPCTL_OPTION_VERSION)

/* What a word can be, for the completions of the shells. */
typedef enum {
  PRPCTL_WORD_ANY, /* nothing is known of it */
  PRPCTL_WORD_COMMAND,
  PRPCTL_WORD_OPTION,
  PRPCTL_WORD_CHANNEL,
  PRPCTL_WORD_DURABLE_CHANNEL,
  PRPCTL_WORD_TYPE,
  PRPCTL_WORD_PRP,
  PRPCTL_WORD_AGENT,
  PRPCTL_WORD_PROJECT,
  PRPCTL_WORD_CURSOR,
  PRPCTL_WORD_TIME,
  PRPCTL_WORD_FILE,
  PRPCTL_WORD_PROGRAM,
} PrpctlWordKind;

typedef struct {
  PrpctlOptionFlags flag;
  char letter;          /* 0: it has none */
  const char *name;     /* without the dashes */
  const char *argument; /* the word for it in the help, to be translated; NULL: it takes none */
  const char *summary;  /* to be translated */
  PrpctlWordKind value_kind;
} PrpctlOption;

/* All of them, in the order of the help; one without a name is at the end. Static. */
const PrpctlOption *prpctl_option_table_get (void);

/* The first one that has this flag, name or letter; NULL if there is none. (-n is --count and --lines.) */
const PrpctlOption *prpctl_option_table_find (PrpctlOptionFlags flags);
const PrpctlOption *prpctl_option_table_find_name (const char *name, gsize length);
const PrpctlOption *prpctl_option_table_find_letter (char letter);
