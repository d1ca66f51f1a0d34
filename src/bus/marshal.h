/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * D-Bus messages as bytes, in this machine's byte order, into a buffer that somebody else owns. The interface is that of
 * sd_bus_message, as far as signals need it, so that one description of a message serves both.
 *
 * Nothing is checked that its callers see to: signatures are right, strings are fit for D-Bus, containers are closed in turn.
 * What is bounded is the buffer. Functions return 0, or -EMSGSIZE if it does not fit; then the message is to be given up.
 */

#define RELAY_MARSHAL_MAX_DEPTH 64 /* containers within each other, the variants' included: no bus carries more */

typedef struct {
  guint8 *begin, *at, *end; /* the buffer, from this message on */
  /* private */
  guint8 *body;
  guint depth;
  struct {
    guint8 *length; /* of an array: where it is to be written; else NULL */
    guint8 *first;  /* of an array: where its elements begin */
  } containers[RELAY_MARSHAL_MAX_DEPTH];
} RelayMarshal;

/* Begins a signal in the @size bytes at @buffer; what is there of it later are the bytes from `begin` to `at`. Its alignment is
 * its own: messages follow each other without a space between them. */
int relay_marshal_begin (RelayMarshal *marshal, guint8 *buffer, gsize size, guint32 serial, const char *path,
                         const char *interface, const char *member, const char *signature);
void relay_marshal_end (RelayMarshal *marshal);

/* @type: 'a', 'v', 'e'; @contents: the signature of what is in it. */
int relay_marshal_open (RelayMarshal *marshal, char type, const char *contents);
void relay_marshal_close (RelayMarshal *marshal);

/* @value: as for sd_bus_message_append_basic: the string itself of s and g, an int of b, else a pointer to the number. */
int relay_marshal_basic (RelayMarshal *marshal, char type, const void *value);

/* A string of @length bytes, which the caller writes at *ret_space. */
int relay_marshal_string_space (RelayMarshal *marshal, gsize length, char **ret_space);
