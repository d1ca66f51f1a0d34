/* SPDX-License-Identifier: MIT */
#include "prpctl/time-words.h"

#include "prpctl/failure.h"

#define USEC (G_GUINT64_CONSTANT (1000000))
#define HOUR (3600 * USEC)
/* 2026-11-23 15:30:45.5 UTC, 16:30:45.5 in Berlin. */
#define NOW (G_GUINT64_CONSTANT (1795447845) * USEC + USEC / 2)
#define MIDNIGHT (G_GUINT64_CONSTANT (1795388400) * USEC) /* of that day, in Berlin */

static GTimeZone *berlin;

static void
assert_time (const char *text, guint64 expected)
{
  g_autoptr (GError) error = NULL;
  guint64 usec = 0;

  g_test_message ("%s", text);
  g_assert_true (prpctl_time_parse (text, NOW, berlin, &usec, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (usec, ==, expected);
}

static void
test_spans (void)
{
  assert_time ("10 min ago", NOW - 600 * USEC);
  assert_time ("10min", NOW - 600 * USEC);
  assert_time (" 10 Minutes Ago ", NOW - 600 * USEC);
  assert_time ("1h", NOW - HOUR);
  assert_time ("-1h", NOW - HOUR);
  assert_time ("1h30min", NOW - HOUR - 1800 * USEC);
  assert_time ("1 hour 30 min 5 s ago", NOW - HOUR - 1805 * USEC);
  assert_time ("1.5 days", NOW - 36 * HOUR);
  assert_time ("2w", NOW - 14 * 24 * HOUR);
  assert_time ("0s", NOW);
  assert_time ("200000 weeks", 0); /* before 1970 there was nothing */
  assert_time ("now", NOW);
}

static void
test_unix (void)
{
  assert_time ("@0", 0);
  assert_time ("@1795447845", NOW - USEC / 2);
  assert_time ("@1795447845.5", NOW);
}

static void
test_days (void)
{
  assert_time ("today", MIDNIGHT);
  assert_time ("Yesterday", MIDNIGHT - 24 * HOUR);
  assert_time ("2026-11-23", MIDNIGHT);
  assert_time ("today 14:00", MIDNIGHT + 14 * HOUR);
  assert_time ("yesterday 9:05", MIDNIGHT - 24 * HOUR + 9 * HOUR + 300 * USEC);
  assert_time ("14:00", MIDNIGHT + 14 * HOUR);
  assert_time ("2026-11-23 14:00", MIDNIGHT + 14 * HOUR);
  assert_time ("2026-11-23 14:00:01", MIDNIGHT + 14 * HOUR + USEC);
  assert_time ("2026-11-23  14:00:01.25", MIDNIGHT + 14 * HOUR + USEC + USEC / 4);
  assert_time ("1960-01-01", 0);
  /* The hour of that day counts, not that of now: Berlin is an hour further in summer. */
  assert_time ("2026-07-01", (G_GUINT64_CONSTANT (1782856800)) * USEC);
}

static void
test_zones (void)
{
  assert_time ("2026-11-23T14:00:00Z", MIDNIGHT + 15 * HOUR);
  assert_time ("2026-11-23t14:00:00z", MIDNIGHT + 15 * HOUR);
  assert_time ("2026-11-23T14:00:00.500Z", MIDNIGHT + 15 * HOUR + USEC / 2);
  assert_time ("2026-11-23T14:00:00+01:00", MIDNIGHT + 14 * HOUR);
  assert_time ("2026-11-23T14:00:00-0530", MIDNIGHT + 15 * HOUR + 5 * HOUR + 1800 * USEC);
  assert_time ("2026-11-23 14:00 UTC", MIDNIGHT + 15 * HOUR);
  assert_time ("2026-11-23 14:00 +02:00", MIDNIGHT + 13 * HOUR);
}

static void
test_bad (void)
{
  static const char *const cases[] = {
    "", " ", "soon", "10", "10 parsecs", "min", "1h ago ago", "-1h ago", "--1h", "1e3 s", "1h,", "h1", "+1h",
    "@", "@x", "@-1", "@ 1", "1.h", "999999999999999999999999 weeks",
    "2026-13-01", "2026-02-30", "26-11-23", "2026-11-23T", "2026-11-23T14", "2026-11-23 24:00", "12:60",
    "12:00:61", "12:00:5", "123:00", "2026-11-23 14:00 CET?", "2026-11-23T14:00:00+1", "2026-11-23T14:00:00+01:00x",
    "2026-11-23Z", "today yesterday", "todayish", "tomorrow", "\033[2J",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    guint64 usec = 7;

    g_test_message ("%s", cases[i]);
    g_assert_false (prpctl_time_parse (cases[i], NOW, berlin, &usec, &error));
    g_assert_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE);
    g_assert_nonnull (strstr (error->message, "yesterday 14:00"));
    g_assert_null (strchr (error->message, '\033'));
    g_assert_cmpuint (usec, ==, 7);
  }
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  /* A rule in words of POSIX: the test needs no database of zones. */
  berlin = g_time_zone_new_identifier ("CET-1CEST,M3.5.0,M10.5.0/3");
  g_assert_nonnull (berlin);
  g_test_add_func ("/time-words/spans", test_spans);
  g_test_add_func ("/time-words/unix", test_unix);
  g_test_add_func ("/time-words/days", test_days);
  g_test_add_func ("/time-words/zones", test_zones);
  g_test_add_func ("/time-words/bad", test_bad);
  status = g_test_run ();
  g_time_zone_unref (berlin);
  return status;
}
