/* SPDX-License-Identifier: MIT */
#include "simulator/secret-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "simulator/tokens.h"

#define MODE_SECRET 0600

static void
set_errno_error (GError **error, const char *path)
{
  int saved_errno = errno;

  g_set_error (error, G_FILE_ERROR, (gint) g_file_error_from_errno (saved_errno), "%s: %s", path,
               g_strerror (saved_errno));
}

/* O_EXCL: of two simulators that start at once, one creates the file and the other reads it. */
static gboolean
create (const char *path, const char *fresh)
{
  g_autofree char *line = g_strconcat (fresh, "\n", NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_SECRET);
  gboolean ok;

  if (fd < 0)
    return FALSE;
  ok = write (fd, line, strlen (line)) == (gssize) strlen (line);
  ok = close (fd) == 0 && ok;
  if (!ok)
    unlink (path);
  return ok;
}

static char *
read_token (const char *path, GError **error)
{
  char buffer[SIM_TOKEN_MAX_BYTES + 3]; /* a line end, a byte too many, a NUL */
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gsize length = 0;
  gssize n = -1;

  if (fd >= 0) {
    while ((n = read (fd, buffer + length, sizeof buffer - 1 - length)) > 0)
      length += (gsize) n;
    if (n < 0)
      set_errno_error (error, path);
    close (fd);
  } else {
    set_errno_error (error, path);
  }
  if (n < 0)
    return NULL;

  buffer[length] = '\0';
  g_strchomp (buffer);
  if (strlen (buffer) > SIM_TOKEN_MAX_BYTES || !sim_token_is_valid (buffer)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s: there is no token in this file"), path);
    return NULL;
  }
  return g_strdup (buffer);
}

char *
sim_secret_file_read_or_create (const char *path, const char *fresh, GError **error)
{
  if (create (path, fresh))
    return g_strdup (fresh);
  if (errno != EEXIST) {
    set_errno_error (error, path);
    return NULL;
  }
  return read_token (path, error);
}

gboolean
sim_secret_file_replace (const char *path, const char *token, GError **error)
{
  g_autofree char *line = g_strconcat (token, "\n", NULL);

  return g_file_set_contents_full (path, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, MODE_SECRET, error);
}
