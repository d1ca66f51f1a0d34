/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Text for a notification. What a server sent is one line of visible characters when it comes out of here, so a name can
 * neither end a line nor turn the direction of what follows it; and where a notification server takes markup, it is
 * escaped last of all, when every line stands.
 */

/* One line: controls and line breaks become spaces, what has no character or is invisible U+FFFD, also bytes that are not
 * UTF-8. Spaces around it are left out. After @max_chars characters it is cut off, with "…". NULL is "". Caller frees. */
char *notify_markup_make_line (const char *text, guint max_chars);

/* The text as markup in which nothing is marked up: & < > escaped. (Quotes stand for themselves in a text; some servers do
 * not know their entities.) Caller frees. */
char *notify_markup_escape (const char *text);
