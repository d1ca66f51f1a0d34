/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

#define MAX_FIELDS 16 /* of one message */

static const char *log_identifier = "prp-relay";
static int log_max_level = LOG_INFO;
static gboolean log_to_journal;
static char *log_unit; /* of the user manager; NULL: none */

/* systemd.exec(5), $JOURNAL_STREAM: the journal is at the other end of stderr if device and inode are these. */
static gboolean
stderr_is_journal (void)
{
  const char *stream = g_getenv ("JOURNAL_STREAM");
  unsigned long long device = 0, inode = 0;
  struct stat st;

  /* A number that is too large is another file's. NOLINTNEXTLINE(cert-err34-c) */
  return stream != NULL && sscanf (stream, "%llu:%llu", &device, &inode) == 2 &&
         fstat (STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void
relay_log_init (const char *identifier, int max_level)
{
  log_identifier = identifier;
  log_max_level = max_level;
  log_to_journal = stderr_is_journal ();

  /* The journal looks up the unit of whoever sent a message, and often finds nobody any more where that was their last word,
   * as of a configuration that cannot be used. `journalctl --user -u` also takes the word of this field. */
  g_clear_pointer (&log_unit, free);
  if (log_to_journal)
    sd_pid_get_user_unit (0, &log_unit);
}

gboolean
relay_log_enabled (int level)
{
  return level <= log_max_level;
}

static gboolean
send_to_journal (int level, const char *const *fields, const char *message)
{
  struct iovec iov[MAX_FIELDS];
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  gsize n = 0;

  g_ptr_array_add (texts, g_strdup_printf ("MESSAGE=%s", message));
  g_ptr_array_add (texts, g_strdup_printf ("PRIORITY=%d", level));
  g_ptr_array_add (texts, g_strdup_printf ("SYSLOG_IDENTIFIER=%s", log_identifier));
  if (log_unit != NULL)
    g_ptr_array_add (texts, g_strdup_printf ("USER_UNIT=%s", log_unit));
  for (; fields != NULL && fields[0] != NULL && texts->len < MAX_FIELDS; fields += 2)
    if (fields[1] != NULL)
      g_ptr_array_add (texts, g_strdup_printf ("%s=%s", fields[0], fields[1]));

  for (guint i = 0; i < texts->len; i++)
    iov[n++] = (struct iovec){ .iov_base = texts->pdata[i], .iov_len = strlen (texts->pdata[i]) };

  return sd_journal_sendv (iov, (int) n) >= 0;
}

/* A line of a log is a line: what a server or a file put into it does not start another. */
static void
make_printable (char *text)
{
  for (char *p = text; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
}

void
relay_log_fields (int level, const char *const *fields, const char *format, ...)
{
  g_autofree char *message = NULL;
  int saved_errno = errno;
  va_list args;

  if (!relay_log_enabled (level))
    return;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  make_printable (message);

  if (!log_to_journal || !send_to_journal (level, fields, message))
    fprintf (stderr, "%s: %s\n", log_identifier, message);

  errno = saved_errno;
}

void
relay_log_lines (int level, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    relay_log (level, "%s", *line);
}

gpointer
relay_log_begin_english (void)
{
  /* GLib decides at its first message whether there are translations at all: not in here, where there are none. */
  (void) g_dgettext (GETTEXT_PACKAGE, "");
  return uselocale (newlocale (LC_MESSAGES_MASK, "C", duplocale (LC_GLOBAL_LOCALE)));
}

void
relay_log_end_english (gpointer before)
{
  freelocale (uselocale (before));
}
