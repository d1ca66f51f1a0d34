/* SPDX-License-Identifier: MIT */
#include "client/catch-up.h"

#include <string.h>

struct ClientCatchUp {
  ClientCursorKind kind; /* AT, as soon as the position is known */
  char *history_id;      /* NULL: not known yet */
  guint64 position;
  gboolean is_listing;
  gboolean is_fresh;     /* nothing was judged since the relay came */
  gboolean is_anywhere;  /* the position says nothing about what was seen: the next page cannot leave anything out */
  gboolean let_go;       /* something could not be held since the page was asked for */
  gboolean fell_behind;  /* something could not be held, and no page is asked for */
  GQueue held;           /* of ClientEvent * */
  gsize held_bytes;
};

void
client_history_facts_clear (ClientHistoryFacts *facts)
{
  g_clear_pointer (&facts->id, g_free);
  facts->first_sequence = facts->last_sequence = 0;
}

static void
event_free (ClientEvent *event)
{
  client_event_clear (event);
  g_free (event);
}

static void
clear_held (ClientCatchUp *catch_up)
{
  g_queue_clear_full (&catch_up->held, (GDestroyNotify) event_free);
  catch_up->held_bytes = 0;
}

ClientCatchUp *
client_catch_up_new (const ClientCursor *from)
{
  ClientCatchUp *catch_up = g_new0 (ClientCatchUp, 1);

  catch_up->kind = from->kind;
  catch_up->history_id = g_strdup (from->history_id);
  catch_up->position = from->sequence;
  g_queue_init (&catch_up->held);
  client_catch_up_begin (catch_up);
  return catch_up;
}

void
client_catch_up_free (ClientCatchUp *catch_up)
{
  if (catch_up == NULL)
    return;
  clear_held (catch_up);
  g_free (catch_up->history_id);
  g_free (catch_up);
}

void
client_catch_up_begin (ClientCatchUp *catch_up)
{
  /* What the one before it signalled is in the history, or lost with it; the numbers of another history are others. */
  clear_held (catch_up);
  catch_up->is_listing = catch_up->is_fresh = TRUE;
  catch_up->let_go = catch_up->fell_behind = FALSE;
}

gboolean
client_catch_up_is_listing (const ClientCatchUp *catch_up)
{
  return catch_up->is_listing;
}

gboolean
client_catch_up_wants_page (const ClientCatchUp *catch_up)
{
  return catch_up->kind != CLIENT_CURSOR_NOW;
}

guint64
client_catch_up_get_position (const ClientCatchUp *catch_up)
{
  return catch_up->position;
}

char *
client_catch_up_format_cursor (const ClientCatchUp *catch_up)
{
  if (catch_up->history_id == NULL || catch_up->kind == CLIENT_CURSOR_NOW)
    return NULL;
  return client_cursor_format (catch_up->history_id, catch_up->position);
}

static void
set_history_id (ClientCatchUp *catch_up, const char *id)
{
  g_free (catch_up->history_id);
  catch_up->history_id = g_strdup (id);
}

void
client_catch_up_set_history_id (ClientCatchUp *catch_up, const char *id)
{
  /* Before the first page was judged the id is the one that it is to be compared with. */
  if (!catch_up->is_fresh)
    set_history_id (catch_up, id);
}

/* Is the position one of another history? A relay goes on with its numbers when its history is cleared or lost; only
 * one that was started since may have begun anew. */
static gboolean
is_void (const ClientCatchUp *catch_up, const ClientHistoryFacts *facts)
{
  if (!catch_up->is_fresh)
    return FALSE;
  return (catch_up->history_id != NULL && !g_str_equal (catch_up->history_id, facts->id)) ||
         catch_up->position > facts->last_sequence;
}

gboolean
client_catch_up_judge (ClientCatchUp *catch_up, guint64 page_first, const ClientHistoryFacts *facts,
                       ClientMissed *ret_missed)
{
  ClientMissed missed = CLIENT_MISSED_NOTHING;
  gboolean is_good = TRUE;

  if (catch_up->kind != CLIENT_CURSOR_AT) {
    catch_up->position = catch_up->kind == CLIENT_CURSOR_NOW ? facts->last_sequence : 0;
    catch_up->is_anywhere = catch_up->kind == CLIENT_CURSOR_START;
    if (catch_up->kind == CLIENT_CURSOR_NOW) {
      catch_up->is_listing = catch_up->let_go;
      catch_up->let_go = FALSE;
      is_good = !catch_up->is_listing;
    }
    catch_up->kind = CLIENT_CURSOR_AT;
  } else if (is_void (catch_up, facts)) {
    missed = CLIENT_MISSED_HISTORY;
    is_good = catch_up->position == 0;
    catch_up->position = 0;
    catch_up->is_anywhere = TRUE;
  } else if (!catch_up->is_anywhere && catch_up->position + 1 < facts->first_sequence &&
             page_first != catch_up->position + 1) {
    missed = CLIENT_MISSED_EVENTS;
    catch_up->is_anywhere = TRUE; /* told once */
  }
  catch_up->is_fresh = FALSE;
  set_history_id (catch_up, facts->id);
  *ret_missed = missed;
  return is_good;
}

gboolean
client_catch_up_pass (ClientCatchUp *catch_up, const ClientEvent *event)
{
  /* One without a number cannot be told from its double, and is no place to stand behind. */
  if (event->sequence == 0)
    return TRUE;
  if (event->sequence <= catch_up->position)
    return FALSE;
  catch_up->position = event->sequence;
  return TRUE;
}

void
client_catch_up_end_page (ClientCatchUp *catch_up, guint64 last, gboolean more)
{
  catch_up->position = MAX (catch_up->position, last);
  catch_up->is_anywhere = FALSE;
  catch_up->is_listing = more || catch_up->let_go;
  catch_up->let_go = FALSE;
}

void
client_catch_up_rewind (ClientCatchUp *catch_up, guint64 position)
{
  catch_up->position = position;
  catch_up->is_listing = catch_up->is_anywhere = TRUE;
}

void
client_catch_up_give_up (ClientCatchUp *catch_up)
{
  catch_up->is_listing = FALSE;
}

void
client_catch_up_hold (ClientCatchUp *catch_up, ClientEvent *event)
{
  gsize bytes = strlen (event->json);

  /* All that is held goes, not only this one: what is left would have a hole in it. */
  if (catch_up->held.length == CLIENT_CATCH_UP_MAX_HELD || catch_up->held_bytes + bytes > CLIENT_CATCH_UP_MAX_HELD_BYTES) {
    clear_held (catch_up);
    catch_up->let_go = catch_up->is_listing;
    catch_up->fell_behind = catch_up->fell_behind || !catch_up->is_listing;
    catch_up->is_listing = TRUE;
  }
  if (bytes <= CLIENT_CATCH_UP_MAX_HELD_BYTES) {
    ClientEvent *copy = g_new (ClientEvent, 1);

    *copy = *event;
    *event = (ClientEvent){ 0 };
    g_queue_push_tail (&catch_up->held, copy);
    catch_up->held_bytes += bytes;
  }
  client_event_clear (event);
}

gboolean
client_catch_up_fell_behind (ClientCatchUp *catch_up)
{
  gboolean fell_behind = catch_up->fell_behind;

  catch_up->fell_behind = FALSE;
  return fell_behind;
}

gboolean
client_catch_up_pop_held (ClientCatchUp *catch_up, ClientEvent *ret_event)
{
  ClientEvent *event;

  if (catch_up->is_listing)
    return FALSE;
  while ((event = g_queue_pop_head (&catch_up->held)) != NULL) {
    catch_up->held_bytes -= strlen (event->json);
    if (client_catch_up_pass (catch_up, event)) {
      *ret_event = *event;
      g_free (event);
      return TRUE;
    }
    event_free (event);
  }
  return FALSE;
}
