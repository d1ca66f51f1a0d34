/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/watch-model.h"

/*
 * The list for a program: one JSON object on one line.
 */
typedef struct {
  const char *state;        /* of the relay, as its State property says it; "" while it is not running */
  guint64 as_of_usec;       /* up to when the list is right, CLOCK_REALTIME */
  guint64 gap_since_usec, gap_until_usec; /* both 0: none */
  const GPtrArray *rows;    /* of PrpctlWatchRow */
} PrpctlWatchList;

/* Appends the line, with its end. */
void prpctl_watch_json_append (GString *out, const PrpctlWatchList *list);
