/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * RFC 6455 framing as seen from a server: bytes to messages and messages to bytes. Pure, no I/O.
 *
 * Why not libsoup's, which does the handshake: a simulator has to send what a correct library refuses to (text
 * that is not UTF-8, masked frames, half a frame), has to fall silent without closing, and has to know how much
 * of its output a client has not read yet. None of this can be had above SoupWebsocketConnection.
 */
typedef enum {
  SIM_OPCODE_CONTINUATION = 0x0,
  SIM_OPCODE_TEXT = 0x1,
  SIM_OPCODE_BINARY = 0x2,
  SIM_OPCODE_CLOSE = 0x8,
  SIM_OPCODE_PING = 0x9,
  SIM_OPCODE_PONG = 0xa,
} SimOpcode;

/* Close codes, RFC 6455 §7.4.1. */
enum {
  SIM_CLOSE_NORMAL = 1000,
  SIM_CLOSE_GOING_AWAY = 1001,
  SIM_CLOSE_PROTOCOL_ERROR = 1002,
  SIM_CLOSE_NO_STATUS = 1005, /* never on the wire: a close frame without a code */
  SIM_CLOSE_ABNORMAL = 1006,  /* never on the wire: no close frame at all */
  SIM_CLOSE_NOT_UTF8 = 1007,
  SIM_CLOSE_POLICY = 1008,
  SIM_CLOSE_TOO_BIG = 1009,
};

#define SIM_FRAME_MAX_CONTROL_BYTES 125 /* payload of a control frame, RFC 6455 §5.5 */

/* May a close frame carry @code? (1000 to 4999 but those that RFC 6455 §7.4 keeps for other uses.) */
gboolean sim_close_code_is_valid (guint code);

/* Appends one unmasked frame to @out. Checks nothing. */
void sim_frame_append (GByteArray *out, gboolean final, SimOpcode opcode, const void *payload, gsize length);

/* Appends one message in @n_fragments frames of about the same size (at most one for each byte, at least one). */
void sim_frame_append_message (GByteArray *out, SimOpcode opcode, const void *payload, gsize length,
                               guint n_fragments);

/* Appends a frame that is masked, which no server may send (RFC 6455 §5.1). */
void sim_frame_append_masked (GByteArray *out, SimOpcode opcode, const void *payload, gsize length);

/* Appends a close frame; @reason may be NULL and is cut to fit, at the end of a character. SIM_CLOSE_NO_STATUS:
 * empty. */
void sim_frame_append_close (GByteArray *out, guint code, const char *reason);

/* Takes a close frame's payload apart. Returns FALSE if it breaks RFC 6455 (then *ret_code is what to answer). */
gboolean sim_frame_parse_close (GBytes *payload, guint *ret_code, char **ret_reason);

typedef struct SimFrameReader SimFrameReader;

typedef enum {
  SIM_FRAME_NEED_MORE, /* no whole message is there yet */
  SIM_FRAME_MESSAGE,   /* a whole message, or a control frame */
  SIM_FRAME_BROKEN,    /* the client broke the protocol: close with *ret_close_code; the reader is done */
} SimFrameResult;

/* @max_message_bytes: of one message, however fragmented; more is SIM_CLOSE_TOO_BIG before it is stored. */
SimFrameReader *sim_frame_reader_new (gsize max_message_bytes);
void sim_frame_reader_free (SimFrameReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimFrameReader, sim_frame_reader_free)

void sim_frame_reader_feed (SimFrameReader *reader, const void *bytes, gsize length);

/* The next message of what was fed. Call until it needs more. *ret_payload is set with SIM_FRAME_MESSAGE only. */
SimFrameResult sim_frame_reader_next (SimFrameReader *reader, SimOpcode *ret_opcode, GBytes **ret_payload,
                                      guint *ret_close_code);
