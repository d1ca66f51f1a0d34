/* SPDX-License-Identifier: MIT */
#include "auth/refresh.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "auth/secret-service.h"
#include "auth/token-reply.h"
#include "common/error.h"
#include "common/http.h"
#include "common/log.h"
#include "common/names.h"

/*
 * The danger in refreshing is to lose the refresh token. Where the server replaces it with each use, the old one
 * is void from the moment the request arrives; an answer that nobody reads locks the user out. Hence:
 *
 * - a request that was sent is seen through, even when nobody waits for it any more (Request holds the refresher);
 * - the new refresh token is on the disk, or in the keyring if the old one came from there, before the access token is
 *   handed out;
 * - one that cannot be stored is kept in memory and used from there, until the file or the keyring's item has been
 *   changed by somebody else (who has signed in again).
 *
 * Nothing of an answer is shown or logged but the error codes that RFC 6749 §5.2 defines: whatever else the server
 * says could quote a token.
 */
typedef struct {
  guint64 inode, size;
  gint64 mtime_nsec, ctime_nsec;
} Signature; /* of a file; all zero: not there */

struct RelayRefresher {
  gint ref_count;
  char *url, *ca_file, *client_id, *token_file, *keyring_url;
  guint64 timeout_usec;
  char *unsaved;       /* a refresh token that could not be stored; NULL: what is stored is up to date */
  char *stale;         /* what the keyring holds instead of it; NULL: it is the file that could not be written */
  Signature signature; /* of token_file after we wrote it, or tried to */
  gboolean running, at_risk;
  RelayRefreshDone done; /* NULL while nobody waits */
  gpointer user_data;
};

typedef struct {
  RelayRefresher *refresher;
  SoupSession *session;
  SoupMessage *message;
  GCancellable *cancellable;
  GSource *deadline;
  gboolean timed_out;
  char *refresh_token; /* the one that was sent */
  gboolean from_keyring; /* that is where it was */
  RelaySecretCall *keyring;
  char *access_token;  /* of the answer, with life_usec, or fault: why it is of no use */
  char *new_refresh_token;
  guint64 life_usec;
  GError *fault;
  char *reply;         /* RELAY_REFRESH_MAX_REPLY_BYTES + 1 */
  gsize length;
} Request;

static Signature
get_signature (const char *path)
{
  Signature signature = { 0 };
  struct stat st;

  if (path != NULL && stat (path, &st) == 0) {
    signature.inode = st.st_ino;
    signature.size = (guint64) st.st_size;
    signature.mtime_nsec = (gint64) st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    signature.ctime_nsec = (gint64) st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
  }
  return signature;
}

/* -- the refresh token ---------------------------------------------------------------------------------------- */

RelayRefresher *
relay_refresher_new (const char *url, const char *ca_file, const char *client_id, const char *token_file,
                     const char *keyring_url, guint64 timeout_usec)
{
  RelayRefresher *refresher = g_new0 (RelayRefresher, 1);

  refresher->ref_count = 1;
  refresher->url = g_strdup (url);
  refresher->ca_file = g_strdup (ca_file);
  refresher->client_id = g_strdup (client_id);
  refresher->token_file = g_strdup (token_file);
  refresher->keyring_url = g_strdup (keyring_url);
  refresher->timeout_usec = timeout_usec;
  return refresher;
}

static void
refresher_unref (RelayRefresher *refresher)
{
  if (--refresher->ref_count > 0)
    return;
  g_free (refresher->url);
  g_free (refresher->ca_file);
  g_free (refresher->client_id);
  g_free (refresher->token_file);
  g_free (refresher->keyring_url);
  relay_secret_free (refresher->unsaved);
  relay_secret_free (refresher->stale);
  g_free (refresher);
}

void
relay_refresher_free (RelayRefresher *refresher)
{
  if (refresher == NULL)
    return;
  refresher->done = NULL;
  refresher_unref (refresher);
}

gboolean
relay_refresher_is_file_foreign (RelayRefresher *refresher)
{
  Signature now = get_signature (refresher->token_file);

  return memcmp (&now, &refresher->signature, sizeof now) != 0;
}

/* TRUE with *ret_token NULL where there is none. The keyring is not asked. */
static gboolean
read_refresh_token (RelayRefresher *refresher, char **ret_token, GError **error)
{
  relay_autosecret char *token = NULL;

  if (refresher->unsaved != NULL && refresher->stale == NULL && !relay_refresher_is_file_foreign (refresher)) {
    *ret_token = g_strdup (refresher->unsaved);
    return TRUE;
  }
  if (refresher->stale == NULL)
    relay_secret_clear (&refresher->unsaved);

  if (refresher->token_file != NULL &&
      !relay_credential_read_file ("RefreshTokenFile", refresher->token_file, RELAY_CREDENTIAL_PRIVATE, &token,
                                   error))
    return FALSE;
  if (token == NULL && !relay_credential_read_systemd (RELAY_CREDENTIAL_REFRESH_TOKEN, &token, error))
    return FALSE;
  *ret_token = g_steal_pointer (&token);
  return TRUE;
}

gboolean
relay_refresher_is_ready (RelayRefresher *refresher, GError **error)
{
  relay_autosecret char *token = NULL;

  return read_refresh_token (refresher, &token, error) && (token != NULL || refresher->unsaved != NULL);
}

gboolean
relay_refresher_has_keyring (RelayRefresher *refresher)
{
  return refresher->keyring_url != NULL;
}

static void
store_refresh_token (RelayRefresher *refresher, const char *token)
{
  g_autoptr (GError) error = NULL;

  relay_secret_clear (&refresher->unsaved);
  relay_secret_clear (&refresher->stale);
  if (refresher->token_file == NULL)
    relay_log_fields (LOG_ERR, NULL,
                      "The server replaced the refresh token, and there is no RefreshTokenFile= to store it in: "
                      "it is lost when this program ends");
  else if (!relay_credential_write_file (refresher->token_file, token, &error))
    relay_log_fields (LOG_ERR, RELAY_LOG_FIELDS ("PRP_FILE", refresher->token_file),
                      "The new refresh token cannot be stored, and is lost when this program ends: %s",
                      error->message);
  if (refresher->token_file == NULL || error != NULL)
    refresher->unsaved = g_strdup (token);
  refresher->signature = get_signature (refresher->token_file);
}

/* -- the request ---------------------------------------------------------------------------------------------- */

gboolean
relay_refresher_is_running (RelayRefresher *refresher)
{
  return refresher->running;
}

gboolean
relay_refresher_is_at_risk (RelayRefresher *refresher)
{
  return refresher->at_risk;
}

static void
request_free (Request *request)
{
  if (request->deadline != NULL) {
    g_source_destroy (request->deadline);
    g_source_unref (request->deadline);
  }
  if (request->reply != NULL)
    explicit_bzero (request->reply, RELAY_REFRESH_MAX_REPLY_BYTES + 1);
  g_free (request->reply);
  relay_secret_free (request->refresh_token);
  relay_secret_free (request->access_token);
  relay_secret_free (request->new_refresh_token);
  relay_secret_call_free (request->keyring);
  g_clear_error (&request->fault);
  g_clear_object (&request->message);
  g_clear_object (&request->session);
  g_clear_object (&request->cancellable);
  refresher_unref (request->refresher);
  g_free (request);
}

/* The one end of every request. Takes @request and @trouble. */
static void
finish (Request *request, const char *access_token, guint64 life_usec, RelayTrouble *trouble)
{
  G_GNUC_UNUSED g_autoptr (RelayTrouble) owned_trouble = trouble;
  RelayRefresher *refresher = request->refresher;
  RelayRefreshDone done = refresher->done;

  refresher->done = NULL;
  refresher->running = refresher->at_risk = FALSE;
  if (done != NULL)
    done (access_token, life_usec, trouble, refresher->user_data);
  request_free (request);
}

/* Takes @error. */
static void
fail (Request *request, GError *error)
{
  g_autoptr (GError) owned_error = error;

  finish (request, NULL, 0, relay_trouble_new_from_error (RELAY_CAUSE_RENEWAL_FAILED, owned_error));
}

/* The request did not get an answer. */
static void
fail_with_error (Request *request, const GError *error)
{
  g_autoptr (RelayTrouble) trouble = NULL;

  if (request->timed_out) {
    fail (request, relay_error_new (RELAY_ERROR_TIMEOUT, N_("the token endpoint did not answer in time.")));
    return;
  }
  trouble = relay_http_explain (request->message, error);
  finish (request, NULL, 0, relay_trouble_new_from_trouble (RELAY_CAUSE_RENEWAL_FAILED, trouble));
}

/* An answer that is not a success. */
static void
fail_with_status (Request *request)
{
  guint status = soup_message_get_status (request->message);
  g_autoptr (RelayTrouble) explained = relay_http_explain (request->message, NULL);
  g_autoptr (GError) detail = NULL;
  RelayTrouble *trouble;

  if (status == 400 || status == 401 || status == 403) {
    const char *code = relay_token_reply_read_error (request->reply, request->length);

    /* A bare 400 may come from anything on the way; the others are about who asks. */
    if (code != NULL || status != 400) {
      detail = code != NULL ? g_error_new_literal (RELAY_ERROR, RELAY_ERROR_AUTH_FAILED, code)
                            : relay_error_new (RELAY_ERROR_AUTH_FAILED, N_("HTTP status %u"), status);
      finish (request, NULL, 0, relay_trouble_new_from_error (RELAY_CAUSE_RENEWAL_REFUSED, detail));
      return;
    }
  }

  if (status / 100 == 3)
    detail = relay_error_new (RELAY_ERROR_SERVER, N_("the token endpoint redirects elsewhere, which is not followed. Is "
                                                     "RefreshUrl= in relay.conf right?"));
  else
    detail = relay_error_new (RELAY_ERROR_SERVER, N_("the token endpoint answered with HTTP status %u."), status);
  trouble = relay_trouble_new_from_error (RELAY_CAUSE_RENEWAL_FAILED, detail);
  if (explained->remedy == RELAY_REMEDY_RETRY_AFTER) {
    trouble->remedy = RELAY_REMEDY_RETRY_AFTER;
    trouble->retry_after_usec = explained->retry_after_usec;
  }
  finish (request, NULL, 0, trouble);
}

static void
read_reply (Request *request)
{
  RelayTokenReply reply = { 0 };

  (void) relay_token_reply_read (&reply, request->reply, request->length, &request->fault);
  request->access_token = g_steal_pointer (&reply.access_token);
  request->new_refresh_token = g_steal_pointer (&reply.refresh_token);
  request->life_usec = reply.life_usec;
}

/* Whatever there was to store is stored. */
static void
conclude (Request *request)
{
  if (request->fault != NULL)
    fail (request, g_steal_pointer (&request->fault));
  else
    finish (request, request->access_token, request->life_usec, NULL);
}

static void
on_stored_in_keyring (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  Request *request = user_data;
  RelayRefresher *refresher = request->refresher;

  relay_secret_clear (&refresher->unsaved);
  if (result != RELAY_SECRET_DONE) {
    relay_log_fields (LOG_ERR, NULL,
                      "The new refresh token cannot be stored in the keyring, and is lost when this program ends: %s",
                      reason);
    refresher->unsaved = g_steal_pointer (&request->new_refresh_token);
    if (refresher->stale == NULL)
      refresher->stale = g_strdup (request->refresh_token);
  } else
    relay_secret_clear (&refresher->stale);
  conclude (request);
}

static void
take_reply (Request *request)
{
  RelayRefresher *refresher = request->refresher;

  read_reply (request);
  /* The one that was sent, if it could not be stored before. */
  if (request->new_refresh_token == NULL && request->from_keyring && refresher->unsaved != NULL)
    request->new_refresh_token = g_strdup (request->refresh_token);
  /* Before all else, even if the rest is of no use. */
  if (request->new_refresh_token != NULL &&
      ((request->from_keyring && refresher->stale != NULL) || !g_str_equal (request->new_refresh_token, request->refresh_token))) {
    if (request->from_keyring) {
      relay_secret_call_free (request->keyring);
      request->keyring = relay_secret_replace (RELAY_SECRET_REFRESH_TOKEN, refresher->keyring_url,
                                               request->new_refresh_token, RELAY_SECRET_TIMEOUT_USEC,
                                               on_stored_in_keyring, request);
      return;
    }
    store_refresh_token (refresher, request->new_refresh_token);
  }
  conclude (request);
}

static void
on_read (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  Request *request = user_data;
  g_autoptr (GError) error = NULL;
  gboolean success = SOUP_STATUS_IS_SUCCESSFUL (soup_message_get_status (request->message));

  if (!g_input_stream_read_all_finish (G_INPUT_STREAM (stream), result, &request->length, &error) &&
      (success || request->timed_out))
    fail_with_error (request, error);
  else if (!success)
    fail_with_status (request);
  else if (request->length > RELAY_REFRESH_MAX_REPLY_BYTES)
    fail (request, relay_error_new (RELAY_ERROR_SERVER, N_("the answer of the token endpoint is too long.")));
  else
    take_reply (request);
}

static void
on_sent (GObject *session, GAsyncResult *result, gpointer user_data)
{
  Request *request = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) stream = soup_session_send_finish (SOUP_SESSION (session), result, &error);

  if (stream == NULL) {
    fail_with_error (request, error);
    return;
  }
  request->reply = g_malloc (RELAY_REFRESH_MAX_REPLY_BYTES + 1);
  g_input_stream_read_all_async (stream, request->reply, RELAY_REFRESH_MAX_REPLY_BYTES + 1, G_PRIORITY_DEFAULT,
                                 request->cancellable, on_read, request);
}

static gboolean
on_deadline (gpointer user_data)
{
  Request *request = user_data;

  request->timed_out = TRUE;
  g_cancellable_cancel (request->cancellable);
  return G_SOURCE_REMOVE;
}

/* @form: taken, and wiped when libsoup has sent it. */
static void
send_form (Request *request, char *form)
{
  SoupMessageHeaders *headers = soup_message_get_request_headers (request->message);
  g_autoptr (GBytes) body =
    g_bytes_new_with_free_func (form, strlen (form), (GDestroyNotify) relay_secret_free, form);

  soup_message_set_request_body_from_bytes (request->message, "application/x-www-form-urlencoded", body);
  soup_message_headers_replace (headers, "Accept", "application/json");

  request->deadline = g_timeout_source_new ((guint) (request->refresher->timeout_usec / 1000));
  g_source_set_callback (request->deadline, on_deadline, request, NULL);
  g_source_attach (request->deadline, NULL);
  soup_session_send_async (request->session, request->message, G_PRIORITY_DEFAULT, request->cancellable, on_sent,
                           request);
}

/* There is a refresh token. */
static void
send_refresh_token (Request *request)
{
  RelayRefresher *refresher = request->refresher;
  g_autoptr (GError) error = NULL;

  request->session = relay_http_session_new (refresher->url, refresher->ca_file, 0, &error);
  if (request->session == NULL) {
    fail (request, g_steal_pointer (&error));
    return;
  }
  refresher->at_risk = TRUE;
  request->message = relay_http_message_new (SOUP_METHOD_POST, refresher->url, request->cancellable);
  /* A client_id that is NULL ends the list. */
  send_form (request, soup_form_encode ("grant_type", "refresh_token", "refresh_token", request->refresh_token,
                                        refresher->client_id != NULL ? "client_id" : NULL, refresher->client_id,
                                        NULL));
}

static RelayCause
cause_of (RelaySecretResult result)
{
  switch (result) {
  case RELAY_SECRET_LOCKED:
    return RELAY_CAUSE_KEYRING_LOCKED;
  case RELAY_SECRET_FAILED:
    return RELAY_CAUSE_KEYRING_FAILED;
  case RELAY_SECRET_BAD:
    return RELAY_CAUSE_BAD_CREDENTIALS;
  case RELAY_SECRET_DONE:
  case RELAY_SECRET_NONE:
  case RELAY_SECRET_ABSENT:
  default:
    return RELAY_CAUSE_NO_CREDENTIALS;
  }
}

static void
on_looked_up (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  Request *request = user_data;
  RelayRefresher *refresher = request->refresher;

  if (secret != NULL && g_strcmp0 (secret, refresher->stale) != 0) {
    relay_secret_clear (&refresher->unsaved);
    relay_secret_clear (&refresher->stale);
    request->refresh_token = g_strdup (secret);
  } else
    request->refresh_token = g_strdup (refresher->unsaved);
  request->from_keyring = TRUE;

  if (refresher->done == NULL)
    finish (request, NULL, 0, NULL); /* freed before anything was sent */
  else if (request->refresh_token != NULL)
    send_refresh_token (request);
  else
    finish (request, NULL, 0, relay_trouble_new (cause_of (result), reason));
}

static gboolean
on_start (gpointer user_data)
{
  Request *request = user_data;
  RelayRefresher *refresher = request->refresher;
  g_autoptr (GError) error = NULL;

  if (refresher->done == NULL)
    finish (request, NULL, 0, NULL); /* freed before anything was sent */
  else if (!read_refresh_token (refresher, &request->refresh_token, &error))
    finish (request, NULL, 0, relay_trouble_new_from_error (relay_credential_get_cause (error), error));
  else if (request->refresh_token != NULL)
    send_refresh_token (request);
  else if (refresher->keyring_url != NULL)
    request->keyring = relay_secret_lookup (RELAY_SECRET_REFRESH_TOKEN, refresher->keyring_url,
                                            RELAY_SECRET_TIMEOUT_USEC, on_looked_up, request);
  else
    finish (request, NULL, 0, relay_trouble_new (RELAY_CAUSE_NO_CREDENTIALS, NULL));
  return G_SOURCE_REMOVE;
}

void
relay_refresher_start (RelayRefresher *refresher, RelayRefreshDone done, gpointer user_data)
{
  Request *request;

  g_return_if_fail (!refresher->running);

  request = g_new0 (Request, 1);
  request->refresher = refresher;
  request->cancellable = g_cancellable_new ();
  refresher->ref_count++;
  refresher->running = TRUE;
  refresher->done = done;
  refresher->user_data = user_data;

  /* Not from within this call, even where it fails at once. */
  g_idle_add_full (G_PRIORITY_DEFAULT, on_start, request, NULL);
}
