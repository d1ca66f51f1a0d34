/* SPDX-License-Identifier: MIT */
#include "prpctl/nearest.h"

#include <string.h>

/* Longer than any word that there is. */
#define MAX_BYTES 32

/* How many letters are to be put in, taken out, replaced or exchanged with their neighbour (each only once: "optimal
 * string alignment"). Both at most MAX_BYTES long. */
static guint
get_distance (const char *a, const char *b)
{
  guint rows[3][MAX_BYTES + 1];
  guint *before = rows[0], *above = rows[1], *row = rows[2];
  gsize n_a = strlen (a), n_b = strlen (b);

  for (guint j = 0; j <= n_b; j++)
    row[j] = j;
  for (guint i = 1; i <= n_a; i++) {
    guint *oldest = before;

    before = above;
    above = row;
    row = oldest;
    row[0] = i;
    for (guint j = 1; j <= n_b; j++) {
      guint replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

      row[j] = MIN (MIN (above[j], row[j - 1]) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = MIN (row[j], before[j - 2] + 1);
    }
  }
  return row[n_b];
}

const char *
prpctl_nearest (const char *word, const char *const *candidates)
{
  gsize length = strlen (word);
  guint least = G_MAXUINT;
  const char *nearest = NULL;

  if (length == 0 || length > MAX_BYTES)
    return NULL;
  for (guint i = 0; candidates[i] != NULL; i++) {
    gsize candidate_length = strlen (candidates[i]);
    guint distance;

    if (candidate_length > MAX_BYTES)
      continue;
    /* What is only begun is as near as what has one letter wrong. */
    distance = length > 1 && g_str_has_prefix (candidates[i], word) ? 1 : get_distance (word, candidates[i]);
    /* A third of a word may be wrong, but not the whole of a short one. */
    if (distance > MAX (1, MIN (length, candidate_length) / 3) || distance >= candidate_length || distance >= length)
      continue;
    if (distance == least)
      nearest = NULL;
    else if (distance < least)
      nearest = candidates[i];
    least = MIN (least, distance);
  }
  return nearest;
}
