/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Measures a stream of WebSocket frames by their headers (RFC 6455 §5.2), split anywhere: how long a message is
 * going to be, in however many fragments, and how many pings it brings. Pure; it judges lengths, not validity.
 */
typedef struct {
  guint64 max_message_bytes; /* payload of one message, or of one control frame */
  gboolean too_big;          /* a message over that is on its way; nothing is taken any more */
  guint n_pings;             /* pings whose header was taken; whoever reads it may set it to 0 */
  /* private */
  guint8 header[14];
  guint n_header;
  guint64 payload_left;  /* of the frame at hand */
  guint64 message_bytes; /* of the message at hand, with the whole of the frame at hand */
} RelayGauge;

/* A zeroed gauge with max_message_bytes set is at the start of a frame. */

/* Takes @length bytes. Returns how many of them come before an excess: fewer than @length only with too_big set. */
gsize relay_gauge_take (RelayGauge *gauge, const guint8 *data, gsize length);
