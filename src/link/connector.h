/* SPDX-License-Identifier: MIT */
#pragma once

#include "auth/token.h"
#include "link/conversation.h"
#include "wire/coverage.h"

/*
 * The connection as a state machine: which conversations exist, when an attempt is made, and with which token.
 */
typedef struct RelayConnector RelayConnector;

typedef struct {
  RelayLinkOptions link;
  RelayTokenOptions tokens;
  double actions_per_sec;
  guint64 initial_delay_usec, max_delay_usec;
  guint max_attempts; /* failed attempts after which it gives up; 0: never */
  guint64 stable_usec;   /* 0: RELAY_CONNECTOR_STABLE_USEC */
  guint64 handover_usec; /* 0: RELAY_CONNECTOR_HANDOVER_USEC */
  guint64 gap_usec;      /* 0: RELAY_CONNECTOR_GAP_USEC */
} RelayConnectorOptions;

#define RELAY_CONNECTOR_STABLE_USEC (30 * G_USEC_PER_SEC) /* up that long: the backoff starts anew */
#define RELAY_CONNECTOR_QUICK_RENEWALS 3 /* renewals in a row without a stable connection that are not delayed */
/* A renewal before the token's end is not asked for sooner than this after connecting, or after one that failed. */
#define RELAY_CONNECTOR_RENEWAL_MIN_USEC G_USEC_PER_SEC
#define RELAY_CONNECTOR_RENEWAL_RETRY_USEC (10 * G_USEC_PER_SEC)
/* The clock of the day is looked at again this often while a renewal is ahead: it may be set, or the machine sleep. */
#define RELAY_CONNECTOR_RENEWAL_CHECK_USEC (600 * G_USEC_PER_SEC)
/* When the network is back, or the machine is awake, an attempt is made within this: not by everyone at once; … */
#define RELAY_CONNECTOR_HASTE_USEC (G_USEC_PER_SEC / 2)
/* … and for that long from then on it is tried again as soon where the network does not do at first, or the connection at hand is
 * found dead by asking. */
#define RELAY_CONNECTOR_EAGER_USEC (10 * G_USEC_PER_SEC)
/* A connection that is to take over: for all channels to be confirmed on it, once it is established. */
#define RELAY_CONNECTOR_HANDOVER_USEC (60 * G_USEC_PER_SEC)
/* Connections that we have closed, and that have not ended yet: older ones are cut. */
#define RELAY_CONNECTOR_MAX_RETIRED 4
/* While answers for channels are awaited: how often to see whether the time for them is over. */
#define RELAY_CONNECTOR_ANSWERS_CHECK_USEC G_USEC_PER_SEC
/* What was missed is told when the server has answered for all channels, or after that long for those that are heard again. */
#define RELAY_CONNECTOR_GAP_USEC (60 * G_USEC_PER_SEC)
/* RelayConnectorEvents.alive comes at most this often. */
#define RELAY_CONNECTOR_ALIVE_USEC (10 * G_USEC_PER_SEC)

/* At the end, for a refresh that is under way, whose answer must not be lost. */
#define RELAY_CONNECTOR_STOP_USEC (5 * G_USEC_PER_SEC)

typedef struct {
  /* An event to relay, duplicates included; valid during the call. */
  void (*event) (RelayEvent *event, gpointer user_data);
  /* The server was heard on the connection at hand: relay_connector_get_alive says something new. */
  void (*alive) (gpointer user_data);
} RelayConnectorEvents;

/* relay_connector_stop is done. */
typedef void (*RelayConnectorStopped) (gpointer user_data);

/* @options is copied; @subscriptions, @coverage and @status are borrowed; @events is static. Does nothing before _start. */
RelayConnector *relay_connector_new (const RelayConnectorOptions *options, RelaySubscriptions *subscriptions,
                                     RelayCoverage *coverage, RelayStatus *status, const RelayConnectorEvents *events,
                                     gpointer user_data);
void relay_connector_free (RelayConnector *connector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayConnector, relay_connector_free)

/* Connects for the first time. */
void relay_connector_start (RelayConnector *connector);
/* Closes with 1001, sees a refresh of the token through, and calls @stopped, within RELAY_CONNECTOR_STOP_USEC; nothing
 * is attempted any more. */
void relay_connector_stop (RelayConnector *connector, RelayConnectorStopped stopped, gpointer user_data);

/* The method Connect: now, whatever was waited for; no effect while connected or connecting. */
void relay_connector_connect (RelayConnector *connector);
/* The method Disconnect: closes with 1000 and stays closed. */
void relay_connector_disconnect (RelayConnector *connector);
/* The method Reload: takes new options; reads the credentials again; reconnects if the URL, the CA file or the token
 * changed (other options count from the next connection on); asks again for what was rejected. Ends any waiting but
 * that for Connect after Disconnect. */
void relay_connector_configure (RelayConnector *connector, const RelayConnectorOptions *options);

/* The method Ping. Calls back once; at once (with NOT_CONNECTED) if there is no connection. */
void relay_connector_ping (RelayConnector *connector, RelayPingCallback callback, gpointer user_data);

/* The bus can take no more (TRUE) or is empty again. */
void relay_connector_set_paused (RelayConnector *connector, gboolean paused);

/* The machine was asleep (@slept), or the network is another one: what is at hand is to prove that it is alive, what was
 * planned comes sooner. Only ever hastens; a Retry-After is honoured. */
void relay_connector_hasten (RelayConnector *connector, gboolean slept);
/* Is there a network? TRUE at first. Hastens where there is one. Without effect for a server on this machine. */
void relay_connector_set_network (RelayConnector *connector, gboolean available);

/* The last proof of life of the connection at hand, CLOCK_REALTIME µs; 0 if there is none. Where what the one before it was
 * sent has not all been heard, that one's. */
gint64 relay_connector_get_alive (RelayConnector *connector);

/* Something changed in the Secret Service: a token may be there that was not to be had before, or another one. */
void relay_connector_check_keyring (RelayConnector *connector);

/* Will there be an answer from the server within seconds (connecting, connected, waiting)? FALSE while disconnected,
 * unauthorized or offline. */
gboolean relay_connector_is_trying (RelayConnector *connector);

void relay_connector_options_clear (RelayConnectorOptions *options);
void relay_connector_options_copy (const RelayConnectorOptions *options, RelayConnectorOptions *ret_copy);
