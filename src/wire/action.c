/* SPDX-License-Identifier: MIT */
#include "wire/action.h"

#include <json-glib/json-glib.h>

/* {"id":…,"action":…} and, where there are @channels, "payload":{"channels":[…]}: one line, no blanks. */
static char *
make_action (const char *id, const char *action, const char *const *channels)
{
  g_autoptr (JsonBuilder) builder = json_builder_new_immutable ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "id");
  json_builder_add_string_value (builder, id);
  json_builder_set_member_name (builder, "action");
  json_builder_add_string_value (builder, action);
  if (channels != NULL) {
    json_builder_set_member_name (builder, "payload");
    json_builder_begin_object (builder);
    json_builder_set_member_name (builder, "channels");
    json_builder_begin_array (builder);
    for (; *channels != NULL; channels++)
      json_builder_add_string_value (builder, *channels);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, NULL);
}

char *
relay_action_subscribe (const char *id, const char *const *channels)
{
  return make_action (id, "subscribe", channels);
}

char *
relay_action_unsubscribe (const char *id, const char *const *channels)
{
  return make_action (id, "unsubscribe", channels);
}

char *
relay_action_ping (const char *id)
{
  return make_action (id, "ping", NULL);
}
