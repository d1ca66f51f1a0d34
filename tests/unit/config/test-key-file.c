/* SPDX-License-Identifier: MIT */
#include "config/key-file.h"

#include <string.h>

#include <glib/gstdio.h>

#include "common/error.h"
#include "common/names.h"

/*
 * The lines, and what becomes of a table. What can be wrong with the relay's own file is tried in
 * tests/unit/relayd/test-config.c.
 */
typedef struct {
  guint count;
  char *text;
} Plain;

typedef struct {
  GHashTable *members; /* argument → Plain */
} Members;

static const RelayKey plain_keys[] = {
  { "First", "Count", RELAY_KEY_COUNT, G_STRUCT_OFFSET (Plain, count), 1, 0, 100 },
  { "Second", "Text", RELAY_KEY_TEXT, G_STRUCT_OFFSET (Plain, text) },
};
static const RelayKeyTable plain_table = { plain_keys, G_N_ELEMENTS (plain_keys) };

static const RelayKey member_keys[] = {
  { "Second", "Count", RELAY_KEY_COUNT, G_STRUCT_OFFSET (Plain, count), 2, 0, 100 },
};

static gpointer
add_member (const char *argument, gpointer target, GError **error)
{
  Members *members = target;
  Plain *plain;

  if (g_str_has_prefix (argument, "bad")) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, "%s is bad", argument);
    return NULL;
  }
  plain = g_new0 (Plain, 1);
  relay_keys_init (member_keys, G_N_ELEMENTS (member_keys), plain);
  g_assert_true (g_hash_table_insert (members->members, g_strdup (argument), plain));
  return plain;
}

static const RelayKeyTable member_table = { member_keys, G_N_ELEMENTS (member_keys), add_member, 3 };

typedef struct {
  char *folder, *path;
  Plain plain;
  Members members;
  gboolean partial;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("prp-key-file-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "test.conf", NULL);
  fixture->members.members = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
  relay_keys_clear (plain_keys, G_N_ELEMENTS (plain_keys), &fixture->plain);
  g_hash_table_unref (fixture->members.members);
}

/* NULL: all is well. Else the message, FILE standing for the file's name. */
static void
assert_read (Fixture *fixture, const char *text, const char *expected)
{
  g_autoptr (RelayKeyFile) file = relay_key_file_new (fixture->path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) message = g_string_new (expected);

  relay_keys_clear (plain_keys, G_N_ELEMENTS (plain_keys), &fixture->plain);
  relay_keys_init (plain_keys, G_N_ELEMENTS (plain_keys), &fixture->plain);
  g_hash_table_remove_all (fixture->members.members);
  relay_key_file_add (file, &plain_table, &fixture->plain);
  relay_key_file_add (file, &member_table, &fixture->members);
  if (fixture->partial)
    relay_key_file_set_partial (file);
  g_assert_true (g_file_set_contents (fixture->path, text, -1, NULL));
  g_assert_true (relay_key_file_read (file, &error));
  if (expected == NULL) {
    g_assert_true (relay_key_file_finish (file, &error));
    g_assert_no_error (error);
    return;
  }
  g_string_replace (message, "FILE", fixture->path, 0);
  g_assert_false (relay_key_file_finish (file, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
  g_assert_cmpstr (error->message, ==, message->str);
}

static guint
get_count (Fixture *fixture, const char *argument)
{
  Plain *plain = g_hash_table_lookup (fixture->members.members, argument);

  g_assert_nonnull (plain);
  return plain->count;
}

static void
test_members (Fixture *fixture, gconstpointer data)
{
  assert_read (fixture,
               "[Second a:1]\nCount=5\n[First]\nCount=6\n[Second  b c ]\nCount=7\n[Second]\nText=x\n[Second a:2]\n"
               "[Second a:1]\n",
               NULL);
  g_assert_cmpuint (fixture->plain.count, ==, 6);
  g_assert_cmpstr (fixture->plain.text, ==, "x");
  g_assert_cmpuint (g_hash_table_size (fixture->members.members), ==, 3);
  g_assert_cmpuint (get_count (fixture, "a:1"), ==, 5);
  g_assert_cmpuint (get_count (fixture, "b c"), ==, 7);
  g_assert_cmpuint (get_count (fixture, "a:2"), ==, 2);
}

static void
test_member_faults (Fixture *fixture, gconstpointer data)
{
  assert_read (fixture, "[Second a]\nText=x\n", "FILE: [Second a] Text: there is no such key");
  assert_read (fixture, "[Second a]\nText=\n", "FILE: [Second a] line 2: there is no such key");
  assert_read (fixture, "[Second]\nCount=1\n", "FILE: [Second] Count: there is no such key");
  assert_read (fixture, "[Second a]\nCount=many\n", "FILE: [Second a] Count=many: must be a whole number from 0 to 100");
  assert_read (fixture, "[Second a]\nCount=1\n[Second b]\nCount=1\n[Second a]\nCount=2\n",
               "FILE: [Second a] Count: stands twice, in lines 2 and 6");
  assert_read (fixture, "[Second bad one]\nCount=many\nNothing=1\n", "FILE:1: bad one is bad");
  assert_read (fixture, "[Second a]\n[Second b]\n[Second c]\n[Second d]\nCount=1\n[Second e]\n[Second a]\n",
               "FILE:4: there are more than 3 groups [Second …]");
  /* No table has groups of that name with an argument. */
  assert_read (fixture, "[First a]\n", "FILE:1: this is no name of a group");
  assert_read (fixture, "[Second ]\n", "FILE:1: this is no name of a group");
  assert_read (fixture, "[ Second a]\n", "FILE:1: this is no name of a group");
}

/* What others read is looked at as far as its form goes. */
static void
test_partial (Fixture *fixture, gconstpointer data)
{
  fixture->partial = TRUE;
  assert_read (fixture, "[Third]\nCount=many\nAnything=at all\n[First]\nCount=2\n", NULL);
  g_assert_cmpuint (fixture->plain.count, ==, 2);
  assert_read (fixture, "[Third]\nnonsense\n", "FILE:2: this is neither a [Group] nor a Key=value nor a comment (# …)");
  assert_read (fixture, "[Third\xc3\xa4]\n", "FILE:1: this is no name of a group");
  assert_read (fixture, "[First]\nColour=red\n", "FILE: [First] Colour: there is no such key");

  fixture->partial = FALSE;
  assert_read (fixture, "[Third]\nCount=many\n", "FILE: [Third]: there is no such group");
}

/* What no key shows by itself comes behind what they do. */
static void
test_own_faults (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayKeyFile) file = relay_key_file_new (fixture->path);
  g_autoptr (GError) error = NULL;
  g_autofree char *expected = g_strdup_printf ("%s: [First] Count=5: not today", fixture->path);

  relay_keys_init (plain_keys, G_N_ELEMENTS (plain_keys), &fixture->plain);
  relay_key_file_add (file, &plain_table, &fixture->plain);
  g_assert_true (g_file_set_contents (fixture->path, "[First]\nCount=5\n[Second]\nText=\n", -1, NULL));
  g_assert_true (relay_key_file_read (file, &error));
  g_assert_cmpstr (relay_key_file_get (file, &plain_keys[0]), ==, "5");
  g_assert_null (relay_key_file_get (file, &plain_keys[1]));
  relay_key_file_add_fault (file, &plain_keys[0], "not today");
  g_assert_false (relay_key_file_finish (file, &error));
  g_assert_cmpstr (error->message, ==, expected);
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autoptr (RelayKeyFile) missing = relay_key_file_new (fixture->path);
  g_autoptr (RelayKeyFile) without = relay_key_file_new (NULL);
  g_autoptr (RelayKeyFile) folder = relay_key_file_new (fixture->folder);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) folder_error = NULL;

  g_assert_false (relay_key_file_read (missing, &error));
  g_assert_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION);
  g_assert_true (g_str_has_suffix (error->message, "test.conf: there is no such file"));
  g_assert_true (relay_key_file_read (without, NULL));
  g_assert_true (relay_key_file_finish (without, NULL));
  g_assert_false (relay_key_file_read (folder, &folder_error));
  g_assert_true (g_str_has_suffix (folder_error->message, ": the file cannot be read: Is a directory"));
  relay_key_file_free (NULL);
}

int
main (int argc, char **argv)
{
  g_setenv ("XDG_CONFIG_HOME", "/nonexistent", TRUE);
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/config/key-file/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("members", test_members);
  ADD ("member-faults", test_member_faults);
  ADD ("partial", test_partial);
  ADD ("own-faults", test_own_faults);
  ADD ("file", test_file);
#undef ADD
  return g_test_run ();
}
