/* SPDX-License-Identifier: MIT */
#include "notify/digest.h"

#include "config/notifications.h"

struct NotifyDigest {
  guint n_events;
  guint n_of[NOTIFY_N_KINDS];
  GHashTable *prps; /* a set of ids, which it owns */
  gboolean has_more_prps;
  const char *first[NOTIFY_DIGEST_MAX_NAMES + 1]; /* keys of `prps`, in order */
  guint n_first;
  gboolean has_gap;
  guint64 since_usec, until_usec;
  guint priority;
};

NotifyDigest *
notify_digest_new (void)
{
  NotifyDigest *digest = g_new0 (NotifyDigest, 1);

  digest->prps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return digest;
}

void
notify_digest_free (NotifyDigest *digest)
{
  if (digest == NULL)
    return;
  g_hash_table_unref (digest->prps);
  g_free (digest);
}

void
notify_digest_clear (NotifyDigest *digest)
{
  GHashTable *prps = digest->prps;

  g_hash_table_remove_all (prps);
  *digest = (NotifyDigest){ .prps = prps };
}

static void
add_prp (NotifyDigest *digest, const char *prp_id)
{
  char *id;

  if (g_hash_table_contains (digest->prps, prp_id))
    return;
  if (g_hash_table_size (digest->prps) == NOTIFY_DIGEST_MAX_PRPS) {
    digest->has_more_prps = TRUE;
    return;
  }
  id = g_strdup (prp_id);
  g_hash_table_add (digest->prps, id);
  if (digest->n_first < NOTIFY_DIGEST_MAX_NAMES)
    digest->first[digest->n_first++] = id;
  /* cppcheck-suppress memleak ; the table owns it */
}

void
notify_digest_add (NotifyDigest *digest, NotifyKind kind, const NotifyCard *card)
{
  digest->n_events++;
  digest->n_of[kind]++;
  if (card == NULL)
    return;
  digest->priority = MAX (digest->priority, (guint) relay_priority_from_string (card->priority));
  add_prp (digest, card->prp_id);
}

void
notify_digest_add_gap (NotifyDigest *digest, guint64 since_usec, guint64 until_usec)
{
  /* One of which nothing is known is not made smaller by one of which something is. */
  if (!digest->has_gap) {
    digest->since_usec = since_usec;
    digest->until_usec = until_usec;
  } else if (since_usec == 0 || digest->since_usec == 0) {
    digest->since_usec = digest->until_usec = 0;
  } else {
    digest->since_usec = MIN (digest->since_usec, since_usec);
    digest->until_usec = MAX (digest->until_usec, until_usec);
  }
  digest->has_gap = TRUE;
}

guint
notify_digest_get_events (const NotifyDigest *digest)
{
  return digest->n_events;
}

guint
notify_digest_get_events_of (const NotifyDigest *digest, NotifyKind kind)
{
  return digest->n_of[kind];
}

guint
notify_digest_get_prps (const NotifyDigest *digest, gboolean *ret_is_all)
{
  *ret_is_all = !digest->has_more_prps;
  return g_hash_table_size (digest->prps);
}

const char *const *
notify_digest_get_first_prps (const NotifyDigest *digest)
{
  return digest->first;
}

gboolean
notify_digest_get_gap (const NotifyDigest *digest, guint64 *ret_since_usec, guint64 *ret_until_usec)
{
  if (!digest->has_gap)
    return FALSE;
  *ret_since_usec = digest->since_usec;
  *ret_until_usec = digest->until_usec;
  return TRUE;
}

guint
notify_digest_get_priority (const NotifyDigest *digest)
{
  return digest->priority;
}
