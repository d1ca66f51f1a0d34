/* SPDX-License-Identifier: MIT */
#include "auth/token.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "auth/command.h"
#include "auth/credential.h"
#include "auth/file-watch.h"
#include "auth/jwt.h"
#include "auth/refresh.h"
#include "auth/secret-service.h"
#include "common/log.h"
#include "common/names.h"

/*
 * Two tokens are kept: `source`, the one last read from where the user put it, and `current`, the one to hand out.
 * They are the same until a renewal puts a newer one into `current` alone. A source that gives another token than
 * the last time overrules whatever was renewed since: somebody has signed in anew.
 *
 * A request goes through at most three steps, each of which may end it:
 *
 *   begin      from the main loop, so that no callback comes from within the call
 *   consult    the sources, in their order; files are read at once, a command and the keyring take their time
 *   settle     is there now a token that will do? If not, refresh it
 *
 * There is one request at a time. Its place can be taken by another one at any time: what is under way then serves
 * the new one (a refresh, which must not be broken off) or is ended (a command).
 *
 * The keyring is asked last, and only where no other source has a token and the one at hand is not from there: changes of
 * it are told. One that is locked, that does not answer or that has left takes nothing away: the token at hand stays good.
 * What we store there ourselves comes back as a change as well, and is seen to be none.
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
  gboolean from_keyring; /* `source` is */
  RelayRefresher *refresher; /* NULL: not configured */
  RelayFileWatch *token_watch, *refresh_watch;

  RequestKind request;
  RelayToken *refused; /* with REQUEST_RENEW */
  gboolean expired;    /* likewise: why */
  RelayTokenCallback callback;
  gpointer user_data;
  guint begin_id;
  RelayCommand *command;
  RelaySecretCall *keyring;
  gboolean keyring_matters; /* no other source had a token, or could be used, when they were read last */
  RelaySecretResult keyring_result; /* what it said then */
  gboolean keyring_due;   /* it is to be asked before the token at hand is good for another request */
  gboolean keyring_again; /* it changed since it was asked */

  RelayTrouble *keyring_trouble; /* why it did not answer when it was asked last; NULL: it did, or was not asked */
  RelaySecretCall *keyring_look; /* is there another token than the one at hand? */
  RelaySecretCall *keyring_store; /* of a renewed token */
  char *keyring_outdated; /* what it holds as long as that one is not stored; NULL: it is up to date */
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
  g_clear_pointer (&tokens->keyring, relay_secret_call_free);
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

/* A source is there, but cannot be used. */
static void
deliver_error (RelayTokens *tokens, const GError *error)
{
  g_autoptr (RelayTrouble) trouble = relay_trouble_new_from_error (relay_credential_get_cause (error), error);

  deliver (tokens, NULL, trouble);
}

static void
deliver_copy (RelayTokens *tokens, const RelayTrouble *trouble)
{
  g_autoptr (RelayTrouble) copy = relay_trouble_copy (trouble);

  deliver (tokens, NULL, copy);
}

static void
deliver_nothing (RelayTokens *tokens)
{
  gboolean file_awaited = tokens->options.token_file != NULL && tokens->options.token_command == NULL;

  if (tokens->keyring_trouble != NULL)
    deliver_copy (tokens, tokens->keyring_trouble);
  else
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
  else if (tokens->keyring_trouble != NULL)
    deliver_copy (tokens, tokens->keyring_trouble); /* there may be another in it */
  else
    deliver_trouble (tokens, tokens->expired ? RELAY_CAUSE_NO_NEWER_TOKEN : RELAY_CAUSE_NO_OTHER_TOKEN, NULL);
}

static void
on_keyring_stored (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  RelayTokens *tokens = user_data;

  if (result == RELAY_SECRET_DONE)
    relay_secret_clear (&tokens->keyring_outdated);
  else
    relay_log_fields (LOG_WARNING, NULL, "The renewed token cannot be stored in the keyring: %s", reason);
  g_clear_pointer (&tokens->keyring_store, relay_secret_call_free);
}

/* Where the last one was in the keyring, the next start is to find this one there. */
static void
store_current (RelayTokens *tokens)
{
  if (tokens->keyring_outdated == NULL && tokens->source != NULL)
    tokens->keyring_outdated = g_strdup (tokens->source->value);
  replace_token (&tokens->source, tokens->current);
  relay_secret_call_free (tokens->keyring_store);
  tokens->keyring_store = relay_secret_replace (RELAY_SECRET_ACCESS_TOKEN, tokens->options.keyring_url,
                                                tokens->current->value, RELAY_SECRET_TIMEOUT_USEC, on_keyring_stored,
                                                tokens);
}

/* Is it what we have replaced ourselves, but could not store? Then that is tried once more. */
static gboolean
is_outdated (RelayTokens *tokens, const char *secret)
{
  if (secret == NULL || g_strcmp0 (secret, tokens->keyring_outdated) != 0 || tokens->current == NULL)
    return FALSE;
  if (tokens->keyring_store == NULL)
    store_current (tokens);
  return TRUE;
}

static void
set_keyring_trouble (RelayTokens *tokens, RelayTrouble *trouble)
{
  relay_trouble_free (tokens->keyring_trouble);
  tokens->keyring_trouble = trouble;
}

static gboolean
has_code (const RelayTrouble *trouble, const char *code)
{
  return trouble != NULL && g_str_equal (trouble->code, code);
}

static void consult (RelayTokens *tokens);

static void
on_refreshed (const char *access_token, guint64 life_usec, const RelayTrouble *trouble, gpointer user_data)
{
  RelayTokens *tokens = user_data;

  if (access_token != NULL) {
    relay_token_unref (tokens->current);
    tokens->current = token_new (access_token, life_usec);
    if (tokens->from_keyring)
      store_current (tokens);
  } else if (has_code (trouble, "KEYRING_LOCKED") || has_code (trouble, "KEYRING_FAILED"))
    set_keyring_trouble (tokens, relay_trouble_copy (trouble));
  if (tokens->request == REQUEST_NONE || tokens->begin_id != 0)
    return; /* nobody waits any more, or a request that has yet to begin and will find the token */
  if (tokens->is_unread)
    consult (tokens);
  else if (trouble != NULL && !has_code (trouble, "NO_CREDENTIALS"))
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
    deliver_error (tokens, error);
  else if (tokens->refresher != NULL && relay_refresher_has_keyring (tokens->refresher))
    relay_refresher_start (tokens->refresher, on_refreshed, tokens);
  else
    deliver_current (tokens); /* even if it seems expired: the server's clock counts, and it will say so */
}

/* What the sources hold: @secret, or nothing (NULL), or something unusable (@error). */
static void
take_source (RelayTokens *tokens, const char *secret, const GError *error)
{
  if (error != NULL) {
    deliver_error (tokens, error);
    return;
  }
  if (secret == NULL) {
    if (tokens->source != NULL)
      replace_token (&tokens->current, NULL); /* taken away, with what came of it; a renewed one alone stands for itself */
    replace_token (&tokens->source, NULL);
  } else if (tokens->source == NULL || !g_str_equal (tokens->source->value, secret)) {
    relay_token_unref (tokens->source);
    tokens->source = token_new (secret, 0);
    replace_token (&tokens->current, tokens->source);
  }
  settle (tokens);
}

static void
take_other_source (RelayTokens *tokens, const char *secret, const GError *error)
{
  tokens->from_keyring = FALSE;
  relay_secret_clear (&tokens->keyring_outdated);
  take_source (tokens, secret, error);
}

static void
on_command_done (const char *secret, const GError *error, gpointer user_data)
{
  RelayTokens *tokens = user_data;
  /* What is borrowed lives until we return. */
  G_GNUC_UNUSED g_autoptr (RelayCommand) command = g_steal_pointer (&tokens->command);

  take_other_source (tokens, secret, error);
}

static void ask_keyring (RelayTokens *tokens);

static void
on_keyring_answered (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  RelayTokens *tokens = user_data;
  /* What is borrowed lives until we return. */
  G_GNUC_UNUSED g_autoptr (RelaySecretCall) keyring = g_steal_pointer (&tokens->keyring);

  if (tokens->keyring_again && secret == NULL) {
    ask_keyring (tokens);
    return;
  }
  tokens->keyring_due = FALSE;
  tokens->keyring_result = result;
  switch (result) {
  case RELAY_SECRET_DONE:
    if (is_outdated (tokens, secret)) {
      settle (tokens);
      break;
    }
    tokens->from_keyring = TRUE;
    relay_secret_clear (&tokens->keyring_outdated);
    take_source (tokens, secret, NULL);
    break;
  case RELAY_SECRET_NONE:
    take_other_source (tokens, NULL, NULL);
    break;
  case RELAY_SECRET_BAD:
    deliver_trouble (tokens, RELAY_CAUSE_BAD_CREDENTIALS, reason);
    break;
  case RELAY_SECRET_LOCKED:
  case RELAY_SECRET_FAILED:
    set_keyring_trouble (tokens, relay_trouble_new (result == RELAY_SECRET_LOCKED ? RELAY_CAUSE_KEYRING_LOCKED
                                                                                  : RELAY_CAUSE_KEYRING_FAILED,
                                                    reason));
    G_GNUC_FALLTHROUGH;
  case RELAY_SECRET_ABSENT:
    if (tokens->from_keyring)
      settle (tokens);
    else
      take_other_source (tokens, NULL, NULL);
    break;
  default:
    g_assert_not_reached ();
  }
}

static void
ask_keyring (RelayTokens *tokens)
{
  tokens->keyring_again = FALSE;
  tokens->keyring = relay_secret_lookup (RELAY_SECRET_ACCESS_TOKEN, tokens->options.keyring_url,
                                         RELAY_SECRET_TIMEOUT_USEC, on_keyring_answered, tokens);
}

/* Its token is at hand, and nobody has told of another one. */
static gboolean
needs_keyring (RelayTokens *tokens)
{
  return tokens->keyring_due || !tokens->from_keyring || !is_wanted (tokens, tokens->current) ||
         !token_is_good (tokens->current);
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

static gboolean
read_token_file (const RelayTokenOptions *options, char **ret_secret, GError **error)
{
  *ret_secret = NULL;
  if (options->token_file != NULL)
    return relay_credential_read_file ("TokenFile", options->token_file, RELAY_CREDENTIAL_PRIVATE, ret_secret, error);
  if (options->login_token_file != NULL)
    return relay_credential_read_file (_("The token in"), options->login_token_file, RELAY_CREDENTIAL_PRIVATE, ret_secret,
                                       error);
  return TRUE;
}

static void
consult (RelayTokens *tokens)
{
  relay_autosecret char *secret = NULL;
  g_autoptr (GError) error = NULL;

  tokens->keyring_matters = FALSE;
  tokens->keyring_due |= tokens->is_unread;
  tokens->is_unread = FALSE;
  set_keyring_trouble (tokens, NULL);
  if (!relay_credential_read_systemd (RELAY_CREDENTIAL_TOKEN, &secret, &error) || secret != NULL)
    take_other_source (tokens, secret, error);
  else if (tokens->options.token_command != NULL && needs_command (tokens))
    tokens->command = relay_command_start ((const char *const *) tokens->options.token_command,
                                           RELAY_TOKEN_COMMAND_TIMEOUT_USEC, on_command_done, tokens);
  else if (tokens->options.token_command != NULL)
    settle (tokens);
  else if (!read_token_file (&tokens->options, &secret, &error) || secret != NULL ||
           tokens->options.keyring_url == NULL)
    take_other_source (tokens, secret, error);
  else {
    tokens->keyring_matters = TRUE;
    if (needs_keyring (tokens))
      ask_keyring (tokens);
    else
      settle (tokens);
  }
}

static gboolean
on_begin (gpointer user_data)
{
  RelayTokens *tokens = user_data;

  tokens->begin_id = 0;
  if (tokens->refresher == NULL || !relay_refresher_is_running (tokens->refresher))
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
         g_strcmp0 (a->client_id, b->client_id) == 0 && g_strcmp0 (a->keyring_url, b->keyring_url) == 0 &&
         g_strcmp0 (a->refresh_token_file, b->refresh_token_file) == 0;
}

/* @login_path: if @path is NULL. In a folder that does not exist nothing appears unless by `prpctl login`, which says so;
 * to look for the folder time and again would wake the machine up for nothing. */
static RelayFileWatch *
watch_file (const char *path, const char *login_path, RelayFileWatchChanged changed, RelayTokens *tokens)
{
  g_autofree char *folder = NULL;

  if (path == NULL && login_path != NULL) {
    folder = g_path_get_dirname (login_path);
    path = g_file_test (folder, G_FILE_TEST_IS_DIR) ? login_path : NULL;
  }
  return path != NULL ? relay_file_watch_new (path, changed, tokens) : NULL;
}

/* What hangs on the options. A refresher is kept if it is still there. */
static void
set_up (RelayTokens *tokens)
{
  const RelayTokenOptions *options = &tokens->options;

  if (options->token_command == NULL)
    tokens->token_watch = watch_file (options->token_file, options->login_token_file, on_token_file_changed, tokens);
  if (options->refresh_url == NULL)
    return;
  if (tokens->refresher == NULL)
    tokens->refresher = relay_refresher_new (options->refresh_url, options->ca_file, options->client_id,
                                             options->refresh_token_file != NULL
                                               ? options->refresh_token_file
                                               : options->login_refresh_token_file,
                                             options->keyring_url, RELAY_TOKEN_REFRESH_TIMEOUT_USEC);
  tokens->refresh_watch =
    watch_file (options->refresh_token_file, options->login_refresh_token_file, on_refresh_file_changed, tokens);
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
  g_clear_pointer (&tokens->keyring_look, relay_secret_call_free);
  if (!is_same_source (&tokens->options, options) ||
      (tokens->from_keyring && g_strcmp0 (tokens->options.keyring_url, options->keyring_url) != 0)) {
    replace_token (&tokens->source, NULL);
    replace_token (&tokens->current, NULL);
    tokens->from_keyring = FALSE;
    relay_secret_clear (&tokens->keyring_outdated);
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
  relay_secret_call_free (tokens->keyring_look);
  relay_secret_call_free (tokens->keyring_store);
  relay_trouble_free (tokens->keyring_trouble);
  relay_secret_free (tokens->keyring_outdated);
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
  return tokens->refresher != NULL && relay_refresher_is_at_risk (tokens->refresher);
}

/* Would the sources, if they were read again, give something else than the last time? */
static gboolean
is_other (const RelayTokens *tokens, RelaySecretResult result, const char *secret)
{
  if (tokens->keyring_trouble != NULL && result != tokens->keyring_result)
    return TRUE;
  if (secret != NULL)
    return tokens->source == NULL || !g_str_equal (tokens->source->value, secret);
  if (tokens->from_keyring)
    return result == RELAY_SECRET_NONE || result == RELAY_SECRET_BAD;
  return result != tokens->keyring_result;
}

static void
on_keyring_looked (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  RelayTokens *tokens = user_data;
  gboolean changed = !is_outdated (tokens, secret) && is_other (tokens, result, secret);

  g_clear_pointer (&tokens->keyring_look, relay_secret_call_free);
  if (!changed || tokens->changed == NULL)
    return;
  tokens->keyring_due = TRUE;
  tokens->changed (tokens->changed_data);
}

/* Other programs' items change as well, so it is looked first: whoever hears of a change begins to connect. Where it may be
 * about a refresh token, that is the look. */
void
relay_tokens_keyring_changed (RelayTokens *tokens)
{
  gboolean wants_refresh_token = tokens->refresher != NULL && relay_refresher_has_keyring (tokens->refresher) &&
                                 (tokens->keyring_trouble != NULL || tokens->current == NULL);

  if (tokens->keyring != NULL)
    tokens->keyring_again = TRUE;
  else if (!tokens->keyring_matters && tokens->keyring_trouble == NULL)
    return;
  else if (wants_refresh_token && tokens->changed != NULL)
    tokens->changed (tokens->changed_data);
  else if (tokens->keyring_store == NULL) {
    relay_secret_call_free (tokens->keyring_look);
    tokens->keyring_look = relay_secret_lookup (RELAY_SECRET_ACCESS_TOKEN, tokens->options.keyring_url,
                                                RELAY_SECRET_TIMEOUT_USEC, on_keyring_looked, tokens);
  }
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
  g_free (options->login_token_file);
  g_free (options->login_refresh_token_file);
  g_free (options->keyring_url);
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
    .login_token_file = g_strdup (options->login_token_file),
    .login_refresh_token_file = g_strdup (options->login_refresh_token_file),
    .keyring_url = g_strdup (options->keyring_url),
  };
}
