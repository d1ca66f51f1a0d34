/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the wide output
 * is their reference implementation's). Without the key nobody can choose inputs that collide.
 */

/* *ret_hash: the first eight bytes of the output and the last, each as a little-endian number. @data may be NULL
 * if @length is 0. */
void relay_siphash (const guint8 key[16], const void *data, gsize length, guint64 ret_hash[2]);
