/* SPDX-License-Identifier: MIT */
#include "prpctl/time-words.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

/*
 *   now
 *   @SECONDS                         since 1970, a fraction allowed
 *   SPAN [ago], -SPAN                before now; SPAN is NUMBER UNIT, once or more: "1h 30min", "1.5 days"
 *   DAY [TIME [ZONE]], TIME          DAY is today, yesterday or YYYY-MM-DD, TIME is HH:MM[:SS[.FRACTION]]; between them a
 *                                    space or a T; ZONE is Z, UTC, ±HH:MM or ±HHMM (RFC 3339, ISO 8601)
 *
 * Each reader takes a cursor and moves it behind what it has read; FALSE leaves it anywhere.
 */

#define TEXT_MAX_CHARS 100
#define MAX_SPAN_USEC ((double) G_MAXINT64 / 4)

static void
skip_spaces (const char **p)
{
  *p += strspn (*p, " \t");
}

/* @min_digits to @max_digits digits; more are not left over. */
static gboolean
read_digits (const char **p, guint min_digits, guint max_digits, int *ret_number)
{
  gsize n_digits = strspn (*p, "0123456789");

  if (n_digits < min_digits || n_digits > max_digits)
    return FALSE;
  *ret_number = (int) g_ascii_strtoll (*p, NULL, 10);
  *p += n_digits;
  return TRUE;
}

static gboolean
read_char (const char **p, char c)
{
  if (**p != c)
    return FALSE;
  (*p)++;
  return TRUE;
}

/* A word, if it stands there whole. */
static gboolean
read_word (const char **p, const char *word)
{
  gsize length = strlen (word);

  if (g_ascii_strncasecmp (*p, word, length) != 0 || g_ascii_isalpha ((*p)[length]))
    return FALSE;
  *p += length;
  return TRUE;
}

/* Digits, with a fraction or without: no sign, no exponent. */
static gboolean
read_number (const char **p, double *ret_number)
{
  gsize length = strspn (*p, "0123456789");
  g_autofree char *number = NULL;

  if (length == 0)
    return FALSE;
  if ((*p)[length] == '.' && g_ascii_isdigit ((*p)[length + 1]))
    length += 1 + strspn (*p + length + 1, "0123456789");
  number = g_strndup (*p, length);
  *ret_number = g_ascii_strtod (number, NULL);
  *p += length;
  return TRUE;
}

/* -- spans ------------------------------------------------------------------------------------------------------- */

static gboolean
read_unit (const char **p, double *ret_seconds)
{
  static const struct {
    const char *names; /* separated by spaces */
    double seconds;
  } units[] = {
    { "s sec secs second seconds", 1 },
    { "m min mins minute minutes", 60 },
    { "h hr hrs hour hours", 3600 },
    { "d day days", 24 * 3600.0 },
    { "w week weeks", 7 * 24 * 3600.0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (units); i++) {
    g_auto (GStrv) names = g_strsplit (units[i].names, " ", -1);

    for (guint j = 0; names[j] != NULL; j++)
      if (read_word (p, names[j])) {
        *ret_seconds = units[i].seconds;
        return TRUE;
      }
  }
  return FALSE;
}

static gboolean
parse_span (const char *p, guint64 now_usec, guint64 *ret_usec)
{
  gboolean is_negative = read_char (&p, '-');
  double span_usec = 0;

  skip_spaces (&p);
  do {
    double number, seconds;

    if (!read_number (&p, &number))
      return FALSE;
    skip_spaces (&p);
    if (!read_unit (&p, &seconds))
      return FALSE;
    skip_spaces (&p);
    span_usec += number * seconds * G_USEC_PER_SEC;
  } while (g_ascii_isdigit (*p));
  if (!is_negative)
    (void) read_word (&p, "ago");
  skip_spaces (&p);
  if (*p != '\0' || !(span_usec < MAX_SPAN_USEC))
    return FALSE;
  *ret_usec = now_usec - MIN (now_usec, (guint64) span_usec);
  return TRUE;
}

static gboolean
parse_unix (const char *p, guint64 *ret_usec)
{
  double seconds;

  if (!read_char (&p, '@') || !read_number (&p, &seconds) || *p != '\0' || !(seconds * G_USEC_PER_SEC < MAX_SPAN_USEC))
    return FALSE;
  *ret_usec = (guint64) (seconds * G_USEC_PER_SEC + 0.5);
  return TRUE;
}

/* -- days and times of day --------------------------------------------------------------------------------------- */

typedef struct {
  int year, month, day;
} Day;

static gboolean
read_day (const char **p, GDateTime *now, Day *ret_day)
{
  g_autoptr (GDateTime) day = NULL;

  if (read_word (p, "today"))
    day = g_date_time_ref (now);
  else if (read_word (p, "yesterday"))
    day = g_date_time_add_days (now, -1);
  if (day != NULL) {
    g_date_time_get_ymd (day, &ret_day->year, &ret_day->month, &ret_day->day);
    return TRUE;
  }
  return read_digits (p, 4, 4, &ret_day->year) && read_char (p, '-') && read_digits (p, 2, 2, &ret_day->month) &&
         read_char (p, '-') && read_digits (p, 2, 2, &ret_day->day);
}

typedef struct {
  int hour, minute;
  double second;
} TimeOfDay;

static gboolean
read_time_of_day (const char **p, TimeOfDay *ret_time)
{
  if (!read_digits (p, 1, 2, &ret_time->hour) || !read_char (p, ':') || !read_digits (p, 2, 2, &ret_time->minute))
    return FALSE;
  return !read_char (p, ':') || (strspn (*p, "0123456789") == 2 && read_number (p, &ret_time->second));
}

/* At the end there is none: *zone stays. */
static gboolean
read_zone (const char **p, GTimeZone **zone)
{
  const char *start;
  int hours = 0, minutes = 0;
  g_autofree char *name = NULL;

  skip_spaces (p);
  start = *p;
  if (*start == '\0')
    return TRUE;
  if (read_word (p, "Z") || read_word (p, "UTC")) {
    name = g_strdup ("Z");
  } else {
    if (!read_char (p, '+') && !read_char (p, '-'))
      return FALSE;
    if (strspn (*p, "0123456789") == 4)
      name = g_strdup_printf ("%c%.2s:%.2s", *start, *p, *p + 2);
    else if (read_digits (p, 2, 2, &hours) && read_char (p, ':') && read_digits (p, 2, 2, &minutes))
      name = g_strndup (start, (gsize) (*p - start));
    else
      return FALSE;
    if (strspn (*p, "0123456789") == 4)
      *p += 4;
  }
  g_time_zone_unref (*zone);
  *zone = g_time_zone_new_identifier (name);
  return *zone != NULL;
}

static gboolean
parse_point (const char *p, guint64 now_usec, GTimeZone *own_zone, guint64 *ret_usec)
{
  g_autoptr (GTimeZone) zone = g_time_zone_ref (own_zone);
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc ((gint64) (now_usec / G_USEC_PER_SEC));
  g_autoptr (GDateTime) now = utc != NULL ? g_date_time_to_timezone (utc, zone) : NULL;
  g_autoptr (GDateTime) time = NULL;
  TimeOfDay of_day = { 0 };
  const char *start = p;
  gboolean has_time;
  Day day;

  if (now == NULL)
    return FALSE;
  g_date_time_get_ymd (now, &day.year, &day.month, &day.day);
  has_time = read_time_of_day (&p, &of_day);
  if (!has_time) {
    p = start;
    if (!read_day (&p, now, &day))
      return FALSE;
    has_time = read_char (&p, 'T') || read_char (&p, 't') || *p == ' ';
    skip_spaces (&p);
    if (has_time && !read_time_of_day (&p, &of_day))
      return FALSE;
  }
  if (has_time && !read_zone (&p, &zone))
    return FALSE;
  if (*p != '\0')
    return FALSE;
  /* A day or a time that does not exist gives none. */
  time = g_date_time_new (zone, day.year, day.month, day.day, of_day.hour, of_day.minute, of_day.second);
  if (time == NULL)
    return FALSE;
  *ret_usec = (guint64) MAX (g_date_time_to_unix (time), 0) * G_USEC_PER_SEC + (guint64) g_date_time_get_microsecond (time);
  return TRUE;
}

gboolean
prpctl_time_parse (const char *text, guint64 now_usec, GTimeZone *zone, guint64 *ret_usec, GError **error)
{
  g_autofree char *stripped = g_strstrip (g_strdup (text));
  g_autofree char *safe = NULL;

  if (g_ascii_strcasecmp (stripped, "now") == 0) {
    *ret_usec = now_usec;
    return TRUE;
  }
  if (parse_unix (stripped, ret_usec) || parse_span (stripped, now_usec, ret_usec) ||
      parse_point (stripped, now_usec, zone, ret_usec))
    return TRUE;
  safe = prpctl_text_make_safe (text, TEXT_MAX_CHARS);
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE,
               _("“%s” is no time that is understood\n"
                 "Understood are: '10 min ago', '1h', '2 days', today, yesterday, '14:00', 'yesterday 14:00', 2026-11-23, "
                 "'2026-11-23 14:00', 2026-11-23T14:00:00+01:00, @1795442400 and now."), safe);
  return FALSE;
}
