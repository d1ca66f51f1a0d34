/* SPDX-License-Identifier: MIT */
#include "simulator/message.h"

void
sim_ids_init (SimIds *ids)
{
  ids->run = ((guint64) g_random_int () << 16 | (g_random_int () & 0xffff)); /* 48 bits: twelve digits */
  ids->last = 0;
}

char *
sim_ids_next (SimIds *ids, const char *kind)
{
  return g_strdup_printf ("%s_%012" G_GINT64_MODIFIER "x_%" G_GUINT64_FORMAT, kind, ids->run, ++ids->last);
}

char *
sim_time_format (gint64 realtime_usec)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (realtime_usec / G_USEC_PER_SEC);

  return g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ");
}

char *
sim_json_format (JsonNode *node)
{
  return json_to_string (node, FALSE);
}

char *
sim_message_format (const char *id, const char *type, gint64 realtime_usec, JsonNode *data)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *timestamp = sim_time_format (realtime_usec);
  JsonObject *message = json_object_new ();

  json_object_set_string_member (message, "id", id);
  json_object_set_string_member (message, "type", type);
  json_object_set_string_member (message, "timestamp", timestamp);
  if (data != NULL)
    json_object_set_member (message, "data", json_node_ref (data));

  json_node_take_object (root, message);
  return sim_json_format (root);
}

char *
sim_message_format_error (const char *id, gint64 realtime_usec, const char *code, const char *message,
                          const char *request_id, const char *action)
{
  g_autoptr (JsonNode) data = json_node_new (JSON_NODE_OBJECT);
  JsonObject *members = json_object_new ();

  json_object_set_string_member (members, "code", code);
  json_object_set_string_member (members, "message", message);
  if (request_id != NULL || action != NULL) {
    JsonObject *details = json_object_new ();

    if (request_id != NULL)
      json_object_set_string_member (details, "requestId", request_id);
    if (action != NULL)
      json_object_set_string_member (details, "action", action);
    json_object_set_object_member (members, "details", details);
  }

  json_node_take_object (data, members);
  return sim_message_format (id, "error", realtime_usec, data);
}
