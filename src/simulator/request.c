/* SPDX-License-Identifier: MIT */
#include "simulator/request.h"

#include <string.h>

#include "common/json-reader.h"

/*
 * The text is read by the project's own strict reader, not by json-glib: that one lets comments, single quotes and
 * a second document pass, and whoever develops a client against the simulator would learn of them only from the
 * real service.
 */

#define MAX_CHANNEL_BYTES 255

static const char *const action_names[] = {
  [SIM_ACTION_NONE] = "invalid",
  [SIM_ACTION_SUBSCRIBE] = "subscribe",
  [SIM_ACTION_UNSUBSCRIBE] = "unsubscribe",
  [SIM_ACTION_PING] = "ping",
};

const char *
sim_action_to_string (SimAction action)
{
  return action_names[action];
}

void
sim_request_free (SimRequest *request)
{
  if (request == NULL)
    return;
  g_free (request->id);
  g_free (request->name);
  g_strfreev (request->channels);
  g_free (request->text);
  g_free (request->error_message);
  g_free (request);
}

static void refuse (SimRequest *request, RelayError error, const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
refuse (SimRequest *request, RelayError error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  request->is_refused = TRUE;
  request->error = error;
  request->error_message = g_strdup_vprintf (format, args);
  va_end (args);
}

SimRequest *
sim_request_new_refused (RelayError error, const char *message)
{
  SimRequest *request = g_new0 (SimRequest, 1);

  refuse (request, error, "%s", message);
  return request;
}

gboolean
sim_channel_exists (const char *channel)
{
  static const char *const kinds[] = { "project:", "agent:", "prp:" };

  if (strlen (channel) > MAX_CHANNEL_BYTES)
    return FALSE;
  for (const char *p = channel; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_has_prefix (channel, kinds[i])) {
      const char *id = channel + strlen (kinds[i]);

      return *id != '\0' && !g_str_has_prefix (id, "invalid");
    }
  return FALSE;
}

static char **
parse_channels (const RelayJsonReader *reader)
{
  guint channels = relay_json_reader_find (reader, relay_json_reader_find (reader, 0, "payload"), "channels");
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (channels == 0 || reader->tape[channels].type != RELAY_JSON_ARRAY)
    return NULL;
  for (guint i = channels + 1; i < reader->tape[channels].next; i = reader->tape[i].next) {
    char *name = relay_json_reader_dup_string (reader, i);

    if (name == NULL)
      return NULL;
    g_ptr_array_add (names, name);
  }
  if (names->len == 0)
    return NULL;
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

static void
parse_action (SimRequest *request, const RelayJsonReader *reader)
{
  guint id = relay_json_reader_find (reader, 0, "id");
  guint name = relay_json_reader_find (reader, 0, "action");

  request->id = id != 0 ? relay_json_reader_dup_string (reader, id) : NULL;
  request->name = name != 0 ? relay_json_reader_dup_string (reader, name) : NULL;

  if (id != 0 && request->id == NULL) {
    refuse (request, RELAY_ERROR_INVALID_ACTION, "The member 'id' must be a string");
    return;
  }
  if (request->name == NULL) {
    refuse (request, RELAY_ERROR_INVALID_ACTION, "The member 'action' must be a string");
    return;
  }
  for (SimAction action = SIM_ACTION_SUBSCRIBE; action < SIM_N_ACTIONS; action++)
    if (g_str_equal (request->name, action_names[action]))
      request->action = action;
  if (request->action == SIM_ACTION_NONE) {
    refuse (request, RELAY_ERROR_INVALID_ACTION, "Unknown action '%s'", request->name);
    return;
  }
  if (request->action == SIM_ACTION_PING)
    return;

  request->channels = parse_channels (reader);
  if (request->channels == NULL) {
    refuse (request, RELAY_ERROR_INVALID_ACTION,
            "The action '%s' needs payload.channels, a non-empty array of strings", request->name);
    return;
  }
  for (char **channel = request->channels; request->action == SIM_ACTION_SUBSCRIBE && *channel != NULL; channel++)
    if (!sim_channel_exists (*channel)) {
      refuse (request, RELAY_ERROR_INVALID_CHANNEL, "Channel '%s' does not exist", *channel);
      return;
    }
}

SimRequest *
sim_request_parse (const char *text, gsize length)
{
  SimRequest *request = g_new0 (SimRequest, 1);
  RelayJsonReader reader = { 0 };
  g_autoptr (GError) error = NULL;

  request->text = g_strndup (text, length);
  request->is_json = relay_json_reader_read (&reader, text, length, &error);
  if (!request->is_json)
    refuse (request, RELAY_ERROR_INVALID_ACTION, "The message is not JSON: %s", error->message);
  else if (reader.tape[0].type != RELAY_JSON_OBJECT)
    refuse (request, RELAY_ERROR_INVALID_ACTION, "The message is not a JSON object");
  else
    parse_action (request, &reader);

  relay_json_reader_clear (&reader);
  return request;
}
