/* SPDX-License-Identifier: MIT */
#include "prpctl/login-config.h"

#include <glib/gstdio.h>

#include "common/names.h"
#include "prpctl/login-store.h"
#include "tests/unit/prpctl/isolated.h"

static PrpctlLoginConfig *
load (const char *text)
{
  g_autofree char *folder = g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, NULL);
  g_autofree char *path = g_build_filename (folder, RELAY_CONFIG_FILE, NULL);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return prpctl_login_config_new (NULL);
}

static void
assert_first (const PrpctlLoginConfig *config, RelaySecretKind kind, gboolean in_file, const char *expected)
{
  g_autofree char *first = prpctl_login_config_find_first (config, kind, in_file);

  g_assert_cmpstr (first, ==, expected);
}

static void
test_nothing (void)
{
  static const char *const texts[] = { "", "[Server]\nUrl=\n[Auth]\nTokenFile=\nTokenCommand=\n", "no key file" };
  g_autoptr (PrpctlLoginConfig) absent = prpctl_login_config_new ("/nonexistent/relay.conf");

  g_assert_cmpstr (absent->url, ==, RELAY_DEFAULT_URL);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (PrpctlLoginConfig) config = load (texts[i]);

    g_assert_cmpstr (config->url, ==, RELAY_DEFAULT_URL);
    g_assert_false (config->has_refresh_url);
    assert_first (config, RELAY_SECRET_ACCESS_TOKEN, TRUE, NULL);
    assert_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE, NULL);
    assert_first (config, RELAY_SECRET_REFRESH_TOKEN, TRUE, NULL);
  }
}

static void
test_files (void)
{
  g_autoptr (PrpctlLoginConfig) config =
    load ("[Server]\nUrl = wss://prp.example/?key=x\n[Auth]\nTokenFile=elsewhere\nRefreshTokenFile=~/refresh\n"
          "RefreshUrl=https://prp.example/token\n");
  g_autofree char *path = g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, "elsewhere", NULL);
  g_autofree char *token = g_strdup_printf ("TokenFile=%s in relay.conf", path);
  g_autofree char *refresh = g_strdup_printf ("RefreshTokenFile=%s/refresh in relay.conf", g_get_home_dir ());

  g_assert_cmpstr (config->url, ==, "wss://prp.example/?key=x");
  g_assert_true (config->has_refresh_url);
  /* Not there: the keyring is asked, but not the file of login. */
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE, NULL);
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, TRUE, token);
  assert_first (config, RELAY_SECRET_REFRESH_TOKEN, TRUE, refresh);
  g_assert_true (g_file_set_contents (path, "x", -1, NULL));
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE, token);
}

/* The very file of `prpctl login` is no other source. */
static void
test_own_file (void)
{
  g_autoptr (PrpctlLoginConfig) config = load ("[Auth]\nTokenFile=token\nRefreshTokenFile=./refresh-token\n");
  gboolean removed = FALSE;

  g_assert_true (prpctl_login_store_in_file (RELAY_SECRET_ACCESS_TOKEN, "t", NULL));
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, TRUE, NULL);
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE, NULL);
  assert_first (config, RELAY_SECRET_REFRESH_TOKEN, TRUE, NULL);
  g_assert_true (prpctl_login_remove_file (RELAY_SECRET_ACCESS_TOKEN, &removed, NULL));
  g_assert_true (removed);
}

static void
test_command (void)
{
  g_autoptr (PrpctlLoginConfig) config = load ("[Auth]\nTokenCommand=pass show secret\nTokenFile=/dev/null\n");

  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, TRUE, "TokenCommand= in relay.conf");
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE, "TokenCommand= in relay.conf");
}

static void
test_credentials (void)
{
  g_autoptr (PrpctlLoginConfig) config = load ("[Auth]\nTokenCommand=x\n");
  g_autofree char *folder = g_build_filename (g_get_user_runtime_dir (), "credentials", "prp-relayd.service", NULL);
  g_autofree char *token = g_build_filename (folder, RELAY_CREDENTIAL_TOKEN, NULL);
  g_autofree char *refresh = g_build_filename (folder, RELAY_CREDENTIAL_REFRESH_TOKEN, NULL);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (token, "x", -1, NULL));
  g_assert_true (g_file_set_contents (refresh, "x", -1, NULL));
  assert_first (config, RELAY_SECRET_ACCESS_TOKEN, TRUE, "the systemd credential prp-token");
  assert_first (config, RELAY_SECRET_REFRESH_TOKEN, FALSE, "the systemd credential prp-refresh-token");
  assert_first (config, RELAY_SECRET_REFRESH_TOKEN, TRUE, NULL); /* files go before it */
}

int
main (int argc, char **argv)
{
  char *home = isolated_set_up ();
  int status;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prpctl/login-config/nothing", test_nothing);
  g_test_add_func ("/prpctl/login-config/files", test_files);
  g_test_add_func ("/prpctl/login-config/own-file", test_own_file);
  g_test_add_func ("/prpctl/login-config/command", test_command);
  g_test_add_func ("/prpctl/login-config/credentials", test_credentials);
  status = g_test_run ();
  isolated_tear_down (home);
  return status;
}
