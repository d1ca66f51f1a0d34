/* SPDX-License-Identifier: MIT */
#include "wire/seen.h"

#include <string.h>

#include "wire/siphash.h"

/*
 * A ring holds the hashes of the last ids in the order they came; a table finds them. The table is twice as large,
 * with linear probing: slot i holds 1 + the place in the ring of a hash whose home is i or one of the full slots
 * right before it. When the oldest leaves, those behind it move up, so that no grave is left and probing stays
 * short for ever.
 *
 * An id is taken for seen if its hash is. With 128 bits under a key that the server does not know, that two
 * ids of 65,536 share one has a chance below 2⁻⁹⁶ an id.
 */
#define SLOTS (2 * RELAY_SEEN_IDS)

G_STATIC_ASSERT ((SLOTS & (SLOTS - 1)) == 0);

typedef struct {
  guint64 words[2];
} Hash;

struct RelaySeen {
  guint8 key[16];
  Hash ring[RELAY_SEEN_IDS];
  guint32 table[SLOTS]; /* 0: empty */
  guint n_ids;          /* in the ring: the last n_ids places before `next` */
  guint next;           /* place in the ring of the next id: when it is full, that of the oldest */
};

static guint
home_of (const Hash *hash)
{
  return hash->words[0] & (SLOTS - 1);
}

/* The slot of the hash, or the empty one where it would be. */
static guint
find_slot (const RelaySeen *seen, const Hash *hash)
{
  guint slot = home_of (hash);

  while (seen->table[slot] != 0 && memcmp (&seen->ring[seen->table[slot] - 1], hash, sizeof *hash) != 0)
    slot = (slot + 1) & (SLOTS - 1);
  return slot;
}

/* Empties the slot. What was pushed behind it by probing moves up, unless that would be before its home. */
static void
empty_slot (RelaySeen *seen, guint slot)
{
  guint hole = slot;

  for (guint i = (slot + 1) & (SLOTS - 1); seen->table[i] != 0; i = (i + 1) & (SLOTS - 1)) {
    guint home = home_of (&seen->ring[seen->table[i] - 1]);

    if (((i - home) & (SLOTS - 1)) >= ((i - hole) & (SLOTS - 1))) {
      seen->table[hole] = seen->table[i];
      hole = i;
    }
  }
  seen->table[hole] = 0;
}

RelaySeen *
relay_seen_new (const guint8 key[16])
{
  RelaySeen *seen = g_new0 (RelaySeen, 1);

  memcpy (seen->key, key, sizeof seen->key);
  return seen;
}

void
relay_seen_free (RelaySeen *seen)
{
  g_free (seen);
}

void
relay_seen_hash (const guint8 key[16], const char *id, gsize length, guint64 ret_hash[2])
{
  relay_siphash (key, id, length, ret_hash);
}

gboolean
relay_seen_add (RelaySeen *seen, const char *id, gsize length)
{
  Hash hash;

  if (length == 0)
    return TRUE;

  relay_seen_hash (seen->key, id, length, hash.words);
  if (seen->table[find_slot (seen, &hash)] != 0)
    return FALSE;

  if (seen->n_ids == RELAY_SEEN_IDS)
    empty_slot (seen, find_slot (seen, &seen->ring[seen->next]));
  else
    seen->n_ids++;

  seen->ring[seen->next] = hash;
  seen->table[find_slot (seen, &hash)] = seen->next + 1;
  seen->next = (seen->next + 1) % RELAY_SEEN_IDS;
  return TRUE;
}

gboolean
relay_seen_add_older (RelaySeen *seen, const guint64 hash[2])
{
  const Hash older = { { hash[0], hash[1] } };
  guint slot, place;

  if (seen->n_ids == RELAY_SEEN_IDS)
    return FALSE;
  slot = find_slot (seen, &older);
  if (seen->table[slot] != 0)
    return TRUE;

  seen->n_ids++;
  place = (seen->next + RELAY_SEEN_IDS - seen->n_ids) % RELAY_SEEN_IDS;
  seen->ring[place] = older;
  seen->table[slot] = place + 1;
  return TRUE;
}
