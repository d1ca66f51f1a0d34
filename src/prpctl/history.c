/* SPDX-License-Identifier: MIT */
#include "prpctl/history.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/cursor-file.h"
#include "prpctl/event-line.h"
#include "prpctl/history-call.h"
#include "prpctl/output.h"

/*
 * The history is listed page by page, as many events as the relay gives at once; each page is written before the next
 * one is asked for, so that a long history takes no memory and a reader who leaves ends it.
 *
 * The last N are asked for as such, where N fits into a page. Where it does not, all is listed and the last
 * N lines are kept.
 */

#define MAX_NEWEST 1000 /* what the relay gives at once */
#define DRAIN_BYTES (256 * 1024)

typedef struct {
  PrpctlRun *run;
  ClientCatchUp *catch_up;
  ClientHistoryQuery query;
  PrpctlLineStyle style;
  PrpctlOutput out;
  GQueue *last;      /* of char *: the last lines, where they are kept; NULL: written as they come */
  gboolean is_empty; /* no event was found */
  gboolean reader_left;
} Lister;

static sd_bus_message *
call_history (PrpctlClient *client, sd_bus_message *call, GError **error)
{
  g_auto (sd_bus_error) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  int r;

  if (call == NULL)
    return NULL;
  r = sd_bus_call (client->bus, call, client->timeout_usec, &bus_error, &reply);
  if (r < 0) {
    prpctl_history_failure (bus_error.name, bus_error.message, r, error);
    return NULL;
  }
  return g_steal_pointer (&reply);
}

/* Writes what is there. A reader that has left has what it wanted. */
static gboolean
drain (Lister *lister, GError **error)
{
  int r = prpctl_output_drain (&lister->out);

  if (r >= 0)
    return TRUE;
  if (r == -EPIPE)
    lister->reader_left = TRUE;
  else
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot write the output: %s"), g_strerror (-r));
  return FALSE;
}

static void
note (const char *text)
{
  PrpctlOutput notes;

  prpctl_output_init (&notes, STDERR_FILENO);
  g_string_append_printf (notes.pending, "%s\n", text);
  (void) prpctl_output_drain (&notes);
  prpctl_output_clear (&notes);
}

static gboolean
tell_missed (Lister *lister, ClientMissed missed, GError **error)
{
  g_autofree char *text = NULL;

  if (missed == CLIENT_MISSED_NOTHING)
    return TRUE;
  if (lister->run->options->strict) {
    g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_MISSED, prpctl_history_describe_missed (missed));
    return FALSE;
  }
  lister->run->exit_status = PRPCTL_EXIT_MISSED;
  if (lister->style.json) {
    prpctl_history_append_missed (lister->out.pending, missed);
    g_string_append_c (lister->out.pending, '\n');
  }
  if (!drain (lister, error))
    return FALSE;
  text = g_strdup_printf ("prpctl: %s", prpctl_history_describe_missed (missed));
  note (text);
  return TRUE;
}

static gboolean
show_event (Lister *lister, const ClientEvent *event, GError **error)
{
  const PrpctlOptions *options = lister->run->options;
  g_autoptr (GString) line = g_string_new (NULL);
  g_autofree char *cursor = options->show_cursor ? client_catch_up_format_cursor (lister->catch_up) : NULL;

  prpctl_event_append_line (line, event, &lister->style, cursor, (guint64) g_get_real_time ());
  lister->is_empty = FALSE;
  if (lister->last != NULL) {
    if (lister->last->length == options->lines)
      g_free (g_queue_pop_head (lister->last));
    g_queue_push_tail (lister->last, g_string_free (g_steal_pointer (&line), FALSE));
    return TRUE;
  }
  g_string_append_len (lister->out.pending, line->str, (gssize) line->len);
  return lister->out.pending->len < DRAIN_BYTES || drain (lister, error);
}

/* @event: the first one of the page, already read; emptied. @r: what reading it returned. */
static gboolean
show_page (Lister *lister, sd_bus_message *page, ClientEvent *event, int r, GError **error)
{
  guint64 last = 0;
  gboolean more = FALSE;

  while (r > 0) {
    gboolean shown = !client_catch_up_pass (lister->catch_up, event) || show_event (lister, event, error);

    client_event_clear (event);
    if (!shown)
      return FALSE;
    r = client_history_read_event (page, event);
  }
  if (r >= 0)
    r = client_history_leave_list (page, &last, &more);
  if (!prpctl_client_check (r, error))
    return FALSE;
  /* More, asked for the newest: more than the relay gives at once, of what is older. */
  if (lister->query.newest && more && lister->last->length < lister->run->options->lines)
    lister->query.newest = FALSE;
  else
    client_catch_up_end_page (lister->catch_up, last, more && !lister->query.newest);
  return drain (lister, error);
}

static gboolean
list_page (Lister *lister, GError **error)
{
  PrpctlClient *client = lister->run->client;
  g_autoptr (sd_bus_message) list = NULL, page = NULL, get = NULL, properties = NULL;
  g_auto (ClientHistoryFacts) facts = { 0 };
  g_auto (ClientEvent) first = { 0 };
  ClientMissed missed;
  gboolean is_good;
  int r = 0;

  if (client_catch_up_wants_page (lister->catch_up)) {
    lister->query.after = client_catch_up_get_position (lister->catch_up);
    list = prpctl_history_new_list (client, &lister->query, error);
    page = call_history (client, list, error);
    if (page == NULL)
      return FALSE;
    r = client_history_enter_list (page);
    if (r >= 0)
      r = client_history_read_event (page, &first);
    if (!prpctl_client_check (r, error))
      return FALSE;
  }
  get = prpctl_history_new_get_all (client, error);
  properties = call_history (client, get, error);
  if (properties == NULL || !prpctl_client_check (client_history_read_facts (properties, &facts), error))
    return FALSE;

  is_good = client_catch_up_judge (lister->catch_up, first.sequence, &facts, &missed);
  if (!tell_missed (lister, missed, error))
    return FALSE;
  return !is_good || page == NULL || show_page (lister, page, &first, r, error);
}

static gboolean
list_all (Lister *lister, GError **error)
{
  while (client_catch_up_is_listing (lister->catch_up)) {
    gboolean is_newest = lister->query.newest;

    if (!list_page (lister, error))
      return FALSE;
    if (is_newest && !lister->query.newest) {
      /* They do not fit into one answer: once more from the beginning, keeping the last ones. */
      client_catch_up_rewind (lister->catch_up, lister->query.after);
      g_queue_clear_full (lister->last, g_free);
      lister->query.limit = 0;
    }
  }
  while (lister->last != NULL && lister->last->length > 0) {
    g_autofree char *line = g_queue_pop_head (lister->last);

    g_string_append (lister->out.pending, line);
    if (lister->out.pending->len >= DRAIN_BYTES && !drain (lister, error))
      return FALSE;
  }
  return drain (lister, error);
}

static void
note_end (Lister *lister)
{
  if (lister->is_empty && !lister->style.json)
    note (_("No events."));
  if (lister->run->options->show_cursor) {
    g_autofree char *cursor = client_catch_up_format_cursor (lister->catch_up);
    g_autofree char *text = g_strdup_printf ("-- cursor: %s", cursor);

    note (text);
  }
}

static gboolean
keep_cursor (Lister *lister, GError **error)
{
  const char *path = lister->run->options->cursor_file;
  g_autofree char *cursor = path != NULL ? client_catch_up_format_cursor (lister->catch_up) : NULL;

  return cursor == NULL || prpctl_cursor_file_write (path, cursor, error);
}

static gboolean
clear (PrpctlRun *run, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, "Clear", error);
  g_autoptr (sd_bus_message) reply = call_history (run->client, call, error);

  return reply != NULL;
}

gboolean
prpctl_history (PrpctlRun *run, GError **error)
{
  const PrpctlOptions *options = run->options;
  ClientCursor start = { .kind = CLIENT_CURSOR_START };
  Lister lister = {
    .run = run,
    .is_empty = TRUE,
    .style = { .json = options->json, .color = run->color },
    .query = { .types = options->types, .prp = options->prp, .agent = options->agent, .project = options->project,
               .since_usec = options->since_usec },
  };
  ClientCursor kept = { 0 };
  gboolean is_kept = FALSE, success;

  if (options->clear)
    return clear (run, error);
  if (options->cursor_file != NULL && !prpctl_cursor_file_read (options->cursor_file, &kept, &is_kept, error))
    return FALSE;
  if (options->lines > 0)
    lister.last = g_queue_new ();
  if (options->lines > 0 && options->lines <= MAX_NEWEST) {
    lister.query.newest = TRUE;
    lister.query.limit = (guint) options->lines;
  }
  prpctl_output_init (&lister.out, STDOUT_FILENO);
  lister.catch_up = client_catch_up_new (is_kept ? &kept :
                                         (options->given & PRPCTL_OPTION_FROM) != 0 ? &options->from : &start);
  client_cursor_clear (&kept);
  success = list_all (&lister, error) && keep_cursor (&lister, error);
  if (success)
    note_end (&lister);

  client_catch_up_free (lister.catch_up);
  prpctl_output_clear (&lister.out);
  if (lister.last != NULL)
    g_queue_free_full (lister.last, g_free);
  return success || lister.reader_left;
}
