/* SPDX-License-Identifier: MIT */
#include "client/history.h"

#include <errno.h>

#include "common/names.h"

static int
append_types (sd_bus_message *call, char **types, const char **ret_bad)
{
  int r;

  if (types == NULL || types[0] == NULL)
    return 0;
  r = sd_bus_message_open_container (call, SD_BUS_TYPE_DICT_ENTRY, "sv");
  if (r >= 0)
    r = sd_bus_message_append (call, "s", RELAY_FILTER_TYPES);
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_VARIANT, "as");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "s");
  for (guint i = 0; r >= 0 && types[i] != NULL; i++) {
    r = sd_bus_message_append (call, "s", types[i]);
    if (r == -EINVAL)
      *ret_bad = types[i];
  }
  for (guint i = 0; r >= 0 && i < 3; i++)
    r = sd_bus_message_close_container (call);
  return r;
}

static int
append_id (sd_bus_message *call, const char *key, const char *id, const char **ret_bad)
{
  int r = id != NULL ? sd_bus_message_append (call, "{sv}", key, "s", id) : 0;

  if (r == -EINVAL)
    *ret_bad = id;
  return r;
}

int
client_history_new_list (sd_bus *bus, const ClientHistoryQuery *query, sd_bus_message **ret_call, const char **ret_bad)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r = sd_bus_message_new_method_call (bus, &call, RELAY_BUS_NAME, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE,
                                          "ListEvents");

  *ret_bad = NULL;
  if (r >= 0)
    r = sd_bus_message_append (call, "tu", query->after, query->limit);
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "{sv}");
  if (r >= 0)
    r = append_types (call, query->types, ret_bad);
  if (r >= 0)
    r = append_id (call, RELAY_FILTER_PRP, query->prp, ret_bad);
  if (r >= 0)
    r = append_id (call, RELAY_FILTER_AGENT, query->agent, ret_bad);
  if (r >= 0)
    r = append_id (call, RELAY_FILTER_PROJECT, query->project, ret_bad);
  if (r >= 0 && query->since_usec != 0)
    r = sd_bus_message_append (call, "{sv}", RELAY_FILTER_SINCE, "t", query->since_usec);
  if (r >= 0 && query->newest)
    r = sd_bus_message_append (call, "{sv}", RELAY_FILTER_NEWEST, "b", TRUE);
  if (r >= 0)
    r = sd_bus_message_close_container (call);
  if (r >= 0)
    *ret_call = g_steal_pointer (&call);
  return r;
}

int
client_history_new_get_all (sd_bus *bus, sd_bus_message **ret_call)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r = sd_bus_message_new_method_call (bus, &call, RELAY_BUS_NAME, RELAY_OBJECT_PATH,
                                          "org.freedesktop.DBus.Properties", "GetAll");

  if (r >= 0)
    r = sd_bus_message_append (call, "s", RELAY_HISTORY_INTERFACE);
  if (r >= 0)
    *ret_call = g_steal_pointer (&call);
  return r;
}

int
client_history_enter_list (sd_bus_message *reply)
{
  return sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "a{sv}");
}

int
client_history_read_event (sd_bus_message *reply, ClientEvent *ret_event)
{
  return client_event_read (reply, ret_event);
}

int
client_history_leave_list (sd_bus_message *reply, guint64 *ret_last_sequence, gboolean *ret_more)
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
client_history_read_facts (sd_bus_message *reply, ClientHistoryFacts *ret_facts)
{
  g_auto (ClientHistoryFacts) facts = { 0 };
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
