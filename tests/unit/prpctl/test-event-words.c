/* SPDX-License-Identifier: MIT */
#include "prpctl/event-words.h"

#include "messages.h"

#define RECEIVED G_GUINT64_CONSTANT (1705334400000000)
#define EVENT "a{sv}", 2, "sequence", "t", G_GUINT64_CONSTANT (7), "received", "t", RECEIVED

/* Appends the event, then compares the words. */
static void
assert_words (sd_bus_message *message, const char *expected)
{
  g_autofree char *words = NULL;
  guint64 received = 0;

  append (message, EVENT);
  messages_seal (message);
  words = prpctl_event_make_words (message, &received);
  g_assert_cmpstr (words, ==, expected);
  if (expected != NULL)
    g_assert_cmpuint (received, ==, RECEIVED);
}

#define assert_signal(messages, expected, member, ...)                               \
  G_STMT_START                                                                       \
  {                                                                                  \
    g_autoptr (sd_bus_message) message_ = messages_new_signal (messages, member);    \
                                                                                     \
    append (message_, __VA_ARGS__);                                                  \
    assert_words (message_, expected);                                               \
  }                                                                                  \
  G_STMT_END

static void
test_prp (Messages *m, gconstpointer data)
{
  assert_signal (m, "PRP prp_789012 “Implement Authentication” created in proj_123456 (high)", "PrpCreated", "sssss",
                 "prp_789012", "proj_123456", "Implement Authentication", "pending", "high");
  assert_signal (m, "PRP prp_1 created", "PrpCreated", "sssss", "prp_1", "", "", "", "");
  assert_signal (m, "PRP prp_1 “x” created (low)", "PrpCreated", "sssss", "prp_1", "", "x", "", "low");
  assert_signal (m, "PRP prp_789012 is now completed, was active (All requirements met)", "PrpStatusChanged", "ssss",
                 "prp_789012", "active", "completed", "All requirements met");
  assert_signal (m, "PRP prp_1 is now active", "PrpStatusChanged", "ssss", "prp_1", "", "active", "");
  assert_signal (m, "PRP prp_789012 deleted from proj_123456 (Duplicate entry)", "PrpDeleted", "sss", "prp_789012",
                 "proj_123456", "Duplicate entry");
  assert_signal (m, "PRP prp_1 deleted", "PrpDeleted", "sss", "prp_1", "", "");
}

static void
test_updated (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) many = messages_new_signal (m, "PrpUpdated");

  assert_signal (m, "PRP prp_789012 updated: status pending → active, assignedAgent null → agent_001", "PrpUpdated",
                 "sa{sa{sv}}", "prp_789012", 2, "status", 2, "old", "s", "pending", "new", "s", "active",
                 "assignedAgent", 2, "new", "s", "agent_001", "old", "g", "");
  assert_signal (m, "PRP prp_1 updated: tags → [\"a\",1], hours 8 → 7.5, gone", "PrpUpdated", "sa{sa{sv}}", "prp_1", 3,
                 "tags", 1, "new", "av", 2, "s", "a", "x", (gint64) 1,
                 "hours", 3, "old", "x", (gint64) 8, "by", "s", "me", "new", "d", 7.5,
                 "gone", 1, "old", "b", 1);
  assert_signal (m, "PRP prp_1 updated", "PrpUpdated", "sa{sa{sv}}", "prp_1", 0);

  append (many, "s", "prp_1");
  open_container (many, 'a', "{sa{sv}}");
  for (guint i = 0; i < 14; i++)
    append (many, "{sa{sv}}", "m", 0);
  close_container (many);
  assert_words (many, "PRP prp_1 updated: m, m, m, m, m, m, m, m, m, m, m, m, …");
}

static void
test_agent (Messages *m, gconstpointer data)
{
  assert_signal (m, "agent agent_001 assigned to PRP prp_789012 (high)", "AgentAssigned", "sss", "agent_001", "prp_789012",
                 "high");
  assert_signal (m, "agent agent_001 has done 45% of PRP prp_789012: Implementing JWT middleware", "AgentProgress", "ssds",
                 "agent_001", "prp_789012", 45.0, "Implementing JWT middleware");
  assert_signal (m, "agent a has done 33.33% of PRP p", "AgentProgress", "ssds", "a", "p", 100.0 / 3, "");
}

static void
test_server_error (Messages *m, gconstpointer data)
{
  assert_signal (m, "the server reports RATE_LIMITED: Too many messages", "ServerError", "ss", "RATE_LIMITED",
                 "Too many messages");
  assert_signal (m, "the server reports ODD", "ServerError", "ss", "ODD", "");
}

static void
test_other (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) message = messages_new_signal (m, "OtherEvent");
  g_autofree char *words = NULL;
  guint64 received = 1;

  assert_signal (m, "build.finished", "OtherEvent", "s", "build.finished");
  assert_signal (m, "(an event without a type)", "OtherEvent", "s", "");

  append (message, "sa{sv}", "build.finished", 1,
          "data", "a{sv}", 2, "ok", "b", 1, "log", "s", "\033[2J\342\200\256x");
  messages_seal (message);
  words = prpctl_event_make_words (message, &received);
  g_assert_cmpstr (words, ==, "build.finished {\"ok\":true,\"log\":\"\\u001b[2J�x\"}");
  g_assert_cmpuint (received, ==, 0);
}

static void
test_hostile (Messages *m, gconstpointer data)
{
  g_autofree char *long_text = g_strnfill (5000, 'x');
  g_autofree char *cut = g_strnfill (200, 'x');
  g_autofree char *expected = g_strdup_printf ("PRP p deleted (%s…)", cut);

  assert_signal (m, "PRP �]0;owned� “a b” created in �nwo (�)", "PrpCreated", "sssss", "\033]0;owned\007", "\342\200\256nwo",
                 "a\nb", "", "\302\233");
  assert_signal (m, "PRP p updated: �[A �[2J → �[H", "PrpUpdated", "sa{sa{sv}}", "p", 1,
                 "\033[A", 2, "old", "s", "\033[2J", "new", "s", "\033[H");
  assert_signal (m, "the server reports �: �", "ServerError", "ss", "\033", "\177");
  assert_signal (m, expected, "PrpDeleted", "sss", "p", "", long_text);
}

/* Not the arguments that the contract gives, or a signal that it does not know. */
static void
test_unknown (Messages *m, gconstpointer data)
{
  assert_signal (m, NULL, "PrpCreated", "ss", "prp_1", "proj_1");
  assert_signal (m, NULL, "AgentProgress", "ssss", "a", "p", "45", "");
  assert_signal (m, NULL, "Tomorrow", "s", "x");
}

#define ADD(path, function) g_test_add (path, Messages, NULL, messages_set_up, function, messages_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/event-words/prp", test_prp);
  ADD ("/event-words/updated", test_updated);
  ADD ("/event-words/agent", test_agent);
  ADD ("/event-words/server-error", test_server_error);
  ADD ("/event-words/other", test_other);
  ADD ("/event-words/hostile", test_hostile);
  ADD ("/event-words/unknown", test_unknown);
  return g_test_run ();
}
