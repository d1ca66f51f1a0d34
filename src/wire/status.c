/* SPDX-License-Identifier: MIT */
#include "wire/status.h"

#include "common/names.h"

typedef struct {
  RelayStatusChanged changed;
  gpointer user_data;
} Watcher;

RelayStatus *
relay_status_new (void)
{
  RelayStatus *status = g_new0 (RelayStatus, 1);

  status->state = RELAY_STATE_DISCONNECTED;
  status->connection_error.code = g_strdup ("");
  status->connection_error.text = g_strdup ("");
  status->store_error.code = g_strdup ("");
  status->store_error.text = g_strdup ("");
  status->error_code = status->connection_error.code;
  status->error_text = status->connection_error.text;
  status->url = g_strdup ("");
  status->connection_id = g_strdup ("");
  status->server_version = g_strdup ("");
  status->features = g_new0 (char *, 1);
  status->watchers = g_array_new (FALSE, FALSE, sizeof (Watcher));
  return status;
}

void
relay_status_free (RelayStatus *status)
{
  if (status == NULL)
    return;
  g_free (status->connection_error.code);
  g_free (status->connection_error.text);
  g_free (status->store_error.code);
  g_free (status->store_error.text);
  g_free (status->url);
  g_free (status->connection_id);
  g_free (status->server_version);
  g_strfreev (status->features);
  g_array_unref (status->watchers);
  g_free (status);
}

void
relay_status_watch (RelayStatus *status, RelayStatusChanged changed, gpointer user_data)
{
  Watcher watcher = { changed, user_data };

  g_array_append_val (status->watchers, watcher);
}

void
relay_status_unwatch (RelayStatus *status, RelayStatusChanged changed, gpointer user_data)
{
  for (guint i = 0; i < status->watchers->len; i++) {
    const Watcher *watcher = &g_array_index (status->watchers, Watcher, i);

    if (watcher->changed == changed && watcher->user_data == user_data) {
      g_array_remove_index (status->watchers, i);
      return;
    }
  }
}

static void
notify (RelayStatus *status, RelayStatusFields fields)
{
  for (guint i = 0; i < status->watchers->len; i++) {
    const Watcher *watcher = &g_array_index (status->watchers, Watcher, i);

    watcher->changed (status, fields, watcher->user_data);
  }
}

static gboolean
replace (char **string, const char *value)
{
  if (g_str_equal (*string, value))
    return FALSE;
  g_free (*string);
  *string = g_strdup (value);
  return TRUE;
}

void
relay_status_set_state (RelayStatus *status, RelayState state)
{
  if (status->state == state)
    return;
  status->state = state;
  notify (status, RELAY_STATUS_STATE);
}

/* Replaces one of the two errors, and tells if that made another one the shown one. */
static void
set_error (RelayStatus *status, char **code, char **text, const char *new_code, const char *new_text)
{
  g_autofree char *shown_code = g_strdup (status->error_code);
  g_autofree char *shown_text = g_strdup (status->error_text);
  gboolean connection;

  replace (code, new_code);
  replace (text, new_text);
  connection = status->connection_error.code[0] != '\0' || status->connection_error.text[0] != '\0';
  status->error_code = connection ? status->connection_error.code : status->store_error.code;
  status->error_text = connection ? status->connection_error.text : status->store_error.text;
  if (!g_str_equal (shown_code, status->error_code) || !g_str_equal (shown_text, status->error_text))
    notify (status, RELAY_STATUS_LAST_ERROR);
}

void
relay_status_set_error (RelayStatus *status, const char *code, const char *text)
{
  set_error (status, &status->connection_error.code, &status->connection_error.text, code, text);
}

void
relay_status_set_store_error (RelayStatus *status, const char *code, const char *text)
{
  set_error (status, &status->store_error.code, &status->store_error.text, code, text);
}

void
relay_status_set_next_attempt (RelayStatus *status, guint64 realtime_usec)
{
  if (status->next_attempt_usec == realtime_usec)
    return;
  status->next_attempt_usec = realtime_usec;
  notify (status, RELAY_STATUS_NEXT_ATTEMPT);
}

void
relay_status_set_attempts (RelayStatus *status, guint attempts)
{
  if (status->attempts == attempts)
    return;
  status->attempts = attempts;
  notify (status, RELAY_STATUS_ATTEMPTS);
}

void
relay_status_set_url (RelayStatus *status, const char *url)
{
  if (replace (&status->url, url))
    notify (status, RELAY_STATUS_URL);
}

void
relay_status_set_server (RelayStatus *status, const char *connection_id, const char *version, const char *const *features)
{
  static const char *const none[] = { NULL };
  gboolean changed;

  if (features == NULL)
    features = none;
  changed = replace (&status->connection_id, connection_id);
  changed = replace (&status->server_version, version) || changed;
  if (!g_strv_equal ((const char *const *) status->features, features)) {
    g_strfreev (status->features);
    status->features = g_strdupv ((char **) features);
    changed = TRUE;
  }
  if (changed)
    notify (status, RELAY_STATUS_SERVER);
}

void
relay_status_set_connected_since (RelayStatus *status, guint64 realtime_usec)
{
  if (status->connected_since_usec == realtime_usec)
    return;
  status->connected_since_usec = realtime_usec;
  notify (status, RELAY_STATUS_CONNECTED_SINCE);
}

void
relay_status_set_token_expires (RelayStatus *status, guint64 realtime_usec)
{
  if (status->token_expires_usec == realtime_usec)
    return;
  status->token_expires_usec = realtime_usec;
  notify (status, RELAY_STATUS_TOKEN_EXPIRES);
}

void
relay_status_set_reloaded (RelayStatus *status, guint64 realtime_usec)
{
  if (status->reloaded_usec == realtime_usec)
    return;
  status->reloaded_usec = realtime_usec;
  notify (status, RELAY_STATUS_RELOADED);
}

const char *
relay_state_to_string (RelayState state)
{
  static const char *const names[] = {
    [RELAY_STATE_CONNECTING] = RELAY_STATE_NAME_CONNECTING,
    [RELAY_STATE_CONNECTED] = RELAY_STATE_NAME_CONNECTED,
    [RELAY_STATE_WAITING] = RELAY_STATE_NAME_WAITING,
    [RELAY_STATE_OFFLINE] = RELAY_STATE_NAME_OFFLINE,
    [RELAY_STATE_UNAUTHORIZED] = RELAY_STATE_NAME_UNAUTHORIZED,
    [RELAY_STATE_DISCONNECTED] = RELAY_STATE_NAME_DISCONNECTED,
  };

  return names[state];
}
