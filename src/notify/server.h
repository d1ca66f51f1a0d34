/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"
#include "notify/hints.h"
#include "notify/words.h"

/*
 * The notification server of the desktop: a client of org.freedesktop.Notifications. A note is one notification, from its
 * first word to its end; it knows its id, if it has one, and that is not known to anyone else.
 */
typedef struct NotifyServer NotifyServer;
typedef struct NotifyNote NotifyNote;

typedef struct {
  const char *key, *label; /* static */
} NotifyAction;

#define NOTIFY_MAX_ACTIONS 3

typedef struct {
  NotifyWords words;
  NotifyHints hints;
  NotifyAction actions[NOTIFY_MAX_ACTIONS];
  guint n_actions;
} NotifyContent;

typedef struct {
  void (*came) (gpointer user_data); /* there is one (another one), and what waits is about to be sent */
  void (*went) (gpointer user_data); /* there is none, nor one that could be started */
} NotifyServerEvents;

typedef struct {
  /* What is it to say? Asked when it can be sent, so it is always the newest. */
  void (*fill) (NotifyNote *note, const NotifyTraits *traits, NotifyContent *ret_content, gpointer user_data);
  /* It is gone from the screen: by the person, its age, or an action. */
  void (*closed) (NotifyNote *note, gpointer user_data);
  /* The person chose an action. @token: for who opens a window because of that; NULL: none. */
  void (*invoked) (NotifyNote *note, const char *action, const char *token, gpointer user_data);
} NotifyNoteEvents;

#define NOTIFY_SERVER_CALL_USEC (10 * G_USEC_PER_SEC)  /* for an answer … */
#define NOTIFY_SERVER_START_USEC (30 * G_USEC_PER_SEC) /* … of a server that may have to be started first */
#define NOTIFY_SERVER_MAX_CALLS 4                      /* under way at a time */
#define NOTIFY_SERVER_RETRY_USEC G_USEC_PER_SEC        /* after it failed; doubled each time, up to … */
#define NOTIFY_SERVER_MAX_RETRY_USEC (60 * (guint64) G_USEC_PER_SEC)

NotifyServer *notify_server_new (sd_bus *bus, const NotifyServerEvents *events, gpointer user_data);
/* All notes have been freed. */
void notify_server_free (NotifyServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyServer, notify_server_free)

/* FALSE between went and came. */
gboolean notify_server_is_there (const NotifyServer *server);

/* There is something to show for which there is no note yet: has it look for a server, if there was none and one may be started
 * by now. */
void notify_server_look (NotifyServer *server);

/* Is no call under way? */
gboolean notify_server_is_idle (const NotifyServer *server);

/* @stays: what it says is said again to another server, if one comes. @events is static. */
NotifyNote *notify_note_new (NotifyServer *server, gboolean stays, const NotifyNoteEvents *events, gpointer user_data);
/* Withdraws it as well. */
void notify_note_free (NotifyNote *note);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyNote, notify_note_free)

/* It has something (else) to say. */
void notify_note_show (NotifyNote *note);

/* What it wanted to say need not be said any more; what is on the screen stays. */
void notify_note_hush (NotifyNote *note);

/* Takes it from the screen. Its `closed` is not called. */
void notify_note_withdraw (NotifyNote *note);

/* Is it on the screen, or on its way there? */
gboolean notify_note_is_open (const NotifyNote *note);

/* Is it there? */
gboolean notify_note_is_on_screen (const NotifyNote *note);

/* Is something of it being sent? */
gboolean notify_note_is_underway (const NotifyNote *note);
