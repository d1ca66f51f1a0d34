/* SPDX-License-Identifier: MIT */
#include "wire/siphash.h"

#include <string.h>

/*
 * The first of each kind of the reference implementation's test vectors: key 00 01 … 0f, input 00 01 … of the
 * given length, the 16 bytes of output as they stand there.
 */
static const struct {
  guint length;
  const char *output;
} vectors[] = {
  { 0, "a3817f04ba25a8e66df67214c7550293" },  { 1, "da87c1d86b99af44347659119b22fc45" },
  { 2, "8177228da4a45dc7fca38bdef60affe4" },  { 3, "9c70b60c5267a94e5f33b6b02985ed51" },
  { 4, "f88164c12d9c8faf7d0f6e7c7bcd5579" },  { 7, "a1f1ebbed8dbc153c0b84aa61ff08239" },
  { 8, "3b62a9ba6258f5610f83e264f31497b4" },  { 9, "264499060ad9baabc47f8b02bb6d71ed" },
  { 15, "5493e99933b0a8117e08ec0f97cfc3d9" }, { 16, "6ee2a4ca67b054bbfd3315bf85230577" },
  { 63, "5150d1772f50834a503e069a973fbd7c" },
};

static char *
to_hex (const guint64 hash[2])
{
  const guint64 le[2] = { GUINT64_TO_LE (hash[0]), GUINT64_TO_LE (hash[1]) };
  const guint8 *bytes = (const guint8 *) le;
  GString *hex = g_string_new (NULL);

  for (guint i = 0; i < 16; i++)
    g_string_append_printf (hex, "%02x", bytes[i]);
  return g_string_free (hex, FALSE);
}

static void
test_vectors (void)
{
  guint8 key[16], input[64];

  for (guint i = 0; i < sizeof input; i++)
    input[i] = (guint8) i;
  memcpy (key, input, sizeof key);

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++) {
    guint64 hash[2];
    g_autofree char *hex = NULL;

    relay_siphash (key, vectors[i].length > 0 ? input : NULL, vectors[i].length, hash);
    hex = to_hex (hash);
    g_assert_cmpstr (hex, ==, vectors[i].output);
  }
}

/* Where the bytes stand in memory says nothing. */
static void
test_alignment (void)
{
  static const guint8 key[16] = "0123456789abcdef";
  static const char text[] = "msg_123456 and some more of it";
  guint64 expected[2];

  relay_siphash (key, text, strlen (text), expected);
  for (guint shift = 0; shift < 8; shift++) {
    guint8 moved_key[16 + 8];
    char moved[sizeof text + 8];
    guint64 hash[2];

    memcpy (moved_key + shift, key, sizeof key);
    memcpy (moved + shift, text, sizeof text);
    relay_siphash (moved_key + shift, moved + shift, strlen (text), hash);
    g_assert_cmpmem (hash, sizeof hash, expected, sizeof expected);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/siphash/vectors", test_vectors);
  g_test_add_func ("/wire/siphash/alignment", test_alignment);
  return g_test_run ();
}
