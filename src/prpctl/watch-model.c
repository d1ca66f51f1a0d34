/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-model.h"

#include <string.h>

#include "common/json-reader.h"

/*
 * A row per PRP, found by its id, and an array of all rows that is put in order when it is asked for: events come
 * by the thousand, somebody looks ten times a second.
 *
 * An event about a PRP that is not known makes a row: the history may begin in the middle of a PRP's life. What the
 * event does not say stays as it was.
 *
 * Bounded: so many rows, each with strings that are cut off. Where there are more, the last ones of the order go.
 */

#define MAX_FIELD_BYTES 400
#define MAX_ID_BYTES 1024   /* a longer one cannot be cut off without being taken for another: not shown */
#define MAX_ROWS_OVER 250   /* that many more are let in before the order is made to find out which go */

struct PrpctlWatchModel {
  RelayJsonReader reader;
  GHashTable *by_id;   /* id, the row's own → row */
  GPtrArray *rows;     /* owns them */
  guint counts[PRPCTL_WATCH_N_RANKS];
  guint64 n_events;
  guint64 newest_usec;
  guint64 expiry_usec; /* no row is to be forgotten before */
  guint64 gap_since_usec, gap_until_usec;
  gboolean is_sorted;
  gboolean is_cut;
};

static void
row_free (PrpctlWatchRow *row)
{
  g_free (row->id);
  g_free (row->name);
  g_free (row->project);
  g_free (row->status);
  g_free (row->priority);
  g_free (row->agent);
  g_free (row->task);
  g_free (row);
}

static PrpctlWatchRow *
row_copy (const PrpctlWatchRow *row)
{
  PrpctlWatchRow *copy = g_new (PrpctlWatchRow, 1);

  *copy = *row;
  copy->id = g_strdup (row->id);
  copy->name = g_strdup (row->name);
  copy->project = g_strdup (row->project);
  copy->status = g_strdup (row->status);
  copy->priority = g_strdup (row->priority);
  copy->agent = g_strdup (row->agent);
  copy->task = g_strdup (row->task);
  return copy;
}

PrpctlWatchModel *
prpctl_watch_model_new (void)
{
  PrpctlWatchModel *model = g_new0 (PrpctlWatchModel, 1);

  model->by_id = g_hash_table_new (g_str_hash, g_str_equal);
  model->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) row_free);
  model->expiry_usec = G_MAXUINT64;
  model->is_sorted = TRUE;
  return model;
}

void
prpctl_watch_model_free (PrpctlWatchModel *model)
{
  if (model == NULL)
    return;
  g_hash_table_unref (model->by_id);
  g_ptr_array_unref (model->rows);
  relay_json_reader_clear (&model->reader);
  g_free (model);
}

/* -- rows -------------------------------------------------------------------------------------------------------- */

static gboolean
is_one_of (const char *status, const char *const *words)
{
  for (; *words != NULL; words++)
    if (g_ascii_strcasecmp (status, *words) == 0)
      return TRUE;
  return FALSE;
}

/* The service documents pending, active and completed, and may have others. */
static PrpctlWatchRank
find_rank (const PrpctlWatchRow *row)
{
  static const char *const finished[] = { "completed", "complete",  "done",     "finished", "succeeded", "merged",
                                          "closed",    "cancelled", "canceled", "failed",   "rejected",  "archived",
                                          NULL };
  static const char *const waiting[] = { "pending", "draft", "queued", "waiting", "new", "open", "planned", NULL };

  if (is_one_of (row->status, finished))
    return PRPCTL_WATCH_FINISHED;
  if (is_one_of (row->status, waiting) && row->progress <= 0)
    return PRPCTL_WATCH_WAITING;
  return PRPCTL_WATCH_WORKING;
}

static void
set_rank (PrpctlWatchModel *model, PrpctlWatchRow *row, PrpctlWatchRank rank)
{
  if (row->rank == rank)
    return;
  model->counts[row->rank]--;
  model->counts[rank]++;
  row->rank = rank;
  model->is_sorted = FALSE;
}

/* Rank, then newest. */
static int
compare_rows (gconstpointer a, gconstpointer b)
{
  const PrpctlWatchRow *first = *(const PrpctlWatchRow *const *) a, *second = *(const PrpctlWatchRow *const *) b;

  if (first->rank != second->rank)
    return first->rank < second->rank ? -1 : 1;
  return first->moved > second->moved ? -1 : first->moved < second->moved;
}

static void
sort_rows (PrpctlWatchModel *model)
{
  if (!model->is_sorted)
    g_ptr_array_sort (model->rows, compare_rows);
  model->is_sorted = TRUE;
}

static void
forget_row (PrpctlWatchModel *model, guint index)
{
  PrpctlWatchRow *row = g_ptr_array_index (model->rows, index);

  model->counts[row->rank]--;
  g_hash_table_remove (model->by_id, row->id);
  g_ptr_array_remove_index (model->rows, index);
}

static void
cut_rows (PrpctlWatchModel *model)
{
  if (model->rows->len <= PRPCTL_WATCH_MAX_ROWS + MAX_ROWS_OVER)
    return;
  sort_rows (model);
  while (model->rows->len > PRPCTL_WATCH_MAX_ROWS) {
    const PrpctlWatchRow *last = g_ptr_array_index (model->rows, model->rows->len - 1);

    model->is_cut |= last->rank < PRPCTL_WATCH_FINISHED;
    forget_row (model, model->rows->len - 1);
  }
}

/* Takes over @id. */
static PrpctlWatchRow *
add_row (PrpctlWatchModel *model, char *id)
{
  PrpctlWatchRow *row = g_new0 (PrpctlWatchRow, 1);

  row->id = id;
  row->name = g_strdup ("");
  row->project = g_strdup ("");
  row->status = g_strdup ("");
  row->priority = g_strdup ("");
  row->agent = g_strdup ("");
  row->task = g_strdup ("");
  row->progress = -1;
  row->rank = PRPCTL_WATCH_WORKING;
  row->moved = model->n_events;
  model->counts[row->rank]++;
  model->is_sorted = FALSE;
  g_hash_table_insert (model->by_id, row->id, row);
  g_ptr_array_add (model->rows, row);
  return row;
}

/* -- events ------------------------------------------------------------------------------------------------------ */

typedef struct {
  PrpctlWatchModel *model;
  const RelayJsonReader *json;
  guint data;
  guint64 received_usec;
} Telling;

static void
set_field (char **field, const RelayJsonReader *json, guint token)
{
  char *text;

  if (token == 0)
    return;
  text = relay_json_reader_dup_string (json, token);
  if (text == NULL && json->tape[token].type == RELAY_JSON_NULL)
    text = g_strdup ("");
  if (text == NULL)
    return;
  if (strlen (text) > MAX_FIELD_BYTES)
    *g_utf8_find_prev_char (text, text + MAX_FIELD_BYTES + 1) = '\0';
  g_free (*field);
  *field = text;
}

static void
take (const Telling *telling, char **field, const char *member)
{
  set_field (field, telling->json, relay_json_reader_find (telling->json, telling->data, member));
}

static void
set_progress (PrpctlWatchRow *row, const RelayJsonReader *json, guint token)
{
  if (token != 0 && json->tape[token].type >= RELAY_JSON_INT64 && json->tape[token].type <= RELAY_JSON_DOUBLE)
    row->progress = CLAMP (relay_json_reader_double (json, token), 0, 100);
}

typedef enum {
  MAKE,   /* if it is not known */
  REVIVE, /* likewise, or if it was deleted */
  FIND,
} HowToFind;

/* The row of the PRP whose id `data.@member` is, or NULL. */
static PrpctlWatchRow *
find_row (const Telling *telling, const char *member, HowToFind how)
{
  guint token = relay_json_reader_find (telling->json, telling->data, member);
  g_autofree char *id = token != 0 ? relay_json_reader_dup_string (telling->json, token) : NULL;
  PrpctlWatchRow *row;

  if (id == NULL || *id == '\0' || strlen (id) > MAX_ID_BYTES)
    return NULL;
  row = g_hash_table_lookup (telling->model->by_id, id);
  if (row == NULL)
    return how != FIND ? add_row (telling->model, g_steal_pointer (&id)) : NULL;
  return row->rank != PRPCTL_WATCH_DELETED || how == REVIVE ? row : NULL;
}

/* @row was changed by the event. */
static gboolean
changed (const Telling *telling, PrpctlWatchRow *row, gboolean moves)
{
  PrpctlWatchModel *model = telling->model;

  row->changed_usec = telling->received_usec;
  set_rank (model, row, find_rank (row));
  if (moves) {
    row->moved = model->n_events;
    model->is_sorted = FALSE;
  }
  return TRUE;
}

static gboolean
prp_created (const Telling *telling)
{
  PrpctlWatchRow *row = find_row (telling, "id", REVIVE);

  if (row == NULL)
    return FALSE;
  take (telling, &row->name, "name");
  take (telling, &row->project, "projectId");
  take (telling, &row->status, "status");
  take (telling, &row->priority, "priority");
  return changed (telling, row, TRUE);
}

/* The value that `changes.@member` says it has now; 0 if it did not change. */
static guint
find_new (const RelayJsonReader *json, guint changes, const char *member)
{
  guint change = relay_json_reader_find (json, changes, member);

  return change != 0 ? relay_json_reader_find (json, change, "new") : 0;
}

static gboolean
prp_updated (const Telling *telling)
{
  PrpctlWatchRow *row = find_row (telling, "id", MAKE);
  guint changes = relay_json_reader_find (telling->json, telling->data, "changes");
  const RelayJsonReader *json = telling->json;

  if (row == NULL)
    return FALSE;
  if (changes != 0 && json->tape[changes].type == RELAY_JSON_OBJECT) {
    const struct {
      const char *member;
      char **field;
    } fields[] = {
      { "name", &row->name },         { "projectId", &row->project },   { "status", &row->status },
      { "priority", &row->priority }, { "assignedAgent", &row->agent },
    };

    for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
      set_field (fields[i].field, json, find_new (json, changes, fields[i].member));
    set_progress (row, json, find_new (json, changes, "progress"));
  }
  return changed (telling, row, TRUE);
}

static gboolean
prp_status_changed (const Telling *telling)
{
  PrpctlWatchRow *row = find_row (telling, "id", MAKE);

  if (row == NULL)
    return FALSE;
  take (telling, &row->status, "newStatus");
  return changed (telling, row, TRUE);
}

static gboolean
prp_deleted (const Telling *telling)
{
  PrpctlWatchModel *model = telling->model;
  PrpctlWatchRow *row = find_row (telling, "id", FIND);

  if (row == NULL)
    return FALSE;
  changed (telling, row, TRUE);
  set_rank (model, row, PRPCTL_WATCH_DELETED);
  model->expiry_usec = MIN (model->expiry_usec, row->changed_usec + PRPCTL_WATCH_DELETED_USEC);
  return TRUE;
}

static gboolean
agent_assigned (const Telling *telling)
{
  PrpctlWatchRow *row = find_row (telling, "prpId", MAKE);

  if (row == NULL)
    return FALSE;
  take (telling, &row->agent, "agentId");
  take (telling, &row->priority, "priority");
  return changed (telling, row, TRUE);
}

static gboolean
agent_progress (const Telling *telling)
{
  PrpctlWatchRow *row = find_row (telling, "prpId", MAKE);

  if (row == NULL)
    return FALSE;
  take (telling, &row->agent, "agentId");
  take (telling, &row->task, "currentTask");
  set_progress (row, telling->json, relay_json_reader_find (telling->json, telling->data, "progress"));
  return changed (telling, row, FALSE);
}

static guint64
find_time (const Telling *telling, const char *member)
{
  guint token = relay_json_reader_find (telling->json, telling->data, member);

  if (token == 0 || telling->json->tape[token].type != RELAY_JSON_INT64)
    return 0;
  return (guint64) MAX (relay_json_reader_int64 (telling->json, token), 0);
}

static gboolean
gap (const Telling *telling)
{
  prpctl_watch_model_set_gap (telling->model, find_time (telling, "since"), find_time (telling, "until"));
  return TRUE;
}

gboolean
prpctl_watch_model_apply (PrpctlWatchModel *model, const char *json, guint64 received_usec)
{
  static const struct {
    const char *type;
    gboolean (*apply) (const Telling *telling);
  } types[] = {
    { "agent.progress", agent_progress }, { "prp.created", prp_created }, { "prp.updated", prp_updated },
    { "prp.status_changed", prp_status_changed }, { "prp.deleted", prp_deleted },
    { "agent.assigned", agent_assigned }, { "relay.gap", gap },
  };
  Telling telling = { .model = model, .json = &model->reader, .received_usec = received_usec };
  guint type;

  if (!relay_json_reader_read (&model->reader, json, strlen (json), NULL))
    return FALSE;
  model->n_events++;
  model->newest_usec = MAX (model->newest_usec, received_usec);
  type = relay_json_reader_find (&model->reader, 0, "type");
  telling.data = relay_json_reader_find (&model->reader, 0, "data");
  if (type == 0 || telling.data == 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (relay_json_reader_string_equal (&model->reader, type, types[i].type)) {
      gboolean has_changed = types[i].apply (&telling);

      cut_rows (model);
      return has_changed;
    }
  return FALSE;
}

/* -- what is known ----------------------------------------------------------------------------------------------- */

gboolean
prpctl_watch_model_expire (PrpctlWatchModel *model, guint64 now_usec)
{
  guint n_before = model->rows->len;
  guint64 expiry_usec = G_MAXUINT64;

  if (now_usec < model->expiry_usec)
    return FALSE;
  for (guint i = model->rows->len; i > 0; i--) {
    const PrpctlWatchRow *row = g_ptr_array_index (model->rows, i - 1);

    if (row->rank != PRPCTL_WATCH_DELETED)
      continue;
    if (row->changed_usec + PRPCTL_WATCH_DELETED_USEC <= now_usec)
      forget_row (model, i - 1);
    else
      expiry_usec = MIN (expiry_usec, row->changed_usec + PRPCTL_WATCH_DELETED_USEC);
  }
  model->expiry_usec = expiry_usec;
  return model->rows->len != n_before;
}

guint64
prpctl_watch_model_get_expiry (const PrpctlWatchModel *model)
{
  return model->expiry_usec;
}

const GPtrArray *
prpctl_watch_model_get_rows (PrpctlWatchModel *model)
{
  sort_rows (model);
  return model->rows;
}

guint
prpctl_watch_model_count (const PrpctlWatchModel *model, PrpctlWatchRank rank)
{
  return model->counts[rank];
}

gboolean
prpctl_watch_model_is_cut (const PrpctlWatchModel *model)
{
  return model->is_cut;
}

void
prpctl_watch_model_get_gap (const PrpctlWatchModel *model, guint64 *ret_since_usec, guint64 *ret_until_usec)
{
  *ret_since_usec = model->gap_since_usec;
  *ret_until_usec = model->gap_until_usec;
}

void
prpctl_watch_model_set_gap (PrpctlWatchModel *model, guint64 since_usec, guint64 until_usec)
{
  model->gap_since_usec = since_usec;
  model->gap_until_usec = until_usec;
}

guint64
prpctl_watch_model_get_newest (const PrpctlWatchModel *model)
{
  return model->newest_usec;
}

GPtrArray *
prpctl_watch_model_dup_rows (PrpctlWatchModel *model)
{
  GPtrArray *copies = g_ptr_array_new_full (model->rows->len, (GDestroyNotify) row_free);

  sort_rows (model);
  for (guint i = 0; i < model->rows->len; i++)
    g_ptr_array_add (copies, row_copy (g_ptr_array_index (model->rows, i)));
  return copies;
}
