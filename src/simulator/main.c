/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <systemd/sd-daemon.h>

#include "build-config.h"

#include "common/log.h"
#include "simulator/frames.h"
#include "simulator/options.h"
#include "simulator/secret-file.h"
#include "simulator/server.h"

#define IDENTIFIER "prp-simulator"
#define EXIT_USAGE 2

typedef struct {
  SimOptions *options;
  SimTokens *tokens;
  SimHub *hub;
  SimServer *server;
  GMainLoop *loop;
  gboolean ending;
} Simulator;

/* What the user reads. A line is there as soon as it is printed, also through a pipe. */
static void say (const Simulator *simulator, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
say (const Simulator *simulator, const char *format, ...)
{
  va_list args;

  if (simulator->options->quiet)
    return;
  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  putchar ('\n');
  (void) fflush (stdout);
}

static gboolean
publish_token (const char *token, gpointer user_data, GError **error)
{
  const Simulator *simulator = user_data;

  if (simulator->options->token_file != NULL)
    return sim_secret_file_replace (simulator->options->token_file, token, error);
  say (simulator, _("Another token that is accepted:\n  %s"), token);
  return TRUE;
}

/* Everything that is to be accepted, from the options or fresh. To print a fresh token is right in a simulator. */
static gboolean
prepare_tokens (Simulator *simulator, GError **error)
{
  const SimOptions *options = simulator->options;
  gint64 now = g_get_real_time ();

  simulator->tokens = sim_tokens_new (options->token_life_usec, options->any_token);
  for (char **token = options->tokens; token != NULL && *token != NULL; token++)
    sim_tokens_accept (simulator->tokens, *token, now);

  if (options->token_file != NULL) {
    g_autofree char *fresh = sim_tokens_issue (simulator->tokens, now);
    g_autofree char *token = sim_secret_file_read_or_create (options->token_file, fresh, error);

    if (token == NULL)
      return FALSE;
    sim_tokens_accept (simulator->tokens, token, now);
    say (simulator, _("The token that is accepted is in %s"), options->token_file);
  } else if (options->tokens == NULL && !options->any_token) {
    g_autofree char *fresh = sim_tokens_issue (simulator->tokens, now);

    say (simulator, _("The token that is accepted:\n  %s"), fresh);
  }

  if (options->refresh_token != NULL) {
    sim_tokens_set_refresh_token (simulator->tokens, options->refresh_token);
  } else {
    g_autofree char *fresh = sim_token_generate ();

    if (options->refresh_token_file != NULL) {
      g_autofree char *token = sim_secret_file_read_or_create (options->refresh_token_file, fresh, error);

      if (token == NULL)
        return FALSE;
      sim_tokens_set_refresh_token (simulator->tokens, token);
      say (simulator, _("The refresh token is in %s"), options->refresh_token_file);
    } else {
      sim_tokens_set_refresh_token (simulator->tokens, fresh);
      say (simulator, _("The refresh token:\n  %s"), fresh);
    }
  }
  return TRUE;
}

static void
introduce (const Simulator *simulator)
{
  g_autoptr (GString) channels = g_string_new (NULL);
  g_autofree char *control = sim_server_format_url (simulator->server, "http", SIM_CONTROL_PATH);
  g_autofree char *renewal = sim_server_format_url (simulator->server, "http", SIM_TOKEN_PATH);
  g_autofree char *events = sim_server_format_url (simulator->server, "ws", SIM_WEBSOCKET_PATH);

  for (guint i = 0; i < SIM_WORLD_N_PROJECTS; i++)
    g_string_append_printf (channels, " project:%s", sim_world_project_id (i));
  for (guint i = 0; i < SIM_WORLD_N_AGENTS; i++)
    g_string_append_printf (channels, " agent:%s", sim_world_agent_id (i));

  say (simulator, _("Channels where something happens:%s"), channels->str);
  say (simulator, _("Tokens are renewed at %s"), renewal);
  say (simulator, _("Faults on demand: curl %s"), control);
  say (simulator, "listening on %s", events); /* for scripts: never translated */
}

static gboolean
write_port (const Simulator *simulator, GError **error)
{
  g_autofree char *line = g_strdup_printf ("%u\n", sim_server_get_port (simulator->server));

  return g_file_set_contents_full (simulator->options->port_file, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644,
                                   error);
}

static gboolean
on_all_closed (gpointer user_data)
{
  g_main_loop_quit (((Simulator *) user_data)->loop);
  return G_SOURCE_REMOVE;
}

/* The second signal does not wait for clients. */
static gboolean
on_signal (gpointer user_data)
{
  Simulator *simulator = user_data;

  if (simulator->ending) {
    g_main_loop_quit (simulator->loop);
    return G_SOURCE_CONTINUE;
  }
  simulator->ending = TRUE;
  sd_notify (FALSE, "STOPPING=1");
  sim_server_stop (simulator->server);
  sim_hub_close_all (simulator->hub, SIM_CLOSE_GOING_AWAY, "the simulator is ending", on_all_closed, simulator);
  return G_SOURCE_CONTINUE;
}

static gboolean
run (Simulator *simulator, GError **error)
{
  const SimOptions *options = simulator->options;
  gboolean has_sink = options->token_file != NULL || !options->quiet;

  if (!prepare_tokens (simulator, error))
    return FALSE;
  simulator->hub = sim_hub_new (&options->hub, simulator->tokens);
  simulator->server =
      sim_server_new (simulator->hub, options->certificate, has_sink ? publish_token : NULL, simulator);
  if (!sim_server_listen (simulator->server, options->address, options->port, error))
    return FALSE;
  if (options->port_file != NULL && !write_port (simulator, error))
    return FALSE;

  simulator->loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGINT, on_signal, simulator);
  g_unix_signal_add (SIGTERM, on_signal, simulator);
  introduce (simulator);
  sd_notify (FALSE, "READY=1");
  g_main_loop_run (simulator->loop);
  return TRUE;
}

int
main (int argc, char **argv)
{
  Simulator simulator = { 0 };
  g_autoptr (SimOptions) options = NULL;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  (void) setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  (void) signal (SIGPIPE, SIG_IGN);

  options = sim_options_parse (argv, &error);
  if (options == NULL) {
    fprintf (stderr, _("%s: %s\nTry “%s --help”.\n"), IDENTIFIER, error->message, IDENTIFIER);
    return EXIT_USAGE;
  }
  if (options->show_version) {
    printf ("prp-simulator %s\n", VERSION);
    return EXIT_SUCCESS;
  }
  relay_log_init (IDENTIFIER, options->verbose ? LOG_DEBUG : options->quiet ? LOG_WARNING : LOG_INFO);

  simulator.options = options;
  ok = run (&simulator, &error);
  if (!ok)
    fprintf (stderr, "%s: %s\n", IDENTIFIER, error->message);

  sim_server_free (simulator.server);
  sim_hub_free (simulator.hub);
  sim_tokens_free (simulator.tokens);
  g_clear_pointer (&simulator.loop, g_main_loop_unref);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
