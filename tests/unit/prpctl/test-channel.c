/* SPDX-License-Identifier: MIT */
#include "prpctl/channel.h"

#include <stdlib.h>

#include "messages.h"

#define NOW (G_GUINT64_CONSTANT (1705320131) * G_USEC_PER_SEC) /* 2024-01-15 12:02:11 UTC */

static PrpctlChannel *
read_channel (sd_bus_message *message)
{
  int r = 0;
  PrpctlChannel *channel;

  messages_seal (message);
  channel = prpctl_channel_read (message, &r);
  g_assert_cmpint (r, ==, 0);
  g_assert_nonnull (channel);
  g_assert_cmpint (sd_bus_message_at_end (message, TRUE), ==, 1);
  return channel;
}

static GPtrArray *
make_channels (Messages *m)
{
  GPtrArray *channels = g_ptr_array_new_with_free_func ((GDestroyNotify) prpctl_channel_free);
  g_autoptr (sd_bus_message) active = messages_new_signal (m, "Test");
  g_autoptr (sd_bus_message) rejected = messages_new_signal (m, "Test");

  append (active, "a{sv}", 6, "Name", "s", "project:a", "State", "s", "active", "Error", "(ss)", "", "",
          "Durable", "b", 1, "Holders", "a(sss)", 2, ":1.7", "my-app", "for fun", ":1.8", "", "",
          "ActiveSince", "t", NOW);
  append (rejected, "a{sv}", 7, "Name", "s", "agent:long_name", "State", "s", "rejected",
          "Error", "(ss)", "INVALID_CHANNEL", "No \033 such", "Durable", "b", 0, "Holders", "a(sss)", 0,
          "ActiveSince", "t", G_GUINT64_CONSTANT (0), "OfTomorrow", "x", (gint64) 1);
  g_ptr_array_add (channels, read_channel (active));
  g_ptr_array_add (channels, read_channel (rejected));
  return channels;
}

static void
test_read (Messages *m, gconstpointer data)
{
  g_autoptr (GPtrArray) channels = make_channels (m);
  const PrpctlChannel *channel = channels->pdata[0];

  g_assert_cmpstr (channel->name, ==, "project:a");
  g_assert_cmpstr (channel->state, ==, "active");
  g_assert_true (channel->durable);
  g_assert_cmpuint (channel->holders->len, ==, 2);
  g_assert_cmpstr (channel->holders->pdata[0], ==, "my-app");
  g_assert_cmpstr (channel->holders->pdata[1], ==, ":1.8");
  g_assert_cmpuint (channel->active_since_usec, ==, NOW);
}

static void
test_ill_typed (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "Test");
  int r = 0;

  append (message, "a{sv}", 1, "Durable", "s", "yes");
  messages_seal (message);
  g_assert_null (prpctl_channel_read (message, &r));
  g_assert_cmpint (r, <, 0);
}

static void
test_table (Messages *m, gconstpointer data)
{
  g_autoptr (GPtrArray) channels = make_channels (m);
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GString) colored = g_string_new (NULL);

  prpctl_channels_append_table (out, channels, NOW, FALSE);
  g_assert_cmpstr (out->str, ==,
                   "CHANNEL          STATE     DURABLE  SINCE     HELD BY       ERROR\n"
                   "project:a        active    yes      12:02:11  my-app, :1.8\n"
                   "agent:long_name  rejected  no                               INVALID_CHANNEL: No � such\n");
  prpctl_channels_append_table (colored, channels, NOW, TRUE);
  g_assert_nonnull (g_strstr_len (colored->str, -1, "\033[1;32mactive\033[0m  "));
}

static void
test_json (Messages *m, gconstpointer data)
{
  g_autoptr (GPtrArray) channels = make_channels (m);
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autoptr (GString) out = g_string_new (NULL);

  prpctl_channels_append_json (out, channels);
  g_assert_cmpstr (out->str, ==,
                   "[{\"Name\":\"project:a\",\"State\":\"active\",\"Error\":[\"\",\"\"],\"Durable\":true,"
                   "\"Holders\":[[\":1.7\",\"my-app\",\"for fun\"],[\":1.8\",\"\",\"\"]],\"ActiveSince\":1705320131000000},"
                   "{\"Name\":\"agent:long_name\",\"State\":\"rejected\",\"Error\":[\"INVALID_CHANNEL\",\"No \\u001b such\"],"
                   "\"Durable\":false,\"Holders\":[],\"ActiveSince\":0,\"OfTomorrow\":1}]\n");
  g_string_truncate (out, 0);
  prpctl_channels_append_json (out, none);
  g_assert_cmpstr (out->str, ==, "[]\n");
}

static void
test_summary (Messages *m, gconstpointer data)
{
  g_autoptr (GPtrArray) channels = make_channels (m);
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autofree char *two = prpctl_channels_summarize (channels);
  g_autofree char *zero = prpctl_channels_summarize (none);

  g_assert_cmpstr (two, ==, "1 active, 1 rejected");
  g_assert_cmpstr (zero, ==, "none");
}

static void
test_explain (Messages *m, gconstpointer data)
{
  g_autoptr (GPtrArray) channels = make_channels (m);
  g_autofree char *active = prpctl_channel_explain ("active", channels->pdata[0], TRUE);
  g_autofree char *known = prpctl_channel_explain ("rejected", channels->pdata[1], TRUE);
  g_autofree char *unknown = prpctl_channel_explain ("rejected", NULL, TRUE);
  g_autofree char *offline = prpctl_channel_explain ("pending", NULL, FALSE);
  g_autofree char *slow = prpctl_channel_explain ("pending", NULL, TRUE);

  g_assert_null (active);
  g_assert_cmpstr (known, ==, "INVALID_CHANNEL: No � such");
  g_assert_cmpstr (unknown, ==, "the server does not accept this channel");
  g_assert_cmpstr (offline, ==, "not connected now: will be asked for on the next connection");
  g_assert_cmpstr (slow, ==, "the server has not answered yet");
}

#define ADD(path, function) g_test_add (path, Messages, NULL, messages_set_up, function, messages_tear_down)

int
main (int argc, char **argv)
{
  setenv ("TZ", "UTC", 1);
  g_test_init (&argc, &argv, NULL);
  ADD ("/channel/read", test_read);
  ADD ("/channel/ill-typed", test_ill_typed);
  ADD ("/channel/table", test_table);
  ADD ("/channel/json", test_json);
  ADD ("/channel/summary", test_summary);
  ADD ("/channel/explain", test_explain);
  return g_test_run ();
}
