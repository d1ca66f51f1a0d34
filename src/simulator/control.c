/* SPDX-License-Identifier: MIT */
#include "simulator/control.h"

#include <errno.h>
#include <string.h>

#include "common/json-reader.h"
#include "common/log.h"
#include "simulator/garbage.h"

/*
 * One table has every command with its method, its parameters, its help and its function; GET /control and the
 * refusal of unknown parameters come from it. A command reads its parameters with the get_ functions, which note
 * the first problem and return something harmless, then checks once whether there was one, then acts.
 */

#define MAX_COUNT 10000000
#define MAX_DUPLICATES 10000
#define MAX_FRAGMENTS 100000

struct SimControl {
  SimHub *hub;
  SimGate *gate;
  SimTokenSink sink;
  gpointer sink_data;
};

typedef struct {
  SimControl *control;
  GHashTable *parameters; /* char * → char * */
  const char *body;
  gsize length;
  const char *connection; /* of the sessions to act on; NULL for all */
  JsonBuilder *reply;     /* an object to be filled */
  char *raw_reply;        /* instead of it, if set */
  guint status;           /* with problem */
  char *problem;
} Request;

typedef struct {
  const char *name, *method, *parameters; /* parameters: names with a blank between */
  const char *help;
  void (*handle) (Request *request);
} Command;

static void fail (Request *request, guint status, const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
fail (Request *request, guint status, const char *format, ...)
{
  va_list args;

  if (request->problem != NULL)
    return;
  va_start (args, format);
  request->status = status;
  request->problem = g_strdup_vprintf (format, args);
  va_end (args);
}

static const char *
get_string (Request *request, const char *name, const char *fallback)
{
  const char *value = g_hash_table_lookup (request->parameters, name);

  return value != NULL ? value : fallback;
}

static double
get_number (Request *request, const char *name, double fallback, double max)
{
  const char *value = get_string (request, name, NULL);
  char *end = NULL;
  double number;

  if (value == NULL)
    return fallback;
  number = g_ascii_strtod (value, &end);
  if (*value == '\0' || *end != '\0' || !(number >= 0 && number <= max)) {
    fail (request, 400, "%s has to be a number from 0 to %.0f", name, max);
    return fallback;
  }
  return number;
}

static guint
get_uint (Request *request, const char *name, guint fallback, guint min, guint max)
{
  const char *value = get_string (request, name, NULL);
  guint64 number;

  if (value == NULL)
    return fallback;
  if (!g_ascii_string_to_unsigned (value, 10, min, max, &number, NULL)) {
    fail (request, 400, "%s has to be an integer from %u to %u", name, min, max);
    return fallback;
  }
  return (guint) number;
}

static gboolean
get_boolean (Request *request, const char *name)
{
  const char *value = get_string (request, name, "no");

  if (g_str_equal (value, "yes") || g_str_equal (value, "true") || g_str_equal (value, "1"))
    return TRUE;
  if (!g_str_equal (value, "no") && !g_str_equal (value, "false") && !g_str_equal (value, "0"))
    fail (request, 400, "%s has to be yes or no", name);
  return FALSE;
}

static void
reply_int (Request *request, const char *name, guint64 value)
{
  json_builder_add_int_value (json_builder_set_member_name (request->reply, name), (gint64) value);
}

/* Acts on the chosen sessions, and says for how many @func gave TRUE; not if there was a problem. */
static void
act (Request *request, SimSessionFunc func, gpointer user_data)
{
  if (request->problem == NULL)
    reply_int (request, "connections",
               sim_hub_for_each (request->control->hub, request->connection, func, user_data));
}

typedef struct {
  guint number;
  gboolean flag;
  const char *text;
  guint64 usec;
  GByteArray *frames;
} Arguments;

static gboolean
drop_session (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  sim_session_drop (session, arguments->flag, FALSE);
  return TRUE;
}

static void
handle_drop (Request *request)
{
  Arguments arguments = { .flag = get_boolean (request, "reset") };

  act (request, drop_session, &arguments);
}

static gboolean
close_session (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  sim_session_close (session, arguments->number, arguments->text);
  return TRUE;
}

static void
handle_close (Request *request)
{
  Arguments arguments = { .number = get_uint (request, "code", SIM_CLOSE_NORMAL, 0, 65535),
                          .text = get_string (request, "reason", "") };

  if (arguments.number != SIM_CLOSE_NO_STATUS && !sim_close_code_is_valid (arguments.number))
    fail (request, 400,
          "code has to be one that a close frame may carry (1000 to 4999 but for 1004, 1006 and 1015 to "
          "2999), or 1005 for a close frame without one");
  if (strlen (arguments.text) > SIM_FRAME_MAX_CONTROL_BYTES - 2 || !g_utf8_validate (arguments.text, -1, NULL))
    fail (request, 400, "reason has to be UTF-8 of at most %d bytes", SIM_FRAME_MAX_CONTROL_BYTES - 2);
  act (request, close_session, &arguments);
}

static gboolean
freeze_session (SimSession *session, gpointer user_data)
{
  sim_session_freeze (session);
  return TRUE;
}

static void
handle_half_open (Request *request)
{
  act (request, freeze_session, NULL);
}

static gboolean
silence_session (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  sim_session_silence (session, arguments->usec);
  return TRUE;
}

static void
handle_silence (Request *request)
{
  Arguments arguments = { .usec = (guint64) (get_number (request, "seconds", 0, 1e6) * G_USEC_PER_SEC) };

  act (request, silence_session, &arguments);
}

static void
set_refusal (Request *request, SimRefusal *refusal)
{
  guint status = get_uint (request, "status", 503, 0, 599);
  guint count = get_uint (request, "count", 1, 0, MAX_COUNT);
  guint retry_after_sec = get_uint (request, "retry-after", 0, 0, 1000000);
  const char *location = get_string (request, "location", NULL);

  if (status != 0 && status < 300)
    fail (request, 400, "status has to be from 300 to 599, or 0 to let in again");
  for (const char *p = location; p != NULL && *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      fail (request, 400, "location has to be a URL");
  if (request->problem == NULL)
    sim_refusal_set (refusal, status, count, retry_after_sec, location);
}

static void
handle_refuse (Request *request)
{
  set_refusal (request, &request->control->gate->handshakes);
}

static void
handle_refuse_token (Request *request)
{
  set_refusal (request, &request->control->gate->renewals);
}

static void
handle_stall (Request *request)
{
  guint count = get_uint (request, "count", 1, 0, SIM_HUB_MAX_SESSIONS);

  if (request->problem == NULL)
    request->control->gate->stall_left = count;
}

static gboolean
end_session_token (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  sim_session_end_token (session, (SimTokenState) arguments->number);
  return TRUE;
}

static void
end_tokens (Request *request, SimTokenState state)
{
  Arguments arguments = { .number = state };

  reply_int (request, "tokens", sim_tokens_end_all (sim_hub_get_tokens (request->control->hub), state));
  act (request, end_session_token, &arguments);
}

static void
handle_expire_token (Request *request)
{
  end_tokens (request, SIM_TOKEN_EXPIRED);
}

static void
handle_revoke_token (Request *request)
{
  end_tokens (request, SIM_TOKEN_REVOKED);
}

static void
handle_new_token (Request *request)
{
  SimControl *control = request->control;
  g_autofree char *token = NULL;
  g_autoptr (GError) error = NULL;

  if (control->sink == NULL) {
    fail (request, 409, "There is nowhere to put a token");
    return;
  }
  token = sim_tokens_issue (sim_hub_get_tokens (control->hub), g_get_real_time ());
  if (!control->sink (token, control->sink_data, &error))
    fail (request, 500, "%s", error->message);
}

static gboolean
send_frames (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  if (!sim_session_send_frames (session, arguments->frames))
    return FALSE;
  if (arguments->flag)
    sim_session_drop (session, FALSE, TRUE);
  return TRUE;
}

static void
handle_garbage (Request *request)
{
  const char *kind = get_string (request, "kind", "not-json");
  g_autofree char *id = sim_ids_next (sim_hub_get_ids (request->control->hub), "msg");
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  Arguments arguments = { .frames = frames };
  guint n_fragments = get_uint (request, "fragments", 1, 1, MAX_FRAGMENTS);

  if (!sim_garbage_append (frames, kind, id, g_get_real_time (), n_fragments, &arguments.flag)) {
    g_autoptr (GString) names = g_string_new (NULL);

    for (const SimGarbageKind *known = sim_garbage_list (); known->name != NULL; known++)
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", known->name);
    fail (request, 400, "kind has to be one of %s", names->str);
  }
  act (request, send_frames, &arguments);
}

static void
handle_burst (Request *request)
{
  guint count = get_uint (request, "count", 1000, 0, MAX_COUNT);
  double rate = get_number (request, "rate", 0, SIM_HUB_MAX_RATE);

  if (request->problem == NULL)
    sim_hub_burst (request->control->hub, count, rate);
}

static gboolean
repeat_event (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  return sim_session_repeat_event (session, arguments->number);
}

static void
handle_duplicate (Request *request)
{
  Arguments arguments = { .number = get_uint (request, "count", 1, 1, MAX_DUPLICATES) };

  act (request, repeat_event, &arguments);
}

static gboolean
send_event (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  return sim_session_send_event (session, arguments->text);
}

static void
handle_emit (Request *request)
{
  guint n_fragments = get_uint (request, "fragments", 1, 1, MAX_FRAGMENTS);
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  Arguments arguments = { .frames = frames, .text = request->body };
  RelayJsonReader reader = { 0 };
  gboolean is_json;

  if (request->length == 0) {
    fail (request, 400, "The body is what is sent, and there is none");
    return;
  }
  is_json = relay_json_reader_read (&reader, request->body, request->length, NULL);
  relay_json_reader_clear (&reader);
  json_builder_add_boolean_value (json_builder_set_member_name (request->reply, "json"), is_json);

  /* As an event where it can be one, so that it can be repeated. */
  if (n_fragments == 1 && strlen (request->body) == request->length) {
    act (request, send_event, &arguments);
    return;
  }
  sim_frame_append_message (frames, SIM_OPCODE_TEXT, request->body, request->length, n_fragments);
  act (request, send_frames, &arguments);
}

static gboolean
send_text (SimSession *session, gpointer user_data)
{
  const Arguments *arguments = user_data;

  return sim_session_send_text (session, arguments->text);
}

static void
handle_error (Request *request)
{
  g_autofree char *id = sim_ids_next (sim_hub_get_ids (request->control->hub), "msg");
  g_autofree char *text =
      sim_message_format_error (id, g_get_real_time (), get_string (request, "code", "SERVER_ERROR"),
                                get_string (request, "message", "Sent on demand"), NULL, NULL);
  Arguments arguments = { .text = text };

  act (request, send_text, &arguments);
}

static void
handle_pause (Request *request)
{
  sim_hub_set_paused (request->control->hub, TRUE);
}

static void
handle_resume (Request *request)
{
  sim_hub_set_paused (request->control->hub, FALSE);
}

static void
handle_rate (Request *request)
{
  double rate = get_number (request, "per-sec", -1, SIM_HUB_MAX_RATE);

  if (rate < 0)
    fail (request, 400, "per-sec is missing");
  if (request->problem == NULL)
    sim_hub_set_rate (request->control->hub, rate);
}

static gboolean
restart_heartbeat (SimSession *session, gpointer user_data)
{
  sim_session_restart_heartbeat (session);
  return TRUE;
}

static void
handle_limits (Request *request)
{
  SimSessionLimits *limits = sim_hub_get_limits (request->control->hub);
  SimSessionLimits wanted = *limits;

  wanted.max_channels = get_uint (request, "max-channels", wanted.max_channels, 0, MAX_COUNT);
  wanted.max_actions_per_sec = get_uint (request, "max-actions-per-sec", wanted.max_actions_per_sec, 0, MAX_COUNT);
  wanted.heartbeat_usec =
      (guint64) (get_number (request, "heartbeat", (double) wanted.heartbeat_usec / G_USEC_PER_SEC, 86400) *
                 G_USEC_PER_SEC);
  if (request->problem != NULL)
    return;
  *limits = wanted;
  if (get_string (request, "heartbeat", NULL) != NULL)
    sim_hub_for_each (request->control->hub, NULL, restart_heartbeat, NULL);
  reply_int (request, "maxChannels", limits->max_channels);
  reply_int (request, "maxActionsPerSec", limits->max_actions_per_sec);
  json_builder_add_double_value (json_builder_set_member_name (request->reply, "heartbeatSec"),
                                 (double) limits->heartbeat_usec / G_USEC_PER_SEC);
}

static void
handle_state (Request *request)
{
  g_autoptr (JsonNode) state = sim_world_describe (sim_hub_get_world (request->control->hub));

  request->raw_reply = sim_json_format (state);
}

static void
handle_stats (Request *request)
{
  const SimGate *gate = request->control->gate;
  g_autoptr (JsonNode) stats = sim_hub_describe (request->control->hub);
  JsonObject *members = json_node_get_object (stats);

  json_object_set_int_member (members, "handshakes", (gint64) gate->n_handshakes);
  json_object_set_int_member (members, "handshakesAccepted", (gint64) gate->n_accepted);
  json_object_set_int_member (members, "handshakesUnauthorized", (gint64) gate->n_unauthorized);
  json_object_set_int_member (members, "handshakesRefused", (gint64) gate->n_refused);
  json_object_set_int_member (members, "handshakesStalled", (gint64) gate->n_stalled);
  json_object_set_int_member (members, "renewals", (gint64) gate->n_renewals);
  json_object_set_int_member (members, "renewalsRefused", (gint64) gate->n_renewals_refused);
  request->raw_reply = sim_json_format (stats);
}

static void
handle_messages (Request *request)
{
  request->raw_reply = sim_hub_format_messages (request->control->hub);
}

static void handle_help (Request *request);

static const Command commands[] = {
  { "", "GET", "", "This list", handle_help },
  { "state", "GET", "", "Projects, agents and PRPs of the simulated world, with their channels", handle_state },
  { "stats", "GET", "", "Connections with their subscriptions and counters, handshakes, renewals, events",
    handle_stats },
  { "messages", "GET", "", "The last 1,000 messages of clients, the oldest first; none with a token",
    handle_messages },
  { "drop", "POST", "connection reset", "Cut the connection without a close frame (reset=yes: by a TCP reset)",
    handle_drop },
  { "close", "POST", "connection code reason", "Close the connection with code (default 1000) and reason",
    handle_close },
  { "half-open", "POST", "connection",
    "Neither read nor write any more on present connections, and keep them open", handle_half_open },
  { "silence", "POST", "connection seconds",
    "Read but say nothing on present connections, for seconds (default 0: for good)", handle_silence },
  { "refuse", "POST", "status count retry-after location",
    "Refuse the next count handshakes (default 1; 0: until status=0) with an HTTP status (default 503)",
    handle_refuse },
  { "refuse-token", "POST", "status count retry-after location", "The same for the token endpoint",
    handle_refuse_token },
  { "stall", "POST", "count", "Never answer the next count handshakes (default 1)", handle_stall },
  { "expire-token", "POST", "",
    "Expire all access tokens: token_expired is sent, 10 s later the connection closed", handle_expire_token },
  { "revoke-token", "POST", "", "Revoke all access tokens: the next action is answered with AUTH_FAILED",
    handle_revoke_token },
  { "new-token", "POST", "", "Make an access token: written to --token-file, else printed by the simulator",
    handle_new_token },
  { "garbage", "POST", "connection kind fragments",
    "Send what no server should (kinds below), in fragments (default 1)", handle_garbage },
  { "burst", "POST", "count rate",
    "Let count events happen (default 1000) at rate per second (default 0: as fast as clients read)",
    handle_burst },
  { "duplicate", "POST", "connection count", "Send each connection its last event again, count times (default 1)",
    handle_duplicate },
  { "emit", "POST", "connection fragments", "Send the body as it is to all connections, whatever they subscribed",
    handle_emit },
  { "error", "POST", "connection code message", "Send an error message (default SERVER_ERROR)", handle_error },
  { "pause", "POST", "", "Pause the stream of events", handle_pause },
  { "resume", "POST", "", "Resume the stream of events", handle_resume },
  { "rate", "POST", "per-sec", "Set the events per second of the stream", handle_rate },
  { "limits", "POST", "max-channels max-actions-per-sec heartbeat",
    "Set limits of a connection, and the seconds between heartbeats (0: none)", handle_limits },
};

static void
handle_help (Request *request)
{
  JsonBuilder *reply = request->reply;

  json_builder_begin_array (json_builder_set_member_name (reply, "commands"));
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    g_auto (GStrv) parameters = g_strsplit (commands[i].parameters, " ", -1);
    g_autofree char *path = g_strconcat ("/control", *commands[i].name != '\0' ? "/" : "", commands[i].name, NULL);

    json_builder_begin_object (reply);
    json_builder_add_string_value (json_builder_set_member_name (reply, "command"), path);
    json_builder_add_string_value (json_builder_set_member_name (reply, "method"), commands[i].method);
    json_builder_begin_array (json_builder_set_member_name (reply, "parameters"));
    for (char **parameter = parameters; *parameter != NULL; parameter++)
      json_builder_add_string_value (reply, *parameter);
    json_builder_end_array (reply);
    json_builder_add_string_value (json_builder_set_member_name (reply, "help"), commands[i].help);
    json_builder_end_object (reply);
  }
  json_builder_end_array (reply);
  json_builder_begin_object (json_builder_set_member_name (reply, "garbage"));
  for (const SimGarbageKind *kind = sim_garbage_list (); kind->name != NULL; kind++)
    json_builder_add_string_value (json_builder_set_member_name (reply, kind->name), kind->help);
  json_builder_end_object (reply);
}

SimControl *
sim_control_new (SimHub *hub, SimGate *gate, SimTokenSink sink, gpointer user_data)
{
  SimControl *control = g_new0 (SimControl, 1);

  control->hub = hub;
  control->gate = gate;
  control->sink = sink;
  control->sink_data = user_data;
  return control;
}

void
sim_control_free (SimControl *control)
{
  g_free (control);
}

gsize
sim_control_get_max_body (const char *command)
{
  return g_str_equal (command, "emit") ? SIM_CONTROL_MAX_EMIT_BYTES : SIM_CONTROL_MAX_BODY_BYTES;
}

static void
set_parameter (Request *request, const char *name, const char *value)
{
  g_hash_table_replace (request->parameters, g_strdup (name), g_strdup (value));
}

/* A JSON object of scalars. */
static void
read_json (Request *request)
{
  RelayJsonReader reader = { 0 };
  g_autoptr (GError) error = NULL;

  if (!relay_json_reader_read (&reader, request->body, request->length, &error))
    fail (request, 400, "The body is not JSON: %s", error->message);
  for (guint key = 1; error == NULL && key < reader.tape[0].next; key = reader.tape[key + 1].next) {
    const RelayJsonToken *value = &reader.tape[key + 1];
    g_autofree char *name = relay_json_reader_dup_string (&reader, key);
    g_autofree char *text = value->type == RELAY_JSON_STRING
                                ? relay_json_reader_dup_string (&reader, key + 1)
                                : g_strndup (request->body + value->start, value->end - value->start);

    if (value->type == RELAY_JSON_ARRAY || value->type == RELAY_JSON_OBJECT)
      fail (request, 400, "%s has to be a string, a number or a boolean", name);
    set_parameter (request, name, text);
  }
  relay_json_reader_clear (&reader);
}

static void
read_form (Request *request)
{
  GUriParamsIter iter;
  char *name, *value;
  g_autoptr (GError) error = NULL;

  g_uri_params_iter_init (&iter, request->body, (gssize) request->length, "&", G_URI_PARAMS_WWW_FORM);
  while (g_uri_params_iter_next (&iter, &name, &value, &error))
    g_hash_table_replace (request->parameters, name, value);
  if (error != NULL)
    fail (request, 400, "The body is neither a JSON object nor a form");
}

static void
read_parameters (Request *request, const Command *command, GHashTable *query)
{
  g_auto (GStrv) known = g_strsplit (command->parameters, " ", -1);
  GHashTableIter iter;
  gpointer name, value;

  if (query != NULL) {
    g_hash_table_iter_init (&iter, query);
    while (g_hash_table_iter_next (&iter, &name, &value))
      set_parameter (request, name, value);
  }
  if (request->length > 0 && !g_str_equal (command->name, "emit")) {
    if (request->body[strspn (request->body, " \t\r\n")] == '{')
      read_json (request);
    else
      read_form (request);
  }

  g_hash_table_iter_init (&iter, request->parameters);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (!g_strv_contains ((const char *const *) known, name))
      fail (request, 400, "There is no parameter %s%s%s%s", (const char *) name,
            *known != NULL ? " (there are: " : "", command->parameters, *known != NULL ? ")" : "");

  request->connection = get_string (request, "connection", NULL);
  if (request->connection != NULL && !sim_hub_has_session (request->control->hub, request->connection))
    fail (request, 404, "There is no connection %s", request->connection);
}

static char *
format_problem (const char *problem)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *valid = g_utf8_make_valid (problem, -1);
  JsonObject *members = json_object_new ();

  json_object_set_boolean_member (members, "ok", FALSE);
  json_object_set_string_member (members, "error", valid);
  json_node_take_object (root, members);
  return sim_json_format (root);
}

static guint
run (SimControl *control, const Command *command, GHashTable *query, const char *body, gsize length,
     char **ret_json)
{
  g_autoptr (GHashTable) parameters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (JsonBuilder) reply = json_builder_begin_object (json_builder_new ());
  g_autofree char *problem = NULL;
  Request request = {
    .control = control, .parameters = parameters, .body = body, .length = length, .reply = reply, .status = 200,
  };

  json_builder_add_boolean_value (json_builder_set_member_name (reply, "ok"), TRUE);
  read_parameters (&request, command, query);
  if (request.problem == NULL)
    command->handle (&request);
  json_builder_end_object (reply);

  problem = request.problem;
  if (problem != NULL) {
    g_free (request.raw_reply);
    *ret_json = format_problem (problem);
  } else if (request.raw_reply != NULL) {
    *ret_json = request.raw_reply;
  } else {
    g_autoptr (JsonNode) root = json_builder_get_root (reply);

    *ret_json = sim_json_format (root);
  }
  return request.status;
}

guint
sim_control_handle (SimControl *control, const char *method, const char *command, GHashTable *query,
                    const char *body, gsize length, char **ret_json, const char **ret_allow)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i].name, command)) {
      if (!g_str_equal (commands[i].method, method)) {
        *ret_allow = commands[i].method;
        *ret_json = format_problem ("Wrong method");
        return 405;
      }
      if (g_str_equal (method, "POST"))
        relay_info ("control: %s", command);
      return run (control, &commands[i], query, body, length, ret_json);
    }

  *ret_json = format_problem ("There is no such command; GET /control lists them");
  return 404;
}
