/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * A key of relay.conf(5): where it is written, what it may be, what it is if it is left out, and the member of a struct
 * that gets its value.
 */
typedef enum {
  RELAY_KEY_ADDRESS, /* char *: not shown in a fault where it may hold a secret */
  RELAY_KEY_PATH,    /* char *: made absolute */
  RELAY_KEY_TEXT,    /* char *: ASCII */
  RELAY_KEY_COMMAND, /* char **: argv */
  RELAY_KEY_LIST,    /* char **: what stands between semicolons, each once, without spaces around it */
  RELAY_KEY_BOOLEAN, /* int: 1 or 0; @initial may be something else */
  RELAY_KEY_CHOICE,  /* guint: the place in @choices */
  RELAY_KEY_SECONDS, /* guint64 in µs */
  RELAY_KEY_DAYS,    /* likewise */
  RELAY_KEY_RATE,    /* double, per second */
  RELAY_KEY_COUNT,   /* guint */
  RELAY_KEY_BYTES,   /* gsize */
} RelayKeyType;

/* Is a value allowed? Of a list: each item; of a path: the absolute one. Error: of any kind, its message fits behind
 * "Key=value: ". */
typedef gboolean (*RelayKeyCheck) (const char *value, GError **error);

typedef struct {
  const char *group, *name;
  RelayKeyType type;
  gsize offset;                     /* in the table's struct */
  double initial, minimum, maximum; /* of numbers, in the file's unit; @initial also of booleans and choices */
  const char *initial_text;         /* of addresses, texts and lists; NULL for NULL */
  const char *const *choices;       /* NULL-terminated */
  RelayKeyCheck check;              /* or NULL */
} RelayKey;

#define RELAY_KEY_LIST_MAX_ITEMS 1000

/* Sets the members of these keys to their defaults, in a struct of zeros; and frees those that are allocated. */
void relay_keys_init (const RelayKey *keys, gsize n_keys, gpointer target);
void relay_keys_clear (const RelayKey *keys, gsize n_keys, gpointer target);

/* Reads @value, as it stands in a file of @folder, into @target. Returns NULL, or the reason why it is not allowed, which
 * fits behind "Key=value: "; nothing is changed then. Caller frees. */
char *relay_key_take (const RelayKey *key, const char *value, const char *folder, gpointer target);

/* May @value hold a secret? Then it is not shown. */
gboolean relay_key_hides (const RelayKey *key, const char *value);
