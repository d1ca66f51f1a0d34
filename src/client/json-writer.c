/* SPDX-License-Identifier: MIT */
#include "client/json-writer.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int append_value (GString *out, sd_bus_message *message, guint depth);

void
client_json_append_string (GString *out, const char *text)
{
  const char *plain = text; /* what needs no escape is copied in one piece */
  const char *p;

  g_string_append_c (out, '"');
  for (p = text; *p != '\0'; p++) {
    guchar c = (guchar) *p;
    const char *escape = NULL;

    if (c >= 0x20 && c != '"' && c != '\\')
      continue;
    g_string_append_len (out, plain, p - plain);
    plain = p + 1;
    switch (c) {
    case '"': escape = "\\\""; break;
    case '\\': escape = "\\\\"; break;
    case '\b': escape = "\\b"; break;
    case '\f': escape = "\\f"; break;
    case '\n': escape = "\\n"; break;
    case '\r': escape = "\\r"; break;
    case '\t': escape = "\\t"; break;
    default: g_string_append_printf (out, "\\u%04x", c); continue;
    }
    g_string_append (out, escape);
  }
  g_string_append_len (out, plain, p - plain);
  g_string_append_c (out, '"');
}

void
client_json_append_double (GString *out, double number)
{
  enum { MAX_DIGITS = 17 }; /* enough for every double to read back as itself */
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  if (isnan (number)) { /* not to be had from JSON, and not to be written as JSON either */
    g_string_append (out, "null");
    return;
  }
  if (isinf (number)) {
    g_string_append (out, number > 0 ? "1e999" : "-1e999");
    return;
  }
  for (int digits = 1; digits <= MAX_DIGITS; digits++) {
    double again;
    char format[8];

    g_snprintf (format, sizeof format, "%%.%dg", digits);
    g_ascii_formatd (text, sizeof text, format, number);
    again = g_ascii_strtod (text, NULL);
    if (again == number)
      break;
  }
  g_string_append (out, text);
  if (strpbrk (text, ".e") == NULL)
    g_string_append (out, ".0");
}

/* The elements of an array or a structure, already entered. */
static int
append_elements (GString *out, sd_bus_message *message, guint depth)
{
  g_string_append_c (out, '[');
  for (gboolean first = TRUE;; first = FALSE) {
    int r = sd_bus_message_at_end (message, FALSE);

    if (r < 0)
      return r;
    if (r > 0)
      break;
    if (!first)
      g_string_append_c (out, ',');
    r = append_value (out, message, depth);
    if (r < 0)
      return r;
  }
  g_string_append_c (out, ']');
  return 0;
}

/* The entries of a dictionary, already entered. */
static int
append_members (GString *out, sd_bus_message *message, guint depth)
{
  g_string_append_c (out, '{');
  for (gboolean first = TRUE;; first = FALSE) {
    const char *contents = NULL;
    const char *key;
    char type;
    int r = sd_bus_message_peek_type (message, &type, &contents);

    if (r < 0)
      return r;
    if (r == 0)
      break;
    if (contents[0] != SD_BUS_TYPE_STRING && contents[0] != SD_BUS_TYPE_OBJECT_PATH)
      return -EBADMSG;
    type = contents[0];
    r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, contents);
    if (r < 0)
      return r;
    r = sd_bus_message_read_basic (message, type, &key);
    if (r < 0)
      return r;
    if (!first)
      g_string_append_c (out, ',');
    client_json_append_string (out, key);
    g_string_append_c (out, ':');
    r = append_value (out, message, depth);
    if (r < 0)
      return r;
    r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  g_string_append_c (out, '}');
  return 0;
}

static int
append_container (GString *out, sd_bus_message *message, char type, const char *contents, guint depth)
{
  gboolean is_dictionary = type == SD_BUS_TYPE_ARRAY && contents[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN;
  int r;

  if (depth >= CLIENT_JSON_MAX_CONTAINERS)
    return -EBADMSG;
  r = sd_bus_message_enter_container (message, type, contents);
  if (r < 0)
    return r;
  if (type == SD_BUS_TYPE_VARIANT)
    r = append_value (out, message, depth + 1);
  else if (is_dictionary)
    r = append_members (out, message, depth + 2); /* the array and its entry */
  else
    r = append_elements (out, message, depth + 1);
  if (r < 0)
    return r;
  return sd_bus_message_exit_container (message);
}

static int
append_basic (GString *out, sd_bus_message *message, char type)
{
  union {
    const char *text;
    int boolean;
    guint8 y;
    gint16 n;
    guint16 q;
    gint32 i;
    guint32 u;
    gint64 x;
    guint64 t;
    double d;
  } value;
  int r = sd_bus_message_read_basic (message, type, &value);

  if (r < 0)
    return r;
  switch (type) {
  case SD_BUS_TYPE_STRING:
  case SD_BUS_TYPE_OBJECT_PATH: client_json_append_string (out, value.text); break;
  case SD_BUS_TYPE_SIGNATURE:
    if (*value.text == '\0')
      g_string_append (out, "null");
    else
      client_json_append_string (out, value.text);
    break;
  case SD_BUS_TYPE_BOOLEAN: g_string_append (out, value.boolean ? "true" : "false"); break;
  case SD_BUS_TYPE_BYTE: g_string_append_printf (out, "%u", value.y); break;
  case SD_BUS_TYPE_INT16: g_string_append_printf (out, "%d", value.n); break;
  case SD_BUS_TYPE_UINT16: g_string_append_printf (out, "%u", value.q); break;
  case SD_BUS_TYPE_INT32: g_string_append_printf (out, "%" G_GINT32_FORMAT, value.i); break;
  case SD_BUS_TYPE_UINT32: g_string_append_printf (out, "%" G_GUINT32_FORMAT, value.u); break;
  case SD_BUS_TYPE_INT64: g_string_append_printf (out, "%" G_GINT64_FORMAT, value.x); break;
  case SD_BUS_TYPE_UINT64: g_string_append_printf (out, "%" G_GUINT64_FORMAT, value.t); break;
  case SD_BUS_TYPE_DOUBLE: client_json_append_double (out, value.d); break;
  default: g_assert_not_reached ();
  }
  return 0;
}

static int
append_value (GString *out, sd_bus_message *message, guint depth)
{
  const char *contents = NULL;
  char type;
  int r = sd_bus_message_peek_type (message, &type, &contents);

  if (r < 0)
    return r;
  if (r == 0)
    return -ENXIO;

  switch (type) {
  case SD_BUS_TYPE_VARIANT:
  case SD_BUS_TYPE_ARRAY:
  case SD_BUS_TYPE_STRUCT: return append_container (out, message, type, contents, depth);
  case SD_BUS_TYPE_UNIX_FD:
  case SD_BUS_TYPE_DICT_ENTRY: return -EBADMSG;
  default: return append_basic (out, message, type);
  }
}

int
client_json_append_value (GString *out, sd_bus_message *message)
{
  int r = append_value (out, message, 0);

  return MIN (r, 0);
}

int
client_json_append_members (GString *out, sd_bus_message *message)
{
  int r = append_members (out, message, 0);

  return MIN (r, 0);
}
