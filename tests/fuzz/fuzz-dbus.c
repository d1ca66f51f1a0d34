/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callers-model.h"
#include "common/log.h"
#include "common/names.h"
#include "fake-bus.h"
#include "service-world.h"

/*
 * Hostile callers: the service on a bus that is played (fake-bus.c), with the connection and the store behind it played as well.
 *
 * The input is a play in lines, so that a seed can be read and written by hand. A line is a letter, for some behind the digit
 * of a caller (0 to 3; none: 0), and words:
 *
 *   s NAME…, u NAME…                Subscribe, Unsubscribe
 *   h NAME… [KEY=TEXT…]             Hold, with options
 *   r COOKIE                        Release
 *   l AFTER LIMIT [KEY=TEXT…]       ListEvents, with a filter
 *   m PATH INTERFACE MEMBER [SIGNATURE VALUE…]
 *                                   any method, with any arguments: of an array, first how many; of a variant, first its
 *                                   signature
 *   M …                             the same, without an answer
 *   x                               the caller leaves, and another one comes
 *   f                               the caller says, in the bus's words, that the next one has left: which is forged
 *   k, t                            the connection comes or goes; is or is not being tried for
 *   a, n CODE                       what is asked next is confirmed; is refused
 *   e JSON                          an event arrives
 *   E                               large ones, until the bus is full
 *   g                               a gap is told
 *   w                               the callers stop reading, or go on
 *   q                               the bus refuses match rules, or takes them again
 *   -                               the next line follows before the loop has had its turn
 *   b BYTES                         to the end of the input: these bytes on the wire
 *
 * Beyond not crashing:
 * - after each line the loop comes to rest: nothing spins;
 * - each answer is to a call that was made, to whom made it, the only one, with an error of ours or of D-Bus;
 * - what is stored as durable is what is durable; holds are those that were promised, of those who are there; nobody has more
 *   holds, and there are not more channels, than the limits allow; without a connection nothing is active;
 * - in the end, when no answer of the server is to be expected any more, every call has its answer, everything is committed,
 *   and when all callers have left there is no hold.
 */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define N_CALLERS 4
#define MAX_LINES 200
#define MAX_WORDS 64
#define MAX_VALUE_DEPTH 16

typedef struct {
  FakeBus *bus;
  ServiceWorld *world;
  CallersModel *model;
  char *names[N_CALLERS];
  guint n_names;
  gboolean stalled, refusing, hurried;
  gboolean garbled; /* what the bus says after bytes that are no message may not be understood */
} Play;

static void
on_received (sd_bus_message *message, gpointer user_data)
{
  Play *play = user_data;
  guint8 type = 0;

  g_assert_cmpint (sd_bus_message_get_type (message, &type), >=, 0);
  if (type == SD_BUS_MESSAGE_METHOD_RETURN || type == SD_BUS_MESSAGE_METHOD_ERROR)
    callers_model_take_reply (play->model, message);
}

static void
on_turned (gpointer user_data)
{
  Play *play = user_data;

  relay_service_bus_turned (play->world->service);
}

static gboolean
wants_write (gpointer user_data)
{
  Play *play = user_data;

  return relay_service_wants_write (play->world->service);
}

static const RelayBusSourceEvents bus_events = { .turned = on_turned, .wants_write = wants_write };

static void
settle (Play *play)
{
  fake_bus_settle (play->bus);
  if (!play->stalled && !fake_bus_is_broken (play->bus) && callers_model_get_n_open (play->model) == 0)
    callers_model_check_holds (play->model, play->world->subscriptions);
  service_world_check (play->world);
}

static void
join (Play *play, guint caller)
{
  g_free (play->names[caller]);
  play->names[caller] = g_strdup_printf (":1.%u", 10 + play->n_names++);
  fake_bus_join (play->bus, play->names[caller]);
}

static void
leave (Play *play, guint caller)
{
  /* What was asked is asked; what is answered by then counts. */
  if (!play->hurried)
    fake_bus_settle (play->bus);
  callers_model_leave (play->model, play->names[caller]);
  fake_bus_leave (play->bus, play->names[caller]);
}

/* ---- calls ---- */

static sd_bus_message *
new_call (Play *play, const char *path, const char *interface, const char *member)
{
  sd_bus_message *call = NULL;

  if (sd_bus_message_new_method_call (fake_bus_get_callers (play->bus), &call, "dev.prp.Relay1", path, interface, member) < 0)
    return NULL;
  return call;
}

static void
deliver (Play *play, guint caller, sd_bus_message *call)
{
  guint64 cookie = fake_bus_deliver (play->bus, call, play->names[caller]);

  if (cookie != 0)
    callers_model_add_call (play->model, cookie, call);
}

/* The words that are no option, as an `as`; the others as an a{sv} of strings, numbers and lists. */
static int
append_names (sd_bus_message *call, char **words)
{
  int r = sd_bus_message_open_container (call, 'a', "s");

  for (; *words != NULL && r >= 0; words++)
    if (strchr (*words, '=') == NULL)
      r = sd_bus_message_append_basic (call, 's', *words);
  return r < 0 ? r : sd_bus_message_close_container (call);
}

static int
append_option (sd_bus_message *call, const char *key, const char *value)
{
  if (g_str_equal (key, "types"))
    return sd_bus_message_append (call, "{sv}", key, "as", 1, value);
  if (g_str_equal (key, "since"))
    return sd_bus_message_append (call, "{sv}", key, "t", g_ascii_strtoull (value, NULL, 10));
  if (g_str_equal (key, "newest"))
    return sd_bus_message_append (call, "{sv}", key, "b", *value == '1');
  return sd_bus_message_append (call, "{sv}", key, "s", value);
}

static int
append_options (sd_bus_message *call, char **words)
{
  int r = sd_bus_message_open_container (call, 'a', "{sv}");

  for (; *words != NULL && r >= 0; words++) {
    const char *equals = strchr (*words, '=');
    g_autofree char *key = equals != NULL ? g_strndup (*words, (gsize) (equals - *words)) : NULL;

    if (key != NULL)
      r = append_option (call, key, equals + 1);
  }
  return r < 0 ? r : sd_bus_message_close_container (call);
}

static void
call_channels (Play *play, guint caller, char **words)
{
  const char *member = *words[0] == 's' ? "Subscribe" : *words[0] == 'u' ? "Unsubscribe" : "Hold";
  g_autoptr (sd_bus_message) call = new_call (play, RELAY_OBJECT_PATH, RELAY_INTERFACE, member);
  int r = append_names (call, words + 1);

  if (r >= 0 && *words[0] == 'h')
    r = append_options (call, words + 1);
  if (r >= 0)
    deliver (play, caller, call);
}

static void
call_release (Play *play, guint caller, const char *word)
{
  g_autoptr (sd_bus_message) call = new_call (play, RELAY_OBJECT_PATH, RELAY_INTERFACE, "Release");

  if (sd_bus_message_append (call, "u", (guint32) g_ascii_strtoull (word, NULL, 10)) >= 0)
    deliver (play, caller, call);
}

static void
call_list (Play *play, guint caller, char **words)
{
  g_autoptr (sd_bus_message) call = new_call (play, RELAY_OBJECT_PATH, RELAY_HISTORY_INTERFACE, "ListEvents");
  guint64 after = g_ascii_strtoull (words[1], NULL, 10);
  guint32 limit = words[2] != NULL ? (guint32) g_ascii_strtoull (words[2], NULL, 10) : 0;

  if (sd_bus_message_append (call, "tu", after, limit) >= 0 && append_options (call, words + 1) >= 0)
    deliver (play, caller, call);
}

/* ---- any arguments ---- */

/* How long the first complete type of @signature is; 0 if it is none. */
static gsize
measure_type (const char *signature)
{
  gsize length = strspn (signature, "a");
  guint depth = 0;

  do {
    char c = signature[length];

    if (c == '\0')
      return 0;
    if (c == '(' || c == '{')
      depth++;
    else if (c == ')' || c == '}')
      depth -= depth > 0;
    length++;
  } while (depth > 0);
  return length;
}

static int append_values (sd_bus_message *call, const char *signature, char ***words, guint depth);

static const char *
take_word (char ***words)
{
  return **words != NULL ? *(*words)++ : "";
}

static int
append_basic (sd_bus_message *call, char type, const char *word)
{
  gint64 number = (gint64) g_ascii_strtoull (word, NULL, 10);

  switch (type) {
  case 's':
  case 'o':
  case 'g':
    return sd_bus_message_append_basic (call, type, word);
  case 'd':
    return sd_bus_message_append_basic (call, type, &(double){ g_ascii_strtod (word, NULL) });
  case 'b':
    return sd_bus_message_append_basic (call, type, &(int){ number != 0 });
  case 'h':
    return sd_bus_message_append_basic (call, type, &(int){ 0 });
  default:
    return sd_bus_message_append_basic (call, type, &number);
  }
}

static int
append_container (sd_bus_message *call, char type, const char *contents, char ***words, guint depth)
{
  guint n = type == 'a' ? g_ascii_strtoull (take_word (words), NULL, 10) % MAX_WORDS : 1;
  int r = sd_bus_message_open_container (call, type, contents);

  for (guint i = 0; i < n && r >= 0; i++)
    r = append_values (call, contents, words, depth + 1);
  return r < 0 ? r : sd_bus_message_close_container (call);
}

static int
append_values (sd_bus_message *call, const char *signature, char ***words, guint depth)
{
  int r = depth > MAX_VALUE_DEPTH ? -E2BIG : 0;
  gsize length;

  for (; *signature != '\0' && r >= 0; signature += length) {
    g_autofree char *contents = NULL;

    length = measure_type (signature);
    if (length == 0)
      return -EINVAL;
    if (*signature == 'a') {
      contents = g_strndup (signature + 1, length - 1);
      r = append_container (call, 'a', contents, words, depth);
    } else if (*signature == 'v') {
      r = append_container (call, 'v', take_word (words), words, depth);
    } else if (length > 1) {
      contents = g_strndup (signature + 1, length - 2);
      r = append_container (call, *signature == '(' ? 'r' : 'e', contents, words, depth);
    } else
      r = append_basic (call, *signature, take_word (words));
  }
  return r;
}

static void
call_any (Play *play, guint caller, char **words)
{
  gboolean quiet = *words[0] == 'M';
  g_autoptr (sd_bus_message) call = NULL;
  int r = 0;

  if (g_strv_length (words) < 4)
    return;
  call = new_call (play, words[1], words[2], words[3]);
  if (call == NULL)
    return;
  words += 4;
  if (*words != NULL) {
    const char *signature = take_word (&words);

    r = append_values (call, signature, &words, 0);
  }
  if (r >= 0 && quiet)
    r = sd_bus_message_set_expect_reply (call, 0);
  if (r >= 0)
    deliver (play, caller, call);
}

static void
forge (Play *play, guint caller)
{
  const char *victim = play->names[(caller + 1) % N_CALLERS];
  g_autoptr (sd_bus_message) signal = NULL;

  g_assert_cmpint (sd_bus_message_new_signal (fake_bus_get_callers (play->bus), &signal, "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged"), >=, 0);
  g_assert_cmpint (sd_bus_message_append (signal, "sss", victim, victim, ""), >=, 0);
  fake_bus_deliver (play->bus, signal, play->names[caller]);
}

/* ---- the play ---- */

static void
play_caller (Play *play, guint caller, char **words)
{
  switch (*words[0]) {
  case 's':
  case 'u':
  case 'h':
    call_channels (play, caller, words);
    break;
  case 'r':
    call_release (play, caller, words[1] != NULL ? words[1] : "1");
    break;
  case 'l':
    if (words[1] != NULL)
      call_list (play, caller, words);
    break;
  case 'm':
  case 'M':
    call_any (play, caller, words);
    break;
  case 'x':
    leave (play, caller);
    join (play, caller);
    break;
  case 'f':
    forge (play, caller);
    break;
  default:
    break;
  }
}

static void
play_world (Play *play, const char *line)
{
  switch (*line) {
  case 'k':
    service_world_toggle_connected (play->world);
    break;
  case 't':
    service_world_toggle_trying (play->world);
    break;
  case 'a':
    service_world_answer (play->world, NULL);
    break;
  case 'n':
    service_world_answer (play->world, line[1] == ' ' ? line + 2 : "INVALID_CHANNEL");
    break;
  case 'e':
    service_world_receive (play->world, line + 1);
    break;
  case 'E':
    service_world_flood (play->world);
    break;
  case 'g':
    service_world_tell_gap (play->world);
    break;
  case 'w':
    play->stalled = !play->stalled;
    fake_bus_stall (play->bus, play->stalled);
    break;
  case 'q':
    play->refusing = !play->refusing;
    fake_bus_refuse_matches (play->bus, play->refusing);
    break;
  default:
    break;
  }
}

static void
play_line (Play *play, const char *line)
{
  guint caller = g_ascii_isdigit (*line) ? (guint) (*line++ - '0') % N_CALLERS : 0;

  play->hurried = *line == '-';
  if (play->hurried)
    line++;
  if (strchr ("suhrlmMxf", *line) != NULL && *line != '\0') {
    g_auto (GStrv) words = g_strsplit (line, " ", MAX_WORDS);

    play_caller (play, caller, words);
  } else
    play_world (play, line);
  if (!play->hurried)
    settle (play);
}

static void
finish (Play *play)
{
  if (play->stalled)
    play_world (play, "w");
  if (play->world->trying)
    service_world_toggle_trying (play->world);
  settle (play);
  if (fake_bus_is_broken (play->bus))
    return;
  g_assert_cmpuint (callers_model_get_n_open (play->model), ==, 0);
  g_assert_cmpuint (play->world->n_uncommitted, ==, 0);
  g_assert_false (play->world->congested);
  g_assert_true (relay_service_is_flushed (play->world->service));
  if (play->garbled)
    return;
  for (guint i = 0; i < N_CALLERS; i++)
    leave (play, i);
  settle (play);
  for (guint i = 0; i < N_CALLERS; i++)
    g_assert_false (fake_bus_has (play->bus, play->names[i]));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  Play play = { 0 };
  guint n_lines = 0;
  char *next;

  relay_log_init ("fuzz-dbus", LOG_EMERG); /* what callers do is logged, and here they do it often */
  play.bus = fake_bus_new (on_received, &play);
  play.world = service_world_new (fake_bus_get_service (play.bus));
  play.model = callers_model_new (SERVICE_WORLD_MAX_HOLDS);
  fake_bus_set_events (play.bus, &bus_events, &play);
  for (guint i = 0; i < N_CALLERS; i++)
    join (&play, i);

  for (char *line = text; line != NULL && n_lines++ < MAX_LINES && !fake_bus_is_broken (play.bus); line = next) {
    if (line[0] == 'b' && line[1] == ' ') {
      fake_bus_settle (play.bus); /* a call under way would wait for an answer that is not understood any more */
      play.garbled = TRUE;
      fake_bus_deliver_bytes (play.bus, data + (line + 2 - text), size - (gsize) (line + 2 - text));
      fake_bus_settle (play.bus);
      break;
    }
    next = strchr (line, '\n');
    if (next != NULL)
      *next++ = '\0';
    play_line (&play, line);
  }
  finish (&play);

  fake_bus_set_events (play.bus, NULL, NULL);
  service_world_free (play.world);
  callers_model_free (play.model);
  fake_bus_free (play.bus);
  for (guint i = 0; i < N_CALLERS; i++)
    g_free (play.names[i]);
  g_assert_false (g_main_context_pending (NULL));
  return 0;
}
