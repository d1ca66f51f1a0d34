/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "auth/jwt.h"
#include "auth/token-reply.h"
#include "common/error.h"
#include "json-oracle.h"

/*
 * What a token endpoint may answer, hostile or just broken; and the same bytes as a JSON Web Token, and as the payload of one.
 *
 * Beyond not crashing:
 * - a token is taken from nothing but JSON, and can stand in a header;
 * - an error's text is one of three sentences, in which nothing of the answer can be;
 * - an error code is one of RFC 6749's, and stands in the answer;
 * - times lie within what is believed; two that are written as plain integers are read exactly.
 */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char *const sentences[] = {
  "the answer of the token endpoint is not JSON.",
  "the answer of the token endpoint holds no access token.",
  "the token endpoint gave a token of a type that is not known.",
  NULL,
};

static void
check_token (const char *token)
{
  g_assert_cmpstr (token, !=, "");
  for (const char *p = token; p != NULL && *p != '\0'; p++)
    g_assert_true (*p > 0x20 && *p < 0x7f);
}

static void
check_reply (const char *text, gsize length)
{
  g_auto (RelayTokenReply) reply = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean good = relay_token_reply_read (&reply, text, length, &error);
  const char *code;

  g_assert_true (good == (error == NULL));
  if (good)
    g_assert_nonnull (reply.access_token);
  else {
    g_assert_true (g_error_matches (error, RELAY_ERROR, RELAY_ERROR_SERVER));
    g_assert_true (g_strv_contains (sentences, error->message));
    g_assert_true (g_strv_contains (sentences, relay_error_get_english (error)));
  }
  if (reply.access_token != NULL || reply.refresh_token != NULL || reply.life_usec != 0)
    g_assert_true (json_oracle_is_valid (text, length));
  check_token (reply.access_token);
  check_token (reply.refresh_token);
  g_assert_cmpuint (reply.life_usec, <=, RELAY_TOKEN_REPLY_MAX_LIFE_SEC * (guint64) G_USEC_PER_SEC);

  code = relay_token_reply_read_error (text, length);
  if (code != NULL)
    g_assert_true (json_oracle_is_valid (text, length) &&
                   (memmem (text, length, code, strlen (code)) != NULL || memchr (text, '\\', length) != NULL));
}

static void
check_times (const char *token)
{
  const gint64 far = 253402300799 * (gint64) G_USEC_PER_SEC;
  RelayJwtTimes times = { -1, -1 };
  gboolean told = relay_jwt_read_times (token, &times);

  g_assert_true (told == (times.expires_usec != 0));
  g_assert_cmpint (times.expires_usec, >=, 0);
  g_assert_cmpint (times.expires_usec, <=, far);
  g_assert_cmpint (times.issued_usec, >=, 0);
  g_assert_cmpint (times.issued_usec, <=, far);
  g_assert_true (told || times.issued_usec == 0);
}

/* @name: an integer of at most twelve digits? Then it is this many seconds. */
static gint64
read_plain (const RelayJsonReader *reader, const char *name)
{
  guint token = relay_json_reader_find (reader, 0, name);

  if (token == 0 || reader->tape[token].type != RELAY_JSON_INT64 || reader->tape[token].end - reader->tape[token].start > 12)
    return -1;
  return MAX (g_ascii_strtoll (reader->text + reader->tape[token].start, NULL, 10), -1);
}

static void
check_payload (const char *text, gsize length)
{
  g_autofree char *encoded = g_base64_encode ((const guchar *) text, length);
  g_autofree char *token = NULL;
  RelayJsonReader reader = { 0 };
  RelayJwtTimes times;
  gboolean told;

  encoded[strcspn (encoded, "=")] = '\0';
  token = g_strconcat ("e30.", g_strdelimit (g_strdelimit (encoded, "+", '-'), "/", '_'), ".x", NULL);
  check_times (token);
  told = relay_jwt_read_times (token, &times);
  if (!json_oracle_is_valid (text, length))
    g_assert_false (told);
  else {
    g_autofree char *copy = g_strndup (text, length);
    gint64 expires, issued;

    g_assert_true (relay_json_reader_read (&reader, copy, length, NULL));
    expires = read_plain (&reader, "exp");
    issued = read_plain (&reader, "iat");
    if (expires > 0 && strlen (token) <= 64 * 1024)
      g_assert_cmpint (times.expires_usec, ==, MIN (expires, 253402300799) * G_USEC_PER_SEC);
    if (expires > 0 && issued > 0 && strlen (token) <= 64 * 1024)
      g_assert_cmpint (times.issued_usec, ==, MIN (issued, 253402300799) * G_USEC_PER_SEC);
    relay_json_reader_clear (&reader);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = size > 0 ? g_memdup2 (data, size) : g_strdup ("");
  g_autofree char *token = g_strndup ((const char *) data, size);

  check_reply (text, size);
  check_times (token);
  check_payload (text, size);
  return 0;
}
