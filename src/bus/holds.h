/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

#include "wire/subscriptions.h"

/*
 * Holds: subscriptions for as long as their owner stays on the bus. Each is known by a cookie; a caller has any number of
 * them up to a limit, because several programs can share one connection to the bus.
 */
typedef struct RelayHolds RelayHolds;

typedef struct {
  guint32 cookie;  /* never 0 */
  char *owner;     /* unique bus name */
  char *app_id;    /* "" if not given */
  char *reason;    /* likewise */
  GHashTable *channels; /* set of names */
} RelayHold;

/* Of all callers: the strings of each hold count once for every channel that it is on, as they do in the answer of
 * GetManagedObjects, which is lost (and the connection to the bus with it) should it ever be larger than D-Bus allows. */
#define RELAY_HOLDS_MAX_BYTES (16 * 1024 * 1024)

/* Called when the holders of @channel change. */
typedef void (*RelayHoldsChanged) (const char *channel, gpointer user_data);

/* @bus and @subscriptions are borrowed. */
RelayHolds *relay_holds_new (sd_bus *bus, RelaySubscriptions *subscriptions, RelayHoldsChanged changed, gpointer user_data);
/* Ends every hold. */
void relay_holds_free (RelayHolds *holds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayHolds, relay_holds_free)

/* A new hold of @message's sender on @channels (valid names, no doubles). Ends when the sender leaves the bus.
 * RELAY_ERROR_LIMITS_EXCEEDED beyond @max_per_client, and beyond RELAY_HOLDS_MAX_BYTES. Returned hold: borrowed, until
 * it ends. */
const RelayHold *relay_holds_add (RelayHolds *holds, sd_bus_message *message, const char *app_id, const char *reason,
                                  const char *const *channels, guint max_per_client, GError **error);

/* The hold with that cookie, or NULL. */
const RelayHold *relay_holds_lookup (RelayHolds *holds, guint32 cookie);

/* Ends it. @owner: unique name of who asks. Error: RELAY_ERROR_NO_SUCH_HOLD, also where it is somebody else's. */
gboolean relay_holds_release (RelayHolds *holds, const char *owner, guint32 cookie, GError **error);

/* The server refused @channel: the hold goes on without it. No effect where there is no such hold (any more). */
void relay_holds_drop_channel (RelayHolds *holds, guint32 cookie, const char *channel);

/* Those that hold @channel, in no order (RelayHold). Caller frees the array, not what is in it. */
GPtrArray *relay_holds_list (RelayHolds *holds, const char *channel);
