/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <syslog.h>

/*
 * The journal, with structured fields; stderr where stderr is not the journal's stream. Messages are English
 * (they are for the journal, not for the user), end without a full stop, and never carry a secret.
 */

/* Sets what is written: messages of @max_level (LOG_ERR … LOG_DEBUG) and more urgent. The default is LOG_INFO.
 * @identifier is static: SYSLOG_IDENTIFIER, and the prefix on stderr. */
void relay_log_init (const char *identifier, int max_level);

gboolean relay_log_enabled (int level);

/* One message. @fields: "PRP_NAME", "value", …, NULL; values may be NULL (the field is then left out).
 * Where the journal is told whose message it is: by the kernel, and by ourselves, see log.c.
 * Names of fields: PRP_STATE, PRP_CODE, PRP_CHANNEL, PRP_CONNECTION, PRP_SENDER, PRP_FILE, PRP_URL. */
void relay_log_fields (int level, const char *const *fields, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* A text of several lines: a message for each. */
void relay_log_lines (int level, const char *text);

/* The messages of this thread, and of libraries, are English until relay_log_end_english: for what is only to be logged. What it
 * returns is for that call. */
gpointer relay_log_begin_english (void);
void relay_log_end_english (gpointer before);

#define relay_log(level, ...) relay_log_fields ((level), NULL, __VA_ARGS__)
#define RELAY_LOG_FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define relay_debug(...) relay_log (LOG_DEBUG, __VA_ARGS__)
#define relay_info(...) relay_log (LOG_INFO, __VA_ARGS__)
#define relay_notice(...) relay_log (LOG_NOTICE, __VA_ARGS__)
#define relay_warning(...) relay_log (LOG_WARNING, __VA_ARGS__)
#define relay_err(...) relay_log (LOG_ERR, __VA_ARGS__)
