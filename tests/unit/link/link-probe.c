/* SPDX-License-Identifier: MIT */
#include "tests/unit/link/link-probe.h"

#include <string.h>

void
probe_free_link (Probe *probe)
{
  g_clear_pointer (&probe->link, relay_link_free);
}

static void
on_opened (RelayLink *link, gpointer user_data)
{
  Probe *probe = user_data;

  g_assert_false (probe->in_call);
  g_assert_false (probe->opened);
  probe->opened = TRUE;
  if (probe->free_when_opened)
    probe_free_link (probe);
}

static void
on_heard (RelayLink *link, gsize bytes, gpointer user_data)
{
  Probe *probe = user_data;

  g_assert_false (probe->in_call);
  probe->bytes += bytes;
}

static void
on_message (RelayLink *link, const char *text, gsize length, gpointer user_data)
{
  Probe *probe = user_data;

  g_assert_false (probe->in_call);
  g_assert_true (probe->opened);
  g_assert_false (probe->closed);
  g_ptr_array_add (probe->messages, g_bytes_new (text, length));
  if (probe->messages->len == probe->free_at)
    probe_free_link (probe);
}

static void
on_unusable (RelayLink *link, const char *reason, gpointer user_data)
{
  ((Probe *) user_data)->n_unusable++;
}

static void
on_closed (RelayLink *link, const RelayTrouble *trouble, gpointer user_data)
{
  Probe *probe = user_data;

  g_assert_false (probe->in_call);
  g_assert_false (probe->closed);
  probe->closed = TRUE;
  probe->trouble = trouble != NULL ? relay_trouble_copy (trouble) : NULL;
}

static const RelayLinkEvents events = {
  .opened = on_opened,
  .heard = on_heard,
  .message = on_message,
  .unusable = on_unusable,
  .closed = on_closed,
};

Probe *
probe_new (const char *url, const RelayLinkOptions *options)
{
  Probe *probe = g_new0 (Probe, 1);
  RelayLinkOptions all = options != NULL ? *options : (RelayLinkOptions){ 0 };
  g_autoptr (RelayToken) token = ws_make_token ("t0ken");

  all.url = (char *) url;
  if (all.ping_interval_usec == 0)
    all.ping_interval_usec = 3600 * (guint64) G_USEC_PER_SEC;
  if (all.pong_timeout_usec == 0)
    all.pong_timeout_usec = 3600 * (guint64) G_USEC_PER_SEC;
  if (all.max_message_bytes == 0)
    all.max_message_bytes = PROBE_LIMIT;
  probe->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  probe->in_call = TRUE;
  probe->link = relay_link_new (&all, &events, probe);
  relay_link_open (probe->link, token);
  probe->in_call = FALSE;
  return probe;
}

void
probe_free (Probe *probe)
{
  probe_free_link (probe);
  /* libsoup takes a turn or two to let go. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_ptr_array_unref (probe->messages);
  relay_trouble_free (probe->trouble);
  g_free (probe);
}
void
probe_assert_message (Probe *probe, guint index, const char *text)
{
  g_assert_cmpuint (probe->messages->len, >, index);
  g_assert_cmpmem (g_bytes_get_data (probe->messages->pdata[index], NULL), g_bytes_get_size (probe->messages->pdata[index]),
                   text, strlen (text));
}

void
probe_assert_ended (Probe *probe, const char *code)
{
  ws_wait_for (probe->closed);
  g_assert_nonnull (probe->trouble);
  g_assert_cmpstr (probe->trouble->code, ==, code);
}

void
pair_open (Pair *pair, const RelayLinkOptions *options)
{
  if (pair->server == NULL)
    pair->server = ws_server_new ();
  pair->url = ws_server_get_url (pair->server);
  pair->probe = probe_new (pair->url, options);
  ws_wait_for (pair->probe->opened);
  pair->peer = ws_server_last (pair->server);
}

void
pair_clear (Pair *pair)
{
  probe_free (pair->probe);
  ws_server_free (pair->server);
  g_free (pair->url);
}
