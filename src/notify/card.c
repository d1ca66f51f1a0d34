/* SPDX-License-Identifier: MIT */
#include "notify/card.h"

#include <math.h>

#include "notify/markup.h"

NotifyCard *
notify_card_new (const char *prp_id)
{
  NotifyCard *card = g_new0 (NotifyCard, 1);

  card->prp_id = g_strdup (prp_id);
  card->progress = NAN;
  card->news = NOTIFY_KIND_UPDATED;
  return card;
}

void
notify_card_free (NotifyCard *card)
{
  if (card == NULL)
    return;
  g_free (card->prp_id);
  g_free (card->project_id);
  g_free (card->agent_id);
  g_free (card->name);
  g_free (card->status);
  g_free (card->priority);
  g_free (card->task);
  g_free (card->type);
  g_free (card->reason);
  g_free (card->former_status);
  g_free (card->told_status);
  g_free (card->told_agent);
  g_free (card);
}

/* What is not said stays as it was known. Returns whether it is something else than before. */
static gboolean
learn_id (char **field, const char *value)
{
  if (value == NULL || g_strcmp0 (*field, value) == 0)
    return FALSE;
  g_free (*field);
  *field = g_strdup (value);
  return TRUE;
}

static gboolean
learn (char **field, const char *value, guint max_chars)
{
  g_autofree char *line = value != NULL ? notify_markup_make_line (value, max_chars) : NULL;

  return learn_id (field, line != NULL && *line != '\0' ? line : NULL);
}

static gboolean
learn_progress (NotifyCard *card, const NotifyNews *news)
{
  gboolean is_other = !isnan (news->progress) && !(card->progress == news->progress);

  if (news->kind != NOTIFY_KIND_PROGRESS)
    return FALSE;
  if (is_other)
    card->progress = news->progress;
  /* A task is done when the next progress does not name it. */
  if (news->task == NULL && card->task != NULL) {
    g_clear_pointer (&card->task, g_free);
    return TRUE;
  }
  return learn (&card->task, news->task, NOTIFY_CARD_MAX_TEXT_CHARS) || is_other;
}

static void
tell (NotifyCard *card, NotifyKind kind, const NotifyNews *news)
{
  card->news = kind;
  g_clear_pointer (&card->reason, g_free);
  g_clear_pointer (&card->type, g_free);
  learn (&card->reason, news->reason, NOTIFY_CARD_MAX_TEXT_CHARS);
  if (kind == NOTIFY_KIND_OTHER)
    learn (&card->type, news->type, NOTIFY_CARD_MAX_FIELD_CHARS);
}

/*
 * What happens to a PRP often comes twice: as a change of the PRP (prp.updated), and as an event of its own. The second one
 * is the news, whichever comes first.
 */
static NotifyChange
tell_status (NotifyCard *card, const NotifyNews *news)
{
  if (card->status != NULL && g_strcmp0 (card->status, card->told_status) == 0)
    return NOTIFY_CHANGE_NONE;
  g_free (card->former_status);
  card->former_status = g_steal_pointer (&card->told_status);
  card->told_status = g_strdup (card->status);
  tell (card, news->kind, news);
  return NOTIFY_CHANGE_NEWS;
}

static NotifyChange
tell_agent (NotifyCard *card, const NotifyNews *news)
{
  if (card->agent_id != NULL && g_strcmp0 (card->agent_id, card->told_agent) == 0)
    return NOTIFY_CHANGE_NONE;
  g_free (card->told_agent);
  card->told_agent = g_strdup (card->agent_id);
  tell (card, news->kind, news);
  return NOTIFY_CHANGE_NEWS;
}

NotifyChange
notify_card_apply (NotifyCard *card, const NotifyNews *news)
{
  gboolean has_progress = learn_progress (card, news);
  gboolean has_change = learn (&card->name, news->name, NOTIFY_CARD_MAX_NAME_CHARS);

  has_change = learn_id (&card->agent_id, news->agent_id) || has_change;
  has_change = learn (&card->priority, news->priority, NOTIFY_CARD_MAX_FIELD_CHARS) || has_change;
  has_change = learn (&card->status, news->status, NOTIFY_CARD_MAX_FIELD_CHARS) || has_change;
  learn_id (&card->project_id, news->project_id);
  switch (news->kind) {
  case NOTIFY_KIND_STATUS:
  case NOTIFY_KIND_COMPLETED:
  case NOTIFY_KIND_FAILED: return tell_status (card, news);
  case NOTIFY_KIND_ASSIGNED: return tell_agent (card, news);
  case NOTIFY_KIND_UPDATED:
    /* What it last told goes on to be worth telling more than that something else changed. */
    return has_change ? NOTIFY_CHANGE_QUIET : NOTIFY_CHANGE_NONE;
  case NOTIFY_KIND_PROGRESS:
    if (!has_progress)
      return NOTIFY_CHANGE_NONE;
    tell (card, NOTIFY_KIND_PROGRESS, news);
    return NOTIFY_CHANGE_QUIET;
  case NOTIFY_KIND_CREATED:
    g_free (card->told_status);
    card->told_status = g_strdup (card->status);
    break;
  case NOTIFY_KIND_DELETED:
  case NOTIFY_KIND_OTHER:
  case NOTIFY_KIND_ERROR:
  case NOTIFY_KIND_GAP:
    break;
  }
  tell (card, news->kind, news);
  return NOTIFY_CHANGE_NEWS;
}

gboolean
notify_card_is_underway (const NotifyCard *card)
{
  return !isnan (card->progress) && card->news != NOTIFY_KIND_DELETED &&
         notify_kind_of_status (card->status) == NOTIFY_KIND_STATUS;
}
