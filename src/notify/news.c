/* SPDX-License-Identifier: MIT */
#include "notify/news.h"

#include <math.h>
#include <string.h>

#include "client/event.h"
#include "common/json-reader.h"

typedef struct {
  const RelayJsonReader *json;
  guint data;
  NotifyNews *news;
} Reading;

/* The text of a value, NULL if it is no string, or an empty one. */
static char *
dup_text (const Reading *reading, guint token)
{
  g_autofree char *text = token != 0 ? relay_json_reader_dup_string (reading->json, token) : NULL;

  return text != NULL && *text != '\0' ? g_steal_pointer (&text) : NULL;
}

static char *
dup_member (const Reading *reading, const char *name)
{
  return dup_text (reading, relay_json_reader_find (reading->json, reading->data, name));
}

static char *
dup_id (const Reading *reading, const char *name)
{
  g_autofree char *id = dup_member (reading, name);

  return id != NULL && strlen (id) <= NOTIFY_NEWS_MAX_ID_BYTES ? g_steal_pointer (&id) : NULL;
}

/* What a member of a PRP is since the change. */
static char *
dup_new (const Reading *reading, guint changes, const char *name)
{
  guint change = relay_json_reader_find (reading->json, changes, name);

  return dup_text (reading, relay_json_reader_find (reading->json, change, "new"));
}

static double
find_number (const Reading *reading, const char *name)
{
  guint token = relay_json_reader_find (reading->json, reading->data, name);

  if (token == 0 || reading->json->tape[token].type < RELAY_JSON_INT64 || reading->json->tape[token].type > RELAY_JSON_DOUBLE)
    return NAN;
  return relay_json_reader_double (reading->json, token);
}

static guint64
find_time (const Reading *reading, const char *name)
{
  guint token = relay_json_reader_find (reading->json, reading->data, name);

  if (token == 0 || reading->json->tape[token].type != RELAY_JSON_INT64)
    return 0;
  return (guint64) MAX (relay_json_reader_int64 (reading->json, token), 0);
}

/* -- the types --------------------------------------------------------------------------------------------------- */

static void
read_created (const Reading *reading)
{
  reading->news->name = dup_member (reading, "name");
  reading->news->status = dup_member (reading, "status");
}

static void
read_updated (const Reading *reading)
{
  guint changes = relay_json_reader_find (reading->json, reading->data, "changes");

  if (changes == 0)
    return;
  reading->news->name = dup_new (reading, changes, "name");
  reading->news->status = dup_new (reading, changes, "status");
  reading->news->priority = dup_new (reading, changes, "priority");
  reading->news->agent_id = dup_new (reading, changes, "assignedAgent");
}

static void
read_status_changed (const Reading *reading)
{
  reading->news->status = dup_member (reading, "newStatus");
  reading->news->kind = notify_kind_of_status (reading->news->status);
}

static void
read_progress (const Reading *reading)
{
  reading->news->progress = find_number (reading, "progress");
  reading->news->task = dup_member (reading, "currentTask");
}

static void
read_error (const Reading *reading)
{
  reading->news->code = dup_member (reading, "code");
  reading->news->reason = dup_member (reading, "message");
}

static void
read_gap (const Reading *reading)
{
  reading->news->since_usec = find_time (reading, "since");
  reading->news->until_usec = find_time (reading, "until");
}

static const struct {
  const char *type;
  NotifyKind kind;
  const char *prp_id; /* the member that says which PRP; NULL: it is about none */
  void (*read_more) (const Reading *reading);
} types[] = {
  { "prp.created", NOTIFY_KIND_CREATED, "id", read_created },
  { "prp.updated", NOTIFY_KIND_UPDATED, "id", read_updated },
  { "prp.status_changed", NOTIFY_KIND_STATUS, "id", read_status_changed },
  { "prp.deleted", NOTIFY_KIND_DELETED, "id", NULL },
  { "agent.assigned", NOTIFY_KIND_ASSIGNED, "prpId", NULL },
  { "agent.progress", NOTIFY_KIND_PROGRESS, "prpId", read_progress },
  { "error", NOTIFY_KIND_ERROR, NULL, read_error },
  { CLIENT_EVENT_GAP_TYPE, NOTIFY_KIND_GAP, NULL, read_gap },
};

/* Of one that is not known: what the ids would be called if it went on as the others do. */
static char *
guess_prp_id (const Reading *reading)
{
  return g_str_has_prefix (reading->news->type, "prp.") ? dup_id (reading, "id") : dup_id (reading, "prpId");
}

static void
read_data (const Reading *reading)
{
  NotifyNews *news = reading->news;
  gsize i = 0;

  while (i < G_N_ELEMENTS (types) && !g_str_equal (types[i].type, news->type))
    i++;
  news->project_id = dup_id (reading, "projectId");
  news->agent_id = dup_id (reading, "agentId");
  news->priority = dup_member (reading, "priority");
  news->reason = dup_member (reading, "reason");
  if (i == G_N_ELEMENTS (types)) {
    news->kind = NOTIFY_KIND_OTHER;
    news->prp_id = guess_prp_id (reading);
    return;
  }
  news->kind = types[i].kind;
  news->prp_id = types[i].prp_id != NULL ? dup_id (reading, types[i].prp_id) : NULL;
  if (types[i].read_more != NULL)
    types[i].read_more (reading);
}

/* Which PRP it is about is the least that has to be known of what is known to be about one. */
static gboolean
is_nobodys (const NotifyNews *news)
{
  return news->prp_id == NULL && news->kind != NOTIFY_KIND_OTHER && news->kind != NOTIFY_KIND_ERROR &&
         news->kind != NOTIFY_KIND_GAP;
}

NotifyNews *
notify_news_read (const char *json)
{
  g_autoptr (NotifyNews) news = g_new0 (NotifyNews, 1);
  RelayJsonReader reader = { 0 };
  Reading reading = { .json = &reader, .news = news };

  news->progress = NAN;
  if (relay_json_reader_read (&reader, json, strlen (json), NULL)) {
    guint type = relay_json_reader_find (&reader, 0, "type");

    reading.data = relay_json_reader_find (&reader, 0, "data");
    news->type = type != 0 ? relay_json_reader_dup_string (&reader, type) : NULL;
    if (news->type != NULL)
      read_data (&reading);
  }
  relay_json_reader_clear (&reader);
  return news->type != NULL && !is_nobodys (news) ? g_steal_pointer (&news) : NULL;
}

void
notify_news_free (NotifyNews *news)
{
  if (news == NULL)
    return;
  g_free (news->type);
  g_free (news->prp_id);
  g_free (news->project_id);
  g_free (news->agent_id);
  g_free (news->name);
  g_free (news->status);
  g_free (news->priority);
  g_free (news->reason);
  g_free (news->task);
  g_free (news->code);
  g_free (news);
}

NotifyKind
notify_kind_of_status (const char *status)
{
  static const char *const good[] = { "completed", "complete", "done", "finished", "succeeded", NULL };
  static const char *const bad[] = { "failed", "error", "aborted", NULL };
  g_autofree char *lower = status != NULL ? g_ascii_strdown (status, -1) : NULL;

  if (lower != NULL && g_strv_contains (good, lower))
    return NOTIFY_KIND_COMPLETED;
  if (lower != NULL && g_strv_contains (bad, lower))
    return NOTIFY_KIND_FAILED;
  return NOTIFY_KIND_STATUS;
}
