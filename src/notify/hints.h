/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/card.h"

/*
 * What a notification is given beside its words, made for the server that is to show it: what one of them uses well,
 * another makes a mess of. Pure.
 */

/* What is known of a notification server. */
typedef struct {
  char *name;                /* as it calls itself; "" if it does not answer */
  gboolean has_actions, has_body_markup;
  gboolean lists_default;    /* offers the action "default" beside the others, by its label */
} NotifyTraits;

void notify_traits_clear (NotifyTraits *traits);

/* @capabilities: NULL-terminated, or NULL. */
void notify_traits_set (NotifyTraits *traits, const char *name, const char *const *capabilities);

/* The values are those of the hint `urgency`. */
typedef enum {
  NOTIFY_URGENCY_LOW = 0,
  NOTIFY_URGENCY_NORMAL = 1,
  NOTIFY_URGENCY_CRITICAL = 2,
} NotifyUrgency;

#define NOTIFY_NO_VALUE (-1)

typedef struct {
  NotifyUrgency urgency;
  const char *category;    /* static */
  int value;               /* per cent, or NOTIFY_NO_VALUE */
  gboolean suppress_sound;
  int expire_msec;         /* -1: as the server likes; 0: never */
} NotifyHints;

/* @is_quiet: it changes what is on the screen, and nobody needs to look up for it. */
void notify_hints_of_card (const NotifyCard *card, gboolean is_quiet, const NotifyTraits *traits, NotifyHints *ret_hints);

/* @priority: a RelayPriority. */
void notify_hints_of_digest (guint priority, gboolean is_quiet, const NotifyTraits *traits, NotifyHints *ret_hints);

/* @stays: until it is taken back. */
void notify_hints_of_trouble (gboolean stays, NotifyHints *ret_hints);
