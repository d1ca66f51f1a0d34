/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/cursor.h"

/*
 * A cursor in a file, from one run to the next.
 */

/* *ret_found is FALSE where there is no such file, or nothing in it. Error: PRPCTL_ERROR, PRPCTL_EXIT_FAILURE. */
gboolean prpctl_cursor_file_read (const char *path, ClientCursor *ret_cursor, gboolean *ret_found, GError **error);

/* Replaces the file as a whole: whoever reads it, after whatever end of ours, finds a cursor. */
gboolean prpctl_cursor_file_write (const char *path, const char *cursor, GError **error);
