/* SPDX-License-Identifier: MIT */
#include "prpctl/status.h"

#include <stdlib.h>
#include <string.h>

#include "messages.h"

#define NOW (G_GUINT64_CONSTANT (1705320131) * G_USEC_PER_SEC) /* 2024-01-15 12:02:11 UTC */
#define URL "wss://api.prp.dev/v1/ws/prps"

/* Takes over the properties appended. */
#define read_into(messages, status, ret_changed, ...)                                \
  G_STMT_START                                                                       \
  {                                                                                  \
    g_autoptr (sd_bus_message) message_ = messages_new_signal (messages, "Test");    \
                                                                                     \
    append (message_, "a{sv}", __VA_ARGS__);                                         \
    messages_seal (message_);                                                        \
    g_assert_cmpint (prpctl_status_read (status, message_, ret_changed), ==, 0);     \
    g_assert_cmpint (sd_bus_message_at_end (message_, TRUE), ==, 1);                 \
  }                                                                                  \
  G_STMT_END

static void
test_read (Messages *m, gconstpointer data)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  gboolean changed = FALSE;

  read_into (m, status, &changed, 8, "State", "s", "waiting", "LastError", "(ss)", "REFUSED", "Nothing there.",
             "Attempts", "u", 3, "NextAttempt", "t", NOW, "Url", "s", URL, "Features", "as", 2, "subscribe", "heartbeat",
             "OfTomorrow", "a{sv}", 1, "x", "b", 1, "BytesReceived", "t", G_MAXUINT64);
  g_assert_true (changed);
  g_assert_cmpstr (status->state, ==, "waiting");
  g_assert_cmpstr (status->error_code, ==, "REFUSED");
  g_assert_cmpstr (status->error_text, ==, "Nothing there.");
  g_assert_cmpuint (status->attempts, ==, 3);
  g_assert_cmpuint (status->next_attempt_usec, ==, NOW);
  g_assert_cmpstr (status->features[1], ==, "heartbeat");
  g_assert_cmpuint (status->bytes_received, ==, G_MAXUINT64);
  g_assert_false (prpctl_status_is_connected (status));

  /* What is not named stays. */
  read_into (m, status, &changed, 2, "State", "s", "waiting", "Attempts", "u", 4);
  g_assert_false (changed);
  g_assert_cmpuint (status->attempts, ==, 4);
  g_assert_cmpstr (status->url, ==, URL);

  read_into (m, status, NULL, 1, "State", "s", "connected");
  g_assert_true (prpctl_status_is_connected (status));
}

static void
test_ill_typed (Messages *m, gconstpointer data)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "Test");

  append (message, "a{sv}", 1, "Attempts", "s", "many");
  messages_seal (message);
  g_assert_cmpint (prpctl_status_read (status, message, NULL), <, 0);
  g_assert_cmpuint (status->attempts, ==, 0);
}

static char *
describe (const PrpctlStatus *status)
{
  g_autoptr (GString) out = g_string_new (NULL);

  prpctl_status_describe (status, "2 active", NOW, FALSE, out);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
test_connected (Messages *m, gconstpointer data)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autofree char *text = NULL, *summary = NULL;

  read_into (m, status, NULL, 15, "Version", "s", "0.1.0", "State", "s", "connected", "Url", "s", URL,
             "ConnectionId", "s", "conn_abc123", "ServerVersion", "s", "1.0.0", "Features", "as", 1, "subscribe",
             "ConnectedSince", "t", NOW - 303 * G_USEC_PER_SEC, "LastAlive", "t", NOW - 2 * G_USEC_PER_SEC,
             "TokenExpires", "t", NOW + 7800 * (guint64) G_USEC_PER_SEC,
             "EventsReceived", "t", G_GUINT64_CONSTANT (12), "EventsEmitted", "t", G_GUINT64_CONSTANT (10),
             "DuplicatesDropped", "t", G_GUINT64_CONSTANT (1), "MalformedDropped", "t", G_GUINT64_CONSTANT (1),
             "Connections", "t", G_GUINT64_CONSTANT (1), "BytesReceived", "t", G_GUINT64_CONSTANT (2000));
  text = describe (status);
  g_assert_cmpstr (text, ==,
                   "● connected to " URL "\n"
                   "         Since: 11:57:08 (5 min 3 s ago)\n"
                   "    Connection: conn_abc123\n"
                   "        Server: 1.0.0\n"
                   "      Features: subscribe\n"
                   "    Last heard: 12:02:09 (2 s ago)\n"
                   " Token expires: 14:12:11 (in 2 h 10 min)\n"
                   "      Channels: 2 active\n"
                   "        Events: 12 received, 10 relayed; dropped 1 as duplicates, 1 as malformed\n"
                   "       Traffic: 2.0\302\240kB received over 1 connection\n"
                   "         Relay: 0.1.0\n");
  summary = prpctl_status_summarize (status, NOW);
  g_assert_cmpstr (summary, ==, "connected to " URL);
}

static void
test_waiting (Messages *m, gconstpointer data)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autofree char *text = NULL, *summary = NULL;

  read_into (m, status, NULL, 6, "State", "s", "waiting", "Url", "s", URL,
             "LastError", "(ss)", "REFUSED", "Nothing accepts\nconnections.", "Attempts", "u", 3,
             "NextAttempt", "t", NOW + 12 * G_USEC_PER_SEC, "TokenExpires", "t", NOW - 60 * G_USEC_PER_SEC);
  text = describe (status);
  g_assert_cmpstr (text, ==,
                   "● waiting before the next attempt to connect to " URL "\n"
                   "       Trouble: REFUSED: Nothing accepts connections.\n"
                   "    What to do: Is the service running, and Url= in relay.conf right? The relay tries again by\n"
                   "                itself; 'prpctl connect' tries at once.\n"
                   "      Attempts: 3 failed since the last stable connection\n"
                   "  Next attempt: in 12 s\n"
                   " Token expired: 12:01:11 (1 min 0 s ago)\n"
                   "      Channels: 2 active\n"
                   "        Events: 0 received, 0 relayed; dropped 0 as duplicates, 0 as malformed\n"
                   "       Traffic: 0 bytes received over 0 connections\n"
                   "         Relay:\n");
  summary = prpctl_status_summarize (status, NOW);
  g_assert_cmpstr (summary, ==,
                   "waiting before the next attempt to connect to " URL " (REFUSED: Nothing accepts connections.)"
                   "; next attempt in 12 s");
}

/* Every state that is not well says what to do. */
static void
test_advice (Messages *m, gconstpointer data)
{
  static const struct {
    const char *state, *advice;
  } cases[] = {
    { "offline", "as soon as there is a network" },
    { "unauthorized", "'prpctl login'" },
    { "disconnected", "'prpctl connect'" },
    { "waiting", "'prpctl connect'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (PrpctlStatus) status = prpctl_status_new ();
    g_autofree char *text = NULL;

    read_into (m, status, NULL, 1, "State", "s", cases[i].state);
    text = describe (status);
    g_assert_nonnull (strstr (text, cases[i].advice));
  }
}

static void
test_unknown_state (Messages *m, gconstpointer data)
{
  g_autoptr (PrpctlStatus) status = prpctl_status_new ();
  g_autofree char *text = NULL, *summary = NULL;

  read_into (m, status, NULL, 1, "State", "s", "napping");
  text = describe (status);
  summary = prpctl_status_summarize (status, NOW);
  g_assert_true (g_str_has_prefix (text, "● napping\n"));
  g_assert_cmpstr (summary, ==, "napping");
}

#define ADD(path, function) g_test_add (path, Messages, NULL, messages_set_up, function, messages_tear_down)

int
main (int argc, char **argv)
{
  setenv ("TZ", "UTC", 1);
  g_test_init (&argc, &argv, NULL);
  ADD ("/status/read", test_read);
  ADD ("/status/ill-typed", test_ill_typed);
  ADD ("/status/connected", test_connected);
  ADD ("/status/waiting", test_waiting);
  ADD ("/status/advice", test_advice);
  ADD ("/status/unknown-state", test_unknown_state);
  return g_test_run ();
}
