/* SPDX-License-Identifier: MIT */
#include "config/notifications.h"

#include <fnmatch.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/channel-name.h"
#include "common/error.h"
#include "config/key-file.h"

/*
 * Which events notify is said once for all ([Notifications]), and again for what is different elsewhere
 * ([Notifications CHANNEL]). An event fits up to three channels: that of its PRP, of its agent, of its project. They are
 * asked in this order, and [Notifications] last, for each key on its own: who turns a project off has not thereby said
 * anything of its types.
 */
typedef struct {
  char **types; /* NULL: not said here */
  int enabled;  /* NOT_SAID, 0 or 1 */
} Override;

#define NOT_SAID (-1)

static const char *const priorities[] = {
  [RELAY_PRIORITY_LOW] = "low",
  [RELAY_PRIORITY_MEDIUM] = "medium",
  [RELAY_PRIORITY_HIGH] = "high",
  [RELAY_PRIORITY_CRITICAL] = "critical",
  NULL,
};

/* The kinds of channels an event can be seen to belong to, and the placeholders of OpenUrl. */
static const char *const kinds[] = { "prp:", "agent:", "project:" };
static const char *const placeholders[] = { "{prp_id}", "{project_id}", "{agent_id}" };

/* ---- what is allowed ---- */

static gboolean
check_glob (const char *glob, GError **error)
{
  if (strlen (glob) <= RELAY_NOTIFICATIONS_MAX_GLOB_BYTES)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("a type of events has at most %d bytes"),
               RELAY_NOTIFICATIONS_MAX_GLOB_BYTES);
  return FALSE;
}

/* The template with @value for each placeholder. */
static char *
fill_in (const char *template, const char *value)
{
  GString *url = g_string_new (template);

  for (gsize i = 0; i < G_N_ELEMENTS (placeholders); i++)
    g_string_replace (url, placeholders[i], value, 0);
  return g_string_free (url, FALSE);
}

/* The ids come from the service: they must not choose the program that opens the address, nor the host. */
static gboolean
check_template (const char *template, GError **error)
{
  g_autofree char *filled = fill_in (template, "x");
  g_autofree char *other = fill_in (template, "y");
  g_autoptr (GUri) uri = g_uri_parse (filled, G_URI_FLAGS_PARSE_RELAXED, NULL);
  g_autoptr (GUri) other_uri = g_uri_parse (other, G_URI_FLAGS_PARSE_RELAXED, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;
  const char *fault = NULL;

  if (strlen (template) > RELAY_NOTIFICATIONS_MAX_URL_BYTES) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("an address has at most %d bytes"),
                 RELAY_NOTIFICATIONS_MAX_URL_BYTES);
    return FALSE;
  }
  if (strpbrk (filled, "{}") != NULL)
    fault = _("only {prp_id}, {project_id} and {agent_id} can be filled in");
  else if (g_ascii_strncasecmp (filled, "https://", 8) != 0 && g_ascii_strncasecmp (filled, "http://", 7) != 0)
    fault = _("the address must begin with https:// or http://");
  else if (host == NULL || *host == '\0' || strchr (filled, ' ') != NULL)
    fault = _("this is not a complete address (https://HOST/PATH)");
  else if (other_uri == NULL || g_strcmp0 (host, g_uri_get_host (other_uri)) != 0 ||
           g_uri_get_port (uri) != g_uri_get_port (other_uri) || g_uri_get_userinfo (uri) != NULL)
    fault = _("nothing can be filled in before the path, and no user name or password can stand there");
  if (fault == NULL)
    return TRUE;
  g_set_error_literal (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, fault);
  return FALSE;
}

/* ---- the tables ---- */

#define FIELD(member) G_STRUCT_OFFSET (RelayNotifications, member)
#define OVERRIDE_FIELD(member) G_STRUCT_OFFSET (Override, member)

static const RelayKey keys[] = {
  { "Notifications", "Enabled", RELAY_KEY_BOOLEAN, FIELD (enabled), .initial = TRUE },
  { "Notifications", "Types", RELAY_KEY_LIST, FIELD (types), .initial_text = "prp.*;agent.*", .check = check_glob },
  { "Notifications", "MinPriority", RELAY_KEY_CHOICE, FIELD (min_priority), .initial = RELAY_PRIORITY_LOW,
    .choices = priorities },
  { "Notifications", "Channels", RELAY_KEY_LIST, FIELD (channels), .initial_text = "", .check = relay_channel_name_check },
  { "Notifications", "OpenUrl", RELAY_KEY_TEXT, FIELD (open_url), .check = check_template },
  { "Notifications", "Trouble", RELAY_KEY_BOOLEAN, FIELD (trouble), .initial = TRUE },
};

static const RelayKey override_keys[] = {
  { "Notifications", "Enabled", RELAY_KEY_BOOLEAN, OVERRIDE_FIELD (enabled), .initial = NOT_SAID },
  { "Notifications", "Types", RELAY_KEY_LIST, OVERRIDE_FIELD (types), .check = check_glob },
};

static void
override_free (gpointer data)
{
  relay_keys_clear (override_keys, G_N_ELEMENTS (override_keys), data);
  g_free (data);
}

static gpointer
add_override (const char *channel, gpointer target, GError **error)
{
  RelayNotifications *notifications = target;
  gboolean known = FALSE;
  Override *override;

  if (!relay_channel_name_check (channel, error))
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    known = known || g_str_has_prefix (channel, kinds[i]);
  if (!known) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION,
                 _("no event can be told to belong to %s: only to prp:ID, agent:ID and project:ID"), channel);
    return NULL;
  }
  override = g_new0 (Override, 1);
  relay_keys_init (override_keys, G_N_ELEMENTS (override_keys), override);
  g_hash_table_insert (notifications->overrides, g_strdup (channel), override);
  return override;
}

static const RelayKeyTable table = { keys, G_N_ELEMENTS (keys) };
static const RelayKeyTable override_table = { override_keys, G_N_ELEMENTS (override_keys), add_override,
                                              RELAY_NOTIFICATIONS_MAX_OVERRIDES };

/* ---- the struct ---- */

RelayNotifications *
relay_notifications_new (void)
{
  RelayNotifications *notifications = g_new0 (RelayNotifications, 1);

  relay_keys_init (keys, G_N_ELEMENTS (keys), notifications);
  notifications->overrides = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, override_free);
  return notifications;
}

void
relay_notifications_free (RelayNotifications *notifications)
{
  if (notifications == NULL)
    return;
  g_hash_table_unref (notifications->overrides);
  relay_keys_clear (keys, G_N_ELEMENTS (keys), notifications);
  g_free (notifications);
}

void
relay_notifications_add_to (RelayNotifications *notifications, RelayKeyFile *file)
{
  relay_key_file_add (file, &table, notifications);
  relay_key_file_add (file, &override_table, notifications);
}

/* Who wants to hear of no event does not want to hear of events that are missing either. */
static void
settle_trouble (RelayNotifications *notifications)
{
  gboolean any = notifications->enabled;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, notifications->overrides);
  while (!any && g_hash_table_iter_next (&iter, NULL, &value))
    any = ((Override *) value)->enabled == TRUE;
  notifications->trouble = notifications->trouble && any;
}

RelayNotifications *
relay_notifications_load (const char *path, GError **error)
{
  g_autoptr (RelayNotifications) notifications = relay_notifications_new ();
  g_autoptr (RelayKeyFile) file = relay_key_file_new (path);

  relay_key_file_set_partial (file);
  relay_notifications_add_to (notifications, file);
  if (!relay_key_file_read (file, error) || !relay_key_file_finish (file, error))
    return NULL;
  settle_trouble (notifications);
  return g_steal_pointer (&notifications);
}

/* ---- events ---- */

RelayPriority
relay_priority_from_string (const char *text)
{
  for (guint i = 0; text != NULL && priorities[i] != NULL; i++)
    if (g_str_equal (priorities[i], text))
      return i;
  return RELAY_PRIORITY_MEDIUM;
}

static gboolean
matches (char **globs, const char *type)
{
  g_autofree char *start = g_strndup (type, RELAY_NOTIFICATIONS_MAX_GLOB_BYTES);

  for (char **glob = globs; *glob != NULL; glob++)
    if (fnmatch (*glob, start, 0) == 0)
      return TRUE;
  return FALSE;
}

gboolean
relay_notifications_decide (const RelayNotifications *notifications, const char *type, const char *prp_id,
                            const char *agent_id, const char *project_id, const char *priority)
{
  const char *const ids[] = { prp_id, agent_id, project_id };
  int enabled = NOT_SAID;
  char **types = NULL;

  G_STATIC_ASSERT (G_N_ELEMENTS (ids) == G_N_ELEMENTS (kinds));
  if (relay_priority_from_string (priority) < notifications->min_priority)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++) {
    g_autofree char *channel = g_strconcat (kinds[i], ids[i], NULL);
    const Override *override = g_hash_table_lookup (notifications->overrides, channel);

    if (override == NULL)
      continue;
    if (enabled == NOT_SAID)
      enabled = override->enabled;
    if (types == NULL)
      types = override->types;
  }
  if (enabled == NOT_SAID)
    enabled = notifications->enabled;
  return enabled && matches (types != NULL ? types : notifications->types, type);
}
