/* SPDX-License-Identifier: MIT */
#include "config/key.h"

#include "common/error.h"

typedef struct {
  char *address, *path, *text;
  char **command, **list;
  int boolean;
  guint choice, count;
  guint64 seconds, days;
  double rate;
  gsize bytes;
} Values;

static gboolean
check_no_x (const char *value, GError **error)
{
  if (g_strrstr (value, "x") == NULL)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_CONFIGURATION, "there is an x in %s", value);
  return FALSE;
}

static const char *const colours[] = { "red", "green", NULL };

#define FIELD(member) G_STRUCT_OFFSET (Values, member)

enum { ADDRESS, PATH, TEXT, COMMAND, LIST, BOOLEAN, CHOICE, SECONDS, DAYS, RATE, COUNT, BYTES };

static const RelayKey keys[] = {
  [ADDRESS] = { "G", "Address", RELAY_KEY_ADDRESS, FIELD (address), .initial_text = "a:b", .check = check_no_x },
  [PATH] = { "G", "Path", RELAY_KEY_PATH, FIELD (path), .check = check_no_x },
  [TEXT] = { "G", "Text", RELAY_KEY_TEXT, FIELD (text), .check = check_no_x },
  [COMMAND] = { "G", "Command", RELAY_KEY_COMMAND, FIELD (command) },
  [LIST] = { "G", "List", RELAY_KEY_LIST, FIELD (list), .initial_text = "a;b", .check = check_no_x },
  [BOOLEAN] = { "G", "Boolean", RELAY_KEY_BOOLEAN, FIELD (boolean), .initial = -1 },
  [CHOICE] = { "G", "Choice", RELAY_KEY_CHOICE, FIELD (choice), .initial = 1, .choices = colours },
  [SECONDS] = { "G", "Seconds", RELAY_KEY_SECONDS, FIELD (seconds), 1.5, 0, 60 },
  [DAYS] = { "G", "Days", RELAY_KEY_DAYS, FIELD (days), 2, 0, 10 },
  [RATE] = { "G", "Rate", RELAY_KEY_RATE, FIELD (rate), 2.5, 0, 10 },
  [COUNT] = { "G", "Count", RELAY_KEY_COUNT, FIELD (count), 3, 1, 10 },
  [BYTES] = { "G", "Bytes", RELAY_KEY_BYTES, FIELD (bytes), 4, 1, 10 },
};

static void
values_clear (Values *values)
{
  relay_keys_clear (keys, G_N_ELEMENTS (keys), values);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Values, values_clear)

static void
assert_taken (const RelayKey *key, const char *value, Values *values)
{
  g_autofree char *reason = relay_key_take (key, value, "/folder", values);

  g_assert_cmpstr (reason, ==, NULL);
}

static void
assert_refused (const RelayKey *key, const char *value, Values *values, const char *expected)
{
  g_autofree char *reason = relay_key_take (key, value, "/folder", values);

  g_assert_cmpstr (reason, ==, expected);
}

#define assert_list(list, ...)                                                                                            \
  g_assert_true (g_strv_equal ((const char *const *) (list), (const char *const[]){ __VA_ARGS__, NULL }))

static void
test_defaults (void)
{
  g_auto (Values) values = { 0 };

  relay_keys_init (keys, G_N_ELEMENTS (keys), &values);
  g_assert_cmpstr (values.address, ==, "a:b");
  g_assert_null (values.path);
  g_assert_null (values.text);
  g_assert_null (values.command);
  assert_list (values.list, "a", "b");
  g_assert_cmpint (values.boolean, ==, -1);
  g_assert_cmpuint (values.choice, ==, 1);
  g_assert_cmpuint (values.seconds, ==, 1500000);
  g_assert_cmpuint (values.days, ==, 2 * 86400 * (guint64) G_USEC_PER_SEC);
  g_assert_cmpfloat (values.rate, ==, 2.5);
  g_assert_cmpuint (values.count, ==, 3);
  g_assert_cmpuint (values.bytes, ==, 4);

  relay_keys_clear (keys, G_N_ELEMENTS (keys), &values);
  g_assert_null (values.address);
  g_assert_null (values.list);
}

/* Each goes in place of what was there; what is refused changes nothing. */
static void
test_values (void)
{
  g_auto (Values) values = { 0 };

  relay_keys_init (keys, G_N_ELEMENTS (keys), &values);
  assert_taken (&keys[ADDRESS], "c:d?e@f", &values);
  assert_taken (&keys[PATH], "b", &values);
  assert_taken (&keys[PATH], "../a", &values);
  assert_taken (&keys[TEXT], "one", &values);
  assert_taken (&keys[TEXT], "two words", &values);
  assert_taken (&keys[COMMAND], "one 'two three'", &values);
  assert_taken (&keys[COMMAND], "four", &values);
  assert_taken (&keys[BOOLEAN], "true", &values);
  assert_taken (&keys[CHOICE], "red", &values);
  assert_taken (&keys[SECONDS], "0.25", &values);
  assert_taken (&keys[COUNT], "7", &values);
  assert_refused (&keys[ADDRESS], "x", &values, "there is an x in x");
  assert_refused (&keys[PATH], "x", &values, "there is an x in /folder/x");
  assert_refused (&keys[TEXT], "x", &values, "there is an x in x");
  assert_refused (&keys[TEXT], "\xc3\xa4", &values, "there is a special character in it");
  assert_refused (&keys[COMMAND], "'", &values, "a quotation mark or a backslash has no counterpart");
  assert_refused (&keys[CHOICE], "Red", &values, "must be one of: red, green");
  assert_refused (&keys[SECONDS], "61", &values, "must be a number of seconds from 0 to 60");
  assert_refused (&keys[COUNT], "0.5", &values, "must be a whole number from 1 to 10");

  g_assert_cmpstr (values.address, ==, "c:d?e@f");
  g_assert_cmpstr (values.path, ==, "/a");
  g_assert_cmpstr (values.text, ==, "two words");
  assert_list (values.command, "four");
  g_assert_cmpint (values.boolean, ==, 1);
  g_assert_cmpuint (values.choice, ==, 0);
  g_assert_cmpuint (values.seconds, ==, 250000);
  g_assert_cmpuint (values.count, ==, 7);
}

static void
test_booleans (void)
{
  static const char *const bad[] = { "True", "FALSE", "yes", "1", "0", "t", "true;", "truefalse" };
  g_auto (Values) values = { 0 };

  assert_taken (&keys[BOOLEAN], "true", &values);
  g_assert_cmpint (values.boolean, ==, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_refused (&keys[BOOLEAN], bad[i], &values, "must be true or false");
  g_assert_cmpint (values.boolean, ==, 1);
  assert_taken (&keys[BOOLEAN], "false", &values);
  g_assert_cmpint (values.boolean, ==, 0);
}

static void
test_lists (void)
{
  g_auto (Values) values = { 0 };
  g_autoptr (GString) many = g_string_new (NULL);

  assert_taken (&keys[LIST], "one", &values);
  assert_list (values.list, "one");
  assert_taken (&keys[LIST], " two ;;three;two; ", &values);
  assert_list (values.list, "two", "three");
  assert_refused (&keys[LIST], ";", &values, "there is nothing in this list");
  assert_refused (&keys[LIST], " ; ;", &values, "there is nothing in this list");
  assert_refused (&keys[LIST], "a;x;y", &values, "there is an x in x");
  assert_list (values.list, "two", "three");

  for (guint i = 0; i < RELAY_KEY_LIST_MAX_ITEMS; i++)
    g_string_append_printf (many, "%u;", i);
  assert_taken (&keys[LIST], many->str, &values);
  g_assert_cmpuint (g_strv_length (values.list), ==, RELAY_KEY_LIST_MAX_ITEMS);
  g_string_append (many, "0;one more");
  assert_refused (&keys[LIST], many->str, &values, "there are more than 1000 items in this list");
}

static void
test_hides (void)
{
  static const struct {
    int key;
    const char *value;
    gboolean hides;
  } cases[] = {
    { ADDRESS, "wss://a.example/", FALSE },     { ADDRESS, "wss://me:secret@a.example/", TRUE },
    { ADDRESS, "wss://a.example/?k=1", TRUE },  { COMMAND, "true", TRUE },
    { PATH, "eyJhbGciOiJIUzI1NiJ9.e30", TRUE }, { PATH, "/eyJ", FALSE },
    { COUNT, "eyJhbGciOiJIUzI1NiJ9.e30", TRUE }, { COUNT, "5", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (relay_key_hides (&keys[cases[i].key], cases[i].value), ==, cases[i].hides);
}

int
main (int argc, char **argv)
{
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/key/defaults", test_defaults);
  g_test_add_func ("/config/key/values", test_values);
  g_test_add_func ("/config/key/booleans", test_booleans);
  g_test_add_func ("/config/key/lists", test_lists);
  g_test_add_func ("/config/key/hides", test_hides);
  return g_test_run ();
}
