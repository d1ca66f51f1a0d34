/* SPDX-License-Identifier: MIT */
#include "wire/siphash.h"

#include <string.h>

/* "somepseudorandomlygeneratedbytes", section 2.1 of the paper. */
#define INIT_0 G_GUINT64_CONSTANT (0x736f6d6570736575)
#define INIT_1 G_GUINT64_CONSTANT (0x646f72616e646f6d)
#define INIT_2 G_GUINT64_CONSTANT (0x6c7967656e657261)
#define INIT_3 G_GUINT64_CONSTANT (0x7465646279746573)

/* What tells the 128-bit output, and its second half, from the 64-bit one. */
#define WIDE 0xee
#define WIDE_SECOND 0xdd

#define ROUNDS_PER_WORD 2
#define ROUNDS_AT_END 4

static guint64
read_word (const guint8 *bytes)
{
  guint64 word;

  memcpy (&word, bytes, sizeof word);
  return GUINT64_FROM_LE (word);
}

static guint64
rotate (guint64 word, guint bits)
{
  return word << bits | word >> (64 - bits);
}

static void
mix (guint64 v[4], guint n_rounds)
{
  for (; n_rounds > 0; n_rounds--) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate (v[1], 13) ^ v[0];
    v[3] = rotate (v[3], 16) ^ v[2];
    v[0] = rotate (v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate (v[1], 17) ^ v[2];
    v[3] = rotate (v[3], 21) ^ v[0];
    v[2] = rotate (v[2], 32);
  }
}

static void
compress (guint64 v[4], guint64 word)
{
  v[3] ^= word;
  mix (v, ROUNDS_PER_WORD);
  v[0] ^= word;
}

void
relay_siphash (const guint8 key[16], const void *data, gsize length, guint64 ret_hash[2])
{
  const guint64 k0 = read_word (key), k1 = read_word (key + 8);
  guint64 v[4] = { k0 ^ INIT_0, k1 ^ INIT_1 ^ WIDE, k0 ^ INIT_2, k1 ^ INIT_3 };
  const guint8 *bytes = data;
  guint8 tail[8] = { 0 };
  gsize left;

  for (left = length; left >= 8; left -= 8, bytes += 8)
    compress (v, read_word (bytes));

  /* The last word: what is left, and the length in its highest byte. */
  if (left > 0)
    memcpy (tail, bytes, left);
  tail[7] = (guint8) length;
  compress (v, read_word (tail));

  v[2] ^= WIDE;
  mix (v, ROUNDS_AT_END);
  ret_hash[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
  v[1] ^= WIDE_SECOND;
  mix (v, ROUNDS_AT_END);
  ret_hash[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}
