/* SPDX-License-Identifier: MIT */
#include "notify/trouble.h"

#include "common/names.h"

/* No connection now, but one is wanted. */
static gboolean
is_lacking (const char *state)
{
  return g_str_equal (state, RELAY_STATE_NAME_CONNECTING) || g_str_equal (state, RELAY_STATE_NAME_WAITING) ||
         g_str_equal (state, RELAY_STATE_NAME_OFFLINE);
}

void
notify_trouble_set_state (NotifyTrouble *trouble, const char *state, gint64 now_usec)
{
  notify_trouble_check (trouble, now_usec);
  trouble->left_usec = 0;
  if (!is_lacking (state))
    trouble->since_usec = 0;
  else if (trouble->since_usec == 0)
    trouble->since_usec = now_usec;

  if (g_str_equal (state, RELAY_STATE_NAME_UNAUTHORIZED))
    trouble->kind = NOTIFY_TROUBLE_UNAUTHORIZED;
  else if (trouble->since_usec == 0)
    trouble->kind = NOTIFY_TROUBLE_NONE;
  /* Whether new credentials are good is not known before they were tried. */
  else if (trouble->kind == NOTIFY_TROUBLE_UNAUTHORIZED && !g_str_equal (state, RELAY_STATE_NAME_CONNECTING))
    trouble->kind = NOTIFY_TROUBLE_NONE;
}

void
notify_trouble_set_left (NotifyTrouble *trouble, gint64 now_usec)
{
  notify_trouble_check (trouble, now_usec);
  if (trouble->left_usec == 0)
    trouble->left_usec = now_usec;
}

NotifyTroubleKind
notify_trouble_check (NotifyTrouble *trouble, gint64 now_usec)
{
  gint64 deadline = notify_trouble_get_deadline (trouble);

  if (deadline == 0 || now_usec < deadline)
    return trouble->kind;
  if (trouble->left_usec != 0)
    *trouble = (NotifyTrouble){ .kind = NOTIFY_TROUBLE_NONE };
  else
    trouble->kind = NOTIFY_TROUBLE_OUTAGE;
  return trouble->kind;
}

gint64
notify_trouble_get_deadline (const NotifyTrouble *trouble)
{
  if (trouble->left_usec != 0)
    return trouble->left_usec + NOTIFY_TROUBLE_GRACE_USEC;
  if (trouble->since_usec != 0 && trouble->kind == NOTIFY_TROUBLE_NONE)
    return trouble->since_usec + (gint64) NOTIFY_TROUBLE_LONG_USEC;
  return 0;
}
