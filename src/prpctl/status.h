/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * The properties of dev.prp.Relay1, and what they say in words. Times are CLOCK_REALTIME, 0 for none. Strings are as the
 * relay sent them: not yet safe for a terminal.
 */
typedef struct {
  char *version;
  char *state;
  char *error_code, *error_text;
  char *url;
  char *connection_id, *server_version;
  char **features;
  guint64 next_attempt_usec, connected_since_usec, last_alive_usec, token_expires_usec;
  guint32 attempts;
  guint64 events_received, events_emitted, duplicates_dropped, malformed_dropped, connections, bytes_received;
} PrpctlStatus;

PrpctlStatus *prpctl_status_new (void);
void prpctl_status_free (PrpctlStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PrpctlStatus, prpctl_status_free)

/* Takes over the properties that stand at @message's position (a{sv}), which moves behind them; those not named stay
 * as they are. @ret_state_changed may be NULL. Returns 0 or a negative errno. */
int prpctl_status_read (PrpctlStatus *status, sd_bus_message *message, gboolean *ret_state_changed);

gboolean prpctl_status_is_connected (const PrpctlStatus *status);

/* One line: the state, and what is wrong. Caller frees. */
char *prpctl_status_summarize (const PrpctlStatus *status, guint64 now_usec);

/* All of it, over several lines, with what to do next. @channels: how many there are, in words. */
void prpctl_status_describe (const PrpctlStatus *status, const char *channels, guint64 now_usec, gboolean color,
                             GString *out);
