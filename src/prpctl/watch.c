/* SPDX-License-Identifier: MIT */
#include "prpctl/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "client/event.h"
#include "common/names.h"
#include "prpctl/output.h"
#include "prpctl/text.h"
#include "prpctl/watch-json.h"
#include "prpctl/watch-keys.h"
#include "prpctl/watch-relay.h"
#include "prpctl/watch-screen.h"
#include "prpctl/watch-terminal.h"

/*
 * One loop over the bus, signals, and the terminal (or, with --json, standard output).
 *
 *   bus ─→ watch-relay ─→ watch-model ─→ watch-screen ─→ watch-terminal ←─ keys
 *
 * Events only change the model. A picture is made of it at most ten times a second, when the one before is written to its
 * end, and only the lines that differ are written: so neither a flood of events nor a slow terminal makes anything
 * wait or grow. A key is answered sooner. With nothing new, the loop sleeps until an age that is shown becomes another.
 */

#define FRAME_USEC (100 * G_TIME_SPAN_MILLISECOND)
#define FRAME_AFTER_KEY_USEC (30 * G_TIME_SPAN_MILLISECOND)
#define ENDING_USEC G_USEC_PER_SEC  /* when told to stop: what a slow reader has to take the rest of the last line */
#define GAP_NOTICE_USEC (3600 * (guint64) G_USEC_PER_SEC) /* how long a gap is told */
#define MAX_KEYS_PER_TURN 64

typedef struct {
  PrpctlRun *run;
  PrpctlWatchModel *model;
  PrpctlWatchRelay relay;
  PrpctlOutput output;
  int signal_fd;

  PrpctlTerminal *terminal; /* NULL with --json */
  gboolean utf8;
  const char *charset;
  PrpctlKeys keys;
  PrpctlWatchFrame *frame; /* the last one written; NULL: what the terminal shows is not known */
  GPtrArray *still;        /* rows of the picture that is held; NULL: it is live */
  guint64 still_usec;      /* its time */
  gboolean only_active, shows_help;
  guint first;

  gboolean is_stale;       /* what is shown is not what is known */
  gboolean is_urgent;      /* as somebody pressed a key */
  gint64 shown_usec;       /* CLOCK_MONOTONIC, when the last picture was made */
  guint64 next_usec;       /* CLOCK_REALTIME, when it becomes another one by itself */
  guint64 n_shown;
  char *noted;             /* of --json: what was said of the relay last */
  gboolean done;
  GError *error;
} Watch;

static guint64
get_now (void)
{
  return (guint64) g_get_real_time ();
}

/* -- pictures ---------------------------------------------------------------------------------------------------- */

/* Adds to @notices, of char *. */
static void
add_gap_notice (Watch *watch, GPtrArray *notices, guint64 now_usec)
{
  g_autofree char *since = NULL, *until = NULL;
  guint64 since_usec, until_usec;

  prpctl_watch_model_get_gap (watch->model, &since_usec, &until_usec);
  if (until_usec == 0 || until_usec + GAP_NOTICE_USEC <= now_usec)
    return;
  until = prpctl_text_format_time (until_usec, now_usec);
  if (since_usec > CLIENT_EVENT_GAP_SINCE_UNKNOWN) {
    since = prpctl_text_format_time (since_usec, now_usec);
    /* Translators: two times of day. */
    g_ptr_array_add (notices, g_strdup_printf (_("events may have been missed from %s to %s"), since, until));
  } else {
    g_ptr_array_add (notices, g_strdup_printf (_("events may have been missed until %s"), until));
  }
  watch->next_usec = MIN (watch->next_usec, until_usec + GAP_NOTICE_USEC);
}

/* What else a person should know. Free with g_strfreev(). */
static char **
make_notices (Watch *watch, guint64 now_usec)
{
  GPtrArray *notices = g_ptr_array_new ();

  if (!prpctl_watch_relay_is_connected (&watch->relay) && watch->relay.started) {
    guint64 as_of_usec = prpctl_watch_relay_get_as_of (&watch->relay, now_usec);

    if (as_of_usec != 0) {
      g_autofree char *time = prpctl_text_format_time (as_of_usec, now_usec);

      /* Translators: the list of PRPs is; a time of day follows. */
      g_ptr_array_add (notices, g_strdup_printf (_("correct as of %s"), time));
    }
  }
  add_gap_notice (watch, notices, now_usec);
  if (watch->relay.trouble != NULL)
    g_ptr_array_add (notices, g_strdup (watch->relay.trouble));
  if (prpctl_watch_model_is_cut (watch->model))
    g_ptr_array_add (notices, g_strdup_printf (_("only the newest %u PRPs are shown"), (guint) PRPCTL_WATCH_MAX_ROWS));
  g_ptr_array_add (notices, NULL);
  return (char **) g_ptr_array_free (notices, FALSE);
}

/* Queues @text in the terminal's own characters. */
static void
queue (Watch *watch, const GString *text)
{
  g_autofree char *converted = NULL;

  if (watch->utf8) {
    g_string_append_len (watch->output.pending, text->str, (gssize) text->len);
    return;
  }
  converted = g_convert_with_fallback (text->str, (gssize) text->len, watch->charset, "UTF-8", "?", NULL, NULL, NULL);
  if (converted != NULL)
    g_string_append (watch->output.pending, converted);
}

static PrpctlStyle
get_state_style (const PrpctlWatchRelay *relay)
{
  if (prpctl_watch_relay_is_connected (relay))
    return PRPCTL_STYLE_GOOD;
  /* All else may get better by itself. */
  return relay->is_known && g_str_equal (relay->status->state, RELAY_STATE_NAME_UNAUTHORIZED) ? PRPCTL_STYLE_BAD
                                                                                              : PRPCTL_STYLE_BUSY;
}

static void
draw (Watch *watch)
{
  guint64 now_usec = get_now ();
  g_auto (GStrv) notices = NULL;
  g_autofree char *state = NULL;
  g_autoptr (GString) update = g_string_new (NULL);
  PrpctlWatchFrame *frame;
  PrpctlWatchView view = {
    .color = watch->run->color,
    .utf8 = watch->utf8,
    .state_style = get_state_style (&watch->relay),
    .is_reading = prpctl_watch_relay_is_reading (&watch->relay),
    .only_active = watch->only_active,
    .is_paused = watch->still != NULL,
    .shows_help = watch->shows_help,
    .first = watch->first,
  };

  (void) prpctl_watch_model_expire (watch->model, now_usec);
  watch->next_usec = prpctl_watch_model_get_expiry (watch->model);
  notices = make_notices (watch, now_usec);
  state = prpctl_watch_relay_describe (&watch->relay, now_usec, &view.next_state_usec);
  view.state = state;
  view.notices = notices;
  view.now_usec = watch->still != NULL ? watch->still_usec : now_usec;
  view.rows = watch->still != NULL ? watch->still : prpctl_watch_model_get_rows (watch->model);
  prpctl_terminal_get_size (watch->terminal, &view.columns, &view.lines);

  frame = prpctl_watch_screen_draw (&view);
  /* A picture that is held has ages of its own time. */
  if (watch->still == NULL)
    watch->next_usec = MIN (watch->next_usec, frame->next_usec);
  prpctl_watch_frame_append_update (update, watch->frame, frame);
  prpctl_watch_frame_free (watch->frame);
  watch->frame = frame;
  watch->first = frame->first;
  queue (watch, update);
}

/* For the person behind the program that reads the lists. */
static void
note_trouble (Watch *watch)
{
  PrpctlOutput notes;

  if (watch->relay.trouble == NULL || g_strcmp0 (watch->relay.trouble, watch->noted) == 0)
    return;
  g_free (watch->noted);
  watch->noted = g_strdup (watch->relay.trouble);
  prpctl_output_init (&notes, STDERR_FILENO);
  g_string_append_printf (notes.pending, "prpctl: %s\n", watch->noted);
  (void) prpctl_output_drain (&notes);
  prpctl_output_clear (&notes);
}

static void
print (Watch *watch)
{
  guint64 now_usec = get_now ();
  PrpctlWatchList list = {
    .state = watch->relay.owner != NULL ? watch->relay.status->state : "",
    .as_of_usec = prpctl_watch_relay_get_as_of (&watch->relay, now_usec),
  };

  note_trouble (watch);
  (void) prpctl_watch_model_expire (watch->model, now_usec);
  watch->next_usec = prpctl_watch_model_get_expiry (watch->model);
  list.rows = prpctl_watch_model_get_rows (watch->model);
  prpctl_watch_model_get_gap (watch->model, &list.gap_since_usec, &list.gap_until_usec);
  prpctl_watch_json_append (watch->output.pending, &list);
  watch->n_shown++;
  if (watch->n_shown == watch->run->options->count)
    watch->done = TRUE;
}

/* Is the list one that a program should get? Not before the history was read, and nothing between two relays. */
static gboolean
is_complete (Watch *watch)
{
  return watch->relay.started && !prpctl_watch_relay_is_reading (&watch->relay) &&
         (watch->relay.owner == NULL || watch->relay.is_known);
}

/* When the next picture is to be made (CLOCK_MONOTONIC), G_MAXINT64: not before something happens. */
static gint64
get_frame_time (Watch *watch)
{
  if (watch->relay.has_changed) {
    watch->relay.has_changed = FALSE;
    watch->is_stale = TRUE;
  }
  if (watch->next_usec <= get_now ())
    watch->is_stale = TRUE;
  if (!watch->is_stale || !prpctl_output_is_empty (&watch->output) || (watch->terminal == NULL && !is_complete (watch)))
    return G_MAXINT64;
  return watch->shown_usec + (watch->is_urgent ? FRAME_AFTER_KEY_USEC : FRAME_USEC);
}

static void
show (Watch *watch)
{
  if (watch->terminal != NULL)
    draw (watch);
  else
    print (watch);
  watch->shown_usec = g_get_monotonic_time ();
  watch->is_stale = watch->is_urgent = FALSE;
}

/* -- keys -------------------------------------------------------------------------------------------------------- */

static void
scroll (Watch *watch, gint64 rows)
{
  watch->first = (guint) CLAMP ((gint64) watch->first + rows, 0, (gint64) G_MAXINT);
}

static void
hold_picture (Watch *watch)
{
  if (watch->still != NULL) {
    g_clear_pointer (&watch->still, g_ptr_array_unref);
    return;
  }
  watch->still = prpctl_watch_model_dup_rows (watch->model);
  watch->still_usec = get_now ();
}

static void
press (Watch *watch, PrpctlKey key)
{
  gint64 page = watch->frame != NULL ? MAX ((gint64) watch->frame->page - 1, 1) : 1;
  gboolean showed_help = watch->shows_help;

  if (key == PRPCTL_KEY_NONE)
    return;
  watch->shows_help = FALSE; /* any key leads back */
  watch->is_stale = watch->is_urgent = TRUE;
  switch (key) {
  case PRPCTL_KEY_QUIT: watch->done = TRUE; break;
  case PRPCTL_KEY_UP: scroll (watch, -1); break;
  case PRPCTL_KEY_DOWN: scroll (watch, 1); break;
  case PRPCTL_KEY_PAGE_UP: scroll (watch, -page); break;
  case PRPCTL_KEY_PAGE_DOWN: scroll (watch, page); break;
  case PRPCTL_KEY_HOME: watch->first = 0; break;
  case PRPCTL_KEY_END: watch->first = G_MAXINT; break;
  case PRPCTL_KEY_ACTIVE:
    watch->only_active = !watch->only_active;
    watch->first = 0;
    break;
  case PRPCTL_KEY_PAUSE: hold_picture (watch); break;
  case PRPCTL_KEY_HELP: watch->shows_help = !showed_help; break;
  case PRPCTL_KEY_REDRAW: g_clear_pointer (&watch->frame, prpctl_watch_frame_free); break;
  case PRPCTL_KEY_NONE:
  case PRPCTL_KEY_OTHER: break;
  }
}

static void
read_keys (Watch *watch)
{
  char bytes[MAX_KEYS_PER_TURN];
  gssize n = read (prpctl_terminal_get_fd (watch->terminal), bytes, sizeof bytes);

  /* A terminal that is gone reads as its end. */
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    watch->done = TRUE;
  for (gssize i = 0; i < n; i++)
    press (watch, prpctl_keys_feed (&watch->keys, bytes[i]));
}

/* -- the terminal and signals ------------------------------------------------------------------------------------ */

static void
enter_terminal (Watch *watch)
{
  g_string_truncate (watch->output.pending, 0);
  watch->output.n_written = 0;
  g_clear_pointer (&watch->frame, prpctl_watch_frame_free);
  watch->is_stale = watch->is_urgent = TRUE;
  if (!prpctl_terminal_enter (watch->terminal, watch->output.pending, &watch->error))
    watch->done = TRUE;
}

/* Ctrl-Z: stops as any program would, and goes on when it is told to. */
static void
suspend (Watch *watch)
{
  sigset_t stop;

  prpctl_terminal_leave (watch->terminal);
  sigemptyset (&stop);
  sigaddset (&stop, SIGTSTP);
  (void) raise (SIGTSTP);
  (void) sigprocmask (SIG_UNBLOCK, &stop, NULL); /* stops here */
  (void) sigprocmask (SIG_BLOCK, &stop, NULL);
  enter_terminal (watch);
}

static void
read_signal (Watch *watch)
{
  struct signalfd_siginfo info;

  if (read (watch->signal_fd, &info, sizeof info) != sizeof info)
    return;
  switch (info.ssi_signo) {
  case SIGTSTP:
    suspend (watch);
    break;
  case SIGCONT: /* whoever stopped it may have used the terminal */
    enter_terminal (watch);
    break;
  case SIGWINCH:
    watch->is_stale = watch->is_urgent = TRUE;
    break;
  default:
    watch->done = TRUE;
  }
}

static gboolean
watch_signals (Watch *watch, GError **error)
{
  static const int of_both[] = { SIGINT, SIGTERM };
  static const int of_terminal[] = { SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT };
  sigset_t signals;

  sigemptyset (&signals);
  for (gsize i = 0; i < G_N_ELEMENTS (of_both); i++)
    sigaddset (&signals, of_both[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (of_terminal) && watch->terminal != NULL; i++)
    sigaddset (&signals, of_terminal[i]);
  (void) sigprocmask (SIG_BLOCK, &signals, NULL);
  watch->signal_fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (watch->signal_fd >= 0)
    return TRUE;
  g_set_error (error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot watch for signals: %s"), g_strerror (errno));
  return FALSE;
}

/* -- the loop ---------------------------------------------------------------------------------------------------- */

/* A reader that has left is no failure: it has what it wanted. */
static void
output_failed (Watch *watch, int error_number)
{
  if (error_number != -EPIPE && watch->terminal == NULL && watch->error == NULL)
    g_set_error (&watch->error, PRPCTL_ERROR, PRPCTL_EXIT_FAILURE, _("Cannot write the output: %s"),
                 g_strerror (-error_number));
  g_string_truncate (watch->output.pending, 0);
  watch->output.n_written = 0;
  watch->done = TRUE;
}

static void
write_some (Watch *watch, int ready)
{
  int r = 0;

  if (!prpctl_output_is_empty (&watch->output)) {
    if ((ready & ~POLLIN) != 0)
      r = prpctl_output_write_some (&watch->output);
  } else if ((ready & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
    r = -EPIPE;
  }
  if (r < 0)
    output_failed (watch, r);
}

/* Milliseconds until the first of the times, as poll() takes them. */
static int
get_poll_timeout (Watch *watch, gint64 deadline_usec, gint64 frame_usec)
{
  gint64 now = g_get_monotonic_time ();
  gint64 first = MIN (deadline_usec, frame_usec);
  guint64 bus_usec = G_MAXUINT64, real = get_now ();

  if (sd_bus_get_timeout (watch->run->client->bus, &bus_usec) > 0)
    first = MIN (first, (gint64) MIN (bus_usec, (guint64) G_MAXINT64));
  /* What is stale already waits for something else: room, or the rest of the history. */
  if (!watch->is_stale && watch->next_usec != G_MAXUINT64)
    first = MIN (first, now + (gint64) MIN (watch->next_usec - MIN (watch->next_usec, real), (guint64) G_TIME_SPAN_DAY));
  if (first == G_MAXINT64)
    return -1;
  return first <= now ? 0 : (int) MIN ((first - now + 999) / 1000, G_MAXINT);
}

static void
wait_and_serve (Watch *watch, gint64 deadline_usec, gint64 frame_usec, gboolean busy)
{
  enum { SIGNALS, OUTPUT, BUS, N_FDS };
  sd_bus *bus = watch->run->client->bus;
  short room = prpctl_output_is_empty (&watch->output) ? 0 : POLLOUT;
  struct pollfd fds[N_FDS] = {
    [SIGNALS] = { .fd = watch->signal_fd, .events = POLLIN },
    [OUTPUT] = { .fd = watch->output.fd, .events = (short) (room | (watch->terminal != NULL ? POLLIN : 0)) },
    [BUS] = { .fd = sd_bus_get_fd (bus), .events = (short) MAX (sd_bus_get_events (bus), 0) },
  };

  if (poll (fds, N_FDS, busy ? 0 : get_poll_timeout (watch, deadline_usec, frame_usec)) <= 0)
    return;
  write_some (watch, fds[OUTPUT].revents);
  if (watch->terminal != NULL && (fds[OUTPUT].revents & POLLIN) != 0)
    read_keys (watch);
  if (fds[SIGNALS].revents != 0)
    read_signal (watch);
}

static void
loop (Watch *watch)
{
  guint64 seconds_usec = watch->run->options->seconds_usec;
  gint64 deadline_usec = seconds_usec != 0 ? g_get_monotonic_time () + (gint64) seconds_usec : G_MAXINT64;

  while (!watch->done) {
    gboolean busy = prpctl_watch_relay_process (&watch->relay);
    gint64 frame_usec;

    if (watch->relay.error != NULL) {
      g_propagate_error (&watch->error, g_steal_pointer (&watch->relay.error));
      return;
    }
    frame_usec = get_frame_time (watch);
    if (frame_usec <= g_get_monotonic_time ()) {
      show (watch);
      frame_usec = G_MAXINT64;
    }
    wait_and_serve (watch, deadline_usec, frame_usec, busy && !watch->done);
    if (g_get_monotonic_time () >= deadline_usec)
      watch->done = TRUE;
  }
}

/* A line is not left half written. */
static void
finish_output (Watch *watch)
{
  gint64 deadline_usec = g_get_monotonic_time () + ENDING_USEC;

  while (watch->terminal == NULL && !prpctl_output_is_empty (&watch->output)) {
    struct pollfd pfd = { .fd = watch->output.fd, .events = POLLOUT };
    gint64 left = deadline_usec - g_get_monotonic_time ();

    if (left <= 0 || poll (&pfd, 1, (int) (left / 1000) + 1) <= 0)
      return;
    write_some (watch, pfd.revents);
  }
}

static gboolean
check_options (const PrpctlOptions *options, GError **error)
{
  if (options->json || (options->given & PRPCTL_OPTION_COUNT) == 0)
    return TRUE;
  g_set_error_literal (error, PRPCTL_ERROR, PRPCTL_EXIT_USAGE, _("--count needs --json: it counts the lists."));
  return FALSE;
}

gboolean
prpctl_watch (PrpctlRun *run, GError **error)
{
  Watch watch = { .run = run, .signal_fd = -1, .next_usec = G_MAXUINT64, .is_stale = TRUE };
  gboolean has_relay = FALSE;

  if (!check_options (run->options, error))
    return FALSE;
  if (!run->options->json) {
    watch.terminal = prpctl_terminal_new (error);
    if (watch.terminal == NULL)
      return FALSE;
  }
  watch.utf8 = g_get_charset (&watch.charset);
  watch.model = prpctl_watch_model_new ();
  prpctl_output_init (&watch.output, watch.terminal != NULL ? prpctl_terminal_get_fd (watch.terminal) : STDOUT_FILENO);
  if (watch_signals (&watch, &watch.error)) {
    has_relay = TRUE;
    if (prpctl_watch_relay_init (&watch.relay, run, watch.model, &watch.error)) {
      if (watch.terminal != NULL)
        enter_terminal (&watch);
      loop (&watch);
    }
  }

  finish_output (&watch);
  prpctl_terminal_free (watch.terminal);
  if (has_relay)
    prpctl_watch_relay_clear (&watch.relay);
  prpctl_watch_model_free (watch.model);
  prpctl_output_clear (&watch.output);
  prpctl_watch_frame_free (watch.frame);
  g_free (watch.noted);
  g_clear_pointer (&watch.still, g_ptr_array_unref);
  if (watch.signal_fd >= 0)
    close (watch.signal_fd);
  if (watch.error != NULL) {
    g_propagate_error (error, watch.error);
    return FALSE;
  }
  return TRUE;
}
