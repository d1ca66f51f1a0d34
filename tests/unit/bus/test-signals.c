/* SPDX-License-Identifier: MIT */
#include "bus/signals.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/names.h"
#include "wire-fixture.h"

typedef struct {
  WireFixture wire;
  RelayJsonReader reader;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  wire_fixture_set_up (&f->wire);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  wire_fixture_tear_down (&f->wire);
  relay_json_reader_clear (&f->reader);
}

static void print_all (sd_bus_message *m, GString *out);

/* A value with its type, in a notation close to GVariant's text format, but with every type spelled out. */
static void
print_one (sd_bus_message *m, GString *out)
{
  const char *contents, *string;
  guint64 t;
  gint64 x;
  double d;
  char type;
  int b;

  g_assert_cmpint (sd_bus_message_peek_type (m, &type, &contents), >, 0);
  switch (type) {
  case 's':
  case 'g':
    g_assert_cmpint (sd_bus_message_read_basic (m, type, &string), >, 0);
    g_assert_true (g_utf8_validate (string, -1, NULL));
    g_string_append_printf (out, "%c'%s'", type, string);
    return;
  case 't':
    g_assert_cmpint (sd_bus_message_read_basic (m, type, &t), >, 0);
    g_string_append_printf (out, "t%" G_GUINT64_FORMAT, t);
    return;
  case 'x':
    g_assert_cmpint (sd_bus_message_read_basic (m, type, &x), >, 0);
    g_string_append_printf (out, "x%" G_GINT64_FORMAT, x);
    return;
  case 'd':
    g_assert_cmpint (sd_bus_message_read_basic (m, type, &d), >, 0);
    g_string_append_printf (out, "d%.17g", d);
    return;
  case 'b':
    g_assert_cmpint (sd_bus_message_read_basic (m, type, &b), >, 0);
    g_string_append (out, b ? "true" : "false");
    return;
  default:
    g_string_append (out, type == 'a' ? "[" : type == 'e' ? "" : "<");
    g_autofree char *own = g_strdup (contents);
    g_assert_cmpint (sd_bus_message_enter_container (m, type, own), >, 0);
    print_all (m, out);
    g_assert_cmpint (sd_bus_message_exit_container (m), >=, 0);
    g_string_append (out, type == 'a' ? "]" : type == 'e' ? "" : ">");
  }
}

static void
print_all (sd_bus_message *m, GString *out)
{
  for (gboolean first = TRUE; sd_bus_message_at_end (m, FALSE) == 0; first = FALSE) {
    if (!first)
      g_string_append_c (out, ' ');
    print_one (m, out);
  }
}

/* What is marshalled here is to the byte what sd-bus puts on the wire for @m, the event's signal. */
static void
check_bytes (Fixture *f, const RelayEvent *event, sd_bus_message *m)
{
  g_autofree guint8 *buffer = NULL;
  g_autoptr (GByteArray) sent = NULL;
  RelayMarshal marshal;
  guint64 cookie;

  g_assert_cmpint (sd_bus_send (f->wire.bus, m, NULL), >=, 0);
  g_assert_cmpint (sd_bus_message_get_cookie (m, &cookie), >=, 0);
  sent = wire_fixture_take (&f->wire);
  buffer = g_malloc (sent->len);
  g_assert_cmpint (relay_signals_write (&marshal, buffer, sent->len - 1, (guint32) cookie, event), ==, -EMSGSIZE);
  g_assert_cmpint (relay_signals_write (&marshal, buffer, sent->len, (guint32) cookie, event), ==, 0);
  g_assert_cmpmem (marshal.begin, marshal.at - marshal.begin, sent->data, sent->len);
}

static char *
make (Fixture *f, const char *text, gsize length, const char *member)
{
  g_autoptr (sd_bus_message) m = NULL;
  g_autoptr (GError) error = NULL;
  GString *out = g_string_new (NULL);
  RelayEvent event;
  int r;

  relay_event_read (&event, &f->reader, text, length, &error);
  g_assert_no_error (error);
  event.sequence = 42;
  event.received_usec = 1700000000000000;
  r = relay_signals_new (f->wire.bus, &event, &m);
  g_assert_cmpint (r, >=, 0);
  g_assert_cmpint (sd_bus_message_seal (m, 1, 0), >=, 0);
  check_bytes (f, &event, m);
  g_assert_cmpstr (sd_bus_message_get_path (m), ==, RELAY_OBJECT_PATH);
  g_assert_cmpstr (sd_bus_message_get_interface (m), ==, RELAY_EVENTS_INTERFACE);
  g_assert_cmpstr (sd_bus_message_get_member (m), ==, member);
  g_assert_cmpint (sd_bus_message_rewind (m, TRUE), >=, 0);
  print_all (m, out);
  return g_string_free (out, FALSE);
}

#define HEAD(id, type) "[s'sequence' <t42> s'id' <s'" id "'> s'type' <s'" type "'> s'timestamp' <s''> s'received' <t1700000000000000> s'data' "

/* The eight signals: arguments in their order, then the whole event. */
static void
test_signals (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text, *member, *expected;
  } rows[] = {
    { "{\"id\":\"m\",\"type\":\"prp.created\",\"data\":{\"id\":\"p\",\"projectId\":\"j\",\"name\":\"N\",\"status\":\"s\",\"priority\":\"h\"}}",
      "PrpCreated",
      "s'p' s'j' s'N' s's' s'h' " HEAD ("m", "prp.created")
      "<[s'id' <s'p'> s'projectId' <s'j'> s'name' <s'N'> s'status' <s's'> s'priority' <s'h'>]>]" },
    { "{\"type\":\"prp.updated\",\"data\":{\"id\":\"p\",\"changes\":{\"a\":{\"old\":null,\"new\":1},\"b\":\"odd\"}}}",
      "PrpUpdated",
      "s'p' [s'a' [s'old' <g''> s'new' <x1>] s'b' []] " HEAD ("", "prp.updated")
      "<[s'id' <s'p'> s'changes' <[s'a' <[s'old' <g''> s'new' <x1>]> s'b' <s'odd'>]>]>]" },
    { "{\"type\":\"prp.status_changed\",\"data\":{\"id\":\"p\",\"previousStatus\":\"a\",\"newStatus\":\"b\",\"reason\":\"r\"}}",
      "PrpStatusChanged",
      "s'p' s'a' s'b' s'r' " HEAD ("", "prp.status_changed")
      "<[s'id' <s'p'> s'previousStatus' <s'a'> s'newStatus' <s'b'> s'reason' <s'r'>]>]" },
    { "{\"type\":\"prp.deleted\",\"data\":{\"id\":\"p\",\"projectId\":\"j\"}}", "PrpDeleted",
      "s'p' s'j' s'' " HEAD ("", "prp.deleted") "<[s'id' <s'p'> s'projectId' <s'j'>]>]" },
    { "{\"type\":\"agent.assigned\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\",\"priority\":3}}", "AgentAssigned",
      "s'a' s'p' s'' " HEAD ("", "agent.assigned") "<[s'agentId' <s'a'> s'prpId' <s'p'> s'priority' <x3>]>]" },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\",\"progress\":145,\"currentTask\":\"t\"}}",
      "AgentProgress",
      "s'a' s'p' d145 s't' " HEAD ("", "agent.progress")
      "<[s'agentId' <s'a'> s'prpId' <s'p'> s'progress' <x145> s'currentTask' <s't'>]>]" },
    { "{\"type\":\"agent.progress\",\"data\":{\"agentId\":\"a\",\"prpId\":\"p\",\"progress\":\"45\"}}", "AgentProgress",
      "s'a' s'p' d0 s'' " HEAD ("", "agent.progress") "<[s'agentId' <s'a'> s'prpId' <s'p'> s'progress' <s'45'>]>]" },
    { "{\"type\":\"error\",\"data\":{\"code\":\"C\",\"message\":\"M\"}}", "ServerError",
      "s'C' s'M' " HEAD ("", "error") "<[s'code' <s'C'> s'message' <s'M'>]>]" },
    { "{\"type\":\"new.kind\"}", "OtherEvent", "s'new.kind' " HEAD ("", "new.kind") "<[]>]" },
    { "{\"type\":\"n\",\"data\":null}", "OtherEvent", "s'n' " HEAD ("", "n") "<g''>]" },
    { "{\"type\":\"n\",\"data\":\"d\"}", "OtherEvent", "s'n' " HEAD ("", "n") "<s'd'>]" },
    { "{\"type\":\"prp.created\",\"data\":{}}", "OtherEvent", "s'prp.created' " HEAD ("", "prp.created") "<[]>]" },
    { "{\"more\":[1],\"type\":\"n\",\"sequence\":7,\"received\":8,\"metadata\":{\"version\":\"1\"},\"data\":{}}", "OtherEvent",
      "s'n' " HEAD ("", "n") "<[]> s'more' <[<x1>]> s'metadata' <[s'version' <s'1'>]>]" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *printed = make (f, rows[i].text, strlen (rows[i].text), rows[i].member);

    g_assert_cmpstr (printed, ==, rows[i].expected);
  }
}

static void
test_values (Fixture *f, gconstpointer data)
{
#define FFFD "\xef\xbf\xbd"
  static const struct {
    const char *json, *expected;
  } rows[] = {
    { "\"\"", "<s''>" },
    { "\"a\\n\\u00e4\\ud83d\\ude00\"", "<s'a\n\xc3\xa4\xf0\x9f\x98\x80'>" },
    { "\"\\u0000|\\ud800|\\uffff|\xef\xbf\xbe\"", "<s'" FFFD "|" FFFD "|" FFFD "|" FFFD "'>" },
    { "0", "<x0>" },
    { "-9223372036854775808", "<x-9223372036854775808>" },
    { "9223372036854775807", "<x9223372036854775807>" },
    { "9223372036854775808", "<t9223372036854775808>" },
    { "18446744073709551615", "<t18446744073709551615>" },
    { "18446744073709551616", "<d1.8446744073709552e+19>" },
    { "7.5", "<d7.5>" },
    { "1.0", "<d1>" },
    { "1e400", "<dinf>" },
    { "true", "<true>" },
    { "false", "<false>" },
    { "null", "<g''>" },
    { "[]", "<[]>" },
    { "{}", "<[]>" },
    { "[1,\"a\",null,[true],{\"k\":-1.5}]", "<[<x1> <s'a'> <g''> <[<true>]> <[s'k' <d-1.5>]>]>" },
    { "{\"a\":1,\"b\":2,\"a\":3}", "<[s'b' <x2> s'a' <x3>]>" },
    { "{\"\":0}", "<[s'' <x0>]>" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = g_strdup_printf ("{\"type\":\"n\",\"data\":%s}", rows[i].json);
    g_autofree char *printed = make (f, text, strlen (text), "OtherEvent");
    g_autofree char *expected = g_strdup_printf ("s'n' " HEAD ("", "n") "%s]", rows[i].expected);

    g_assert_cmpstr (printed, ==, expected);
  }
}

/* The message is level 1, data level 2: containers down to level 16 are containers, below that text. The whole has to fit
 * the 64 containers that the bus allows, which a real bus would judge by hanging up; here they are counted. */
static void
test_depth (Fixture *f, gconstpointer data)
{
  for (guint object = 0; object < 2; object++)
    for (guint levels = 13; levels <= 18; levels++) {
      g_autoptr (GString) text = g_string_new ("{\"type\":\"n\",\"data\":");
      g_autofree char *printed = NULL;
      guint opened = 0, deepest = 0;

      for (guint i = 0; i < levels; i++)
        g_string_append (text, object ? "{\"k\":" : "[");
      g_string_append (text, "\"x\"");
      for (guint i = 0; i < levels; i++)
        g_string_append (text, object ? "}" : "]");
      g_string_append_c (text, '}');

      printed = make (f, text->str, text->len, "OtherEvent");
      for (const char *p = printed; *p != '\0'; p++) {
        opened += *p == '[' || *p == '<';
        deepest = MAX (deepest, opened);
        opened -= *p == ']' || *p == '>';
      }
      /* data is the 2nd level: 15 of them are containers. */
      if (levels <= 15)
        g_assert_nonnull (strstr (printed, "<s'x'>"));
      else if (levels == 16)
        g_assert_nonnull (strstr (printed, object ? "<s'{\"k\":\"x\"}'>" : "<s'[\"x\"]'>"));
      else if (levels == 17)
        g_assert_nonnull (strstr (printed, object ? "<s'{\"k\":{\"k\":\"x\"}}'>" : "<s'[[\"x\"]]'>"));
      /* An object costs a container more than is printed, its entry. */
      g_assert_cmpuint (deepest + (object ? 17 : 1), <, 64);
    }
}

/* What the largest allowed message can become stays below D-Bus's 64 MiB for an array. */
static void
test_expansion (Fixture *f, gconstpointer data)
{
  const gsize bytes = 4 * 1024 * 1024;
  g_autoptr (sd_bus_message) m = NULL;
  g_autoptr (GString) text = g_string_new ("{\"type\":\"n\",\"data\":[1");
  RelayEvent event;

  while (text->len < bytes - 4)
    g_string_append (text, ",1");
  g_string_append (text, "]}");
  g_assert_true (relay_event_read (&event, &f->reader, text->str, text->len, NULL));
  g_assert_cmpint (relay_signals_new (f->wire.bus, &event, &m), >=, 0);
  g_assert_cmpint (sd_bus_message_seal (m, 1, 0), >=, 0);
}

#define ADD(name, function) g_test_add ("/signals/" name, Fixture, NULL, set_up, function, tear_down)

static void
test_gap (Fixture *f, gconstpointer data)
{
  static const char *const channels[] = { "project:a", "project:b", NULL };
  RelayGap gap = { 1700000000000000, 1700000001000000, RELAY_GAP_CAUSE_DISCONNECTED, (char **) channels, 43 };
  g_autoptr (sd_bus_message) m = NULL;
  g_autoptr (GString) out = g_string_new (NULL);

  g_assert_cmpint (relay_signals_new_gap (f->wire.bus, &gap, &m), >=, 0);
  g_assert_cmpint (sd_bus_message_seal (m, 1, 0), >=, 0);
  g_assert_cmpstr (sd_bus_message_get_path (m), ==, RELAY_OBJECT_PATH);
  g_assert_cmpstr (sd_bus_message_get_interface (m), ==, RELAY_EVENTS_INTERFACE);
  g_assert_cmpstr (sd_bus_message_get_member (m), ==, "Gap");
  g_assert_cmpint (sd_bus_message_rewind (m, TRUE), >=, 0);
  print_all (m, out);
  g_assert_cmpstr (out->str, ==, "t1700000000000000 t1700000001000000 s'DISCONNECTED' [s'project:a' s'project:b'] t43");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("signals", test_signals);
  ADD ("values", test_values);
  ADD ("depth", test_depth);
  ADD ("expansion", test_expansion);
  ADD ("gap", test_gap);
  return g_test_run ();
}
