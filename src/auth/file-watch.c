/* SPDX-License-Identifier: MIT */
#include "auth/file-watch.h"

#include <stdlib.h>

#include <gio/gio.h>

#include "common/log.h"

/*
 * GFileMonitor does the work: it watches the folder, so that a rename onto the name is seen, and looks from time
 * to time for a folder that does not exist. What it does not do is to follow a link, so the file at its end is
 * watched too.
 *
 * The GFile is made by the local GVfs by name: the default one may be that of a desktop, which would open a second
 * connection to the session bus in this process.
 */
struct RelayFileWatch {
  char *path, *real; /* real: where the links lead, NULL if nowhere or to path itself */
  GFileMonitor *monitor, *real_monitor;
  guint settle_id;
  RelayFileWatchChanged changed;
  gpointer user_data;
};

static void watch_real (RelayFileWatch *watch);

static gboolean
on_settled (gpointer user_data)
{
  RelayFileWatch *watch = user_data;

  watch->settle_id = 0;
  watch_real (watch);
  watch->changed (watch->user_data);
  return G_SOURCE_REMOVE;
}

static void
on_changed (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer user_data)
{
  RelayFileWatch *watch = user_data;

  g_clear_handle_id (&watch->settle_id, g_source_remove);
  watch->settle_id = g_timeout_add (RELAY_FILE_WATCH_SETTLE_USEC / 1000, on_settled, watch);
}

static GFileMonitor *
watch_path (RelayFileWatch *watch, const char *path)
{
  g_autoptr (GFile) file = g_vfs_get_file_for_path (g_vfs_get_local (), path);
  g_autoptr (GError) error = NULL;
  GFileMonitor *monitor = g_file_monitor_file (file, G_FILE_MONITOR_NONE, NULL, &error);

  if (monitor == NULL)
    relay_debug ("Changes of %s will not be noticed: %s", path, error->message);
  else
    g_signal_connect (monitor, "changed", G_CALLBACK (on_changed), watch);
  return monitor;
}

static void
drop_monitor (RelayFileWatch *watch, GFileMonitor **monitor)
{
  if (*monitor == NULL)
    return;
  g_signal_handlers_disconnect_by_data (*monitor, watch);
  g_clear_object (monitor);
}

/* Links may lead elsewhere after any change. */
static void
watch_real (RelayFileWatch *watch)
{
  char *resolved = realpath (watch->path, NULL);

  if (g_strcmp0 (resolved, watch->path) == 0)
    g_clear_pointer (&resolved, free);
  if (g_strcmp0 (resolved, watch->real) != 0) {
    drop_monitor (watch, &watch->real_monitor);
    if (resolved != NULL)
      watch->real_monitor = watch_path (watch, resolved);
  }
  free (watch->real);
  watch->real = resolved;
}

RelayFileWatch *
relay_file_watch_new (const char *path, RelayFileWatchChanged changed, gpointer user_data)
{
  RelayFileWatch *watch = g_new0 (RelayFileWatch, 1);

  watch->path = g_strdup (path);
  watch->changed = changed;
  watch->user_data = user_data;
  watch->monitor = watch_path (watch, path);
  watch_real (watch);
  return watch;
}

void
relay_file_watch_free (RelayFileWatch *watch)
{
  if (watch == NULL)
    return;
  drop_monitor (watch, &watch->monitor);
  drop_monitor (watch, &watch->real_monitor);
  g_clear_handle_id (&watch->settle_id, g_source_remove);
  free (watch->real);
  g_free (watch->path);
  g_free (watch);
}
