/* SPDX-License-Identifier: MIT */
#include "prpctl/advice.h"

#include <glib.h>
#include <glib/gi18n-lib.h>

#include "common/names.h"

/*
 * LastError says what was found; this says what a person can do about it, be it the owner of the desktop or who was called
 * at night. Where only waiting helps, that is said as well, and what hastens it. A state that somebody asked for
 * (`prpctl disconnect`), or that explains the rest (no network), goes before the code.
 */
#define LOGIN N_("Get a new token and run 'prpctl login'.")
#define CLOCK_OR_CERTIFICATE \
  N_("Is the clock of this computer right? If so, tell whoever runs the service that its certificate is at fault; or someone " \
     "is in between. The relay tries again by itself.")
#define NETWORK \
  N_("Check the network, and whether a proxy or firewall is in the way. The relay tries again by itself; 'prpctl connect' " \
     "tries at once.")
#define ADDRESS N_("Check Url= in relay.conf, then run 'prpctl reload'. Something else than the service answers there.")
#define WAIT N_("Nothing to do: the relay comes back by itself. If it goes on for long, ask whoever runs the service.")
#define BROKEN N_("The relay tries again by itself. If it goes on, report it to whoever runs the service.")
#define STORED_LATER N_("What waits is stored as soon as it can be. 'journalctl --user --unit prp-relayd.service' tells more.")

static const struct {
  const char *code, *advice;
} codes[] = {
  { "NO_CREDENTIALS", N_("Run 'prpctl login' with a token of the service.") },
  { "BAD_CREDENTIALS", N_("Put that right, or run 'prpctl login' with another token; then run 'prpctl reload'.") },
  { "KEYRING_LOCKED",
    N_("Unlock the keyring (logging in to the desktop does, or its password program); the relay then goes on by itself. "
       "'prpctl login --file' keeps the token in a file instead.") },
  { "KEYRING_FAILED",
    N_("Is the keyring of this desktop running? The relay asks it again by itself. 'prpctl login --file' keeps the token in a "
       "file instead.") },
  { "AUTH_FAILED", LOGIN },
  { "TOKEN_EXPIRED", LOGIN },
  { "RENEWAL_REFUSED", N_("Get new tokens and run 'prpctl login --refresh-token'.") },
  { "RENEWAL_FAILED",
    N_("The relay asks the token endpoint again by itself. If it goes on: is RefreshUrl= in relay.conf right?") },
  { "FORBIDDEN", N_("Ask whoever gave you the token to allow it to receive events, then run 'prpctl connect'.") },
  { "CONFIGURATION", N_("Correct relay.conf, then run 'prpctl reload'.") },

  { "DNS", N_("Check the network, and the name in Url= in relay.conf. The relay tries again by itself; 'prpctl connect' tries "
              "at once.") },
  { "REFUSED", N_("Is the service running, and Url= in relay.conf right? The relay tries again by itself; 'prpctl connect' "
                  "tries at once.") },
  { "UNREACHABLE", NETWORK },
  { "TIMEOUT", NETWORK },
  { "HANDSHAKE_TIMEOUT", NETWORK },
  { "CONNECTION_LOST", NETWORK },
  { "PROXY", N_("Check the proxy in the desktop's network settings. The relay tries again by itself; 'prpctl connect' tries at "
                "once.") },

  { "TLS_EXPIRED", CLOCK_OR_CERTIFICATE },
  { "TLS_NOT_YET_VALID", CLOCK_OR_CERTIFICATE },
  { "TLS_WRONG_HOST",
    N_("Is the name in Url= in relay.conf right? If so, someone may be in between: do not go around it; ask whoever runs the "
       "service.") },
  { "TLS_UNTRUSTED",
    N_("For an authority of your own, set CaFile= in relay.conf, then run 'prpctl reload'. Otherwise someone may be in between: "
       "ask whoever runs the service.") },
  { "TLS_REVOKED", BROKEN },
  { "TLS_INSECURE", BROKEN },
  { "TLS_CERTIFICATE", BROKEN },
  { "TLS_TOO_OLD", BROKEN },
  { "TLS", BROKEN },

  { "REDIRECT", N_("If the service has moved, set Url= in relay.conf, then run 'prpctl reload'.") },
  { "HTTP_ERROR", N_("Is Url= in relay.conf right? If so, the service is at fault; the relay tries again by itself.") },
  { "NOT_HTTP", ADDRESS },
  { "NOT_WEBSOCKET", ADDRESS },

  { "RATE_LIMITED", WAIT },
  { "UNAVAILABLE", WAIT },
  { "TRY_LATER", WAIT },
  { "SERVER_RESTART", WAIT },
  { "SERVER_GOING_AWAY", WAIT },
  { "SERVER_ERROR", WAIT },
  { "CLOSED", WAIT },
  { "POLICY", WAIT },
  { "MESSAGE_TOO_BIG",
    N_("Raise MaxMessageBytes= in relay.conf if the service means it, then run 'prpctl reload'.") },
  { "NOT_UTF8", BROKEN },
  { "PROTOCOL", BROKEN },

  { "STORE_FULL", N_("Make room on the disk. What waits is stored as soon as there is.") },
  { "STORE_READ_ONLY", N_("Make the folder of the store writable again. What waits is stored then.") },
  { "STORE_LOCKED", STORED_LATER },
  { "STORE", STORED_LATER },
  { "STORE_DAMAGED",
    N_("Subscribe again to what is missing in 'prpctl channels'; 'prpctl reload' takes this message away. The old file was "
       "renamed, and is kept.") },
  { "STORE_NEWER",
    N_("Install the newer version again to get the old store back; 'prpctl reload' takes this message away.") },
};

static const struct {
  const char *state;
  gboolean goes_first;
  const char *advice;
} states[] = {
  { RELAY_STATE_NAME_OFFLINE, TRUE,
    N_("The relay connects by itself as soon as there is a network; 'prpctl connect' tries at once.") },
  { RELAY_STATE_NAME_DISCONNECTED, TRUE, N_("'prpctl connect' connects again.") },
  { RELAY_STATE_NAME_WAITING, FALSE, N_("The relay tries again by itself; 'prpctl connect' tries at once.") },
  { RELAY_STATE_NAME_UNAUTHORIZED, FALSE, LOGIN },
};

static const char *
find_state (const char *state, gboolean goes_first)
{
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_str_equal (states[i].state, state) && (states[i].goes_first || !goes_first))
      return _(states[i].advice);
  return NULL;
}

const char *
prpctl_advice_find (const char *state, const char *code)
{
  const char *advice = find_state (state, TRUE);

  for (gsize i = 0; advice == NULL && i < G_N_ELEMENTS (codes); i++)
    if (g_str_equal (codes[i].code, code))
      advice = _(codes[i].advice);
  return advice != NULL ? advice : find_state (state, FALSE);
}
