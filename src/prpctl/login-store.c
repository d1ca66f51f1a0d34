/* SPDX-License-Identifier: MIT */
#include "prpctl/login-store.h"

#include <errno.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "auth/credential.h"
#include "common/names.h"
#include "prpctl/failure.h"

/* A call of the keyring, waited for. Ctrl-C ends this program as ever; the keyring then takes its question back. */
typedef struct {
  GMainLoop *loop;
  RelaySecretResult result;
  char *reason;
} Wait;

static void
on_done (RelaySecretResult result, const char *secret, const char *reason, gpointer user_data)
{
  Wait *wait = user_data;

  wait->result = result;
  wait->reason = g_strdup (reason);
  g_main_loop_quit (wait->loop);
}

static gboolean
on_impatient (gpointer user_data)
{
  g_printerr ("%s\n", _("Waiting for the keyring; it may be asking for its password on the desktop (Ctrl-C gives up) …"));
  return G_SOURCE_REMOVE;
}

/* Takes @call, to which @wait was given. */
static RelaySecretResult
wait_for (Wait *wait, RelaySecretCall *call, char **ret_reason)
{
  GSource *patience = g_timeout_source_new ((guint) (PRPCTL_KEYRING_PATIENCE_USEC / 1000));

  g_source_set_callback (patience, on_impatient, NULL, NULL);
  g_source_attach (patience, NULL);
  g_main_loop_run (wait->loop);
  g_source_destroy (patience);
  g_source_unref (patience);
  relay_secret_call_free (call);
  g_main_loop_unref (wait->loop);
  *ret_reason = wait->reason;
  return wait->result;
}

RelaySecretResult
prpctl_login_store_in_keyring (RelaySecretKind kind, const char *url, const char *secret, char **ret_reason)
{
  Wait wait = { .loop = g_main_loop_new (NULL, FALSE) };

  return wait_for (&wait, relay_secret_store (kind, url, secret, PRPCTL_KEYRING_TIMEOUT_USEC, on_done, &wait), ret_reason);
}

RelaySecretResult
prpctl_login_remove_from_keyring (RelaySecretKind kind, const char *url, char **ret_reason)
{
  Wait wait = { .loop = g_main_loop_new (NULL, FALSE) };

  return wait_for (&wait, relay_secret_remove (kind, url, PRPCTL_KEYRING_TIMEOUT_USEC, on_done, &wait), ret_reason);
}

char *
prpctl_login_get_path (RelaySecretKind kind)
{
  return g_build_filename (g_get_user_config_dir (), RELAY_CONFIG_SUBDIR,
                           kind == RELAY_SECRET_ACCESS_TOKEN ? RELAY_LOGIN_TOKEN_FILE : RELAY_LOGIN_REFRESH_TOKEN_FILE,
                           NULL);
}

gboolean
prpctl_login_store_in_file (RelaySecretKind kind, const char *secret, GError **error)
{
  g_autofree char *path = prpctl_login_get_path (kind);
  g_autoptr (GError) local_error = NULL;

  if (relay_credential_write_file (path, secret, &local_error))
    return TRUE;
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("The token cannot be stored: %s"), local_error->message);
  return FALSE;
}

gboolean
prpctl_login_remove_file (RelaySecretKind kind, gboolean *ret_removed, GError **error)
{
  g_autofree char *path = prpctl_login_get_path (kind);

  *ret_removed = g_unlink (path) == 0;
  if (*ret_removed || errno == ENOENT || errno == ENOTDIR)
    return TRUE;
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("%s cannot be removed: %s"), path, g_strerror (errno));
  return FALSE;
}
