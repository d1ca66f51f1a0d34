/* SPDX-License-Identifier: MIT */
#include "prpctl/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "build-config.h"
#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/complete.h"
#include "prpctl/help.h"
#include "prpctl/history.h"
#include "prpctl/login.h"
#include "client/json-writer.h"
#include "prpctl/monitor.h"
#include "prpctl/nearest.h"
#include "prpctl/output.h"
#include "prpctl/status.h"
#include "prpctl/text.h"
#include "prpctl/watch.h"

#define STATE_MAX_CHARS 40
#define NAME_MAX_CHARS 255

static guint64
get_now (void)
{
  return (guint64) g_get_real_time ();
}

static PrpctlStatus *
get_status (PrpctlRun *run, GError **error)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autoptr (sd_bus_message) reply = prpctl_client_get_all (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, error);

  if (reply == NULL || !prpctl_client_check (prpctl_status_read (status, reply, NULL), error))
    return NULL;
  if (run->options->json) {
    if (!prpctl_client_check (sd_bus_message_rewind (reply, TRUE), error) ||
        !prpctl_client_check (client_json_append_value (run->out, reply), error))
      return NULL;
    g_string_append_c (run->out, '\n');
  }
  return g_steal_pointer (&status);
}

static gboolean
run_status (PrpctlRun *run, GError **error)
{
  g_autoptr (PrpctlStatus) status = get_status (run, error);

  if (status == NULL)
    return FALSE;
  if (!run->options->json) {
    g_autoptr (GPtrArray) channels = prpctl_channels_get (run->client, error);
    g_autofree char *summary = NULL;

    if (channels == NULL)
      return FALSE;
    summary = prpctl_channels_summarize (channels);
    prpctl_status_describe (status, summary, get_now (), run->color, run->out);
  }
  if (!prpctl_status_is_connected (status))
    run->exit_status = PRPCTL_EXIT_NOT_CONNECTED;
  return TRUE;
}

/* Is there a connection, as far as can be known? For words only. */
static gboolean
is_connected (PrpctlRun *run)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autoptr (sd_bus_message) reply = prpctl_client_get_all (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, NULL);

  return reply != NULL && prpctl_status_read (status, reply, NULL) >= 0 && prpctl_status_is_connected (status);
}

/* One line for @name, which is in @state. */
static void
append_channel_state (PrpctlRun *run, const char *name, const char *state, int width)
{
  g_autoptr (PrpctlChannel) channel = NULL;
  g_autofree char *why = NULL;
  g_autofree char *safe_name = prpctl_text_make_safe (name, NAME_MAX_CHARS);
  g_autofree char *safe_state = prpctl_text_make_safe (state, STATE_MAX_CHARS);

  if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_ACTIVE)) {
    g_string_append_printf (run->out, "%-*s  %s\n", width, safe_name, safe_state);
    return;
  }
  channel = prpctl_channel_get (run->client, name);
  why = prpctl_channel_explain (state, channel, is_connected (run));
  g_string_append_printf (run->out, "%-*s  %-8s%s%s\n", width, safe_name, safe_state, why != NULL ? "  " : "",
                          why != NULL ? why : "");
}

/* The states that Subscribe answered with: lines in the order asked for, or one JSON object. */
static gboolean
show_channel_states (PrpctlRun *run, sd_bus_message *reply, GError **error)
{
  g_autoptr (GHashTable) states = g_hash_table_new (g_str_hash, g_str_equal);
  char **channels = run->options->arguments;
  const char *name, *state;
  int width = 0;
  int r = sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "{ss}");

  /* The strings are the message's own. */
  while (r >= 0 && (r = sd_bus_message_read (reply, "{ss}", &name, &state)) > 0) {
    g_hash_table_replace (states, (gpointer) name, (gpointer) state);
    if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_REJECTED))
      run->exit_status = PRPCTL_EXIT_REFUSED;
  }
  if (!prpctl_client_check (r, error))
    return FALSE;
  if (run->options->json) {
    if (!prpctl_client_check (sd_bus_message_rewind (reply, TRUE), error) ||
        !prpctl_client_check (client_json_append_value (run->out, reply), error))
      return FALSE;
    g_string_append_c (run->out, '\n');
    return TRUE;
  }

  for (guint i = 0; channels[i] != NULL; i++)
    width = MAX (width, (int) MIN (g_utf8_strlen (channels[i], -1), NAME_MAX_CHARS));
  for (guint i = 0; channels[i] != NULL; i++) {
    state = g_hash_table_lookup (states, channels[i]);
    if (state != NULL)
      append_channel_state (run, channels[i], state, width);
    g_hash_table_remove (states, channels[i]); /* named twice, told once */
  }
  return TRUE;
}

static gboolean
run_subscribe (PrpctlRun *run, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Subscribe", error);
  g_autoptr (sd_bus_message) reply = NULL;

  if (call == NULL || !prpctl_client_append_strings (call, run->options->arguments, error))
    return FALSE;
  reply = prpctl_client_call (run->client, call, error);
  return reply != NULL && show_channel_states (run, reply, error);
}

static gboolean
run_unsubscribe (PrpctlRun *run, GError **error)
{
  g_autoptr (sd_bus_message) call =
    prpctl_client_new_call (run->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Unsubscribe", error);
  g_autoptr (sd_bus_message) reply = NULL;

  if (call == NULL || !prpctl_client_append_strings (call, run->options->arguments, error))
    return FALSE;
  reply = prpctl_client_call (run->client, call, error);
  return reply != NULL;
}

static gboolean
run_channels (PrpctlRun *run, GError **error)
{
  g_autoptr (GPtrArray) channels = prpctl_channels_get (run->client, error);

  if (channels == NULL)
    return FALSE;
  if (run->options->json)
    prpctl_channels_append_json (run->out, channels);
  else if (channels->len > 0)
    prpctl_channels_append_table (run->out, channels, get_now (), run->color);
  else
    g_string_append (run->out, _("No channels. 'prpctl subscribe KIND:ID' subscribes to one.\n"));
  return TRUE;
}

static gboolean
run_ping (PrpctlRun *run, GError **error)
{
  g_autoptr (sd_bus_message) reply = prpctl_client_call_simple (run->client, "Ping", error);
  g_autofree char *text = NULL;
  guint64 rtt_usec;

  if (reply == NULL || !prpctl_client_check (sd_bus_message_read (reply, "t", &rtt_usec), error))
    return FALSE;
  if (run->options->json) {
    g_string_append_printf (run->out, "{\"rtt_usec\":%" G_GUINT64_FORMAT "}\n", rtt_usec);
    return TRUE;
  }
  text = prpctl_text_format_round_trip (rtt_usec);
  g_string_append_printf (run->out, "%s\n", text);
  return TRUE;
}

static gboolean
call_silently (PrpctlRun *run, const char *member, GError **error)
{
  g_autoptr (sd_bus_message) reply = prpctl_client_call_simple (run->client, member, error);

  return reply != NULL;
}

static gboolean
run_connect (PrpctlRun *run, GError **error)
{
  return call_silently (run, "Connect", error);
}

static gboolean
run_disconnect (PrpctlRun *run, GError **error)
{
  return call_silently (run, "Disconnect", error);
}

static gboolean
run_reload (PrpctlRun *run, GError **error)
{
  return call_silently (run, "Reload", error);
}

static gboolean run_help (PrpctlRun *run, GError **error);

#define ANY_NUMBER G_MAXUINT
#define OPTIONS_OF_CURSORS \
  (PRPCTL_OPTION_FROM | PRPCTL_OPTION_SHOW_CURSOR | PRPCTL_OPTION_CURSOR_FILE | PRPCTL_OPTION_STRICT)
#define OPTIONS_OF_FILTERS (PRPCTL_OPTION_TYPE | PRPCTL_OPTION_PRP | PRPCTL_OPTION_AGENT | PRPCTL_OPTION_PROJECT)
#define OPTIONS_OF_EXEC (PRPCTL_OPTION_EXEC | PRPCTL_OPTION_JOBS | PRPCTL_OPTION_EXEC_TIMEOUT)
#define OPTIONS_OF_MONITOR \
  (PRPCTL_OPTION_QUIET | PRPCTL_OPTION_COUNT | PRPCTL_OPTION_SECONDS | PRPCTL_OPTION_CHANNEL | OPTIONS_OF_FILTERS | \
   OPTIONS_OF_EXEC | OPTIONS_OF_CURSORS)
#define OPTIONS_OF_WATCH (PRPCTL_OPTION_COUNT | PRPCTL_OPTION_SECONDS | PRPCTL_OPTION_SINCE)
#define OPTIONS_OF_HISTORY \
  (PRPCTL_OPTION_LINES | PRPCTL_OPTION_SINCE | PRPCTL_OPTION_CLEAR | OPTIONS_OF_FILTERS | OPTIONS_OF_CURSORS)

typedef struct {
  PrpctlVerbWords words;
  guint min_arguments, max_arguments;
  gboolean needs_no_bus;
  gboolean (*run) (PrpctlRun *run, GError **error);
} Verb;

static const Verb verbs[] = {
  { { "status", NULL, N_("Show how the connection to the server is, and what to do if it is not well"), 0 }, 0, 0, FALSE,
    run_status },
  { { "subscribe", N_("CHANNEL…"), N_("Subscribe to channels, for good"), 0, PRPCTL_WORD_CHANNEL }, 1, ANY_NUMBER, FALSE, run_subscribe },
  { { "unsubscribe", N_("CHANNEL…"), N_("End such subscriptions"), 0, PRPCTL_WORD_DURABLE_CHANNEL }, 1, ANY_NUMBER, FALSE, run_unsubscribe },
  { { "channels", NULL, N_("List the channels, their state and who wants them"), 0 }, 0, 0, FALSE, run_channels },
  { { "monitor", N_("[CHANNEL…]"), N_("Follow the events, holding the channels meanwhile"), OPTIONS_OF_MONITOR,
      PRPCTL_WORD_CHANNEL }, 0,
    ANY_NUMBER, FALSE, prpctl_monitor },
  { { "watch", N_("[CHANNEL…]"), N_("Show the PRPs and how far they are, live, holding the channels meanwhile"),
      OPTIONS_OF_WATCH, PRPCTL_WORD_CHANNEL }, 0, ANY_NUMBER, FALSE, prpctl_watch },
  { { "history", NULL, N_("List the events that the relay has kept: the newest 100, or as asked for"),
      OPTIONS_OF_HISTORY }, 0, 0, FALSE, prpctl_history },
  { { "ping", NULL, N_("Measure the round trip to the server"), 0 }, 0, 0, FALSE, run_ping },
  { { "connect", NULL, N_("Connect now, whatever the relay was waiting for"), 0 }, 0, 0, FALSE, run_connect },
  { { "disconnect", NULL, N_("Close the connection, until 'connect'"), 0 }, 0, 0, FALSE, run_disconnect },
  { { "reload", NULL, N_("Have the relay read its configuration and credentials again"), 0 }, 0, 0, FALSE, run_reload },
  { { "login", NULL, N_("Read a token, from the terminal or standard input, and store it for the relay"),
      PRPCTL_OPTION_REFRESH_TOKEN | PRPCTL_OPTION_FILE }, 0, 0, TRUE, prpctl_login },
  { { "logout", NULL, N_("Remove the tokens that 'login' stored"), 0 }, 0, 0, TRUE, prpctl_logout },
  { { "help", N_("[COMMAND]"), N_("Show this help, or that of a command"), 0, PRPCTL_WORD_COMMAND }, 0, 1, TRUE, run_help },
  { { "_complete", NULL, NULL, 0 }, 0, ANY_NUMBER, TRUE, prpctl_complete },
};

const PrpctlVerbWords *
prpctl_verbs_get (guint i)
{
  return i < G_N_ELEMENTS (verbs) ? &verbs[i].words : NULL;
}

/* -- which verb, and is all with it that it needs? ---------------------------------------------------------------- */

static gboolean
usage_error (GError **error, const char *text, const char *detail, const char *hint)
{
  g_autofree char *safe = prpctl_text_make_safe (detail, NAME_MAX_CHARS);
  g_autofree char *message = prpctl_text_fill (text, safe);

  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, "%s\n%s", message,
               hint != NULL ? hint : _("'prpctl --help' shows what there is."));
  return FALSE;
}

static gboolean
usage_error_of_verb (GError **error, const char *text, const char *name)
{
  g_autofree char *hint = g_strdup_printf (_("'prpctl %s --help' shows what it takes."), name);

  return usage_error (error, text, name, hint);
}

static gboolean
usage_error_of_option (GError **error, PrpctlOptionFlags options, const char *verb)
{
  /* Translators: an option, and a command of prpctl. */
  g_autofree char *text = g_strdup_printf (_("--%s is not for “%s”."), prpctl_option_table_find (options)->name, verb);
  g_autofree char *hint = g_strdup_printf (_("'prpctl %s --help' shows what it takes."), verb);

  return usage_error (error, "%s", text, hint);
}

static const Verb *
find_verb (const char *name, GError **error)
{
  const char *names[G_N_ELEMENTS (verbs) + 1];
  g_autofree char *suggestion = NULL;
  const char *nearest;
  gsize n_names = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++) {
    if (g_str_equal (verbs[i].words.name, name))
      return &verbs[i];
    if (verbs[i].words.summary != NULL)
      names[n_names++] = verbs[i].words.name;
  }
  names[n_names] = NULL;
  nearest = prpctl_nearest (name, names);
  if (nearest != NULL)
    suggestion = g_strdup_printf (_("Did you mean “%s”?"), nearest);
  usage_error (error, _("There is no command “%s”."), name, suggestion);
  return NULL;
}

static gboolean
check_use (const Verb *verb, const PrpctlOptions *options, GError **error)
{
  const char *name = verb->words.name;
  guint n_arguments = g_strv_length (options->arguments);
  PrpctlOptionFlags others = options->given & ~(guint) verb->words.options;

  if (n_arguments < verb->min_arguments)
    return usage_error_of_verb (error, _("“%s” needs at least one channel."), name);
  if (n_arguments > verb->max_arguments && verb->max_arguments > 0)
    return usage_error_of_verb (error, _("Those are too many arguments for “%s”."), name);
  if (n_arguments > verb->max_arguments)
    return usage_error_of_verb (error, _("“%s” takes no arguments."), name);
  if (others != 0)
    return usage_error_of_option (error, others, name);
  if ((options->given & PRPCTL_OPTION_CLEAR) != 0 && options->given != PRPCTL_OPTION_CLEAR)
    return usage_error (error, _("%s goes alone: the history is cleared as a whole."), "--clear", NULL);
  return TRUE;
}

static gboolean
show_help (PrpctlRun *run, const char *name, GError **error)
{
  const Verb *verb = name != NULL ? find_verb (name, error) : NULL;

  if (verb != NULL && verb->words.summary != NULL) {
    prpctl_help_append_verb (run->out, &verb->words);
    return TRUE;
  }
  if (name != NULL && verb == NULL)
    return FALSE;
  g_string_append (run->out, _("Usage: prpctl [OPTION…] COMMAND [ARGUMENT…]\n\n"
                               "Talks to prp-relayd, which relays the events of PRP to the desktop.\n\n"
                               "Commands:\n"));
  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (verbs[i].words.summary != NULL)
      prpctl_help_append_summary (run->out, &verbs[i].words);
  g_string_append (run->out, _("\nOptions of every command:\n"));
  prpctl_help_append_options (run->out, PRPCTL_OPTIONS_OF_ALL);
  g_string_append (run->out, _("\n'prpctl COMMAND --help' shows the options of a command.\n"
                               "A channel is KIND:ID, as in project:proj_123456. See prpctl(1) for the exit status.\n"));
  return TRUE;
}

static gboolean
run_help (PrpctlRun *run, GError **error)
{
  return show_help (run, run->options->arguments[0], error);
}

static gboolean
run_options (PrpctlRun *run, GError **error)
{
  const PrpctlOptions *options = run->options;
  g_autoptr (PrpctlClient) client = NULL;
  const Verb *verb;
  gboolean success;

  if (options->version) {
    g_string_append (run->out, "prpctl " VERSION "\n");
    return TRUE;
  }
  if (options->help)
    return show_help (run, g_strcmp0 (options->verb, "help") == 0 ? options->arguments[0] : options->verb, error);
  if (options->verb == NULL)
    return usage_error (error, "%s", _("A command is missing."), NULL);
  verb = find_verb (options->verb, error);
  if (verb == NULL || !check_use (verb, options, error))
    return FALSE;
  if (!verb->needs_no_bus) {
    client = prpctl_client_new (options, error);
    if (client == NULL)
      return FALSE;
  }
  run->client = client;
  success = verb->run (run, error);
  run->client = NULL;
  return success;
}

/* Writes @text to @fd. A reader that has left is no failure. */
static int
write_all (int fd, const char *text)
{
  PrpctlOutput output;
  int r;

  prpctl_output_init (&output, fd);
  g_string_append (output.pending, text);
  r = prpctl_output_drain (&output);
  prpctl_output_clear (&output);
  return r == -EPIPE ? 0 : r;
}

static gboolean
wants_color (const PrpctlOptions *options)
{
  const char *no_color = g_getenv ("NO_COLOR"); /* no-color.org: if it is not empty */
  const char *terminal = g_getenv ("TERM");

  return !options->no_color && (no_color == NULL || *no_color == '\0') && isatty (STDOUT_FILENO) &&
         terminal != NULL && *terminal != '\0' && !g_str_equal (terminal, "dumb");
}

int
prpctl_run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PrpctlOptions) options = prpctl_options_parse (argv, &error);
  g_autoptr (GString) out = g_string_new (NULL);
  PrpctlRun run = { .options = options, .out = out };
  int r;

  if (options != NULL) {
    run.color = wants_color (options);
    if (!run_options (&run, &error))
      g_string_truncate (out, 0);
  }
  r = write_all (STDOUT_FILENO, out->str);
  if (r < 0 && error == NULL)
    g_set_error (&error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot write the output: %s"), g_strerror (-r));
  if (error != NULL) {
    g_autofree char *message = g_strdup_printf ("prpctl: %s\n", error->message);

    (void) write_all (STDERR_FILENO, message);
    return error->code;
  }
  return run.exit_status;
}
