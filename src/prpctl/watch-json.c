/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-json.h"

#include "client/event.h"
#include "client/json-writer.h"

static void
append_member (GString *out, const char *name, const char *value)
{
  g_string_append_printf (out, "\"%s\":", name);
  client_json_append_string (out, value);
  g_string_append_c (out, ',');
}

static const char *
get_status (const PrpctlWatchRow *row)
{
  return row->rank == PRPCTL_WATCH_DELETED ? "deleted" : row->status;
}

static void
append_row (GString *out, const PrpctlWatchRow *row)
{
  g_string_append_c (out, '{');
  append_member (out, "id", row->id);
  append_member (out, "name", row->name);
  append_member (out, "project", row->project);
  append_member (out, "status", get_status (row));
  append_member (out, "priority", row->priority);
  append_member (out, "agent", row->agent);
  g_string_append (out, "\"progress\":");
  if (row->progress >= 0)
    client_json_append_double (out, row->progress);
  else
    g_string_append (out, "null");
  g_string_append_c (out, ',');
  append_member (out, "task", row->task);
  g_string_append_printf (out, "\"active\":%s,\"changed\":%" G_GUINT64_FORMAT "}",
                          row->rank < PRPCTL_WATCH_FINISHED ? "true" : "false", row->changed_usec);
}

static void
append_gap (GString *out, const PrpctlWatchList *list)
{
  if (list->gap_until_usec == 0) {
    g_string_append (out, "null");
    return;
  }
  g_string_append (out, "{\"since\":");
  if (list->gap_since_usec > CLIENT_EVENT_GAP_SINCE_UNKNOWN)
    g_string_append_printf (out, "%" G_GUINT64_FORMAT, list->gap_since_usec);
  else
    g_string_append (out, "null");
  g_string_append_printf (out, ",\"until\":%" G_GUINT64_FORMAT "}", list->gap_until_usec);
}

void
prpctl_watch_json_append (GString *out, const PrpctlWatchList *list)
{
  g_string_append_c (out, '{');
  append_member (out, "state", list->state);
  g_string_append_printf (out, "\"as_of\":%" G_GUINT64_FORMAT ",\"gap\":", list->as_of_usec);
  append_gap (out, list);
  g_string_append (out, ",\"prps\":[");
  for (guint i = 0; i < list->rows->len; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    append_row (out, g_ptr_array_index (list->rows, i));
  }
  g_string_append (out, "]}\n");
}
