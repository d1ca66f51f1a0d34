/* SPDX-License-Identifier: MIT */
#include "wire/coverage.h"

#include <string.h>

/*
 * For each channel that somebody wants and that was ever active there is an entry: heard, or not since when and why. The
 * subscriptions' changes move it:
 *
 *   never ──active──> heard ──not active──> a hole, open ──active──> heard, and the hole is closed
 *
 * A closed hole waits to be told with the others of its loss: the channels come back in as many confirmations as the server
 * likes, and a loss is to be told once. It waits until all is answered; or until its channel is lost again, for
 * then another loss begins. Until it is told it counts as open for whoever asks, lest it is forgotten with the process.
 *
 * A channel that is not wanted any more takes its hole with it. One that the server refuses stays open until it is
 * active again, on whatever connection: what it shows meanwhile is its own state.
 */
typedef struct {
  char *name; /* a GRefString, the table's key */
  gint64 since_usec;       /* RELAY_COVERAGE_ACTIVE, or when the open hole began */
  const char *cause;       /* of the open hole */
  gint64 carried_usec;     /* when it was last confirmed by a connection that took it over from another one, 0: never */
  gint64 told_since_usec;  /* of the closed hole, 0 if there is none */
  gint64 told_until_usec;
  const char *told_cause;
} Entry;

struct RelayCoverage {
  RelaySubscriptions *subscriptions;
  RelayCoverageClock clock;
  RelayCoverageGap gap;
  RelayCoverageChanged changed;
  gpointer user_data;

  GHashTable *entries; /* name → Entry */
  guint n_closed;      /* entries with a closed hole */
  gint64 alive_usec;
  const char *cause;
  gint64 day_usec; /* what the clock said; all times here are by it */
};

static void
entry_free (Entry *entry)
{
  g_ref_string_release (entry->name);
  g_free (entry);
}

static Entry *
entry_add (RelayCoverage *self, const char *channel)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->name = g_ref_string_new (channel);
  g_hash_table_insert (self->entries, entry->name, entry);
  return entry;
}

static void
set_closed (RelayCoverage *self, Entry *entry, gint64 since_usec, gint64 until_usec, const char *cause)
{
  entry->told_since_usec = since_usec;
  entry->told_until_usec = until_usec;
  entry->told_cause = cause;
  self->n_closed++;
}

/* A closed hole is older than an open one. */
static gint64
get_since (const Entry *entry)
{
  return entry->told_since_usec != 0 ? entry->told_since_usec : entry->since_usec;
}

/* ---- the clock ---- */

/* What is no time stays what it is. */
static void
carry (gint64 *time_usec, gint64 ahead_usec)
{
  if (*time_usec > RELAY_GAP_SINCE_UNKNOWN)
    *time_usec = MAX (*time_usec + ahead_usec, RELAY_GAP_SINCE_UNKNOWN + 1);
}

/* Times that are handed in are by the clock as it is now: so those that are here have to be, before they meet. */
void
relay_coverage_follow_clock (RelayCoverage *self)
{
  gint64 ahead = self->clock (self->user_data) - self->day_usec;
  GHashTableIter iter;
  gpointer value;

  if (ABS (ahead) < RELAY_COVERAGE_SET_MIN_USEC)
    return;
  self->day_usec += ahead;
  carry (&self->alive_usec, ahead);
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Entry *entry = value;
    gint64 before = get_since (entry);

    carry (&entry->since_usec, ahead);
    carry (&entry->carried_usec, ahead);
    carry (&entry->told_since_usec, ahead);
    carry (&entry->told_until_usec, ahead);
    if (get_since (entry) != before)
      self->changed (entry->name, self->user_data);
  }
}

/* ---- telling ---- */

/* By loss; within one, by name. */
static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = *(Entry *const *) a, *y = *(Entry *const *) b;

  if (x->told_since_usec != y->told_since_usec)
    return x->told_since_usec < y->told_since_usec ? -1 : 1;
  if (x->told_cause != y->told_cause)
    return strcmp (x->told_cause, y->told_cause);
  return strcmp (x->name, y->name);
}

/* Takes the closed holes out of their entries: in order. */
static GArray *
take_closed (RelayCoverage *self)
{
  g_autoptr (GPtrArray) closed = g_ptr_array_new ();
  GArray *holes = g_array_sized_new (FALSE, FALSE, sizeof (Entry), self->n_closed);
  GHashTableIter iter;
  gpointer entry;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &entry))
    if (((Entry *) entry)->told_since_usec != 0)
      g_ptr_array_add (closed, entry);
  g_ptr_array_sort (closed, compare_entries);

  for (guint i = 0; i < closed->len; i++) {
    Entry hole = *(Entry *) closed->pdata[i];

    hole.name = g_ref_string_acquire (hole.name);
    g_array_append_val (holes, hole);
    ((Entry *) closed->pdata[i])->told_since_usec = 0;
  }
  self->n_closed = 0;
  return holes;
}

/* Tells the holes of @holes from @start on that belong to one loss; returns where the next one begins. */
static guint
tell_loss (RelayCoverage *self, GArray *holes, guint start)
{
  const Entry *first = &g_array_index (holes, Entry, start);
  RelayGap gap = { .since_usec = (guint64) first->told_since_usec, .cause = first->told_cause };
  g_autoptr (GPtrArray) channels = g_ptr_array_new ();
  guint end;

  gap.until_usec = gap.since_usec;
  for (end = start; end < holes->len; end++) {
    const Entry *hole = &g_array_index (holes, Entry, end);

    if (hole->told_since_usec != first->told_since_usec || !g_str_equal (hole->told_cause, first->told_cause))
      break;
    g_ptr_array_add (channels, hole->name);
    gap.until_usec = MAX (gap.until_usec, (guint64) hole->told_until_usec);
  }
  g_ptr_array_add (channels, NULL);
  gap.channels = (char **) channels->pdata;
  self->gap (&gap, self->user_data);
  for (guint i = start; i < end; i++)
    self->changed (g_array_index (holes, Entry, i).name, self->user_data);
  return end;
}

static void
tell_closed (RelayCoverage *self)
{
  g_autoptr (GArray) holes = NULL;

  if (self->n_closed == 0)
    return;
  holes = take_closed (self);
  for (guint i = 0; i < holes->len;)
    i = tell_loss (self, holes, i);
  for (guint i = 0; i < holes->len; i++)
    g_ref_string_release (g_array_index (holes, Entry, i).name);
}

void
relay_coverage_tell (RelayCoverage *self, gboolean now)
{
  relay_coverage_follow_clock (self);
  if (self->n_closed > 0 && (now || relay_subscriptions_is_settled (self->subscriptions)))
    tell_closed (self);
}

/* ---- what happens to a channel ---- */

static void
forget (RelayCoverage *self, Entry *entry)
{
  if (entry->told_since_usec != 0)
    self->n_closed--;
  g_hash_table_remove (self->entries, entry->name);
}

/* Moves the entry to where the channel is. */
static void
move (RelayCoverage *self, Entry *entry, gboolean is_active, gint64 active_since_usec)
{
  if ((entry->since_usec == RELAY_COVERAGE_ACTIVE) == is_active)
    return;
  if (entry->told_since_usec != 0)
    tell_closed (self);
  if (is_active) {
    set_closed (self, entry, entry->since_usec, active_since_usec, entry->cause);
    entry->since_usec = RELAY_COVERAGE_ACTIVE;
  } else {
    entry->since_usec = self->alive_usec;
    entry->cause = self->cause;
  }
}

static void
on_changed (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  RelayCoverage *self = user_data;
  Entry *entry = g_hash_table_lookup (self->entries, channel->name);
  gboolean is_active = channel->state == RELAY_CHANNEL_ACTIVE;
  gint64 before;

  relay_coverage_follow_clock (self);
  before = relay_coverage_get_since (self, channel->name);
  if (!channel->durable && channel->n_holds == 0) {
    if (entry != NULL)
      forget (self, entry);
    return;
  }
  if (entry == NULL && !is_active)
    return;
  if (entry == NULL)
    entry = entry_add (self, channel->name);
  /* A channel that was active before is active since then. */
  if (is_active && channel->confirmed_usec != channel->active_since_usec)
    entry->carried_usec = channel->confirmed_usec;
  move (self, entry, is_active, channel->active_since_usec);
  if (get_since (entry) != before)
    self->changed (channel->name, self->user_data);
}

void
relay_coverage_handed_over (RelayCoverage *self, gint64 proof_usec, gint64 until_usec, const char *cause)
{
  GHashTableIter iter;
  gpointer value;

  relay_coverage_follow_clock (self);
  if (proof_usec >= until_usec)
    return;
  tell_closed (self);
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Entry *entry = value;

    /* The present connection may have been lost meanwhile, too: that is another hole, unless it holds this one. */
    if (entry->carried_usec <= proof_usec || (entry->since_usec != RELAY_COVERAGE_ACTIVE && entry->since_usec <= proof_usec))
      continue;
    set_closed (self, entry, proof_usec, MIN (entry->carried_usec, until_usec), cause);
    self->changed (entry->name, self->user_data);
  }
}

void
relay_coverage_prove (RelayCoverage *self, gint64 lost_usec, gint64 proof_usec)
{
  GHashTableIter iter;
  gpointer value;

  relay_coverage_follow_clock (self);
  if (proof_usec <= lost_usec)
    return;
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Entry *entry = value;

    /* A hole that has closed meanwhile goes by what was known. */
    if (entry->since_usec != lost_usec)
      continue;
    entry->since_usec = proof_usec;
    if (entry->told_since_usec == 0)
      self->changed (entry->name, self->user_data);
  }
}

/* ---- the interface ---- */

RelayCoverage *
relay_coverage_new (RelaySubscriptions *subscriptions, RelayCoverageClock clock, RelayCoverageGap gap,
                    RelayCoverageChanged changed, gpointer user_data)
{
  RelayCoverage *self = g_new0 (RelayCoverage, 1);

  self->subscriptions = subscriptions;
  self->clock = clock;
  self->gap = gap;
  self->changed = changed;
  self->user_data = user_data;
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) entry_free);
  self->alive_usec = RELAY_GAP_SINCE_UNKNOWN;
  self->cause = RELAY_GAP_CAUSE_RESTARTED;
  self->day_usec = clock (user_data);
  relay_subscriptions_watch (subscriptions, on_changed, self);
  return self;
}

void
relay_coverage_free (RelayCoverage *self)
{
  if (self == NULL)
    return;
  relay_subscriptions_unwatch (self->subscriptions, on_changed, self);
  g_hash_table_unref (self->entries);
  g_free (self);
}

void
relay_coverage_restore (RelayCoverage *self, const char *channel, gint64 since_usec)
{
  Entry *entry = g_hash_table_lookup (self->entries, channel);

  g_return_if_fail (since_usec > 0);

  relay_coverage_follow_clock (self);
  if (entry == NULL) {
    entry = entry_add (self, channel);
    entry->since_usec = since_usec;
    entry->cause = RELAY_GAP_CAUSE_RESTARTED;
  } else if (entry->told_since_usec != 0) {
    entry->told_since_usec = MIN (entry->told_since_usec, since_usec);
  } else if (entry->since_usec != RELAY_COVERAGE_ACTIVE) {
    entry->since_usec = MIN (entry->since_usec, since_usec);
  } else {
    const RelayChannel *known = relay_subscriptions_lookup (self->subscriptions, channel);

    set_closed (self, entry, since_usec, known != NULL ? known->active_since_usec : since_usec, RELAY_GAP_CAUSE_RESTARTED);
  }
}

void
relay_coverage_set_alive (RelayCoverage *self, gint64 realtime_usec)
{
  relay_coverage_follow_clock (self);
  self->alive_usec = MAX (realtime_usec, 1); /* 0 says that a channel is heard */
}

void
relay_coverage_set_cause (RelayCoverage *self, const char *cause)
{
  self->cause = cause;
}

gint64
relay_coverage_get_since (RelayCoverage *self, const char *channel)
{
  const Entry *entry = g_hash_table_lookup (self->entries, channel);

  return entry != NULL ? get_since (entry) : RELAY_COVERAGE_NEVER;
}
