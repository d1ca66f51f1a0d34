/* SPDX-License-Identifier: MIT */
#include "prpctl/event-filter.h"

#define CREATED(prp, project) \
  "{\"type\":\"prp.created\",\"data\":{\"id\":\"" prp "\",\"projectId\":\"" project "\"}}"
#define CHANGED(prp) "{\"type\":\"prp.status_changed\",\"data\":{\"id\":\"" prp "\"}}"
#define PROGRESS(agent, prp) "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"" agent "\",\"prpId\":\"" prp "\"}}"
#define FAULT "{\"type\":\"error\",\"data\":{\"code\":\"X\"}}"
#define GAP(channel) "{\"type\":\"relay.gap\",\"data\":{\"cause\":\"DNS\",\"channels\":[\"" channel "\",\"x:y\"]}}"

static gboolean
pass (PrpctlEventFilter *filter, const char *json)
{
  ClientEvent event = { .json = (char *) json };
  g_auto (PrpctlEventFields) fields = { 0 };

  prpctl_event_fields_read (&fields, &event);
  return prpctl_event_filter_pass (filter, &fields);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
test_any (void)
{
  g_autoptr (PrpctlEventFilter) filter = prpctl_event_filter_new (NULL, NULL, NULL, NULL, NULL);

  g_assert_true (pass (filter, CREATED ("p", "j")) && pass (filter, FAULT) && pass (filter, "{}") && pass (filter, GAP ("a:b")));
}

static void
test_types (void)
{
  g_autoptr (PrpctlEventFilter) filter = prpctl_event_filter_new (LIST ("prp.*", "err?r"), NULL, NULL, NULL, NULL);

  g_assert_true (pass (filter, CREATED ("p", "j")) && pass (filter, FAULT));
  g_assert_false (pass (filter, PROGRESS ("a", "p")) || pass (filter, "{}") || pass (filter, GAP ("a:b")));
}

static void
test_ids (void)
{
  g_autoptr (PrpctlEventFilter) prp = prpctl_event_filter_new (NULL, "p", NULL, NULL, NULL);
  g_autoptr (PrpctlEventFilter) agent = prpctl_event_filter_new (NULL, NULL, "a", NULL, NULL);
  g_autoptr (PrpctlEventFilter) project = prpctl_event_filter_new (NULL, NULL, NULL, "j", NULL);

  g_assert_true (pass (prp, CREATED ("p", "j")) && pass (prp, PROGRESS ("a", "p")));
  g_assert_false (pass (prp, CREATED ("q", "j")) || pass (prp, FAULT));
  g_assert_true (pass (agent, PROGRESS ("a", "p")));
  g_assert_false (pass (agent, PROGRESS ("b", "p")) || pass (agent, CHANGED ("p")));
  /* What a project's PRP does is about the project, once it is known to be its. */
  g_assert_false (pass (project, CHANGED ("p")));
  g_assert_true (pass (project, CREATED ("p", "j")) && pass (project, CHANGED ("p")));
  g_assert_false (pass (project, CREATED ("q", "k")) || pass (project, CHANGED ("q")));
}

/* Left out is what is known to be about something else. */
static void
test_channels (void)
{
  g_autoptr (PrpctlEventFilter) project = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("project:j"));
  g_autoptr (PrpctlEventFilter) prp = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("prp:p"));
  g_autoptr (PrpctlEventFilter) agent = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("agent:a"));
  g_autoptr (PrpctlEventFilter) two = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("agent:a", "prp:p"));
  g_autoptr (PrpctlEventFilter) other = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("team:t"));

  g_assert_true (pass (project, CREATED ("p", "j")) && pass (project, PROGRESS ("a", "p")) && pass (project, FAULT));
  g_assert_true (pass (project, CHANGED ("unknown")));
  g_assert_false (pass (project, CREATED ("q", "k")) || pass (project, PROGRESS ("a", "q")));

  g_assert_true (pass (prp, CHANGED ("p")) && pass (prp, PROGRESS ("a", "p")) && pass (prp, FAULT));
  g_assert_false (pass (prp, CHANGED ("q")) || pass (prp, PROGRESS ("a", "q")));

  g_assert_true (pass (agent, PROGRESS ("a", "p")) && pass (agent, FAULT));
  g_assert_false (pass (agent, PROGRESS ("b", "p")) || pass (agent, CHANGED ("p")));

  g_assert_true (pass (two, PROGRESS ("a", "q")) && pass (two, PROGRESS ("b", "p")));
  g_assert_false (pass (two, PROGRESS ("b", "q")));

  g_assert_true (pass (other, CHANGED ("p")));
  g_assert_true (pass (prp, GAP ("prp:p")));
  g_assert_false (pass (prp, GAP ("prp:q")));
}

/* What is learned is bounded; what was forgotten is shown rather than left out. */
static void
test_bounded (void)
{
  g_autoptr (PrpctlEventFilter) filter = prpctl_event_filter_new (NULL, NULL, NULL, NULL, LIST ("project:j"));

  g_assert_false (pass (filter, CREATED ("first", "k")));
  g_assert_false (pass (filter, CHANGED ("first")));
  for (guint i = 0; i < PRPCTL_EVENT_FILTER_MAX_KNOWN_PRPS; i++) {
    g_autofree char *json = g_strdup_printf ("{\"type\":\"prp.created\",\"data\":{\"id\":\"p%u\",\"projectId\":\"k\"}}", i);

    g_assert_false (pass (filter, json));
  }
  g_assert_true (pass (filter, CHANGED ("first")));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-filter/any", test_any);
  g_test_add_func ("/event-filter/types", test_types);
  g_test_add_func ("/event-filter/ids", test_ids);
  g_test_add_func ("/event-filter/channels", test_channels);
  g_test_add_func ("/event-filter/bounded", test_bounded);
  return g_test_run ();
}
