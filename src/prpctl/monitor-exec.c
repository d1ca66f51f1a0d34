/* SPDX-License-Identifier: MIT */
#include "prpctl/monitor-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "prpctl/event-line.h"
#include "prpctl/text.h"

/*
 * monitor --exec: a command for each event, and the books on how far they got.
 *
 * Commands may end in another order than they were started in. A cursor, however, is one place, with all before it
 * dealt with: so each event has an entry, in order, until its command and those of all events before it have run to
 * their end. The cursor that is told and kept is the one behind the last entry that was taken off.
 *
 * A command that fails, or is ended because its time is over, has been run and is told of: the cursor passes it (but
 * not with --strict, which ends at it). One that is ended because we are to end has not.
 */
#define TYPE_MAX_CHARS 100

typedef struct {
  guint64 ticket;
  char *what;   /* for messages */
  char *cursor; /* behind the event; NULL where there is none */
  gboolean is_done;
} Entry;

struct MonitorExec {
  PrpctlRunner *runner;
  GQueue entries; /* of Entry *, in the order of the events */
  guint64 last_ticket;
  char *settled;  /* the cursor behind which nothing is left to be done before the first entry; may be NULL */
};

static void
entry_free (Entry *entry)
{
  g_free (entry->what);
  g_free (entry->cursor);
  g_free (entry);
}

static Entry *
find_entry (MonitorExec *exec, guint64 ticket)
{
  GList *link = exec->entries.head;

  while (((const Entry *) link->data)->ticket != ticket)
    link = link->next;
  return link->data;
}

static void
settle (MonitorExec *exec)
{
  Entry *entry;

  while ((entry = g_queue_peek_head (&exec->entries)) != NULL && entry->is_done) {
    if (entry->cursor != NULL) {
      g_free (exec->settled);
      exec->settled = g_steal_pointer (&entry->cursor);
    }
    entry_free (g_queue_pop_head (&exec->entries));
  }
}

static void
on_ended (guint64 ticket, const PrpctlRunResult *result, gpointer user_data)
{
  Monitor *monitor = user_data;
  MonitorExec *exec = monitor->exec;
  Entry *entry = find_entry (exec, ticket);

  if (result->end != PRPCTL_RUN_EXITED || result->number != 0) {
    g_autofree char *how = prpctl_run_result_describe (result);
    /* Translators: a command, an event, and how the command ended. */
    g_autofree char *text = g_strdup_printf (_("%s for %s %s"), monitor->run->options->exec[0], entry->what, how);
    g_autofree char *safe = prpctl_text_make_safe (text, 4 * TYPE_MAX_CHARS);

    if (result->end == PRPCTL_RUN_STOPPED) {
      monitor_tell (monitor, safe);
      return;
    }
    if (monitor->run->options->strict) {
      monitor_fail (monitor, g_error_new_literal (PRPCTL_ERROR, PRPCTL_EXIT_COMMAND, safe));
      return;
    }
    monitor_tell (monitor, safe);
    if (monitor->run->exit_status == PRPCTL_EXIT_OK)
      monitor->run->exit_status = PRPCTL_EXIT_COMMAND;
  }
  entry->is_done = TRUE;
  settle (exec);
}

/* Ours, but for the variables that the event brings, also where it leaves them empty: none is left from whoever
 * started us. */
static char **
make_environment (const PrpctlEventFields *fields, const char *cursor)
{
  char **environment = g_get_environ ();

  for (guint i = 0; i < PRPCTL_N_FIELDS; i++)
    environment = g_environ_setenv (environment, prpctl_field_get_variable (i), fields->values[i], TRUE);
  return g_environ_setenv (environment, "PRP_CURSOR", cursor != NULL ? cursor : "", TRUE);
}

static GBytes *
make_input (Monitor *monitor, const ClientEvent *event, const char *cursor)
{
  PrpctlLineStyle style = { .json = TRUE };
  GString *line = g_string_new (NULL);

  prpctl_event_append_line (line, event, &style, monitor->run->options->show_cursor ? cursor : NULL, 0);
  return g_string_free_to_bytes (line);
}

void
monitor_exec_start (Monitor *monitor, const ClientEvent *event, const PrpctlEventFields *fields)
{
  MonitorExec *exec = monitor->exec;
  Entry *entry = g_new0 (Entry, 1);
  g_auto (GStrv) environment = NULL;
  g_autoptr (GBytes) input = NULL;
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, event->sequence);
  GError *error = NULL;

  entry->ticket = ++exec->last_ticket;
  entry->cursor = client_catch_up_format_cursor (monitor->catch_up);
  /* Translators: the number of an event, and its type. */
  entry->what = g_strdup_printf (_("event %s (%s)"), number,
                                 fields->values[PRPCTL_FIELD_EVENT_TYPE]);
  environment = make_environment (fields, entry->cursor);
  input = make_input (monitor, event, entry->cursor);
  g_queue_push_tail (&exec->entries, entry);
  if (!prpctl_runner_start (exec->runner, entry->ticket, (const char *const *) environment, input, &error))
    monitor_fail (monitor, error);
}

void
monitor_exec_note_cursor (Monitor *monitor)
{
  if (monitor->exec == NULL || !g_queue_is_empty (&monitor->exec->entries))
    return;
  g_free (monitor->exec->settled);
  monitor->exec->settled = client_catch_up_format_cursor (monitor->catch_up);
}

char *
monitor_exec_dup_cursor (Monitor *monitor)
{
  monitor_exec_note_cursor (monitor);
  return g_strdup (monitor->exec->settled);
}

gboolean
monitor_exec_has_room (const Monitor *monitor)
{
  return monitor->exec == NULL || prpctl_runner_has_room (monitor->exec->runner);
}

gboolean
monitor_exec_is_idle (const Monitor *monitor)
{
  return monitor->exec == NULL || prpctl_runner_is_idle (monitor->exec->runner);
}

gboolean
monitor_exec_set_up (Monitor *monitor, GError **error)
{
  const PrpctlOptions *options = monitor->run->options;
  PrpctlRunner *runner;

  if (options->exec == NULL)
    return TRUE;
  runner = prpctl_runner_new ((const char *const *) options->exec, options->jobs, options->exec_timeout_usec, on_ended,
                              monitor, error);
  if (runner == NULL)
    return FALSE;
  monitor->exec = g_new0 (MonitorExec, 1);
  g_queue_init (&monitor->exec->entries);
  monitor->exec->runner = runner;
  return TRUE;
}

PrpctlRunner *
monitor_exec_get_runner (const Monitor *monitor)
{
  return monitor->exec != NULL ? monitor->exec->runner : NULL;
}

void
monitor_exec_clear (Monitor *monitor)
{
  if (monitor->exec == NULL)
    return;
  prpctl_runner_free (monitor->exec->runner);
  g_queue_clear_full (&monitor->exec->entries, (GDestroyNotify) entry_free);
  g_free (monitor->exec->settled);
  g_clear_pointer (&monitor->exec, g_free);
}
