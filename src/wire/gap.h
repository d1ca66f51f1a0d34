/* SPDX-License-Identifier: MIT */
#pragma once

#include "wire/event.h"

/*
 * A gap: events on some channels may have been missed, from the last proof of life of one connection until the channels
 * were confirmed again. On the bus it is the signal Gap, in the history an event of type relay.gap.
 */
typedef struct {
  guint64 since_usec, until_usec; /* CLOCK_REALTIME */
  const char *cause;              /* a code as in LastError, or one of those below; static or interned */
  char **channels;                /* sorted, NULL-terminated; borrowed */
  guint64 sequence;
} RelayGap;

#define RELAY_GAP_TYPE "relay.gap"

#define RELAY_GAP_SINCE_UNKNOWN 1 /* long ago, but not never */

/* Causes that are no trouble. */
#define RELAY_GAP_CAUSE_RESTARTED "RESTARTED"       /* the relay was not running */
#define RELAY_GAP_CAUSE_DISCONNECTED "DISCONNECTED" /* the user asked for it: Disconnect */
#define RELAY_GAP_CAUSE_RECONFIGURED "RECONFIGURED" /* another server, or other authorities */

/* The gap as a message of the wire, to be stored and listed like any other: id "", timestamp of `until` (RFC 3339, UTC),
 * data with since, until, cause, channels and sequence. Caller frees. */
char *relay_gap_to_text (const RelayGap *gap);
