/* SPDX-License-Identifier: MIT */
#include "prpctl/channel.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "common/names.h"
#include "client/json-writer.h"
#include "prpctl/text.h"
#include "prpctl/watch-cells.h"

#define NAME_MAX_CHARS 255 /* a channel's own limit */
#define ERROR_MAX_CHARS 300
#define HOLDER_MAX_CHARS 40

void
prpctl_channel_free (PrpctlChannel *channel)
{
  if (channel == NULL)
    return;
  g_free (channel->name);
  g_free (channel->state);
  g_free (channel->error_code);
  g_free (channel->error_text);
  g_clear_pointer (&channel->holders, g_ptr_array_unref);
  g_free (channel->json);
  g_free (channel);
}

static int
read_string (sd_bus_message *message, char **string)
{
  const char *value;
  int r = sd_bus_message_read (message, "v", "s", &value);

  if (r < 0)
    return r;
  g_free (*string);
  *string = g_strdup (value);
  return 0;
}

static int
read_error (sd_bus_message *message, PrpctlChannel *channel)
{
  const char *code, *text;
  int r = sd_bus_message_read (message, "v", "(ss)", &code, &text);

  if (r < 0)
    return r;
  g_free (channel->error_code);
  g_free (channel->error_text);
  channel->error_code = g_strdup (code);
  channel->error_text = g_strdup (text);
  return 0;
}

static int
read_holders (sd_bus_message *message, PrpctlChannel *channel)
{
  const char *bus_name, *app_id, *reason;
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_VARIANT, "a(sss)");

  if (r < 0)
    return r;
  r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "(sss)");
  if (r < 0)
    return r;
  while ((r = sd_bus_message_read (message, "(sss)", &bus_name, &app_id, &reason)) > 0)
    g_ptr_array_add (channel->holders, g_strdup (*app_id != '\0' ? app_id : bus_name));
  if (r < 0)
    return r;
  r = sd_bus_message_exit_container (message);
  if (r < 0)
    return r;
  return sd_bus_message_exit_container (message);
}

static int
read_property (sd_bus_message *message, PrpctlChannel *channel, const char *key)
{
  int boolean, r;

  if (g_str_equal (key, "Name"))
    return read_string (message, &channel->name);
  if (g_str_equal (key, "State"))
    return read_string (message, &channel->state);
  if (g_str_equal (key, "Error"))
    return read_error (message, channel);
  if (g_str_equal (key, "Holders"))
    return read_holders (message, channel);
  if (g_str_equal (key, "ActiveSince"))
    return sd_bus_message_read (message, "v", "t", &channel->active_since_usec);
  if (g_str_equal (key, "Durable")) {
    r = sd_bus_message_read (message, "v", "b", &boolean);
    if (r >= 0)
      channel->durable = boolean != 0;
    return r;
  }
  return sd_bus_message_skip (message, "v");
}

static int
read_properties (sd_bus_message *message, PrpctlChannel *channel)
{
  g_autoptr (GString) json = g_string_new (NULL);
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    const char *key;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &key);
    if (r >= 0)
      r = read_property (message, channel, key);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r < 0)
    return r;

  /* Once more from the array's beginning, now as they are. */
  r = sd_bus_message_rewind (message, FALSE);
  if (r >= 0)
    r = client_json_append_members (json, message);
  if (r < 0)
    return r;
  channel->json = g_string_free (g_steal_pointer (&json), FALSE);
  return sd_bus_message_exit_container (message);
}

PrpctlChannel *
prpctl_channel_read (sd_bus_message *message, int *ret_error_number)
{
  g_autoptr (PrpctlChannel) channel = g_new0 (PrpctlChannel, 1);
  int r;

  channel->name = g_strdup ("");
  channel->state = g_strdup ("");
  channel->error_code = g_strdup ("");
  channel->error_text = g_strdup ("");
  channel->holders = g_ptr_array_new_with_free_func (g_free);

  r = read_properties (message, channel);
  if (r < 0) {
    *ret_error_number = r;
    return NULL;
  }
  return g_steal_pointer (&channel);
}

/* One object of GetManagedObjects, its path already read: a{sa{sv}}. */
static int
read_object (sd_bus_message *message, GPtrArray *channels)
{
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sa{sv}}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}")) > 0) {
    const char *interface;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &interface);
    if (r < 0)
      return r;
    if (g_str_equal (interface, RELAY_CHANNEL_INTERFACE)) {
      PrpctlChannel *channel = prpctl_channel_read (message, &r);

      if (channel == NULL)
        return r;
      g_ptr_array_add (channels, channel);
    } else {
      r = sd_bus_message_skip (message, "a{sv}");
    }
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r < 0)
    return r;
  return sd_bus_message_exit_container (message);
}

static int
read_objects (sd_bus_message *message, GPtrArray *channels)
{
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}");

  if (r < 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "oa{sa{sv}}")) > 0) {
    r = sd_bus_message_skip (message, "o");
    if (r >= 0)
      r = read_object (message, channels);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  return r;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  const PrpctlChannel *const *first = a, *const *second = b;

  return strcmp ((*first)->name, (*second)->name);
}

GPtrArray *
prpctl_channels_get (PrpctlClient *client, GError **error)
{
  g_autoptr (GPtrArray) channels = g_ptr_array_new_with_free_func ((GDestroyNotify) prpctl_channel_free);
  g_autoptr (sd_bus_message) call = prpctl_client_new_call (
    client, RELAY_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", error);
  g_autoptr (sd_bus_message) reply = NULL;

  if (call == NULL)
    return NULL;
  reply = prpctl_client_call (client, call, error);
  if (reply == NULL || !prpctl_client_check (read_objects (reply, channels), error))
    return NULL;
  g_ptr_array_sort (channels, compare_names);
  return g_steal_pointer (&channels);
}

PrpctlChannel *
prpctl_channel_get (PrpctlClient *client, const char *name)
{
  g_autofree char *path = NULL;
  g_autoptr (sd_bus_message) reply = NULL;
  char *encoded = NULL;
  int r = sd_bus_path_encode (RELAY_CHANNEL_PATH_PREFIX, name, &encoded);

  if (r < 0)
    return NULL;
  path = encoded;
  reply = prpctl_client_get_all (client, path, RELAY_CHANNEL_INTERFACE, NULL);
  if (reply == NULL)
    return NULL;
  return prpctl_channel_read (reply, &r);
}

char *
prpctl_channels_summarize (GPtrArray *channels)
{
  guint n_active = 0, n_pending = 0, n_rejected = 0;
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < channels->len; i++) {
    const PrpctlChannel *channel = channels->pdata[i];

    n_active += g_str_equal (channel->state, RELAY_CHANNEL_STATE_NAME_ACTIVE);
    n_pending += g_str_equal (channel->state, RELAY_CHANNEL_STATE_NAME_PENDING);
    n_rejected += g_str_equal (channel->state, RELAY_CHANNEL_STATE_NAME_REJECTED);
  }
  if (n_active > 0)
    g_ptr_array_add (parts, g_strdup_printf (_("%u active"), n_active));
  if (n_pending > 0)
    g_ptr_array_add (parts, g_strdup_printf (_("%u pending"), n_pending));
  if (n_rejected > 0)
    g_ptr_array_add (parts, g_strdup_printf (_("%u rejected"), n_rejected));
  if (parts->len == 0)
    return g_strdup (_("none"));
  g_ptr_array_add (parts, NULL);
  return g_strjoinv (", ", (char **) parts->pdata);
}

static char *
join_holders (const PrpctlChannel *channel)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < channel->holders->len; i++) {
    if (i > 0)
      g_string_append (text, ", ");
    prpctl_text_append (text, channel->holders->pdata[i], HOLDER_MAX_CHARS);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
join_error (const PrpctlChannel *channel)
{
  g_autofree char *code = prpctl_text_make_safe (channel->error_code, ERROR_MAX_CHARS);
  g_autofree char *text = prpctl_text_make_safe (channel->error_text, ERROR_MAX_CHARS);

  if (*code == '\0' || *text == '\0')
    return g_strdup (*code != '\0' ? code : text);
  return g_strdup_printf ("%s: %s", code, text);
}

#define N_COLUMNS 6

static PrpctlStyle
get_state_style (const char *state)
{
  if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_ACTIVE))
    return PRPCTL_STYLE_GOOD;
  if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_REJECTED))
    return PRPCTL_STYLE_BAD;
  return PRPCTL_STYLE_BUSY;
}

/* A cell, padded to its column; the last filled cell of a row ends it. */
static void
append_cell (GString *out, const char *cell, guint width, const char *style, const char *plain)
{
  guint taken = prpctl_cells_measure (cell);

  g_string_append_printf (out, "%s%s%s", style, cell, plain);
  prpctl_cells_append_spaces (out, width - MIN (taken, width));
}

void
prpctl_channels_append_table (GString *out, GPtrArray *channels, guint64 now_usec, gboolean color)
{
  const char *plain = prpctl_text_get_style (PRPCTL_STYLE_PLAIN, color);
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  guint widths[N_COLUMNS] = { 0 };

  g_ptr_array_add (cells, g_strdup (_("CHANNEL")));
  g_ptr_array_add (cells, g_strdup (_("STATE")));
  g_ptr_array_add (cells, g_strdup (_("DURABLE")));
  g_ptr_array_add (cells, g_strdup (_("SINCE")));
  g_ptr_array_add (cells, g_strdup (_("HELD BY")));
  g_ptr_array_add (cells, g_strdup (_("ERROR")));
  for (guint i = 0; i < channels->len; i++) {
    const PrpctlChannel *channel = channels->pdata[i];

    g_ptr_array_add (cells, prpctl_text_make_safe (channel->name, NAME_MAX_CHARS));
    g_ptr_array_add (cells, prpctl_text_make_safe (channel->state, NAME_MAX_CHARS));
    g_ptr_array_add (cells, g_strdup (channel->durable ? _("yes") : _("no")));
    g_ptr_array_add (cells, channel->active_since_usec != 0
                              ? prpctl_text_format_time (channel->active_since_usec, now_usec)
                              : g_strdup (""));
    g_ptr_array_add (cells, join_holders (channel));
    g_ptr_array_add (cells, join_error (channel));
  }

  for (guint i = 0; i < cells->len; i++)
    widths[i % N_COLUMNS] = MAX (widths[i % N_COLUMNS], prpctl_cells_measure (cells->pdata[i]));
  for (guint row = 0; row <= channels->len; row++) {
    gchar **cell = (gchar **) cells->pdata + row * N_COLUMNS;
    guint last = N_COLUMNS - 1;

    while (last > 0 && *cell[last] == '\0')
      last--;
    for (guint i = 0; i <= last; i++) {
      PrpctlStyle style = row == 0 ? PRPCTL_STYLE_BOLD : PRPCTL_STYLE_PLAIN;

      if (row > 0 && i == 1)
        style = get_state_style (((const PrpctlChannel *) channels->pdata[row - 1])->state);
      append_cell (out, cell[i], i < last ? widths[i] + 2 : 0,
                   style != PRPCTL_STYLE_PLAIN ? prpctl_text_get_style (style, color) : "",
                   style != PRPCTL_STYLE_PLAIN ? plain : "");
    }
    g_string_append_c (out, '\n');
  }
}

void
prpctl_channels_append_json (GString *out, GPtrArray *channels)
{
  g_string_append_c (out, '[');
  for (guint i = 0; i < channels->len; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    g_string_append (out, ((const PrpctlChannel *) channels->pdata[i])->json);
  }
  g_string_append (out, "]\n");
}

char *
prpctl_channel_explain (const char *state, const PrpctlChannel *channel, gboolean connected)
{
  if (channel != NULL && (*channel->error_code != '\0' || *channel->error_text != '\0'))
    return join_error (channel);
  if (g_str_equal (state, RELAY_CHANNEL_STATE_NAME_REJECTED))
    return g_strdup (_("the server does not accept this channel"));
  if (!g_str_equal (state, RELAY_CHANNEL_STATE_NAME_PENDING))
    return NULL;
  return g_strdup (connected ? _("the server has not answered yet")
                             : _("not connected now: will be asked for on the next connection"));
}
