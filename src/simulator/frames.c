/* SPDX-License-Identifier: MIT */
#include "simulator/frames.h"

#include <string.h>

/*
 * The reader keeps two buffers: what was fed and not yet understood (`input`, never more than one frame beyond
 * what one feed brought, as a frame over the limit is refused by its header), and the fragments of the message
 * under way (`message`). Control frames may stand between fragments and leave `message` alone.
 */

#define FLAG_FINAL 0x80
#define FLAGS_RESERVED 0x70
#define FLAG_MASKED 0x80
#define LENGTH_IS_16_BIT 126
#define LENGTH_IS_64_BIT 127
#define MASK_BYTES 4

struct SimFrameReader {
  gsize max_message_bytes;
  GByteArray *input;
  GByteArray *message;
  SimOpcode message_opcode; /* of the message under way; SIM_OPCODE_CONTINUATION for none */
  guint close_code;         /* once broken */
};

typedef struct {
  gboolean final;
  SimOpcode opcode;
  gsize header_bytes;
  guint64 payload_bytes;
  guint8 mask[MASK_BYTES];
} Header;

gboolean
sim_close_code_is_valid (guint code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static void
append_header (GByteArray *out, guint8 first, gsize length, guint8 mask_flag)
{
  guint8 header[10] = { first };
  guint n = 2;

  if (length < LENGTH_IS_16_BIT) {
    header[1] = (guint8) length;
  } else if (length <= G_MAXUINT16) {
    guint16 big_endian = GUINT16_TO_BE ((guint16) length);

    header[1] = LENGTH_IS_16_BIT;
    memcpy (header + n, &big_endian, sizeof big_endian);
    n += sizeof big_endian;
  } else {
    guint64 big_endian = GUINT64_TO_BE ((guint64) length);

    header[1] = LENGTH_IS_64_BIT;
    memcpy (header + n, &big_endian, sizeof big_endian);
    n += sizeof big_endian;
  }
  header[1] |= mask_flag;
  g_byte_array_append (out, header, n);
}

void
sim_frame_append (GByteArray *out, gboolean final, SimOpcode opcode, const void *payload, gsize length)
{
  append_header (out, (guint8) ((final ? FLAG_FINAL : 0) | opcode), length, 0);
  if (length > 0)
    g_byte_array_append (out, payload, (guint) length);
}

void
sim_frame_append_message (GByteArray *out, SimOpcode opcode, const void *payload, gsize length, guint n_fragments)
{
  const guint8 *bytes = payload;
  gsize n = CLAMP (n_fragments, 1, MAX (length, 1));

  for (gsize i = 0; i < n; i++) {
    gsize start = length / n * i + MIN (i, length % n);
    gsize end = length / n * (i + 1) + MIN (i + 1, length % n);

    sim_frame_append (out, i + 1 == n, i == 0 ? opcode : SIM_OPCODE_CONTINUATION, bytes + start, end - start);
  }
}

void
sim_frame_append_masked (GByteArray *out, SimOpcode opcode, const void *payload, gsize length)
{
  static const guint8 mask[MASK_BYTES] = { 0xa5, 0x5a, 0xc3, 0x3c };
  guint start;

  append_header (out, (guint8) (FLAG_FINAL | opcode), length, FLAG_MASKED);
  g_byte_array_append (out, mask, sizeof mask);
  start = out->len;
  g_byte_array_append (out, payload, (guint) length);
  for (gsize i = 0; i < length; i++)
    out->data[start + i] ^= mask[i % MASK_BYTES];
}

void
sim_frame_append_close (GByteArray *out, guint code, const char *reason)
{
  guint8 payload[SIM_FRAME_MAX_CONTROL_BYTES] = { (guint8) (code >> 8), (guint8) code };
  gsize length = 2;

  if (code == SIM_CLOSE_NO_STATUS) {
    sim_frame_append (out, TRUE, SIM_OPCODE_CLOSE, NULL, 0);
    return;
  }
  if (reason != NULL) {
    gsize reason_bytes = strlen (reason);
    const char *end;

    if (reason_bytes > sizeof payload - length)
      reason_bytes = sizeof payload - length;
    g_utf8_validate_len (reason, reason_bytes, &end);
    memcpy (payload + length, reason, (gsize) (end - reason));
    length += (gsize) (end - reason);
  }
  sim_frame_append (out, TRUE, SIM_OPCODE_CLOSE, payload, length);
}

gboolean
sim_frame_parse_close (GBytes *payload, guint *ret_code, char **ret_reason)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (payload, &length);
  guint code;

  if (length == 0) {
    *ret_code = SIM_CLOSE_NO_STATUS;
    *ret_reason = g_strdup ("");
    return TRUE;
  }
  code = length >= 2 ? (guint) bytes[0] << 8 | bytes[1] : 0;
  if (!sim_close_code_is_valid (code)) {
    *ret_code = SIM_CLOSE_PROTOCOL_ERROR;
    return FALSE;
  }
  if (!g_utf8_validate_len ((const char *) bytes + 2, length - 2, NULL)) {
    *ret_code = SIM_CLOSE_NOT_UTF8;
    return FALSE;
  }
  *ret_code = code;
  *ret_reason = g_strndup ((const char *) bytes + 2, length - 2);
  return TRUE;
}

SimFrameReader *
sim_frame_reader_new (gsize max_message_bytes)
{
  SimFrameReader *reader = g_new0 (SimFrameReader, 1);

  reader->max_message_bytes = max_message_bytes;
  reader->input = g_byte_array_new ();
  reader->message = g_byte_array_new ();
  return reader;
}

void
sim_frame_reader_free (SimFrameReader *reader)
{
  if (reader == NULL)
    return;
  g_byte_array_unref (reader->input);
  g_byte_array_unref (reader->message);
  g_free (reader);
}

void
sim_frame_reader_feed (SimFrameReader *reader, const void *bytes, gsize length)
{
  g_byte_array_append (reader->input, bytes, (guint) length);
}

/* Returns the close code that the header deserves, or 0; *ret_header is whole if its header_bytes is not 0. */
static guint
parse_header (const GByteArray *input, Header *ret_header)
{
  Header header = { 0 };
  gsize needed = 2 + MASK_BYTES;
  guint8 length;

  *ret_header = header;
  if (input->len < 2)
    return 0;

  header.final = (input->data[0] & FLAG_FINAL) != 0;
  header.opcode = input->data[0] & 0x0f;
  length = input->data[1] & 0x7f;
  if ((input->data[0] & FLAGS_RESERVED) != 0 || (input->data[1] & FLAG_MASKED) == 0)
    return SIM_CLOSE_PROTOCOL_ERROR; /* nothing was negotiated that uses them; a client has to mask */

  if (header.opcode >= SIM_OPCODE_CLOSE) {
    if (header.opcode > SIM_OPCODE_PONG || !header.final || length > SIM_FRAME_MAX_CONTROL_BYTES)
      return SIM_CLOSE_PROTOCOL_ERROR;
  } else if (header.opcode > SIM_OPCODE_BINARY) {
    return SIM_CLOSE_PROTOCOL_ERROR;
  }

  needed += length == LENGTH_IS_16_BIT ? 2 : length == LENGTH_IS_64_BIT ? 8 : 0;
  if (input->len < needed)
    return 0;

  header.payload_bytes = length;
  if (length >= LENGTH_IS_16_BIT) {
    guint n = length == LENGTH_IS_16_BIT ? 2 : 8;

    header.payload_bytes = 0;
    for (guint i = 0; i < n; i++)
      header.payload_bytes = header.payload_bytes << 8 | input->data[2 + i];
    if (header.payload_bytes <= (n == 2 ? 125 : G_MAXUINT16))
      return SIM_CLOSE_PROTOCOL_ERROR; /* the shortest form it has to be, RFC 6455 §5.2 */
  }
  memcpy (header.mask, input->data + needed - MASK_BYTES, MASK_BYTES);
  header.header_bytes = needed;
  *ret_header = header;
  return 0;
}

static SimFrameResult
break_with (SimFrameReader *reader, guint code, guint *ret_close_code)
{
  reader->close_code = code;
  g_byte_array_set_size (reader->input, 0);
  g_byte_array_set_size (reader->message, 0);
  *ret_close_code = code;
  return SIM_FRAME_BROKEN;
}

/* Unmasks the frame's payload where it lies. */
static guint8 *
unmask (SimFrameReader *reader, const Header *header)
{
  guint8 *payload = reader->input->data + header->header_bytes;

  for (gsize i = 0; i < header->payload_bytes; i++)
    payload[i] ^= header->mask[i % MASK_BYTES];
  return payload;
}

/* Takes the data frame into the message under way. Returns a close code, or 0. */
static guint
take_fragment (SimFrameReader *reader, const Header *header)
{
  gboolean under_way = reader->message_opcode != SIM_OPCODE_CONTINUATION;

  if ((header->opcode == SIM_OPCODE_CONTINUATION) != under_way)
    return SIM_CLOSE_PROTOCOL_ERROR;
  if (!under_way)
    reader->message_opcode = header->opcode;
  if (header->payload_bytes > 0)
    g_byte_array_append (reader->message, unmask (reader, header), (guint) header->payload_bytes);
  return 0;
}

/* Unlike GLib's check alone, lets NUL pass: it is UTF-8, whatever JSON says to it. */
static gboolean
is_utf8 (const GByteArray *text)
{
  const char *rest = (const char *) text->data;
  const char *end = rest + text->len;

  while (rest < end && !g_utf8_validate_len (rest, (gsize) (end - rest), &rest) && *rest == '\0')
    rest++;
  return rest == end;
}

SimFrameResult
sim_frame_reader_next (SimFrameReader *reader, SimOpcode *ret_opcode, GBytes **ret_payload, guint *ret_close_code)
{
  if (reader->close_code != 0)
    return break_with (reader, reader->close_code, ret_close_code);

  for (;;) {
    Header header;
    guint code = parse_header (reader->input, &header);
    gboolean control = header.opcode >= SIM_OPCODE_CLOSE;

    if (code == 0 && header.header_bytes > 0 && !control &&
        header.payload_bytes > reader->max_message_bytes - reader->message->len)
      code = SIM_CLOSE_TOO_BIG;
    if (code != 0)
      return break_with (reader, code, ret_close_code);
    if (header.header_bytes == 0 || reader->input->len - header.header_bytes < header.payload_bytes)
      return SIM_FRAME_NEED_MORE;

    if (control)
      *ret_payload = g_bytes_new (unmask (reader, &header), (gsize) header.payload_bytes);
    else
      code = take_fragment (reader, &header);
    g_byte_array_remove_range (reader->input, 0, (guint) (header.header_bytes + header.payload_bytes));
    if (code != 0)
      return break_with (reader, code, ret_close_code);

    if (control) {
      *ret_opcode = header.opcode;
      return SIM_FRAME_MESSAGE;
    }
    if (header.final) {
      *ret_opcode = reader->message_opcode;
      reader->message_opcode = SIM_OPCODE_CONTINUATION;
      if (*ret_opcode == SIM_OPCODE_TEXT && !is_utf8 (reader->message))
        return break_with (reader, SIM_CLOSE_NOT_UTF8, ret_close_code);
      *ret_payload = g_byte_array_free_to_bytes (reader->message);
      reader->message = g_byte_array_new ();
      return SIM_FRAME_MESSAGE;
    }
  }
}
