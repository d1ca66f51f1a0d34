/* SPDX-License-Identifier: MIT */
#include "relayd/keyring-watch.h"

#include "tests/unit/bus-fixture.h"

#define NAME "org.freedesktop.secrets"
#define COLLECTION "/org/freedesktop/secrets/collection/login"

typedef struct {
  BusFixture bus;
  guint n_changes;
  RelayKeyringWatch *watch;
} Fixture;

static void
on_changed (gpointer user_data)
{
  ((Fixture *) user_data)->n_changes++;
}

/* A call of the watching connection that comes back behind all that was said to it before. */
static void
settle (Fixture *f)
{
  sd_bus_message *reply = bus_fixture_call (&f->bus, f->bus.client, "/", "org.freedesktop.DBus.Peer", "Ping", "");

  sd_bus_message_unref (reply);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  bus_fixture_set_up (&f->bus);
  f->watch = relay_keyring_watch_new (f->bus.client, on_changed, f);
  settle (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_keyring_watch_free (f->watch);
  bus_fixture_tear_down (&f->bus);
}

static void
emit (Fixture *f, const char *path, const char *member)
{
  g_assert_cmpint (sd_bus_emit_signal (f->bus.server, path, "org.freedesktop.Secret.Collection", member, "o", path), >=, 0);
}

static void
test_coming_and_going (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (sd_bus_request_name (f->bus.server, NAME, 0), >=, 0);
  bus_fixture_wait (f->n_changes == 1);
  g_assert_cmpint (sd_bus_release_name (f->bus.server, NAME), >=, 0);
  bus_fixture_wait (f->n_changes == 2);
}

/* Many signals are one change, and the next one is told a while later. */
static void
test_signals (Fixture *f, gconstpointer data)
{
  gint64 begun_usec;

  g_assert_cmpint (sd_bus_request_name (f->bus.server, NAME, 0), >=, 0);
  bus_fixture_wait (f->n_changes == 1);
  begun_usec = g_get_monotonic_time ();
  for (guint i = 0; i < 100; i++)
    emit (f, COLLECTION, "ItemCreated");
  bus_fixture_wait (f->n_changes == 2);
  g_assert_cmpint (g_get_monotonic_time () - begun_usec, >=, (gint64) RELAY_KEYRING_WATCH_SETTLE_USEC);
  emit (f, COLLECTION "/1", "PropertiesChanged");
  bus_fixture_wait (f->n_changes == 3);
  g_assert_cmpint (g_get_monotonic_time () - begun_usec, >=, (gint64) RELAY_KEYRING_WATCH_MIN_USEC);
}

/* What others say, and what it says of something else, is no change. */
static void
test_others (Fixture *f, gconstpointer data)
{
  emit (f, COLLECTION, "ItemCreated");
  g_assert_cmpint (sd_bus_request_name (f->bus.server, NAME ".other", 0), >=, 0);
  settle (f);
  g_assert_cmpint (sd_bus_request_name (f->bus.server, NAME, 0), >=, 0);
  emit (f, "/org/example", "ItemCreated");
  bus_fixture_wait (f->n_changes == 1);
  settle (f);
  g_assert_cmpuint (f->n_changes, ==, 1);
}

/* Freed while a change is about to be told. */
static void
test_freed (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (sd_bus_request_name (f->bus.server, NAME, 0), >=, 0);
  settle (f);
  g_clear_pointer (&f->watch, relay_keyring_watch_free);
  emit (f, COLLECTION, "ItemCreated");
  settle (f);
  g_assert_cmpuint (f->n_changes, ==, 0);
  relay_keyring_watch_free (NULL);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/keyring-watch/owner", Fixture, NULL, set_up, test_coming_and_going, tear_down);
  g_test_add ("/keyring-watch/signals", Fixture, NULL, set_up, test_signals, tear_down);
  g_test_add ("/keyring-watch/others", Fixture, NULL, set_up, test_others, tear_down);
  g_test_add ("/keyring-watch/freed", Fixture, NULL, set_up, test_freed, tear_down);
  return g_test_run ();
}
