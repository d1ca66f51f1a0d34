/* SPDX-License-Identifier: MIT */
#include "relayd/config.h"

#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "common/error.h"
#include "common/names.h"
#include "config/key-file.h"

#define MSEC ((guint64) 1000)
#define SEC ((guint64) G_USEC_PER_SEC)

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-relay-config-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "test.conf", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static RelayConfig *
load (Fixture *fixture, const char *text)
{
  g_autoptr (GError) error = NULL;
  RelayConfig *config;

  g_assert_true (g_file_set_contents (fixture->path, text, -1, NULL));
  config = relay_config_load (fixture->path, &error);
  if (config == NULL)
    g_error ("%s", error->message);
  return config;
}

/* @expected: the message, FILE standing for the file's name. */
static void
assert_faults (Fixture *fixture, const char *text, gssize length, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) message = g_string_new (expected);

  g_string_replace (message, "FILE", fixture->path, 0);
  g_assert_true (g_file_set_contents (fixture->path, text, length, NULL));
  g_assert_null (relay_config_load (fixture->path, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
  g_assert_cmpstr (error->message, ==, message->str);
}

static void
assert_defaults (const RelayConfig *config)
{
  const RelayConnectorOptions *options = &config->connector;

  g_assert_cmpstr (options->link.url, ==, "wss://api.prp.dev/v1/ws/prps");
  g_assert_null (options->link.ca_file);
  g_assert_cmpuint (options->link.ping_interval_usec, ==, 30 * SEC);
  g_assert_cmpuint (options->link.pong_timeout_usec, ==, 10 * SEC);
  g_assert_cmpuint (options->link.max_message_bytes, ==, 1048576);
  g_assert_null (options->tokens.token_file);
  g_assert_null (options->tokens.token_command);
  g_assert_null (options->tokens.refresh_url);
  g_assert_null (options->tokens.refresh_token_file);
  g_assert_null (options->tokens.client_id);
  g_assert_null (options->tokens.ca_file);
  g_assert_cmpuint (options->initial_delay_usec, ==, SEC);
  g_assert_cmpuint (options->max_delay_usec, ==, 60 * SEC);
  g_assert_cmpuint (options->max_attempts, ==, 0);
  g_assert_cmpfloat (options->actions_per_sec, ==, 10);
  g_assert_cmpuint (config->max_channels, ==, 10000);
  g_assert_cmpuint (config->max_holds_per_client, ==, 100);
  g_assert_cmpuint (config->max_events, ==, 100000);
  g_assert_cmpuint (config->max_age_usec, ==, 30 * 86400 * SEC);
}

/* -- what is understood --------------------------------------------------------------------------------------- */

static void
test_defaults (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    "\n\n",
    "# nothing\n",
    "[Server]\n",
    "[Server]\nUrl=\nCaFile=\n[Limits]\nMaxChannels=\n[Auth]\nTokenCommand= \n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (RelayConfig) config = load (fixture, texts[i]);

    assert_defaults (config);
  }
}

static void
test_every_key (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strdup_printf ("[Server]\nUrl=wss://other.example:8443/ws?x=1\nCaFile=%s\n"
                                           "[Auth]\nTokenFile=/secrets/token\nTokenCommand=pass show 'prp token'\n"
                                           "RefreshUrl=https://other.example/token\nRefreshTokenFile=/secrets/"
                                           "refresh\n"
                                           "ClientId=desktop app\n"
                                           "[Reconnect]\nInitialDelaySec=0.25\nMaxDelaySec=120\nMaxAttempts=7\n"
                                           "[Heartbeat]\nPingIntervalSec=12.5\nPongTimeoutSec=3\n"
                                           "[Limits]\nMaxMessageBytes=65536\nMaxChannels=5\nMaxHoldsPerClient=6\n"
                                           "ActionsPerSec=2.5\n[History]\nMaxEvents=0\nMaxAgeDays=0.5\n",
                                           fixture->path);
  g_autoptr (RelayConfig) config = load (fixture, text);
  const RelayConnectorOptions *options = &config->connector;
  static const char *const command[] = { "pass", "show", "prp token", NULL };

  g_assert_cmpstr (options->link.url, ==, "wss://other.example:8443/ws?x=1");
  g_assert_cmpstr (options->link.ca_file, ==, fixture->path);
  g_assert_cmpstr (options->tokens.ca_file, ==, fixture->path);
  g_assert_cmpstr (options->tokens.token_file, ==, "/secrets/token");
  g_assert_true (g_strv_equal ((const char *const *) options->tokens.token_command, command));
  g_assert_cmpstr (options->tokens.refresh_url, ==, "https://other.example/token");
  g_assert_cmpstr (options->tokens.refresh_token_file, ==, "/secrets/refresh");
  g_assert_cmpstr (options->tokens.client_id, ==, "desktop app");
  g_assert_cmpuint (options->initial_delay_usec, ==, 250 * MSEC);
  g_assert_cmpuint (options->max_delay_usec, ==, 120 * SEC);
  g_assert_cmpuint (options->max_attempts, ==, 7);
  g_assert_cmpuint (options->link.ping_interval_usec, ==, 12500 * MSEC);
  g_assert_cmpuint (options->link.pong_timeout_usec, ==, 3 * SEC);
  g_assert_cmpuint (options->link.max_message_bytes, ==, 65536);
  g_assert_cmpuint (config->max_channels, ==, 5);
  g_assert_cmpuint (config->max_holds_per_client, ==, 6);
  g_assert_cmpuint (config->max_events, ==, 0);
  g_assert_cmpuint (config->max_age_usec, ==, 43200 * SEC);
  g_assert_cmpfloat (options->actions_per_sec, ==, 2.5);
}

/* Spaces, comments, Windows line ends, a byte order mark, no line end at the end, a group in two pieces. */
static void
test_layout (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayConfig) config = load (fixture,
                                         "\xef\xbb\xbf# comment = no [key]\r\n\r\n  [Limits]  \r\n"
                                         "\tMaxChannels =  42\t\r\n   # another\r\n[Server]\r\n"
                                         "Url = wss://a.example/?q=[1] \r\n[Limits]\r\nMaxHoldsPerClient=7");

  g_assert_cmpuint (config->max_channels, ==, 42);
  g_assert_cmpuint (config->max_holds_per_client, ==, 7);
  g_assert_cmpstr (config->connector.link.url, ==, "wss://a.example/?q=[1]");
}

static void
test_numbers (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text;
    guint64 usec;
  } cases[] = {
    { "1", SEC }, { "0.05", 50 * MSEC }, { "0.5", 500 * MSEC }, { "007", 7 * SEC }, { "1.000001", SEC + 1 },
    { "3600", 3600 * SEC }, { "3600.0", 3600 * SEC }, { "2.9999999", 3 * SEC },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = g_strdup_printf ("[Heartbeat]\nPingIntervalSec=%s\n", cases[i].text);
    g_autoptr (RelayConfig) config = load (fixture, text);

    g_assert_cmpuint (config->connector.link.ping_interval_usec, ==, cases[i].usec);
  }
}

static void
test_paths (Fixture *fixture, gconstpointer data)
{
  g_autofree char *in_home = g_build_filename (g_get_home_dir (), "secrets", "token", NULL);
  g_autofree char *beside = g_build_filename (fixture->folder, "refresh", NULL);
  g_autofree char *above = g_path_get_dirname (fixture->folder);
  g_autofree char *tool = g_build_filename (g_get_home_dir (), "bin", "my tool", NULL);
  g_autofree char *in_above = g_build_filename (above, "x", NULL);
  g_autoptr (RelayConfig) first = load (fixture,
                                        "[Auth]\nTokenFile=~/secrets/token\nRefreshTokenFile=refresh\n"
                                        "TokenCommand='~/bin/my tool' ~/x \"a b\" c\\ "
                                        "d\n[Server]\nCaFile=test.conf\n");
  g_autoptr (RelayConfig) second = load (fixture, "[Auth]\nTokenFile=../x\n");
  const char *const command[] = { tool, "~/x", "a b", "c d", NULL };

  g_assert_cmpstr (first->connector.tokens.token_file, ==, in_home);
  g_assert_cmpstr (first->connector.tokens.refresh_token_file, ==, beside);
  g_assert_cmpstr (first->connector.link.ca_file, ==, fixture->path);
  g_assert_true (g_strv_equal ((const char *const *) first->connector.tokens.token_command, command));
  g_assert_cmpstr (second->connector.tokens.token_file, ==, in_above);
}

/* The address of the simulator, and of nobody else in clear. */
static void
test_loopback (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayConfig) config = load (fixture, "[Server]\nUrl=ws://localhost:8080/v1/ws/prps\n"
                                                  "[Auth]\nRefreshUrl=http://127.0.0.1:8080/token\n");

  g_assert_cmpstr (config->connector.link.url, ==, "ws://localhost:8080/v1/ws/prps");
  g_assert_cmpstr (config->connector.tokens.refresh_url, ==, "http://127.0.0.1:8080/token");
}

/* A MaxDelaySec below the default of the other is no contradiction of the user's. */
static void
test_small_max_delay (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayConfig) config = load (fixture, "[Reconnect]\nMaxDelaySec=0.5\n");

  g_assert_cmpuint (config->connector.initial_delay_usec, ==, 500 * MSEC);
  g_assert_cmpuint (config->connector.max_delay_usec, ==, 500 * MSEC);
}

/* -- faults --------------------------------------------------------------------------------------------------- */

static void
test_number_faults (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *group, *key;
    const char *low, *high; /* just outside; NULL: nothing is lower */
    gboolean fraction;
    const char *reason;
  } keys[] = {
    { "Reconnect", "InitialDelaySec", "0.009", "3600.1", TRUE, "must be a number of seconds from 0.01 to 3600" },
    { "Reconnect", "MaxDelaySec", "0.009", "86400.1", TRUE, "must be a number of seconds from 0.01 to 86400" },
    { "Reconnect", "MaxAttempts", NULL, "1000001", FALSE, "must be a whole number from 0 to 1000000" },
    { "Heartbeat", "PingIntervalSec", "0.049", "3601", TRUE, "must be a number of seconds from 0.05 to 3600" },
    { "Heartbeat", "PongTimeoutSec", "0", "601", TRUE, "must be a number of seconds from 0.05 to 600" },
    { "Limits", "MaxMessageBytes", "1023", "4194305", FALSE,
      "must be a whole number of bytes from 1024 to 4194304" },
    { "Limits", "MaxChannels", "0", "100001", FALSE, "must be a whole number from 1 to 100000" },
    { "Limits", "MaxHoldsPerClient", "0", "10001", FALSE, "must be a whole number from 1 to 10000" },
    { "Limits", "ActionsPerSec", "0.9", "10000.5", TRUE, "must be a number from 1 to 10000" },
  };
  static const char *const never[] = {
    "-1",       "+1",       "nan",   "inf",
    "infinity", "1e3",      "0x10",  "1,5",
    ".5",       "5.",       "1.5.",  "1 0",
    "10s",      "1k",       "one",   "18446744073709551616",
    "1_0",      "\xd9\xa1", "\"1\"", "99999999999999999999999999999999999999999"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autoptr (GPtrArray) values = g_ptr_array_new ();

    if (keys[i].low != NULL)
      g_ptr_array_add (values, (gpointer) keys[i].low);
    g_ptr_array_add (values, (gpointer) keys[i].high);
    if (!keys[i].fraction)
      g_ptr_array_add (values, (gpointer) "5000.5");
    for (gsize j = 0; j < G_N_ELEMENTS (never); j++)
      g_ptr_array_add (values, (gpointer) never[j]);

    for (guint j = 0; j < values->len; j++) {
      const char *value = values->pdata[j];
      g_autofree char *text = g_strdup_printf ("[%s]\n%s=%s\n", keys[i].group, keys[i].key, value);
      g_autofree char *expected =
        g_strdup_printf ("FILE: [%s] %s=%s: %s", keys[i].group, keys[i].key, value, keys[i].reason);

      assert_faults (fixture, text, -1, expected);
    }
  }
}

static void
test_value_faults (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
    { "[Server]\nUrl=ws://api.prp.dev/\n",
      "FILE: [Server] Url=ws://api.prp.dev/: the token would travel unencrypted: the address must begin with "
      "wss:// unless "
      "the host is this computer" },
    { "[Server]\nUrl=https://api.prp.dev/\n",
      "FILE: [Server] Url=https://api.prp.dev/: the address must begin with wss://" },
    { "[Server]\nUrl=api.prp.dev\n",
      "FILE: [Server] Url=api.prp.dev: this is not a complete address (wss://HOST/PATH)" },
    { "[Server]\nUrl=wss://me:s3cret@api.prp.dev/\n",
      "FILE: [Server] Url=…: the address must not hold a user name or password" },
    { "[Server]\nUrl=https://api.prp.dev/?token=s3cret\n",
      "FILE: [Server] Url=…: the address must begin with wss://" },
    { "[Auth]\nRefreshUrl=http://api.prp.dev/\n",
      "FILE: [Auth] RefreshUrl=http://api.prp.dev/: the token would travel unencrypted: the address must begin "
      "with "
      "https:// unless the host is this computer" },
    { "[Auth]\nRefreshUrl=wss://api.prp.dev/\n",
      "FILE: [Auth] RefreshUrl=wss://api.prp.dev/: the address must begin with https://" },
    { "[Server]\nCaFile=/nowhere/ca.pem\n",
      "FILE: [Server] CaFile=/nowhere/ca.pem: the file cannot be read: No such file or directory" },
    { "[Auth]\nTokenFile=~other/token\n",
      "FILE: [Auth] TokenFile=~other/token: of a user's home, only your own is understood (~/)" },
    { "[Auth]\nTokenFile=eyJhbGciOiJIUzI1NiJ9.e30.c2ln\n",
      "FILE: [Auth] TokenFile=…: this looks like a token: write it into a file, and the name of the file here" },
    { "[Auth]\nTokenCommand=echo 's3cret\n",
      "FILE: [Auth] TokenCommand=…: a quotation mark or a backslash has no counterpart" },
    { "[Auth]\nTokenCommand=# s3cret\n", "FILE: [Auth] TokenCommand=…: this names no program" },
    { "[Auth]\nTokenCommand='' s3cret\n", "FILE: [Auth] TokenCommand=…: this names no program" },
    { "[Auth]\nClientId=caf\xc3\xa9\n", "FILE: [Auth] ClientId=caf\xc3\xa9: there is a special character in it" },
    { "[Auth]\nTokenFile=a\nRefreshTokenFile=./a\n",
      "FILE: [Auth] RefreshTokenFile=./a: must not be the TokenFile: each holds a token of its own" },
    { "[Reconnect]\nInitialDelaySec=5\nMaxDelaySec=3\n",
      "FILE: [Reconnect] InitialDelaySec=5: must not be more than MaxDelaySec" },
    { "[Reconnect]\nInitialDelaySec=61\n",
      "FILE: [Reconnect] InitialDelaySec=61: must not be more than MaxDelaySec" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_faults (fixture, cases[i].text, -1, cases[i].expected);
}

static void
test_line_faults (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
    { "[Server]\n\ns3cret\n", "FILE:3: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[Server]\n; comment\n", "FILE:2: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[Server]\n=5\n", "FILE:2: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[Server]\nUrl[de]=x\n", "FILE:2: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[Server\n", "FILE:1: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[]\n", "FILE:1: this is no name of a group" },
    { "[a b]\n", "FILE:1: this is no name of a group" },
    { "Url=wss://a.example/\n", "FILE:1: Url stands before any [Group]" },
    { "czNjcmV0IQ==\n", "FILE:1: this is neither a [Group] nor a Key=value nor a comment (# …)" },
    { "[Sever]\nUrl=wss://a.example/\n", "FILE: [Sever]: there is no such group" },
    { "[server]\n", "FILE: [server]: there is no such group" },
    { "[Histories]\nMaxEvents=5\n", "FILE: [Histories]: there is no such group" },
    { "[History]\nMaxEvents=10000001\n",
      "FILE: [History] MaxEvents=10000001: must be a whole number from 0 to 10000000" },
    { "[History]\nMaxEvents=-1\n", "FILE: [History] MaxEvents=-1: must be a whole number from 0 to 10000000" },
    { "[History]\nMaxEvents=1.5\n", "FILE: [History] MaxEvents=1.5: must be a whole number from 0 to 10000000" },
    { "[History]\nMaxAgeDays=36501\n", "FILE: [History] MaxAgeDays=36501: must be a number of days from 0 to 36500" },
    { "[History]\nMaxAgeDays=ever\n", "FILE: [History] MaxAgeDays=ever: must be a number of days from 0 to 36500" },
    { "[Auth]\nToken=s3cret\n", "FILE: [Auth] Token: there is no such key" },
    { "[Auth]\nczNjcmV0IQ==\n", "FILE: [Auth] line 2: there is no such key" },
    { "[Auth]\n\nczNjcmV0=\n", "FILE: [Auth] line 3: there is no such key" },
    { "[Server]\nurl=wss://a.example/\n", "FILE: [Server] url: there is no such key" },
    { "[Server]\nTokenFile=/x\n", "FILE: [Server] TokenFile: there is no such key" },
    { "[Limits]\nMaxChannels=5\n\nMaxChannels=6\n", "FILE: [Limits] MaxChannels: stands twice, in lines 2 and 4" },
    { "[Limits]\nMaxChannels=\n[Limits]\nMaxChannels=6\n",
      "FILE: [Limits] MaxChannels: stands twice, in lines 2 and 4" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_faults (fixture, cases[i].text, -1, cases[i].expected);
}

/* All of them at once, and nothing of the file takes effect. */
static void
test_all_faults (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("[Server]\n");
  g_autoptr (GString) expected = g_string_new (NULL);

  assert_faults (fixture,
                 "[Server]\nUrl=http://a.example/"
                 "\nFoo=1\n[Bar]\nx=1\ny=2\n[Limits]\nMaxChannels=0\nMaxChannels=0\n"
                 "[Heartbeat]\nPongTimeoutSec=never\nnonsense\n",
                 -1,
                 "FILE: [Server] Foo: there is no such key\n"
                 "FILE: [Bar]: there is no such group\n"
                 "FILE: [Limits] MaxChannels: stands twice, in lines 8 and 9\n"
                 "FILE:12: this is neither a [Group] nor a Key=value nor a comment (# …)\n"
                 "FILE: [Server] Url=http://a.example/: the address must begin with wss://\n"
                 "FILE: [Heartbeat] PongTimeoutSec=never: must be a number of seconds from 0.05 to 600\n"
                 "FILE: [Limits] MaxChannels=0: must be a whole number from 1 to 100000");

  for (guint i = 0; i < 1000; i++) {
    g_string_append (text, "Foo=1\n");
    if (i < 20)
      g_string_append (expected, "FILE: [Server] Foo: there is no such key\n");
  }
  g_string_append (expected, "… and 980 more faults");
  assert_faults (fixture, text->str, -1, expected->str);
}

/* The groups of other programs are looked at as well: one file, one word on it. */
static void
test_notifications (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayConfig) config = load (fixture, "[Notifications]\nEnabled=false\n[Notifications prp:a]\nTypes=*\n");

  assert_defaults (config);
  assert_faults (fixture,
                 "[Notifications]\nOpenUrl=file:///\n[Notifications prp]\n[Notifications prp:a]\nEnabled=2\n"
                 "[Server]\nUrl=http://a.example/\n",
                 -1,
                 "FILE:3: “prp” is not a channel: it is not of the form kind:id.\n"
                 "FILE: [Server] Url=http://a.example/: the address must begin with wss://\n"
                 "FILE: [Notifications] OpenUrl=file:///: the address must begin with https:// or http://\n"
                 "FILE: [Notifications prp:a] Enabled=2: must be true or false");
}

static void
test_long_value (Fixture *fixture, gconstpointer data)
{
  g_autofree char *value = g_strnfill (5000, '7');
  g_autofree char *text = g_strdup_printf ("[Limits]\nMaxChannels=%s\n", value);
  g_autofree char *expected =
    g_strdup_printf ("FILE: [Limits] MaxChannels=%.79s…: must be a whole number from 1 to 100000", value);
  g_autofree char *name = g_strnfill (65, 'x');
  g_autofree char *long_name = g_strdup_printf ("[Limits]\n%s=1\n", name);
  g_autofree char *long_group = g_strdup_printf ("[%s]\n", name);

  assert_faults (fixture, text, -1, expected);
  assert_faults (fixture, long_name, -1, "FILE:2: this is neither a [Group] nor a Key=value nor a comment (# …)");
  assert_faults (fixture, long_group, -1, "FILE:1: this is no name of a group");
}

/* A tab or an escape does not reach a terminal. */
static void
test_control_characters (Fixture *fixture, gconstpointer data)
{
  assert_faults (fixture, "[Limits]\nMaxChannels=1\x1b[31m\t2\n", -1,
                 "FILE: [Limits] MaxChannels=1 [31m 2: must be a whole number from 1 to 100000");
}

static void
test_not_text (Fixture *fixture, gconstpointer data)
{
  assert_faults (fixture, "[Server]\n\xff\n", -1, "FILE: this is no text in UTF-8");
  assert_faults (fixture, "[Server]\n\0\n", 11, "FILE: this is no text in UTF-8");
  assert_faults (fixture, "\xff\xfe[\0S\0", 6, "FILE: this is no text in UTF-8"); /* UTF-16 */
}

/* -- the file ------------------------------------------------------------------------------------------------- */

static void
test_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *largest = g_strnfill (RELAY_KEY_FILE_MAX_BYTES, '\n');
  g_autofree char *larger = g_strnfill (RELAY_KEY_FILE_MAX_BYTES + 1, '\n');
  g_autoptr (RelayConfig) config = load (fixture, largest);

  assert_defaults (config);
  assert_faults (fixture, larger, -1, "FILE: the file is larger than 65536 bytes");
}

static void
assert_not_loaded (const char *path, const char *expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (relay_config_load (path, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *missing = g_strdup_printf ("%s: there is no such file", fixture->path);
  g_autofree char *folder = g_strdup_printf ("%s: the file cannot be read: Is a directory", fixture->folder);
  g_autofree char *before = g_get_current_dir ();

  assert_not_loaded (fixture->path, missing);
  assert_not_loaded (fixture->folder, folder);
  assert_not_loaded ("/dev/zero", "/dev/zero: the file is larger than 65536 bytes");

  /* Seen from where the program was started. */
  g_assert_cmpint (g_chdir (fixture->folder), ==, 0);
  assert_not_loaded ("test.conf", missing);
  g_assert_cmpint (g_chdir (before), ==, 0);
}

/* The default file need not be there; when it is, it counts. Mode does not matter: no secret stands in it. */
static void
test_default_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder =
    g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR, NULL); /* set by main */
  g_autofree char *path = g_build_filename (folder, RELAY_CONFIG_FILE, NULL);
  g_autofree char *fault =
    g_strdup_printf ("%s: [Limits] MaxChannels=0: must be a whole number from 1 to 100000", path);
  g_autoptr (RelayConfig) without = relay_config_load (NULL, NULL);
  g_autoptr (RelayConfig) with = NULL;

  assert_defaults (without);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "[Limits]\nMaxChannels=3\n", -1, NULL));
  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
  with = relay_config_load (NULL, NULL);
  g_assert_nonnull (with);
  g_assert_cmpuint (with->max_channels, ==, 3);

  g_assert_true (g_file_set_contents (path, "[Limits]\nMaxChannels=0\n", -1, NULL));
  assert_not_loaded (NULL, fault);
  g_unlink (path);
  g_rmdir (folder);
}

/* Every key of the example, taken at its word, is understood, and what is said to be the default is. */
static void
test_example (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (g_getenv ("PRP_SOURCE_ROOT"), "data", "relay.conf.example", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GRegex) key = g_regex_new ("^#(?=[A-Za-z]+=)", G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GRegex) place = g_regex_new (
    "^#?(CaFile|TokenFile|TokenCommand|RefreshUrl|RefreshTokenFile|ClientId)=.*$", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *uncommented = NULL, *plain = NULL;
  g_autoptr (RelayConfig) config = NULL;
  guint n_keys = 0;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  for (const char *p = text; (p = strstr (p, "\n#")) != NULL; p++)
    n_keys += g_regex_match (key, p + 1, G_REGEX_MATCH_ANCHORED, NULL);
  g_assert_cmpuint (n_keys, ==, 26);

  uncommented = g_regex_replace_literal (key, text, -1, 0, "", 0, NULL);
  plain = g_regex_replace_literal (place, uncommented, -1, 0, "", 0, NULL);
  config = load (fixture, plain);
  assert_defaults (config);
}

/* The manual page has an entry for each key, with its default. */
static void
test_manual (Fixture *fixture, gconstpointer data)
{
  static const char *const entries[] = {
    "*Url=*",
    "*CaFile=*",
    "*TokenFile=*",
    "*TokenCommand=*",
    "*RefreshUrl=*",
    "*RefreshTokenFile=*",
    "*ClientId=*",
    "*InitialDelaySec=*",
    "*MaxDelaySec=*",
    "*MaxAttempts=*",
    "*PingIntervalSec=*",
    "*PongTimeoutSec=*",
    "*MaxMessageBytes=*",
    "*MaxChannels=*",
    "*MaxHoldsPerClient=*",
    "*ActionsPerSec=*",
    "*MaxEvents=*",
    "*MaxAgeDays=*",
    "*Enabled=*",
    "*Types=*",
    "*MinPriority=*",
    "*Channels=*",
    "*OpenUrl=*",
    "*Trouble=*",
    /* and what the table says of their ranges */
    "from 0.01 to 3600",
    "from 0.01 to 86400",
    "from 0 to 1000000",
    "from 0.05 to 3600",
    "from 0.05 to 600",
    "from 1024 to 4194304",
    "from 1 to 100000",
    "from 1 to 10000",
    "from 0 to 10000000",
    "from 0 to 36500",
  };
  g_autofree char *path = g_build_filename (g_getenv ("PRP_SOURCE_ROOT"), "data", "man", "relay.conf.5.scd", NULL);
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    if (strstr (text, entries[i]) == NULL)
      g_error ("“%s” is not in %s", entries[i], path);
}

int
main (int argc, char **argv)
{
  g_autofree char *config_home = g_dir_make_tmp ("prp-relay-config-XXXXXX", NULL);
  int status;

  g_setenv ("XDG_CONFIG_HOME", config_home, TRUE); /* G_TEST_OPTION_ISOLATE_DIRS leaks */
  g_setenv ("LC_ALL", "C.UTF-8",
            TRUE); /* the messages as they are written, and file names with their characters */
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/config/defaults", test_defaults);
  ADD ("/config/every-key", test_every_key);
  ADD ("/config/layout", test_layout);
  ADD ("/config/numbers", test_numbers);
  ADD ("/config/paths", test_paths);
  ADD ("/config/loopback", test_loopback);
  ADD ("/config/small-max-delay", test_small_max_delay);
  ADD ("/config/number-faults", test_number_faults);
  ADD ("/config/value-faults", test_value_faults);
  ADD ("/config/line-faults", test_line_faults);
  ADD ("/config/all-faults", test_all_faults);
  ADD ("/config/notifications", test_notifications);
  ADD ("/config/long-value", test_long_value);
  ADD ("/config/control-characters", test_control_characters);
  ADD ("/config/not-text", test_not_text);
  ADD ("/config/size", test_size);
  ADD ("/config/file", test_file);
  ADD ("/config/default-file", test_default_file);
  ADD ("/config/example", test_example);
  ADD ("/config/manual", test_manual);
#undef ADD
  status = g_test_run ();
  g_assert_cmpint (g_rmdir (config_home), ==, 0);
  return status;
}
