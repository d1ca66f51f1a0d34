/* SPDX-License-Identifier: MIT */
#include "service-fixture.h"

#include "bus/history-object.h"
#include "common/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"

static char *
get_id (ServiceFixture *f)
{
  g_autoptr (sd_bus_message) reply = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, PROPERTIES, "Get", "ss",
                                                       RELAY_HISTORY_INTERFACE, "HistoryId");
  const char *id;

  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpint (sd_bus_message_read (reply, "v", "s", &id), >, 0);
  return g_strdup (id);
}

static guint64
get_sequence (ServiceFixture *f, const char *name)
{
  g_autoptr (sd_bus_message) reply =
    bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, PROPERTIES, "Get", "ss", RELAY_HISTORY_INTERFACE, name);
  guint64 sequence;

  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpint (sd_bus_message_read (reply, "v", "t", &sequence), >, 0);
  return sequence;
}

static sd_bus_message *
clear (ServiceFixture *f)
{
  return bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, "Clear", "");
}

static void
test_properties (ServiceFixture *f, gconstpointer data)
{
  g_autofree char *id = get_id (f);

  g_assert_cmpstr (id, ==, "one");
  g_assert_cmpuint (get_sequence (f, "LastSequence"), ==, 0);
  service_fixture_add_event (f, "{\"type\":\"a.b\"}");
  g_assert_cmpuint (get_sequence (f, "FirstSequence"), ==, 1);
  g_assert_cmpuint (get_sequence (f, "LastSequence"), ==, 1);
  g_assert_cmpuint (f->n_changes, ==, 0);
}

/* Another history is told once, whether it was asked for or just came to be. */
static void
test_another_history (ServiceFixture *f, gconstpointer data)
{
  g_autofree char *before = get_id (f);
  g_autoptr (sd_bus_message) cleared = NULL;
  g_autofree char *after = NULL;

  cleared = clear (f);
  g_assert_null (bus_fixture_error (cleared));
  bus_fixture_wait (f->n_changes == 1);
  after = get_id (f);
  g_assert_cmpstr (before, !=, after);
  relay_service_release (f->service);

  g_free (f->history_id);
  f->history_id = g_strdup ("a third");
  relay_service_release (f->service);
  relay_service_release (f->service);
  bus_fixture_wait (f->n_changes == 2);

  /* Who reads the new one before it is told does not keep it from being told to the others. */
  g_free (f->history_id);
  f->history_id = g_strdup ("a fourth");
  g_free (get_id (f));
  relay_service_release (f->service);
  bus_fixture_wait (f->n_changes == 3);
}

static void
test_clear_fails (ServiceFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = NULL;
  g_autofree char *id = NULL;

  service_fixture_add_event (f, "{\"type\":\"a.b\"}");
  f->history_fails = TRUE;
  reply = clear (f);
  g_assert_cmpstr (bus_fixture_error (reply), ==, "org.freedesktop.DBus.Error.IOError");
  g_assert_cmpstr (sd_bus_message_get_error (reply)->message, ==, "the disk is gone");
  id = get_id (f);
  g_assert_cmpstr (id, ==, "one");
  g_assert_cmpuint (f->history->len, ==, 1);
}

/* What cannot be right is refused before anything is looked at. */
static void
test_arguments (ServiceFixture *f, gconstpointer data)
{
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE,
                                                  "ListEvents", "tua{sv}", (guint64) 0, 0, 1, "kind", "s", "x"), INVALID_ARGS);
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE,
                                                  "ListEvents", "tua{sv}", (guint64) 0, 0, 1, "since", "s", "x"), INVALID_ARGS);
  service_fixture_assert_error (bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE,
                                                  "ListEvents", "tu", (guint64) 0, 0), INVALID_ARGS);
  g_assert_cmpuint (f->n_scans, ==, 0);
}

#define ADD(name, function)                                                                                  \
  g_test_add ("/bus/history-object/" name, ServiceFixture, NULL, service_fixture_set_up, function, service_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("properties", test_properties);
  ADD ("another-history", test_another_history);
  ADD ("clear-fails", test_clear_fails);
  ADD ("arguments", test_arguments);
  return g_test_run ();
}
