/* SPDX-License-Identifier: MIT */
#include "json-oracle.h"

#include <string.h>

/*
 * The grammar of RFC 8259 as it is printed there, a function for a rule: it recurses, it backtracks, it looks at some bytes
 * three times, and it is short enough to be seen to be right.
 */
typedef struct {
  const char *p, *end;
  guint depth;
} Parser;

static gboolean parse_value (Parser *parser);

static gboolean
take (Parser *parser, const char *word)
{
  gsize length = strlen (word);

  if ((gsize) (parser->end - parser->p) < length || memcmp (parser->p, word, length) != 0)
    return FALSE;
  parser->p += length;
  return TRUE;
}

/* One of these bytes. */
static gboolean
take_any (Parser *parser, const char *bytes)
{
  if (parser->p == parser->end || *parser->p == '\0' || strchr (bytes, *parser->p) == NULL)
    return FALSE;
  parser->p++;
  return TRUE;
}

static void
take_white (Parser *parser)
{
  while (take_any (parser, " \t\n\r"))
    ;
}

static gboolean
parse_digits (Parser *parser)
{
  gboolean any = FALSE;

  while (take_any (parser, "0123456789"))
    any = TRUE;
  return any;
}

/* §6 */
static gboolean
parse_number (Parser *parser)
{
  take (parser, "-");
  if (!take (parser, "0") && !(parser->p < parser->end && *parser->p != '0' && parse_digits (parser)))
    return FALSE;
  if (take (parser, ".") && !parse_digits (parser))
    return FALSE;
  if (!take_any (parser, "eE"))
    return TRUE;
  take_any (parser, "+-");
  return parse_digits (parser);
}

/* §7; that all is UTF-8 is known. */
static gboolean
parse_string (Parser *parser)
{
  if (!take (parser, "\""))
    return FALSE;
  while (!take (parser, "\"")) {
    if (parser->p == parser->end || (guchar) *parser->p < 0x20)
      return FALSE;
    if (!take (parser, "\\")) {
      parser->p++;
    } else if (take (parser, "u")) {
      for (guint i = 0; i < 4; i++)
        if (!take_any (parser, "0123456789abcdefABCDEF"))
          return FALSE;
    } else if (!take_any (parser, "\"\\/bfnrt"))
      return FALSE;
  }
  return TRUE;
}

/* §4 and §5, which differ in their brackets and in the key. */
static gboolean
parse_container (Parser *parser, const char *close, gboolean object)
{
  if (++parser->depth > RELAY_JSON_MAX_DEPTH)
    return FALSE;
  take_white (parser);
  if (!take (parser, close)) {
    do {
      take_white (parser);
      if (object) {
        if (!parse_string (parser))
          return FALSE;
        take_white (parser);
        if (!take (parser, ":"))
          return FALSE;
      }
      if (!parse_value (parser))
        return FALSE;
    } while (take (parser, ","));
    if (!take (parser, close))
      return FALSE;
  }
  parser->depth--;
  return TRUE;
}

/* §3, with the white space around it (§2). */
static gboolean
parse_value (Parser *parser)
{
  gboolean good;

  take_white (parser);
  if (take (parser, "{"))
    good = parse_container (parser, "}", TRUE);
  else if (take (parser, "["))
    good = parse_container (parser, "]", FALSE);
  else if (parser->p < parser->end && *parser->p == '"')
    good = parse_string (parser);
  else
    good = take (parser, "true") || take (parser, "false") || take (parser, "null") || parse_number (parser);
  take_white (parser);
  return good;
}

gboolean
json_oracle_is_valid (const char *text, gsize length)
{
  Parser parser = { .p = text, .end = text + length };
  const char *stop = text;

  /* A NUL ends g_utf8_validate_len, and has no place in JSON. */
  if (!g_utf8_validate_len (text, length, &stop))
    return FALSE;
  return parse_value (&parser) && parser.p == parser.end;
}

/* ---- strings ---- */

static gboolean
is_carried (gunichar c)
{
  return c != 0 && (c < 0xD800 || c > 0xDFFF) && (c < 0xFDD0 || c > 0xFDEF) && (c & 0xFFFF) < 0xFFFE;
}

static gunichar
read_hex (const char *p)
{
  g_autofree char *digits = g_strndup (p, 4);

  return (gunichar) g_ascii_strtoull (digits, NULL, 16);
}

static gunichar
read_escape (const char **p, const char *end)
{
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  gunichar c, low;

  if (**p != 'u')
    return (guchar) values[strchr (letters, *(*p)++) - letters];
  c = read_hex (*p + 1);
  *p += 5;
  if (c >= 0xD800 && c <= 0xDBFF && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
    low = read_hex (*p + 2);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      *p += 6;
      return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  return c;
}

char *
json_oracle_unescape (const char *text, gsize length)
{
  const char *p = text, *end = text + length;
  GString *value = g_string_new (NULL);

  while (p < end) {
    gunichar c;

    if (*p == '\\') {
      p++;
      c = read_escape (&p, end);
    } else {
      c = g_utf8_get_char (p);
      p = g_utf8_next_char (p);
    }
    g_string_append_unichar (value, is_carried (c) ? c : 0xFFFD);
  }
  return g_string_free (value, FALSE);
}

/* ---- equality ---- */

/* The text of a value, with what is not carried replaced. */
static char *
dup_text (const RelayJsonReader *reader, guint token)
{
  const char *p = reader->text + reader->tape[token].start, *end = reader->text + reader->tape[token].end;
  GString *text = g_string_new (NULL);

  for (; p < end; p = g_utf8_next_char (p))
    g_string_append_unichar (text, is_carried (g_utf8_get_char (p)) ? g_utf8_get_char (p) : 0xFFFD);
  return g_string_free (text, FALSE);
}

static gboolean
objects_equal (const RelayJsonReader *a, guint token_a, const RelayJsonReader *b, guint token_b, guint max_level)
{
  guint n_a = 0, n_b = 0;

  for (guint key = token_a + 1; key < a->tape[token_a].next; key = a->tape[key + 1].next) {
    g_autofree char *name = NULL;
    guint other;

    if ((a->tape[key].flags & RELAY_JSON_SUPERSEDED) != 0)
      continue;
    n_a++;
    name = relay_json_reader_dup_string (a, key);
    other = relay_json_reader_find (b, token_b, name);
    if (other == 0 || !json_oracle_equal (a, key + 1, b, other, max_level))
      return FALSE;
  }
  for (guint key = token_b + 1; key < b->tape[token_b].next; key = b->tape[key + 1].next)
    n_b++;
  return n_a == n_b;
}

static gboolean
arrays_equal (const RelayJsonReader *a, guint token_a, const RelayJsonReader *b, guint token_b, guint max_level)
{
  guint i = token_a + 1, j = token_b + 1;

  for (; i < a->tape[token_a].next && j < b->tape[token_b].next; i = a->tape[i].next, j = b->tape[j].next)
    if (!json_oracle_equal (a, i, b, j, max_level))
      return FALSE;
  return i == a->tape[token_a].next && j == b->tape[token_b].next;
}

gboolean
json_oracle_equal (const RelayJsonReader *a, guint token_a, const RelayJsonReader *b, guint token_b, guint max_level)
{
  const RelayJsonToken *of_a = &a->tape[token_a], *of_b = &b->tape[token_b];
  g_autofree char *text_a = NULL, *text_b = NULL;
  double number_a, number_b;

  if (of_a->type >= RELAY_JSON_ARRAY && of_a->level >= max_level) {
    text_a = dup_text (a, token_a);
    text_b = relay_json_reader_dup_string (b, token_b);
    return g_strcmp0 (text_a, text_b) == 0;
  }
  if (of_a->type != of_b->type)
    return FALSE;
  switch ((RelayJsonType) of_a->type) {
  case RELAY_JSON_STRING:
    text_a = json_oracle_unescape (a->text + of_a->start, of_a->end - of_a->start);
    text_b = relay_json_reader_dup_string (b, token_b);
    return g_str_equal (text_a, text_b);
  case RELAY_JSON_INT64:
  case RELAY_JSON_UINT64:
    return relay_json_reader_uint64 (a, token_a) == relay_json_reader_uint64 (b, token_b) &&
           (relay_json_reader_int64 (a, token_a) < 0) == (relay_json_reader_int64 (b, token_b) < 0);
  case RELAY_JSON_DOUBLE:
    number_a = relay_json_reader_double (a, token_a);
    number_b = relay_json_reader_double (b, token_b);
    return memcmp (&number_a, &number_b, sizeof number_a) == 0;
  case RELAY_JSON_ARRAY:
    return arrays_equal (a, token_a, b, token_b, max_level);
  case RELAY_JSON_OBJECT:
    return objects_equal (a, token_a, b, token_b, max_level);
  default:
    return TRUE;
  }
}
