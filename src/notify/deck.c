/* SPDX-License-Identifier: MIT */
#include "notify/deck.h"

typedef struct {
  NotifyDeckEntry entry; /* first: the entry is the place */
  GList link;            /* in `order` */
} Place;

struct NotifyDeck {
  GHashTable *places; /* by id, which the card owns */
  GQueue order;       /* touched last … touched first */
  guint max_cards;
  GDestroyNotify free_attached;
};

NotifyDeck *
notify_deck_new (guint max_cards, GDestroyNotify free_attached)
{
  NotifyDeck *deck = g_new0 (NotifyDeck, 1);

  deck->places = g_hash_table_new (g_str_hash, g_str_equal);
  g_queue_init (&deck->order);
  deck->max_cards = max_cards;
  deck->free_attached = free_attached;
  return deck;
}

static void
throw_away (NotifyDeck *deck, Place *place)
{
  g_hash_table_remove (deck->places, place->entry.card->prp_id);
  g_queue_unlink (&deck->order, &place->link);
  if (deck->free_attached != NULL && place->entry.attached != NULL)
    deck->free_attached (place->entry.attached);
  notify_card_free (place->entry.card);
  g_free (place);
}

void
notify_deck_free (NotifyDeck *deck)
{
  if (deck == NULL)
    return;
  while (deck->order.tail != NULL)
    throw_away (deck, deck->order.tail->data);
  g_hash_table_unref (deck->places);
  g_free (deck);
}

NotifyDeckEntry *
notify_deck_find (NotifyDeck *deck, const char *prp_id)
{
  Place *place = g_hash_table_lookup (deck->places, prp_id);

  return place != NULL ? &place->entry : NULL;
}

NotifyDeckEntry *
notify_deck_touch (NotifyDeck *deck, const char *prp_id)
{
  Place *place = g_hash_table_lookup (deck->places, prp_id);

  if (place != NULL) {
    g_queue_unlink (&deck->order, &place->link);
  } else {
    if (deck->order.length >= deck->max_cards)
      throw_away (deck, deck->order.tail->data);
    place = g_new0 (Place, 1);
    place->entry.card = notify_card_new (prp_id);
    place->link.data = place;
    g_hash_table_insert (deck->places, place->entry.card->prp_id, place);
  }
  g_queue_push_head_link (&deck->order, &place->link);
  return &place->entry;
}

void
notify_deck_for_each (NotifyDeck *deck, void (*func) (NotifyDeckEntry *entry, gpointer user_data), gpointer user_data)
{
  for (GList *link = deck->order.head; link != NULL; link = link->next)
    func (&((Place *) link->data)->entry, user_data);
}

guint
notify_deck_get_size (const NotifyDeck *deck)
{
  return deck->order.length;
}
