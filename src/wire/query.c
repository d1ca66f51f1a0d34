/* SPDX-License-Identifier: MIT */
#include "wire/query.h"

#include <fnmatch.h>
#include <string.h>

/*
 * What an event is about is said in two ways: an event of the thing itself (prp.updated) has the thing's id as
 * data.id, any other (agent.progress) names it by a member of its own (data.prpId). The member of its own comes
 * first, as it can mean nothing else.
 */
static const struct {
  const char *member; /* of data */
  const char *prefix; /* of the types whose data.id it is */
} subjects[RELAY_N_SUBJECTS] = {
  [RELAY_SUBJECT_PRP] = { "prpId", "prp." },
  [RELAY_SUBJECT_AGENT] = { "agentId", "agent." },
  [RELAY_SUBJECT_PROJECT] = { "projectId", "project." },
};

/* Of a type, this much is compared with globs: what that can cost is bounded, and no type of any sense is
 * longer. */
#define MAX_TYPE_BYTES 255

static guint
find_string (const RelayEvent *event, const char *member)
{
  guint token = relay_event_find (event, member);

  return token != 0 && event->reader->tape[token].type == RELAY_JSON_STRING ? token : 0;
}

/* The value of the event's type, cut at MAX_TYPE_BYTES. */
static void
copy_type (const RelayEvent *event, char ret_type[MAX_TYPE_BYTES + 1])
{
  const RelayJsonToken *token = &event->reader->tape[event->type];

  if ((token->flags & RELAY_JSON_COOKED) != 0) {
    g_autofree char *cooked = relay_json_reader_dup_string (event->reader, event->type);

    g_strlcpy (ret_type, cooked, MAX_TYPE_BYTES + 1);
  } else {
    gsize length = MIN (token->end - token->start, MAX_TYPE_BYTES);

    memcpy (ret_type, event->reader->text + token->start, length);
    ret_type[length] = '\0';
  }
}

guint
relay_event_find_subject (const RelayEvent *event, RelaySubject subject)
{
  char type[MAX_TYPE_BYTES + 1];
  guint token;

  g_assert (subject < RELAY_N_SUBJECTS);
  if (event->data == 0)
    return 0;
  token = find_string (event, subjects[subject].member);
  if (token != 0)
    return token;
  copy_type (event, type);
  return g_str_has_prefix (type, subjects[subject].prefix) ? find_string (event, "id") : 0;
}

const char *
relay_query_get_subject (const RelayQuery *query, RelaySubject subject)
{
  switch (subject) {
  case RELAY_SUBJECT_PRP:
    return query->prp;
  case RELAY_SUBJECT_AGENT:
    return query->agent;
  case RELAY_SUBJECT_PROJECT:
    return query->project;
  case RELAY_N_SUBJECTS:
    break;
  }
  g_assert_not_reached ();
}

gboolean
relay_query_matches_type (const RelayQuery *query, const char *type)
{
  if (query->types == NULL)
    return TRUE;
  for (char **glob = query->types; *glob != NULL; glob++)
    if (fnmatch (*glob, type, 0) == 0)
      return TRUE;
  return FALSE;
}

gboolean
relay_query_matches (const RelayQuery *query, const RelayEvent *event)
{
  char type[MAX_TYPE_BYTES + 1];

  if (event->sequence <= query->after || event->received_usec < query->since_usec)
    return FALSE;
  for (RelaySubject subject = 0; subject < RELAY_N_SUBJECTS; subject++) {
    const char *wanted = relay_query_get_subject (query, subject);
    guint token = wanted != NULL ? relay_event_find_subject (event, subject) : 0;

    if (wanted != NULL && (token == 0 || !relay_json_reader_string_equal (event->reader, token, wanted)))
      return FALSE;
  }
  if (query->types == NULL)
    return TRUE;
  copy_type (event, type);
  return relay_query_matches_type (query, type);
}

void
relay_query_clear (RelayQuery *query)
{
  g_strfreev (query->types);
  g_free (query->prp);
  g_free (query->agent);
  g_free (query->project);
  *query = (RelayQuery){ 0 };
}
