/* SPDX-License-Identifier: MIT */
#include "prpctl/event-words.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/json-reader.h"
#include "client/event.h"
#include "prpctl/text.h"

/*
 * The words are made from the event itself, not from the arguments of its signal: so they are the same for what was
 * signalled and for what the history lists. Each type has a function that writes the sentence, and members of
 * `data` without which the event is not one of its type (as in the table of the relay's signals).
 *
 * All that comes from the server goes through show(), so that nothing reaches a terminal as it came. Optional members
 * that are missing, or of another type than the service documents, are empty: the sentence is then made without them.
 */

#define FIELD_MAX_CHARS 200
#define VALUE_MAX_CHARS 60 /* a value in a list of changes */
#define MAX_CHANGES 12     /* changes named in one line */
#define MAX_CHANNELS 8     /* of a gap, likewise */
#define MAX_IDS 2
#define GAP_FRACTION_USEC (10 * G_USEC_PER_SEC)

typedef struct {
  const RelayJsonReader *json;
  guint data; /* token; 0: there is none */
  guint64 now_usec;
  GString *out;
} Telling;

/* The string `data.@member`, as it may be shown; "" if there is none. */
static char *
show (const Telling *telling, const char *member)
{
  guint token = relay_json_reader_find (telling->json, telling->data, member);
  g_autofree char *text = token != 0 ? relay_json_reader_dup_string (telling->json, token) : NULL;

  return prpctl_text_make_safe (text != NULL ? text : "", FIELD_MAX_CHARS);
}

/* " (detail)", if there is one. */
static void
append_detail (const Telling *telling, const char *member)
{
  g_autofree char *shown = show (telling, member);

  if (*shown != '\0')
    g_string_append_printf (telling->out, " (%s)", shown);
}

static void
prp_created (const Telling *telling)
{
  g_autofree char *id = show (telling, "id"), *title = show (telling, "name"), *project = show (telling, "projectId");
  g_autofree char *subject = NULL;

  if (*title != '\0')
    /* Translators: the id of a PRP and its title. */
    subject = g_strdup_printf (_("%s “%s”"), id, title);
  else
    subject = g_strdup (id);
  if (*project != '\0')
    g_string_append_printf (telling->out, _("PRP %s created in %s"), subject, project);
  else
    g_string_append_printf (telling->out, _("PRP %s created"), subject);
  append_detail (telling, "priority");
}

/* A value as it reads in a list of changes: strings without quotes, all else as JSON. */
static char *
show_value (const RelayJsonReader *json, guint token, guint max_chars)
{
  g_autofree char *text = relay_json_reader_dup_string (json, token);

  if (text == NULL) {
    gsize length = relay_json_reader_text_length (json, token);

    text = g_malloc (length + 1);
    relay_json_reader_text_copy (json, token, text);
    text[length] = '\0';
  }
  return prpctl_text_make_safe (text, max_chars);
}

/* One change, of the member whose key is @key. */
static void
append_change (const RelayJsonReader *json, guint key, GString *out)
{
  g_autofree char *member = show_value (json, key, VALUE_MAX_CHARS);
  guint old_token = relay_json_reader_find (json, key + 1, "old");
  guint new_token = relay_json_reader_find (json, key + 1, "new");
  g_autofree char *old_value = old_token != 0 ? show_value (json, old_token, VALUE_MAX_CHARS) : NULL;
  g_autofree char *new_value = new_token != 0 ? show_value (json, new_token, VALUE_MAX_CHARS) : NULL;

  if (old_value != NULL && new_value != NULL)
    g_string_append_printf (out, "%s %s → %s", member, old_value, new_value);
  else if (new_value != NULL)
    g_string_append_printf (out, "%s → %s", member, new_value);
  else
    g_string_append (out, member);
}

static void
prp_updated (const Telling *telling)
{
  const RelayJsonReader *json = telling->json;
  guint changes = relay_json_reader_find (json, telling->data, "changes");
  g_autofree char *id = show (telling, "id");
  g_autoptr (GString) list = g_string_new (NULL);
  guint n_changes = 0;

  if (changes != 0 && json->tape[changes].type == RELAY_JSON_OBJECT)
    for (guint key = changes + 1; key < json->tape[changes].next; key = json->tape[key + 1].next) {
      if (n_changes == MAX_CHANGES) {
        g_string_append (list, ", …");
        break;
      }
      if (n_changes++ > 0)
        g_string_append (list, ", ");
      append_change (json, key, list);
    }
  if (list->len > 0)
    g_string_append_printf (telling->out, _("PRP %s updated: %s"), id, list->str);
  else
    g_string_append_printf (telling->out, _("PRP %s updated"), id);
}

static void
prp_status_changed (const Telling *telling)
{
  g_autofree char *id = show (telling, "id"), *previous = show (telling, "previousStatus");
  g_autofree char *new = show (telling, "newStatus");

  if (*previous != '\0')
    g_string_append_printf (telling->out, _("PRP %s is now %s, was %s"), id, new, previous);
  else
    g_string_append_printf (telling->out, _("PRP %s is now %s"), id, new);
  append_detail (telling, "reason");
}

static void
prp_deleted (const Telling *telling)
{
  g_autofree char *id = show (telling, "id"), *project = show (telling, "projectId");

  if (*project != '\0')
    g_string_append_printf (telling->out, _("PRP %s deleted from %s"), id, project);
  else
    g_string_append_printf (telling->out, _("PRP %s deleted"), id);
  append_detail (telling, "reason");
}

static void
agent_assigned (const Telling *telling)
{
  g_autofree char *agent = show (telling, "agentId"), *prp = show (telling, "prpId");

  g_string_append_printf (telling->out, _("agent %s assigned to PRP %s"), agent, prp);
  append_detail (telling, "priority");
}

static double
find_number (const Telling *telling, const char *member)
{
  guint token = relay_json_reader_find (telling->json, telling->data, member);

  if (token == 0 || telling->json->tape[token].type < RELAY_JSON_INT64 ||
      telling->json->tape[token].type > RELAY_JSON_DOUBLE)
    return 0;
  return relay_json_reader_double (telling->json, token);
}

static void
agent_progress (const Telling *telling)
{
  g_autofree char *agent = show (telling, "agentId"), *prp = show (telling, "prpId");
  g_autofree char *task = show (telling, "currentTask");
  g_autofree char *percent = g_strdup_printf ("%.4g", find_number (telling, "progress"));

  if (*task != '\0')
    g_string_append_printf (telling->out, _("agent %s has done %s%% of PRP %s: %s"), agent, percent, prp, task);
  else
    g_string_append_printf (telling->out, _("agent %s has done %s%% of PRP %s"), agent, percent, prp);
}

static void
server_error (const Telling *telling)
{
  g_autofree char *code = show (telling, "code"), *text = show (telling, "message");

  if (*text != '\0')
    g_string_append_printf (telling->out, _("the server reports %s: %s"), code, text);
  else
    g_string_append_printf (telling->out, _("the server reports %s"), code);
}

/* -- gaps -------------------------------------------------------------------------------------------------------- */

/* Why there is a gap, where that is no trouble of the connection (those are told by their codes). */
static char *
explain_cause (const Telling *telling)
{
  g_autofree char *cause = show (telling, "cause");

  if (g_str_equal (cause, "RESTARTED"))
    return g_strdup (_("the relay was not running"));
  if (g_str_equal (cause, "DISCONNECTED"))
    return g_strdup (_("disconnected as asked for"));
  if (g_str_equal (cause, "RECONFIGURED"))
    return g_strdup (_("the configuration changed"));
  return g_steal_pointer (&cause);
}

static char *
list_channels (const Telling *telling)
{
  const RelayJsonReader *json = telling->json;
  guint channels = relay_json_reader_find (json, telling->data, "channels");
  GString *list = g_string_new (NULL);
  guint n_channels = 0;

  if (channels != 0 && json->tape[channels].type == RELAY_JSON_ARRAY)
    for (guint channel = channels + 1; channel < json->tape[channels].next; channel = json->tape[channel].next) {
      g_autofree char *name = show_value (json, channel, FIELD_MAX_CHARS);

      if (n_channels++ < MAX_CHANNELS)
        g_string_append_printf (list, "%s%s", list->len > 0 ? ", " : "", name);
    }
  if (n_channels > MAX_CHANNELS)
    g_string_append_printf (list, _(", … (%u in all)"), n_channels);
  return g_string_free (list, FALSE);
}

static guint64
find_time (const Telling *telling, const char *member)
{
  guint token = relay_json_reader_find (telling->json, telling->data, member);

  if (token == 0 || telling->json->tape[token].type != RELAY_JSON_INT64)
    return 0;
  return (guint64) MAX (relay_json_reader_int64 (telling->json, token), 0);
}

/* Most gaps are short, and the difference between a half second and none is one of events. */
static char *
format_gap_duration (guint64 usec)
{
  if (usec < GAP_FRACTION_USEC)
    return g_strdup_printf (_("%.1f s"), (double) usec / G_USEC_PER_SEC);
  return prpctl_text_format_duration (usec);
}

static void
gap (const Telling *telling)
{
  guint64 since_usec = find_time (telling, "since"), until_usec = find_time (telling, "until");
  g_autofree char *since = prpctl_text_format_time (since_usec, telling->now_usec);
  g_autofree char *until = prpctl_text_format_time (until_usec, telling->now_usec);
  g_autofree char *duration = format_gap_duration (until_usec > since_usec ? until_usec - since_usec : 0);
  g_autofree char *channels = list_channels (telling);
  g_autofree char *cause = explain_cause (telling);

  if (since_usec <= CLIENT_EVENT_GAP_SINCE_UNKNOWN) {
    /* Translators: a time, names of channels, why. */
    g_string_append_printf (telling->out, _("gap: until %s events of %s may have been missed: %s"), until, channels, cause);
    return;
  }
  /* Translators: two times and how long that is, names of channels, why. */
  g_string_append_printf (telling->out, _("gap: from %s until %s (%s) events of %s may have been missed: %s"), since, until,
                          duration, channels, cause);
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const struct {
  const char *type;
  const char *ids[MAX_IDS]; /* strings in `data` that identify the event */
  void (*tell) (const Telling *telling);
} types[] = {
  { "prp.created", { "id", "projectId" }, prp_created },
  { "prp.updated", { "id" }, prp_updated },
  { "prp.status_changed", { "id" }, prp_status_changed },
  { "prp.deleted", { "id", "projectId" }, prp_deleted },
  { "agent.assigned", { "agentId", "prpId" }, agent_assigned },
  { "agent.progress", { "agentId", "prpId" }, agent_progress },
  { "error", { NULL }, server_error },
  { CLIENT_EVENT_GAP_TYPE, { "cause" }, gap },
};

static void
other_event (const Telling *telling, const char *type)
{
  g_autofree char *shown = prpctl_text_make_safe (type, FIELD_MAX_CHARS);

  g_string_append (telling->out, *shown != '\0' ? shown : _("(an event without a type)"));
  if (telling->data != 0) {
    g_autofree char *data = show_value (telling->json, telling->data, FIELD_MAX_CHARS);

    g_string_append_printf (telling->out, " %s", data);
  }
}

static gboolean
is_identified (const Telling *telling, const char *const *ids)
{
  for (guint i = 0; i < MAX_IDS && ids[i] != NULL; i++) {
    guint token = relay_json_reader_find (telling->json, telling->data, ids[i]);

    if (token == 0 || telling->json->tape[token].type != RELAY_JSON_STRING)
      return FALSE;
  }
  return TRUE;
}

char *
prpctl_event_make_words (const char *json, guint64 now_usec)
{
  RelayJsonReader reader = { 0 };
  g_autoptr (GString) words = g_string_new (NULL);
  g_autofree char *type = NULL;
  Telling telling = { .json = &reader, .now_usec = now_usec, .out = words };
  gboolean is_object = FALSE, told = FALSE;

  /* What json-writer wrote is JSON, unless it is longer than any message of the bus. */
  if (relay_json_reader_read (&reader, json, strlen (json), NULL)) {
    guint token = relay_json_reader_find (&reader, 0, "type");

    type = token != 0 ? relay_json_reader_dup_string (&reader, token) : NULL;
    telling.data = relay_json_reader_find (&reader, 0, "data");
  }
  is_object = telling.data != 0 && reader.tape[telling.data].type == RELAY_JSON_OBJECT;
  for (gsize i = 0; i < G_N_ELEMENTS (types) && is_object && !told; i++)
    if (g_strcmp0 (types[i].type, type) == 0 && is_identified (&telling, types[i].ids)) {
      types[i].tell (&telling);
      told = TRUE;
    }
  if (!told)
    other_event (&telling, type != NULL ? type : "");
  relay_json_reader_clear (&reader);
  return g_string_free (g_steal_pointer (&words), FALSE);
}
