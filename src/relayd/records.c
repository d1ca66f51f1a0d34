/* SPDX-License-Identifier: MIT */
#include "relayd/records.h"

#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/turn.h"

/*
 * A commit that fails loses nothing: the store keeps everything for the next one, which may be made at any time, since the
 * store sees to it that it does not try too often. So there is one with each turn that has something to store, as ever, and
 * one in a while if nothing happens. What is to be told never waits for more than one of them.
 *
 * A trouble is logged when it begins, becomes another one, or ends; it is shown as long as there is one.
 */
struct RelayRecords {
  RelayStore *store;
  RelayStatus *status;
  const RelayRecordsEvents *events;
  gpointer user_data;
  gboolean enabled;    /* is there a history at all? */
  char *file;          /* for the journal */
  GSource *turn, *retry, *aging;
  GSource *settling; /* of what is not stored: told once a turn as well */
  gint64 aging_usec;   /* when the timer is to fire, CLOCK_REALTIME; 0: it is not */
  char *trouble_code;  /* that was logged and is shown; NULL: none */
  gboolean is_failing; /* nothing can be written at present */
  char *history_id;
};

/* ---- trouble ---- */

/* @error: of the commit, NULL if it went well, or if there was none. */
static void
note_trouble (RelayRecords *records, const GError *error)
{
  const RelayTrouble *trouble = relay_store_get_trouble (records->store);
  gboolean is_failing = error != NULL || !relay_store_is_persistent (records->store);

  if (trouble != NULL && g_strcmp0 (trouble->code, records->trouble_code) != 0)
    relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_CODE", trouble->code, "PRP_FILE", records->file), "%s",
                      trouble->english);
  if (records->is_failing && !is_failing)
    relay_log_fields (LOG_NOTICE, RELAY_LOG_FIELDS ("PRP_FILE", records->file), "The history is stored again");
  records->is_failing = is_failing;

  if (trouble == NULL && records->trouble_code == NULL)
    return;
  relay_status_set_store_error (records->status, trouble != NULL ? trouble->code : "", trouble != NULL ? trouble->text : "");
  g_free (records->trouble_code);
  records->trouble_code = trouble != NULL ? g_strdup (trouble->code) : NULL;
}

/* Another history: another file. */
static gboolean
is_another_file (RelayRecords *records)
{
  const char *id = relay_history_get_id (records->store);

  if (g_strcmp0 (records->history_id, id) == 0)
    return FALSE;
  g_free (records->history_id);
  records->history_id = g_strdup (id);
  return TRUE;
}

/* ---- commits ---- */

/* What is due although nothing happens. */
static void
plan (RelayRecords *records)
{
  gint64 aging_usec = relay_history_get_next_aging (records->store);

  if (records->is_failing)
    relay_turn_arm_in (records->retry, RELAY_RECORDS_RETRY_USEC);
  else
    relay_turn_disarm (records->retry);
  if (aging_usec == records->aging_usec)
    return;
  records->aging_usec = aging_usec;
  if (aging_usec != 0)
    relay_turn_arm_in (records->aging, (guint64) MAX (aging_usec - g_get_real_time (), 0));
  else
    relay_turn_disarm (records->aging);
}

void
relay_records_commit (RelayRecords *records)
{
  gboolean was_failing = records->is_failing;
  g_autoptr (GError) error = NULL;

  records->events->committing (records->user_data);
  relay_turn_disarm (records->turn);
  relay_store_commit (records->store, &error);
  note_trouble (records, error);
  plan (records);
  if (is_another_file (records) || (was_failing && !records->is_failing))
    records->events->recovered (records->user_data);
  records->events->settled (records->user_data);
}

void
relay_records_commit_last (RelayRecords *records)
{
  relay_store_retry (records->store);
  relay_records_commit (records);
}

static void
on_aging (gpointer user_data)
{
  RelayRecords *records = user_data;

  records->aging_usec = 0;
  relay_records_commit (records);
}

static void
on_turn (gpointer user_data)
{
  relay_records_commit (user_data);
}

static void
on_settling (gpointer user_data)
{
  RelayRecords *records = user_data;

  records->events->settled (records->user_data);
}

static void
on_dirty (gpointer user_data)
{
  RelayRecords *records = user_data;

  relay_turn_arm (records->turn);
}

void
relay_records_append (RelayRecords *records, const RelayEvent *event)
{
  if (!records->enabled) {
    relay_turn_arm (records->settling);
    return;
  }
  relay_history_append (records->store, event);
  relay_turn_arm (records->turn);
}

void
relay_records_append_gap (RelayRecords *records, const RelayGap *gap)
{
  g_autofree char *text = relay_gap_to_text (gap);
  RelayJsonReader reader = { 0 };
  RelayEvent event;

  if (!relay_event_read (&event, &reader, text, strlen (text), NULL))
    g_assert_not_reached ();
  event.sequence = gap->sequence;
  event.received_usec = (gint64) gap->until_usec;
  relay_records_append (records, &event);
  relay_json_reader_clear (&reader);
}

gboolean
relay_records_clear (RelayRecords *records, GError **error)
{
  gboolean cleared = relay_history_clear (records->store, error);

  is_another_file (records); /* no, it is not */
  relay_records_commit (records);
  return cleared;
}

static void
set_limits (RelayRecords *records, const RelayHistoryLimits *limits)
{
  records->enabled = limits->max_events > 0;
  relay_history_set_limits (records->store, limits);
}

void
relay_records_configure (RelayRecords *records, const RelayHistoryLimits *limits)
{
  set_limits (records, limits);
  relay_store_acknowledge (records->store);
  relay_records_commit_last (records);
}

RelayStore *
relay_records_get_store (RelayRecords *records)
{
  return records->store;
}

/* ---- life ---- */

RelayRecords *
relay_records_new (const char *directory, const RelayHistoryLimits *limits, RelayStatus *status, const RelayRecordsEvents *events,
                   gpointer user_data)
{
  RelayRecords *records = g_new0 (RelayRecords, 1);

  records->status = status;
  records->events = events;
  records->user_data = user_data;
  records->file = g_build_filename (directory, RELAY_STORE_FILE, NULL);
  records->turn = relay_turn_new ("relay-records", on_turn, records);
  records->retry = relay_turn_new ("relay-records-retry", on_turn, records);
  records->aging = relay_turn_new ("relay-records-aging", on_aging, records);
  records->settling = relay_turn_new ("relay-records-settling", on_settling, records);
  records->store = relay_store_open (directory);
  relay_store_set_dirty (records->store, on_dirty, records);
  set_limits (records, limits);
  is_another_file (records);
  note_trouble (records, NULL);
  plan (records);
  return records;
}

void
relay_records_free (RelayRecords *records)
{
  g_autoptr (GError) error = NULL;

  if (records == NULL)
    return;
  relay_store_retry (records->store);
  relay_store_commit (records->store, &error);
  note_trouble (records, error);
  relay_store_free (records->store);
  relay_turn_free (records->turn);
  relay_turn_free (records->retry);
  relay_turn_free (records->aging);
  relay_turn_free (records->settling);
  g_free (records->file);
  g_free (records->trouble_code);
  g_free (records->history_id);
  g_free (records);
}
