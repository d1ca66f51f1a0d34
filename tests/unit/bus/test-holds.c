/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include "bus/holds.h"
#include "common/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

static void
test_holds (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) first = NULL, second = NULL, holders = NULL, released = NULL, others = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  const char *me, *owner, *app_id, *reason;
  guint32 cookie_1, cookie_2;
  GSource *other_source;
  sd_bus *other;

  relay_subscriptions_connected (f->subscriptions);
  slot = service_fixture_start_hold (f, f->bus.client, &first, "prp:1");
  bus_fixture_wait (service_fixture_has_request (f, 1));
  g_strfreev (service_fixture_take_subscribe (f));
  service_fixture_confirm (f, "prp:1");
  bus_fixture_wait (first != NULL);
  g_assert_cmpint (sd_bus_message_read (first, "u", &cookie_1), >, 0);
  g_assert_cmpuint (cookie_1, !=, 0);
  service_fixture_assert_states (first, "prp:1=active ");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);

  holders = bus_fixture_call (&f->bus, f->bus.client, RELAY_CHANNEL_PATH_PREFIX "/prp_3a1", PROPERTIES, "Get", "ss",
                              RELAY_CHANNEL_INTERFACE, "Holders");
  g_assert_null (bus_fixture_error (holders));
  g_assert_cmpint (sd_bus_get_unique_name (f->bus.client, &me), >=, 0);
  g_assert_cmpint (sd_bus_message_enter_container (holders, 'v', "a(sss)"), >, 0);
  g_assert_cmpint (sd_bus_message_enter_container (holders, 'a', "(sss)"), >, 0);
  g_assert_cmpint (sd_bus_message_read (holders, "(sss)", &owner, &app_id, &reason), >, 0);
  g_assert_cmpstr (owner, ==, me);
  g_assert_cmpstr (app_id, ==, "org.example.App");
  g_assert_cmpstr (reason, ==, "to see");

  /* A second one of the same caller on the same channel is another hold. */
  g_clear_pointer (&slot, sd_bus_slot_unref);
  slot = service_fixture_start_hold (f, f->bus.client, &second, "prp:1");
  bus_fixture_wait (second != NULL);
  g_assert_cmpint (sd_bus_message_read (second, "u", &cookie_2), >, 0);
  g_assert_cmpuint (cookie_2, !=, cookie_1);

  /* Only the owner may release, and only once. */
  other = bus_fixture_connect (&f->bus, &other_source);
  service_fixture_assert_error (bus_fixture_call (&f->bus, other, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
  released = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1);
  g_assert_null (bus_fixture_error (released));
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie_1),
                RELAY_BUS_ERROR_PREFIX "NoSuchHold");
  g_assert_nonnull (relay_subscriptions_lookup (f->subscriptions, "prp:1"));

  /* Who leaves the bus holds nothing any more. */
  g_clear_pointer (&slot, sd_bus_slot_unref);
  slot = service_fixture_start_hold (f, other, &others, "prp:2");
  bus_fixture_wait (relay_subscriptions_lookup (f->subscriptions, "prp:2") != NULL);
  g_clear_pointer (&slot, sd_bus_slot_unref);
  bus_fixture_disconnect (other, other_source);
  bus_fixture_wait (relay_subscriptions_lookup (f->subscriptions, "prp:2") == NULL);
  g_assert_nonnull (relay_subscriptions_lookup (f->subscriptions, "prp:1"));
}

static void
test_limits (ServiceFixture *f, gconstpointer data)
{
  RelayServiceOptions options = { 1, 3 };

  f->trying = FALSE;
  for (guint i = 0; i < 3; i++) {
    g_autoptr (sd_bus_message) reply = NULL;
    G_GNUC_UNUSED g_autoptr (sd_bus_slot) slot = service_fixture_start_hold (f, f->bus.client, &reply, "prp:1");

    bus_fixture_wait (reply != NULL);
    g_assert_null (bus_fixture_error (reply));
  }
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Hold", "asa{sv}", 1, "prp:1", 0),
                "org.freedesktop.DBus.Error.LimitsExceeded");
  relay_service_configure (f->service, &options);
  service_fixture_assert_error (service_fixture_call_as (f, "Subscribe", "prp:1", "prp:2"), "org.freedesktop.DBus.Error.LimitsExceeded");
  relay_subscriptions_set_max_channels (f->subscriptions, 1);
  service_fixture_assert_error (service_fixture_call_as (f, "Subscribe", "prp:2", NULL), "org.freedesktop.DBus.Error.LimitsExceeded");
  g_assert_cmpuint (g_hash_table_size (f->stored), ==, 0);
}

/* Few holds on many channels: what the answer of GetManagedObjects has to carry is bounded. What ends makes room. */
static void
test_bytes (ServiceFixture *f, gconstpointer data)
{
  enum { CHANNELS = 2000, MOST = RELAY_HOLDS_MAX_BYTES / (CHANNELS * RELAY_SERVICE_REASON_MAX_BYTES) };
  g_autofree char *reason = g_strnfill (RELAY_SERVICE_REASON_MAX_BYTES, 'r');
  g_autoptr (sd_bus_message) refused = NULL, released = NULL, again = NULL;
  g_autoptr (sd_bus_slot) again_slot = NULL;
  guint32 cookie = 0;
  guint n_held = 0;

  f->trying = FALSE;
  while (refused == NULL) {
    g_autoptr (sd_bus_message) reply = NULL;
    G_GNUC_UNUSED g_autoptr (sd_bus_slot) hold = service_fixture_start_many (f, &reply, CHANNELS, reason);

    bus_fixture_wait (reply != NULL);
    if (bus_fixture_error (reply) != NULL)
      refused = g_steal_pointer (&reply);
    else {
      g_assert_cmpint (sd_bus_message_read (reply, "u", &cookie), >, 0);
      g_assert_cmpuint (++n_held, <=, MOST);
    }
  }
  g_assert_cmpstr (bus_fixture_error (refused), ==, "org.freedesktop.DBus.Error.LimitsExceeded");
  g_assert_cmpuint (n_held, >, MOST / 2);

  released = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie);
  g_assert_null (bus_fixture_error (released));
  again_slot = service_fixture_start_many (f, &again, CHANNELS, reason);
  bus_fixture_wait (again != NULL);
  g_assert_null (bus_fixture_error (again));
}

/* What a screen that is locked and unlocked many times does: nothing of a hold is left, and nothing is owed for it. */
static void
test_again_and_again (ServiceFixture *f, gconstpointer data)
{
  enum { ROUNDS = 100 };

  f->trying = FALSE;
  for (guint i = 0; i < ROUNDS; i++) {
    g_autoptr (sd_bus_message) reply = NULL, released = NULL;
    G_GNUC_UNUSED g_autoptr (sd_bus_slot) slot = service_fixture_start_hold (f, f->bus.client, &reply, "prp:1");
    guint32 cookie;

    bus_fixture_wait (reply != NULL);
    g_assert_null (bus_fixture_error (reply));
    g_assert_cmpint (sd_bus_message_read (reply, "u", &cookie), >, 0);
    released = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release", "u", cookie);
    g_assert_null (bus_fixture_error (released));
    g_assert_null (relay_subscriptions_lookup (f->subscriptions, "prp:1"));
  }
}

#define ADD(name, function)                                                                                  \
  g_test_add ("/holds/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("life", test_holds);
  ADD ("again-and-again", test_again_and_again);
  ADD ("limits", test_limits);
  ADD ("bytes", test_bytes);
  return g_test_run ();
}
