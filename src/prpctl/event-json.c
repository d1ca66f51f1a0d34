/* SPDX-License-Identifier: MIT */
#include "prpctl/event-json.h"

#include <errno.h>
#include <string.h>

#include "prpctl/json-writer.h"

static const char *const order[] = { "id", "type", "timestamp", "data", "metadata" };
static const char *const of_the_relay[] = { "sequence", "received" };

#define N_ORDERED G_N_ELEMENTS (order)

static gssize
find_name (const char *const *names, gsize n_names, const char *name)
{
  for (gsize i = 0; i < n_names; i++)
    if (g_str_equal (names[i], name))
      return (gssize) i;
  return -1;
}

int
prpctl_event_find (sd_bus_message *message)
{
  int r = sd_bus_message_rewind (message, TRUE);

  for (;;) {
    const char *contents = NULL;
    char type;

    if (r < 0)
      return r;
    r = sd_bus_message_peek_type (message, &type, &contents);
    if (r <= 0)
      return r;
    if (type == SD_BUS_TYPE_ARRAY && g_str_equal (contents, "{sv}"))
      return 1;
    r = sd_bus_message_skip (message, NULL);
  }
}

/*
 * A dictionary has no order, so each member is written behind the others as it comes, and the pieces are put
 * together afterwards.
 */
static int
append_members (GString *out, sd_bus_message *message)
{
  g_autoptr (GString) scratch = g_string_new (NULL);
  g_autoptr (GString) others = g_string_new (NULL);
  struct {
    gsize start, length;
  } pieces[N_ORDERED] = { 0 };
  gboolean first = TRUE;
  int r;

  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    gsize start = scratch->len;
    const char *key;
    gssize place;

    r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &key);
    if (r < 0)
      return r;
    if (find_name (of_the_relay, G_N_ELEMENTS (of_the_relay), key) >= 0) {
      r = sd_bus_message_skip (message, "v");
    } else {
      place = find_name (order, N_ORDERED, key);
      prpctl_json_append_string (scratch, key);
      g_string_append_c (scratch, ':');
      r = prpctl_json_append_value (scratch, message);
      if (r >= 0 && place >= 0) {
        pieces[place].start = start;
        pieces[place].length = scratch->len - start;
      } else if (r >= 0) {
        g_string_append_c (others, ',');
        g_string_append_len (others, scratch->str + start, (gssize) (scratch->len - start));
        g_string_truncate (scratch, start);
      }
    }
    if (r < 0)
      return r;
    r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r < 0)
    return r;

  g_string_append_c (out, '{');
  for (gsize i = 0; i < N_ORDERED; i++) {
    if (pieces[i].length == 0)
      continue;
    if (!first)
      g_string_append_c (out, ',');
    first = FALSE;
    g_string_append_len (out, scratch->str + pieces[i].start, (gssize) pieces[i].length);
  }
  g_string_append (out, first && others->len > 0 ? others->str + 1 : others->str);
  g_string_append_c (out, '}');
  return 1;
}

int
prpctl_event_append_json (GString *out, sd_bus_message *message)
{
  int r = prpctl_event_find (message);

  if (r > 0)
    r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");
  if (r > 0)
    r = append_members (out, message);
  else if (r == 0)
    r = 0;
  (void) sd_bus_message_rewind (message, TRUE);
  return r;
}
