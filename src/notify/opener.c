/* SPDX-License-Identifier: MIT */
#include "notify/opener.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "common/log.h"
#include "common/turn.h"

#define PORTAL_NAME "org.freedesktop.portal.Desktop"
#define PORTAL_PATH "/org/freedesktop/portal/desktop"
#define MANAGER_NAME "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

#define MAX_ARGUMENTS 4

typedef struct {
  NotifyOpener *opener;
  guint number;
  char *url, *token;
  sd_bus_slot *call, *match;
  char *unit;
  GPid pid;
  guint child_watch;
  GSource *deadline;
} Job;

struct NotifyOpener {
  sd_bus *bus;
  NotifyOpenerFailed failed;
  gpointer user_data;
  GList *jobs;
  guint n_jobs;
  guint last_number;
};

static void
job_free (Job *job)
{
  NotifyOpener *opener = job->opener;

  opener->jobs = g_list_remove (opener->jobs, job);
  opener->n_jobs--;
  sd_bus_slot_unref (job->call);
  sd_bus_slot_unref (job->match);
  if (job->child_watch != 0)
    g_source_remove (job->child_watch);
  if (job->pid != 0)
    g_spawn_close_pid (job->pid);
  relay_turn_free (job->deadline);
  g_free (job->unit);
  g_free (job->url);
  g_free (job->token);
  g_free (job);
}

static void
job_failed (Job *job, const char *reason)
{
  relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_URL", job->url), "Cannot open %s: %s", job->url, reason);
  job->opener->failed (job->url, reason, job->opener->user_data);
  job_free (job);
}

/* It has been heard of for long enough. */
static void
on_deadline (gpointer user_data)
{
  job_free (user_data);
}

static void
watch_for_a_while (Job *job)
{
  job->deadline = relay_turn_new ("notify-opener", on_deadline, job);
  relay_turn_arm_in (job->deadline, NOTIFY_OPENER_WATCH_USEC);
}

/* Nobody answers to the name, or it does not know the call: that way is not there. */
static gboolean
is_missing (const sd_bus_error *error)
{
  static const char *const names[] = {
    SD_BUS_ERROR_SERVICE_UNKNOWN,  SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_UNKNOWN_METHOD, SD_BUS_ERROR_UNKNOWN_OBJECT,
    SD_BUS_ERROR_UNKNOWN_INTERFACE, SD_BUS_ERROR_ACCESS_DENIED,    NULL,
  };

  /* What could be started, and was not: the bus, or systemd for it, says why. */
  return g_strv_contains (names, error->name) || g_str_has_prefix (error->name, "org.freedesktop.DBus.Error.Spawn.") ||
         g_str_has_prefix (error->name, "org.freedesktop.systemd1.");
}

static const char *
explain (const sd_bus_error *error)
{
  return error->message != NULL && *error->message != '\0' ? error->message : error->name;
}

/* -- 3: a child -------------------------------------------------------------------------------------------------- */

/* Sets the program and its arguments; static but for the first, which the caller frees. FALSE: there is none. */
static gboolean
find_program (const char *url, char **ret_path, const char *ret_argv[MAX_ARGUMENTS])
{
  guint n = 0;

  if ((*ret_path = g_find_program_in_path ("xdg-open")) != NULL) {
    ret_argv[n++] = "xdg-open";
  } else if ((*ret_path = g_find_program_in_path ("gio")) != NULL) {
    ret_argv[n++] = "gio";
    ret_argv[n++] = "open";
  } else {
    return FALSE;
  }
  ret_argv[n++] = url;
  ret_argv[n] = NULL;
  return TRUE;
}

static void
on_child_ended (GPid pid, int status, gpointer user_data)
{
  Job *job = user_data;
  g_autoptr (GError) error = NULL;

  job->child_watch = 0;
  if (g_spawn_check_wait_status (status, &error))
    job_free (job);
  else
    job_failed (job, error->message);
}

static void
open_by_child (Job *job)
{
  g_autofree char *path = NULL;
  g_auto (GStrv) environment = g_get_environ ();
  const char *argv[MAX_ARGUMENTS];
  g_autoptr (GPtrArray) full = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;

  if (!find_program (job->url, &path, argv)) {
    job_failed (job, _("There is neither xdg-open nor gio to open it with."));
    return;
  }
  g_ptr_array_add (full, path);
  for (guint i = 0; argv[i] != NULL; i++)
    g_ptr_array_add (full, (gpointer) argv[i]);
  g_ptr_array_add (full, NULL);
  if (job->token != NULL) {
    environment = g_environ_setenv (environment, "XDG_ACTIVATION_TOKEN", job->token, TRUE);
    environment = g_environ_setenv (environment, "DESKTOP_STARTUP_ID", job->token, TRUE);
  }
  environment = g_environ_unsetenv (environment, "NOTIFY_SOCKET");
  if (!g_spawn_async (NULL, (char **) full->pdata, environment, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_FILE_AND_ARGV_ZERO, NULL,
                      NULL, &job->pid, &error)) {
    job_failed (job, error->message);
    return;
  }
  relay_debug ("%s opens %s", path, job->url);
  job->child_watch = g_child_watch_add (job->pid, on_child_ended, job);
}

/* -- 2: a transient unit ----------------------------------------------------------------------------------------- */

static int
on_unit_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Job *job = user_data;
  const char *key, *state = NULL;
  int r = sd_bus_message_skip (message, "s");

  if (r >= 0)
    r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (r > 0 && sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
    r = sd_bus_message_read (message, "s", &key);
    if (r > 0)
      r = g_str_equal (key, "ActiveState") ? sd_bus_message_read (message, "v", "s", &state) : sd_bus_message_skip (message, "v");
    if (r > 0)
      r = sd_bus_message_exit_container (message);
  }
  if (g_strcmp0 (state, "failed") == 0)
    job_failed (job, _("The program that was to open it failed."));
  else if (g_strcmp0 (state, "inactive") == 0)
    job_free (job);
  return 0;
}

static int
on_unit_started (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Job *job = user_data;
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  job->call = sd_bus_slot_unref (job->call);
  if (error == NULL) {
    relay_debug ("%s opens %s", job->unit, job->url);
    watch_for_a_while (job);
  } else if (is_missing (error)) {
    open_by_child (job);
  } else {
    job_failed (job, explain (error));
  }
  return 0;
}

/* What a program needs to find the desktop; the user manager need not have been told of it. */
static int
append_environment (sd_bus_message *call, const Job *job)
{
  static const char *const names[] = { "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE",
                                       "DBUS_SESSION_BUS_ADDRESS" };
  g_auto (GStrv) list = g_new0 (char *, G_N_ELEMENTS (names) + 3);
  guint n = 0;
  int r;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *value = g_getenv (names[i]);

    if (value != NULL && g_utf8_validate (value, -1, NULL))
      list[n++] = g_strconcat (names[i], "=", value, NULL);
  }
  if (job->token != NULL) {
    list[n++] = g_strconcat ("XDG_ACTIVATION_TOKEN=", job->token, NULL);
    list[n++] = g_strconcat ("DESKTOP_STARTUP_ID=", job->token, NULL);
  }
  r = sd_bus_message_open_container (call, SD_BUS_TYPE_STRUCT, "sv");
  if (r >= 0)
    r = sd_bus_message_append (call, "s", "Environment");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_VARIANT, "as");
  if (r >= 0)
    r = sd_bus_message_append_strv (call, list);
  if (r >= 0)
    r = sd_bus_message_close_container (call);
  return r >= 0 ? sd_bus_message_close_container (call) : r;
}

static int
append_command (sd_bus_message *call, const char *path, const char *const *argv)
{
  int r = sd_bus_message_open_container (call, SD_BUS_TYPE_STRUCT, "sv");

  if (r >= 0)
    r = sd_bus_message_append (call, "s", "ExecStart");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_VARIANT, "a(sasb)");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "(sasb)");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_STRUCT, "sasb");
  if (r >= 0)
    r = sd_bus_message_append (call, "s", path);
  if (r >= 0)
    r = sd_bus_message_append_strv (call, (char **) argv);
  if (r >= 0)
    r = sd_bus_message_append (call, "b", FALSE);
  for (guint i = 0; i < 4 && r >= 0; i++)
    r = sd_bus_message_close_container (call);
  return r;
}

static int
make_unit_call (Job *job, const char *path, const char *const *argv, sd_bus_message **ret_call)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r = sd_bus_message_new_method_call (job->opener->bus, &call, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
                                          "StartTransientUnit");

  if (r >= 0)
    r = sd_bus_message_set_auto_start (call, FALSE);
  if (r >= 0)
    r = sd_bus_message_append (call, "ss", job->unit, "fail");
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "(sv)");
  if (r >= 0)
    r = sd_bus_message_append (call, "(sv)(sv)(sv)", "Description", "s", "An address opened from a notification of the PRP relay",
                               "Type", "s", "exec", "CollectMode", "s", "inactive-or-failed");
  if (r >= 0)
    r = append_environment (call, job);
  if (r >= 0)
    r = append_command (call, path, argv);
  if (r >= 0)
    r = sd_bus_message_close_container (call);
  if (r >= 0)
    r = sd_bus_message_append (call, "a(sa(sv))", 0);
  if (r >= 0)
    *ret_call = g_steal_pointer (&call);
  return r;
}

/* Units send their signals while somebody asked the manager for them. */
static void
match_unit (Job *job)
{
  g_autofree char *path = NULL, *rule = NULL;
  g_autoptr (sd_bus_message) call = NULL;
  int r = sd_bus_path_encode (MANAGER_PATH "/unit", job->unit, &path);

  if (r < 0)
    return;
  rule = g_strdup_printf ("type='signal',sender='" MANAGER_NAME "',path='%s',interface='org.freedesktop.DBus.Properties',"
                          "member='PropertiesChanged',arg0='org.freedesktop.systemd1.Unit'", path);
  r = sd_bus_add_match_async (job->opener->bus, &job->match, rule, on_unit_changed, NULL, job);
  if (r >= 0)
    r = sd_bus_message_new_method_call (job->opener->bus, &call, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe");
  if (r >= 0)
    r = sd_bus_message_set_auto_start (call, FALSE);
  if (r >= 0)
    r = sd_bus_message_set_expect_reply (call, FALSE);
  if (r >= 0)
    (void) sd_bus_send (job->opener->bus, call, NULL);
}

static void
open_by_unit (Job *job)
{
  g_autoptr (sd_bus_message) call = NULL;
  g_autofree char *path = NULL;
  const char *argv[MAX_ARGUMENTS];
  int r;

  if (!find_program (job->url, &path, argv)) {
    job_failed (job, _("There is neither xdg-open nor gio to open it with."));
    return;
  }
  job->unit = g_strdup_printf ("app-prp\\x2dnotify\\x2dopen-%d.%u.service", (int) getpid (), job->number);
  match_unit (job);
  r = make_unit_call (job, path, argv, &call);
  if (r >= 0)
    r = sd_bus_call_async (job->opener->bus, &job->call, call, on_unit_started, job, NOTIFY_OPENER_CALL_USEC);
  if (r < 0)
    job_failed (job, g_strerror (-r));
}

/* -- 1: the portal ----------------------------------------------------------------------------------------------- */

static int
on_portal_response (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  Job *job = user_data;
  guint32 response;

  /* 0: done; 1: the person did not want to after all; else it failed. */
  if (sd_bus_message_read (message, "u", &response) > 0 && response > 1)
    job_failed (job, _("The desktop could not open it."));
  else
    job_free (job);
  return 0;
}

static int
on_portal_asked (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Job *job = user_data;
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  job->call = sd_bus_slot_unref (job->call);
  if (error == NULL) {
    relay_debug ("The portal opens %s", job->url);
    watch_for_a_while (job);
  } else if (is_missing (error)) {
    job->match = sd_bus_slot_unref (job->match);
    open_by_unit (job);
  } else {
    job_failed (job, explain (error));
  }
  return 0;
}

/* The object that will tell how it went has a name that is known beforehand. */
static int
match_response (Job *job, const char *token)
{
  g_autofree char *sender = NULL, *rule = NULL;
  const char *name = NULL;
  int r = sd_bus_get_unique_name (job->opener->bus, &name);

  if (r < 0)
    return r;
  sender = g_strdelimit (g_strdup (*name == ':' ? name + 1 : name), ".", '_');
  rule = g_strdup_printf ("type='signal',sender='" PORTAL_NAME "',path='" PORTAL_PATH "/request/%s/%s',"
                          "interface='org.freedesktop.portal.Request',member='Response'", sender, token);
  return sd_bus_add_match_async (job->opener->bus, &job->match, rule, on_portal_response, NULL, job);
}

static void
open_by_portal (Job *job)
{
  g_autoptr (sd_bus_message) call = NULL;
  g_autofree char *token = g_strdup_printf ("prp_notify_%u", job->number);
  int r = match_response (job, token);

  if (r >= 0)
    r = sd_bus_message_new_method_call (job->opener->bus, &call, PORTAL_NAME, PORTAL_PATH, "org.freedesktop.portal.OpenURI",
                                        "OpenURI");
  if (r >= 0)
    r = sd_bus_message_append (call, "ss", "", job->url);
  if (r >= 0)
    r = sd_bus_message_open_container (call, SD_BUS_TYPE_ARRAY, "{sv}");
  if (r >= 0)
    r = sd_bus_message_append (call, "{sv}", "handle_token", "s", token);
  if (r >= 0 && job->token != NULL)
    r = sd_bus_message_append (call, "{sv}", "activation_token", "s", job->token);
  if (r >= 0)
    r = sd_bus_message_close_container (call);
  if (r >= 0)
    r = sd_bus_call_async (job->opener->bus, &job->call, call, on_portal_asked, job, NOTIFY_OPENER_CALL_USEC);
  if (r < 0)
    job_failed (job, g_strerror (-r));
}

/* -- from outside ------------------------------------------------------------------------------------------------ */

NotifyOpener *
notify_opener_new (sd_bus *bus, NotifyOpenerFailed failed, gpointer user_data)
{
  NotifyOpener *opener = g_new0 (NotifyOpener, 1);

  opener->bus = sd_bus_ref (bus);
  opener->failed = failed;
  opener->user_data = user_data;
  return opener;
}

void
notify_opener_free (NotifyOpener *opener)
{
  if (opener == NULL)
    return;
  while (opener->jobs != NULL)
    job_free (opener->jobs->data);
  sd_bus_unref (opener->bus);
  g_free (opener);
}

void
notify_opener_open (NotifyOpener *opener, const char *url, const char *token)
{
  Job *job;

  /* Somebody clicks faster than anything opens. */
  if (opener->n_jobs == NOTIFY_OPENER_MAX_JOBS) {
    job_free (g_list_last (opener->jobs)->data);
    relay_debug ("Too much is being opened; the oldest is not watched any more");
  }
  job = g_new0 (Job, 1);
  job->opener = opener;
  job->number = ++opener->last_number;
  job->url = g_strdup (url);
  job->token = g_strdup (token);
  opener->jobs = g_list_prepend (opener->jobs, job);
  opener->n_jobs++;
  open_by_portal (job);
}

/* "." and ".." are steps in a path, however they are encoded. */
static gboolean
is_usable (const char *id)
{
  return id != NULL && !g_str_equal (id, ".") && !g_str_equal (id, "..");
}

char *
notify_opener_fill (const char *template, const char *prp_id, const char *project_id, const char *agent_id)
{
  const struct {
    const char *place, *value;
  } places[] = { { "{prp_id}", prp_id }, { "{project_id}", project_id }, { "{agent_id}", agent_id } };
  g_autoptr (GString) url = g_string_new (NULL);

  for (const char *p = template; *p != '\0';) {
    gsize i = 0;

    while (i < G_N_ELEMENTS (places) && !g_str_has_prefix (p, places[i].place))
      i++;
    if (i == G_N_ELEMENTS (places)) {
      g_string_append_c (url, *p++);
      continue;
    }
    if (!is_usable (places[i].value))
      return NULL;
    g_string_append_uri_escaped (url, places[i].value, NULL, FALSE);
    p += strlen (places[i].place);
  }
  return g_string_free (g_steal_pointer (&url), FALSE);
}
