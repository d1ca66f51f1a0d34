/* SPDX-License-Identifier: MIT */
#include "prpctl/failure.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "common/error.h"
#include "prpctl/text.h"

G_DEFINE_QUARK (prpctl-error-quark, prpctl_error)

/* Shown of an error's text, whoever sent it. */
#define MESSAGE_MAX_LINES 20
#define LINE_MAX_CHARS 1000

/*
 * The one table of what a call can end with. The relay's own errors speak for themselves (`what` is NULL: their text is
 * shown); those of the bus are put into words of ours, behind which theirs follow.
 */
typedef struct {
  PrpctlExit exit_status;
  const char *what; /* to be translated */
  const char *hint; /* likewise, or NULL */
} Failure;

static const struct {
  RelayError error;
  Failure failure;
} relay_failures[] = {
  { RELAY_ERROR_INVALID_CHANNEL,
    { PRPCTL_EXIT_REFUSED, NULL, N_("A channel is KIND:ID, as in project:proj_123456, agent:agent_001 or prp:prp_789012.") } },
  { RELAY_ERROR_SUBSCRIPTION_LIMIT,
    { PRPCTL_EXIT_REFUSED, NULL, N_("'prpctl channels' lists what is subscribed, 'prpctl unsubscribe' makes room.") } },
  { RELAY_ERROR_RATE_LIMITED, { PRPCTL_EXIT_REFUSED, NULL, N_("Wait a little, then try again.") } },
  { RELAY_ERROR_AUTH_FAILED,
    { PRPCTL_EXIT_REFUSED, NULL, N_("Get a new token and run 'prpctl login'.") } },
  { RELAY_ERROR_TOKEN_EXPIRED,
    { PRPCTL_EXIT_REFUSED, NULL, N_("Get a new token and run 'prpctl login'.") } },
  { RELAY_ERROR_INVALID_ACTION, { PRPCTL_EXIT_REFUSED, NULL, N_("Does the server speak this version of the protocol?") } },
  { RELAY_ERROR_SERVER, { PRPCTL_EXIT_REFUSED, NULL, NULL } },
  { RELAY_ERROR_NOT_CONNECTED,
    { PRPCTL_EXIT_NOT_CONNECTED, NULL, N_("'prpctl status' tells why; 'prpctl connect' tries at once.") } },
  { RELAY_ERROR_NOT_SUBSCRIBED,
    { PRPCTL_EXIT_FAILURE, NULL,
      N_("'prpctl channels' lists the channels; only those marked as durable can be unsubscribed.") } },
  { RELAY_ERROR_NO_SUCH_HOLD, { PRPCTL_EXIT_FAILURE, NULL, NULL } },
  { RELAY_ERROR_TIMEOUT, { PRPCTL_EXIT_TIMEOUT, NULL, N_("'prpctl status' shows how the connection is.") } },
  { RELAY_ERROR_CONFIGURATION,
    { PRPCTL_EXIT_FAILURE, NULL,
      N_("The relay keeps its old configuration. Correct the file, then run 'prpctl reload' again.") } },
  { RELAY_ERROR_LIMITS_EXCEEDED, { PRPCTL_EXIT_FAILURE, NULL, NULL } },
  { RELAY_ERROR_INVALID_ARGS, { PRPCTL_EXIT_FAILURE, NULL, NULL } },
  { RELAY_ERROR_IO, { PRPCTL_EXIT_FAILURE, NULL, NULL } },
};

#define START_HINT N_("Start it with 'systemctl --user start prp-relayd.service'.")
#define VERSION_HINT N_("Are prpctl and prp-relayd of the same version? 'prpctl --version' and 'prpctl status' tell.")

static const struct {
  const char *name; /* ending in '.': every name that begins so */
  Failure failure;
} bus_failures[] = {
  { "org.freedesktop.DBus.Error.ServiceUnknown",
    { PRPCTL_EXIT_NO_RELAY, N_("prp-relayd is not running, and the bus does not know how to start it"),
      N_("Is it installed? If so, 'systemctl --user start prp-relayd.service' starts it.") } },
  { "org.freedesktop.DBus.Error.NameHasNoOwner",
    { PRPCTL_EXIT_NO_RELAY, N_("prp-relayd is not running"), START_HINT } },
  { "org.freedesktop.DBus.Error.Spawn.",
    { PRPCTL_EXIT_NO_RELAY, N_("prp-relayd could not be started"),
      N_("'journalctl --user --unit prp-relayd.service' may tell why.") } },
  { "org.freedesktop.systemd1.",
    { PRPCTL_EXIT_NO_RELAY, N_("prp-relayd could not be started"),
      N_("'systemctl --user status prp-relayd.service' may tell why.") } },
  { "org.freedesktop.DBus.Error.NoReply",
    { PRPCTL_EXIT_NO_RELAY, N_("prp-relayd ended before it answered"),
      N_("'journalctl --user --unit prp-relayd.service' may tell why.") } },
  { "org.freedesktop.DBus.Error.Disconnected", { PRPCTL_EXIT_NO_RELAY, N_("The session bus hung up"), NULL } },
  { "org.freedesktop.DBus.Error.Timeout",
    { PRPCTL_EXIT_TIMEOUT, N_("prp-relayd did not answer in time"), N_("--timeout SECONDS allows it more.") } },
  { "org.freedesktop.DBus.Error.TimedOut",
    { PRPCTL_EXIT_TIMEOUT, N_("prp-relayd could not be started in time"),
      N_("'journalctl --user --unit prp-relayd.service' may tell why.") } },
  { "org.freedesktop.DBus.Error.AccessDenied",
    { PRPCTL_EXIT_FAILURE, N_("The bus does not allow this program to call prp-relayd"), NULL } },
  { "org.freedesktop.DBus.Error.UnknownMethod",
    { PRPCTL_EXIT_FAILURE, N_("prp-relayd does not know this call"), VERSION_HINT } },
  { "org.freedesktop.DBus.Error.UnknownInterface",
    { PRPCTL_EXIT_FAILURE, N_("prp-relayd does not know this call"), VERSION_HINT } },
  { "org.freedesktop.DBus.Error.UnknownObject",
    { PRPCTL_EXIT_FAILURE, N_("prp-relayd does not know this call"), VERSION_HINT } },
};

static const Failure *
find_failure (const char *name, int error_number)
{
  static const Failure other = { PRPCTL_EXIT_FAILURE, NULL, NULL };
  static const Failure no_bus = { PRPCTL_EXIT_NO_RELAY, N_("The session bus hung up"), NULL };
  static const Failure unreadable = { PRPCTL_EXIT_FAILURE, N_("prp-relayd gave an answer that cannot be understood"),
                                      VERSION_HINT };

  for (gsize i = 0; name != NULL && i < G_N_ELEMENTS (relay_failures); i++)
    if (g_str_equal (name, relay_error_get_bus_name (relay_failures[i].error)))
      return &relay_failures[i].failure;
  for (gsize i = 0; name != NULL && i < G_N_ELEMENTS (bus_failures); i++)
    if (g_str_has_suffix (bus_failures[i].name, ".") ? g_str_has_prefix (name, bus_failures[i].name)
                                                     : g_str_equal (name, bus_failures[i].name))
      return &bus_failures[i].failure;

  switch (-error_number) {
  case ECONNRESET:
  case ENOTCONN:
  case EPIPE:
  case ESHUTDOWN:
  case ECHILD:
    return &no_bus;
  case ETIMEDOUT:
    return find_failure ("org.freedesktop.DBus.Error.Timeout", 0);
  case EBADMSG:
  case ENXIO:
    return &unreadable;
  default:
    return &other;
  }
}

/* Lines behind the first (the relay tells the faults of a configuration so, one a line) are indented: what is at the
 * margin is ours. */
static void
append_message (GString *out, const char *message)
{
  g_auto (GStrv) lines = g_strsplit (message, "\n", MESSAGE_MAX_LINES);

  for (guint i = 0; lines[i] != NULL; i++) {
    if (i > 0)
      g_string_append (out, "\n  ");
    prpctl_text_append (out, lines[i], LINE_MAX_CHARS);
  }
}

void
prpctl_failure_from_bus (const char *name, const char *message, int error_number, GError **error)
{
  const Failure *failure = find_failure (name, error_number);
  g_autoptr (GString) text = g_string_new (NULL);
  const char *theirs = message;

  if (theirs == NULL || *theirs == '\0')
    theirs = name != NULL ? name : error_number != 0 ? g_strerror (-error_number) : NULL;

  if (failure->what != NULL)
    g_string_append (text, _(failure->what));
  if (theirs != NULL) {
    if (text->len > 0)
      g_string_append (text, ": ");
    append_message (text, theirs);
  }
  if (failure->hint != NULL)
    g_string_append_printf (text, "\n%s", _(failure->hint));
  g_set_error_literal (error, PRPCTL_ERROR, failure->exit_status, text->str);
}
