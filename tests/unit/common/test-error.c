/* SPDX-License-Identifier: MIT */
#include "common/error.h"

#include <string.h>

static const struct {
  RelayError error;
  const char *server_code; /* NULL: the protocol page has none */
  const char *bus_name;
} contract[] = {
  { RELAY_ERROR_INVALID_CHANNEL, "INVALID_CHANNEL", "dev.prp.Relay1.Error.InvalidChannel" },
  { RELAY_ERROR_SUBSCRIPTION_LIMIT, "SUBSCRIPTION_LIMIT", "dev.prp.Relay1.Error.SubscriptionLimit" },
  { RELAY_ERROR_RATE_LIMITED, "RATE_LIMITED", "dev.prp.Relay1.Error.RateLimited" },
  { RELAY_ERROR_AUTH_FAILED, "AUTH_FAILED", "dev.prp.Relay1.Error.AuthFailed" },
  { RELAY_ERROR_TOKEN_EXPIRED, "TOKEN_EXPIRED", "dev.prp.Relay1.Error.TokenExpired" },
  { RELAY_ERROR_INVALID_ACTION, "INVALID_ACTION", "dev.prp.Relay1.Error.InvalidAction" },
  { RELAY_ERROR_SERVER, NULL, "dev.prp.Relay1.Error.Server" },
  { RELAY_ERROR_NOT_CONNECTED, NULL, "dev.prp.Relay1.Error.NotConnected" },
  { RELAY_ERROR_NOT_SUBSCRIBED, NULL, "dev.prp.Relay1.Error.NotSubscribed" },
  { RELAY_ERROR_NO_SUCH_HOLD, NULL, "dev.prp.Relay1.Error.NoSuchHold" },
  { RELAY_ERROR_TIMEOUT, NULL, "dev.prp.Relay1.Error.Timeout" },
  { RELAY_ERROR_CONFIGURATION, NULL, "dev.prp.Relay1.Error.Configuration" },
  { RELAY_ERROR_LIMITS_EXCEEDED, NULL, "org.freedesktop.DBus.Error.LimitsExceeded" },
  { RELAY_ERROR_INVALID_ARGS, NULL, "org.freedesktop.DBus.Error.InvalidArgs" },
  { RELAY_ERROR_IO, NULL, "org.freedesktop.DBus.Error.IOError" },
};

static void
test_names (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (contract); i++) {
    g_assert_cmpstr (relay_error_get_bus_name (contract[i].error), ==, contract[i].bus_name);
    g_assert_cmpstr (relay_error_get_server_code (contract[i].error), ==, contract[i].server_code);
    if (contract[i].server_code != NULL)
      g_assert_cmpint (relay_error_from_server_code (contract[i].server_code), ==, contract[i].error);
  }
}

static void
test_unknown_codes (void)
{
  static const char *const codes[] = {
    NULL, "", "SERVER", "invalid_channel", "INVALID_CHANNEL ", "NOT_CONNECTED"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    g_assert_cmpint (relay_error_from_server_code (codes[i]), ==, RELAY_ERROR_SERVER);
}

static void
test_quark (void)
{
  g_assert_cmpstr (g_quark_to_string (RELAY_ERROR), ==, "RelayError");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/names", test_names);
  g_test_add_func ("/error/unknown-codes", test_unknown_codes);
  g_test_add_func ("/error/quark", test_quark);
  return g_test_run ();
}
