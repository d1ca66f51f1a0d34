/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The types of events by number, so that an index needs one byte for each: in the order in which they were first
 * met. A type that came when all numbers were taken, or that is too long, has the number 0, which says nothing.
 */
typedef struct RelayTypeNames RelayTypeNames;

#define RELAY_TYPE_NAMES_MAX 128
#define RELAY_TYPE_NAME_MAX_BYTES 128

RelayTypeNames *relay_type_names_new (void);
void relay_type_names_free (RelayTypeNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelayTypeNames, relay_type_names_free)

/* The type's number, which it is given now where it has none. @name: need not end in NUL. */
guint8 relay_type_names_number (RelayTypeNames *names, const char *name, gsize length);

/* The type with that number; NULL if there is none, and for 0. */
const char *relay_type_names_get (RelayTypeNames *names, guint8 number);

/* The numbers in the file are 1 … that many; what is above is to be written to it. */
guint relay_type_names_get_n_stored (RelayTypeNames *names);
void relay_type_names_set_stored (RelayTypeNames *names);

/* As read from the file: in order from 1. FALSE: not as it was written. */
gboolean relay_type_names_load (RelayTypeNames *names, gint64 number, const char *name, gsize length);
