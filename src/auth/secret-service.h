/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The tokens in the Secret Service: what a desktop calls its keyring (org.freedesktop.secrets, as spoken by GNOME
 * Keyring, KWallet, KeePassXC). The only user of libsecret; in a build without it every call finds no service.
 *
 * An item has the schema dev.prp.Relay1 and two attributes: `kind`, which of the tokens it is, and `url`, the server
 * that it is for (as the property Url shows it: without a query), so that tokens of two services do not mix.
 *
 * Nothing is contacted, and no thread started, before the first call.
 */
typedef struct RelaySecretCall RelaySecretCall;

typedef enum { RELAY_SECRET_ACCESS_TOKEN, RELAY_SECRET_REFRESH_TOKEN } RelaySecretKind;

typedef enum {
  RELAY_SECRET_DONE,   /* found, stored, removed */
  RELAY_SECRET_NONE,   /* there is no such item */
  RELAY_SECRET_ABSENT, /* there is no Secret Service, and the bus cannot start one; or we were built without it */
  RELAY_SECRET_LOCKED, /* the item is in a locked keyring */
  RELAY_SECRET_BAD,    /* the item holds something that is no token */
  RELAY_SECRET_FAILED, /* the service does not answer in time, or with an error */
} RelaySecretResult;

/* How long the service may take where no person is asked: it may have to be started first. */
#define RELAY_SECRET_TIMEOUT_USEC (5 * G_USEC_PER_SEC)

/* @secret: with RELAY_SECRET_DONE of a lookup, else NULL. @reason: of all but DONE, a sentence without a secret, to be
 * shown; NULL with DONE. Both borrowed for the call. */
typedef void (*RelaySecretDone) (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data);

/* Was it built with libsecret? */
gboolean relay_secret_service_is_built (void);

/* The url attribute for the server at @url. Caller frees. */
char *relay_secret_service_make_url (const char *url);

/* Each of these calls @done once, from the main loop, never from within the call, within @timeout_usec, whatever the
 * service does. None asks the user anything, except where it says so. */

RelaySecretCall *relay_secret_lookup (RelaySecretKind kind, const char *url, guint64 timeout_usec,
                                      RelaySecretDone done, gpointer user_data);

/* Puts @secret into the place of the item that there is. NONE where there is none. */
RelaySecretCall *relay_secret_replace (RelaySecretKind kind, const char *url, const char *secret,
                                       guint64 timeout_usec, RelaySecretDone done, gpointer user_data);

/* Stores @secret, in the default keyring or in the place of the item that there is. The desktop may ask the user to
 * unlock it, or to make one. */
RelaySecretCall *relay_secret_store (RelaySecretKind kind, const char *url, const char *secret, guint64 timeout_usec,
                                     RelaySecretDone done, gpointer user_data);

/* Removes all such items. The desktop may ask the user to unlock them. */
RelaySecretCall *relay_secret_remove (RelaySecretKind kind, const char *url, guint64 timeout_usec,
                                      RelaySecretDone done, gpointer user_data);

/* Gives up; @done is not called any more. Allowed within @done, and needed after it. NULL is allowed. */
void relay_secret_call_free (RelaySecretCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaySecretCall, relay_secret_call_free)
