/* SPDX-License-Identifier: MIT */
#include "simulator/oauth.h"

#include <json-glib/json-glib.h>

#include "simulator/message.h"

#define STATUS_OK 200
#define STATUS_BAD_REQUEST 400

char *
sim_oauth_format_error (const char *error, const char *description)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  JsonObject *members = json_object_new ();

  json_object_set_string_member (members, "error", error);
  json_object_set_string_member (members, "error_description", description);
  json_node_take_object (root, members);
  return sim_json_format (root);
}

static guint
refuse (const char *error, const char *description, char **ret_json)
{
  *ret_json = sim_oauth_format_error (error, description);
  return STATUS_BAD_REQUEST;
}

/* The form's parameters, NULL if it is none or has one twice (§3.2). An empty value counts as omitted (§3.1). */
static GHashTable *
parse_form (const char *body)
{
  g_autoptr (GHashTable) form = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GUriParamsIter iter;
  char *name, *value;
  g_autoptr (GError) error = NULL;

  g_uri_params_iter_init (&iter, body, -1, "&", G_URI_PARAMS_WWW_FORM);
  while (g_uri_params_iter_next (&iter, &name, &value, &error)) {
    if (!g_hash_table_insert (form, name, value))
      return NULL;
    if (*value == '\0')
      g_hash_table_remove (form, name);
  }
  return error == NULL ? g_steal_pointer (&form) : NULL;
}

guint
sim_oauth_handle (SimTokens *tokens, const char *content_type, const char *body, gint64 realtime_usec,
                  char **ret_json)
{
  g_autoptr (GHashTable) form = NULL;
  const char *grant_type, *refresh_token;
  g_autofree char *access = NULL, *refresh = NULL;
  g_autoptr (JsonNode) root = NULL;
  JsonObject *members;

  if (g_strcmp0 (content_type, "application/x-www-form-urlencoded") != 0)
    return refuse ("invalid_request", "The body has to be application/x-www-form-urlencoded", ret_json);
  form = parse_form (body);
  if (form == NULL)
    return refuse ("invalid_request", "The form cannot be read, or has a parameter twice", ret_json);

  grant_type = g_hash_table_lookup (form, "grant_type");
  refresh_token = g_hash_table_lookup (form, "refresh_token");
  if (grant_type == NULL)
    return refuse ("invalid_request", "grant_type is missing", ret_json);
  if (!g_str_equal (grant_type, "refresh_token"))
    return refuse ("unsupported_grant_type", "Only refresh_token is supported", ret_json);
  if (refresh_token == NULL)
    return refuse ("invalid_request", "refresh_token is missing", ret_json);
  if (!sim_tokens_refresh (tokens, refresh_token, realtime_usec, &access, &refresh))
    return refuse ("invalid_grant", "The refresh token is unknown or was used before", ret_json);

  root = json_node_new (JSON_NODE_OBJECT);
  members = json_object_new ();
  json_object_set_string_member (members, "access_token", access);
  json_object_set_string_member (members, "token_type", "Bearer");
  if (sim_tokens_get_life (tokens) > 0)
    json_object_set_int_member (members, "expires_in", (gint64) (sim_tokens_get_life (tokens) / G_USEC_PER_SEC));
  json_object_set_string_member (members, "refresh_token", refresh);
  json_node_take_object (root, members);
  *ret_json = sim_json_format (root);
  return STATUS_OK;
}
