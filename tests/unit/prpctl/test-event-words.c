/* SPDX-License-Identifier: MIT */
#include "prpctl/event-words.h"

/* 2026-11-23 15:30:45 UTC. */
#define NOW (G_GUINT64_CONSTANT (1795447845) * G_USEC_PER_SEC)

/* @json: with ' for ". */
static void
assert_words (const char *json, const char *expected)
{
  g_autofree char *quoted = g_strdelimit (g_strdup (json), "'", '"');
  g_autofree char *words = prpctl_event_make_words (quoted, NOW);

  g_assert_cmpstr (words, ==, expected);
}

#define EVENT(type, data) "{'id':'msg_1','type':'" type "','timestamp':'','data':{" data "}}"

static void
test_prp (void)
{
  assert_words (EVENT ("prp.created", "'id':'prp_789012','projectId':'proj_123456','name':'Implement Authentication',"
                                      "'status':'pending','priority':'high'"),
                "PRP prp_789012 “Implement Authentication” created in proj_123456 (high)");
  assert_words (EVENT ("prp.created", "'id':'prp_1','projectId':''"), "PRP prp_1 created");
  assert_words (EVENT ("prp.created", "'id':'prp_1','projectId':'','name':'x','priority':'low'"), "PRP prp_1 “x” created (low)");
  assert_words (EVENT ("prp.status_changed", "'id':'prp_789012','previousStatus':'active','newStatus':'completed',"
                                             "'reason':'All requirements met'"),
                "PRP prp_789012 is now completed, was active (All requirements met)");
  assert_words (EVENT ("prp.status_changed", "'id':'prp_1','newStatus':'active'"), "PRP prp_1 is now active");
  assert_words (EVENT ("prp.deleted", "'id':'prp_789012','projectId':'proj_123456','reason':'Duplicate entry'"),
                "PRP prp_789012 deleted from proj_123456 (Duplicate entry)");
  assert_words (EVENT ("prp.deleted", "'id':'prp_1','projectId':''"), "PRP prp_1 deleted");
}

static void
test_updated (void)
{
  assert_words (EVENT ("prp.updated", "'id':'prp_789012','changes':{'status':{'old':'pending','new':'active'},"
                                      "'assignedAgent':{'new':'agent_001','old':null}}"),
                "PRP prp_789012 updated: status pending → active, assignedAgent null → agent_001");
  assert_words (EVENT ("prp.updated", "'id':'prp_1','changes':{'tags':{'new':['a',1]},"
                                      "'hours':{'old':8,'by':'me','new':7.5},'gone':{'old':true},'odd':5}"),
                "PRP prp_1 updated: tags → [\"a\",1], hours 8 → 7.5, gone, odd");
  assert_words (EVENT ("prp.updated", "'id':'prp_1','changes':{}"), "PRP prp_1 updated");
  assert_words (EVENT ("prp.updated", "'id':'prp_1','changes':[1]"), "PRP prp_1 updated");
  assert_words (EVENT ("prp.updated", "'id':'prp_1','changes':{'a':{},'b':{},'c':{},'d':{},'e':{},'f':{},'g':{},'h':{},"
                                      "'i':{},'j':{},'k':{},'l':{},'m':{},'n':{}}"),
                "PRP prp_1 updated: a, b, c, d, e, f, g, h, i, j, k, l, …");
}

static void
test_agent (void)
{
  assert_words (EVENT ("agent.assigned", "'agentId':'agent_001','prpId':'prp_789012','priority':'high'"),
                "agent agent_001 assigned to PRP prp_789012 (high)");
  assert_words (EVENT ("agent.progress", "'agentId':'agent_001','prpId':'prp_789012','progress':45,"
                                         "'currentTask':'Implementing JWT middleware'"),
                "agent agent_001 has done 45% of PRP prp_789012: Implementing JWT middleware");
  assert_words (EVENT ("agent.progress", "'agentId':'a','prpId':'p','progress':33.333333"), "agent a has done 33.33% of PRP p");
  assert_words (EVENT ("agent.progress", "'agentId':'a','prpId':'p','progress':'much'"), "agent a has done 0% of PRP p");
}

static void
test_server_error (void)
{
  assert_words (EVENT ("error", "'code':'RATE_LIMITED','message':'Too many messages'"),
                "the server reports RATE_LIMITED: Too many messages");
  assert_words (EVENT ("error", "'code':'ODD'"), "the server reports ODD");
}

#define GAP(since, until, cause, channels) \
  EVENT ("relay.gap", "'since':" since ",'until':" until ",'cause':'" cause "','channels':[" channels "],'sequence':9")

static void
test_gap (void)
{
  assert_words (GAP ("1795447645000000", "1795447785400000", "CONNECTION_LOST", "'agent:a','project:x'"),
                "gap: from 15:27:25 until 15:29:45 (2 min 20 s) events of agent:a, project:x may have been missed: "
                "CONNECTION_LOST");
  assert_words (GAP ("1795361445000000", "1795447785000000", "RESTARTED", "'project:x'"),
                "gap: from 2026-11-22 15:30:45 until 15:29:45 (23 h 59 min) events of project:x may have been missed: "
                "the relay was not running");
  assert_words (GAP ("1795447785000000", "1795447785000000", "DISCONNECTED", "'a:1','a:2','a:3','a:4','a:5','a:6','a:7','a:8',"
                                                                             "'a:9','a:10'"),
                "gap: from 15:29:45 until 15:29:45 (0.0 s) events of a:1, a:2, a:3, a:4, a:5, a:6, a:7, a:8, … (10 in all) may "
                "have been missed: disconnected as asked for");
  assert_words (GAP ("-5", "'x'", "RECONFIGURED", ""),
                "gap: until 1970-01-01 00:00:00 events of  may have been missed: the configuration changed");
  assert_words (GAP ("1", "1795447785000000", "RESTARTED", "'project:x'"),
                "gap: until 15:29:45 events of project:x may have been missed: the relay was not running");
  assert_words (GAP ("1795447784710000", "1795447785000000", "CONNECTION_LOST", "'project:x'"),
                "gap: from 15:29:44 until 15:29:45 (0.3 s) events of project:x may have been missed: CONNECTION_LOST");
}

static void
test_other (void)
{
  assert_words ("{'type':'build.finished'}", "build.finished");
  assert_words ("{}", "(an event without a type)");
  assert_words ("{'type':''}", "(an event without a type)");
  assert_words (EVENT ("build.finished", "'ok':true,'log':'\\u001b[2J\342\200\256x'"),
                "build.finished {\"ok\":true,\"log\":\"\\u001b[2J�x\"}");
  assert_words ("{'type':'build.finished','data':'\033[2J'}", "(an event without a type)"); /* no JSON */
  assert_words ("{'type':'build.finished','data':[1]}", "build.finished [1]");
}

/* Of a type that is known, but not what one of it has to be: told by what there is. */
static void
test_unidentified (void)
{
  assert_words (EVENT ("prp.created", "'id':'prp_1'"), "prp.created {\"id\":\"prp_1\"}");
  assert_words (EVENT ("agent.progress", "'agentId':5,'prpId':'p'"), "agent.progress {\"agentId\":5,\"prpId\":\"p\"}");
  assert_words ("{'type':'error','data':7}", "error 7");
  assert_words ("{'type':'error'}", "error");
}

static void
test_hostile (void)
{
  g_autofree char *long_text = g_strnfill (5000, 'x');
  g_autofree char *cut = g_strnfill (200, 'x');
  g_autofree char *expected = g_strdup_printf ("PRP p deleted (%s…)", cut);
  g_autofree char *json =
    g_strdup_printf ("{'type':'prp.deleted','data':{'id':'p','projectId':'','reason':'%s'}}", long_text);

  assert_words (EVENT ("prp.created", "'id':'\\u001b]0;owned\\u0007','projectId':'\342\200\256nwo','name':'a\\nb',"
                                      "'priority':'\302\233'"),
                "PRP �]0;owned� “a b” created in �nwo (�)");
  assert_words (EVENT ("prp.updated", "'id':'p','changes':{'\\u001b[A':{'old':'\\u001b[2J','new':'\\u001b[H'}}"),
                "PRP p updated: �[A �[2J → �[H");
  assert_words (EVENT ("error", "'code':'\\u001b','message':'\177'"), "the server reports �: �");
  assert_words (GAP ("0", "0", "\\u001b", "'\\u001b'"),
                "gap: until 1970-01-01 00:00:00 events of � may have been missed: �");
  assert_words (json, expected);
}

int
main (int argc, char **argv)
{
  g_setenv ("TZ", "UTC", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-words/prp", test_prp);
  g_test_add_func ("/event-words/updated", test_updated);
  g_test_add_func ("/event-words/agent", test_agent);
  g_test_add_func ("/event-words/server-error", test_server_error);
  g_test_add_func ("/event-words/gap", test_gap);
  g_test_add_func ("/event-words/other", test_other);
  g_test_add_func ("/event-words/unidentified", test_unidentified);
  g_test_add_func ("/event-words/hostile", test_hostile);
  return g_test_run ();
}
