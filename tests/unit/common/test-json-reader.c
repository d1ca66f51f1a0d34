/* SPDX-License-Identifier: MIT */
#include "common/json-reader.h"

#include <math.h>
#include <string.h>

/* A copy without a NUL behind it and without a byte to spare: a read past the end is seen by ASan and valgrind. */
typedef struct {
  RelayJsonReader reader;
  char *text;
} Fixture;

static gboolean
read_bytes (Fixture *f, const char *text, gsize length, GError **error)
{
  g_free (f->text);
  f->text = g_memdup2 (text, length);
  return relay_json_reader_read (&f->reader, f->text, length, error);
}

static gboolean
read_text (Fixture *f, const char *text, GError **error)
{
  return read_bytes (f, text, strlen (text), error);
}

static void
assert_reads (Fixture *f, const char *text)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = read_text (f, text, &error);

  g_assert_no_error (error);
  g_assert_true (ok);
  g_assert_cmpuint (f->reader.n_tokens, >, 0);
  g_assert_cmpuint (f->reader.tape[0].next, ==, f->reader.n_tokens);
}

static void
assert_refused (Fixture *f, const char *text, gsize length, RelayJsonError code, gsize offset)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *at = g_strdup_printf (" at byte %" G_GSIZE_FORMAT, offset);
  gboolean ok = read_bytes (f, text, length, &error);

  if (ok)
    g_test_message ("accepted: %.*s", (int) MIN (length, 80), text);
  g_assert_false (ok);
  g_assert_error (error, RELAY_JSON_ERROR, (gint) code);
  if (!g_str_has_suffix (error->message, at))
    g_test_message ("%.*s: %s, expected%s", (int) MIN (length, 80), text, error->message, at);
  g_assert_true (g_str_has_suffix (error->message, at));
  g_assert_cmpuint (f->reader.n_tokens, ==, 0);
}

static void
set_up (Fixture *f, gconstpointer data)
{
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  relay_json_reader_clear (&f->reader);
  g_free (f->text);
}

static void
test_grammar (Fixture *f, gconstpointer data)
{
  static const char *const good[] = {
    "null", " true\n", "\tfalse\r", "0", "-0", "1", "-1", "10", "1.0", "0.5", "1e1", "1E+1", "1e-1", "0e0", "\"\"",
    "\"a\"", "[]", "[ ]", "{}", "{ }", "[1]", "[1,2]", "[[],[]]", "{\"a\":1}", "{\"a\":{}}", "{\"a\":[],\"b\":{}}",
    " [ 1 , { \"a\" : null } , \"x\" ] ", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\x7f\"", "[[[[[[]]]]]]",
  };
  /* text, offset of the fault */
  static const struct {
    const char *text;
    gsize offset;
  } bad[] = {
    { "", 0 }, { " ", 1 }, { "nul", 3 }, { "nulL", 3 }, { "True", 0 }, { "truefalse", 4 }, { "+1", 0 }, { "01", 1 },
    { "-", 1 }, { "-a", 1 }, { ".5", 0 }, { "5.", 2 }, { "5.e1", 2 }, { "1e", 2 }, { "1e+", 3 }, { "0x10", 1 }, { "1_0", 1 },
    { "NaN", 0 }, { "Infinity", 0 }, { "-Infinity", 1 }, { "'a'", 0 }, { "\"", 1 }, { "\"a", 2 }, { "\"\\", 2 },
    { "\"\\x41\"", 2 }, { "\"\\u12\"", 5 }, { "\"\\u12G4\"", 5 }, { "\"\\U0041\"", 2 }, { "\"\n\"", 1 }, { "\"\t\"", 1 }, { "[", 1 },
    { "[1", 2 }, { "[1,", 3 }, { "[1,]", 3 }, { "[,1]", 1 }, { "[1 2]", 3 }, { "[1}", 2 }, { "]", 0 }, { "{", 1 },
    { "{\"a\"", 4 }, { "{\"a\":", 5 }, { "{\"a\":1", 6 }, { "{\"a\":1,", 7 }, { "{\"a\":1,}", 7 }, { "{a:1}", 1 },
    { "{\"a\" 1}", 5 }, { "{1:1}", 1 }, { "{\"a\":1]", 6 }, { "{,}", 1 }, { "{} {}", 3 }, { "{}x", 2 }, { "[]//c", 2 },
    { "/* c */ {}", 0 }, { "[1 /* c */]", 3 }, { "var x = {};", 0 }, { "\xef\xbb\xbf{}", 0 }, { "{\"a\":1}\f", 7 }, { "\v1", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    assert_reads (f, good[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_refused (f, bad[i].text, strlen (bad[i].text), RELAY_JSON_ERROR_SYNTAX, bad[i].offset);
  assert_refused (f, "{}\0", 3, RELAY_JSON_ERROR_SYNTAX, 2);
  assert_refused (f, "\"\0\"", 3, RELAY_JSON_ERROR_SYNTAX, 1);
}

/* Every proper prefix of a text is refused, wherever it is cut. */
static void
test_truncation (Fixture *f, gconstpointer data)
{
  const char *text = "{\"id\":\"m\\u00e4\\ud83d\\ude00\",\"data\":[1,-2.5e3,true,false,null,{\"k\":\"\xc3\xa4\xf0\x9f\x98\x80\"}]}";

  assert_reads (f, text);
  for (gsize length = 0; length < strlen (text); length++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (read_bytes (f, text, length, &error));
    g_assert_nonnull (error);
  }
}

static void
test_utf8 (Fixture *f, gconstpointer data)
{
  static const char *const good[] = {
    "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\xa0\x80\"", "\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"", "\"\xf0\x90\x80\x80\"",
    "\"\xf4\x8f\xbf\xbd\"",
  };
  static const char *const bad[] = {
    "\"\x80\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xc3\"", "\"\xc3(\"", "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"",
    "\"\xed\xa0\x80\"", "\"\xe2\x82\"", "\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"", "\"\xf0\x9f\x98\"", "\"\xff\"", "\"\xfe\"",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    assert_reads (f, good[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_refused (f, bad[i], strlen (bad[i]), RELAY_JSON_ERROR_ENCODING, 1);
}

/* A fault is found wherever it stands to the eight bytes that are looked at together. */
static void
test_alignment (Fixture *f, gconstpointer data)
{
  static const char faults[] = { '\n', '\x1f', '\0', '\x80', '\xff' };

  for (guint length = 1; length <= 40; length++)
    for (guint position = 0; position < length; position++)
      for (guint fault = 0; fault < G_N_ELEMENTS (faults); fault++) {
        g_autofree char *text = g_malloc (length + 2);

        memset (text, 'x', length + 2);
        text[0] = text[length + 1] = '"';
        g_assert_true (read_bytes (f, text, length + 2, NULL));
        g_assert_cmpuint (f->reader.tape[0].end - f->reader.tape[0].start, ==, length);
        text[1 + position] = faults[fault];
        assert_refused (f, text, length + 2,
                        (faults[fault] & 0x80) != 0 ? RELAY_JSON_ERROR_ENCODING : RELAY_JSON_ERROR_SYNTAX, 1 + position);
        text[1 + position] = '"';
        assert_refused (f, text, length + 2, RELAY_JSON_ERROR_SYNTAX, 2 + position);
      }
}

static void
test_depth (Fixture *f, gconstpointer data)
{
  const guint many = 100000;
  g_autofree char *text = g_malloc (2 * many);

  for (guint kind = 0; kind < 2; kind++) {
    memset (text, '[', RELAY_JSON_MAX_DEPTH);
    memset (text + RELAY_JSON_MAX_DEPTH, ']', RELAY_JSON_MAX_DEPTH);
    g_assert_true (read_bytes (f, text, 2 * RELAY_JSON_MAX_DEPTH, NULL));
    g_assert_cmpuint (f->reader.n_tokens, ==, RELAY_JSON_MAX_DEPTH);
    g_assert_cmpuint (f->reader.tape[RELAY_JSON_MAX_DEPTH - 1].level, ==, RELAY_JSON_MAX_DEPTH - 1);

    memset (text, '[', many);
    memset (text + many, ']', many);
    assert_refused (f, text, 2 * many, RELAY_JSON_ERROR_DEPTH, RELAY_JSON_MAX_DEPTH);
  }
}

static void
test_numbers (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    RelayJsonType type;
    gint64 i;
    guint64 u;
    double d;
  } rows[] = {
    { "0", RELAY_JSON_INT64, 0, 0, 0 },
    { "-0", RELAY_JSON_INT64, 0, 0, 0 },
    { "-17", RELAY_JSON_INT64, -17, 0, -17 },
    { "9223372036854775807", RELAY_JSON_INT64, G_MAXINT64, 0, 9223372036854775807.0 },
    { "-9223372036854775808", RELAY_JSON_INT64, G_MININT64, 0, -9223372036854775808.0 },
    { "9223372036854775808", RELAY_JSON_UINT64, 0, G_GUINT64_CONSTANT (9223372036854775808), 9223372036854775808.0 },
    { "18446744073709551615", RELAY_JSON_UINT64, 0, G_MAXUINT64, 18446744073709551615.0 },
    { "18446744073709551616", RELAY_JSON_DOUBLE, 0, 0, 18446744073709551616.0 },
    { "-9223372036854775809", RELAY_JSON_DOUBLE, 0, 0, -9223372036854775809.0 },
    { "99999999999999999999999", RELAY_JSON_DOUBLE, 0, 0, 1e23 },
    { "7.5", RELAY_JSON_DOUBLE, 0, 0, 7.5 },
    { "1.0", RELAY_JSON_DOUBLE, 0, 0, 1 },
    { "1e2", RELAY_JSON_DOUBLE, 0, 0, 100 },
    { "1e400", RELAY_JSON_DOUBLE, 0, 0, INFINITY },
    { "-1e400", RELAY_JSON_DOUBLE, 0, 0, -INFINITY },
    { "1e-400", RELAY_JSON_DOUBLE, 0, 0, 0 },
    { "0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000", RELAY_JSON_DOUBLE, 0, 0, 0.1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    assert_reads (f, rows[i].text);
    g_assert_cmpint (f->reader.tape[0].type, ==, (int) rows[i].type);
    if (rows[i].type == RELAY_JSON_INT64)
      g_assert_cmpint (relay_json_reader_int64 (&f->reader, 0), ==, rows[i].i);
    if (rows[i].type == RELAY_JSON_UINT64)
      g_assert_cmpuint (relay_json_reader_uint64 (&f->reader, 0), ==, rows[i].u);
    g_assert_cmpfloat (relay_json_reader_double (&f->reader, 0), ==, rows[i].d);
  }
}

static void
test_strings (Fixture *f, gconstpointer data)
{
#define FFFD "\xef\xbf\xbd"
  static const struct {
    const char *text, *value;
  } rows[] = {
    { "\"\"", "" },
    { "\"plain text of some length\"", "plain text of some length" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
    { "\"\\u0041\\u00e4\\u20AC\"", "A\xc3\xa4\xe2\x82\xac" },
    { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
    { "\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80" },
    { "\"a\\u0000b\"", "a" FFFD "b" },
    { "\"\\ud83d\"", FFFD },
    { "\"\\ud83dx\"", FFFD "x" },
    { "\"\\ude00\\ud83d\"", FFFD FFFD },
    { "\"\\ud83d\\ud83d\\ude00\"", FFFD "\xf0\x9f\x98\x80" },
    { "\"\\ud83d\\u0041\"", FFFD "A" },
    { "\"\\ud83d\\n\"", FFFD "\n" },
    { "\"\\uffff\\ufffe\\ufdd0\\ufdef\\ufdf0\"", FFFD FFFD FFFD FFFD "\xef\xb7\xb0" },
    { "\"\xef\xbf\xbf\"", FFFD },
    { "\"\xef\xb7\x90x\"", FFFD "x" },
    { "\"\xf4\x8f\xbf\xbf\"", FFFD },
    { "\"\\udbff\\udfff\"", FFFD },
    { "\"\\udbff\\udffd\"", "\xf4\x8f\xbf\xbd" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *value = NULL;

    assert_reads (f, rows[i].text);
    value = relay_json_reader_dup_string (&f->reader, 0);
    g_assert_cmpstr (value, ==, rows[i].value);
    g_assert_true (g_utf8_validate (value, -1, NULL));
    g_assert_true (relay_json_reader_string_equal (&f->reader, 0, rows[i].value));
    g_assert_false (relay_json_reader_string_equal (&f->reader, 0, "something else"));
  }
  assert_reads (f, "[1]");
  g_assert_null (relay_json_reader_dup_string (&f->reader, 0));
  g_assert_null (relay_json_reader_dup_string (&f->reader, 1));
}

static void
test_text (Fixture *f, gconstpointer data)
{
  const char *text = "[ {\"a\\u0000\" : [1, 2.50,\"x\xef\xbf\xbf\"]}, \"s\\n\", 7 ]";
  static const char *const texts[] = {
    "{\"a\\u0000\" : [1, 2.50,\"x" FFFD "\"]}", "\"s\\n\"", "7",
  };
  guint n = 0;

  assert_reads (f, text);
  for (guint i = 1; i < f->reader.n_tokens; i = f->reader.tape[i].next, n++) {
    gsize length = relay_json_reader_text_length (&f->reader, i);
    g_autofree char *copy = g_malloc0 (length + 1);

    relay_json_reader_text_copy (&f->reader, i, copy);
    g_assert_cmpstr (copy, ==, texts[n]);
  }
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (texts));
}

/* Few keys are compared in pairs, many are sorted: both must give the last. */
static void
test_duplicate_keys (Fixture *f, gconstpointer data)
{
  static const guint fillers[] = { 0, 3, 9, 10, 11, 12, 13, 40, 1000 };

  for (gsize i = 0; i < G_N_ELEMENTS (fillers); i++) {
    g_autoptr (GString) text = g_string_new ("{\"a\":1,\"\\u0061\":{\"a\":9},");
    guint live = 0, value;

    for (guint k = 0; k < fillers[i]; k++)
      g_string_append_printf (text, "\"k%u\":0,", k);
    g_string_append (text, "\"b\":2,\"a\":3}");
    assert_reads (f, text->str);

    value = relay_json_reader_find (&f->reader, 0, "a");
    g_assert_cmpint (relay_json_reader_int64 (&f->reader, value), ==, 3);
    g_assert_cmpuint (relay_json_reader_find (&f->reader, 0, "none"), ==, 0);
    for (guint key = 1; key < f->reader.n_tokens; key = f->reader.tape[key + 1].next)
      live += (f->reader.tape[key].flags & RELAY_JSON_SUPERSEDED) == 0;
    g_assert_cmpuint (live, ==, fillers[i] + 2);
  }
}

static void
test_walk (Fixture *f, gconstpointer data)
{
  RelayJsonReader *reader = &f->reader;
  guint list;

  assert_reads (f, "{\"list\":[1,[2,3],{\"x\":[4]}],\"after\":\"z\"}");
  list = relay_json_reader_find (reader, 0, "list");
  g_assert_cmpint (reader->tape[list].type, ==, RELAY_JSON_ARRAY);
  g_assert_cmpuint (reader->tape[list].level, ==, 1);
  g_assert_cmpuint (reader->tape[list + 1].next, ==, list + 2);
  g_assert_cmpuint (reader->tape[list + 2].next, ==, list + 5);
  g_assert_cmpuint (reader->tape[list + 5].next, ==, reader->tape[list].next);
  g_assert_true (relay_json_reader_string_equal (reader, reader->tape[list].next, "after"));
  g_assert_cmpuint (relay_json_reader_find (reader, list, "x"), ==, 0);
}

/* One large text does not leave its memory behind. */
static void
test_memory (Fixture *f, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("[0");

  for (guint i = 0; i < 200000; i++)
    g_string_append (text, ",1");
  g_string_append_c (text, ']');
  assert_reads (f, text->str);
  g_assert_cmpuint (f->reader.n_tokens, ==, 200002);
  assert_reads (f, "{}");
  g_assert_cmpuint (f->reader.n_allocated, <=, 64);
}

#define ADD(name, function) g_test_add ("/json-reader/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("grammar", test_grammar);
  ADD ("truncation", test_truncation);
  ADD ("utf8", test_utf8);
  ADD ("alignment", test_alignment);
  ADD ("depth", test_depth);
  ADD ("numbers", test_numbers);
  ADD ("strings", test_strings);
  ADD ("text", test_text);
  ADD ("duplicate-keys", test_duplicate_keys);
  ADD ("walk", test_walk);
  ADD ("memory", test_memory);
  return g_test_run ();
}
