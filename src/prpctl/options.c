/* SPDX-License-Identifier: MIT */
#include "prpctl/options.h"

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
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
  return check_filter ("--prp", options->prp, error) && check_filter ("--agent", options->agent, error) &&
         check_filter ("--project", options->project, error);
}

/* What was given as text. */
typedef struct {
  char *timeout, *count, *seconds, *from, *lines, *since;
} Texts;

static void
texts_clear (Texts *texts)
{
  g_free (texts->timeout);
  g_free (texts->count);
  g_free (texts->seconds);
  g_free (texts->from);
  g_free (texts->lines);
  g_free (texts->since);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Texts, texts_clear)

static gboolean
parse_context (PrpctlOptions *options, Texts *texts, char ***rest, GError **error)
{
  const GOptionEntry entries[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &options->help, NULL, NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, NULL, NULL },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &options->json, NULL, NULL },
    { "no-color", 0, 0, G_OPTION_ARG_NONE, &options->no_color, NULL, NULL },
    { "no-start", 0, 0, G_OPTION_ARG_NONE, &options->no_start, NULL, NULL },
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &texts->timeout, NULL, NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, NULL, NULL },
    { "count", 'n', 0, G_OPTION_ARG_STRING, &texts->count, NULL, NULL },
    { "seconds", 0, 0, G_OPTION_ARG_STRING, &texts->seconds, NULL, NULL },
    { "from", 0, 0, G_OPTION_ARG_STRING, &texts->from, NULL, NULL },
    { "show-cursor", 0, 0, G_OPTION_ARG_NONE, &options->show_cursor, NULL, NULL },
    { "strict", 0, 0, G_OPTION_ARG_NONE, &options->strict, NULL, NULL },
    { "lines", 0, 0, G_OPTION_ARG_STRING, &texts->lines, NULL, NULL },
    { "since", 0, 0, G_OPTION_ARG_STRING, &texts->since, NULL, NULL },
    { "type", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->types, NULL, NULL },
    { "prp", 0, 0, G_OPTION_ARG_STRING, &options->prp, NULL, NULL },
    { "agent", 0, 0, G_OPTION_ARG_STRING, &options->agent, NULL, NULL },
    { "project", 0, 0, G_OPTION_ARG_STRING, &options->project, NULL, NULL },
    { "clear", 0, 0, G_OPTION_ARG_NONE, &options->clear, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) local_error = NULL;

  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse_strv (context, rest, &local_error)) {
    g_autofree char *safe = prpctl_text_make_safe (local_error->message, USAGE_MESSAGE_MAX_CHARS);

    g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, safe);
    return FALSE;
  }
  return TRUE;
}

static void
note_given (PrpctlOptions *options, const Texts *texts)
{
  const struct {
    gboolean is_given;
    PrpctlOptionFlags flag;
  } given[] = {
    { options->quiet, PRPCTL_OPTION_QUIET },
    { texts->count != NULL, PRPCTL_OPTION_COUNT },
    { texts->seconds != NULL, PRPCTL_OPTION_SECONDS },
    { texts->from != NULL, PRPCTL_OPTION_FROM },
    { options->show_cursor, PRPCTL_OPTION_SHOW_CURSOR },
    { options->strict, PRPCTL_OPTION_STRICT },
    { texts->lines != NULL, PRPCTL_OPTION_LINES },
    { texts->since != NULL, PRPCTL_OPTION_SINCE },
    { options->types != NULL || options->prp != NULL || options->agent != NULL || options->project != NULL,
      PRPCTL_OPTION_FILTER },
    { options->clear, PRPCTL_OPTION_CLEAR },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (given); i++)
    if (given[i].is_given)
      options->given |= given[i].flag;
}

static void
parse_words (PrpctlOptions *options, char **rest)
{
  char **from = rest[0] != NULL ? rest + 1 : rest;

  /* A "--" that GLib leaves in its place has done its work. */
  if (*from != NULL && g_str_equal (*from, "--"))
    from++;
  if (*from != NULL)
    options->verb = g_strdup (*from++);
  if (*from != NULL && g_str_equal (*from, "--"))
    from++;
  options->arguments = g_strdupv (from);
}

static gboolean
parse_arguments (PrpctlOptions *options, const char *const *argv, GError **error)
{
  g_auto (Texts) texts = { 0 };
  g_auto (GStrv) rest = g_strdupv ((char **) argv);

  if (!parse_context (options, &texts, &rest, error))
    return FALSE;
  parse_words (options, rest);
  /* -n is the number of lines here. */
  if (g_strcmp0 (options->verb, "history") == 0 && texts.count != NULL && texts.lines == NULL)
    texts.lines = g_steal_pointer (&texts.count);
  note_given (options, &texts);
  /* Who says from where wants all from there. */
  options->lines = texts.since != NULL || texts.from != NULL ? 0 : PRPCTL_DEFAULT_LINES;
  return (texts.timeout == NULL || parse_seconds ("--timeout", texts.timeout, &options->timeout_usec, error)) &&
         (texts.seconds == NULL || parse_seconds ("--seconds", texts.seconds, &options->seconds_usec, error)) &&
         (texts.count == NULL || parse_count (texts.count, &options->count, error)) &&
         (texts.lines == NULL || parse_lines (texts.lines, &options->lines, error)) &&
         (texts.since == NULL || parse_since (texts.since, &options->since_usec, error)) &&
         (texts.from == NULL || parse_from (texts.from, &options->from, error)) && check_filters (options, error);
}

const char *
prpctl_option_get_name (PrpctlOptionFlags flags)
{
  static const struct {
    PrpctlOptionFlags flag;
    const char *name;
  } names[] = {
    { PRPCTL_OPTION_QUIET, "--quiet" },
    { PRPCTL_OPTION_COUNT, "--count" },
    { PRPCTL_OPTION_SECONDS, "--seconds" },
    { PRPCTL_OPTION_FROM, "--from" },
    { PRPCTL_OPTION_SHOW_CURSOR, "--show-cursor" },
    { PRPCTL_OPTION_STRICT, "--strict" },
    { PRPCTL_OPTION_LINES, "--lines" },
    { PRPCTL_OPTION_SINCE, "--since" },
    { PRPCTL_OPTION_FILTER, "--type, --prp, --agent, --project" },
    { PRPCTL_OPTION_CLEAR, "--clear" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if ((flags & names[i].flag) != 0)
      return names[i].name;
  return "";
}

PrpctlOptions *
prpctl_options_parse (const char *const *argv, GError **error)
{
  g_autoptr (PrpctlOptions) options = g_new0 (PrpctlOptions, 1);

  options->timeout_usec = PRPCTL_DEFAULT_TIMEOUT_USEC;
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
  g_free (options->prp);
  g_free (options->agent);
  g_free (options->project);
  g_free (options->verb);
  g_strfreev (options->arguments);
  g_free (options);
}
