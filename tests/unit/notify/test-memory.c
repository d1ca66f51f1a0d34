/* SPDX-License-Identifier: MIT */
#include "notify/memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gstdio.h>

typedef struct {
  char *directory;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->directory = g_dir_make_tmp ("notify-memory-XXXXXX", &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (f->directory, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (f->directory, name, NULL);

    g_remove (path);
  }
  g_rmdir (f->directory);
  g_free (f->directory);
}

static char *
get_path (Fixture *f, const char *name)
{
  return g_build_filename (f->directory, name, NULL);
}

static void
write_file (Fixture *f, const char *name, const char *text, gssize length)
{
  g_autofree char *path = get_path (f, name);

  g_assert_true (g_file_set_contents (path, text, length, NULL));
}

static gboolean
exists (Fixture *f, const char *name)
{
  g_autofree char *path = get_path (f, name);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
test_cursor (Fixture *f, gconstpointer data)
{
  g_autofree char *path = get_path (f, "notify.cursor");
  ClientCursor cursor;
  GStatBuf st;

  {
    g_autoptr (NotifyMemory) memory = notify_memory_new (f->directory);

    notify_memory_get_cursor (memory, &cursor);
    g_assert_cmpint (cursor.kind, ==, CLIENT_CURSOR_NOW);
    client_cursor_clear (&cursor);
    notify_memory_set_cursor (memory, NULL);
    g_assert_false (exists (f, "notify.cursor"));
    notify_memory_set_cursor (memory, "history:12");
  }
  {
    g_autoptr (NotifyMemory) memory = notify_memory_new (f->directory);

    notify_memory_get_cursor (memory, &cursor);
    g_assert_cmpint (cursor.kind, ==, CLIENT_CURSOR_AT);
    g_assert_cmpstr (cursor.history_id, ==, "history");
    g_assert_cmpuint (cursor.sequence, ==, 12);
    client_cursor_clear (&cursor);
  }
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
}

static void
test_muted (Fixture *f, gconstpointer data)
{
  static const char odd[] = "a b\nc%/ä";
  g_autoptr (NotifyMemory) memory = notify_memory_new (f->directory);
  g_autoptr (NotifyMemory) other = NULL;
  g_autoptr (GError) error = NULL;
  guint n;

  g_assert_true (notify_memory_mute (memory, "p1", &error));
  g_assert_true (notify_memory_mute (memory, odd, &error));
  g_assert_true (notify_memory_mute (memory, "p1", &error));
  other = notify_memory_new (f->directory);
  g_assert_true (notify_memory_is_muted (other, odd));
  g_assert_cmpstr (notify_memory_list_muted (other)[0], ==, "p1");
  g_assert_cmpstr (notify_memory_list_muted (other)[1], ==, odd);
  g_assert_null (notify_memory_list_muted (other)[2]);

  g_assert_true (notify_memory_unmute (other, "unknown", &n, &error));
  g_assert_cmpuint (n, ==, 0);
  g_assert_true (notify_memory_unmute (other, "p1", &n, &error));
  g_assert_cmpuint (n, ==, 1);
  /* A change is made to what is in the file, not to what this one remembers of it. */
  g_assert_true (notify_memory_is_muted (memory, "p1"));
  g_assert_true (notify_memory_mute (memory, "p2", &error));
  g_assert_false (notify_memory_is_muted (memory, "p1"));
  g_assert_true (notify_memory_unmute (memory, NULL, &n, &error));
  g_assert_cmpuint (n, ==, 2);
  g_assert_null (notify_memory_list_muted (memory)[0]);
}

static void
test_bound (Fixture *f, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("# prp-notify: muted PRPs, percent-encoded, a line each\n");
  g_autoptr (NotifyMemory) memory = NULL;
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < NOTIFY_MEMORY_MAX_MUTED; i++)
    g_string_append_printf (text, "p%d\n", i);
  write_file (f, "notify.muted", text->str, -1);
  memory = notify_memory_new (f->directory);
  g_assert_true (notify_memory_is_muted (memory, "p0"));
  g_assert_true (notify_memory_mute (memory, "one more", &error));
  g_assert_false (notify_memory_is_muted (memory, "p0"));
  g_assert_true (notify_memory_is_muted (memory, "p1"));
  g_assert_true (notify_memory_is_muted (memory, "one more"));
}

static void
test_damaged (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    gssize length;
  } cases[] = {
    { "", 0 },
    { "\n", -1 },
    { "nonsense\n", -1 },
    { "# prp-notify: muted PRPs, percent-encoded, a line each\np1\np", -1 }, /* its end is missing */
    { "# prp-notify: muted PRPs, percent-encoded, a line each\n%ff\n", -1 },
    { "# prp-notify: muted PRPs, percent-encoded, a line each\n\n", -1 },
    { "# prp-notify: muted PRPs, percent-encoded, a line each\np\0\n", 58 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (NotifyMemory) memory = NULL;
    g_autofree char *aside = get_path (f, "notify.muted.damaged");

    write_file (f, "notify.muted", cases[i].text, cases[i].length);
    memory = notify_memory_new (f->directory);
    g_assert_null (notify_memory_list_muted (memory)[0]);
    g_assert_false (exists (f, "notify.muted"));
    g_assert_cmpint (g_remove (aside), ==, 0);
  }
  {
    g_autoptr (NotifyMemory) memory = NULL;
    ClientCursor cursor;

    write_file (f, "notify.cursor", "# prp-notify: the last event that was told\nno cursor\n", -1);
    memory = notify_memory_new (f->directory);
    notify_memory_get_cursor (memory, &cursor);
    g_assert_cmpint (cursor.kind, ==, CLIENT_CURSOR_NOW);
    client_cursor_clear (&cursor);
    g_assert_true (exists (f, "notify.cursor.damaged"));
  }
}

/* Another process holds the lock for ever: nothing hangs, and what was muted is, for now. */
static void
test_locked (Fixture *f, gconstpointer data)
{
  g_autoptr (NotifyMemory) memory = notify_memory_new (f->directory);
  g_autofree char *path = get_path (f, "notify.lock");
  g_autoptr (GError) error = NULL;
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  guint n;

  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  g_assert_false (notify_memory_mute (memory, "p", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN);
  g_assert_true (notify_memory_is_muted (memory, "p"));
  g_clear_error (&error);
  g_assert_false (notify_memory_unmute (memory, "p", &n, &error));
  close (fd);
}

static void
test_watch (Fixture *f, gconstpointer data)
{
  g_autoptr (NotifyMemory) memory = notify_memory_new (f->directory);
  g_autoptr (NotifyMemory) other = notify_memory_new (f->directory);
  g_autoptr (GError) error = NULL;
  guint n;

  notify_memory_watch (memory);
  g_assert_true (notify_memory_mute (other, "p", &error));
  while (!notify_memory_is_muted (memory, "p"))
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (notify_memory_unmute (other, "p", &n, &error));
  while (notify_memory_is_muted (memory, "p"))
    g_main_context_iteration (NULL, TRUE);
}

#define add(name, func) g_test_add ("/memory/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_setenv ("GIO_USE_VFS", "local", TRUE);
  g_test_init (&argc, &argv, NULL);
  add ("cursor", test_cursor);
  add ("muted", test_muted);
  add ("bound", test_bound);
  add ("damaged", test_damaged);
  add ("locked", test_locked);
  add ("watch", test_watch);
  return g_test_run ();
}
