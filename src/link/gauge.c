/* SPDX-License-Identifier: MIT */
#include "link/gauge.h"

enum {
  OPCODE_PING = 0x9,
  OPCODE_CONTROL = 0x8, /* bit that control frames have and data frames do not */
};

/* Length of the whole header, as far as its first two bytes tell. */
static guint
get_header_length (const guint8 *header)
{
  guint length = 2;

  if ((header[1] & 0x7f) == 126)
    length += 2;
  else if ((header[1] & 0x7f) == 127)
    length += 8;
  if ((header[1] & 0x80) != 0)
    length += 4; /* a mask: a server must not send one, which is for others to refuse */
  return length;
}

static guint64
get_payload_length (const guint8 *header)
{
  guint n = (header[1] & 0x7f) == 126 ? 2 : (header[1] & 0x7f) == 127 ? 8 : 0;
  guint64 length = 0;

  if (n == 0)
    return header[1] & 0x7f;
  for (guint i = 0; i < n; i++)
    length = length << 8 | header[2 + i];
  return length;
}

/* A header is complete. FALSE: what it announces is too much. */
static gboolean
begin_frame (RelayGauge *gauge)
{
  guint8 opcode = gauge->header[0] & 0x0f;
  gboolean fin = (gauge->header[0] & 0x80) != 0;
  guint64 length = get_payload_length (gauge->header);

  gauge->n_header = 0;
  if (opcode & OPCODE_CONTROL) {
    /* May stand between the fragments of a message. Its own limit (125) is the WebSocket's to hold; here it
     * only must not be a way around ours. */
    if (length > gauge->max_message_bytes)
      return FALSE;
    if (opcode == OPCODE_PING)
      gauge->n_pings++;
  } else {
    if (length > gauge->max_message_bytes - gauge->message_bytes)
      return FALSE;
    gauge->message_bytes = fin ? 0 : gauge->message_bytes + length;
  }
  gauge->payload_left = length;
  return TRUE;
}

gsize
relay_gauge_take (RelayGauge *gauge, const guint8 *data, gsize length)
{
  gsize at = 0;

  while (at < length && !gauge->too_big) {
    if (gauge->payload_left > 0) {
      gsize n = (gsize) MIN (gauge->payload_left, length - at);

      gauge->payload_left -= n;
      at += n;
      continue;
    }

    gauge->header[gauge->n_header++] = data[at];
    if (gauge->n_header >= 2 && gauge->n_header == get_header_length (gauge->header) && !begin_frame (gauge))
      gauge->too_big = TRUE;
    else
      at++;
  }
  return at;
}
