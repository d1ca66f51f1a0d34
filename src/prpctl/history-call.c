/* SPDX-License-Identifier: MIT */
#include "prpctl/history-call.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/failure.h"
#include "prpctl/text.h"

#define ARGUMENT_MAX_CHARS 100

static gboolean
append_types (sd_bus_message *call, char **types, GError **error)
{
  int r;

  if (types == NULL || types[0] == NULL)
    return TRUE;
  r = sd_bus_message_open_container (call, SD_BUS_TYPE_DICT_ENTRY, "sv");
  if (r >= 0)
    r = sd_bus_message_append (call, "s", RELAY_FILTER_TYPES);
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_VARIANT, "as");
  if (!prpctl_client_check (r, error) || !prpctl_client_append_strings (call, types, error))
    return FALSE;
  r = sd_bus_message_close_container (call);
  if (r >= 0)
    r = sd_bus_message_close_container (call);
  return prpctl_client_check (r, error);
}

static gboolean
append_id (sd_bus_message *call, const char *key, const char *id, GError **error)
{
  int r;

  if (id == NULL)
    return TRUE;
  r = sd_bus_message_append (call, "{sv}", key, "s", id);
  if (r == -EINVAL) {
    g_autofree char *safe = prpctl_text_make_safe (id, ARGUMENT_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("“%s” is not text that the bus can carry"), safe);
    return FALSE;
  }
  return prpctl_client_check (r, error);
}

sd_bus_message *
prpctl_history_new_list (PrpctlClient *client, const PrpctlHistoryQuery *query, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, "ListEvents", error);

  if (call == NULL ||
      !prpctl_client_check (sd_bus_message_append (call, "tu", query->after, query->limit), error) ||
      !prpctl_client_check (sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "{sv}"), error) ||
      !append_types (call, query->types, error) ||
      !append_id (call, RELAY_FILTER_PRP, query->prp, error) ||
      !append_id (call, RELAY_FILTER_AGENT, query->agent, error) ||
      !append_id (call, RELAY_FILTER_PROJECT, query->project, error))
    return NULL;
  if (query->since_usec != 0 &&
      !prpctl_client_check (sd_bus_message_append (call, "{sv}", RELAY_FILTER_SINCE, "t", query->since_usec), error))
    return NULL;
  if (query->newest &&
      !prpctl_client_check (sd_bus_message_append (call, "{sv}", RELAY_FILTER_NEWEST, "b", TRUE), error))
    return NULL;
  if (!prpctl_client_check (sd_bus_message_close_container (call), error))
    return NULL;
  return g_steal_pointer (&call);
}

sd_bus_message *
prpctl_history_new_get_all (PrpctlClient *client, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", error);

  if (call == NULL || !prpctl_client_check (sd_bus_message_append (call, "s", RELAY_HISTORY_INTERFACE), error))
    return NULL;
  return g_steal_pointer (&call);
}

int
prpctl_history_enter_list (sd_bus_message *reply)
{
  return sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "a{sv}");
}

int
prpctl_history_read_event (sd_bus_message *reply, PrpctlEvent *ret_event)
{
  return prpctl_event_read (reply, ret_event);
}

int
prpctl_history_leave_list (sd_bus_message *reply, guint64 *ret_last_sequence, gboolean *ret_more)
{
  int more = 0;
  int r = sd_bus_message_exit_container (reply);

  if (r >= 0)
    r = sd_bus_message_read (reply, "tb", ret_last_sequence, &more);
  if (r >= 0)
    *ret_more = more != 0;
  return r;
}

int
prpctl_history_read_facts (sd_bus_message *reply, PrpctlHistoryFacts *ret_facts)
{
  g_auto (PrpctlHistoryFacts) facts = { 0 };
  gboolean has_first = FALSE, has_last = FALSE;
  const char *key, *id;
  int r = sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (reply, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    r = sd_bus_message_read (reply, "s", &key);
    if (r < 0)
      return r;
    if (g_str_equal (key, "HistoryId")) {
      r = sd_bus_message_read (reply, "v", "s", &id);
      if (r >= 0) {
        g_free (facts.id);
        facts.id = g_strdup (id);
      }
    } else if (g_str_equal (key, "FirstSequence")) {
      r = sd_bus_message_read (reply, "v", "t", &facts.first_sequence);
      has_first = TRUE;
    } else if (g_str_equal (key, "LastSequence")) {
      r = sd_bus_message_read (reply, "v", "t", &facts.last_sequence);
      has_last = TRUE;
    } else {
      r = sd_bus_message_skip (reply, "v");
    }
    if (r >= 0)
      r = sd_bus_message_exit_container (reply);
    if (r < 0)
      return r;
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (reply);
  if (r < 0)
    return r;
  if (facts.id == NULL || !has_first || !has_last)
    return -EBADMSG;
  *ret_facts = facts;
  facts.id = NULL;
  return 1;
}

void
prpctl_history_failure (const char *name, const char *message, int error_number, GError **error)
{
  static const char *const unknown[] = { "org.freedesktop.DBus.Error.UnknownMethod",
                                         "org.freedesktop.DBus.Error.UnknownInterface",
                                         "org.freedesktop.DBus.Error.UnknownObject" };

  for (gsize i = 0; i < G_N_ELEMENTS (unknown); i++)
    if (g_strcmp0 (name, unknown[i]) == 0) {
      g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE,
                           _("The prp-relayd that is running is an older one, which has no history\n"
                             "'systemctl --user restart prp-relayd.service' runs the one that is installed."));
      return;
    }
  prpctl_failure_from_bus (name, message, error_number, error);
}

const char *
prpctl_history_describe_missed (PrpctlMissed missed)
{
  switch (missed) {
  case PRPCTL_MISSED_NOTHING: return "";
  case PRPCTL_MISSED_HISTORY:
    return _("events may have been missed: the relay's history was lost or cleared since then; all that it has follows");
  case PRPCTL_MISSED_EVENTS:
    return _("events may have been missed: the relay's history does not reach back that far; all that it has follows");
  }
  g_assert_not_reached ();
}

void
prpctl_history_append_missed (GString *out, PrpctlMissed missed)
{
  g_string_append_printf (out, "{\"id\":\"\",\"type\":\"prpctl.missed\",\"data\":{\"cause\":\"%s\"}}",
                          missed == PRPCTL_MISSED_HISTORY ? "HISTORY_CHANGED" : "HISTORY_TOO_SHORT");
}
