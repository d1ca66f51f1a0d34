/* SPDX-License-Identifier: MIT */
#include "common/error.h"

#include <glib/gi18n-lib.h>

#include "common/names.h"

typedef struct {
  char *english; /* NULL: the message is all there is */
} RelayErrorPrivate;

static void
relay_error_private_init (RelayErrorPrivate *private)
{
}

static void
relay_error_private_copy (const RelayErrorPrivate *private, RelayErrorPrivate *copy)
{
  if (private != NULL && copy != NULL)
    copy->english = g_strdup (private->english);
}

static void
relay_error_private_clear (RelayErrorPrivate *private)
{
  if (private != NULL)
    g_free (private->english);
}

/* GLib puts the private part in front of the error, where it is aligned, and comes to it by way of a byte pointer. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
G_DEFINE_EXTENDED_ERROR (RelayError, relay_error)
#pragma GCC diagnostic pop

static GError *G_GNUC_PRINTF (2, 0)
new_in_two_languages (RelayError code, const char *format, va_list args)
{
  GError *error;
  RelayErrorPrivate *private;
  va_list again;

  va_copy (again, args);
  error = g_error_new_valist (RELAY_ERROR, (int) code, g_dgettext (GETTEXT_PACKAGE, format), args);
  private = relay_error_get_private (error);
  if (private != NULL)
    private->english = g_strdup_vprintf (format, again);
  va_end (again);
  return error;
}

void
relay_error_set (GError **error, RelayError code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_propagate_error (error, new_in_two_languages (code, format, args));
  va_end (args);
}

GError *
relay_error_new (RelayError code, const char *format, ...)
{
  GError *error;
  va_list args;

  va_start (args, format);
  error = new_in_two_languages (code, format, args);
  va_end (args);
  return error;
}

const char *
relay_error_get_english (const GError *error)
{
  RelayErrorPrivate *private = error->domain == RELAY_ERROR ? relay_error_get_private (error) : NULL;

  return private != NULL && private->english != NULL ? private->english : error->message;
}

/* The one table of errors: ours, the server's, the bus's. */
static const struct {
  RelayError error;
  const char *server_code;
  const char *bus_name;
} table[] = {
  { RELAY_ERROR_INVALID_CHANNEL, "INVALID_CHANNEL", RELAY_BUS_ERROR_PREFIX "InvalidChannel" },
  { RELAY_ERROR_SUBSCRIPTION_LIMIT, "SUBSCRIPTION_LIMIT", RELAY_BUS_ERROR_PREFIX "SubscriptionLimit" },
  { RELAY_ERROR_RATE_LIMITED, "RATE_LIMITED", RELAY_BUS_ERROR_PREFIX "RateLimited" },
  { RELAY_ERROR_AUTH_FAILED, "AUTH_FAILED", RELAY_BUS_ERROR_PREFIX "AuthFailed" },
  { RELAY_ERROR_TOKEN_EXPIRED, "TOKEN_EXPIRED", RELAY_BUS_ERROR_PREFIX "TokenExpired" },
  { RELAY_ERROR_INVALID_ACTION, "INVALID_ACTION", RELAY_BUS_ERROR_PREFIX "InvalidAction" },
  { RELAY_ERROR_SERVER, NULL, RELAY_BUS_ERROR_PREFIX "Server" },
  { RELAY_ERROR_NOT_CONNECTED, NULL, RELAY_BUS_ERROR_PREFIX "NotConnected" },
  { RELAY_ERROR_NOT_SUBSCRIBED, NULL, RELAY_BUS_ERROR_PREFIX "NotSubscribed" },
  { RELAY_ERROR_NO_SUCH_HOLD, NULL, RELAY_BUS_ERROR_PREFIX "NoSuchHold" },
  { RELAY_ERROR_TIMEOUT, NULL, RELAY_BUS_ERROR_PREFIX "Timeout" },
  { RELAY_ERROR_CONFIGURATION, NULL, RELAY_BUS_ERROR_PREFIX "Configuration" },
  { RELAY_ERROR_LIMITS_EXCEEDED, NULL, "org.freedesktop.DBus.Error.LimitsExceeded" },
  { RELAY_ERROR_INVALID_ARGS, NULL, "org.freedesktop.DBus.Error.InvalidArgs" },
  { RELAY_ERROR_IO, NULL, "org.freedesktop.DBus.Error.IOError" },
};

const char *
relay_error_get_bus_name (RelayError error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].error == error)
      return table[i].bus_name;

  g_assert_not_reached ();
}

RelayError
relay_error_from_server_code (const char *code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].server_code != NULL && g_strcmp0 (table[i].server_code, code) == 0)
      return table[i].error;

  return RELAY_ERROR_SERVER;
}

const char *
relay_error_get_server_code (RelayError error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].error == error)
      return table[i].server_code;

  return NULL;
}
