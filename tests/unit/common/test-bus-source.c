/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/wait.h>

#include "../bus-fixture.h"

#define PATH "/test"
#define INTERFACE "test.Interface"

static guint n_calls; /* of this process's one test at a time */

static int
on_echo (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  n_calls++;
  return sd_bus_reply_method_return (m, NULL);
}

static int
on_reply (sd_bus_message *m, void *user_data, sd_bus_error *error)
{
  sd_bus_message **ret_reply = user_data;

  *ret_reply = sd_bus_message_ref (m);
  return 0;
}

static const sd_bus_vtable vtable[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_METHOD ("Echo", "", "", on_echo, SD_BUS_VTABLE_UNPRIVILEGED),
  SD_BUS_VTABLE_END,
};

static void
set_up (BusFixture *f, gconstpointer data)
{
  n_calls = 0;
  bus_fixture_set_up (f);
  g_assert_cmpint (sd_bus_add_object_vtable (f->server, NULL, PATH, INTERFACE, vtable, NULL), >=, 0);
}

static void
tear_down (BusFixture *f, gconstpointer data)
{
  bus_fixture_tear_down (f);
}

static void
test_call (BusFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) reply = bus_fixture_call (f, f->client, PATH, INTERFACE, "Echo", "");

  g_assert_null (bus_fixture_error (reply));
  g_assert_cmpuint (n_calls, ==, 1);
  g_assert_cmpuint (f->turns, >, 0);
}

/* Messages that a synchronous call read into the queue are dispatched, though the descriptor has nothing more to say. */
static void
test_read_ahead (BusFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_slot) slot = NULL;
  g_autoptr (sd_bus_message) reply = NULL, names = NULL;

  slot = bus_fixture_call_async (f, f->client, &reply, PATH, INTERFACE, "Echo", "");
  g_assert_cmpint (sd_bus_flush (f->client), >=, 0);
  /* The answer comes behind the call, which is in the read queue then. */
  g_assert_cmpint (sd_bus_call_method (f->server, "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ListNames", NULL, &names,
                                       NULL), >=, 0);
  bus_fixture_wait (reply != NULL);
  g_assert_cmpuint (n_calls, ==, 1);
}

/* A deadline of sd-bus's own, of a call that is never answered, is kept. */
static void
test_timeout (BusFixture *f, gconstpointer data)
{
  g_autoptr (sd_bus_message) m = NULL, reply = NULL;
  g_autoptr (sd_bus_slot) slot = NULL;
  const char *name;

  g_assert_cmpint (sd_bus_get_unique_name (f->server, &name), >=, 0);
  /* Stops listening: nobody answers. */
  g_source_destroy (f->server_source);
  g_assert_cmpint (sd_bus_message_new_method_call (f->client, &m, name, PATH, INTERFACE, "Echo"), >=, 0);
  g_assert_cmpint (sd_bus_call_async (f->client, &slot, m, on_reply, &reply, 50000), >=, 0);
  bus_fixture_wait (reply != NULL);
  g_assert_nonnull (bus_fixture_error (reply));
}

/* One turn takes so many messages and no more, however many there are: another source has its turn in between. */
static void
test_budget (BusFixture *f, gconstpointer data)
{
  enum { CALLS = 10 * RELAY_BUS_SOURCE_MESSAGES_PER_TURN };
  sd_bus_message *replies[CALLS];
  sd_bus_slot *slots[CALLS];
  guint most = 0;

  for (guint i = 0; i < CALLS; i++)
    slots[i] = bus_fixture_call_async (f, f->client, &replies[i], PATH, INTERFACE, "Echo", "");
  g_assert_cmpint (sd_bus_flush (f->client), >=, 0);
  while (n_calls < CALLS) {
    guint before = n_calls;

    g_main_context_iteration (NULL, TRUE);
    most = MAX (most, n_calls - before);
  }
  g_assert_cmpuint (most, <=, RELAY_BUS_SOURCE_MESSAGES_PER_TURN);
  for (guint i = 0; i < CALLS; i++) {
    bus_fixture_wait (replies[i] != NULL);
    sd_bus_message_unref (replies[i]);
    sd_bus_slot_unref (slots[i]);
  }
}

/* The bus ends: told once, and no turn is spent on it after that. */
static void
test_lost (BusFixture *f, gconstpointer data)
{
  g_assert_cmpint (kill (f->pid, SIGKILL), ==, 0);
  bus_fixture_wait (f->failed != 0);
  g_assert_cmpint (f->failed, <, 0);
  g_assert_true (g_source_is_destroyed (f->server_source));
}

/* Nothing to do: the loop sleeps. */
static void
test_idle (BusFixture *f, gconstpointer data)
{
  g_autoptr (GSource) end = bus_fixture_wake_at (g_get_monotonic_time () + 50000);
  guint iterations = 0;

  while (!g_source_is_destroyed (end)) {
    g_main_context_iteration (NULL, TRUE);
    iterations++;
  }
  g_assert_cmpuint (iterations, <, 10);
}

#define ADD(name, function) g_test_add ("/bus-source/" name, BusFixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("call", test_call);
  ADD ("read-ahead", test_read_ahead);
  ADD ("timeout", test_timeout);
  ADD ("budget", test_budget);
  ADD ("lost", test_lost);
  ADD ("idle", test_idle);
  return g_test_run ();
}
