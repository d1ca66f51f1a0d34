/* SPDX-License-Identifier: MIT */
#include "prpctl/login-config.h"

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/login-store.h"
#include "prpctl/text.h"

#define PATH_MAX_CHARS 500

/* The absolute path that the value of @key stands for, as the relay reads it; NULL where there is none, or where it is the
 * file for tokens of that @kind anyway. */
static char *
get_path (GKeyFile *file, const char *key, const char *folder, RelaySecretKind kind)
{
  g_autofree char *value = g_key_file_get_value (file, "Auth", key, NULL);
  g_autofree char *own = prpctl_login_get_path (kind);
  g_autofree char *path = NULL;

  if (value == NULL || *value == '\0')
    return NULL;
  path = g_str_has_prefix (value, "~/") ? g_build_filename (g_get_home_dir (), value + 2, NULL)
                                        : g_canonicalize_filename (value, folder);
  return g_str_equal (path, own) ? NULL : g_steal_pointer (&path);
}

static gboolean
is_set (GKeyFile *file, const char *key)
{
  g_autofree char *value = g_key_file_get_value (file, "Auth", key, NULL);

  return value != NULL && *value != '\0';
}

PrpctlLoginConfig *
prpctl_login_config_new (const char *path)
{
  PrpctlLoginConfig *config = g_new0 (PrpctlLoginConfig, 1);
  g_autofree char *default_path =
    g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, RELAY_CONFIG_FILE, NULL);
  g_autofree char *folder = g_path_get_dirname (path != NULL ? path : default_path);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  g_key_file_load_from_file (file, path != NULL ? path : default_path, G_KEY_FILE_NONE, NULL);
  config->url = g_key_file_get_value (file, "Server", "Url", NULL);
  if (config->url == NULL || *config->url == '\0') {
    g_free (config->url);
    config->url = g_strdup (RELAY_DEFAULT_URL);
  }
  config->has_token_command = is_set (file, "TokenCommand");
  config->has_refresh_url = is_set (file, "RefreshUrl");
  config->token_file = get_path (file, "TokenFile", folder, RELAY_SECRET_ACCESS_TOKEN);
  config->refresh_token_file = get_path (file, "RefreshTokenFile", folder, RELAY_SECRET_REFRESH_TOKEN);
  return config;
}

void
prpctl_login_config_free (PrpctlLoginConfig *config)
{
  if (config == NULL)
    return;
  g_free (config->url);
  g_free (config->token_file);
  g_free (config->refresh_token_file);
  g_free (config);
}

/* Does systemd hand the relay this credential? Its folder is there as long as the relay runs. */
static gboolean
has_credential (const char *name)
{
  g_autofree char *path =
    g_build_filename (g_get_user_runtime_dir (), "credentials", "prp-relayd.service", name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* A file that is configured and not there is passed over, but for the file of `prpctl login`, which it replaces. */
static char *
describe_file (const char *key, const char *path, gboolean in_file)
{
  g_autofree char *safe = NULL;

  if (path == NULL || (!in_file && !g_file_test (path, G_FILE_TEST_EXISTS)))
    return NULL;
  safe = prpctl_text_make_safe (path, PATH_MAX_CHARS);
  /* Translators: a key of relay.conf, and the name of a file. */
  return g_strdup_printf (_("%s=%s in relay.conf"), key, safe);
}

char *
prpctl_login_config_find_first (const PrpctlLoginConfig *config, RelaySecretKind kind, gboolean in_file)
{
  if (kind == RELAY_SECRET_REFRESH_TOKEN) {
    if (config->refresh_token_file == NULL && !in_file && has_credential (RELAY_CREDENTIAL_REFRESH_TOKEN))
      return g_strdup_printf (_("the systemd credential %s"), RELAY_CREDENTIAL_REFRESH_TOKEN);
    return describe_file ("RefreshTokenFile", config->refresh_token_file, in_file);
  }
  if (has_credential (RELAY_CREDENTIAL_TOKEN))
    return g_strdup_printf (_("the systemd credential %s"), RELAY_CREDENTIAL_TOKEN);
  if (config->has_token_command)
    return g_strdup (_("TokenCommand= in relay.conf"));
  return describe_file ("TokenFile", config->token_file, in_file);
}
