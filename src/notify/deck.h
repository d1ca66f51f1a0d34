/* SPDX-License-Identifier: MIT */
#pragma once

#include "notify/card.h"

/*
 * The cards of the PRPs that were last heard of: a table that is full throws away the one that was untouched for longest.
 * Pure.
 */
typedef struct NotifyDeck NotifyDeck;

#define NOTIFY_DECK_MAX_CARDS 500

/* A card with what its user attached to it. */
typedef struct {
  NotifyCard *card;
  gpointer attached;
} NotifyDeckEntry;

/* @free_attached: for what is attached to a card that goes. */
NotifyDeck *notify_deck_new (guint max_cards, GDestroyNotify free_attached);
void notify_deck_free (NotifyDeck *deck);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyDeck, notify_deck_free)

/* The PRP's card, made where there is none; counts as touched. Lives until another PRP is asked for. */
NotifyDeckEntry *notify_deck_touch (NotifyDeck *deck, const char *prp_id);

/* NULL: there is none. Does not count. */
NotifyDeckEntry *notify_deck_find (NotifyDeck *deck, const char *prp_id);

/* Calls @func for each card, the one touched last first. It must not change the deck. */
void notify_deck_for_each (NotifyDeck *deck, void (*func) (NotifyDeckEntry *entry, gpointer user_data), gpointer user_data);

guint notify_deck_get_size (const NotifyDeck *deck);
