/* SPDX-License-Identifier: MIT */
#pragma once

#include "auth/token.h"
#include "common/trouble.h"

/*
 * One WebSocket (RFC 6455), from the handshake to its end, and its liveness. A link is used once. It knows nothing of
 * what the messages say but for the `ping` that it sends itself.
 */
typedef struct RelayLink RelayLink;

typedef struct {
  char *url;
  char *ca_file;                /* NULL: the system's CAs */
  guint64 ping_interval_usec;   /* silence after which the server is asked */
  guint64 pong_timeout_usec;    /* further silence after which it is taken for dead */
  gsize max_message_bytes;      /* payload of one message, in one frame or many */
  guint64 handshake_timeout_usec; /* 0: RELAY_LINK_HANDSHAKE_TIMEOUT_USEC */
} RelayLinkOptions;

#define RELAY_LINK_HANDSHAKE_TIMEOUT_USEC (20 * G_USEC_PER_SEC) /* from the start until the 101 answer */
#define RELAY_LINK_CLOSE_TIMEOUT_USEC (2 * G_USEC_PER_SEC)      /* for the peer's close frame after ours */
#define RELAY_LINK_PROBE_USEC (5 * G_USEC_PER_SEC) /* for a sign of life when there is reason to doubt */

/* Called from the main loop only, never from within a call of the link's; the link may be freed in each of them but
 * `heard`. */
typedef struct {
  /* The handshake is done. */
  void (*opened) (RelayLink *link, gpointer user_data);
  /* A text message, UTF-8 already checked; valid during the call. */
  void (*message) (RelayLink *link, const char *text, gsize length, gpointer user_data);
  /* Bytes came, of whatever frame; the messages in them follow. */
  void (*heard) (RelayLink *link, gsize bytes, gpointer user_data);
  /* A message that is none of the protocol's (binary); skipped. */
  void (*unusable) (RelayLink *link, const char *reason, gpointer user_data);
  /* The end, exactly once, and the last call. @trouble: why; NULL after relay_link_close. */
  void (*closed) (RelayLink *link, const RelayTrouble *trouble, gpointer user_data);
} RelayLinkEvents;

/* Nothing happens before relay_link_open. @options is copied. */
RelayLink *relay_link_new (const RelayLinkOptions *options, const RelayLinkEvents *events, gpointer user_data);
/* Ends it at once (no close frame, no further call). Allowed at any time. */
void relay_link_free (RelayLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayLink, relay_link_free)

/* Starts the handshake with @token. A failure to start (a bad CA file) is reported through `closed` too. */
void relay_link_open (RelayLink *link, RelayToken *token);

/* Sends a text message. FALSE if the link is not open. */
gboolean relay_link_send (RelayLink *link, const char *text);

/* Sends the protocol's `ping`, whose id begins with RELAY_LINK_PING_ID_PREFIX. FALSE if the link is not open. */
#define RELAY_LINK_PING_ID_PREFIX "relay-ping-"
gboolean relay_link_ping (RelayLink *link);

/* The user of the link read a `pong`, or an error for a ping. Answers come in the order of the questions: returns how
 * long ago (µs) the oldest unanswered ping was sent, or -1 if none was. A ping that was not answered within
 * pong_timeout_usec is taken for lost if there is a later one: or one lost answer would make every later round trip
 * look long. */
gint64 relay_link_take_pong (RelayLink *link);

/* There is reason to doubt that the server is still there (the machine slept, the network is another one): reads what
 * had come before, then asks, and takes the server for dead if it is not heard within @timeout_usec; or earlier, if liveness
 * was about to find that anyway. Nothing while such a probe is under way, nor in the handshake or while closing. The
 * time rests while paused. */
void relay_link_probe (RelayLink *link, guint64 timeout_usec);

/* The last proof of life, CLOCK_REALTIME µs: all that the server had sent by then was heard; an event that was sent
 * before it cannot be lost with this link. What the server itself still holds back (in queues of its own, behind a full
 * window) is not sent yet. Never later than the last bytes heard, and often a little earlier (proof.c tells why); rests
 * while paused. Still there in `closed`, where an orderly end, the peer's close frame or the end of its stream, counts
 * like anything heard; after relay_link_close the peer's answer to that proves the time of the call. 0 before `opened`. */
gint64 relay_link_get_proof (RelayLink *link);
/* Likewise in CLOCK_BOOTTIME µs, to be compared with what was noted earlier: nobody sets that clock. */
gint64 relay_link_get_proof_boottime (RelayLink *link);

/* Closes with @code (RFC 6455 §7.4.1); `closed` follows, after RELAY_LINK_CLOSE_TIMEOUT_USEC at most, which rests while
 * paused: what has come until then is still delivered. During the handshake: gives it up. */
void relay_link_close (RelayLink *link, guint code, const char *reason);

/* While paused nothing is read, so that TCP holds the server back; liveness rests. Messages that were read already
 * may still be delivered. */
void relay_link_set_paused (RelayLink *link, gboolean paused);

void relay_link_options_clear (RelayLinkOptions *options);
void relay_link_options_copy (const RelayLinkOptions *options, RelayLinkOptions *ret_copy);
