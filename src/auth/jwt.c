/* SPDX-License-Identifier: MIT */
#include "auth/jwt.h"

#include <string.h>

#include "common/json-reader.h"

#define MAX_TOKEN_BYTES ((gsize) 64 * 1024) /* bounds what is decoded, and with it the reader's tape */

/* The end of the year 9999: beyond it nothing is a date, and µs since 1970 are far from overflowing. */
#define MAX_DATE_SEC 253402300799.0

/* RFC 7515 §2: the URL-safe alphabet, without padding. NULL if @text is anything else. Caller wipes and frees. */
static guchar *
decode_base64url (const char *text, gsize length, gsize *ret_length)
{
  g_autofree char *padded = NULL;
  guchar *decoded = NULL;

  if (length == 0 || length % 4 == 1)
    return NULL;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return NULL;

  padded = g_malloc (length + 4);
  memcpy (padded, text, length);
  memcpy (padded + length, "===", 4);
  g_strdelimit (padded, "-", '+');
  g_strdelimit (padded, "_", '/');
  padded[(length + 3) / 4 * 4] = '\0';

  decoded = g_base64_decode (padded, ret_length);
  explicit_bzero (padded, length);
  return decoded;
}

/* RFC 7519 §2, NumericDate: seconds since 1970, fractions allowed. 0 where @name is no number. A date that cannot
 * be told is moved to the nearest that can: one before 1970 is past, one after the year 9999 is far. */
static gint64
read_date (const RelayJsonReader *reader, const char *name)
{
  guint token = relay_json_reader_find (reader, 0, name);
  double sec;

  if (token == 0 ||
      (reader->tape[token].type != RELAY_JSON_INT64 && reader->tape[token].type != RELAY_JSON_UINT64 &&
       reader->tape[token].type != RELAY_JSON_DOUBLE))
    return 0;
  sec = CLAMP (relay_json_reader_double (reader, token), 0.0, MAX_DATE_SEC);
  return MAX ((gint64) (sec * G_USEC_PER_SEC), 1);
}

gboolean
relay_jwt_read_times (const char *token, RelayJwtTimes *ret_times)
{
  RelayJsonReader reader = { 0 };
  guchar *payload = NULL;
  const char *start, *end;
  gsize length = 0;

  memset (ret_times, 0, sizeof *ret_times);

  /* RFC 7515 §7.1: header.payload.signature. One with five parts is encrypted, and not for us to read. */
  if (strnlen (token, MAX_TOKEN_BYTES + 1) > MAX_TOKEN_BYTES)
    return FALSE;
  start = strchr (token, '.');
  end = start != NULL ? strchr (start + 1, '.') : NULL;
  if (end == NULL || strchr (end + 1, '.') != NULL)
    return FALSE;

  payload = decode_base64url (start + 1, (gsize) (end - start - 1), &length);
  if (payload == NULL)
    return FALSE;
  if (relay_json_reader_read (&reader, (const char *) payload, length, NULL)) {
    ret_times->expires_usec = read_date (&reader, "exp");
    ret_times->issued_usec = ret_times->expires_usec != 0 ? read_date (&reader, "iat") : 0;
  }

  relay_json_reader_clear (&reader);
  explicit_bzero (payload, length);
  g_free (payload);
  return ret_times->expires_usec != 0;
}
