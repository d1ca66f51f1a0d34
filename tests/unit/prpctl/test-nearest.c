/* SPDX-License-Identifier: MIT */
#include "prpctl/nearest.h"

static const char *const words[] = { "status", "subscribe", "unsubscribe", "channels", "connect", "disconnect",
                                     "monitor", "history", "help", "ping", "type", "from", NULL };

static void
test_nearest (void)
{
  static const struct {
    const char *word, *meant;
  } cases[] = {
    { "statsu", "status" },    /* exchanged */
    { "staus", "status" },     /* missing */
    { "stattus", "status" },   /* too many */
    { "stetus", "status" },    /* wrong */
    { "mon", "monitor" },      /* only begun */
    { "h", NULL },             /* too short to say */
    { "subscribe", "subscribe" },
    { "unsubscrib", "unsubscribe" },
    { "conect", "connect" },
    { "disconect", "disconnect" },
    { "pong", "ping" },
    { "typ", "type" },
    { "form", "from" },
    { "frobnicate", NULL },
    { "xyz", NULL },
    { "", NULL },
    { "a-word-that-is-longer-than-any-of-those-that-there-are", NULL },
    { "\xff\xfe", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_test_message ("case %" G_GSIZE_FORMAT, i);
    g_assert_cmpstr (prpctl_nearest (cases[i].word, words), ==, cases[i].meant);
  }
}

/* Whoever guesses is wrong half of the time. */
static void
test_two (void)
{
  g_assert_null (prpctl_nearest ("bat", (const char *const[]){ "cat", "rat", NULL }));
  g_assert_cmpstr (prpctl_nearest ("rats", (const char *const[]){ "cat", "rat", NULL }), ==, "rat");
  g_assert_null (prpctl_nearest ("x", (const char *const[]){ NULL }));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nearest/nearest", test_nearest);
  g_test_add_func ("/nearest/two", test_two);
  return g_test_run ();
}
