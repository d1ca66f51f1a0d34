/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include "bus/channel-objects.h"
#include "common/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

static void
test_channel_objects (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) managed = NULL;
  const char *path;

  relay_subscriptions_set_durable (f->subscriptions, "project:a b", FALSE);
  relay_subscriptions_set_durable (f->subscriptions, "project:a/b", TRUE);
  bus_fixture_wait (f->n_added == 1);

  managed = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                              "GetManagedObjects", "");
  g_assert_null (bus_fixture_error (managed));
  g_assert_cmpint (sd_bus_message_enter_container (managed, 'a', "{oa{sa{sv}}}"), >, 0);
  g_assert_cmpint (sd_bus_message_enter_container (managed, 'e', "oa{sa{sv}}"), >, 0);
  g_assert_cmpint (sd_bus_message_read (managed, "o", &path), >, 0);
  g_assert_cmpstr (path, ==, RELAY_CHANNEL_PATH_PREFIX "/project_3aa_2fb");

  /* Told: confirmed, then gone. Not told: one that came and went within a turn. */
  relay_subscriptions_connected (f->subscriptions);
  g_strfreev (service_fixture_take_subscribe (f));
  service_fixture_confirm (f, "project:a/b");
  bus_fixture_wait (f->n_changes == 1);
  relay_subscriptions_hold (f->subscriptions, "project:short");
  relay_subscriptions_release (f->subscriptions, "project:short");
  relay_subscriptions_set_durable (f->subscriptions, "project:a/b", FALSE);
  bus_fixture_wait (f->n_removed == 1);
  g_assert_cmpuint (f->n_added, ==, 1);
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_CHANNEL_PATH_PREFIX "/project_3aa_2fb", PROPERTIES, "Get", "ss",
                                  RELAY_CHANNEL_INTERFACE, "Name"), "org.freedesktop.DBus.Error.UnknownObject");
}

/* Asked for long answers faster than the bus takes them. */
static void
test_listings (ServiceFixture *f, gconstpointer data)
{
  enum { CHANNELS = 2000, CALLS = 30 };
  sd_bus_message *replies[CALLS];
  sd_bus_slot *slots[CALLS];
  g_autoptr (sd_bus_message) held = NULL, again = NULL;
  g_autoptr (sd_bus_slot) hold = NULL;
  guint n_answered = 0;

  f->trying = FALSE;
  hold = service_fixture_start_many (f, &held, CHANNELS, "to see");
  bus_fixture_wait (held != NULL);
  for (guint i = 0; i < CALLS; i++)
    slots[i] = bus_fixture_call_async (&f->bus, f->bus.client, &replies[i], RELAY_OBJECT_PATH,
                                       "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");
  for (guint i = 0; i < CALLS; i++) {
    bus_fixture_wait (replies[i] != NULL);
    if (bus_fixture_error (replies[i]) == NULL)
      n_answered++;
    else
      g_assert_cmpstr (bus_fixture_error (replies[i]), ==, "org.freedesktop.DBus.Error.LimitsExceeded");
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
  g_assert_cmpuint (n_answered, >=, RELAY_CHANNEL_OBJECTS_MAX_LISTINGS);
  g_assert_cmpuint (n_answered, <, CALLS);

  again = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                            "GetManagedObjects", "");
  g_assert_null (bus_fixture_error (again));
}

#define ADD(name, function)                                                                                  \
  g_test_add ("/channel-objects/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("one-object-each", test_channel_objects);
  ADD ("listings", test_listings);
  return g_test_run ();
}
