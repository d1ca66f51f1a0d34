/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include <glib-unix.h>
#include <glib/gi18n.h>

#include "build-config.h"
#include "common/log.h"
#include "notify/daemon.h"
#include "notify/markup.h"
#include "notify/memory.h"
#include "notify/news.h"

typedef struct {
  char *config;
  gboolean verbose, version, list_muted, unmute_all;
  char **unmute;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->config);
  g_strfreev (options->unmute);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
on_terminate (gpointer user_data)
{
  NotifyDaemon **daemon = user_data;

  notify_daemon_stop (*daemon);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_hangup (gpointer user_data)
{
  NotifyDaemon **daemon = user_data;

  notify_daemon_reload (*daemon);
  return G_SOURCE_CONTINUE;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options)
{
  GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, N_("Read FILE instead of the user's relay.conf"), N_("FILE") },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, N_("Log what is of use when looking for a fault"), NULL },
    { "list-muted", 0, 0, G_OPTION_ARG_NONE, &options->list_muted, N_("List the PRPs that are muted, and exit"), NULL },
    { "unmute", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->unmute, N_("Tell of the PRP with the id PRP again, and exit"),
      N_("PRP") },
    { "unmute-all", 0, 0, G_OPTION_ARG_NONE, &options->unmute_all, N_("Tell of all PRPs again, and exit"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, N_("Show the version and exit"), NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, _("Shows the events of the PRP service as desktop notifications."));
  g_option_context_set_description (context, _("Usually started by systemd with the graphical session. See prp-notify(1) and "
                                               "relay.conf(5)."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (g_option_context_parse (context, argc, argv, &error) && *argc > 1)
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _("Unexpected argument “%s”"), (*argv)[1]);
  if (error != NULL) {
    fprintf (stderr, "prp-notify: %s\n", error->message);
    fprintf (stderr, _("Try “%s --help”.\n"), "prp-notify");
    return FALSE;
  }
  return TRUE;
}

/* -- muted PRPs -------------------------------------------------------------------------------------------------- */

static int
list_muted (void)
{
  g_autoptr (NotifyMemory) memory = notify_memory_new (NULL);

  for (const char *const *id = notify_memory_list_muted (memory); *id != NULL; id++) {
    g_autofree char *line = notify_markup_make_line (*id, NOTIFY_NEWS_MAX_ID_BYTES);

    printf ("%s\n", line);
  }
  return EXIT_SUCCESS;
}

static gboolean
unmute (NotifyMemory *memory, const char *prp_id, guint *ret_n)
{
  g_autoptr (GError) error = NULL;

  if (notify_memory_unmute (memory, prp_id, ret_n, &error))
    return TRUE;
  fprintf (stderr, "prp-notify: %s\n", error->message);
  return FALSE;
}

static int
unmute_some (char **prp_ids)
{
  g_autoptr (NotifyMemory) memory = notify_memory_new (NULL);
  int status = EXIT_SUCCESS;

  for (char **id = prp_ids; *id != NULL; id++) {
    g_autofree char *shown = notify_markup_make_line (*id, NOTIFY_NEWS_MAX_ID_BYTES);
    guint n;

    if (!unmute (memory, *id, &n))
      return EXIT_FAILURE;
    if (n == 0) {
      fprintf (stderr, "prp-notify: ");
      fprintf (stderr, _("PRP %s is not muted\n"), shown);
      status = EXIT_FAILURE;
    }
  }
  return status;
}

static int
unmute_all (void)
{
  g_autoptr (NotifyMemory) memory = notify_memory_new (NULL);
  guint n;

  return unmute (memory, NULL, &n) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -- the service ------------------------------------------------------------------------------------------------- */

static int
serve (const Options *options)
{
  g_autoptr (NotifyDaemon) daemon = NULL;
  g_autoptr (GError) error = NULL;

  g_unix_signal_add (SIGTERM, on_terminate, &daemon);
  g_unix_signal_add (SIGINT, on_terminate, &daemon);
  g_unix_signal_add (SIGHUP, on_hangup, &daemon);

  daemon = notify_daemon_new (options->config, &error);
  if (daemon == NULL) {
    relay_log_lines (LOG_ERR, error->message);
    return EXIT_FAILURE;
  }
  return notify_daemon_run (daemon) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  g_auto (Options) options = { 0 };

  (void) setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  if (!parse_options (&argc, &argv, &options))
    return 2;
  relay_log_init ("prp-notify", options.verbose ? LOG_DEBUG : LOG_INFO);

  /* GIO can ask GVfs over a D-Bus connection of its own; the file system knows enough. */
  g_setenv ("GIO_USE_VFS", "local", FALSE);

  if (options.version) {
    printf ("prp-notify %s\n", VERSION);
    return EXIT_SUCCESS;
  }
  if (options.list_muted)
    return list_muted ();
  if (options.unmute_all)
    return unmute_all ();
  if (options.unmute != NULL)
    return unmute_some (options.unmute);
  return serve (&options);
}
