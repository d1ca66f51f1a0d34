/* SPDX-License-Identifier: MIT */
#pragma once

#include "client/cursor.h"
#include "client/event.h"

/*
 * Where a reader stands, so that it gets every event once, in order: from the history first, then as they are
 * signalled, across restarts of the relay. Pure: whoever owns it speaks to the relay.
 *
 *   begin → page, judge, pass…, end_page (while there is more) → pop_held until NULL → pass for each signal
 *     ↑                                                                                   │
 *     └──────────────────────────── another relay owns the name ←─────────────────────────┘
 *
 * An event is stored before it is signalled, so what is signalled while the history is being listed is in it, or comes
 * behind it. Such signals are held; when the list is at its end, those that were not in it are handed out. More
 * than can be held are let go: they are in the history, and it is listed on until nothing had to be let go.
 *
 * The properties of the history are to be read *behind* each page: what they say of where the history begins then
 * holds for all that the page was made from.
 */
typedef struct ClientCatchUp ClientCatchUp;

#define CLIENT_CATCH_UP_MAX_HELD 1000
#define CLIENT_CATCH_UP_MAX_HELD_BYTES (4 * 1024 * 1024)

/* What may be missing before the page. */
typedef enum {
  CLIENT_MISSED_NOTHING,
  CLIENT_MISSED_HISTORY, /* it is another history than the one that the cursor is of */
  CLIENT_MISSED_EVENTS,  /* the history begins only behind the cursor */
} ClientMissed;

typedef struct {
  char *id;
  guint64 first_sequence; /* the history is complete from here on */
  guint64 last_sequence;  /* the last number given out */
} ClientHistoryFacts;

void client_history_facts_clear (ClientHistoryFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ClientHistoryFacts, client_history_facts_clear)

ClientCatchUp *client_catch_up_new (const ClientCursor *from);
void client_catch_up_free (ClientCatchUp *catch_up);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ClientCatchUp, client_catch_up_free)

/* There is a relay whose history is to be listed; at the start, and for each that owns the name. */
void client_catch_up_begin (ClientCatchUp *catch_up);

/* Is the history to be listed, or being listed? Signals are held then. */
gboolean client_catch_up_is_listing (const ClientCatchUp *catch_up);

/* Is a page to be asked for now, or only the properties ("now")? */
gboolean client_catch_up_wants_page (const ClientCatchUp *catch_up);

/* Behind which event the page is to begin, and where the reader stands. */
guint64 client_catch_up_get_position (const ClientCatchUp *catch_up);

/* The cursor of that place, NULL as long as the history's id is not known. Caller frees. */
char *client_catch_up_format_cursor (const ClientCatchUp *catch_up);

/* A page is there (whose first event is @page_first, 0 if it has none), and the properties read behind it. FALSE: it
 * is not the page that is needed; another is to be asked for. *ret_missed is to be told, before what is shown next. */
gboolean client_catch_up_judge (ClientCatchUp *catch_up, guint64 page_first, const ClientHistoryFacts *facts,
                                ClientMissed *ret_missed);

/* Is the event to be shown, as it was not shown before? The reader then stands behind it. */
gboolean client_catch_up_pass (ClientCatchUp *catch_up, const ClientEvent *event);

/* All of the page is shown. @last: up to where it looked; @more: there is more behind it. */
void client_catch_up_end_page (ClientCatchUp *catch_up, guint64 last, gboolean more);

/* Lists again what is behind @position, from which on it has been judged. */
void client_catch_up_rewind (ClientCatchUp *catch_up, guint64 position);

/* The history cannot be listed: the signals have to do. */
void client_catch_up_give_up (ClientCatchUp *catch_up);

/* An event that was signalled while listing, or while its reader is busy with others; takes it over. */
void client_catch_up_hold (ClientCatchUp *catch_up, ClientEvent *event);

/* Did a busy reader fall so far behind that signals had to be let go? They are in the history, which is to be listed
 * again from where it stands. Says so once. */
gboolean client_catch_up_fell_behind (ClientCatchUp *catch_up);

/* When the listing is over: the next one that was held and is to be shown, the reader then stands behind it. FALSE:
 * no more. */
gboolean client_catch_up_pop_held (ClientCatchUp *catch_up, ClientEvent *ret_event);

/* The relay that is there says that its history has another id now. */
void client_catch_up_set_history_id (ClientCatchUp *catch_up, const char *id);
