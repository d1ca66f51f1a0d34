/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

/*
 * A GIOStream around another one, for the reading side of a WebSocket: reads in bulk, gives out at most a budget per
 * turn of the main loop, can be paused, and measures messages by their frame headers (RFC 6455 §5.2), so that a message
 * over the limit is known before it is in memory, in however many fragments it comes. Writing passes through.
 */
#define RELAY_TYPE_PACED_STREAM (relay_paced_stream_get_type ())
G_DECLARE_FINAL_TYPE (RelayPacedStream, relay_paced_stream, RELAY, PACED_STREAM, GIOStream)

#define RELAY_PACED_STREAM_CHUNK_BYTES (64 * 1024)  /* one read from the stream below */
#define RELAY_PACED_STREAM_BUDGET_BYTES (64 * 1024) /* most handed out in one turn of the loop */
#define RELAY_PACED_STREAM_MAX_PENDING_PINGS 1024   /* WebSocket pings read while none of our bytes could be written */

typedef enum {
  RELAY_PACED_STREAM_TOO_BIG,        /* a message over the limit is on its way */
  RELAY_PACED_STREAM_TOO_MANY_PINGS, /* the peer pings and does not read our pongs */
} RelayPacedStreamExcess;

/* Called from the main loop, from within a read of the stream; static. */
typedef struct {
  /* Bytes came from below (before they are handed out): a sign of life. */
  void (*heard) (RelayPacedStream *stream, gsize bytes, gpointer user_data);
  /* All that has come was handed out, and the reader asks for more: the stream below would block, or (@ended) is at its
   * orderly end. @bytes: how many came since it was empty before. Not while draining. May be NULL. */
  void (*emptied) (RelayPacedStream *stream, gsize bytes, gboolean ended, gpointer user_data);
  /* The peer went over a limit: the stream drains itself from here (relay_paced_stream_drain). Called once. */
  void (*exceeded) (RelayPacedStream *stream, RelayPacedStreamExcess excess, gpointer user_data);
} RelayPacedStreamEvents;

/* @base: its input and output must be pollable; a reference is kept. */
RelayPacedStream *relay_paced_stream_new (GIOStream *base, gsize max_message_bytes, const RelayPacedStreamEvents *events,
                                          gpointer user_data);
void relay_paced_stream_set_paused (RelayPacedStream *stream, gboolean paused);

/* From here on nothing is handed out but the end of the stream: what comes is read, paused or not, and thrown away.
 * A connection must be emptied before it is closed: unread bytes make TCP send a reset, which can overtake the
 * close frame that tells the peer why. */
void relay_paced_stream_drain (RelayPacedStream *stream);

/* Did bytes arrive that nobody has been handed yet? */
gboolean relay_paced_stream_has_unread (RelayPacedStream *stream);

/* No callback is called after this. */
void relay_paced_stream_disarm (RelayPacedStream *stream);
