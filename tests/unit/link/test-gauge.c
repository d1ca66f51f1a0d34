/* SPDX-License-Identifier: MIT */
#include "link/gauge.h"

#include <string.h>

#include "tests/unit/link/ws-server.h"

#define LIMIT 70000

static GByteArray *
make_frames (void)
{
  GByteArray *bytes = g_byte_array_new ();
  static const gsize lengths[] = { 0, 1, 125, 126, 127, 300 };
  g_autofree char *payload = g_strnfill (LIMIT + 1, 'p');

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    ws_append_frame (bytes, 0x1, TRUE, payload, lengths[i]);
  ws_append_frame (bytes, 0x9, TRUE, payload, 125);
  ws_append_frame (bytes, 0x2, FALSE, payload, 200);
  ws_append_frame (bytes, 0x9, TRUE, NULL, 0);
  ws_append_frame (bytes, 0xa, TRUE, payload, 3);
  ws_append_frame (bytes, 0x0, FALSE, payload, 0);
  ws_append_frame (bytes, 0x0, TRUE, payload, 200);
  ws_append_frame (bytes, 0x8, TRUE, payload, 2);
  return bytes;
}

/* The same frames, cut in two anywhere, and into pieces of any size. */
static void
test_splits (void)
{
  g_autoptr (GByteArray) bytes = make_frames ();

  for (guint cut = 0; cut <= bytes->len; cut++) {
    RelayGauge gauge = { .max_message_bytes = 400 };

    g_assert_cmpuint (relay_gauge_take (&gauge, bytes->data, cut), ==, cut);
    g_assert_cmpuint (relay_gauge_take (&gauge, bytes->data + cut, bytes->len - cut), ==, bytes->len - cut);
    g_assert_false (gauge.too_big);
    g_assert_cmpuint (gauge.n_pings, ==, 2);
    g_assert_cmpuint (gauge.n_header, ==, 0);
    g_assert_cmpuint (gauge.payload_left, ==, 0);
  }
  for (guint piece = 1; piece < 20; piece++) {
    RelayGauge gauge = { .max_message_bytes = 400 };

    for (guint at = 0; at < bytes->len; at += piece) {
      guint n = MIN (piece, bytes->len - at);

      g_assert_cmpuint (relay_gauge_take (&gauge, bytes->data + at, n), ==, n);
    }
    g_assert_cmpuint (gauge.n_pings, ==, 2);
  }
}

/* Where the excess is found does not depend on the cuts: at the last byte of the header that announces it. */
static void
test_excess_splits (void)
{
  g_autoptr (GByteArray) bytes = make_frames ();
  guint good = bytes->len;
  g_autofree char *payload = g_strnfill (401, 'p');

  ws_append_frame (bytes, 0x1, TRUE, payload, 401);
  for (guint cut = 0; cut <= bytes->len; cut++) {
    RelayGauge gauge = { .max_message_bytes = 400 };
    gsize taken = relay_gauge_take (&gauge, bytes->data, cut);

    if (taken == cut)
      taken += relay_gauge_take (&gauge, bytes->data + cut, bytes->len - cut);
    g_assert_cmpuint (taken, ==, good + 3);
    g_assert_true (gauge.too_big);
    /* And nothing more. */
    g_assert_cmpuint (relay_gauge_take (&gauge, bytes->data, 1), ==, 0);
  }
}

static gboolean
fits (guint64 limit, guint8 opcode, gsize length)
{
  RelayGauge gauge = { .max_message_bytes = limit };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (length, 'p');

  ws_append_frame (bytes, opcode, TRUE, payload, length);
  relay_gauge_take (&gauge, bytes->data, bytes->len);
  return !gauge.too_big;
}

static void
test_limit (void)
{
  static const gsize limits[] = { 0, 1, 125, 126, 127, 65535, 65536, LIMIT };

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++) {
    g_assert_true (fits (limits[i], 0x1, limits[i]));
    g_assert_false (fits (limits[i], 0x1, limits[i] + 1));
    g_assert_true (fits (limits[i], 0x9, limits[i]));
    g_assert_false (fits (limits[i], 0x9, limits[i] + 1));
  }
}

static gboolean
fragments_fit (guint n, gsize piece, gsize last)
{
  RelayGauge gauge = { .max_message_bytes = LIMIT };
  g_autofree char *payload = g_strnfill (LIMIT + 1, 'p');

  for (guint i = 0; i < n; i++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();

    ws_append_frame (bytes, i == 0 ? 0x1 : 0x0, i == n - 1, payload, i == n - 1 ? last : piece);
    /* Control frames in between count for nothing. */
    ws_append_frame (bytes, 0x9, TRUE, payload, 125);
    relay_gauge_take (&gauge, bytes->data, bytes->len);
  }
  return !gauge.too_big;
}

static void
test_fragments (void)
{
  g_assert_true (fragments_fit (2, LIMIT, 0));
  g_assert_false (fragments_fit (2, LIMIT, 1));
  g_assert_true (fragments_fit (7000, 10, 10));
  g_assert_false (fragments_fit (7000, 10, 11));
  g_assert_true (fragments_fit (LIMIT + 1, 1, 0));
  g_assert_false (fragments_fit (LIMIT + 1, 1, 1));
  /* Empty ones for ever do no harm. */
  g_assert_true (fragments_fit (100000, 0, 0));
}

/* A message that ended leaves its whole allowance to the next one. */
static void
test_one_by_one (void)
{
  RelayGauge gauge = { .max_message_bytes = LIMIT };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *payload = g_strnfill (LIMIT, 'p');

  for (guint i = 0; i < 10; i++) {
    ws_append_frame (bytes, 0x1, FALSE, payload, LIMIT / 2);
    ws_append_frame (bytes, 0x0, TRUE, payload, LIMIT / 2);
    ws_append_frame (bytes, 0x1, TRUE, payload, LIMIT);
  }
  g_assert_cmpuint (relay_gauge_take (&gauge, bytes->data, bytes->len), ==, bytes->len);
  g_assert_false (gauge.too_big);
}

/* Masks are not for servers, but the lengths are read right: it is for others to refuse them. */
static void
test_masked (void)
{
  static const guint8 frames[] = { 0x81, 0x83, 1, 2, 3, 4, 'a', 'b', 'c', 0x89, 0x80, 1, 2, 3, 4, 0x89, 0 };
  RelayGauge gauge = { .max_message_bytes = 3 };

  g_assert_cmpuint (relay_gauge_take (&gauge, frames, sizeof frames), ==, sizeof frames);
  g_assert_cmpuint (gauge.n_pings, ==, 2);
}

static void
test_huge (void)
{
  static const guint8 header[] = { 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 'x' };
  static const guint8 first[] = { 0x02, 5, 'h', 'e', 'l', 'l', 'o' };
  RelayGauge gauge = { .max_message_bytes = LIMIT };

  g_assert_cmpuint (relay_gauge_take (&gauge, header, sizeof header), ==, 13);
  g_assert_true (gauge.too_big);

  /* Together with what came before it, the sum would wrap. */
  gauge = (RelayGauge){ .max_message_bytes = G_MAXUINT64 - 1 };
  g_assert_cmpuint (relay_gauge_take (&gauge, first, sizeof first), ==, sizeof first);
  g_assert_cmpuint (relay_gauge_take (&gauge, header, sizeof header), ==, 13);
  g_assert_true (gauge.too_big);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gauge/splits", test_splits);
  g_test_add_func ("/gauge/excess-splits", test_excess_splits);
  g_test_add_func ("/gauge/limit", test_limit);
  g_test_add_func ("/gauge/fragments", test_fragments);
  g_test_add_func ("/gauge/one-by-one", test_one_by_one);
  g_test_add_func ("/gauge/masked", test_masked);
  g_test_add_func ("/gauge/huge", test_huge);
  return g_test_run ();
}
