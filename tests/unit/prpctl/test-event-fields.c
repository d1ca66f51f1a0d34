/* SPDX-License-Identifier: MIT */
#include "prpctl/event-fields.h"

#include <string.h>

typedef struct {
  PrpctlField field;
  const char *value;
} Expected;

#define MAX_EXPECTED 12

static void
check (const ClientEvent *event, const Expected *expected)
{
  g_auto (PrpctlEventFields) fields = { 0 };

  prpctl_event_fields_read (&fields, event);
  for (guint i = 0; i < PRPCTL_N_FIELDS; i++) {
    const char *value = "";

    for (guint j = 0; j < MAX_EXPECTED; j++)
      if (expected[j].value != NULL && expected[j].field == i)
        value = expected[j].value;
    g_test_message ("%s", prpctl_field_get_variable (i));
    g_assert_cmpstr (fields.values[i], ==, value);
  }
}

/* Each of the service's types, and the relay's own. */
static void
test_types (void)
{
  static const struct {
    const char *json;
    Expected expected[MAX_EXPECTED];
  } cases[] = {
    { "{\"id\":\"m\",\"type\":\"prp.created\",\"timestamp\":\"t\",\"data\":{\"id\":\"p\",\"projectId\":\"j\","
      "\"name\":\"n\",\"status\":\"pending\",\"priority\":\"high\"}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "prp.created" }, { PRPCTL_FIELD_EVENT_ID, "m" }, { PRPCTL_FIELD_TIMESTAMP, "t" },
        { PRPCTL_FIELD_PRP, "p" }, { PRPCTL_FIELD_PROJECT, "j" }, { PRPCTL_FIELD_NAME, "n" },
        { PRPCTL_FIELD_STATUS, "pending" }, { PRPCTL_FIELD_PRIORITY, "high" } } },
    { "{\"type\":\"prp.updated\",\"data\":{\"id\":\"p\",\"changes\":{\"status\":{\"old\":\"a\",\"new\":\"b\"},"
      "\"name\":{\"new\":\"n\"},\"priority\":{\"new\":null}}}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "prp.updated" }, { PRPCTL_FIELD_PRP, "p" }, { PRPCTL_FIELD_NAME, "n" },
        { PRPCTL_FIELD_STATUS, "b" } } },
    { "{\"type\":\"prp.status_changed\",\"data\":{\"id\":\"p\",\"previousStatus\":\"a\",\"newStatus\":\"b\","
      "\"reason\":\"r\"}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "prp.status_changed" }, { PRPCTL_FIELD_PRP, "p" }, { PRPCTL_FIELD_STATUS, "b" },
        { PRPCTL_FIELD_PREVIOUS_STATUS, "a" }, { PRPCTL_FIELD_REASON, "r" } } },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\",\"progress\":45.5,\"currentTask\":\"c\"}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "agent.progress" }, { PRPCTL_FIELD_PRP, "p" }, { PRPCTL_FIELD_AGENT, "a" },
        { PRPCTL_FIELD_PROGRESS, "45.5" }, { PRPCTL_FIELD_TASK, "c" } } },
    { "{\"type\":\"error\",\"data\":{\"code\":\"C\",\"message\":\"m\"}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "error" }, { PRPCTL_FIELD_CODE, "C" }, { PRPCTL_FIELD_MESSAGE, "m" } } },
    { "{\"id\":\"\",\"type\":\"relay.gap\",\"data\":{\"since\":1500000,\"until\":2000001,\"cause\":\"DNS\","
      "\"channels\":[\"a:b\",\"c:d\"],\"sequence\":4}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "relay.gap" }, { PRPCTL_FIELD_CAUSE, "DNS" }, { PRPCTL_FIELD_CHANNELS, "a:b c:d" },
        { PRPCTL_FIELD_SINCE, "1.500000" }, { PRPCTL_FIELD_UNTIL, "2.000001" } } },
    { "{\"type\":\"agent.left\",\"data\":{\"id\":\"a\"}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "agent.left" }, { PRPCTL_FIELD_AGENT, "a" } } },
    { "{\"type\":\"other\",\"data\":{\"id\":\"a\",\"name\":{\"first\":1},\"progress\":true}}",
      { { PRPCTL_FIELD_EVENT_TYPE, "other" } } },
    { "{\"type\":\"other\",\"data\":[\"prpId\"]}", { { PRPCTL_FIELD_EVENT_TYPE, "other" } } },
    { "{\"data\":{\"prpId\":7}}", { { PRPCTL_FIELD_PRP, "7" } } },
    { "{}", { { 0, NULL } } },
    { "not JSON", { { 0, NULL } } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    ClientEvent event = { .json = (char *) cases[i].json };

    g_test_message ("%s", cases[i].json);
    check (&event, cases[i].expected);
  }
}

static void
test_relay (void)
{
  static const Expected expected[MAX_EXPECTED] = { { PRPCTL_FIELD_SEQUENCE, "18446744073709551615" },
                                                   { PRPCTL_FIELD_RECEIVED, "1795442400.000012" } };
  ClientEvent event = { G_MAXUINT64, 1795442400000012, (char *) "{}" };

  check (&event, expected);
}

/* An environment has its limits, and none of NUL. */
static void
test_bounded (void)
{
  g_autofree char *long_name = g_strnfill (PRPCTL_FIELD_MAX_BYTES - 1, 'x');
  g_autofree char *json = g_strdup_printf ("{\"type\":\"a\\u0000b\",\"data\":{\"name\":\"%s日本\",\"channels\":[\"%s\",\"%s\"]}}",
                                           long_name, long_name, long_name);
  ClientEvent event = { .json = json };
  g_auto (PrpctlEventFields) fields = { 0 };

  prpctl_event_fields_read (&fields, &event);
  g_assert_cmpstr (fields.values[PRPCTL_FIELD_EVENT_TYPE], ==, "a\357\277\275b");
  g_assert_cmpstr (fields.values[PRPCTL_FIELD_NAME], ==, long_name);
  g_assert_cmpuint (strlen (fields.values[PRPCTL_FIELD_CHANNELS]), ==, PRPCTL_FIELD_MAX_BYTES);
}

static void
test_variables (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < PRPCTL_N_FIELDS; i++) {
    g_assert_true (g_str_has_prefix (prpctl_field_get_variable (i), "PRP_"));
    g_assert_true (g_hash_table_add (seen, (gpointer) prpctl_field_get_variable (i)));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-fields/types", test_types);
  g_test_add_func ("/event-fields/relay", test_relay);
  g_test_add_func ("/event-fields/bounded", test_bounded);
  g_test_add_func ("/event-fields/variables", test_variables);
  return g_test_run ();
}
