/* SPDX-License-Identifier: MIT */
#include "prpctl/complete.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "prpctl/channel.h"
#include "prpctl/completion.h"
#include "prpctl/event-fields.h"
#include "prpctl/history-call.h"
#include "prpctl/text.h"

#define TIMEOUT_USEC ((guint64) G_USEC_PER_SEC)
#define MAX_EVENTS 500     /* of the history, the newest, that words are taken from */
#define MAX_WORDS 200      /* more help nobody */
#define WORD_MAX_BYTES 255 /* as a channel */
#define DESCRIPTION_MAX_CHARS 60

typedef struct {
  PrpctlCompletion place;
  const char *last_word;
  PrpctlClient *client; /* NULL: there is no bus, or it was asked once in vain */
  GString *out;
  GHashTable *seen; /* words that are written, or are not to be */
  guint n_words;
} Completion;

/* What a shell would take for more than a word is left out: a server could lead somebody to run it. */
static gboolean
is_plain (const char *word)
{
  if (*word == '\0' || strlen (word) > WORD_MAX_BYTES)
    return FALSE;
  for (const char *c = word; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr ("_-.:/@+,=%", *c) == NULL)
      return FALSE;
  return TRUE;
}

static void
add (Completion *completion, const char *word, const char *description)
{
  g_autofree char *safe = prpctl_text_make_safe (description, DESCRIPTION_MAX_CHARS);

  if (!is_plain (word) || !g_str_has_prefix (word, completion->place.begun) || completion->n_words == MAX_WORDS ||
      !g_hash_table_add (completion->seen, g_strdup (word)))
    return;
  completion->n_words++;
  g_string_append_len (completion->out, completion->last_word, (gssize) completion->place.prefix_bytes);
  g_string_append_printf (completion->out, "%s\t%s\n", word, safe);
}

/* -- what the program knows itself ------------------------------------------------------------------------------- */

static void
add_commands (Completion *completion)
{
  const PrpctlVerbWords *verb;

  for (guint i = 0; (verb = prpctl_verbs_get (i)) != NULL; i++)
    if (verb->summary != NULL)
      add (completion, verb->name, _(verb->summary));
}

/* Of the verb that is there already, or of any. */
static void
add_options (Completion *completion)
{
  const PrpctlVerbWords *verb = completion->place.verb;

  for (const PrpctlOption *option = prpctl_option_table_get (); option->name != NULL; option++) {
    g_autofree char *name = g_strdup_printf ("--%s", option->name);
    g_autofree char *letter = option->letter != '\0' ? g_strdup_printf ("-%c", option->letter) : NULL;

    if (verb != NULL && (option->flag & (verb->options | PRPCTL_OPTIONS_OF_ALL)) == 0)
      continue;
    add (completion, name, _(option->summary));
    if (letter != NULL && *completion->place.begun != '\0' && completion->place.begun[1] != '\0')
      add (completion, letter, _(option->summary));
  }
}

static void
add_times (Completion *completion)
{
  static const char *const times[] = { "1h", "1d", "1w", "today", "yesterday", "now" };

  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    add (completion, times[i], "");
}

/* -- what the relay knows ---------------------------------------------------------------------------------------- */

/* Channels that there are; with @durable, those that a subscription is for. */
static void
add_channels (Completion *completion, gboolean durable)
{
  g_autoptr (GPtrArray) channels =
    completion->client != NULL ? prpctl_channels_get (completion->client, NULL) : NULL;

  if (channels == NULL)
    completion->client = NULL;
  for (guint i = 0; channels != NULL && i < channels->len; i++) {
    const PrpctlChannel *channel = channels->pdata[i];

    if (channel->durable || !durable)
      add (completion, channel->name, channel->state);
  }
}

/* Asks for the newest events; NULL where there are none to be had. */
static sd_bus_message *
list_events (Completion *completion)
{
  ClientHistoryQuery query = { .newest = TRUE, .limit = MAX_EVENTS };
  g_autoptr (sd_bus_message) call =
    completion->client != NULL ? prpctl_history_new_list (completion->client, &query, NULL) : NULL;
  g_autoptr (sd_bus_message) reply = call != NULL ? prpctl_client_call (completion->client, call, NULL) : NULL;

  if (reply == NULL || client_history_enter_list (reply) < 0) {
    completion->client = NULL;
    return NULL;
  }
  return g_steal_pointer (&reply);
}

/* The events' values of @field, as words with @prefix in front. What they are is told by @description of the last event
 * that says so. */
static void
add_field (Completion *completion, PrpctlField field, const char *prefix, PrpctlField description)
{
  g_autoptr (sd_bus_message) events = list_events (completion);
  g_autoptr (GHashTable) descriptions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  ClientEvent event = { 0 };

  while (events != NULL && client_history_read_event (events, &event) > 0) {
    g_auto (PrpctlEventFields) fields = { 0 };
    g_autofree char *word = NULL;
    char *told;

    prpctl_event_fields_read (&fields, &event);
    client_event_clear (&event);
    if (*fields.values[field] == '\0')
      continue;
    word = g_strconcat (prefix, fields.values[field], NULL);
    told = fields.values[description];
    if (!g_hash_table_contains (descriptions, word)) {
      char *key = g_steal_pointer (&word);

      g_hash_table_insert (descriptions, key, g_strdup (told));
      g_ptr_array_add (words, key);
    } else if (*told != '\0') {
      g_hash_table_insert (descriptions, g_steal_pointer (&word), g_strdup (told)); /* keeps the key */
    }
  }
  /* The newest first: those are the ones somebody means. */
  for (guint i = words->len; i > 0; i--)
    add (completion, words->pdata[i - 1], g_hash_table_lookup (descriptions, words->pdata[i - 1]));
}

/* What could be subscribed to, as far as anybody knows. */
static void
add_all_channels (Completion *completion)
{
  add_channels (completion, FALSE);
  add_field (completion, PRPCTL_FIELD_PROJECT, "project:", PRPCTL_FIELD_PROJECT);
  add_field (completion, PRPCTL_FIELD_AGENT, "agent:", PRPCTL_FIELD_TASK);
  add_field (completion, PRPCTL_FIELD_PRP, "prp:", PRPCTL_FIELD_NAME);
}

static void
add_types (Completion *completion)
{
  static const char *const known[] = { "prp.created", "prp.updated", "prp.status_changed", "prp.deleted", "agent.assigned",
                                       "agent.progress", "error", CLIENT_EVENT_GAP_TYPE };

  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    add (completion, known[i], "");
  add_field (completion, PRPCTL_FIELD_EVENT_TYPE, "", PRPCTL_FIELD_EVENT_TYPE);
}

static void
add_cursors (Completion *completion)
{
  g_autoptr (sd_bus_message) get = completion->client != NULL ? prpctl_history_new_get_all (completion->client, NULL) : NULL;
  g_autoptr (sd_bus_message) reply = get != NULL ? prpctl_client_call (completion->client, get, NULL) : NULL;
  g_auto (ClientHistoryFacts) facts = { 0 };

  add (completion, "start", _("all that the relay has kept"));
  add (completion, "now", _("behind all that the relay has kept"));
  if (reply != NULL && client_history_read_facts (reply, &facts) > 0) {
    g_autofree char *cursor = client_cursor_format (facts.id, facts.last_sequence);

    add (completion, cursor, _("the cursor of now"));
  }
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static void
add_words (Completion *completion)
{
  switch (completion->place.kind) {
  case PRPCTL_WORD_ANY:
    break;
  case PRPCTL_WORD_COMMAND:
    add_commands (completion);
    break;
  case PRPCTL_WORD_OPTION:
    add_options (completion);
    break;
  case PRPCTL_WORD_CHANNEL:
    add_all_channels (completion);
    break;
  case PRPCTL_WORD_DURABLE_CHANNEL:
    add_channels (completion, TRUE);
    break;
  case PRPCTL_WORD_TYPE:
    add_types (completion);
    break;
  case PRPCTL_WORD_PRP:
    add_field (completion, PRPCTL_FIELD_PRP, "", PRPCTL_FIELD_NAME);
    break;
  case PRPCTL_WORD_AGENT:
    add_field (completion, PRPCTL_FIELD_AGENT, "", PRPCTL_FIELD_TASK);
    break;
  case PRPCTL_WORD_PROJECT:
    add_field (completion, PRPCTL_FIELD_PROJECT, "", PRPCTL_FIELD_PROJECT);
    break;
  case PRPCTL_WORD_CURSOR:
    add_cursors (completion);
    break;
  case PRPCTL_WORD_TIME:
    add_times (completion);
    break;
  case PRPCTL_WORD_FILE: /* the shell knows them better */
    g_string_append (completion->out, ":files\n");
    break;
  case PRPCTL_WORD_PROGRAM:
    g_string_append (completion->out, ":programs\n");
    break;
  }
}

gboolean
prpctl_complete (PrpctlRun *run, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *const *words = (const char *const *) run->options->arguments;
  guint n_words = g_strv_length (run->options->arguments);
  g_autoptr (GArray) verbs = g_array_new (TRUE, TRUE, sizeof (PrpctlVerbWords));
  g_autoptr (PrpctlClient) client = prpctl_client_new (run->options, NULL);
  Completion completion = { .out = run->out, .seen = seen, .client = client };

  for (guint i = 0; prpctl_verbs_get (i) != NULL; i++)
    g_array_append_vals (verbs, prpctl_verbs_get (i), 1);
  completion.place = prpctl_completion_find (words, (const PrpctlVerbWords *) (gpointer) verbs->data);
  completion.last_word = n_words > 0 ? words[n_words - 1] : "";
  /* Channels that are there already are not asked for twice. */
  for (guint i = 0; i + 1 < n_words; i++)
    if (strchr (words[i], ':') != NULL)
      g_hash_table_add (seen, g_strdup (words[i]));
  if (client != NULL) {
    client->no_start = TRUE;
    client->timeout_usec = TIMEOUT_USEC;
  }
  add_words (&completion);
  return TRUE;
}
