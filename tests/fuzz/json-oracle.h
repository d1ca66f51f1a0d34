/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/json-reader.h"

/*
 * What is JSON, and which JSON is the same, said a second time and in another way than by the reader that is tested.
 */

/* Is it RFC 8259 to the letter, in UTF-8, and at most RELAY_JSON_MAX_DEPTH deep? */
gboolean json_oracle_is_valid (const char *text, gsize length);

/* Does @b say what @a says, as far as D-Bus carries it: members in any order, superseded ones left out, and containers of @a
 * from @max_level on given as their text? */
gboolean json_oracle_equal (const RelayJsonReader *a, guint token_a, const RelayJsonReader *b, guint token_b, guint max_level);

/* The string's value by g_utf8 and by hand, character by character. Caller frees. */
char *json_oracle_unescape (const char *text, gsize length);
