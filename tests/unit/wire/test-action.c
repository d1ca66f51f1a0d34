/* SPDX-License-Identifier: MIT */
#include "wire/action.h"

#include <string.h>

#include "common/json-reader.h"
#include "wire/subscriptions.h"

#define CHANNELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Reads @text with our own strict reader, and holds it to be {"id","action","payload":{"channels"}} and no
 * more. */
static void
check (const char *text, const char *id, const char *action, const char *const *channels)
{
  RelayJsonReader reader = { 0 };
  g_autoptr (GError) error = NULL;
  guint payload, array, token, n = 0;

  relay_json_reader_read (&reader, text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (reader.tape[0].type, ==, RELAY_JSON_OBJECT);
  for (guint key = 1; key < reader.tape[0].next; key = reader.tape[key + 1].next)
    n++;
  g_assert_cmpuint (n, ==, channels != NULL ? 3 : 2);
  g_assert_true (relay_json_reader_string_equal (&reader, relay_json_reader_find (&reader, 0, "id"), id));
  g_assert_true (relay_json_reader_string_equal (&reader, relay_json_reader_find (&reader, 0, "action"), action));

  payload = relay_json_reader_find (&reader, 0, "payload");
  if (channels == NULL) {
    g_assert_cmpuint (payload, ==, 0);
  } else {
    array = relay_json_reader_find (&reader, payload, "channels");
    g_assert_cmpuint (array, !=, 0);
    g_assert_cmpuint (reader.tape[array].type, ==, RELAY_JSON_ARRAY);
    token = array + 1;
    for (; *channels != NULL; channels++, token = reader.tape[token].next) {
      g_assert_cmpuint (token, <, reader.tape[array].next);
      g_assert_true (relay_json_reader_string_equal (&reader, token, *channels));
    }
    g_assert_cmpuint (token, ==, reader.tape[array].next);
  }
  relay_json_reader_clear (&reader);
}

/* As the protocol page has them ("Client Actions"), on one line. */
static void
test_texts (void)
{
  g_autofree char *subscribe = relay_action_subscribe ("relay-1", CHANNELS ("project:p_1", "agent:a_1"));
  g_autofree char *unsubscribe = relay_action_unsubscribe ("relay-2", CHANNELS ("agent:a_1"));
  g_autofree char *ping = relay_action_ping ("ping-3");

  g_assert_cmpstr (subscribe, ==,
                   "{\"id\":\"relay-1\",\"action\":\"subscribe\","
                   "\"payload\":{\"channels\":[\"project:p_1\",\"agent:a_1\"]}}");
  g_assert_cmpstr (unsubscribe, ==,
                   "{\"id\":\"relay-2\",\"action\":\"unsubscribe\",\"payload\":{\"channels\":[\"agent:a_1\"]}}");
  g_assert_cmpstr (ping, ==, "{\"id\":\"ping-3\",\"action\":\"ping\"}");
}

static void
test_escapes (void)
{
  const char *const *names = CHANNELS ("a:\"", "a:\\", "a:\\\"],\"x\":[\"", "a:\\u0041", "a:/</script>",
                                       "a:'%s%n", "a:{}[]:,");
  g_autofree char *subscribe = relay_action_subscribe ("relay-\"1\\", names);
  g_autofree char *unsubscribe = relay_action_unsubscribe ("relay-\"1\\", names);
  g_autofree char *ping = relay_action_ping ("\n\t\x01\x7f");

  check (subscribe, "relay-\"1\\", "subscribe", names);
  check (unsubscribe, "relay-\"1\\", "unsubscribe", names);
  check (ping, "\n\t\x01\x7f", "ping", NULL);
  g_assert_null (strchr (ping, '\n'));
}

/* Every character that a channel's name may have. */
static void
test_every_character (void)
{
  char name[2 + ('~' - '!' + 1) + 1] = "k:";
  g_autofree char *text = NULL;

  for (int c = '!'; c <= '~'; c++)
    name[2 + c - '!'] = c;
  g_assert_true (relay_channel_name_check (name, NULL));
  text = relay_action_subscribe ("relay-1", CHANNELS (name));
  check (text, "relay-1", "subscribe", CHANNELS (name));
}

static void
test_batch (void)
{
  g_auto (GStrv) names = g_new0 (char *, RELAY_SUBSCRIPTIONS_BATCH + 1);
  g_autofree char *text = NULL;

  for (guint i = 0; i < RELAY_SUBSCRIPTIONS_BATCH; i++)
    names[i] = g_strdup_printf ("prp:%0*u", RELAY_CHANNEL_NAME_MAX_BYTES - 4, i);
  text = relay_action_subscribe ("relay-1", (const char *const *) names);
  check (text, "relay-1", "subscribe", (const char *const *) names);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/action/texts", test_texts);
  g_test_add_func ("/wire/action/escapes", test_escapes);
  g_test_add_func ("/wire/action/every-character", test_every_character);
  g_test_add_func ("/wire/action/batch", test_batch);
  return g_test_run ();
}
