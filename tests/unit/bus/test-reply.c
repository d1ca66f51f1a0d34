/* SPDX-License-Identifier: MIT */
#include "bus/reply.h"

#include <string.h>

#include "../bus-fixture.h"
#include "common/error.h"
#include "common/names.h"

typedef struct {
  BusFixture bus;
  sd_bus_slot *slot;
  sd_bus_message *head;
  GError *error; /* to answer with; NULL: keep the call's head */
} Fixture;

static int
on_call (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  Fixture *f = user_data;

  if (f->error != NULL)
    return relay_reply_error (m, f->error);
  f->head = relay_reply_copy_head (m);
  return 1;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  bus_fixture_set_up (&f->bus);
  g_assert_cmpint (sd_bus_add_object (f->bus.server, &f->slot, RELAY_OBJECT_PATH, on_call, f), >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_error (&f->error);
  sd_bus_message_unref (f->head);
  sd_bus_slot_unref (f->slot);
  bus_fixture_tear_down (&f->bus);
}

/* Ours by its name; of another domain as trouble with files; a per cent sign is a per cent sign. */
static void
test_error (Fixture *f, gconstpointer data)
{
  const struct {
    GQuark domain;
    int code;
    const char *name;
  } cases[] = {
    { RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED, "org.freedesktop.DBus.Error.LimitsExceeded" },
    { RELAY_ERROR, RELAY_ERROR_NO_SUCH_HOLD, RELAY_BUS_ERROR_PREFIX "NoSuchHold" },
    { G_FILE_ERROR, G_FILE_ERROR_NOSPC, "org.freedesktop.DBus.Error.IOError" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (sd_bus_message) reply = NULL;

    g_clear_error (&f->error);
    f->error = g_error_new_literal (cases[i].domain, cases[i].code, "100 % full");
    reply = bus_fixture_call (&f->bus, f->bus.client, RELAY_OBJECT_PATH, "a.b", "C", "");
    g_assert_cmpstr (bus_fixture_error (reply), ==, cases[i].name);
    g_assert_cmpstr (sd_bus_message_get_error (reply)->message, ==, "100 % full");
  }
}

/* The head answers for the call, and has nothing of what the caller sent along. */
static void
test_head (Fixture *f, gconstpointer data)
{
  g_autofree char *much = g_strnfill (100000, 'x');
  g_autoptr (sd_bus_message) reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  const char *client = NULL, *word = NULL;

  slot = bus_fixture_call_async (&f->bus, f->bus.client, &reply, RELAY_OBJECT_PATH, "a.b", "C", "s", much);
  bus_fixture_wait (f->head != NULL);
  g_assert_cmpint (sd_bus_get_unique_name (f->bus.client, &client), >=, 0);
  g_assert_cmpstr (sd_bus_message_get_sender (f->head), ==, client);
  g_assert_true (sd_bus_message_is_method_call (f->head, "a.b", "C") > 0);
  g_assert_cmpstr (sd_bus_message_get_signature (f->head, TRUE), ==, "");
  g_assert_null (reply);
  g_assert_cmpint (sd_bus_reply_method_return (f->head, "s", "late"), >=, 0);
  bus_fixture_wait (reply != NULL);
  g_assert_cmpint (sd_bus_message_read (reply, "s", &word), >, 0);
  g_assert_cmpstr (word, ==, "late");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add ("/bus/reply/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("error", test_error);
  ADD ("head", test_head);
  return g_test_run ();
}
