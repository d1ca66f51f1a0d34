/* SPDX-License-Identifier: MIT */
#include "prpctl/failure.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"

static GError *
fail_with (const char *name, const char *message, int error_number)
{
  GError *error = NULL;

  prpctl_failure_from_bus (name, message, error_number, &error);
  g_assert_nonnull (error);
  g_assert_true (error->domain == PRPCTL_ERROR);
  return error;
}

static void
test_exit_status (void)
{
  static const struct {
    const char *name;
    PrpctlExit exit_status;
  } cases[] = {
    { "dev.prp.Relay1.Error.InvalidChannel", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.SubscriptionLimit", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.RateLimited", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.AuthFailed", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.TokenExpired", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.InvalidAction", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.Server", PRPCTL_EXIT_REFUSED },
    { "dev.prp.Relay1.Error.NotConnected", PRPCTL_EXIT_NOT_CONNECTED },
    { "dev.prp.Relay1.Error.NotSubscribed", PRPCTL_EXIT_FAILURE },
    { "dev.prp.Relay1.Error.NoSuchHold", PRPCTL_EXIT_FAILURE },
    { "dev.prp.Relay1.Error.Timeout", PRPCTL_EXIT_TIMEOUT },
    { "dev.prp.Relay1.Error.Configuration", PRPCTL_EXIT_FAILURE },
    { "dev.prp.Relay1.Error.OfTomorrow", PRPCTL_EXIT_FAILURE },
    { "org.freedesktop.DBus.Error.LimitsExceeded", PRPCTL_EXIT_FAILURE },
    { "org.freedesktop.DBus.Error.ServiceUnknown", PRPCTL_EXIT_NO_RELAY },
    { "org.freedesktop.DBus.Error.NameHasNoOwner", PRPCTL_EXIT_NO_RELAY },
    { "org.freedesktop.DBus.Error.Spawn.ChildExited", PRPCTL_EXIT_NO_RELAY },
    { "org.freedesktop.systemd1.NoSuchUnit", PRPCTL_EXIT_NO_RELAY },
    { "org.freedesktop.DBus.Error.NoReply", PRPCTL_EXIT_NO_RELAY },
    { "org.freedesktop.DBus.Error.Timeout", PRPCTL_EXIT_TIMEOUT },
    { "org.freedesktop.DBus.Error.TimedOut", PRPCTL_EXIT_TIMEOUT },
    { "org.freedesktop.DBus.Error.UnknownMethod", PRPCTL_EXIT_FAILURE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = fail_with (cases[i].name, "the reason", 0);

    g_test_message ("%s", cases[i].name);
    g_assert_cmpint (error->code, ==, cases[i].exit_status);
    g_assert_nonnull (strstr (error->message, "the reason"));
  }
}

/* Each error that the relay can answer with is in the table, and none has become a plain failure by being forgotten. */
static void
test_every_relay_error (void)
{
  for (guint i = RELAY_ERROR_INVALID_CHANNEL; i <= RELAY_ERROR_IO; i++) {
    g_autoptr (GError) error = fail_with (relay_error_get_bus_name (i), "the reason", -EIO);

    g_assert_true (g_str_has_prefix (error->message, "the reason"));
    if (relay_error_get_server_code (i) != NULL)
      g_assert_cmpint (error->code, ==, PRPCTL_EXIT_REFUSED);
  }
}

static void
test_numbers (void)
{
  static const struct {
    int number;
    PrpctlExit exit_status;
  } cases[] = {
    { -ECONNRESET, PRPCTL_EXIT_NO_RELAY }, { -ENOTCONN, PRPCTL_EXIT_NO_RELAY }, { -EPIPE, PRPCTL_EXIT_NO_RELAY },
    { -ETIMEDOUT, PRPCTL_EXIT_TIMEOUT },   { -EBADMSG, PRPCTL_EXIT_FAILURE },   { -ENXIO, PRPCTL_EXIT_FAILURE },
    { -ENOMEM, PRPCTL_EXIT_FAILURE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = fail_with (NULL, NULL, cases[i].number);

    g_assert_cmpint (error->code, ==, cases[i].exit_status);
    g_assert_nonnull (strstr (error->message, g_strerror (-cases[i].number)));
  }
}

static void
test_words (void)
{
  g_autoptr (GError) no_relay = fail_with ("org.freedesktop.DBus.Error.ServiceUnknown", "No such name", -EHOSTUNREACH);
  g_autoptr (GError) nameless = fail_with ("com.example.Strange", NULL, -EIO);
  g_autoptr (GError) hostile = fail_with ("dev.prp.Relay1.Error.Server", "\033[2Jgone\nprpctl: all is well", -EIO);

  g_assert_cmpstr (no_relay->message, ==,
                   "prp-relayd is not running, and the bus does not know how to start it: No such name\n"
                   "Is it installed? If so, 'systemctl --user start prp-relayd.service' starts it.");
  g_assert_cmpstr (nameless->message, ==, "com.example.Strange");
  g_assert_cmpstr (hostile->message, ==, "�[2Jgone\n  prpctl: all is well");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/failure/exit-status", test_exit_status);
  g_test_add_func ("/failure/every-relay-error", test_every_relay_error);
  g_test_add_func ("/failure/numbers", test_numbers);
  g_test_add_func ("/failure/words", test_words);
  return g_test_run ();
}
