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

/* The peer went over a limit: nothing more is handed out. Called once, from the main loop (may be from within a read). */
typedef void (*RelayPacedStreamExceeded) (RelayPacedStream *stream, RelayPacedStreamExcess excess, gpointer user_data);
/* Bytes came from below (before they are handed out): a sign of life. */
typedef void (*RelayPacedStreamHeard) (RelayPacedStream *stream, gsize bytes, gpointer user_data);

/* @base: its input and output must be pollable; a reference is kept. */
RelayPacedStream *relay_paced_stream_new (GIOStream *base, gsize max_message_bytes, RelayPacedStreamHeard heard,
                                          RelayPacedStreamExceeded exceeded, gpointer user_data);
void relay_paced_stream_set_paused (RelayPacedStream *stream, gboolean paused);
/* No callback is called after this. */
void relay_paced_stream_disarm (RelayPacedStream *stream);
