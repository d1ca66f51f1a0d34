/* SPDX-License-Identifier: MIT */
#include "prpctl/options.h"

#include <glib/gi18n-lib.h>

#include "prpctl/command-line.h"
#include "prpctl/failure.h"
#include "prpctl/runner.h"
#include "prpctl/text.h"
#include "prpctl/time-words.h"

#define USAGE_MESSAGE_MAX_CHARS 200

/* Reads "SECONDS", a fraction allowed, as @name's value. */
static gboolean
parse_seconds (const char *name, const char *text, guint64 *ret_usec, GError **error)
{
  char *end = NULL;
  double seconds = g_ascii_strtod (text, &end);

  /* Written so that not-a-number fails too. */
  if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= PRPCTL_MAX_SECONDS)) {
    g_autofree char *safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE,
                 _("%s expects seconds, from 0.001 up to a year, and got “%s”"), name, safe);
    return FALSE;
  }
  *ret_usec = (guint64) (seconds * G_USEC_PER_SEC);
  return TRUE;
}

static gboolean
parse_count (const char *text, guint64 *ret_count, GError **error)
{
  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT64, ret_count, NULL)) {
    g_autofree char *safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("--count expects a number from 1, and got “%s”"), safe);
    return FALSE;
  }
  return TRUE;
}

static gboolean
parse_lines (const char *text, guint64 *ret_lines, GError **error)
{
  if (g_str_equal (text, "all")) {
    *ret_lines = 0;
  } else if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT, ret_lines, NULL)) {
    g_autofree char *safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE,
                 _("--lines expects a number, or 'all' (as does 0), and got “%s”"), safe);
    return FALSE;
  }
  return TRUE;
}

static gboolean
parse_jobs (const char *text, guint *ret_jobs, GError **error)
{
  guint64 jobs;

  if (!g_ascii_string_to_unsigned (text, 10, 1, PRPCTL_RUNNER_MAX_JOBS, &jobs, NULL)) {
    g_autofree char *safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);

    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("--jobs expects a number from 1 to %d, and got “%s”"),
                 PRPCTL_RUNNER_MAX_JOBS, safe);
    return FALSE;
  }
  *ret_jobs = (guint) jobs;
  return TRUE;
}

/* Words are split, and quotes are taken off, as a shell would; all else that a shell does is for who names one. */
static gboolean
parse_exec (const char *text, char ***ret_argv, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autofree char *safe = NULL;

  if (g_shell_parse_argv (text, NULL, ret_argv, &local_error))
    return TRUE;
  safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("--exec expects a command, and got “%s”: %s"), safe,
               local_error->message);
  return FALSE;
}

static gboolean
parse_since (const char *text, guint64 *ret_since_usec, GError **error)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_local ();

  return prpctl_time_parse (text, (guint64) g_get_real_time (), zone, ret_since_usec, error);
}

static gboolean
parse_from (const char *text, ClientCursor *ret_from, GError **error)
{
  g_autofree char *safe = NULL;

  if (client_cursor_parse (text, ret_from))
    return TRUE;
  safe = prpctl_text_make_safe (text, USAGE_MESSAGE_MAX_CHARS);
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE,
               _("--from expects a cursor (as --show-cursor shows it), the number of an event, 'start' or 'now', and "
                 "got “%s”"), safe);
  return FALSE;
}

/* As of a script's variable that was never set: nothing would be found, and nobody would know why. */
static gboolean
check_filter (const char *name, const char *value, GError **error)
{
  if (value == NULL || *value != '\0')
    return TRUE;
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("%s is empty; leave it out for whatever there is"), name);
  return FALSE;
}

static gboolean
check_filters (const PrpctlOptions *options, GError **error)
{
  for (char **type = options->types; type != NULL && *type != NULL; type++)
    if (!check_filter ("--type", *type, error))
      return FALSE;
  for (char **channel = options->channels; channel != NULL && *channel != NULL; channel++)
    if (!check_filter ("--channel", *channel, error))
      return FALSE;
  if (options->exec == NULL && (options->given & (PRPCTL_OPTION_JOBS | PRPCTL_OPTION_EXEC_TIMEOUT)) != 0) {
    g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("--%s makes no sense without --exec"),
                 (options->given & PRPCTL_OPTION_JOBS) != 0 ? "jobs" : "exec-timeout");
    return FALSE;
  }
  return check_filter ("--cursor-file", options->cursor_file, error) && check_filter ("--prp", options->prp, error) && check_filter ("--agent", options->agent, error) &&
         check_filter ("--project", options->project, error);
}

/* What a script or a person gives is text; only paths and commands may be any bytes. */
#define OPTIONS_OF_BYTES (PRPCTL_OPTION_EXEC | PRPCTL_OPTION_CURSOR_FILE)

static gboolean
check_encoding (const PrpctlCommandLine *line, GError **error)
{
  for (const PrpctlOption *option = prpctl_option_table_get (); option->name != NULL; option++) {
    const char *const *values = prpctl_command_line_get_values (line, option->flag);

    for (; values != NULL && *values != NULL; values++) {
      if ((option->flag & OPTIONS_OF_BYTES) != 0 || g_utf8_validate (*values, -1, NULL))
        continue;
      g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("The value of --%s is not valid UTF-8."), option->name);
      return FALSE;
    }
  }
  return TRUE;
}

static void
take_flags (PrpctlOptions *options, PrpctlOptionFlags given)
{
  options->help = (given & PRPCTL_OPTION_HELP) != 0;
  options->version = (given & PRPCTL_OPTION_VERSION) != 0;
  options->json = (given & PRPCTL_OPTION_JSON) != 0;
  options->no_color = (given & PRPCTL_OPTION_NO_COLOR) != 0;
  options->no_start = (given & PRPCTL_OPTION_NO_START) != 0;
  options->quiet = (given & PRPCTL_OPTION_QUIET) != 0;
  options->show_cursor = (given & PRPCTL_OPTION_SHOW_CURSOR) != 0;
  options->strict = (given & PRPCTL_OPTION_STRICT) != 0;
  options->clear = (given & PRPCTL_OPTION_CLEAR) != 0;
}

static void
take_texts (PrpctlOptions *options, const PrpctlCommandLine *line)
{
  options->types = g_strdupv ((char **) prpctl_command_line_get_values (line, PRPCTL_OPTION_TYPE));
  options->channels = g_strdupv ((char **) prpctl_command_line_get_values (line, PRPCTL_OPTION_CHANNEL));
  options->cursor_file = g_strdup (prpctl_command_line_get_value (line, PRPCTL_OPTION_CURSOR_FILE));
  options->prp = g_strdup (prpctl_command_line_get_value (line, PRPCTL_OPTION_PRP));
  options->agent = g_strdup (prpctl_command_line_get_value (line, PRPCTL_OPTION_AGENT));
  options->project = g_strdup (prpctl_command_line_get_value (line, PRPCTL_OPTION_PROJECT));
}

static gboolean
parse_values (PrpctlOptions *options, const PrpctlCommandLine *line, GError **error)
{
  const char *timeout = prpctl_command_line_get_value (line, PRPCTL_OPTION_TIMEOUT);
  const char *seconds = prpctl_command_line_get_value (line, PRPCTL_OPTION_SECONDS);
  const char *count = prpctl_command_line_get_value (line, PRPCTL_OPTION_COUNT);
  const char *lines = prpctl_command_line_get_value (line, PRPCTL_OPTION_LINES);
  const char *since = prpctl_command_line_get_value (line, PRPCTL_OPTION_SINCE);
  const char *from = prpctl_command_line_get_value (line, PRPCTL_OPTION_FROM);
  const char *exec = prpctl_command_line_get_value (line, PRPCTL_OPTION_EXEC);
  const char *jobs = prpctl_command_line_get_value (line, PRPCTL_OPTION_JOBS);
  const char *exec_timeout = prpctl_command_line_get_value (line, PRPCTL_OPTION_EXEC_TIMEOUT);

  /* -n is the number of lines here. */
  if (g_strcmp0 (options->verb, "history") == 0 && count != NULL) {
    options->given &= ~(guint) PRPCTL_OPTION_COUNT;
    options->given |= PRPCTL_OPTION_LINES;
    if (lines == NULL)
      lines = count;
    count = NULL;
  }
  /* Who says from where wants all from there. */
  options->lines = since != NULL || from != NULL || options->cursor_file != NULL ? 0 : PRPCTL_DEFAULT_LINES;
  return (timeout == NULL || parse_seconds ("--timeout", timeout, &options->timeout_usec, error)) &&
         (seconds == NULL || parse_seconds ("--seconds", seconds, &options->seconds_usec, error)) &&
         (count == NULL || parse_count (count, &options->count, error)) &&
         (lines == NULL || parse_lines (lines, &options->lines, error)) &&
         (since == NULL || parse_since (since, &options->since_usec, error)) &&
         (from == NULL || parse_from (from, &options->from, error)) &&
         (exec == NULL || parse_exec (exec, &options->exec, error)) &&
         (jobs == NULL || parse_jobs (jobs, &options->jobs, error)) &&
         (exec_timeout == NULL ||
          parse_seconds ("--exec-timeout", exec_timeout, &options->exec_timeout_usec, error)) && check_filters (options, error);
}

static gboolean
parse_arguments (PrpctlOptions *options, const char *const *argv, GError **error)
{
  g_autoptr (PrpctlCommandLine) line = prpctl_command_line_parse (argv, error);
  PrpctlOptionFlags given;

  if (line == NULL || !check_encoding (line, error))
    return FALSE;
  given = prpctl_command_line_get_given (line);
  options->given = given & ~(guint) PRPCTL_OPTIONS_OF_ALL;
  options->verb = g_strdup (prpctl_command_line_get_verb (line));
  options->arguments = g_strdupv ((char **) prpctl_command_line_get_arguments (line));
  take_flags (options, given);
  take_texts (options, line);
  return parse_values (options, line, error);
}

PrpctlOptions *
prpctl_options_parse (const char *const *argv, GError **error)
{
  g_autoptr (PrpctlOptions) options = g_new0 (PrpctlOptions, 1);

  options->timeout_usec = PRPCTL_DEFAULT_TIMEOUT_USEC;
  options->exec_timeout_usec = PRPCTL_DEFAULT_EXEC_TIMEOUT_USEC;
  options->jobs = 1;
  if (!parse_arguments (options, argv, error))
    return NULL;
  return g_steal_pointer (&options);
}

void
prpctl_options_free (PrpctlOptions *options)
{
  if (options == NULL)
    return;
  client_cursor_clear (&options->from);
  g_strfreev (options->types);
  g_strfreev (options->channels);
  g_strfreev (options->exec);
  g_free (options->cursor_file);
  g_free (options->prp);
  g_free (options->agent);
  g_free (options->project);
  g_free (options->verb);
  g_strfreev (options->arguments);
  g_free (options);
}
