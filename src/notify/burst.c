/* SPDX-License-Identifier: MIT */
#include "notify/burst.h"

void
notify_burst_clear (NotifyBurst *burst)
{
  for (guint i = 0; i < burst->n_last; i++)
    g_free (burst->last[i].prp_id);
  *burst = (NotifyBurst){ 0 };
}

static gboolean
is_many (const NotifyBurst *burst, gint64 now_usec)
{
  gboolean is_one_prp = TRUE;

  if (burst->n_last <= NOTIFY_BURST_MAX_EVENTS || now_usec - burst->last[NOTIFY_BURST_MAX_EVENTS].usec >= NOTIFY_BURST_USEC)
    return FALSE;
  for (guint i = 1; i < burst->n_last && is_one_prp; i++)
    is_one_prp = g_str_equal (burst->last[i].prp_id, burst->last[0].prp_id);
  return !is_one_prp;
}

gboolean
notify_burst_add (NotifyBurst *burst, NotifyKind kind, const char *prp_id, gint64 now_usec)
{
  gboolean was_on = notify_burst_check (burst, now_usec);

  if (burst->n_last == G_N_ELEMENTS (burst->last))
    g_free (burst->last[--burst->n_last].prp_id);
  for (guint i = burst->n_last++; i > 0; i--)
    burst->last[i] = burst->last[i - 1];
  burst->last[0] = (NotifyBurstEvent){ now_usec, kind, g_strdup (prp_id), FALSE };
  burst->is_on = was_on || is_many (burst, now_usec);
  return burst->is_on && !was_on;
}

gint64
notify_burst_get_end (const NotifyBurst *burst)
{
  return burst->is_on ? burst->last[NOTIFY_BURST_CALM_EVENTS].usec + NOTIFY_BURST_USEC : 0;
}

gboolean
notify_burst_check (NotifyBurst *burst, gint64 now_usec)
{
  if (burst->is_on && now_usec >= notify_burst_get_end (burst))
    burst->is_on = FALSE;
  return burst->is_on;
}
