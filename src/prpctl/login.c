/* SPDX-License-Identifier: MIT */
#include "prpctl/login.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "client/json-writer.h"
#include "common/names.h"
#include "prpctl/advice.h"
#include "prpctl/login-config.h"
#include "prpctl/login-store.h"
#include "prpctl/relay-state.h"
#include "prpctl/secret-input.h"
#include "prpctl/text.h"

/*
 * A sign-in replaces the one before: what that left in the other place, and a refresh token that came with it, is removed,
 * since the relay would go on with it. The refresh token is stored first, so that a relay that sees the new token
 * already finds it.
 *
 * The relay need not run. If it does, it is told to read its credentials again, and what comes of it is waited for and
 * shown: a token that the server does not take is to be noticed now, not at the next event that does not come.
 */

static const RelaySecretKind kinds[] = { RELAY_SECRET_REFRESH_TOKEN, RELAY_SECRET_ACCESS_TOKEN };

/* For people beside the output. */
static void
note (const char *text)
{
  g_printerr ("prpctl: %s\n", text);
}

static void
note_first_source (const PrpctlLoginConfig *config, RelaySecretKind kind, gboolean in_file)
{
  g_autofree char *first = prpctl_login_config_find_first (config, kind, in_file);
  g_autofree char *text = NULL;

  if (first == NULL)
    return;
  text = g_strdup_printf (kind == RELAY_SECRET_ACCESS_TOKEN
                            ? _("The relay takes its token from %s first: the one stored now is not used.")
                            : _("The relay takes its refresh token from %s first: the one stored now is not used."),
                          first);
  note (text);
}

/* -- storing ---------------------------------------------------------------------------------------------------- */

/* What is to be stored, by kind; NULL: nothing. */
typedef struct {
  char *values[2];
  gboolean in_file;
  char *why_in_file; /* a sentence; NULL: it was asked for */
} Secrets;

static void
secrets_clear (Secrets *secrets)
{
  for (gsize i = 0; i < G_N_ELEMENTS (secrets->values); i++)
    relay_secret_clear (&secrets->values[i]);
  g_free (secrets->why_in_file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Secrets, secrets_clear)

static gboolean
read_secrets (PrpctlRun *run, Secrets *secrets, GError **error)
{
  gboolean both = (run->options->given & PRPCTL_OPTION_REFRESH_TOKEN) != 0;
  const char *prompts[] = { _("Token (it is not shown): "), _("Refresh token (it is not shown): ") };

  G_STATIC_ASSERT (RELAY_SECRET_ACCESS_TOKEN == 0 && RELAY_SECRET_REFRESH_TOKEN == 1);
  return prpctl_secret_input_read (STDIN_FILENO, prompts, both ? 2 : 1, secrets->values, error);
}

static void
set_error_from_keyring (GError **error, const char *reason)
{
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, "%s\n%s", reason,
               _("Nothing was stored. Unlock the keyring and try again; 'prpctl login --file' keeps the token in a file."));
}

/* FALSE with no error: there is no keyring, and why_in_file is set. */
static gboolean
store_in_keyring (Secrets *secrets, const char *url, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    const char *secret = secrets->values[kinds[i]];
    g_autofree char *reason = NULL;
    RelaySecretResult result = secret != NULL ? prpctl_login_store_in_keyring (kinds[i], url, secret, &reason)
                                              : prpctl_login_remove_from_keyring (kinds[i], url, &reason);

    if (result == RELAY_SECRET_DONE || (secret == NULL && result == RELAY_SECRET_NONE))
      continue;
    if (result == RELAY_SECRET_ABSENT)
      secrets->why_in_file = g_steal_pointer (&reason);
    else
      set_error_from_keyring (error, reason);
    return FALSE;
  }
  return TRUE;
}

static gboolean
store_in_files (const Secrets *secrets, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    const char *secret = secrets->values[kinds[i]];
    gboolean removed;

    if (secret != NULL ? !prpctl_login_store_in_file (kinds[i], secret, error)
                       : !prpctl_login_remove_file (kinds[i], &removed, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
remove_files (GError **error)
{
  gboolean removed;

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (!prpctl_login_remove_file (kinds[i], &removed, error))
      return FALSE;
  return TRUE;
}

static gboolean
store (PrpctlRun *run, Secrets *secrets, const char *url, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  secrets->in_file = (run->options->given & PRPCTL_OPTION_FILE) != 0;
  if (!secrets->in_file && store_in_keyring (secrets, url, &local_error))
    return remove_files (error);
  if (local_error != NULL) {
    g_propagate_error (error, g_steal_pointer (&local_error));
    return FALSE;
  }
  secrets->in_file = TRUE;
  return store_in_files (secrets, error);
}

/* -- login ------------------------------------------------------------------------------------------------------ */

static void
tell_stored (PrpctlRun *run, const Secrets *secrets)
{
  gboolean both = secrets->values[RELAY_SECRET_REFRESH_TOKEN] != NULL;

  if (secrets->why_in_file != NULL)
    g_string_append_printf (run->out, "%s\n", secrets->why_in_file);
  for (gsize i = G_N_ELEMENTS (kinds); i-- > 0;) {
    g_autofree char *path = prpctl_login_get_path (kinds[i]);
    g_autofree char *safe = prpctl_text_make_safe (path, 500);

    if (secrets->values[kinds[i]] == NULL)
      continue;
    if (secrets->in_file)
      g_string_append_printf (run->out,
                              kinds[i] == RELAY_SECRET_ACCESS_TOKEN ? _("The token is stored in %s.\n")
                                                                    : _("The refresh token is stored in %s.\n"),
                              safe);
  }
  if (!secrets->in_file)
    g_string_append (run->out, both ? _("The tokens are stored in the keyring.\n") : _("The token is stored in the keyring.\n"));
}

static void
append_json (PrpctlRun *run, const Secrets *secrets, const PrpctlRelayState *state)
{
  g_autofree char *path = secrets->in_file ? prpctl_login_get_path (RELAY_SECRET_ACCESS_TOKEN) : g_strdup ("");

  g_string_append_printf (run->out, "{\"stored\":\"%s\",\"path\":", secrets->in_file ? "file" : "keyring");
  client_json_append_string (run->out, path);
  g_string_append (run->out, ",\"state\":");
  client_json_append_string (run->out, state->is_running ? state->status->state : "");
  g_string_append (run->out, "}\n");
}

/* What came of it at the relay. */
static void
tell_state (PrpctlRun *run, const PrpctlRelayState *state)
{
  g_autofree char *summary = NULL;
  const char *advice;

  if (!state->is_running) {
    g_string_append (run->out, _("The relay is not running; it uses the token when it starts ('prpctl status' starts it).\n"));
    return;
  }
  if (!prpctl_status_is_connected (state->status))
    run->exit_status = PRPCTL_EXIT_NOT_CONNECTED;
  summary = prpctl_status_summarize (state->status, (guint64) g_get_real_time ());
  g_string_append_printf (run->out, _("The relay is %s.\n"), summary);
  advice = prpctl_advice_find (state->status->state, state->status->error_code);
  if (advice != NULL && !prpctl_status_is_connected (state->status))
    g_string_append_printf (run->out, "%s\n", advice);
}

gboolean
prpctl_login (PrpctlRun *run, GError **error)
{
  g_auto (Secrets) secrets = { 0 };
  g_autoptr (PrpctlLoginConfig) config = prpctl_login_config_new (NULL);
  g_autoptr (PrpctlRelayState) state = NULL;
  g_autofree char *url = NULL;

  if (!read_secrets (run, &secrets, error))
    return FALSE;
  state = prpctl_relay_state_new (run->options, config->url);
  url = relay_secret_service_make_url (state->is_running ? state->status->url : config->url);
  if (!store (run, &secrets, url, error))
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (secrets.values[kinds[i]] != NULL)
      note_first_source (config, kinds[i], secrets.in_file);
  if (secrets.values[RELAY_SECRET_REFRESH_TOKEN] != NULL && !config->has_refresh_url)
    note (_("The refresh token is of use when RefreshUrl= is set in relay.conf: it names the token endpoint."));
  prpctl_relay_state_reload (state);
  if (run->options->json) {
    append_json (run, &secrets, state);
    if (state->is_running && !prpctl_status_is_connected (state->status))
      run->exit_status = PRPCTL_EXIT_NOT_CONNECTED;
  } else {
    tell_stored (run, &secrets);
    tell_state (run, state);
  }
  return TRUE;
}

/* -- logout ----------------------------------------------------------------------------------------------------- */

typedef struct {
  GPtrArray *places; /* what was removed: static words for JSON, then for people */
  GPtrArray *words;
} Removed;

static void
add_removed (Removed *removed, const char *place, char *words)
{
  g_ptr_array_add (removed->places, (gpointer) place);
  g_ptr_array_add (removed->words, words);
}

/* Goes on after a failure, of which the last is told. The refresh token first: with the other one gone, the relay would make
 * use of it. */
static void
remove_all (Removed *removed, const char *url, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    gboolean is_access = kinds[i] == RELAY_SECRET_ACCESS_TOKEN;
    g_autofree char *path = prpctl_login_get_path (kinds[i]);
    g_autofree char *safe = prpctl_text_make_safe (path, 500);
    g_autofree char *reason = NULL;
    RelaySecretResult result = prpctl_login_remove_from_keyring (kinds[i], url, &reason);
    gboolean was_there = FALSE;

    if (result == RELAY_SECRET_DONE)
      add_removed (removed, is_access ? "keyring" : "keyring-refresh-token",
                   g_strdup (is_access ? _("The token was removed from the keyring.")
                                       : _("The refresh token was removed from the keyring.")));
    else if (result != RELAY_SECRET_NONE && result != RELAY_SECRET_ABSENT) {
      g_clear_error (error);
      g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("The keyring may still hold a token: %s"), reason);
    }
    if (*error != NULL)
      prpctl_login_remove_file (kinds[i], &was_there, NULL);
    else
      prpctl_login_remove_file (kinds[i], &was_there, error);
    if (was_there)
      add_removed (removed, is_access ? "file" : "refresh-token-file", g_strdup_printf (_("%s was removed."), safe));
  }
}

static void
append_logout_json (PrpctlRun *run, const Removed *removed, const PrpctlRelayState *state)
{
  g_string_append (run->out, "{\"removed\":[");
  for (guint i = 0; i < removed->places->len; i++)
    g_string_append_printf (run->out, "%s\"%s\"", i > 0 ? "," : "", (const char *) removed->places->pdata[i]);
  g_string_append (run->out, "],\"state\":");
  client_json_append_string (run->out, state->is_running ? state->status->state : "");
  g_string_append (run->out, "}\n");
}

static void
tell_removed (PrpctlRun *run, const Removed *removed, const PrpctlRelayState *state)
{
  if (removed->words->len == 0)
    g_string_append (run->out, _("There was no token of 'prpctl login' to remove.\n"));
  for (guint i = 0; i < removed->words->len; i++)
    g_string_append_printf (run->out, "%s\n", (const char *) removed->words->pdata[i]);
  if (state->is_running) {
    g_autofree char *summary = prpctl_status_summarize (state->status, (guint64) g_get_real_time ());

    g_string_append_printf (run->out, _("The relay is %s.\n"), summary);
  }
}

gboolean
prpctl_logout (PrpctlRun *run, GError **error)
{
  g_autoptr (PrpctlLoginConfig) config = prpctl_login_config_new (NULL);
  g_autoptr (PrpctlRelayState) state = prpctl_relay_state_new (run->options, config->url);
  g_autofree char *url = relay_secret_service_make_url (state->is_running ? state->status->url : config->url);
  g_autofree char *other = NULL;
  g_autoptr (GPtrArray) places = g_ptr_array_new ();
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) local_error = NULL;
  Removed removed = { places, words };

  remove_all (&removed, url, &local_error);
  prpctl_relay_state_sign_out (state);
  other = prpctl_login_config_find_first (config, RELAY_SECRET_ACCESS_TOKEN, FALSE);
  if (other != NULL) {
    g_autofree char *text = g_strdup_printf (_("The relay still has a token, from %s: that is not prpctl's to remove."), other);

    note (text);
  }
  if (run->options->json)
    append_logout_json (run, &removed, state);
  else
    tell_removed (run, &removed, state);
  if (local_error == NULL)
    return TRUE;
  /* What was removed is told all the same. */
  note (local_error->message);
  run->exit_status = PRPCTL_EXIT_FAILURE;
  return TRUE;
}
