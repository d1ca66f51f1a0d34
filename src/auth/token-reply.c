/* SPDX-License-Identifier: MIT */
#include "auth/token-reply.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "common/error.h"
#include "common/json-reader.h"

void
relay_token_reply_clear (RelayTokenReply *reply)
{
  relay_secret_clear (&reply->access_token);
  relay_secret_clear (&reply->refresh_token);
  reply->life_usec = 0;
}

/* The member under its name in RFC 6749 §5.1, or in the spelling of the protocol page; 0 if there is none. */
static guint
find_member (const RelayJsonReader *reader, const char *name, const char *other_name)
{
  guint token = relay_json_reader_find (reader, 0, name);

  return token != 0 ? token : relay_json_reader_find (reader, 0, other_name);
}

/* NULL if there is none, or it is none. */
static char *
read_token (const RelayJsonReader *reader, const char *name, const char *other_name)
{
  guint token = find_member (reader, name, other_name);
  relay_autosecret char *value = token != 0 ? relay_json_reader_dup_string (reader, token) : NULL;

  if (value == NULL || !relay_credential_clean (value, strlen (value), "", NULL))
    return NULL;
  return g_steal_pointer (&value);
}

/* In µs; 0 if it is not told, or nothing that can be true. Some servers send it as a string. */
static guint64
read_life (const RelayJsonReader *reader)
{
  guint token = find_member (reader, "expires_in", "expiresIn");
  double sec = 0;

  if (token == 0)
    return 0;
  if (reader->tape[token].type == RELAY_JSON_STRING) {
    g_autofree char *text = relay_json_reader_dup_string (reader, token);
    char *end = NULL;

    sec = g_ascii_strtod (text, &end);
    if (*end != '\0' || !isfinite (sec))
      return 0;
  } else if (reader->tape[token].type == RELAY_JSON_INT64 || reader->tape[token].type == RELAY_JSON_UINT64 ||
             reader->tape[token].type == RELAY_JSON_DOUBLE)
    sec = relay_json_reader_double (reader, token);
  return (guint64) (CLAMP (sec, 0.0, (double) RELAY_TOKEN_REPLY_MAX_LIFE_SEC) * G_USEC_PER_SEC);
}

/* RFC 6749 §7.1: a token of a type that is not known must not be used. If none is told we take it for bearer. */
static gboolean
is_bearer (const RelayJsonReader *reader)
{
  guint token = find_member (reader, "token_type", "tokenType");
  g_autofree char *type = token != 0 ? relay_json_reader_dup_string (reader, token) : NULL;

  return type == NULL || g_ascii_strcasecmp (type, "bearer") == 0;
}

gboolean
relay_token_reply_read (RelayTokenReply *ret_reply, const char *text, gsize length, GError **error)
{
  RelayJsonReader reader = { 0 };
  gboolean bearer;

  *ret_reply = (RelayTokenReply){ 0 };
  if (!relay_json_reader_read (&reader, text, length, NULL)) {
    relay_json_reader_clear (&reader);
    relay_error_set (error, RELAY_ERROR_SERVER, N_("the answer of the token endpoint is not JSON."));
    return FALSE;
  }
  ret_reply->access_token = read_token (&reader, "access_token", "accessToken");
  ret_reply->refresh_token = read_token (&reader, "refresh_token", "refreshToken");
  ret_reply->life_usec = read_life (&reader);
  bearer = is_bearer (&reader);
  relay_json_reader_clear (&reader);

  if (ret_reply->access_token == NULL)
    relay_error_set (error, RELAY_ERROR_SERVER, N_("the answer of the token endpoint holds no access token."));
  else if (!bearer)
    relay_error_set (error, RELAY_ERROR_SERVER, N_("the token endpoint gave a token of a type that is not known."));
  return ret_reply->access_token != NULL && bearer;
}

const char *
relay_token_reply_read_error (const char *text, gsize length)
{
  static const char *const codes[] = { "invalid_grant",       "invalid_client",         "unauthorized_client",
                                       "invalid_request",     "unsupported_grant_type", "invalid_scope" };
  RelayJsonReader reader = { 0 };
  const char *code = NULL;

  if (relay_json_reader_read (&reader, text, length, NULL)) {
    guint token = relay_json_reader_find (&reader, 0, "error");

    for (gsize i = 0; i < G_N_ELEMENTS (codes) && token != 0; i++)
      if (relay_json_reader_string_equal (&reader, token, codes[i]))
        code = codes[i];
  }
  relay_json_reader_clear (&reader);
  return code;
}
