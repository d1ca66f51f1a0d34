/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

/*
 * A trouble is why there is no connection, or why nothing can be stored: what the LastError property shows and what
 * decides the next step.
 * One table (trouble.c) maps every cause (HTTP status, TLS fault, network error, close code, error code of
 * the server, our own deadline) to a code, to words a person understands, and to a remedy.
 */
typedef enum {
  RELAY_REMEDY_RETRY,       /* try again after a backoff */
  RELAY_REMEDY_RETRY_AFTER, /* try again, not before retry_after_usec (Retry-After, RFC 9110 §10.2.3) */
  RELAY_REMEDY_RENEW,       /* get another token, then try again */
  RELAY_REMEDY_STOP,        /* trying again cannot help: stop and say so */
} RelayRemedy;

/* Causes of our own making; those of the network, TLS, HTTP and the server have constructors below. */
typedef enum {
  RELAY_CAUSE_NO_CREDENTIALS,    /* NO_CREDENTIALS: nothing configured yields a token */
  RELAY_CAUSE_BAD_CREDENTIALS,   /* BAD_CREDENTIALS: a source is there but unusable (mode, empty, failed) */
  RELAY_CAUSE_CREDENTIALS_FOR_NOW, /* BAD_CREDENTIALS: unusable for a reason of the machine's, which may pass */
  RELAY_CAUSE_KEYRING_LOCKED,    /* KEYRING_LOCKED: the token is in a locked keyring: stop until it is unlocked */
  RELAY_CAUSE_KEYRING_FAILED,    /* KEYRING_FAILED: the keyring cannot be asked for now: retry; detail: why, a sentence */
  RELAY_CAUSE_RENEWAL_FAILED,    /* RENEWAL_FAILED: the token endpoint cannot be used for now: retry */
  RELAY_CAUSE_RENEWAL_REFUSED,   /* RENEWAL_REFUSED: the token endpoint refused the refresh token: stop */
  RELAY_CAUSE_HANDSHAKE_TIMEOUT, /* HANDSHAKE_TIMEOUT */
  RELAY_CAUSE_SILENT,            /* TIMEOUT: the server fell silent */
  RELAY_CAUSE_TOO_BIG,           /* MESSAGE_TOO_BIG: a message over MaxMessageBytes */
  RELAY_CAUSE_NOT_UTF8,          /* NOT_UTF8: a text message that is not UTF-8 (RFC 6455 §8.1) */
  RELAY_CAUSE_PROTOCOL,          /* PROTOCOL: the server broke RFC 6455 */
  RELAY_CAUSE_TLS_TOO_OLD,       /* TLS_TOO_OLD: below TLS 1.2 */
  RELAY_CAUSE_LOST,              /* CONNECTION_LOST: cut without a close frame */
  RELAY_CAUSE_TOKEN_EXPIRED,     /* TOKEN_EXPIRED: the server sent token_expired */
  RELAY_CAUSE_NO_TOKEN_FILE,     /* NO_CREDENTIALS: detail is the TokenFile, which does not exist */
  RELAY_CAUSE_NO_OTHER_TOKEN,    /* AUTH_FAILED: the token was refused, and the sources give just the same: stop */
  RELAY_CAUSE_NO_NEWER_TOKEN,    /* TOKEN_EXPIRED: likewise, with one that has expired: stop */
  RELAY_CAUSE_NOT_HTTP,          /* NOT_HTTP: what answers there does not speak HTTP */
  RELAY_CAUSE_CONFIGURATION,     /* CONFIGURATION: what is configured cannot be used, as CaFile */
  /* Of the store; detail is its path, and the reason. */
  RELAY_CAUSE_STORE_FULL,        /* STORE_FULL: no room left */
  RELAY_CAUSE_STORE_READ_ONLY,   /* STORE_READ_ONLY: may not be written */
  RELAY_CAUSE_STORE_DAMAGED,     /* STORE_DAMAGED: was damaged, or no store of ours, and set aside */
  RELAY_CAUSE_STORE_NEWER,       /* STORE_NEWER: made by a newer version, and set aside */
  RELAY_CAUSE_STORE_LOCKED,      /* STORE_LOCKED: another process has it locked */
  RELAY_CAUSE_STORE,             /* STORE: whatever else there is */
} RelayCause;

typedef struct {
  char *code;              /* the server's own, or ours, as listed in dbus/dev.prp.Relay1.xml; never NULL */
  char *text;              /* translated, one sentence or two: who is affected, what was found, what to do */
  char *english;           /* the same for the log, which is not translated; what others have said stays as they said it */
  RelayRemedy remedy;
  guint64 retry_after_usec; /* with RELAY_REMEDY_RETRY_AFTER: not before that many µs from now */
} RelayTrouble;

/* @detail: what was found, in the words of whoever found it (never a secret), or NULL. */
RelayTrouble *relay_trouble_new (RelayCause cause, const char *detail);

/* The same, with the text of @error, in its two languages. */
RelayTrouble *relay_trouble_new_from_error (RelayCause cause, const GError *error);
/* Likewise, with that of another trouble. */
RelayTrouble *relay_trouble_new_from_trouble (RelayCause cause, const RelayTrouble *trouble);

/* The handshake or another request was answered with @status instead of what was hoped for.
 * @retry_after_usec: what Retry-After asked for, 0 if nothing; honoured up to an hour. @location: of a redirect,
 * or NULL. */
RelayTrouble *relay_trouble_from_http_status (guint status, guint64 retry_after_usec, const char *location);

/* A GError of GIO (DNS, refused, unreachable, TLS, …). @tls_errors: what was wrong with the certificate,
 * G_TLS_CERTIFICATE_NO_FLAGS if nothing. @host: whom we wanted to reach. */
RelayTrouble *relay_trouble_from_io_error (const GError *error, GTlsCertificateFlags tls_errors, const char *host);

/* The peer closed with @code (RFC 6455 §7.4; 0 or 1006: none arrived) and @reason (may be NULL or ""). */
RelayTrouble *relay_trouble_from_close (guint code, const char *reason);

/* An `error` message of the server; @code and @message as sent. Codes that do not end a connection
 * (INVALID_CHANNEL, …) have RELAY_REMEDY_RETRY. */
RelayTrouble *relay_trouble_from_server (const char *code, const char *message);

RelayTrouble *relay_trouble_copy (const RelayTrouble *trouble);
void relay_trouble_free (RelayTrouble *trouble);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayTrouble, relay_trouble_free)
