/* SPDX-License-Identifier: MIT */
#include "prpctl/event-words.h"

#include <glib/gi18n-lib.h>

#include "prpctl/event-json.h"
#include "prpctl/json-writer.h"
#include "prpctl/text.h"

/*
 * Each signal has a function that reads its arguments and writes the sentence. All that comes from the server goes
 * through show(), so that nothing reaches a terminal as it came. Optional members arrive empty: the sentence is then
 * made without them. They return a negative errno if the arguments are not as they ought to be.
 */

#define FIELD_MAX_CHARS 200
#define VALUE_MAX_CHARS 60 /* a value in a list of changes */
#define MAX_CHANGES 12     /* changes named in one line */

static char *
show (const char *text)
{
  return prpctl_text_make_safe (text, FIELD_MAX_CHARS);
}

/* " (detail)", if there is one. */
static void
append_detail (GString *out, const char *detail)
{
  g_autofree char *shown = show (detail);

  if (*shown != '\0')
    g_string_append_printf (out, " (%s)", shown);
}

static int
prp_created (sd_bus_message *message, GString *out)
{
  const char *prp_id, *project_id, *name, *status, *priority;
  g_autofree char *id = NULL, *subject = NULL, *project = NULL;
  int r = sd_bus_message_read (message, "sssss", &prp_id, &project_id, &name, &status, &priority);

  if (r <= 0)
    return r;
  id = show (prp_id);
  project = show (project_id);
  if (*name != '\0') {
    g_autofree char *title = show (name);

    /* Translators: the id of a PRP and its title. */
    subject = g_strdup_printf (_("%s “%s”"), id, title);
  } else {
    subject = g_strdup (id);
  }
  if (*project != '\0')
    g_string_append_printf (out, _("PRP %s created in %s"), subject, project);
  else
    g_string_append_printf (out, _("PRP %s created"), subject);
  append_detail (out, priority);
  return r;
}

/* The value at @message's position, as it reads in a list of changes: strings without quotes, all else as JSON. */
static int
read_shown (sd_bus_message *message, char **ret_shown)
{
  g_autoptr (GString) json = g_string_new (NULL);
  const char *contents, *text;
  char type;
  int r = sd_bus_message_peek_type (message, &type, &contents);

  if (r <= 0)
    return r;
  if (type == SD_BUS_TYPE_VARIANT && g_str_equal (contents, "s")) {
    r = sd_bus_message_read (message, "v", "s", &text);
    if (r > 0)
      *ret_shown = prpctl_text_make_safe (text, VALUE_MAX_CHARS);
    return r;
  }
  r = prpctl_json_append_value (json, message);
  if (r < 0)
    return r;
  *ret_shown = prpctl_text_make_safe (json->str, VALUE_MAX_CHARS);
  return 1;
}

/* The members of one change, a{sv}. */
static int
append_change (sd_bus_message *message, const char *member, GString *out)
{
  g_autofree char *shown_member = prpctl_text_make_safe (member, VALUE_MAX_CHARS);
  g_autofree char *old_value = NULL, *new_value = NULL;
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    g_autofree char *value = NULL;
    const char *key;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &key);
    if (r >= 0)
      r = read_shown (message, &value);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
    if (g_str_equal (key, "old")) {
      g_free (old_value);
      old_value = g_steal_pointer (&value);
    } else if (g_str_equal (key, "new")) {
      g_free (new_value);
      new_value = g_steal_pointer (&value);
    }
  }
  if (r < 0)
    return r;
  if (old_value != NULL && new_value != NULL)
    g_string_append_printf (out, "%s %s → %s", shown_member, old_value, new_value);
  else if (new_value != NULL)
    g_string_append_printf (out, "%s → %s", shown_member, new_value);
  else
    g_string_append (out, shown_member);
  return sd_bus_message_exit_container (message);
}

static int
prp_updated (sd_bus_message *message, GString *out)
{
  const char *prp_id;
  g_autofree char *id = NULL;
  g_autoptr (GString) changes = g_string_new (NULL);
  guint n_changes = 0;
  int r = sd_bus_message_read (message, "s", &prp_id);

  if (r <= 0)
    return r;
  id = show (prp_id);
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sa{sv}}");
  if (r <= 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}")) > 0) {
    const char *member;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &member);
    if (r >= 0 && n_changes == MAX_CHANGES)
      g_string_append (changes, ", …");
    if (r >= 0 && n_changes++ < MAX_CHANGES) {
      if (changes->len > 0)
        g_string_append (changes, ", ");
      r = append_change (message, member, changes);
    } else if (r >= 0) {
      r = sd_bus_message_skip (message, "a{sv}");
    }
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r < 0)
    return r;
  if (changes->len > 0)
    g_string_append_printf (out, _("PRP %s updated: %s"), id, changes->str);
  else
    g_string_append_printf (out, _("PRP %s updated"), id);
  return 1;
}

static int
prp_status_changed (sd_bus_message *message, GString *out)
{
  const char *prp_id, *previous_status, *new_status, *reason;
  g_autofree char *id = NULL, *previous = NULL, *new = NULL;
  int r = sd_bus_message_read (message, "ssss", &prp_id, &previous_status, &new_status, &reason);

  if (r <= 0)
    return r;
  id = show (prp_id);
  previous = show (previous_status);
  new = show (new_status);
  if (*previous != '\0')
    g_string_append_printf (out, _("PRP %s is now %s, was %s"), id, new, previous);
  else
    g_string_append_printf (out, _("PRP %s is now %s"), id, new);
  append_detail (out, reason);
  return r;
}

static int
prp_deleted (sd_bus_message *message, GString *out)
{
  const char *prp_id, *project_id, *reason;
  g_autofree char *id = NULL, *project = NULL;
  int r = sd_bus_message_read (message, "sss", &prp_id, &project_id, &reason);

  if (r <= 0)
    return r;
  id = show (prp_id);
  project = show (project_id);
  if (*project != '\0')
    g_string_append_printf (out, _("PRP %s deleted from %s"), id, project);
  else
    g_string_append_printf (out, _("PRP %s deleted"), id);
  append_detail (out, reason);
  return r;
}

static int
agent_assigned (sd_bus_message *message, GString *out)
{
  const char *agent_id, *prp_id, *priority;
  g_autofree char *agent = NULL, *prp = NULL;
  int r = sd_bus_message_read (message, "sss", &agent_id, &prp_id, &priority);

  if (r <= 0)
    return r;
  agent = show (agent_id);
  prp = show (prp_id);
  g_string_append_printf (out, _("agent %s assigned to PRP %s"), agent, prp);
  append_detail (out, priority);
  return r;
}

static int
agent_progress (sd_bus_message *message, GString *out)
{
  const char *agent_id, *prp_id, *current_task;
  g_autofree char *agent = NULL, *prp = NULL, *task = NULL, *percent = NULL;
  double progress;
  int r = sd_bus_message_read (message, "ssds", &agent_id, &prp_id, &progress, &current_task);

  if (r <= 0)
    return r;
  agent = show (agent_id);
  prp = show (prp_id);
  task = show (current_task);
  percent = g_strdup_printf ("%.4g", progress);
  if (*task != '\0')
    g_string_append_printf (out, _("agent %s has done %s%% of PRP %s: %s"), agent, percent, prp, task);
  else
    g_string_append_printf (out, _("agent %s has done %s%% of PRP %s"), agent, percent, prp);
  return r;
}

static int
server_error (sd_bus_message *message, GString *out)
{
  const char *code, *text;
  g_autofree char *shown_code = NULL, *shown_text = NULL;
  int r = sd_bus_message_read (message, "ss", &code, &text);

  if (r <= 0)
    return r;
  shown_code = show (code);
  shown_text = show (text);
  if (*shown_text != '\0')
    g_string_append_printf (out, _("the server reports %s: %s"), shown_code, shown_text);
  else
    g_string_append_printf (out, _("the server reports %s"), shown_code);
  return r;
}

/* The value of @name in the event, as JSON in @out if it is there. Returns 1, 0 or a negative errno. */
static int
find_member (sd_bus_message *message, const char *name, GString *out)
{
  int r = prpctl_event_find (message);

  if (r <= 0)
    return r;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    const char *key;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &key);
    if (r < 0)
      return r;
    if (g_str_equal (key, name)) {
      r = prpctl_json_append_value (out, message);
      return r < 0 ? r : 1;
    }
    r = sd_bus_message_skip (message, "v");
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  return r;
}

static int
other_event (sd_bus_message *message, GString *out)
{
  const char *type;
  g_autofree char *shown = NULL;
  g_autoptr (GString) data = g_string_new (NULL);
  int r = sd_bus_message_read (message, "s", &type);

  if (r <= 0)
    return r;
  shown = show (type);
  g_string_append (out, *shown != '\0' ? shown : _("(an event without a type)"));
  r = find_member (message, "data", data);
  if (r < 0)
    return r;
  if (r > 0) {
    g_string_append_c (out, ' ');
    prpctl_text_append (out, data->str, FIELD_MAX_CHARS);
  }
  return 1;
}

static const struct {
  const char *signal;
  int (*make_words) (sd_bus_message *message, GString *out); /* > 0: made */
} signals[] = {
  { "PrpCreated", prp_created },
  { "PrpUpdated", prp_updated },
  { "PrpStatusChanged", prp_status_changed },
  { "PrpDeleted", prp_deleted },
  { "AgentAssigned", agent_assigned },
  { "AgentProgress", agent_progress },
  { "ServerError", server_error },
  { "OtherEvent", other_event },
};

char *
prpctl_event_make_words (sd_bus_message *message, guint64 *ret_received_usec)
{
  const char *member = sd_bus_message_get_member (message);
  g_autoptr (GString) words = g_string_new (NULL);
  g_autoptr (GString) received = g_string_new (NULL);
  gboolean made = FALSE;

  (void) sd_bus_message_rewind (message, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    if (g_strcmp0 (signals[i].signal, member) == 0)
      made = signals[i].make_words (message, words) > 0;
  made = made && find_member (message, "received", received) >= 0;
  (void) sd_bus_message_rewind (message, TRUE);
  if (!made)
    return NULL;
  *ret_received_usec = g_ascii_strtoull (received->str, NULL, 10);
  return g_string_free (g_steal_pointer (&words), FALSE);
}
