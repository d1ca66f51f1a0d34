/* SPDX-License-Identifier: MIT */
#include "client/owner.h"

#include "messages.h"

#define BUS "org.freedesktop.DBus"

static sd_bus_message *
make (Messages *m, const char *sender, const char *member, const char *name)
{
  sd_bus_message *message = NULL;

  g_assert_cmpint (sd_bus_message_new_signal (m->bus, &message, "/org/freedesktop/DBus", BUS, member), >=, 0);
  if (sender != NULL)
    g_assert_cmpint (sd_bus_message_set_sender (message, sender), >=, 0);
  append (message, "sss", name, "", ":1.7");
  messages_seal (message);
  return message;
}

static void
test_of_the_bus (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = make (m, BUS, "NameOwnerChanged", "a.name");
  const char *old_owner, *new_owner;

  g_assert_true (client_owner_read_changed (message, "a.name", &old_owner, &new_owner));
  g_assert_cmpstr (old_owner, ==, "");
  g_assert_cmpstr (new_owner, ==, ":1.7");
}

static void
test_of_others (Messages *m, gconstpointer data)
{
  static const struct {
    const char *sender, *member, *name;
  } cases[] = {
    { ":1.7", "NameOwnerChanged", "a.name" },
    { NULL, "NameOwnerChanged", "a.name" },
    { BUS, "NameOwnerChanged", "another.name" },
    { BUS, "SomethingElse", "a.name" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (sd_bus_message) message = make (m, cases[i].sender, cases[i].member, cases[i].name);
    const char *old_owner, *new_owner;

    g_assert_false (client_owner_read_changed (message, "a.name", &old_owner, &new_owner));
  }
}

static void
test_unreadable (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = NULL;
  const char *old_owner, *new_owner;

  g_assert_cmpint (sd_bus_message_new_signal (m->bus, &message, "/org/freedesktop/DBus", BUS, "NameOwnerChanged"), >=, 0);
  g_assert_cmpint (sd_bus_message_set_sender (message, BUS), >=, 0);
  append (message, "s", "a.name");
  messages_seal (message);
  g_assert_false (client_owner_read_changed (message, "a.name", &old_owner, &new_owner));
}

#define add(name, func) g_test_add ("/owner/" name, Messages, NULL, messages_set_up, func, messages_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("of-the-bus", test_of_the_bus);
  add ("of-others", test_of_others);
  add ("unreadable", test_unreadable);
  return g_test_run ();
}
