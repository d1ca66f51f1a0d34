/* SPDX-License-Identifier: MIT */
#include "simulator/garbage.h"

#include <string.h>

#include "common/json-reader.h"

#define NOW G_GINT64_CONSTANT (1705312800000000)

/* Joins the frames to a message again. Frames are as a server sends them, not masked. */
static GByteArray *
join (const GByteArray *frames, guint8 *ret_opcode, guint *ret_n_frames)
{
  GByteArray *message = g_byte_array_new ();
  gboolean final = FALSE;
  guint at = 0;

  *ret_n_frames = 0;
  *ret_opcode = frames->data[0] & 0x0f;
  while (!final) {
    guint64 length;
    guint header = 2;

    g_assert_cmpuint (at + 2, <=, frames->len);
    final = (frames->data[at] & 0x80) != 0;
    length = frames->data[at + 1];
    g_assert_cmpuint (length, <=, 127);
    if (length >= 126) {
      header = length == 126 ? 4 : 10;
      length = 0;
      for (guint i = 2; i < header; i++)
        length = length << 8 | frames->data[at + i];
    }
    g_byte_array_append (message, frames->data + at + header, (guint) length);
    at += header + (guint) length;
    (*ret_n_frames)++;
  }
  g_assert_cmpuint (at, ==, frames->len);
  return message;
}

static GByteArray *
make (const char *kind, guint n_fragments)
{
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  guint8 opcode;
  guint n_frames;
  gboolean cut;
  GByteArray *message;

  g_assert_true (sim_garbage_append (frames, kind, "msg_1", NOW, n_fragments, &cut));
  g_assert_false (cut);
  message = join (frames, &opcode, &n_frames);
  g_assert_cmpuint (opcode, ==, g_str_equal (kind, "binary") ? SIM_OPCODE_BINARY : SIM_OPCODE_TEXT);
  g_assert_cmpuint (n_frames, ==, MIN (n_fragments, message->len));
  return message;
}

/* What the strict reader says to each kind, whole and in fragments. */
static void
test_kinds (void)
{
  static const struct {
    const char *kind;
    gboolean is_good;
    int error;
    guint min_bytes;
  } cases[] = {
    { "not-json", FALSE, RELAY_JSON_ERROR_SYNTAX, 10 },
    { "truncated", FALSE, RELAY_JSON_ERROR_SYNTAX, 100 },
    { "binary", TRUE, 0, 100 },
    { "second-document", FALSE, RELAY_JSON_ERROR_SYNTAX, 100 },
    { "comments", FALSE, RELAY_JSON_ERROR_SYNTAX, 100 },
    { "deep", FALSE, RELAY_JSON_ERROR_DEPTH, 200000 },
    { "big", TRUE, 0, 3 * 1024 * 1024 },
    { "bad-utf8", FALSE, RELAY_JSON_ERROR_ENCODING, 100 },
    { "lone-surrogate", TRUE, 0, 100 },
    { "nul", TRUE, 0, 100 },
    { "big-number", TRUE, 0, 100 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint n_fragments = 1; n_fragments <= 4000; n_fragments += 3999) {
      g_autoptr (GByteArray) message = make (cases[i].kind, n_fragments);
      g_autoptr (GError) error = NULL;
      RelayJsonReader reader = { 0 };

      g_assert_cmpuint (message->len, >=, cases[i].min_bytes);
      g_assert_cmpint (relay_json_reader_read (&reader, (const char *) message->data, message->len, &error), ==,
                       cases[i].is_good);
      if (!cases[i].is_good)
        g_assert_error (error, RELAY_JSON_ERROR, cases[i].error);
      relay_json_reader_clear (&reader);
    }
}

static gboolean
contains (const GByteArray *message, const char *text)
{
  return memmem (message->data, message->len, text, strlen (text)) != NULL;
}

/* Those that are JSON have what they are named for. */
static void
test_contents (void)
{
  g_autoptr (GByteArray) surrogate = make ("lone-surrogate", 1), nul = make ("nul", 1),
                         number = make ("big-number", 1);

  g_assert_true (contains (surrogate, "\\ud800 "));
  g_assert_true (contains (nul, "\\u0000"));
  g_assert_true (contains (number, "18446744073709551616"));
  g_assert_true (contains (number, "1e400"));
  g_assert_true (
      contains (nul, "{\"id\":\"msg_1\",\"type\":\"prp.created\",\"timestamp\":\"2024-01-15T10:00:00Z\","));
}

static void
test_broken_frames (void)
{
  g_autoptr (GByteArray) masked = g_byte_array_new (), half = g_byte_array_new ();
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (1000);
  g_autoptr (GBytes) payload = NULL;
  SimOpcode opcode;
  guint code;
  gboolean cut;

  g_assert_true (sim_garbage_append (masked, "masked", "msg_1", NOW, 1, &cut));
  g_assert_false (cut);
  sim_frame_reader_feed (reader, masked->data, masked->len); /* it reads what is masked */
  g_assert_cmpint (sim_frame_reader_next (reader, &opcode, &payload, &code), ==, SIM_FRAME_MESSAGE);

  g_assert_true (sim_garbage_append (half, "half-frame", "msg_1", NOW, 1, &cut));
  g_assert_true (cut);
  g_assert_cmpuint (half->len, <, masked->len / 2 + 2);
}

static void
test_unknown (void)
{
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  gboolean cut;

  g_assert_false (sim_garbage_append (frames, "nice", "msg_1", NOW, 1, &cut));
  g_assert_cmpuint (frames->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/garbage/kinds", test_kinds);
  g_test_add_func ("/simulator/garbage/contents", test_contents);
  g_test_add_func ("/simulator/garbage/broken-frames", test_broken_frames);
  g_test_add_func ("/simulator/garbage/unknown", test_unknown);
  return g_test_run ();
}
