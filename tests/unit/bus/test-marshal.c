/* SPDX-License-Identifier: MIT */
#include "bus/marshal.h"

#include <errno.h>
#include <string.h>

#include "wire-fixture.h"

/* The same calls, on ours and on sd-bus's. */
typedef struct {
  sd_bus_message *message;
  RelayMarshal marshal;
} Pair;

static void
pair_open (Pair *pair, char type, const char *contents)
{
  g_assert_cmpint (relay_marshal_open (&pair->marshal, type, contents), ==, 0);
  g_assert_cmpint (sd_bus_message_open_container (pair->message, type, contents), >=, 0);
}

static void
pair_close (Pair *pair)
{
  relay_marshal_close (&pair->marshal);
  g_assert_cmpint (sd_bus_message_close_container (pair->message), >=, 0);
}

static void
pair_basic (Pair *pair, char type, const void *value)
{
  g_assert_cmpint (relay_marshal_basic (&pair->marshal, type, value), ==, 0);
  g_assert_cmpint (sd_bus_message_append_basic (pair->message, type, value), >=, 0);
}

static void
pair_string (Pair *pair, const char *text)
{
  char *ours, *theirs;

  g_assert_cmpint (relay_marshal_string_space (&pair->marshal, strlen (text), &ours), ==, 0);
  g_assert_cmpint (sd_bus_message_append_string_space (pair->message, strlen (text), &theirs), >=, 0);
  memcpy (ours, text, strlen (text));
  memcpy (theirs, text, strlen (text));
}

static void
pair_value (Pair *pair, GRand *rand, guint depth);

static void
pair_basic_variant (Pair *pair, char type, const void *value)
{
  pair_open (pair, 'v', (const char[]){ type, '\0' });
  pair_basic (pair, type, value);
  pair_close (pair);
}

static void
pair_entries (Pair *pair, GRand *rand, guint depth)
{
  char key[8] = "abcdefg";

  pair_open (pair, 'a', "{sv}");
  for (gint32 n = g_rand_int_range (rand, 0, 4); n > 0; n--) {
    key[g_rand_int_range (rand, 0, 8)] = '\0';
    pair_open (pair, 'e', "sv");
    pair_string (pair, key);
    pair_value (pair, rand, depth + 1);
    pair_close (pair);
  }
  pair_close (pair);
}

/* A variant with anything in it. */
static void
pair_value (Pair *pair, GRand *rand, guint depth)
{
  switch (g_rand_int_range (rand, 0, depth < 6 ? 9 : 6)) {
  case 0:
    pair_basic_variant (pair, 's', "some text");
    return;
  case 1:
    pair_basic_variant (pair, 'x', &(gint64){ -(gint64) g_rand_int (rand) });
    return;
  case 2:
    pair_basic_variant (pair, 't', &(guint64){ G_MAXUINT64 });
    return;
  case 3:
    pair_basic_variant (pair, 'd', &(double){ g_rand_double (rand) });
    return;
  case 4:
    pair_basic_variant (pair, 'b', &(int){ g_rand_boolean (rand) });
    return;
  case 5:
    pair_basic_variant (pair, 'g', "");
    return;
  case 6:
    pair_open (pair, 'v', "av");
    pair_open (pair, 'a', "v");
    for (gint32 n = g_rand_int_range (rand, 0, 4); n > 0; n--)
      pair_value (pair, rand, depth + 1);
    pair_close (pair);
    pair_close (pair);
    return;
  case 7:
    pair_open (pair, 'v', "a{sa{sv}}");
    pair_open (pair, 'a', "{sa{sv}}");
    for (gint32 n = g_rand_int_range (rand, 0, 3); n > 0; n--) {
      pair_open (pair, 'e', "sa{sv}");
      pair_string (pair, "changed");
      pair_entries (pair, rand, depth + 1);
      pair_close (pair);
    }
    pair_close (pair);
    pair_close (pair);
    return;
  default:
    pair_open (pair, 'v', "a{sv}");
    pair_entries (pair, rand, depth);
    pair_close (pair);
  }
}

/* Whatever is put into a message: it is to the byte what sd-bus makes of it. */
static void
test_equal (void)
{
  guint rounds = g_test_quick () ? 500 : 20000;
  g_autofree guint8 *buffer = g_malloc (64 * 1024);
  GRand *rand = g_rand_new_with_seed (7);
  WireFixture f;

  wire_fixture_set_up (&f);
  for (guint i = 0; i < rounds; i++) {
    g_autoptr (sd_bus_message) message = NULL;
    g_autoptr (GByteArray) sent = NULL;
    Pair pair = { 0 };
    guint64 cookie;

    g_assert_cmpint (sd_bus_message_new_signal (f.bus, &message, "/a/b", "a.b", "Member"), >=, 0);
    pair.message = message;
    g_assert_cmpint (relay_marshal_begin (&pair.marshal, buffer + i % 8, 48 * 1024, i + 1, "/a/b", "a.b", "Member", "sva{sv}"),
                     ==, 0);
    pair_string (&pair, &"first argument"[i % 14]);
    pair_value (&pair, rand, 0);
    pair_entries (&pair, rand, 0);
    relay_marshal_end (&pair.marshal);

    g_assert_cmpint (sd_bus_send (f.bus, message, &cookie), >=, 0);
    g_assert_cmpuint (cookie, ==, i + 1);
    sent = wire_fixture_take (&f);
    g_assert_cmpmem (pair.marshal.begin, pair.marshal.at - pair.marshal.begin, sent->data, sent->len);
  }
  wire_fixture_tear_down (&f);
  g_rand_free (rand);
}

static int
make (guint8 *buffer, gsize size, RelayMarshal *marshal)
{
  char *space;
  int r = relay_marshal_begin (marshal, buffer, size, 1, "/a", "a.b", "C", "sa{sv}gd");

  if (r >= 0)
    r = relay_marshal_basic (marshal, 's', "text");
  if (r >= 0)
    r = relay_marshal_open (marshal, 'a', "{sv}");
  if (r >= 0)
    r = relay_marshal_open (marshal, 'e', "sv");
  if (r >= 0)
    r = relay_marshal_string_space (marshal, 0, &space);
  if (r >= 0)
    r = relay_marshal_open (marshal, 'v', "b");
  if (r >= 0)
    r = relay_marshal_basic (marshal, 'b', &(int){ TRUE });
  if (r < 0)
    return r;
  relay_marshal_close (marshal);
  relay_marshal_close (marshal);
  relay_marshal_close (marshal);
  r = relay_marshal_basic (marshal, 'g', "as");
  return r < 0 ? r : relay_marshal_basic (marshal, 'd', &(double){ 1 });
}

/* A buffer that is too small: said, wherever it ends, and nothing is written beyond. */
static void
test_bounds (void)
{
  guint8 whole[256];
  RelayMarshal marshal;
  gsize size;

  g_assert_cmpint (make (whole, sizeof whole, &marshal), ==, 0);
  size = (gsize) (marshal.at - marshal.begin);
  for (gsize i = 1; i < size; i++) {
    g_autofree guint8 *exact = g_malloc (i);

    g_assert_cmpint (make (exact, i, &marshal), ==, -EMSGSIZE);
  }
  g_assert_cmpint (make (whole, size, &marshal), ==, 0);
}

/* A length that would wrap. */
static void
test_huge_string (void)
{
  guint8 buffer[256];
  RelayMarshal marshal;
  char *space;

  g_assert_cmpint (relay_marshal_begin (&marshal, buffer, sizeof buffer, 1, "/a", "a.b", "C", "s"), ==, 0);
  g_assert_cmpint (relay_marshal_string_space (&marshal, G_MAXSIZE, &space), ==, -EMSGSIZE);
  g_assert_cmpint (relay_marshal_string_space (&marshal, sizeof buffer, &space), ==, -EMSGSIZE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus/marshal/equal", test_equal);
  g_test_add_func ("/bus/marshal/bounds", test_bounds);
  g_test_add_func ("/bus/marshal/huge-string", test_huge_string);
  return g_test_run ();
}
