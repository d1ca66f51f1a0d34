/* SPDX-License-Identifier: MIT */
#include "prpctl/text.h"

#include <stdlib.h>

static void
test_safe (void)
{
  static const struct {
    const char *text, *safe;
  } cases[] = {
    { "", "" },
    { "Implement “JWT” – naïve 日本語 🙂", "Implement “JWT” – naïve 日本語 🙂" },
    { "one\ntwo\r\tthree", "one two  three" },
    { "\033[31mred\033]0;title\007", "�[31mred�]0;title�" },
    { "c1 \302\233 csi, del \177", "c1 � csi, del �" },                       /* U+009B, DEL */
    { "user\342\200\256txt.exe", "user�txt.exe" },                            /* U+202E: right-to-left override */
    { "\342\201\246a\342\201\251\342\200\217b\330\234", "�a��b�" },           /* isolates and marks */
    { "a\342\200\250b\342\200\251c", "a�b�c" },                               /* line, paragraph separator */
    { "\360\237\221\251\342\200\215\360\237\221\247", "👩‍👧" },                /* a joiner inside an emoji */
    { "\357\273\277bom \342\200\213zero", "�bom �zero" },                     /* invisible */
    { "bad \377\376 utf-8 \303", "bad �� utf-8 �" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *safe = prpctl_text_make_safe (cases[i].text, 100);

    g_assert_cmpstr (safe, ==, cases[i].safe);
  }
}

static void
test_abbreviate (void)
{
  g_autofree char *cut = prpctl_text_make_safe ("日本語", 2);
  g_autofree char *whole = prpctl_text_make_safe ("日本語", 3);
  g_autoptr (GString) out = g_string_new ("before: ");

  g_assert_cmpstr (cut, ==, "日本…");
  g_assert_cmpstr (whole, ==, "日本語");
  prpctl_text_append (out, "abc", 1);
  g_assert_cmpstr (out->str, ==, "before: a…");
}

static void
test_fill (void)
{
  g_autofree char *filled = prpctl_text_fill ("no %s here", "%s");
  g_autofree char *plain = prpctl_text_fill ("nothing", "x");

  g_assert_cmpstr (filled, ==, "no %s here");
  g_assert_cmpstr (plain, ==, "nothing");
}

static void
test_duration (void)
{
  static const struct {
    guint64 usec;
    const char *text;
  } cases[] = {
    { 0, "0 s" },
    { 499999, "0 s" },
    { 500000, "1 s" },
    { 12 * G_USEC_PER_SEC, "12 s" },
    { 59 * G_USEC_PER_SEC + 600000, "1 min 0 s" },
    { 303 * G_USEC_PER_SEC, "5 min 3 s" },
    { 7800 * (guint64) G_USEC_PER_SEC, "2 h 10 min" },
    { 86400 * (guint64) G_USEC_PER_SEC, "1 day 0 h" },
    { (3 * 86400 + 4 * 3600) * (guint64) G_USEC_PER_SEC, "3 days 4 h" },
    { G_MAXUINT64, "213503982 days 8 h" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = prpctl_text_format_duration (cases[i].usec);

    g_assert_cmpstr (text, ==, cases[i].text);
  }
}

static void
test_round_trip (void)
{
  g_autofree char *fast = prpctl_text_format_round_trip (12345);
  g_autofree char *slow = prpctl_text_format_round_trip (1250000);

  g_assert_cmpstr (fast, ==, "12.3 ms");
  g_assert_cmpstr (slow, ==, "1.25 s");
}

static void
test_time (void)
{
  const guint64 noon = G_GUINT64_CONSTANT (1705320131) * G_USEC_PER_SEC; /* 2024-01-15 12:02:11 UTC */
  const guint64 day = G_GUINT64_CONSTANT (86400) * G_USEC_PER_SEC;
  g_autofree char *same_day = prpctl_text_format_time (noon, noon + day / 24);
  g_autofree char *next_day = prpctl_text_format_time (noon, noon + day);
  g_autofree char *same_day_of_another_year = prpctl_text_format_time (noon, noon + 366 * day);
  g_autofree char *never = prpctl_text_format_time (G_MAXUINT64, noon);

  g_assert_cmpstr (same_day, ==, "12:02:11");
  g_assert_cmpstr (next_day, ==, "2024-01-15 12:02:11");
  g_assert_cmpstr (same_day_of_another_year, ==, "2024-01-15 12:02:11");
  g_assert_cmpstr (never, ==, "18446744073709");
}

static void
test_style (void)
{
  g_assert_cmpstr (prpctl_text_get_style (PRPCTL_STYLE_BAD, FALSE), ==, "");
  g_assert_cmpstr (prpctl_text_get_style (PRPCTL_STYLE_BAD, TRUE), ==, "\033[1;31m");
  g_assert_cmpstr (prpctl_text_get_style (PRPCTL_STYLE_PLAIN, TRUE), ==, "\033[0m");
}

int
main (int argc, char **argv)
{
  setenv ("TZ", "UTC", 1);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/safe", test_safe);
  g_test_add_func ("/text/abbreviate", test_abbreviate);
  g_test_add_func ("/text/fill", test_fill);
  g_test_add_func ("/text/duration", test_duration);
  g_test_add_func ("/text/round-trip", test_round_trip);
  g_test_add_func ("/text/time", test_time);
  g_test_add_func ("/text/style", test_style);
  return g_test_run ();
}
