/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/signals.h"
#include "client/event.h"
#include "json-oracle.h"
#include "wire-fixture.h"

/*
 * The way of hostile bytes: reader, event, D-Bus message, and back to JSON, as prpctl shows it.
 *
 * Beyond not crashing:
 * - what is accepted is JSON, and what is JSON is accepted, by a second parser (json-oracle.c);
 * - reading the same bytes again gives the same tape;
 * - each string has the value that decoding it by hand gives;
 * - an event becomes a message that sd-bus sends, to the byte the one that our own marshaller makes, which does not go past
 *   the end of the room it has; it is not longer than was estimated;
 * - read again by the client's side, which refuses what is nested deeper than a bus lets through, and written as JSON, it is
 *   valid, and says what the server said.
 */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Kept for all inputs. */
static WireFixture *
get_wire (void)
{
  static WireFixture wire;

  if (wire.bus == NULL)
    wire_fixture_set_up (&wire);
  return &wire;
}

static void
check_strings (const RelayJsonReader *reader)
{
  for (guint token = 0; token < reader->n_tokens; token++) {
    const RelayJsonToken *t = &reader->tape[token];
    g_autofree char *value = NULL, *expected = NULL;

    if (t->type != RELAY_JSON_STRING)
      continue;
    value = relay_json_reader_dup_string (reader, token);
    expected = json_oracle_unescape (reader->text + t->start, t->end - t->start);
    g_assert_cmpstr (value, ==, expected);
    g_assert_cmpuint (relay_json_reader_string_length (reader, token), ==, strlen (expected));
    g_assert_true (relay_json_reader_string_equal (reader, token, expected));
  }
}

/* The message's own members that are not as they should be come out as the contract has them: strings that are none as "",
 * `data` that is missing as {}. The others must be equal. */
static void
check_shown (const RelayEvent *event, const RelayJsonReader *shown)
{
  static const char *const own[] = { "id", "type", "timestamp", "sequence", "received" };
  const RelayJsonReader *reader = event->reader;
  guint n = 0, n_shown = 0;

  for (guint key = 1; key < reader->n_tokens; key = reader->tape[key + 1].next) {
    g_autofree char *name = relay_json_reader_dup_string (reader, key);
    guint other = relay_json_reader_find (shown, 0, name);
    gboolean is_own = g_strv_contains (own, name), is_ours = is_own && g_strv_contains (&own[3], name);

    if ((reader->tape[key].flags & RELAY_JSON_SUPERSEDED) != 0)
      continue;
    n += !is_own;
    g_assert_cmpint (other == 0, ==, is_ours);
    if (is_own && !is_ours && reader->tape[key + 1].type != RELAY_JSON_STRING)
      g_assert_true (relay_json_reader_string_equal (shown, other, ""));
    else if (!is_ours)
      g_assert_true (json_oracle_equal (reader, key + 1, shown, other, RELAY_SIGNALS_MAX_LEVEL));
  }
  for (guint key = 1; key < shown->n_tokens; key = shown->tape[key + 1].next)
    n_shown++;
  g_assert_cmpuint (n_shown, ==, n + 3 + (event->data == 0));
}

/* @size bytes are too few: that is said, and no byte behind them is written. */
static void
check_short (const RelayEvent *event, gsize size)
{
  g_autofree guint8 *bytes = g_malloc (size);
  RelayMarshal marshal;

  g_assert_cmpint (relay_signals_write (&marshal, bytes, size, 1, event), ==, -EMSGSIZE);
}

/* @message is sealed. */
static void
check_bytes (const RelayEvent *event, sd_bus_message *message)
{
  g_autoptr (GByteArray) sent = NULL;
  g_autofree guint8 *bytes = NULL;
  RelayMarshal marshal;
  guint64 cookie;

  g_assert_cmpint (sd_bus_send (get_wire ()->bus, message, NULL), >=, 0);
  g_assert_cmpint (sd_bus_message_get_cookie (message, &cookie), >=, 0);
  sent = wire_fixture_take (get_wire ());
  bytes = g_malloc (sent->len);
  g_assert_cmpint (relay_signals_write (&marshal, bytes, sent->len, (guint32) cookie, event), ==, 0);
  g_assert_cmpmem (marshal.begin, marshal.at - marshal.begin, sent->data, sent->len);
  check_short (event, sent->len - 1);
  check_short (event, sent->len / 2);
}

/* Alone, as the answer of ListEvents has it. The second word of a message is the length of its body. */
static void
check_estimate (const RelayEvent *event)
{
  enum { BODY_LENGTH = 4 };
  g_autoptr (sd_bus_message) message = NULL;
  g_autoptr (GByteArray) sent = NULL;
  guint32 length;

  g_assert_cmpint (sd_bus_message_new_signal (get_wire ()->bus, &message, "/a", "a.b", "C"), >=, 0);
  g_assert_cmpint (relay_signals_append_event (message, event), >=, 0);
  g_assert_cmpint (sd_bus_send (get_wire ()->bus, message, NULL), >=, 0);
  sent = wire_fixture_take (get_wire ());
  memcpy (&length, sent->data + BODY_LENGTH, sizeof length);
  g_assert_cmpuint (length, <=, relay_signals_estimate_bytes (event));
}

static void
check_member (const RelayEvent *event, const char *member)
{
  guint token = relay_event_find (event, member);
  g_autofree char *value = relay_event_dup_member (event, member);
  g_autofree char *expected = token != 0 ? relay_json_reader_dup_string (event->reader, token) : NULL;

  g_assert_cmpstr (value, ==, expected != NULL ? expected : "");
}

static void
check_signal (const RelayEvent *event)
{
  g_autoptr (sd_bus_message) message = NULL;
  g_auto (ClientEvent) again = { 0 };
  RelayJsonReader shown = { 0 };

  g_assert_cmpint (relay_signals_new (get_wire ()->bus, event, &message), >=, 0);
  g_assert_cmpint (sd_bus_message_seal (message, 1, 0), >=, 0);
  check_bytes (event, message);
  check_estimate (event);
  check_member (event, "id");

  g_assert_cmpint (client_event_read_signal (message, &again), ==, 1);
  g_assert_cmpuint (again.sequence, ==, event->sequence);
  g_assert_cmpuint (again.received_usec, ==, (guint64) event->received_usec);
  g_assert_true (json_oracle_is_valid (again.json, strlen (again.json)));
  g_assert_true (relay_json_reader_read (&shown, again.json, strlen (again.json), NULL));
  check_shown (event, &shown);
  relay_json_reader_clear (&shown);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = size > 0 ? g_memdup2 (data, size) : g_strdup ("");
  RelayJsonReader reader = { 0 }, again = { 0 };
  g_autoptr (GError) error = NULL;
  RelayEvent event;

  g_assert_cmpint (relay_json_reader_read (&reader, text, size, &error), ==, json_oracle_is_valid (text, size));
  g_assert_cmpint (reader.n_tokens == 0, ==, error != NULL);
  check_strings (&reader);

  if (relay_event_read (&event, &again, text, size, NULL)) {
    g_assert_cmpmem (reader.tape, reader.n_tokens * sizeof *reader.tape, again.tape, again.n_tokens * sizeof *again.tape);
    event.sequence = 7;
    event.received_usec = 1700000000000000;
    if (relay_event_kind_is_relayed (event.kind))
      check_signal (&event);
  }
  relay_json_reader_clear (&reader);
  relay_json_reader_clear (&again);
  return 0;
}
