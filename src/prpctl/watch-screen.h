/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/text.h"
#include "prpctl/watch-model.h"

/*
 * The picture that `prpctl watch` shows: what is known → lines of text, as many and as wide as the terminal has. Pure: the
 * same view gives the same frame.
 */
typedef struct {
  guint columns, lines; /* of the terminal */
  gboolean color;
  gboolean utf8;             /* the terminal shows any character */
  guint64 now_usec;          /* CLOCK_REALTIME */
  const char *state;         /* of the relay, in words, safe */
  PrpctlStyle state_style;   /* GOOD, BUSY or BAD */
  guint64 next_state_usec;   /* when these words are to be made anew; G_MAXUINT64: never */
  char **notices;            /* what else is to be known, in words, safe; may be NULL */
  const GPtrArray *rows;     /* of PrpctlWatchRow, in order */
  gboolean is_reading;       /* there is more in the history */
  gboolean only_active, is_paused, shows_help;
  guint first;               /* row that is to be at the top */
} PrpctlWatchView;

typedef struct {
  guint columns;
  GPtrArray *lines;  /* of char *: text and escape sequences that set styles and columns */
  guint first;       /* row that is at the top: as asked for, where there are enough */
  guint page;        /* rows that there is room for */
  guint n_rows;      /* that there are to scroll through */
  guint64 next_usec; /* when a frame of the same view but for its time would be another one; G_MAXUINT64: never */
} PrpctlWatchFrame;

PrpctlWatchFrame *prpctl_watch_screen_draw (const PrpctlWatchView *view);
void prpctl_watch_frame_free (PrpctlWatchFrame *frame);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlWatchFrame, prpctl_watch_frame_free)

/* Appends what turns @old into @frame on a terminal: the lines that differ. All of it where @old is NULL, or of another
 * size. */
void prpctl_watch_frame_append_update (GString *out, const PrpctlWatchFrame *old, const PrpctlWatchFrame *frame);

/* How long ago, in few characters: "12 s", "3 min", "4 h", "5 days". *@ret_next_usec: when that changes. Caller frees. */
char *prpctl_watch_format_age (guint64 usec, guint64 now_usec, guint64 *ret_next_usec);
