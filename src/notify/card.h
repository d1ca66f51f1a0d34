/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/news.h"

/*
 * What is known of one PRP, put together from its events. Pure.
 *
 * Strings are kept as lines (markup.h) but for the ids, which stand in addresses and are compared.
 */
#define NOTIFY_CARD_MAX_NAME_CHARS 120
#define NOTIFY_CARD_MAX_FIELD_CHARS 60
#define NOTIFY_CARD_MAX_TEXT_CHARS 300

typedef struct {
  char *prp_id;
  char *project_id, *agent_id;   /* NULL: not known */
  char *name;                    /* likewise, and below */
  char *status, *priority, *task;
  double progress;               /* NAN: none */

  /* What it last came to tell. */
  NotifyKind news;
  char *type;                    /* of an event of a kind that is not known */
  char *reason;                  /* what goes with the news */
  char *former_status;           /* with a new status */
  char *told_status, *told_agent; /* by an event of its own */
} NotifyCard;

typedef enum {
  NOTIFY_CHANGE_NONE,  /* it says nothing new */
  NOTIFY_CHANGE_QUIET, /* progress and the like: not worth to be called back to the screen for */
  NOTIFY_CHANGE_NEWS,
} NotifyChange;

NotifyCard *notify_card_new (const char *prp_id);
void notify_card_free (NotifyCard *card);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyCard, notify_card_free)

/* @news is about this PRP. */
NotifyChange notify_card_apply (NotifyCard *card, const NotifyNews *news);

/* Does it still make progress, and is known how much? */
gboolean notify_card_is_underway (const NotifyCard *card);
