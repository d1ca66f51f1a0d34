/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * A strict, iterative reader of RFC 8259. One pass over the text checks every byte (grammar, UTF-8, depth) and
 * leaves a tape: one token per value and per key, in the order of the text, in an array that is kept from one
 * text to the next. There is no tree and no copy; tokens point into the text, which must outlive them.
 *
 * Walking: token 0 is the whole text's value. An array's elements follow their token, an object's keys and
 * values alternate behind theirs; tape[i].next is the token behind the value i with all that is in it:
 *
 *   for (guint key = object + 1; key < tape[object].next; key = tape[key + 1].next)
 *     // tape[key] is the key's string, tape[key + 1] its value; skip it if tape[key].flags & RELAY_JSON_SUPERSEDED
 */
typedef enum {
  RELAY_JSON_NULL,
  RELAY_JSON_FALSE,
  RELAY_JSON_TRUE,
  RELAY_JSON_INT64,  /* an integer (no fraction, no exponent) that fits gint64 */
  RELAY_JSON_UINT64, /* an integer above that which fits guint64 */
  RELAY_JSON_DOUBLE, /* any other number; one beyond the range of double reads as ±infinity */
  RELAY_JSON_STRING,
  RELAY_JSON_ARRAY,
  RELAY_JSON_OBJECT,
} RelayJsonType;

typedef enum {
  RELAY_JSON_COOKED = 1 << 0,     /* the string's value differs from its text: escapes, or characters to be mended */
  RELAY_JSON_SUPERSEDED = 1 << 1, /* a key that stands again, later in the same object: the last one counts */
} RelayJsonFlags;

typedef struct {
  guint8 type;   /* RelayJsonType */
  guint8 flags;  /* RelayJsonFlags */
  guint16 level; /* containers around it: 0 for the whole text's value */
  guint32 start; /* offset of its text; for a string, of what stands behind the opening quote */
  guint32 end;   /* offset behind its text; for a string, of the closing quote */
  guint32 next;  /* token behind it and all in it */
} RelayJsonToken;

typedef struct {
  const char *text;
  gsize length;
  RelayJsonToken *tape;
  guint n_tokens;
  /* private */
  guint n_allocated;
  guint32 *order; /* scratch: an object's keys, sorted */
  guint order_allocated;
} RelayJsonReader;

#define RELAY_JSON_MAX_DEPTH 512                        /* containers within each other */
#define RELAY_JSON_MAX_TEXT_BYTES ((gsize) 64 * 1024 * 1024) /* keeps every offset and token index in 32 bits */

#define RELAY_JSON_ERROR (relay_json_error_quark ())
GQuark relay_json_error_quark (void);
typedef enum {
  RELAY_JSON_ERROR_SYNTAX,    /* not RFC 8259 */
  RELAY_JSON_ERROR_ENCODING,  /* not UTF-8 */
  RELAY_JSON_ERROR_DEPTH,     /* over RELAY_JSON_MAX_DEPTH */
  RELAY_JSON_ERROR_SIZE,      /* over RELAY_JSON_MAX_TEXT_BYTES */
} RelayJsonError;

/* A zeroed reader is a valid empty one. */
void relay_json_reader_clear (RelayJsonReader *reader);

/* Reads @text (@length bytes, need not end in NUL). On failure the tape is empty; the message names the reason and
 * the offset in bytes and quotes nothing of the text. @text must outlive the use of the tape. */
gboolean relay_json_reader_read (RelayJsonReader *reader, const char *text, gsize length, GError **error);

/* The value of key @name in the object @object, or 0 (which no member can be) if there is none or @object is none. */
guint relay_json_reader_find (const RelayJsonReader *reader, guint object, const char *name);

/* Length in bytes of the string's value: escapes resolved; NUL, lone surrogates and noncharacters (what D-Bus
 * cannot carry) replaced by U+FFFD. */
gsize relay_json_reader_string_length (const RelayJsonReader *reader, guint string);

/* Writes that value, without a NUL, to @ret (string_length bytes). */
void relay_json_reader_string_copy (const RelayJsonReader *reader, guint string, char *ret);

/* The string's value as a new string, or NULL if @token is no string. Caller frees. */
char *relay_json_reader_dup_string (const RelayJsonReader *reader, guint token);

/* Is the token a string with just this value? */
gboolean relay_json_reader_string_equal (const RelayJsonReader *reader, guint token, const char *value);

/* The text of any value as it stands, with noncharacters replaced by U+FFFD: length, then copy. */
gsize relay_json_reader_text_length (const RelayJsonReader *reader, guint token);
void relay_json_reader_text_copy (const RelayJsonReader *reader, guint token, char *ret);

/* The number's value; of the type that the token says (double works for all three). */
gint64 relay_json_reader_int64 (const RelayJsonReader *reader, guint token);
guint64 relay_json_reader_uint64 (const RelayJsonReader *reader, guint token);
double relay_json_reader_double (const RelayJsonReader *reader, guint token);
