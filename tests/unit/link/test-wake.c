/* SPDX-License-Identifier: MIT */
#include "link/wake.h"

#include <string.h>

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#include "tests/integration/shim-clock.h"
#include "tests/unit/bus-fixture.h"
#include "tests/unit/link/ws-server.h"

#define MSEC 1000
#define MANAGER "org.freedesktop.login1.Manager"
#define LOGIN1 "org.freedesktop.login1"
#define LOGIN1_PATH "/org/freedesktop/login1"

/* A wake, and what it told. The clocks are those of the shim. */
typedef struct {
  BusFixture bus; /* the system bus, whose server is logind */
  RelayWake *wake;
  guint n_set;
  gint64 set_usec; /* by all of them */
  guint n_slept;
  guint64 slept_usec; /* the last one's */
  guint n_changed;
  gboolean available;
  gboolean free_it;
} Bed;

static void
on_clock_set (gint64 ahead_usec, gpointer user_data)
{
  Bed *bed = user_data;

  bed->n_set++;
  bed->set_usec += ahead_usec;
}

static void
on_slept (guint64 duration_usec, gpointer user_data)
{
  Bed *bed = user_data;

  bed->n_slept++;
  bed->slept_usec = duration_usec;
  if (bed->free_it)
    g_clear_pointer (&bed->wake, relay_wake_free);
}

static void
on_network_changed (gboolean available, gpointer user_data)
{
  Bed *bed = user_data;

  bed->n_changed++;
  bed->available = available;
  if (bed->free_it)
    g_clear_pointer (&bed->wake, relay_wake_free);
}

static const RelayWakeEvents events = { .clock_set = on_clock_set,
                                        .slept = on_slept,
                                        .network_changed = on_network_changed };

static void
bed_clear (Bed *bed)
{
  g_clear_pointer (&bed->wake, relay_wake_free);
  if (bed->bus.directory != NULL)
    bus_fixture_tear_down (&bed->bus);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

/* Without a system bus. */
static void
bed_open (Bed *bed)
{
  bed->wake = relay_wake_new (&events, bed);
}

/* ---- a stand-in for logind ---- */

static void
own_name (BusFixture *bus)
{
  g_assert_cmpint (sd_bus_request_name (bus->server, LOGIN1, 0), >=, 0);
}

static void
say_sleep (sd_bus *bus, gboolean begins)
{
  g_assert_cmpint (sd_bus_emit_signal (bus, LOGIN1_PATH, MANAGER, "PrepareForSleep", "b", (int) begins), >=, 0);
}

static guint
count_rules (BusFixture *f)
{
  g_autoptr (sd_bus_message) call = NULL, reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  guint n = 0;
  const char *key;

  g_assert_cmpint (sd_bus_message_new_method_call (f->client, &call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                   "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules"), >=, 0);
  slot = bus_fixture_send (f->client, call, &reply);
  bus_fixture_wait (reply != NULL);
  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "{sas}"), >=, 0);
  while (sd_bus_message_enter_container (reply, 'e', "sas") > 0) {
    g_assert_cmpint (sd_bus_message_read (reply, "s", &key), >=, 0);
    g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "s"), >=, 0);
    while (sd_bus_message_read (reply, "s", &key) > 0)
      n += strstr (key, "PrepareForSleep") != NULL;
    sd_bus_message_exit_container (reply);
    sd_bus_message_exit_container (reply);
  }
  return n;
}

/* With a system bus, on which it listens. */
static void
bed_open_with_bus (Bed *bed)
{
  bus_fixture_set_up (&bed->bus);
  own_name (&bed->bus);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", bed->bus.address, TRUE);
  bed_open (bed);
  ws_wait_for (count_rules (&bed->bus) == 1);
}

/* Whatever was said before this has been heard. */
static void
settle (Bed *bed)
{
  g_autoptr (sd_bus_message) reply = NULL;

  for (guint i = 0; i < 3; i++) {
    g_clear_pointer (&reply, sd_bus_message_unref);
    reply = bus_fixture_call (&bed->bus, bed->bus.client, "/", "org.freedesktop.DBus.Peer", "Ping", "");
    ws_run_for (10 * MSEC);
  }
}

/* ---- the clocks ---- */

static void
test_clock (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open (&bed);
  shim_clock_sleep (3600 * (gint64) G_USEC_PER_SEC);
  g_assert_cmpuint (bed.n_slept, ==, 0);
  shim_clock_tell ();
  ws_wait_for (bed.n_slept == 1);
  g_assert_cmpuint ((bed.slept_usec + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC, ==, 3600);

  /* The loop has nothing to do until the next one. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_slept, ==, 1);
  shim_clock_sleep (2 * G_USEC_PER_SEC);
  shim_clock_tell ();
  ws_wait_for (bed.n_slept == 2);
  g_assert_cmpuint ((bed.slept_usec + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC, ==, 2);
}

/* By so many seconds, give or take what the machine took. */
static void
expect_set (Bed *bed, guint n_set, gint64 seconds)
{
  gint64 off = bed->set_usec - seconds * G_USEC_PER_SEC;

  g_assert_cmpuint (bed->n_set, ==, n_set);
  g_assert_cmpint (ABS (off), <, RELAY_WAKE_SET_MIN_USEC);
}

/* The clock of the day is set, by a lot: that is no sleep. It is told, each time, by how much. */
static void
test_clock_set (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open (&bed);
  shim_clock_set (86400 * (gint64) G_USEC_PER_SEC);
  shim_clock_tell ();
  ws_wait_for (bed.n_set == 1);
  expect_set (&bed, 1, 86400);
  shim_clock_set (-2 * 86400 * (gint64) G_USEC_PER_SEC);
  shim_clock_tell ();
  ws_wait_for (bed.n_set == 2);
  expect_set (&bed, 2, -86400);
  relay_wake_check (bed.wake);
  expect_set (&bed, 2, -86400);
  shim_clock_set (2 * RELAY_WAKE_SET_MIN_USEC);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_set, ==, 3);
  g_assert_cmpuint (bed.n_slept, ==, 0);
}

/* Nor is a sleep a clock that was set: it goes on with the others. Both at once are told as both. */
static void
test_clock_set_in_sleep (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open (&bed);
  shim_clock_sleep (3600 * (gint64) G_USEC_PER_SEC);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 1);
  expect_set (&bed, 0, 0);
  shim_clock_sleep (60 * G_USEC_PER_SEC);
  shim_clock_set (-600 * (gint64) G_USEC_PER_SEC);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 2);
  g_assert_cmpuint ((bed.slept_usec + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC, ==, 60);
  expect_set (&bed, 1, -600);
}

/* Who asks is told, too, and then nobody else is. */
static void
test_check (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open (&bed);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 0);
  shim_clock_sleep (RELAY_WAKE_SLEEP_MIN_USEC / 2);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 0);
  shim_clock_sleep (RELAY_WAKE_SLEEP_MIN_USEC);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 1);
  g_assert_cmpuint (bed.slept_usec, >, RELAY_WAKE_SLEEP_MIN_USEC);
  g_assert_cmpuint (bed.slept_usec, <, 2 * RELAY_WAKE_SLEEP_MIN_USEC);
  shim_clock_tell ();
  ws_run_for (50 * MSEC);
  relay_wake_check (bed.wake);
  g_assert_cmpuint (bed.n_slept, ==, 1);
}

/* ---- logind ---- */

static void
test_logind (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open_with_bus (&bed);
  say_sleep (bed.bus.server, TRUE);
  settle (&bed);
  g_assert_cmpuint (bed.n_slept, ==, 0);
  ws_run_for (50 * MSEC);
  say_sleep (bed.bus.server, FALSE);
  ws_wait_for (bed.n_slept == 1);
  g_assert_cmpuint (bed.slept_usec, >=, 50 * MSEC);

  /* Awake twice: one of them is old news. */
  say_sleep (bed.bus.server, FALSE);
  settle (&bed);
  g_assert_cmpuint (bed.n_slept, ==, 1);
}

/* Both notice: whoever comes first tells. */
static void
test_once (gconstpointer data)
{
  gboolean clock_first = GPOINTER_TO_INT (data);
  g_auto (Bed) bed = { 0 };

  bed_open_with_bus (&bed);
  for (guint i = 1; i <= 3; i++) {
    say_sleep (bed.bus.server, TRUE);
    settle (&bed);
    shim_clock_sleep (60 * G_USEC_PER_SEC);
    if (clock_first) {
      shim_clock_tell ();
      ws_wait_for (bed.n_slept == i);
    }
    say_sleep (bed.bus.server, FALSE);
    settle (&bed);
    if (!clock_first) {
      shim_clock_tell ();
      ws_wait_for (bed.n_slept == i);
    }
    ws_run_for (50 * MSEC);
    relay_wake_check (bed.wake);
    g_assert_cmpuint (bed.n_slept, ==, i);
    g_assert_cmpuint ((bed.slept_usec + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC, ==, 60);
  }
}

/* Others may say the same, to all or to us alone: they are not logind. */
static void
test_not_logind (void)
{
  g_auto (Bed) bed = { 0 };

  bed_open_with_bus (&bed);
  for (guint begins = 2; begins-- > 0;) {
    g_autoptr (sd_bus_message) m = NULL;
    g_autofree char *name = NULL;

    say_sleep (bed.bus.client, begins);
    /* Names are given in order: the wake came after the two of the fixture. */
    for (guint i = 0; i < 20; i++) {
      g_clear_pointer (&m, sd_bus_message_unref);
      g_free (name);
      name = g_strdup_printf (":1.%u", i);
      g_assert_cmpint (sd_bus_message_new_signal (bed.bus.client, &m, LOGIN1_PATH, MANAGER, "PrepareForSleep"), >=, 0);
      g_assert_cmpint (sd_bus_message_append (m, "b", (int) begins), >=, 0);
      g_assert_cmpint (sd_bus_send_to (bed.bus.client, m, name, NULL), >=, 0);
    }
    settle (&bed);
  }
  g_assert_cmpuint (bed.n_slept, ==, 0);

  /* And logind is heard behind all that. */
  say_sleep (bed.bus.server, TRUE);
  say_sleep (bed.bus.server, FALSE);
  ws_wait_for (bed.n_slept == 1);
}

/* The bus goes and comes again, at the same address. */
static void
test_bus_lost (void)
{
  g_auto (Bed) bed = { 0 };
  BusFixture second = { 0 };

  bed_open_with_bus (&bed);
  bus_fixture_tear_down (&bed.bus);
  bed.bus = (BusFixture){ 0 };
  ws_run_for (100 * MSEC);
  /* Without it, there are the clocks. */
  shim_clock_sleep (60 * G_USEC_PER_SEC);
  shim_clock_tell ();
  ws_wait_for (bed.n_slept == 1);

  bus_fixture_set_up (&second);
  bed.bus = second;
  own_name (&bed.bus);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", bed.bus.address, TRUE);
  ws_wait_for (count_rules (&bed.bus) == 1);
  say_sleep (bed.bus.server, TRUE);
  say_sleep (bed.bus.server, FALSE);
  ws_wait_for (bed.n_slept == 2);
}

/* A bus that accepts and says nothing costs nothing. */
static void
test_bus_hangs (void)
{
  g_auto (Bed) bed = { 0 };
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("relay-wake-XXXXXX", &error);
  g_autofree char *path = g_build_filename (directory, "bus", NULL);
  g_autofree char *bus_address = g_strconcat ("unix:path=", path, NULL);
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  guint n_turns = 0;
  gint64 start;

  g_socket_listener_add_address (listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
  g_assert_no_error (error);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", bus_address, TRUE);
  start = g_get_monotonic_time ();
  bed_open (&bed);
  while (g_get_monotonic_time () - start < 300 * MSEC) {
    g_autoptr (GSource) tick = g_timeout_source_new (100);

    g_source_set_dummy_callback (tick);
    g_source_attach (tick, NULL);
    g_main_context_iteration (NULL, TRUE);
    g_source_destroy (tick);
    n_turns++;
  }
  g_assert_cmpuint (n_turns, <, 30);
  shim_clock_sleep (60 * G_USEC_PER_SEC);
  shim_clock_tell ();
  ws_wait_for (bed.n_slept == 1);
  g_clear_pointer (&bed.wake, relay_wake_free);
  g_unlink (path);
  g_rmdir (directory);
}

/* ---- the network ---- */

static void
change_network (gboolean available)
{
  g_signal_emit_by_name (g_network_monitor_get_default (), "network-changed", available);
}

static void
test_network (void)
{
  g_auto (Bed) bed = { 0 };
  gint64 start;

  bed_open (&bed);
  g_assert_cmpuint (bed.n_changed, ==, 0);
  start = g_get_monotonic_time ();
  change_network (TRUE);
  /* The first is told at once, … */
  g_assert_cmpuint (bed.n_changed, ==, 1);
  g_assert_cmpint (bed.available, ==, relay_wake_is_network_available (bed.wake));
  for (guint i = 0; i < 50; i++)
    change_network (i % 2);
  /* … the rest of a burst together, later, … */
  g_assert_cmpuint (bed.n_changed, ==, 1);
  ws_wait_for (bed.n_changed == 2);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, RELAY_WAKE_NETWORK_USEC);
  /* … and when it has been quiet, the next one is a first again. */
  ws_run_for (RELAY_WAKE_NETWORK_USEC + 200 * MSEC);
  g_assert_cmpuint (bed.n_changed, ==, 2);
  change_network (TRUE);
  g_assert_cmpuint (bed.n_changed, ==, 3);
}

/* ---- freed within its calls ---- */

static void
test_free (gconstpointer data)
{
  const char *where = data;
  g_auto (Bed) bed = { .free_it = TRUE };

  if (g_str_equal (where, "logind")) {
    bed_open_with_bus (&bed);
    say_sleep (bed.bus.server, TRUE);
    say_sleep (bed.bus.server, FALSE);
    say_sleep (bed.bus.server, TRUE);
    say_sleep (bed.bus.server, FALSE);
  } else {
    bed_open (&bed);
    shim_clock_sleep (60 * G_USEC_PER_SEC);
    if (g_str_equal (where, "clock"))
      shim_clock_tell ();
    else if (g_str_equal (where, "check"))
      relay_wake_check (bed.wake);
    else
      change_network (TRUE);
  }
  ws_wait_for (bed.wake == NULL);
  ws_run_for (50 * MSEC);
  g_assert_cmpuint (bed.n_slept + bed.n_changed, ==, 1);
}

int
main (int argc, char **argv)
{
  /* Nothing but the test changes the network or puts the machine to sleep. */
  g_setenv ("GIO_USE_NETWORK_MONITOR", "base", TRUE);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wake/clock", test_clock);
  g_test_add_func ("/wake/clock-set", test_clock_set);
  g_test_add_func ("/wake/clock-set-in-sleep", test_clock_set_in_sleep);
  g_test_add_func ("/wake/check", test_check);
  g_test_add_func ("/wake/logind", test_logind);
  g_test_add_data_func ("/wake/once/clock-first", GINT_TO_POINTER (TRUE), test_once);
  g_test_add_data_func ("/wake/once/logind-first", GINT_TO_POINTER (FALSE), test_once);
  g_test_add_func ("/wake/not-logind", test_not_logind);
  g_test_add_func ("/wake/bus-lost", test_bus_lost);
  g_test_add_func ("/wake/bus-hangs", test_bus_hangs);
  g_test_add_func ("/wake/network", test_network);
  g_test_add_data_func ("/wake/free/logind", "logind", test_free);
  g_test_add_data_func ("/wake/free/clock", "clock", test_free);
  g_test_add_data_func ("/wake/free/check", "check", test_free);
  g_test_add_data_func ("/wake/free/network", "network", test_free);
  return g_test_run ();
}
