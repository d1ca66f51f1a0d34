/* SPDX-License-Identifier: MIT */
#include "bus/holds.h"

#include <string.h>

#include "common/bus-source.h"
#include "common/error.h"

/*
 * Two indices over the same holds: by cookie (which owns them) and by channel (for the Holders property). Each client, a unique
 * bus name, has one sd_bus_track for all of its holds: when the name leaves the bus, they end.
 *
 * sd_bus_track asks the bus whether the name is still there once its match is in place, so a caller that is gone before
 * its call is handled is noticed as well.
 */
typedef struct {
  RelayHolds *holds;
  char *name; /* unique bus name; key of RelayHolds.clients */
  sd_bus_track *track;
  GHashTable *cookies; /* set of guint32 of the client's holds */
} Client;

struct RelayHolds {
  sd_bus *bus;
  RelaySubscriptions *subscriptions;
  RelayHoldsChanged changed;
  gpointer user_data;
  GHashTable *by_cookie;  /* guint32 → RelayHold, owned */
  GHashTable *by_channel; /* name → GPtrArray of RelayHold, borrowed */
  GHashTable *clients;    /* name → Client, owned */
  guint32 last_cookie;
  gsize bytes; /* of all holds, as get_bytes reckons */
};

/* Less than what a hold takes without its strings, here and in messages, for each of its channels. */
#define ENTRY_BYTES 64

static void
hold_free (RelayHold *hold)
{
  g_free (hold->owner);
  g_free (hold->app_id);
  g_free (hold->reason);
  g_hash_table_unref (hold->channels);
  g_free (hold);
}

static void
client_free (Client *client)
{
  sd_bus_track_unref (client->track);
  g_hash_table_unref (client->cookies);
  g_free (client->name);
  g_free (client);
}

RelayHolds *
relay_holds_new (sd_bus *bus, RelaySubscriptions *subscriptions, RelayHoldsChanged changed, gpointer user_data)
{
  RelayHolds *holds = g_new0 (RelayHolds, 1);

  holds->bus = bus;
  holds->subscriptions = subscriptions;
  holds->changed = changed;
  holds->user_data = user_data;
  holds->by_cookie = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) hold_free);
  holds->by_channel = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  holds->clients = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) client_free);
  return holds;
}

/* What @hold costs for @channel; NULL: without any. On each of its channels' objects its strings are shown anew. */
static gsize
get_bytes (const RelayHold *hold, const char *channel)
{
  return ENTRY_BYTES + strlen (hold->owner) + strlen (hold->app_id) + strlen (hold->reason) +
         (channel != NULL ? strlen (channel) : 0);
}

static void
add_channel (RelayHolds *holds, RelayHold *hold, const char *channel)
{
  GPtrArray *holders = g_hash_table_lookup (holds->by_channel, channel);

  if (holders == NULL) {
    holders = g_ptr_array_new ();
    g_hash_table_insert (holds->by_channel, g_strdup (channel), holders);
  }
  g_ptr_array_add (holders, hold);
  g_hash_table_add (hold->channels, g_strdup (channel));
  holds->bytes += get_bytes (hold, channel);
  relay_subscriptions_hold (holds->subscriptions, channel);
  holds->changed (channel, holds->user_data);
}

/* The index first, so that whoever is told of the change sees it. @channel may be the hold's own copy. */
static void
remove_channel (RelayHolds *holds, RelayHold *hold, const char *channel)
{
  g_autofree char *name = g_strdup (channel);
  GPtrArray *holders = g_hash_table_lookup (holds->by_channel, name);

  g_ptr_array_remove_fast (holders, hold);
  if (holders->len == 0)
    g_hash_table_remove (holds->by_channel, name);
  g_hash_table_remove (hold->channels, name);
  holds->bytes -= get_bytes (hold, name);
  relay_subscriptions_release (holds->subscriptions, name);
  holds->changed (name, holds->user_data);
}

static void
end_hold (RelayHolds *holds, guint32 cookie)
{
  RelayHold *hold = g_hash_table_lookup (holds->by_cookie, GUINT_TO_POINTER (cookie));
  GHashTableIter iter;
  gpointer channel;

  g_hash_table_iter_init (&iter, hold->channels);
  while (g_hash_table_iter_next (&iter, &channel, NULL)) {
    remove_channel (holds, hold, channel);
    g_hash_table_iter_init (&iter, hold->channels);
  }
  holds->bytes -= get_bytes (hold, NULL);
  g_hash_table_remove (holds->by_cookie, GUINT_TO_POINTER (cookie));
}

static void
end_client (Client *client)
{
  RelayHolds *holds = client->holds;
  GHashTableIter iter;
  gpointer cookie;

  g_hash_table_iter_init (&iter, client->cookies);
  while (g_hash_table_iter_next (&iter, &cookie, NULL))
    end_hold (holds, GPOINTER_TO_UINT (cookie));
  g_hash_table_remove (holds->clients, client->name);
}

void
relay_holds_free (RelayHolds *holds)
{
  GHashTableIter iter;
  gpointer client;

  if (holds == NULL)
    return;
  g_hash_table_iter_init (&iter, holds->clients);
  while (g_hash_table_iter_next (&iter, NULL, &client)) {
    end_client (client);
    g_hash_table_iter_init (&iter, holds->clients);
  }
  g_hash_table_unref (holds->clients);
  g_hash_table_unref (holds->by_channel);
  g_hash_table_unref (holds->by_cookie);
  g_free (holds);
}

static int
on_client_gone (sd_bus_track *track, void *user_data)
{
  end_client (user_data);
  return 0;
}

/* The sender's entry, made and tracked if it is new. */
static Client *
get_client (RelayHolds *holds, sd_bus_message *message, GError **error)
{
  const char *name = sd_bus_message_get_sender (message);
  Client *client = g_hash_table_lookup (holds->clients, name);
  int r;

  if (client != NULL)
    return client;

  client = g_new0 (Client, 1);
  client->holds = holds;
  client->name = g_strdup (name);
  client->cookies = g_hash_table_new (NULL, NULL);
  r = sd_bus_track_new (holds->bus, &client->track, on_client_gone, client);
  if (r >= 0)
    r = sd_bus_track_add_sender (client->track, message);
  if (r < 0) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_IO, "Cannot watch whether %s stays on the bus: %s", name, strerror (-r));
    client_free (client);
    return NULL;
  }
  g_hash_table_insert (holds->clients, client->name, client);
  return client;
}

/* Cookies count up and wrap; one in use is passed over, and 0 is none. */
static guint32
next_cookie (RelayHolds *holds)
{
  do
    holds->last_cookie++;
  while (holds->last_cookie == 0 || g_hash_table_contains (holds->by_cookie, GUINT_TO_POINTER (holds->last_cookie)));
  return holds->last_cookie;
}

static gboolean
check_bytes (RelayHolds *holds, const RelayHold *hold, const char *const *channels, GError **error)
{
  gsize bytes = holds->bytes + get_bytes (hold, NULL);

  for (; *channels != NULL; channels++)
    bytes += get_bytes (hold, *channels);
  if (bytes <= RELAY_HOLDS_MAX_BYTES)
    return TRUE;
  g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
               "The holds of all callers would take more than %d MiB; hold fewer channels, or for shorter reasons",
               RELAY_HOLDS_MAX_BYTES / (1024 * 1024));
  return FALSE;
}

const RelayHold *
relay_holds_add (RelayHolds *holds, sd_bus_message *message, const char *app_id, const char *reason,
                 const char *const *channels, guint max_per_client, GError **error)
{
  const char *owner = sd_bus_message_get_sender (message);
  Client *client = g_hash_table_lookup (holds->clients, owner);
  const RelayHold asked = { .owner = (char *) owner, .app_id = (char *) app_id, .reason = (char *) reason };
  RelayHold *hold;

  if (client != NULL && g_hash_table_size (client->cookies) >= max_per_client) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
                 "%s has %u holds already, the most that one caller may have (MaxHoldsPerClient in relay.conf); "
                 "release one first", owner, max_per_client);
    return NULL;
  }
  client = check_bytes (holds, &asked, channels, error) ? get_client (holds, message, error) : NULL;
  if (client == NULL)
    return NULL;

  hold = g_new0 (RelayHold, 1);
  hold->cookie = next_cookie (holds);
  hold->owner = g_strdup (owner);
  hold->app_id = g_strdup (app_id);
  hold->reason = g_strdup (reason);
  hold->channels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  holds->bytes += get_bytes (hold, NULL);
  g_hash_table_insert (holds->by_cookie, GUINT_TO_POINTER (hold->cookie), hold);
  g_hash_table_add (client->cookies, GUINT_TO_POINTER (hold->cookie));
  for (; *channels != NULL; channels++)
    add_channel (holds, hold, *channels);
  return hold;
}

const RelayHold *
relay_holds_lookup (RelayHolds *holds, guint32 cookie)
{
  return g_hash_table_lookup (holds->by_cookie, GUINT_TO_POINTER (cookie));
}

gboolean
relay_holds_release (RelayHolds *holds, const char *owner, guint32 cookie, GError **error)
{
  const RelayHold *hold = relay_holds_lookup (holds, cookie);
  Client *client;

  if (hold == NULL || !g_str_equal (hold->owner, owner)) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_NO_SUCH_HOLD, "%s has no hold with the cookie %u", owner, cookie);
    return FALSE;
  }
  client = g_hash_table_lookup (holds->clients, owner);
  end_hold (holds, cookie);
  g_hash_table_remove (client->cookies, GUINT_TO_POINTER (cookie));
  if (g_hash_table_size (client->cookies) == 0)
    g_hash_table_remove (holds->clients, owner);
  return TRUE;
}

void
relay_holds_drop_channel (RelayHolds *holds, guint32 cookie, const char *channel)
{
  RelayHold *hold = g_hash_table_lookup (holds->by_cookie, GUINT_TO_POINTER (cookie));

  if (hold != NULL && g_hash_table_contains (hold->channels, channel))
    remove_channel (holds, hold, channel);
}

GPtrArray *
relay_holds_list (RelayHolds *holds, const char *channel)
{
  GPtrArray *holders = g_hash_table_lookup (holds->by_channel, channel);

  return holders != NULL ? g_ptr_array_copy (holders, NULL, NULL) : g_ptr_array_new ();
}
