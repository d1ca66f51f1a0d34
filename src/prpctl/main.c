/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "build-config.h"
#include "prpctl/verbs.h"

/* Descriptors that were closed when we were started would be given to the bus, and text written to them sent there. */
static void
fill_standard_descriptors (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO)
    close (fd);
}

int
main (int argc, char **argv)
{
  fill_standard_descriptors ();
  (void) setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  (void) signal (SIGPIPE, SIG_IGN); /* a reader that leaves is told by EPIPE */

  return prpctl_run ((const char *const *) argv);
}
