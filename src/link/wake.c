/* SPDX-License-Identifier: MIT */
#include "link/wake.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib-unix.h>

#include "common/bus-source.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"

/*
 * Three who notice a sleep, none of whom costs a wake-up while there is none:
 *
 *  - The clocks. CLOCK_MONOTONIC stands still while the machine sleeps, CLOCK_BOOTTIME does not: what lies between the
 *    two grows with each sleep and never otherwise. check_clocks() compares it with what it was.
 *  - The kernel, which says when to look: a timer on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET becomes readable when that
 *    clock jumps, on resume and whenever it is set. A clock that was set is no sleep: the clocks above agree. It shows in
 *    how far it is from CLOCK_BOOTTIME, which nobody sets.
 *  - logind, by its signal PrepareForSleep, TRUE before and FALSE behind. It tells more: a machine whose clocks
 *    all stood still, or ran on, was asleep too.
 *
 * One sleep is told once. `apart_usec` is what the clocks were apart when a sleep was last told, so whoever comes second
 * finds nothing new; logind is believed on its own only for a sleep of which the clocks told nothing since its signal
 * before (`told_since_asleep`).
 *
 * The system bus is a luxury. It is connected to without waiting, as sd-bus does its handshake piece by piece in the loop;
 * a bus that hangs is given up by sd-bus's own timeouts. Whatever goes wrong there ends in lose_bus(), which tries again
 * later and more and more rarely. Broadcast signals come only if the rule lets them through, which names logind as their
 * sender, and the bus sees to that; anybody can send a signal to us alone past all rules, so those are not looked at.
 */

/* Beyond any time that comes: the timer is there to be cancelled. */
#define FAR_FUTURE_SEC (G_MAXINT64 / 1000000000 - 1)

struct RelayWake {
  const RelayWakeEvents *events;
  gpointer user_data;

  gint64 apart_usec;
  gint64 day_usec; /* relay_clock_get_day, when it was last told */
  int timer_fd;
  GSource *timer_source;

  sd_bus *bus;
  sd_bus_slot *match;
  GSource *bus_source;
  GSource *bus_turn; /* connects, or loses the bus that failed */
  guint64 retry_usec;
  gboolean loss_logged;
  gint64 asleep_usec; /* CLOCK_BOOTTIME when logind said that sleep begins, 0: it did not */
  gboolean told_since_asleep;

  GNetworkMonitor *monitor;
  gulong monitor_handler;
  GSource *network_turn;
  gboolean network_pending; /* changed since it was told */
};

/* ---- sleep ---- */

static gint64
get_apart (void)
{
  return relay_clock_boottime () - g_get_monotonic_time ();
}

static void
tell_slept (RelayWake *wake, gint64 duration_usec)
{
  wake->told_since_asleep = TRUE;
  wake->apart_usec = get_apart ();
  relay_debug ("The machine has slept for %.1f s", (double) duration_usec / G_USEC_PER_SEC);
  wake->events->slept ((guint64) duration_usec, wake->user_data);
}

/* ---- the clock of the day ---- */

static void
check_day (RelayWake *wake)
{
  gint64 ahead = relay_clock_get_day () - wake->day_usec;

  if (ABS (ahead) < (gint64) RELAY_WAKE_SET_MIN_USEC)
    return;
  wake->day_usec += ahead;
  wake->events->clock_set (ahead, wake->user_data);
}

/* ---- all clocks ---- */

/* TRUE: the wake may be gone. */
static gboolean
check_clocks (RelayWake *wake)
{
  gint64 slept = get_apart () - wake->apart_usec;

  check_day (wake);
  if (slept <= (gint64) RELAY_WAKE_SLEEP_MIN_USEC)
    return FALSE;
  tell_slept (wake, slept);
  return TRUE;
}

static gboolean
on_clock_jumped (int fd, GIOCondition condition, gpointer user_data)
{
  RelayWake *wake = user_data;
  guint64 n_expired;

  /* ECANCELED, as a rule: it jumped. There is nothing to do for any other answer, but the loop must not spin on one. */
  if (read (fd, &n_expired, sizeof n_expired) < 0 && errno != ECANCELED && errno != EAGAIN && errno != EINTR) {
    relay_warning ("The timer that watches the clock is of no more use: %s", g_strerror (errno));
    return G_SOURCE_REMOVE;
  }
  check_clocks (wake);
  return G_SOURCE_CONTINUE;
}

static void
watch_clock (RelayWake *wake)
{
  const struct itimerspec never = { .it_value.tv_sec = FAR_FUTURE_SEC };

  wake->timer_fd = timerfd_create (CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (wake->timer_fd < 0 ||
      timerfd_settime (wake->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0) {
    relay_warning ("Sleep cannot be noticed by the clock: %s", g_strerror (errno));
    return;
  }
  wake->timer_source = g_unix_fd_source_new (wake->timer_fd, G_IO_IN);
  g_source_set_static_name (wake->timer_source, "relay-wake-clock");
  g_source_set_callback (wake->timer_source, G_SOURCE_FUNC (on_clock_jumped), wake, NULL);
  g_source_attach (wake->timer_source, NULL);
}

/* ---- logind ---- */

static void
drop_bus (RelayWake *wake)
{
  if (wake->bus_source != NULL)
    g_source_destroy (wake->bus_source);
  g_clear_pointer (&wake->bus_source, g_source_unref);
  g_clear_pointer (&wake->match, sd_bus_slot_unref);
  g_clear_pointer (&wake->bus, sd_bus_close_unref);
  wake->asleep_usec = 0;
}

/* @error: negative errno. */
static void
lose_bus (RelayWake *wake, int error)
{
  if (!wake->loss_logged)
    relay_info ("Without the system bus (%s) sleep is noticed by the clocks alone", g_strerror (-error));
  wake->loss_logged = TRUE;
  drop_bus (wake);
  relay_turn_arm_in (wake->bus_turn, wake->retry_usec);
  wake->retry_usec = MIN (wake->retry_usec * 4, (guint64) RELAY_WAKE_BUS_RETRY_MAX_USEC);
}

static void
on_bus_failed (int error, gpointer user_data)
{
  lose_bus (user_data, error);
}

/* Not lost here: sd-bus is in the middle of it. */
static int
on_match_installed (sd_bus_message *m, void *user_data, sd_bus_error *ret_error G_GNUC_UNUSED)
{
  RelayWake *wake = user_data;

  if (sd_bus_message_is_method_error (m, NULL)) {
    if (!wake->loss_logged)
      relay_info ("The system bus does not let us listen to logind: %s", sd_bus_message_get_error (m)->message);
    wake->loss_logged = TRUE;
    return 0;
  }
  wake->retry_usec = RELAY_WAKE_BUS_RETRY_MIN_USEC;
  wake->loss_logged = FALSE;
  relay_debug ("Listening to logind for sleep");
  return 0;
}

static int
on_prepare_for_sleep (sd_bus_message *m, void *user_data, sd_bus_error *ret_error G_GNUC_UNUSED)
{
  RelayWake *wake = user_data;
  gint64 asleep = wake->asleep_usec;
  int begins;

  if (sd_bus_message_get_destination (m) != NULL || sd_bus_message_read (m, "b", &begins) < 0)
    return 0;
  if (begins) {
    wake->asleep_usec = relay_clock_boottime ();
    wake->told_since_asleep = FALSE;
    return 0;
  }
  wake->asleep_usec = 0;
  if (!check_clocks (wake) && asleep != 0 && !wake->told_since_asleep)
    tell_slept (wake, relay_clock_boottime () - asleep);
  return 0;
}

static void
connect_bus (gpointer user_data)
{
  static const RelayBusSourceEvents source_events = { .failed = on_bus_failed };
  RelayWake *wake = user_data;
  int r;

  r = sd_bus_open_system (&wake->bus);
  if (r >= 0)
    r = sd_bus_set_exit_on_disconnect (wake->bus, 0);
  if (r >= 0)
    r = sd_bus_match_signal_async (wake->bus, &wake->match, "org.freedesktop.login1", "/org/freedesktop/login1",
                                   "org.freedesktop.login1.Manager", "PrepareForSleep", on_prepare_for_sleep,
                                   on_match_installed, wake);
  if (r < 0) {
    lose_bus (wake, r);
    return;
  }
  wake->bus_source = relay_bus_source_new (wake->bus, &source_events, wake);
  g_source_attach (wake->bus_source, NULL);
}

/* ---- the network ---- */

static void
tell_network (RelayWake *wake)
{
  wake->network_pending = FALSE;
  relay_turn_arm_in (wake->network_turn, RELAY_WAKE_NETWORK_USEC);
  wake->events->network_changed (relay_wake_is_network_available (wake), wake->user_data);
}

/* It was quiet, or not, since it was told. */
static void
on_network_turn (gpointer user_data)
{
  RelayWake *wake = user_data;

  if (wake->network_pending)
    tell_network (wake);
}

static void
on_network_changed (GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
  RelayWake *wake = user_data;

  if (g_source_get_ready_time (wake->network_turn) < 0)
    tell_network (wake);
  else
    wake->network_pending = TRUE;
}

/* ---- the interface ---- */

RelayWake *
relay_wake_new (const RelayWakeEvents *events, gpointer user_data)
{
  RelayWake *wake = g_new0 (RelayWake, 1);

  wake->events = events;
  wake->user_data = user_data;
  wake->apart_usec = get_apart ();
  wake->day_usec = relay_clock_get_day ();
  watch_clock (wake);

  wake->retry_usec = RELAY_WAKE_BUS_RETRY_MIN_USEC;
  wake->bus_turn = relay_turn_new ("relay-wake-bus", connect_bus, wake);
  relay_turn_arm (wake->bus_turn);

  wake->network_turn = relay_turn_new ("relay-wake-network", on_network_turn, wake);
  wake->monitor = g_object_ref (g_network_monitor_get_default ());
  wake->monitor_handler = g_signal_connect (wake->monitor, "network-changed", G_CALLBACK (on_network_changed), wake);
  return wake;
}

void
relay_wake_free (RelayWake *wake)
{
  if (wake == NULL)
    return;
  g_clear_signal_handler (&wake->monitor_handler, wake->monitor);
  g_clear_object (&wake->monitor);
  relay_turn_free (wake->network_turn);
  drop_bus (wake);
  relay_turn_free (wake->bus_turn);
  if (wake->timer_source != NULL)
    g_source_destroy (wake->timer_source);
  g_clear_pointer (&wake->timer_source, g_source_unref);
  if (wake->timer_fd >= 0)
    close (wake->timer_fd);
  g_free (wake);
}

void
relay_wake_check (RelayWake *wake)
{
  check_clocks (wake);
}

gboolean
relay_wake_is_network_available (RelayWake *wake)
{
  return g_network_monitor_get_network_available (wake->monitor);
}
