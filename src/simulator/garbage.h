/* SPDX-License-Identifier: MIT */
#pragma once

#include "simulator/frames.h"

/*
 * What a server should never send and a client has to survive, as the bytes that go on the wire. Pure.
 */
typedef struct {
  const char *name, *help; /* static; help in English */
} SimGarbageKind;

/* Every kind; the array ends with a NULL name. */
const SimGarbageKind *sim_garbage_list (void);

/* Appends garbage of @kind to @out, in @n_fragments frames where it is a message. @id: of the event that the
 * garbage is made of. *ret_cut: the connection has to be cut behind it (it ends within a frame). FALSE: no such
 * kind. */
gboolean sim_garbage_append (GByteArray *out, const char *kind, const char *id, gint64 realtime_usec,
                             guint n_fragments, gboolean *ret_cut);
