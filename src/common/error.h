/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The errors a caller of the relay can meet. One table (error.c) maps them to their D-Bus names and to the
 * codes of the protocol page ("Common Error Codes"); nothing else knows either spelling.
 */
typedef enum {
  RELAY_ERROR_INVALID_CHANNEL,    /* bad syntax, or INVALID_CHANNEL from the server */
  RELAY_ERROR_SUBSCRIPTION_LIMIT, /* SUBSCRIPTION_LIMIT: the server holds no more for us */
  RELAY_ERROR_RATE_LIMITED,       /* RATE_LIMITED */
  RELAY_ERROR_AUTH_FAILED,        /* AUTH_FAILED, or no usable credential */
  RELAY_ERROR_TOKEN_EXPIRED,      /* TOKEN_EXPIRED */
  RELAY_ERROR_INVALID_ACTION,     /* INVALID_ACTION */
  RELAY_ERROR_SERVER,             /* any other code of the server */
  RELAY_ERROR_NOT_CONNECTED,      /* the call needs a connection, there is none */
  RELAY_ERROR_NOT_SUBSCRIBED,     /* no durable subscription to end */
  RELAY_ERROR_NO_SUCH_HOLD,       /* no hold with that cookie, or not the caller's */
  RELAY_ERROR_TIMEOUT,            /* the server did not answer in time */
  RELAY_ERROR_CONFIGURATION,      /* the configuration could not be read; the old one stays */
  RELAY_ERROR_LIMITS_EXCEEDED,    /* a limit of our own: org.freedesktop.DBus.Error.LimitsExceeded */
  RELAY_ERROR_INVALID_ARGS,       /* org.freedesktop.DBus.Error.InvalidArgs */
  RELAY_ERROR_IO,                 /* our own files: org.freedesktop.DBus.Error.IOError */
} RelayError;

#define RELAY_ERROR (relay_error_quark ())
GQuark relay_error_quark (void);

/* A text in the language of the user, who will see it, and in English, for the log. @format: a msgid, marked by N_(). What its
 * arguments say is in the language that they are in. */
void relay_error_set (GError **error, RelayError code, const char *format, ...) G_GNUC_PRINTF (3, 4);
GError *relay_error_new (RelayError code, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The English text of any GError, so far as it has one of its own; else its message. */
const char *relay_error_get_english (const GError *error);

/* The D-Bus error name of @error, static. */
const char *relay_error_get_bus_name (RelayError error);

/* The error for a code sent by the server, RELAY_ERROR_SERVER for one we do not know (or NULL). */
RelayError relay_error_from_server_code (const char *code);

/* The protocol page's spelling of @error ("INVALID_CHANNEL"), or NULL where the server has none. Static. */
const char *relay_error_get_server_code (RelayError error);
