/* SPDX-License-Identifier: MIT */
#pragma once

#include "config/key.h"

/*
 * The language of relay.conf(5), for every program that reads a part of that file: tables of keys in, a struct per
 * table out. Whatever is not understood is refused with file, group, key and reason; all faults of a file are
 * told at once, and where there is one, the structs are not to be used.
 *
 *   g_autoptr (RelayKeyFile) file = relay_key_file_new (path);
 *
 *   relay_keys_init (table.keys, table.n_keys, config);
 *   relay_key_file_add (file, &table, config);        (any number of tables)
 *   if (!relay_key_file_read (file, error))           (the file as such cannot be read)
 *     return NULL;
 *   relay_key_file_add_fault (file, …);               (what no key shows by itself)
 *   if (!relay_key_file_finish (file, error))         (were there faults?)
 *     return NULL;
 */
/* A new struct for the group [NAME @argument], where the file names it first; @target is from relay_key_file_add. It stays
 * @target's. NULL with @error set: no such group may be; the message names the argument, as far as it may be shown. */
typedef gpointer (*RelayKeyMember) (const char *argument, gpointer target, GError **error);

typedef struct {
  const RelayKey *keys;
  gsize n_keys;
  /* NULL, or the keys stand in groups [NAME ARGUMENT], each of which has a struct of its own. NAME is the @group of every
   * key. */
  RelayKeyMember member;
  guint max_members; /* such groups */
} RelayKeyTable;

typedef struct RelayKeyFile RelayKeyFile;

#define RELAY_KEY_FILE_MAX_BYTES (64 * 1024)

/* @path: as given by --config; NULL: the default ($XDG_CONFIG_HOME/prp-relay/relay.conf), which need not exist. */
RelayKeyFile *relay_key_file_new (const char *path);
void relay_key_file_free (RelayKeyFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayKeyFile, relay_key_file_free)

/* The table's keys are to be read into @target, whose members have their defaults (relay_keys_init). Both are
 * borrowed. Of a table of [NAME ARGUMENT] groups, @target is what its `member` is called with. */
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
