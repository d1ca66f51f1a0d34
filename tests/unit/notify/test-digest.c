/* SPDX-License-Identifier: MIT */
#include "notify/digest.h"

#include "config/notifications.h"

static void
add (NotifyDigest *digest, NotifyKind kind, const char *prp_id, const char *priority)
{
  g_autoptr (NotifyCard) card = notify_card_new (prp_id);

  card->priority = g_strdup (priority);
  notify_digest_add (digest, kind, card);
}

static void
test_counts (void)
{
  g_autoptr (NotifyDigest) digest = notify_digest_new ();
  guint64 since, until;
  gboolean is_all;

  add (digest, NOTIFY_KIND_CREATED, "a", "low");
  add (digest, NOTIFY_KIND_CREATED, "b", "critical");
  add (digest, NOTIFY_KIND_PROGRESS, "a", NULL);
  notify_digest_add (digest, NOTIFY_KIND_ERROR, NULL);
  g_assert_cmpuint (notify_digest_get_events (digest), ==, 4);
  g_assert_cmpuint (notify_digest_get_events_of (digest, NOTIFY_KIND_CREATED), ==, 2);
  g_assert_cmpuint (notify_digest_get_events_of (digest, NOTIFY_KIND_ERROR), ==, 1);
  g_assert_cmpuint (notify_digest_get_prps (digest, &is_all), ==, 2);
  g_assert_true (is_all);
  g_assert_cmpstr (notify_digest_get_first_prps (digest)[0], ==, "a");
  g_assert_cmpstr (notify_digest_get_first_prps (digest)[1], ==, "b");
  g_assert_null (notify_digest_get_first_prps (digest)[2]);
  g_assert_cmpuint (notify_digest_get_priority (digest), ==, RELAY_PRIORITY_CRITICAL);
  g_assert_false (notify_digest_get_gap (digest, &since, &until));

  notify_digest_clear (digest);
  g_assert_cmpuint (notify_digest_get_events (digest), ==, 0);
  g_assert_cmpuint (notify_digest_get_prps (digest, &is_all), ==, 0);
  g_assert_null (notify_digest_get_first_prps (digest)[0]);
  notify_digest_free (NULL);
}

static void
test_bounds (void)
{
  g_autoptr (NotifyDigest) digest = notify_digest_new ();
  gboolean is_all;

  for (guint i = 0; i < NOTIFY_DIGEST_MAX_PRPS + 5; i++) {
    g_autofree char *id = g_strdup_printf ("p%u", i);

    add (digest, NOTIFY_KIND_CREATED, id, NULL);
  }
  g_assert_cmpuint (notify_digest_get_events (digest), ==, NOTIFY_DIGEST_MAX_PRPS + 5);
  g_assert_cmpuint (notify_digest_get_prps (digest, &is_all), ==, NOTIFY_DIGEST_MAX_PRPS);
  g_assert_false (is_all);
  g_assert_cmpuint (g_strv_length ((char **) notify_digest_get_first_prps (digest)), ==, NOTIFY_DIGEST_MAX_NAMES);
}

static void
test_gaps (void)
{
  g_autoptr (NotifyDigest) digest = notify_digest_new ();
  guint64 since, until;

  notify_digest_add_gap (digest, 50, 60);
  notify_digest_add_gap (digest, 20, 30);
  g_assert_true (notify_digest_get_gap (digest, &since, &until));
  g_assert_cmpuint (since, ==, 20);
  g_assert_cmpuint (until, ==, 60);
  notify_digest_add_gap (digest, 0, 0);
  notify_digest_add_gap (digest, 70, 80);
  g_assert_true (notify_digest_get_gap (digest, &since, &until));
  g_assert_cmpuint (since, ==, 0);
  g_assert_cmpuint (until, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/digest/counts", test_counts);
  g_test_add_func ("/digest/bounds", test_bounds);
  g_test_add_func ("/digest/gaps", test_gaps);
  return g_test_run ();
}
