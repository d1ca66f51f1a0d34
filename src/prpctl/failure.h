/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * How prpctl ends. The numbers are part of its interface (prpctl.1, EXIT STATUS): scripts decide by them.
 */
typedef enum {
  PRPCTL_EXIT_OK = 0,
  PRPCTL_EXIT_FAILURE = 1,       /* anything without a number of its own */
  PRPCTL_EXIT_USAGE = 2,         /* the command line makes no sense */
  PRPCTL_EXIT_NO_RELAY = 3,      /* no bus, no relay on it, or it ended before it answered */
  PRPCTL_EXIT_NOT_CONNECTED = 4, /* the relay runs but has no connection to the server */
  PRPCTL_EXIT_REFUSED = 5,       /* the server refused, or a channel was rejected */
  PRPCTL_EXIT_TIMEOUT = 6,       /* no answer in time */
  PRPCTL_EXIT_MISSED = 7,        /* events may have been missed before those that were shown */
  PRPCTL_EXIT_COMMAND = 8,       /* a command of --exec failed */
} PrpctlExit;

/* Errors of prpctl. The code of each is the PrpctlExit with which the program ends; the message says what went wrong
 * and, on a line of its own, what to do. It is safe for a terminal. */
#define PRPCTL_ERROR (prpctl_error_quark ())
GQuark prpctl_error_quark (void);

/* Turns what a call on the bus came back with into an error. @name: the D-Bus error's name, or NULL where there is
 * none. @message: its text, may be NULL; whoever sent it is not trusted with the terminal. @error_number: negative errno
 * (used where there is no name, or none that says anything). */
void prpctl_failure_from_bus (const char *name, const char *message, int error_number, GError **error);
