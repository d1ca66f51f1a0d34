/* SPDX-License-Identifier: MIT */
#include "auth/jwt.h"

#include <string.h>

/* header.PAYLOAD.signature, PAYLOAD as RFC 7515 §2 wants it. Caller frees. */
static char *
make_jwt (const char *payload, gsize length)
{
  g_autofree char *encoded = g_base64_encode ((const guchar *) payload, length);

  for (char *p = encoded; *p != '\0'; p++)
    if (*p == '+')
      *p = '-';
    else if (*p == '/')
      *p = '_';
    else if (*p == '=')
      *p-- = '\0';
  return g_strdup_printf ("eyJhbGciOiJIUzI1NiJ9.%s.c2lnbmF0dXJl", encoded);
}

static void
assert_times (const char *payload, gint64 expires_usec, gint64 issued_usec)
{
  g_autofree char *token = make_jwt (payload, strlen (payload));
  g_autofree char *shown = g_strescape (payload, NULL);
  RelayJwtTimes times = { -1, -1 };

  g_test_message ("%s", shown);
  g_assert_cmpint (relay_jwt_read_times (token, &times), ==, expires_usec != 0);
  g_assert_cmpint (times.expires_usec, ==, expires_usec);
  g_assert_cmpint (times.issued_usec, ==, issued_usec);
}

static void
test_times (void)
{
  const gint64 far = 253402300799 * (gint64) G_USEC_PER_SEC;

  assert_times ("{\"exp\":1700000000,\"iat\":1600000000}", 1700000000000000, 1600000000000000);
  assert_times ("{\"iat\":1600000000,\"sub\":\"x\",\"exp\":1700000000}", 1700000000000000, 1600000000000000);
  assert_times ("{\"exp\":1700000000}", 1700000000000000, 0);
  assert_times (" {\"exp\": 1700000000.25, \"iat\": 1.6e9 } ", 1700000000250000, 1600000000000000);
  assert_times ("{\"exp\":1,\"exp\":1700000000}", 1700000000000000, 0);
  /* Past and far, but told: a date that no clock shows is moved to the nearest. */
  assert_times ("{\"exp\":0}", 1, 0);
  assert_times ("{\"exp\":-5,\"iat\":-7}", 1, 1);
  assert_times ("{\"exp\":-1e400}", 1, 0);
  assert_times ("{\"exp\":1e400}", far, 0);
  assert_times ("{\"exp\":9223372036854775807}", far, 0);
  assert_times ("{\"exp\":18446744073709551615}", far, 0);
  assert_times ("{\"exp\":99999999999999999999999999}", far, 0);
}

static void
test_no_times (void)
{
  static const char *const payloads[] = {
    "{}",
    "{\"iat\":1600000000}",
    "{\"exp\":\"1700000000\"}",
    "{\"exp\":null}",
    "{\"exp\":true}",
    "{\"exp\":[1]}",
    "{\"exp\":{}}",
    "{\"x\":{\"exp\":5}}",
    "{\"Exp\":5}",
    "[]",
    "[\"exp\",5]",
    "5",
    "\"exp\"",
    "null",
    "",
    " ",
    "{\"exp\":5",
    "{\"exp\":5}}",
    "{\"exp\":5}{}",
    "{exp:5}",
    "{'exp':5}",
    "{\"exp\":05}",
    "{\"exp\":0x5}",
    "{\"exp\":.5}",
    "{\"exp\":NaN}",
    "{\"exp\":Infinity}",
    "{\"exp\":5}//",
    "{\"exp\":5,}",
    "\xff",
    "{\"exp\":5,\"a\":\"\xff\"}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (payloads); i++)
    assert_times (payloads[i], 0, 0);
}

static void
test_not_a_jwt (void)
{
  /* e30 is {}, eyJleHAiOjV9 is {"exp":5} */
  static const char *const tokens[] = {
    "", ".", "..", "...", "opaque", "a.b", "a.eyJleHAiOjV9", "a.eyJleHAiOjV9.c.d", "a.b.c.d.e", "a.e30.c",
    "a.eyJleHAiOjV9=.c", "a.eyJleHAiOjV 9.c", "a.eyJleHAiOjV\n9.c", "a.eyJleHAiOjV+.c", "a.eyJleHAiOjV/.c",
    "a.A.c", "a.AAAAA.c", "a.\xc3\xa9.c", "a..c", ".eyJleHAiOjV9", "eyJleHAiOjV9..",
  };
  RelayJwtTimes times;

  for (gsize i = 0; i < G_N_ELEMENTS (tokens); i++) {
    memset (&times, 0xff, sizeof times);
    g_assert_false (relay_jwt_read_times (tokens[i], &times));
    g_assert_cmpint (times.expires_usec, ==, 0);
    g_assert_cmpint (times.issued_usec, ==, 0);
  }
  g_assert_true (relay_jwt_read_times ("a.eyJleHAiOjV9.c", &times));
  g_assert_cmpint (times.expires_usec, ==, 5 * G_USEC_PER_SEC);
  g_assert_true (relay_jwt_read_times (".eyJleHAiOjV9.", &times)); /* the other parts are none of our business */
}

/* Every length of the last group of base64, and all its characters. */
static void
test_alphabet (void)
{
  for (gsize n = 0; n < 8; n++) {
    g_autofree char *padding = g_strnfill (n, '~'); /* its bits give - and _ as well */
    g_autofree char *payload = g_strdup_printf ("{\"a\":\"%s?>\",\"exp\":5}", padding);

    assert_times (payload, 5 * G_USEC_PER_SEC, 0);
  }
}

static void
test_deep (void)
{
  g_autoptr (GString) payload = g_string_new ("{\"exp\":5,\"a\":");
  g_autofree char *token = NULL;
  RelayJwtTimes times;

  for (gsize i = 0; i < 45000; i++)
    g_string_append_c (payload, '[');
  token = make_jwt (payload->str, payload->len);
  g_assert_cmpuint (strlen (token), <, 64 * 1024);
  g_assert_false (relay_jwt_read_times (token, &times));
}

static void
test_size (void)
{
  g_autofree char *good = g_strnfill (64 * 1024 - strlen (".eyJleHAiOjV9."), 'x');
  g_autofree char *largest = g_strconcat (".eyJleHAiOjV9.", good, NULL);
  g_autofree char *larger = g_strconcat (largest, "x", NULL);
  RelayJwtTimes times;

  g_assert_true (relay_jwt_read_times (largest, &times));
  g_assert_false (relay_jwt_read_times (larger, &times));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/jwt/times", test_times);
  g_test_add_func ("/jwt/no-times", test_no_times);
  g_test_add_func ("/jwt/not-a-jwt", test_not_a_jwt);
  g_test_add_func ("/jwt/alphabet", test_alphabet);
  g_test_add_func ("/jwt/deep", test_deep);
  g_test_add_func ("/jwt/size", test_size);
  return g_test_run ();
}
