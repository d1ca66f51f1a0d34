/* SPDX-License-Identifier: MIT */
#include "auth/credential.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "common/error.h"

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  umask (022);
  fixture->folder = g_dir_make_tmp ("prp-relay-credential-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->folder, "token", NULL);
}

static void
remove_all (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      remove_all (path);
    else
      g_unlink (path);
  }
  g_rmdir (folder);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unsetenv ("CREDENTIALS_DIRECTORY");
  remove_all (fixture->folder);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static void
write_file (const char *path, const char *text, gssize length, guint mode)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (path, text, length, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_chmod (path, (int) mode), ==, 0);
}

static void
assert_read (const char *path, const char *expected)
{
  relay_autosecret char *secret = NULL;
  g_autoptr (GError) error = NULL;

  relay_credential_read_file ("TokenFile", path, RELAY_CREDENTIAL_PRIVATE, &secret, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (secret, ==, expected);
}

/* @format: of the message, with one %s for the file's name, or two. */
static void
assert_refused (const char *path, const char *format)
{
  char *secret = (char *) "untouched";
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) parts = g_strsplit (format, "%s", -1);
  g_autofree char *expected = g_strjoinv (path, parts);

  g_assert_false (relay_credential_read_file ("TokenFile", path, RELAY_CREDENTIAL_PRIVATE, &secret, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_AUTH_FAILED);
  g_assert_cmpstr (error->message, ==, expected);
  g_assert_cmpstr (secret, ==, "untouched");
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text, *token;
  } cases[] = {
    { "abc", "abc" }, { "abc\n", "abc" }, { "abc\r\n", "abc" }, { "abc\n\n", "abc" },
    { "A-._~+/9==\n", "A-._~+/9==" }, { "!\"#$%&'()*,:;<=>?@[\\]^`{|}\n", "!\"#$%&'()*,:;<=>?@[\\]^`{|}" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    write_file (fixture->path, cases[i].text, -1, 0600);
    assert_read (fixture->path, cases[i].token);
  }
  write_file (fixture->path, "abc\n", -1, 0400);
  assert_read (fixture->path, "abc");
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *deeper = g_build_filename (fixture->path, "deeper", NULL);

  assert_read (fixture->path, NULL);
  assert_read (deeper, NULL);
  write_file (fixture->path, "abc", -1, 0600);
  assert_read (deeper, NULL); /* below a file */
}

/* That may pass, and is not the file's fault. */
static void
test_no_descriptor (Fixture *fixture, gconstpointer data)
{
  relay_autosecret char *secret = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) refused = NULL;
  struct rlimit before, none;

  write_file (fixture->path, "abc\n", -1, 0600);
  g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &before));
  none = before;
  none.rlim_cur = (rlim_t) dup (STDERR_FILENO);
  close ((int) none.rlim_cur);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &none));
  relay_credential_read_file ("TokenFile", fixture->path, RELAY_CREDENTIAL_PRIVATE, &secret, &error);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &before));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_IO);
  g_assert_null (secret);
  g_assert_cmpint (relay_credential_get_cause (error), ==, RELAY_CAUSE_CREDENTIALS_FOR_NOW);

  write_file (fixture->path, "", 0, 0600);
  g_assert_false (relay_credential_read_file ("TokenFile", fixture->path, RELAY_CREDENTIAL_PRIVATE, &secret, &refused));
  g_assert_cmpint (relay_credential_get_cause (refused), ==, RELAY_CAUSE_BAD_CREDENTIALS);
}

static void
test_mode (Fixture *fixture, gconstpointer data)
{
  for (guint bit = 01; bit <= 040; bit <<= 1) {
    g_autofree char *format =
      g_strdup_printf ("TokenFile %%s is open to other users (mode %04o): run “chmod 600 %%s”.", 0600 | bit);

    write_file (fixture->path, "abc\n", -1, 0600 | bit);
    assert_refused (fixture->path, format);
  }
  write_file (fixture->path, "abc\n", -1, 0644);
  assert_refused (fixture->path, "TokenFile %s is open to other users (mode 0644): run “chmod 600 %s”.");
}

static void
test_kind (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->folder, "link", NULL);

  assert_refused (fixture->folder, "TokenFile %s is no regular file.");
  g_assert_cmpint (mkfifo (fixture->path, 0600), ==, 0);
  assert_refused (fixture->path, "TokenFile %s is no regular file."); /* and does not wait for somebody to write */
  assert_refused ("/dev/null", "TokenFile %s is no regular file.");

  g_unlink (fixture->path);
  write_file (fixture->path, "abc\n", -1, 0600);
  g_assert_cmpint (symlink (fixture->path, link), ==, 0);
  assert_read (link, "abc");
  g_assert_cmpint (g_chmod (fixture->path, 0640), ==, 0);
  assert_refused (link, "TokenFile %s is open to other users (mode 0640): run “chmod 600 %s”.");
}

/* Only root can make a file of another user, or fail to be kept out by a mode. */
static void
test_owner (Fixture *fixture, gconstpointer data)
{
  write_file (fixture->path, "abc\n", -1, 0600);
  if (geteuid () == 0) {
    g_assert_cmpint (chown (fixture->path, 65534, 65534), ==, 0);
    assert_refused (fixture->path, "TokenFile %s belongs to another user: make a copy of your own.");
  } else {
    g_assert_cmpint (g_chmod (fixture->path, 0), ==, 0);
    assert_refused (fixture->path, "TokenFile %s cannot be read: Permission denied.");
  }
}

static void
test_content (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text;
    gssize length;
    const char *format;
  } cases[] = {
    { "", 0, "TokenFile %s holds no token: it is empty." },
    { "\n", 1, "TokenFile %s holds no token: it is empty." },
    { "\r\n\r\n", 4, "TokenFile %s holds no token: it is empty." },
    { "Bearer abc\n", -1, "TokenFile %s begins with “Bearer”: only the token itself belongs there." },
    { "bearer abc\n", -1, "TokenFile %s begins with “Bearer”: only the token itself belongs there." },
    { "a b", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { " ab", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "ab ", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "a\tb", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "a\nb\n", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "a\r\nX-Evil: 1", -1,
      "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "a\0b", 3, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "a\x7f", -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "\xc3\xa9", -1,
      "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
    { "\xef\xbb\xbf"
      "abc",
      -1, "TokenFile %s holds no token: there is a space, a line break or a special character in it." },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    write_file (fixture->path, cases[i].text, cases[i].length, 0600);
    assert_refused (fixture->path, cases[i].format);
  }
}

static void
test_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *largest = g_strnfill (RELAY_CREDENTIAL_MAX_BYTES, 'x');
  g_autofree char *larger = g_strnfill (RELAY_CREDENTIAL_MAX_BYTES + 1, 'x');

  write_file (fixture->path, largest, -1, 0600);
  assert_read (fixture->path, largest);
  write_file (fixture->path, larger, -1, 0600);
  assert_refused (fixture->path, "TokenFile %s is larger than 65536 bytes: that is no token.");
}

static void
test_systemd (Fixture *fixture, gconstpointer data)
{
  relay_autosecret char *secret = NULL;
  g_autoptr (GError) error = NULL;

  g_unsetenv ("CREDENTIALS_DIRECTORY");
  g_assert_true (relay_credential_read_systemd ("token", &secret, &error));
  g_assert_null (secret);

  g_setenv ("CREDENTIALS_DIRECTORY", fixture->folder, TRUE);
  g_assert_true (relay_credential_read_systemd ("token", &secret, &error));
  g_assert_null (secret);

  write_file (fixture->path, "abc\n", -1, 0440); /* as systemd makes them, with an ACL */
  g_assert_true (relay_credential_read_systemd ("token", &secret, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (secret, ==, "abc");

  relay_secret_clear (&secret);
  g_chdir (fixture->folder);
  g_setenv ("CREDENTIALS_DIRECTORY", ".", TRUE);
  g_assert_true (relay_credential_read_systemd ("token", &secret, &error));
  g_assert_null (secret);
  g_chdir ("/");

  g_setenv ("CREDENTIALS_DIRECTORY", fixture->folder, TRUE);
  write_file (fixture->path, "", 0, 0400);
  g_assert_false (relay_credential_read_systemd ("token", &secret, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_AUTH_FAILED);
  g_assert_nonnull (strstr (error->message, "The systemd credential "));
  g_assert_nonnull (strstr (error->message, "/token holds no token: it is empty."));
}

static guint
count_files (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
assert_mode (const char *path, guint mode)
{
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 07777, ==, mode);
}

static void
test_write (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  umask (0);
  g_assert_true (relay_credential_write_file (fixture->path, "first", &error));
  g_assert_no_error (error);
  assert_read (fixture->path, "first");
  assert_mode (fixture->path, 0600);

  g_assert_cmpint (g_chmod (fixture->path, 0644), ==, 0);
  g_assert_true (relay_credential_write_file (fixture->path, "second", &error));
  assert_read (fixture->path, "second");
  assert_mode (fixture->path, 0600);
  g_assert_cmpuint (count_files (fixture->folder), ==, 1);
}

static void
test_write_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (fixture->folder, "a", "b", NULL);
  g_autofree char *path = g_build_filename (folder, "token", NULL);

  umask (0);
  g_assert_true (relay_credential_write_file (path, "abc", NULL));
  assert_read (path, "abc");
  assert_mode (folder, 0700);
}

static void
test_write_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_build_filename (fixture->folder, "link", NULL);

  write_file (fixture->path, "old\n", -1, 0600);
  g_assert_cmpint (symlink ("token", link), ==, 0);
  g_assert_true (relay_credential_write_file (link, "new", NULL));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  assert_read (fixture->path, "new");
}

/* What was there stays, and nothing else is left behind. */
static void
test_write_fails (Fixture *fixture, gconstpointer data)
{
  g_autofree char *below_file = g_build_filename (fixture->path, "token", NULL);
  g_autofree char *folder = g_build_filename (fixture->folder, "folder", NULL);
  g_autofree char *inside = g_build_filename (folder, "x", NULL);
  g_autoptr (GError) error = NULL;

  write_file (fixture->path, "old\n", -1, 0600);
  g_assert_false (relay_credential_write_file (below_file, "secret", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
  g_assert_null (strstr (error->message, "secret"));
  g_clear_error (&error);
  assert_read (fixture->path, "old");

  g_assert_true (
    relay_credential_write_file (inside, "abc", NULL)); /* a folder that is not empty cannot be replaced */
  g_assert_false (relay_credential_write_file (folder, "secret", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_assert_cmpuint (count_files (fixture->folder), ==, 2);
}

static void
test_wipe (Fixture *fixture, gconstpointer data)
{
  char *secret = g_strdup ("abc");

  relay_secret_clear (&secret);
  g_assert_null (secret);
  relay_secret_clear (&secret);
  relay_secret_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/credential/file", test_file);
  ADD ("/credential/missing", test_missing);
  ADD ("/credential/no-descriptor", test_no_descriptor);
  ADD ("/credential/mode", test_mode);
  ADD ("/credential/kind", test_kind);
  ADD ("/credential/owner", test_owner);
  ADD ("/credential/content", test_content);
  ADD ("/credential/size", test_size);
  ADD ("/credential/systemd", test_systemd);
  ADD ("/credential/write", test_write);
  ADD ("/credential/write-folder", test_write_folder);
  ADD ("/credential/write-link", test_write_link);
  ADD ("/credential/write-fails", test_write_fails);
  ADD ("/credential/wipe", test_wipe);
#undef ADD
  return g_test_run ();
}
