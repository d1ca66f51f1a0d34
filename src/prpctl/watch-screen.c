/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-screen.h"

#include <glib/gi18n-lib.h>

#include "prpctl/watch-cells.h"

/*
 * From the top: the relay's state and how much there is; notices, if there are any; titles; the rows; keys. What there
 * is no room for goes, the rows last but for the first line.
 *
 * Each cell begins with a sequence that goes to its column. So it stands there also where the terminal thinks otherwise
 * of the width of a character before it; terminals differ in that, for emoji above all.
 *
 * The columns are as wide as the terminal's width says, whatever is in them: they do not jump as the content changes. All
 * that comes from the server is made safe here.
 */

#define FIELD_MAX_CHARS 300

/* Lines of the terminal. */
#define MIN_LINES_WITH_NOTICE 3
#define MIN_LINES_WITH_FOOTER 5
#define MIN_LINES_WITH_TITLES 7
#define MIN_LINES_WITH_NOTICES 12 /* one on each line; there are a handful at most */

/* Columns that the relay's state has before how much there is has any. */
#define GOOD_STATE 10
#define GOOD_STATE_IN_TROUBLE 60

/* -- columns ----------------------------------------------------------------------------------------------------- */

typedef enum {
  COLUMN_NAME,
  COLUMN_STATUS,
  COLUMN_BAR,
  COLUMN_PERCENT,
  COLUMN_AGENT,
  COLUMN_TASK,
  COLUMN_AGE,
  COLUMN_ID,
  N_COLUMNS,
} Column;

typedef struct {
  guint at[N_COLUMNS];    /* where it begins, from 0 */
  guint width[N_COLUMNS]; /* 0: it is not shown */
} Layout;

/* The order is that on the screen. */
static const struct {
  guint min_width; /* below it, it is not shown */
  guint rank;      /* the higher, the sooner it goes when the terminal is narrow */
  const char *title;
} columns[N_COLUMNS] = {
  [COLUMN_NAME] = { 6, 0, N_("PRP") },
  [COLUMN_STATUS] = { 9, 2, N_("STATUS") },
  [COLUMN_BAR] = { 6, 4, N_("PROGRESS") },
  [COLUMN_PERCENT] = { 5, 1, "" },
  [COLUMN_AGENT] = { 9, 5, N_("AGENT") },
  [COLUMN_TASK] = { 14, 6, N_("TASK") },
  [COLUMN_AGE] = { 8, 3, N_("CHANGED") },
  [COLUMN_ID] = { 12, 7, N_("ID") },
};

#define MIN_WIDTH_WITH_ID 130
#define GOOD_NAME 22 /* what a name has before the columns from rank LESS_THAN_NAME on have any */
#define LESS_THAN_NAME 5
#define MAX_BAR 24
#define MAX_AGENT 16
#define MAX_STATUS 12
#define WIDE_GAP_FROM 60 /* columns of the terminal from which on there are two between the cells */

static guint
grow (Layout *layout, Column column, guint by, guint max, guint left)
{
  guint growth = MIN (MIN (by, left), max - MIN (max, layout->width[column]));

  if (layout->width[column] == 0)
    return left;
  layout->width[column] += growth;
  return left - growth;
}

static Layout
make_layout (guint width)
{
  Layout layout = { 0 };
  guint gap = width < WIDE_GAP_FROM ? 1 : 2, at = 0;
  guint left = width, reserved = 0;

  for (guint rank = 0; rank < N_COLUMNS; rank++)
    for (Column i = 0; i < N_COLUMNS; i++) {
      guint needed = columns[i].min_width + (rank > 0 ? gap : 0);

      if (rank == LESS_THAN_NAME)
        reserved = GOOD_NAME - columns[COLUMN_NAME].min_width;
      if (columns[i].rank != rank || (i == COLUMN_ID && width < MIN_WIDTH_WITH_ID))
        continue;
      if (rank == 0)
        needed = MIN (needed, width); /* there is always one */
      if (needed + reserved > left)
        goto placed;
      layout.width[i] = rank == 0 ? needed : columns[i].min_width;
      left -= needed;
    }
placed:
  left = grow (&layout, COLUMN_NAME, MAX (reserved, left / 3), 32, left);
  left = grow (&layout, COLUMN_BAR, left / 3, MAX_BAR, left);
  left = grow (&layout, COLUMN_STATUS, left / 6, MAX_STATUS, left);
  left = grow (&layout, COLUMN_AGENT, left / 6, MAX_AGENT, left);
  left = grow (&layout, COLUMN_TASK, left / 2, G_MAXUINT, left);
  layout.width[COLUMN_NAME] += left;
  for (Column i = 0; i < N_COLUMNS; i++)
    if (layout.width[i] > 0) {
      layout.at[i] = at;
      /* The number belongs to the bar. */
      at += layout.width[i] + (i == COLUMN_BAR && gap == 2 ? 1 : gap);
    }
  return layout;
}

/* -- cells ------------------------------------------------------------------------------------------------------- */

typedef struct {
  const PrpctlWatchView *view;
  Layout layout;
  PrpctlWatchFrame *frame;
} Drawing;

static void
go_to (GString *line, guint column)
{
  g_string_append_printf (line, "\033[%uG", column + 1);
}

static void
set_style (const Drawing *drawing, GString *line, PrpctlStyle style)
{
  g_string_append (line, prpctl_text_get_style (style, drawing->view->color));
}

static void
append_fitting (const Drawing *drawing, GString *line, const char *text, guint width)
{
  prpctl_cells_append (line, text, width, drawing->view->utf8);
}

/* @text, which is safe, in @column. */
static void
append_cell (const Drawing *drawing, GString *line, Column column, const char *text, gboolean to_the_right)
{
  guint width = drawing->layout.width[column], taken = prpctl_cells_measure (text);

  if (width == 0 || taken == 0)
    return;
  go_to (line, drawing->layout.at[column] + (to_the_right && taken < width ? width - taken : 0));
  append_fitting (drawing, line, text, width);
}

/* What the server sent. */
static void
append_field (const Drawing *drawing, GString *line, Column column, const char *text)
{
  g_autofree char *safe = prpctl_text_make_safe (text, FIELD_MAX_CHARS);

  append_cell (drawing, line, column, safe, FALSE);
}

char *
prpctl_watch_format_age (guint64 usec, guint64 now_usec, guint64 *ret_next_usec)
{
  guint64 sec = now_usec > usec ? (now_usec - usec) / G_USEC_PER_SEC : 0;
  guint64 unit = sec < 60 ? 1 : sec < 3600 ? 60 : sec < 2 * 86400 ? 3600 : 86400;
  guint n = (guint) MIN (sec / unit, 99999);

  *ret_next_usec = now_usec >= usec ? usec + (sec / unit + 1) * unit * G_USEC_PER_SEC : usec + G_USEC_PER_SEC;
  /* Translators: these four say in few characters how long ago something changed. */
  if (unit == 1)
    return g_strdup_printf (_("%u s"), n);
  if (unit == 60)
    return g_strdup_printf (_("%u min"), n);
  if (unit == 3600)
    return g_strdup_printf (_("%u h"), n);
  return g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "%u day", "%u days", n), n);
}

static PrpctlStyle
find_status_style (const PrpctlWatchRow *row)
{
  if (g_ascii_strcasecmp (row->status, "blocked") == 0)
    return PRPCTL_STYLE_BAD;
  return row->rank == PRPCTL_WATCH_WORKING ? PRPCTL_STYLE_GOOD : PRPCTL_STYLE_BUSY;
}

/* What is over is dimmed as a whole. */
static gboolean
is_over (const PrpctlWatchRow *row)
{
  return row->rank >= PRPCTL_WATCH_FINISHED;
}

static void
append_progress (const Drawing *drawing, GString *line, const PrpctlWatchRow *row)
{
  const PrpctlWatchView *view = drawing->view;
  gboolean is_done = row->rank == PRPCTL_WATCH_FINISHED && g_ascii_strncasecmp (row->status, "complete", 8) == 0;
  double percent = is_done ? 100 : row->progress;

  if (percent < 0)
    return;
  if (drawing->layout.width[COLUMN_BAR] > 0) {
    const char *empty = view->color ? " " : view->utf8 ? "·" : ".";

    go_to (line, drawing->layout.at[COLUMN_BAR]);
    if (view->color)
      g_string_append (line, is_over (row) ? "\033[2;32;100m" : "\033[32;100m");
    prpctl_cells_append_bar (line, percent, drawing->layout.width[COLUMN_BAR], empty, view->utf8);
    set_style (drawing, line, PRPCTL_STYLE_PLAIN);
    if (is_over (row))
      set_style (drawing, line, PRPCTL_STYLE_DIM);
  }
  if (drawing->layout.width[COLUMN_PERCENT] > 0) {
    /* Translators: progress. */
    g_autofree char *text = g_strdup_printf (_("%u %%"), (guint) percent);

    append_cell (drawing, line, COLUMN_PERCENT, text, TRUE);
  }
}

static char *
draw_row (const Drawing *drawing, const PrpctlWatchRow *row)
{
  GString *line = g_string_new (NULL);
  guint64 next_usec;
  g_autofree char *age = prpctl_watch_format_age (row->changed_usec, drawing->view->now_usec, &next_usec);

  if (is_over (row))
    set_style (drawing, line, PRPCTL_STYLE_DIM);
  append_field (drawing, line, COLUMN_NAME, *row->name != '\0' ? row->name : row->id);
  if (!is_over (row))
    set_style (drawing, line, find_status_style (row));
  if (row->rank == PRPCTL_WATCH_DELETED)
    append_cell (drawing, line, COLUMN_STATUS, _("deleted"), FALSE);
  else
    append_field (drawing, line, COLUMN_STATUS, row->status);
  if (!is_over (row))
    set_style (drawing, line, PRPCTL_STYLE_PLAIN);
  append_progress (drawing, line, row);
  append_field (drawing, line, COLUMN_AGENT, row->agent);
  if (!is_over (row))
    append_field (drawing, line, COLUMN_TASK, row->task);
  if (row->changed_usec != 0) {
    append_cell (drawing, line, COLUMN_AGE, age, TRUE);
    if (drawing->layout.width[COLUMN_AGE] > 0)
      drawing->frame->next_usec = MIN (drawing->frame->next_usec, next_usec);
  }
  append_field (drawing, line, COLUMN_ID, row->id);
  return g_string_free (line, FALSE);
}

/* -- the other lines --------------------------------------------------------------------------------------------- */

static void
add_line (const Drawing *drawing, char *text)
{
  g_ptr_array_add (drawing->frame->lines, text);
}

/* @left, beginning at column @from, and @right at the end. @right goes where @left would have fewer columns than
 * @left_at_least. */
static void
append_two_ends (const Drawing *drawing, GString *line, guint from, const char *left, const char *right,
                 guint left_at_least)
{
  guint width = drawing->view->columns;
  guint right_width = prpctl_cells_measure (right), left_width = prpctl_cells_measure (left);
  guint left_room = width - MIN (width, from);

  if (right_width > 0 && from + MIN (left_width, left_at_least) + 2 + right_width <= width)
    left_room -= right_width + 2;
  else
    right_width = 0;
  go_to (line, from);
  append_fitting (drawing, line, left, left_room);
  if (right_width > 0) {
    go_to (line, width - right_width);
    append_fitting (drawing, line, right, right_width);
  }
}

static guint
count_active (const GPtrArray *rows)
{
  guint n = 0;

  while (n < rows->len && ((const PrpctlWatchRow *) g_ptr_array_index (rows, n))->rank < PRPCTL_WATCH_FINISHED)
    n++;
  return n;
}

static char *
draw_header (const Drawing *drawing)
{
  const PrpctlWatchView *view = drawing->view;
  GString *line = g_string_new (NULL);
  guint n = view->rows->len;
  /* Translators: how many PRPs are not finished, of how many. */
  g_autofree char *counts = g_strdup_printf (
    g_dngettext (GETTEXT_PACKAGE, "%u of %u PRP active", "%u of %u PRPs active", n), count_active (view->rows), n);
  g_autofree char *right = NULL;

  if (view->is_paused || view->is_reading)
    right = g_strconcat (view->is_paused ? _("PAUSED") : _("reading the history…"), view->utf8 ? " · " : " - ", counts,
                         NULL);
  go_to (line, 0);
  set_style (drawing, line, view->state_style);
  append_fitting (drawing, line, view->utf8 ? "●" : "*", view->columns);
  set_style (drawing, line, PRPCTL_STYLE_PLAIN);
  set_style (drawing, line, PRPCTL_STYLE_BOLD);
  append_two_ends (drawing, line, 2, view->state, right != NULL ? right : counts,
                   view->state_style == PRPCTL_STYLE_GOOD ? GOOD_STATE : GOOD_STATE_IN_TROUBLE);
  return g_string_free (line, FALSE);
}

static void
draw_notice (const Drawing *drawing, const char *text)
{
  GString *line = g_string_new (NULL);

  set_style (drawing, line, PRPCTL_STYLE_BUSY);
  append_two_ends (drawing, line, 0, text, "", 0);
  add_line (drawing, g_string_free (line, FALSE));
}

/* On one line, or on one each where they do not fit and there are lines enough. */
static void
draw_notices (const Drawing *drawing)
{
  const PrpctlWatchView *view = drawing->view;
  g_autofree char *joined = view->notices != NULL ? g_strjoinv ("; ", view->notices) : NULL;

  if (joined == NULL || *joined == '\0' || view->lines < MIN_LINES_WITH_NOTICE)
    return;
  if (prpctl_cells_measure (joined) <= view->columns || view->lines < MIN_LINES_WITH_NOTICES)
    draw_notice (drawing, joined);
  else
    for (char **notice = view->notices; *notice != NULL; notice++)
      draw_notice (drawing, *notice);
}

static char *
draw_titles (const Drawing *drawing)
{
  GString *line = g_string_new (NULL);

  if (drawing->view->color) {
    g_string_append (line, "\033[7m");
    prpctl_cells_append_spaces (line, drawing->view->columns);
  }
  for (Column i = 0; i < N_COLUMNS; i++) {
    guint width = drawing->layout.width[i];

    if (width == 0 || *columns[i].title == '\0')
      continue;
    if (i == COLUMN_AGE) {
      append_cell (drawing, line, i, _(columns[i].title), TRUE);
      continue;
    }
    /* The bar and its number share a title. */
    if (i == COLUMN_BAR)
      width += drawing->layout.width[COLUMN_PERCENT];
    go_to (line, drawing->layout.at[i]);
    append_fitting (drawing, line, _(columns[i].title), width);
  }
  return g_string_free (line, FALSE);
}

static char *
draw_footer (const Drawing *drawing, guint n_shown)
{
  const PrpctlWatchView *view = drawing->view;
  const PrpctlWatchFrame *frame = drawing->frame;
  GString *line = g_string_new (NULL);
  g_autofree char *place = NULL, *keys = NULL;

  /* Translators: keys and what they do. */
  keys = g_strdup_printf ("%s  %s  %s  %s", _("q quit"), view->only_active ? _("a all") : _("a active only"),
                          view->is_paused ? _("p go on") : _("p pause"), _("? help"));
  if (frame->n_rows > n_shown && n_shown > 0 && !view->shows_help)
    /* Translators: which rows are shown: from, to, of how many. */
    place = g_strdup_printf (_("%u–%u of %u"), frame->first + 1, frame->first + n_shown, frame->n_rows);
  set_style (drawing, line, PRPCTL_STYLE_DIM);
  append_two_ends (drawing, line, 0, keys, place != NULL ? place : "", 6);
  return g_string_free (line, FALSE);
}

/* A text of several lines in the place of the rows. */
static void
draw_text (const Drawing *drawing, const char *text, guint n_lines)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; i < n_lines && lines[i] != NULL; i++) {
    GString *line = g_string_new (NULL);

    append_two_ends (drawing, line, MIN (2, drawing->view->columns), lines[i], "", 0);
    add_line (drawing, g_string_free (line, FALSE));
  }
}

static const char *
get_help (void)
{
  return _("\n"
           "↑ ↓  j k          one row up, down\n"
           "PgUp PgDn  b f    one page up, down\n"
           "Home End  g G     the first, the last row\n"
           "a                 active PRPs only, or all\n"
           "p                 hold the picture still, or go on\n"
           "Ctrl-L            draw all of it anew\n"
           "?                 this help, or back\n"
           "q  Ctrl-C         quit");
}

static const char *
get_empty_text (const PrpctlWatchView *view)
{
  if (view->is_reading)
    return "";
  if (view->rows->len > 0)
    return _("\nNothing active. Press a for all PRPs.");
  return _("\n"
           "No PRPs yet: nothing about one has come.\n"
           "'prpctl channels' lists what the relay is subscribed to;\n"
           "'prpctl watch project:ID' watches a project meanwhile.");
}

/* -- the frame --------------------------------------------------------------------------------------------------- */

static void
draw_body (Drawing *drawing, guint n_lines)
{
  const PrpctlWatchView *view = drawing->view;
  PrpctlWatchFrame *frame = drawing->frame;
  guint last_first;

  frame->n_rows = view->only_active ? count_active (view->rows) : view->rows->len;
  frame->page = n_lines;
  last_first = frame->n_rows - MIN (frame->n_rows, MAX (n_lines, 1));
  frame->first = MIN (view->first, last_first);
  if (view->shows_help) {
    draw_text (drawing, get_help (), n_lines);
    return;
  }
  if (frame->n_rows == 0) {
    draw_text (drawing, get_empty_text (view), n_lines);
    return;
  }
  for (guint i = frame->first; i < frame->n_rows && i < frame->first + n_lines; i++)
    add_line (drawing, draw_row (drawing, g_ptr_array_index (view->rows, i)));
}

PrpctlWatchFrame *
prpctl_watch_screen_draw (const PrpctlWatchView *view)
{
  PrpctlWatchFrame *frame = g_new0 (PrpctlWatchFrame, 1);
  Drawing drawing = { .view = view, .layout = make_layout (view->columns), .frame = frame };
  gboolean has_footer = view->lines >= MIN_LINES_WITH_FOOTER, has_titles = view->lines >= MIN_LINES_WITH_TITLES;
  guint n_body, n_shown;

  frame->columns = view->columns;
  frame->lines = g_ptr_array_new_with_free_func (g_free);
  frame->next_usec = view->next_state_usec;
  add_line (&drawing, draw_header (&drawing));
  draw_notices (&drawing);
  if (has_titles)
    add_line (&drawing, draw_titles (&drawing));
  n_body = view->lines - MIN (view->lines, frame->lines->len + (has_footer ? 1 : 0));
  draw_body (&drawing, n_body);
  n_shown = MIN (frame->n_rows - frame->first, n_body);
  if (has_footer) {
    while (frame->lines->len < view->lines - 1)
      add_line (&drawing, g_strdup (""));
    add_line (&drawing, draw_footer (&drawing, n_shown));
  }
  while (frame->lines->len < view->lines)
    add_line (&drawing, g_strdup (""));
  return frame;
}

void
prpctl_watch_frame_free (PrpctlWatchFrame *frame)
{
  if (frame == NULL)
    return;
  g_ptr_array_unref (frame->lines);
  g_free (frame);
}

void
prpctl_watch_frame_append_update (GString *out, const PrpctlWatchFrame *old, const PrpctlWatchFrame *frame)
{
  gboolean anew = old == NULL || old->columns != frame->columns || old->lines->len != frame->lines->len;

  if (anew)
    g_string_append (out, "\033[0m\033[2J");
  for (guint i = 0; i < frame->lines->len; i++) {
    const char *line = g_ptr_array_index (frame->lines, i);

    if (anew ? *line == '\0' : g_str_equal (line, g_ptr_array_index (old->lines, i)))
      continue;
    /* Emptied before it is drawn: afterwards the cursor may stand on the last column. */
    g_string_append_printf (out, "\033[%u;1H\033[0m%s%s\033[0m", i + 1, anew ? "" : "\033[K", line);
  }
}
