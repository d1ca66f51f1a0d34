/* SPDX-License-Identifier: MIT */
#include "bus/filter.h"

#include <string.h>

#include "common/bus-source.h"
#include "common/error.h"
#include "common/names.h"

/*
 * Limits are checked while reading, so that an array of millions is not taken in first. Functions that return an int give a
 * negative errno if the message is broken, and -EBADMSG with @error set if what it says will not do.
 */
typedef enum {
  KEY_STRING,
  KEY_STRINGS,
  KEY_TIME,
  KEY_BOOLEAN,
} KeyKind;

static const struct {
  const char *name;
  KeyKind kind;
  gsize offset; /* in RelayQuery */
} keys[] = {
  { RELAY_FILTER_TYPES, KEY_STRINGS, G_STRUCT_OFFSET (RelayQuery, types) },
  { RELAY_FILTER_PRP, KEY_STRING, G_STRUCT_OFFSET (RelayQuery, prp) },
  { RELAY_FILTER_AGENT, KEY_STRING, G_STRUCT_OFFSET (RelayQuery, agent) },
  { RELAY_FILTER_PROJECT, KEY_STRING, G_STRUCT_OFFSET (RelayQuery, project) },
  { RELAY_FILTER_SINCE, KEY_TIME, G_STRUCT_OFFSET (RelayQuery, since_usec) },
  { RELAY_FILTER_NEWEST, KEY_BOOLEAN, G_STRUCT_OFFSET (RelayQuery, newest) },
};

static const struct {
  const char *signature, *words;
} kinds[] = {
  [KEY_STRING] = { "s", "a string (s)" },
  [KEY_STRINGS] = { "as", "an array of strings (as)" },
  [KEY_TIME] = { "t", "a time in µs (t)" },
  [KEY_BOOLEAN] = { "b", "a boolean (b)" },
};

#define MAX_SHOWN_BYTES 64 /* of a key that we do not know */

typedef struct {
  sd_bus_message *message;
  RelayQuery query;
  guint seen; /* bits of keys */
  gsize bytes;
  GError **error;
} Reader;

static int G_GNUC_PRINTF (2, 3)
refuse (Reader *reader, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (reader->error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, text);
  return -EBADMSG;
}

static int
refuse_unknown (Reader *reader, const char *name)
{
  g_autoptr (GString) known = g_string_new (NULL);
  gsize length = strlen (name);

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    g_string_append_printf (known, "%s%s", i == 0 ? "" : ", ", keys[i].name);
  if (length > MAX_SHOWN_BYTES)
    length = (gsize) (g_utf8_find_prev_char (name, name + MAX_SHOWN_BYTES) - name);
  return refuse (reader, "There is no filter key “%.*s”; there are %s", (int) length, name, known->str);
}

/* The string at this place. */
static int
read_string (Reader *reader, const char *key, char **ret_string)
{
  const char *string;
  gsize length;
  int r = sd_bus_message_read_basic (reader->message, 's', &string);

  if (r <= 0)
    return r;
  length = strlen (string);
  if (length > RELAY_QUERY_MAX_STRING_BYTES)
    return refuse (reader, "The filter key %s is too long: a string may have at most %d bytes", key,
                   RELAY_QUERY_MAX_STRING_BYTES);
  reader->bytes += length;
  if (reader->bytes > RELAY_FILTER_MAX_BYTES)
    return refuse (reader, "The filter is too long at its key %s: all its strings may have at most %d bytes", key,
                   RELAY_FILTER_MAX_BYTES);
  *ret_string = g_strdup (string);
  return 1;
}

static int
read_strings (Reader *reader, const char *key, char ***ret_strings)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  char *string = NULL;
  int r = sd_bus_message_enter_container (reader->message, 'a', "s");

  while (r >= 0 && (r = read_string (reader, key, &string)) > 0) {
    g_ptr_array_add (strings, string);
    if (strings->len > RELAY_QUERY_MAX_TYPES)
      return refuse (reader, "The filter key %s has too many strings, at most %d are allowed", key, RELAY_QUERY_MAX_TYPES);
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (reader->message);
  if (r < 0)
    return r;
  if (strings->len == 0)
    return refuse (reader, "The filter key %s is empty; leave it out for whatever there is", key);
  g_ptr_array_add (strings, NULL);
  *ret_strings = (char **) g_ptr_array_steal (strings, NULL);
  return 0;
}

static int
read_value (Reader *reader, gsize i)
{
  gpointer field = G_STRUCT_MEMBER_P (&reader->query, keys[i].offset);
  guint64 time_usec;
  int boolean, r;

  switch (keys[i].kind) {
  case KEY_STRING:
    return read_string (reader, keys[i].name, field);
  case KEY_STRINGS:
    return read_strings (reader, keys[i].name, field);
  case KEY_TIME:
    r = sd_bus_message_read_basic (reader->message, 't', &time_usec);
    if (r >= 0)
      *(gint64 *) field = (gint64) MIN (time_usec, (guint64) G_MAXINT64);
    return r;
  case KEY_BOOLEAN:
    r = sd_bus_message_read_basic (reader->message, 'b', &boolean);
    if (r >= 0)
      *(gboolean *) field = boolean;
    return r;
  }
  g_assert_not_reached ();
}

/* What stands between the brackets of one {sv}. */
static int
read_entry (Reader *reader)
{
  const char *name, *signature;
  gsize i = 0;
  int r = sd_bus_message_read_basic (reader->message, 's', &name);

  if (r < 0)
    return r;
  while (i < G_N_ELEMENTS (keys) && !g_str_equal (keys[i].name, name))
    i++;
  if (i == G_N_ELEMENTS (keys))
    return refuse_unknown (reader, name);
  if ((reader->seen & 1u << i) != 0)
    return refuse (reader, "The filter key %s stands twice", name);
  reader->seen |= 1u << i;

  r = sd_bus_message_peek_type (reader->message, NULL, &signature);
  if (r < 0)
    return r;
  if (!g_str_equal (signature, kinds[keys[i].kind].signature))
    return refuse (reader, "The filter key %s must be %s, it is %s", name, kinds[keys[i].kind].words, signature);
  r = sd_bus_message_enter_container (reader->message, 'v', kinds[keys[i].kind].signature);
  if (r >= 0)
    r = read_value (reader, i);
  return r < 0 ? r : sd_bus_message_exit_container (reader->message);
}

gboolean
relay_filter_read (sd_bus_message *message, RelayQuery *ret_query, GError **error)
{
  g_autoptr (GError) refusal = NULL;
  Reader reader = { .message = message, .error = &refusal };
  int r = sd_bus_message_enter_container (message, 'a', "{sv}");

  while (r >= 0 && (r = sd_bus_message_enter_container (message, 'e', "sv")) > 0) {
    r = read_entry (&reader);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (message);
  if (r >= 0) {
    *ret_query = reader.query;
    return TRUE;
  }
  relay_query_clear (&reader.query);
  if (refusal != NULL)
    g_propagate_error (error, g_steal_pointer (&refusal));
  else
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_INVALID_ARGS, "The filter cannot be read: %s", strerror (-r));
  return FALSE;
}
