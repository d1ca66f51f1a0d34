/* SPDX-License-Identifier: MIT */
#include "prpctl/relay-state.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"

/* A relay that is not there, or that does not answer, is one that does not run: this is all beside the point of whoever
 * asks, who has done what was to be done. What it says against the configuration is of interest, though. */

static void
look (PrpctlRelayState *state)
{
  g_autoptr (sd_bus_message) reply = NULL;

  state->is_running = FALSE;
  if (state->client == NULL)
    return;
  reply = prpctl_client_get_all (state->client, RELAY_OBJECT_PATH, RELAY_INTERFACE, NULL);
  state->is_running = reply != NULL && prpctl_status_read (state->status, reply, NULL) >= 0;
}

static gboolean
call (PrpctlRelayState *state, const char *method)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (sd_bus_message) reply = prpctl_client_call_simple (state->client, method, &error);

  if (error != NULL)
    g_printerr ("prpctl: %s\n", error->message);
  return reply != NULL;
}

PrpctlRelayState *
prpctl_relay_state_new (const PrpctlOptions *options, const char *url)
{
  PrpctlRelayState *state = g_new0 (PrpctlRelayState, 1);
  g_autofree char *shown = g_strndup (url, strcspn (url, "?"));

  state->client = prpctl_client_new (options, NULL);
  if (state->client != NULL)
    state->client->no_start = TRUE;
  state->status = prpctl_status_new ();
  look (state);
  if (state->is_running && !g_str_equal (state->status->url, shown) && call (state, "Reload"))
    look (state);
  return state;
}

void
prpctl_relay_state_free (PrpctlRelayState *state)
{
  if (state == NULL)
    return;
  prpctl_client_free (state->client);
  prpctl_status_free (state->status);
  g_free (state);
}

static int
on_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  *(gboolean *) user_data = TRUE;
  return 0;
}

static gboolean
is_settled (const PrpctlRelayState *state)
{
  return !state->is_running || !g_str_equal (state->status->state, RELAY_STATE_NAME_CONNECTING);
}

static void
wait_until_settled (PrpctlRelayState *state)
{
  sd_bus *bus = state->client->bus;
  guint64 deadline_usec = (guint64) g_get_monotonic_time () + PRPCTL_RELAY_STATE_WAIT_USEC;
  g_autoptr (sd_bus_slot) slot = NULL;
  gboolean changed = TRUE;

  sd_bus_match_signal (bus, &slot, RELAY_BUS_NAME, RELAY_OBJECT_PATH, "org.freedesktop.DBus.Properties",
                       "PropertiesChanged", on_changed, &changed);
  for (;;) {
    guint64 now_usec = (guint64) g_get_monotonic_time ();
    int r = sd_bus_process (bus, NULL);

    if (changed) {
      changed = FALSE;
      look (state);
    }
    if (r < 0 || is_settled (state) || now_usec >= deadline_usec)
      return;
    if (r == 0 && !changed)
      sd_bus_wait (bus, deadline_usec - now_usec);
  }
}

void
prpctl_relay_state_reload (PrpctlRelayState *state)
{
  if (state->is_running && call (state, "Reload"))
    wait_until_settled (state);
}

void
prpctl_relay_state_sign_out (PrpctlRelayState *state)
{
  if (!state->is_running || !call (state, "Reload"))
    return;
  look (state);
  /* A connection lasts longer than the right to it, unless it is ended. */
  if (g_str_equal (state->status->state, RELAY_STATE_NAME_DISCONNECTED))
    return;
  if (call (state, "Disconnect") && call (state, "Connect"))
    wait_until_settled (state);
}
