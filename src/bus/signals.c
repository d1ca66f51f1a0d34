/* SPDX-License-Identifier: MIT */
#include "bus/signals.h"

#include <string.h>

#include "common/names.h"

/*
 * From the reader's tape straight into the message: no value is held in between. Functions return a negative errno,
 * or something that is not negative.
 *
 * An event is described once, and written to one of two sinks: an sd_bus_message, or the bytes of a message of our own making
 * (bus/marshal.h), which takes a fifth of the time. sd-bus keeps an iovec, a signature and a stack for each message, checks
 * what it is handed against them, and cannot be handed a message that is made already. What is said here in a lifetime
 * are some millions of signals of eight signatures. Replies, and what is too large for a batch of bytes, are sd-bus's.
 *
 * Strings bypass sd_bus_message_append_basic, which would check their UTF-8 once more and needs a NUL behind them; the reader
 * has checked and mended them to what D-Bus carries, and a string that is not would have the bus hang up on us.
 */

/* Room for RELAY_EVENT_MAX_ARGUMENTS of the longest type, and the event. */
#define MAX_SIGNATURE_BYTES (RELAY_EVENT_MAX_ARGUMENTS * sizeof "a{sa{sv}}" + sizeof "a{sv}")

#define TRY(expression)                                                                             \
  G_STMT_START                                                                                      \
  {                                                                                                 \
    int try_r = (expression);                                                                       \
    if (try_r < 0)                                                                                  \
      return try_r;                                                                                 \
  }                                                                                                 \
  G_STMT_END

/* One of the two. */
typedef struct {
  sd_bus_message *message;
  RelayMarshal *marshal;
} Sink;

static inline int
sink_open (const Sink *sink, char type, const char *contents)
{
  return sink->marshal != NULL ? relay_marshal_open (sink->marshal, type, contents)
                               : sd_bus_message_open_container (sink->message, type, contents);
}

static inline int
sink_close (const Sink *sink)
{
  if (sink->marshal == NULL)
    return sd_bus_message_close_container (sink->message);
  relay_marshal_close (sink->marshal);
  return 0;
}

static inline int
sink_basic (const Sink *sink, char type, const void *value)
{
  return sink->marshal != NULL ? relay_marshal_basic (sink->marshal, type, value)
                               : sd_bus_message_append_basic (sink->message, type, value);
}

static inline int
sink_string_space (const Sink *sink, gsize length, char **ret_space)
{
  return sink->marshal != NULL ? relay_marshal_string_space (sink->marshal, length, ret_space)
                               : sd_bus_message_append_string_space (sink->message, length, ret_space);
}

static int append_object (const Sink *m, const RelayJsonReader *reader, guint object);

static int
append_string (const Sink *m, const RelayJsonReader *reader, guint string)
{
  char *space;

  TRY (sink_string_space (m, relay_json_reader_string_length (reader, string), &space));
  relay_json_reader_string_copy (reader, string, space);
  return 0;
}

/* The string of a token that may be missing or of another type. */
static int
append_string_or_empty (const Sink *m, const RelayJsonReader *reader, guint token)
{
  if (token == 0 || reader->tape[token].type != RELAY_JSON_STRING)
    return sink_basic (m, 's', "");
  return append_string (m, reader, token);
}

static int
append_basic_variant (const Sink *m, char type, const void *value)
{
  const char signature[] = { type, '\0' };

  TRY (sink_open (m, 'v', signature));
  TRY (sink_basic (m, type, value));
  return sink_close (m);
}

static int
append_text_variant (const Sink *m, const RelayJsonReader *reader, guint token)
{
  char *space;

  TRY (sink_open (m, 'v', "s"));
  TRY (sink_string_space (m, relay_json_reader_text_length (reader, token), &space));
  relay_json_reader_text_copy (reader, token, space);
  return sink_close (m);
}

static int append_variant (const Sink *m, const RelayJsonReader *reader, guint token);

static int
append_container_variant (const Sink *m, const RelayJsonReader *reader, guint token)
{
  const RelayJsonToken *tape = reader->tape;

  if (tape[token].level >= RELAY_SIGNALS_MAX_LEVEL)
    return append_text_variant (m, reader, token);

  if (tape[token].type == RELAY_JSON_OBJECT) {
    TRY (sink_open (m, 'v', "a{sv}"));
    TRY (append_object (m, reader, token));
    return sink_close (m);
  }

  TRY (sink_open (m, 'v', "av"));
  TRY (sink_open (m, 'a', "v"));
  for (guint element = token + 1; element < tape[token].next; element = tape[element].next)
    TRY (append_variant (m, reader, element));
  TRY (sink_close (m));
  return sink_close (m);
}

/* Any value, as the contract maps JSON. Recurses at most RELAY_SIGNALS_MAX_LEVEL deep. */
static int
append_variant (const Sink *m, const RelayJsonReader *reader, guint token)
{
  switch ((RelayJsonType) reader->tape[token].type) {
  case RELAY_JSON_STRING:
    TRY (sink_open (m, 'v', "s"));
    TRY (append_string (m, reader, token));
    return sink_close (m);
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
append_member (const Sink *m, const RelayJsonReader *reader, guint key)
{
  TRY (sink_open (m, 'e', "sv"));
  TRY (append_string (m, reader, key));
  TRY (append_variant (m, reader, key + 1));
  return sink_close (m);
}

/* a{sv} */
static int
append_object (const Sink *m, const RelayJsonReader *reader, guint object)
{
  const RelayJsonToken *tape = reader->tape;

  TRY (sink_open (m, 'a', "{sv}"));
  for (guint key = object + 1; key < tape[object].next; key = tape[key + 1].next)
    if ((tape[key].flags & RELAY_JSON_SUPERSEDED) == 0)
      TRY (append_member (m, reader, key));
  return sink_close (m);
}

/* a{sa{sv}}: what is not an object of objects has nothing to be shown in that form. */
static int
append_changes (const Sink *m, const RelayJsonReader *reader, guint changes)
{
  const RelayJsonToken *tape = reader->tape;

  TRY (sink_open (m, 'a', "{sa{sv}}"));
  if (changes != 0 && tape[changes].type == RELAY_JSON_OBJECT)
    for (guint key = changes + 1; key < tape[changes].next; key = tape[key + 1].next) {
      if ((tape[key].flags & RELAY_JSON_SUPERSEDED) != 0)
        continue;
      TRY (sink_open (m, 'e', "sa{sv}"));
      TRY (append_string (m, reader, key));
      if (tape[key + 1].type == RELAY_JSON_OBJECT) {
        TRY (append_object (m, reader, key + 1));
      } else {
        TRY (sink_open (m, 'a', "{sv}"));
        TRY (sink_close (m));
      }
      TRY (sink_close (m));
    }
  return sink_close (m);
}

static int
append_number (const Sink *m, const RelayJsonReader *reader, guint token)
{
  double value = 0;

  if (token != 0 && reader->tape[token].type >= RELAY_JSON_INT64 && reader->tape[token].type <= RELAY_JSON_DOUBLE)
    value = relay_json_reader_double (reader, token);
  return sink_basic (m, 'd', &value);
}

static int
append_argument (const Sink *m, const RelayEvent *event, const RelayEventArgument *argument)
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
open_entry (const Sink *m, const char *key, const char *signature)
{
  TRY (sink_open (m, 'e', "sv"));
  TRY (sink_basic (m, 's', key));
  return sink_open (m, 'v', signature);
}

static int
close_entry (const Sink *m)
{
  TRY (sink_close (m));
  return sink_close (m);
}

static int
append_string_entry (const Sink *m, const RelayEvent *event, const char *key, guint token)
{
  TRY (open_entry (m, key, "s"));
  TRY (append_string_or_empty (m, event->reader, token));
  return close_entry (m);
}

static int
append_uint64_entry (const Sink *m, const char *key, guint64 value)
{
  TRY (open_entry (m, key, "t"));
  TRY (sink_basic (m, 't', &value));
  return close_entry (m);
}

/* `data` is always there; what the server sent without one gets an empty one. */
static int
append_data_entry (const Sink *m, const RelayEvent *event)
{
  if (event->data == 0) {
    TRY (open_entry (m, "data", "a{sv}"));
    TRY (sink_open (m, 'a', "{sv}"));
    TRY (sink_close (m));
    return close_entry (m);
  }
  TRY (sink_open (m, 'e', "sv"));
  TRY (sink_basic (m, 's', "data"));
  TRY (append_variant (m, event->reader, event->data));
  return sink_close (m);
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

static int
append_event (const Sink *m, const RelayEvent *event)
{
  const RelayJsonReader *reader = event->reader;

  TRY (sink_open (m, 'a', "{sv}"));
  TRY (append_uint64_entry (m, "sequence", event->sequence));
  TRY (append_string_entry (m, event, "id", event->id));
  TRY (append_string_entry (m, event, "type", event->type));
  TRY (append_string_entry (m, event, "timestamp", event->timestamp));
  TRY (append_uint64_entry (m, "received", (guint64) event->received_usec));
  TRY (append_data_entry (m, event));
  for (guint key = 1; key < reader->n_tokens; key = reader->tape[key + 1].next)
    if ((reader->tape[key].flags & RELAY_JSON_SUPERSEDED) == 0 && !is_own_entry (reader, key))
      TRY (append_member (m, reader, key));
  return sink_close (m);
}

/* The arguments of the signal. */
static int
append_arguments (const Sink *m, const RelayEvent *event, const RelayEventInfo *info)
{
  for (guint i = 0; i < RELAY_EVENT_MAX_ARGUMENTS && info->arguments[i].name != NULL; i++)
    TRY (append_argument (m, event, &info->arguments[i]));
  return append_event (m, event);
}

/* sd-bus finds a message's signature as it is filled; in a header it stands first. */
static const char *
get_signature (const RelayEventInfo *info, char signature[MAX_SIGNATURE_BYTES])
{
  char *end = signature;

  for (guint i = 0; i < RELAY_EVENT_MAX_ARGUMENTS && info->arguments[i].name != NULL; i++)
    if (info->arguments[i].type == 'c')
      end = g_stpcpy (end, "a{sa{sv}}");
    else
      *end++ = info->arguments[i].type;
  strcpy (end, "a{sv}");
  return signature;
}

int
relay_signals_write (RelayMarshal *marshal, guint8 *buffer, gsize size, guint32 serial, const RelayEvent *event)
{
  const RelayEventInfo *info = relay_event_kind_get_info (event->kind);
  char signature[MAX_SIGNATURE_BYTES];

  TRY (relay_marshal_begin (marshal, buffer, size, serial, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE, info->signal,
                            get_signature (info, signature)));
  TRY (append_arguments (&(Sink){ .marshal = marshal }, event, info));
  relay_marshal_end (marshal);
  return 0;
}

int
relay_signals_append_event (sd_bus_message *m, const RelayEvent *event)
{
  return append_event (&(Sink){ .message = m }, event);
}

int
relay_signals_new (sd_bus *bus, const RelayEvent *event, sd_bus_message **ret_message)
{
  const RelayEventInfo *info = relay_event_kind_get_info (event->kind);
  g_autoptr (sd_bus_message) m = NULL;

  TRY (sd_bus_message_new_signal (bus, &m, RELAY_OBJECT_PATH, RELAY_EVENTS_INTERFACE, info->signal));
  TRY (append_arguments (&(Sink){ .message = m }, event, info));

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
