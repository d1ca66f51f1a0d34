/* SPDX-License-Identifier: MIT */
#include "prpctl/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "build-config.h"
#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/history.h"
#include "client/json-writer.h"
#include "prpctl/monitor.h"
#include "prpctl/output.h"
#include "prpctl/status.h"
#include "prpctl/text.h"

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
#define OPTIONS_OF_CURSORS (PRPCTL_OPTION_FROM | PRPCTL_OPTION_SHOW_CURSOR | PRPCTL_OPTION_STRICT)

static const struct {
  const char *name;
  const char *arguments; /* for the help, to be translated; NULL: none */
  const char *summary;   /* likewise */
  guint min_arguments, max_arguments;
  PrpctlOptionFlags options; /* of those that not every verb takes */
  gboolean needs_no_bus;
  gboolean (*run) (PrpctlRun *run, GError **error);
} verbs[] = {
  { "status", NULL, N_("Show how the connection to the server is, and what to do if it is not well"), 0, 0, 0, FALSE,
    run_status },
  { "subscribe", N_("CHANNEL…"), N_("Subscribe to channels, for good"), 1, ANY_NUMBER, 0, FALSE, run_subscribe },
  { "unsubscribe", N_("CHANNEL…"), N_("End such subscriptions"), 1, ANY_NUMBER, 0, FALSE, run_unsubscribe },
  { "channels", NULL, N_("List the channels, their state and who wants them"), 0, 0, 0, FALSE, run_channels },
  { "monitor", N_("[CHANNEL…]"), N_("Follow the events, holding the channels meanwhile"), 0, ANY_NUMBER,
    PRPCTL_OPTION_QUIET | PRPCTL_OPTION_COUNT | PRPCTL_OPTION_SECONDS | OPTIONS_OF_CURSORS, FALSE, prpctl_monitor },
  { "history", NULL, N_("List the events that the relay has kept: the newest 100, or as asked for"), 0, 0,
    PRPCTL_OPTION_LINES | PRPCTL_OPTION_SINCE | PRPCTL_OPTION_FILTER | PRPCTL_OPTION_CLEAR | OPTIONS_OF_CURSORS, FALSE,
    prpctl_history },
  { "ping", NULL, N_("Measure the round trip to the server"), 0, 0, 0, FALSE, run_ping },
  { "connect", NULL, N_("Connect now, whatever the relay was waiting for"), 0, 0, 0, FALSE, run_connect },
  { "disconnect", NULL, N_("Close the connection, until 'connect'"), 0, 0, 0, FALSE, run_disconnect },
  { "reload", NULL, N_("Have the relay read its configuration and credentials again"), 0, 0, 0, FALSE, run_reload },
  { "help", NULL, N_("Show this help"), 0, ANY_NUMBER, 0, TRUE, run_help },
};

static gboolean
run_help (PrpctlRun *run, GError **error)
{
  enum { COLUMN_WIDTH = 26 };

  g_string_append (run->out, _("Usage: prpctl [OPTION…] COMMAND [ARGUMENT…]\n\n"
                               "Talks to prp-relayd, which relays the events of PRP to the desktop.\n\n"
                               "Commands:\n"));
  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++) {
    g_autofree char *synopsis =
      g_strjoin (" ", verbs[i].name, verbs[i].arguments != NULL ? _(verbs[i].arguments) : NULL, NULL);
    glong padding = COLUMN_WIDTH - g_utf8_strlen (synopsis, -1);

    g_string_append_printf (run->out, "  %s", synopsis);
    for (glong j = 0; j < padding; j++)
      g_string_append_c (run->out, ' ');
    g_string_append_printf (run->out, "%s\n", _(verbs[i].summary));
  }
  g_string_append (run->out, _("\nOptions:\n"
                               "  -j, --json                JSON instead of words\n"
                               "      --no-color            No colors on a terminal\n"
                               "      --no-start            Do not start the relay if it is not running\n"
                               "      --timeout SECONDS     How long to wait for an answer (30)\n"
                               "  -h, --help                Show this help\n"
                               "      --version             Show the version\n\n"
                               "Options of monitor:\n"
                               "  -n, --count NUMBER        End after so many events\n"
                               "      --seconds SECONDS     End after this time\n"
                               "  -q, --quiet               Nothing about the relay itself on stderr\n\n"
                               "Options of history:\n"
                               "  -n, --lines NUMBER        The newest so many events; 0 or 'all': all of them\n"
                               "                            (100; with --since or --from: all)\n"
                               "      --since TIME          From this time on: '10 min ago', 1h, today,\n"
                               "                            'yesterday 14:00', '2026-11-23 14:00', …\n"
                               "      --type GLOB           Of this type, as in 'prp.*'; may be given several times\n"
                               "      --prp ID              About this PRP\n"
                               "      --agent ID            About this agent\n"
                               "      --project ID          About this project\n"
                               "      --clear               Have the relay forget all of them\n\n"
                               "Options of monitor and history:\n"
                               "      --from CURSOR         Begin behind this place in the history: a cursor, the\n"
                               "                            number of an event, 'start', or 'now'; misses nothing,\n"
                               "                            shows nothing twice, and says where it cannot know\n"
                               "      --show-cursor         Tell the cursor: at the end on stderr, and with --json\n"
                               "                            in each event\n"
                               "      --strict              End with 7 where events may have been missed\n\n"
                               "A channel is KIND:ID, as in project:proj_123456. See prpctl(1) for the exit status.\n"));
  return TRUE;
}

static gboolean
usage_error (GError **error, const char *text, const char *detail)
{
  g_autofree char *safe = prpctl_text_make_safe (detail, NAME_MAX_CHARS);
  g_autofree char *message = prpctl_text_fill (text, safe);

  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, "%s\n%s", message, _("'prpctl --help' shows what there is."));
  return FALSE;
}

static gboolean
usage_error_of_option (GError **error, PrpctlOptionFlags option, const char *verb)
{
  /* Translators: an option, and a command of prpctl. */
  g_autofree char *text = g_strdup_printf (_("%s is not for “%s”."), prpctl_option_get_name (option), verb);

  return usage_error (error, "%s", text);
}

static gboolean
find_verb (const PrpctlOptions *options, gsize *ret_verb, GError **error)
{
  const char *name = options->help ? "help" : options->verb;
  guint n_arguments = g_strv_length (options->arguments);
  gsize i = 0;

  if (name == NULL)
    return usage_error (error, _("A command is missing."), "");
  while (i < G_N_ELEMENTS (verbs) && !g_str_equal (verbs[i].name, name))
    i++;
  if (i == G_N_ELEMENTS (verbs))
    return usage_error (error, _("There is no command “%s”."), name);
  if (!options->help) {
    if (n_arguments < verbs[i].min_arguments)
      return usage_error (error, _("“%s” needs at least one channel."), name);
    if (n_arguments > verbs[i].max_arguments)
      return usage_error (error, _("“%s” takes no arguments."), name);
    if ((options->given & ~verbs[i].options) != 0)
      return usage_error_of_option (error, (PrpctlOptionFlags) (options->given & ~verbs[i].options), name);
    if ((options->given & PRPCTL_OPTION_CLEAR) != 0 && options->given != PRPCTL_OPTION_CLEAR)
      return usage_error (error, _("%s goes alone: the history is cleared as a whole."), "--clear");
  }
  *ret_verb = i;
  return TRUE;
}

static gboolean
run_options (PrpctlRun *run, GError **error)
{
  g_autoptr (PrpctlClient) client = NULL;
  gsize verb = 0;
  gboolean success;

  if (run->options->version) {
    g_string_append (run->out, "prpctl " VERSION "\n");
    return TRUE;
  }
  if (!find_verb (run->options, &verb, error))
    return FALSE;
  if (!verbs[verb].needs_no_bus) {
    client = prpctl_client_new (run->options, error);
    if (client == NULL)
      return FALSE;
  }
  run->client = client;
  success = verbs[verb].run (run, error);
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
  const char *no_color = g_getenv ("NO_COLOR");

  return !options->no_color && (no_color == NULL || *no_color == '\0') && isatty (STDOUT_FILENO) &&
         g_strcmp0 (g_getenv ("TERM"), "dumb") != 0;
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
