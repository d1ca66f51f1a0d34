/* SPDX-License-Identifier: MIT */
#include "simulator/garbage.h"

#include <string.h>

#include "simulator/message.h"

/*
 * All but the last two kinds are well-formed WebSocket frames: what is wrong is inside. Each is made of an event
 * that would be good without it, so a client that lets it pass shows that by the event "Garbage: KIND".
 */

#define DEEP_LEVELS 100000
#define BIG_BYTES (3 * 1024 * 1024)

/* In the order of the table. */
enum {
  NOT_JSON,
  TRUNCATED,
  BINARY,
  SECOND_DOCUMENT,
  COMMENTS,
  DEEP,
  BIG,
  BAD_UTF8,
  LONE_SURROGATE,
  NUL,
  BIG_NUMBER,
  MASKED,
  HALF_FRAME
};

static const SimGarbageKind kinds[] = {
  [NOT_JSON] = { "not-json", "text that is not JSON" },
  [TRUNCATED] = { "truncated", "an event that ends in the middle" },
  [BINARY] = { "binary", "a binary message" },
  [SECOND_DOCUMENT] = { "second-document", "an event with another JSON value behind it" },
  [COMMENTS] = { "comments", "an event with JavaScript comments in it" },
  [DEEP] = { "deep", "an event with 100,000 arrays in each other" },
  [BIG] = { "big", "an event of 3 MiB" },
  [BAD_UTF8] = { "bad-utf8", "a text message that is not UTF-8" },
  [LONE_SURROGATE] = { "lone-surrogate", "an event with half a surrogate pair, escaped" },
  [NUL] = { "nul", "an event with an escaped NUL in a string" },
  [BIG_NUMBER] = { "big-number", "an event with numbers that no 64 bits hold" },
  [MASKED] = { "masked", "an event in a masked frame, which no server may send" },
  [HALF_FRAME] = { "half-frame", "half a frame, then the connection is cut" },
  { NULL, NULL },
};

const SimGarbageKind *
sim_garbage_list (void)
{
  return kinds;
}

/* A prp.created; @name and @extra (more members of its data, or "") stand in it as they are. */
static GByteArray *
make_event (const char *id, gint64 realtime_usec, const char *name, const char *extra)
{
  g_autofree char *time = sim_time_format (realtime_usec);
  g_autofree char *text = g_strdup_printf (
      "{\"id\":\"%s\",\"type\":\"prp.created\",\"timestamp\":\"%s\",\"data\":{\"id\":\"prp_garbage\","
      "\"projectId\":\"proj_atlas\",\"name\":\"%s\",\"description\":\"Sent on demand\",\"status\":\"pending\","
      "\"priority\":\"low\",\"createdBy\":\"usr_simulator\",\"createdAt\":\"%s\"%s}}",
      id, time, name, time, extra);
  gsize length = strlen (text);

  return g_byte_array_new_take ((guint8 *) g_steal_pointer (&text), length);
}

static void
append_text (GByteArray *array, const char *text)
{
  g_byte_array_append (array, (const guint8 *) text, (guint) strlen (text));
}

static char *
repeat (char c, gsize n)
{
  char *text = g_malloc (n + 1);

  memset (text, c, n);
  text[n] = '\0';
  return text;
}

static GByteArray *
make_payload (guint kind, const char *id, gint64 realtime_usec)
{
  g_autofree char *name = g_strconcat ("Garbage: ", kinds[kind].name, NULL);
  g_autofree char *special = NULL;
  GByteArray *payload;

  switch (kind) {
  case NOT_JSON:
    payload = g_byte_array_new ();
    append_text (payload, "this is not JSON");
    return payload;
  case DEEP: {
    g_autofree char *opening = repeat ('[', DEEP_LEVELS), *closing = repeat (']', DEEP_LEVELS);

    special = g_strconcat (",\"deep\":", opening, closing, NULL);
    return make_event (id, realtime_usec, name, special);
  }
  case BIG: {
    g_autofree char *filling = repeat ('x', BIG_BYTES);

    special = g_strconcat (",\"big\":\"", filling, "\"", NULL);
    return make_event (id, realtime_usec, name, special);
  }
  case COMMENTS:
    return make_event (id, realtime_usec, name, "/* a comment */ // and another\n");
  case BAD_UTF8:
    special = g_strconcat (name, " \xc3\x28\xff", NULL);
    return make_event (id, realtime_usec, special, "");
  case LONE_SURROGATE:
    special = g_strconcat (name, " \\ud800 alone", NULL);
    return make_event (id, realtime_usec, special, "");
  case NUL:
    special = g_strconcat (name, " \\u0000 and on", NULL);
    return make_event (id, realtime_usec, special, "");
  case BIG_NUMBER:
    return make_event (id, realtime_usec, name,
                       ",\"numbers\":[9223372036854775808,18446744073709551616,-9223372036854775809,1e400,"
                       "123456789012345678901234567890.5]");
  default:
    payload = make_event (id, realtime_usec, name, "");
    if (kind == TRUNCATED)
      g_byte_array_set_size (payload, payload->len / 2);
    else if (kind == SECOND_DOCUMENT)
      append_text (payload, "{\"second\":true}");
    return payload;
  }
}

gboolean
sim_garbage_append (GByteArray *out, const char *kind, const char *id, gint64 realtime_usec, guint n_fragments,
                    gboolean *ret_cut)
{
  g_autoptr (GByteArray) payload = NULL;
  guint index = 0, start = out->len;

  while (kinds[index].name != NULL && !g_str_equal (kinds[index].name, kind))
    index++;
  if (kinds[index].name == NULL)
    return FALSE;

  payload = make_payload (index, id, realtime_usec);
  if (index == MASKED)
    sim_frame_append_masked (out, SIM_OPCODE_TEXT, payload->data, payload->len);
  else
    sim_frame_append_message (out, index == BINARY ? SIM_OPCODE_BINARY : SIM_OPCODE_TEXT, payload->data,
                              payload->len, n_fragments);
  if (index == HALF_FRAME)
    g_byte_array_set_size (out, start + (out->len - start) / 2);
  *ret_cut = index == HALF_FRAME;
  return TRUE;
}
