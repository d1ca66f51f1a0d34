/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/channel-name.h"
#include "common/error.h"
#include "common/http.h"
#include "config/notifications.h"
#include "relayd/config.h"

/*
 * A relay.conf, read by the relay (all of it) and by prp-notify (its own part). Then once more with a secret in it, where
 * people put one by mistake: the first byte says how it is written, the second where.
 *
 * Beyond not crashing:
 * - what is refused is refused with the file's name and a place in each line, in UTF-8, without control characters;
 * - the secret is not told;
 * - what the relay accepts prp-notify accepts;
 * - what is accepted is within its limits, is the same when it is read again, and strings are those that GKeyFile finds
 *   (whose language this is) where it can read the file at all.
 */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define SECRET "Zq7secretzq7"
#define MAX_LINES 22 /* of an error */

/* A file without a place in the file system, and its name. */
static int
put_file (const char *text, gsize length, char **ret_path)
{
  int fd = memfd_create ("relay.conf", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, text, length), ==, (gssize) length);
  *ret_path = g_strdup_printf ("/proc/self/fd/%d", fd);
  return fd;
}

/* FILE:LINE: …, FILE: [Group]…, or FILE: … */
static void
check_error (const GError *error, const char *path)
{
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_error_matches (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  lines = g_strsplit (error->message, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), <=, MAX_LINES);
  for (char **line = lines; *line != NULL; line++) {
    for (const char *p = *line; *p != '\0'; p++)
      g_assert_false (g_ascii_iscntrl (*p));
    if (line != lines && line[1] == NULL && g_str_has_prefix (*line, "… and "))
      continue;
    g_assert_true (g_str_has_prefix (*line, path));
    g_assert_true ((*line)[strlen (path)] == ':');
  }
}

static void
check_limits (const RelayConfig *config)
{
  const RelayConnectorOptions *c = &config->connector;

  g_assert_true (relay_http_check_url (c->link.url, "wss", "ws", NULL));
  g_assert_true (c->tokens.refresh_url == NULL || relay_http_check_url (c->tokens.refresh_url, "https", "http", NULL));
  g_assert_true (c->link.ca_file == NULL || g_path_is_absolute (c->link.ca_file));
  g_assert_true (c->tokens.token_file == NULL || g_path_is_absolute (c->tokens.token_file));
  g_assert_true (c->tokens.refresh_token_file == NULL || g_path_is_absolute (c->tokens.refresh_token_file));
  g_assert_true (c->tokens.token_file == NULL || g_strcmp0 (c->tokens.token_file, c->tokens.refresh_token_file) != 0);
  g_assert_true (c->tokens.token_command == NULL || c->tokens.token_command[0][0] != '\0');
  g_assert_cmpuint (c->initial_delay_usec, >=, 10000);
  g_assert_cmpuint (c->initial_delay_usec, <=, c->max_delay_usec);
  g_assert_cmpuint (c->max_delay_usec, <=, 86400 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (c->max_attempts, <=, 1000000);
  g_assert_cmpuint (c->link.ping_interval_usec, >=, 50000);
  g_assert_cmpuint (c->link.ping_interval_usec, <=, 3600 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (c->link.pong_timeout_usec, >=, 50000);
  g_assert_cmpuint (c->link.pong_timeout_usec, <=, 600 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpuint (c->link.max_message_bytes, >=, 1024);
  g_assert_cmpuint (c->link.max_message_bytes, <=, RELAY_CONFIG_MAX_MESSAGE_BYTES_MAX);
  g_assert_true (c->actions_per_sec >= 1 && c->actions_per_sec <= 10000);
  g_assert_true (config->max_channels >= 1 && config->max_channels <= 100000);
  g_assert_true (config->max_holds_per_client >= 1 && config->max_holds_per_client <= 10000);
  g_assert_cmpuint (config->max_events, <=, 10000000);
  g_assert_cmpuint (config->max_age_usec, <=, 36500 * (guint64) 86400 * G_USEC_PER_SEC);
}

static void
check_notifications (const RelayNotifications *notifications)
{
  static const char *const types[] = { "prp.created", "", "error" };

  for (char **channel = notifications->channels; *channel != NULL; channel++)
    g_assert_true (relay_channel_name_check (*channel, NULL));
  if (notifications->open_url != NULL)
    g_assert_true (g_ascii_strncasecmp (notifications->open_url, "http", 4) == 0);
  g_assert_cmpuint (notifications->min_priority, <=, RELAY_PRIORITY_CRITICAL);
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    gboolean told = relay_notifications_decide (notifications, types[i], "1", "2", "3", "low");

    /* Nothing that is low passes a threshold above. */
    g_assert_true (!told || notifications->min_priority == RELAY_PRIORITY_LOW);
  }
}

/* A string as GKeyFile has it; GKeyFile knows nothing of "" as what is left out. */
static void
check_string (GKeyFile *file, const char *group, const char *key, const char *ours)
{
  g_autofree char *theirs = g_key_file_get_value (file, group, key, NULL);

  if (theirs != NULL && *theirs != '\0')
    g_assert_cmpstr (ours, ==, g_strstrip (theirs));
}

static void
check_accepted (const RelayConfig *config, const char *path, const char *text, gsize length)
{
  g_autoptr (RelayConfig) again = relay_config_load (path, NULL);
  g_autoptr (GKeyFile) theirs = g_key_file_new ();

  check_limits (config);
  g_assert_nonnull (again);
  g_assert_cmpstr (again->connector.link.url, ==, config->connector.link.url);
  g_assert_cmpstr (again->connector.tokens.token_file, ==, config->connector.tokens.token_file);
  g_assert_cmpuint (again->connector.max_delay_usec, ==, config->connector.max_delay_usec);
  g_assert_cmpuint (again->max_age_usec, ==, config->max_age_usec);
  if (!g_key_file_load_from_data (theirs, text, length, G_KEY_FILE_NONE, NULL))
    return;
  check_string (theirs, "Server", "Url", config->connector.link.url);
  check_string (theirs, "Auth", "RefreshUrl", config->connector.tokens.refresh_url);
  check_string (theirs, "Auth", "ClientId", config->connector.tokens.client_id);
}

static void
check_text (const char *text, gsize length, gboolean has_secret)
{
  g_autoptr (GError) error = NULL, notify_error = NULL;
  g_autoptr (RelayConfig) config = NULL;
  g_autoptr (RelayNotifications) notifications = NULL;
  g_autofree char *path = NULL;
  int fd = put_file (text, length, &path);

  config = relay_config_load (path, &error);
  notifications = relay_notifications_load (path, &notify_error);
  g_assert_true ((config == NULL) == (error != NULL));
  g_assert_true ((notifications == NULL) == (notify_error != NULL));
  g_assert_true (config == NULL || notifications != NULL);
  if (error != NULL)
    check_error (error, path);
  if (notify_error != NULL)
    check_error (notify_error, path);
  if (has_secret) {
    g_assert_true (error == NULL || strstr (error->message, SECRET) == NULL);
    g_assert_true (notify_error == NULL || strstr (notify_error->message, SECRET) == NULL);
  } else if (config != NULL)
    check_accepted (config, path, text, length);
  if (notifications != NULL)
    check_notifications (notifications);
  close (fd);
}

/* Puts the secret into a line of its own. */
static void
check_secret (const uint8_t *data, size_t size)
{
  static const char *const forms[] = {
    "\n" SECRET "\n",
    "\n" SECRET "==\n",
    "\nToken=" SECRET "\n",
    "\nTokenCommand=echo " SECRET "\n",
    "\nTokenCommand=\"" SECRET "\n",
    "\nTokenFile=eyJ" SECRET "\n",
    "\nUrl=https://user:" SECRET "@example.com/\n",
    "\nUrl=ws://example.com/?token=" SECRET "\n",
    "\nRefreshUrl=ftp://" SECRET "@example.com\n",
    "\nAuthorization: Bearer " SECRET "\n",
  };
  g_autoptr (GString) text = g_string_new_len ((const char *) data + 2, (gssize) size - 2);
  gsize at = data[1] * text->len / 256;

  while (at < text->len && text->str[at] != '\n')
    at++;
  g_string_insert (text, (gssize) at, forms[data[0] % G_N_ELEMENTS (forms)]);
  check_text (text->str, text->len, TRUE);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  check_text ((const char *) data, size, FALSE);
  /* libFuzzer learns the secret from the comparisons. */
  if (size >= 2 && memmem (data, size, SECRET, strlen (SECRET)) == NULL)
    check_secret (data, size);
  return 0;
}
