/* SPDX-License-Identifier: MIT */
#include "bus/signals.h"

#include <string.h>

#include "common/names.h"

/*
 * From the reader's tape straight into the message: no value is held in between. Functions return a negative errno
 * from sd-bus, or something that is not negative.
 *
 * Strings bypass sd_bus_message_append_basic, which would check their UTF-8 once more and needs a NUL behind them; the reader
 * has checked and mended them to what D-Bus carries, and a string that is not would have the bus hang up on us.
 */

#define TRY(expression)                                                                             \
  G_STMT_START                                                                                      \
  {                                                                                                 \
    int try_r = (expression);                                                                       \
    if (try_r < 0)                                                                                  \
      return try_r;                                                                                 \
  }                                                                                                 \
  G_STMT_END

static int append_object (sd_bus_message *m, const RelayJsonReader *reader, guint object);

static int
append_string (sd_bus_message *m, const RelayJsonReader *reader, guint string)
{
  char *space;

  TRY (sd_bus_message_append_string_space (m, relay_json_reader_string_length (reader, string), &space));
  relay_json_reader_string_copy (reader, string, space);
  return 0;
}

/* The string of a token that may be missing or of another type. */
static int
append_string_or_empty (sd_bus_message *m, const RelayJsonReader *reader, guint token)
{
  if (token == 0 || reader->tape[token].type != RELAY_JSON_STRING)
    return sd_bus_message_append_basic (m, 's', "");
  return append_string (m, reader, token);
}

static int
append_basic_variant (sd_bus_message *m, char type, const void *value)
{
  const char signature[] = { type, '\0' };

  TRY (sd_bus_message_open_container (m, 'v', signature));
  TRY (sd_bus_message_append_basic (m, type, value));
  return sd_bus_message_close_container (m);
}

static int
append_text_variant (sd_bus_message *m, const RelayJsonReader *reader, guint token)
{
  char *space;

  TRY (sd_bus_message_open_container (m, 'v', "s"));
  TRY (sd_bus_message_append_string_space (m, relay_json_reader_text_length (reader, token), &space));
  relay_json_reader_text_copy (reader, token, space);
  return sd_bus_message_close_container (m);
}

static int append_variant (sd_bus_message *m, const RelayJsonReader *reader, guint token);

static int
append_container_variant (sd_bus_message *m, const RelayJsonReader *reader, guint token)
{
  const RelayJsonToken *tape = reader->tape;

  if (tape[token].level >= RELAY_SIGNALS_MAX_LEVEL)
    return append_text_variant (m, reader, token);

  if (tape[token].type == RELAY_JSON_OBJECT) {
    TRY (sd_bus_message_open_container (m, 'v', "a{sv}"));
    TRY (append_object (m, reader, token));
    return sd_bus_message_close_container (m);
  }

  TRY (sd_bus_message_open_container (m, 'v', "av"));
  TRY (sd_bus_message_open_container (m, 'a', "v"));
  for (guint element = token + 1; element < tape[token].next; element = tape[element].next)
    TRY (append_variant (m, reader, element));
  TRY (sd_bus_message_close_container (m));
  return sd_bus_message_close_container (m);
}

/* Any value, as the contract maps JSON. Recurses at most RELAY_SIGNALS_MAX_LEVEL deep. */
static int
append_variant (sd_bus_message *m, const RelayJsonReader *reader, guint token)
{
  switch ((RelayJsonType) reader->tape[token].type) {
  case RELAY_JSON_STRING:
    TRY (sd_bus_message_open_container (m, 'v', "s"));
    TRY (append_string (m, reader, token));
    return sd_bus_message_close_container (m);
  case RELAY_JSON_INT64:
    return append_basic_variant (m, 'x', &(gint64){ relay_json_reader_int64 (reader, token) });
  case RELAY_JSON_UINT64:
    return append_basic_variant (m, 't', &(guint64){ relay_json_reader_uint64 (reader, token) });
  case RELAY_JSON_DOUBLE:
    return append_basic_variant (m, 'd', &(double){ relay_json_reader_double (reader, token) });
  case RELAY_JSON_TRUE:
  case RELAY_JSON_FALSE:
    return append_basic_variant (m, 'b', &(int){ reader->tape[token].type == RELAY_JSON_TRUE });
  case RELAY_JSON_NULL:
    return append_basic_variant (m, 'g', "");
  case RELAY_JSON_ARRAY:
  case RELAY_JSON_OBJECT:
    return append_container_variant (m, reader, token);
  default:
    g_assert_not_reached ();
  }
}

static int
append_member (sd_bus_message *m, const RelayJsonReader *reader, guint key)
{
  TRY (sd_bus_message_open_container (m, 'e', "sv"));
  TRY (append_string (m, reader, key));
  TRY (append_variant (m, reader, key + 1));
  return sd_bus_message_close_container (m);
}

/* a{sv} */
static int
append_object (sd_bus_message *m, const RelayJsonReader *reader, guint object)
{
  const RelayJsonToken *tape = reader->tape;

  TRY (sd_bus_message_open_container (m, 'a', "{sv}"));
  for (guint key = object + 1; key < tape[object].next; key = tape[key + 1].next)
    if ((tape[key].flags & RELAY_JSON_SUPERSEDED) == 0)
      TRY (append_member (m, reader, key));
  return sd_bus_message_close_container (m);
}

/* a{sa{sv}}: what is not an object of objects has nothing to be shown in that form. */
static int
append_changes (sd_bus_message *m, const RelayJsonReader *reader, guint changes)
{
  const RelayJsonToken *tape = reader->tape;

  TRY (sd_bus_message_open_container (m, 'a', "{sa{sv}}"));
  if (changes != 0 && tape[changes].type == RELAY_JSON_OBJECT)
    for (guint key = changes + 1; key < tape[changes].next; key = tape[key + 1].next) {
      if ((tape[key].flags & RELAY_JSON_SUPERSEDED) != 0)
        continue;
      TRY (sd_bus_message_open_container (m, 'e', "sa{sv}"));
      TRY (append_string (m, reader, key));
      if (tape[key + 1].type == RELAY_JSON_OBJECT) {
        TRY (append_object (m, reader, key + 1));
      } else {
        TRY (sd_bus_message_open_container (m, 'a', "{sv}"));
        TRY (sd_bus_message_close_container (m));
      }
      TRY (sd_bus_message_close_container (m));
    }
  return sd_bus_message_close_container (m);
}

static int
append_number (sd_bus_message *m, const RelayJsonReader *reader, guint token)
{
  double value = 0;

  if (token != 0 && reader->tape[token].type >= RELAY_JSON_INT64 && reader->tape[token].type <= RELAY_JSON_DOUBLE)
    value = relay_json_reader_double (reader, token);
  return sd_bus_message_append_basic (m, 'd', &value);
}

static int
append_argument (sd_bus_message *m, const RelayEvent *event, const RelayEventArgument *argument)
{
  guint token = argument->member != NULL ? relay_event_find (event, argument->member) : event->type;

  switch (argument->type) {
  case 's':
    return append_string_or_empty (m, event->reader, token);
  case 'd':
    return append_number (m, event->reader, token);
  case 'c':
    return append_changes (m, event->reader, token);
  default:
    g_assert_not_reached ();
  }
}

static int
open_entry (sd_bus_message *m, const char *key, const char *signature)
{
  TRY (sd_bus_message_open_container (m, 'e', "sv"));
  TRY (sd_bus_message_append_basic (m, 's', key));
  return sd_bus_message_open_container (m, 'v', signature);
}

static int
close_entry (sd_bus_message *m)
{
  TRY (sd_bus_message_close_container (m));
  return sd_bus_message_close_container (m);
}

static int
append_string_entry (sd_bus_message *m, const RelayEvent *event, const char *key, guint token)
{
  TRY (open_entry (m, key, "s"));
  TRY (append_string_or_empty (m, event->reader, token));
  return close_entry (m);
}

static int
append_uint64_entry (sd_bus_message *m, const char *key, guint64 value)
{
  TRY (open_entry (m, key, "t"));
  TRY (sd_bus_message_append_basic (m, 't', &value));
  return close_entry (m);
}

/* `data` is always there; what the server sent without one gets an empty one. */
static int
append_data_entry (sd_bus_message *m, const RelayEvent *event)
{
  if (event->data == 0) {
    TRY (open_entry (m, "data", "a{sv}"));
    TRY (sd_bus_message_open_container (m, 'a', "{sv}"));
    TRY (sd_bus_message_close_container (m));
    return close_entry (m);
  }
  TRY (sd_bus_message_open_container (m, 'e', "sv"));
  TRY (sd_bus_message_append_basic (m, 's', "data"));
  TRY (append_variant (m, event->reader, event->data));
  return sd_bus_message_close_container (m);
}

/* Members of the message that stand in every event already; `sequence` and `received` are the relay's own. */
static gboolean
is_own_entry (const RelayJsonReader *reader, guint key)
{
  static const char *const names[] = { "id", "type", "timestamp", "data", "sequence", "received" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (relay_json_reader_string_equal (reader, key, names[i]))
      return TRUE;
  return FALSE;
}

int
relay_signals_append_event (sd_bus_message *m, const RelayEvent *event)
{
  const RelayJsonReader *reader = event->reader;

  TRY (sd_bus_message_open_container (m, 'a', "{sv}"));
  TRY (append_uint64_entry (m, "sequence", event->sequence));
  TRY (append_string_entry (m, event, "id", event->id));
  TRY (append_string_entry (m, event, "type", event->type));
  TRY (append_string_entry (m, event, "timestamp", event->timestamp));
  TRY (append_uint64_entry (m, "received", (guint64) event->received_usec));
  TRY (append_data_entry (m, event));
  for (guint key = 1; key < reader->n_tokens; key = reader->tape[key + 1].next)
    if ((reader->tape[key].flags & RELAY_JSON_SUPERSEDED) == 0 && !is_own_entry (reader, key))
      TRY (append_member (m, reader, key));
  return sd_bus_message_close_container (m);
}

int
relay_signals_new (sd_bus *bus, const RelayEvent *event, sd_bus_message **ret_message)
{
  const RelayEventInfo *info = relay_event_kind_get_info (event->kind);
  g_autoptr (sd_bus_message) m = NULL;

  TRY (sd_bus_message_new_signal (bus, &m, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE, info->signal));
  for (guint i = 0; i < RELAY_EVENT_MAX_ARGUMENTS && info->arguments[i].name != NULL; i++)
    TRY (append_argument (m, event, &info->arguments[i]));
  TRY (relay_signals_append_event (m, event));

  *ret_message = g_steal_pointer (&m);
  return 0;
}

int
relay_signals_new_gap (sd_bus *bus, const RelayGap *gap, sd_bus_message **ret_message)
{
  g_autoptr (sd_bus_message) m = NULL;

  TRY (sd_bus_message_new_signal (bus, &m, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE, "Gap"));
  TRY (sd_bus_message_append (m, "tts", gap->since_usec, gap->until_usec, gap->cause));
  TRY (sd_bus_message_append_strv (m, gap->channels));
  TRY (sd_bus_message_append_basic (m, 't', &gap->sequence));

  *ret_message = g_steal_pointer (&m);
  return 0;
}

/* Beside the text of its strings a token takes 18 bytes at most (of a number or a container: signature, padding, value), or,
 * as the key of an entry, 12. */
gsize
relay_signals_estimate_bytes (const RelayEvent *event)
{
  enum { OWN_ENTRIES = 256, TOKEN = 24 };

  return OWN_ENTRIES + event->reader->length + (gsize) event->reader->n_tokens * TOKEN;
}
