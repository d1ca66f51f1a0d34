/* SPDX-License-Identifier: MIT */
#include "prpctl/status.h"

#include <stddef.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/advice.h"
#include "prpctl/text.h"
#include "prpctl/watch-cells.h"

#define VALUE_MAX_CHARS 500

/* Where each property goes. */
static const struct {
  const char *name;
  const char *type;
  gsize offset;
} fields[] = {
  { "Version", "s", offsetof (PrpctlStatus, version) },
  { "State", "s", offsetof (PrpctlStatus, state) },
  { "LastError", "(ss)", offsetof (PrpctlStatus, error_code) },
  { "Url", "s", offsetof (PrpctlStatus, url) },
  { "ConnectionId", "s", offsetof (PrpctlStatus, connection_id) },
  { "ServerVersion", "s", offsetof (PrpctlStatus, server_version) },
  { "Features", "as", offsetof (PrpctlStatus, features) },
  { "NextAttempt", "t", offsetof (PrpctlStatus, next_attempt_usec) },
  { "ConnectedSince", "t", offsetof (PrpctlStatus, connected_since_usec) },
  { "LastAlive", "t", offsetof (PrpctlStatus, last_alive_usec) },
  { "TokenExpires", "t", offsetof (PrpctlStatus, token_expires_usec) },
  { "Attempts", "u", offsetof (PrpctlStatus, attempts) },
  { "EventsReceived", "t", offsetof (PrpctlStatus, events_received) },
  { "EventsEmitted", "t", offsetof (PrpctlStatus, events_emitted) },
  { "DuplicatesDropped", "t", offsetof (PrpctlStatus, duplicates_dropped) },
  { "MalformedDropped", "t", offsetof (PrpctlStatus, malformed_dropped) },
  { "Connections", "t", offsetof (PrpctlStatus, connections) },
  { "BytesReceived", "t", offsetof (PrpctlStatus, bytes_received) },
};
G_STATIC_ASSERT (offsetof (PrpctlStatus, error_text) == offsetof (PrpctlStatus, error_code) + sizeof (char *));

/* What each state means. What to do about it: advice.c. */
static const struct {
  const char *state;
  PrpctlStyle style;
  const char *meaning; /* to be translated; a URL follows */
} states[] = {
  { RELAY_STATE_NAME_CONNECTED, PRPCTL_STYLE_GOOD, N_("connected to %s") },
  { RELAY_STATE_NAME_CONNECTING, PRPCTL_STYLE_BUSY, N_("connecting to %s") },
  { RELAY_STATE_NAME_WAITING, PRPCTL_STYLE_BUSY, N_("waiting before the next attempt to connect to %s") },
  { RELAY_STATE_NAME_OFFLINE, PRPCTL_STYLE_BUSY, N_("offline: there is no network on which to reach %s") },
  { RELAY_STATE_NAME_UNAUTHORIZED, PRPCTL_STYLE_BAD, N_("unauthorized: there is no token that %s takes") },
  { RELAY_STATE_NAME_DISCONNECTED, PRPCTL_STYLE_BUSY, N_("disconnected from %s, and staying so") },
};

PrpctlStatus *
prpctl_status_new (void)
{
  PrpctlStatus *status = g_new0 (PrpctlStatus, 1);

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    if (fields[i].type[0] == 's')
      *(char **) G_STRUCT_MEMBER_P (status, fields[i].offset) = g_strdup ("");
  status->error_code = g_strdup ("");
  status->error_text = g_strdup ("");
  status->features = g_new0 (char *, 1);
  return status;
}

void
prpctl_status_free (PrpctlStatus *status)
{
  if (status == NULL)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    if (fields[i].type[0] == 's')
      g_free (*(char **) G_STRUCT_MEMBER_P (status, fields[i].offset));
  g_free (status->error_code);
  g_free (status->error_text);
  g_strfreev (status->features);
  g_free (status);
}

static void
replace (char **string, const char *value)
{
  g_free (*string);
  *string = g_strdup (value);
}

static int
read_strings (sd_bus_message *message, char ***strings)
{
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  const char *value;
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "s");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &value)) > 0)
    g_ptr_array_add (values, g_strdup (value));
  if (r < 0)
    return r;
  g_ptr_array_add (values, NULL);
  g_strfreev (*strings);
  *strings = (char **) g_ptr_array_free (g_steal_pointer (&values), FALSE);
  return sd_bus_message_exit_container (message);
}

/* The value of @type at @message's position, into @member. */
static int
read_value (sd_bus_message *message, const char *type, gpointer member)
{
  const char *first, *second;
  int r;

  switch (type[0]) {
  case 's':
    r = sd_bus_message_read (message, "s", &first);
    if (r >= 0)
      replace (member, first);
    return r;
  case '(':
    r = sd_bus_message_read (message, "(ss)", &first, &second);
    if (r >= 0) {
      replace (member, first);
      replace ((char **) member + 1, second);
    }
    return r;
  case 'a':
    return read_strings (message, member);
  default:
    return sd_bus_message_read_basic (message, type[0], member);
  }
}

static int
read_property (PrpctlStatus *status, sd_bus_message *message, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++) {
    int r;

    if (!g_str_equal (fields[i].name, name))
      continue;
    r = sd_bus_message_enter_container (message, SD_BUS_TYPE_VARIANT, fields[i].type);
    if (r >= 0)
      r = read_value (message, fields[i].type, G_STRUCT_MEMBER_P (status, fields[i].offset));
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    return r;
  }
  return sd_bus_message_skip (message, "v"); /* of a newer relay */
}

int
prpctl_status_read (PrpctlStatus *status, sd_bus_message *message, gboolean *ret_state_changed)
{
  g_autofree char *old_state = g_strdup (status->state);
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    const char *name;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &name);
    if (r >= 0)
      r = read_property (status, message, name);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (message);
  if (r < 0)
    return r;
  if (ret_state_changed != NULL)
    *ret_state_changed = !g_str_equal (old_state, status->state);
  return 0;
}

gboolean
prpctl_status_is_connected (const PrpctlStatus *status)
{
  return g_str_equal (status->state, RELAY_STATE_NAME_CONNECTED);
}

static gssize
find_state (const char *state)
{
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_str_equal (states[i].state, state))
      return (gssize) i;
  return -1; /* of a newer relay */
}

/* "connected to wss://…". */
static char *
format_state (const PrpctlStatus *status)
{
  g_autofree char *url = prpctl_text_make_safe (status->url, VALUE_MAX_CHARS);
  gssize i = find_state (status->state);

  return i >= 0 ? prpctl_text_fill (_(states[i].meaning), url) : prpctl_text_make_safe (status->state, VALUE_MAX_CHARS);
}

/* "REFUSED: Nothing accepts connections at …", or NULL if there is no error. */
static char *
format_error (const PrpctlStatus *status)
{
  g_autofree char *code = prpctl_text_make_safe (status->error_code, VALUE_MAX_CHARS);
  g_autofree char *text = prpctl_text_make_safe (status->error_text, VALUE_MAX_CHARS);

  if (*code == '\0' && *text == '\0')
    return NULL;
  if (*code == '\0' || *text == '\0')
    return g_strdup (*code != '\0' ? code : text);
  return g_strdup_printf ("%s: %s", code, text);
}

/* "5 min 3 s ago", or "in 12 s". */
static char *
format_distance (guint64 usec, guint64 now_usec)
{
  g_autofree char *duration = prpctl_text_format_duration (usec > now_usec ? usec - now_usec : now_usec - usec);

  return g_strdup_printf (usec > now_usec ? _("in %s") : _("%s ago"), duration);
}

static char *
format_next_attempt (const PrpctlStatus *status, guint64 now_usec)
{
  if (status->next_attempt_usec <= now_usec)
    return g_strdup (_("now"));
  return format_distance (status->next_attempt_usec, now_usec);
}

char *
prpctl_status_summarize (const PrpctlStatus *status, guint64 now_usec)
{
  g_autofree char *state = format_state (status);
  g_autofree char *error = format_error (status);
  GString *line = g_string_new (state);

  if (error != NULL && !prpctl_status_is_connected (status))
    g_string_append_printf (line, " (%s)", error);
  if (status->next_attempt_usec != 0) {
    g_autofree char *next = format_next_attempt (status, now_usec);

    g_string_append_printf (line, _("; next attempt %s"), next);
  }
  return g_string_free (line, FALSE);
}

/* One line of the description, "      Token: expires in 5 min", or several where the value is long, below each other. */
static void
append_field (GString *out, const char *label, const char *value)
{
  enum { LABEL_WIDTH = 14, WIDTH = 100 };
  guint width = prpctl_cells_measure (label);

  prpctl_cells_append_spaces (out, LABEL_WIDTH - MIN (width, LABEL_WIDTH));
  g_string_append_printf (out, "%s:%s", label, *value != '\0' ? " " : "");
  prpctl_cells_append_wrapped (out, value, LABEL_WIDTH + 2, WIDTH);
}

static void
append_time (GString *out, const char *label, guint64 usec, guint64 now_usec)
{
  g_autofree char *distance = NULL, *time = NULL, *value = NULL;

  if (usec == 0)
    return;
  time = prpctl_text_format_time (usec, now_usec);
  distance = format_distance (usec, now_usec);
  value = g_strdup_printf ("%s (%s)", time, distance);
  append_field (out, label, value);
}

static void
append_connection (const PrpctlStatus *status, guint64 now_usec, GString *out)
{
  g_autofree char *id = prpctl_text_make_safe (status->connection_id, VALUE_MAX_CHARS);
  g_autofree char *version = prpctl_text_make_safe (status->server_version, VALUE_MAX_CHARS);
  g_autofree char *joined = g_strjoinv (", ", status->features);
  g_autofree char *features = prpctl_text_make_safe (joined, VALUE_MAX_CHARS);

  append_time (out, _("Since"), status->connected_since_usec, now_usec);
  if (*id != '\0')
    append_field (out, _("Connection"), id);
  if (*version != '\0')
    append_field (out, _("Server"), version);
  if (*features != '\0')
    append_field (out, _("Features"), features);
  append_time (out, _("Last heard"), status->last_alive_usec, now_usec);
}

static void
append_trouble (const PrpctlStatus *status, guint64 now_usec, GString *out)
{
  g_autofree char *error = format_error (status);
  const char *advice = prpctl_advice_find (status->state, status->error_code);

  if (error != NULL)
    append_field (out, _("Trouble"), error);
  if (advice != NULL)
    append_field (out, _("What to do"), advice);
  if (status->attempts > 0) {
    g_autofree char *attempts = g_strdup_printf (
      g_dngettext (GETTEXT_PACKAGE, "%u failed since the last stable connection",
                   "%u failed since the last stable connection", status->attempts),
      status->attempts);

    append_field (out, _("Attempts"), attempts);
  }
  if (status->next_attempt_usec != 0) {
    g_autofree char *next = format_next_attempt (status, now_usec);

    append_field (out, _("Next attempt"), next);
  }
}

static void
append_counters (const PrpctlStatus *status, const char *channels, guint64 now_usec, GString *out)
{
  g_autofree char *size = g_format_size (status->bytes_received);
  g_autofree char *version = prpctl_text_make_safe (status->version, VALUE_MAX_CHARS);
  g_autofree char *n_received = g_strdup_printf ("%" G_GUINT64_FORMAT, status->events_received);
  g_autofree char *n_emitted = g_strdup_printf ("%" G_GUINT64_FORMAT, status->events_emitted);
  g_autofree char *n_duplicates = g_strdup_printf ("%" G_GUINT64_FORMAT, status->duplicates_dropped);
  g_autofree char *n_malformed = g_strdup_printf ("%" G_GUINT64_FORMAT, status->malformed_dropped);
  g_autofree char *n_connections = g_strdup_printf ("%" G_GUINT64_FORMAT, status->connections);
  g_autofree char *events = g_strdup_printf (_("%s received, %s relayed; dropped %s as duplicates, %s as malformed"),
                                             n_received, n_emitted, n_duplicates, n_malformed);
  g_autofree char *traffic = g_strdup_printf (
    g_dngettext (GETTEXT_PACKAGE, "%s received over %s connection", "%s received over %s connections",
                 (gulong) status->connections),
    size, n_connections);

  if (status->token_expires_usec != 0)
    append_time (out, status->token_expires_usec > now_usec ? _("Token expires") : _("Token expired"),
                 status->token_expires_usec, now_usec);
  append_field (out, _("Channels"), channels);
  append_field (out, _("Events"), events);
  append_field (out, _("Traffic"), traffic);
  append_field (out, _("Relay"), version);
}

void
prpctl_status_describe (const PrpctlStatus *status, const char *channels, guint64 now_usec, gboolean color, GString *out)
{
  g_autofree char *state = format_state (status);
  gssize i = find_state (status->state);

  g_string_append_printf (out, "%s●%s %s\n",
                          prpctl_text_get_style (i >= 0 ? states[i].style : PRPCTL_STYLE_BUSY, color),
                          prpctl_text_get_style (PRPCTL_STYLE_PLAIN, color), state);
  append_trouble (status, now_usec, out); /* first: what whoever looks here wants to know */
  append_connection (status, now_usec, out);
  append_counters (status, channels, now_usec, out);
}
