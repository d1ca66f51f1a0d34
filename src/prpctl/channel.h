/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/relay-client.h"

/*
 * A channel as the relay shows it (dev.prp.Relay1.Channel), and a table of them.
 */
typedef struct {
  char *name;
  char *state;
  char *error_code, *error_text;
  gboolean durable;
  GPtrArray *holders; /* of strings: the app-id, or the bus name of who gave none */
  guint64 active_since_usec; /* CLOCK_REALTIME, 0 if not active */
  char *json;         /* all properties as the relay gave them */
} PrpctlChannel;

void prpctl_channel_free (PrpctlChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlChannel, prpctl_channel_free)

/* The channel whose properties (a{sv}) stand at @message's position, which moves behind them. NULL: negative errno
 * in @ret_error_number. */
PrpctlChannel *prpctl_channel_read (sd_bus_message *message, int *ret_error_number);

/* All channels, by name. Caller owns the array of PrpctlChannel. */
GPtrArray *prpctl_channels_get (PrpctlClient *client, GError **error);

/* The channel @name, or NULL if there is none or it cannot be had: for words beyond what is needed. */
PrpctlChannel *prpctl_channel_get (PrpctlClient *client, const char *name);

/* "3 active, 1 pending, 1 rejected", "none". Caller frees. */
char *prpctl_channels_summarize (GPtrArray *channels);

void prpctl_channels_append_table (GString *out, GPtrArray *channels, guint64 now_usec, gboolean color);
void prpctl_channels_append_json (GString *out, GPtrArray *channels);

/* Why a channel is in @state, in words, or NULL where that needs none. @channel: what is known of it, may be NULL.
 * @connected: has the relay a connection? Caller frees. */
char *prpctl_channel_explain (const char *state, const PrpctlChannel *channel, gboolean connected);
