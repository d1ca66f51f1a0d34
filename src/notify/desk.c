/* SPDX-License-Identifier: MIT */
#include "notify/desk.h"

#include "common/log.h"
#include "common/turn.h"
#include "notify/burst.h"
#include "notify/deck.h"
#include "notify/notices.h"
#include "notify/opener.h"
#include "notify/trouble.h"

/*
 * An event changes the card of its PRP, whether it is told or not: that way the name is known when it is needed. Then it
 * is told in one of two places:
 *
 *   by the card    one notification per PRP. News puts it on the screen (again); mere progress changes it where it is, and
 *                  does not bring back one that was closed.
 *   by the digest  while `gather` says why: in a burst, while the past is being listed, or with no notification server.
 *                  The cards that it tells of leave the screen. In a burst it is shown, and changes, while that lasts; else
 *                  it is shown at the end. What came to be about one PRP only is told by its card after all.
 *
 * A digest counts on for as long as it is on the screen; once closed, the next one begins at nothing. If it is closed in a
 * burst, it stays away until that is over.
 *
 * Beside these there are the notices (notify/notices.h), which are about no PRP.
 *
 * All that is due at a time is done in one place, on_turn.
 */

typedef enum {
  GATHER_BURST = 1 << 0,
  GATHER_PAST = 1 << 1,
  GATHER_NO_SERVER = 1 << 2,
} Gather;

/* What is attached to a card. */
typedef struct {
  NotifyDesk *desk;
  NotifyCard *card;
  NotifyNote *note;   /* NULL: it never had one */
  gboolean is_dirty;  /* to be shown at due_usec */
  gboolean pops;      /* that is news */
  gboolean was_news;  /* what was sent last */
  gboolean is_closed; /* it was on the screen, or told of by the digest: only news brings it there */
  gint64 due_usec, shown_usec; /* CLOCK_MONOTONIC */
} Leaf;

struct NotifyDesk {
  NotifyServer *server;
  NotifyOpener *opener;
  NotifyMemory *memory;
  const RelayNotifications *config;
  GSource *turn;

  NotifyDeck *deck;
  NotifyBurst burst;
  guint gather; /* of Gather */

  NotifyDigest *digest;
  NotifyNote *digest_note;
  gboolean digest_is_dirty, digest_is_past, digest_is_hushed;
  gint64 digest_shown_usec;

  NotifyTrouble trouble;
  char *trouble_text;
  NotifyNotices *notices;
};

static void arm (NotifyDesk *desk);

/* -- cards ------------------------------------------------------------------------------------------------------- */

static char *
make_url (const Leaf *leaf)
{
  if (leaf->desk->config->open_url == NULL || leaf->card->news == NOTIFY_KIND_DELETED)
    return NULL;
  return notify_opener_fill (leaf->desk->config->open_url, leaf->card->prp_id, leaf->card->project_id, leaf->card->agent_id);
}

static void
add_action (NotifyContent *content, const char *key, const char *label)
{
  content->actions[content->n_actions++] = (NotifyAction){ key, label };
}

static void
fill_card (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  Leaf *leaf = user_data;
  gboolean is_quiet = !leaf->pops && notify_note_is_on_screen (note);
  g_autofree char *url = make_url (leaf);

  notify_words_of_card (leaf->card, &ret_content->words);
  notify_hints_of_card (leaf->card, is_quiet, traits, &ret_content->hints);
  /* The first is what a click on the notification itself does; most servers show no button for that. */
  add_action (ret_content, "default", url != NULL ? notify_words_get_open () : notify_words_get_dismiss ());
  if (url != NULL && !traits->lists_default)
    add_action (ret_content, "open", notify_words_get_open ());
  add_action (ret_content, "mute", notify_words_get_mute ());
  leaf->was_news = leaf->pops;
  /* All that is known is said, also what would have been due later: it waited for the answer to the call before. */
  leaf->pops = leaf->is_dirty = FALSE;
  leaf->shown_usec = g_get_monotonic_time ();
}

/* Off the screen, until there is news. */
static void
put_away (Leaf *leaf)
{
  leaf->is_dirty = leaf->pops = FALSE;
  leaf->is_closed = TRUE;
  if (leaf->note != NULL)
    notify_note_withdraw (leaf->note);
}

static void
card_closed (NotifyNote *note, gpointer user_data)
{
  Leaf *leaf = user_data;

  /* What is about to change in it need not be seen any more, unless it is news. */
  if (!leaf->pops && !(leaf->was_news && notify_note_is_underway (note)))
    put_away (leaf);
}

static void
card_invoked (NotifyNote *note, const char *action, const char *token, gpointer user_data)
{
  Leaf *leaf = user_data;
  NotifyDesk *desk = leaf->desk;

  if (g_str_equal (action, "mute")) {
    g_autoptr (GError) error = NULL;

    relay_info ("PRP %s is muted", leaf->card->prp_id);
    if (!notify_memory_mute (desk->memory, leaf->card->prp_id, &error))
      relay_warning ("PRP %s is muted for this session only: %s", leaf->card->prp_id, error->message);
  } else if (g_str_equal (action, "open") || g_str_equal (action, "default")) {
    g_autofree char *url = make_url (leaf);

    if (url != NULL)
      notify_opener_open (desk->opener, url, token);
  } else {
    return;
  }
  put_away (leaf);
}

static const NotifyNoteEvents card_events = { fill_card, card_closed, card_invoked };

static void
leaf_free (gpointer data)
{
  Leaf *leaf = data;

  notify_note_free (leaf->note);
  g_free (leaf);
}

static Leaf *
touch_leaf (NotifyDesk *desk, const char *prp_id)
{
  NotifyDeckEntry *entry = notify_deck_touch (desk->deck, prp_id);

  if (entry->attached == NULL) {
    Leaf *leaf = g_new0 (Leaf, 1);

    leaf->desk = desk;
    leaf->card = entry->card;
    entry->attached = leaf;
  }
  return entry->attached;
}

static Leaf *
find_leaf (NotifyDesk *desk, const char *prp_id)
{
  NotifyDeckEntry *entry = notify_deck_find (desk->deck, prp_id);

  return entry != NULL ? entry->attached : NULL;
}

static void
tell_by_card (Leaf *leaf, gboolean is_news)
{
  gint64 now = g_get_monotonic_time ();

  if (!is_news && leaf->is_closed && !leaf->is_dirty)
    return;
  if (!leaf->is_dirty)
    leaf->due_usec = MAX (now + NOTIFY_DESK_SETTLE_USEC, is_news ? 0 : leaf->shown_usec + NOTIFY_DESK_CHANGE_USEC);
  else if (is_news)
    leaf->due_usec = MIN (leaf->due_usec, now + NOTIFY_DESK_SETTLE_USEC);
  leaf->is_dirty = TRUE;
  leaf->pops = leaf->pops || is_news;
  leaf->is_closed = leaf->is_closed && !is_news;
  arm (leaf->desk);
}

static void
show_leaf (Leaf *leaf)
{
  leaf->is_dirty = FALSE;
  if (leaf->note == NULL)
    leaf->note = notify_note_new (leaf->desk->server, FALSE, &card_events, leaf);
  notify_note_show (leaf->note);
}

static void
on_open_failed (const char *url, const char *reason, gpointer user_data)
{
  NotifyDesk *desk = user_data;

  notify_notices_tell_failed_open (desk->notices, url, reason);
}

/* -- the digest -------------------------------------------------------------------------------------------------- */

static void
clear_digest (NotifyDesk *desk)
{
  notify_digest_clear (desk->digest);
  desk->digest_is_dirty = desk->digest_is_past = FALSE;
}

static void
fill_digest (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data)
{
  NotifyDesk *desk = user_data;
  const char *const *ids = notify_digest_get_first_prps (desk->digest);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; ids[i] != NULL; i++) {
    Leaf *leaf = find_leaf (desk, ids[i]);

    if (leaf != NULL)
      g_ptr_array_add (names, notify_words_name_card (leaf->card));
  }
  g_ptr_array_add (names, NULL);
  notify_words_of_digest (desk->digest, (const char *const *) names->pdata, desk->digest_is_past, &ret_content->words);
  notify_hints_of_digest (notify_digest_get_priority (desk->digest), notify_note_is_on_screen (note), traits,
                          &ret_content->hints);
  add_action (ret_content, "default", notify_words_get_dismiss ());
  desk->digest_is_dirty = FALSE; /* as with a card */
  desk->digest_shown_usec = g_get_monotonic_time ();
}

static void
digest_closed (NotifyNote *note, gpointer user_data)
{
  NotifyDesk *desk = user_data;

  notify_note_withdraw (note);
  clear_digest (desk);
  desk->digest_is_hushed = (desk->gather & GATHER_BURST) != 0;
}

static void
digest_invoked (NotifyNote *note, const char *action, const char *token, gpointer user_data)
{
  digest_closed (note, user_data);
}

static const NotifyNoteEvents digest_events = { fill_digest, digest_closed, digest_invoked };

/* The one before it is gone from the screen without a word, as the server went. */
static void
prepare_digest (NotifyDesk *desk)
{
  if (!desk->digest_is_dirty && (desk->digest_note == NULL || !notify_note_is_open (desk->digest_note)))
    clear_digest (desk);
  desk->digest_is_dirty = TRUE;
  if ((desk->gather & GATHER_NO_SERVER) != 0)
    notify_server_look (desk->server);
}

static void
absorb (NotifyDesk *desk, NotifyKind kind, Leaf *leaf)
{
  prepare_digest (desk);
  notify_digest_add (desk->digest, kind, leaf != NULL ? leaf->card : NULL);
  if (leaf != NULL)
    put_away (leaf);
}

/* What was gathered turned out to be little, and a digest says less than the thing itself. */
static gboolean
tell_without_digest (NotifyDesk *desk)
{
  guint64 since, until;
  gboolean is_all, has_gap = notify_digest_get_gap (desk->digest, &since, &until);
  guint n_events = notify_digest_get_events (desk->digest);
  guint n_prps = notify_digest_get_prps (desk->digest, &is_all);
  guint n_errors = notify_digest_get_events_of (desk->digest, NOTIFY_KIND_ERROR);
  Leaf *leaf;

  if (desk->digest_note != NULL && notify_note_is_open (desk->digest_note))
    return FALSE;
  if (n_events == 0 && has_gap) {
    notify_notices_tell_gap (desk->notices, since, until);
    return TRUE;
  }
  if (has_gap || n_prps != 1 || n_errors > 0)
    return FALSE;
  leaf = find_leaf (desk, notify_digest_get_first_prps (desk->digest)[0]);
  if (leaf == NULL)
    return FALSE;
  tell_by_card (leaf, TRUE);
  return TRUE;
}

static void
show_digest (NotifyDesk *desk)
{
  desk->digest_is_dirty = FALSE;
  if (tell_without_digest (desk)) {
    clear_digest (desk);
    return;
  }
  if (desk->digest_note == NULL)
    desk->digest_note = notify_note_new (desk->server, FALSE, &digest_events, desk);
  notify_note_show (desk->digest_note);
}

static void
set_gather (NotifyDesk *desk, guint gather)
{
  gboolean is_over = desk->gather != 0 && gather == 0;

  desk->gather = gather;
  if ((gather & GATHER_BURST) == 0)
    desk->digest_is_hushed = FALSE;
  if (is_over && desk->digest_is_dirty)
    show_digest (desk);
  arm (desk);
}

static void
begin_burst (NotifyDesk *desk)
{
  /* The oldest first: it is the first to be named. */
  for (guint i = desk->burst.n_last; i > 0; i--) {
    NotifyBurstEvent *event = &desk->burst.last[i - 1];

    if (!event->is_told)
      absorb (desk, event->kind, *event->prp_id != '\0' ? find_leaf (desk, event->prp_id) : NULL);
    event->is_told = TRUE;
  }
  set_gather (desk, desk->gather | GATHER_BURST);
}

/* -- events ------------------------------------------------------------------------------------------------------ */

static gboolean
is_wanted (const NotifyDesk *desk, const NotifyNews *news, const NotifyCard *card)
{
  const char *agent_id = news->agent_id, *project_id = news->project_id, *priority = news->priority;

  if (card != NULL) {
    agent_id = card->agent_id;
    project_id = card->project_id;
    priority = card->priority;
  }
  return relay_notifications_decide (desk->config, news->type, news->prp_id, agent_id, project_id, priority) &&
         (news->prp_id == NULL || !notify_memory_is_muted (desk->memory, news->prp_id));
}

/* Returns TRUE if it was told of with that. */
static gboolean
count_for_burst (NotifyDesk *desk, NotifyKind kind, const char *prp_id)
{
  gboolean begins = notify_burst_add (&desk->burst, kind, prp_id, g_get_monotonic_time ());

  if (begins)
    begin_burst (desk);
  else if ((desk->gather & GATHER_BURST) != 0 && !desk->burst.is_on)
    set_gather (desk, desk->gather & ~(guint) GATHER_BURST); /* its time was over before this turn began */
  desk->burst.last[0].is_told = desk->gather != 0;
  return begins;
}

static void
handle_card_news (NotifyDesk *desk, const NotifyNews *news, NotifyPhase phase)
{
  Leaf *leaf = touch_leaf (desk, news->prp_id);
  NotifyChange change = notify_card_apply (leaf->card, news);

  if (phase == NOTIFY_PHASE_KNOWN || change == NOTIFY_CHANGE_NONE || !is_wanted (desk, news, leaf->card))
    return;
  if (phase == NOTIFY_PHASE_LIVE && count_for_burst (desk, news->kind, news->prp_id))
    return;
  if (desk->gather == 0)
    tell_by_card (leaf, change == NOTIFY_CHANGE_NEWS);
  else
    absorb (desk, news->kind, leaf);
  desk->digest_is_past = desk->digest_is_past || (desk->gather & ~(guint) GATHER_BURST) != 0;
}

static void
handle_service_news (NotifyDesk *desk, NotifyNews *news, NotifyPhase phase)
{
  g_autoptr (NotifyNews) owned = news;

  if (phase == NOTIFY_PHASE_KNOWN || !is_wanted (desk, news, NULL))
    return;
  if (phase == NOTIFY_PHASE_LIVE && count_for_burst (desk, news->kind, ""))
    return;
  if (desk->gather != 0) {
    absorb (desk, news->kind, NULL);
    return;
  }
  notify_notices_tell_service (desk->notices, g_steal_pointer (&owned));
}

static void
handle_gap (NotifyDesk *desk, const NotifyNews *news, NotifyPhase phase)
{
  guint64 length = news->until_usec > news->since_usec ? news->until_usec - news->since_usec : 0;

  if (phase == NOTIFY_PHASE_KNOWN || length <= NOTIFY_TROUBLE_LONG_USEC || !desk->config->trouble)
    return;
  prepare_digest (desk);
  notify_digest_add_gap (desk->digest, news->since_usec, news->until_usec);
  if (desk->gather == 0)
    show_digest (desk);
}

void
notify_desk_handle_event (NotifyDesk *desk, const ClientEvent *event, NotifyPhase phase)
{
  g_autoptr (NotifyNews) news = notify_news_read (event->json);

  if (news == NULL)
    return;
  if (phase != NOTIFY_PHASE_KNOWN)
    relay_debug ("%s%s%s", news->type, news->prp_id != NULL ? " of PRP " : "", news->prp_id != NULL ? news->prp_id : "");
  if (news->kind == NOTIFY_KIND_GAP)
    handle_gap (desk, news, phase);
  else if (news->prp_id != NULL)
    handle_card_news (desk, news, phase);
  else
    handle_service_news (desk, g_steal_pointer (&news), phase);
  arm (desk);
}

void
notify_desk_begin_past (NotifyDesk *desk)
{
  set_gather (desk, desk->gather | GATHER_PAST);
}

void
notify_desk_end_past (NotifyDesk *desk)
{
  set_gather (desk, desk->gather & ~(guint) GATHER_PAST);
}

void
notify_desk_add_missed (NotifyDesk *desk)
{
  if (!desk->config->trouble)
    return;
  prepare_digest (desk);
  notify_digest_add_gap (desk->digest, 0, 0);
}

/* -- trouble ----------------------------------------------------------------------------------------------------- */

static void
check_trouble (NotifyDesk *desk)
{
  gint64 now = g_get_monotonic_time ();
  NotifyTroubleKind kind = notify_trouble_check (&desk->trouble, now);
  guint64 since_usec = (guint64) (g_get_real_time () - (now - desk->trouble.since_usec));

  notify_notices_set_trouble (desk->notices, desk->config->trouble ? kind : NOTIFY_TROUBLE_NONE, since_usec, desk->trouble_text);
}

void
notify_desk_set_state (NotifyDesk *desk, const char *state, const char *text)
{
  gint64 now = g_get_monotonic_time ();

  if (state == NULL) {
    notify_trouble_set_left (&desk->trouble, now);
  } else {
    g_free (desk->trouble_text);
    desk->trouble_text = g_strdup (text);
    notify_trouble_set_state (&desk->trouble, state, now);
  }
  check_trouble (desk);
  arm (desk);
}

/* -- time -------------------------------------------------------------------------------------------------------- */

typedef struct {
  gint64 now, next;
} Times;

static void
add_time (Times *times, gint64 usec)
{
  if (usec != 0)
    times->next = times->next == 0 ? usec : MIN (times->next, usec);
}

static void
show_if_due (NotifyDeckEntry *entry, gpointer user_data)
{
  Leaf *leaf = entry->attached;
  Times *times = user_data;

  if (leaf == NULL || !leaf->is_dirty)
    return;
  if (leaf->due_usec <= times->now)
    show_leaf (leaf);
  else
    add_time (times, leaf->due_usec);
}

static void
find_due (NotifyDeckEntry *entry, gpointer user_data)
{
  Leaf *leaf = entry->attached;

  if (leaf != NULL && leaf->is_dirty)
    add_time (user_data, leaf->due_usec);
}

/* When the digest is to be shown in a burst; 0: not. */
static gint64
get_digest_due (const NotifyDesk *desk)
{
  if (desk->gather != GATHER_BURST || !desk->digest_is_dirty || desk->digest_is_hushed)
    return 0;
  return MAX (desk->digest_shown_usec + NOTIFY_DESK_CHANGE_USEC, 1);
}

static void
arm (NotifyDesk *desk)
{
  Times times = { 0 };

  notify_deck_for_each (desk->deck, find_due, &times);
  add_time (&times, get_digest_due (desk));
  add_time (&times, notify_burst_get_end (&desk->burst));
  add_time (&times, notify_trouble_get_deadline (&desk->trouble));
  if (times.next != 0)
    relay_turn_arm_at (desk->turn, times.next);
  else
    relay_turn_disarm (desk->turn);
}

static void
on_turn (gpointer user_data)
{
  NotifyDesk *desk = user_data;
  Times times = { .now = g_get_monotonic_time () };
  gint64 digest_due = get_digest_due (desk);

  notify_deck_for_each (desk->deck, show_if_due, &times);
  if (digest_due != 0 && digest_due <= times.now)
    show_digest (desk);
  if ((desk->gather & GATHER_BURST) != 0 && !notify_burst_check (&desk->burst, times.now))
    set_gather (desk, desk->gather & ~(guint) GATHER_BURST);
  check_trouble (desk);
  arm (desk);
}

/* -- the server -------------------------------------------------------------------------------------------------- */

/* On the way to the screen, but not there. */
static gboolean
is_waiting (const Leaf *leaf)
{
  return leaf != NULL && leaf->note != NULL && notify_note_is_open (leaf->note) && !notify_note_is_on_screen (leaf->note);
}

static void
count_waiting (NotifyDeckEntry *entry, gpointer user_data)
{
  guint *n = user_data;

  if (is_waiting (entry->attached))
    *n += 1;
}

static void
absorb_waiting (NotifyDeckEntry *entry, gpointer user_data)
{
  NotifyDesk *desk = user_data;

  if (is_waiting (entry->attached))
    absorb (desk, entry->card->news, entry->attached);
}

static void
find_untold (NotifyDeckEntry *entry, gpointer user_data)
{
  const Leaf *leaf = entry->attached;
  gboolean *is_untold = user_data;

  /* What was handed to the server is told, as far as anyone can know at the end. */
  if (leaf != NULL && (leaf->is_dirty || (is_waiting (leaf) && !notify_note_is_underway (leaf->note))))
    *is_untold = TRUE;
}

gboolean
notify_desk_has_untold (const NotifyDesk *desk)
{
  gboolean is_untold = desk->digest_is_dirty;

  notify_deck_for_each (desk->deck, find_untold, &is_untold);
  return is_untold;
}

static void
on_server_came (gpointer user_data)
{
  NotifyDesk *desk = user_data;
  guint n = 0;

  if (desk->deck == NULL) /* it is the end */
    return;
  /* It took its time; what would be a volley now is a digest. */
  notify_deck_for_each (desk->deck, count_waiting, &n);
  if (n > NOTIFY_BURST_MAX_EVENTS)
    notify_deck_for_each (desk->deck, absorb_waiting, desk);
  if ((desk->gather & GATHER_NO_SERVER) != 0)
    set_gather (desk, desk->gather & ~(guint) GATHER_NO_SERVER);
  else if (desk->gather == 0 && desk->digest_is_dirty)
    show_digest (desk);
}

static void
on_server_went (gpointer user_data)
{
  NotifyDesk *desk = user_data;

  if (desk->deck == NULL)
    return;
  notify_deck_for_each (desk->deck, absorb_waiting, desk);
  set_gather (desk, desk->gather | GATHER_NO_SERVER);
}

/* -- life -------------------------------------------------------------------------------------------------------- */

NotifyDesk *
notify_desk_new (sd_bus *bus, NotifyMemory *memory, const RelayNotifications *config)
{
  static const NotifyServerEvents server_events = { on_server_came, on_server_went };
  NotifyDesk *desk = g_new0 (NotifyDesk, 1);

  desk->memory = memory;
  desk->config = config;
  desk->turn = relay_turn_new ("notify-desk", on_turn, desk);
  desk->deck = notify_deck_new (NOTIFY_DECK_MAX_CARDS, leaf_free);
  desk->digest = notify_digest_new ();
  desk->server = notify_server_new (bus, &server_events, desk);
  desk->notices = notify_notices_new (desk->server);
  desk->opener = notify_opener_new (bus, on_open_failed, desk);
  return desk;
}

void
notify_desk_clear (NotifyDesk *desk)
{
  relay_turn_disarm (desk->turn);
  g_clear_pointer (&desk->opener, notify_opener_free);
  g_clear_pointer (&desk->deck, notify_deck_free);
  g_clear_pointer (&desk->digest_note, notify_note_free);
  g_clear_pointer (&desk->notices, notify_notices_free);
}

gboolean
notify_desk_is_clear (const NotifyDesk *desk)
{
  return notify_server_is_idle (desk->server);
}

void
notify_desk_free (NotifyDesk *desk)
{
  if (desk == NULL)
    return;
  notify_desk_clear (desk);
  notify_server_free (desk->server);
  notify_burst_clear (&desk->burst);
  notify_digest_free (desk->digest);
  relay_turn_free (desk->turn);
  g_free (desk->trouble_text);
  g_free (desk);
}

void
notify_desk_configure (NotifyDesk *desk, const RelayNotifications *config)
{
  desk->config = config;
  check_trouble (desk);
}
