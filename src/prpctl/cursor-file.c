/* SPDX-License-Identifier: MIT */
#include "prpctl/cursor-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

#define PATH_MAX_CHARS 200
#define CURSOR_MAX_BYTES 4096

static void
set_error (GError **error, const char *format, const char *path, int error_number)
{
  g_autofree char *safe = prpctl_text_make_safe (path, PATH_MAX_CHARS);
  g_autofree char *text = prpctl_text_fill (format, safe);

  if (error_number != 0)
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, "%s: %s", text, g_strerror (error_number));
  else
    g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, text);
}

gboolean
prpctl_cursor_file_read (const char *path, ClientCursor *ret_cursor, gboolean *ret_found, GError **error)
{
  char text[CURSOR_MAX_BYTES + 1];
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize n;

  if (fd < 0 && errno == ENOENT) {
    *ret_found = FALSE;
    return TRUE;
  }
  n = fd >= 0 ? read (fd, text, CURSOR_MAX_BYTES) : -1;
  if (n < 0) {
    set_error (error, _("%s cannot be read"), path, errno);
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  close (fd);
  text[n] = '\0';
  g_strstrip (text);
  if (*text != '\0' && !client_cursor_parse (text, ret_cursor)) {
    set_error (error, _("There is no cursor in %s."), path, 0);
    return FALSE;
  }
  *ret_found = *text != '\0';
  return TRUE;
}

gboolean
prpctl_cursor_file_write (const char *path, const char *cursor, GError **error)
{
  g_autofree char *line = g_strconcat (cursor, "\n", NULL);
  g_autoptr (GError) local_error = NULL;

  if (g_file_set_contents_full (path, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local_error))
    return TRUE;
  {
    g_autofree char *safe = prpctl_text_make_safe (local_error->message, 2 * PATH_MAX_CHARS);

    /* Translators: why, from the system. */
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("The cursor cannot be kept: %s"), safe);
  }
  return FALSE;
}
