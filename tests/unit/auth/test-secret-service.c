/* SPDX-License-Identifier: MIT */
#include "auth/secret-service.h"

#include "tests/unit/bus-fixture.h"

/* What a real keyring does: tests/desktop/test_keyring.py. Here, where there is none. */

#define URL "wss://prp.example/ws"
#define LONG_USEC (60 * G_USEC_PER_SEC)

typedef struct {
  guint n_answers;
  RelaySecretResult result;
  char *reason;
  gboolean had_secret;
} Answer;

static void
on_done (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  Answer *answer = user_data;

  answer->n_answers++;
  answer->result = result;
  answer->had_secret = secret != NULL;
  answer->reason = g_strdup (reason);
}

static RelaySecretCall *
begin (guint which, guint64 timeout_usec, Answer *answer)
{
  switch (which) {
  case 0:
    return relay_secret_lookup (RELAY_SECRET_ACCESS_TOKEN, URL, timeout_usec, on_done, answer);
  case 1:
    return relay_secret_replace (RELAY_SECRET_REFRESH_TOKEN, URL, "value", timeout_usec, on_done, answer);
  case 2:
    return relay_secret_store (RELAY_SECRET_ACCESS_TOKEN, URL, "value", timeout_usec, on_done, answer);
  default:
    return relay_secret_remove (RELAY_SECRET_REFRESH_TOKEN, URL, timeout_usec, on_done, answer);
  }
}

#define N_CALLS 4

static void
assert_answers (guint64 timeout_usec, RelaySecretResult result, const char *said)
{
  for (guint i = 0; i < N_CALLS; i++) {
    Answer answer = { 0 };
    G_GNUC_UNUSED g_autoptr (RelaySecretCall) call = begin (i, timeout_usec, &answer);

    g_assert_cmpuint (answer.n_answers, ==, 0);
    bus_fixture_wait (answer.n_answers > 0);
    if (!relay_secret_service_is_built ()) {
      g_assert_cmpint (answer.result, ==, RELAY_SECRET_ABSENT);
      g_assert_nonnull (strstr (answer.reason, "built without"));
    } else {
      g_assert_cmpint (answer.result, ==, result);
      g_assert_nonnull (strstr (answer.reason, said));
    }
    g_assert_false (answer.had_secret);
    g_free (answer.reason);
  }
}

static void
test_no_bus (gconstpointer data)
{
  const BusFixture *bus = data;

  g_setenv ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
  assert_answers (LONG_USEC, RELAY_SECRET_ABSENT, "no keyring");
  g_setenv ("DBUS_SESSION_BUS_ADDRESS", bus->address, TRUE);
}

static void
test_no_service (gconstpointer data)
{
  assert_answers (LONG_USEC, RELAY_SECRET_ABSENT, "no keyring");
}

/* A service on the bus for as long as the test, whose answer to everything is @handler. */
static void
assert_answers_with (gconstpointer data, sd_bus_message_handler_t handler, guint64 timeout_usec, const char *said)
{
  const BusFixture *bus = data;
  sd_bus_slot *slot = NULL;

  g_assert_cmpint (sd_bus_add_filter (bus->server, &slot, handler, NULL), >=, 0);
  g_assert_cmpint (sd_bus_request_name (bus->server, "org.freedesktop.secrets", 0), >=, 0);
  assert_answers (timeout_usec, RELAY_SECRET_FAILED, said);
  sd_bus_slot_unref (slot);
  g_assert_cmpint (sd_bus_release_name (bus->server, "org.freedesktop.secrets"), >=, 0);
}

static int
on_call_say_nothing (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  return sd_bus_message_is_method_call (message, NULL, NULL);
}

static void
test_silent_service (gconstpointer data)
{
  assert_answers_with (data, on_call_say_nothing, G_USEC_PER_SEC / 5, "does not answer");
}

static int
on_call_fail (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  if (!sd_bus_message_is_method_call (message, NULL, NULL))
    return 0;
  return sd_bus_reply_method_errorf (message, "org.example.Broken", "It is broken");
}

static void
test_failing_service (gconstpointer data)
{
  assert_answers_with (data, on_call_fail, LONG_USEC, "The keyring cannot be used: It is broken.");
}

/* Whoever gives up hears nothing, at whatever point. */
static void
test_given_up (gconstpointer data)
{
  Answer given_up = { 0 }, awaited = { 0 };
  RelaySecretCall *call;

  for (guint i = 0; i < 20; i++) {
    call = begin (i % N_CALLS, LONG_USEC, &given_up);
    for (guint turns = 0; turns < i / N_CALLS && given_up.n_answers == 0; turns++)
      g_main_context_iteration (NULL, TRUE);
    relay_secret_call_free (call);
    g_clear_pointer (&given_up.reason, g_free);
    given_up.n_answers = 0;
  }
  call = begin (0, LONG_USEC, &awaited);
  bus_fixture_wait (awaited.n_answers > 0);
  relay_secret_call_free (call);
  g_assert_cmpuint (given_up.n_answers, ==, 0);
  g_free (awaited.reason);
  relay_secret_call_free (NULL);
}

/* The connection to the bus is one for all: who gives up while it is made does not take it from the next one. */
static void
test_given_up_beside_another (gconstpointer data)
{
  const BusFixture *bus = data;
  sd_bus_slot *slot = NULL;

  g_assert_cmpint (sd_bus_add_filter (bus->server, &slot, on_call_fail, NULL), >=, 0);
  g_assert_cmpint (sd_bus_request_name (bus->server, "org.freedesktop.secrets", 0), >=, 0);
  for (guint i = 0; i < 50; i++) {
    Answer given_up = { 0 }, awaited = { 0 };
    RelaySecretCall *first = begin (0, LONG_USEC, &given_up), *second = begin (0, LONG_USEC, &awaited);

    g_main_context_iteration (NULL, TRUE);
    relay_secret_call_free (first);
    bus_fixture_wait (awaited.n_answers > 0);
    g_assert_cmpint (awaited.result, ==,
                     relay_secret_service_is_built () ? RELAY_SECRET_FAILED : RELAY_SECRET_ABSENT);
    relay_secret_call_free (second);
    g_free (given_up.reason);
    g_free (awaited.reason);
  }
  sd_bus_slot_unref (slot);
  g_assert_cmpint (sd_bus_release_name (bus->server, "org.freedesktop.secrets"), >=, 0);
}

static void
test_url (void)
{
  const struct {
    const char *url, *attribute;
  } cases[] = {
    { "wss://prp.example/ws", "wss://prp.example/ws" },
    { "wss://prp.example/ws?key=secret", "wss://prp.example/ws" },
    { "", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *attribute = relay_secret_service_make_url (cases[i].url);

    g_assert_cmpstr (attribute, ==, cases[i].attribute);
  }
}

/* GDBus has one connection to the session bus for all of the process, so there is one bus for all tests. */
int
main (int argc, char *argv[])
{
  BusFixture bus = { 0 };
  int status;

  g_test_init (&argc, &argv, NULL);
  bus_fixture_set_up (&bus);
  g_setenv ("DBUS_SESSION_BUS_ADDRESS", bus.address, TRUE);
  g_test_add_data_func ("/secret-service/no-bus", &bus, test_no_bus);
  g_test_add_data_func ("/secret-service/no-service", &bus, test_no_service);
  g_test_add_data_func ("/secret-service/silent", &bus, test_silent_service);
  g_test_add_data_func ("/secret-service/failing", &bus, test_failing_service);
  g_test_add_data_func ("/secret-service/given-up", &bus, test_given_up);
  g_test_add_data_func ("/secret-service/given-up-beside-another", &bus, test_given_up_beside_another);
  g_test_add_func ("/secret-service/url", test_url);
  status = g_test_run ();
  bus_fixture_tear_down (&bus);
  return status;
}
