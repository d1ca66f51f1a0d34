/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * The keys of `prpctl watch`, from the bytes that a terminal sends for them. Pure.
 */
typedef enum {
  PRPCTL_KEY_NONE,
  PRPCTL_KEY_QUIT,
  PRPCTL_KEY_UP,
  PRPCTL_KEY_DOWN,
  PRPCTL_KEY_PAGE_UP,
  PRPCTL_KEY_PAGE_DOWN,
  PRPCTL_KEY_HOME,
  PRPCTL_KEY_END,
  PRPCTL_KEY_ACTIVE, /* active ones only, or all */
  PRPCTL_KEY_PAUSE,
  PRPCTL_KEY_HELP,
  PRPCTL_KEY_REDRAW,
  PRPCTL_KEY_OTHER,  /* any that means nothing */
} PrpctlKey;

#define PRPCTL_KEYS_MAX_BYTES 16 /* of a sequence; no key has a longer one */

/* A sequence whose end has not come yet. Zeroed: none. */
typedef struct {
  char bytes[PRPCTL_KEYS_MAX_BYTES];
  guint n_bytes;
} PrpctlKeys;

/* Takes the byte that comes next. Returns the key that it completes; PRPCTL_KEY_NONE if it completes none. */
PrpctlKey prpctl_keys_feed (PrpctlKeys *keys, char byte);
