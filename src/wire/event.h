/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/json-reader.h"

/*
 * One message of the server, as read: which kind it is and where its parts stand on the reader's tape. No part
 * is copied. Which types there are, which of their members become arguments of the signal and which identify
 * the event stands in one table (event.c), after the protocol page's "Event Types" and the D-Bus contract.
 */
typedef enum {
  /* Relayed, one signal each. */
  RELAY_EVENT_PRP_CREATED,
  RELAY_EVENT_PRP_UPDATED,
  RELAY_EVENT_PRP_STATUS_CHANGED,
  RELAY_EVENT_PRP_DELETED,
  RELAY_EVENT_AGENT_ASSIGNED,
  RELAY_EVENT_AGENT_PROGRESS,
  RELAY_EVENT_ERROR,
  RELAY_EVENT_OTHER, /* a type not known, or a known one without the members that identify it */
  /* Not relayed: they drive the connection. */
  RELAY_EVENT_CONNECTION_ESTABLISHED,
  RELAY_EVENT_HEARTBEAT,
  RELAY_EVENT_PONG,
  RELAY_EVENT_SUBSCRIPTION_CONFIRMED,
  RELAY_EVENT_TOKEN_EXPIRED,
  RELAY_EVENT_N_KINDS,
} RelayEventKind;

#define RELAY_EVENT_MAX_ARGUMENTS 5

/* How one argument of a signal is made. */
typedef struct {
  const char *name;   /* of the argument: "prp_id" */
  const char *member; /* of `data`: "id"; NULL: the message's `type` */
  char type;          /* 's', 'd', or 'c' for a{sa{sv}} */
  gboolean required;  /* identifies the event: without it (or with another type) the event is OTHER */
} RelayEventArgument;

typedef struct {
  const char *type;   /* "prp.created"; NULL for RELAY_EVENT_OTHER */
  const char *signal; /* "PrpCreated"; NULL if not relayed */
  RelayEventArgument arguments[RELAY_EVENT_MAX_ARGUMENTS]; /* ends at the first without a name; `event` follows */
} RelayEventInfo;

typedef struct {
  RelayEventKind kind;
  const RelayJsonReader *reader; /* borrowed: valid until the reader reads again */
  /* Tokens of the message's members; 0: missing, or (but for data) of another type than the page gives. */
  guint id, type, timestamp, data, metadata;
  /* The relay's own, filled in by whoever relays it. */
  guint64 sequence;
  gint64 received_usec; /* CLOCK_REALTIME */
} RelayEvent;

#define RELAY_EVENT_ERROR_DOMAIN (relay_event_error_quark ())
GQuark relay_event_error_quark (void);
typedef enum {
  RELAY_EVENT_ERROR_NOT_AN_OBJECT, /* JSON, but not an object */
  RELAY_EVENT_ERROR_NO_TYPE,       /* an object without a `type` string */
} RelayEventError;

/* Reads one text message. Errors: RELAY_JSON_ERROR or RELAY_EVENT_ERROR_DOMAIN; the reason without any of the text. */
gboolean relay_event_read (RelayEvent *event, RelayJsonReader *reader, const char *text, gsize length, GError **error);

/* The table's row. Static. */
const RelayEventInfo *relay_event_kind_get_info (RelayEventKind kind);

static inline gboolean
relay_event_kind_is_relayed (RelayEventKind kind)
{
  return kind <= RELAY_EVENT_OTHER;
}

/* The token of `data.@member`, or 0. */
guint relay_event_find (const RelayEvent *event, const char *member);

/* The value of the string `data.@member`, "" where missing or no string. Caller frees. */
char *relay_event_dup_member (const RelayEvent *event, const char *member);
