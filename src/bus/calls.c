/* SPDX-License-Identifier: MIT */
#include "bus/calls.h"

#include <string.h>

#include "bus/reply.h"
#include "common/bus-source.h"
#include "common/error.h"
#include "common/log.h"
#include "common/turn.h"

/*
 * A call is in one of two queues: waiting (in order of arrival, which is the order of their deadlines, since all wait
 * equally long) or done (to be answered at the end of this turn). by_channel leads from a channel to the calls that
 * wait for it.
 */
typedef struct {
  RelayChannelState state;
  char *code, *message; /* of a refusal; NULL without one */
} Answer;

typedef struct {
  sd_bus_message *message; /* its head */
  char **channels;
  guint n_channels;
  GHashTable *begun; /* set of names; NULL: none */
  guint32 cookie;
  GHashTable *answers; /* name → Answer; NULL: the answer has no arguments */
  gint64 deadline_usec;
  GList *link; /* in RelayCalls.waiting; NULL once done */
} Call;

struct RelayCalls {
  RelaySubscriptions *subscriptions;
  RelayHolds *holds;
  RelayCallsUndo undo;
  RelayCallsCommit commit;
  gpointer user_data;
  GQueue waiting, done;
  guint n_names; /* of the channels of all calls in both */
  GHashTable *by_channel; /* name → GPtrArray of Call, borrowed */
  GHashTable *by_sender;  /* unique name → how many wait */
  GSource *turn, *timer;
};

static void
answer_free (Answer *answer)
{
  g_free (answer->code);
  g_free (answer->message);
  g_free (answer);
}

static void
call_free (Call *call)
{
  sd_bus_message_unref (call->message);
  g_strfreev (call->channels);
  g_clear_pointer (&call->begun, g_hash_table_unref);
  g_clear_pointer (&call->answers, g_hash_table_unref);
  g_free (call);
}

/* ---- waiting ---- */

static void
count_sender (RelayCalls *calls, const char *sender, int difference)
{
  guint n = GPOINTER_TO_UINT (g_hash_table_lookup (calls->by_sender, sender)) + (guint) difference;

  if (n == 0)
    g_hash_table_remove (calls->by_sender, sender);
  else
    g_hash_table_replace (calls->by_sender, g_strdup (sender), GUINT_TO_POINTER (n));
}

static void
forget_channel (RelayCalls *calls, Call *call, const char *channel)
{
  GPtrArray *waiters = g_hash_table_lookup (calls->by_channel, channel);

  if (waiters == NULL)
    return;
  g_ptr_array_remove_fast (waiters, call);
  if (waiters->len == 0)
    g_hash_table_remove (calls->by_channel, channel);
}

static void
finish (RelayCalls *calls, Call *call)
{
  for (char **channel = call->channels; *channel != NULL; channel++)
    if (!g_hash_table_contains (call->answers, *channel))
      forget_channel (calls, call, *channel);
  g_queue_delete_link (&calls->waiting, g_steal_pointer (&call->link));
  g_queue_push_tail (&calls->done, call);
  relay_turn_arm (calls->turn);
}

static void
write_down (Call *call, const RelayChannel *channel)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->state = channel->state;
  if (channel->error_code[0] != '\0') {
    /* Refused, whether for the channel or for the server's limit: in a call's answer both are rejected. */
    answer->state = RELAY_CHANNEL_REJECTED;
    answer->code = g_strdup (channel->error_code);
    answer->message = g_strdup (channel->error_message);
  }
  g_hash_table_replace (call->answers, g_strdup (channel->name), answer);
}

void
relay_calls_channel_answered (RelayCalls *calls, const RelayChannel *channel)
{
  g_autoptr (GPtrArray) waiters = NULL;
  gpointer key;

  if (!g_hash_table_steal_extended (calls->by_channel, channel->name, &key, (gpointer *) &waiters))
    return;
  g_free (key);
  for (guint i = 0; i < waiters->len; i++) {
    Call *call = waiters->pdata[i];

    write_down (call, channel);
    if (g_hash_table_size (call->answers) == call->n_channels)
      finish (calls, call);
  }
}

void
relay_calls_give_up (RelayCalls *calls)
{
  while (!g_queue_is_empty (&calls->waiting))
    finish (calls, calls->waiting.head->data);
}

static void
set_timer (RelayCalls *calls)
{
  const Call *first = g_queue_peek_head (&calls->waiting);

  if (first != NULL)
    relay_turn_arm_at (calls->timer, first->deadline_usec);
  else
    relay_turn_disarm (calls->timer);
}

static void
on_timer (gpointer user_data)
{
  RelayCalls *calls = user_data;
  Call *first;

  while ((first = g_queue_peek_head (&calls->waiting)) != NULL && first->deadline_usec <= g_get_monotonic_time ())
    finish (calls, first);
  set_timer (calls);
}

/* ---- answering ---- */

static const Answer *
find_refusal (Call *call, const char *channel)
{
  const Answer *answer = g_hash_table_lookup (call->answers, channel);

  return answer != NULL && answer->state == RELAY_CHANNEL_REJECTED ? answer : NULL;
}

/* The first refusal, if every channel was refused. */
static const Answer *
find_failure (Call *call)
{
  for (char **channel = call->channels; *channel != NULL; channel++)
    if (find_refusal (call, *channel) == NULL)
      return NULL;
  return call->channels[0] != NULL ? find_refusal (call, call->channels[0]) : NULL;
}

/* May finish other calls. */
static void
take_back_refused (RelayCalls *calls, Call *call)
{
  for (char **channel = call->channels; *channel != NULL; channel++) {
    if (find_refusal (call, *channel) == NULL)
      continue;
    if (call->cookie != 0)
      relay_holds_drop_channel (calls->holds, call->cookie, *channel);
    else if (call->begun != NULL && g_hash_table_contains (call->begun, *channel))
      calls->undo (*channel, calls->user_data);
  }
  if (call->cookie != 0 && find_failure (call) != NULL)
    relay_holds_release (calls->holds, sd_bus_message_get_sender (call->message), call->cookie, NULL);
}

static int
append_states (sd_bus_message *reply, Call *call)
{
  int r = sd_bus_message_open_container (reply, 'a', "{ss}");

  for (char **channel = call->channels; *channel != NULL && r >= 0; channel++) {
    const Answer *answer = g_hash_table_lookup (call->answers, *channel);
    RelayChannelState state = answer != NULL ? answer->state : RELAY_CHANNEL_PENDING;

    r = sd_bus_message_append (reply, "{ss}", *channel, relay_channel_state_to_string (state));
  }
  return r < 0 ? r : sd_bus_message_close_container (reply);
}

static int
send_states (Call *call)
{
  g_autoptr (sd_bus_message) reply = NULL;
  int r = sd_bus_message_new_method_return (call->message, &reply);

  if (r >= 0 && call->cookie != 0)
    r = sd_bus_message_append_basic (reply, 'u', &call->cookie);
  if (r >= 0 && call->answers != NULL)
    r = append_states (reply, call);
  return r < 0 ? r : sd_bus_message_send (reply);
}

static void
answer (Call *call)
{
  const char *sender = sd_bus_message_get_sender (call->message);
  const Answer *failure = find_failure (call);
  int r;

  if (failure != NULL) {
    RelayError code = relay_error_from_server_code (failure->code);

    r = sd_bus_reply_method_errorf (call->message, relay_error_get_bus_name (code), "%s", failure->message);
  } else {
    r = send_states (call);
  }
  if (r < 0)
    relay_log_fields (LOG_WARNING, RELAY_LOG_FIELDS ("PRP_SENDER", sender), "Could not answer %s: %s", sender,
                      g_strerror (-r));
}

static void
on_turn (gpointer user_data)
{
  RelayCalls *calls = user_data;
  GQueue settled = G_QUEUE_INIT;
  Call *call;

  while ((call = g_queue_pop_head (&calls->done)) != NULL) {
    count_sender (calls, sd_bus_message_get_sender (call->message), -1);
    calls->n_names -= call->n_channels;
    take_back_refused (calls, call);
    g_queue_push_tail (&settled, call);
  }
  if (!g_queue_is_empty (&settled))
    calls->commit (calls->user_data);
  while ((call = g_queue_pop_head (&settled)) != NULL) {
    answer (call);
    call_free (call);
  }
  set_timer (calls);
}

/* ---- life ---- */

RelayCalls *
relay_calls_new (RelaySubscriptions *subscriptions, RelayHolds *holds, RelayCallsUndo undo, RelayCallsCommit commit,
                 gpointer user_data)
{
  RelayCalls *calls = g_new0 (RelayCalls, 1);

  calls->subscriptions = subscriptions;
  calls->holds = holds;
  calls->undo = undo;
  calls->commit = commit;
  calls->user_data = user_data;
  calls->by_channel = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  calls->by_sender = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  calls->turn = relay_turn_new ("relay-calls", on_turn, calls);
  calls->timer = relay_turn_new ("relay-calls-deadline", on_timer, calls);
  return calls;
}

void
relay_calls_free (RelayCalls *calls)
{
  if (calls == NULL)
    return;
  relay_calls_give_up (calls);
  on_turn (calls);
  relay_turn_free (calls->turn);
  relay_turn_free (calls->timer);
  g_hash_table_unref (calls->by_channel);
  g_hash_table_unref (calls->by_sender);
  g_free (calls);
}

gboolean
relay_calls_check_room (RelayCalls *calls, const char *sender, guint n_channels, GError **error)
{
  guint of_sender = GPOINTER_TO_UINT (g_hash_table_lookup (calls->by_sender, sender));

  if (of_sender >= RELAY_CALLS_MAX_PER_CLIENT || calls->waiting.length + calls->done.length >= RELAY_CALLS_MAX) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
                 "Too many calls wait for the server's answer (%u of %s, at most %u; %u in all, at most %u); "
                 "wait for some of them to be answered", of_sender, sender, (guint) RELAY_CALLS_MAX_PER_CLIENT,
                 calls->waiting.length + calls->done.length, (guint) RELAY_CALLS_MAX);
    return FALSE;
  }
  /* One that is alone may have as many as the configuration allows. */
  if (calls->n_names > 0 && calls->n_names + n_channels > RELAY_CALLS_MAX_NAMES) {
    g_set_error (error, RELAY_ERROR, RELAY_ERROR_LIMITS_EXCEEDED,
                 "Calls with %u channels wait for the server's answer, %u more would be too many (at most %u); "
                 "wait for some of them to be answered", calls->n_names, n_channels, (guint) RELAY_CALLS_MAX_NAMES);
    return FALSE;
  }
  return TRUE;
}

void
relay_calls_add (RelayCalls *calls, sd_bus_message *message, const char *const *channels, const char *const *begun,
                 guint32 cookie, gboolean wait)
{
  Call *call = g_new0 (Call, 1);

  call->message = relay_reply_copy_head (message);
  call->channels = g_strdupv ((char **) channels);
  call->n_channels = g_strv_length (call->channels);
  calls->n_names += call->n_channels;
  if (begun != NULL)
    call->begun = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (; begun != NULL && *begun != NULL; begun++)
    g_hash_table_add (call->begun, g_strdup (*begun));
  call->cookie = cookie;
  call->answers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) answer_free);
  call->deadline_usec = g_get_monotonic_time () + RELAY_CALLS_ANSWER_USEC;
  g_queue_push_tail (&calls->waiting, call);
  call->link = calls->waiting.tail;
  count_sender (calls, sd_bus_message_get_sender (message), +1);

  for (char **channel = call->channels; *channel != NULL; channel++) {
    GPtrArray *waiters;

    if (relay_subscriptions_is_answered (calls->subscriptions, *channel)) {
      write_down (call, relay_subscriptions_lookup (calls->subscriptions, *channel));
      continue;
    }
    waiters = g_hash_table_lookup (calls->by_channel, *channel);
    if (waiters == NULL) {
      waiters = g_ptr_array_new ();
      g_hash_table_insert (calls->by_channel, g_strdup (*channel), waiters);
    }
    g_ptr_array_add (waiters, call);
  }
  if (!wait || g_hash_table_size (call->answers) == call->n_channels)
    finish (calls, call);
  set_timer (calls);
}

void
relay_calls_add_done (RelayCalls *calls, sd_bus_message *message)
{
  Call *call = g_new0 (Call, 1);

  call->message = relay_reply_copy_head (message);
  call->channels = g_new0 (char *, 1);
  count_sender (calls, sd_bus_message_get_sender (message), +1);
  g_queue_push_tail (&calls->done, call);
  relay_turn_arm (calls->turn);
}
