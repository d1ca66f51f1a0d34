/* SPDX-License-Identifier: MIT */
#include "notify/words.h"

#include <glib/gi18n-lib.h>

#include "client/event.h"
#include "notify/markup.h"

#define TEXT_MAX_CHARS 300

void
notify_words_clear (NotifyWords *words)
{
  g_clear_pointer (&words->summary, g_free);
  g_clear_pointer (&words->body, g_free);
}

/* Takes @line over; NULL and "" are none. */
static void
add_line (GString *body, char *line)
{
  if (line != NULL && *line != '\0')
    g_string_append_printf (body, "%s%s", body->len > 0 ? "\n" : "", line);
  g_free (line);
}

static void
finish (NotifyWords *words, char *summary, GString *body)
{
  words->summary = summary;
  words->body = g_string_free (body, FALSE);
}

/* -- one PRP ----------------------------------------------------------------------------------------------------- */

char *
notify_words_name_card (const NotifyCard *card)
{
  g_autofree char *id = NULL;

  if (card->name != NULL)
    return g_strdup (card->name);
  id = notify_markup_make_line (card->prp_id, NOTIFY_CARD_MAX_FIELD_CHARS);
  return g_strdup_printf (_("PRP %s"), id);
}

static char *
make_agent (const NotifyCard *card)
{
  return notify_markup_make_line (card->agent_id, NOTIFY_CARD_MAX_FIELD_CHARS);
}

static char *
describe_progress (const NotifyCard *card)
{
  g_autofree char *percent = g_strdup_printf ("%.4g", card->progress);

  if (card->task != NULL)
    return g_strdup_printf (_("%s%% done: %s"), percent, card->task);
  return g_strdup_printf (_("%s%% done"), percent);
}

static char *
describe_status (const NotifyCard *card)
{
  if (card->status == NULL)
    return NULL;
  if (card->former_status != NULL)
    /* Translators: what a PRP's status is, and what it was before. */
    return g_strdup_printf (_("Status: %s (was %s)"), card->status, card->former_status);
  return g_strdup_printf (_("Status: %s"), card->status);
}

static char *
describe_news (const NotifyCard *card)
{
  g_autofree char *agent = NULL;

  switch (card->news) {
  case NOTIFY_KIND_CREATED: return g_strdup (_("Created"));
  case NOTIFY_KIND_ASSIGNED:
    agent = make_agent (card);
    return g_strdup_printf (_("Agent %s was assigned"), agent);
  case NOTIFY_KIND_STATUS: return describe_status (card);
  case NOTIFY_KIND_COMPLETED: return g_strdup (_("Completed"));
  case NOTIFY_KIND_FAILED: return g_strdup (_("Failed"));
  case NOTIFY_KIND_DELETED: return g_strdup (_("Deleted"));
  case NOTIFY_KIND_UPDATED: return g_strdup (_("Changed"));
  case NOTIFY_KIND_PROGRESS: return describe_progress (card);
  case NOTIFY_KIND_OTHER: return g_strdup (card->type);
  case NOTIFY_KIND_ERROR:
  case NOTIFY_KIND_GAP: break; /* are about no PRP */
  }
  return NULL;
}

static gboolean
is_about_status (const NotifyCard *card)
{
  return card->news == NOTIFY_KIND_STATUS || card->news == NOTIFY_KIND_COMPLETED || card->news == NOTIFY_KIND_FAILED;
}

/* What else is known, and not said above it: on one line. */
static char *
list_facts (const NotifyCard *card)
{
  g_autoptr (GPtrArray) facts = g_ptr_array_new_with_free_func (g_free);

  if (card->news == NOTIFY_KIND_DELETED)
    return NULL;
  if (card->status != NULL && !is_about_status (card))
    g_ptr_array_add (facts, g_strdup_printf (_("Status: %s"), card->status));
  if (card->priority != NULL && (card->news == NOTIFY_KIND_CREATED || card->news == NOTIFY_KIND_ASSIGNED))
    g_ptr_array_add (facts, g_strdup_printf (_("Priority: %s"), card->priority));
  if (card->agent_id != NULL && card->news != NOTIFY_KIND_ASSIGNED) {
    g_autofree char *agent = make_agent (card);

    g_ptr_array_add (facts, g_strdup_printf (_("Agent: %s"), agent));
  }
  g_ptr_array_add (facts, NULL);
  return g_strjoinv (" · ", (char **) facts->pdata);
}

void
notify_words_of_card (const NotifyCard *card, NotifyWords *ret_words)
{
  GString *body = g_string_new (NULL);

  add_line (body, describe_news (card));
  add_line (body, g_strdup (card->reason));
  if (card->news != NOTIFY_KIND_PROGRESS && notify_card_is_underway (card))
    add_line (body, describe_progress (card));
  add_line (body, list_facts (card));
  finish (ret_words, notify_words_name_card (card), body);
}

/* -- many -------------------------------------------------------------------------------------------------------- */

static char *
count_kind (NotifyKind kind, guint n)
{
  switch (kind) {
  case NOTIFY_KIND_CREATED: return g_strdup_printf (ngettext ("%u PRP created", "%u PRPs created", n), n);
  case NOTIFY_KIND_ASSIGNED: return g_strdup_printf (ngettext ("%u agent assigned", "%u agents assigned", n), n);
  case NOTIFY_KIND_STATUS: return g_strdup_printf (ngettext ("%u change of status", "%u changes of status", n), n);
  case NOTIFY_KIND_COMPLETED: return g_strdup_printf (ngettext ("%u PRP completed", "%u PRPs completed", n), n);
  case NOTIFY_KIND_FAILED: return g_strdup_printf (ngettext ("%u PRP failed", "%u PRPs failed", n), n);
  case NOTIFY_KIND_DELETED: return g_strdup_printf (ngettext ("%u PRP deleted", "%u PRPs deleted", n), n);
  case NOTIFY_KIND_UPDATED: return g_strdup_printf (ngettext ("%u other change", "%u other changes", n), n);
  case NOTIFY_KIND_PROGRESS: return g_strdup_printf (ngettext ("%u report of progress", "%u reports of progress", n), n);
  case NOTIFY_KIND_ERROR:
    return g_strdup_printf (ngettext ("%u error of the service", "%u errors of the service", n), n);
  case NOTIFY_KIND_OTHER:
  case NOTIFY_KIND_GAP: break; /* a gap is not counted here */
  }
  return g_strdup_printf (ngettext ("%u other event", "%u other events", n), n);
}

static char *
count_kinds (const NotifyDigest *digest)
{
  /* What a person wants to know first. */
  static const NotifyKind order[] = { NOTIFY_KIND_FAILED,  NOTIFY_KIND_COMPLETED, NOTIFY_KIND_CREATED,
                                      NOTIFY_KIND_DELETED, NOTIFY_KIND_ASSIGNED,  NOTIFY_KIND_STATUS,
                                      NOTIFY_KIND_UPDATED, NOTIFY_KIND_PROGRESS,  NOTIFY_KIND_ERROR,
                                      NOTIFY_KIND_OTHER };
  g_autoptr (GPtrArray) counts = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; i < G_N_ELEMENTS (order); i++) {
    guint n = notify_digest_get_events_of (digest, order[i]);

    if (n > 0)
      g_ptr_array_add (counts, count_kind (order[i], n));
  }
  g_ptr_array_add (counts, NULL);
  /* Translators: stands between the items of a list. */
  return g_strjoinv (C_ ("list", ", "), (char **) counts->pdata);
}

static char *
count_prps (const NotifyDigest *digest)
{
  gboolean is_all;
  guint n = notify_digest_get_prps (digest, &is_all);

  if (is_all)
    return g_strdup_printf (ngettext ("%u PRP", "%u PRPs", n), n);
  return g_strdup_printf (ngettext ("more than %u PRP", "more than %u PRPs", n), n);
}

static gboolean
is_about_none (const NotifyDigest *digest)
{
  gboolean is_all;

  return notify_digest_get_prps (digest, &is_all) == 0;
}

static char *
list_names (const NotifyDigest *digest, const char *const *names)
{
  gboolean is_all;
  g_autofree char *list = g_strjoinv (C_ ("list", ", "), (char **) names);

  if (notify_digest_get_prps (digest, &is_all) <= g_strv_length ((char **) names))
    return g_steal_pointer (&list);
  /* Translators: names of PRPs, separated by commas; there are more. */
  return g_strdup_printf (_("%s, …"), list);
}

/* -- troubles ---------------------------------------------------------------------------------------------------- */

/* As a person reads it; with the date where it is of another day than @other. */
static char *
format_time (guint64 usec, guint64 other_usec)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local ((gint64) (usec / G_USEC_PER_SEC));
  g_autoptr (GDateTime) other = g_date_time_new_from_unix_local ((gint64) (other_usec / G_USEC_PER_SEC));

  if (time == NULL || other == NULL)
    return g_strdup ("?");
  if (g_date_time_get_year (time) == g_date_time_get_year (other) &&
      g_date_time_get_day_of_year (time) == g_date_time_get_day_of_year (other))
    return g_date_time_format (time, "%H:%M");
  return g_date_time_format (time, "%Y-%m-%d %H:%M");
}

static char *
describe_gap (guint64 since_usec, guint64 until_usec)
{
  g_autofree char *since = format_time (since_usec, until_usec);
  g_autofree char *until = format_time (until_usec, since_usec);

  if (until_usec == 0)
    return g_strdup (_("Some may have been missed."));
  if (since_usec <= CLIENT_EVENT_GAP_SINCE_UNKNOWN) {
    g_autofree char *only = format_time (until_usec, until_usec);

    return g_strdup_printf (_("Some may have been missed until %s."), only);
  }
  return g_strdup_printf (_("Some may have been missed between %s and %s."), since, until);
}

void
notify_words_of_digest (const NotifyDigest *digest, const char *const *names, gboolean is_past, NotifyWords *ret_words)
{
  guint n_events = notify_digest_get_events (digest);
  g_autofree char *events = g_strdup_printf (ngettext ("%u event", "%u events", n_events), n_events);
  g_autofree char *prps = count_prps (digest);
  GString *body = g_string_new (NULL);
  guint64 since, until;

  if (is_past)
    add_line (body, g_strdup (_("What happened in the meantime:")));
  add_line (body, count_kinds (digest));
  add_line (body, list_names (digest, names));
  if (notify_digest_get_gap (digest, &since, &until))
    add_line (body, describe_gap (since, until));
  finish (ret_words, is_about_none (digest) ? g_steal_pointer (&events) : g_strdup_printf ("%s · %s", events, prps), body);
}

void
notify_words_of_unauthorized (const char *text, NotifyWords *ret_words)
{
  GString *body = g_string_new (NULL);

  add_line (body, notify_markup_make_line (text, TEXT_MAX_CHARS));
  add_line (body, g_strdup (_("“prpctl login” in a terminal brings the events back.")));
  finish (ret_words, g_strdup (_("No PRP events: new credentials are needed")), body);
}

void
notify_words_of_outage (guint64 since_usec, const char *text, NotifyWords *ret_words)
{
  g_autofree char *since = format_time (since_usec, since_usec);
  GString *body = g_string_new (NULL);

  add_line (body, notify_markup_make_line (text, TEXT_MAX_CHARS));
  add_line (body, g_strdup (_("The relay goes on trying.")));
  finish (ret_words, g_strdup_printf (_("No PRP events since %s"), since), body);
}

void
notify_words_of_gap (guint64 since_usec, guint64 until_usec, NotifyWords *ret_words)
{
  GString *body = g_string_new (NULL);

  add_line (body, describe_gap (since_usec, until_usec));
  add_line (body, g_strdup (_("What is shown of PRPs may be out of date.")));
  finish (ret_words, g_strdup (_("PRP events were interrupted")), body);
}

void
notify_words_of_service (const NotifyNews *news, NotifyWords *ret_words)
{
  gboolean is_error = news->kind == NOTIFY_KIND_ERROR;
  GString *body = g_string_new (NULL);

  add_line (body, notify_markup_make_line (news->reason, TEXT_MAX_CHARS));
  add_line (body, notify_markup_make_line (is_error ? news->code : news->type, NOTIFY_CARD_MAX_FIELD_CHARS));
  finish (ret_words, g_strdup (is_error ? _("The PRP service reports an error") : _("News from the PRP service")), body);
}

void
notify_words_of_failed_open (const char *url, const char *reason, NotifyWords *ret_words)
{
  GString *body = g_string_new (NULL);

  add_line (body, notify_markup_make_line (url, TEXT_MAX_CHARS));
  add_line (body, notify_markup_make_line (reason, TEXT_MAX_CHARS));
  finish (ret_words, g_strdup (_("The address cannot be opened")), body);
}

const char *
notify_words_get_open (void)
{
  return _("Open");
}

const char *
notify_words_get_mute (void)
{
  return _("Mute this PRP");
}

const char *
notify_words_get_dismiss (void)
{
  return _("Dismiss");
}
