/* SPDX-License-Identifier: MIT */
#include "simulator/frames.h"

#include <string.h>

#define LIMIT 1000

/* A client's frame: masked. */
static void
append_client_frame (GByteArray *out, guint8 first, const void *payload, guint length)
{
  const guint8 mask[] = { 1, 2, 3, 4 };
  guint8 header[4] = { first, 0x80 | (guint8) (length < 126 ? length : 126), (guint8) (length >> 8),
                       (guint8) length };

  g_assert_cmpuint (length, <=, G_MAXUINT16);
  g_byte_array_append (out, header, length < 126 ? 2 : 4);
  g_byte_array_append (out, mask, sizeof mask);
  for (guint i = 0; i < length; i++) {
    guint8 byte = ((const guint8 *) payload)[i] ^ mask[i % 4];

    g_byte_array_append (out, &byte, 1);
  }
}

static void
assert_message (SimFrameReader *reader, SimOpcode opcode, const char *text)
{
  SimOpcode got;
  guint code;
  g_autoptr (GBytes) payload = NULL;

  g_assert_cmpint (sim_frame_reader_next (reader, &got, &payload, &code), ==, SIM_FRAME_MESSAGE);
  g_assert_cmpint (got, ==, opcode);
  g_assert_cmpmem (g_bytes_get_data (payload, NULL), g_bytes_get_size (payload), text, strlen (text));
}

static void
assert_needs_more (SimFrameReader *reader)
{
  SimOpcode opcode;
  guint code;
  GBytes *payload = NULL;

  g_assert_cmpint (sim_frame_reader_next (reader, &opcode, &payload, &code), ==, SIM_FRAME_NEED_MORE);
  g_assert_null (payload);
}

static void
assert_broken (const GByteArray *bytes, guint expected_code)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  SimOpcode opcode;
  guint code = 0;
  GBytes *payload = NULL;

  sim_frame_reader_feed (reader, bytes->data, bytes->len);
  for (guint i = 0; i < 2; i++) { /* and it stays broken */
    g_assert_cmpint (sim_frame_reader_next (reader, &opcode, &payload, &code), ==, SIM_FRAME_BROKEN);
    g_assert_cmpuint (code, ==, expected_code);
    sim_frame_reader_feed (reader, "x", 1);
  }
  g_assert_null (payload);
}

static void
test_whole (void)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *long_text = g_strnfill (500, 'x');

  append_client_frame (bytes, 0x81, "hello", 5);
  append_client_frame (bytes, 0x81, long_text, 500);
  append_client_frame (bytes, 0x81, "", 0);
  append_client_frame (bytes, 0x89, "ping", 4);
  append_client_frame (bytes, 0x82, "\xff", 1);
  sim_frame_reader_feed (reader, bytes->data, bytes->len);
  assert_message (reader, SIM_OPCODE_TEXT, "hello");
  assert_message (reader, SIM_OPCODE_TEXT, long_text);
  assert_message (reader, SIM_OPCODE_TEXT, "");
  assert_message (reader, SIM_OPCODE_PING, "ping");
  assert_message (reader, SIM_OPCODE_BINARY, "\xff");
  assert_needs_more (reader);
}

/* Wherever the bytes are cut, and with a control frame between fragments. */
static void
test_pieces (void)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  append_client_frame (bytes, 0x01, "one ", 4);
  append_client_frame (bytes, 0x00, "\xc3", 1); /* a character over two fragments */
  append_client_frame (bytes, 0x8a, "pong", 4);
  append_client_frame (bytes, 0x80, "\xbc", 1);
  for (guint i = 0; i < bytes->len; i++) {
    if (i == 10 + 7 + 10)
      assert_message (reader, SIM_OPCODE_PONG, "pong");
    assert_needs_more (reader);
    sim_frame_reader_feed (reader, bytes->data + i, 1);
  }
  assert_message (reader, SIM_OPCODE_TEXT, "one ü");
  assert_needs_more (reader);
}

static void
test_nul_is_text (void)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GBytes) payload = NULL;
  SimOpcode opcode;
  guint code;

  append_client_frame (bytes, 0x81, "a\0b", 3);
  sim_frame_reader_feed (reader, bytes->data, bytes->len);
  g_assert_cmpint (sim_frame_reader_next (reader, &opcode, &payload, &code), ==, SIM_FRAME_MESSAGE);
  g_assert_cmpmem (g_bytes_get_data (payload, NULL), g_bytes_get_size (payload), "a\0b", 3);
}

static void
test_violations (void)
{
  static const struct {
    guint8 bytes[16];
    guint length, code;
  } cases[] = {
    { { 0x81, 0x01, 'x' }, 3, SIM_CLOSE_PROTOCOL_ERROR },                        /* not masked */
    { { 0xc1, 0x80, 0, 0, 0, 0 }, 6, SIM_CLOSE_PROTOCOL_ERROR },                 /* a reserved bit */
    { { 0x83, 0x80, 0, 0, 0, 0 }, 6, SIM_CLOSE_PROTOCOL_ERROR },                 /* unknown opcodes */
    { { 0x8b, 0x80, 0, 0, 0, 0 }, 6, SIM_CLOSE_PROTOCOL_ERROR },
    { { 0x09, 0x80, 0, 0, 0, 0 }, 6, SIM_CLOSE_PROTOCOL_ERROR },                 /* a control frame in fragments */
    { { 0x89, 0xfe, 0, 126 }, 4, SIM_CLOSE_PROTOCOL_ERROR },                     /* a long one */
    { { 0x80, 0x80, 0, 0, 0, 0 }, 6, SIM_CLOSE_PROTOCOL_ERROR },                 /* a continuation of nothing */
    { { 0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0 }, 12, SIM_CLOSE_PROTOCOL_ERROR }, /* within a message */
    { { 0x81, 0xfe, 0, 5, 0, 0, 0, 0 }, 8, SIM_CLOSE_PROTOCOL_ERROR },           /* not the shortest length */
    { { 0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0 }, 14, SIM_CLOSE_PROTOCOL_ERROR },
    { { 0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 14, SIM_CLOSE_TOO_BIG },
    { { 0x81, 0xfe, 0x03, 0xe9, 0, 0, 0, 0 }, 8, SIM_CLOSE_TOO_BIG },            /* 1001, by the header alone */
    { { 0x81, 0x81, 0, 0, 0, 0, 0xff }, 7, SIM_CLOSE_NOT_UTF8 },
    { { 0x81, 0x82, 0, 0, 0, 0, 0, 0xc3 }, 8, SIM_CLOSE_NOT_UTF8 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();

    g_byte_array_append (bytes, cases[i].bytes, cases[i].length);
    assert_broken (bytes, cases[i].code);
  }
}

/* The limit is on the message, not on the frame. */
static void
test_limit (void)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *half = g_strnfill (LIMIT / 2, 'x'), *whole = g_strnfill (LIMIT, 'x');

  append_client_frame (bytes, 0x01, half, LIMIT / 2);
  append_client_frame (bytes, 0x80, half, LIMIT / 2);
  sim_frame_reader_feed (reader, bytes->data, bytes->len);
  assert_message (reader, SIM_OPCODE_TEXT, whole);

  g_byte_array_set_size (bytes, 0);
  append_client_frame (bytes, 0x01, half, LIMIT / 2);
  append_client_frame (bytes, 0x00, half, LIMIT / 2);
  append_client_frame (bytes, 0x80, "x", 1);
  assert_broken (bytes, SIM_CLOSE_TOO_BIG);
}

static void
test_append (void)
{
  static const guint lengths[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
  static const guint headers[] = { 2, 2, 2, 4, 4, 10, 10 };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    g_autofree char *text = g_strnfill (lengths[i], 'x');
    guint64 length = 0;

    sim_frame_append (bytes, TRUE, SIM_OPCODE_TEXT, text, lengths[i]);
    g_assert_cmpuint (bytes->len, ==, headers[i] + lengths[i]);
    g_assert_cmpuint (bytes->data[0], ==, 0x81);
    if (headers[i] == 2)
      length = bytes->data[1];
    for (guint j = 2; j < headers[i]; j++)
      length = length << 8 | bytes->data[j];
    g_assert_cmpuint (length, ==, lengths[i]);
    g_assert_cmpmem (bytes->data + headers[i], lengths[i], text, lengths[i]);
  }
}

static void
test_fragments (void)
{
  static const guint8 expected[] = { 0x01, 3, 'a', 'b', 'c', 0x00, 2, 'd', 'e', 0x80, 2, 'f', 'g' };
  static const guint8 single[] = { 0x81, 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  sim_frame_append_message (bytes, SIM_OPCODE_TEXT, "abcdefg", 7, 3);
  g_assert_cmpmem (bytes->data, bytes->len, expected, sizeof expected);

  g_byte_array_set_size (bytes, 0);
  sim_frame_append_message (bytes, SIM_OPCODE_TEXT, "", 0, 10);
  g_assert_cmpmem (bytes->data, bytes->len, single, sizeof single);

  g_byte_array_set_size (bytes, 0);
  sim_frame_append_message (bytes, SIM_OPCODE_TEXT, "abc", 3, 1000); /* no empty ones */
  g_assert_cmpuint (bytes->len, ==, 9);
}

/* Read back by the reader, which wants it masked. */
static void
test_masked (void)
{
  g_autoptr (SimFrameReader) reader = sim_frame_reader_new (LIMIT);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  sim_frame_append_masked (bytes, SIM_OPCODE_TEXT, "masked", 6);
  sim_frame_reader_feed (reader, bytes->data, bytes->len);
  assert_message (reader, SIM_OPCODE_TEXT, "masked");
}

static void
test_close (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *long_reason = g_strnfill (122, 'x'), *reason = NULL;
  g_autofree char *with_umlaut = g_strconcat (long_reason, "ü", NULL);
  g_autoptr (GBytes) payload = NULL;
  guint code;

  sim_frame_append_close (bytes, 4000, "gone");
  g_assert_cmpmem (bytes->data, bytes->len, "\x88\x06\x0f\xa0gone", 8);

  g_byte_array_set_size (bytes, 0);
  sim_frame_append_close (bytes, SIM_CLOSE_NO_STATUS, "ignored");
  g_assert_cmpmem (bytes->data, bytes->len, "\x88\x00", 2);

  /* 123 bytes fit; the umlaut would be cut in two. */
  g_byte_array_set_size (bytes, 0);
  sim_frame_append_close (bytes, 1000, with_umlaut);
  g_assert_cmpuint (bytes->len, ==, 2 + 2 + 122);

  payload = g_bytes_new (bytes->data + 2, bytes->len - 2);
  g_assert_true (sim_frame_parse_close (payload, &code, &reason));
  g_assert_cmpuint (code, ==, 1000);
  g_assert_cmpstr (reason, ==, long_reason);
}

static void
test_parse_close (void)
{
  static const struct {
    const char *payload;
    guint length, code;
    gboolean ok;
  } cases[] = {
    { "", 0, SIM_CLOSE_NO_STATUS, TRUE },        { "\x03\xe8", 2, 1000, TRUE },
    { "\x0f\xa0", 2, 4000, TRUE },               { "\x03", 1, SIM_CLOSE_PROTOCOL_ERROR, FALSE },
    { "\x03\xed", 2, SIM_CLOSE_PROTOCOL_ERROR, FALSE }, { "\x03\xee", 2, SIM_CLOSE_PROTOCOL_ERROR, FALSE },
    { "\x00\x00", 2, SIM_CLOSE_PROTOCOL_ERROR, FALSE }, { "\x13\x88", 2, SIM_CLOSE_PROTOCOL_ERROR, FALSE },
    { "\x03\xe8\xff", 3, SIM_CLOSE_NOT_UTF8, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GBytes) payload = g_bytes_new (cases[i].payload, cases[i].length);
    g_autofree char *reason = NULL;
    guint code = 0;

    g_assert_cmpint (sim_frame_parse_close (payload, &code, &reason), ==, cases[i].ok);
    g_assert_cmpuint (code, ==, cases[i].code);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/simulator/frames/whole", test_whole);
  g_test_add_func ("/simulator/frames/pieces", test_pieces);
  g_test_add_func ("/simulator/frames/nul-is-text", test_nul_is_text);
  g_test_add_func ("/simulator/frames/violations", test_violations);
  g_test_add_func ("/simulator/frames/limit", test_limit);
  g_test_add_func ("/simulator/frames/append", test_append);
  g_test_add_func ("/simulator/frames/fragments", test_fragments);
  g_test_add_func ("/simulator/frames/masked", test_masked);
  g_test_add_func ("/simulator/frames/close", test_close);
  g_test_add_func ("/simulator/frames/parse-close", test_parse_close);
  return g_test_run ();
}
