/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What an event says that a notification could tell. Pure.
 */
typedef enum {
  NOTIFY_KIND_CREATED,
  NOTIFY_KIND_ASSIGNED,
  NOTIFY_KIND_STATUS,
  NOTIFY_KIND_COMPLETED, /* a status that is an end, and a good one */
  NOTIFY_KIND_FAILED,    /* likewise, and a bad one */
  NOTIFY_KIND_DELETED,
  NOTIFY_KIND_UPDATED,
  NOTIFY_KIND_PROGRESS,
  NOTIFY_KIND_OTHER, /* of a type that is not known */
  NOTIFY_KIND_ERROR, /* of the service, about no PRP */
  NOTIFY_KIND_GAP,   /* of the relay */
} NotifyKind;
#define NOTIFY_N_KINDS (NOTIFY_KIND_GAP + 1)

/* Strings are as they were sent, NULL for what was not said (also where it was empty). */
typedef struct {
  NotifyKind kind;
  char *type;
  char *prp_id, *project_id, *agent_id;
  char *name, *status, *priority;
  char *reason;  /* of an error: its words */
  char *task;
  char *code;    /* of an error */
  double progress;                  /* per cent, as sent; NAN: not said */
  guint64 since_usec, until_usec;   /* of a gap, CLOCK_REALTIME */
} NotifyNews;

/* An id that is longer identifies nothing here. */
#define NOTIFY_NEWS_MAX_ID_BYTES 512

/* @json: an event (client/event.h). NULL: it is none, or should be about a PRP and does not say which. */
NotifyNews *notify_news_read (const char *json);
void notify_news_free (NotifyNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyNews, notify_news_free)

/* Is a status the end of a PRP, and which? NOTIFY_KIND_STATUS: it is not, or not known to be. */
NotifyKind notify_kind_of_status (const char *status);
