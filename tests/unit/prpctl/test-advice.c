/* SPDX-License-Identifier: MIT */
#include "prpctl/advice.h"

#include <string.h>

#include <glib.h>

/* That every code of LastError is in the table: tests/packaging.py. */

static void
assert_advice (const char *state, const char *code, const char *said)
{
  const char *advice = prpctl_advice_find (state, code);

  if (said == NULL) {
    g_assert_cmpstr (advice, ==, NULL);
    return;
  }
  g_assert_nonnull (advice);
  if (strstr (advice, said) == NULL)
    g_error ("%s, %s: “%s” is not in: %s", state, code, said, advice);
}

static void
test_codes (void)
{
  assert_advice ("unauthorized", "NO_CREDENTIALS", "'prpctl login'");
  assert_advice ("unauthorized", "AUTH_FAILED", "'prpctl login'");
  assert_advice ("unauthorized", "KEYRING_LOCKED", "Unlock the keyring");
  assert_advice ("waiting", "KEYRING_FAILED", "--file");
  assert_advice ("waiting", "DNS", "Url=");
  assert_advice ("waiting", "TLS_UNTRUSTED", "CaFile=");
  assert_advice ("waiting", "TLS_EXPIRED", "clock");
  assert_advice ("connected", "STORE_FULL", "Make room");
}

/* Each state that is not well says something, whatever the code. */
static void
test_states (void)
{
  static const char *const codes[] = { "", "OF_A_NEWER_RELAY" };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++) {
    assert_advice ("connected", codes[i], NULL);
    assert_advice ("connecting", codes[i], NULL);
    assert_advice ("napping", codes[i], NULL);
    assert_advice ("waiting", codes[i], "'prpctl connect' tries at once");
    assert_advice ("offline", codes[i], "as soon as there is a network");
    assert_advice ("unauthorized", codes[i], "'prpctl login'");
    assert_advice ("disconnected", codes[i], "'prpctl connect'");
  }
}

/* What was asked for, or explains the rest, goes before the code. */
static void
test_states_first (void)
{
  assert_advice ("disconnected", "DNS", "'prpctl connect' connects again");
  assert_advice ("offline", "DNS", "as soon as there is a network");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prpctl/advice/codes", test_codes);
  g_test_add_func ("/prpctl/advice/states", test_states);
  g_test_add_func ("/prpctl/advice/states-first", test_states_first);
  return g_test_run ();
}
