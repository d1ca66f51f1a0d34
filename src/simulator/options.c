/* SPDX-License-Identifier: MIT */
#include "simulator/options.h"

#include <glib/gi18n-lib.h>

#define DEFAULT_PORT 8787
#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_RATE 1.0
#define DEFAULT_HEARTBEAT_SEC 15.0
#define DEFAULT_MAX_CHANNELS 1000
#define DEFAULT_MAX_ACTIONS_PER_SEC 20
#define EXPIRY_GRACE_SEC 10
#define MAX_LIFE_SEC 1000000 /* its timer counts milliseconds in 31 bits */
#define MAX_HEARTBEAT_SEC 86400
#define MAX_LIMIT 10000000

/* As GOption hands them over, before anything is checked. */
typedef struct {
  int port, max_channels, max_actions_per_sec;
  double rate, heartbeat, token_life;
  gint64 seed;
  char *listen, *certificate_file, *key_file;
} Raw;

static gboolean
refuse (GError **error, const char *option, const char *why)
{
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", option, why);
  return FALSE;
}

static gboolean
check_tokens (const SimOptions *options, GError **error)
{
  const char *why = _("a token may have letters, digits and - . _ ~ + / in it, and = at its end");

  for (char **token = options->tokens; token != NULL && *token != NULL; token++)
    if (!sim_token_is_valid (*token))
      return refuse (error, "--token", why);
  if (options->refresh_token != NULL && !sim_token_is_valid (options->refresh_token))
    return refuse (error, "--refresh-token", why);
  if (options->refresh_token != NULL && options->refresh_token_file != NULL)
    return refuse (error, "--refresh-token-file", _("--refresh-token was given as well"));
  return TRUE;
}

static gboolean
check (const Raw *raw, SimOptions *options, GError **error)
{
  if (raw->port < 0 || raw->port > G_MAXUINT16)
    return refuse (error, "--port", _("a port is a number from 0 to 65535"));
  options->port = (guint16) raw->port;

  options->address = g_inet_address_new_from_string (
      raw->listen == NULL || g_str_equal (raw->listen, "localhost") ? DEFAULT_ADDRESS : raw->listen);
  if (options->address == NULL || !g_inet_address_get_is_loopback (options->address))
    return refuse (error, "--listen", _("only a loopback address is possible, such as 127.0.0.1 or ::1"));

  if (!(raw->rate >= 0 && raw->rate <= SIM_HUB_MAX_RATE))
    return refuse (error, "--rate", _("the rate is a number from 0 to 100000"));
  options->hub.events_per_sec = raw->rate;
  if (!(raw->heartbeat >= 0 && raw->heartbeat <= MAX_HEARTBEAT_SEC))
    return refuse (error, "--heartbeat", _("a number of seconds from 0 to 86400"));
  options->hub.limits.heartbeat_usec = (guint64) (raw->heartbeat * G_USEC_PER_SEC);
  if (!(raw->token_life >= 0 && raw->token_life <= MAX_LIFE_SEC))
    return refuse (error, "--token-life", _("a number of seconds from 0 to 1000000"));
  options->token_life_usec = (guint64) (raw->token_life * G_USEC_PER_SEC);

  if (raw->max_channels < 0 || raw->max_channels > MAX_LIMIT)
    return refuse (error, "--max-channels", _("a number from 0 to 10000000"));
  options->hub.limits.max_channels = (guint) raw->max_channels;
  if (raw->max_actions_per_sec < 0 || raw->max_actions_per_sec > MAX_LIMIT)
    return refuse (error, "--max-actions-per-sec", _("a number from 0 to 10000000"));
  options->hub.limits.max_actions_per_sec = (guint) raw->max_actions_per_sec;
  options->hub.limits.expiry_grace_usec = EXPIRY_GRACE_SEC * (guint64) G_USEC_PER_SEC;

  options->hub.seed = raw->seed >= 0 ? (guint64) raw->seed : (guint64) g_random_int () << 32 | g_random_int ();
  if (options->quiet && options->verbose)
    return refuse (error, "--verbose", _("--quiet was given as well"));

  if ((raw->certificate_file == NULL) != (raw->key_file == NULL))
    return refuse (error, "--tls-cert", _("--tls-cert and --tls-key go together"));
  if (raw->certificate_file != NULL) {
    options->certificate = g_tls_certificate_new_from_files (raw->certificate_file, raw->key_file, error);
    if (options->certificate == NULL)
      return FALSE;
  }
  return check_tokens (options, error);
}

static gboolean
parse (Raw *raw, SimOptions *options, char **arguments, GError **error)
{
  const GOptionEntry entries[] = {
    { "port", 'p', 0, G_OPTION_ARG_INT, &raw->port, N_("Port to listen on, 0 for any (default: 8787)"),
      N_("N") },
    { "listen", 'l', 0, G_OPTION_ARG_STRING, &raw->listen,
      N_("Loopback address to listen on (default: 127.0.0.1)"), N_("ADDRESS") },
    { "token", 't', 0, G_OPTION_ARG_STRING_ARRAY, &options->tokens, N_("Accept this token; may be repeated"),
      N_("TOKEN") },
    { "token-file", 0, 0, G_OPTION_ARG_FILENAME, &options->token_file,
      N_("Accept the token in this file, or put a fresh one into it"), N_("FILE") },
    { "any-token", 0, 0, G_OPTION_ARG_NONE, &options->any_token, N_("Accept any token"), NULL },
    { "refresh-token", 0, 0, G_OPTION_ARG_STRING, &options->refresh_token, N_("The first refresh token"),
      N_("TOKEN") },
    { "refresh-token-file", 0, 0, G_OPTION_ARG_FILENAME, &options->refresh_token_file,
      N_("Take the first refresh token from this file, or put a fresh one into it"), N_("FILE") },
    { "token-life", 0, 0, G_OPTION_ARG_DOUBLE, &raw->token_life, N_("Let tokens expire (default: 0, never)"),
      N_("SECONDS") },
    { "rate", 'r', 0, G_OPTION_ARG_DOUBLE, &raw->rate, N_("Events per second (default: 1)"), N_("N") },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &raw->seed, N_("Let the same things happen as with this seed before"),
      N_("N") },
    { "heartbeat", 0, 0, G_OPTION_ARG_DOUBLE, &raw->heartbeat,
      N_("Pause between heartbeats, 0 for none (default: 15)"), N_("SECONDS") },
    { "max-channels", 0, 0, G_OPTION_ARG_INT, &raw->max_channels,
      N_("Subscriptions of one connection (default: 1000)"), N_("N") },
    { "max-actions-per-sec", 0, 0, G_OPTION_ARG_INT, &raw->max_actions_per_sec,
      N_("Actions per second of one connection, 0 for no limit (default: 20)"), N_("N") },
    { "tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &raw->certificate_file, N_("Use TLS with this certificate"),
      N_("PEM") },
    { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &raw->key_file, N_("Key of the certificate"), N_("PEM") },
    { "port-file", 0, 0, G_OPTION_ARG_FILENAME, &options->port_file,
      N_("Write the port into this file once ready"), N_("FILE") },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, N_("Print nothing but problems"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, N_("Print each message of clients"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->show_version, N_("Print the version"), NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_auto (GStrv) copy = g_strdupv (arguments);

  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_summary (context,
                                _("A PRP service for trying and testing: it speaks the whole protocol, tells of "
                                   "invented PRPs, and misbehaves on demand."));
  g_option_context_set_description (
      context, _("Once it runs, GET /control lists what can be demanded; see prp-simulator(1)."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse_strv (context, &copy, error))
    return FALSE;
  if (copy[0] != NULL && copy[1] != NULL) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _("%s: there are no arguments but options"),
                 copy[1]);
    return FALSE;
  }
  return options->show_version || check (raw, options, error);
}

SimOptions *
sim_options_parse (char **arguments, GError **error)
{
  g_autoptr (SimOptions) options = g_new0 (SimOptions, 1);
  Raw raw = {
    .port = DEFAULT_PORT,
    .rate = DEFAULT_RATE,
    .heartbeat = DEFAULT_HEARTBEAT_SEC,
    .max_channels = DEFAULT_MAX_CHANNELS,
    .max_actions_per_sec = DEFAULT_MAX_ACTIONS_PER_SEC,
    .seed = -1,
  };
  gboolean ok = parse (&raw, options, arguments, error);

  g_free (raw.listen);
  g_free (raw.certificate_file);
  g_free (raw.key_file);
  return ok ? g_steal_pointer (&options) : NULL;
}

void
sim_options_free (SimOptions *options)
{
  if (options == NULL)
    return;
  g_clear_object (&options->address);
  g_clear_object (&options->certificate);
  g_strfreev (options->tokens);
  g_free (options->token_file);
  g_free (options->refresh_token);
  g_free (options->refresh_token_file);
  g_free (options->port_file);
  g_free (options);
}
