/* SPDX-License-Identifier: MIT */
#include "wire/event.h"

#include <string.h>

/*
 * The one table of event types. Adding an event of the server means adding a row here and its signal in
 * dbus/dev.prp.Relay1.xml: the arguments, their order and what makes the event what it is are read from here by whoever
 * emits it.
 */
static const RelayEventInfo infos[RELAY_EVENT_N_KINDS] = {
  [RELAY_EVENT_PRP_CREATED] = { "prp.created", "PrpCreated", {
      { "prp_id", "id", 's', TRUE },
      { "project_id", "projectId", 's', TRUE },
      { "name", "name", 's', FALSE },
      { "status", "status", 's', FALSE },
      { "priority", "priority", 's', FALSE },
  } },
  [RELAY_EVENT_PRP_UPDATED] = { "prp.updated", "PrpUpdated", {
      { "prp_id", "id", 's', TRUE },
      { "changes", "changes", 'c', FALSE },
  } },
  [RELAY_EVENT_PRP_STATUS_CHANGED] = { "prp.status_changed", "PrpStatusChanged", {
      { "prp_id", "id", 's', TRUE },
      { "previous_status", "previousStatus", 's', FALSE },
      { "new_status", "newStatus", 's', FALSE },
      { "reason", "reason", 's', FALSE },
  } },
  [RELAY_EVENT_PRP_DELETED] = { "prp.deleted", "PrpDeleted", {
      { "prp_id", "id", 's', TRUE },
      { "project_id", "projectId", 's', TRUE },
      { "reason", "reason", 's', FALSE },
  } },
  [RELAY_EVENT_AGENT_ASSIGNED] = { "agent.assigned", "AgentAssigned", {
      { "agent_id", "agentId", 's', TRUE },
      { "prp_id", "prpId", 's', TRUE },
      { "priority", "priority", 's', FALSE },
  } },
  [RELAY_EVENT_AGENT_PROGRESS] = { "agent.progress", "AgentProgress", {
      { "agent_id", "agentId", 's', TRUE },
      { "prp_id", "prpId", 's', TRUE },
      { "progress", "progress", 'd', FALSE },
      { "current_task", "currentTask", 's', FALSE },
  } },
  [RELAY_EVENT_ERROR] = { "error", "ServerError", {
      { "code", "code", 's', FALSE },
      { "message", "message", 's', FALSE },
  } },
  [RELAY_EVENT_OTHER] = { NULL, "OtherEvent", {
      { "type", NULL, 's', FALSE },
  } },
  [RELAY_EVENT_CONNECTION_ESTABLISHED] = { "connection.established", NULL, { { NULL } } },
  [RELAY_EVENT_HEARTBEAT] = { "heartbeat", NULL, { { NULL } } },
  [RELAY_EVENT_PONG] = { "pong", NULL, { { NULL } } },
  [RELAY_EVENT_SUBSCRIPTION_CONFIRMED] = { "subscription.confirmed", NULL, { { NULL } } },
  [RELAY_EVENT_TOKEN_EXPIRED] = { "token_expired", NULL, { { NULL } } },
};

G_DEFINE_QUARK (relay-event-error-quark, relay_event_error)

const RelayEventInfo *
relay_event_kind_get_info (RelayEventKind kind)
{
  g_assert (kind < RELAY_EVENT_N_KINDS);
  return &infos[kind];
}

static guint
find_typed (const RelayJsonReader *reader, guint object, const char *name, RelayJsonType type)
{
  guint token = relay_json_reader_find (reader, object, name);

  return token != 0 && reader->tape[token].type == type ? token : 0;
}

/* Does `data` have what makes the event one of its kind? */
static gboolean
is_identified (const RelayEvent *event, const RelayEventInfo *info)
{
  for (guint i = 0; i < RELAY_EVENT_MAX_ARGUMENTS && info->arguments[i].name != NULL; i++)
    if (info->arguments[i].required &&
        find_typed (event->reader, event->data, info->arguments[i].member, RELAY_JSON_STRING) == 0)
      return FALSE;
  return TRUE;
}

static RelayEventKind
find_kind (const RelayEvent *event)
{
  for (guint kind = 0; kind < RELAY_EVENT_N_KINDS; kind++)
    if (infos[kind].type != NULL && relay_json_reader_string_equal (event->reader, event->type, infos[kind].type))
      return is_identified (event, &infos[kind]) ? kind : RELAY_EVENT_OTHER;
  return RELAY_EVENT_OTHER;
}

gboolean
relay_event_read (RelayEvent *event, RelayJsonReader *reader, const char *text, gsize length, GError **error)
{
  RelayEvent read = { .reader = reader };

  if (!relay_json_reader_read (reader, text, length, error))
    return FALSE;
  if (reader->tape[0].type != RELAY_JSON_OBJECT) {
    g_set_error_literal (error, RELAY_EVENT_ERROR_DOMAIN, RELAY_EVENT_ERROR_NOT_AN_OBJECT,
                         "JSON, but not an object at byte 0");
    return FALSE;
  }
  read.type = find_typed (reader, 0, "type", RELAY_JSON_STRING);
  if (read.type == 0) {
    g_set_error_literal (error, RELAY_EVENT_ERROR_DOMAIN, RELAY_EVENT_ERROR_NO_TYPE,
                         "an object without a string “type” at byte 0");
    return FALSE;
  }
  read.id = find_typed (reader, 0, "id", RELAY_JSON_STRING);
  read.timestamp = find_typed (reader, 0, "timestamp", RELAY_JSON_STRING);
  read.metadata = find_typed (reader, 0, "metadata", RELAY_JSON_OBJECT);
  read.data = relay_json_reader_find (reader, 0, "data");
  read.kind = find_kind (&read);

  *event = read;
  return TRUE;
}

guint
relay_event_find (const RelayEvent *event, const char *member)
{
  return event->data != 0 ? relay_json_reader_find (event->reader, event->data, member) : 0;
}

char *
relay_event_dup_member (const RelayEvent *event, const char *member)
{
  guint token = relay_event_find (event, member);
  char *value = token != 0 ? relay_json_reader_dup_string (event->reader, token) : NULL;

  return value != NULL ? value : g_strdup ("");
}
