/* SPDX-License-Identifier: MIT */
#include "notify/server.h"

#include <errno.h>

#include <glib/gi18n-lib.h>

#include "client/owner.h"
#include "common/log.h"
#include "common/turn.h"
#include "notify/markup.h"

/*
 * A server is met in three steps: its capabilities, its name, then notifications. What it said holds until the name
 * org.freedesktop.Notifications has another owner; then all ids are void, and it is asked again. With nothing to show nobody
 * is asked, so that no server is started before it is needed.
 *
 *   IDLE → ASKING → READY          IDLE: not known; there may be one, or one may be started
 *     ↑       ↓       │            NONE: there is none; only another owner of the name changes that, or time
 *     └──── NONE ←────┘
 *
 * A note that wants to say something waits in a queue, once. It is sent when its turn comes, and it has one call under way
 * at most: what changes meanwhile is said when the answer, with the id, is there. A call outlives its note (the id that it
 * brings is closed then), so calls are objects of their own, few of them at a time.
 *
 * Who is on the other side is not trusted: signals of anyone but the owner, and ids that are nobody's, are not heard; an
 * answer that does not come is not waited for, nor asked for again.
 */

#define SERVER_NAME "org.freedesktop.Notifications"
#define SERVER_PATH "/org/freedesktop/Notifications"
#define SERVER_INTERFACE "org.freedesktop.Notifications"

#define APP_ICON "dev.prp.Relay1"
#define DESKTOP_ENTRY "dev.prp.Notify1"

#define MAX_NAME_CHARS 100
#define MAX_CAPABILITIES 100

typedef enum { IDLE, ASKING, READY, NONE } State;

typedef struct {
  NotifyServer *server;
  NotifyNote *note; /* NULL: it is gone, or withdrawn, and what this call brings to the screen is to go as well */
  sd_bus_slot *slot;
  gint64 sent_usec; /* CLOCK_MONOTONIC */
  GList link;       /* in `calls` */
} Call;

struct NotifyServer {
  sd_bus *bus;
  const NotifyServerEvents *events;
  gpointer user_data;

  State state;
  gboolean is_there;  /* as was told: FALSE from NONE until READY */
  gboolean may_start; /* NONE, but trying again may help */
  gboolean is_looking; /* one is wanted, whatever waits in the queue */
  gboolean told_none; /* in the journal */
  char *owner;        /* its unique name, of which signals are taken; NULL: not known */
  NotifyTraits traits;
  char **capabilities; /* while ASKING */
  sd_bus_slot *question;
  sd_bus_slot *matches[2];

  GQueue notes;  /* all of them */
  GQueue queue;  /* of notes that want to say something and have no call under way */
  GQueue calls;  /* under way */
  GSource *retry_turn;
  guint64 retry_usec; /* how long the next pause is */
  gboolean is_pausing;
};

struct NotifyNote {
  NotifyServer *server;
  const NotifyNoteEvents *events;
  gpointer user_data;
  gboolean stays;

  guint32 id; /* 0: not on the screen */
  char *token;
  Call *call;
  gboolean is_wanted; /* in the queue, or as soon as `call` is answered */
  GList link, queue_link;
};

static void pump (NotifyServer *server);

/* -- notes and their queue --------------------------------------------------------------------------------------- */

static void
want (NotifyNote *note)
{
  if (!note->is_wanted && note->call == NULL)
    g_queue_push_tail_link (&note->server->queue, &note->queue_link);
  note->is_wanted = TRUE;
}

static void
unwant (NotifyNote *note)
{
  if (note->is_wanted && note->call == NULL)
    g_queue_unlink (&note->server->queue, &note->queue_link);
  note->is_wanted = FALSE;
}

/* The call is not the note's any more; what it wanted meanwhile waits in the queue from now on. */
static void
part_from_call (NotifyNote *note)
{
  if (note->call == NULL)
    return;
  note->call->note = NULL;
  note->call = NULL;
  if (note->is_wanted)
    g_queue_push_tail_link (&note->server->queue, &note->queue_link);
}

static void
call_free (Call *call)
{
  if (call->note != NULL)
    part_from_call (call->note);
  g_queue_unlink (&call->server->calls, &call->link);
  sd_bus_slot_unref (call->slot);
  g_free (call);
}

static NotifyNote *
find_note (NotifyServer *server, guint32 id)
{
  for (GList *link = server->notes.head; link != NULL && id != 0; link = link->next) {
    NotifyNote *note = link->data;

    if (note->id == id)
      return note;
  }
  return NULL;
}

static void
set_id (NotifyNote *note, guint32 id)
{
  NotifyNote *other = find_note (note->server, id);

  /* Two with the same id are one on the screen: this one. */
  if (other != NULL && other != note)
    other->id = 0;
  note->id = id;
  g_clear_pointer (&note->token, g_free);
}

static void
close_id (NotifyServer *server, guint32 id)
{
  g_autoptr (sd_bus_message) message = NULL;
  int r;

  if (id == 0)
    return;
  r = sd_bus_message_new_method_call (server->bus, &message, SERVER_NAME, SERVER_PATH, SERVER_INTERFACE, "CloseNotification");
  if (r >= 0)
    r = sd_bus_message_set_auto_start (message, FALSE);
  /* It is gone, or was gone already: nothing that it could answer matters. */
  if (r >= 0)
    r = sd_bus_message_set_expect_reply (message, FALSE);
  if (r >= 0)
    r = sd_bus_message_append (message, "u", id);
  if (r >= 0)
    r = sd_bus_send (server->bus, message, NULL);
  if (r < 0)
    relay_debug ("Cannot close notification %u: %s", id, g_strerror (-r));
}

/* -- the state of the server ------------------------------------------------------------------------------------- */

static void
set_state (NotifyServer *server, State state)
{
  gboolean was_there = server->is_there;

  server->question = sd_bus_slot_unref (server->question);
  g_clear_pointer (&server->capabilities, g_strfreev);
  server->state = state;
  if (state == NONE || state == READY)
    server->is_there = state == READY;
  if (was_there && !server->is_there)
    server->events->went (server->user_data);
  if (state == READY) {
    server->told_none = server->is_looking = FALSE;
    server->events->came (server->user_data);
  }
}

static void
on_retry (gpointer user_data)
{
  NotifyServer *server = user_data;

  server->is_pausing = FALSE;
  pump (server);
}

/* It failed: nothing is asked of it for some time. */
static void
pause_calls (NotifyServer *server)
{
  if (server->is_pausing)
    return;
  server->is_pausing = TRUE;
  relay_turn_arm_in (server->retry_turn, server->retry_usec);
  server->retry_usec = MIN (server->retry_usec * 2, NOTIFY_SERVER_MAX_RETRY_USEC);
}

static void
end_pause (NotifyServer *server)
{
  server->is_pausing = FALSE;
  server->retry_usec = NOTIFY_SERVER_RETRY_USEC;
  relay_turn_disarm (server->retry_turn);
}

static gboolean
is_none_error (const sd_bus_error *error)
{
  return sd_bus_error_has_name (error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
         sd_bus_error_has_name (error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
         g_str_has_prefix (error->name, "org.freedesktop.DBus.Error.Spawn.") ||
         g_str_has_prefix (error->name, "org.freedesktop.systemd1.");
}

static void
become_none (NotifyServer *server, const sd_bus_error *error)
{
  if (!server->told_none)
    relay_notice ("There is no notification server, and none can be started (%s); waiting for one",
                  error->message != NULL ? error->message : error->name);
  server->told_none = TRUE;
  /* One that could be started, and failed, may do better another time. */
  server->may_start = !sd_bus_error_has_name (error, SD_BUS_ERROR_SERVICE_UNKNOWN);
  if (server->may_start)
    pause_calls (server);
  set_state (server, NONE);
}

/* -- questions --------------------------------------------------------------------------------------------------- */

static void
set_owner (NotifyServer *server, const char *owner)
{
  g_autofree char *copy = owner != NULL && *owner != '\0' ? g_strdup (owner) : NULL;

  g_free (server->owner);
  server->owner = g_steal_pointer (&copy);
}

static int
ask (NotifyServer *server, const char *member, sd_bus_message_handler_t answered)
{
  server->question = sd_bus_slot_unref (server->question);
  return sd_bus_call_method_async (server->bus, &server->question, SERVER_NAME, SERVER_PATH, SERVER_INTERFACE, member, answered,
                                   server, NULL);
}

static int
on_information (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyServer *server = user_data;
  const char *name = "", *vendor = "", *version = "";
  g_autofree char *safe = NULL;

  if (sd_bus_message_is_method_error (reply, NULL) || sd_bus_message_read (reply, "sss", &name, &vendor, &version) < 0)
    name = "";
  else
    set_owner (server, sd_bus_message_get_sender (reply));
  notify_traits_set (&server->traits, name, (const char *const *) server->capabilities);
  safe = notify_markup_make_line (name, MAX_NAME_CHARS);
  relay_info ("Notifications go to %s%s%s", *safe != '\0' ? safe : "a server without a name",
              server->traits.has_body_markup ? ", with markup" : "", server->traits.has_actions ? ", with actions" : "");
  set_state (server, READY);
  pump (server);
  return 0;
}

static char **
read_capabilities (sd_bus_message *reply)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  const char *capability;

  if (sd_bus_message_enter_container (reply, SD_BUS_TYPE_ARRAY, "s") < 0)
    return NULL;
  while (list->len < MAX_CAPABILITIES && sd_bus_message_read_basic (reply, SD_BUS_TYPE_STRING, &capability) > 0)
    g_ptr_array_add (list, g_strdup (capability));
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

static int
on_capabilities (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  NotifyServer *server = user_data;
  const sd_bus_error *error = sd_bus_message_get_error (reply);

  if (error != NULL && is_none_error (error)) {
    become_none (server, error);
    return 0;
  }
  /* One that does not answer this gets plain text. */
  if (error != NULL) {
    relay_warning ("The notification server does not tell what it can do: %s",
                   error->message != NULL ? error->message : error->name);
  } else {
    server->capabilities = read_capabilities (reply);
    set_owner (server, sd_bus_message_get_sender (reply));
  }
  if (ask (server, "GetServerInformation", on_information) < 0)
    set_state (server, IDLE);
  return 0;
}

static void
begin_asking (NotifyServer *server)
{
  g_autoptr (sd_bus_message) call = NULL;
  int r;

  set_state (server, ASKING);
  r = sd_bus_message_new_method_call (server->bus, &call, SERVER_NAME, SERVER_PATH, SERVER_INTERFACE, "GetCapabilities");
  if (r >= 0)
    r = sd_bus_call_async (server->bus, &server->question, call, on_capabilities, server, NOTIFY_SERVER_START_USEC);
  if (r < 0) {
    relay_warning ("Cannot ask for the notification server: %s", g_strerror (-r));
    set_state (server, IDLE);
    pause_calls (server);
  }
}

/* -- notifications ----------------------------------------------------------------------------------------------- */

static void
content_clear (NotifyContent *content)
{
  notify_words_clear (&content->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (NotifyContent, content_clear)

static int
append_actions (sd_bus_message *message, const NotifyServer *server, const NotifyContent *content)
{
  int r = sd_bus_message_open_container (message, SD_BUS_TYPE_ARRAY, "s");

  for (guint i = 0; i < content->n_actions && r >= 0 && server->traits.has_actions; i++)
    r = sd_bus_message_append (message, "ss", content->actions[i].key, content->actions[i].label);
  return r >= 0 ? sd_bus_message_close_container (message) : r;
}

static int
append_hints (sd_bus_message *message, const NotifyHints *hints)
{
  int r = sd_bus_message_open_container (message, SD_BUS_TYPE_ARRAY, "{sv}");

  if (r >= 0)
    r = sd_bus_message_append (message, "{sv}", "urgency", "y", (guint8) hints->urgency);
  if (r >= 0)
    r = sd_bus_message_append (message, "{sv}", "category", "s", hints->category);
  if (r >= 0)
    r = sd_bus_message_append (message, "{sv}", "desktop-entry", "s", DESKTOP_ENTRY);
  if (r >= 0 && hints->value != NOTIFY_NO_VALUE)
    r = sd_bus_message_append (message, "{sv}", "value", "i", hints->value);
  if (r >= 0 && hints->suppress_sound)
    r = sd_bus_message_append (message, "{sv}", "suppress-sound", "b", TRUE);
  return r >= 0 ? sd_bus_message_close_container (message) : r;
}

static int
make_message (NotifyServer *server, guint32 replaces, const NotifyContent *content, sd_bus_message **ret_message)
{
  g_autoptr (sd_bus_message) message = NULL;
  g_autofree char *body =
    server->traits.has_body_markup ? notify_markup_escape (content->words.body) : g_strdup (content->words.body);
  int r = sd_bus_message_new_method_call (server->bus, &message, SERVER_NAME, SERVER_PATH, SERVER_INTERFACE, "Notify");

  if (r >= 0)
    /* Translators: the name of the program, as desktops show it beside its notifications. */
    r = sd_bus_message_append (message, "susss", _("PRP relay"), replaces, APP_ICON, content->words.summary, body);
  if (r >= 0)
    r = append_actions (message, server, content);
  if (r >= 0)
    r = append_hints (message, &content->hints);
  if (r >= 0)
    r = sd_bus_message_append (message, "i", content->hints.expire_msec);
  if (r >= 0)
    *ret_message = g_steal_pointer (&message);
  return r;
}

static void
call_failed (NotifyServer *server, Call *call, const sd_bus_error *error)
{
  gboolean is_late = g_get_monotonic_time () - call->sent_usec >= NOTIFY_SERVER_CALL_USEC;

  if (!is_late && (is_none_error (error) || sd_bus_error_has_name (error, SD_BUS_ERROR_NO_REPLY) ||
                   sd_bus_error_has_name (error, SD_BUS_ERROR_DISCONNECTED))) {
    /* It left with the call in its hands: another will be told. */
    if (call->note != NULL) {
      call->note->id = 0;
      want (call->note);
    }
    relay_debug ("The notification server left: %s", error->name);
    set_state (server, IDLE);
  } else {
    /* It may have shown it, or not: not told twice. */
    relay_warning ("The notification server %s: %s", is_late ? "does not answer" : "refuses a notification",
                   error->message != NULL ? error->message : error->name);
  }
  pause_calls (server);
}

static int
on_notified (sd_bus_message *reply, void *user_data, sd_bus_error *ret_error)
{
  Call *call = user_data;
  NotifyServer *server = call->server;
  const sd_bus_error *error = sd_bus_message_get_error (reply);
  guint32 id = 0;

  if (error != NULL) {
    call_failed (server, call, error);
  } else if (sd_bus_message_read (reply, "u", &id) < 0) {
    relay_warning ("The notification server's answer cannot be read");
  } else {
    relay_debug ("Notification %u is shown", id);
    end_pause (server);
    if (server->owner == NULL) /* it answers for the first time */
      set_owner (server, sd_bus_message_get_sender (reply));
    if (call->note != NULL)
      set_id (call->note, id);
    else if (find_note (server, id) == NULL)
      close_id (server, id);
  }
  call_free (call);
  pump (server);
  return 0;
}

static void
send_note (NotifyNote *note)
{
  NotifyServer *server = note->server;
  g_autoptr (sd_bus_message) message = NULL;
  g_auto (NotifyContent) content = { 0 };
  Call *call;
  int r;

  unwant (note);
  note->events->fill (note, &server->traits, &content, note->user_data);
  r = make_message (server, note->id, &content, &message);
  if (r < 0) {
    relay_warning ("A notification cannot be made: %s", g_strerror (-r));
    return;
  }
  call = g_new0 (Call, 1);
  call->server = server;
  call->link.data = call;
  call->note = note;
  call->sent_usec = g_get_monotonic_time ();
  note->call = call;
  g_queue_push_tail_link (&server->calls, &call->link);
  r = sd_bus_call_async (server->bus, &call->slot, message, on_notified, call, NOTIFY_SERVER_CALL_USEC);
  if (r < 0) {
    relay_warning ("A notification cannot be sent: %s", g_strerror (-r));
    call_free (call);
  }
}

/* Does what can be done now: the one place from which anything is sent. */
static void
pump (NotifyServer *server)
{
  if (server->is_pausing || (server->queue.length == 0 && !server->is_looking))
    return;
  if (server->state == IDLE || (server->state == NONE && server->may_start))
    begin_asking (server);
  while (server->state == READY && server->queue.length > 0 && server->calls.length < NOTIFY_SERVER_MAX_CALLS)
    send_note (server->queue.head->data);
}

/* -- what the bus brings ----------------------------------------------------------------------------------------- */

static int
on_owner_changed (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyServer *server = user_data;
  const char *old_owner, *new_owner;

  if (!client_owner_read_changed (message, SERVER_NAME, &old_owner, &new_owner))
    return 0;
  /* It came because it was asked: its answer is on its way. */
  if (server->state == ASKING && *old_owner == '\0' && server->capabilities == NULL && server->owner == NULL) {
    set_owner (server, new_owner);
    return 0;
  }
  set_owner (server, new_owner);
  while (server->calls.head != NULL) {
    Call *call = server->calls.head->data;

    if (call->note != NULL)
      want (call->note);
    call_free (call);
  }
  for (GList *link = server->notes.head; link != NULL; link = link->next) {
    NotifyNote *note = link->data;

    if (note->id != 0 && note->stays)
      want (note);
    note->id = 0;
  }
  if (server->owner != NULL) {
    end_pause (server);
    begin_asking (server);
  } else {
    if (server->state != NONE)
      set_state (server, IDLE);
    /* One that falls over at once is not started over and over. */
    if (server->queue.length > 0)
      pause_calls (server);
  }
  return 0;
}

static int
on_signal (sd_bus_message *message, void *user_data, sd_bus_error *ret_error)
{
  NotifyServer *server = user_data;
  const char *text = NULL;
  guint32 id, reason;
  NotifyNote *note;

  if (server->owner == NULL || g_strcmp0 (sd_bus_message_get_sender (message), server->owner) != 0)
    return 0;
  if (sd_bus_message_is_signal (message, SERVER_INTERFACE, "NotificationClosed")) {
    if (sd_bus_message_read (message, "uu", &id, &reason) > 0 && (note = find_note (server, id)) != NULL) {
      note->id = 0;
      note->events->closed (note, note->user_data);
    }
    return 0;
  }
  if (sd_bus_message_read (message, "us", &id, &text) <= 0 || (note = find_note (server, id)) == NULL)
    return 0;
  if (sd_bus_message_is_signal (message, SERVER_INTERFACE, "ActivationToken")) {
    g_free (note->token);
    note->token = g_strdup (text);
  } else if (sd_bus_message_is_signal (message, SERVER_INTERFACE, "ActionInvoked")) {
    g_autofree char *token = g_steal_pointer (&note->token);

    note->events->invoked (note, text, token, note->user_data);
  }
  return 0;
}

/* -- from outside ------------------------------------------------------------------------------------------------ */

NotifyServer *
notify_server_new (sd_bus *bus, const NotifyServerEvents *events, gpointer user_data)
{
  static const char signal_rule[] =
    "type='signal',sender='" SERVER_NAME "',path='" SERVER_PATH "',interface='" SERVER_INTERFACE "'";
  NotifyServer *server = g_new0 (NotifyServer, 1);
  int r;

  server->bus = sd_bus_ref (bus);
  server->events = events;
  server->user_data = user_data;
  server->retry_turn = relay_turn_new ("notify-server-retry", on_retry, server);
  server->retry_usec = NOTIFY_SERVER_RETRY_USEC;
  server->is_there = TRUE; /* until there is something to show, for all that is known */
  notify_traits_set (&server->traits, "", NULL);
  r = sd_bus_add_match_async (bus, &server->matches[0], CLIENT_OWNER_RULE (SERVER_NAME), on_owner_changed, NULL, server);
  if (r >= 0)
    r = sd_bus_add_match_async (bus, &server->matches[1], signal_rule, on_signal, NULL, server);
  if (r < 0)
    relay_warning ("Cannot listen to the notification server: %s", g_strerror (-r));
  return server;
}

void
notify_server_free (NotifyServer *server)
{
  if (server == NULL)
    return;
  g_assert (server->notes.length == 0);
  while (server->calls.head != NULL)
    call_free (server->calls.head->data);
  for (gsize i = 0; i < G_N_ELEMENTS (server->matches); i++)
    sd_bus_slot_unref (server->matches[i]);
  sd_bus_slot_unref (server->question);
  g_strfreev (server->capabilities);
  notify_traits_clear (&server->traits);
  relay_turn_free (server->retry_turn);
  g_free (server->owner);
  sd_bus_unref (server->bus);
  g_free (server);
}

gboolean
notify_server_is_there (const NotifyServer *server)
{
  return server->is_there;
}

gboolean
notify_server_is_idle (const NotifyServer *server)
{
  return server->calls.length == 0;
}

void
notify_server_look (NotifyServer *server)
{
  server->is_looking = TRUE;
  pump (server);
}

NotifyNote *
notify_note_new (NotifyServer *server, gboolean stays, const NotifyNoteEvents *events, gpointer user_data)
{
  NotifyNote *note = g_new0 (NotifyNote, 1);

  note->server = server;
  note->stays = stays;
  note->events = events;
  note->user_data = user_data;
  note->link.data = note->queue_link.data = note;
  g_queue_push_tail_link (&server->notes, &note->link);
  return note;
}

void
notify_note_free (NotifyNote *note)
{
  if (note == NULL)
    return;
  notify_note_withdraw (note);
  g_queue_unlink (&note->server->notes, &note->link);
  g_free (note->token);
  g_free (note);
}

void
notify_note_show (NotifyNote *note)
{
  want (note);
  pump (note->server);
}

void
notify_note_hush (NotifyNote *note)
{
  unwant (note);
}

void
notify_note_withdraw (NotifyNote *note)
{
  unwant (note);
  /* What is under way replaces what is there, or is the first: either way its answer has the id that is to go. */
  if (note->call != NULL)
    part_from_call (note);
  close_id (note->server, note->id);
  note->id = 0;
}

gboolean
notify_note_is_open (const NotifyNote *note)
{
  return note->id != 0 || note->call != NULL || note->is_wanted;
}

gboolean
notify_note_is_on_screen (const NotifyNote *note)
{
  return note->id != 0;
}

gboolean
notify_note_is_underway (const NotifyNote *note)
{
  return note->call != NULL;
}
