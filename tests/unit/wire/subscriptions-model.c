/* SPDX-License-Identifier: MIT */
#include "subscriptions-model.h"

gboolean
roll (Model *m, double chance)
{
  return g_rand_double (m->rand) < chance;
}

guint
pick (Model *m, guint n)
{
  return (guint) g_rand_int_range (m->rand, 0, (gint32) n);
}

const char *
name_of (guint i)
{
  static char names[N_NAMES][16];

  if (names[i][0] == '\0')
    g_snprintf (names[i], sizeof names[i], "%s:%u", i % 7 == 3 ? "bad" : "good", i);
  return names[i];
}

gboolean
is_bad (const char *name)
{
  return g_str_has_prefix (name, "bad:");
}

void
answer_free (Answer *answer)
{
  g_strfreev (answer->confirmed);
  g_free (answer->id);
  g_free (answer->message);
  g_free (answer);
}

/* ---- the server ---- */

static void
answer_error (Model *m, const RelayRequest *request, const char *code, const char *culprit)
{
  Answer *answer = g_new0 (Answer, 1);

  if (culprit != NULL && m->character.names_innocent && roll (m, 0.5))
    culprit = name_of (pick (m, N_NAMES));
  answer->id = m->character.is_anonymous ? NULL : g_strdup (request->id);
  answer->action = request->subscribe ? "subscribe" : "unsubscribe";
  answer->code = code;
  if (culprit != NULL && m->character.names_culprit)
    answer->message = g_strdup_printf ("Channel '%s' does not exist", culprit);
  else
    answer->message = g_strdup ("No");
  g_queue_push_tail (&m->answers, answer);
}

static void
answer_names (Model *m, GPtrArray *names)
{
  Answer *answer = g_new0 (Answer, 1);

  g_ptr_array_add (names, NULL);
  answer->confirmed = g_strdupv ((char **) names->pdata);
  g_ptr_array_set_size (names, 0);
  g_queue_push_tail (&m->answers, answer);
}

static void
answer_confirmed (Model *m, GPtrArray *names)
{
  g_autoptr (GPtrArray) part = g_ptr_array_new ();
  guint n = names->len;

  if (m->character.confirms_total) {
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init (&iter, m->held);
    while (g_hash_table_iter_next (&iter, &name, NULL))
      g_ptr_array_add (part, name);
    answer_names (m, part);
    return;
  }
  if (!m->character.confirms_oddly) {
    if (n > 0)
      answer_names (m, names);
    return;
  }
  for (guint i = 0; i < n; i++) {
    g_ptr_array_add (part, names->pdata[i]);
    if (roll (m, 0.2))
      g_ptr_array_add (part, (gpointer) "nobody:asked");
    if (roll (m, 0.2))
      g_ptr_array_add (part, names->pdata[pick (m, i + 1)]);
    if (roll (m, 0.3))
      answer_names (m, part);
  }
  answer_names (m, part);
}

static void
serve_partly (Model *m, const RelayRequest *request)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new ();
  const char *bad = NULL, *over = NULL;

  for (char **name = request->channels; *name != NULL; name++) {
    if (is_bad (*name)) {
      bad = *name;
    } else if (g_hash_table_contains (m->held, *name) || g_hash_table_size (m->held) < m->character.limit) {
      g_hash_table_add (m->held, g_strdup (*name));
      g_ptr_array_add (taken, *name);
    } else {
      over = *name;
    }
  }
  if (!m->character.is_error_first)
    answer_confirmed (m, taken);
  if (bad != NULL)
    answer_error (m, request, "INVALID_CHANNEL", bad);
  if (over != NULL && (bad == NULL || !m->character.is_anonymous))
    answer_error (m, request, "SUBSCRIPTION_LIMIT", over);
  if (m->character.is_error_first)
    answer_confirmed (m, taken);
}

static void
serve_wholly (Model *m, const RelayRequest *request)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new ();
  guint n_held = g_hash_table_size (m->held);
  const char *bad = NULL;

  for (char **name = request->channels; *name != NULL; name++) {
    if (is_bad (*name) && (bad == NULL || roll (m, 0.5)))
      bad = *name;
    if (!g_hash_table_contains (m->held, *name))
      n_held++;
  }
  if (n_held > m->character.limit && (m->character.is_limit_first || bad == NULL)) {
    answer_error (m, request, "SUBSCRIPTION_LIMIT", request->channels[0]);
    return;
  }
  if (bad != NULL) {
    answer_error (m, request, "INVALID_CHANNEL", bad);
    return;
  }
  for (char **name = request->channels; *name != NULL; name++) {
    g_hash_table_add (m->held, g_strdup (*name));
    g_ptr_array_add (taken, *name);
  }
  answer_confirmed (m, taken);
}

static void
serve_unsubscribe (Model *m, const RelayRequest *request)
{
  for (char **name = request->channels; *name != NULL; name++)
    if (!g_hash_table_remove (m->held, *name) && m->character.minds_unneeded)
      answer_error (m, request, "INVALID_CHANNEL", *name);
}

gboolean
serve_one (Model *m)
{
  g_autoptr (RelayRequest) request = g_queue_pop_head (&m->requests);

  if (request == NULL)
    return FALSE;
  /* An error for an unsubscribe that does not say whose it is could not be told from any other. */
  if ((request->subscribe || !m->character.is_anonymous) && m->n_rate_limited < 5 &&
      roll (m, m->character.rate_limited)) {
    m->n_rate_limited++;
    answer_error (m, request, "RATE_LIMITED", NULL);
    return TRUE;
  }
  m->n_rate_limited = 0;
  if (!request->subscribe) {
    serve_unsubscribe (m, request);
  } else if (roll (m, m->character.silent)) {
    guint n_answers = m->answers.length;

    if (roll (m, 0.5))
      m->character.is_partial ? serve_partly (m, request) : serve_wholly (m, request);
    while (m->answers.length > n_answers)
      answer_free (g_queue_pop_tail (&m->answers));
  } else {
    m->character.is_partial ? serve_partly (m, request) : serve_wholly (m, request);
  }
  return TRUE;
}
