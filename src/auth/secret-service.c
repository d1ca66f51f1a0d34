/* SPDX-License-Identifier: MIT */
#include "auth/secret-service.h"

#include <string.h>

#include <gio/gio.h>
#include <glib/gi18n-lib.h>

#include "auth/credential.h"
#include "build-config.h"

#if HAVE_LIBSECRET
#include <libsecret/secret.h>
#endif

/*
 * A call is a chain of steps of libsecret: reach the service, search, then do something with what was found. All of
 * them are asynchronous and end when they are cancelled. Still the deadline does not rely on that: when it is over, the
 * caller is told, and what libsecret makes of the cancellation is of no interest to anybody (`done` is NULL then).
 * A keyring that is stopped, or waits for a person, hence stops nobody else.
 *
 * libsecret speaks GDBus, which needs a connection to the bus of its own, with a thread. It is there as long as a call is
 * under way and no longer: each call opens the service anew. That costs some milliseconds and happens a few times a day;
 * to be told of changes nothing has to stay open, as whoever owns the relay's connection listens there. Unless told
 * otherwise (exit-on-close) it would end the process, by a signal, when the bus goes: the relay has its own way to leave.
 */
struct RelaySecretCall {
  gint ref_count;
  RelaySecretDone done; /* NULL: nobody wants to hear any more */
  gpointer user_data;
  guint start_id;
  GSource *deadline;
#if HAVE_LIBSECRET
  void (*step) (RelaySecretCall *call); /* behind the opening */
  GCancellable *cancellable;
  GHashTable *attributes;
  GDBusConnection *bus; /* held for libsecret */
  SecretService *service;
  GList *items;
  SecretValue *value;
  RelaySecretKind kind;
#endif
};

static void
call_unref (RelaySecretCall *call)
{
  if (--call->ref_count > 0)
    return;
#if HAVE_LIBSECRET
  g_clear_object (&call->cancellable);
  g_clear_pointer (&call->attributes, g_hash_table_unref);
  g_clear_object (&call->service);
  g_clear_object (&call->bus);
  g_list_free_full (call->items, g_object_unref);
  g_clear_pointer (&call->value, secret_value_unref);
#endif
  g_free (call);
}

static void
stop_waiting (RelaySecretCall *call)
{
  call->done = NULL;
  g_clear_handle_id (&call->start_id, g_source_remove);
  if (call->deadline != NULL) {
    g_source_destroy (call->deadline);
    g_clear_pointer (&call->deadline, g_source_unref);
  }
#if HAVE_LIBSECRET
  g_cancellable_cancel (call->cancellable);
#endif
}

/* The one end of every call, as far as the caller is concerned. @call may be gone afterwards. */
static void
tell (RelaySecretCall *call, RelaySecretResult result, const char *secret, const char *reason)
{
  RelaySecretDone done = call->done;
  gpointer user_data = call->user_data;

  if (done == NULL)
    return;
  stop_waiting (call);
  done (result, secret, reason, user_data);
}

void
relay_secret_call_free (RelaySecretCall *call)
{
  if (call == NULL)
    return;
  stop_waiting (call);
  call_unref (call);
}

gboolean
relay_secret_service_is_built (void)
{
  return HAVE_LIBSECRET;
}

char *
relay_secret_service_make_url (const char *url)
{
  return g_strndup (url, strcspn (url, "?#"));
}

#if HAVE_LIBSECRET

static const SecretSchema schema = {
  .name = "dev.prp.Relay1",
  .flags = SECRET_SCHEMA_NONE,
  .attributes = { { "kind", SECRET_SCHEMA_ATTRIBUTE_STRING }, { "url", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

/* Of a keyring that was never unlocked GNOME Keyring knows the attributes as hashes only, and of the schema nothing. So an
 * item of ours in there is found by its attributes alone, and whether it is ours is seen when it is unlocked. */
static const SecretSchema any_schema = {
  .name = "dev.prp.Relay1",
  .flags = SECRET_SCHEMA_DONT_MATCH_NAME,
  .attributes = { { "kind", SECRET_SCHEMA_ATTRIBUTE_STRING }, { "url", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

static const char *
get_kind_name (RelaySecretKind kind)
{
  return kind == RELAY_SECRET_ACCESS_TOKEN ? "access-token" : "refresh-token";
}

static void
tell_nothing (RelaySecretCall *call)
{
  tell (call, RELAY_SECRET_NONE, NULL, _("There is no such token in the keyring."));
}

static void
tell_locked (RelaySecretCall *call)
{
  tell (call, RELAY_SECRET_LOCKED, NULL, _("The keyring is locked."));
}

static void
tell_absent (RelaySecretCall *call)
{
  tell (call, RELAY_SECRET_ABSENT, NULL, _("There is no keyring (Secret Service) in this session."));
}

/* Without the "GDBus.Error:some.long.Name: " in front, which tells a person nothing. */
static const char *
skip_error_name (const char *message)
{
  const char *text = g_str_has_prefix (message, "GDBus.Error:") ? strstr (message, ": ") : NULL;

  return text != NULL && text[2] != '\0' ? text + 2 : message;
}

static void
tell_error (RelaySecretCall *call, const GError *error)
{
  g_autofree char *reason = NULL;

  if (g_error_matches (error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED))
    tell_locked (call);
  else if (g_error_matches (error, SECRET_ERROR, SECRET_ERROR_NO_SUCH_OBJECT))
    tell_nothing (call);
  else if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
           g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
    tell_absent (call);
  else {
    reason = g_strdup_printf (_("The keyring cannot be used: %s."), skip_error_name (error->message));
    tell (call, RELAY_SECRET_FAILED, NULL, reason);
  }
}

/* -- steps: each begins something, and its callback ends the chain or goes on ---------------------------------- */

/* Takes @error, if it is one. Returns whether the chain goes on. */
static gboolean
goes_on (RelaySecretCall *call, GError *error)
{
  if (error == NULL && call->done != NULL)
    return TRUE;
  if (error != NULL)
    tell_error (call, error);
  g_clear_error (&error);
  call_unref (call);
  return FALSE;
}

static void
end (RelaySecretCall *call)
{
  tell (call, RELAY_SECRET_DONE, NULL, NULL);
  call_unref (call);
}

static void
take_secret (RelaySecretCall *call, SecretItem *item)
{
  SecretValue *value = secret_item_get_secret (item);
  gsize length = 0;
  const char *text = value != NULL ? secret_value_get (value, &length) : NULL;
  g_autoptr (GError) error = NULL;
  char *secret;

  if (text == NULL || length > RELAY_CREDENTIAL_MAX_BYTES) {
    g_clear_pointer (&value, secret_value_unref);
    tell (call, RELAY_SECRET_BAD, NULL, _("What the keyring holds is no token."));
    return;
  }
  secret = g_malloc (length + 1);
  memcpy (secret, text, length);
  secret[length] = '\0';
  secret_value_unref (value);
  if (strlen (secret) == length && relay_credential_clean (secret, length, _("The keyring"), &error))
    tell (call, RELAY_SECRET_DONE, secret, NULL);
  else
    tell (call, RELAY_SECRET_BAD, NULL, error != NULL ? error->message : _("What the keyring holds is no token."));
  explicit_bzero (secret, length + 1);
  g_free (secret);
}

static gboolean
has_locked (GList *items)
{
  for (GList *item = items; item != NULL; item = item->next)
    if (secret_item_get_locked (item->data))
      return TRUE;
  return FALSE;
}

static void
on_searched_locked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->items = secret_service_search_finish (call->service, result, &error);
  if (!goes_on (call, error))
    return;
  if (has_locked (call->items))
    tell_locked (call);
  else
    tell_nothing (call);
  call_unref (call);
}

/* There is no item, or none that can be known by its schema. */
static void
search_locked (RelaySecretCall *call)
{
  secret_service_search (call->service, &any_schema, call->attributes, SECRET_SEARCH_ALL, call->cancellable,
                         on_searched_locked, call);
}

static void
on_looked_up (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->items = secret_service_search_finish (call->service, result, &error);
  if (!goes_on (call, error))
    return;
  if (call->items == NULL) {
    search_locked (call);
    return;
  }
  if (secret_item_get_locked (call->items->data))
    tell_locked (call);
  else
    take_secret (call, call->items->data);
  call_unref (call);
}

static void
look_up (RelaySecretCall *call)
{
  secret_service_search (call->service, &schema, call->attributes, SECRET_SEARCH_LOAD_SECRETS, call->cancellable,
                         on_looked_up, call);
}

static void
on_replaced (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  secret_item_set_secret_finish (SECRET_ITEM (source), result, &error);
  if (goes_on (user_data, error))
    end (user_data);
}

static void
on_found_to_replace (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->items = secret_service_search_finish (call->service, result, &error);
  if (!goes_on (call, error))
    return;
  if (call->items == NULL)
    search_locked (call);
  else if (!secret_item_get_locked (call->items->data))
    secret_item_set_secret (call->items->data, call->value, call->cancellable, on_replaced, call);
  else {
    tell_locked (call);
    call_unref (call);
  }
}

static void
replace (RelaySecretCall *call)
{
  secret_service_search (call->service, &schema, call->attributes, SECRET_SEARCH_NONE, call->cancellable,
                         on_found_to_replace, call);
}

static void
on_stored (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;
  gboolean stored = secret_service_store_finish (call->service, result, &error);

  if (!goes_on (call, error))
    return;
  if (!stored)
    tell_locked (call); /* who was asked said no */
  end (call);
}

static void
store (RelaySecretCall *call)
{
  const char *url = g_hash_table_lookup (call->attributes, "url");
  /* Translators: the name of an item in the keyring; an address follows. */
  g_autofree char *label = g_strdup_printf (call->kind == RELAY_SECRET_ACCESS_TOKEN ? _("PRP token for %s")
                                                                                    : _("PRP refresh token for %s"),
                                            url);

  secret_service_store (call->service, &schema, call->attributes, SECRET_COLLECTION_DEFAULT, label, call->value,
                        call->cancellable, on_stored, call);
}

static void remove_next (RelaySecretCall *call);

static void
on_removed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  secret_item_delete_finish (SECRET_ITEM (source), result, &error);
  if (goes_on (user_data, error))
    remove_next (user_data);
}

static void
remove_next (RelaySecretCall *call)
{
  g_autoptr (SecretItem) item = NULL;

  if (call->items == NULL) {
    end (call);
    return;
  }
  item = call->items->data;
  call->items = g_list_delete_link (call->items, call->items);
  if (!secret_item_get_locked (item)) {
    secret_item_delete (item, call->cancellable, on_removed, call);
    return;
  }
  tell_locked (call);
  call_unref (call);
}

static void
on_found_to_remove (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->items = secret_service_search_finish (call->service, result, &error);
  if (!goes_on (call, error))
    return;
  if (call->items == NULL)
    tell_nothing (call);
  remove_next (call);
}

static void
on_unlocked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;
  GList *items = secret_service_search_finish (call->service, result, &error);
  gboolean is_locked = has_locked (items);

  g_list_free_full (items, g_object_unref);
  if (!goes_on (call, error))
    return;
  if (!is_locked) {
    secret_service_search (call->service, &schema, call->attributes, SECRET_SEARCH_ALL, call->cancellable,
                           on_found_to_remove, call);
    return;
  }
  tell_locked (call);
  call_unref (call);
}

static void
remove_all (RelaySecretCall *call)
{
  secret_service_search (call->service, &any_schema, call->attributes, SECRET_SEARCH_ALL | SECRET_SEARCH_UNLOCK,
                         call->cancellable, on_unlocked, call);
}

/* -- the beginning --------------------------------------------------------------------------------------------- */

static void
on_opened (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->service = secret_service_open_finish (result, &error);
  if (goes_on (call, error))
    call->step (call);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RelaySecretCall *call = user_data;
  GError *error = NULL;

  call->bus = g_bus_get_finish (result, &error);
  if (call->bus != NULL)
    g_dbus_connection_set_exit_on_close (call->bus, FALSE);
  if (call->bus == NULL || g_dbus_connection_is_closed (call->bus))
    tell_absent (call); /* without a bus there is nobody to be asked */
  if (goes_on (call, error))
    secret_service_open (SECRET_TYPE_SERVICE, NULL, SECRET_SERVICE_NONE, call->cancellable, on_opened, call);
}

/* The connection that libsecret is going to use. It is had before anything is done with it, as it would end the process until
 * it is told not to.
 *
 * Making it is not cancelled: there is one for all, and GDBus hands the failure to make it to everybody who waits for it, the
 * next call included. That one would take it for the absence of a bus, and the token at hand for good. */
static void
connect_to_bus (RelaySecretCall *call)
{
  call->ref_count++;
  g_bus_get (G_BUS_TYPE_SESSION, NULL, on_connected, call);
}

/* GDBus would start a bus where there is none. */
static gboolean
has_bus (void)
{
  g_autofree char *path = g_build_filename (g_get_user_runtime_dir (), "bus", NULL);

  return g_getenv ("DBUS_SESSION_BUS_ADDRESS") != NULL || g_file_test (path, G_FILE_TEST_EXISTS);
}

static gboolean
on_start (gpointer user_data)
{
  RelaySecretCall *call = user_data;

  call->start_id = 0;
  if (has_bus ())
    connect_to_bus (call);
  else
    tell_absent (call);
  return G_SOURCE_REMOVE;
}

#else /* without libsecret */

static gboolean
on_start (gpointer user_data)
{
  RelaySecretCall *call = user_data;

  call->start_id = 0;
  tell (call, RELAY_SECRET_ABSENT, NULL, _("This program was built without support for a keyring (Secret Service)."));
  return G_SOURCE_REMOVE;
}

#endif

static gboolean
on_deadline (gpointer user_data)
{
  tell (user_data, RELAY_SECRET_FAILED, NULL, _("The keyring does not answer."));
  return G_SOURCE_REMOVE;
}

static RelaySecretCall *
call_new (guint64 timeout_usec, RelaySecretDone done, gpointer user_data)
{
  RelaySecretCall *call = g_new0 (RelaySecretCall, 1);

  call->ref_count = 1;
  call->done = done;
  call->user_data = user_data;
  call->start_id = g_idle_add_full (G_PRIORITY_DEFAULT, on_start, call, NULL);
  call->deadline = g_timeout_source_new ((guint) (timeout_usec / 1000));
  g_source_set_callback (call->deadline, on_deadline, call, NULL);
  g_source_attach (call->deadline, NULL);
  return call;
}

#if HAVE_LIBSECRET

static RelaySecretCall *
call_new_with (void (*step) (RelaySecretCall *call), RelaySecretKind kind, const char *url, const char *secret,
               guint64 timeout_usec, RelaySecretDone done, gpointer user_data)
{
  RelaySecretCall *call = call_new (timeout_usec, done, user_data);

  call->step = step;
  call->cancellable = g_cancellable_new ();
  call->kind = kind;
  call->attributes = secret_attributes_build (&schema, "kind", get_kind_name (kind), "url", url, NULL);
  if (secret != NULL)
    call->value = secret_value_new (secret, -1, "text/plain");
  return call;
}

#else

#define call_new_with(step, kind, url, secret, timeout_usec, done, user_data) call_new (timeout_usec, done, user_data)

#endif

RelaySecretCall *
relay_secret_lookup (RelaySecretKind kind, const char *url, guint64 timeout_usec, RelaySecretDone done,
                     gpointer user_data)
{
  return call_new_with (look_up, kind, url, NULL, timeout_usec, done, user_data);
}

RelaySecretCall *
relay_secret_replace (RelaySecretKind kind, const char *url, const char *secret, guint64 timeout_usec,
                      RelaySecretDone done, gpointer user_data)
{
  return call_new_with (replace, kind, url, secret, timeout_usec, done, user_data);
}

RelaySecretCall *
relay_secret_store (RelaySecretKind kind, const char *url, const char *secret, guint64 timeout_usec,
                    RelaySecretDone done, gpointer user_data)
{
  return call_new_with (store, kind, url, secret, timeout_usec, done, user_data);
}

RelaySecretCall *
relay_secret_remove (RelaySecretKind kind, const char *url, guint64 timeout_usec, RelaySecretDone done,
                     gpointer user_data)
{
  return call_new_with (remove_all, kind, url, NULL, timeout_usec, done, user_data);
}
