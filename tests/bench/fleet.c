/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "link/backoff.h"
#include "link/link.h"

/*
 * A fleet of relays that lose their server at one moment, and how they come back: a simulation, in which a second costs
 * nothing and a seed gives the same run again.
 *
 * The server is away for a while; who connects meanwhile is refused at once. Then it takes so many handshakes a second, one
 * after the other. A handshake that finds more than a second's work before it is answered with 503, which costs the server
 * nothing; or, with --queue, all wait in one line, and who is not served within the relay's own deadline gives up, which
 * the server learns only when it has done the work. Nothing is lost and nothing takes time on the way: all that spreads the
 * fleet is the way in which its members wait. They are all connected when it begins, for long enough to be stable.
 *
 * Those named "relay" wait as src/link/ does, by its own functions. The others are there to compare with.
 */
#define SEC ((guint64) G_USEC_PER_SEC)
#define HORIZON_SEC (3 * 3600) /* who is not back then is counted as never back */
#define PATIENCE_USEC SEC      /* of the server: 503 for who would wait longer */
#define TENTHS 10

typedef struct Fleet Fleet;
typedef struct {
  const char *name;
  /* The delay after a failure, the @n_failed'th in a row; 0: after the loss of the connection. G_MAXUINT64: gives up. */
  guint64 (*wait) (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec);
  guint64 deadline_usec; /* for a handshake */
} Habit;

typedef struct {
  guint64 usec;
  guint32 relay;
} Moment;

struct Fleet {
  /* What is asked for. */
  gint n_relays, rate;
  double away_sec, retry_after_sec, initial_sec, max_sec;
  gboolean queue;
  gint seed;
  const Habit *habit;

  GRand *rand;
  GArray *heap;     /* of Moment: the attempts ahead */
  guint8 *n_failed; /* of each relay */
  guint64 *waited;  /* the delay before, of each relay; for decorrelated jitter */

  guint64 free_usec; /* when the server has done all that was taken on */
  guint32 *attempts; /* of each second */
  guint32 *tenths;   /* of each tenth of a second */
  guint64 *back;     /* when, in order */
  guint n_back, n_attempts, n_given_up;
};

/* ---- how to wait ---- */

static guint64
get_ceiling (const Fleet *fleet, guint n)
{
  return (guint64) (MIN (fleet->max_sec, fleet->initial_sec * (double) (G_GUINT64_CONSTANT (1) << MIN (n, 40))) * (double) SEC);
}

static guint64
wait_as_relay (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  return relay_backoff_delay ((guint64) (fleet->initial_sec * SEC), (guint64) (fleet->max_sec * SEC), n_failed,
                              retry_after_usec, g_rand_double (fleet->rand));
}

/* The relay, but for a Retry-After that is only the least delay. */
static guint64
wait_to_the_letter (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  return MAX (wait_as_relay (fleet, relay, n_failed, 0), retry_after_usec);
}

static guint64
wait_without_jitter (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  return MAX (get_ceiling (fleet, n_failed), retry_after_usec);
}

static guint64
wait_with_equal_jitter (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  guint64 ceiling = get_ceiling (fleet, n_failed);

  return retry_after_usec + ceiling / 2 + (guint64) ((double) (ceiling / 2) * g_rand_double (fleet->rand));
}

static guint64
wait_decorrelated (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  guint64 least = get_ceiling (fleet, 0);
  guint64 most = n_failed == 0 ? least : MAX (fleet->waited[relay], least) * 3;
  guint64 least_now = n_failed == 0 ? 0 : least;

  fleet->waited[relay] = MIN ((guint64) (fleet->max_sec * SEC),
                              least_now + (guint64) ((double) (most - least_now) * g_rand_double (fleet->rand)));
  return retry_after_usec + fleet->waited[relay];
}

/* As the protocol page's client does: 1, 2, 4, … seconds, and then no more. It knows no Retry-After. */
static guint64
wait_as_page (guint n_failed, guint max_attempts)
{
  return n_failed < max_attempts ? SEC << n_failed : G_MAXUINT64;
}

static guint64
wait_as_page_5 (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  return wait_as_page (n_failed, 5);
}

static guint64
wait_as_page_10 (Fleet *fleet, guint32 relay, guint n_failed, guint64 retry_after_usec)
{
  return wait_as_page (n_failed, 10);
}

static const Habit habits[] = {
  { "relay", wait_as_relay, RELAY_LINK_HANDSHAKE_TIMEOUT_USEC },
  { "letter", wait_to_the_letter, RELAY_LINK_HANDSHAKE_TIMEOUT_USEC },
  { "none", wait_without_jitter, RELAY_LINK_HANDSHAKE_TIMEOUT_USEC },
  { "equal", wait_with_equal_jitter, RELAY_LINK_HANDSHAKE_TIMEOUT_USEC },
  { "decorrelated", wait_decorrelated, RELAY_LINK_HANDSHAKE_TIMEOUT_USEC },
  { "page-5", wait_as_page_5, G_MAXUINT64 },
  { "page-10", wait_as_page_10, G_MAXUINT64 },
};

/* ---- what is ahead, the earliest first ---- */

static gboolean
is_before (const Moment *a, const Moment *b)
{
  return a->usec != b->usec ? a->usec < b->usec : a->relay < b->relay;
}

static void
push (GArray *heap, Moment moment)
{
  guint i = heap->len;

  g_array_append_val (heap, moment);
  for (Moment *m = (Moment *) (gpointer) heap->data; i > 0 && is_before (&moment, &m[(i - 1) / 2]); i = (i - 1) / 2) {
    m[i] = m[(i - 1) / 2];
    m[(i - 1) / 2] = moment;
  }
}

static Moment
pop (GArray *heap)
{
  Moment *m = (Moment *) (gpointer) heap->data;
  Moment first = m[0], last = m[heap->len - 1];
  guint i = 0, child;

  g_array_set_size (heap, heap->len - 1);
  while ((child = 2 * i + 1) < heap->len) {
    if (child + 1 < heap->len && is_before (&m[child + 1], &m[child]))
      child++;
    if (!is_before (&m[child], &last))
      break;
    m[i] = m[child];
    i = child;
  }
  if (heap->len > 0)
    m[i] = last;
  return first;
}

/* ---- the run ---- */

static void
plan (Fleet *fleet, guint32 relay, guint64 now_usec, guint64 retry_after_usec)
{
  guint64 delay = fleet->habit->wait (fleet, relay, fleet->n_failed[relay], retry_after_usec);

  if (delay == G_MAXUINT64)
    fleet->n_given_up++;
  else
    push (fleet->heap, (Moment){ now_usec + delay, relay });
}

static void
fail (Fleet *fleet, guint32 relay, guint64 now_usec, guint64 retry_after_usec)
{
  if (fleet->n_failed[relay] < G_MAXUINT8)
    fleet->n_failed[relay]++;
  plan (fleet, relay, now_usec, retry_after_usec);
}

static void
attempt (Fleet *fleet, Moment now)
{
  guint64 cost = SEC / (guint64) fleet->rate, wait;

  fleet->n_attempts++;
  fleet->attempts[now.usec / SEC]++;
  fleet->tenths[now.usec * TENTHS / SEC]++;
  if ((double) now.usec < fleet->away_sec * SEC) {
    fail (fleet, now.relay, now.usec, 0);
    return;
  }
  wait = fleet->free_usec > now.usec ? fleet->free_usec - now.usec : 0;
  if (!fleet->queue && wait > PATIENCE_USEC) {
    fail (fleet, now.relay, now.usec, (guint64) (fleet->retry_after_sec * SEC));
    return;
  }
  fleet->free_usec = now.usec + wait + cost;
  if (wait + cost > fleet->habit->deadline_usec)
    fail (fleet, now.relay, now.usec + fleet->habit->deadline_usec, 0);
  else
    fleet->back[fleet->n_back++] = fleet->free_usec;
}

static void
run (Fleet *fleet)
{
  fleet->rand = g_rand_new_with_seed ((guint32) fleet->seed);
  fleet->heap = g_array_new (FALSE, FALSE, sizeof (Moment));
  fleet->n_failed = g_new0 (guint8, fleet->n_relays);
  fleet->waited = g_new0 (guint64, fleet->n_relays);
  fleet->back = g_new0 (guint64, fleet->n_relays);
  fleet->attempts = g_new0 (guint32, HORIZON_SEC);
  fleet->tenths = g_new0 (guint32, HORIZON_SEC * TENTHS);

  for (guint32 relay = 0; relay < (guint32) fleet->n_relays; relay++)
    plan (fleet, relay, 0, 0);
  while (fleet->heap->len > 0) {
    Moment now = pop (fleet->heap);

    if (now.usec >= HORIZON_SEC * SEC)
      break;
    attempt (fleet, now);
  }
}

static void
fleet_clear (Fleet *fleet)
{
  g_clear_pointer (&fleet->rand, g_rand_free);
  g_clear_pointer (&fleet->heap, g_array_unref);
  g_free (fleet->n_failed);
  g_free (fleet->waited);
  g_free (fleet->back);
  g_free (fleet->attempts);
  g_free (fleet->tenths);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fleet, fleet_clear)

/* ---- what came of it ---- */

static guint32
get_peak (const guint32 *bins, guint from, guint n)
{
  guint32 peak = 0;

  for (guint i = from; i < n; i++)
    peak = MAX (peak, bins[i]);
  return peak;
}

/* When so many of a thousand were back; null if they never were. A server's work is done in order, so `back` is sorted. */
static void
print_back (const Fleet *fleet, const char *name, guint thousandths)
{
  guint n = (guint) (((guint64) fleet->n_relays * thousandths + 999) / 1000);

  if (fleet->n_back < n)
    printf (",\"%s\":null", name);
  else
    printf (",\"%s\":%.3f", name, (double) fleet->back[n - 1] / SEC);
}

static void
print_result (const Fleet *fleet)
{
  guint seconds = HORIZON_SEC, away = (guint) fleet->away_sec;

  while (seconds > 0 && fleet->attempts[seconds - 1] == 0)
    seconds--;
  printf ("{\"habit\":\"%s\",\"attempts\":%u,\"peak\":%u,\"peak_tenth\":%u,\"peak_returned\":%u,\"peak_tenth_returned\":%u",
          fleet->habit->name, fleet->n_attempts, get_peak (fleet->attempts, 0, HORIZON_SEC),
          get_peak (fleet->tenths, 0, HORIZON_SEC * TENTHS), get_peak (fleet->attempts, away, HORIZON_SEC),
          get_peak (fleet->tenths, away * TENTHS, HORIZON_SEC * TENTHS));
  print_back (fleet, "back_half", 500);
  print_back (fleet, "back_99", 990);
  print_back (fleet, "back_all", 1000);
  printf (",\"never\":%u,\"per_second\":[", (guint) fleet->n_relays - fleet->n_back);
  for (guint i = 0; i < seconds; i++)
    printf ("%s%u", i > 0 ? "," : "", fleet->attempts[i]);
  printf ("],\"back_by_second\":[");
  for (guint i = 0, n = 0; i < seconds; i++) {
    while (n < fleet->n_back && fleet->back[n] < (i + 1) * SEC)
      n++;
    printf ("%s%u", i > 0 ? "," : "", n);
  }
  printf ("]}\n");
}

static const Habit *
find_habit (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (habits); i++)
    if (g_strcmp0 (habits[i].name, name) == 0)
      return &habits[i];
  return NULL;
}

int
main (int argc, char **argv)
{
  g_auto (Fleet) fleet = { .n_relays = 100000, .rate = 2000, .initial_sec = 1, .max_sec = 60, .seed = 1 };
  g_autofree char *habit = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  const GOptionEntry entries[] = {
    { "relays", 0, 0, G_OPTION_ARG_INT, &fleet.n_relays, "How many there are", "N" },
    { "rate", 0, 0, G_OPTION_ARG_INT, &fleet.rate, "Handshakes that the server can do in a second", "N" },
    { "away", 0, 0, G_OPTION_ARG_DOUBLE, &fleet.away_sec, "How long the server is away", "SEC" },
    { "retry-after", 0, 0, G_OPTION_ARG_DOUBLE, &fleet.retry_after_sec, "What its 503 asks for", "SEC" },
    { "queue", 0, 0, G_OPTION_ARG_NONE, &fleet.queue, "It lets all wait, instead of 503", NULL },
    { "habit", 0, 0, G_OPTION_ARG_STRING, &habit, "relay, letter, none, equal, decorrelated, page-5, page-10", "NAME" },
    { "initial", 0, 0, G_OPTION_ARG_DOUBLE, &fleet.initial_sec, "InitialDelaySec", "SEC" },
    { "max", 0, 0, G_OPTION_ARG_DOUBLE, &fleet.max_sec, "MaxDelaySec", "SEC" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &fleet.seed, "Another run", "N" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  fleet.habit = find_habit (habit != NULL ? habit : "relay");
  if (fleet.habit == NULL || fleet.n_relays < 1 || fleet.rate < 1 || fleet.away_sec < 0 || fleet.away_sec >= HORIZON_SEC) {
    g_printerr ("There is no such fleet\n");
    return 2;
  }
  run (&fleet);
  print_result (&fleet);
  return 0;
}
