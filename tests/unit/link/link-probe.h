/* SPDX-License-Identifier: MIT */
#pragma once

#include "link/link.h"
#include "tests/unit/link/ws-server.h"

/*
 * For tests: a link, and what it reports. That each call comes at its time is asserted throughout.
 */
#define PROBE_LIMIT 100000 /* max_message_bytes, unless the options say otherwise */

typedef struct {
  RelayLink *link;
  gboolean opened, closed;
  GPtrArray *messages; /* GBytes */
  guint n_unusable;
  guint64 bytes;
  RelayTrouble *trouble;
  gboolean in_call; /* set around a call of the link's: nothing may be reported in it */
  /* What to do from within a call. */
  guint free_at; /* the count of messages at which the link is freed; 0: never */
  gboolean free_when_opened;
} Probe;

/* Opens a link. @options may be NULL; what is 0 in it is put so that it does not matter. */
Probe *probe_new (const char *url, const RelayLinkOptions *options);
void probe_free (Probe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Probe, probe_free)
void probe_free_link (Probe *probe);

void probe_assert_message (Probe *probe, guint index, const char *text);
/* Waits for the end, which must be for a trouble of that code. */
void probe_assert_ended (Probe *probe, const char *code);

/* The usual beginning: a server, and a link to it that is open. */
typedef struct {
  WsServer *server;
  char *url;
  Probe *probe;
  WsPeer *peer;
} Pair;

/* @pair->server may be set already. */
void pair_open (Pair *pair, const RelayLinkOptions *options);
void pair_clear (Pair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)
