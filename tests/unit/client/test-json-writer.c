/* SPDX-License-Identifier: MIT */
#include "client/json-writer.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "messages.h"

/* The first argument of @message as JSON. */
static char *
to_json (sd_bus_message *message)
{
  g_autoptr (GString) out = g_string_new (NULL);

  messages_seal (message);
  g_assert_cmpint (client_json_append_value (out, message), >=, 0);
  g_assert_cmpint (sd_bus_message_at_end (message, TRUE), ==, 1);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

#define assert_json(messages, expected, ...)                                         \
  G_STMT_START                                                                       \
  {                                                                                  \
    g_autoptr (sd_bus_message) message_ = messages_new_signal (messages, "Test");    \
    g_autofree char *json_ = NULL;                                                   \
                                                                                     \
    append (message_, __VA_ARGS__);                                                  \
    json_ = to_json (message_);                                                      \
    g_assert_cmpstr (json_, ==, expected);                                           \
  }                                                                                  \
  G_STMT_END

static void
test_basic (Messages *m, gconstpointer data)
{
  assert_json (m, "\"\"", "s", "");
  assert_json (m, "\"naïve 日本語 🙂\"", "s", "naïve 日本語 🙂");
  assert_json (m, "\"\\\"q\\\" \\\\ / \\b\\f\\n\\r\\t \\u0001\\u001b\\u001f \177\"", "s",
               "\"q\" \\ / \b\f\n\r\t \001\033\037 \177");
  assert_json (m, "\"/a/b\"", "o", "/a/b");
  assert_json (m, "true", "b", 1);
  assert_json (m, "false", "b", 0);
  assert_json (m, "null", "g", "");
  assert_json (m, "\"as\"", "g", "as");
  assert_json (m, "255", "y", 255);
  assert_json (m, "-32768", "n", -32768);
  assert_json (m, "65535", "q", 65535);
  assert_json (m, "-2147483648", "i", G_MININT32);
  assert_json (m, "4294967295", "u", G_MAXUINT32);
  assert_json (m, "-9223372036854775808", "x", G_MININT64);
  assert_json (m, "9223372036854775807", "x", G_MAXINT64);
  assert_json (m, "18446744073709551615", "t", G_MAXUINT64);
}

static void
test_containers (Messages *m, gconstpointer data)
{
  assert_json (m, "[]", "av", 0);
  assert_json (m, "{}", "a{sv}", 0);
  assert_json (m, "[\"\",\"x\"]", "as", 2, "", "x");
  assert_json (m, "[1,2.5,null,[true]]", "av", 4, "x", (gint64) 1, "d", 2.5, "g", "", "av", 1, "b", 1);
  assert_json (m, "{\"a\":{\"b\":[{}]},\"\":\"empty\\nkey\"}", "a{sv}", 2,
               "a", "a{sv}", 1, "b", "av", 1, "a{sv}", 0, "", "s", "empty\nkey");
  assert_json (m, "{\"status\":{\"old\":\"pending\",\"new\":null}}", "a{sa{sv}}", 1,
               "status", 2, "old", "s", "pending", "new", "g", "");
  assert_json (m, "[\"REFUSED\",\"text\"]", "(ss)", "REFUSED", "text");
  assert_json (m, "[[\":1.7\",\"app\",\"\"]]", "a(sss)", 1, ":1.7", "app", "");
  assert_json (m, "{\"/a\":{}}", "a{oa{sv}}", 1, "/a", 0);
}

static void
test_bad (Messages *m, gconstpointer data)
{
  g_autoptr (sd_bus_message) empty = messages_new_signal (m, "Test");
  g_autoptr (sd_bus_message) numbered = messages_new_signal (m, "Test");
  g_autoptr (GString) out = g_string_new (NULL);

  messages_seal (empty);
  g_assert_cmpint (client_json_append_value (out, empty), ==, -ENXIO);

  append (numbered, "a{us}", 1, 7, "seven");
  messages_seal (numbered);
  g_assert_cmpint (client_json_append_value (out, numbered), ==, -EBADMSG);
}

/* As deep as a bus lets through, and one deeper: variants within variants are one container each. */
static void
test_depth (Messages *m, gconstpointer data)
{
  for (guint depth = CLIENT_JSON_MAX_CONTAINERS; depth <= CLIENT_JSON_MAX_CONTAINERS + 1; depth++) {
    g_autoptr (sd_bus_message) message = messages_new_signal (m, "Test");
    g_autoptr (GString) out = g_string_new (NULL);
    int r;

    for (guint i = 1; i < depth; i++)
      open_container (message, SD_BUS_TYPE_VARIANT, "v");
    open_container (message, SD_BUS_TYPE_VARIANT, "s");
    append (message, "s", "deep");
    for (guint i = 0; i < depth; i++)
      close_container (message);
    messages_seal (message);

    r = client_json_append_value (out, message);
    if (depth == CLIENT_JSON_MAX_CONTAINERS) {
      g_assert_cmpint (r, ==, 0);
      g_assert_cmpstr (out->str, ==, "\"deep\"");
    } else {
      g_assert_cmpint (r, ==, -EBADMSG);
    }
  }
}

static void
assert_double (double number, const char *expected)
{
  g_autoptr (GString) out = g_string_new (NULL);
  double again;

  client_json_append_double (out, number);
  if (expected != NULL)
    g_assert_cmpstr (out->str, ==, expected);
  g_assert_nonnull (strpbrk (out->str, ".e"));
  again = g_ascii_strtod (out->str, NULL);
  g_assert_cmpmem (&again, sizeof again, &number, sizeof number);
}

static void
test_double (void)
{
  assert_double (0.0, "0.0");
  assert_double (-0.0, "-0.0");
  assert_double (1.0, "1.0");
  assert_double (45.0, "45.0");
  assert_double (7.5, "7.5");
  assert_double (0.1, "0.1");
  assert_double (0.1 + 0.2, "0.30000000000000004");
  assert_double (1.0 / 3, "0.3333333333333333");
  assert_double (1e21, "1e+21");
  assert_double (1e-7, "1e-07");
  assert_double (123456789012345680.0, "1.2345678901234568e+17");
  assert_double (18446744073709551616.0, "1.8446744073709552e+19");
  assert_double (DBL_MAX, "1.7976931348623157e+308");
  assert_double (DBL_MIN, "2.2250738585072014e-308");
  assert_double (4.9406564584124654e-324, "5e-324");
  assert_double (INFINITY, "1e999");
  assert_double (-INFINITY, "-1e999");
}

/* Whatever bits there are, they come back. */
static void
test_any_double (void)
{
  for (guint i = 0; i < 20000; i++) {
    guint64 bits = (guint64) g_test_rand_int () << 32 | (guint32) g_test_rand_int ();
    double number;

    memcpy (&number, &bits, sizeof number);
    if (isfinite (number))
      assert_double (number, NULL);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/json-writer/basic", Messages, NULL, messages_set_up, test_basic, messages_tear_down);
  g_test_add ("/json-writer/containers", Messages, NULL, messages_set_up, test_containers, messages_tear_down);
  g_test_add ("/json-writer/bad", Messages, NULL, messages_set_up, test_bad, messages_tear_down);
  g_test_add ("/json-writer/depth", Messages, NULL, messages_set_up, test_depth, messages_tear_down);
  g_test_add_func ("/json-writer/double", test_double);
  g_test_add_func ("/json-writer/any-double", test_any_double);
  return g_test_run ();
}
