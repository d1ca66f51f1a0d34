/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-keys.h"

#include <string.h>

/* All keys in @bytes, as far as there is room for in @ret. */
static guint
feed (PrpctlKeys *keys, const char *bytes, PrpctlKey *ret, guint max)
{
  guint n = 0;

  for (const char *p = bytes; *p != '\0'; p++) {
    PrpctlKey key = prpctl_keys_feed (keys, *p);

    if (key != PRPCTL_KEY_NONE && n < max)
      ret[n++] = key;
  }
  return n;
}

static void
test_each (void)
{
  static const struct {
    const char *bytes;
    PrpctlKey key;
  } cases[] = {
    { "q", PRPCTL_KEY_QUIT },         { "\003", PRPCTL_KEY_QUIT },      { "j", PRPCTL_KEY_DOWN },
    { "k", PRPCTL_KEY_UP },           { "\033[A", PRPCTL_KEY_UP },      { "\033OA", PRPCTL_KEY_UP },
    { "\033[B", PRPCTL_KEY_DOWN },    { "\033OB", PRPCTL_KEY_DOWN },    { "\033[5~", PRPCTL_KEY_PAGE_UP },
    { "\033[6~", PRPCTL_KEY_PAGE_DOWN }, { " ", PRPCTL_KEY_PAGE_DOWN }, { "b", PRPCTL_KEY_PAGE_UP },
    { "\033[H", PRPCTL_KEY_HOME },    { "\033OH", PRPCTL_KEY_HOME },    { "\033[1~", PRPCTL_KEY_HOME },
    { "\033[7~", PRPCTL_KEY_HOME },   { "\033[F", PRPCTL_KEY_END },     { "\033[4~", PRPCTL_KEY_END },
    { "\033[8~", PRPCTL_KEY_END },    { "g", PRPCTL_KEY_HOME },         { "G", PRPCTL_KEY_END },
    { "a", PRPCTL_KEY_ACTIVE },       { "p", PRPCTL_KEY_PAUSE },        { "?", PRPCTL_KEY_HELP },
    { "\f", PRPCTL_KEY_REDRAW },      { "x", PRPCTL_KEY_OTHER },        { "\033q", PRPCTL_KEY_OTHER },
    { "\033[3~", PRPCTL_KEY_OTHER },  { "\033[1;5A", PRPCTL_KEY_UP },   { "\033[1;2P", PRPCTL_KEY_OTHER },
    { "\033OP", PRPCTL_KEY_OTHER },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    PrpctlKeys keys = { 0 };
    PrpctlKey found[4];

    g_assert_cmpuint (feed (&keys, cases[i].bytes, found, G_N_ELEMENTS (found)), ==, 1);
    g_assert_cmpint (found[0], ==, cases[i].key);
    /* It left nothing behind. */
    g_assert_cmpint (prpctl_keys_feed (&keys, 'q'), ==, PRPCTL_KEY_QUIT);
  }
}

static void
test_in_a_row (void)
{
  PrpctlKeys keys = { 0 };
  PrpctlKey found[8];

  g_assert_cmpuint (feed (&keys, "j\033[A\033\033[6~q", found, G_N_ELEMENTS (found)), ==, 4);
  g_assert_cmpint (found[0], ==, PRPCTL_KEY_DOWN);
  g_assert_cmpint (found[1], ==, PRPCTL_KEY_UP);
  g_assert_cmpint (found[2], ==, PRPCTL_KEY_PAGE_DOWN);
  g_assert_cmpint (found[3], ==, PRPCTL_KEY_QUIT);
}

/* What never ends is given up. */
static void
test_endless (void)
{
  PrpctlKeys keys = { 0 };
  PrpctlKey found[64];
  g_autofree char *digits = g_strnfill (1000, '9');

  g_assert_cmpuint (feed (&keys, "\033[", found, G_N_ELEMENTS (found)), ==, 0);
  g_assert_cmpuint (feed (&keys, digits, found, G_N_ELEMENTS (found)), >, 0);
  g_assert_cmpint (found[0], ==, PRPCTL_KEY_OTHER);
  g_assert_cmpint (prpctl_keys_feed (&keys, 'q'), ==, PRPCTL_KEY_QUIT);
  for (guint byte = 0; byte < 256; byte++)
    (void) prpctl_keys_feed (&keys, (char) byte);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch-keys/each", test_each);
  g_test_add_func ("/watch-keys/in-a-row", test_in_a_row);
  g_test_add_func ("/watch-keys/endless", test_endless);
  return g_test_run ();
}
