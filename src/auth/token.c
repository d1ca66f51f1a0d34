/* SPDX-License-Identifier: MIT */
#include "auth/token.h"

#include <string.h>

#include "auth/command.h"
#include "auth/credential.h"
#include "auth/file-watch.h"
#include "auth/jwt.h"
#include "auth/refresh.h"
#include "common/names.h"

/*
 * Two tokens are kept: `source`, the one last read from where the user put it, and `current`, the one to hand out.
 * They are the same until a renewal puts a newer one into `current` alone. A source that gives another token than
 * the last time overrules whatever was renewed since: somebody has signed in anew.
 *
 * A request goes through at most three steps, each of which may end it:
 *
 *   begin      from the main loop, so that no callback comes from within the call
 *   consult    the sources, in their order; files are read at once, a command takes its time
 *   settle     is there now a token that will do? If not, refresh it
 *
 * There is one request at a time. Its place can be taken by another one at any time: what is under way then serves
 * the new one (a refresh, which must not be broken off) or is ended (a command).
 */
struct RelayToken {
  gint ref_count;
  char *value;
  gint64 issued_usec, expires_usec; /* CLOCK_REALTIME; expires 0: unknown */
};

typedef enum { REQUEST_NONE, REQUEST_GET, REQUEST_RENEW } RequestKind;

struct RelayTokens {
  RelayTokenOptions options;
  RelayTokensChanged changed;
  gpointer changed_data;

  RelayToken *source, *current;
  gboolean is_unread; /* options that are newer than what was read of the sources */
  RelayRefresher *refresher; /* NULL: not configured */
  RelayFileWatch *token_watch, *refresh_watch;

  RequestKind request;
  RelayToken *refused; /* with REQUEST_RENEW */
  gboolean expired;    /* likewise: why */
  RelayTokenCallback callback;
  gpointer user_data;
  guint begin_id;
  RelayCommand *command;
};

/* -- one token ------------------------------------------------------------------------------------------------ */

/* @life_usec: how long it is good where it does not say so itself; 0: unknown. */
static RelayToken *
token_new (const char *value, guint64 life_usec)
{
  RelayToken *token = g_new0 (RelayToken, 1);
  gint64 now_usec = g_get_real_time ();
  RelayJwtTimes times;

  token->ref_count = 1;
  token->value = g_strdup (value);
  token->issued_usec = now_usec;
  if (relay_jwt_read_times (value, &times)) {
    token->expires_usec = times.expires_usec;
    if (times.issued_usec != 0)
      token->issued_usec = times.issued_usec;
  } else if (life_usec > 0)
    token->expires_usec = now_usec + (gint64) life_usec;
  return token;
}

RelayToken *
relay_token_ref (RelayToken *token)
{
  token->ref_count++;
  return token;
}

void
relay_token_unref (RelayToken *token)
{
  if (token == NULL || --token->ref_count > 0)
    return;
  relay_secret_free (token->value);
  g_free (token);
}

void
relay_token_authorize (RelayToken *token, SoupMessageHeaders *headers)
{
  relay_autosecret char *value = g_strconcat ("Bearer ", token->value, NULL);

  soup_message_headers_replace (headers, "Authorization", value);
}

gboolean
relay_token_equal (RelayToken *a, RelayToken *b)
{
  return a == b || g_str_equal (a->value, b->value);
}

gint64
relay_token_get_expires (RelayToken *token)
{
  return token->expires_usec;
}

gint64
relay_token_get_renewal (RelayToken *token, double jitter)
{
  gint64 before_usec;

  if (token->expires_usec == 0)
    return 0;
  before_usec = CLAMP ((token->expires_usec - token->issued_usec) / 10, 0, RELAY_TOKEN_RENEW_BEFORE_USEC);
  before_usec += (gint64) ((double) before_usec / 2 * jitter);
  return MAX (token->expires_usec - before_usec, 1);
}

gboolean
relay_token_is_due (RelayToken *token)
{
  return token->expires_usec != 0 && relay_token_get_renewal (token, 0) <= g_get_real_time ();
}

static gboolean
token_is_good (RelayToken *token)
{
  return token != NULL && (token->expires_usec == 0 || token->expires_usec > g_get_real_time ());
}

static void
replace_token (RelayToken **place, RelayToken *token)
{
  if (token != NULL)
    relay_token_ref (token);
  relay_token_unref (*place);
  *place = token;
}

/* -- a request ------------------------------------------------------------------------------------------------ */

static void
clear_request (RelayTokens *tokens)
{
  tokens->request = REQUEST_NONE;
  tokens->callback = NULL;
  g_clear_handle_id (&tokens->begin_id, g_source_remove);
  g_clear_pointer (&tokens->command, relay_command_free);
  g_clear_pointer (&tokens->refused, relay_token_unref);
}

/* The one end of every request. @tokens may be gone afterwards. */
static void
deliver (RelayTokens *tokens, RelayToken *token, const RelayTrouble *trouble)
{
  g_autoptr (RelayToken) owned_token = token != NULL ? relay_token_ref (token) : NULL;
  RelayTokenCallback callback = tokens->callback;
  gpointer user_data = tokens->user_data;

  clear_request (tokens);
  callback (owned_token, trouble, user_data);
}

static void
deliver_trouble (RelayTokens *tokens, RelayCause cause, const char *detail)
{
  g_autoptr (RelayTrouble) trouble = relay_trouble_new (cause, detail);

  deliver (tokens, NULL, trouble);
}

static void
deliver_nothing (RelayTokens *tokens)
{
  gboolean file_awaited = tokens->options.token_file != NULL && tokens->options.token_command == NULL;

  deliver_trouble (tokens, file_awaited ? RELAY_CAUSE_NO_TOKEN_FILE : RELAY_CAUSE_NO_CREDENTIALS,
                   file_awaited ? tokens->options.token_file : NULL);
}

/* The current token, if it is what was asked for; not if it is the very one that was refused. */
static gboolean
is_wanted (RelayTokens *tokens, RelayToken *token)
{
  return token != NULL && (tokens->request == REQUEST_GET || !relay_token_equal (token, tokens->refused));
}

static void
deliver_current (RelayTokens *tokens)
{
  if (tokens->current == NULL)
    deliver_nothing (tokens);
  else if (is_wanted (tokens, tokens->current))
    deliver (tokens, tokens->current, NULL);
  else
    deliver_trouble (tokens, tokens->expired ? RELAY_CAUSE_NO_NEWER_TOKEN : RELAY_CAUSE_NO_OTHER_TOKEN, NULL);
}

static void consult (RelayTokens *tokens);

static void
on_refreshed (const char *access_token, guint64 life_usec, const RelayTrouble *trouble, gpointer user_data)
{
  RelayTokens *tokens = user_data;

  if (access_token != NULL) {
    relay_token_unref (tokens->current);
    tokens->current = token_new (access_token, life_usec);
  }
  if (tokens->request == REQUEST_NONE || tokens->begin_id != 0)
    return; /* nobody waits any more, or a request that has yet to begin and will find the token */
  if (tokens->is_unread)
    consult (tokens);
  else if (trouble != NULL)
    deliver (tokens, NULL, trouble);
  else
    deliver_current (tokens);
}

static void
settle (RelayTokens *tokens)
{
  g_autoptr (GError) error = NULL;

  if (is_wanted (tokens, tokens->current) && token_is_good (tokens->current))
    deliver (tokens, tokens->current, NULL);
  else if (tokens->refresher != NULL && relay_refresher_is_ready (tokens->refresher, &error))
    relay_refresher_start (tokens->refresher, on_refreshed, tokens);
  else if (error != NULL)
    deliver_trouble (tokens, RELAY_CAUSE_BAD_CREDENTIALS, error->message);
  else
    deliver_current (tokens); /* even if it seems expired: the server's clock counts, and it will say so */
}

/* What the sources hold: @secret, or nothing (NULL), or something unusable (@error). */
static void
take_source (RelayTokens *tokens, const char *secret, const GError *error)
{
  if (error != NULL) {
    deliver_trouble (tokens, RELAY_CAUSE_BAD_CREDENTIALS, error->message);
    return;
  }
  if (secret == NULL) {
    if (tokens->current == tokens->source)
      replace_token (&tokens->current, NULL); /* taken away; a renewed one stands for itself */
    replace_token (&tokens->source, NULL);
  } else if (tokens->source == NULL || !g_str_equal (tokens->source->value, secret)) {
    relay_token_unref (tokens->source);
    tokens->source = token_new (secret, 0);
    replace_token (&tokens->current, tokens->source);
  }
  settle (tokens);
}

static void
on_command_done (const char *secret, const GError *error, gpointer user_data)
{
  RelayTokens *tokens = user_data;
  /* What is borrowed lives until we return. */
  G_GNUC_UNUSED g_autoptr (RelayCommand) command = g_steal_pointer (&tokens->command);

  take_source (tokens, secret, error);
}

/* A command is only run if the token at hand will not do: it may take long, or ask the user something. */
static gboolean
needs_command (RelayTokens *tokens)
{
  if (tokens->request == REQUEST_RENEW && tokens->refresher != NULL &&
      relay_refresher_is_ready (tokens->refresher, NULL))
    return FALSE;
  return !is_wanted (tokens, tokens->current) || !token_is_good (tokens->current);
}

static void
consult (RelayTokens *tokens)
{
  relay_autosecret char *secret = NULL;
  g_autoptr (GError) error = NULL;

  tokens->is_unread = FALSE;
  if (!relay_credential_read_systemd (RELAY_CREDENTIAL_TOKEN, &secret, &error) || secret != NULL)
    take_source (tokens, secret, error);
  else if (tokens->options.token_command != NULL && needs_command (tokens))
    tokens->command = relay_command_start ((const char *const *) tokens->options.token_command,
                                           RELAY_TOKEN_COMMAND_TIMEOUT_USEC, on_command_done, tokens);
  else if (tokens->options.token_command != NULL)
    settle (tokens);
  else {
    if (tokens->options.token_file != NULL)
      relay_credential_read_file ("TokenFile", tokens->options.token_file, RELAY_CREDENTIAL_PRIVATE, &secret,
                                  &error);
    take_source (tokens, secret, error);
  }
}

static gboolean
on_begin (gpointer user_data)
{
  RelayTokens *tokens = user_data;

  tokens->begin_id = 0;
  if (!relay_tokens_is_refreshing (tokens))
    consult (tokens);
  return G_SOURCE_REMOVE;
}

/* -- the manager ---------------------------------------------------------------------------------------------- */

static void
on_token_file_changed (gpointer user_data)
{
  RelayTokens *tokens = user_data;

  if (tokens->changed != NULL)
    tokens->changed (tokens->changed_data);
}

static void
on_refresh_file_changed (gpointer user_data)
{
  RelayTokens *tokens = user_data;

  if (tokens->changed != NULL && relay_refresher_is_file_foreign (tokens->refresher))
    tokens->changed (tokens->changed_data);
}

static gboolean
is_same_source (const RelayTokenOptions *a, const RelayTokenOptions *b)
{
  return a->token_command == NULL && b->token_command == NULL && g_strcmp0 (a->token_file, b->token_file) == 0;
}

static gboolean
is_same_refresh (const RelayTokenOptions *a, const RelayTokenOptions *b)
{
  return g_strcmp0 (a->refresh_url, b->refresh_url) == 0 && g_strcmp0 (a->ca_file, b->ca_file) == 0 &&
         g_strcmp0 (a->client_id, b->client_id) == 0 &&
         g_strcmp0 (a->refresh_token_file, b->refresh_token_file) == 0;
}

/* What hangs on the options. A refresher is kept if it is still there. */
static void
set_up (RelayTokens *tokens)
{
  const RelayTokenOptions *options = &tokens->options;

  if (options->token_file != NULL && options->token_command == NULL)
    tokens->token_watch = relay_file_watch_new (options->token_file, on_token_file_changed, tokens);
  if (options->refresh_url == NULL)
    return;
  if (tokens->refresher == NULL)
    tokens->refresher = relay_refresher_new (options->refresh_url, options->ca_file, options->client_id,
                                             options->refresh_token_file, RELAY_TOKEN_REFRESH_TIMEOUT_USEC);
  if (options->refresh_token_file != NULL)
    tokens->refresh_watch = relay_file_watch_new (options->refresh_token_file, on_refresh_file_changed, tokens);
}

RelayTokens *
relay_tokens_new (const RelayTokenOptions *options, RelayTokensChanged changed, gpointer user_data)
{
  RelayTokens *tokens = g_new0 (RelayTokens, 1);

  relay_token_options_copy (options, &tokens->options);
  tokens->changed = changed;
  tokens->changed_data = user_data;
  set_up (tokens);
  return tokens;
}

void
relay_tokens_configure (RelayTokens *tokens, const RelayTokenOptions *options)
{
  clear_request (tokens);
  g_clear_pointer (&tokens->token_watch, relay_file_watch_free);
  g_clear_pointer (&tokens->refresh_watch, relay_file_watch_free);
  if (!is_same_refresh (&tokens->options, options))
    g_clear_pointer (&tokens->refresher, relay_refresher_free);
  if (!is_same_source (&tokens->options, options)) {
    replace_token (&tokens->source, NULL);
    replace_token (&tokens->current, NULL);
  }
  relay_token_options_clear (&tokens->options);
  relay_token_options_copy (options, &tokens->options);
  tokens->is_unread = TRUE;
  set_up (tokens);
}

void
relay_tokens_free (RelayTokens *tokens)
{
  if (tokens == NULL)
    return;
  clear_request (tokens);
  relay_file_watch_free (tokens->token_watch);
  relay_file_watch_free (tokens->refresh_watch);
  relay_refresher_free (tokens->refresher);
  relay_token_unref (tokens->source);
  relay_token_unref (tokens->current);
  relay_token_options_clear (&tokens->options);
  g_free (tokens);
}

static void
request (RelayTokens *tokens, RequestKind kind, RelayTokenCallback callback, gpointer user_data)
{
  clear_request (tokens);
  tokens->request = kind;
  tokens->callback = callback;
  tokens->user_data = user_data;
  tokens->begin_id = g_idle_add_full (G_PRIORITY_DEFAULT, on_begin, tokens, NULL);
}

void
relay_tokens_get (RelayTokens *tokens, RelayTokenCallback callback, gpointer user_data)
{
  request (tokens, REQUEST_GET, callback, user_data);
}

void
relay_tokens_renew (RelayTokens *tokens, RelayToken *refused, gboolean expired, RelayTokenCallback callback,
                    gpointer user_data)
{
  g_autoptr (RelayToken) owned_refused = relay_token_ref (refused); /* may be ours, from the request replaced */

  request (tokens, REQUEST_RENEW, callback, user_data);
  tokens->refused = g_steal_pointer (&owned_refused);
  tokens->expired = expired;
}

gboolean
relay_tokens_can_renew (RelayTokens *tokens)
{
  return tokens->options.refresh_url != NULL || tokens->options.token_command != NULL;
}

gboolean
relay_tokens_is_refreshing (RelayTokens *tokens)
{
  return tokens->refresher != NULL && relay_refresher_is_running (tokens->refresher);
}

void
relay_tokens_cancel (RelayTokens *tokens)
{
  clear_request (tokens);
}

void
relay_token_options_clear (RelayTokenOptions *options)
{
  g_free (options->token_file);
  g_strfreev (options->token_command);
  g_free (options->refresh_url);
  g_free (options->refresh_token_file);
  g_free (options->client_id);
  g_free (options->ca_file);
  memset (options, 0, sizeof *options);
}

void
relay_token_options_copy (const RelayTokenOptions *options, RelayTokenOptions *ret_copy)
{
  *ret_copy = (RelayTokenOptions){
    .token_file = g_strdup (options->token_file),
    .token_command = g_strdupv (options->token_command),
    .refresh_url = g_strdup (options->refresh_url),
    .refresh_token_file = g_strdup (options->refresh_token_file),
    .client_id = g_strdup (options->client_id),
    .ca_file = g_strdup (options->ca_file),
  };
}
