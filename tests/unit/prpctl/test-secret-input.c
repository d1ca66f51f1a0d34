/* SPDX-License-Identifier: MIT */
#include "prpctl/secret-input.h"

#include <string.h>
#include <unistd.h>

#include "auth/credential.h"
#include "prpctl/failure.h"

/* At a terminal: tests/integration/test_login.py. */

static const char *const prompts[] = { "never shown", "never shown" };

/* What comes of @length bytes of @text. Caller wipes. */
static gboolean
read_text (const char *text, gsize length, guint n, char **ret_secrets, GError **error)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("prpctl-input-XXXXXX", &path, NULL);
  gboolean good;

  g_assert_cmpint (fd, >=, 0);
  unlink (path);
  g_assert_cmpint (write (fd, text, length), ==, (gssize) length);
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  good = prpctl_secret_input_read (fd, prompts, n, ret_secrets, error);
  close (fd);
  return good;
}

static void
test_one (void)
{
  static const char *const texts[] = { "tok", "tok\n", "tok\r\n", "tok\n\n\r\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    relay_autosecret char *secret = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_true (read_text (texts[i], strlen (texts[i]), 1, &secret, &error));
    g_assert_no_error (error);
    g_assert_cmpstr (secret, ==, "tok");
  }
}

static void
test_two (void)
{
  static const char *const texts[] = { "one\ntwo", "one\ntwo\n", "one\r\ntwo\r\n\r\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    char *secrets[PRPCTL_SECRETS_MAX] = { NULL };

    g_assert_true (read_text (texts[i], strlen (texts[i]), 2, secrets, NULL));
    g_assert_cmpstr (secrets[0], ==, "one");
    g_assert_cmpstr (secrets[1], ==, "two");
    relay_secret_clear (&secrets[0]);
    relay_secret_clear (&secrets[1]);
  }
}

static void
assert_refused (const char *text, gsize length, guint n, const char *said)
{
  char *secrets[PRPCTL_SECRETS_MAX] = { NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (read_text (text, length, n, secrets, &error));
  g_assert_error (error, PRPCTL_ERROR, (gint) PRPCTL_EXIT_FAILURE);
  g_assert_nonnull (strstr (error->message, said));
  g_assert_null (strstr (error->message, "secret"));
  g_assert_null (secrets[0]);
  g_assert_null (secrets[1]);
}

static void
test_refused (void)
{
  assert_refused ("", 0, 1, "empty");
  assert_refused ("\n", 1, 1, "empty");
  assert_refused ("secret x\n", 9, 1, "space");
  assert_refused ("secret\tx\n", 9, 1, "space");
  assert_refused ("secret\0x\n", 9, 1, "special");
  assert_refused ("secret\nsecret\n", 14, 1, "--refresh-token");
  assert_refused ("secret\n", 7, 2, "one line");
  assert_refused ("secret", 6, 2, "one line");
  assert_refused ("secret\n\n", 8, 2, "empty");
  assert_refused ("\nsecret\n", 8, 2, "empty");
  assert_refused ("secret\nsecret\nsecret\n", 21, 2, "more than two");
}

static void
test_length (void)
{
  g_autofree char *text = g_strnfill (4 * RELAY_CREDENTIAL_MAX_BYTES, 'x');
  relay_autosecret char *secret = NULL;

  g_assert_true (read_text (text, RELAY_CREDENTIAL_MAX_BYTES, 1, &secret, NULL));
  g_assert_cmpuint (strlen (secret), ==, RELAY_CREDENTIAL_MAX_BYTES);
  assert_refused (text, RELAY_CREDENTIAL_MAX_BYTES + 1, 1, "longer");
  assert_refused (text, 4 * RELAY_CREDENTIAL_MAX_BYTES, 1, "longer");
  assert_refused (text, 4 * RELAY_CREDENTIAL_MAX_BYTES, 2, "longer");
}

static void
test_unreadable (void)
{
  char *secrets[PRPCTL_SECRETS_MAX] = { NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (prpctl_secret_input_read (-1, prompts, 1, secrets, &error));
  g_assert_error (error, PRPCTL_ERROR, (gint) PRPCTL_EXIT_FAILURE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prpctl/secret-input/one", test_one);
  g_test_add_func ("/prpctl/secret-input/two", test_two);
  g_test_add_func ("/prpctl/secret-input/refused", test_refused);
  g_test_add_func ("/prpctl/secret-input/length", test_length);
  g_test_add_func ("/prpctl/secret-input/unreadable", test_unreadable);
  return g_test_run ();
}
