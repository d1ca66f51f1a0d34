/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The language of relay.conf(5), for every program that reads a part of that file: tables of keys in, a struct per
 * table out. Whatever is not understood is refused with file, group, key and reason; all faults of a file are
 * told at once, and where there is one, the structs are not to be used.
 *
 *   g_autoptr (RelayKeyFile) file = relay_key_file_new (path);
 *
 *   relay_key_file_add (file, &table, config);        (any number of tables; their defaults are set here)
 *   if (!relay_key_file_read (file, error))           (the file as such cannot be read)
 *     return NULL;
 *   relay_key_file_add_fault (file, …);               (what no key shows by itself)
 *   if (!relay_key_file_finish (file, error))         (were there faults?)
 *     return NULL;
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

/* The struct for the group [FAMILY @argument], made anew or that of before; NULL with @error set: no such group may
 * be, the message fits behind "[FAMILY ARGUMENT]: ". */
typedef gpointer (*RelayKeyMember) (const char *argument, gpointer target, GError **error);

typedef struct {
  const RelayKey *keys;
  gsize n_keys;
  /* NULL, or the keys stand in groups [NAME ARGUMENT], each of which has a struct of its own; NAME is the @group of every
   * key. */
  RelayKeyMember member;
  guint max_members;
} RelayKeyTable;

typedef struct RelayKeyFile RelayKeyFile;

#define RELAY_KEY_FILE_MAX_BYTES (64 * 1024)
#define RELAY_KEY_LIST_MAX_ITEMS 1000

/* @path: as given by --config; NULL: the default ($XDG_CONFIG_HOME/prp-relay/relay.conf), which need not exist. */
RelayKeyFile *relay_key_file_new (const char *path);
void relay_key_file_free (RelayKeyFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayKeyFile, relay_key_file_free)

/* Sets every member of @target that @table has to its default, and reads the table's keys into it. Both are borrowed until
 * the end of the reading. Of a table of [NAME ARGUMENT] groups, @target is what its `member` is called with. */
void relay_key_file_add (RelayKeyFile *file, const RelayKeyTable *table, gpointer target);

/* Groups that no table has are another program's, and not a fault. */
void relay_key_file_set_partial (RelayKeyFile *file);

/* Reads the file. FALSE if it cannot be read as a file; faults inside it are told by _finish. Once.
 * Error: RELAY_ERROR_CONFIGURATION. */
gboolean relay_key_file_read (RelayKeyFile *file, GError **error);

/* The value of @key of a table without arguments, as it stands in the file; NULL: left out, or empty. */
const char *relay_key_file_get (RelayKeyFile *file, const RelayKey *key);

/* FILE: [Group] Key=value: @reason. The key stands in the file. */
void relay_key_file_add_fault (RelayKeyFile *file, const RelayKey *key, const char *reason);

/* FALSE if there was any fault. Error: RELAY_ERROR_CONFIGURATION, message ready for the user: all of them, a line each. */
gboolean relay_key_file_finish (RelayKeyFile *file, GError **error);

/* Sets the members of a struct that is not (yet) read from anywhere, and frees those that are allocated. */
void relay_key_table_init (const RelayKeyTable *table, gpointer target);
void relay_key_table_clear (const RelayKeyTable *table, gpointer target);
