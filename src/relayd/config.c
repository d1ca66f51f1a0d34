/* SPDX-License-Identifier: MIT */
#include "relayd/config.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "auth/secret-service.h"
#include "common/error.h"
#include "common/http.h"
#include "common/names.h"
#include "config/key-file.h"
#include "config/notifications.h"

/*
 * One table lists the keys: where each is written, what it may be, what it is if it is left out; key-file.c reads it. The
 * groups of other programs are checked along with it, so that who reloads the relay is told of all that is wrong with the
 * file.
 */

/* ---- what is allowed ---- */

static gboolean
check_service (const char *url, GError **error)
{
  return relay_http_check_url (url, "wss", "ws", error);
}

static gboolean
check_token_endpoint (const char *url, GError **error)
{
  return relay_http_check_url (url, "https", "http", error);
}

static gboolean
check_readable (const char *path, GError **error)
{
  if (access (path, R_OK) == 0)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, _("the file cannot be read: %s"), g_strerror (errno));
  return FALSE;
}

/* ---- the table ---- */

#define FIELD(member) G_STRUCT_OFFSET (RelayConfig, connector.member)
#define OWN_FIELD(member) G_STRUCT_OFFSET (RelayConfig, member)

/* The limits of numbers are where they stop to make sense, or where memory would no longer be bounded. */
static const RelayKey keys[] = {
  { "Server", "Url", RELAY_KEY_ADDRESS, FIELD (link.url), .initial_text = RELAY_DEFAULT_URL, .check = check_service },
  { "Server", "CaFile", RELAY_KEY_PATH, FIELD (link.ca_file), .check = check_readable },
  { "Auth", "TokenFile", RELAY_KEY_PATH, FIELD (tokens.token_file) },
  { "Auth", "TokenCommand", RELAY_KEY_COMMAND, FIELD (tokens.token_command) },
  { "Auth", "RefreshUrl", RELAY_KEY_ADDRESS, FIELD (tokens.refresh_url), .check = check_token_endpoint },
  { "Auth", "RefreshTokenFile", RELAY_KEY_PATH, FIELD (tokens.refresh_token_file) },
  { "Auth", "ClientId", RELAY_KEY_TEXT, FIELD (tokens.client_id) },
  { "Reconnect", "InitialDelaySec", RELAY_KEY_SECONDS, FIELD (initial_delay_usec), 1, 0.01, 3600 },
  { "Reconnect", "MaxDelaySec", RELAY_KEY_SECONDS, FIELD (max_delay_usec), 60, 0.01, 86400 },
  { "Reconnect", "MaxAttempts", RELAY_KEY_COUNT, FIELD (max_attempts), 0, 0, 1000000 },
  { "Heartbeat", "PingIntervalSec", RELAY_KEY_SECONDS, FIELD (link.ping_interval_usec), 30, 0.05, 3600 },
  { "Heartbeat", "PongTimeoutSec", RELAY_KEY_SECONDS, FIELD (link.pong_timeout_usec), 10, 0.05, 600 },
  { "Limits", "MaxMessageBytes", RELAY_KEY_BYTES, FIELD (link.max_message_bytes), 1048576, 1024,
    RELAY_CONFIG_MAX_MESSAGE_BYTES_MAX },
  { "Limits", "MaxChannels", RELAY_KEY_COUNT, OWN_FIELD (max_channels), 10000, 1, 100000 },
  { "Limits", "MaxHoldsPerClient", RELAY_KEY_COUNT, OWN_FIELD (max_holds_per_client), 100, 1, 10000 },
  { "Limits", "ActionsPerSec", RELAY_KEY_RATE, FIELD (actions_per_sec), 10, 1, 10000 },
  { "History", "MaxEvents", RELAY_KEY_COUNT, OWN_FIELD (max_events), 100000, 0, 10000000 },
  { "History", "MaxAgeDays", RELAY_KEY_DAYS, OWN_FIELD (max_age_usec), 30, 0, 36500 },
};

static const RelayKeyTable table = { keys, G_N_ELEMENTS (keys) };

/* ---- the whole ---- */

/* What no key shows by itself. */
static void
check_together (RelayKeyFile *file, RelayConfig *config)
{
  RelayConnectorOptions *connector = &config->connector;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    gboolean written = relay_key_file_get (file, &keys[i]) != NULL;

    if (keys[i].offset == FIELD (initial_delay_usec) && connector->initial_delay_usec > connector->max_delay_usec) {
      if (written)
        relay_key_file_add_fault (file, &keys[i], _("must not be more than MaxDelaySec"));
      else
        connector->initial_delay_usec = connector->max_delay_usec; /* not the user's number: give way */
    }
    if (keys[i].offset == FIELD (tokens.refresh_token_file) && written && connector->tokens.token_file != NULL &&
        g_strcmp0 (connector->tokens.refresh_token_file, connector->tokens.token_file) == 0)
      relay_key_file_add_fault (file, &keys[i], _("must not be the TokenFile: each holds a token of its own"));
  }
}

/* Where `prpctl login` puts the tokens: not by configuration. */
static void
set_login (RelayConnectorOptions *connector)
{
  g_autofree char *folder = g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, NULL);

  connector->tokens.login_token_file = g_build_filename (folder, RELAY_LOGIN_TOKEN_FILE, NULL);
  connector->tokens.login_refresh_token_file = g_build_filename (folder, RELAY_LOGIN_REFRESH_TOKEN_FILE, NULL);
  connector->tokens.keyring_url = relay_secret_service_make_url (connector->link.url);
}

RelayConfig *
relay_config_load (const char *path, GError **error)
{
  g_autoptr (RelayConfig) config = g_new0 (RelayConfig, 1);
  g_autoptr (RelayNotifications) notifications = relay_notifications_new ();
  g_autoptr (RelayKeyFile) file = relay_key_file_new (path);

  relay_keys_init (keys, G_N_ELEMENTS (keys), config);
  relay_key_file_add (file, &table, config);
  relay_notifications_add_to (notifications, file);
  if (!relay_key_file_read (file, error))
    return NULL;
  check_together (file, config);
  if (!relay_key_file_finish (file, error))
    return NULL;

  /* One set of authorities for both, the service and the endpoint that gives its tokens. */
  config->connector.tokens.ca_file = g_strdup (config->connector.link.ca_file);
  set_login (&config->connector);
  return g_steal_pointer (&config);
}

void
relay_config_free (RelayConfig *config)
{
  if (config == NULL)
    return;
  relay_connector_options_clear (&config->connector);
  g_free (config);
}
