/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include "bus/calls.h"
#include "common/names.h"

static void
test_subscribe (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  g_auto (GStrv) asked = NULL;

  relay_subscriptions_connected (f->subscriptions);
  slot = service_fixture_start_as (f, &reply, "Subscribe", "project:a", "project:b");
  bus_fixture_wait (service_fixture_has_request (f, 2));
  asked = service_fixture_take_subscribe (f);
  g_assert_cmpuint (g_strv_length (asked), ==, 2);
  g_assert_null (reply);
  service_fixture_confirm (f, "project:a");
  service_fixture_confirm (f, "project:b");
  bus_fixture_wait (reply != NULL);
  service_fixture_assert_states (reply, "project:a=active project:b=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 2);

  /* Again: harmless, and answered without the server. */
  g_autoptr (sd_bus_message) again = service_fixture_call_as (f, "Subscribe", "project:b", "project:b");
  service_fixture_assert_states (again, "project:b=active ");

  g_autoptr (sd_bus_message) ended = service_fixture_call_as (f, "Unsubscribe", "project:a", NULL);
  g_assert_null (bus_fixture_error (ended));
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);
  service_fixture_assert_error (service_fixture_call_as (f, "Unsubscribe", "project:b", "project:a"), RELAY_BUS_ERROR_PREFIX "NotSubscribed");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
}

static void
test_refused (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL, mixed = NULL;
  g_autoptr (sd_bus_slot) slot = NULL, mixed_slot = NULL;

  relay_subscriptions_connected (f->subscriptions);
  slot = service_fixture_start_as (f, &reply, "Subscribe", "project:bad", NULL);
  bus_fixture_wait (service_fixture_has_request (f, 1));
  service_fixture_refuse_next (f, "INVALID_CHANNEL");
  bus_fixture_wait (reply != NULL);
  g_assert_cmpstr (bus_fixture_error (reply), ==, RELAY_BUS_ERROR_PREFIX "InvalidChannel");
  g_assert_cmpstr (sd_bus_message_get_error (reply)->message, ==, "no such thing");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);
  g_assert_cmpuint (relay_subscriptions_get_n_channels (f->subscriptions), ==, 0);

  /* One of two: told apart, and only the good one is kept. */
  mixed_slot = service_fixture_start_as (f, &mixed, "Subscribe", "project:bad", "project:good");
  bus_fixture_wait (service_fixture_has_request (f, 2));
  g_strfreev (service_fixture_take_subscribe (f));
  service_fixture_confirm (f, "project:good");
  relay_subscriptions_refused (f->subscriptions, NULL, "subscribe", "SUBSCRIPTION_LIMIT", "full", g_get_monotonic_time (), 0.5);
  bus_fixture_wait (mixed != NULL);
  service_fixture_assert_states (mixed, "project:bad=rejected project:good=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_null (relay_subscriptions_lookup (f->subscriptions, "project:bad"));
}

static void
test_pending (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) offline = NULL, given_up = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;

  /* No answer is to be expected: none is waited for. */
  f->trying = FALSE;
  offline = service_fixture_call_as (f, "Subscribe", "project:a", NULL);
  service_fixture_assert_states (offline, "project:a=pending ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 1);
  g_assert_cmpuint (f->n_uncommitted, ==, 0);

  /* One is expected at first, and then not any more. */
  f->trying = TRUE;
  slot = service_fixture_start_as (f, &given_up, "Subscribe", "project:b", NULL);
  bus_fixture_wait (service_fixture_has_request (f, 2));
  g_assert_null (given_up);
  f->trying = FALSE;
  relay_status_set_state (f->status, RELAY_STATE_OFFLINE);
  bus_fixture_wait (given_up != NULL);
  service_fixture_assert_states (given_up, "project:b=pending ");
}

static void
test_many_calls (ServiceFixture *f, gconstpointer data)
{
  enum { CALLS = RELAY_CALLS_MAX_PER_CLIENT + 10 };
  g_autofree sd_bus_message **replies = g_new0 (sd_bus_message *, CALLS);
  g_autofree sd_bus_slot **slots = g_new0 (sd_bus_slot *, CALLS);
  guint refused = 0, answered = 0;

  relay_subscriptions_connected (f->subscriptions);
  for (guint i = 0; i < CALLS; i++)
    slots[i] = service_fixture_start_as (f, &replies[i], "Subscribe", "project:x", NULL);
  bus_fixture_wait (replies[CALLS - 1] != NULL);
  g_strfreev (service_fixture_take_subscribe (f));
  service_fixture_confirm (f, "project:x");
  bus_fixture_wait (replies[0] != NULL);
  for (guint i = 0; i < CALLS; i++) {
    bus_fixture_wait (replies[i] != NULL);
    refused += g_strcmp0 (bus_fixture_error (replies[i]), "org.freedesktop.DBus.Error.LimitsExceeded") == 0;
    answered += bus_fixture_error (replies[i]) == NULL;
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
  g_assert_cmpuint (refused, ==, 10);
  g_assert_cmpuint (answered, ==, RELAY_CALLS_MAX_PER_CLIENT);
}

/* Few calls with many channels each. */
static void
test_many_names (ServiceFixture *f, gconstpointer data)
{
  enum { CHANNELS = 8000, MOST = RELAY_CALLS_MAX_NAMES / CHANNELS };
  sd_bus_message *replies[MOST + 1];
  sd_bus_slot *slots[MOST + 1];

  relay_subscriptions_connected (f->subscriptions);
  for (guint i = 0; i <= MOST; i++)
    slots[i] = service_fixture_start_many (f, &replies[i], CHANNELS, NULL);
  bus_fixture_wait (replies[MOST] != NULL);
  g_assert_cmpstr (bus_fixture_error (replies[MOST]), ==, "org.freedesktop.DBus.Error.LimitsExceeded");
  f->trying = FALSE;
  relay_status_set_state (f->status, RELAY_STATE_OFFLINE);
  for (guint i = 0; i <= MOST; i++) {
    bus_fixture_wait (replies[i] != NULL);
    g_assert_true (i == MOST || bus_fixture_error (replies[i]) == NULL);
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
}

#define ADD(name, function)                                                                                  \
  g_test_add ("/calls/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("subscribe", test_subscribe);
  ADD ("refused", test_refused);
  ADD ("pending", test_pending);
  ADD ("many-calls", test_many_calls);
  ADD ("many-names", test_many_names);
  return g_test_run ();
}
