/* SPDX-License-Identifier: MIT */
#include "config/notifications.h"

#include <string.h>

#include <glib/gstdio.h>

#include "common/error.h"

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-notifications-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "relay.conf", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static RelayNotifications *
load (Fixture *fixture, const char *text)
{
  g_autoptr (GError) error = NULL;
  RelayNotifications *notifications;

  g_assert_true (g_file_set_contents (fixture->path, text, -1, NULL));
  notifications = relay_notifications_load (fixture->path, &error);
  if (notifications == NULL)
    g_error ("%s", error->message);
  return notifications;
}

/* @expected: the message behind the file's name. */
static void
assert_fault (Fixture *fixture, const char *text, const char *expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (fixture->path, text, -1, NULL));
  g_assert_null (relay_notifications_load (fixture->path, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
  g_assert_true (g_str_has_prefix (error->message, fixture->path));
  g_assert_cmpstr (error->message + strlen (fixture->path), ==, expected);
}

#define assert_list(list, ...)                                                                                            \
  g_assert_true (g_strv_equal ((const char *const *) (list), (const char *const[]){ __VA_ARGS__, NULL }))

static void
assert_defaults (const RelayNotifications *notifications)
{
  g_assert_true (notifications->enabled);
  assert_list (notifications->types, "prp.*", "agent.*");
  g_assert_cmpuint (g_strv_length (notifications->channels), ==, 0);
  g_assert_null (notifications->open_url);
  g_assert_true (notifications->trouble);
  g_assert_cmpuint (notifications->min_priority, ==, RELAY_PRIORITY_LOW);
}

static void
test_defaults (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayNotifications) plain = relay_notifications_new ();
  g_autoptr (RelayNotifications) empty = load (fixture, "");
  /* What is the relay's is not looked at. */
  g_autoptr (RelayNotifications) other =
    load (fixture, "[Server]\nUrl=nonsense\n[Unheard]\nOf=1\n[Notifications]\nTypes=\n");
  g_autoptr (RelayNotifications) without = relay_notifications_load (NULL, NULL);

  assert_defaults (plain);
  assert_defaults (empty);
  assert_defaults (other);
  assert_defaults (without);
}

static void
test_every_key (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayNotifications) notifications =
    load (fixture, "[Notifications]\nEnabled=true\nTypes=prp.created; prp.deleted ;\nMinPriority=high\n"
                   "Channels=project:proj_1;agent:a\nTrouble=false\n"
                   "OpenUrl=https://prp.example:8443/{project_id}?id={prp_id}&by={agent_id}#x\n");

  g_assert_true (notifications->enabled);
  assert_list (notifications->types, "prp.created", "prp.deleted");
  g_assert_cmpuint (notifications->min_priority, ==, RELAY_PRIORITY_HIGH);
  assert_list (notifications->channels, "project:proj_1", "agent:a");
  g_assert_false (notifications->trouble);
  g_assert_cmpstr (notifications->open_url, ==, "https://prp.example:8443/{project_id}?id={prp_id}&by={agent_id}#x");
}

static void
test_faults (Fixture *fixture, gconstpointer data)
{
  g_autofree char *long_glob = g_strnfill (256, 'a');
  g_autofree char *long_types = g_strdup_printf ("[Notifications]\nTypes=a;%s\n", long_glob);
  g_autofree char *long_types_fault =
    g_strdup_printf (": [Notifications] Types=a;%.77s…: a type of events has at most 255 bytes", long_glob);

  assert_fault (fixture, "[Notifications]\nEnabled=no\n", ": [Notifications] Enabled=no: must be true or false");
  assert_fault (fixture, "[Notifications]\nMinPriority=urgent\n",
                ": [Notifications] MinPriority=urgent: must be one of: low, medium, high, critical");
  assert_fault (fixture, "[Notifications]\nChannels=project:a;b\n",
                ": [Notifications] Channels=project:a;b: “b” is not a channel: it is not of the form kind:id.");
  assert_fault (fixture, long_types, long_types_fault);
  assert_fault (fixture, "[Notifications]\nSound=true\n", ": [Notifications] Sound: there is no such key");
  assert_fault (fixture, "[Notifications project:a]\nChannels=b:1\n",
                ": [Notifications project:a] Channels: there is no such key");
  assert_fault (fixture, "[Notifications project:a]\nEnabled=1\n",
                ": [Notifications project:a] Enabled=1: must be true or false");
  assert_fault (fixture, "[Notifications project]\n", ":1: “project” is not a channel: it is not of the form kind:id.");
  assert_fault (fixture, "[Notifications team:a]\n",
                ":1: no event can be told to belong to team:a: only to prp:ID, agent:ID and project:ID");
}

static void
test_templates (Fixture *fixture, gconstpointer data)
{
  static const char incomplete[] = "this is not a complete address (https://HOST/PATH)";
  static const char bad_place[] = "nothing can be filled in before the path, and no user name or password can stand there";
  static const char bad_start[] = "the address must begin with https:// or http://";
  static const char bad_name[] = "only {prp_id}, {project_id} and {agent_id} can be filled in";
  static const struct {
    const char *url, *reason;
  } cases[] = {
    { "https://a.example", NULL },
    { "HTTP://a.example:80/{prp_id}/{prp_id}", NULL },
    { "http://[::1]:8080/?{agent_id}", NULL },
    { "https://a.example#{project_id}", NULL },
    { "file:///{prp_id}", bad_start },
    { "{prp_id}", bad_start },
    { "{prp_id}://a.example/", bad_start },
    { "javascript:alert({prp_id})", bad_start },
    { "a.example/{prp_id}", bad_start },
    { "https:///{prp_id}", incomplete },
    { "https://a.example/{prp_id} x", incomplete },
    { "https://a.example:{prp_id}/", incomplete },
    { "https://{prp_id}/", bad_place },
    { "https://{prp_id}.a.example/", bad_place },
    { "https://a.example{prp_id}/", bad_place },
    { "https://{prp_id}@a.example/", bad_place },
    { "https://me@a.example/", bad_place },
    { "https://a.example/{id}", bad_name },
    { "https://a.example/{PRP_ID}", bad_name },
    { "https://a.example/{prp_id", bad_name },
    { "https://a.example/}", bad_name },
    { "https://a.example/{{prp_id}}", bad_name },
  };
  g_autofree char *path = g_strnfill (RELAY_NOTIFICATIONS_MAX_URL_BYTES, 'a');
  g_autofree char *text = g_strdup_printf ("[Notifications]\nOpenUrl=https://a.example/%s\n", path);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *file = g_strdup_printf ("[Notifications]\nOpenUrl=%s\n", cases[i].url);
    g_autofree char *fault = g_strdup_printf (": [Notifications] OpenUrl=%s: %s", cases[i].url, cases[i].reason);

    if (cases[i].reason == NULL) {
      g_autoptr (RelayNotifications) notifications = load (fixture, file);

      g_assert_cmpstr (notifications->open_url, ==, cases[i].url);
    } else
      assert_fault (fixture, file, fault);
  }

  g_assert_true (g_file_set_contents (fixture->path, text, -1, NULL));
  g_assert_null (relay_notifications_load (fixture->path, &error));
  g_assert_true (g_str_has_suffix (error->message, "…: an address has at most 2048 bytes"));
}

static void
test_too_many_overrides (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (RelayNotifications) notifications = NULL;

  for (guint i = 0; i < RELAY_NOTIFICATIONS_MAX_OVERRIDES; i++)
    g_string_append_printf (text, "[Notifications prp:%u]\nEnabled=false\n", i);
  notifications = load (fixture, text->str);
  g_assert_false (relay_notifications_decide (notifications, "prp.created", "999", "", "", ""));
  g_assert_true (relay_notifications_decide (notifications, "prp.created", "1000", "", "", ""));

  g_string_append (text, "[Notifications prp:0]\n[Notifications agent:0]\n[Notifications agent:1]\n");
  assert_fault (fixture, text->str, ":2002: there are more than 1000 groups [Notifications …]");
}

static void
test_types (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayNotifications) defaults = relay_notifications_new ();
  g_autoptr (RelayNotifications) some = load (fixture, "[Notifications]\nTypes=prp.c*;*.assigned;prp.[d]eleted\n");
  g_autoptr (RelayNotifications) none = load (fixture, "[Notifications]\nEnabled=false\n");
  g_autofree char *endless = g_strnfill (100000, 'a');
  static const struct {
    const char *type;
    gboolean defaults, some;
  } cases[] = {
    { "prp.created", TRUE, TRUE },    { "prp.deleted", TRUE, TRUE },  { "prp.status_changed", TRUE, FALSE },
    { "agent.assigned", TRUE, TRUE }, { "agent.other", TRUE, FALSE }, { "error", FALSE, FALSE },
    { "team.assigned", FALSE, TRUE }, { "", FALSE, FALSE },           { "PRP.created", FALSE, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_assert_cmpint (relay_notifications_decide (defaults, cases[i].type, "p", "a", "j", "low"), ==, cases[i].defaults);
    g_assert_cmpint (relay_notifications_decide (some, cases[i].type, NULL, NULL, NULL, NULL), ==, cases[i].some);
    g_assert_false (relay_notifications_decide (none, cases[i].type, "p", "a", "j", "critical"));
  }
  g_assert_false (relay_notifications_decide (defaults, endless, "p", "a", "j", "low"));
}

static void
test_priorities (Fixture *fixture, gconstpointer data)
{
  static const char *const words[] = { "low", "medium", "high", "critical" };

  for (guint minimum = 0; minimum < G_N_ELEMENTS (words); minimum++) {
    g_autofree char *text = g_strdup_printf ("[Notifications]\nMinPriority=%s\n", words[minimum]);
    g_autoptr (RelayNotifications) notifications = load (fixture, text);

    g_assert_cmpuint (relay_priority_from_string (words[minimum]), ==, minimum);
    for (guint i = 0; i < G_N_ELEMENTS (words); i++)
      g_assert_cmpint (relay_notifications_decide (notifications, "prp.created", "p", "", "", words[i]), ==, i >= minimum);
    g_assert_cmpint (relay_notifications_decide (notifications, "prp.created", "p", "", "", NULL), ==, minimum <= 1);
    g_assert_cmpint (relay_notifications_decide (notifications, "prp.created", "p", "", "", ""), ==, minimum <= 1);
    g_assert_cmpint (relay_notifications_decide (notifications, "prp.created", "p", "", "", "HIGH"), ==, minimum <= 1);
  }
}

/* The most specific that says something, for each key. */
static void
test_overrides (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayNotifications) notifications =
    load (fixture, "[Notifications project:quiet]\nEnabled=false\n"
                   "[Notifications agent:loud]\nEnabled=true\nTypes=*\n"
                   "[Notifications prp:one]\nTypes=prp.deleted\n"
                   "[Notifications prp:off]\nEnabled=false\n");
  static const struct {
    const char *type, *prp, *agent, *project;
    gboolean expected;
  } cases[] = {
    { "prp.created", "p", "a", "j", TRUE },
    { "prp.created", "p", "a", "quiet", FALSE },
    { "prp.created", "p", "loud", "quiet", TRUE },
    { "team.created", "p", "loud", "quiet", TRUE },
    { "team.created", "p", "a", "j", FALSE },
    { "prp.created", "one", "loud", "quiet", FALSE },
    { "prp.deleted", "one", "loud", "quiet", TRUE },
    { "prp.deleted", "one", "a", "quiet", FALSE },
    { "prp.deleted", "one", NULL, NULL, TRUE },
    { "prp.created", "one", "", "", FALSE },
    { "prp.deleted", "off", "loud", "j", FALSE },
    { "prp.created", "quiet", "quiet", "one", TRUE },
    { "prp.created", NULL, NULL, "quiet", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (
      relay_notifications_decide (notifications, cases[i].type, cases[i].prp, cases[i].agent, cases[i].project, "low"), ==,
      cases[i].expected);
}

/* Who turns everything off is not told of trouble with it; who leaves one thing on is. */
static void
test_trouble (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayNotifications) off = load (fixture, "[Notifications]\nEnabled=false\n[Notifications prp:a]\nTypes=*\n");
  g_autoptr (RelayNotifications) one = load (fixture, "[Notifications]\nEnabled=false\n[Notifications prp:a]\nEnabled=true\n");
  g_autoptr (RelayNotifications) asked = load (fixture, "[Notifications]\nTrouble=false\n[Notifications prp:a]\nEnabled=true\n");

  g_assert_false (off->trouble);
  g_assert_true (one->trouble);
  g_assert_true (relay_notifications_decide (one, "prp.created", "a", "", "", ""));
  g_assert_false (relay_notifications_decide (one, "prp.created", "b", "", "", ""));
  g_assert_false (asked->trouble);
  relay_notifications_free (NULL);
}

/* What the example says to be the default is. */
static void
test_example (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (g_getenv ("PRP_SOURCE_ROOT"), "data", "relay.conf.example", NULL);
  g_autoptr (GRegex) key = g_regex_new ("^#(?=[A-Za-z]+=)", G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GRegex) place = g_regex_new ("^(Channels|OpenUrl)=.*$", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *text = NULL, *uncommented = NULL, *plain = NULL;
  g_autoptr (RelayNotifications) all = NULL, defaults = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  uncommented = g_regex_replace_literal (key, text, -1, 0, "", 0, NULL);
  all = load (fixture, uncommented);
  g_assert_cmpuint (g_strv_length (all->channels), >, 0);
  g_assert_nonnull (all->open_url);
  g_assert_false (relay_notifications_decide (all, "prp.created", "p", "a", "proj_123456", "high"));

  plain = g_regex_replace_literal (place, uncommented, -1, 0, "", 0, NULL);
  defaults = load (fixture, plain);
  assert_defaults (defaults);
}

int
main (int argc, char **argv)
{
  g_setenv ("XDG_CONFIG_HOME", "/nonexistent", TRUE);
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/config/notifications/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("defaults", test_defaults);
  ADD ("every-key", test_every_key);
  ADD ("faults", test_faults);
  ADD ("templates", test_templates);
  ADD ("too-many-overrides", test_too_many_overrides);
  ADD ("types", test_types);
  ADD ("priorities", test_priorities);
  ADD ("overrides", test_overrides);
  ADD ("trouble", test_trouble);
  ADD ("example", test_example);
#undef ADD
  return g_test_run ();
}
