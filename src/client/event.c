/* SPDX-License-Identifier: MIT */
#include "client/event.h"

#include <errno.h>

#include "client/json-writer.h"

static const char *const order[] = { "id", "type", "timestamp", "data", "metadata" };

#define N_ORDERED G_N_ELEMENTS (order)
#define NO_PLACE N_ORDERED

void
client_event_clear (ClientEvent *event)
{
  g_clear_pointer (&event->json, g_free);
  event->sequence = event->received_usec = 0;
}

static gsize
find_place (const char *name)
{
  gsize place = 0;

  while (place < N_ORDERED && !g_str_equal (order[place], name))
    place++;
  return place;
}

/* A number of the relay's, in a variant. One of another type is none of its. */
static int
read_number (sd_bus_message *message, guint64 *ret_number)
{
  const char *contents;
  char type;
  int r = sd_bus_message_peek_type (message, &type, &contents);

  if (r < 0)
    return r;
  if (!g_str_equal (contents, "t"))
    return sd_bus_message_skip (message, "v");
  return sd_bus_message_read (message, "v", "t", ret_number);
}

/*
 * A dictionary has no order, so each member is written behind the others as it comes, and the pieces are put
 * together afterwards.
 */
typedef struct {
  GString *scratch, *others;
  struct {
    gsize start, length;
  } pieces[N_ORDERED];
} Members;

static int
read_member (sd_bus_message *message, Members *members, ClientEvent *event)
{
  gsize start = members->scratch->len;
  const char *key;
  gsize place;
  int r = sd_bus_message_read_basic (message, SD_BUS_TYPE_STRING, &key);

  if (r < 0)
    return r;
  if (g_str_equal (key, "sequence"))
    return read_number (message, &event->sequence);
  if (g_str_equal (key, "received"))
    return read_number (message, &event->received_usec);

  place = find_place (key);
  client_json_append_string (members->scratch, key);
  g_string_append_c (members->scratch, ':');
  r = client_json_append_value (members->scratch, message);
  if (r < 0)
    return r;
  if (place != NO_PLACE) {
    members->pieces[place].start = start;
    members->pieces[place].length = members->scratch->len - start;
  } else {
    g_string_append_c (members->others, ',');
    g_string_append_len (members->others, members->scratch->str + start, (gssize) (members->scratch->len - start));
    g_string_truncate (members->scratch, start);
  }
  return 0;
}

static char *
put_together (const Members *members)
{
  GString *json = g_string_sized_new (members->scratch->len + members->others->len + 8);

  for (gsize i = 0; i < N_ORDERED; i++) {
    if (members->pieces[i].length == 0)
      continue;
    g_string_append_c (json, ',');
    g_string_append_len (json, members->scratch->str + members->pieces[i].start, (gssize) members->pieces[i].length);
  }
  g_string_append (json, members->others->str);
  if (json->len > 0)
    json->str[0] = '{';
  else
    g_string_append_c (json, '{');
  g_string_append_c (json, '}');
  return g_string_free (json, FALSE);
}

int
client_event_read (sd_bus_message *message, ClientEvent *ret_event)
{
  g_autoptr (GString) scratch = g_string_new (NULL);
  g_autoptr (GString) others = g_string_new (NULL);
  Members members = { .scratch = scratch, .others = others };
  ClientEvent event = { 0 };
  int r = sd_bus_message_enter_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r <= 0)
    return r;
  while ((r = sd_bus_message_enter_container (message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
    r = read_member (message, &members, &event);
    if (r >= 0)
      r = sd_bus_message_exit_container (message);
    if (r < 0)
      return r;
  }
  if (r >= 0)
    r = sd_bus_message_exit_container (message);
  if (r < 0)
    return r;
  event.json = put_together (&members);
  *ret_event = event;
  return 1;
}

/* As the relay puts it into its history (wire/gap.h). */
static int
read_gap (sd_bus_message *message, ClientEvent *ret_event)
{
  g_autoptr (GString) json = g_string_new ("{\"id\":\"\",\"type\":\"" CLIENT_EVENT_GAP_TYPE "\",\"timestamp\":\"");
  g_autoptr (GDateTime) time = NULL;
  guint64 since, until, sequence;
  const char *cause;
  int r = sd_bus_message_read (message, "tts", &since, &until, &cause);

  if (r <= 0)
    return r;
  time = g_date_time_new_from_unix_utc ((gint64) (until / G_USEC_PER_SEC));
  if (time != NULL) {
    g_autofree char *seconds = g_date_time_format (time, "%Y-%m-%dT%H:%M:%S");

    g_string_append_printf (json, "%s.%06uZ", seconds, (guint) (until % G_USEC_PER_SEC));
  }
  g_string_append_printf (json, "\",\"data\":{\"since\":%" G_GUINT64_FORMAT ",\"until\":%" G_GUINT64_FORMAT ",\"cause\":",
                          since, until);
  client_json_append_string (json, cause);
  g_string_append (json, ",\"channels\":");
  r = client_json_append_value (json, message);
  if (r >= 0)
    r = sd_bus_message_read (message, "t", &sequence);
  if (r <= 0)
    return r;
  g_string_append_printf (json, ",\"sequence\":%" G_GUINT64_FORMAT "}}", sequence);
  *ret_event = (ClientEvent){ sequence, until, g_string_free (g_steal_pointer (&json), FALSE) };
  return 1;
}

/* Moves @message to its event: the last argument, a{sv}. Returns 1, 0 if it has none, or a negative errno. */
static int
find_event (sd_bus_message *message)
{
  for (;;) {
    const char *contents = NULL;
    char type;
    int r = sd_bus_message_peek_type (message, &type, &contents);

    if (r <= 0)
      return r;
    if (type == SD_BUS_TYPE_ARRAY && g_str_equal (contents, "{sv}"))
      return 1;
    r = sd_bus_message_skip (message, NULL);
    if (r < 0)
      return r;
  }
}

int
client_event_read_signal (sd_bus_message *message, ClientEvent *ret_event)
{
  int r = sd_bus_message_rewind (message, TRUE);

  if (r < 0)
    return r;
  if (sd_bus_message_is_signal (message, NULL, "Gap") && sd_bus_message_has_signature (message, "ttsast"))
    r = read_gap (message, ret_event);
  else if ((r = find_event (message)) > 0)
    r = client_event_read (message, ret_event);
  (void) sd_bus_message_rewind (message, TRUE);
  return r;
}
