/* SPDX-License-Identifier: MIT */
#include "prpctl/options.h"

#include <glib/gi18n-lib.h>

#include "prpctl/failure.h"
#include "prpctl/text.h"

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
parse_arguments (PrpctlOptions *options, const char *const *argv, GError **error)
{
  g_autofree char *timeout = NULL, *count = NULL, *seconds = NULL;
  const GOptionEntry entries[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &options->help, NULL, NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, NULL, NULL },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &options->json, NULL, NULL },
    { "no-color", 0, 0, G_OPTION_ARG_NONE, &options->no_color, NULL, NULL },
    { "no-start", 0, 0, G_OPTION_ARG_NONE, &options->no_start, NULL, NULL },
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &timeout, NULL, NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, NULL, NULL },
    { "count", 'n', 0, G_OPTION_ARG_STRING, &count, NULL, NULL },
    { "seconds", 0, 0, G_OPTION_ARG_STRING, &seconds, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_auto (GStrv) rest = g_strdupv ((char **) argv);
  g_autoptr (GError) local_error = NULL;
  char **from;

  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse_strv (context, &rest, &local_error)) {
    g_autofree char *safe = prpctl_text_make_safe (local_error->message, USAGE_MESSAGE_MAX_CHARS);

    g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, safe);
    return FALSE;
  }

  options->given = (options->quiet ? PRPCTL_OPTION_QUIET : 0) | (count != NULL ? PRPCTL_OPTION_COUNT : 0) |
                   (seconds != NULL ? PRPCTL_OPTION_SECONDS : 0);
  if ((timeout != NULL && !parse_seconds ("--timeout", timeout, &options->timeout_usec, error)) ||
      (seconds != NULL && !parse_seconds ("--seconds", seconds, &options->seconds_usec, error)) ||
      (count != NULL && !parse_count (count, &options->count, error)))
    return FALSE;

  /* A "--" that GLib leaves in its place has done its work. */
  from = rest[0] != NULL ? rest + 1 : rest;
  if (*from != NULL && g_str_equal (*from, "--"))
    from++;
  if (*from != NULL)
    options->verb = g_strdup (*from++);
  if (*from != NULL && g_str_equal (*from, "--"))
    from++;
  options->arguments = g_strdupv (from);
  return TRUE;
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
  g_free (options->verb);
  g_strfreev (options->arguments);
  g_free (options);
}
