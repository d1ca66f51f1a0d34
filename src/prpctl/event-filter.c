/* SPDX-License-Identifier: MIT */
#include "prpctl/event-filter.h"

#include <fnmatch.h>
#include <string.h>

struct PrpctlEventFilter {
  char **types, **channels;
  char *prp, *agent, *project;
  GHashTable *projects; /* PRP → its project */
};

PrpctlEventFilter *
prpctl_event_filter_new (const char *const *types, const char *prp, const char *agent, const char *project,
                         const char *const *channels)
{
  PrpctlEventFilter *filter = g_new0 (PrpctlEventFilter, 1);

  filter->types = g_strdupv ((char **) types);
  filter->channels = g_strdupv ((char **) channels);
  filter->prp = g_strdup (prp);
  filter->agent = g_strdup (agent);
  filter->project = g_strdup (project);
  filter->projects = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return filter;
}

void
prpctl_event_filter_free (PrpctlEventFilter *filter)
{
  if (filter == NULL)
    return;
  g_strfreev (filter->types);
  g_strfreev (filter->channels);
  g_free (filter->prp);
  g_free (filter->agent);
  g_free (filter->project);
  g_hash_table_unref (filter->projects);
  g_free (filter);
}

/* Also the id of the PRP where the event names its project only by it; "" if that is not known. */
static const char *
find_project (PrpctlEventFilter *filter, const PrpctlEventFields *fields)
{
  const char *prp = fields->values[PRPCTL_FIELD_PRP], *project = fields->values[PRPCTL_FIELD_PROJECT];
  const char *known;

  if (*prp == '\0')
    return project;
  if (*project == '\0') {
    known = g_hash_table_lookup (filter->projects, prp);
    return known != NULL ? known : "";
  }
  /* Beginning anew costs no more than showing too much for a while. */
  if (g_hash_table_size (filter->projects) >= PRPCTL_EVENT_FILTER_MAX_KNOWN_PRPS)
    g_hash_table_remove_all (filter->projects);
  g_hash_table_replace (filter->projects, g_strdup (prp), g_strdup (project));
  return project;
}

static gboolean
matches_type (char **types, const char *type)
{
  if (types == NULL)
    return TRUE;
  for (guint i = 0; types[i] != NULL; i++)
    if (fnmatch (types[i], type, 0) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_listed (const char *channels, const char *channel)
{
  g_auto (GStrv) list = g_strsplit (channels, " ", -1);

  return g_strv_contains ((const char *const *) list, channel);
}

/* Could it have come on @channel? */
static gboolean
concerns (const char *channel, const PrpctlEventFields *fields, const char *project)
{
  const char *prp = fields->values[PRPCTL_FIELD_PRP], *agent = fields->values[PRPCTL_FIELD_AGENT];
  const char *listed = fields->values[PRPCTL_FIELD_CHANNELS];
  const char *id = strchr (channel, ':');

  /* A gap names the channels itself. */
  if (*listed != '\0')
    return is_listed (listed, channel);
  if (id == NULL)
    return TRUE;
  id++;
  if (g_str_has_prefix (channel, "prp:"))
    return g_str_equal (prp, id) || (*prp == '\0' && *agent == '\0' && *project == '\0');
  if (g_str_has_prefix (channel, "agent:"))
    return g_str_equal (agent, id) || (*prp == '\0' && *agent == '\0' && *project == '\0');
  if (g_str_has_prefix (channel, "project:"))
    return *project == '\0' || g_str_equal (project, id);
  return TRUE; /* of a kind that only the server knows */
}

static gboolean
is_wanted (const char *wanted, const char *id)
{
  return wanted == NULL || g_str_equal (wanted, id);
}

gboolean
prpctl_event_filter_pass (PrpctlEventFilter *filter, const PrpctlEventFields *fields)
{
  const char *project = find_project (filter, fields);
  gboolean is_concerned = filter->channels == NULL;

  for (guint i = 0; filter->channels != NULL && filter->channels[i] != NULL && !is_concerned; i++)
    is_concerned = concerns (filter->channels[i], fields, project);
  return is_concerned && matches_type (filter->types, fields->values[PRPCTL_FIELD_EVENT_TYPE]) &&
         is_wanted (filter->prp, fields->values[PRPCTL_FIELD_PRP]) &&
         is_wanted (filter->agent, fields->values[PRPCTL_FIELD_AGENT]) && is_wanted (filter->project, project);
}
