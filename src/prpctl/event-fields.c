/* SPDX-License-Identifier: MIT */
#include "prpctl/event-fields.h"

#include <string.h>

#include "common/json-reader.h"

#define MAX_MEMBERS 2

typedef enum {
  FROM_RELAY,   /* the relay's own word on the event */
  FROM_EVENT,   /* a member of the event itself */
  FROM_DATA,    /* a member of its data */
  FROM_CHANGES, /* likewise; or what is new of it, in data.changes */
  FROM_TIME,    /* a member of its data, in microseconds */
} Source;

static const struct {
  const char *variable;
  Source source;
  const char *members[MAX_MEMBERS]; /* the first that is there counts */
  const char *prefix;               /* or data.id, in an event of a type that begins so */
} fields[PRPCTL_N_FIELDS] = {
  [PRPCTL_FIELD_EVENT_TYPE] = { "PRP_EVENT_TYPE", FROM_EVENT, { "type" }, NULL },
  [PRPCTL_FIELD_EVENT_ID] = { "PRP_EVENT_ID", FROM_EVENT, { "id" }, NULL },
  [PRPCTL_FIELD_SEQUENCE] = { "PRP_SEQUENCE", FROM_RELAY, { NULL }, NULL },
  [PRPCTL_FIELD_TIMESTAMP] = { "PRP_TIMESTAMP", FROM_EVENT, { "timestamp" }, NULL },
  [PRPCTL_FIELD_RECEIVED] = { "PRP_RECEIVED", FROM_RELAY, { NULL }, NULL },
  [PRPCTL_FIELD_PRP] = { "PRP_ID", FROM_DATA, { "prpId" }, "prp." },
  [PRPCTL_FIELD_PROJECT] = { "PRP_PROJECT_ID", FROM_DATA, { "projectId" }, "project." },
  [PRPCTL_FIELD_AGENT] = { "PRP_AGENT_ID", FROM_DATA, { "agentId" }, "agent." },
  [PRPCTL_FIELD_NAME] = { "PRP_NAME", FROM_CHANGES, { "name" }, NULL },
  [PRPCTL_FIELD_STATUS] = { "PRP_STATUS", FROM_CHANGES, { "newStatus", "status" }, NULL },
  [PRPCTL_FIELD_PREVIOUS_STATUS] = { "PRP_PREVIOUS_STATUS", FROM_DATA, { "previousStatus" }, NULL },
  [PRPCTL_FIELD_PRIORITY] = { "PRP_PRIORITY", FROM_CHANGES, { "priority" }, NULL },
  [PRPCTL_FIELD_PROGRESS] = { "PRP_PROGRESS", FROM_DATA, { "progress" }, NULL },
  [PRPCTL_FIELD_TASK] = { "PRP_TASK", FROM_DATA, { "currentTask" }, NULL },
  [PRPCTL_FIELD_REASON] = { "PRP_REASON", FROM_DATA, { "reason" }, NULL },
  [PRPCTL_FIELD_CODE] = { "PRP_CODE", FROM_DATA, { "code" }, NULL },
  [PRPCTL_FIELD_MESSAGE] = { "PRP_MESSAGE", FROM_DATA, { "message" }, NULL },
  [PRPCTL_FIELD_CAUSE] = { "PRP_CAUSE", FROM_DATA, { "cause" }, NULL },
  [PRPCTL_FIELD_CHANNELS] = { "PRP_CHANNELS", FROM_DATA, { "channels" }, NULL },
  [PRPCTL_FIELD_SINCE] = { "PRP_SINCE", FROM_TIME, { "since" }, NULL },
  [PRPCTL_FIELD_UNTIL] = { "PRP_UNTIL", FROM_TIME, { "until" }, NULL },
};

const char *
prpctl_field_get_variable (PrpctlField field)
{
  return fields[field].variable;
}

/* At most PRPCTL_FIELD_MAX_BYTES of @text, which is valid UTF-8; consumed. */
static char *
cut (char *text)
{
  if (strlen (text) > PRPCTL_FIELD_MAX_BYTES)
    *g_utf8_find_prev_char (text, text + PRPCTL_FIELD_MAX_BYTES + 1) = '\0';
  return text;
}

static char *
read_number (const RelayJsonReader *json, guint token)
{
  char *text = g_malloc0 (relay_json_reader_text_length (json, token) + 1);

  relay_json_reader_text_copy (json, token, text);
  return cut (text);
}

static char *
read_value (const RelayJsonReader *json, guint token)
{
  GString *list;

  switch ((RelayJsonType) json->tape[token].type) {
  case RELAY_JSON_STRING:
    return cut (relay_json_reader_dup_string (json, token));
  case RELAY_JSON_INT64:
  case RELAY_JSON_UINT64:
  case RELAY_JSON_DOUBLE:
    return read_number (json, token);
  case RELAY_JSON_ARRAY:
    list = g_string_new (NULL);
    for (guint item = token + 1; item < json->tape[token].next; item = json->tape[item].next) {
      g_autofree char *text = relay_json_reader_dup_string (json, item);

      if (text != NULL && list->len <= PRPCTL_FIELD_MAX_BYTES)
        g_string_append_printf (list, "%s%s", list->len > 0 ? " " : "", text);
    }
    return cut (g_string_free (list, FALSE));
  case RELAY_JSON_NULL:
  case RELAY_JSON_FALSE:
  case RELAY_JSON_TRUE:
  case RELAY_JSON_OBJECT:
    break;
  }
  return g_strdup ("");
}

static char *
format_time (guint64 usec)
{
  if (usec == 0)
    return g_strdup ("");
  return g_strdup_printf ("%" G_GUINT64_FORMAT ".%06u", usec / G_USEC_PER_SEC, (guint) (usec % G_USEC_PER_SEC));
}

static guint
find_member (const RelayJsonReader *json, guint data, PrpctlField field, const char *type)
{
  guint changes = fields[field].source == FROM_CHANGES ? relay_json_reader_find (json, data, "changes") : 0;
  guint token = 0;

  for (guint i = 0; i < MAX_MEMBERS && token == 0 && fields[field].members[i] != NULL; i++) {
    token = relay_json_reader_find (json, data, fields[field].members[i]);
    if (token == 0 && changes != 0) {
      guint change = relay_json_reader_find (json, changes, fields[field].members[i]);

      token = change != 0 ? relay_json_reader_find (json, change, "new") : 0;
    }
  }
  if (token == 0 && fields[field].prefix != NULL && g_str_has_prefix (type, fields[field].prefix))
    token = relay_json_reader_find (json, data, "id");
  return token;
}

static char *
read_field (const RelayJsonReader *json, PrpctlField field, const char *type)
{
  guint object = fields[field].source == FROM_EVENT ? 0 : relay_json_reader_find (json, 0, "data");
  guint token = fields[field].source == FROM_EVENT || object != 0 ? find_member (json, object, field, type) : 0;

  if (token == 0)
    return g_strdup ("");
  if (fields[field].source != FROM_TIME)
    return read_value (json, token);
  return format_time (json->tape[token].type == RELAY_JSON_INT64 ?
                      (guint64) MAX (relay_json_reader_int64 (json, token), 0) : 0);
}

void
prpctl_event_fields_read (PrpctlEventFields *ret_fields, const ClientEvent *event)
{
  RelayJsonReader json = { 0 };
  const char *type = "";

  /* What json-writer wrote is JSON, unless it is longer than any message of the bus: the tape is empty then. */
  gboolean is_read = relay_json_reader_read (&json, event->json, strlen (event->json), NULL);

  for (guint i = 0; i < PRPCTL_N_FIELDS; i++) {
    if (i == PRPCTL_FIELD_SEQUENCE)
      ret_fields->values[i] = event->sequence != 0 ? g_strdup_printf ("%" G_GUINT64_FORMAT, event->sequence) : g_strdup ("");
    else if (i == PRPCTL_FIELD_RECEIVED)
      ret_fields->values[i] = format_time (event->received_usec);
    else
      ret_fields->values[i] = is_read ? read_field (&json, i, type) : g_strdup ("");
    if (i == PRPCTL_FIELD_EVENT_TYPE)
      type = ret_fields->values[i];
  }
  relay_json_reader_clear (&json);
}

void
prpctl_event_fields_clear (PrpctlEventFields *event_fields)
{
  for (guint i = 0; i < PRPCTL_N_FIELDS; i++)
    g_clear_pointer (&event_fields->values[i], g_free);
}
