/* SPDX-License-Identifier: MIT */
#pragma once

#include <gio/gio.h>

/*
 * A file that holds one token, for its owner's eyes only.
 */

/* Reads the token in @path; if there is no such file, creates it (mode 0600) with @fresh in it. Caller frees what
 * is returned. Error: G_FILE_ERROR, or G_IO_ERROR_INVALID_DATA if there is no token in it; names the file. */
char *sim_secret_file_read_or_create (const char *path, const char *fresh, GError **error);

/* Puts @token into @path (mode 0600) in one step, so that who reads it sees the old one or the new one. */
gboolean sim_secret_file_replace (const char *path, const char *token, GError **error);
