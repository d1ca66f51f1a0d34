/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

#include "auth/token.h"

/*
 * For tests: a WebSocket server on loopback that is not libsoup's, in this process and its main loop. It does what it is told to,
 * down to the single byte, right or wrong. Failures end the test.
 */
typedef struct WsServer WsServer;
typedef struct WsPeer WsPeer;

/* The head of a request has come (peer->request): to be answered with ws_peer_send and ws_peer_end. */
typedef void (*WsServerRequest) (WsPeer *peer, gpointer user_data);
/* A text message of the client's. */
typedef void (*WsServerText) (WsPeer *peer, const char *text, gpointer user_data);

struct WsServer {
  /* How the next clients are answered; write freely. */
  char *answer;          /* in place of 101: these bytes, then the end; NULL: 101 */
  gboolean silent;       /* no answer at all */
  gboolean bad_accept;   /* 101 with a wrong Sec-WebSocket-Accept */
  char *bearer;          /* any other token is answered with 401; NULL: none is asked for */
  GByteArray *behind;    /* sent in the same write as 101, behind it; NULL: nothing */
  gboolean deaf_to_close; /* a client's close frame is not answered */
  GTlsCertificate *certificate; /* NULL: no TLS */
  WsServerRequest request; /* NULL: answered as said above */
  WsServerText text;       /* may be NULL */
  gpointer user_data;      /* of both */

  /* What was seen; read freely. */
  GPtrArray *peers; /* of WsPeer, in the order in which they came, also those that have gone */
  guint n_refused;  /* with 401 */

  /* private */
  GSocketService *service;
  guint16 port;
};

struct WsPeer {
  WsServer *server;
  char *request;         /* the head, as it came; NULL while it is not complete */
  gboolean upgraded;
  GPtrArray *texts;      /* every text message */
  guint close_code;      /* of the client's close frame; 0: none came, 1005: none in it */
  char *close_reason;
  guint n_pongs;
  gboolean ended;        /* the client has ended the connection */
  gboolean reset;        /* likewise, the hard way */
  gboolean close_sent;
  gboolean not_reading;

  /* private */
  GIOStream *stream;
  GByteArray *in;
  GByteArray *out;
  GSource *reader, *writer;
  gboolean end_when_written;
};

WsServer *ws_server_new (void);
void ws_server_free (WsServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsServer, ws_server_free)

/* "ws://127.0.0.1:PORT/", or "wss://localhost:PORT/" with a certificate. Caller frees. */
char *ws_server_get_url (WsServer *server);
/* The peer that came last, NULL if none did. */
WsPeer *ws_server_last (WsServer *server);
/* How many of the peers were upgraded. */
guint ws_server_count (WsServer *server);

/* Appends a frame as a server sends it (unmasked) to @bytes. */
void ws_append_frame (GByteArray *bytes, guint8 opcode, gboolean fin, gconstpointer payload, gsize length);

void ws_peer_send (WsPeer *peer, gconstpointer data, gsize length);
void ws_peer_send_frame (WsPeer *peer, guint8 opcode, gboolean fin, gconstpointer payload, gsize length);
void ws_peer_send_text (WsPeer *peer, const char *text);
/* A close frame; 0: without a code. */
void ws_peer_send_close (WsPeer *peer, guint code, const char *reason);
/* Reads no more: a few MB of the client's, and its writes block. */
void ws_peer_stop_reading (WsPeer *peer);
/* Ends the connection when all is written: FIN. */
void ws_peer_end (WsPeer *peer);
/* Ends it now: RST. */
void ws_peer_abort (WsPeer *peer);

/* A token, by way of a file: it can only be had from where tokens come from. Caller owns it. */
RelayToken *ws_make_token (const char *value);

/* Runs the main loop until @condition holds; after 20 s the test fails. */
#define ws_wait_for(condition)                                                         \
  G_STMT_START                                                                         \
  {                                                                                    \
    gint64 ws_deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;                \
    g_autoptr (GSource) ws_tick = ws_tick_new ();                                      \
    while (!(condition)) {                                                             \
      if (g_get_monotonic_time () > ws_deadline)                                       \
        g_error ("%s:%d: waited in vain for: %s", __FILE__, __LINE__, #condition);     \
      g_main_context_iteration (NULL, TRUE);                                           \
    }                                                                                  \
    g_source_destroy (ws_tick);                                                        \
  }                                                                                    \
  G_STMT_END

/* Wakes the loop now and then, so that conditions on time are looked at too. */
GSource *ws_tick_new (void);
/* Runs the main loop for a while: for what must not happen. */
void ws_run_for (guint64 usec);
