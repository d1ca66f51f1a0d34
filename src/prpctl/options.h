/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The command line. Options may stand before and behind the verb; which verbs take which is checked by verbs.c.
 */
typedef enum {
  PRPCTL_OPTION_QUIET = 1 << 0,
  PRPCTL_OPTION_COUNT = 1 << 1,
  PRPCTL_OPTION_SECONDS = 1 << 2,
} PrpctlOptionFlags;

#define PRPCTL_DEFAULT_TIMEOUT_USEC (30 * (guint64) G_USEC_PER_SEC) /* above the relay's own 10 s, with its start */
#define PRPCTL_MAX_SECONDS (366.0 * 24 * 3600)

typedef struct {
  gboolean help, version;
  gboolean json;
  gboolean no_color;
  gboolean no_start; /* do not have the bus start the relay */
  guint64 timeout_usec;
  gboolean quiet;
  guint64 count;        /* events after which monitor ends, 0: never */
  guint64 seconds_usec; /* time after which monitor ends, 0: never */
  PrpctlOptionFlags given; /* of those that only some verbs take */
  char *verb;              /* NULL if there is none */
  char **arguments;        /* what follows the verb; never NULL */
} PrpctlOptions;

/* Reads @argv (with the program's name in front). Error: PRPCTL_ERROR, PRPCTL_EXIT_USAGE. */
PrpctlOptions *prpctl_options_parse (const char *const *argv, GError **error);
void prpctl_options_free (PrpctlOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlOptions, prpctl_options_free)
