/* SPDX-License-Identifier: MIT */
#include "notify/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "common/log.h"
#include "common/names.h"

/*
 * An id can be any text, so a line holds it percent-encoded. The first line says what the file is: one that lacks it was not
 * written here, or not to its end.
 *
 * The lock is on a file of its own, as the one that it protects is replaced. It is held for the time of one reading and
 * one writing, and not waited for long: a process that was stopped while it held it must not stop this one.
 */

#define CURSOR_FILE "notify.cursor"
#define MUTED_FILE "notify.muted"
#define LOCK_FILE "notify.lock"
#define CURSOR_HEAD "# prp-notify: the last event that was told"
#define MUTED_HEAD "# prp-notify: muted PRPs, percent-encoded, a line each"

#define LOCK_TRIES 50
#define LOCK_PAUSE_USEC (20 * 1000)

struct NotifyMemory {
  char *directory, *cursor_path, *muted_path, *lock_path;
  char *cursor;
  GPtrArray *muted; /* ids, NULL-terminated: its length is one more */
  GFileMonitor *monitor;
  gboolean cursor_failed;
};

/* -- files ------------------------------------------------------------------------------------------------------- */

static void
set_aside (const char *path, const char *why)
{
  g_autofree char *aside = g_strconcat (path, ".damaged", NULL);
  gboolean done = g_rename (path, aside) == 0;

  relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_FILE", path), "%s is damaged (%s) and %s; nothing of it is used", path, why,
                    done ? "was set aside with .damaged behind its name" : "cannot be set aside");
}

/* The lines of a file without its head; NULL: there is none, or none that can be used. */
static char **
load_lines (const char *path, const char *head)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) lines = NULL;
  gsize length = 0;
  GStatBuf st;
  guint n_lines;

  if (g_stat (path, &st) == 0 && st.st_size > NOTIFY_MEMORY_MAX_FILE_BYTES) {
    set_aside (path, "too long");
    return NULL;
  }
  if (!g_file_get_contents (path, &text, &length, &error)) {
    if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_FILE", path), "%s", error->message);
    return NULL;
  }
  if (strlen (text) != length || length == 0 || text[length - 1] != '\n') {
    set_aside (path, length == 0 ? "empty" : "no text, or not all of it");
    return NULL;
  }
  text[length - 1] = '\0';
  lines = g_strsplit (text, "\n", -1);
  n_lines = g_strv_length (lines);
  /* Of nothing but a line's end there are no lines. */
  if (g_strcmp0 (lines[0], head) != 0) {
    set_aside (path, "it does not begin as it should");
    return NULL;
  }
  g_free (lines[0]);
  memmove (lines, lines + 1, n_lines * sizeof *lines);
  return g_steal_pointer (&lines);
}

static gboolean
store (NotifyMemory *memory, const char *path, const char *text, GError **error)
{
  if (g_mkdir_with_parents (memory->directory, 0700) < 0) {
    int error_number = errno;

    g_set_error (error, G_FILE_ERROR, (gint) g_file_error_from_errno (error_number), "%s: %s", memory->directory,
                 g_strerror (error_number));
    return FALSE;
  }
  return g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

/* -- the cursor -------------------------------------------------------------------------------------------------- */

static void
load_cursor (NotifyMemory *memory)
{
  g_auto (GStrv) lines = load_lines (memory->cursor_path, CURSOR_HEAD);
  ClientCursor cursor = { 0 };

  if (lines == NULL)
    return;
  if (g_strv_length (lines) != 1 || !client_cursor_parse (lines[0], &cursor)) {
    set_aside (memory->cursor_path, "it holds no cursor");
    return;
  }
  if (cursor.kind == CLIENT_CURSOR_AT)
    memory->cursor = g_strdup (lines[0]);
  client_cursor_clear (&cursor);
}

void
notify_memory_get_cursor (NotifyMemory *memory, ClientCursor *ret_cursor)
{
  if (memory->cursor == NULL || !client_cursor_parse (memory->cursor, ret_cursor))
    *ret_cursor = (ClientCursor){ .kind = CLIENT_CURSOR_NOW };
}

void
notify_memory_set_cursor (NotifyMemory *memory, const char *cursor)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  if (cursor == NULL || g_strcmp0 (cursor, memory->cursor) == 0)
    return;
  text = g_strconcat (CURSOR_HEAD "\n", cursor, "\n", NULL);
  if (store (memory, memory->cursor_path, text, &error)) {
    memory->cursor_failed = FALSE;
    g_free (memory->cursor);
    memory->cursor = g_strdup (cursor);
  } else if (!memory->cursor_failed) {
    memory->cursor_failed = TRUE;
    relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_FILE", memory->cursor_path),
                      "Cannot remember what was told (events may be told again after a restart): %s", error->message);
  }
}

/* -- the muted PRPs ---------------------------------------------------------------------------------------------- */

static guint
get_n_muted (const NotifyMemory *memory)
{
  return memory->muted->len - 1;
}

static gboolean
find_muted (const NotifyMemory *memory, const char *prp_id, guint *ret_index)
{
  for (guint i = 0; i < get_n_muted (memory); i++)
    if (g_str_equal (memory->muted->pdata[i], prp_id)) {
      *ret_index = i;
      return TRUE;
    }
  return FALSE;
}

static void
add_muted (NotifyMemory *memory, const char *prp_id)
{
  guint i;

  if (find_muted (memory, prp_id, &i))
    return;
  if (get_n_muted (memory) == NOTIFY_MEMORY_MAX_MUTED) {
    relay_notice ("Too many PRPs are muted; the one that was first is not any more: %s", (char *) memory->muted->pdata[0]);
    g_ptr_array_remove_index (memory->muted, 0);
  }
  g_ptr_array_insert (memory->muted, (int) get_n_muted (memory), g_strdup (prp_id));
}

static void
clear_muted (NotifyMemory *memory)
{
  g_ptr_array_remove_range (memory->muted, 0, get_n_muted (memory));
}

static void
load_muted (NotifyMemory *memory)
{
  g_auto (GStrv) lines = load_lines (memory->muted_path, MUTED_HEAD);

  clear_muted (memory);
  for (char **line = lines; line != NULL && *line != NULL; line++) {
    g_autofree char *id = g_uri_unescape_string (*line, NULL);

    if (id == NULL || *id == '\0' || !g_utf8_validate (id, -1, NULL)) {
      set_aside (memory->muted_path, "a line is no id");
      clear_muted (memory);
      return;
    }
    add_muted (memory, id);
  }
}

static gboolean
store_muted (NotifyMemory *memory, GError **error)
{
  g_autoptr (GString) text = g_string_new (MUTED_HEAD "\n");

  for (guint i = 0; i < get_n_muted (memory); i++) {
    g_string_append_uri_escaped (text, memory->muted->pdata[i], NULL, FALSE);
    g_string_append_c (text, '\n');
  }
  return store (memory, memory->muted_path, text->str, error);
}

/* Returns a descriptor that holds the lock, or -1. */
static int
lock (NotifyMemory *memory, GError **error)
{
  int fd, error_number;

  (void) g_mkdir_with_parents (memory->directory, 0700);
  fd = open (memory->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  for (guint tries = 0; fd >= 0; tries++) {
    if (flock (fd, LOCK_EX | LOCK_NB) == 0)
      return fd;
    if ((errno != EWOULDBLOCK && errno != EINTR) || tries == LOCK_TRIES)
      break;
    g_usleep (LOCK_PAUSE_USEC);
  }
  error_number = errno;
  g_set_error (error, G_FILE_ERROR, (gint) g_file_error_from_errno (error_number), "%s: %s", memory->lock_path,
               g_strerror (error_number));
  if (fd >= 0)
    close (fd);
  return -1;
}

gboolean
notify_memory_is_muted (NotifyMemory *memory, const char *prp_id)
{
  guint i;

  return find_muted (memory, prp_id, &i);
}

const char *const *
notify_memory_list_muted (NotifyMemory *memory)
{
  return (const char *const *) memory->muted->pdata;
}

gboolean
notify_memory_mute (NotifyMemory *memory, const char *prp_id, GError **error)
{
  int fd = lock (memory, error);
  gboolean done;

  if (fd < 0) {
    add_muted (memory, prp_id);
    return FALSE;
  }
  load_muted (memory);
  add_muted (memory, prp_id);
  done = store_muted (memory, error);
  close (fd);
  return done;
}

gboolean
notify_memory_unmute (NotifyMemory *memory, const char *prp_id, guint *ret_n, GError **error)
{
  int fd = lock (memory, error);
  guint n = 0, i;
  gboolean done;

  if (fd < 0)
    return FALSE;
  load_muted (memory);
  if (prp_id == NULL) {
    n = get_n_muted (memory);
    clear_muted (memory);
  } else if (find_muted (memory, prp_id, &i)) {
    n = 1;
    g_ptr_array_remove_index (memory->muted, i);
  }
  done = n == 0 || store_muted (memory, error);
  close (fd);
  if (done)
    *ret_n = n;
  return done;
}

static void
on_changed (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer user_data)
{
  NotifyMemory *memory = user_data;

  /* Renamed into its place: a file is never seen half written. */
  if (event == G_FILE_MONITOR_EVENT_CHANGES_DONE_HINT || event == G_FILE_MONITOR_EVENT_RENAMED ||
      event == G_FILE_MONITOR_EVENT_MOVED_IN || event == G_FILE_MONITOR_EVENT_CREATED ||
      event == G_FILE_MONITOR_EVENT_DELETED)
    load_muted (memory);
}

void
notify_memory_watch (NotifyMemory *memory)
{
  g_autoptr (GFile) file = g_file_new_for_path (memory->muted_path);
  g_autoptr (GError) error = NULL;

  /* What is to be watched has to be there. */
  (void) g_mkdir_with_parents (memory->directory, 0700);
  memory->monitor = g_file_monitor_file (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
  if (memory->monitor == NULL) {
    relay_warning ("Cannot watch %s (a change takes effect at the next start): %s", memory->muted_path, error->message);
    return;
  }
  g_file_monitor_set_rate_limit (memory->monitor, 0);
  g_signal_connect (memory->monitor, "changed", G_CALLBACK (on_changed), memory);
}

/* -- life -------------------------------------------------------------------------------------------------------- */

NotifyMemory *
notify_memory_new (const char *directory)
{
  NotifyMemory *memory = g_new0 (NotifyMemory, 1);

  memory->directory = directory != NULL ? g_strdup (directory)
                                        : g_build_filename (g_get_user_state_dir (), RELAY_STATE_SUBDIR, NULL);
  memory->cursor_path = g_build_filename (memory->directory, CURSOR_FILE, NULL);
  memory->muted_path = g_build_filename (memory->directory, MUTED_FILE, NULL);
  memory->lock_path = g_build_filename (memory->directory, LOCK_FILE, NULL);
  memory->muted = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (memory->muted, NULL);
  load_cursor (memory);
  load_muted (memory);
  return memory;
}

void
notify_memory_free (NotifyMemory *memory)
{
  if (memory == NULL)
    return;
  if (memory->monitor != NULL) {
    g_signal_handlers_disconnect_by_data (memory->monitor, memory);
    g_file_monitor_cancel (memory->monitor);
    g_object_unref (memory->monitor);
  }
  g_free (memory->directory);
  g_free (memory->cursor_path);
  g_free (memory->muted_path);
  g_free (memory->lock_path);
  g_free (memory->cursor);
  g_ptr_array_unref (memory->muted);
  g_free (memory);
}
