/* SPDX-License-Identifier: MIT */
#include "bus-fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* The limits are those of the stock session.conf. */
static const char config[] =
  "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
  " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
  "<busconfig><type>session</type><listen>unix:dir=%s</listen>"
  "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
  "<allow own=\"*\"/></policy>"
  "<limit name=\"max_incoming_bytes\">1000000000</limit><limit name=\"max_outgoing_bytes\">1000000000</limit>"
  "<limit name=\"max_replies_per_connection\">50000</limit><limit name=\"max_match_rules_per_connection\">50000</limit>"
  "<limit name=\"max_completed_connections\">100000</limit></busconfig>\n";

static char *
read_line (int fd)
{
  GString *line = g_string_new (NULL);
  char c;

  while (read (fd, &c, 1) == 1 && c != '\n')
    g_string_append_c (line, c);
  return g_string_free (line, FALSE);
}

/* A test that aborts takes its bus along. */
static void
die_with_parent (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static void
start_daemon (BusFixture *f)
{
  g_autofree char *file = g_build_filename (f->directory, "bus.conf", NULL);
  g_autofree char *text = g_strdup_printf (config, f->directory);
  g_autofree char *option = g_strconcat ("--config-file=", file, NULL);
  const char *argv[] = { "dbus-daemon", option, "--nofork", "--print-address", NULL };
  g_autoptr (GError) error = NULL;
  int out;

  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &f->pid,
                            NULL, &out, NULL, &error);
  g_assert_no_error (error);
  f->address = read_line (out);
  g_assert_cmpstr (f->address, !=, "");
  close (out);
}

static void
on_failed (int error, gpointer user_data)
{
  BusFixture *f = user_data;

  f->failed = error;
}

static void
on_turned (gpointer user_data)
{
  BusFixture *f = user_data;

  f->turns++;
}

static void
ignore_failure (int error, gpointer user_data)
{
}

static sd_bus *
open_bus (BusFixture *f)
{
  g_autoptr (sd_bus) bus = NULL;

  g_assert_cmpint (sd_bus_new (&bus), >=, 0);
  g_assert_cmpint (sd_bus_set_address (bus, f->address), >=, 0);
  g_assert_cmpint (sd_bus_set_bus_client (bus, 1), >=, 0);
  g_assert_cmpint (sd_bus_set_exit_on_disconnect (bus, 0), >=, 0);
  g_assert_cmpint (sd_bus_start (bus), >=, 0);
  return g_steal_pointer (&bus);
}

sd_bus *
bus_fixture_connect (BusFixture *f, GSource **ret_source)
{
  static const RelayBusSourceEvents events = { .failed = ignore_failure };
  sd_bus *bus = open_bus (f);
  const char *name = NULL;

  *ret_source = relay_bus_source_new (bus, &events, f);
  g_source_attach (*ret_source, NULL);
  /* Waits for the answer to Hello. */
  g_assert_cmpint (sd_bus_get_unique_name (bus, &name), >=, 0);
  return bus;
}

void
bus_fixture_disconnect (sd_bus *bus, GSource *source)
{
  g_source_destroy (source);
  g_source_unref (source);
  sd_bus_flush_close_unref (bus);
}

void
bus_fixture_set_up (BusFixture *f)
{
  static const RelayBusSourceEvents events = { .failed = on_failed, .turned = on_turned };
  g_autoptr (GError) error = NULL;

  f->directory = g_dir_make_tmp ("relay-bus-XXXXXX", &error);
  g_assert_no_error (error);
  start_daemon (f);
  f->server = open_bus (f);
  f->server_source = relay_bus_source_new (f->server, &events, f);
  g_source_attach (f->server_source, NULL);
  f->client = bus_fixture_connect (f, &f->client_source);
}

void
bus_fixture_tear_down (BusFixture *f)
{
  g_autofree char *file = g_build_filename (f->directory, "bus.conf", NULL);

  bus_fixture_disconnect (f->client, f->client_source);
  bus_fixture_disconnect (f->server, f->server_source);
  kill (f->pid, SIGTERM);
  waitpid (f->pid, NULL, 0);
  g_remove (file);
  g_rmdir (f->directory);
  g_free (f->directory);
  g_free (f->address);
}

static gboolean
do_nothing (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

GSource *
bus_fixture_wake_at (gint64 monotonic_usec)
{
  GSource *source = g_timeout_source_new (0);

  g_source_set_ready_time (source, monotonic_usec);
  g_source_set_callback (source, do_nothing, NULL, NULL);
  g_source_attach (source, NULL);
  return source;
}

static int
on_reply (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  sd_bus_message **ret_reply = user_data;

  *ret_reply = sd_bus_message_ref (m);
  return 0;
}

sd_bus_slot *
bus_fixture_send (sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply)
{
  sd_bus_slot *slot = NULL;

  *ret_reply = NULL;
  g_assert_cmpint (sd_bus_call_async (bus, &slot, call, on_reply, ret_reply, UINT64_MAX), >=, 0);
  return slot;
}

static sd_bus_slot *
send_call (BusFixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *path, const char *interface, const char *member,
           const char *types, va_list args)
{
  g_autoptr (sd_bus_message) m = NULL;
  const char *server = NULL;

  g_assert_cmpint (sd_bus_get_unique_name (f->server, &server), >=, 0);
  g_assert_cmpint (sd_bus_message_new_method_call (bus, &m, server, path, interface, member), >=, 0);
  g_assert_cmpint (sd_bus_message_appendv (m, types, args), >=, 0);
  return bus_fixture_send (bus, m, ret_reply);
}

sd_bus_slot *
bus_fixture_call_async (BusFixture *f, sd_bus *bus, sd_bus_message **ret_reply, const char *path, const char *interface,
                        const char *member, const char *types, ...)
{
  sd_bus_slot *slot;
  va_list args;

  va_start (args, types);
  slot = send_call (f, bus, ret_reply, path, interface, member, types, args);
  va_end (args);
  return slot;
}

sd_bus_message *
bus_fixture_call (BusFixture *f, sd_bus *bus, const char *path, const char *interface, const char *member, const char *types,
                  ...)
{
  g_autoptr (sd_bus_slot) slot = NULL;
  sd_bus_message *reply = NULL;
  va_list args;

  va_start (args, types);
  slot = send_call (f, bus, &reply, path, interface, member, types, args);
  va_end (args);
  bus_fixture_wait (reply != NULL);
  return reply;
}

const char *
bus_fixture_error (sd_bus_message *reply)
{
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  return error != NULL ? error->name : NULL;
}
