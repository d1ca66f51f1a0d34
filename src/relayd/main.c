/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <glib-unix.h>
#include <glib/gi18n.h>

#include "build-config.h"
#include "common/log.h"
#include "relayd/daemon.h"

static gboolean
on_terminate (gpointer user_data)
{
  RelayDaemon **daemon = user_data;

  relay_daemon_stop (*daemon);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_hangup (gpointer user_data)
{
  RelayDaemon **daemon = user_data;

  relay_daemon_reload (*daemon, NULL);
  return G_SOURCE_CONTINUE;
}

/* A file that may not grow any further (RLIMIT_FSIZE) is told by EFBIG as well; by the signal, we would be ended. Not ignored but
 * handled, so that a TokenCommand finds it as it is for everybody. */
static void
on_file_size (int number)
{
}

static gboolean
parse_options (int *argc, char ***argv, char **ret_config, gboolean *ret_verbose)
{
  gboolean version = FALSE;
  GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, ret_config, N_("Read FILE instead of the user's relay.conf"), N_("FILE") },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, ret_verbose, N_("Log what is of use when looking for a fault"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, N_("Show the version and exit"), NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, _("Holds the session's one connection to the PRP service and gives its events "
                                           "to the desktop as D-Bus signals."));
  g_option_context_set_description (context, _("Usually started by systemd or D-Bus on demand. See prp-relayd(1) and "
                                               "relay.conf(5)."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (g_option_context_parse (context, argc, argv, &error) && *argc > 1)
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _("Unexpected argument “%s”"), (*argv)[1]);
  if (error != NULL) {
    fprintf (stderr, "prp-relayd: %s\n", error->message);
    fprintf (stderr, _("Try “%s --help”.\n"), "prp-relayd");
    return FALSE;
  }
  if (version) {
    printf ("prp-relayd %s\n", VERSION);
    exit (EXIT_SUCCESS);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autofree char *config = NULL;
  gboolean verbose = FALSE;
  g_autoptr (GError) error = NULL;
  g_autoptr (RelayDaemon) daemon = NULL;

  (void) setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  if (!parse_options (&argc, &argv, &config, &verbose))
    return 2;
  relay_log_init ("prp-relayd", verbose ? LOG_DEBUG : LOG_INFO);

  /* GIO can ask NetworkManager and GVfs over a D-Bus connection of its own; the kernel and the file system know enough. */
  g_setenv ("GIO_USE_NETWORK_MONITOR", "netlink", FALSE);
  g_setenv ("GIO_USE_VFS", "local", FALSE);

  /* Memory holds a token: no core dump, and no other process of the user's that reads along. */
  prctl (PR_SET_DUMPABLE, 0);

  /* From here on, as who sees the name on the bus may send one. They are handled when the loop runs: there is a daemon then. */
  g_unix_signal_add (SIGTERM, on_terminate, &daemon);
  g_unix_signal_add (SIGINT, on_terminate, &daemon);
  g_unix_signal_add (SIGHUP, on_hangup, &daemon);
  sigaction (SIGXFSZ, &(struct sigaction){ .sa_handler = on_file_size, .sa_flags = SA_RESTART }, NULL);

  daemon = relay_daemon_new (config, &error);
  if (daemon == NULL) {
    relay_log_lines (LOG_ERR, error->message);
    return EXIT_FAILURE;
  }
  return relay_daemon_run (daemon) ? EXIT_SUCCESS : EXIT_FAILURE;
}
