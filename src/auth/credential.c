/* SPDX-License-Identifier: MIT */
#include "auth/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "common/error.h"

/*
 * A file with a token is as good as the token, so it is taken as ssh takes a private key: only where nobody else
 * can have read or replaced it. All checks are made on the open descriptor, never on the name, so that nothing can
 * be put in its place in between.
 */

#define REFUSE(error, ...) relay_error_set ((error), RELAY_ERROR_AUTH_FAILED, __VA_ARGS__)
#define REFUSE_FOR(error, failure, ...) relay_error_set ((error), code_of (failure), __VA_ARGS__)

/* Is the file to blame, or the machine, which has run out of something and may have it again? */
static RelayError
code_of (int failure)
{
  switch (failure) {
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case EIO:
  case ESTALE:
    return RELAY_ERROR_IO;
  default:
    return RELAY_ERROR_AUTH_FAILED;
  }
}

RelayCause
relay_credential_get_cause (const GError *error)
{
  return g_error_matches (error, RELAY_ERROR, RELAY_ERROR_IO) ? RELAY_CAUSE_CREDENTIALS_FOR_NOW : RELAY_CAUSE_BAD_CREDENTIALS;
}

void
relay_secret_free (char *secret)
{
  if (secret == NULL)
    return;
  explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
relay_secret_clear (char **secret)
{
  relay_secret_free (g_steal_pointer (secret));
}

gboolean
relay_credential_clean (char *text, gsize length, const char *what, GError **error)
{
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
    length--;
  text[length] = '\0';

  if (length == 0) {
    REFUSE (error, N_("%s holds no token: it is empty."), what);
    return FALSE;
  }
  if (g_ascii_strncasecmp (text, "Bearer ", strlen ("Bearer ")) == 0) {
    REFUSE (error, N_("%s begins with “Bearer”: only the token itself belongs there."), what);
    return FALSE;
  }
  /* RFC 6750 §2.1 names fewer characters; RFC 6749 appendix A.12 allows a token all that can be seen. */
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isgraph (text[i])) {
      REFUSE (error, N_("%s holds no token: there is a space, a line break or a special character in it."), what);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_file (int fd, const char *key, const char *path, RelayCredentialGuard guard, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0) {
    REFUSE_FOR (error, errno, N_("%s %s cannot be read: %s."), key, path, g_strerror (errno));
    return FALSE;
  }
  if (!S_ISREG (st.st_mode)) {
    REFUSE (error, N_("%s %s is no regular file."), key, path);
    return FALSE;
  }
  if (guard == RELAY_CREDENTIAL_PRIVATE && st.st_uid != geteuid () && st.st_uid != 0) {
    REFUSE (error, N_("%s %s belongs to another user: make a copy of your own."), key, path);
    return FALSE;
  }
  if (guard == RELAY_CREDENTIAL_PRIVATE && (st.st_mode & 077) != 0) {
    REFUSE (error, N_("%s %s is open to other users (mode %04o): run “chmod 600 %s”."), key, path,
            (guint) st.st_mode & 07777, path);
    return FALSE;
  }
  return TRUE;
}

/* Reads up to @size bytes. -1 with errno set on failure. */
static gssize
read_all (int fd, char *buffer, gsize size)
{
  gsize length = 0;

  while (length < size) {
    gssize n = read (fd, buffer + length, size - length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    length += (gsize) n;
  }
  return (gssize) length;
}

static gboolean
read_secret (int fd, const char *key, const char *path, char **ret_secret, GError **error)
{
  g_autofree char *what = g_strdup_printf ("%s %s", key, path);
  char *buffer = g_malloc (RELAY_CREDENTIAL_MAX_BYTES + 1);
  gssize length = read_all (fd, buffer, RELAY_CREDENTIAL_MAX_BYTES + 1);
  gboolean good = FALSE;

  if (length < 0)
    REFUSE_FOR (error, errno, N_("%s cannot be read: %s."), what, g_strerror (errno));
  else if (length > RELAY_CREDENTIAL_MAX_BYTES)
    REFUSE (error, N_("%s is larger than %d bytes: that is no token."), what, RELAY_CREDENTIAL_MAX_BYTES);
  else
    good = relay_credential_clean (buffer, (gsize) length, what, error);

  if (good)
    *ret_secret = g_strdup (buffer);
  explicit_bzero (buffer, RELAY_CREDENTIAL_MAX_BYTES + 1);
  g_free (buffer);
  return good;
}

gboolean
relay_credential_read_file (const char *key, const char *path, RelayCredentialGuard guard, char **ret_secret,
                            GError **error)
{
  gboolean good;
  int fd;

  /* O_NONBLOCK: a FIFO is told by check_file, not waited for. */
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    *ret_secret = NULL;
    return TRUE;
  }
  if (fd < 0) {
    REFUSE_FOR (error, errno, N_("%s %s cannot be read: %s."), key, path, g_strerror (errno));
    return FALSE;
  }
  good = check_file (fd, key, path, guard, error) && read_secret (fd, key, path, ret_secret, error);
  close (fd);
  return good;
}

gboolean
relay_credential_read_systemd (const char *name, char **ret_secret, GError **error)
{
  const char *folder = g_getenv ("CREDENTIALS_DIRECTORY");
  g_autofree char *path = NULL;

  if (folder == NULL || !g_path_is_absolute (folder)) {
    *ret_secret = NULL;
    return TRUE;
  }
  path = g_build_filename (folder, name, NULL);
  return relay_credential_read_file (_("The systemd credential"), path, RELAY_CREDENTIAL_SYSTEMD, ret_secret,
                                     error);
}

static gboolean
write_all (int fd, const char *text)
{
  gsize length = strlen (text);

  while (length > 0) {
    gssize n = write (fd, text, length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return FALSE;
    text += n;
    length -= (gsize) n;
  }
  return TRUE;
}

static gboolean
sync_folder (const char *folder)
{
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean synced;

  if (fd < 0)
    return FALSE;
  synced = fsync (fd) == 0;
  close (fd);
  return synced;
}

gboolean
relay_credential_write_file (const char *path, const char *secret, GError **error)
{
  g_autofree char *real = realpath (path, NULL);
  const char *target = real != NULL ? real : path;
  g_autofree char *folder = g_path_get_dirname (target);
  g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", target);
  int fd = -1, failure = 0;

  if (g_mkdir_with_parents (folder, 0700) < 0 || (fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0600)) < 0)
    failure = errno;
  if (failure == 0 && (!write_all (fd, secret) || !write_all (fd, "\n") || fsync (fd) < 0))
    failure = errno;
  if (fd >= 0 && close (fd) < 0 && failure == 0)
    failure = errno;
  if (failure == 0 && rename (temporary, target) < 0)
    failure = errno;
  if (failure != 0 && fd >= 0)
    unlink (temporary);
  if (failure == 0 && !sync_folder (folder))
    failure = errno;
  if (failure == 0)
    return TRUE;

  g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (failure), "%s: %s", path, g_strerror (failure));
  return FALSE;
}
