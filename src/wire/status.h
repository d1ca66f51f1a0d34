/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * What is known of the relay, for whoever wants to show it: written by the connection's side and the store's, read by
 * the bus's. Each field has one setter, which calls the watchers if the value really changed.
 *
 * The error has two: the connection's trouble is shown where there is one, else the store's. Each of them sets its own,
 * and takes it back, without a thought for the other.
 */
typedef enum {
  RELAY_STATE_CONNECTING,
  RELAY_STATE_CONNECTED,
  RELAY_STATE_WAITING,
  RELAY_STATE_OFFLINE,
  RELAY_STATE_UNAUTHORIZED,
  RELAY_STATE_DISCONNECTED,
} RelayState;

typedef enum {
  RELAY_STATUS_STATE = 1 << 0,
  RELAY_STATUS_LAST_ERROR = 1 << 1,
  RELAY_STATUS_NEXT_ATTEMPT = 1 << 2,
  RELAY_STATUS_ATTEMPTS = 1 << 3,
  RELAY_STATUS_URL = 1 << 4,
  RELAY_STATUS_SERVER = 1 << 5, /* ConnectionId, ServerVersion, Features */
  RELAY_STATUS_CONNECTED_SINCE = 1 << 6,
  RELAY_STATUS_TOKEN_EXPIRES = 1 << 7,
  RELAY_STATUS_RELOADED = 1 << 8,
} RelayStatusFields;

typedef struct RelayStatus RelayStatus;
typedef void (*RelayStatusChanged) (const RelayStatus *status, RelayStatusFields fields, gpointer user_data);

/* Times are CLOCK_REALTIME µs, 0 for none. Read freely, write through the setters; the counters are written directly. */
struct RelayStatus {
  RelayState state;
  const char *error_code, *error_text; /* what is shown; "" when there is none */
  guint64 next_attempt_usec;
  guint attempts;
  char *url;
  char *connection_id, *server_version;
  char **features;
  guint64 connected_since_usec;
  guint64 token_expires_usec;
  guint64 reloaded_usec; /* when the configuration was read last, with success */
  guint64 last_alive_usec;

  guint64 events_received, events_emitted, duplicates_dropped, malformed_dropped, connections, bytes_received;

  /* private */
  struct {
    char *code, *text;
  } connection_error, store_error;
  GArray *watchers;
};

RelayStatus *relay_status_new (void);
void relay_status_free (RelayStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayStatus, relay_status_free)

/* Any number of watchers, called in the order they came. _unwatch takes the same arguments. */
void relay_status_watch (RelayStatus *status, RelayStatusChanged changed, gpointer user_data);
void relay_status_unwatch (RelayStatus *status, RelayStatusChanged changed, gpointer user_data);

void relay_status_set_state (RelayStatus *status, RelayState state);
/* Of the connection; "" and "" when all is well with it. */
void relay_status_set_error (RelayStatus *status, const char *code, const char *text);
/* Likewise, of the store. */
void relay_status_set_store_error (RelayStatus *status, const char *code, const char *text);
void relay_status_set_next_attempt (RelayStatus *status, guint64 realtime_usec);
void relay_status_set_attempts (RelayStatus *status, guint attempts);
void relay_status_set_url (RelayStatus *status, const char *url);
/* @features may be NULL: none. */
void relay_status_set_server (RelayStatus *status, const char *connection_id, const char *version, const char *const *features);
void relay_status_set_connected_since (RelayStatus *status, guint64 realtime_usec);
void relay_status_set_token_expires (RelayStatus *status, guint64 realtime_usec);
void relay_status_set_reloaded (RelayStatus *status, guint64 realtime_usec);

/* "connecting", … Static. */
const char *relay_state_to_string (RelayState state);
