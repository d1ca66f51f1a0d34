/* SPDX-License-Identifier: MIT */
#include "wire/event.h"

#include <string.h>

typedef struct {
  RelayJsonReader reader;
  RelayEvent event;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_json_reader_clear (&f->reader);
}

static void
assert_kind (Fixture *f, const char *text, RelayEventKind kind)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = relay_event_read (&f->event, &f->reader, text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_true (ok);
  if (f->event.kind != kind)
    g_test_message ("%s", text);
  g_assert_cmpint (f->event.kind, ==, (int) kind);
}

static void
test_kinds (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    RelayEventKind kind;
  } rows[] = {
    { "{\"type\":\"prp.created\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", RELAY_EVENT_PRP_CREATED },
    { "{\"data\":{\"id\":\"p\",\"changes\":{}},\"type\":\"prp.updated\"}", RELAY_EVENT_PRP_UPDATED },
    { "{\"type\":\"prp.status_changed\",\"data\":{\"id\":\"p\"}}", RELAY_EVENT_PRP_STATUS_CHANGED },
    { "{\"type\":\"prp.deleted\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", RELAY_EVENT_PRP_DELETED },
    { "{\"type\":\"agent.assigned\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\"}}", RELAY_EVENT_AGENT_ASSIGNED },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\"}}", RELAY_EVENT_AGENT_PROGRESS },
    { "{\"type\":\"error\"}", RELAY_EVENT_ERROR },
    { "{\"type\":\"connection.established\"}", RELAY_EVENT_CONNECTION_ESTABLISHED },
    { "{\"type\":\"heartbeat\"}", RELAY_EVENT_HEARTBEAT },
    { "{\"type\":\"pong\"}", RELAY_EVENT_PONG },
    { "{\"type\":\"subscription.confirmed\"}", RELAY_EVENT_SUBSCRIPTION_CONFIRMED },
    { "{\"type\":\"token_expired\"}", RELAY_EVENT_TOKEN_EXPIRED },
    { "{\"type\":\"prp.commented\",\"data\":{\"id\":\"p\"}}", RELAY_EVENT_OTHER },
    { "{\"type\":\"\"}", RELAY_EVENT_OTHER },
    { "{\"type\":\"PRP.CREATED\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", RELAY_EVENT_OTHER },
    /* An escaped type is the same type; of two the last one counts. */
    { "{\"type\":\"p\\u0072p.updated\",\"data\":{\"id\":\"p\"}}", RELAY_EVENT_PRP_UPDATED },
    { "{\"type\":\"pong\",\"type\":\"heartbeat\"}", RELAY_EVENT_HEARTBEAT },
    /* Without what identifies it, it is not that event. */
    { "{\"type\":\"prp.created\",\"data\":{\"id\":\"p\"}}", RELAY_EVENT_OTHER },
    { "{\"type\":\"prp.created\",\"data\":{\"projectId\":\"j\"}}", RELAY_EVENT_OTHER },
    { "{\"type\":\"prp.created\",\"data\":{\"id\":7,\"projectId\":\"j\"}}", RELAY_EVENT_OTHER },
    { "{\"type\":\"prp.created\",\"data\":[\"id\",\"p\"]}", RELAY_EVENT_OTHER },
    { "{\"type\":\"prp.updated\",\"data\":null}", RELAY_EVENT_OTHER },
    { "{\"type\":\"prp.updated\"}", RELAY_EVENT_OTHER },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\"}}", RELAY_EVENT_OTHER },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    assert_kind (f, rows[i].text, rows[i].kind);
}

static void
test_members (Fixture *f, gconstpointer data)
{
  g_autofree char *name = NULL, *missing = NULL, *number = NULL;

  assert_kind (f, "{\"id\":\"m1\",\"type\":\"x\",\"timestamp\":\"T\",\"data\":{\"name\":\"n\\u00e4\",\"n\":1},\"metadata\":{}}",
               RELAY_EVENT_OTHER);
  g_assert_true (relay_json_reader_string_equal (&f->reader, f->event.id, "m1"));
  g_assert_true (relay_json_reader_string_equal (&f->reader, f->event.timestamp, "T"));
  g_assert_cmpuint (f->event.metadata, !=, 0);
  name = relay_event_dup_member (&f->event, "name");
  missing = relay_event_dup_member (&f->event, "missing");
  number = relay_event_dup_member (&f->event, "n");
  g_assert_cmpstr (name, ==, "n\xc3\xa4");
  g_assert_cmpstr (missing, ==, "");
  g_assert_cmpstr (number, ==, "");

  /* Of another type than the page gives: as if missing, but for data, which can be anything. */
  assert_kind (f, "{\"id\":1,\"type\":\"x\",\"timestamp\":null,\"data\":[],\"metadata\":\"m\"}", RELAY_EVENT_OTHER);
  g_assert_cmpuint (f->event.id, ==, 0);
  g_assert_cmpuint (f->event.timestamp, ==, 0);
  g_assert_cmpuint (f->event.metadata, ==, 0);
  g_assert_cmpuint (f->event.data, !=, 0);
  g_assert_cmpuint (relay_event_find (&f->event, "name"), ==, 0);
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    int code;
  } rows[] = {
    { "[]", RELAY_EVENT_ERROR_NOT_AN_OBJECT },
    { "\"type\"", RELAY_EVENT_ERROR_NOT_AN_OBJECT },
    { "null", RELAY_EVENT_ERROR_NOT_AN_OBJECT },
    { "{}", RELAY_EVENT_ERROR_NO_TYPE },
    { "{\"type\":null}", RELAY_EVENT_ERROR_NO_TYPE },
    { "{\"type\":{\"type\":\"pong\"}}", RELAY_EVENT_ERROR_NO_TYPE },
    { "{\"data\":{\"type\":\"pong\"}}", RELAY_EVENT_ERROR_NO_TYPE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (relay_event_read (&f->event, &f->reader, rows[i].text, strlen (rows[i].text), &error));
    g_assert_error (error, RELAY_EVENT_ERROR_DOMAIN, rows[i].code);
  }

  g_autoptr (GError) error = NULL;
  g_assert_false (relay_event_read (&f->event, &f->reader, "{\"type\":\"pong\"} {}", 18, &error));
  g_assert_error (error, RELAY_JSON_ERROR, RELAY_JSON_ERROR_SYNTAX);
  g_assert_false (relay_event_read (&f->event, &f->reader, "{\"secret\":\"hunter2", 18, NULL));
}

/* The table itself: every relayed kind has a signal, every other has none. */
static void
test_table (Fixture *f, gconstpointer data)
{
  for (guint kind = 0; kind < RELAY_EVENT_N_KINDS; kind++) {
    const RelayEventInfo *info = relay_event_kind_get_info (kind);

    g_assert_true ((info->signal != NULL) == relay_event_kind_is_relayed (kind));
    g_assert_true ((info->type == NULL) == (kind == RELAY_EVENT_OTHER));
    for (guint i = 0; i < RELAY_EVENT_MAX_ARGUMENTS && info->arguments[i].name != NULL; i++)
      g_assert_true (info->arguments[i].required == g_str_has_suffix (info->arguments[i].name, "_id"));
  }
}

#define ADD(name, function) g_test_add ("/event/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("kinds", test_kinds);
  ADD ("members", test_members);
  ADD ("refused", test_refused);
  ADD ("table", test_table);
  return g_test_run ();
}
