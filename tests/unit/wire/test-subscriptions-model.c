/* SPDX-License-Identifier: MIT */
#include "subscriptions-model.h"

/*
 * Subscriptions against a server of many characters, in random order: wants come and go, requests and answers
 * are under way for a while, connections are lost. When all is quiet, both sides must agree: the server holds just
 * what is wanted and not refused, every refusal has its reason, and no room is left while somebody waits for it.
 *
 * Each case has a seed of its own, which a failure names; GLib's --seed repeats the whole run.
 */
static void
seen_free (Seen *seen)
{
  g_free (seen->error_code);
  g_free (seen);
}

/* ---- between the two ---- */

static gboolean
deliver_one (Model *m)
{
  Answer *answer = g_queue_pop_head (&m->answers);

  if (answer == NULL)
    return FALSE;
  if (answer->confirmed != NULL)
    relay_subscriptions_confirmed (m->subs, (const char *const *) answer->confirmed, m->now_usec);
  else if (!relay_subscriptions_refused (m->subs, answer->id, answer->action, answer->code, answer->message,
                                         m->now_usec, g_rand_double (m->rand)))
    CHECK (m, answer->id == NULL && g_str_equal (answer->action, "unsubscribe"));
  answer_free (answer);
  return TRUE;
}

static gboolean
send_one (Model *m, gint64 *ret_next_usec)
{
  RelayRequest *request = relay_subscriptions_next (m->subs, m->now_usec, ret_next_usec);

  if (request == NULL)
    return FALSE;
  CHECK (m, m->is_connected);
  CHECK (m, request->channels[0] != NULL);
  CHECK (m, g_strv_length (request->channels) <=
              (request->subscribe ? RELAY_SUBSCRIPTIONS_LARGE_BATCH : RELAY_SUBSCRIPTIONS_BATCH));
  g_queue_push_tail (&m->requests, request);
  m->n_messages++;
  return TRUE;
}

static void
lose_all (Model *m)
{
  RelayRequest *request;
  Answer *answer;

  while ((request = g_queue_pop_head (&m->requests)) != NULL)
    relay_request_free (request);
  while ((answer = g_queue_pop_head (&m->answers)) != NULL)
    answer_free (answer);
  g_hash_table_remove_all (m->held);
}

/* What is under way on the connection before still gets there; its answers are nobody's any more. */
static void
begin_handover (Model *m)
{
  GHashTable *held = m->held;
  double rate_limited = m->character.rate_limited;

  m->character.rate_limited = 0;
  while (serve_one (m))
    ;
  m->character.rate_limited = rate_limited;
  m->held = m->held_before;
  m->held_before = held;
  lose_all (m);
  m->is_handing_over = TRUE;
  for (guint i = 0; i < N_NAMES; i++) {
    const RelayChannel *channel = relay_subscriptions_lookup (m->subs, name_of (i));

    m->was_active[i] = channel != NULL && channel->state == RELAY_CHANNEL_ACTIVE;
  }
  relay_subscriptions_begin_handover (m->subs);
}

static void
end_handover (Model *m, gboolean taken)
{
  if (!taken) {
    GHashTable *held = m->held;

    lose_all (m);
    m->held = m->held_before;
    m->held_before = held;
  }
  m->fell_back = !taken;
  g_hash_table_remove_all (m->held_before);
  m->is_handing_over = FALSE;
  relay_subscriptions_end_handover (m->subs, taken);
}

/* An unsubscribe that was not taken, as is not known yet, is the one thing that is lost by that. */
static gboolean
is_unsubscribe_refused (Model *m)
{
  for (GList *link = m->answers.head; link != NULL; link = link->next) {
    const Answer *answer = link->data;

    if (answer->confirmed == NULL && g_str_equal (answer->action, "unsubscribe"))
      return TRUE;
  }
  return FALSE;
}

/* The new connection has answered for all that the one before has, or it is the end of one of the two. */
static void
hand_over (Model *m)
{
  if (!m->is_connected || is_unsubscribe_refused (m))
    return;
  if (!m->is_handing_over)
    begin_handover (m);
  else
    end_handover (m, relay_subscriptions_is_handed_over (m->subs) || roll (m, 0.5));
}

static void
reconnect (Model *m)
{
  lose_all (m);
  g_hash_table_remove_all (m->held_before);
  m->is_handing_over = FALSE;
  m->fell_back = FALSE;
  if (m->is_connected)
    relay_subscriptions_disconnected (m->subs);
  m->is_connected = !m->is_connected || roll (m, 0.5);
  if (m->is_connected)
    relay_subscriptions_connected (m->subs);
}

/* ---- wants ---- */

static void
want_or_not (Model *m)
{
  guint i = pick (m, N_NAMES);

  switch (pick (m, 4)) {
  case 0:
  case 1:
    m->n_holds[i]++;
    relay_subscriptions_hold (m->subs, name_of (i));
    break;
  case 2:
    if (m->n_holds[i] > 0) {
      m->n_holds[i]--;
      relay_subscriptions_release (m->subs, name_of (i));
    }
    break;
  default:
    m->durable[i] = !m->durable[i];
    relay_subscriptions_set_durable (m->subs, name_of (i), m->durable[i]);
    break;
  }
}

/* Who asked and was refused lets go, from within the announcement. */
static void
let_go (Model *m, const char *name)
{
  for (guint i = 0; i < N_NAMES; i++)
    if (g_str_equal (name_of (i), name) && m->n_holds[i] > 0) {
      m->n_holds[i]--;
      relay_subscriptions_release (m->subs, name);
      return;
    }
}

/* Every change is announced: what was announced last is what there is. */
static void
changed (const RelayChannel *channel, RelayChannelChange change, gpointer user_data)
{
  Model *m = user_data;
  Seen *seen = g_hash_table_lookup (m->seen, channel->name);

  CHECK (m, change != 0);
  CHECK (m, (seen == NULL) == ((change & RELAY_CHANNEL_ADDED) != 0));
  if (change & RELAY_CHANNEL_REMOVED) {
    CHECK (m, !(change & RELAY_CHANNEL_ADDED));
    g_hash_table_remove (m->seen, channel->name);
    return;
  }
  if (seen == NULL)
    g_hash_table_insert (m->seen, g_strdup (channel->name), seen = g_new0 (Seen, 1));
  seen->state = channel->state;
  g_free (seen->error_code);
  seen->error_code = g_strdup (channel->error_code);
  seen->durable = channel->durable;
  seen->n_holds = channel->n_holds;
  seen->active_since_usec = channel->active_since_usec;

  if ((change & RELAY_CHANNEL_ANSWERED) && channel->state != RELAY_CHANNEL_ACTIVE && roll (m, 0.3))
    let_go (m, channel->name);
}

/* What the connection before has stays active, as long as it is wanted. */
static void
check_handover (Model *m)
{
  for (guint i = 0; i < N_NAMES && m->is_handing_over; i++) {
    const RelayChannel *channel = relay_subscriptions_lookup (m->subs, name_of (i));

    m->was_active[i] &= channel != NULL;
    CHECK (m, !m->was_active[i] || channel->state == RELAY_CHANNEL_ACTIVE);
  }
}

/* ---- quiet ---- */

static void
settle (Model *m)
{
  gint64 next_usec = -1;

  for (guint n = 0; ; n++) {
    CHECK (m, n < 100000);
    while (send_one (m, &next_usec))
      ;
    if (serve_one (m) || deliver_one (m))
      continue;
    if (next_usec < 0)
      return;
    CHECK (m, next_usec > m->now_usec);
    m->now_usec = next_usec;
  }
}

static void
check_channel (Model *m, guint i)
{
  const char *name = name_of (i);
  const RelayChannel *channel = relay_subscriptions_lookup (m->subs, name);
  const Seen *seen = g_hash_table_lookup (m->seen, name);
  gboolean is_held = g_hash_table_contains (m->held, name);
  gboolean is_answered = relay_subscriptions_is_answered (m->subs, name);

  CHECK (m, (channel != NULL) == (m->n_holds[i] > 0 || m->durable[i]));
  CHECK (m, (seen != NULL) == (channel != NULL));
  if (channel == NULL) {
    CHECK (m, !is_held);
    return;
  }
  CHECK (m, channel->n_holds == m->n_holds[i] && channel->durable == m->durable[i]);
  CHECK (m, seen->n_holds == channel->n_holds && seen->durable == channel->durable);
  CHECK (m, seen->state == channel->state);
  CHECK (m, seen->active_since_usec == channel->active_since_usec);
  CHECK (m, g_str_equal (seen->error_code, channel->error_code));
  CHECK (m, (channel->active_since_usec != 0) == (channel->state == RELAY_CHANNEL_ACTIVE));

  if (!m->is_connected) {
    CHECK (m, channel->state != RELAY_CHANNEL_ACTIVE && !is_answered);
    return;
  }
  switch (channel->state) {
  case RELAY_CHANNEL_ACTIVE:
    CHECK (m, is_held && is_answered);
    CHECK (m, channel->error_code[0] == '\0');
    break;
  case RELAY_CHANNEL_REJECTED:
    CHECK (m, is_bad (name) && is_answered);
    CHECK (m, g_str_equal (channel->error_code, "INVALID_CHANNEL"));
    break;
  case RELAY_CHANNEL_PENDING:
    if (m->character.silent > 0 || m->fell_back)
      break; /* no answer came once: the server may have it, and room that it was not asked for */
    /* An unsubscribe that was not taken may leave it there, and a batch with it be refused for the others. */
    CHECK (m, is_answered && (!is_held || m->character.rate_limited > 0));
    CHECK (m, g_str_equal (channel->error_code, "SUBSCRIPTION_LIMIT"));
    CHECK (m, g_hash_table_size (m->held) == m->character.limit);
    break;
  default:
    g_assert_not_reached ();
  }
}

static void
check_all (Model *m)
{
  guint n_wanted = 0;

  for (guint i = 0; i < N_NAMES; i++) {
    check_channel (m, i);
    n_wanted += m->n_holds[i] > 0 || m->durable[i];
  }
  CHECK (m, relay_subscriptions_get_n_channels (m->subs) == n_wanted);
  CHECK (m, relay_subscriptions_check_room (m->subs, N_NAMES - n_wanted, NULL));
  CHECK (m, !relay_subscriptions_check_room (m->subs, N_NAMES - n_wanted + 1, NULL));
}

/* ---- cases ---- */

static Model *
model_new (guint32 seed, guint max_channels)
{
  Model *m = g_new0 (Model, 1);

  m->seed = seed;
  m->rand = g_rand_new_with_seed (seed);
  m->subs = relay_subscriptions_new (max_channels);
  m->now_usec = 1000 * SEC;
  m->held = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  m->held_before = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  m->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) seen_free);
  m->character.limit = G_MAXUINT;
  return m;
}

static void
model_free (Model *m)
{
  lose_all (m);
  relay_subscriptions_free (m->subs);
  g_hash_table_unref (m->held);
  g_hash_table_unref (m->held_before);
  g_hash_table_unref (m->seen);
  g_rand_free (m->rand);
  g_free (m);
}

static void
choose_character (Model *m)
{
  Character *c = &m->character;

  if (roll (m, 0.6))
    c->limit = pick (m, N_NAMES);
  c->is_partial = roll (m, 0.5);
  c->is_limit_first = roll (m, 0.5);
  c->is_anonymous = roll (m, 0.3);
  c->names_culprit = roll (m, 0.5);
  c->names_innocent = !c->is_anonymous && roll (m, 0.3);
  c->confirms_oddly = roll (m, 0.5);
  c->minds_unneeded = !c->is_anonymous && roll (m, 0.5);
  if (roll (m, 0.4))
    c->rate_limited = g_rand_double_range (m->rand, 0, 0.4);
  if (!c->is_anonymous && roll (m, 0.2))
    c->silent = 0.2;
  /* After an error nobody can tell whether a confirmation is for that request or, of the same channel, for the
   * next one: of no account only where the next one is not refused. */
  if (c->limit == G_MAXUINT && !c->is_anonymous && c->rate_limited <= 0 && c->silent <= 0)
    c->is_error_first = roll (m, 0.5);
  c->confirms_total = roll (m, 0.2);
}

static void
step (Model *m)
{
  gint64 next_usec;

  switch (pick (m, 12)) {
  case 0:
  case 1:
  case 2:
    for (guint n = pick (m, 8); n > 0; n--)
      want_or_not (m);
    break;
  case 3:
  case 4:
  case 5:
    if (m->requests.length + m->answers.length < MAX_UNDER_WAY)
      send_one (m, &next_usec);
    break;
  case 6:
  case 7:
    serve_one (m);
    break;
  case 8:
  case 9:
    deliver_one (m);
    break;
  case 10:
    m->now_usec += pick (m, 2000);
    break;
  default:
    if (roll (m, 0.1))
      reconnect (m);
    else if (roll (m, 0.1))
      relay_subscriptions_ask_again (m->subs);
    else if (roll (m, 0.2))
      hand_over (m);
    break;
  }
  check_handover (m);
}

static void
test_truthful (void)
{
  for (guint i = 0; i < N_CASES (1000); i++) {
    Model *m = model_new (g_test_rand_int () & 0x7fffffff, N_NAMES);

    choose_character (m);
    relay_subscriptions_watch (m->subs, changed, m);
    for (guint round = 0; round < 3; round++) {
      for (guint n = 0; n < N_STEPS; n++)
        step (m);
      if (m->is_handing_over && roll (m, 0.5))
        settle (m);
      if (m->is_handing_over)
        end_handover (m, roll (m, 0.5));
      settle (m);
      check_all (m);
    }
    if (!m->is_connected)
      reconnect (m);
    settle (m);
    check_all (m);
    model_free (m);
  }
}

/* ---- how many messages ---- */

static guint
ceil_log2 (guint n)
{
  guint bits = 0;

  while ((1u << bits) < n)
    bits++;
  return bits;
}

/* @n channels, of which @n_bad are bad, wanted at once; the server has room for @limit. Returns the messages it
 * took. */
static guint
count_messages (guint n, guint n_bad, guint limit, gboolean names_culprit)
{
  Model *m = model_new (g_test_rand_int () & 0x7fffffff, n);
  g_autofree gboolean *bad = g_new0 (gboolean, n);
  guint n_active = 0, n_rejected = 0, n_limited = 0, n_messages;

  m->character.limit = limit;
  m->character.names_culprit = names_culprit;
  for (guint i = 0; i < n_bad; i++)
    bad[i] = TRUE;
  for (guint i = 0; i < n; i++) {
    guint other = pick (m, n);
    gboolean swapped = bad[i];

    bad[i] = bad[other];
    bad[other] = swapped;
  }
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("%s:%u", bad[i] ? "bad" : "good", i);

    relay_subscriptions_hold (m->subs, name);
  }
  reconnect (m);
  settle (m);
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("%s:%u", bad[i] ? "bad" : "good", i);
    const RelayChannel *channel = relay_subscriptions_lookup (m->subs, name);

    CHECK (m, relay_subscriptions_is_answered (m->subs, name));
    n_active += channel->state == RELAY_CHANNEL_ACTIVE;
    n_rejected += channel->state == RELAY_CHANNEL_REJECTED;
    n_limited += channel->state == RELAY_CHANNEL_PENDING;
  }
  CHECK (m, n_active == MIN (n - n_bad, limit));
  if (limit >= n)
    CHECK (m, n_rejected == n_bad && n_limited == 0);
  if (n_bad == 0)
    CHECK (m, n_limited == n - n_active);
  n_messages = m->n_messages;
  model_free (m);
  return n_messages;
}

static void
test_messages_for_bad_names (void)
{
  for (guint i = 0; i < N_CASES (150); i++) {
    guint n = (guint) g_test_rand_int_range (1, RELAY_SUBSCRIPTIONS_BATCH + 1);
    guint n_bad = (guint) g_test_rand_int_range (0, (gint32) MIN (n, 12) + 1);

    g_assert_cmpuint (count_messages (n, n_bad, G_MAXUINT, FALSE), <=, 1 + 2 * n_bad * ceil_log2 (n));
    g_assert_cmpuint (count_messages (n, n_bad, G_MAXUINT, TRUE), <=, 1 + 2 * n_bad);
  }
  /* All of them bad: each is asked alone, and there are no more splits than that takes. */
  g_assert_cmpuint (count_messages (RELAY_SUBSCRIPTIONS_BATCH, RELAY_SUBSCRIPTIONS_BATCH, G_MAXUINT, FALSE), ==,
                    2 * RELAY_SUBSCRIPTIONS_BATCH - 1);
}

static void
test_messages_for_the_limit (void)
{
  for (guint i = 0; i < N_CASES (150); i++) {
    guint n = (guint) g_test_rand_int_range (1, RELAY_SUBSCRIPTIONS_BATCH + 1);
    guint limit = (guint) g_test_rand_int_range (0, (gint32) n + 1);

    g_assert_cmpuint (count_messages (n, 0, limit, FALSE), <=, 1 + 2 * ceil_log2 (n));
  }
  for (guint i = 0; i < N_CASES (5); i++) {
    guint limit = (guint) g_test_rand_int_range (0, 10000);

    g_assert_cmpuint (count_messages (10000, 0, limit, FALSE), <=, 20 + 2 * 9);
  }
}

/* Many that wait, one that leaves at a time: a message to go and one to come in its place. */
static void
test_messages_for_room (void)
{
  enum { N = 200, LIMIT = 50 };
  Model *m = model_new (g_test_rand_int () & 0x7fffffff, N);
  guint n_before;

  m->character.limit = LIMIT;
  for (guint i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("good:%u", i);

    relay_subscriptions_hold (m->subs, name);
  }
  reconnect (m);
  settle (m);
  n_before = m->n_messages;
  for (guint i = 0; i < N - LIMIT; i++) {
    g_autofree char *leaves = g_strdup_printf ("good:%u", i);
    g_autofree char *comes = g_strdup_printf ("good:%u", i + LIMIT);

    CHECK (m, !g_hash_table_contains (m->held, comes));
    relay_subscriptions_release (m->subs, leaves);
    settle (m);
    CHECK (m, g_hash_table_contains (m->held, comes)); /* in the order they came */
  }
  CHECK (m, m->n_messages == n_before + 2 * (N - LIMIT));
  model_free (m);
}

/* ---- the adversary ---- */

static void
answer_anything (Model *m)
{
  static const char *const codes[] = { "INVALID_CHANNEL", "SUBSCRIPTION_LIMIT", "AUTH_FAILED", "TOKEN_EXPIRED",
                                       "INVALID_ACTION", "NO_SUCH_CODE", "", NULL };
  static const char *const actions[] = { "subscribe", "unsubscribe", "ping", NULL };
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *id = g_strdup_printf ("relay-%u", pick (m, m->n_messages + 3));
  const char *second = roll (m, 0.5) ? name_of (pick (m, N_NAMES)) : "";
  g_autofree char *message = g_strdup_printf ("%s %s", name_of (pick (m, N_NAMES)), second);
  g_autoptr (RelayRequest) request = g_queue_pop_head (&m->requests);
  const char *code = codes[pick (m, G_N_ELEMENTS (codes))];

  if (roll (m, 0.1) && m->n_rate_limited < 50) {
    m->n_rate_limited++;
    code = "RATE_LIMITED";
  }
  switch (pick (m, 4)) {
  case 0:
    for (guint n = pick (m, 10); n > 0; n--)
      g_ptr_array_add (names, (gpointer) name_of (pick (m, N_NAMES)));
    g_ptr_array_add (names, NULL);
    relay_subscriptions_confirmed (m->subs, (const char *const *) names->pdata, m->now_usec);
    break;
  case 1:
    if (request != NULL)
      relay_subscriptions_refused (m->subs, request->id, "subscribe", code, message, m->now_usec,
                                   g_rand_double (m->rand));
    break;
  case 2:
    relay_subscriptions_refused (m->subs, roll (m, 0.5) ? id : NULL, actions[pick (m, G_N_ELEMENTS (actions))],
                                 code, roll (m, 0.8) ? message : NULL, m->now_usec, g_rand_double (m->rand));
    break;
  default:
    break; /* nothing */
  }
}

/* Whatever it says: nothing breaks, every change is announced, and it comes to an end. */
static void
test_adversary (void)
{
  for (guint i = 0; i < N_CASES (700); i++) {
    Model *m = model_new (g_test_rand_int () & 0x7fffffff, N_NAMES);
    gint64 next_usec = -1;
    guint n;

    relay_subscriptions_watch (m->subs, changed, m);
    reconnect (m);
    for (n = 0; n < N_STEPS; n++) {
      step (m);
      answer_anything (m);
    }
    /* No new wants: there are only so many channels to split and to be told of, and repetitions. */
    m->n_messages = 0;
    for (n = 0; n < 100000; n++) {
      if (send_one (m, &next_usec)) {
        answer_anything (m);
        continue;
      }
      if (next_usec < 0)
        break;
      m->now_usec = next_usec;
    }
    CHECK (m, next_usec < 0);
    if (m->is_handing_over)
      end_handover (m, roll (m, 0.5));
    CHECK (m, m->n_messages <= 20 * N_NAMES + 50);
    for (guint k = 0; k < N_NAMES; k++) {
      const RelayChannel *channel = relay_subscriptions_lookup (m->subs, name_of (k));

      CHECK (m, (channel != NULL) == (m->n_holds[k] > 0 || m->durable[k]));
      CHECK (m, channel == NULL || (channel->active_since_usec != 0) == (channel->state == RELAY_CHANNEL_ACTIVE));
    }
    model_free (m);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/subscriptions-model/truthful", test_truthful);
  g_test_add_func ("/wire/subscriptions-model/messages-for-bad-names", test_messages_for_bad_names);
  g_test_add_func ("/wire/subscriptions-model/messages-for-the-limit", test_messages_for_the_limit);
  g_test_add_func ("/wire/subscriptions-model/messages-for-room", test_messages_for_room);
  g_test_add_func ("/wire/subscriptions-model/adversary", test_adversary);
  return g_test_run ();
}
