/* SPDX-License-Identifier: MIT */
#include "config/key.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#define SECONDS_PER_DAY 86400

/* A file name that is none, and looks like a JSON Web Token. */
static gboolean
looks_like_token (const char *value)
{
  return g_str_has_prefix (value, "eyJ") && strchr (value, '/') == NULL;
}

gboolean
relay_key_hides (const RelayKey *key, const char *value)
{
  if (key->type == RELAY_KEY_COMMAND)
    return TRUE;
  if (key->type == RELAY_KEY_ADDRESS)
    return strchr (value, '@') != NULL || strchr (value, '?') != NULL;
  return looks_like_token (value);
}

/* ---- values: NULL is returned if the field was set, else the reason why not ---- */

/* Digits, and a point with digits behind it where @fraction: no sign, no exponent, no locale, no "nan". */
static gboolean
read_number (const char *text, gboolean fraction, double *ret_number)
{
  const char *p = text;

  while (g_ascii_isdigit (*p))
    p++;
  if (p == text)
    return FALSE;
  if (fraction && *p == '.' && g_ascii_isdigit (p[1]))
    for (p++; g_ascii_isdigit (*p);)
      p++;
  if (*p != '\0')
    return FALSE;
  *ret_number = g_ascii_strtod (text, NULL);
  return TRUE;
}

static void
set_number (const RelayKey *key, double number, gpointer field)
{
  switch (key->type) {
  case RELAY_KEY_SECONDS:
    *(guint64 *) field = (guint64) llround (number * G_USEC_PER_SEC);
    break;
  case RELAY_KEY_DAYS:
    *(guint64 *) field = (guint64) llround (number * SECONDS_PER_DAY * G_USEC_PER_SEC);
    break;
  case RELAY_KEY_RATE:
    *(double *) field = number;
    break;
  case RELAY_KEY_BOOLEAN:
    *(int *) field = (int) number;
    break;
  case RELAY_KEY_COUNT:
  case RELAY_KEY_CHOICE:
    *(guint *) field = (guint) number;
    break;
  case RELAY_KEY_BYTES:
    *(gsize *) field = (gsize) number;
    break;
  default:
    g_assert_not_reached ();
  }
}

static char *
take_number (const RelayKey *key, const char *value, gpointer field)
{
  gboolean fraction = key->type != RELAY_KEY_COUNT && key->type != RELAY_KEY_BYTES;
  char minimum[G_ASCII_DTOSTR_BUF_SIZE], maximum[G_ASCII_DTOSTR_BUF_SIZE];
  double number;

  if (read_number (value, fraction, &number) && number >= key->minimum && number <= key->maximum) {
    set_number (key, number, field);
    return NULL;
  }
  g_ascii_formatd (minimum, sizeof minimum, "%.9g", key->minimum);
  g_ascii_formatd (maximum, sizeof maximum, "%.9g", key->maximum);
  switch (key->type) {
  case RELAY_KEY_SECONDS:
    return g_strdup_printf (_("must be a number of seconds from %s to %s"), minimum, maximum);
  case RELAY_KEY_DAYS:
    return g_strdup_printf (_("must be a number of days from %s to %s"), minimum, maximum);
  case RELAY_KEY_BYTES:
    return g_strdup_printf (_("must be a whole number of bytes from %s to %s"), minimum, maximum);
  case RELAY_KEY_COUNT:
    return g_strdup_printf (_("must be a whole number from %s to %s"), minimum, maximum);
  default:
    return g_strdup_printf (_("must be a number from %s to %s"), minimum, maximum);
  }
}

static char *
take_boolean (const RelayKey *key, const char *value, gpointer field)
{
  if (!g_str_equal (value, "true") && !g_str_equal (value, "false"))
    return g_strdup (_("must be true or false"));
  set_number (key, *value == 't', field);
  return NULL;
}

static char *
take_choice (const RelayKey *key, const char *value, gpointer field)
{
  g_autofree char *list = NULL;

  for (guint i = 0; key->choices[i] != NULL; i++)
    if (g_str_equal (key->choices[i], value)) {
      set_number (key, i, field);
      return NULL;
    }
  list = g_strjoinv (", ", (char **) key->choices);
  return g_strdup_printf (_("must be one of: %s"), list);
}

/* Is it what the table's owner allows? */
static char *
check_value (const RelayKey *key, const char *value)
{
  g_autoptr (GError) error = NULL;

  if (key->check == NULL || key->check (value, &error))
    return NULL;
  return g_strdup (error->message);
}

static char *
take_string (const RelayKey *key, const char *value, char **field)
{
  char *reason = check_value (key, value);

  if (reason == NULL) {
    g_free (*field);
    *field = g_strdup (value);
  }
  return reason;
}

static char *
take_ascii (const RelayKey *key, const char *value, char **field)
{
  for (const char *p = value; *p != '\0'; p++)
    if (!g_ascii_isprint (*p)) /* RFC 6749 appendix A.1, for one */
      return g_strdup (_("there is a special character in it"));
  return take_string (key, value, field);
}

static char *
take_path (const RelayKey *key, const char *value, const char *folder, char **field)
{
  g_autofree char *path = NULL;

  if (looks_like_token (value))
    return g_strdup (_("this looks like a token: write it into a file, and the name of the file here"));
  if (value[0] == '~' && value[1] != '/')
    return g_strdup (_("of a user's home, only your own is understood (~/)"));
  path = value[0] == '~' ? g_build_filename (g_get_home_dir (), value + 2, NULL) : g_canonicalize_filename (value, folder);
  return take_string (key, path, field);
}

/* What g_shell_parse_argv says about a fault is not passed on: it quotes the command. */
static char *
take_command (const char *value, char ***field)
{
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  gboolean parsed = g_shell_parse_argv (value, NULL, &argv, &error);

  if (!parsed && !g_error_matches (error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
    return g_strdup (_("a quotation mark or a backslash has no counterpart"));
  if (!parsed || *argv[0] == '\0')
    return g_strdup (_("this names no program"));
  if (g_str_has_prefix (argv[0], "~/")) {
    char *program = g_build_filename (g_get_home_dir (), argv[0] + 2, NULL);

    g_free (argv[0]);
    argv[0] = program;
  }
  g_strfreev (*field);
  *field = g_steal_pointer (&argv);
  return NULL;
}

/* Items that are empty do not count: a list may well end with a semicolon. */
static GPtrArray *
split_list (const char *value)
{
  GPtrArray *items = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_auto (GStrv) parts = g_strsplit (value, ";", -1);

  for (char **part = parts; *part != NULL; part++)
    if (*g_strstrip (*part) != '\0' && g_hash_table_add (seen, *part))
      g_ptr_array_add (items, g_strdup (*part));
  return items;
}

static void
set_list (GPtrArray *items, char ***field)
{
  g_ptr_array_add (items, NULL);
  g_strfreev (*field);
  *field = (char **) g_ptr_array_steal (items, NULL);
}

static char *
take_list (const RelayKey *key, const char *value, char ***field)
{
  g_autoptr (GPtrArray) items = split_list (value);

  if (items->len == 0)
    return g_strdup (_("there is nothing in this list"));
  if (items->len > RELAY_KEY_LIST_MAX_ITEMS)
    return g_strdup_printf (_("there are more than %d items in this list"), RELAY_KEY_LIST_MAX_ITEMS);
  for (guint i = 0; i < items->len; i++) {
    char *reason = check_value (key, items->pdata[i]);

    if (reason != NULL)
      return reason;
  }
  set_list (items, field);
  return NULL;
}

char *
relay_key_take (const RelayKey *key, const char *value, const char *folder, gpointer target)
{
  gpointer field = G_STRUCT_MEMBER_P (target, key->offset);

  switch (key->type) {
  case RELAY_KEY_ADDRESS:
    return take_string (key, value, field);
  case RELAY_KEY_PATH:
    return take_path (key, value, folder, field);
  case RELAY_KEY_TEXT:
    return take_ascii (key, value, field);
  case RELAY_KEY_COMMAND:
    return take_command (value, field);
  case RELAY_KEY_LIST:
    return take_list (key, value, field);
  case RELAY_KEY_BOOLEAN:
    return take_boolean (key, value, field);
  case RELAY_KEY_CHOICE:
    return take_choice (key, value, field);
  default:
    return take_number (key, value, field);
  }
}

/* ---- the struct ---- */

void
relay_keys_init (const RelayKey *keys, gsize n_keys, gpointer target)
{
  for (gsize i = 0; i < n_keys; i++) {
    const RelayKey *key = &keys[i];
    gpointer field = G_STRUCT_MEMBER_P (target, key->offset);

    if (key->type >= RELAY_KEY_BOOLEAN)
      set_number (key, key->initial, field);
    else if (key->initial_text != NULL && key->type == RELAY_KEY_LIST) {
      g_autoptr (GPtrArray) items = split_list (key->initial_text);

      set_list (items, field);
    } else if (key->initial_text != NULL)
      *(char **) field = g_strdup (key->initial_text);
  }
}

void
relay_keys_clear (const RelayKey *keys, gsize n_keys, gpointer target)
{
  for (gsize i = 0; i < n_keys; i++) {
    gpointer field = G_STRUCT_MEMBER_P (target, keys[i].offset);

    if (keys[i].type == RELAY_KEY_LIST || keys[i].type == RELAY_KEY_COMMAND)
      g_clear_pointer ((char ***) field, g_strfreev);
    else if (keys[i].type < RELAY_KEY_BOOLEAN)
      g_clear_pointer ((char **) field, g_free);
  }
}
