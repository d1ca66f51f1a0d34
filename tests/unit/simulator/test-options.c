/* SPDX-License-Identifier: MIT */
#include "simulator/options.h"

#include <string.h>

static SimOptions *
parse (const char *line, GError **error)
{
  g_auto (GStrv) arguments = NULL;

  g_assert_true (g_shell_parse_argv (line, NULL, &arguments, NULL));
  return sim_options_parse (arguments, error);
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SimOptions) options = parse ("prp-simulator", &error);
  g_autofree char *address = NULL;

  g_assert_no_error (error);
  address = g_inet_address_to_string (options->address);
  g_assert_cmpstr (address, ==, "127.0.0.1");
  g_assert_cmpuint (options->port, ==, 8787);
  g_assert_null (options->tokens);
  g_assert_false (options->any_token);
  g_assert_cmpuint (options->token_life_usec, ==, 0);
  g_assert_cmpfloat_with_epsilon (options->hub.events_per_sec, 1, 1e-9);
  g_assert_cmpuint (options->hub.limits.heartbeat_usec, ==, 15 * G_USEC_PER_SEC);
  g_assert_cmpuint (options->hub.limits.max_channels, ==, 1000);
  g_assert_cmpuint (options->hub.limits.max_actions_per_sec, ==, 20);
  g_assert_cmpuint (options->hub.limits.expiry_grace_usec, ==, 10 * G_USEC_PER_SEC);
}

static void
test_all (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SimOptions) options = parse (
      "prp-simulator --port 0 --listen ::1 --token a --token b --token-file tf --any-token --rate 2.5 --heartbeat 0.5 "
      "--seed 7 --max-channels 3 --max-actions-per-sec 4 --token-life 90 --port-file pf --refresh-token-file rf -q",
      &error);

  g_assert_no_error (error);
  g_assert_cmpuint (options->port, ==, 0);
  g_assert_cmpint (g_inet_address_get_family (options->address), ==, G_SOCKET_FAMILY_IPV6);
  g_assert_cmpstr (options->tokens[1], ==, "b");
  g_assert_cmpstr (options->token_file, ==, "tf");
  g_assert_true (options->any_token);
  g_assert_cmpfloat_with_epsilon (options->hub.events_per_sec, 2.5, 1e-9);
  g_assert_cmpuint (options->hub.limits.heartbeat_usec, ==, G_USEC_PER_SEC / 2);
  g_assert_cmpuint (options->hub.seed, ==, 7);
  g_assert_cmpuint (options->hub.limits.max_channels, ==, 3);
  g_assert_cmpuint (options->hub.limits.max_actions_per_sec, ==, 4);
  g_assert_cmpuint (options->token_life_usec, ==, 90 * G_USEC_PER_SEC);
  g_assert_cmpstr (options->port_file, ==, "pf");
  g_assert_cmpstr (options->refresh_token_file, ==, "rf");
  g_assert_true (options->quiet);
}

/* Without a seed each run is another one. */
static void
test_seed (void)
{
  g_autoptr (SimOptions) one = parse ("prp-simulator", NULL), other = parse ("prp-simulator", NULL);

  g_assert_cmpuint (one->hub.seed, !=, other->hub.seed);
}

static void
test_bad (void)
{
  static const struct {
    const char *arguments, *named;
  } cases[] = {
    { "--port 70000", "--port" },
    { "--port -1", "--port" },
    { "--listen 0.0.0.0", "--listen" },
    { "--listen 192.168.0.1", "--listen" },
    { "--listen nonsense", "--listen" },
    { "--rate -1", "--rate" },
    { "--rate 1e9", "--rate" },
    { "--heartbeat -1", "--heartbeat" },
    { "--token-life 1e9", "--token-life" },
    { "--max-channels -1", "--max-channels" },
    { "--max-actions-per-sec -1", "--max-actions-per-sec" },
    { "--token 'a b'", "--token" },
    { "--refresh-token ''", "--refresh-token" },
    { "--refresh-token a --refresh-token-file b", "--refresh-token-file" },
    { "--tls-cert x", "--tls-cert" },
    { "--tls-cert /nonexistent --tls-key /nonexistent", "/nonexistent" },
    { "--quiet --verbose", "--verbose" },
    { "--nonsense", "--nonsense" },
    { "argument", "argument" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *line = g_strconcat ("prp-simulator ", cases[i].arguments, NULL);
    g_autoptr (GError) error = NULL;

    g_assert_null (parse (line, &error));
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, cases[i].named));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/options/defaults", test_defaults);
  g_test_add_func ("/simulator/options/all", test_all);
  g_test_add_func ("/simulator/options/seed", test_seed);
  g_test_add_func ("/simulator/options/bad", test_bad);
  return g_test_run ();
}
