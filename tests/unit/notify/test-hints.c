/* SPDX-License-Identifier: MIT */
#include "notify/hints.h"

static const char *const all[] = { "actions", "body", "body-markup", NULL };

static NotifyHints
make_hints (const char *server, const char *priority, double progress, gboolean is_quiet)
{
  g_autoptr (NotifyCard) card = notify_card_new ("p");
  NotifyTraits traits = { 0 };
  NotifyHints hints;

  card->priority = g_strdup (priority);
  card->progress = progress;
  notify_traits_set (&traits, server, all);
  notify_hints_of_card (card, is_quiet, &traits, &hints);
  notify_traits_clear (&traits);
  return hints;
}

static void
test_urgency (void)
{
  g_assert_cmpint (make_hints ("dunst", "low", 0, FALSE).urgency, ==, NOTIFY_URGENCY_LOW);
  g_assert_cmpint (make_hints ("dunst", "medium", 0, FALSE).urgency, ==, NOTIFY_URGENCY_NORMAL);
  g_assert_cmpint (make_hints ("dunst", "high", 0, FALSE).urgency, ==, NOTIFY_URGENCY_NORMAL);
  g_assert_cmpint (make_hints ("dunst", "critical", 0, FALSE).urgency, ==, NOTIFY_URGENCY_CRITICAL);
  g_assert_cmpint (make_hints ("dunst", NULL, 0, FALSE).urgency, ==, NOTIFY_URGENCY_NORMAL);
  g_assert_cmpint (make_hints ("dunst", "medium", 0, TRUE).urgency, ==, NOTIFY_URGENCY_NORMAL);
  /* It would pop up for every per cent. */
  g_assert_cmpint (make_hints ("gnome-shell", "medium", 0, TRUE).urgency, ==, NOTIFY_URGENCY_LOW);
  g_assert_cmpint (make_hints ("gnome-shell", "medium", 0, FALSE).urgency, ==, NOTIFY_URGENCY_NORMAL);
  g_assert_cmpint (make_hints ("gnome-shell", "critical", 0, TRUE).urgency, ==, NOTIFY_URGENCY_CRITICAL);
}

static void
test_value (void)
{
  static const struct {
    const char *server;
    double progress;
    int value;
  } cases[] = {
    { "dunst", 45.6, 45 }, { "mako", 100, 100 }, { "dunst", -3, 0 }, { "dunst", 1e300, 100 },
    { "Xfce Notify Daemon", 45, NOTIFY_NO_VALUE }, { "gnome-shell", 45, NOTIFY_NO_VALUE },
    { "Notification Daemon", 45, NOTIFY_NO_VALUE }, { "", 45, NOTIFY_NO_VALUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (make_hints (cases[i].server, NULL, cases[i].progress, TRUE).value, ==, cases[i].value);
}

static void
test_traits (void)
{
  static const char *const some[] = { "body", NULL };
  NotifyTraits traits = { 0 };

  notify_traits_set (&traits, "x", all);
  g_assert_true (traits.has_actions && traits.has_body_markup);
  g_assert_false (traits.lists_default);
  notify_traits_set (&traits, "Xfce Notify Daemon", all);
  g_assert_true (traits.lists_default);
  notify_traits_set (&traits, "y", some);
  g_assert_cmpstr (traits.name, ==, "y");
  g_assert_false (traits.has_actions || traits.has_body_markup);
  notify_traits_set (&traits, "", NULL);
  g_assert_false (traits.has_actions || traits.has_body_markup);
  notify_traits_clear (&traits);
}

static void
test_others (void)
{
  NotifyTraits traits = { 0 };
  NotifyHints hints;

  notify_traits_set (&traits, "dunst", all);
  notify_hints_of_digest (3, FALSE, &traits, &hints);
  g_assert_cmpint (hints.urgency, ==, NOTIFY_URGENCY_CRITICAL);
  g_assert_cmpint (hints.value, ==, NOTIFY_NO_VALUE);
  notify_hints_of_trouble (TRUE, &hints);
  g_assert_cmpint (hints.expire_msec, ==, 0);
  notify_hints_of_trouble (FALSE, &hints);
  g_assert_cmpint (hints.expire_msec, ==, -1);
  notify_traits_clear (&traits);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hints/urgency", test_urgency);
  g_test_add_func ("/hints/value", test_value);
  g_test_add_func ("/hints/traits", test_traits);
  g_test_add_func ("/hints/others", test_others);
  return g_test_run ();
}
