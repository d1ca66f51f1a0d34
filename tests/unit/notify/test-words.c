/* SPDX-License-Identifier: MIT */
#include "notify/words.h"

#include <string.h>

static NotifyCard *
new_card (NotifyKind news)
{
  NotifyCard *card = notify_card_new ("prp_1");

  card->news = news;
  card->name = g_strdup ("A <b>name</b>");
  return card;
}

static void
check_card (const NotifyCard *card, const char *summary, const char *body)
{
  g_auto (NotifyWords) words = { 0 };

  notify_words_of_card (card, &words);
  g_assert_cmpstr (words.summary, ==, summary);
  g_assert_cmpstr (words.body, ==, body);
}

static void
test_card (void)
{
  g_autoptr (NotifyCard) created = new_card (NOTIFY_KIND_CREATED);
  g_autoptr (NotifyCard) status = new_card (NOTIFY_KIND_STATUS);
  g_autoptr (NotifyCard) progress = new_card (NOTIFY_KIND_PROGRESS);
  g_autoptr (NotifyCard) deleted = notify_card_new ("prp\n2");
  g_autoptr (NotifyCard) bare = notify_card_new ("prp_3");

  created->status = g_strdup ("pending");
  created->priority = g_strdup ("high");
  check_card (created, "A <b>name</b>", "Created\nStatus: pending · Priority: high");

  status->status = g_strdup ("active");
  status->former_status = g_strdup ("pending");
  status->reason = g_strdup ("Why not");
  status->agent_id = g_strdup ("agent_1");
  status->progress = 12.5;
  check_card (status, "A <b>name</b>", "Status: active (was pending)\nWhy not\n12.5% done\nAgent: agent_1");

  progress->progress = 45;
  progress->task = g_strdup ("Testing");
  progress->status = g_strdup ("active");
  check_card (progress, "A <b>name</b>", "45% done: Testing\nStatus: active");
  progress->news = NOTIFY_KIND_COMPLETED;
  g_free (progress->status);
  progress->status = g_strdup ("completed");
  check_card (progress, "A <b>name</b>", "Completed");

  deleted->news = NOTIFY_KIND_DELETED;
  deleted->reason = g_strdup ("Duplicate");
  deleted->agent_id = g_strdup ("agent_1");
  check_card (deleted, "PRP prp 2", "Deleted\nDuplicate");
  check_card (bare, "PRP prp_3", "Changed");
}

static void
add (NotifyDigest *digest, NotifyKind kind, const char *prp_id)
{
  g_autoptr (NotifyCard) card = notify_card_new (prp_id);

  notify_digest_add (digest, kind, card);
}

static void
check_digest (const NotifyDigest *digest, const char *const *names, gboolean is_past, const char *summary, const char *body)
{
  g_auto (NotifyWords) words = { 0 };

  notify_words_of_digest (digest, names, is_past, &words);
  g_assert_cmpstr (words.summary, ==, summary);
  g_assert_cmpstr (words.body, ==, body);
}

static void
test_digest (void)
{
  static const char *const none[] = { NULL }, *const one[] = { "A", NULL }, *const two[] = { "A", "B", NULL };
  g_autoptr (NotifyDigest) digest = notify_digest_new ();

  add (digest, NOTIFY_KIND_CREATED, "a");
  check_digest (digest, one, FALSE, "1 event · 1 PRP", "1 PRP created\nA");
  add (digest, NOTIFY_KIND_FAILED, "b");
  add (digest, NOTIFY_KIND_CREATED, "b");
  check_digest (digest, two, TRUE, "3 events · 2 PRPs", "What happened in the meantime:\n1 PRP failed, 2 PRPs created\nA, B");
  check_digest (digest, one, FALSE, "3 events · 2 PRPs", "1 PRP failed, 2 PRPs created\nA, …");
  notify_digest_add_gap (digest, 0, 0);
  check_digest (digest, two, FALSE, "3 events · 2 PRPs", "1 PRP failed, 2 PRPs created\nA, B\nSome may have been missed.");
  notify_digest_clear (digest);
  notify_digest_add (digest, NOTIFY_KIND_ERROR, NULL);
  check_digest (digest, none, FALSE, "1 event", "1 error of the service");
}

static void
test_troubles (void)
{
  g_auto (NotifyWords) unauthorized = { 0 }, outage = { 0 }, gap = { 0 }, long_gap = { 0 }, failed = { 0 }, service = { 0 };
  NotifyNews news = { .kind = NOTIFY_KIND_ERROR, .code = (char *) "CODE", .reason = (char *) "Words\n" };
  guint64 noon = G_GUINT64_CONSTANT (1705320000) * G_USEC_PER_SEC, hour = 3600 * (guint64) G_USEC_PER_SEC;

  notify_words_of_unauthorized ("The token\nhas expired.", &unauthorized);
  g_assert_cmpstr (unauthorized.body, ==, "The token has expired.\n“prpctl login” in a terminal brings the events back.");
  notify_words_of_outage (noon, NULL, &outage);
  g_assert_cmpstr (outage.summary, ==, "No PRP events since 12:00");
  g_assert_cmpstr (outage.body, ==, "The relay goes on trying.");
  notify_words_of_gap (noon, noon + hour, &gap);
  g_assert_nonnull (strstr (gap.body, "between 12:00 and 13:00."));
  notify_words_of_gap (noon, noon + 24 * hour, &long_gap);
  g_assert_nonnull (strstr (long_gap.body, "between 2024-01-15 12:00 and 2024-01-16 12:00."));
  notify_words_clear (&long_gap);
  notify_words_of_gap (1, noon, &long_gap);
  g_assert_nonnull (strstr (long_gap.body, "until 12:00."));
  notify_words_of_failed_open ("https://x/", "No program", &failed);
  g_assert_cmpstr (failed.body, ==, "https://x/\nNo program");
  notify_words_of_service (&news, &service);
  g_assert_cmpstr (service.body, ==, "Words\nCODE");
}

int
main (int argc, char **argv)
{
  g_setenv ("TZ", "UTC", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/words/card", test_card);
  g_test_add_func ("/words/digest", test_digest);
  g_test_add_func ("/words/troubles", test_troubles);
  return g_test_run ();
}
