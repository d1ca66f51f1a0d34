/* SPDX-License-Identifier: MIT */
#include "notify/card.h"

#include <math.h>

static NotifyChange
apply (NotifyCard *card, NotifyNews news)
{
  news.type = (char *) "type";
  if (news.kind != NOTIFY_KIND_PROGRESS)
    news.progress = NAN;
  return notify_card_apply (card, &news);
}

#define NEWS(...) ((NotifyNews){ __VA_ARGS__ })

static void
test_life (void)
{
  g_autoptr (NotifyCard) card = notify_card_new ("p");

  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_CREATED, .name = (char *) "A\nname", .status = (char *) "pending",
                                      .project_id = (char *) "j", .priority = (char *) "high")), ==, NOTIFY_CHANGE_NEWS);
  g_assert_cmpstr (card->name, ==, "A name");
  g_assert_cmpstr (card->project_id, ==, "j");
  g_assert_false (notify_card_is_underway (card));
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_ASSIGNED, .agent_id = (char *) "g")), ==, NOTIFY_CHANGE_NEWS);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_ASSIGNED, .agent_id = (char *) "g")), ==, NOTIFY_CHANGE_NONE);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_PROGRESS, .progress = 10, .task = (char *) "t")), ==, NOTIFY_CHANGE_QUIET);
  g_assert_true (notify_card_is_underway (card));
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_PROGRESS, .progress = 10, .task = (char *) "t")), ==, NOTIFY_CHANGE_NONE);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_PROGRESS, .progress = 10)), ==, NOTIFY_CHANGE_QUIET);
  g_assert_null (card->task);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_STATUS, .status = (char *) "active", .reason = (char *) "r")), ==,
                   NOTIFY_CHANGE_NEWS);
  g_assert_cmpstr (card->former_status, ==, "pending");
  g_assert_cmpstr (card->reason, ==, "r");
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_COMPLETED, .status = (char *) "completed")), ==, NOTIFY_CHANGE_NEWS);
  g_assert_null (card->reason);
  g_assert_false (notify_card_is_underway (card));
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_DELETED)), ==, NOTIFY_CHANGE_NEWS);
  g_assert_cmpstr (card->name, ==, "A name");
}

/* A status comes as a change of the PRP, and as an event of its own, which is the news; likewise the agent. */
static void
test_twice (void)
{
  g_autoptr (NotifyCard) card = notify_card_new ("p");

  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_CREATED, .status = (char *) "active")), ==, NOTIFY_CHANGE_NEWS);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_UPDATED, .status = (char *) "failed")), ==, NOTIFY_CHANGE_QUIET);
  g_assert_cmpint (card->news, ==, NOTIFY_KIND_CREATED);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_FAILED, .status = (char *) "failed", .reason = (char *) "why")), ==,
                   NOTIFY_CHANGE_NEWS);
  g_assert_cmpstr (card->reason, ==, "why");
  g_assert_cmpstr (card->former_status, ==, "active");
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_FAILED, .status = (char *) "failed")), ==, NOTIFY_CHANGE_NONE);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_UPDATED, .agent_id = (char *) "g")), ==, NOTIFY_CHANGE_QUIET);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_ASSIGNED, .agent_id = (char *) "g")), ==, NOTIFY_CHANGE_NEWS);
  g_assert_cmpint (card->news, ==, NOTIFY_KIND_ASSIGNED);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_UPDATED, .agent_id = (char *) "g")), ==, NOTIFY_CHANGE_NONE);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_UPDATED, .name = (char *) "n")), ==, NOTIFY_CHANGE_QUIET);
  g_assert_cmpint (card->news, ==, NOTIFY_KIND_ASSIGNED);
  g_assert_cmpint (apply (card, NEWS (.kind = NOTIFY_KIND_UPDATED)), ==, NOTIFY_CHANGE_NONE);
}

static void
test_bounds (void)
{
  g_autoptr (NotifyCard) card = notify_card_new ("p");
  g_autofree char *text = g_strnfill (10000, 'x');

  apply (card, NEWS (.kind = NOTIFY_KIND_CREATED, .name = text, .reason = text, .status = text, .priority = text));
  apply (card, NEWS (.kind = NOTIFY_KIND_PROGRESS, .progress = 1, .task = text));
  g_assert_cmpint (g_utf8_strlen (card->name, -1), ==, NOTIFY_CARD_MAX_NAME_CHARS + 1);
  g_assert_cmpint (g_utf8_strlen (card->status, -1), ==, NOTIFY_CARD_MAX_FIELD_CHARS + 1);
  g_assert_cmpint (g_utf8_strlen (card->task, -1), ==, NOTIFY_CARD_MAX_TEXT_CHARS + 1);
  notify_card_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/card/life", test_life);
  g_test_add_func ("/card/twice", test_twice);
  g_test_add_func ("/card/bounds", test_bounds);
  return g_test_run ();
}
