/* SPDX-License-Identifier: MIT */
#include "simulator/tokens.h"

#include <string.h>
#include <sys/random.h>

#include <json-glib/json-glib.h>

#include "common/json-reader.h"
#include "simulator/message.h"

/*
 * A token is accepted because it is in the table, not because its signature is right: so a token given on start
 * can be anything, and an end put to one is an end at once. The JWTs that are issued are signed nonetheless (with
 * a key of this run), as clients may look at their parts.
 *
 * Tokens that ended stay in the table: "expired" and "never heard of" are different answers.
 */

#define SECRET_BYTES 32

typedef struct {
  char *token;
  SimTokenState state;
  gint64 expires_usec; /* 0 for never */
} Entry;

struct SimTokens {
  guint64 life_usec;
  gboolean accept_any;
  guint8 key[SECRET_BYTES];
  guint64 n_issued;
  char *refresh_token;
  GPtrArray *spent_refresh_tokens; /* of char *: not to be shown either; the oldest is forgotten as below */
  GHashTable *by_token;            /* char * → Entry; both owned by the entry in order */
  GQueue order;                    /* of Entry, the oldest first */
};

static void
fill_randomly (guint8 *bytes, gsize length)
{
  /* getrandom(2): requests of up to 256 bytes are never cut short once the pool is ready, and it waits for that.
   */
  if (getrandom (bytes, length, 0) != (gssize) length)
    g_error ("The kernel gives no random numbers");
}

static char *
base64url (const guint8 *bytes, gsize length)
{
  char *text = g_base64_encode (bytes, length);

  for (char *p = text; *p != '\0'; p++) {
    if (*p == '+')
      *p = '-';
    else if (*p == '/')
      *p = '_';
    else if (*p == '=')
      *p = '\0';
  }
  return text;
}

static void
entry_free (Entry *entry)
{
  g_free (entry->token);
  g_free (entry);
}

SimTokens *
sim_tokens_new (guint64 life_usec, gboolean accept_any)
{
  SimTokens *tokens = g_new0 (SimTokens, 1);

  tokens->life_usec = life_usec;
  tokens->accept_any = accept_any;
  tokens->by_token = g_hash_table_new (g_str_hash, g_str_equal);
  tokens->spent_refresh_tokens = g_ptr_array_new_with_free_func (g_free);
  g_queue_init (&tokens->order);
  fill_randomly (tokens->key, sizeof tokens->key);
  return tokens;
}

void
sim_tokens_free (SimTokens *tokens)
{
  if (tokens == NULL)
    return;
  g_hash_table_unref (tokens->by_token);
  g_queue_clear_full (&tokens->order, (GDestroyNotify) entry_free);
  g_ptr_array_unref (tokens->spent_refresh_tokens);
  g_free (tokens->refresh_token);
  explicit_bzero (tokens->key, sizeof tokens->key);
  g_free (tokens);
}

gboolean
sim_token_is_valid (const char *token)
{
  gsize length = strspn (token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");

  return length > 0 && token[length + strspn (token + length, "=")] == '\0' &&
         strlen (token) <= SIM_TOKEN_MAX_BYTES;
}

char *
sim_token_generate (void)
{
  guint8 secret[SECRET_BYTES];

  fill_randomly (secret, sizeof secret);
  return base64url (secret, sizeof secret);
}

guint64
sim_tokens_get_life (SimTokens *tokens)
{
  return tokens->life_usec;
}

void
sim_tokens_accept (SimTokens *tokens, const char *token, gint64 now_usec)
{
  Entry *entry = g_hash_table_lookup (tokens->by_token, token);

  if (entry == NULL) {
    if (tokens->order.length == SIM_TOKENS_MAX_REMEMBERED) {
      Entry *oldest = g_queue_pop_head (&tokens->order);

      g_hash_table_remove (tokens->by_token, oldest->token);
      entry_free (oldest);
    }
    entry = g_new0 (Entry, 1);
    entry->token = g_strdup (token);
    g_queue_push_tail (&tokens->order, entry);
    g_hash_table_insert (tokens->by_token, entry->token, entry);
  }
  entry->state = SIM_TOKEN_ACCEPTED;
  entry->expires_usec = tokens->life_usec > 0 ? now_usec + (gint64) tokens->life_usec : 0;
}

/* RFC 7519 with the claims a client may plan by, RFC 7515 with HS256. jti makes each one different. */
char *
sim_tokens_issue (SimTokens *tokens, gint64 now_usec)
{
  static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  g_autofree char *encoded_header = base64url ((const guint8 *) header, strlen (header));
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  JsonObject *claims = json_object_new ();
  g_autofree char *jti = g_strdup_printf ("%" G_GUINT64_FORMAT, ++tokens->n_issued);
  g_autofree char *payload = NULL, *encoded_payload = NULL, *signed_part = NULL, *signature = NULL, *token = NULL;
  g_autoptr (GHmac) hmac = g_hmac_new (G_CHECKSUM_SHA256, tokens->key, sizeof tokens->key);
  guint8 digest[32];
  gsize digest_bytes = sizeof digest;

  json_object_set_string_member (claims, "iss", "prp-simulator");
  json_object_set_string_member (claims, "sub", "usr_simulator");
  json_object_set_string_member (claims, "jti", jti);
  json_object_set_int_member (claims, "iat", now_usec / G_USEC_PER_SEC);
  if (tokens->life_usec > 0)
    json_object_set_int_member (claims, "exp", (now_usec + (gint64) tokens->life_usec) / G_USEC_PER_SEC);
  json_node_take_object (root, claims);

  payload = sim_json_format (root);
  encoded_payload = base64url ((const guint8 *) payload, strlen (payload));
  signed_part = g_strconcat (encoded_header, ".", encoded_payload, NULL);
  g_hmac_update (hmac, (const guchar *) signed_part, (gssize) strlen (signed_part));
  g_hmac_get_digest (hmac, digest, &digest_bytes);
  signature = base64url (digest, digest_bytes);
  token = g_strconcat (signed_part, ".", signature, NULL);

  sim_tokens_accept (tokens, token, now_usec);
  return g_steal_pointer (&token);
}

SimTokenState
sim_tokens_check (SimTokens *tokens, const char *token, gint64 now_usec, gint64 *ret_expires_usec)
{
  Entry *entry = g_hash_table_lookup (tokens->by_token, token);

  if (entry == NULL && tokens->accept_any && sim_token_is_valid (token)) {
    sim_tokens_accept (tokens, token, now_usec);
    entry = g_hash_table_lookup (tokens->by_token, token);
  }
  if (entry == NULL)
    return SIM_TOKEN_UNKNOWN;
  if (entry->state != SIM_TOKEN_ACCEPTED)
    return entry->state;
  if (entry->expires_usec != 0 && entry->expires_usec <= now_usec)
    return SIM_TOKEN_EXPIRED;

  *ret_expires_usec = entry->expires_usec;
  return SIM_TOKEN_ACCEPTED;
}

guint
sim_tokens_end_all (SimTokens *tokens, SimTokenState state)
{
  guint n = 0;

  for (GList *link = tokens->order.head; link != NULL; link = link->next) {
    Entry *entry = link->data;

    n += entry->state == SIM_TOKEN_ACCEPTED ? 1 : 0;
    entry->state = state;
  }
  return n;
}

void
sim_tokens_set_refresh_token (SimTokens *tokens, const char *refresh_token)
{
  g_free (tokens->refresh_token);
  tokens->refresh_token = g_strdup (refresh_token);
}

const char *
sim_tokens_get_refresh_token (SimTokens *tokens)
{
  return tokens->refresh_token;
}

gboolean
sim_tokens_refresh (SimTokens *tokens, const char *refresh_token, gint64 now_usec, char **ret_access_token,
                    char **ret_refresh_token)
{
  if (tokens->refresh_token == NULL || !g_str_equal (tokens->refresh_token, refresh_token))
    return FALSE;

  if (tokens->spent_refresh_tokens->len == SIM_TOKENS_MAX_REMEMBERED)
    g_ptr_array_remove_index (tokens->spent_refresh_tokens, 0);
  g_ptr_array_add (tokens->spent_refresh_tokens, tokens->refresh_token);
  tokens->refresh_token = sim_token_generate ();

  *ret_access_token = sim_tokens_issue (tokens, now_usec);
  *ret_refresh_token = g_strdup (tokens->refresh_token);
  return TRUE;
}

static gboolean
continues_token (char c)
{
  return g_ascii_isalnum (c) || (c != '\0' && strchr ("-._~+/", c) != NULL);
}

/* A short token ("dev") is a secret only where it stands alone: it would be found in half of all words. */
static gboolean
contains (const char *text, const char *token)
{
  enum { SHORT_BYTES = 16 };
  gsize length = strlen (token);

  for (const char *at = strstr (text, token); at != NULL; at = strstr (at + 1, token))
    if (length >= SHORT_BYTES || !((at > text && continues_token (at[-1])) || continues_token (at[length])))
      return TRUE;
  return FALSE;
}

static gboolean
contains_a_token (SimTokens *tokens, const char *text)
{
  if (tokens->refresh_token != NULL && contains (text, tokens->refresh_token))
    return TRUE;
  for (guint i = 0; i < tokens->spent_refresh_tokens->len; i++)
    if (contains (text, tokens->spent_refresh_tokens->pdata[i]))
      return TRUE;
  for (GList *link = tokens->order.head; link != NULL; link = link->next)
    if (contains (text, ((Entry *) link->data)->token))
      return TRUE;
  return FALSE;
}

gboolean
sim_tokens_are_in (SimTokens *tokens, const char *text)
{
  RelayJsonReader reader = { 0 };
  gboolean found = contains_a_token (tokens, text);

  /* Escapes could hide one from the eye, but not from whoever resolves them. */
  if (!found && relay_json_reader_read (&reader, text, strlen (text), NULL))
    for (guint i = 0; i < reader.n_tokens && !found; i++)
      if (reader.tape[i].type == RELAY_JSON_STRING && (reader.tape[i].flags & RELAY_JSON_COOKED) != 0) {
        g_autofree char *string = relay_json_reader_dup_string (&reader, i);

        found = contains_a_token (tokens, string);
      }
  relay_json_reader_clear (&reader);
  return found;
}
