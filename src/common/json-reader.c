/* SPDX-License-Identifier: MIT */
#include "common/json-reader.h"

#include <string.h>

/*
 * The reader of the wire. Whatever arrives is hostile until it was read here: nothing recurses (the only stack is
 * a fixed array of RELAY_JSON_MAX_DEPTH container tokens), every byte is looked at once, and each index is checked
 * against the end before it is followed.
 *
 * A string is scanned eight bytes at a time while it is plain ASCII. Whether its value is its text, or needs work when
 * it is taken out (an escape, a character that D-Bus cannot carry), is noted on its token, so that the common string is
 * handed on with a single memcpy.
 *
 * Of a key that stands twice in one object the last one counts (RFC 8259 §4 leaves it open; JavaScript and Python
 * do the same). Small objects compare their keys pair by pair; large ones sort them, so that no choice of keys makes
 * the work quadratic.
 */

#define TAPE_KEEP_TOKENS (64 * 1024) /* a tape that grew past this for one text is given back */
#define PAIRWISE_KEYS_MAX 12         /* objects with more keys are sorted to find doubles */

#define REPLACEMENT 0xFFFDu

G_DEFINE_QUARK (relay-json-error-quark, relay_json_error)

typedef struct {
  RelayJsonReader *reader;
  const guint8 *begin, *p, *end;
  RelayJsonError code; /* of the failure */
  const char *reason;  /* static; NULL while all is well */
} Scan;

static gboolean
fail (Scan *scan, RelayJsonError code, const char *reason)
{
  scan->code = code;
  scan->reason = reason;
  return FALSE;
}

static gboolean
fail_syntax (Scan *scan, const char *reason)
{
  return fail (scan, RELAY_JSON_ERROR_SYNTAX, scan->p >= scan->end ? "unexpected end" : reason);
}

void
relay_json_reader_clear (RelayJsonReader *reader)
{
  g_clear_pointer (&reader->tape, g_free);
  g_clear_pointer (&reader->order, g_free);
  reader->n_tokens = reader->n_allocated = reader->order_allocated = 0;
  reader->text = NULL;
  reader->length = 0;
}

static guint
push_token (Scan *scan, RelayJsonType type, guint level)
{
  RelayJsonReader *reader = scan->reader;

  if (reader->n_tokens == reader->n_allocated) {
    reader->n_allocated = MAX (64, reader->n_allocated * 2);
    reader->tape = g_renew (RelayJsonToken, reader->tape, reader->n_allocated);
  }
  reader->tape[reader->n_tokens] = (RelayJsonToken){
    .type = (guint8) type,
    .level = (guint16) level,
    .start = (guint32) (scan->p - scan->begin),
    .next = reader->n_tokens + 1,
  };
  return reader->n_tokens++;
}

static inline void
skip_white (Scan *scan)
{
  while (scan->p < scan->end && (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
    scan->p++;
}

/* ---- strings ---- */

/* Of these eight bytes, the first in the lowest place: how many are plain (ASCII, no control character, neither quote nor
 * backslash) before the first that is not? A byte's highest bit tells. The subtractions borrow from the bytes behind one that is
 * not plain, never from those before it. */
static inline guint
count_plain8 (guint64 word)
{
  const guint64 ones = G_GUINT64_CONSTANT (0x0101010101010101), highs = ones << 7;
  guint64 quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  guint64 other = ((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs;

  return other != 0 ? (guint) __builtin_ctzll (other) / 8 : 8;
}

/* D-Bus carries neither (sd-bus refuses noncharacters as well, Unicode §23.7). */
static inline gboolean
is_unfit (guint32 c)
{
  return c == 0 || (c >= 0xD800 && c <= 0xDFFF) || (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

/* Decodes one multi-byte character of UTF-8 (RFC 3629); returns its length, or 0 if it is none. */
static inline guint
decode_utf8 (const guint8 *p, const guint8 *end, guint32 *ret_char)
{
  gsize left = (gsize) (end - p);
  guint32 c;

#define CONTINUES(byte) (((byte) &0xC0) == 0x80)
  if (p[0] >= 0xC2 && p[0] <= 0xDF && left >= 2 && CONTINUES (p[1])) {
    *ret_char = ((p[0] & 0x1Fu) << 6) | (p[1] & 0x3Fu);
    return 2;
  }
  if ((p[0] & 0xF0) == 0xE0 && left >= 3 && CONTINUES (p[1]) && CONTINUES (p[2])) {
    c = ((p[0] & 0x0Fu) << 12) | ((p[1] & 0x3Fu) << 6) | (p[2] & 0x3Fu);
    if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))
      return 0;
    *ret_char = c;
    return 3;
  }
  if (p[0] >= 0xF0 && p[0] <= 0xF4 && left >= 4 && CONTINUES (p[1]) && CONTINUES (p[2]) && CONTINUES (p[3])) {
    c = ((p[0] & 0x07u) << 18) | ((p[1] & 0x3Fu) << 12) | ((p[2] & 0x3Fu) << 6) | (p[3] & 0x3Fu);
    if (c < 0x10000 || c > 0x10FFFF)
      return 0;
    *ret_char = c;
    return 4;
  }
#undef CONTINUES
  return 0;
}

static gboolean
scan_escape (Scan *scan)
{
  if (++scan->p >= scan->end)
    return fail_syntax (scan, "unexpected end");

  switch (*scan->p) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    scan->p++;
    return TRUE;
  case 'u':
    scan->p++;
    for (guint i = 0; i < 4; i++, scan->p++)
      if (scan->p >= scan->end || !g_ascii_isxdigit (*scan->p))
        return fail_syntax (scan, "\\u without four hexadecimal digits");
    return TRUE;
  default:
    return fail_syntax (scan, "unknown escape in a string");
  }
}

/* At an opening quote. */
static gboolean
scan_string (Scan *scan, guint level)
{
  guint token, length;
  guint8 flags = 0;
  guint32 c;

  scan->p++;
  token = push_token (scan, RELAY_JSON_STRING, level);

  for (;;) {
    guint64 word;
    guint n = sizeof word;

    while (n == sizeof word && scan->end - scan->p >= (gssize) sizeof word) {
      memcpy (&word, scan->p, sizeof word);
      n = count_plain8 (GUINT64_FROM_LE (word));
      scan->p += n;
    }

    if (scan->p >= scan->end)
      return fail_syntax (scan, "unexpected end");

    if (*scan->p == '"')
      break;
    if (*scan->p == '\\') {
      flags |= RELAY_JSON_COOKED;
      if (!scan_escape (scan))
        return FALSE;
    } else if (*scan->p < 0x20) {
      return fail_syntax (scan, "control character in a string");
    } else if (*scan->p < 0x80) {
      scan->p++;
    } else {
      length = decode_utf8 (scan->p, scan->end, &c);
      if (length == 0)
        return fail (scan, RELAY_JSON_ERROR_ENCODING, "not UTF-8");
      if (is_unfit (c))
        flags |= RELAY_JSON_COOKED;
      scan->p += length;
    }
  }

  scan->reader->tape[token].flags = flags;
  scan->reader->tape[token].end = (guint32) (scan->p - scan->begin);
  scan->p++;
  return TRUE;
}

static guint32
decode_hex4 (const guint8 *p)
{
  guint32 c = 0;

  for (guint i = 0; i < 4; i++)
    c = c << 4 | (guint32) g_ascii_xdigit_value ((char) p[i]);
  return c;
}

/* Takes one character off a string that was scanned before, resolved and fit for D-Bus; moves *p behind it. */
static guint32
take_char (const guint8 **p, const guint8 *end)
{
  static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
  const guint8 *q = *p;
  guint32 c = 0, low;

  if (*q >= 0x80) {
    *p += decode_utf8 (q, end, &c);
  } else if (*q != '\\') {
    *p += 1;
    return *q;
  } else if (q[1] != 'u') {
    const char *name = strchr (names, q[1]);

    *p += 2;
    return name != NULL ? (guint8) values[name - names] : q[1];
  } else {
    c = decode_hex4 (q + 2);
    *p += 6;
    if (c >= 0xD800 && c <= 0xDBFF && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
      low = decode_hex4 (*p + 2);
      if (low >= 0xDC00 && low <= 0xDFFF) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        *p += 6;
      }
    }
  }
  return is_unfit (c) ? REPLACEMENT : c;
}

/* ---- doubles among an object's keys ---- */

static int
compare_cooked (const guint8 *a, const guint8 *a_end, const guint8 *b, const guint8 *b_end)
{
  while (a < a_end && b < b_end) {
    guint32 ca = take_char (&a, a_end), cb = take_char (&b, b_end);

    if (ca != cb)
      return ca < cb ? -1 : 1;
  }
  return (a < a_end) - (b < b_end);
}

/* An order of key values; only its equality means anything. */
static int
compare_keys (const RelayJsonReader *reader, guint32 a, guint32 b)
{
  const RelayJsonToken *ta = &reader->tape[a], *tb = &reader->tape[b];
  const guint8 *text = (const guint8 *) reader->text;
  gsize la = ta->end - ta->start, lb = tb->end - tb->start;
  int c;

  if (((ta->flags | tb->flags) & RELAY_JSON_COOKED) != 0)
    return compare_cooked (text + ta->start, text + ta->end, text + tb->start, text + tb->end);

  /* For plain text the order of UTF-8 bytes is the order of the characters: consistent with the cooked one. */
  c = memcmp (text + ta->start, text + tb->start, MIN (la, lb));
  return c != 0 ? c : (la > lb) - (la < lb);
}

static int
compare_order (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return compare_keys (user_data, *(const guint32 *) a, *(const guint32 *) b);
}

static gboolean
keys_equal (const RelayJsonReader *reader, guint32 a, guint32 b)
{
  const RelayJsonToken *ta = &reader->tape[a], *tb = &reader->tape[b];

  if (((ta->flags | tb->flags) & RELAY_JSON_COOKED) == 0 && ta->end - ta->start != tb->end - tb->start)
    return FALSE;
  return compare_keys (reader, a, b) == 0;
}

static void
mark_superseded_sorted (RelayJsonReader *reader, guint object, guint n_keys)
{
  guint n = 0;

  if (reader->order_allocated < n_keys) {
    reader->order_allocated = n_keys;
    reader->order = g_renew (guint32, reader->order, n_keys);
  }
  for (guint key = object + 1; key < reader->n_tokens; key = reader->tape[key + 1].next)
    reader->order[n++] = key;

  /* A stable sort: among equals the order of the text stays, and the last of them counts. */
  g_qsort_with_data (reader->order, (gint) n, sizeof *reader->order, compare_order, reader);
  for (guint i = 0; i + 1 < n; i++)
    if (compare_keys (reader, reader->order[i], reader->order[i + 1]) == 0)
      reader->tape[reader->order[i]].flags |= RELAY_JSON_SUPERSEDED;
}

static void
mark_superseded (RelayJsonReader *reader, guint object)
{
  guint32 keys[PAIRWISE_KEYS_MAX];
  guint n = 0, total = 0;

  for (guint key = object + 1; key < reader->n_tokens; key = reader->tape[key + 1].next, total++)
    if (n < PAIRWISE_KEYS_MAX)
      keys[n++] = key;

  if (total > PAIRWISE_KEYS_MAX) {
    mark_superseded_sorted (reader, object, total);
    return;
  }
  for (guint i = 0; i < n; i++)
    for (guint j = i + 1; j < n; j++)
      if (keys_equal (reader, keys[i], keys[j])) {
        reader->tape[keys[i]].flags |= RELAY_JSON_SUPERSEDED;
        break;
      }
}

/* ---- numbers and literals ---- */

static gboolean
scan_digits (Scan *scan, const char *reason)
{
  if (scan->p >= scan->end || !g_ascii_isdigit (*scan->p))
    return fail_syntax (scan, reason);
  while (scan->p < scan->end && g_ascii_isdigit (*scan->p))
    scan->p++;
  return TRUE;
}

/* The type of the integer between @p and @end (sign and digits). */
static RelayJsonType
classify_integer (const guint8 *p, const guint8 *end)
{
  gboolean negative = *p == '-';
  guint64 value = 0, limit = (guint64) G_MAXINT64 + (negative ? 1 : 0);

  for (p += negative ? 1 : 0; p < end; p++) {
    guint64 digit = *p - (guint64) '0';

    if (value > (G_MAXUINT64 - digit) / 10)
      return RELAY_JSON_DOUBLE;
    value = value * 10 + digit;
  }
  if (value <= limit)
    return RELAY_JSON_INT64;
  return negative ? RELAY_JSON_DOUBLE : RELAY_JSON_UINT64;
}

static gboolean
scan_number (Scan *scan, guint level)
{
  const guint8 *begin = scan->p;
  gboolean integer = TRUE;
  guint token = push_token (scan, RELAY_JSON_DOUBLE, level);

  if (*scan->p == '-')
    scan->p++;
  if (scan->p < scan->end && *scan->p == '0') {
    scan->p++;
    if (scan->p < scan->end && g_ascii_isdigit (*scan->p))
      return fail_syntax (scan, "number with a leading zero");
  } else if (!scan_digits (scan, "number without digits")) {
    return FALSE;
  }
  if (scan->p < scan->end && *scan->p == '.') {
    integer = FALSE;
    scan->p++;
    if (!scan_digits (scan, "number without digits behind the point"))
      return FALSE;
  }
  if (scan->p < scan->end && (*scan->p == 'e' || *scan->p == 'E')) {
    integer = FALSE;
    scan->p++;
    if (scan->p < scan->end && (*scan->p == '+' || *scan->p == '-'))
      scan->p++;
    if (!scan_digits (scan, "number without digits in its exponent"))
      return FALSE;
  }

  if (integer)
    scan->reader->tape[token].type = (guint8) classify_integer (begin, scan->p);
  scan->reader->tape[token].end = (guint32) (scan->p - scan->begin);
  return TRUE;
}

static gboolean
scan_literal (Scan *scan, guint level, const char *literal, RelayJsonType type)
{
  guint token = push_token (scan, type, level);

  for (const char *l = literal; *l != '\0'; l++, scan->p++)
    if (scan->p >= scan->end || *scan->p != (guint8) *l)
      return fail_syntax (scan, "unknown literal");
  scan->reader->tape[token].end = (guint32) (scan->p - scan->begin);
  return TRUE;
}

static gboolean
scan_scalar (Scan *scan, guint level)
{
  if (*scan->p == '-' || g_ascii_isdigit (*scan->p))
    return scan_number (scan, level);

  switch (*scan->p) {
  case '"':
    return scan_string (scan, level);
  case 't':
    return scan_literal (scan, level, "true", RELAY_JSON_TRUE);
  case 'f':
    return scan_literal (scan, level, "false", RELAY_JSON_FALSE);
  case 'n':
    return scan_literal (scan, level, "null", RELAY_JSON_NULL);
  default:
    return fail_syntax (scan, "expected a value");
  }
}

/* ---- the whole text ---- */

/* A key and its colon; the value is next. */
static gboolean
scan_key (Scan *scan, guint level)
{
  skip_white (scan);
  if (scan->p >= scan->end || *scan->p != '"')
    return fail_syntax (scan, "expected a key");
  if (!scan_string (scan, level))
    return FALSE;
  skip_white (scan);
  if (scan->p >= scan->end || *scan->p != ':')
    return fail_syntax (scan, "expected a colon");
  scan->p++;
  return TRUE;
}

static void
close_container (Scan *scan, guint container)
{
  RelayJsonReader *reader = scan->reader;

  scan->p++;
  reader->tape[container].end = (guint32) (scan->p - scan->begin);
  reader->tape[container].next = reader->n_tokens;
  if (reader->tape[container].type == RELAY_JSON_OBJECT)
    mark_superseded (reader, container);
}

/* Behind a value: closes what ends here. FALSE also where the text is whole; scan->reason tells. */
static gboolean
scan_to_next_value (Scan *scan, const guint32 *stack, guint *depth)
{
  while (*depth > 0) {
    guint container = stack[*depth - 1];
    gboolean object = scan->reader->tape[container].type == RELAY_JSON_OBJECT;

    skip_white (scan);
    if (scan->p >= scan->end)
      return fail_syntax (scan, "unexpected end");
    if (*scan->p == ',') {
      scan->p++;
      return !object || scan_key (scan, *depth);
    }
    if (*scan->p != (object ? '}' : ']'))
      return fail_syntax (scan, object ? "expected a comma or }" : "expected a comma or ]");
    close_container (scan, container);
    --*depth;
  }

  skip_white (scan);
  if (scan->p < scan->end)
    fail_syntax (scan, "something behind the end of the value");
  return FALSE;
}

static void
scan_text (Scan *scan)
{
  guint32 stack[RELAY_JSON_MAX_DEPTH];
  guint depth = 0;

  for (;;) {
    /* Before a value. */
    skip_white (scan);
    if (scan->p < scan->end && (*scan->p == '{' || *scan->p == '[')) {
      gboolean object = *scan->p == '{';

      if (depth == RELAY_JSON_MAX_DEPTH) {
        fail (scan, RELAY_JSON_ERROR_DEPTH, "nested too deep");
        return;
      }
      stack[depth] = push_token (scan, object ? RELAY_JSON_OBJECT : RELAY_JSON_ARRAY, depth);
      depth++;
      scan->p++;
      skip_white (scan);
      if (scan->p >= scan->end || *scan->p != (object ? '}' : ']')) {
        if (object && !scan_key (scan, depth))
          return;
        continue;
      }
      close_container (scan, stack[--depth]);
    } else if (scan->p >= scan->end) {
      fail_syntax (scan, "unexpected end");
      return;
    } else if (!scan_scalar (scan, depth)) {
      return;
    }

    /* Behind a value. */
    if (!scan_to_next_value (scan, stack, &depth))
      return;
  }
}

gboolean
relay_json_reader_read (RelayJsonReader *reader, const char *text, gsize length, GError **error)
{
  const guint8 *begin = (const guint8 *) text;
  Scan scan = { .reader = reader, .begin = begin, .p = begin, .end = begin + length };

  if (reader->n_allocated > TAPE_KEEP_TOKENS || reader->order_allocated > TAPE_KEEP_TOKENS)
    relay_json_reader_clear (reader);
  reader->n_tokens = 0;
  reader->text = text;
  reader->length = length;

  if (length > RELAY_JSON_MAX_TEXT_BYTES) {
    fail (&scan, RELAY_JSON_ERROR_SIZE, "too long");
  } else {
    scan_text (&scan);
  }
  if (scan.reason != NULL) {
    reader->n_tokens = 0;
    g_set_error (error, RELAY_JSON_ERROR, (gint) scan.code, "%s at byte %" G_GSIZE_FORMAT, scan.reason,
                 (gsize) (scan.p - scan.begin));
    return FALSE;
  }
  return TRUE;
}

/* ---- taking values out ---- */

/* @length: of @value. */
static inline gboolean
is_equal (const RelayJsonReader *reader, guint token, const char *value, gsize length)
{
  const RelayJsonToken *t = &reader->tape[token];

  if (t->type != RELAY_JSON_STRING)
    return FALSE;
  if ((t->flags & RELAY_JSON_COOKED) == 0)
    return t->end - t->start == length && memcmp (reader->text + t->start, value, length) == 0;

  g_autofree char *own = relay_json_reader_dup_string (reader, token);
  return g_strcmp0 (own, value) == 0;
}

gboolean
relay_json_reader_string_equal (const RelayJsonReader *reader, guint token, const char *value)
{
  return is_equal (reader, token, value, strlen (value));
}

guint
relay_json_reader_find (const RelayJsonReader *reader, guint object, const char *name)
{
  const RelayJsonToken *tape = reader->tape;
  const gsize length = strlen (name);

  if (object >= reader->n_tokens || tape[object].type != RELAY_JSON_OBJECT)
    return 0;
  for (guint key = object + 1; key < tape[object].next; key = tape[key + 1].next)
    if ((tape[key].flags & RELAY_JSON_SUPERSEDED) == 0 && is_equal (reader, key, name, length))
      return key + 1;
  return 0;
}

static guint
encode_char (guint32 c, guint8 *ret)
{
  return (guint) g_unichar_to_utf8 (c, (char *) ret);
}

gsize
relay_json_reader_string_length (const RelayJsonReader *reader, guint string)
{
  const RelayJsonToken *t = &reader->tape[string];
  const guint8 *p = (const guint8 *) reader->text + t->start, *end = (const guint8 *) reader->text + t->end;
  gsize length = 0;

  if ((t->flags & RELAY_JSON_COOKED) == 0)
    return t->end - t->start;
  while (p < end)
    length += encode_char (take_char (&p, end), NULL);
  return length;
}

void
relay_json_reader_string_copy (const RelayJsonReader *reader, guint string, char *ret)
{
  const RelayJsonToken *t = &reader->tape[string];
  const guint8 *p = (const guint8 *) reader->text + t->start, *end = (const guint8 *) reader->text + t->end;
  guint8 *out = (guint8 *) ret;

  if ((t->flags & RELAY_JSON_COOKED) == 0) {
    memcpy (out, p, t->end - t->start);
    return;
  }
  while (p < end)
    out += encode_char (take_char (&p, end), out);
}

char *
relay_json_reader_dup_string (const RelayJsonReader *reader, guint token)
{
  gsize length;
  char *string;

  if (token >= reader->n_tokens || reader->tape[token].type != RELAY_JSON_STRING)
    return NULL;
  length = relay_json_reader_string_length (reader, token);
  string = g_malloc (length + 1);
  relay_json_reader_string_copy (reader, token, string);
  string[length] = '\0';
  return string;
}

/* What stands in @token's text, the quotes of a string included. */
static void
get_text (const RelayJsonReader *reader, guint token, const guint8 **ret_begin, const guint8 **ret_end)
{
  const RelayJsonToken *t = &reader->tape[token];
  guint quote = t->type == RELAY_JSON_STRING ? 1 : 0;

  *ret_begin = (const guint8 *) reader->text + t->start - quote;
  *ret_end = (const guint8 *) reader->text + t->end + quote;
}

/* One character of a text as it stands: escapes stay escapes. Moves *p behind it. */
static guint32
take_text_char (const guint8 **p, const guint8 *end)
{
  guint32 c = **p;

  if (c < 0x80)
    *p += 1;
  else
    *p += decode_utf8 (*p, end, &c);
  return is_unfit (c) ? REPLACEMENT : c;
}

gsize
relay_json_reader_text_length (const RelayJsonReader *reader, guint token)
{
  const guint8 *p, *end;
  gsize length = 0;

  get_text (reader, token, &p, &end);
  while (p < end)
    length += encode_char (take_text_char (&p, end), NULL);
  return length;
}

void
relay_json_reader_text_copy (const RelayJsonReader *reader, guint token, char *ret)
{
  const guint8 *p, *end;
  guint8 *out = (guint8 *) ret;

  get_text (reader, token, &p, &end);
  while (p < end)
    out += encode_char (take_text_char (&p, end), out);
}

/* strtod wants a NUL, which the text need not have; nearly every number fits the buffer. */
double
relay_json_reader_double (const RelayJsonReader *reader, guint token)
{
  const RelayJsonToken *t = &reader->tape[token];
  gsize length = t->end - t->start;
  char buffer[64];

  if (t->type == RELAY_JSON_INT64)
    return (double) relay_json_reader_int64 (reader, token);
  if (t->type == RELAY_JSON_UINT64)
    return (double) relay_json_reader_uint64 (reader, token);
  if (length < sizeof buffer) {
    memcpy (buffer, reader->text + t->start, length);
    buffer[length] = '\0';
    return g_ascii_strtod (buffer, NULL);
  }

  g_autofree char *copy = g_strndup (reader->text + t->start, length);
  return g_ascii_strtod (copy, NULL);
}

guint64
relay_json_reader_uint64 (const RelayJsonReader *reader, guint token)
{
  const RelayJsonToken *t = &reader->tape[token];
  guint64 value = 0;

  for (guint32 i = t->start; i < t->end; i++)
    if (reader->text[i] != '-')
      value = value * 10 + (guint64) (reader->text[i] - '0');
  return value;
}

gint64
relay_json_reader_int64 (const RelayJsonReader *reader, guint token)
{
  guint64 magnitude = relay_json_reader_uint64 (reader, token);

  /* Two's complement: also for -2^63, whose magnitude no gint64 holds. */
  return (gint64) (reader->text[reader->tape[token].start] == '-' ? -magnitude : magnitude);
}
