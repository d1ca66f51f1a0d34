/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/catch-up.h"
#include "common/bus-source.h"

/*
 * The relay, as prp-notify sees it: its events, each once and in order, over all its restarts and ours; its state; and the
 * channels that are held for us.
 */
typedef struct NotifyRelay NotifyRelay;

typedef enum {
  NOTIFY_PHASE_KNOWN, /* was told by an earlier run: it only says what is known of a PRP */
  NOTIFY_PHASE_PAST,  /* nobody was listening when it came */
  NOTIFY_PHASE_LIVE,
} NotifyPhase;

typedef struct {
  void (*event) (const ClientEvent *event, NotifyPhase phase, gpointer user_data);
  void (*listing) (gpointer user_data);   /* what is past is listed from here … */
  void (*caught_up) (gpointer user_data); /* … to here; also where it failed */
  void (*missed) (gpointer user_data);    /* of what is past, something is not there any more */
  /* @text: what is wrong, as the relay says it; "" if nothing is. */
  void (*state) (const char *state, const char *text, gpointer user_data);
  void (*left) (gpointer user_data);
  void (*reloaded) (gpointer user_data);  /* the configuration was read again */
} NotifyRelayEvents;

#define NOTIFY_RELAY_CALL_USEC (30 * G_USEC_PER_SEC) /* for an answer; it may have to be started first */
#define NOTIFY_RELAY_RETRY_USEC (60 * (guint64) G_USEC_PER_SEC) /* until one that did not answer is asked again */
#define NOTIFY_RELAY_PAGE_EVENTS 200
#define NOTIFY_RELAY_KNOWN_EVENTS 1000 /* of earlier runs, to know the names of PRPs from */

/* @from: where an earlier run stopped. Matches the relay's signals. */
NotifyRelay *notify_relay_new (sd_bus *bus, const ClientCursor *from, const NotifyRelayEvents *events, gpointer user_data);
void notify_relay_free (NotifyRelay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyRelay, notify_relay_free)

/* Asks the relay for all that is needed, and has it started for that where it does not run. Later it is never started: whoever
 * stopped it may have meant it. */
void notify_relay_start (NotifyRelay *relay);

/* Holds these channels, and none that was held before and is not among them. */
void notify_relay_set_channels (NotifyRelay *relay, const char *const *channels);

/* The cursor behind the last event that was handed over; NULL: not known yet. Caller frees. */
char *notify_relay_format_cursor (const NotifyRelay *relay);
