/* SPDX-License-Identifier: MIT */
#include "callers-model.h"

#include <string.h>

#include "client/event.h"
#include "common/bus-source.h"

typedef struct {
  char *sender, *member;
  guint64 after; /* of ListEvents, with … */
  guint32 limit;
  guint32 cookie; /* of Release */
  gboolean expects_reply, answered, left;
} Call;

typedef struct {
  char *owner;
  GHashTable *channels; /* set */
} Hold;

struct CallersModel {
  guint max_holds_per_client;
  GHashTable *calls;    /* guint64 → Call */
  GHashTable *holds;    /* cookie → Hold */
  gboolean unheard;     /* some wanted no answer: what became of their calls is not known */
  GHashTable *released; /* set of cookies: possibly before the hold's own answer */
};

static void
call_free (gpointer data)
{
  Call *call = data;

  g_free (call->sender);
  g_free (call->member);
  g_free (call);
}

static void
hold_free (gpointer data)
{
  Hold *hold = data;

  g_hash_table_unref (hold->channels);
  g_free (hold->owner);
  g_free (hold);
}

CallersModel *
callers_model_new (guint max_holds_per_client)
{
  CallersModel *model = g_new0 (CallersModel, 1);

  model->max_holds_per_client = max_holds_per_client;
  model->calls = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, call_free);
  model->holds = g_hash_table_new_full (NULL, NULL, NULL, hold_free);
  model->released = g_hash_table_new (NULL, NULL);
  return model;
}

void
callers_model_free (CallersModel *model)
{
  if (model == NULL)
    return;
  g_hash_table_unref (model->calls);
  g_hash_table_unref (model->holds);
  g_hash_table_unref (model->released);
  g_free (model);
}

void
callers_model_add_call (CallersModel *model, guint64 cookie, sd_bus_message *message)
{
  Call *call = g_new0 (Call, 1);

  call->sender = g_strdup (sd_bus_message_get_sender (message));
  call->member = g_strdup (sd_bus_message_get_member (message));
  call->expects_reply = sd_bus_message_get_expect_reply (message) > 0;
  g_assert_cmpint (sd_bus_message_rewind (message, TRUE), >=, 0);
  if (sd_bus_message_has_signature (message, "tua{sv}"))
    (void) sd_bus_message_read (message, "tu", &call->after, &call->limit);
  else if (sd_bus_message_has_signature (message, "u"))
    (void) sd_bus_message_read (message, "u", &call->cookie);
  model->unheard = model->unheard || !call->expects_reply;
  g_hash_table_insert (model->calls, g_memdup2 (&cookie, sizeof cookie), call);
}

/* ---- holds ---- */

static guint
count_holds (CallersModel *model, const char *owner)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, model->holds);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    n += g_str_equal (((Hold *) value)->owner, owner);
  return n;
}

static void
read_states (sd_bus_message *reply, GHashTable *kept)
{
  const char *channel, *state;
  int r;

  g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "{ss}"), >, 0);
  while ((r = sd_bus_message_read (reply, "{ss}", &channel, &state)) > 0) {
    g_assert_true (relay_channel_name_check (channel, NULL));
    g_assert_true (g_str_equal (state, "active") || g_str_equal (state, "pending") || g_str_equal (state, "rejected"));
    if (kept != NULL && !g_str_equal (state, "rejected"))
      g_assert_true (g_hash_table_add (kept, g_strdup (channel)));
  }
  g_assert_cmpint (r, ==, 0);
  g_assert_cmpint (sd_bus_message_exit_container (reply), >=, 0);
}

static void
take_hold (CallersModel *model, const Call *call, sd_bus_message *reply)
{
  Hold *hold = g_new0 (Hold, 1);
  guint32 cookie;

  g_assert_cmpint (sd_bus_message_read_basic (reply, 'u', &cookie), >, 0);
  g_assert_cmpuint (cookie, !=, 0);
  g_assert_false (g_hash_table_contains (model->holds, GUINT_TO_POINTER (cookie)));
  hold->owner = g_strdup (call->sender);
  hold->channels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  read_states (reply, hold->channels);
  if (call->left || g_hash_table_contains (model->released, GUINT_TO_POINTER (cookie)))
    hold_free (hold);
  else {
    g_hash_table_insert (model->holds, GUINT_TO_POINTER (cookie), hold);
    g_assert_cmpuint (count_holds (model, call->sender), <=, model->max_holds_per_client);
  }
}

static void
take_release (CallersModel *model, const Call *call)
{
  const Hold *hold = g_hash_table_lookup (model->holds, GUINT_TO_POINTER (call->cookie));

  if (hold != NULL)
    g_assert_cmpstr (hold->owner, ==, call->sender);
  g_hash_table_remove (model->holds, GUINT_TO_POINTER (call->cookie));
  g_assert_true (g_hash_table_add (model->released, GUINT_TO_POINTER (call->cookie)));
}

void
callers_model_leave (CallersModel *model, const char *name)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, model->calls);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (g_str_equal (((Call *) value)->sender, name))
      ((Call *) value)->left = TRUE;
  g_hash_table_iter_init (&iter, model->holds);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (g_str_equal (((Hold *) value)->owner, name))
      g_hash_table_iter_remove (&iter);
}

static guint
count_holds_of (CallersModel *model, const char *channel)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, model->holds);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    n += g_hash_table_contains (((Hold *) value)->channels, channel);
  return n;
}

void
callers_model_check_holds (CallersModel *model, RelaySubscriptions *subscriptions)
{
  g_autoptr (GPtrArray) channels = relay_subscriptions_list (subscriptions);
  GHashTableIter iter, names;
  gpointer value, name;

  for (guint i = 0; i < channels->len; i++) {
    const RelayChannel *channel = channels->pdata[i];

    g_assert_true (channel->durable || channel->n_holds > 0);
    if (!model->unheard)
      g_assert_cmpuint (channel->n_holds, ==, count_holds_of (model, channel->name));
  }
  g_hash_table_iter_init (&iter, model->holds);
  while (!model->unheard && g_hash_table_iter_next (&iter, NULL, &value)) {
    g_hash_table_iter_init (&names, ((Hold *) value)->channels);
    while (g_hash_table_iter_next (&names, &name, NULL))
      g_assert_nonnull (relay_subscriptions_lookup (subscriptions, name));
  }
}

/* ---- answers ---- */

static void
check_error (const sd_bus_error *error)
{
  g_assert_true (g_str_has_prefix (error->name, "dev.prp.Relay1.Error.") ||
                 g_str_has_prefix (error->name, "org.freedesktop.DBus.Error."));
  g_assert_cmpstr (error->message, !=, "");
  /* Out of memory, in a word for whatever nobody thought of. */
  g_assert_cmpstr (error->name, !=, SD_BUS_ERROR_FAILED);
}

/* aa{sv} t b: in order, behind `after`, no more than asked for. */
static void
check_listing (const Call *call, sd_bus_message *reply)
{
  guint64 last = call->after, n = 0, reached;
  int more, r;

  g_assert_cmpint (sd_bus_message_enter_container (reply, 'a', "a{sv}"), >, 0);
  for (;; n++) {
    g_auto (ClientEvent) event = { 0 };

    r = client_event_read (reply, &event);
    if (r <= 0)
      break;
    g_assert_cmpuint (event.sequence, >, last);
    last = event.sequence;
  }
  g_assert_cmpint (r, ==, 0);
  g_assert_cmpint (sd_bus_message_exit_container (reply), >=, 0);
  g_assert_cmpint (sd_bus_message_read (reply, "tb", &reached, &more), >, 0);
  g_assert_true (n == 0 || reached >= last);
  g_assert_true (call->limit == 0 || n <= call->limit);
}

void
callers_model_take_reply (CallersModel *model, sd_bus_message *reply)
{
  guint64 cookie = 0;
  Call *call;

  g_assert_cmpint (sd_bus_message_get_reply_cookie (reply, &cookie), >=, 0);
  call = g_hash_table_lookup (model->calls, &cookie);
  g_assert_nonnull (call);
  g_assert_true (call->expects_reply);
  g_assert_false (call->answered);
  g_assert_cmpstr (sd_bus_message_get_destination (reply), ==, call->sender);
  call->answered = TRUE;

  if (sd_bus_message_is_method_error (reply, NULL) > 0)
    check_error (sd_bus_message_get_error (reply));
  else if (g_str_equal (call->member, "Hold"))
    take_hold (model, call, reply);
  else if (g_str_equal (call->member, "Subscribe"))
    read_states (reply, NULL);
  else if (g_str_equal (call->member, "Release"))
    take_release (model, call);
  else if (g_str_equal (call->member, "ListEvents"))
    check_listing (call, reply);
}

guint
callers_model_get_n_open (CallersModel *model)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, model->calls);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Call *call = value;

    n += call->expects_reply && !call->answered && !call->left;
  }
  return n;
}
