/* SPDX-License-Identifier: MIT */
#include "notify/notices.h"

typedef enum { TROUBLE, GAP, SERVICE, FAILURE, N_NOTICES } Notice;

struct NotifyNotices {
  NotifyServer *server;
  NotifyNote *notes[N_NOTICES]; /* NULL: was never needed */

  NotifyTroubleKind trouble;
  guint64 outage_since_usec;
  char *trouble_text;
  guint64 gap_since_usec, gap_until_usec;
  NotifyNews *service_news;
  char *failed_url, *failed_reason;
};

static void
finish (NotifyContent *content, gboolean stays)
{
  notify_hints_of_trouble (stays, &content->hints);
  content->actions[content->n_actions++] = (NotifyAction){ "default", notify_words_get_dismiss () };
}

static void
fill_trouble (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  const NotifyNotices *notices = user_data;

  if (notices->trouble == NOTIFY_TROUBLE_OUTAGE)
    notify_words_of_outage (notices->outage_since_usec, notices->trouble_text, &ret_content->words);
  else
    notify_words_of_unauthorized (notices->trouble_text, &ret_content->words);
  finish (ret_content, TRUE);
}

static void
fill_gap (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  const NotifyNotices *notices = user_data;

  notify_words_of_gap (notices->gap_since_usec, notices->gap_until_usec, &ret_content->words);
  finish (ret_content, FALSE);
}

static void
fill_service (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  const NotifyNotices *notices = user_data;

  notify_words_of_service (notices->service_news, &ret_content->words);
  finish (ret_content, FALSE);
}

static void
fill_failure (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  const NotifyNotices *notices = user_data;

  notify_words_of_failed_open (notices->failed_url, notices->failed_reason, &ret_content->words);
  finish (ret_content, FALSE);
}

static void
note_closed (NotifyNote *note, gpointer user_data)
{
  /* Told is told, whatever was about to be sent. */
  notify_note_withdraw (note);
}

static void
note_invoked (NotifyNote *note, const char *action, const char *token, gpointer user_data)
{
  notify_note_withdraw (note);
}

static void
show (NotifyNotices *notices, Notice notice)
{
  static const NotifyNoteEvents events[] = {
    [TROUBLE] = { fill_trouble, note_closed, note_invoked },
    [GAP] = { fill_gap, note_closed, note_invoked },
    [SERVICE] = { fill_service, note_closed, note_invoked },
    [FAILURE] = { fill_failure, note_closed, note_invoked },
  };

  if (notices->notes[notice] == NULL)
    notices->notes[notice] = notify_note_new (notices->server, notice == TROUBLE, &events[notice], notices);
  notify_note_show (notices->notes[notice]);
}

void
notify_notices_set_trouble (NotifyNotices *notices, NotifyTroubleKind kind, guint64 since_usec, const char *text)
{
  g_autofree char *copy = g_strdup (text);

  if (kind == notices->trouble)
    return;
  notices->trouble = kind;
  notices->outage_since_usec = since_usec;
  g_free (notices->trouble_text);
  notices->trouble_text = g_steal_pointer (&copy);
  if (kind != NOTIFY_TROUBLE_NONE)
    show (notices, TROUBLE);
  else if (notices->notes[TROUBLE] != NULL)
    notify_note_withdraw (notices->notes[TROUBLE]);
}

void
notify_notices_tell_gap (NotifyNotices *notices, guint64 since_usec, guint64 until_usec)
{
  notices->gap_since_usec = since_usec;
  notices->gap_until_usec = until_usec;
  show (notices, GAP);
}

void
notify_notices_tell_service (NotifyNotices *notices, NotifyNews *news)
{
  notify_news_free (notices->service_news);
  notices->service_news = news;
  show (notices, SERVICE);
}

void
notify_notices_tell_failed_open (NotifyNotices *notices, const char *url, const char *reason)
{
  g_free (notices->failed_url);
  g_free (notices->failed_reason);
  notices->failed_url = g_strdup (url);
  notices->failed_reason = g_strdup (reason);
  show (notices, FAILURE);
}

NotifyNotices *
notify_notices_new (NotifyServer *server)
{
  NotifyNotices *notices = g_new0 (NotifyNotices, 1);

  notices->server = server;
  return notices;
}

void
notify_notices_free (NotifyNotices *notices)
{
  if (notices == NULL)
    return;
  for (gsize i = 0; i < N_NOTICES; i++)
    notify_note_free (notices->notes[i]);
  notify_news_free (notices->service_news);
  g_free (notices->trouble_text);
  g_free (notices->failed_url);
  g_free (notices->failed_reason);
  g_free (notices);
}
